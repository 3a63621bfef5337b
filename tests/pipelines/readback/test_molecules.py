"""A molecule's atoms matched to the places of a structure drawing."""

from __future__ import annotations

import io
import random

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docai.contents import MoleculeContent
from docai.pipelines.readback.molecule.alignment import Alignment
from docai.pipelines.readback.molecule.features import best_alignment, molecule_features, observe_molecule
from docai.pipelines.readback.molecule.matching import MAX_PLACES, BondGraph, match
from docai.pipelines.readback.molecule.rendering import MAX_DRAWINGS, expected_drawings
from docai.pipelines.readback.molecule.strokes import LETTERS, letter_correlations, letter_margin
from docai.pipelines.readback.similarity import NotComparable

Gray = NDArray[np.uint8]
CAFFEINE = "Cn1cnc2c1c(=O)n(C)c(=O)n2C"
IBUPROFEN = "CC(C)Cc1ccc(C(C)C(=O)O)cc1"


def content(smiles: str) -> MoleculeContent:
    return MoleculeContent(smiles=smiles, is_valid=True)


def drawn(smiles: str, *, rotate: float = 23, every_carbon: bool = False, bond: float = 80) -> Gray:
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer = rdMolDraw2D.MolDraw2DCairo(896, 896)
    options = drawer.drawOptions()
    options.useBWAtomPalette()
    options.rotate, options.fixedBondLength, options.bondLineWidth = rotate, bond, 3
    mol = Chem.MolFromSmiles(smiles)
    if every_carbon:
        for atom in mol.GetAtoms():
            if atom.GetSymbol() == "C":
                atom.SetProp("_displayLabel", "C")
    drawer.DrawMolecule(mol)
    drawer.FinishDrawing()
    packed = np.frombuffer(drawer.GetDrawingText(), np.uint8)
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)


def aligned(smiles: str, picture: Gray) -> Alignment:
    return best_alignment(observe_molecule(picture), content(smiles))


def graph(bonds: list[tuple[int, int]], letters: list[int]) -> BondGraph:
    ordered = sorted({(min(bond), max(bond)) for bond in bonds})
    return BondGraph(
        np.array(letters, np.int64), tuple(ordered), (False,) * len(ordered), np.zeros(len(letters), bool)
    )


def fits(observed: BondGraph, expected: BondGraph) -> NDArray[np.float64]:
    return np.ones((observed.n, expected.n))


@pytest.mark.parametrize("smiles", ["CC(C)O", "CCC(C)N", "CC(N)O"])
@pytest.mark.parametrize("bond", [80, 160, 320])
def test_letters_may_be_small_beside_long_bonds(smiles: str, bond: float) -> None:
    assert aligned(smiles, drawn(smiles, bond=bond)).mismatch == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_graph_with_its_places_in_another_order_is_matched_whole(seed: int) -> None:
    rng = random.Random(seed)
    # Two rings in a chain, with two labels.
    bonds = [(i, i + 1) for i in range(14)] + [(0, 5), (9, 14)]
    letters = [0] * 15
    letters[2], letters[7] = 1, 2
    order = list(range(15))
    rng.shuffle(order)
    expected = graph(bonds, letters)
    observed = graph([(order[a], order[b]) for a, b in bonds], [letters[order.index(i)] for i in range(15)])
    matching = match(observed, expected, fits(observed, expected))
    assert len(matching.bond_pairs) == len(bonds)
    assert sorted(matching.places.tolist()) == list(range(15))


def test_of_a_graph_that_lacks_a_bond_all_others_are_kept() -> None:
    bonds = [(i, i + 1) for i in range(9)] + [(0, 5)]
    expected, observed = graph(bonds, [0] * 10), graph(bonds[:7] + bonds[8:], [0] * 10)
    assert len(match(observed, expected, fits(observed, expected)).bond_pairs) == len(bonds) - 1


def test_nothing_is_matched_to_no_places_or_too_many() -> None:
    expected = graph([(0, 1)], [0, 0])
    for n in (0, MAX_PLACES + 1):
        observed = graph([(i, i + 1) for i in range(n - 1)], [0] * n)
        matching = match(observed, expected, fits(observed, expected))
        assert matching.places.tolist() == [-1, -1]
        assert matching.bond_pairs == ()


