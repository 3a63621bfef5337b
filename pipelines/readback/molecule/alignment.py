"""A molecule's expected drawing aligned with a structure drawing, and what is left over on either side."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.readback.molecule.graph import Structure
from docai.pipelines.readback.molecule.matching import MAX_PLACES, BondGraph, Matching, match
from docai.pipelines.readback.molecule.rendering import ExpectedDrawing

_LETTERED_SHARE = 0.65
"""Share of the places with letters from which a drawing has them at every carbon."""

_WILDCARD_LETTERS = "RXYZA"
"""Letters that stand for any group."""

_SYMBOL = re.compile(r"(?:H\d*)?([A-Z])")

_ONE_STROKE_LETTERS = "Iil1+-"
"""They may have been taken for bonds."""

_UNLIKE_MARGIN = -0.05
"""Letter margin below which the letters are others."""

_BOND_INK_SHARE = 0.8
"""Share of a line between two places that must be ink to be a bond."""


@dataclass(frozen=True)
class Alignment:
    """A molecule matched to a drawing. All properties count atoms, places, bonds or labels."""

    structure: Structure
    """What the picture shows."""
    drawing: ExpectedDrawing
    matching: Matching

    @cached_property
    def atom_at(self) -> dict[int, int]:
        """The atom at each place that has one."""
        return {place: atom for atom, place in enumerate(self.matching.places.tolist()) if place >= 0}

    @property
    def unplaced_atoms(self) -> int:
        return self.drawing.n_atoms - len(self.atom_at)

    @property
    def lost_bonds(self) -> int:
        """Bonds of the molecule that the picture lacks."""
        return self._unmatched_bonds[1]

    @property
    def inked_bonds(self) -> int:
        """Bonds of the molecule that match no stroke, though ink leads from one end to the other."""
        return self._unmatched_bonds[0]

    @cached_property
    def _unmatched_bonds(self) -> tuple[int, int]:
        """:attr:`inked_bonds` and :attr:`lost_bonds`."""
        matched = {expected for _, expected in self.matching.bond_pairs}
        n_inked = n_lost = 0
        for number, bond in enumerate(self.drawing.graph.bonds):
            if number not in matched:
                a, b = self.matching.places[list(bond)].tolist()
                if a >= 0 and b >= 0 and self._is_inked(a, b):
                    n_inked += 1
                else:
                    n_lost += 1
        return n_inked, n_lost

    def _is_inked(self, a: int, b: int) -> bool:
        """Whether ink leads from one place to the other, or nothing lies between their letters."""
        start, end = self.structure.points[a], self.structure.points[b]
        steps = np.linspace(0.15, 0.85, max(2, round(float(np.hypot(*(end - start))))))[:, None]
        line = start + (end - start) * steps
        margin = 0.12 * self.structure.bond_px
        in_letters = np.zeros(len(line), bool)
        for x, y, w, h in np.concatenate([self.structure.labels[a], self.structure.labels[b]]).tolist():
            offsets = np.abs(line - (x + w / 2, y + h / 2))
            in_letters |= (offsets < (w / 2 + margin, h / 2 + margin)).all(axis=1)
        if bool(in_letters.all()):
            return True
        xs, ys = np.rint(line[~in_letters]).astype(int).T
        ink = self.structure.ink
        is_ink = [
            bool(ink[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].any()) for x, y in zip(xs, ys, strict=True)
        ]
        return float(np.mean(is_ink)) > _BOND_INK_SHARE

    @property
    def extra_bonds(self) -> int:
        """Bonds of the picture at an atom of the molecule that the molecule lacks."""
        return self._extra[0]

    @property
    def loose_bonds(self) -> int:
        """Bonds of the picture that no atom of the molecule is at: most are no bonds."""
        return self._extra[1]

    @property
    def extra_places(self) -> int:
        """Places with bonds that no atom is at, except for written-out hydrogens."""
        with_bonds = np.flatnonzero(self.structure.graph.degrees > 0).tolist()
        return sum(place not in self.atom_at and place not in self._extra[2] for place in with_bonds)

    @cached_property
    def _extra(self) -> tuple[int, int, frozenset[int]]:
        """:attr:`extra_bonds`, :attr:`loose_bonds`, and places of written-out hydrogens."""
        matched = {observed for observed, _ in self.matching.bond_pairs}
        graph, n_extra, n_loose, hydrogens = self.structure.graph, 0, 0, set()
        for number, bond in enumerate(graph.bonds):
            if number in matched:
                continue
            with_atom = [place for place in bond if place in self.atom_at]
            start, end = self.structure.points[list(bond)]
            length = float(np.hypot(*(start - end))) / self.structure.bond_px
            if not with_atom or not 0.5 < length < 1.7:
                n_loose += 1
                continue
            root = with_atom[0]
            end_place = bond[0] if bond[1] == root else bond[1]
            is_free = end_place not in self.atom_at and not graph.is_double[number]
            if is_free and self._is_hydrogen(end_place, root):
                hydrogens.add(end_place)
            else:
                n_extra += 1
        return n_extra, n_loose, frozenset(hydrogens)

    def _is_hydrogen(self, place: int, root: int) -> bool:
        graph = self.structure.graph
        return (
            len(graph.neighbors[place]) == 1
            and graph.letters[place] == 1
            and self.drawing.hydrogens[self.atom_at[root]] > 0
            and self.structure.letter_margin(place, "H") > 0
        )

    @property
    def loose_labels(self) -> int:
        """Labels that no bond leads to and no atom is at."""
        without_bonds = np.flatnonzero(self.structure.graph.degrees == 0).tolist()
        return sum(place not in self.atom_at for place in without_bonds)

    @cached_property
    def label_differences(self) -> tuple[int, int, int]:
        """Atoms without the label they should have; with one they should not; letters too many or few."""
        n_missing = n_extra = n_letters = 0
        for place, atom in self.atom_at.items():
            n, texts = int(self.structure.graph.letters[place]), self.drawing.texts[atom]
            if texts:
                # The letter I is one stroke, as a bond is.
                n_missing += n == 0 and texts != ("I",)
                n_letters += min(min(_letter_difference(n, text) for text in texts), 2) if n else 0
            elif n and not self.drawing.graph.is_optional[atom]:
                n_extra += 1
        return n_missing, n_extra, n_letters

    @cached_property
    def margins(self) -> NDArray[np.float64]:
        """Of each label that could be read: how much better the atom's letters fit than others, -2..2."""
        margins = [
            self.structure.letter_margin(place, first_letters(self.drawing, atom))
            for place, atom in self.atom_at.items()
            if self.structure.graph.letters[place]
        ]
        return np.array([margin for margin in margins if not np.isnan(margin)], np.float64)

    @property
    def unlike_labels(self) -> int:
        return int((self.margins < _UNLIKE_MARGIN).sum())

    @cached_property
    def order_differences(self) -> tuple[int, int, int]:
        """Bonds double only in the picture; only in the molecule; and the difference over aromatic bonds.

        Of aromatic bonds only the number of double ones counts, since their double lines may be at the bonds
        beside them; where circles are drawn, nothing does.
        """
        n_more = n_less = n_observed = n_expected = 0
        for observed, expected in self.matching.bond_pairs:
            is_double = self.structure.graph.is_double[observed]
            should_be = self.drawing.graph.is_double[expected]
            if self.drawing.aromatic[expected]:
                n_observed, n_expected = n_observed + is_double, n_expected + should_be
            elif is_double != should_be:
                n_more, n_less = n_more + is_double, n_less + should_be
        return n_more, n_less, 0 if self.structure.n_circles else abs(n_observed - n_expected)

    @property
    def mismatch(self) -> float:
        """Weighted sum of what is left over on either side; 0 where all fits."""
        missing_labels, extra_labels, letters = self.label_differences
        extra_doubles, missing_doubles, _ = self.order_differences
        return (
            self.lost_bonds + self.extra_bonds + self.unplaced_atoms + 0.5 * self.extra_places
            + missing_labels + extra_labels + 0.3 * letters + self.unlike_labels
            + extra_doubles + missing_doubles
        )  # fmt: skip


