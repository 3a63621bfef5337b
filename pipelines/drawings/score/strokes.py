"""Straight strokes of a drawing, however they are painted: as lines, thin rectangles or filled slabs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.ingest.drawing import Drawing, PaintedPath, Subpath

MAX_PIECES: Final = 400_000
"""Straight pieces of a drawing above which it is no page of music, and none is looked at."""

MAX_COORDINATE_POINTS: Final = 1e6
"""Coordinates farther out belong to no page."""

MIN_FILL_SHARE: Final = 0.85
"""Share of its box, along its own direction, that a filled outline covers if it is a straight stroke."""

MAX_ROUND_POINTS: Final = 80
"""Points of a flattened outline above which it is no slab with round corners."""

WHITE_LEVEL: Final = 0.99
"""Color components from which a fill is background, 0…1."""

MIN_OPACITY: Final = 0.02
"""Opacity below which nothing shows."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Strokes:
    """Straight strokes, from the left end; one that is exactly upright from its upper end."""

    ends: Floats
    """(n, 4): x and y of both ends of the middle line, points."""
    thickness: Floats
    """(n,), across the direction of the stroke, points."""
    path: NDArray[np.intp]
    """(n,), index in ``Drawing.paths``."""
    is_dashed: NDArray[np.bool_]
    """(n,), whether it is stroked with dashes."""

    def __len__(self) -> int:
        return len(self.ends)

    def take(self, chosen: Any) -> Strokes:
        """Those that an index or a mask of numpy chooses."""
        return Strokes(self.ends[chosen], self.thickness[chosen], self.path[chosen], self.is_dashed[chosen])

    @property
    def is_level(self) -> NDArray[np.bool_]:
        """(n,), whether they run along the lines of a staff."""
        width, height = self.ends[:, 2] - self.ends[:, 0], np.abs(self.ends[:, 3] - self.ends[:, 1])
        return np.asarray((width > self.thickness) & (height <= 0.02 + 0.002 * width), bool)

    @property
    def is_upright(self) -> NDArray[np.bool_]:
        """(n,), whether they run across the lines of a staff."""
        width, height = self.ends[:, 2] - self.ends[:, 0], np.abs(self.ends[:, 3] - self.ends[:, 1])
        return np.asarray((height > self.thickness) & (width <= 0.05 + 0.01 * height), bool)


def find_strokes(drawing: Drawing, without: Collection[int] = ()) -> Strokes:
    """All straight strokes of a drawing; none where it has more than any page of music.

    Args:
        drawing: of a page or a part of it.
        without: indices of paths that are something else, such as outlines of symbols.
    """
    skipped = frozenset(without)
    collector = _Collector()
    filled = {path_place(path) for path in drawing.paths if path.fill is not None and path.stroke is None}
    # The outline of what is filled makes it thicker, and is no stroke of its own.
    outlines: dict[tuple[float, ...], float] = {}
    for path in drawing.paths:
        if path.fill is None and _may_outline(path) and path_place(path) in filled:
            outlines[path_place(path)] = path.width
    for index, path in enumerate(drawing.paths):
        if index in skipped or not _shows(path):
            continue
        if path.fill is not None:
            grown = path.width if path.stroke is not None else outlines.get(path_place(path), 0.0)
            for part in path.subpaths:
                if path.stroke is not None and _is_line(part):
                    collector.add_line(part, index, path.width, bool(path.dashes))
                else:
                    collector.add_fill(part, index, grown)
        elif not (outlines and _may_outline(path) and path_place(path) in outlines):
            for part in path.subpaths:
                collector.add_line(part, index, path.width, bool(path.dashes))
        if collector.n_pieces > MAX_PIECES:
            return _Collector().strokes()
    return collector.strokes()


def _may_outline(path: PaintedPath) -> bool:
    return len(path.subpaths) > 1 or len(path.subpaths[0].points) > 2


def _shows(path: PaintedPath) -> bool:
    if path.opacity < MIN_OPACITY:
        return False
    color = path.stroke if path.fill is None else path.fill
    return color is not None and min(color) < WHITE_LEVEL


