"""Strokes of a structure drawing: straight pieces, hashed bonds, parallels, circles, what is in a ring."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.readback.base import Gray
from docai.pipelines.readback.ink import paths

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Strokes:
    """Straight pieces (n, 4) as x0 y0 x1 y1, and the component of the ink that each is in."""

    ends: Points
    component: NDArray[np.int64]

    @property
    def lengths(self) -> Points:
        return np.asarray(np.hypot(self.ends[:, 2] - self.ends[:, 0], self.ends[:, 3] - self.ends[:, 1]))


def straight_strokes(lines: Gray, labels: NDArray[np.int32], tolerance: float) -> Strokes:
    """Lines one pixel wide as straight pieces that lie within ``tolerance`` pixels of them."""
    ends, component = [], []
    for path in paths(lines):
        for piece in _open(path):
            corners = cv2.approxPolyDP(piece.reshape(-1, 1, 2), tolerance, False).reshape(-1, 2)
            for a, b in pairwise(corners):
                ends.append((float(a[0]), float(a[1]), float(b[0]), float(b[1])))
                component.append(int(labels[a[1], a[0]]))
    return Strokes(np.array(ends, np.float64).reshape(-1, 4), np.array(component, np.int64))


def _open(path: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    """A path, or a loop in two at the place farthest from its start: of one, OpenCV drops the last piece."""
    if bool((path[0] != path[-1]).any()):
        return [path]
    far = int(np.square(path - path[0]).sum(axis=1).argmax())
    return [path[: far + 1], path[far:]]


def typical_length(lengths: Points) -> float:
    """The length about which most strokes lie, within a fifth either way, by the squares of their lengths."""
    ordered = np.sort(lengths)
    sums = np.concatenate([[0.0], np.cumsum(np.square(ordered))])
    low = np.searchsorted(ordered, ordered / 1.2)
    high = np.searchsorted(ordered, ordered * 1.2, side="right")
    best = int(np.argmax(sums[high] - sums[low]))
    return float(np.median(ordered[low[best] : high[best]]))


def circles(strokes: Strokes, stats: NDArray[np.int32], bond: float) -> NDArray[np.bool_]:
    """Components that are round: the corners of their strokes lie evenly far from their middle."""
    found = np.zeros(len(stats), bool)
    for index in range(1, len(stats)):
        x, y, w, h = (float(v) for v in stats[index, :4])
        if not (0.85 * bond < w < 1.8 * bond and 0.8 < w / max(h, 1.0) < 1.25):
            continue
        own = strokes.ends[strokes.component == index]
        if len(own) < 6:
            continue
        radius = np.hypot(own[:, 0] - (x + w / 2), own[:, 1] - (y + h / 2))
        found[index] = bool(radius.std() < 0.08 * radius.mean())
    return found


def inside_rings(ink: Gray, labels: NDArray[np.int32], n: int, bond: float) -> NDArray[np.bool_]:
    """Components that a ring of bonds closes in: inner lines of double bonds, which may meet as a V."""
    found = np.zeros(n, bool)
    contours, tree = cv2.findContours(ink, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    holes = [
        contour
        for contour, (_, _, _, parent) in zip(
            contours, tree[0].tolist() if tree is not None else (), strict=True
        )
        if parent >= 0 and 0.5 * bond**2 < cv2.contourArea(contour) < 5.5 * bond**2
    ]
    inside = np.zeros_like(ink)
    for hole in holes:
        rim = int(labels[hole[0][0][1], hole[0][0][0]])
        cv2.drawContours(inside, [hole], -1, 1, cv2.FILLED)
        own = np.unique(labels[inside > 0])
        found[own[own != rim]] = True
        inside[:] = 0
    found[0] = False
    return found


def joined(near: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of the group of each of n things, of which ``near`` (n, n) says which two belong together."""
    group = np.arange(len(near))
    while len(near):
        lowest = np.where(near | np.eye(len(near), dtype=bool), group[None, :], len(near)).min(axis=1)
        lowest = lowest[lowest]
        if np.array_equal(lowest, group):
            break
        group = lowest
    return np.asarray(group, np.int64)


def hashed_bonds(boxes: Points, is_dash: NDArray[np.bool_], bond: float) -> tuple[Points, NDArray[np.bool_]]:
    """Rows of four and more dashes, about a bond long, as one stroke each; and which components they were."""
    dashes = np.flatnonzero(is_dash)
    used = np.zeros(len(boxes), bool)
    found = []
    if 4 <= len(dashes) <= 400:
        middles = boxes[dashes, :2] + boxes[dashes, 2:] / 2
        apart = np.hypot(middles[:, None, 0] - middles[None, :, 0], middles[:, None, 1] - middles[None, :, 1])
        groups = joined(apart < 0.22 * bond)
        for group in np.unique(groups):
            own = middles[groups == group]
            if len(own) < 4:
                continue
            first = own.mean(axis=0)
            axis = np.linalg.svd(own - first, full_matrices=False)[2][0]
            along = (own - first) @ axis
            across = np.abs((own - first) @ np.array([-axis[1], axis[0]]))
            if 0.4 * bond < np.ptp(along) < 1.5 * bond and float(across.max()) < 0.1 * bond:
                found.append((*(first + along.min() * axis), *(first + along.max() * axis)))
                used[dashes[groups == group]] = True
    return np.array(found, np.float64).reshape(-1, 4), used


def split_long(ends: Points, bond: float) -> Points:
    """Strokes as long as several bonds cut into these: at a triple bond three and four atoms are in line."""
    pieces = []
    for stroke in ends:
        length = float(np.hypot(*(stroke[2:] - stroke[:2]))) / bond
        n = round(length) if length > 1.6 else 1
        steps = np.linspace(stroke[:2], stroke[2:], n + 1)
        pieces += [np.concatenate(pair) for pair in pairwise(steps)]
    return np.array(pieces, np.float64).reshape(-1, 4)


def without_parallels(ends: Points, bond: float) -> tuple[Points, NDArray[np.bool_], Points]:
    """Strokes of double and triple bonds made one; which of these had another beside them.

    And the ends of those others (k, 4: x, y, and the end of the kept stroke that it lies beside): two lines
    of one width apart meet the next bond at two places, which are one.
    """
    vectors = ends[:, 2:] - ends[:, :2]
    lengths = np.maximum(np.hypot(vectors[:, 0], vectors[:, 1]), 1e-9)
    units = vectors / lengths[:, None]
    order = np.argsort(-lengths, kind="stable")
    kept: list[int] = []
    doubled: set[int] = set()
    beside: list[tuple[float, float, float, float]] = []
    for index in order.tolist():
        middle = (ends[index, :2] + ends[index, 2:]) / 2
        for other in kept:
            if abs(float(units[index] @ units[other])) < 0.985:
                continue
            from_start = middle - ends[other, :2]
            along = float(from_start @ units[other])
            across = abs(float(from_start[0] * units[other][1] - from_start[1] * units[other][0]))
            if across < 0.38 * bond and 0.1 * lengths[other] < along < 0.9 * lengths[other]:
                doubled.add(other)
                for end in (ends[index, :2], ends[index, 2:]):
                    corners = ends[other].reshape(2, 2)
                    near = corners[int(np.hypot(*(corners - end).T).argmin())]
                    if float(np.hypot(*(near - end))) < 0.45 * bond:
                        beside.append((*end.tolist(), *near.tolist()))
                break
        else:
            kept.append(index)
    is_double = np.array([index in doubled for index in sorted(kept)], bool)
    return ends[sorted(kept)], is_double, np.array(beside, np.float64).reshape(-1, 4)
