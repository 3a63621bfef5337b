"""Matches the atoms of a molecule to the places of a structure drawing, bond by bond.

Both are small graphs. The similarity of an atom and a place starts from their labels and numbers of bonds,
and then repeatedly takes in the similarity of their neighbors (as in similarity flooding: S. Melnik et al.,
ICDE 2002). From the most similar pairs the assignment then grows along bonds on both sides, so that what is
a ring on one side must be one on the other; of several starts, the result with the most bonds counts.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

N_ROUNDS = 8
"""Rounds of taking in neighbors: what is more bonds away than this does not tell places apart."""

N_STARTS = 6

MAX_PLACES = 500
"""A picture with more places is not one molecule's drawing, and nothing is matched to it."""

_OWN_WEIGHT = 0.4
"""Weight of a place's own label and bonds; the rest is its neighbors'."""

_MIN_START_SIMILARITY = 0.3
"""For a further part of a drawing to be started from a pair."""


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
    def neighbors(self) -> tuple[tuple[int, ...], ...]:
        neighbors: list[list[int]] = [[] for _ in range(self.n)]
        for a, b in self.bonds:
            neighbors[a].append(b)
            neighbors[b].append(a)
        return tuple(tuple(near) for near in neighbors)

    @cached_property
    def degrees(self) -> NDArray[np.int64]:
        return np.array([len(near) for near in self.neighbors], np.int64)

    @cached_property
    def adjacency(self) -> NDArray[np.float64]:
        adjacency = np.zeros((self.n, self.n))
        for a, b in self.bonds:
            adjacency[a, b] = adjacency[b, a] = 1
        return adjacency

    @cached_property
    def bond_numbers(self) -> dict[tuple[int, int], int]:
        return {bond: number for number, bond in enumerate(self.bonds)}


@dataclass(frozen=True)
class Matching:
    """The place of each atom, -1 where it has none, and the bonds that both sides have."""

    places: NDArray[np.int64]
    bond_pairs: tuple[tuple[int, int], ...]
    """Numbers of an observed bond and of the molecule's bond."""
    score: float


def match(observed: BondGraph, expected: BondGraph, letter_fits: NDArray[np.float64]) -> Matching:
    """The assignment of a molecule's atoms (``expected``) to a drawing's places that has the most bonds.

    ``letter_fits`` (places, atoms), 0 to 1: how well the letters at a place are those of an atom.
    """
    if not expected.n or not 0 < observed.n <= MAX_PLACES:
        return Matching(np.full(expected.n, -1, np.int64), (), 0.0)
    similarity = place_atom_similarity(observed, expected, letter_fits)
    # A place that is similar to one atom only is the surest start.
    second_best = (
        np.partition(similarity, -min(2, expected.n), axis=1)[:, -min(2, expected.n)][:, None]
        + np.partition(similarity, -min(2, observed.n), axis=0)[-min(2, observed.n)][None, :]
    )
    rarity = similarity - 0.5 * second_best
    surest = np.argsort(-(similarity + rarity), axis=None, kind="stable")[:N_STARTS].tolist()
    matchings = (
        _grow(observed, expected, similarity, letter_fits, divmod(index, expected.n)) for index in surest
    )
    return max(matchings, key=lambda matching: matching.score)


