"""The ways in which a molecule may be drawn: with every atom, and with its usual groups as labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, islice
from typing import TYPE_CHECKING

import numpy as np

from docai.contents import MoleculeContent
from docai.parsers.molecule_labels import ABBREVIATIONS
from docai.pipelines.readback.molecule.matching import BondGraph
from docai.pipelines.readback.similarity import NotComparable

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Mol
    from rdkit.Chem.rdAbbreviations import AbbreviationDefinition

MAX_ATOMS = 300

MAX_DRAWINGS = 24

_MAX_LABELED_SHARE = 0.95
"""Share of a molecule's atoms that labels may stand for."""

Groups = dict[int, tuple[str, tuple[int, ...]]]
"""Groups drawn as labels, by their first atom: SMILES and member atoms."""


@dataclass(frozen=True)
class ExpectedDrawing:
    """One way to draw a molecule; counts are of what strokes and letters show."""

    graph: BondGraph
    texts: tuple[tuple[str, ...], ...]
    """At each atom, how its label may be written; empty where none is drawn."""
    is_group: tuple[bool, ...]
    """At each atom, whether its label stands for a group of atoms."""
    is_open: tuple[bool, ...]
    """At each atom, whether it stands for anything: R, X, R1."""
    hydrogens: tuple[int, ...]
    """At each atom, hydrogens that a drawing may write out as atoms of their own."""
    aromatic: tuple[bool, ...]
    """Of each bond: its double line may be at the bond beside it, or a circle."""
    ring_areas: tuple[float, ...]
    """Of the rings as regular polygons, in squared bond lengths, largest first."""

    @property
    def n_atoms(self) -> int:
        return self.graph.n

    @property
    def n_bonds(self) -> int:
        return len(self.graph.bonds)

    @property
    def n_double(self) -> int:
        """Double and triple bonds, aromatic rings drawn with alternating ones."""
        return sum(self.graph.is_double)

    @property
    def n_free_ends(self) -> int:
        """Carbon atoms of one bond."""
        return int(((self.graph.degrees == 1) & (self.graph.letters == 0)).sum())

    @property
    def n_labels(self) -> int:
        """Atoms drawn as letters: all but carbon in a chain or ring."""
        return int((self.graph.letters > 0).sum())

    @property
    def n_letters(self) -> int:
        """Letters, digits and charges of these."""
        return int(self.graph.letters.sum())


def expected_drawings(content: MoleculeContent) -> tuple[ExpectedDrawing, ...]:
    """How the record's molecule may be drawn: with each atom, and with labels for groups.

    Raises:
        NotComparable: the record holds no valid molecule, or one too large to be in one crop.
    """
    if not content.smiles:
        raise NotComparable("the record holds no valid molecule")
    return _expected_drawings(content.smiles)


@lru_cache(maxsize=64)
def _expected_drawings(smiles: str) -> tuple[ExpectedDrawing, ...]:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
        if mol is None or mol.GetNumAtoms() == 0:
            raise NotComparable("the record holds no valid molecule")
        if mol.GetNumBonds() == 0:
            raise NotComparable("the molecule has no bond that a drawing would show")
        if mol.GetNumAtoms() > MAX_ATOMS:
            raise NotComparable(f"the molecule has more than {MAX_ATOMS} atoms")
        mol = Chem.RemoveHs(mol)
        return tuple(_expected_drawing(mol, groups) for groups in islice(_group_choices(mol), MAX_DRAWINGS))


def _group_choices(mol: Mol) -> Iterator[Groups]:
    """Which groups are drawn as labels: none first, and no choice twice."""
    seen: set[tuple[int, ...]] = set()
    for largest_first in (True, False):
        all_groups = _find_groups(mol, largest_first)
        names = sorted({smiles for smiles, _ in all_groups.values()})
        for subset in _subsets(names):
            groups = {first: group for first, group in all_groups.items() if group[0] in subset}
            key = tuple(sorted(member for _, members in groups.values() for member in members))
            if key not in seen:
                seen.add(key)
                yield groups