@pytest.mark.parametrize("letter", "CNOSFPBH")
@pytest.mark.parametrize("name", ["helv", "tiro", "cobo", "tibi"])
def test_letters_are_told_apart_in_faces_that_are_no_templates_too(letter: str, name: str) -> None:
    import pymupdf

    face = ImageFont.truetype(io.BytesIO(pymupdf.Font(name).buffer), 30)
    image = Image.new("L", (80, 80), 0)
    ImageDraw.Draw(image).text((20, 20), letter, fill=255, font=face)
    ink = (np.asarray(image) > 110).astype(np.uint8)
    ys, xs = np.nonzero(ink)
    box = np.array([[xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]])
    correlations = letter_correlations(ink, box)
    assert letter_margin(correlations, letter) > 0
    assert letter_margin(correlations, "S" if letter == "N" else "N") < 0


def test_a_piece_too_wide_for_a_letter_tells_nothing() -> None:
    correlations = letter_correlations(np.ones((20, 60), np.uint8), np.array([[0, 0, 60, 20]]))
    assert correlations.shape == (1, len(LETTERS))
    assert np.isnan(letter_margin(correlations, "N"))
    assert np.isnan(
        letter_margin(letter_correlations(np.ones((20, 20), np.uint8), np.array([[0, 0, 20, 20]])), "?")
    )


def test_groups_may_be_drawn_as_labels() -> None:
    drawings = expected_drawings(content("CCOC(=O)c1ccc(C#N)cc1"))
    labels = {
        frozenset(text[0] for text, group in zip(drawing.texts, drawing.is_group, strict=True) if group)
        for drawing in drawings
    }
    assert frozenset() in labels
    assert frozenset(["CO2Et", "CN"]) in labels
    assert frozenset(["CN"]) in labels
    assert {drawing.n_atoms for drawing in drawings} >= {13, 12, 9, 8}


def test_many_groups_do_not_make_many_drawings() -> None:
    assert (
        len(expected_drawings(content("COc1c(C#N)c(C(C)=O)c(SC)c([N+](=O)[O-])c1C(F)(F)F"))) <= MAX_DRAWINGS
    )


@pytest.mark.parametrize(
    "smiles",
    [CAFFEINE, IBUPROFEN, "OC[C@H](N)C(=O)O", "N#Cc1ccc(Br)cc1", "CC#CCO", "FC(F)(F)c1ccncc1"],
)
@pytest.mark.parametrize("rotate", [0, 71])
def test_a_molecule_leaves_nothing_over_of_its_own_drawing(smiles: str, rotate: float) -> None:
    alignment = aligned(smiles, drawn(smiles, rotate=rotate))
    assert alignment.mismatch < 0.5, alignment.matching


def test_a_salt_beside_it_is_found_as_well() -> None:
    assert aligned("Cl.CCCN", drawn("Cl.CCCN", rotate=0)).mismatch < 0.5


def test_letters_at_every_carbon_are_no_difference() -> None:
    assert aligned("CCC(N)CO", drawn("CCC(N)CO", every_carbon=True)).mismatch < 0.5


@pytest.mark.parametrize(
    ("smiles", "what"),
    [
        ("Cn1cnc2c1c(=S)n(C)c(=O)n2C", "unlike_labels"),
        ("Cn1cnc2c1c(=O)n(C)c(=O)n2CO", "unplaced_atoms"),
        ("Cn1cnc2c1c(=O)[nH]c(=O)n2C", "extra_bonds"),
    ],
)
def test_one_atom_that_is_another_missing_or_too_many_is_named(smiles: str, what: str) -> None:
    picture = drawn(CAFFEINE)
    assert getattr(aligned(CAFFEINE, picture), what) == 0
    assert getattr(aligned(smiles, picture), what) > 0


def test_an_opened_ring_leaves_a_bond_over() -> None:
    assert aligned("CCCCCCO", drawn("C1CCCCC1O")).extra_bonds > 0


def test_a_double_bond_made_single_is_told() -> None:
    picture = drawn("CC=CCC(C)O")
    assert aligned("CC=CCC(C)O", picture).order_differences == (0, 0, 0)
    assert aligned("CCCCC(C)O", picture).order_differences[0] == 1


def test_features_are_finite_whatever_the_picture() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 400)).astype(np.uint8)
    for picture in (
        noise,
        drawn(CAFFEINE),
        np.pad(np.full((100, 100), 90, np.uint8), 100, constant_values=255),
    ):
        try:
            features = molecule_features(observe_molecule(picture), content(IBUPROFEN))
        except NotComparable:
            continue
        assert all(np.isfinite(value) for value in features.values())


def test_a_triangle_is_no_hexagon() -> None:
    picture = np.full((600, 600), 255, np.uint8)
    cv2.polylines(picture, [np.array([[300, 100], [500, 450], [100, 450]])], True, 0, 6)
    assert aligned("C1CC1", picture).mismatch == 0
    assert aligned("c1ccccc1", picture).mismatch >= 3
