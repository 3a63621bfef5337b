"""The painted paths of a drawing as lines, tapered shapes, circles and waves, whatever they are painted with.

A line may be a stroke, a thin filled polygon, or a thin polygon with both; a taper is a filled polygon that
is wider at one end. Letters and what has the color of the paper are left out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.ingest.drawing import Color, Drawing, PaintedPath, Point, Subpath

MAX_PIECES: Final = 6_000
"""Straight pieces above which a drawing is no molecule that anybody reads."""

_PAPER_DISTANCE: Final = 0.06
"""Largest difference of a color channel from the paper, 0…1, of what cannot be seen on it."""

_LINE_ASPECT: Final = 0.22
"""Width over length up to which a filled polygon is a line."""

_TAPER_ASPECT: Final = 0.75
"""Width over length up to which a filled polygon is a taper."""

_TAPER_RATIO: Final = 0.62
"""Width at the narrow end over width at the wide end below which a polygon is a taper."""

_SLICES: Final = (0.06, 0.2, 0.35, 0.5, 0.65, 0.8, 0.94)
"""Shares of a polygon's length where its width is measured."""


@dataclass(slots=True, eq=False)
class Line:
    """A straight stroke; lengths in points."""

    p: Point
    q: Point
    width: float
    color: Color
    paths: tuple[int, ...]
    order: int
    is_dashed: bool = False
    dash: float = 0.0
    """Length of a dash, of a stroke that is painted in dashes."""

    @property
    def length(self) -> float:
        """Points."""
        return math.dist(self.p, self.q)

    @property
    def middle(self) -> Point:
        """Point half way."""
        return (self.p[0] + self.q[0]) / 2, (self.p[1] + self.q[1]) / 2

    def unit(self) -> Point:
        """Direction from p to q, of length 1; (1, 0) of a line without length."""
        return unit_vector(self.p, self.q)


@dataclass(slots=True, eq=False)
class Taper:
    """A filled shape that widens from one end to the other; lengths in points."""

    narrow: Point
    wide: Point
    narrow_width: float
    wide_width: float
    color: Color
    paths: tuple[int, ...]
    order: int
    is_hollow: bool = False

    @property
    def length(self) -> float:
        """Points."""
        return math.dist(self.narrow, self.wide)


@dataclass(slots=True, eq=False)
class Circle:
    """A circle, stroked or filled; lengths in points."""

    center: Point
    radius: float
    path: int
    is_filled: bool


@dataclass(slots=True, eq=False)
class Wave:
    """A line that swings about its axis: a wavy bond."""

    p: Point
    q: Point
    paths: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Strokes:
    """What the paths of a drawing are."""

    lines: list[Line] = field(default_factory=list)
    tapers: list[Taper] = field(default_factory=list)
    circles: list[Circle] = field(default_factory=list)
    waves: list[Wave] = field(default_factory=list)
    others: list[int] = field(default_factory=list)
    """Indices of paths that are none of these."""
    is_complete: bool = True
    """False where there are more than ``MAX_PIECES``, which are left out."""


def unit_vector(a: Point, b: Point) -> Point:
    """Direction from a to b, of length 1; (1, 0) where they are one point."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = math.hypot(dx, dy)
    return (dx / length, dy / length) if length > 0 else (1.0, 0.0)


def read_strokes(drawing: Drawing, letters: Collection[int]) -> Strokes:
    """What the paths of a drawing are; ``letters`` are the indices of those that make letters."""
    strokes = Strokes()
    papers = _paper_colors(drawing)
    n_pieces = 0
    for index, path in enumerate(drawing.paths):
        if index in letters or not _is_visible(path, papers):
            continue
        n_pieces += sum(len(part.points) - 1 for part in path.subpaths)
        if n_pieces > MAX_PIECES * 10 or len(strokes.lines) > MAX_PIECES:
            strokes.is_complete = False
            break
        _add_path(strokes, path, index, papers)
    _chain_waves(strokes)
    return strokes


def _paper_colors(drawing: Drawing) -> list[Color]:
    """White, and the colors that fill most of the drawing's box before anything else."""
    papers: list[Color] = [(1.0, 1.0, 1.0)]
    for path in drawing.paths:
        if path.fill is None or path.opacity < 0.5 or not _covers(path.bbox, drawing.bbox):
            break
        papers = [path.fill]
    return papers


