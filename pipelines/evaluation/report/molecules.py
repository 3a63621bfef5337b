"""Two structures side by side, drawn by RDKit, with the atoms that differ in color."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from docai.contents import MoleculeContent
from docai.parsers.molecule import parse_molecule
from docai.pipelines.evaluation.base import Item, Prediction, Sample
from docai.pipelines.evaluation.report.alignment import outlined, pair_items, runs
from docai.pipelines.evaluation.report.pictures import MAX_BYTES, Album
from docai.pipelines.evaluation.report.views import (
    Block,
    Drawing,
    Prose,
    Remark,
    Runs,
    Sides,
    cut,
)

if TYPE_CHECKING:
    from rdkit.Chem import Mol

MAX_MOLECULES = 4
_SIZE = 380, 280
_MAX_ATOMS = 120
"""Larger structures are drawn without looking for what differs."""
_SECONDS = 1
"""For the largest common part; what was found by then is used."""
_MAX_MATCHES = 64
_COLOR = (1.0, 0.72, 0.55)
_IN_COLOR = (
    "In color: what lies outside of the largest common part, or has another charge, isotope or configuration."
)


class _Marked(NamedTuple):
    atoms: list[int]
    bonds: list[int]


def compare_molecules(sample: Sample, prediction: Prediction | None, album: Album) -> Sides:
    """True and given structures, paired by where they lie."""
    truth = [item for item in sample.truth if item.kind == "molecule"]
    given = [item for item in prediction.items if item.kind == "molecule"] if prediction else []
    sides = Sides()
    pairs = pair_items(truth, given)
    for true_item, given_item in pairs[:MAX_MOLECULES]:
        _add(sides, true_item, given_item, album)
    if len(pairs) > MAX_MOLECULES:
        sides.difference.append(Remark(f"{len(pairs) - MAX_MOLECULES} more structures are not shown."))
    if sample.unit == "page":
        sides.outlines += outlined(pairs)
    return sides


def _add(sides: Sides, truth: Item | None, given: Item | None, album: Album) -> None:
    old, new = (parse_molecule(item.text if item else "").content for item in (truth, given))
    old_mol, new_mol = _mol(old), _mol(new)
    marks = _differing(old_mol, new_mol) if old_mol is not None and new_mol is not None else None
    left, right = marks or (_Marked([], []), _Marked([], []))
    sides.truth += _side(truth, old_mol, left, album, "There is no such structure in the truth.")
    sides.prediction += _side(given, new_mol, right, album, "No structure was given.")
    if truth is not None and given is not None:
        sides.difference += _difference(old, new, marks)
    else:
        sides.difference.append(
            Remark("A structure was not given." if truth else "A structure was invented.")
        )


def _mol(content: MoleculeContent) -> Mol | None:
    from rdkit import Chem

    return Chem.MolFromSmiles(content.smiles) if content.smiles and content.is_valid else None


def _side(item: Item | None, mol: Mol | None, marked: _Marked, album: Album, nothing: str) -> list[Block]:
    if item is None:
        return [Remark(nothing)]
    blocks: list[Block] = []
    if mol is None:
        blocks.append(Remark("RDKit reads no structure from this." if item.text.strip() else "It is empty."))
    else:
        svg = _draw(mol, marked).encode()
        picture = album.add(svg, "image/svg+xml", _SIZE) if len(svg) <= MAX_BYTES else None
        blocks.append(Remark("Too large to be drawn here.") if picture is None else Drawing(picture))
    return [*blocks, Prose(cut(item.text), is_code=True)]


def _draw(mol: Mol, marked: _Marked) -> str:
    from rdkit.Chem.Draw import rdMolDraw2D

    drawer = rdMolDraw2D.MolDraw2DSVG(*_SIZE)
    options = drawer.drawOptions()
    options.highlightBondWidthMultiplier = 12
    options.padding = 0.06
    rdMolDraw2D.PrepareAndDrawMolecule(
        drawer,
        mol,
        highlightAtoms=marked.atoms,
        highlightBonds=marked.bonds,
        highlightAtomColors=dict.fromkeys(marked.atoms, _COLOR),
        highlightBondColors=dict.fromkeys(marked.bonds, _COLOR),
    )
    drawer.FinishDrawing()
    return str(drawer.GetDrawingText())


def _differing(old: Mol, new: Mol) -> tuple[_Marked, _Marked] | None:
    """Atoms and bonds outside of the largest common part, and inside of it those whose charge, isotope or
    configuration differs. None where that was not looked for."""
    from rdkit.Chem import MolFromSmarts, rdFMCS

    if max(old.GetNumAtoms(), new.GetNumAtoms()) > _MAX_ATOMS:
        return None
    common = rdFMCS.FindMCS(
        [old, new],
        timeout=_SECONDS,
        atomCompare=rdFMCS.AtomCompare.CompareElements,
        bondCompare=rdFMCS.BondCompare.CompareOrderExact,
        ringMatchesRingOnly=True,
    )
    query = MolFromSmarts(common.smartsString) if common.numAtoms else None
    if query is None:
        return None
    old_atoms = old.GetSubstructMatch(query)
    if not old_atoms:
        return None
    candidates = new.GetSubstructMatches(query, uniquify=False, maxMatches=_MAX_MATCHES)
    marked_pairs = [_outside(old, new, query, old_atoms, new_atoms) for new_atoms in candidates]
    return min(marked_pairs, key=lambda pair: len(pair[0].atoms) + len(pair[1].atoms), default=None)


def _outside(
    old: Mol, new: Mol, query: Mol, old_atoms: Sequence[int], new_atoms: Sequence[int]
) -> tuple[_Marked, _Marked]:
    unlike = [(a, b) for a, b in zip(old_atoms, new_atoms, strict=True) if _state(old, a) != _state(new, b)]
    left = {atom.GetIdx() for atom in old.GetAtoms()} - set(old_atoms) | {a for a, _ in unlike}
    right = {atom.GetIdx() for atom in new.GetAtoms()} - set(new_atoms) | {b for _, b in unlike}
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in query.GetBonds()]
    kept_left, kept_right = (
        {mol.GetBondBetweenAtoms(atoms[i], atoms[j]).GetIdx() for i, j in ends}
        for mol, atoms in ((old, old_atoms), (new, new_atoms))
    )
    for i, j in ends:
        a = old.GetBondBetweenAtoms(old_atoms[i], old_atoms[j])
        b = new.GetBondBetweenAtoms(new_atoms[i], new_atoms[j])
        if a.GetStereo() != b.GetStereo():
            kept_left.discard(a.GetIdx())
            kept_right.discard(b.GetIdx())
    return (
        _Marked(sorted(left), [bond.GetIdx() for bond in old.GetBonds() if bond.GetIdx() not in kept_left]),
        _Marked(sorted(right), [bond.GetIdx() for bond in new.GetBonds() if bond.GetIdx() not in kept_right]),
    )


def _state(mol: Mol, index: int) -> tuple[int, int, str]:
    atom = mol.GetAtomWithIdx(index)
    code = atom.GetProp("_CIPCode") if atom.HasProp("_CIPCode") else ""
    return atom.GetFormalCharge(), atom.GetIsotope(), code


def _difference(
    old: MoleculeContent, new: MoleculeContent, marks: tuple[_Marked, _Marked] | None
) -> list[Block]:
    if not old.smiles or not new.smiles:
        return [Remark("Only one side is a structure.")]
    if old.smiles == new.smiles:
        return [Remark("The canonical SMILES are equal.")]
    left, right = runs(cut(old.smiles, 600), cut(new.smiles, 600))
    return [
        Remark(_relation(old, new)),
        Runs(left, is_code=True),
        Runs(right, is_code=True),
        *([Remark(_IN_COLOR)] if marks is not None and any(marks[0] + marks[1]) else []),
    ]


def _relation(old: MoleculeContent, new: MoleculeContent) -> str:
    if old.formula != new.formula:
        return f"Another formula: {old.formula} → {new.formula}."
    if old.inchikey and new.inchikey and old.inchikey[:14] == new.inchikey[:14]:
        return f"{old.formula} with the same skeleton by InChI: stereo, charge, tautomer or isotopes differ."
    return f"Another structure of the same formula, {old.formula}."
