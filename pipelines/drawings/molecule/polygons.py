"""Filled shapes as bars and tapers: the ends of their middle line, and their width at each."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.ingest.drawing import Point

_SLICES: Final = (0.06, 0.2, 0.35, 0.5, 0.65, 0.8, 0.94)
"""Shares of a polygon's length where its width is measured."""

_MIN_EXTENT: Final = 1e-3
"""Points of the page that a polygon is long, at least."""

_CUT_SLICES: Final = 2
"""Slices at the wide end of a polygon that may be cut off at a slant."""


class PolygonShape(NamedTuple):
    """A long polygon; lengths in points."""

    begin: Point
    end: Point
    begin_width: float
    end_width: float
    is_even: bool
    """Its width changes linearly from end to end, and it has no branches."""


def measure_polygon(points: NDArray[np.float64]) -> PolygonShape | None:
    """Ends of the middle line of a long polygon, its width at each, and whether it is even between them.

    None where it has no area. Even is a polygon whose width changes linearly and which has no branches; its
    wide end may be cut at a slant or notched.
    """
    if float(np.ptp(points, axis=0).max()) < _MIN_EXTENT:
        return None
    points = polygon_corners(points)
    if 3 < len(points) < 8:
        points = _without_notch(points)
    if len(points) in (3, 4):
        return _measure_corners(points)
    return _measure_slices(points) if len(points) > 4 else None


