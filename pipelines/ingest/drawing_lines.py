"""The straight lines of a drawing, whatever way they are painted: stroked, or filled as thin areas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.ingest.drawing import Drawing, Subpath

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MIN_LINE_ASPECT: Final = 2.0
"""Least length of a filled area over its width for it to be a line."""

MIN_LINE_FILL: Final = 0.8
"""Least share of the upright box along its axis that a line fills; a wedge fills half of it."""

MIN_TURN_DEGREES: Final = 2.0
"""By which the outline of a polygon turns at a corner at least."""


class StraightLines(NamedTuple):
    """Straight lines, in the order of painting; all arrays have one entry, or row, a line."""

    ends: Floats
    """(n, 4), x0, y0, x1, y1 of the axis, points of the page."""
    width: Floats
    path: Ints
    """Index in ``Drawing.paths``."""
    subpath: Ints
    """Index in the subpaths of that path."""
    color: Floats
    """(n, 3), red, green, blue, 0…1."""
    is_filled: Bools
    """Painted as an area."""

    def length(self) -> Floats:
        """Of each line, points."""
        dx: Floats = self.ends[:, 2] - self.ends[:, 0]
        dy: Floats = self.ends[:, 3] - self.ends[:, 1]
        return np.sqrt(dx * dx + dy * dy)

    def select(self, which: Bools | Ints) -> StraightLines:
        """Some of the lines."""
        return StraightLines(
            self.ends[which],
            self.width[which],
            self.path[which],
            self.subpath[which],
            self.color[which],
            self.is_filled[which],
        )


class Polygon(NamedTuple):
    """A filled area with straight sides."""

    path: int
    """Index in ``Drawing.paths``."""
    subpath: int
    corners: Floats
    """(n, 2), without those at which its outline does not turn; the first is not repeated."""


def straight_lines(drawing: Drawing) -> StraightLines:
    """Each straight piece of a stroke, and each thin filled area without bends, as a line with a width.

    A dashed stroke gives its pieces as if it were solid; dots, curves, wedges and holes give none. A path
    that is both stroked and filled gives the pieces of its outline, and is a line itself where it is thin.
    """
    stroked, filled = _stroked_lines(drawing), _filled_lines(drawing)
    lines = StraightLines(
        np.concatenate([stroked.ends, filled.ends]),
        np.concatenate([stroked.width, filled.width]),
        np.concatenate([stroked.path, filled.path]),
        np.concatenate([stroked.subpath, filled.subpath]),
        np.concatenate([stroked.color, filled.color]),
        np.concatenate([stroked.is_filled, filled.is_filled]),
    )
    return lines.select(np.argsort(lines.path, kind="stable"))


def filled_polygons(drawing: Drawing, *, max_corners: int = 12) -> list[Polygon]:
    """The filled areas that have straight sides alone, thin or not; holes of other areas too."""
    found = []
    for index, path in enumerate(drawing.paths):
        if path.fill is None:
            continue
        for number, part in enumerate(path.subpaths):
            if part.is_curve.any():
                continue
            corners = polygon_corners(part.points)
            if 3 <= len(corners) <= max_corners:
                found.append(Polygon(index, number, corners))
    return found


def polygon_corners(points: Floats) -> Floats:
    """The points of a closed outline at which it turns."""
    if len(points) > 1 and (points[0] == points[-1]).all():
        points = points[:-1]
    if len(points) < 3:
        return points
    before = points - np.roll(points, 1, axis=0)
    after = np.roll(points, -1, axis=0) - points
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    along = (before * after).sum(axis=1)
    corners: Floats = points[np.abs(np.degrees(np.arctan2(cross, along))) >= MIN_TURN_DEGREES]
    return corners


def _stroked_lines(drawing: Drawing) -> StraightLines:
    chosen = [
        (index, number, part)
        for index, path in enumerate(drawing.paths)
        if path.stroke is not None
        for number, part in enumerate(path.subpaths)
    ]
    if not chosen:
        return _no_lines()
    points, owner = _joined([part for _, _, part in chosen])
    is_curve = np.concatenate([np.append(part.is_curve, True) for _, _, part in chosen])
    # The last point of each subpath begins no piece.
    begins = np.flatnonzero(~is_curve)
    ends = np.concatenate([points[begins], points[begins + 1]], axis=1)
    begins = begins[(ends[:, :2] != ends[:, 2:]).any(axis=1)]
    ends = np.concatenate([points[begins], points[begins + 1]], axis=1)
    owner = owner[begins]
    path = np.array([index for index, _, _ in chosen])[owner]
    widths = np.array([item.width for item in drawing.paths])
    colors = np.array([item.stroke or (0.0, 0.0, 0.0) for item in drawing.paths], np.float64)
    subpath = np.array([number for _, number, _ in chosen])[owner]
    return StraightLines(ends, widths[path], path, subpath, colors[path], np.zeros(len(ends), bool))


def _filled_lines(drawing: Drawing) -> StraightLines:
    chosen = [
        (index, number, part)
        for index, path in enumerate(drawing.paths)
        if path.fill is not None
        for number, part in enumerate(path.subpaths)
        if len(part.points) > 2
    ]
    if not chosen:
        return _no_lines()
    points, owner = _joined([part for _, _, part in chosen])
    path = np.array([index for index, _, _ in chosen])
    ends, width, is_line = _axes(points, owner, len(chosen))
    is_line &= ~_are_holes(points, owner, path)
    which = np.flatnonzero(is_line)
    colors = np.array([item.fill or (0.0, 0.0, 0.0) for item in drawing.paths], np.float64)
    subpath = np.array([number for _, number, _ in chosen])
    return StraightLines(
        ends[which], width[which], path[which], subpath[which], colors[path[which]], np.ones(len(which), bool)
    )


def _axes(points: Floats, owner: Ints, n: int) -> tuple[Floats, Floats, Bools]:
    """Ends of the axis (n, 4) and width of each area by its moments, and whether it is a line at all."""
    starts = np.searchsorted(owner, np.arange(n))
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    middle = (low + high) / 2
    q = points - middle[owner]
    is_last = np.append(owner[1:] != owner[:-1], True)
    p, r = q[~is_last], q[np.flatnonzero(~is_last) + 1]
    side_owner = owner[~is_last]

    def total(values: Floats) -> Floats:
        return np.bincount(side_owner, values, minlength=n).astype(np.float64)

    # Sums over the sides of a polygon: its area, center and second moments.
    cross = p[:, 0] * r[:, 1] - r[:, 0] * p[:, 1]
    twice = total(cross)
    area = np.abs(twice) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        cx = total((p[:, 0] + r[:, 0]) * cross) / (3 * twice)
        cy = total((p[:, 1] + r[:, 1]) * cross) / (3 * twice)
        xx = total((p[:, 0] ** 2 + p[:, 0] * r[:, 0] + r[:, 0] ** 2) * cross) / (6 * twice) - cx**2
        yy = total((p[:, 1] ** 2 + p[:, 1] * r[:, 1] + r[:, 1] ** 2) * cross) / (6 * twice) - cy**2
        mixed = p[:, 0] * r[:, 1] + 2 * p[:, 0] * p[:, 1] + 2 * r[:, 0] * r[:, 1] + r[:, 0] * p[:, 1]
        xy = total(mixed * cross) / (12 * twice) - cx * cy
        angle = np.arctan2(2 * xy, xx - yy) / 2
    # An area of nothing has no moments: its axis is the diagonal of its box.
    size = high - low
    is_empty = ~(area > 1e-9 * (size**2).sum(axis=1)) | ~np.isfinite(angle + cx + cy)
    first, last = points[starts], _farthest(points, owner, starts)
    angle = np.where(is_empty, np.arctan2(last[:, 1] - first[:, 1], last[:, 0] - first[:, 0]), angle)
    cx, cy = np.where(is_empty, 0.0, cx), np.where(is_empty, 0.0, cy)
    axis = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    along = (q * axis[owner]).sum(axis=1)
    across = q[:, 1] * axis[owner, 0] - q[:, 0] * axis[owner, 1]
    length = np.maximum.reduceat(along, starts) - np.minimum.reduceat(along, starts)
    width = np.maximum.reduceat(across, starts) - np.minimum.reduceat(across, starts)
    is_line = (length > 0) & (length >= MIN_LINE_ASPECT * width)
    is_line &= (area >= MIN_LINE_FILL * length * width) | (is_empty & (width <= 1e-6 * length))
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.where(is_empty, length, area / width)[:, None] * axis / 2
    center = middle + np.stack([cx, cy], axis=1)
    is_line &= np.isfinite(half).all(axis=1)
    return np.concatenate([center - half, center + half], axis=1), width, is_line


def _farthest(points: Floats, owner: Ints, starts: Ints) -> Floats:
    """Of each group, the point farthest from its first."""
    distance = ((points - points[starts][owner]) ** 2).sum(axis=1)
    order = np.lexsort((distance, owner))
    ends = np.append(starts[1:], len(points)) - 1
    farthest: Floats = points[order[ends]]
    return farthest


def _are_holes(points: Floats, owner: Ints, path: Ints) -> Bools:
    """Whether each area lies in another one of its path, in the next larger box."""
    starts = np.searchsorted(owner, np.arange(len(path)))
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    holes = np.zeros(len(path), bool)
    counts = np.bincount(path)
    for index in np.flatnonzero((counts > 1) & (counts <= 64)).tolist():
        which = np.flatnonzero(path == index)
        for one in which.tolist():
            others = which[which != one]
            is_around = (low[others] <= low[one]).all(axis=1) & (high[others] >= high[one]).all(axis=1)
            larger = (high[others] - low[others]).sum(axis=1) > (high[one] - low[one]).sum()
            holes[one] = bool((is_around & larger).any())
    return holes


def _joined(parts: Sequence[Subpath]) -> tuple[Floats, Ints]:
    """All points, and the index of the part of each."""
    sizes = [len(part.points) for part in parts]
    return np.concatenate([part.points for part in parts]), np.repeat(np.arange(len(parts)), sizes)


def _no_lines() -> StraightLines:
    whole = np.zeros(0, np.int64)
    return StraightLines(np.zeros((0, 4)), np.zeros(0), whole, whole, np.zeros((0, 3)), np.zeros(0, bool))
