"""Drawings of molecules made from RDKit's layout, stored compactly for machines without RDKit.

:mod:`.drawing` has the form of one of them, and draws it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.synthesis.base import Sample, Split, UndrawableError, split_of
from docai.pipelines.training.nano.drawing import STEPS_PER_BOND, Label, MoleculeDrawing, Stroke

if TYPE_CHECKING:
    from rdkit.Chem import Atom, Bond, Mol

_MAX_ATOMS = 250

_LABEL_PART = re.compile(r"[A-Z][a-z']*|\d+|[a-z]+|.")


@dataclass(frozen=True)
class Molecules:
    """Many drawings, easy ones first: N atoms and M molecules in all."""

    labels: tuple[Label, ...]
    smiles: tuple[str, ...]
    atoms: NDArray[np.int16]
    """(N, 4): x, y, label, whether it is plain."""
    bonds: NDArray[np.uint8]
    owners: NDArray[np.uint8]
    counts: NDArray[np.int32]
    """(M, 3): numbers of atoms, bonds and owners."""

    def __len__(self) -> int:
        return len(self.smiles)

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        ends: NDArray[np.int64] = np.cumsum(self.counts, axis=0, dtype=np.int64)
        return ends - self.counts

    def __getitem__(self, index: int) -> MoleculeDrawing:
        a, b, o = (int(value) for value in self._starts[index])
        n_atoms, n_bonds, n_owners = (int(value) for value in self.counts[index])
        atoms = self.atoms[a : a + n_atoms]
        return MoleculeDrawing(
            self.smiles[index],
            atoms[:, :2],
            atoms[:, 2].astype(np.uint16),
            atoms[:, 3].astype(np.uint8),
            self.bonds[b : b + n_bonds],
            self.owners[o : o + n_owners],
        )

    def draw(self, rng: random.Random, difficulty: float) -> Sample:
        """A new picture of one of the easier molecules; ``difficulty`` is the share to choose from."""
        from docai.pipelines.training.nano.drawing import draw

        last = min(len(self), max(500, round(len(self) * difficulty)))
        while True:
            try:
                return draw(self[rng.randrange(last)], self.labels, rng, difficulty)
            except UndrawableError:
                continue

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Arrays for an ``.npz``."""
        labels = "\n".join(
            "\t".join(
                (
                    " ".join(label.east),
                    str(label.east_at),
                    " ".join(label.west),
                    str(label.west_at),
                    label.mark,
                )
            )
            for label in self.labels
        )
        return {
            "labels": np.frombuffer(labels.encode(), np.uint8),
            "smiles": np.frombuffer("\n".join(self.smiles).encode(), np.uint8),
            # By columns, which compresses better.
            "atoms": np.ascontiguousarray(self.atoms.T),
            "bonds": np.ascontiguousarray(self.bonds.T),
            "owners": self.owners,
            "counts": self.counts,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Molecules:
        """The inverse of :meth:`arrays`."""
        labels = []
        for line in arrays["labels"].tobytes().decode().split("\n"):
            east, east_at, west, west_at, mark = line.split("\t")
            labels.append(
                Label(tuple(east.split(" ")), int(east_at), tuple(west.split(" ")), int(west_at), mark)
            )
        return cls(
            tuple(labels),
            tuple(arrays["smiles"].tobytes().decode().split("\n")),
            np.asarray(arrays["atoms"].T, np.int16),
            np.asarray(arrays["bonds"].T, np.uint8),
            np.asarray(arrays["owners"], np.uint8),
            np.asarray(arrays["counts"], np.int32),
        )

    @classmethod
    def collect(cls, drawings: Sequence[tuple[MoleculeDrawing, Sequence[Label]]]) -> Molecules:
        """Combine drawings with their labels, such as :func:`describe` gives."""
        index: dict[Label, int] = {}
        atoms = []
        for drawing, labels in drawings:
            numbers = [index.setdefault(labels[label], len(index)) for label in drawing.labels]
            atoms.append(np.column_stack([drawing.places, numbers, drawing.is_plain]).astype(np.int16))
        return cls(
            tuple(index),
            tuple(drawing.smiles for drawing, _ in drawings),
            np.concatenate(atoms),
            np.concatenate([drawing.bonds for drawing, _ in drawings]),
            np.concatenate([drawing.owners for drawing, _ in drawings]),
            np.array([(len(a.places), len(a.bonds), len(a.owners)) for a, _ in drawings], np.int32),
        )


def describe(
    rng: random.Random, difficulty: float, split: Split = "train"
) -> tuple[MoleculeDrawing, tuple[Label, ...]]:
    """A random molecule as the generator of ``docai synth`` composes it and lays it out, by RDKit."""
    from docai.pipelines.synthesis.molecule import generator

    while True:
        plan = generator.compose(rng, difficulty)
        if split_of(plan.key) != split:
            continue
        try:
            shown, smiles, spans = generator.lay_out(plan, rng, difficulty)
        except UndrawableError:
            continue
        if shown.GetNumAtoms() <= _MAX_ATOMS:
            return _describe_drawing(shown, smiles, spans)


def _describe_drawing(
    shown: Mol, smiles: str, spans: dict[int, tuple[int, int]]
) -> tuple[MoleculeDrawing, tuple[Label, ...]]:
    from rdkit import Chem

    from docai.pipelines.synthesis.molecule.generator import atom_members

    drawn = Chem.Mol(shown)
    Chem.Kekulize(drawn, clearAromaticFlags=True)
    places = drawn.GetConformer().GetPositions()[:, :2] * (1.0, -1.0)
    places = np.round((places - places.min(axis=0)) / 1.5 * STEPS_PER_BOND).astype(np.int16)
    labels: dict[Label, int] = {}
    numbers = [labels.setdefault(_label(atom), len(labels)) for atom in drawn.GetAtoms()]
    plain = [_is_plain(atom) for atom in drawn.GetAtoms()]
    order = [start for start, _ in sorted(spans.values())]
    shown_by = {spans[member][0]: atom.GetIdx() for atom in shown.GetAtoms() for member in atom_members(atom)}
    return (
        MoleculeDrawing(
            smiles,
            places,
            np.array(numbers, np.uint16),
            np.array(plain, np.uint8),
            np.array([_bond(bond, places) for bond in drawn.GetBonds()], np.uint8).reshape(-1, 3),
            np.array([shown_by[start] for start in order], np.uint8),
        ),
        tuple(labels),
    )


def _is_plain(atom: Atom) -> bool:
    from docai.pipelines.synthesis.molecule.abbreviations import LABEL

    return (
        atom.GetSymbol() == "C"
        and not atom.GetFormalCharge()
        and not atom.GetIsotope()
        and not atom.HasProp(LABEL)
        and atom.GetDegree() > 0
    )


def _label(atom: Atom) -> Label:
    from docai.pipelines.synthesis.molecule.abbreviations import LABEL, LABEL_WEST
    from docai.pipelines.synthesis.molecule.generator import atom_mark

    mark = atom_mark(atom)
    if atom.HasProp(LABEL):
        east, west = _parts(atom.GetProp(LABEL)), _parts(atom.GetProp(LABEL_WEST))
        last = max(index for index, part in enumerate(west) if part[0] == "-")
        return Label(east, 0, west, last, mark)
    n_hydrogens = atom.GetTotalNumHs()
    hydrogens = [] if not n_hydrogens else ["-H"] if n_hydrogens == 1 else ["-H", f"_{n_hydrogens}"]
    isotope = [f"^{atom.GetIsotope()}"] if atom.GetIsotope() else []
    charge = atom.GetFormalCharge()
    sign = "" if not charge else ("+" if charge > 0 else "-")
    charged = [f"^{abs(charge) if abs(charge) > 1 else ''}{sign}"] if charge else []
    symbol = f"-{atom.GetSymbol()}"
    east = (*isotope, symbol, *hydrogens, *charged)
    west = (*hydrogens, *isotope, symbol, *charged)
    return Label(east, len(isotope), west, len(hydrogens) + len(isotope), mark)


def _parts(text: str) -> tuple[str, ...]:
    """``CO2Et`` → ``-C -O _2 -Et``."""
    parts = _LABEL_PART.findall(text)
    return tuple(
        ("_" if part.isdigit() and index else "-") + part for index, part in enumerate(parts) if part != " "
    )


def _bond(bond: Bond, places: NDArray[np.int16]) -> tuple[int, int, int]:
    from rdkit import Chem

    first, second = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
    direction = bond.GetBondDir()
    if direction == Chem.BondDir.BEGINWEDGE:
        return first, second, Stroke.WEDGE
    if direction == Chem.BondDir.BEGINDASH:
        return first, second, Stroke.HASH
    if bond.GetBondType() == Chem.BondType.TRIPLE:
        return first, second, Stroke.TRIPLE
    if bond.GetBondType() == Chem.BondType.DOUBLE:
        return first, second, _double(bond, places)
    if direction == Chem.BondDir.UNKNOWN:
        return first, second, Stroke.WAVY
    return first, second, Stroke.SINGLE


def _double(bond: Bond, places: NDArray[np.int16]) -> Stroke:
    """The second line is inside the ring, else on the side of the other bonds; ``=O`` is centered."""
    first, second = bond.GetBeginAtom(), bond.GetEndAtom()
    rings = [ring for ring in bond.GetOwningMol().GetRingInfo().AtomRings() if _has_bond(ring, bond)]
    if rings:
        beside = min(rings, key=len)
    else:
        if 1 in (first.GetDegree(), second.GetDegree()):
            return Stroke.DOUBLE
        beside = (*_neighbors(first, second), *_neighbors(second, first))
    start, end = places[first.GetIdx()].astype(float), places[second.GetIdx()].astype(float)
    toward = places[list(beside)].astype(float).mean(axis=0) - (start + end) / 2
    cross = (end - start)[0] * toward[1] - (end - start)[1] * toward[0]
    if abs(cross) < 1e-6:
        return Stroke.DOUBLE
    # With y downward a positive cross product is on the right-hand side.
    return Stroke.DOUBLE_RIGHT if cross > 0 else Stroke.DOUBLE_LEFT


def _has_bond(ring: Sequence[int], bond: Bond) -> bool:
    return bond.GetBeginAtomIdx() in ring and bond.GetEndAtomIdx() in ring


def _neighbors(atom: Atom, but: Atom) -> Iterator[int]:
    return (neighbor.GetIdx() for neighbor in atom.GetNeighbors() if neighbor.GetIdx() != but.GetIdx())
