"""The graph of a structure drawing: bonds, atoms and labels, as far as strokes show them.

:func:`trace_ink` thins the ink of a crop to straight strokes. :func:`read_structure` estimates the length of
a bond, separates letters from bonds, and connects the bonds at the places where they meet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.readback.ink import Gray, drop_specks, pairwise_overlap, stroke_width, to_ink
from docai.pipelines.readback.molecule.matching import BondGraph
from docai.pipelines.readback.molecule.strokes import (
    Points,
    Strokes,
    connected_groups,
    distances,
    find_circles,
    find_inside_rings,
    letter_correlations,
    letter_margin,
    merge_hashed_bonds,
    merge_parallel_strokes,
    segment_lengths,
    split_long_strokes,
    straight_strokes,
    typical_length,
)
from docai.pipelines.tracing.molecule.thinning import zhang_suen

MAX_INK_SHARE = 0.35
"""A picture with more ink is no line drawing."""

MAX_LINE_PX = 20_000
"""Pixels of thinned lines; more are no drawing's: noise, a photograph, a page of print."""

MAX_STROKES = 1500
"""Straight strokes; of more, the same holds. They are compared with each other."""


@dataclass(frozen=True)
class TracedInk:
    """The strokes of a crop, before the length of a bond is known."""

    ink: Gray
    line_px: int
    """Pixels of the thinned lines."""
    stroke_px: float
    """Typical width of a stroke."""
    filled_ink: float
    """See :class:`Structure`."""
    strokes: Strokes | None
    """None where the picture is no line drawing."""
    components: NDArray[np.int32]
    """(h, w): number of the connected component of each pixel of ink."""
    stats: NDArray[np.int32]
    """Of the components, as OpenCV gives them."""


def trace_ink(gray: Gray, share: float = 0.45) -> TracedInk:
    """The strokes of a crop; ``share`` as in :func:`docai.pipelines.readback.ink.to_ink`.

    Raises:
        NotComparable: it is blank.
    """
    ink = to_ink(gray, share)
    ys, xs = np.nonzero(ink)
    ink = np.ascontiguousarray(ink[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1])
    ink_share = float(ink.mean())
    ink = drop_specks(np.pad(ink, 2), max(4, round(1e-5 * ink.size)))
    lines = zhang_suen(ink)
    width = stroke_width(ink, lines)
    depth = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    filled_ink = float((depth > 1.5 * max(width, 2.0)).sum()) / max(1, int(ink.sum()))
    width = max(width, 1.0)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    components = np.asarray(labels, np.int32)
    line_px = int(lines.sum())
    strokes = None
    if (ink_share <= MAX_INK_SHARE or len(ink) <= 64) and line_px <= MAX_LINE_PX:
        strokes = straight_strokes(lines, components, max(2.0, 0.9 * width))
        if not 0 < int((strokes.lengths > 3 * width).sum()) <= MAX_STROKES:
            strokes = None
    return TracedInk(ink, line_px, width, filled_ink, strokes, components, np.asarray(stats, np.int32))


@dataclass(frozen=True)
class Structure:
    """What the strokes of a crop show. Lengths are in bond lengths, counts are of the whole crop."""

    bond_px: float
    """Length of a typical bond, pixels."""
    n_bonds: int
    """Straight strokes about as long as a bond, parallel ones counted once."""
    n_double: int
    """Of these, those with a parallel stroke beside them."""
    n_free_ends: int
    """Places of one bond without a label."""
    n_labels: int
    n_letters: int
    n_pieces: int
    """Connected parts of the graph."""
    ring_areas: tuple[float, ...]
    """Areas enclosed by bonds and labels, in squared bond lengths, largest first."""
    n_circles: int
    """Circles: aromatic rings are drawn so."""
    length: float
    """All strokes together."""
    label_ink: float
    """Share of the ink in labels."""
    odd_strokes: float
    """Share of the strokes' length that is neither bond nor letter: too short, too long or curved."""
    bond_spread: float
    """Standard deviation of the bonds' lengths over their mean."""
    filled_ink: float
    """Share of the ink that lies deeper than strokes are: filled areas."""
    graph: BondGraph
    points: Points
    """Centers of the graph's places, (n, 2) as x, y, pixels of ``ink``."""
    labels: tuple[NDArray[np.int64], ...]
    """Letters at each place, (k, 4) as x, y, w, h, pixels of ``ink``; k = 0 where bonds only meet."""
    ink: Gray
    _correlations: dict[int, NDArray[np.float64]] = field(default_factory=dict, repr=False)
    _margins: dict[tuple[int, str], float] = field(default_factory=dict, repr=False)

    @property
    def n_places(self) -> int:
        """Where bonds end or meet, and labels that touch none: candidates for atoms."""
        return self.graph.n

    def letter_margin(self, place: int, expected: str) -> float:
        """How well the letters at a place are the expected ones, see :func:`.letters.letter_margin`.

        Cached, since several drawings of a molecule are aligned with the same structure.
        """
        if (place, expected) not in self._margins:
            if place not in self._correlations:
                self._correlations[place] = letter_correlations(self.ink, self.labels[place])
            self._margins[place, expected] = letter_margin(self._correlations[place], expected)
        return self._margins[place, expected]