def _covers(box: BBox, whole: BBox) -> bool:
    width = min(box[2], whole[2]) - max(box[0], whole[0])
    height = min(box[3], whole[3]) - max(box[1], whole[1])
    area = (whole[2] - whole[0]) * (whole[3] - whole[1])
    return width > 0 and height > 0 and width * height > 0.8 * area


def _is_paper(color: Color | None, papers: Sequence[Color]) -> bool:
    return color is None or any(
        max(abs(a - b) for a, b in zip(color, paper, strict=True)) <= _PAPER_DISTANCE for paper in papers
    )


def _is_visible(path: PaintedPath, papers: Sequence[Color]) -> bool:
    return path.opacity > 0.05 and not (_is_paper(path.stroke, papers) and _is_paper(path.fill, papers))


def _add_path(strokes: Strokes, path: PaintedPath, index: int, papers: Sequence[Color]) -> None:
    is_filled = not _is_paper(path.fill, papers)
    known = True
    for part in path.subpaths:
        if len(part.points) < 2 or not np.isfinite(part.points).all():
            continue
        if is_filled and len(part.points) > 2:
            known &= _add_polygon(strokes, path, part, index)
        elif not _is_paper(path.stroke, papers):
            known &= _add_stroke(strokes, path, part, index)
    if not known:
        strokes.others.append(index)


# Filled shapes.


def _add_polygon(strokes: Strokes, path: PaintedPath, part: Subpath, index: int) -> bool:
    color = path.fill if path.fill is not None else path.stroke
    assert color is not None
    extra = path.width if path.stroke is not None else 0.0
    points = part.points[:-1] if part.is_closed else part.points
    circle = _as_circle(points, part.is_curve)
    if circle is not None:
        strokes.circles.append(Circle(circle[0], circle[1], index, is_filled=True))
        return True
    shape = measure_polygon(points)
    if shape is None:
        # Without an area: a line that is filled as well as stroked.
        return _add_stroke(strokes, path, part, index) if path.stroke is not None else False
    begin, end, begin_width, end_width, is_even = shape
    length = math.dist(begin, end)
    begin_width, end_width = begin_width + extra, end_width + extra
    if not is_even or length <= 0:
        return False
    wide, narrow = max(begin_width, end_width), min(begin_width, end_width)
    if narrow < _TAPER_RATIO * wide and wide <= _TAPER_ASPECT * (length + extra):
        if begin_width > end_width:
            begin, end = end, begin
        strokes.tapers.append(Taper(begin, end, narrow, wide, color, (index,), path.order))
        return True
    if (wide + narrow) / 2 <= _LINE_ASPECT * (length + extra) * 2.5:
        strokes.lines.append(Line(begin, end, (wide + narrow) / 2, color, (index,), path.order))
        return True
    return False


