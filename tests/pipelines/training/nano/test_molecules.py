"""Molecules as drawing descriptions: nothing is lost, and the pictures show what the marks say."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Geometry import Point3D

from docai.pipelines.synthesis import Sample, split_of
from docai.pipelines.synthesis.base import MARGIN, SIZE, UndrawableError
from docai.pipelines.training.nano import drawing
from docai.pipelines.training.nano.drawing import Label, MoleculeDrawing, Stroke
from docai.pipelines.training.nano.molecules import Molecules, describe

Drawings = list[tuple[MoleculeDrawing, tuple[Label, ...]]]


@pytest.fixture(scope="module")
def drawings() -> Drawings:
    return [describe(random.Random(f"{i}"), 0.1 + i / 50) for i in range(45)]


@pytest.fixture(scope="module")
def molecules(drawings: Drawings) -> Molecules:
    """Through a file, as in a pack."""
    file = io.BytesIO()
    np.savez_compressed(file, **Molecules.collect(drawings).arrays())
    file.seek(0)
    with np.load(file) as arrays:
        return Molecules.from_arrays(dict(arrays))


def read(
    molecule: MoleculeDrawing,
    points: np.ndarray,
    bonds: Sequence[tuple[int, int, Stroke]],
    elements: list[str],
) -> str:  # type: ignore[type-arg]
    """The SMILES that a chemist reads off the drawing: places, bonds, wedges, letters."""
    mol = Chem.RWMol()
    for element in elements:
        mol.AddAtom(Chem.Atom(element))
    orders = {Stroke.TRIPLE: Chem.BondType.TRIPLE}
    orders |= dict.fromkeys((Stroke.DOUBLE, Stroke.DOUBLE_LEFT, Stroke.DOUBLE_RIGHT), Chem.BondType.DOUBLE)
    directions = {Stroke.WEDGE: Chem.BondDir.BEGINWEDGE, Stroke.HASH: Chem.BondDir.BEGINDASH}
    for first, second, stroke in bonds:
        count = mol.AddBond(int(first), int(second), orders.get(stroke, Chem.BondType.SINGLE))
        mol.GetBondWithIdx(count - 1).SetBondDir(directions.get(stroke, Chem.BondDir.NONE))
    shape = Chem.Conformer(mol.GetNumAtoms())
    for index, (x, y) in enumerate(points):
        shape.SetAtomPosition(index, Point3D(float(x), -float(y), 0.0))
    mol.AddConformer(shape)
    Chem.SanitizeMol(mol)
    Chem.AssignChiralTypesFromBondDirs(mol)
    Chem.DetectBondStereochemistry(mol)
    Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
    return str(Chem.MolToSmiles(Chem.RemoveHs(mol)))


def test_a_description_turned_and_mirrored_is_read_as_its_smiles(molecules: Molecules) -> None:
    compared = stereo = mirrored = 0
    for index in range(len(molecules)):
        molecule = molecules[index]
        marks = [molecules.labels[label].mark for label in molecule.labels]
        if not all(mark in ("C", "N", "O", "S", "F", "Cl", "Br", "I") for mark in marks):
            continue
        if "[n" in molecule.smiles or "[1" in molecule.smiles:
            continue
        for seed in range(2):
            points, bonds = drawing._rotate(molecule, random.Random(f"{index}/{seed}"))
            mirrored += bonds != [tuple(bond) for bond in molecule.bonds.tolist()]
            assert read(molecule, points, bonds, marks) == Chem.CanonSmiles(molecule.smiles)
        compared += 1
        stereo += "@" in molecule.smiles or "/" in molecule.smiles
    assert compared > 15
    assert stereo >= 1
    assert mirrored > 10


def test_pictures_fit_and_marks_lie_on_ink_or_its_corners(molecules: Molecules) -> None:
    for seed, difficulty in enumerate((0.0, 0.0, 0.3, 0.3)):
        sample = molecules.draw(random.Random(seed), difficulty)
        gray = np.asarray(sample.image.convert("L"))
        assert gray.shape == (SIZE, SIZE)
        frame = gray.copy()
        frame[MARGIN // 2 : -MARGIN // 2, MARGIN // 2 : -MARGIN // 2] = 255
        assert frame.min() > 200, "nothing at the border"
        assert "".join(sample.target[slice(*mark.span)] for mark in sample.marks if mark.span)
        for mark in sample.marks:
            x, y = round(mark.x), round(mark.y)
            assert gray[y - 14 : y + 15, x - 14 : x + 15].min() < 150, mark


def test_each_atom_of_the_smiles_has_a_mark_there(molecules: Molecules) -> None:
    sample: Sample = molecules.draw(random.Random(4), 1.0)
    mol = Chem.MolFromSmiles(sample.target)
    assert len(sample.marks) == mol.GetNumAtoms()
    spans = [mark.span for mark in sample.marks]
    assert spans == sorted(spans)  # type: ignore[type-var]


def test_looks_differ_and_a_seed_gives_the_same_again(molecules: Molecules) -> None:
    molecule = [np.asarray(molecules.draw(random.Random(1), 0.5).image) for _ in range(2)]
    assert np.array_equal(*molecule)
    picture = np.asarray(molecules.draw(random.Random(2), 0.5).image)
    assert not np.array_equal(molecule[0], picture)


def test_held_out_molecules_are_never_described(drawings: Drawings) -> None:
    keys = {
        Chem.CanonSmiles(molecule.smiles, useChiral=0)
        for molecule, _ in drawings
        if "*" not in molecule.smiles
    }
    assert len(keys) > 20
    assert {split_of(key) for key in keys} == {"train"}


def test_letters_that_hide_a_bond_are_refused() -> None:
    wide = Label(("-MMMMMMMMMM",), 0, ("-MMMMMMMMMM",), 0, "X")
    molecule = MoleculeDrawing(
        "CC",
        np.array([[0, 0], [48, 0]], np.int16),
        np.array([0, 0], np.uint16),
        np.array([0, 0], np.uint8),
        np.array([[0, 1, Stroke.SINGLE]], np.uint8),
        np.array([0, 1], np.uint8),
    )

    def draw_all() -> None:
        for seed in range(20):
            drawing.draw(molecule, [wide], random.Random(seed), 0.0)

    with pytest.raises(UndrawableError):
        draw_all()
