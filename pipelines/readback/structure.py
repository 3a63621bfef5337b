"""The graph of a structure drawing: bonds, atoms and labels, as far as strokes tell them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.readback.base import Gray
from docai.pipelines.readback.ink import drop_specks, paths, stroke_width, thin, to_ink

MOST_INK = 0.35
"""Share of a picture that is ink beyond which it is no line drawing."""
MOST_LINES = 20_000
"""Pixels of thinned lines beyond which they are no drawing's: noise, a photograph, a page of print."""

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Structure:
    """What the strokes of a crop come to; lengths are in bond lengths, counts are of the whole crop."""

    bond: float
    """Length of a typical bond, pixels."""
    n_bonds: int
    """Straight strokes about as long as a bond, parallel ones counted once."""
    n_doubled: int
    """Of these, those with a parallel stroke beside them."""
    n_places: int
    """Atoms: where bonds end or meet, and labels that touch none."""
    degrees: tuple[int, int, int, int]
    """Places by the number of bonds there: one, two, three, four and more."""
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


def observe_structure(gray: Gray) -> Structure:
    """Read the strokes of a crop.

    Raises:
        NotComparable: it is blank.
    """
    ink = to_ink(gray)
    ys, xs = np.nonzero(ink)
    ink = np.ascontiguousarray(ink[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1])
    full = float(ink.mean())
    ink = drop_specks(np.pad(ink, 2), max(4, round(1e-5 * ink.size)))
    lines = thin(ink)
    width = stroke_width(ink, lines)
    depth = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    solid = float((depth > 1.5 * max(width, 2.0)).sum()) / max(1, int(ink.sum()))
    if (full > MOST_INK and len(ink) > 60) or int(lines.sum()) > MOST_LINES:
        return _no_drawing(lines, solid)
    return _read(ink, lines, max(width, 1.0), solid)


def _no_drawing(lines: Gray, solid: float) -> Structure:
    """What is no line drawing at all: nothing in it is a bond, and all of it is odd."""
    return Structure(1.0, 0, 0, 0, (0, 0, 0, 0), 0, 0, 0, 0, (), 0, float(lines.sum()), 1.0, 1.0, 1.0, solid)


@dataclass(frozen=True)
class _Strokes:
    """Straight pieces (n, 4) as x0 y0 x1 y1, and the component of the ink that each is in."""

    ends: Points
    component: NDArray[np.int64]

    @property
    def lengths(self) -> Points:
        return np.asarray(np.hypot(self.ends[:, 2] - self.ends[:, 0], self.ends[:, 3] - self.ends[:, 1]))


def _read(ink: Gray, lines: Gray, width: float, solid: float) -> Structure:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    strokes = _straight(lines, labels, max(2.0, 0.9 * width))
    lengths = strokes.lengths
    long_ones = lengths[lengths > 3 * width]
    if not long_ones.size:
        return _no_drawing(lines, solid)
    bond = _typical(long_ones)
    boxes = stats[:, :4].astype(float)
    largest = np.maximum(boxes[:, 2], boxes[:, 3])
    longest = np.zeros(len(stats))
    np.maximum.at(longest, strokes.component, lengths)
    is_circle = _circles(strokes, stats, bond)
    # A letter is smaller than a bond and its strokes are much shorter; a lone bond is one thin stroke.
    n_strokes = np.bincount(strokes.component, minlength=len(stats))
    thickness = stats[:, cv2.CC_STAT_AREA] / np.maximum(longest, 1.0)
    is_line = (n_strokes <= 2) & (thickness < 1.9 * width) & (longest > 0.3 * bond)
    is_letter = (largest < 0.75 * bond) & (largest > 0.15 * bond) & ~is_line & ~is_circle
    is_letter &= np.minimum(boxes[:, 2], boxes[:, 3]) > 1.2 * width
    is_letter[0] = False
    groups = _label_boxes(boxes[is_letter], bond)
    chosen = ~is_letter[strokes.component] & ~is_circle[strokes.component] & (lengths > 0.35 * bond)
    short = is_line[strokes.component] & ~chosen & (lengths > 2 * width)
    hashed, in_hash = _hashed(strokes.ends, is_line[strokes.component] & (lengths < 0.5 * bond), bond)
    ends = strokes.ends[(chosen | (short & (lengths > 0.2 * bond))) & ~in_hash]
    single, doubled = _without_parallels(np.concatenate([ends, hashed]), bond)
    graph = _graph(single, groups, bond)
    kept = np.hypot(single[:, 2] - single[:, 0], single[:, 3] - single[:, 1]) if len(single) else np.ones(1)
    in_letters = is_letter[strokes.component] | is_circle[strokes.component]
    usual = (lengths > 0.45 * bond) & (lengths < 1.6 * bond)
    odd = float(lengths[~in_letters & ~usual].sum()) / max(1.0, float(lengths.sum()))
    return Structure(
        bond=bond,
        n_bonds=len(single),
        n_doubled=doubled,
        n_places=graph.n_places,
        degrees=graph.degrees,
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
        solid=solid,
    )