def _is_line(part: Subpath) -> bool:
    """One straight line, there and maybe back: filling it shows nothing."""
    return len(part.points) <= 3 and (part.points[0] == part.points[-1]).all() == (len(part.points) == 3)


def path_place(path: PaintedPath) -> tuple[float, ...]:
    """Where it is, to a hundredth of a point: the same for an outline that is filled and then stroked."""
    x0, y0, x1, y1 = path.bbox
    return (round(x0, 2), round(y0, 2), round(x1, 2), round(y1, 2))


class _Collector:
    """Gathers subpaths by shape, to measure all of one shape at once."""

    def __init__(self) -> None:
        self._lines: list[tuple[Floats, float, int, bool]] = []
        self._quads: list[tuple[Floats, float, int]] = []
        self._slabs: list[tuple[Floats, float, int]] = []
        self.n_pieces = 0

    def add_line(self, part: Subpath, path: int, width: float, is_dashed: bool) -> None:
        self.n_pieces += len(part.points)
        if part.is_closed and len(part.points) <= 6 and not part.is_curve.any():
            corners = _corners(part.points)
            if len(corners) == 4 and _is_thin(corners, width):
                self._quads.append((corners, width, path))
                return
        if part.is_curve.all():
            return
        self._lines.append((part.points, width, path, is_dashed))

    def add_fill(self, part: Subpath, path: int, grown: float) -> None:
        points = part.points
        self.n_pieces += len(points)
        if len(points) < 4 or len(points) > MAX_ROUND_POINTS:
            return
        if len(points) <= 8 and not part.is_curve.any():
            corners = _corners(points)
            if len(corners) == 4:
                self._quads.append((corners, grown, path))
                return
        if len(points) > 5:
            self._slabs.append((points, grown, path))

    def strokes(self) -> Strokes:
        ends, thickness, paths, dashed = (
            [np.empty((0, 4))],
            [np.empty(0)],
            [np.empty(0, int)],
            [np.empty(0, bool)],
        )
        for measure in (self._measured_lines, self._measured_quads, self._measured_slabs):
            one = measure()
            ends.append(one[0])
            thickness.append(one[1])
            paths.append(one[2])
            dashed.append(one[3])
        return _ordered(
            np.concatenate(ends),
            np.concatenate(thickness),
            np.concatenate(paths).astype(np.intp),
            np.concatenate(dashed),
        )

    def _measured_lines(self) -> tuple[Floats, Floats, NDArray[Any], NDArray[np.bool_]]:
        pieces = [np.hstack([points[:-1], points[1:]]) for points, *_ in self._lines]
        counts = [len(piece) for piece in pieces]
        ends = np.concatenate(pieces) if pieces else np.empty((0, 4))
        width = np.repeat([line[1] for line in self._lines], counts)
        path = np.repeat([line[2] for line in self._lines], counts)
        dashed = np.repeat([line[3] for line in self._lines], counts).astype(bool)
        return ends, width, path, dashed

    def _measured_quads(self) -> tuple[Floats, Floats, NDArray[Any], NDArray[np.bool_]]:
        corners = np.array([quad[0] for quad in self._quads]).reshape(-1, 4, 2)
        grown = np.array([quad[1] for quad in self._quads], float)
        path = np.array([quad[2] for quad in self._quads], int)
        sides = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
        turned = sides[:, 0] + sides[:, 2] > sides[:, 1] + sides[:, 3]
        # The short sides come first and third.
        corners = np.where(turned[:, None, None], np.roll(corners, -1, axis=1), corners)
        begin, end = corners[:, :2].mean(axis=1), corners[:, 2:].mean(axis=1)
        length = np.linalg.norm(end - begin, axis=1)
        area = _areas(corners)
        with np.errstate(divide="ignore", invalid="ignore"):
            thickness = np.where(length > 0, area / length, 0.0) + grown
        return np.hstack([begin, end]), thickness, path, np.zeros(len(path), bool)

    def _measured_slabs(self) -> tuple[Floats, Floats, NDArray[Any], NDArray[np.bool_]]:
        ends, thickness, paths = [], [], []
        for points, grown, path in self._slabs:
            slab = _slab(points)
            if slab is not None:
                ends.append(slab[0])
                thickness.append(slab[1] + grown)
                paths.append(path)
        return (
            np.array(ends, float).reshape(-1, 4),
            np.array(thickness, float),
            np.array(paths, int),
            np.zeros(len(paths), bool),
        )


