"""The graph of a structure drawing: bonds, atoms and labels, as far as strokes tell them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.readback.base import Gray
from docai.pipelines.readback.ink import drop_specks, stroke_width, thin, to_ink
from docai.pipelines.readback.molecule.letters import likenesses, margin
from docai.pipelines.readback.molecule.matching import BondGraph
from docai.pipelines.readback.molecule.strokes import (
    Points,
    Strokes,
    circles,
    hashed_bonds,
    inside_rings,
    joined,
    split_long,
    straight_strokes,
    typical_length,
    without_parallels,
)

MOST_INK = 0.35
"""Share of a picture that is ink beyond which it is no line drawing."""

MOST_LINES = 20_000
"""Pixels of thinned lines beyond which they are no drawing's: noise, a photograph, a page of print."""

MOST_STROKES = 1500
"""Straight pieces beyond which the same holds; they are compared with each other."""


@dataclass(frozen=True)
class Structure:
    """What the strokes of a crop come to; lengths are in bond lengths, counts are of the whole crop."""

    bond: float
    """Length of a typical bond, pixels."""
    n_bonds: int
    """Straight strokes about as long as a bond, parallel ones counted once."""
    n_doubled: int
    """Of these, those with a parallel stroke beside them."""
    n_free_ends: int
    """Places of one bond without a label."""
    n_labels: int
    n_letters: int
    n_pieces: int
    """Connected parts of the graph."""
    holes: tuple[float, ...]
    """Areas enclosed by bonds and labels, in squared bond lengths."""
    n_circles: int
    """Circles: aromatic rings are drawn so."""
    length: float
    """All strokes together."""
    label_ink: float
    """Share of the ink in labels."""
    odd: float
    """Share of the strokes' length that is neither bond nor letter: too short, too long or curved."""
    spread: float
    """Standard deviation of the bonds' lengths over their mean."""
    solid: float
    """Share of the ink that lies deeper than strokes are: filled areas."""
    graph: BondGraph
    points: Points
    """Middles of the graph's places, (n, 2) as x, y, pixels of ``ink``."""
    labels: tuple[NDArray[np.int64], ...]
    """Letters at each place, (k, 4) as x, y, w, h, pixels of ``ink``; k = 0 where bonds only meet."""
    ink: Gray
    _alike: dict[int, NDArray[np.float64]] = field(default_factory=dict, repr=False)
    _margins: dict[tuple[int, str], float] = field(default_factory=dict, repr=False)

    @property
    def n_places(self) -> int:
        """Atoms: where bonds end or meet, and labels that touch none."""
        return self.graph.n

    def margin(self, place: int, wanted: str) -> float:
        """How much the letters at a place are the wanted ones, see :func:`.letters.margin`.

        Remembered, since several drawings of a molecule are laid onto the same structure.
        """
        if (place, wanted) not in self._margins:
            if place not in self._alike:
                self._alike[place] = likenesses(self.ink, self.labels[place])
            self._margins[place, wanted] = margin(self._alike[place], wanted)
        return self._margins[place, wanted]


@dataclass(frozen=True)
class Traces:
    """The strokes of a crop, before it is known how long a bond is."""

    ink: Gray
    n_line: int
    """Pixels of the thinned lines."""
    width: float
    """Of a stroke, pixels."""
    solid: float
    """See :class:`Structure`."""
    strokes: Strokes | None
    """None where the picture is no line drawing."""
    components: NDArray[np.int32]
    stats: NDArray[np.int32]


def trace(gray: Gray, share: float = 0.45) -> Traces:
    """The strokes of a crop; ``share`` as in :func:`docai.pipelines.readback.ink.to_ink`.

    Raises:
        NotComparable: it is blank.
    """
    ink = to_ink(gray, share)
    ys, xs = np.nonzero(ink)
    ink = np.ascontiguousarray(ink[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1])
    full = float(ink.mean())
    ink = drop_specks(np.pad(ink, 2), max(4, round(1e-5 * ink.size)))
    lines = thin(ink)
    width = stroke_width(ink, lines)
    depth = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    solid = float((depth > 1.5 * max(width, 2.0)).sum()) / max(1, int(ink.sum()))
    width = max(width, 1.0)
    _, found, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    labels = np.asarray(found, np.int32)
    n_line = int(lines.sum())
    strokes = None
    if (full <= MOST_INK or len(ink) <= 64) and n_line <= MOST_LINES:
        strokes = straight_strokes(lines, labels, max(2.0, 0.9 * width))
        if not 0 < int((strokes.lengths > 3 * width).sum()) <= MOST_STROKES:
            strokes = None
    return Traces(ink, n_line, width, solid, strokes, labels, np.asarray(stats, np.int32))


def _no_drawing(traces: Traces) -> Structure:
    """What is no line drawing at all: nothing in it is a bond, and all of it is odd."""
    graph = BondGraph(np.zeros(0, np.int64), (), ())
    return Structure(
        1.0, 0, 0, 0, 0, 0, 0, (), 0, float(traces.n_line), 1.0, 1.0, 1.0, traces.solid,
        graph, np.zeros((0, 2)), (), traces.ink,
    )  # fmt: skip