def _subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Of up to three names all subsets; of more: none, all, all but one, each alone."""
    if len(names) <= 3:
        for n in range(len(names) + 1):
            yield from combinations(names, n)
        return
    yield ()
    yield tuple(names)
    yield from combinations(names, len(names) - 1)
    yield from combinations(names, 1)


def _find_groups(mol: Mol, largest_first: bool) -> Groups:
    from rdkit import Chem
    from rdkit.Chem import rdAbbreviations

    definitions = _group_definitions(largest_first)
    labeled = rdAbbreviations.LabelMolAbbreviations(mol, definitions, _MAX_LABELED_SHARE)
    groups = {}
    for group in Chem.GetMolSubstanceGroups(labeled):
        points = list(group.GetAttachPoints())
        if group.HasProp("LABEL") and len(points) == 1:
            groups[int(points[0].aIdx)] = (str(group.GetProp("LABEL")), tuple(group.GetAtoms()))
    return groups


@lru_cache(maxsize=2)
def _group_definitions(largest_first: bool) -> list[AbbreviationDefinition]:
    """One for each group of the parser's table with two or more atoms; RDKit takes the first that matches."""
    from rdkit import Chem
    from rdkit.Chem import rdAbbreviations

    sizes = {
        smiles: int(Chem.MolFromSmiles(smiles, sanitize=False).GetNumAtoms())
        for smiles in ABBREVIATIONS.values()
    }
    ordered = sorted((s for s in sizes if sizes[s] > 1), key=lambda s: (sizes[s], s), reverse=largest_first)
    return list(rdAbbreviations.ParseAbbreviations("\n".join(f"{smiles} {smiles}" for smiles in ordered)))


@lru_cache(maxsize=1)
def _group_labels() -> dict[str, tuple[str, ...]]:
    """How each group, by its SMILES, is written."""
    labels: dict[str, list[str]] = {}
    for label, smiles in ABBREVIATIONS.items():
        labels.setdefault(smiles, []).append(label)
    return {smiles: tuple(names) for smiles, names in labels.items()}


def _expected_drawing(mol: Mol, groups: Groups) -> ExpectedDrawing:
    from rdkit import Chem

    kekulized = Chem.Mol(mol)
    Chem.Kekulize(kekulized)
    hidden = {member for first, (_, members) in groups.items() for member in members if member != first}
    drawn = [atom for atom in mol.GetAtoms() if atom.GetIdx() not in hidden]
    place_of = {atom.GetIdx(): place for place, atom in enumerate(drawn)}
    is_group = tuple(atom.GetIdx() in groups for atom in drawn)
    texts = tuple(
        _group_labels()[groups[atom.GetIdx()][0]] if in_group else _atom_texts(atom)
        for atom, in_group in zip(drawn, is_group, strict=True)
    )
    bonds, is_double, aromatic = [], [], []
    for bond, kekulized_bond in zip(mol.GetBonds(), kekulized.GetBonds(), strict=True):
        a, b = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if a in place_of and b in place_of and not (a in groups and b in groups[a][1]):
            bonds.append((min(place_of[a], place_of[b]), max(place_of[a], place_of[b])))
            is_double.append(kekulized_bond.GetBondTypeAsDouble() >= 2)
            aromatic.append(bool(bond.GetIsAromatic()))
    Chem.FastFindRings(kekulized)
    rings = [
        ring
        for ring in kekulized.GetRingInfo().AtomRings()
        if len(ring) < 9 and all(index in place_of for index in ring)
    ]
    is_optional = [_is_methyl(atom) and not in_group for atom, in_group in zip(drawn, is_group, strict=True)]
    return ExpectedDrawing(
        graph=BondGraph(
            np.array([len(text[0]) if text else 0 for text in texts], np.int64),
            tuple(bonds),
            tuple(is_double),
            np.array(is_optional),
        ),
        texts=texts,
        is_group=is_group,
        is_open=tuple(
            not in_group and atom.GetAtomicNum() == 0 for atom, in_group in zip(drawn, is_group, strict=True)
        ),
        hydrogens=tuple(int(atom.GetTotalNumHs()) for atom in drawn),
        aromatic=tuple(aromatic),
        ring_areas=tuple(sorted((_polygon_area(len(ring)) for ring in rings), reverse=True)),
    )


def _is_methyl(atom: Atom) -> bool:
    """Whether it is a carbon with one bond, drawn as a bare end or as CH3, H3C or Me."""
    return bool(atom.GetSymbol() == "C" and atom.GetDegree() == 1 and not atom.GetFormalCharge())


def _polygon_area(n: int) -> float:
    """Area of a regular polygon of ``n`` sides of length 1."""
    return n / (4 * math.tan(math.pi / n))


def _atom_texts(atom: Atom) -> tuple[str, ...]:
    """How the letters at an atom may be written; none at a carbon with bonds."""
    charge, hydrogens = atom.GetFormalCharge(), atom.GetTotalNumHs()
    if atom.GetSymbol() == "C" and atom.GetDegree() > 0 and not charge and not atom.GetIsotope():
        return ()
    isotope = str(atom.GetIsotope()) if atom.GetIsotope() else ""
    symbol = "R" if atom.GetAtomicNum() == 0 else str(atom.GetSymbol())
    count = "" if not hydrogens else "H" if hydrogens == 1 else f"H{hydrogens}"
    sign = "" if not charge else ("+" if charge > 0 else "-")
    text = symbol + count + sign + isotope
    return (text, count + symbol + sign + isotope) if count else (text,)
