"""Molecules from the lists in RDKit's own wheel, and others assembled from their rings, linkers, groups."""

from __future__ import annotations

import random
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rdkit.Chem import Mol

MAX_HEAVY_ATOMS = 40
ELEMENTS = frozenset(("C", "N", "O", "S", "P", "F", "Cl", "Br", "I", "B", "Si", "Se", "Na", "K", "Li"))
_FIRST_LIST = ("RDDataDir", "NCI/first_5K.smi")
_MORE_LISTS = (
    ("RDDataDir", "Pains/test_data/wehi_mols.csv"),
    ("RDContribDir", "FreeWilson/data/CHEMBL2321810.smi"),
    ("RDContribDir", "fraggle/data/ChEMBL_11265_actives.smi"),
    ("RDContribDir", "SA_Score/data/zim.100.txt"),
)
"""Some builds of RDKit do not have these lists; then there is less to choose from."""
_MAX_LINES = 5_000
"""Lines read of each list: more molecules hardly add other parts, and take time."""
_SMILES = re.compile(r'"?([^\s,"]+)')
_CUT_BONDS = "[R]-;!@[!#1]"
"""SMARTS of the bonds between rings and chains, and between rings."""


class Part(NamedTuple):
    """A fragment with open ends, which are the dummy atoms of its SMILES."""

    size: int
    """Number of heavy atoms."""
    smiles: str
    ends: tuple[str, ...]
    """Element at each open end, in the order of the SMILES."""