def read_structure(traces: Traces, scale: float = 1.0) -> Structure:
    """The graph that strokes make.

    Args:
        traces: of a crop.
        scale: what a bond is taken to be longer than the typical stroke; where every carbon has letters, the
            strokes of bonds are shorter than those of letters.
    """
    if traces.strokes is None:
        return _no_drawing(traces)
    ink, width, strokes, stats = traces.ink, traces.width, traces.strokes, traces.stats
    lengths = strokes.lengths
    bond = scale * typical_length(lengths[lengths > 3 * width])
    boxes = stats[:, :4].astype(float)
    largest = np.maximum(boxes[:, 2], boxes[:, 3])
    longest = np.zeros(len(stats))
    np.maximum.at(longest, strokes.component, lengths)
    is_circle = circles(strokes, stats, bond)
    # A letter is smaller than a bond and its strokes are much shorter; a lone bond is one thin stroke.
    n_strokes = np.bincount(strokes.component, minlength=len(stats))
    thickness = stats[:, cv2.CC_STAT_AREA] / np.maximum(longest, 1.0)
    is_thin = (n_strokes <= 2) & (thickness < 1.9 * width + 1)
    is_line = is_thin & (longest > 0.3 * bond)
    is_letter = (largest < 0.75 * bond) & (largest > 0.15 * bond) & ~is_thin & ~is_circle
    # Letters that touch are as wide as a bond and more, of strokes none of which is.
    touching = (boxes[:, 3] < 0.75 * bond) & (boxes[:, 2] < 2.5 * bond) & (longest < 0.55 * bond)
    is_letter |= touching & (largest >= 0.75 * bond) & (n_strokes >= 4) & ~is_circle
    is_letter &= np.minimum(boxes[:, 2], boxes[:, 3]) > 1.2 * width
    is_letter &= ~inside_rings(ink, traces.components, len(stats), bond)
    is_dash = (largest < 0.45 * bond) & (n_strokes <= 2) & (largest > width)
    is_dash[0] = False
    hashed, in_hash = hashed_bonds(boxes, is_dash, bond)
    is_letter &= ~in_hash
    is_letter[0] = False
    groups, members = _label_boxes(boxes[is_letter], bond)
    chosen = ~is_letter[strokes.component] & ~is_circle[strokes.component] & (lengths > 0.35 * bond)
    short = is_line[strokes.component] & ~chosen & (lengths > 2 * width)
    ends = strokes.ends[(chosen | (short & (lengths > 0.2 * bond))) & ~in_hash[strokes.component]]
    single, is_double, beside = without_parallels(split_long(np.concatenate([ends, hashed]), bond), bond)
    graph = _graph(single, is_double, beside, groups, members, bond)
    kept = np.hypot(single[:, 2] - single[:, 0], single[:, 3] - single[:, 1]) if len(single) else np.ones(1)
    in_letters = is_letter[strokes.component] | is_circle[strokes.component]
    usual = (lengths > 0.45 * bond) & (lengths < 1.6 * bond)
    odd = float(lengths[~in_letters & ~usual].sum()) / max(1.0, float(lengths.sum()))
    return Structure(
        bond=bond,
        n_bonds=len(single),
        n_doubled=int(is_double.sum()),
        n_free_ends=graph.n_free_ends,
        n_labels=len(groups),
        n_letters=int(is_letter.sum()),
        n_pieces=graph.n_pieces,
        holes=_holes(single, groups, bond, ink.shape),
        n_circles=int(is_circle.sum()),
        length=float(lengths[~in_letters].sum()) / bond,
        label_ink=float(stats[is_letter, cv2.CC_STAT_AREA].sum()) / max(1, int(ink.sum())),
        odd=odd,
        spread=float(kept.std() / max(kept.mean(), 1.0)),
        solid=traces.solid,
        graph=graph.bonds,
        points=graph.points,
        labels=tuple(
            boxes[is_letter][members == label].astype(np.int64) if label >= 0 else np.zeros((0, 4), np.int64)
            for label in graph.labels.tolist()
        ),
        ink=ink,
    )


def _label_boxes(boxes: Points, bond: float) -> tuple[Points, NDArray[np.int64]]:
    """Letters (n, 4: x, y, w, h) that stand near each other as labels (m, 4: x0, y0, x1, y1).

    And the number of the label that each letter is in, (n,).
    """
    if not len(boxes):
        return np.zeros((0, 4)), np.zeros(0, np.int64)
    ends = np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    reach = 0.5 * np.median(boxes[:, 2:].max(axis=1))
    reach = min(float(reach), 0.25 * bond)
    wide = np.minimum(ends[:, None, 2], ends[None, :, 2]) - np.maximum(ends[:, None, 0], ends[None, :, 0])
    tall = np.minimum(ends[:, None, 3], ends[None, :, 3]) - np.maximum(ends[:, None, 1], ends[None, :, 1])
    groups = joined((wide > -reach) & (tall > -0.3 * reach))
    names, members = np.unique(groups, return_inverse=True)
    merged = [(*ends[groups == g, :2].min(axis=0), *ends[groups == g, 2:].max(axis=0)) for g in names]
    return np.array(merged, np.float64), np.asarray(members, np.int64)


