"""Points of a plane: directions, and which are near each other."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.ingest.drawing import Point

_FEW_POINTS: Final = 300
"""Points of which all distances are computed at once."""


def unit_vector(a: Point, b: Point) -> Point:
    """Direction from a to b, of length 1; (1, 0) where they are one point."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = math.hypot(dx, dy)
    return (dx / length, dy / length) if length > 0 else (1.0, 0.0)


def halfway(a: Point, b: Point) -> Point:
    """The point between two points."""
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


def near_pairs(points: NDArray[np.float64], radius: float, most: int = 400_000) -> NDArray[np.intp]:
    """Pairs (i, j), i < j, of points at most a radius apart, (n, 2); no more than ``most`` of them."""
    if len(points) < 2 or radius <= 0:
        return np.empty((0, 2), np.intp)
    if len(points) <= _FEW_POINTS:
        apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
        i, j = np.nonzero(apart <= radius)
        return np.stack([i, j], axis=1)[i < j]
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, (x, y) in enumerate(np.floor(points / radius).astype(np.int64).tolist()):
        cells[x, y].append(index)
    found: list[NDArray[np.intp]] = []
    total = 0
    for (x, y), members in cells.items():
        here = np.array(members, np.intp)
        around = [
            index for dx, dy in ((1, -1), (1, 0), (1, 1), (0, 1)) for index in cells.get((x + dx, y + dy), ())
        ]
        there = np.array([*members, *around], np.intp)
        apart = np.hypot(*(points[here][:, None] - points[there][None]).transpose(2, 0, 1))
        i, j = np.nonzero(apart <= radius)
        own = j >= len(here)
        keep = own | (i < j)
        pairs = np.stack([here[i[keep]], there[j[keep]]], axis=1)
        found.append(np.sort(pairs, axis=1))
        total += len(pairs)
        if total > most:
            break
    return np.concatenate(found)[:most] if found else np.empty((0, 2), np.intp)


def grown(box: BBox, by: float) -> BBox:
    """A box grown on all sides."""
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def ray(start: Point, direction: Point, box: BBox) -> float | None:
    """How far from the start a ray enters a box, 0 from within; None where it passes by."""
    low, high = 0.0, math.inf
    for at, step, b0, b1 in (
        (start[0], direction[0], box[0], box[2]),
        (start[1], direction[1], box[1], box[3]),
    ):
        if abs(step) < 1e-9:
            if not b0 <= at <= b1:
                return None
            continue
        t0, t1 = sorted(((b0 - at) / step, (b1 - at) / step))
        low, high = max(low, t0), min(high, t1)
    return low if low <= high else None


def components(n: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Connected groups of 0…n - 1, each sorted."""
    parent = list(range(n))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for a, b in pairs:
        parent[root(a)] = root(b)
    groups = defaultdict(list)
    for item in range(n):
        groups[root(item)].append(item)
    return list(groups.values())