class Shelf:
    """Parts of one kind, sorted by size."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._distinct = sorted(set(parts))
        self._all = sorted(parts)

    def pick(self, rng: random.Random, most: int) -> Part | None:
        """A part of at most ``most`` atoms: half of the time by frequency, else all equally likely."""
        parts = self._distinct if rng.random() < 0.5 else self._all
        last = bisect_right(parts, most, key=lambda part: part.size)
        return parts[rng.randrange(last)] if last else None


@dataclass(frozen=True)
class Kit:
    """The parts of all molecules, by kind."""

    rings: Shelf
    linkers: Shelf
    groups: Shelf


Pool = tuple[tuple[str, ...], ...]
"""Canonical SMILES by number of heavy atoms, 0…MAX_HEAVY_ATOMS."""


@lru_cache(maxsize=1)
def narrow_pool() -> Pool:
    """The molecules of the first list. Read once, in half a second."""
    from rdkit import Chem

    return _by_size((molecule, Chem.MolToSmiles(molecule)) for molecule in _molecules([_FIRST_LIST]))


@lru_cache(maxsize=1)
def wide_pool() -> tuple[Pool, Kit]:
    """The molecules of all lists, and their parts. Read once, in about three seconds."""
    from rdkit import Chem

    parts: dict[str, list[Part]] = {"rings": [], "linkers": [], "groups": []}
    known: dict[str, tuple[str, Part] | None] = {}

    def read() -> Iterator[tuple[Mol, str]]:
        for molecule in _molecules([_FIRST_LIST, *_MORE_LISTS]):
            yield molecule, Chem.MolToSmiles(molecule)
            for smiles in _cut(molecule):
                if smiles not in known:
                    known[smiles] = _part(smiles)
                entry = known[smiles]
                if entry is not None:
                    parts[entry[0]].append(entry[1])

    pool = _by_size(read())
    return pool, Kit(**{kind: Shelf(of_kind) for kind, of_kind in parts.items()})


def _by_size(molecules: Iterable[tuple[Mol, str]]) -> Pool:
    by_size: list[set[str]] = [set() for _ in range(MAX_HEAVY_ATOMS + 1)]
    for molecule, smiles in molecules:
        by_size[molecule.GetNumHeavyAtoms()].add(smiles)
    return tuple(tuple(sorted(group)) for group in by_size)


def from_list(rng: random.Random, size: int, wide: bool) -> str:
    """A molecule of the lists with ``size`` heavy atoms, or of the next smaller size that they have."""
    choice = wide_pool()[0] if wide else narrow_pool()
    while not choice[size]:
        size -= 1
    return rng.choice(choice[size])


def joined(rng: random.Random, size: int, wide: bool) -> str | None:
    """Two molecules of the lists joined by a bond, ``size`` heavy atoms in all; None where that fails."""
    from rdkit import Chem

    first = rng.randint(2, size - 2)
    parts = [Chem.MolFromSmiles(from_list(rng, n, wide)) for n in (first, size - first)]
    if any(len(Chem.GetMolFrags(part)) > 1 for part in parts):
        return None
    ends = []
    for part, offset in zip(parts, (0, parts[0].GetNumAtoms()), strict=True):
        open_atoms = [
            atom.GetIdx() + offset
            for atom in part.GetAtoms()
            if atom.GetNumImplicitHs() and atom.GetSymbol() in ("C", "N", "O")
        ]
        if not open_atoms:
            return None
        ends.append(rng.choice(open_atoms))
    both = Chem.RWMol(Chem.CombineMols(*parts))
    if not _may_bond(*(both.GetAtomWithIdx(end).GetSymbol() for end in ends)):
        return None
    both.AddBond(ends[0], ends[1], Chem.BondType.SINGLE)
    return None if Chem.SanitizeMol(both, catchErrors=True) else str(Chem.MolToSmiles(both))


def recombined(rng: random.Random, size: int) -> str | None:
    """Rings, linkers and groups joined at open ends, at most ``size`` heavy atoms; None where that fails."""
    shelves = wide_pool()[1]
    seed = shelves.rings.pick(rng, size)
    if seed is None:
        return None
    parts, left = [seed], size - seed.size
    ends = [(0, place) for place in range(len(seed.ends))]
    bonds: list[tuple[tuple[int, int], tuple[int, int]]] = []
    while ends and left > 0:
        end = ends.pop(rng.randrange(len(ends)))
        weights = (0.25, 0.35, 0.4) if left > 6 else (0.05, 0.15, 0.8)
        (shelf,) = rng.choices((shelves.rings, shelves.linkers, shelves.groups), weights)
        part = shelf.pick(rng, left)
        if part is None:
            continue
        own = rng.randrange(len(part.ends))
        if not _may_bond(parts[end[0]].ends[end[1]], part.ends[own]):
            continue
        number = len(parts)
        parts.append(part)
        bonds.append((end, (number, own)))
        ends += [(number, place) for place in range(len(part.ends)) if place != own]
        left -= part.size
    return _join_parts(parts, bonds)


def _cut(molecule: Mol) -> list[str]:
    """SMILES of the fragments, with a dummy atom at each cut; empty where nothing is cut."""
    from rdkit import Chem

    pairs = molecule.GetSubstructMatches(_cut_query())
    bonds = sorted({molecule.GetBondBetweenAtoms(*pair).GetIdx() for pair in pairs})
    if not bonds:
        return []
    pieces = Chem.FragmentOnBonds(molecule, bonds, dummyLabels=[(0, 0)] * len(bonds))
    return str(Chem.MolToSmiles(pieces)).split(".")


@lru_cache(maxsize=1)
def _cut_query() -> Mol:
    from rdkit import Chem

    return Chem.MolFromSmarts(_CUT_BONDS)


def _part(smiles: str) -> tuple[str, Part] | None:
    """The kind and the part of a fragment; None where it has no open end or no atoms."""
    from rdkit import Chem

    piece = Chem.MolFromSmiles(smiles)
    if piece is None:
        return None
    dummies = [atom for atom in piece.GetAtoms() if atom.GetAtomicNum() == 0]
    size = piece.GetNumAtoms() - len(dummies)
    if not dummies or not size:
        return None
    ends = tuple(dummy.GetNeighbors()[0].GetSymbol() for dummy in dummies)
    if piece.GetRingInfo().NumRings():
        return "rings", Part(size, smiles, ends)
    return ("linkers" if len(ends) > 1 else "groups"), Part(size, smiles, ends)


def _join_parts(
    parts: Sequence[Part], bonds: Sequence[tuple[tuple[int, int], tuple[int, int]]]
) -> str | None:
    from rdkit import Chem

    numbers = {end: number for number, pair in enumerate(bonds, start=1) for end in pair}
    whole = Chem.Mol()
    for index, part in enumerate(parts):
        piece = Chem.MolFromSmiles(part.smiles)
        dummies = [atom for atom in piece.GetAtoms() if atom.GetAtomicNum() == 0]
        for place, dummy in enumerate(dummies):
            number = numbers.get((index, place))
            if number is None:
                dummy.SetAtomicNum(1)
            else:
                dummy.SetAtomMapNum(number)
        whole = Chem.CombineMols(whole, piece)
    if bonds:
        whole = Chem.molzip(whole)
    if Chem.SanitizeMol(whole, catchErrors=True):
        return None
    return str(Chem.MolToSmiles(Chem.RemoveHs(whole)))


def _may_bond(first: str, second: str) -> bool:
    """Whether two elements may be joined: carbon with all, and pairs such as that of a sulfonamide."""
    return "C" in (first, second) or {first, second} in ({"N", "S"}, {"O", "S"}, {"O", "P"}, {"O", "Si"})


def _molecules(lists: Sequence[tuple[str, str]]) -> Iterator[Mol]:
    from rdkit import Chem, RDConfig, rdBase

    folders = {"RDDataDir": RDConfig.RDDataDir, "RDContribDir": RDConfig.RDContribDir}
    for folder, name in lists:
        path = Path(folders[folder]) / name
        if not path.is_file():
            continue
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines[:_MAX_LINES]:
            match = _SMILES.match(line)
            # RDKit would print an error for each invalid molecule of the lists.
            with rdBase.BlockLogs():
                molecule = Chem.MolFromSmiles(match[1]) if match else None
            if molecule is not None and _is_usual(molecule):
                yield molecule


def _is_usual(molecule: Mol) -> bool:
    from rdkit import Chem

    return (
        2 <= molecule.GetNumHeavyAtoms() <= MAX_HEAVY_ATOMS
        and len(Chem.GetMolFrags(molecule)) <= 2
        and not molecule.HasSubstructMatch(_unusual_atom_query())
    )


@lru_cache(maxsize=1)
def _unusual_atom_query() -> Mol:
    """A query for atoms of other elements, isotopes and radicals: ten times as fast as checking each atom."""
    from rdkit import Chem
    from rdkit.Chem import rdqueries

    table = Chem.GetPeriodicTable()
    usual = sorted(table.GetAtomicNumber(element) for element in ELEMENTS)
    query = Chem.MolFromSmarts("[" + "&".join(f"!#{number}" for number in usual) + "]")
    for condition in (
        rdqueries.IsotopeGreaterQueryAtom(0),
        rdqueries.NumRadicalElectronsGreaterQueryAtom(0),
    ):
        query.GetAtomWithIdx(0).ExpandQuery(condition, Chem.CompositeQueryType.COMPOSITE_OR)
    return query