def read_structure(traced: TracedInk, scale: float = 1.0) -> Structure:
    """The graph that strokes make.

    Args:
        traced: of a crop.
        scale: length of a bond over that of the typical stroke; more than 1 where every carbon has letters,
            whose strokes are shorter than those of bonds.
    """
    if traced.strokes is None:
        return _no_structure(traced)
    ink, width, strokes, stats = traced.ink, traced.stroke_px, traced.strokes, traced.stats
    lengths = strokes.lengths
    bond = scale * typical_length(lengths[lengths > 3 * width])
    boxes = stats[:, :4].astype(float)
    box_sides = np.maximum(boxes[:, 2], boxes[:, 3])
    longest = np.zeros(len(stats))
    np.maximum.at(longest, strokes.component, lengths)
    is_circle = find_circles(strokes, stats, bond)
    # A letter is smaller than a bond and its strokes are much shorter; a lone bond is one thin stroke.
    n_strokes = np.bincount(strokes.component, minlength=len(stats))
    thickness = stats[:, cv2.CC_STAT_AREA] / np.maximum(longest, 1.0)
    is_thin = (n_strokes <= 2) & (thickness < 1.9 * width + 1)
    is_line = is_thin & (longest > 0.3 * bond)
    # Large pictures of few atoms have long bonds beside letters of the usual size.
    smallest = min(0.15 * bond, 6 * width)
    is_letter = (box_sides < 0.75 * bond) & (box_sides > smallest) & ~is_thin & ~is_circle
    # Letters that touch are as wide as a bond and more, of strokes none of which is.
    is_touching = (boxes[:, 3] < 0.75 * bond) & (boxes[:, 2] < 2.5 * bond) & (longest < 0.55 * bond)
    is_letter |= is_touching & (box_sides >= 0.75 * bond) & (n_strokes >= 4) & ~is_circle
    is_letter &= np.minimum(boxes[:, 2], boxes[:, 3]) > 1.2 * width
    is_letter &= ~find_inside_rings(ink, traced.components, len(stats), bond)
    is_dash = (box_sides < 0.45 * bond) & (n_strokes <= 2) & (box_sides > width)
    is_dash[0] = False
    hashed, in_hashed = merge_hashed_bonds(boxes, is_dash, bond)
    is_letter &= ~in_hashed
    is_letter[0] = False
    labels, label_of_letter = _label_boxes(boxes[is_letter], bond)
    is_bond = ~is_letter[strokes.component] & ~is_circle[strokes.component] & (lengths > 0.35 * bond)
    is_short = is_line[strokes.component] & ~is_bond & (lengths > 2 * width)
    ends = strokes.ends[(is_bond | (is_short & (lengths > 0.2 * bond))) & ~in_hashed[strokes.component]]
    bonds, is_double, joints = merge_parallel_strokes(
        split_long_strokes(np.concatenate([ends, hashed]), bond), bond
    )
    places = _connect(bonds, is_double, joints, labels, label_of_letter, bond)
    bond_lengths = segment_lengths(bonds) if len(bonds) else np.ones(1)
    in_letters = is_letter[strokes.component] | is_circle[strokes.component]
    is_bond_length = (lengths > 0.45 * bond) & (lengths < 1.6 * bond)
    return Structure(
        bond_px=bond,
        n_bonds=len(bonds),
        n_double=int(is_double.sum()),
        n_free_ends=places.n_free_ends,
        n_labels=len(labels),
        n_letters=int(is_letter.sum()),
        n_pieces=places.n_pieces,
        ring_areas=_ring_areas(bonds, labels, bond, ink.shape),
        n_circles=int(is_circle.sum()),
        length=float(lengths[~in_letters].sum()) / bond,
        label_ink=float(stats[is_letter, cv2.CC_STAT_AREA].sum()) / max(1, int(ink.sum())),
        odd_strokes=float(lengths[~in_letters & ~is_bond_length].sum()) / max(1.0, float(lengths.sum())),
        bond_spread=float(bond_lengths.std() / max(bond_lengths.mean(), 1.0)),
        filled_ink=traced.filled_ink,
        graph=places.graph,
        points=places.points,
        labels=tuple(
            boxes[is_letter][label_of_letter == label].astype(np.int64)
            if label >= 0
            else np.zeros((0, 4), np.int64)
            for label in places.labels.tolist()
        ),
        ink=ink,
    )