def _straight(lines: Gray, labels: NDArray[np.int32], tolerance: float) -> _Strokes:
    ends, component = [], []
    for path in paths(lines):
        corners = cv2.approxPolyDP(path.reshape(-1, 1, 2), tolerance, False).reshape(-1, 2)
        if len(corners) == 2 and bool((corners[0] == corners[1]).all()):
            corners = path[[0, len(path) // 2, -1]]
        for a, b in pairwise(corners):
            ends.append((float(a[0]), float(a[1]), float(b[0]), float(b[1])))
            component.append(int(labels[a[1], a[0]]))
    return _Strokes(np.array(ends, np.float64).reshape(-1, 4), np.array(component, np.int64))


def _typical(lengths: Points) -> float:
    """The length about which most strokes lie, within a fifth either way, by the squares of their lengths."""
    ordered = np.sort(lengths)
    sums = np.concatenate([[0.0], np.cumsum(np.square(ordered))])
    low = np.searchsorted(ordered, ordered / 1.2)
    high = np.searchsorted(ordered, ordered * 1.2, side="right")
    best = int(np.argmax(sums[high] - sums[low]))
    return float(np.median(ordered[low[best] : high[best]]))


def _circles(strokes: _Strokes, stats: NDArray[np.int32], bond: float) -> NDArray[np.bool_]:
    """Components that are round: the corners of their strokes lie evenly far from their middle."""
    found = np.zeros(len(stats), bool)
    for index in range(1, len(stats)):
        x, y, w, h = (float(v) for v in stats[index, :4])
        if not (0.6 * bond < w < 1.8 * bond and 0.8 < w / max(h, 1.0) < 1.25):
            continue
        own = strokes.ends[strokes.component == index]
        if len(own) < 6:
            continue
        radius = np.hypot(own[:, 0] - (x + w / 2), own[:, 1] - (y + h / 2))
        found[index] = bool(radius.std() < 0.08 * radius.mean())
    return found


def _label_boxes(boxes: Points, bond: float) -> Points:
    """Letters (n, 4: x, y, w, h) that stand near each other as labels (m, 4: x0, y0, x1, y1)."""
    if not len(boxes):
        return np.zeros((0, 4))
    ends = np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    reach = 0.5 * np.median(boxes[:, 2:].max(axis=1))
    reach = min(float(reach), 0.25 * bond)
    wide = np.minimum(ends[:, None, 2], ends[None, :, 2]) - np.maximum(ends[:, None, 0], ends[None, :, 0])
    tall = np.minimum(ends[:, None, 3], ends[None, :, 3]) - np.maximum(ends[:, None, 1], ends[None, :, 1])
    groups = _joined((wide > -reach) & (tall > -0.3 * reach))
    merged = [
        (*ends[groups == g, :2].min(axis=0), *ends[groups == g, 2:].max(axis=0)) for g in np.unique(groups)
    ]
    return np.array(merged, np.float64)


def _joined(near: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of the group of each of n things, of which ``near`` (n, n) says which two belong together."""
    group = np.arange(len(near))
    while True:
        lowest = np.where(near | np.eye(len(near), dtype=bool), group[None, :], len(near)).min(axis=1)
        lowest = lowest[lowest]
        if np.array_equal(lowest, group):
            return np.asarray(group, np.int64)
        group = lowest


def _hashed(ends: Points, is_dash: NDArray[np.bool_], bond: float) -> tuple[Points, NDArray[np.bool_]]:
    """Rows of four and more dashes, about a bond long, as one stroke each; and which strokes they were."""
    dashes = np.flatnonzero(is_dash)
    used = np.zeros(len(ends), bool)
    found = []
    if 4 <= len(dashes) <= 400:
        middles = (ends[dashes, :2] + ends[dashes, 2:]) / 2
        apart = np.hypot(middles[:, None, 0] - middles[None, :, 0], middles[:, None, 1] - middles[None, :, 1])
        groups = _joined(apart < 0.22 * bond)
        for group in np.unique(groups):
            own = middles[groups == group]
            if len(own) < 4:
                continue
            first = own.mean(axis=0)
            axis = np.linalg.svd(own - first, full_matrices=False)[2][0]
            along = (own - first) @ axis
            if 0.4 * bond < np.ptp(along) < 1.5 * bond:
                found.append((*(first + along.min() * axis), *(first + along.max() * axis)))
                used[dashes[groups == group]] = True
    return np.array(found, np.float64).reshape(-1, 4), used


def _without_parallels(ends: Points, bond: float) -> tuple[Points, int]:
    """Strokes of double and triple bonds made one; how many had another beside them."""
    vectors = ends[:, 2:] - ends[:, :2]
    lengths = np.maximum(np.hypot(vectors[:, 0], vectors[:, 1]), 1e-9)
    units = vectors / lengths[:, None]
    order = np.argsort(-lengths, kind="stable")
    kept: list[int] = []
    beside: set[int] = set()
    for index in order.tolist():
        middle = (ends[index, :2] + ends[index, 2:]) / 2
        for other in kept:
            if abs(float(units[index] @ units[other])) < 0.985:
                continue
            from_start = middle - ends[other, :2]
            along = float(from_start @ units[other])
            across = abs(float(from_start[0] * units[other][1] - from_start[1] * units[other][0]))
            if across < 0.38 * bond and 0.1 * lengths[other] < along < 0.9 * lengths[other]:
                beside.add(other)
                break
        else:
            kept.append(index)
    return ends[sorted(kept)], len(beside)


@dataclass(frozen=True)
class _Graph:
    n_places: int
    degrees: tuple[int, int, int, int]
    n_free_ends: int
    n_pieces: int


def _graph(ends: Points, labels: Points, bond: float) -> _Graph:
    """Ends of strokes that lie together are one place, and so is a label with the ends that point at it."""
    points = ends.reshape(-1, 2)
    n_labels = len(labels)
    near = np.zeros((len(points) + n_labels,) * 2, bool)
    if len(points):
        apart = np.hypot(points[:, None, 0] - points[None, :, 0], points[:, None, 1] - points[None, :, 1])
        near[: len(points), : len(points)] = apart < 0.28 * bond
    if len(points) and n_labels:
        dx = np.maximum(labels[:, 0] - points[:, None, 0], points[:, None, 0] - labels[:, 2])
        dy = np.maximum(labels[:, 1] - points[:, None, 1], points[:, None, 1] - labels[:, 3])
        touches = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) < 0.35 * bond
        near[: len(points), len(points) :] = touches
        near[len(points) :, : len(points)] = touches.T
    groups = _joined(near)
    places, counts = np.unique(groups, return_counts=True)
    labelled = set(groups[len(points) :].tolist())
    degree = np.bincount(groups[: len(points)], minlength=len(groups))[places] if len(points) else counts * 0
    histogram = (*tuple(int((degree == n).sum()) for n in (1, 2, 3)), int((degree >= 4).sum()))
    free = sum(int(d) == 1 and int(p) not in labelled for p, d in zip(places, degree, strict=True))
    linked = near.copy()
    for index in range(0, len(points), 2):
        linked[index, index + 1] = linked[index + 1, index] = True
    n_pieces = len(np.unique(_joined(linked)))
    return _Graph(len(places), (histogram[0], histogram[1], histogram[2], histogram[3]), free, n_pieces)


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