def measure_polygon(points: NDArray[np.float64]) -> tuple[Point, Point, float, float, bool] | None:
    """Ends of the middle line of a long polygon, its width at each, and whether it is even between them.

    None where it has no area. Even is a polygon whose width changes linearly and which has no branches.
    """
    x, y = points[:, 0] - points[0, 0], points[:, 1] - points[0, 1]
    x1, y1 = np.roll(x, -1), np.roll(y, -1)
    cross = x * y1 - x1 * y
    area = cross.sum() / 2
    extent = max(float(np.ptp(x)), float(np.ptp(y)))
    if extent <= 0 or abs(area) < 1e-4 * extent * extent:
        return None
    cx, cy = ((x + x1) * cross).sum() / (6 * area), ((y + y1) * cross).sum() / (6 * area)
    xx = ((x * x + x * x1 + x1 * x1) * cross).sum() / (12 * area) - cx * cx
    yy = ((y * y + y * y1 + y1 * y1) * cross).sum() / (12 * area) - cy * cy
    xy = ((x * y1 + 2 * x * y + 2 * x1 * y1 + x1 * y) * cross).sum() / (24 * area) - cx * cy
    angle = 0.5 * math.atan2(2 * xy, xx - yy)
    for _ in range(3):
        c, s = math.cos(angle), math.sin(angle)
        u, v = (x - cx) * c + (y - cy) * s, (y - cy) * c - (x - cx) * s
        u0, u1 = float(u.min()), float(u.max())
        if u1 - u0 <= 0:
            return None
        at = [u0 + share * (u1 - u0) for share in _SLICES]
        spans = [_slice(u, v, place) for place in at]
        if any(span is None for span in spans):
            return None
        low, high = np.array(spans, float).T[:2]
        slope, middle = np.polyfit(at, (low + high) / 2, 1)
        if abs(slope) < 1e-3:
            break
        angle += math.atan(slope)
    widths = high - low
    growth, base = np.polyfit(at, widths, 1)
    begin_width, end_width = max(base + growth * u0, 0.0), max(base + growth * u1, 0.0)
    bent = np.abs(widths - (base + growth * np.array(at))).max()
    swing = np.abs((low + high) / 2 - (middle + slope * np.array(at))).max()
    counts = [span[2] for span in spans if span is not None]
    scale = max(float(widths.max()), 1e-9)
    is_even = bent < 0.3 * scale and swing < 0.3 * scale and max(counts) <= 2
    origin = points[0] + (cx, cy)

    def place(along: float, across: float) -> Point:
        return (
            float(origin[0] + along * c - across * s),
            float(origin[1] + along * s + across * c),
        )

    return place(u0, middle), place(u1, middle), float(begin_width), float(end_width), bool(is_even)


def _slice(u: NDArray[np.float64], v: NDArray[np.float64], at: float) -> tuple[float, float, int] | None:
    """Lowest and highest v of a polygon's edges at one u, and how many edges cross there."""
    u1, v1 = np.roll(u, -1), np.roll(v, -1)
    crosses = (u > at) != (u1 > at)
    if not crosses.any():
        return None
    share = (at - u[crosses]) / (u1[crosses] - u[crosses])
    found = v[crosses] + share * (v1[crosses] - v[crosses])
    return float(found.min()), float(found.max()), int(crosses.sum())


def _as_circle(points: NDArray[np.float64], is_curve: NDArray[np.bool_]) -> tuple[Point, float] | None:
    """Center and radius where points lie around a circle, at least eight of them and most on curves."""
    if len(points) < 8 or is_curve.mean() < 0.8 and len(points) < 16:
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    center = (low + high) / 2
    radii = np.hypot(*(points - center).T)
    radius = float(radii.mean())
    if radius <= 0 or float(np.ptp(radii)) > 0.06 * radius:
        return None
    turns = np.sort(np.arctan2(*(points - center).T))
    if max(float(np.diff(turns).max()), 2 * math.pi - float(turns[-1] - turns[0])) > 1.0:
        return None
    return (float(center[0]), float(center[1])), radius


# Strokes.


def _add_stroke(strokes: Strokes, path: PaintedPath, part: Subpath, index: int) -> bool:
    color = path.stroke if path.stroke is not None else path.fill
    assert color is not None
    points = part.points
    circle = _as_circle(points[:-1], part.is_curve) if part.is_closed else None
    if circle is not None:
        strokes.circles.append(Circle(circle[0], circle[1], index, is_filled=False))
        return True
    if part.is_closed and len(points) == 4 and not part.is_curve.any():
        taper = _hollow_taper(points, path, color, index)
        if taper is not None:
            strokes.tapers.append(taper)
            return True
    wave = _as_wave(points)
    if wave is not None:
        strokes.waves.append(Wave(*wave, (index,)))
        return True
    known = True
    for run, curved in _runs(points, part.is_curve):
        a, b = (float(run[0][0]), float(run[0][1])), (float(run[-1][0]), float(run[-1][1]))
        if curved and not _is_straight(run):
            strokes.waves.append(Wave(a, b, (index,)))
            continue
        if a == b:
            continue
        dash = path.dashes[0] if path.dashes else 0.0
        strokes.lines.append(
            Line(a, b, path.width, color, (index,), path.order, is_dashed=bool(path.dashes), dash=dash)
        )
    return known