def _without_notch(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The convex hull of a polygon that fills most of it, as of a wedge cut to fit other bonds."""
    found = cv2.convexHull((points - points[0]).astype(np.float32))
    if found is None or len(found) < 3:
        return points
    hull = found[:, 0].astype(np.float64) + points[0]
    return polygon_corners(hull) if abs(_area(points)) > 0.8 * abs(_area(hull)) else points


def _area(points: NDArray[np.float64]) -> float:
    (x, y), (x1, y1) = (points - points[0]).T, (np.roll(points, -1, axis=0) - points[0]).T
    return float((x * y1 - x1 * y).sum() / 2)


def polygon_corners(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A closed polygon without repeated points and points within straight sides."""
    extent = float(np.ptp(points, axis=0).max())
    for _ in range(2):
        back, onward = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
        bend = np.abs(back[:, 0] * onward[:, 1] - back[:, 1] * onward[:, 0])
        apart = np.hypot(*onward.T)
        keep = (bend > 2e-3 * extent * np.minimum(np.hypot(*back.T), apart)) & (apart > 1e-4 * extent)
        if keep.all() or keep.sum() < 3:
            break
        points = points[keep]
    return points


def _measure_corners(points: NDArray[np.float64]) -> PolygonShape | None:
    """:func:`measure_polygon` of a triangle or a quadrangle: its ends are its short sides."""
    n = len(points)
    sides = np.roll(points, -1, axis=0) - points
    lengths = np.hypot(*sides.T)
    turns = sides[:, 0] * np.roll(sides, -1, axis=0)[:, 1] - sides[:, 1] * np.roll(sides, -1, axis=0)[:, 0]
    if abs(turns.sum()) < 1e-4 * float(lengths.max()) ** 2:
        return None
    is_convex = bool((turns > 0).all() or (turns < 0).all())
    if n == 3:
        short = int(lengths.argmin())
        is_long = bool(lengths[short] < 0.8 * np.delete(lengths, short).min())
        if not is_long:
            # The head of an arrow: its base is the side beside which the other two are alike.
            unlike = [abs(float(lengths[k - 1] - lengths[k - 2])) for k in range(3)]
            short = unlike.index(min(unlike))
            is_long = unlike[short] < 0.15 * float(lengths.max())
        begin, end = points[(short + 2) % 3], (points[short] + points[(short + 1) % 3]) / 2
        across = (np.zeros(2), sides[short])
    else:
        first = 0 if lengths[0] + lengths[2] <= lengths[1] + lengths[3] else 1
        begin = (points[first] + points[first + 1]) / 2
        end = (points[first + 2] + points[(first + 3) % 4]) / 2
        across = (sides[first], sides[first + 2])
        is_long = True
    axis = end - begin
    length = float(np.hypot(*axis))
    if length <= 0:
        return None
    first_width, second_width = (
        abs(float(side[1] * axis[0] - side[0] * axis[1])) / length for side in across
    )
    return PolygonShape(
        (float(begin[0]), float(begin[1])),
        (float(end[0]), float(end[1])),
        first_width,
        second_width,
        is_convex and is_long,
    )


def _measure_slices(points: NDArray[np.float64]) -> PolygonShape | None:
    """:func:`measure_polygon` of any polygon, by its width at several places along its main axis."""
    x, y = points[:, 0] - points[0, 0], points[:, 1] - points[0, 1]
    x1, y1 = np.roll(x, -1), np.roll(y, -1)
    cross = x * y1 - x1 * y
    area = cross.sum() / 2
    extent = max(float(np.ptp(x)), float(np.ptp(y)))
    if extent < _MIN_EXTENT or not abs(area) > 1e-4 * extent * extent:
        return None
    cx, cy = ((x + x1) * cross).sum() / (6 * area), ((y + y1) * cross).sum() / (6 * area)
    xx = ((x * x + x * x1 + x1 * x1) * cross).sum() / (12 * area) - cx * cx
    yy = ((y * y + y * y1 + y1 * y1) * cross).sum() / (12 * area) - cy * cy
    xy = ((x * y1 + 2 * x * y + 2 * x1 * y1 + x1 * y) * cross).sum() / (24 * area) - cx * cy
    angle = 0.5 * math.atan2(2 * xy, xx - yy)
    c, s = math.cos(angle), math.sin(angle)
    u, v = (x - cx) * c + (y - cy) * s, (y - cy) * c - (x - cx) * s
    u0, u1 = float(u.min()), float(u.max())
    if u1 - u0 <= 0:
        return None
    at = np.array([u0 + share * (u1 - u0) for share in _SLICES])
    spans = [_slice(u, v, place) for place in at]
    if any(span is None for span in spans):
        return None
    low, high, counts = np.array(spans, float).T
    widths, middles = high - low, (low + high) / 2
    scale = max(float(widths.max()), 1e-9)
    chosen = np.arange(len(at))
    while True:
        growth, base = np.polyfit(at[chosen], widths[chosen], 1)
        slope, middle = np.polyfit(at[chosen], middles[chosen], 1)
        off = widths - (base + growth * at)
        swing = np.abs(middles - (middle + slope * at))[chosen].max()
        is_even = np.abs(off[chosen]).max() < 0.12 * scale and swing < 0.12 * scale
        if is_even or len(chosen) <= len(at) - _CUT_SLICES:
            break
        chosen = chosen[:-1] if growth > 0 else chosen[1:]
    # What is cut off at the wide end can only be narrower than the rest says.
    is_even = bool(is_even and counts.max() <= 2 and off.max() < 0.2 * scale)
    origin = points[0] + (cx, cy)

    def place(along: float) -> Point:
        across = middle + slope * along
        return float(origin[0] + along * c - across * s), float(origin[1] + along * s + across * c)

    begin_width, end_width = (max(float(base + growth * along), 0.0) for along in (u0, u1))
    return PolygonShape(place(u0), place(u1), begin_width, end_width, is_even)


def _slice(u: NDArray[np.float64], v: NDArray[np.float64], at: float) -> tuple[float, float, int] | None:
    """Lowest and highest v of a polygon's edges at one u, and how many edges cross there."""
    u1, v1 = np.roll(u, -1), np.roll(v, -1)
    crosses = (u > at) != (u1 > at)
    if not crosses.any():
        return None
    share = (at - u[crosses]) / (u1[crosses] - u[crosses])
    found = v[crosses] + share * (v1[crosses] - v[crosses])
    return float(found.min()), float(found.max()), int(crosses.sum())
