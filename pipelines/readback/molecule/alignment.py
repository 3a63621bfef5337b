"""What of a molecule is found in a structure drawing once its atoms are laid onto it, and what is not."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.readback.molecule.graph import Structure
from docai.pipelines.readback.molecule.matching import MOST_PLACES, BondGraph, Match, match
from docai.pipelines.readback.molecule.rendering import Drawing

_LETTERED = 0.65
"""Share of the places with letters beyond which a drawing has them at every carbon."""

_ANYTHING = "RXYZA"
"""Letters that stand for any group."""

_SYMBOL = re.compile(r"(?:H\d*)?([A-Z])")

_THIN = "Iil1+-"
"""Letters that are one stroke."""

_UNLIKE = -0.05
"""Margin below which the letters are others."""

_TRACED = 0.8
"""Share of a line between two places that must be ink to be a bond."""


@dataclass(frozen=True)
class Laid:
    """A molecule laid onto a drawing. All are numbers of atoms, places, bonds or labels."""

    seen: Structure
    drawing: Drawing
    match: Match

    @cached_property
    def at(self) -> dict[int, int]:
        """The atom at each place that has one."""
        return {place: atom for atom, place in enumerate(self.match.places.tolist()) if place >= 0}

    @property
    def unplaced_atoms(self) -> int:
        return self.drawing.n_atoms - len(self.at)

    @cached_property
    def _missing(self) -> tuple[int, int]:
        kept = {own for _, own in self.match.kept}
        traced = lost = 0
        for index, (a, b) in enumerate(self.drawing.graph.bonds):
            if index not in kept:
                places = self.match.places[[a, b]]
                if bool((places >= 0).all()) and self._is_traced(*places.tolist()):
                    traced += 1
                else:
                    lost += 1
        return traced, lost

    @property
    def traced_bonds(self) -> int:
        """Bonds of the molecule that are no stroke of the drawing, and ink from one end to the other."""
        return self._missing[0]

    @property
    def lost_bonds(self) -> int:
        """Bonds of the molecule that the drawing lacks."""
        return self._missing[1]

    def _is_traced(self, a: int, b: int) -> bool:
        """Whether there is ink from one place to the other, or nothing between their letters."""
        start, end = self.seen.points[a], self.seen.points[b]
        steps = np.linspace(0.15, 0.85, max(2, round(float(np.hypot(*(end - start))))))[:, None]
        line = start + (end - start) * steps
        spare = 0.12 * self.seen.bond
        inside = np.zeros(len(line), bool)
        for x, y, w, h in np.concatenate([self.seen.labels[a], self.seen.labels[b]]).tolist():
            inside |= (np.abs(line - (x + w / 2, y + h / 2)) < (w / 2 + spare, h / 2 + spare)).all(axis=1)
        if bool(inside.all()):
            return True
        x, y = np.rint(line[~inside]).astype(int).T
        ink = self.seen.ink
        found = [
            bool(ink[max(0, j - 2) : j + 3, max(0, i - 2) : i + 3].any()) for i, j in zip(x, y, strict=True)
        ]
        return float(np.mean(found)) > _TRACED

    @cached_property
    def _extra(self) -> tuple[int, int, frozenset[int]]:
        """Bonds that only the drawing has, at a placed atom and elsewhere; places of hydrogens."""
        kept = {number for number, _ in self.match.kept}
        graph, tied, loose, hydrogens = self.seen.graph, 0, 0, set()
        for index, bond in enumerate(graph.bonds):
            if index in kept:
                continue
            known = [place for place in bond if place in self.at]
            length = (
                float(np.hypot(*(self.seen.points[bond[0]] - self.seen.points[bond[1]]))) / self.seen.bond
            )
            if not known or not 0.5 < length < 1.7:
                loose += 1
                continue
            other = bond[0] if bond[1] == known[0] else bond[1]
            if other not in self.at and not graph.is_double[index] and self._is_hydrogen(other, known[0]):
                hydrogens.add(other)
            else:
                tied += 1
        return tied, loose, frozenset(hydrogens)

    def _is_hydrogen(self, place: int, root: int) -> bool:
        graph = self.seen.graph
        return (
            len(graph.neighbours[place]) == 1
            and graph.letters[place] == 1
            and self.drawing.hydrogens[self.at[root]] > 0
            and self.seen.margin(place, "H") > 0
        )

    @property
    def extra_bonds(self) -> int:
        """Bonds of the drawing at an atom of the molecule that the molecule lacks."""
        return self._extra[0]

    @property
    def loose_bonds(self) -> int:
        """Bonds of the drawing that no atom of the molecule is at: most are no bonds."""
        return self._extra[1]

    @property
    def extra_places(self) -> int:
        """Places with bonds that no atom is at, but for written-out hydrogens."""
        bound = np.flatnonzero(self.seen.graph.degrees > 0).tolist()
        return sum(place not in self.at and place not in self._extra[2] for place in bound)

    @property
    def loose_labels(self) -> int:
        """Letters that no bond leads to and no atom is at."""
        return sum(place not in self.at for place in np.flatnonzero(self.seen.graph.degrees == 0).tolist())

    @cached_property
    def labels(self) -> tuple[int, int, int]:
        """Atoms without the letters they should have, or with ones; letters too many or few."""
        missing = extra = letters = 0
        for place, atom in self.at.items():
            n, texts = int(self.seen.graph.letters[place]), self.drawing.texts[atom]
            if texts:
                # The letter I is a stroke as a bond is.
                missing += n == 0 and texts != ("I",)
                letters += min(min(_off(n, text) for text in texts), 2) if n else 0
            elif n and not self.drawing.graph.is_optional[atom]:
                extra += 1
        return missing, extra, letters

    @cached_property
    def margins(self) -> NDArray[np.float64]:
        """Of each label that could be looked at: by how much its letters are the atom's, -2..2."""
        found = [
            self.seen.margin(place, wanted_letters(self.drawing, atom))
            for place, atom in self.at.items()
            if self.seen.graph.letters[place]
        ]
        return np.array([value for value in found if value == value], np.float64)

    @property
    def unlike_labels(self) -> int:
        return int((self.margins < _UNLIKE).sum())

    @cached_property
    def orders(self) -> tuple[int, int, int]:
        """Bonds drawn double and single in the molecule; the other way about; the same over aromatic bonds.

        Of aromatic bonds only the number counts: their double lines may be at the bonds beside them. Where
        circles are drawn nothing does.
        """
        more = less = seen = own = 0
        for number, index in self.match.kept:
            is_double = self.seen.graph.is_double[number]
            if self.drawing.aromatic[index]:
                seen, own = seen + is_double, own + self.drawing.graph.is_double[index]
            elif is_double != self.drawing.graph.is_double[index]:
                more, less = more + is_double, less + (not is_double)
        return more, less, 0 if self.seen.n_circles else abs(seen - own)

    @property
    def doubt(self) -> float:
        """How much of either side is left over; 0 where all fits."""
        missing, extra, letters = self.labels
        more, less, _ = self.orders
        return (
            self.lost_bonds + self.extra_bonds + self.unplaced_atoms + 0.5 * self.extra_places
            + missing + extra + 0.3 * letters + self.unlike_labels + more + less
        )  # fmt: skip