def align(structure: Structure, drawing: ExpectedDrawing) -> Alignment:
    """Match the atoms of an expected drawing to the places of what a picture shows."""
    graph = drawing.graph
    if _is_lettered(structure.graph):
        graph = replace(graph, is_optional=graph.is_optional | (graph.letters == 0))
    letters_of = [first_letters(drawing, atom) for atom in range(graph.n)]
    letter_fits = np.ones((structure.graph.n, graph.n))
    if structure.graph.n <= MAX_PLACES:
        for place in np.flatnonzero(structure.graph.letters).tolist():
            fit_of = {
                letters: _letter_fit(structure.letter_margin(place, letters)) for letters in set(letters_of)
            }
            letter_fits[place] = [fit_of[letters] for letters in letters_of]
    matching = match(structure.graph, graph, letter_fits)
    return Alignment(structure, replace(drawing, graph=graph), matching)


def _is_lettered(graph: BondGraph) -> bool:
    """Whether a drawing has letters at every carbon."""
    letters = graph.letters[graph.degrees > 0]
    return len(letters) > 3 and float((letters > 0).mean()) > _LETTERED_SHARE


def first_letters(drawing: ExpectedDrawing, atom: int) -> str:
    """Letters any of which may come first at the atom, hydrogen aside."""
    texts = drawing.texts[atom]
    if not texts:
        return "CM"
    if drawing.is_group[atom]:
        return "".join(sorted({text[0] for text in texts}))
    if drawing.is_open[atom]:
        return _WILDCARD_LETTERS
    symbol = _SYMBOL.match(texts[-1])
    return symbol[1] if symbol else ""


def _letter_fit(margin: float) -> float:
    """1 where the letters are the expected ones, 0.4 where they are others, 0.8 where that is unknown."""
    return 0.8 if np.isnan(margin) else 1.0 if margin > 0 else 0.4


def _letter_difference(n: int, text: str) -> int:
    """How many letters too many or too few; one-stroke letters may have been taken for bonds."""
    n_sure = sum(letter not in _ONE_STROKE_LETTERS for letter in text)
    return max(n_sure - n, n - len(text), 0)