def _ordered(ends: Floats, thickness: Floats, path: NDArray[np.intp], dashed: NDArray[np.bool_]) -> Strokes:
    good = np.isfinite(ends).all(axis=1) & np.isfinite(thickness)
    good &= (np.abs(np.where(good[:, None], ends, 0.0)) < MAX_COORDINATE_POINTS).all(axis=1)
    ends, thickness, path, dashed = ends[good], thickness[good], path[good], dashed[good]
    steps = ends[:, 2:] - ends[:, :2]
    is_steep = np.abs(steps[:, 1]) > 4 * np.abs(steps[:, 0])
    backward = np.where(is_steep, steps[:, 1] < 0, steps[:, 0] < 0)
    ends = np.where(backward[:, None], np.roll(ends, 2, axis=1), ends)
    is_point = (steps == 0).all(axis=1)
    return Strokes(ends[~is_point], thickness[~is_point], path[~is_point], dashed[~is_point])


def _corners(points: Floats) -> Floats:
    """Corners of a closed outline, without points on the way between two others."""
    corners: list[tuple[float, float]] = []
    for x, y in points[:-1].tolist():
        if not corners or abs(x - corners[-1][0]) + abs(y - corners[-1][1]) > 1e-6:
            corners.append((x, y))
    if len(corners) > 1 and abs(corners[0][0] - corners[-1][0]) + abs(corners[0][1] - corners[-1][1]) <= 1e-6:
        corners.pop()
    if len(corners) <= 4:
        return np.array(corners).reshape(-1, 2)
    kept = []
    for index, (x, y) in enumerate(corners):
        (px, py), (nx, ny) = corners[index - 1], corners[(index + 1) % len(corners)]
        if abs((x - px) * (ny - py) - (y - py) * (nx - px)) > 1e-3 * (abs(nx - px) + abs(ny - py)):
            kept.append((x, y))
    return np.array(kept).reshape(-1, 2)


def _is_thin(corners: Floats, width: float) -> bool:
    """A stroked outline of four corners whose inside the stroke all but covers."""
    sides = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    return bool(min(sides[0] + sides[2], sides[1] + sides[3]) <= 3 * width)


def _areas(corners: Floats) -> Floats:
    x, y = corners[..., 0], corners[..., 1]
    return np.asarray(np.abs((x * np.roll(y, -1, axis=-1) - np.roll(x, -1, axis=-1) * y).sum(axis=-1)) / 2)


def _slab(points: Floats) -> tuple[Floats, float] | None:
    """Ends of the middle line and thickness of an outline that is a slab, maybe with round corners."""
    if not np.isfinite(points).all():
        return None
    moved = points - points[0]
    pieces = np.diff(moved, axis=0)
    lengths = np.hypot(pieces[:, 0], pieces[:, 1])
    longest = int(lengths.argmax())
    if lengths[longest] <= 0:
        return None
    along = pieces[longest] / lengths[longest]
    across = np.array([-along[1], along[0]])
    u, v = moved @ along, moved @ across
    length, thickness = float(np.ptp(u)), float(np.ptp(v))
    area = float(_areas(moved[:-1]))
    if length <= 1.5 * thickness or area < MIN_FILL_SHARE * length * thickness:
        return None
    middle = (v.min() + v.max()) / 2
    begin = points[0] + along * u.min() + across * middle
    end = points[0] + along * u.max() + across * middle
    return np.concatenate([begin, end]), thickness