def wanted_letters(drawing: Drawing, atom: int) -> str:
    """Any of which may be the first letter at the atom, hydrogen left out."""
    texts = drawing.texts[atom]
    if not texts:
        return "CM"
    if drawing.is_group[atom]:
        return "".join(sorted({text[0] for text in texts}))
    if drawing.is_open[atom]:
        return _ANYTHING
    symbol = _SYMBOL.match(texts[-1])
    return symbol[1] if symbol else ""


def laid(seen: Structure, drawing: Drawing) -> Laid:
    """The molecule's drawing laid onto what is seen."""
    graph = drawing.graph
    if _is_lettered(seen.graph):
        graph = replace(graph, is_optional=graph.is_optional | (graph.letters == 0))
    wanted = [wanted_letters(drawing, atom) for atom in range(graph.n)]
    fits = np.ones((seen.graph.n, graph.n))
    if seen.graph.n <= MOST_PLACES:
        for place in np.flatnonzero(seen.graph.letters).tolist():
            by_letters = {letters: _fit(seen.margin(place, letters)) for letters in set(wanted)}
            fits[place] = [by_letters[letters] for letters in wanted]
    return Laid(seen, replace(drawing, graph=graph), match(seen.graph, graph, fits))


def _off(n: int, text: str) -> int:
    """How many letters too many or too few; thin ones may have been taken for strokes."""
    least = sum(letter not in _THIN for letter in text)
    return max(least - n, n - len(text), 0)


def _fit(value: float) -> float:
    """1 where the letters are the wanted ones, 0.4 where they are others, between where it cannot be told."""
    return 0.8 if value != value else 1.0 if value > 0 else 0.4


def _is_lettered(graph: BondGraph) -> bool:
    bound = graph.letters[graph.degrees > 0]
    return len(bound) > 3 and float((bound > 0).mean()) > _LETTERED