def _hollow_taper(
    points: NDArray[np.float64], path: PaintedPath, color: Color, index: int
) -> Taper | None:
    """A narrow triangle that is only outlined."""
    corners = [(float(x), float(y)) for x, y in points[:3]]
    sides = [math.dist(corners[i], corners[(i + 1) % 3]) for i in range(3)]
    short = sides.index(min(sides))
    if sides[short] > 0.5 * max(sides) or max(sides) > 1.15 * sorted(sides)[1]:
        return None
    a, b, apex = corners[short], corners[(short + 1) % 3], corners[(short + 2) % 3]
    wide = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    return Taper(apex, wide, 0.0, sides[short], color, (index,), path.order, is_hollow=True)


def _runs(
    points: NDArray[np.float64], is_curve: NDArray[np.bool_]
) -> Iterable[tuple[NDArray[np.float64], bool]]:
    """Straight pieces one by one, and curved pieces that follow each other as one."""
    start = 0
    for n in range(len(is_curve)):
        if not is_curve[n]:
            if start < n:
                yield points[start : n + 1], True
            yield points[n : n + 2], False
            start = n + 1
    if start < len(is_curve):
        yield points[start:], True


def _is_straight(points: NDArray[np.float64]) -> bool:
    chord = points[-1] - points[0]
    length = float(np.hypot(*chord))
    if length <= 0:
        return False
    off = np.abs((points - points[0]) @ np.array([-chord[1], chord[0]])) / length
    return bool(off.max() < 0.015 * length)


def _as_wave(points: NDArray[np.float64]) -> tuple[Point, Point] | None:
    """Ends of the axis of a line that swings to and fro at least three times; None of any other."""
    if len(points) < 5:
        return None
    chord = points[-1] - points[0]
    length = float(np.hypot(*chord))
    if length <= 0:
        return None
    unit = chord / length
    along = (points - points[0]) @ unit
    across = (points - points[0]) @ np.array([-unit[1], unit[0]])
    swing = across - (across.max() + across.min()) / 2
    amplitude = float(np.abs(swing).max())
    if not 0.01 * length < amplitude < 0.3 * length or along.min() < -0.1 * length:
        return None
    sides = np.sign(swing[np.abs(swing) > 0.5 * amplitude])
    n_turns = int((np.diff(sides) != 0).sum())
    if n_turns < 2 or amplitude * (n_turns + 1) > 1.6 * length:
        return None
    lift = float((across.max() + across.min()) / 2)
    shift = np.array([-unit[1], unit[0]]) * lift
    a, b = points[0] + shift, points[-1] + shift
    return (float(a[0]), float(a[1])), (float(b[0]), float(b[1]))


def _chain_waves(strokes: Strokes) -> None:
    """Join waves that begin where another ends: some programs draw each arc by itself."""
    chains: list[list[Wave]] = []
    for wave in strokes.waves:
        last = chains[-1][-1] if chains else None
        if last is not None and math.dist(last.q, wave.p) < 0.05 * max(math.dist(wave.p, wave.q), 1e-6):
            chains[-1].append(wave)
        else:
            chains.append([wave])
    joined = []
    for chain in chains:
        if len(chain) == 1:
            joined.append(chain[0])
            continue
        points = np.array([chain[0].p, *(wave.q for wave in chain)])
        if _as_wave(points) is not None or _is_straight(points):
            paths = tuple(dict.fromkeys(index for wave in chain for index in wave.paths))
            joined.append(Wave(chain[0].p, chain[-1].q, paths))
        else:
            joined += chain
    strokes.waves = joined