def _no_structure(traced: TracedInk) -> Structure:
    """Of a picture that is no line drawing: nothing in it is a bond, and all strokes are odd."""
    return Structure(
        bond_px=1.0,
        n_bonds=0,
        n_double=0,
        n_free_ends=0,
        n_labels=0,
        n_letters=0,
        n_pieces=0,
        ring_areas=(),
        n_circles=0,
        length=float(traced.line_px),
        label_ink=1.0,
        odd_strokes=1.0,
        bond_spread=1.0,
        filled_ink=traced.filled_ink,
        graph=BondGraph(np.zeros(0, np.int64), (), ()),
        points=np.zeros((0, 2)),
        labels=(),
        ink=traced.ink,
    )


def _label_boxes(boxes: Points, bond: float) -> tuple[Points, NDArray[np.int64]]:
    """Letters (n, 4: x, y, w, h) that stand near each other as labels (m, 4: x0, y0, x1, y1).

    And the number of the label that each letter is in, (n,).
    """
    if not len(boxes):
        return np.zeros((0, 4)), np.zeros(0, np.int64)
    corners = np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    reach = min(float(0.5 * np.median(boxes[:, 2:].max(axis=1))), 0.25 * bond)
    widths, heights = pairwise_overlap(corners)
    groups = connected_groups((widths > -reach) & (heights > -0.3 * reach))
    numbers, label_of_letter = np.unique(groups, return_inverse=True)
    labels = [
        (*corners[groups == number, :2].min(axis=0), *corners[groups == number, 2:].max(axis=0))
        for number in numbers
    ]
    return np.array(labels, np.float64), np.asarray(label_of_letter, np.int64)


@dataclass(frozen=True)
class _Places:
    n_free_ends: int
    n_pieces: int
    graph: BondGraph
    points: Points
    labels: NDArray[np.int64]
    """The label at each place, -1 where there is none."""