@dataclass(frozen=True)
class _Graph:
    n_free_ends: int
    n_pieces: int
    bonds: BondGraph
    points: Points
    labels: NDArray[np.int64]
    """The label at each place, -1 where there is none."""


def _graph(
    ends: Points,
    is_double: NDArray[np.bool_],
    beside: Points,
    labels: Points,
    members: NDArray[np.int64],
    bond: float,
) -> _Graph:
    """Ends of strokes that lie together are one place, and so is a label with the ends that point at it.

    ``beside`` as :func:`without_parallels` gives it.
    """
    points = ends.reshape(-1, 2)
    n_labels = len(labels)
    near = np.zeros((len(points) + n_labels,) * 2, bool)
    if len(points):
        apart = np.hypot(points[:, None, 0] - points[None, :, 0], points[:, None, 1] - points[None, :, 1])
        near[: len(points), : len(points)] = apart < 0.28 * bond
        for x, y, kept_x, kept_y in beside.tolist():
            own = np.hypot(*(points - (kept_x, kept_y)).T) < 1
            others = np.hypot(*(points - (x, y)).T) < 0.2 * bond
            near[: len(points), : len(points)] |= (
                own[:, None] & others[None, :] | others[:, None] & own[None, :]
            )
    if len(points) and n_labels:
        dx = np.maximum(labels[:, 0] - points[:, None, 0], points[:, None, 0] - labels[:, 2])
        dy = np.maximum(labels[:, 1] - points[:, None, 1], points[:, None, 1] - labels[:, 3])
        touches = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) < 0.35 * bond
        near[: len(points), len(points) :] = touches
        near[len(points) :, : len(points)] = touches.T
    groups = joined(near)
    places, at, counts = np.unique(groups, return_inverse=True, return_counts=True)
    labelled = set(groups[len(points) :].tolist())
    degree = np.bincount(groups[: len(points)], minlength=len(groups))[places] if len(points) else counts * 0
    free = sum(int(d) == 1 and int(p) not in labelled for p, d in zip(places, degree, strict=True))
    linked = near.copy()
    for index in range(0, len(points), 2):
        linked[index, index + 1] = linked[index + 1, index] = True
    n_pieces = len(np.unique(joined(linked)))
    bonds, middles, label_at = _bonds(points, is_double, labels, at, len(places))
    letters = np.array([0 if label < 0 else int((members == label).sum()) for label in label_at], np.int64)
    return _Graph(
        free,
        n_pieces,
        BondGraph(letters, tuple(bonds), tuple(bonds.values())),
        middles,
        label_at,
    )


def _bonds(
    points: Points, is_double: NDArray[np.bool_], labels: Points, at: NDArray[np.int64], n: int
) -> tuple[dict[tuple[int, int], bool], Points, NDArray[np.int64]]:
    """Bonds between places with whether they are doubled, the places' middles, the label at each.

    ``at`` is the place of each end and, after these, of each label. Of several labels at one place the
    first counts.
    """
    bonds: dict[tuple[int, int], bool] = {}
    for index, doubled in enumerate(is_double.tolist()):
        a, b = sorted((int(at[2 * index]), int(at[2 * index + 1])))
        if a != b:
            bonds[a, b] = bonds.get((a, b), False) or doubled
    middles, label_at = np.zeros((n, 2)), np.full(n, -1, np.int64)
    for place in range(n):
        own = points[at[: len(points)] == place]
        own_labels = np.flatnonzero(at[len(points) :] == place)
        if own_labels.size:
            label_at[place] = own_labels[0]
            box = labels[own_labels[0]]
            own = np.array([[(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]])
        middles[place] = own.mean(axis=0)
    return bonds, middles, label_at


def _holes(ends: Points, labels: Points, bond: float, shape: Sequence[int]) -> tuple[float, ...]:
    """Areas that bonds and labels enclose, of at least half a squared bond length, largest first."""
    scale = min(1.0, 16 / bond)
    pad = 4
    canvas = np.zeros(
        (math.ceil(shape[0] * scale) + 2 * pad, math.ceil(shape[1] * scale) + 2 * pad), np.uint8
    )
    for x0, y0, x1, y1 in (ends * scale + pad).round().astype(int).tolist():
        cv2.line(canvas, (x0, y0), (x1, y1), 1, max(2, round(0.12 * bond * scale)))
    spare = 0.22 * bond * scale
    for x0, y0, x1, y1 in (labels * scale + pad).tolist():
        corners = (round(x0 - spare), round(y0 - spare)), (round(x1 + spare), round(y1 + spare))
        cv2.rectangle(canvas, corners[0], corners[1], 1, -1)
    n, _, stats, _ = cv2.connectedComponentsWithStats(1 - canvas, connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA] / (bond * scale) ** 2
    outside = int(cv2.connectedComponents(1 - canvas, connectivity=4)[1][0, 0])
    kept = [float(areas[i]) for i in range(1, n) if i != outside and areas[i] >= 0.5]
    return tuple(sorted(kept, reverse=True))