def place_atom_similarity(
    observed: BondGraph, expected: BondGraph, letter_fits: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(places, atoms): 0 to 1; ``letter_fits`` as for :func:`match`."""
    has_label, is_text = observed.letters[:, None] > 0, expected.letters[None, :] > 0
    difference = np.minimum(np.abs(observed.letters[:, None] - expected.letters[None, :]), 3) / 3
    label = np.where(has_label == is_text, 1 - 0.3 * difference * is_text, 0.25)
    if expected.is_optional.size:
        label = np.where(expected.is_optional[None, :], 1.0, label)
    label = label * np.where(has_label & (is_text | (label == 1.0)), letter_fits, 1.0)
    degree_difference = np.abs(observed.degrees[:, None] - expected.degrees[None, :])
    own = label / (1 + 0.7 * degree_difference)
    similarity = own
    max_degree = np.maximum(np.maximum(observed.degrees[:, None], expected.degrees[None, :]), 1)
    for _ in range(N_ROUNDS):
        best_atom = _best_neighbor(similarity, expected)
        best_place = _best_neighbor(similarity.T, observed).T
        nearby = 0.5 * (observed.adjacency @ best_atom + best_place @ expected.adjacency) / max_degree
        similarity = _OWN_WEIGHT * own + (1 - _OWN_WEIGHT) * np.minimum(nearby, 1.0)
    return np.asarray(similarity)


def _best_neighbor(similarity: NDArray[np.float64], graph: BondGraph) -> NDArray[np.float64]:
    """For each row and node: the highest similarity of the row to one of the node's neighbors."""
    best = np.zeros_like(similarity)
    for node, neighbors in enumerate(graph.neighbors):
        if neighbors:
            best[:, node] = similarity[:, neighbors].max(axis=1)
    return best


def _grow(
    observed: BondGraph,
    expected: BondGraph,
    similarity: NDArray[np.float64],
    letter_fits: NDArray[np.float64],
    start: tuple[int, int],
) -> Matching:
    """Match outwards along bonds from a pair of a place and an atom, most similar pairs first."""
    places = np.full(expected.n, -1, np.int64)
    atoms = np.full(observed.n, -1, np.int64)
    next_start: tuple[int, int] | None = start
    while next_start is not None:
        heap: list[tuple[float, int, int]] = [(0.0, *next_start)]
        while heap:
            _, place, atom = heapq.heappop(heap)
            if places[atom] >= 0 or atoms[place] >= 0:
                continue
            places[atom], atoms[place] = place, atom
            for near_place in observed.neighbors[place]:
                for near_atom in expected.neighbors[atom]:
                    if places[near_atom] < 0 and atoms[near_place] < 0:
                        n_shared = sum(
                            places[neighbor] in observed.neighbors[near_place]
                            for neighbor in expected.neighbors[near_atom]
                            if places[neighbor] >= 0
                        )
                        priority = similarity[near_place, near_atom] + 0.5 * (n_shared - 1)
                        heapq.heappush(heap, (-float(priority), near_place, near_atom))
        next_start = _next_start(similarity, places, atoms)
    bond_pairs = _bond_pairs(observed, expected, places)
    label_score = sum(
        float(letter_fits[place, atom]) if observed.letters[place] else 1.0
        for atom, place in enumerate(places.tolist())
        if place >= 0 and (observed.letters[place] > 0) == (expected.letters[atom] > 0)
    )
    n_same_order = sum(observed.is_double[a] == expected.is_double[b] for a, b in bond_pairs)
    return Matching(places, bond_pairs, len(bond_pairs) + 0.5 * label_score + 0.25 * n_same_order)


def _next_start(
    similarity: NDArray[np.float64], places: NDArray[np.int64], atoms: NDArray[np.int64]
) -> tuple[int, int] | None:
    """The most similar pair of a free place and a free atom, for a further part of the drawing."""
    free = np.where((atoms < 0)[:, None] & (places < 0)[None, :], similarity, -1.0)
    place, atom = np.unravel_index(int(free.argmax()), free.shape)
    return (int(place), int(atom)) if free[place, atom] > _MIN_START_SIMILARITY else None


def _bond_pairs(
    observed: BondGraph, expected: BondGraph, places: NDArray[np.int64]
) -> tuple[tuple[int, int], ...]:
    pairs = []
    for number, (a, b) in enumerate(expected.bonds):
        first, second = sorted((int(places[a]), int(places[b])))
        observed_number = observed.bond_numbers.get((first, second)) if first >= 0 else None
        if observed_number is not None:
            pairs.append((observed_number, number))
    return tuple(pairs)