def _connect(
    bonds: Points,
    is_double: NDArray[np.bool_],
    joints: Points,
    labels: Points,
    label_of_letter: NDArray[np.int64],
    bond: float,
) -> _Places:
    """Ends of bonds that lie together are one place, and so is a label with the ends that point at it.

    ``joints`` as :func:`merge_parallel_strokes` gives them.
    """
    ends = bonds.reshape(-1, 2)
    n_ends, n_labels = len(ends), len(labels)
    is_near = np.zeros((n_ends + n_labels,) * 2, bool)
    if n_ends:
        is_near[:n_ends, :n_ends] = distances(ends) < 0.28 * bond
        for x, y, kept_x, kept_y in joints.tolist():
            at_kept = np.hypot(*(ends - (kept_x, kept_y)).T) < 1
            at_other = np.hypot(*(ends - (x, y)).T) < 0.2 * bond
            is_near[:n_ends, :n_ends] |= (
                at_kept[:, None] & at_other[None, :] | at_other[:, None] & at_kept[None, :]
            )
    if n_ends and n_labels:
        dx = np.maximum(labels[:, 0] - ends[:, None, 0], ends[:, None, 0] - labels[:, 2])
        dy = np.maximum(labels[:, 1] - ends[:, None, 1], ends[:, None, 1] - labels[:, 3])
        touches = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) < 0.35 * bond
        is_near[:n_ends, n_ends:] = touches
        is_near[n_ends:, :n_ends] = touches.T
    groups = connected_groups(is_near)
    numbers, place_of, counts = np.unique(groups, return_inverse=True, return_counts=True)
    labeled = set(groups[n_ends:].tolist())
    n_bonds_at = np.bincount(groups[:n_ends], minlength=len(groups))[numbers] if n_ends else counts * 0
    n_free_ends = sum(
        int(n) == 1 and int(number) not in labeled for number, n in zip(numbers, n_bonds_at, strict=True)
    )
    is_linked = is_near.copy()
    for index in range(0, n_ends, 2):
        is_linked[index, index + 1] = is_linked[index + 1, index] = True
    n_pieces = len(np.unique(connected_groups(is_linked)))
    orders = _bond_orders(place_of, is_double)
    points, label_at = _place_centers(ends, labels, place_of, len(numbers))
    letters = [0 if label < 0 else int((label_of_letter == label).sum()) for label in label_at]
    graph = BondGraph(np.array(letters, np.int64), tuple(orders), tuple(orders.values()))
    return _Places(n_free_ends, n_pieces, graph, points, label_at)


def _bond_orders(place_of: NDArray[np.int64], is_double: NDArray[np.bool_]) -> dict[tuple[int, int], bool]:
    """Pairs of places with a bond between them, and whether it is double; ``place_of`` each end of a bond."""
    orders: dict[tuple[int, int], bool] = {}
    for number, double in enumerate(is_double.tolist()):
        a, b = sorted((int(place_of[2 * number]), int(place_of[2 * number + 1])))
        if a != b:
            orders[a, b] = orders.get((a, b), False) or double
    return orders


def _place_centers(
    ends: Points, labels: Points, place_of: NDArray[np.int64], n_places: int
) -> tuple[Points, NDArray[np.int64]]:
    """The center of each place and the label at it, -1 where there is none.

    ``place_of`` is the place of each end and, after these, of each label. Of several labels at one place the
    first counts.
    """
    points, label_at = np.zeros((n_places, 2)), np.full(n_places, -1, np.int64)
    for place in range(n_places):
        ends_here = ends[place_of[: len(ends)] == place]
        labels_here = np.flatnonzero(place_of[len(ends) :] == place)
        if labels_here.size:
            label_at[place] = labels_here[0]
            x0, y0, x1, y1 = labels[labels_here[0]]
            ends_here = np.array([[(x0 + x1) / 2, (y0 + y1) / 2]])
        points[place] = ends_here.mean(axis=0)
    return points, label_at


def _ring_areas(bonds: Points, labels: Points, bond: float, shape: Sequence[int]) -> tuple[float, ...]:
    """Areas that bonds and labels enclose, of at least half a squared bond length, largest first."""
    scale = min(1.0, 16 / bond)
    pad = 4
    canvas = np.zeros(
        (math.ceil(shape[0] * scale) + 2 * pad, math.ceil(shape[1] * scale) + 2 * pad), np.uint8
    )
    for x0, y0, x1, y1 in (bonds * scale + pad).round().astype(int).tolist():
        cv2.line(canvas, (x0, y0), (x1, y1), 1, max(2, round(0.12 * bond * scale)))
    margin = 0.22 * bond * scale
    for x0, y0, x1, y1 in (labels * scale + pad).tolist():
        top_left, bottom_right = (
            (round(x0 - margin), round(y0 - margin)),
            (round(x1 + margin), round(y1 + margin)),
        )
        cv2.rectangle(canvas, top_left, bottom_right, 1, -1)
    n, components, stats, _ = cv2.connectedComponentsWithStats(1 - canvas, connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA] / (bond * scale) ** 2
    outside = int(components[0, 0])
    enclosed = [float(areas[i]) for i in range(1, n) if i != outside and areas[i] >= 0.5]
    return tuple(sorted(enclosed, reverse=True))
