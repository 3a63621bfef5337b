"""What plain drawings of a molecule show: its graph with every atom, and with its usual groups as labels."""

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
from docai.pipelines.readback.base import NotComparable
from docai.pipelines.readback.molecule.matching import BondGraph

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Mol
    from rdkit.Chem.rdAbbreviations import AbbreviationDefinition

MOST_ATOMS = 300

MOST_DRAWINGS = 24

_COVERAGE = 0.95
"""Share of a molecule's atoms that labels may stand for."""


@dataclass(frozen=True)
class Drawing:
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


def drawings_of(content: MoleculeContent) -> tuple[Drawing, ...]:
    """How the record's molecule may be drawn: each atom, and with labels for groups.

    Raises:
        NotComparable: the record holds no valid molecule, or one too large to be in one crop.
    """
    if not content.smiles:
        raise NotComparable("the record holds no valid molecule")
    return _drawings(content.smiles)


@lru_cache(maxsize=64)
def _drawings(smiles: str) -> tuple[Drawing, ...]:
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
        if mol is None or mol.GetNumAtoms() == 0:
            raise NotComparable("the record holds no valid molecule")
        if mol.GetNumBonds() == 0:
            raise NotComparable("the molecule has no bond that a drawing would show")
        if mol.GetNumAtoms() > MOST_ATOMS:
            raise NotComparable(f"the molecule has more than {MOST_ATOMS} atoms")
        mol = Chem.RemoveHs(mol)
        return tuple(_drawing(mol, groups) for groups in islice(_choices(mol), MOST_DRAWINGS))


def _choices(mol: Mol) -> Iterator[dict[int, tuple[str, tuple[int, ...]]]]:
    """Groups drawn as labels, by their first atom: (SMILES, members); none first, and no choice twice."""
    seen: set[tuple[int, ...]] = set()
    for largest_first in (True, False):
        found = _groups(mol, largest_first)
        names = sorted({smiles for smiles, _ in found.values()})
        for some in _subsets(names):
            groups = {first: group for first, group in found.items() if group[0] in some}
            key = tuple(sorted(member for _, members in groups.values() for member in members))
            if key not in seen:
                seen.add(key)
                yield groups


def _subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Any of few; of more none, all, all but one, each alone."""
    if len(names) <= 3:
        for n in range(len(names) + 1):
            yield from combinations(names, n)
        return
    yield ()
    yield tuple(names)
    yield from combinations(names, len(names) - 1)
    yield from combinations(names, 1)


def _groups(mol: Mol, largest_first: bool) -> dict[int, tuple[str, tuple[int, ...]]]:
    from rdkit import Chem
    from rdkit.Chem import rdAbbreviations

    labelled = rdAbbreviations.LabelMolAbbreviations(mol, _definitions(largest_first), _COVERAGE)
    found = {}
    for group in Chem.GetMolSubstanceGroups(labelled):
        points = list(group.GetAttachPoints())
        if group.HasProp("LABEL") and len(points) == 1:
            found[int(points[0].aIdx)] = (str(group.GetProp("LABEL")), tuple(group.GetAtoms()))
    return found


@lru_cache(maxsize=2)
def _definitions(largest_first: bool) -> list[AbbreviationDefinition]:
    """One for each group of the parser's table with two atoms or more; of two matches the first is taken."""
    from rdkit import Chem
    from rdkit.Chem import rdAbbreviations

    sizes = {
        smiles: int(Chem.MolFromSmiles(smiles, sanitize=False).GetNumAtoms())
        for smiles in ABBREVIATIONS.values()
    }
    ordered = sorted((s for s in sizes if sizes[s] > 1), key=lambda s: (sizes[s], s), reverse=largest_first)
    return list(rdAbbreviations.ParseAbbreviations("\n".join(f"{smiles} {smiles}" for smiles in ordered)))


@lru_cache(maxsize=1)
def _names() -> dict[str, tuple[str, ...]]:
    """How each group is written."""
    found: dict[str, list[str]] = {}
    for label, smiles in ABBREVIATIONS.items():
        found.setdefault(smiles, []).append(label)
    return {smiles: tuple(labels) for smiles, labels in found.items()}


def _drawing(mol: Mol, groups: dict[int, tuple[str, tuple[int, ...]]]) -> Drawing:
    from rdkit import Chem

    drawn = Chem.Mol(mol)
    Chem.Kekulize(drawn)
    gone = {member for first, (_, members) in groups.items() for member in members if member != first}
    kept = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetIdx() not in gone]
    at = {index: place for place, index in enumerate(kept)}
    texts = [
        _names()[groups[index][0]] if index in groups else _texts(mol.GetAtomWithIdx(index)) for index in kept
    ]
    bonds, is_double, aromatic = [], [], []
    for bond, kekule in zip(mol.GetBonds(), drawn.GetBonds(), strict=True):
        a, b = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if a in at and b in at and not (a in groups and b in groups[a][1]):
            bonds.append((min(at[a], at[b]), max(at[a], at[b])))
            is_double.append(kekule.GetBondTypeAsDouble() >= 2)
            aromatic.append(bool(bond.GetIsAromatic()))
    Chem.FastFindRings(drawn)
    rings = [ring for ring in drawn.GetRingInfo().AtomRings() if len(ring) < 9 and all(i in at for i in ring)]
    ends = np.array([_is_methyl(mol.GetAtomWithIdx(index)) and index not in groups for index in kept])
    return Drawing(
        graph=BondGraph(
            np.array([len(text[0]) if text else 0 for text in texts], np.int64),
            tuple(bonds),
            tuple(is_double),
            ends,
        ),
        texts=tuple(texts),
        is_group=tuple(index in groups for index in kept),
        is_open=tuple(
            index not in groups and mol.GetAtomWithIdx(index).GetAtomicNum() == 0 for index in kept
        ),
        hydrogens=tuple(int(mol.GetAtomWithIdx(index).GetTotalNumHs()) for index in kept),
        aromatic=tuple(aromatic),
        ring_areas=tuple(sorted((_polygon(len(ring)) for ring in rings), reverse=True)),
    )


def _is_methyl(atom: Atom) -> bool:
    """Carbon at an end, which is drawn as a bare end or as CH3, H3C, Me."""
    return bool(atom.GetSymbol() == "C" and atom.GetDegree() == 1 and not atom.GetFormalCharge())


def _polygon(n: int) -> float:
    """Area of a regular polygon of ``n`` sides of length 1."""
    return n / (4 * math.tan(math.pi / n))


def _texts(atom: Atom) -> tuple[str, ...]:
    """How the letters at an atom may be written; none at carbon with bonds."""
    charge, hydrogens = atom.GetFormalCharge(), atom.GetTotalNumHs()
    if atom.GetSymbol() == "C" and atom.GetDegree() > 0 and not charge and not atom.GetIsotope():
        return ()
    isotope = str(atom.GetIsotope()) if atom.GetIsotope() else ""
    symbol = "R" if atom.GetAtomicNum() == 0 else str(atom.GetSymbol())
    count = "" if not hydrogens else "H" if hydrogens == 1 else f"H{hydrogens}"
    sign = "" if not charge else ("+" if charge > 0 else "-")
    text = symbol + count + sign + isotope
    return (text, count + symbol + sign + isotope) if count else (text,)
