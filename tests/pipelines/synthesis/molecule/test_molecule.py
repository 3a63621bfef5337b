"""Structure drawings: what is written is what was drawn, and marks lie on the atoms."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from rdkit import Chem

from docai.parsers.molecule import parse_molecule
from docai.parsers.molecule_labels import ABBREVIATIONS
from docai.pipelines.synthesis.base import Plan, Sample, UndrawableError
from docai.pipelines.synthesis.molecule import generator as molecule
from docai.pipelines.synthesis.molecule import rendering as molecule_indigo
from docai.pipelines.synthesis.molecule.abbreviations import (
    LABEL,
    LABEL_WEST,
    MEMBERS,
    SOURCE,
    condense,
    label_open_positions,
)
from docai.pipelines.synthesis.molecule.details import add_details
from docai.pipelines.synthesis.molecule.parts import MAX_HEAVY_ATOMS, narrow_pool, recombined, wide_pool
from docai.pipelines.synthesis.molecule.rendering import Style, draw_with_rdkit
from docai.pipelines.synthesis.noise import MILD

PLAIN = Style(bond=60.0, line=0.03, font=0.4, offset=0.15, label_padding=0.0, methyls=False, font_file="")
RICH = "CCOC(=O)[C@H](Cc1ccccc1)NC(=O)OC(C)(C)C"
GROUPS = ("Ph", "Boc", "CO2Et", "OMe", "NO2", "CF3", "Me", "Et", "tBu", "OTs", "NHBoc", "Fmoc")


def drawn(count: int, difficulty: float) -> list[Sample]:
    rng = random.Random(8)
    return [molecule.generate(rng, difficulty) for _ in range(count)]


def labels(condensed: Chem.Mol) -> list[str]:
    return [atom.GetProp(LABEL) for atom in condensed.GetAtoms() if atom.HasProp(LABEL)]


def as_drawn(shown: Chem.Mol) -> str:
    """What a reader of wedges and labels makes of a drawing: its own words for labels, in brackets."""
    read = Chem.MolFromMolBlock(Chem.MolToMolBlock(shown), removeHs=False)
    texts = {}
    for atom, copy in zip(shown.GetAtoms(), read.GetAtoms(), strict=True):
        if atom.HasProp(MEMBERS):
            copy.SetAtomMapNum(500 + atom.GetIdx())
            texts[f"*:{500 + atom.GetIdx()}"] = atom.GetProp(LABEL)
    smiles = Chem.MolToSmiles(Chem.RemoveHs(Chem.MolFromSmiles(Chem.MolToSmiles(read))))
    smiles = re.sub(r"\[9\d\d\*:", "[*:", smiles)
    for dummy, text in texts.items():
        smiles = smiles.replace(f"[{dummy}]", f"[{text}]")
    return parse_molecule(smiles).content.smiles or smiles


@pytest.mark.parametrize("difficulty", [0.0, MILD, 0.6, 1.0])
def test_targets_are_canonical_and_every_atom_has_one_mark(difficulty: float) -> None:
    for sample in drawn(25, difficulty):
        parsed = parse_molecule(sample.target)
        assert parsed.content.is_valid
        assert parsed.content.smiles == sample.target == Chem.CanonSmiles(sample.target)
        assert {issue.code for issue in parsed.issues} <= {"molecule-no-inchi"}
        atoms = [atom.GetSymbol() for atom in Chem.MolFromSmiles(sample.target).GetAtoms()]
        assert len(sample.marks) == len(atoms)
        spans = sorted(mark.span for mark in sample.marks if mark.span)
        for symbol, span in zip(atoms, spans, strict=True):
            written = sample.target[slice(*span)].strip("[]").lower()
            assert symbol.lower() in written
        for mark in sample.marks:
            assert mark.span is not None
            name = mark.label.rstrip("+-0123456789")
            of_element = name.lower() in sample.target[slice(*mark.span)].lower()
            assert (
                of_element
                or mark.label in ABBREVIATIONS
                or sample.target[slice(*mark.span)].strip("[]123456") == "*"
            )
            assert 0 <= mark.x < 896
            assert 0 <= mark.y < 896


@pytest.mark.parametrize("seed", range(60))
def test_the_target_is_what_wedges_labels_and_geometry_say(seed: int) -> None:
    rng = random.Random(seed)
    whole = Chem.MolFromSmiles(molecule.compose(rng, 1.0).content)
    try:
        shown = molecule._arrange(whole, rng, 1.0)
        target, _ = molecule._canonical_smiles(whole)
    except UndrawableError:
        return
    assert as_drawn(shown) == target


def test_up_to_the_mild_difficulty_content_is_small_and_plain() -> None:
    for seed in range(150):
        smiles = molecule.compose(random.Random(seed), MILD).content
        whole = Chem.MolFromSmiles(smiles)
        assert whole.GetNumHeavyAtoms() <= 14
        assert not re.search(r"[*@]|\[\d", smiles)


def test_at_full_difficulty_all_kinds_of_detail_occur() -> None:
    contents = [molecule.compose(random.Random(seed), 1.0).content for seed in range(250)]
    sizes = [Chem.MolFromSmiles(smiles).GetNumHeavyAtoms() for smiles in contents]
    assert max(sizes) <= MAX_HEAVY_ATOMS
    assert max(sizes) >= 38
    for pattern in (r"@", r"\[\d\*", r"(?<!\[)\*(?!\])", r"\+", r"-\]", r"\.", r"\[(2H|1[0-9][CNOFcn])"):
        assert sum(bool(re.search(pattern, smiles)) for smiles in contents) >= 2, pattern


def test_a_double_bond_has_the_geometry_it_is_drawn_with() -> None:
    sample = molecule.draw(Plan("", "CC=CCl"), random.Random(1), 0.0)
    assert sample.target in ("C/C=C/Cl", "C/C=C\\Cl")


def test_atoms_are_marked_where_they_are_drawn() -> None:
    sample = molecule.draw(Plan("", "CCCl"), random.Random(4), 0.0)
    pixels = np.asarray(sample.image.convert("L"))
    for mark in sample.marks:
        x, y = round(mark.x), round(mark.y)
        assert pixels[y - 12 : y + 13, x - 12 : x + 13].min() < 100


@pytest.mark.parametrize("renderer", ["rdkit", "indigo"])
@pytest.mark.parametrize("smiles", ["C1CC2CCC1C2.CC(C)(C)CC#CCC", "OC(=O)c1ccc(CCl)cc1", RICH])
def test_points_are_within_two_pixels_of_unlabelled_atoms(renderer: str, smiles: str) -> None:
    if renderer == "indigo":
        pytest.importorskip("indigo", reason="epam.indigo is not installed")
    shown = Chem.MolFromSmiles(smiles)
    molecule._lay_out(shown, random.Random(2), 0.0)
    molecule._finish(shown, random.Random(2))
    if renderer == "rdkit":
        gray, points = draw_with_rdkit(shown, PLAIN)
    else:
        gray, points = molecule_indigo.draw_with_indigo(shown, PLAIN, random.Random(2))
    assert len(points) == shown.GetNumAtoms()
    for atom, (x, y) in zip(shown.GetAtoms(), points, strict=True):
        if atom.GetSymbol() == "C" and atom.GetDegree() > 1:
            ink = np.argwhere(gray < 160)[:, ::-1] + 0.5
            assert np.hypot(*(ink - (x, y)).T).min() < 2


def test_abbreviations_keep_the_hand_and_stand_for_all_their_atoms() -> None:
    whole = Chem.MolFromSmiles(RICH)
    seen = set()
    for seed in range(40):
        shown = molecule._condensed(Chem.Mol(whole), random.Random(seed), 1.0)
        if shown is None:
            continue
        members = []
        for atom in shown.GetAtoms():
            if atom.HasProp(MEMBERS):
                members += [int(index) for index in atom.GetProp(MEMBERS).split()]
            elif atom.GetSymbol() != "H":
                members.append(atom.GetIntProp(SOURCE))
        assert sorted(members) == list(range(whole.GetNumAtoms()))
        assert as_drawn(shown) == Chem.CanonSmiles(RICH)
        seen |= set(labels(shown))
    assert {"Boc", "Ph", "CO2Et", "COOEt"} <= seen


def test_marks_of_an_abbreviation_are_all_at_its_label() -> None:
    for seed in range(40):
        sample = molecule.draw(Plan("", "OCCCCCCCc1ccccc1"), random.Random(seed), 0.6)
        places = [(mark.x, mark.y) for mark in sample.marks if mark.label == "Ph"]
        if places:
            assert len(places) == 6
            assert len(set(places)) == 1
            return
    pytest.fail("Ph was never abbreviated")


@pytest.mark.parametrize("group", GROUPS)
def test_each_common_group_is_found(group: str) -> None:
    whole = Chem.MolFromSmiles(f"C1CC(Br)CCN1{ABBREVIATIONS[group]}")
    drawings = [condense(whole, random.Random(seed), 1.0) for seed in range(30)]
    texts = {text for shown in drawings if shown is not None for text in labels(shown)}
    assert ABBREVIATIONS[group] in {ABBREVIATIONS[text] for text in texts}


@pytest.mark.parametrize(
    ("smiles", "left_out"),
    [
        ("C1CCCCC1C(=O)[O-]", "charge"),
        ("C1CCCCC1O[13CH3]", "isotope"),
        ("C1CCCCC1[C@H](C)CC", "hand"),
        ("C1CCCCC1C(=O)OCCO", "further atoms"),
    ],
)
def test_a_label_that_would_leave_something_out_is_not_used(smiles: str, left_out: str) -> None:
    whole = Chem.MolFromSmiles(smiles)
    for seed in range(30):
        shown = condense(whole, random.Random(seed), 1.0)
        for text in labels(shown) if shown is not None else []:
            assert ABBREVIATIONS[text] not in ("C(=O)O", "OC", "C(C)CC", "C(=O)OCC"), left_out


def test_labels_read_from_the_left_end_with_the_bond_where_it_comes_from_the_right() -> None:
    whole = Chem.MolFromSmiles("C1CCCCC1C(=O)OCC")
    drawings = [condense(whole, random.Random(seed), 1.0) for seed in range(40)]
    pairs = {
        (atom.GetProp(LABEL), atom.GetProp(LABEL_WEST))
        for shown in drawings
        if shown is not None
        for atom in shown.GetAtoms()
        if atom.HasProp(LABEL)
    }
    assert ("CO2Et", "EtO2C") in pairs
    for label, west in pairs:
        assert ABBREVIATIONS[label] == ABBREVIATIONS.get(west, ABBREVIATIONS[label])


def test_open_places_are_written_as_the_parser_reads_them() -> None:
    shown = Chem.MolFromSmiles("[3*]CCC(*)O")
    label_open_positions(shown, random.Random(0))
    texts = labels(shown)
    assert texts[0] == "R3"
    for text, dummy in zip(texts, ("[3*]", "*"), strict=True):
        assert parse_molecule(f"[{text}]CCO").content.smiles == Chem.CanonSmiles(f"{dummy}CCO")


@pytest.mark.parametrize("size", [6, 15, 40])
def test_recombined_molecules_are_sound_and_within_their_size(size: int) -> None:
    made = {recombined(random.Random(seed), size) for seed in range(60)} - {None}
    assert len(made) >= 15
    for smiles in made:
        whole = Chem.MolFromSmiles(smiles)
        assert whole is not None
        assert 1 <= whole.GetNumHeavyAtoms() <= size
        assert whole.GetRingInfo().NumRings()
        assert "*" not in smiles


def test_recombination_makes_molecules_that_no_list_holds() -> None:
    listed = {smiles for group in wide_pool()[0] for smiles in group}
    made = {recombined(random.Random(seed), 25) for seed in range(60)} - {None}
    assert len(made - listed) > len(made) / 2
    assert {smiles for group in narrow_pool() for smiles in group} <= listed


def test_details_leave_molecules_sound() -> None:
    for seed in range(80):
        smiles = add_details("O=C(O)C1CCN(C(C)c2ccncc2)CC1", random.Random(seed), 1.0)
        assert smiles is None or Chem.MolFromSmiles(smiles) is not None


def test_without_indigo_rdkit_draws_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("Indigo was called")

    monkeypatch.setattr(molecule, "has_indigo", lambda: False)
    monkeypatch.setattr(molecule, "draw_with_indigo", refuse)
    assert len(drawn(12, 1.0)) == 12


def test_what_indigo_refuses_is_drawn_by_rdkit(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = []

    def refuse(*_: object) -> None:
        refused.append(True)
        raise UndrawableError("no")

    monkeypatch.setattr(molecule, "has_indigo", lambda: True)
    monkeypatch.setattr(molecule, "draw_with_indigo", refuse)
    assert len(drawn(12, 1.0)) == 12
    assert refused


def test_indigo_draws_other_pixels_than_rdkit() -> None:
    pytest.importorskip("indigo", reason="epam.indigo is not installed")
    sample = drawn(12, 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(molecule, "has_indigo", lambda: False)
        plain = drawn(12, 1.0)
    assert any(
        stereo.target == flat.target and stereo.image != flat.image
        for stereo, flat in zip(sample, plain, strict=True)
    )


def test_overlapping_atoms_are_not_drawn() -> None:
    flat = Chem.MolFromMolBlock(
        "\n\n\n  3  2  0  0  0  0  0  0  0  0999 V2000\n"
        "    0.0000    0.0000    0.0000 C   0  0\n"
        "    1.5000    0.0000    0.0000 C   0  0\n"
        "    0.1000    0.1000    0.0000 C   0  0\n"
        "  1  2  1  0\n  2  3  1  0\nM  END\n"
    )
    assert molecule._is_crowded(flat)


def test_samples_do_not_depend_on_what_was_drawn_before() -> None:
    first = molecule.generate(random.Random("a"), 1.0)
    for seed in range(12):
        molecule.generate(random.Random(seed), 1.0)
    again = molecule.generate(random.Random("a"), 1.0)
    assert first.target == again.target
    assert first.marks == again.marks
    assert first.image.tobytes() == again.image.tobytes()
