"""The atoms of a molecule laid onto the places of a structure drawing, bond by bond.

Both are small graphs. How alike an atom and a place are is told by their labels and numbers of bonds, and
again and again by how alike their neighbours are (as in similarity flooding: S. Melnik et al., ICDE 2002).
From the most alike pairs the assignment then grows along bonds on both sides, so that what is a ring on one
side must be one on the other; of several starts the one that keeps most bonds is taken.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

ROUNDS = 8
"""Of looking at neighbours: what is further away than so many bonds does not tell places apart."""

STARTS = 6

MOST_PLACES = 500
"""Places beyond which a picture is no one molecule's drawing, and nothing is laid onto it."""

_OWN = 0.4
"""Weight of a place's own label and bonds; the rest is its neighbours'."""

_LIKELY = 0.3
"""Likeness below which no second part of a drawing is started with."""


@dataclass(frozen=True)
class BondGraph:
    """Places or atoms, and the bonds between them.

    Attributes:
        letters: at each place, the number of letters there; 0 where bonds only meet.
        bonds: pairs of places, the smaller number first.
        is_double: of each bond, whether more than one line is drawn.
        is_optional: at each place, whether a drawing may have letters there or not.
    """

    letters: NDArray[np.int64]
    bonds: tuple[tuple[int, int], ...]
    is_double: tuple[bool, ...]
    is_optional: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))

    @property
    def n(self) -> int:
        return len(self.letters)

    @cached_property
    def neighbours(self) -> tuple[tuple[int, ...], ...]:
        around: list[list[int]] = [[] for _ in range(self.n)]
        for a, b in self.bonds:
            around[a].append(b)
            around[b].append(a)
        return tuple(tuple(near) for near in around)

    @cached_property
    def degrees(self) -> NDArray[np.int64]:
        return np.array([len(near) for near in self.neighbours], np.int64)

    @cached_property
    def adjacency(self) -> NDArray[np.float64]:
        near = np.zeros((self.n, self.n))
        for a, b in self.bonds:
            near[a, b] = near[b, a] = 1
        return near

    @cached_property
    def numbers(self) -> dict[tuple[int, int], int]:
        return {bond: index for index, bond in enumerate(self.bonds)}


@dataclass(frozen=True)
class Match:
    """Which place each atom stands at, -1 where none does, and the bonds that both sides have."""

    places: NDArray[np.int64]
    kept: tuple[tuple[int, int], ...]
    """Pairs of the numbers of a drawn bond and of the molecule's bond."""
    score: float


def likeness(seen: BondGraph, own: BondGraph, fits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(places, atoms): 0 to 1; ``fits`` of the same shape tells how well letters fit."""
    has_label, is_text = seen.letters[:, None] > 0, own.letters[None, :] > 0
    off = np.minimum(np.abs(seen.letters[:, None] - own.letters[None, :]), 3) / 3
    label = np.where(has_label == is_text, 1 - 0.3 * off * is_text, 0.25)
    if own.is_optional.size:
        label = np.where(own.is_optional[None, :], 1.0, label)
    label = label * np.where(has_label & (is_text | (label == 1.0)), fits, 1.0)
    apart = np.abs(seen.degrees[:, None] - own.degrees[None, :])
    alone = label / (1 + 0.7 * apart)
    alike = alone
    most = np.maximum(np.maximum(seen.degrees[:, None], own.degrees[None, :]), 1)
    for _ in range(ROUNDS):
        best_atom = _best_neighbour(alike, own)
        best_place = _best_neighbour(alike.T, seen).T
        around = 0.5 * (seen.adjacency @ best_atom + best_place @ own.adjacency) / most
        alike = _OWN * alone + (1 - _OWN) * np.minimum(around, 1.0)
    return np.asarray(alike)


def _best_neighbour(alike: NDArray[np.float64], graph: BondGraph) -> NDArray[np.float64]:
    """For each row and node: the most that the row is like one of the node's neighbours."""
    best = np.zeros_like(alike)
    for node, near in enumerate(graph.neighbours):
        if near:
            best[:, node] = alike[:, near].max(axis=1)
    return best


def match(seen: BondGraph, own: BondGraph, fits: NDArray[np.float64]) -> Match:
    """The assignment of a molecule's atoms (``own``) to a drawing's places that keeps most bonds.

    ``fits`` (places, atoms), 0 to 1: how well the letters at a place are those of an atom.
    """
    if not own.n or not 0 < seen.n <= MOST_PLACES:
        return Match(np.full(own.n, -1, np.int64), (), 0.0)
    alike = likeness(seen, own, fits)
    # A place that is like one atom only is the surest start.
    rarity = alike - 0.5 * (
        np.partition(alike, -min(2, own.n), axis=1)[:, -min(2, own.n)][:, None]
        + np.partition(alike, -min(2, seen.n), axis=0)[-min(2, seen.n)][None, :]
    )
    surest = np.argsort(-(alike + rarity), axis=None, kind="stable")[:STARTS].tolist()
    grown = (_grown(seen, own, alike, fits, divmod(flat, own.n)) for flat in surest)
    return max(grown, key=lambda one: one.score)


def _grown(
    seen: BondGraph,
    own: BondGraph,
    alike: NDArray[np.float64],
    fits: NDArray[np.float64],
    start: tuple[int, int],
) -> Match:
    places = np.full(own.n, -1, np.int64)
    taken = np.full(seen.n, -1, np.int64)
    next_start: tuple[int, int] | None = start
    while next_start is not None:
        heap: list[tuple[float, int, int]] = [(0.0, *next_start)]
        while heap:
            _, place, atom = heapq.heappop(heap)
            if places[atom] >= 0 or taken[place] >= 0:
                continue
            places[atom], taken[place] = place, atom
            for near_place in seen.neighbours[place]:
                for near_atom in own.neighbours[atom]:
                    if places[near_atom] < 0 and taken[near_place] < 0:
                        closing = sum(
                            places[other] in seen.neighbours[near_place]
                            for other in own.neighbours[near_atom]
                            if places[other] >= 0
                        )
                        worth = alike[near_place, near_atom] + 0.5 * (closing - 1)
                        heapq.heappush(heap, (-float(worth), near_place, near_atom))
        next_start = _next_start(alike, places, taken)
    kept = _kept(seen, own, places)
    on_labels = sum(
        float(fits[place, atom]) if seen.letters[place] else 1.0
        for atom, place in enumerate(places.tolist())
        if place >= 0 and (seen.letters[place] > 0) == (own.letters[atom] > 0)
    )
    same_order = sum(seen.is_double[a] == own.is_double[b] for a, b in kept)
    return Match(places, kept, len(kept) + 0.5 * on_labels + 0.25 * same_order)


def _next_start(
    alike: NDArray[np.float64], places: NDArray[np.int64], taken: NDArray[np.int64]
) -> tuple[int, int] | None:
    free = np.where((taken < 0)[:, None] & (places < 0)[None, :], alike, -1.0)
    place, atom = np.unravel_index(int(free.argmax()), free.shape)
    return (int(place), int(atom)) if free[place, atom] > _LIKELY else None


def _kept(seen: BondGraph, own: BondGraph, places: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    kept = []
    for index, (a, b) in enumerate(own.bonds):
        pair = sorted((int(places[a]), int(places[b])))
        number = seen.numbers.get((pair[0], pair[1])) if pair[0] >= 0 else None
        if number is not None:
            kept.append((number, index))
    return tuple(kept)
