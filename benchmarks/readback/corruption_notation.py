"""Corruptions of right molecules and scores; see `corruption.py`."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

from corruption import by_name

from docai.base import Content
from docai.contents import MoleculeContent, ScoreContent

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Mol, RWMol

_TRIES = 12

_OTHERS = (
    "CCO", "CC(C)=O", "c1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "CCN(CC)CC", "O=C(O)c1ccccc1O", "CC(C)CC(N)C(=O)O",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C", "C1CCCCC1", "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "c1ccc2ccccc2c1", "OCC(O)CO",
    "CN1CCCC1c1cccnc1", "COc1cc(C=O)ccc1O", "CC12CCC3C(CCC4=CC(=O)CCC34C)C1CCC2O", "O=C(c1ccccc1)c1ccccc1",
    "CCCCCCCCCC(=O)O", "NC(=O)c1cccnc1", "Clc1ccc(cc1)C(c1ccccc1)N1CCN(C)CC1", "C#CC", "CC=CC=O", "FC(F)(F)C",
)  # fmt: skip


def _edited(
    content: Content, edit: Callable[[RWMol, random.Random], bool], rng: random.Random
) -> Content | None:
    """The molecule after an edit, valid and different; None where :data:`_TRIES` edits gave none."""
    from rdkit import Chem, rdBase

    assert isinstance(content, MoleculeContent)
    with rdBase.BlockLogs():
        source = Chem.MolFromSmiles(content.smiles or "")
        for _ in range(_TRIES):
            mol = Chem.RWMol(source)
            Chem.Kekulize(mol, clearAromaticFlags=True)
            if not edit(mol, rng):
                continue
            smiles = _checked(mol)
            if smiles and smiles != content.smiles:
                return MoleculeContent(smiles=smiles, is_valid=True)
    return None


def _checked(mol: Mol) -> str | None:
    from rdkit import Chem

    for atom in mol.GetAtoms():
        atom.SetNumRadicalElectrons(0)
    if Chem.SanitizeMol(mol, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return None
    smiles = Chem.MolToSmiles(mol)
    again = Chem.MolFromSmiles(smiles)
    return str(Chem.MolToSmiles(again)) if again is not None and again.GetNumAtoms() else None


def _release(atom: Atom) -> None:
    """Let RDKit count the hydrogens again."""
    atom.SetNoImplicit(False)
    atom.SetNumExplicitHs(0)


def delete_atom(content: Content, rng: random.Random) -> Content | None:
    """Remove an atom at an end."""

    def edit(mol: RWMol, rng: random.Random) -> bool:
        ends = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetDegree() == 1]
        if not ends or mol.GetNumAtoms() < 3:
            return False
        index = rng.choice(ends)
        _release(mol.GetAtomWithIdx(index).GetNeighbors()[0])
        mol.RemoveAtom(index)
        return True

    return _edited(content, edit, rng)


def _attach(mol: RWMol, rng: random.Random, smiles: str) -> bool:
    from rdkit import Chem

    free = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetTotalNumHs() > 0]
    if not free:
        return False
    index, first = rng.choice(free), mol.GetNumAtoms()
    _release(mol.GetAtomWithIdx(index))
    part = Chem.MolFromSmiles(smiles)
    Chem.Kekulize(part, clearAromaticFlags=True)
    mol.InsertMol(part)
    mol.AddBond(index, first, Chem.BondType.SINGLE)
    return True


def add_atom(content: Content, rng: random.Random) -> Content | None:
    """Add a carbon, oxygen or nitrogen."""
    return _edited(content, lambda mol, rng: _attach(mol, rng, rng.choice("CON")), rng)


def add_ring(content: Content, rng: random.Random) -> Content | None:
    """Add a ring."""
    return _edited(content, lambda mol, rng: _attach(mol, rng, rng.choice(("c1ccccc1", "C1CCCC1"))), rng)


def change_element(content: Content, rng: random.Random) -> Content | None:
    """Make a carbon a nitrogen or oxygen, or the reverse."""

    def edit(mol: RWMol, rng: random.Random) -> bool:
        atom = mol.GetAtomWithIdx(rng.randrange(mol.GetNumAtoms()))
        if atom.GetAtomicNum() not in (6, 7, 8) or atom.GetFormalCharge():
            return False
        _release(atom)
        atom.SetAtomicNum(rng.choice([n for n in (6, 7, 8) if n != atom.GetAtomicNum()]))
        return True

    return _edited(content, edit, rng)


def change_bond(content: Content, rng: random.Random) -> Content | None:
    """Make a single bond double, or the reverse."""
    from rdkit import Chem

    def edit(mol: RWMol, rng: random.Random) -> bool:
        if not mol.GetNumBonds():
            return False
        bond = mol.GetBondWithIdx(rng.randrange(mol.GetNumBonds()))
        is_single = bond.GetBondType() == Chem.BondType.SINGLE
        bond.SetBondType(Chem.BondType.DOUBLE if is_single else Chem.BondType.SINGLE)
        for atom in (bond.GetBeginAtom(), bond.GetEndAtom()):
            _release(atom)
        return True

    return _edited(content, edit, rng)


def open_ring(content: Content, rng: random.Random) -> Content | None:
    """Remove a bond of a ring."""

    def edit(mol: RWMol, rng: random.Random) -> bool:
        ring_bonds = [bond for bond in mol.GetBonds() if bond.IsInRing()]
        if not ring_bonds:
            return False
        bond = rng.choice(ring_bonds)
        first, second = bond.GetBeginAtom(), bond.GetEndAtom()
        mol.RemoveBond(first.GetIdx(), second.GetIdx())
        _release(first)
        _release(second)
        return True

    return _edited(content, edit, rng)


def resize_ring(content: Content, rng: random.Random) -> Content | None:
    """Add an atom between two of a ring."""
    from rdkit import Chem

    def edit(mol: RWMol, rng: random.Random) -> bool:
        bonds = [b for b in mol.GetBonds() if b.IsInRing() and b.GetBondType() == Chem.BondType.SINGLE]
        if not bonds:
            return False
        bond = rng.choice(bonds)
        first, second = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        mol.RemoveBond(first, second)
        new = mol.AddAtom(Chem.Atom(6))
        mol.AddBond(first, new, Chem.BondType.SINGLE)
        mol.AddBond(new, second, Chem.BondType.SINGLE)
        return True

    return _edited(content, edit, rng)


def several_edits(content: Content, rng: random.Random) -> Content | None:
    """Make four edits one after the other."""
    edits = (delete_atom, add_atom, add_ring, open_ring, resize_ring, change_element)
    edited: Content | None = content
    for _ in range(4):
        edited = (rng.choice(edits)(edited, rng) or edited) if edited else None
    assert isinstance(content, MoleculeContent)
    return edited if isinstance(edited, MoleculeContent) and edited.smiles != content.smiles else None


def other_molecule(content: Content, rng: random.Random) -> Content | None:
    """Take another molecule from a short list, of about the same size."""
    from rdkit import Chem

    assert isinstance(content, MoleculeContent)
    n_atoms = Chem.MolFromSmiles(content.smiles or "").GetNumAtoms()
    others = [smiles for smiles in _OTHERS if smiles != content.smiles]
    near = sorted(others, key=lambda smiles: abs(Chem.MolFromSmiles(smiles).GetNumAtoms() - n_atoms))
    return MoleculeContent(smiles=Chem.CanonSmiles(rng.choice(near[:4])), is_valid=True)


_NOTE = re.compile(r"\d+\.*[^\s\t]*?[a-gA-G]")

_PITCH = re.compile(r"([a-gA-G])\1*")


def _rows(content: Content) -> list[list[list[str]]]:
    assert isinstance(content, ScoreContent)
    return [[cell.split(" ") for cell in line.split("\t")] for line in content.kern.split("\n")]


def _kern(rows: list[list[list[str]]]) -> ScoreContent:
    text = "\n".join("\t".join(" ".join(notes) for notes in row) for row in rows)
    return ScoreContent(kern=text, is_valid=True)


def _notes(rows: list[list[list[str]]]) -> list[tuple[int, int, int]]:
    return [
        (line, field, note)
        for line, row in enumerate(rows)
        if row[0][0][:1] not in ("*", "=", "!")
        for field, notes in enumerate(row)
        for note, text in enumerate(notes)
        if "r" not in text and _PITCH.search(text)
    ]


def _pitch_moved(text: str, steps: int) -> str:
    """The note moved up by some steps of the staff."""
    match = _PITCH.search(text)
    assert match is not None
    letter, count = match[0][0], len(match[0])
    octave = count - 1 if letter.islower() else -count
    step = octave * 7 + "cdefgab".index(letter.lower()) + steps
    octave, name = divmod(step, 7)
    new = "cdefgab"[name] * (octave + 1) if octave >= 0 else "CDEFGAB"[name] * -octave
    return text[: match.start()] + new + text[match.end() :]


def drop_note(content: Content, rng: random.Random) -> Content | None:
    """Drop a note of a chord, or make a single note a rest."""
    rows = _rows(content)
    notes = _notes(rows)
    if not notes:
        return None
    line, field, note = rng.choice(notes)
    chord = rows[line][field]
    if len(chord) > 1:
        chord.pop(note)
    else:
        length = re.match(r"[^\d]*(\d+\.*)", chord[0])
        chord[0] = f"{length[1] if length else 4}r"
    return _kern(rows)


def add_note(content: Content, rng: random.Random) -> Content | None:
    """Add a note to a chord, a fourth to a sixth away."""
    rows = _rows(content)
    notes = _notes(rows)
    if not notes:
        return None
    line, field, note = rng.choice(notes)
    rows[line][field].append(_pitch_moved(rows[line][field][note], rng.choice((-5, -4, -3, 3, 4, 5))))
    return _kern(rows)


def _shifted(content: Content, rng: random.Random, steps: tuple[int, ...], share: float) -> Content | None:
    rows = _rows(content)
    notes = _notes(rows)
    if not notes:
        return None
    for line, field, note in rng.sample(notes, max(1, round(share * len(notes)))):
        rows[line][field][note] = _pitch_moved(rows[line][field][note], rng.choice(steps))
    return _kern(rows)


def shift_note(content: Content, rng: random.Random) -> Content | None:
    """Shift one note by two to four steps."""
    return _shifted(content, rng, (-4, -3, -2, 2, 3, 4), 0.0)


def step_note(content: Content, rng: random.Random) -> Content | None:
    """Shift one note by a step."""
    return _shifted(content, rng, (-1, 1), 0.0)


def shift_notes(content: Content, rng: random.Random) -> Content | None:
    """Shift a quarter of the notes."""
    return _shifted(content, rng, (-4, -3, -2, -1, 1, 2, 3, 4), 0.25)


def drop_measure(content: Content, rng: random.Random) -> Content | None:
    """Drop everything between two barlines."""
    assert isinstance(content, ScoreContent)
    lines = content.kern.split("\n")
    bars = [i for i, line in enumerate(lines) if line.startswith("=")]
    spans = [
        (a, b) for a, b in pairwise(bars)
        if not any(re.search(r"\*[\^v]", line) for line in lines[a + 1 : b])
    ]  # fmt: skip
    if len(bars) < 3 or not spans:
        return None
    a, b = rng.choice(spans)
    return ScoreContent(kern="\n".join(lines[:a] + lines[b:]), is_valid=True)


def drop_staff(content: Content, rng: random.Random) -> Content | None:
    """Drop a whole spine."""
    rows = _rows(content)
    width = len(rows[0])
    if width < 2 or any(len(row) != width for row in rows):
        return None
    gone = rng.randrange(width)
    return _kern([[cell for index, cell in enumerate(row) if index != gone] for row in rows])


def change_clef(content: Content, rng: random.Random) -> Content | None:
    """Change a clef and keep the notes: all of them are then drawn elsewhere."""
    rows = _rows(content)
    clefs = [
        (i, j) for i, row in enumerate(rows) for j, cell in enumerate(row) if cell[0].startswith("*clef")
    ]
    if not clefs:
        return None
    i, j = rng.choice(clefs)
    rows[i][j] = [rng.choice([c for c in ("*clefG2", "*clefF4", "*clefC3") if c != rows[i][j][0]])]
    return _kern(rows)


MOLECULE = by_name(
    delete_atom,
    add_atom,
    add_ring,
    change_element,
    change_bond,
    open_ring,
    resize_ring,
    several_edits,
    other_molecule,
)

SCORE = by_name(
    drop_note, add_note, shift_note, step_note, shift_notes, drop_measure, drop_staff, change_clef
)
