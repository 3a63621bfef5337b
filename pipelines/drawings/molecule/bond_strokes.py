"""The painted paths of a drawing as lines, tapered shapes, circles and waves, whatever they are painted with.

A line may be a stroke, a thin filled polygon, or a thin polygon with both; a taper is a filled polygon that
is wider at one end. Letters and what has the color of the paper are left out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.molecule.points import grown, halfway, near_pairs, unit_vector
from docai.pipelines.ingest.drawing import Color, Drawing, PaintedPath, Point, Subpath

MAX_PIECES: Final = 6_000
"""Straight pieces above which a drawing is no molecule that anybody reads."""

_PAPER_DISTANCE: Final = 0.06
"""Largest difference of a color channel from the paper, 0…1, of what cannot be seen on it."""

_LINE_ASPECT: Final = 0.9
"""Width over length up to which a filled polygon is a line: of a bond between labels little may be seen."""

_TAPER_ASPECT: Final = 1.6
"""Width over length up to which a filled polygon is a taper: the head of an arrow may be wider than long."""

_TAPER_RATIO: Final = 0.62
"""Width at the narrow end over width at the wide end below which a polygon is a taper."""

_SLICES: Final = (0.06, 0.2, 0.35, 0.5, 0.65, 0.8, 0.94)
"""Shares of a polygon's length where its width is measured."""


class Stop(NamedTuple):
    """Where two pieces of a straight line meet."""

    point: Point
    is_color: bool
    """The pieces have different colors."""


_CUT_SLICES: Final = 2
"""Slices at the wide end of a polygon that may be cut off at a slant."""


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
    stops: tuple[Stop, ...] = ()
    """Between its pieces, in order from p."""
    length: float = field(init=False)

    def __post_init__(self) -> None:
        self.length = math.dist(self.p, self.q)

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
    """A circle, stroked or filled, in one path or as arcs; lengths in points."""

    center: Point
    radius: float
    paths: tuple[int, ...]
    is_filled: bool


@dataclass(slots=True, eq=False)
class Wave:
    """A line that swings about its axis: a wavy bond."""

    p: Point
    q: Point
    paths: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Arc:
    """A curve that is drawn by itself: of a ring's circle, or of a wave."""

    points: NDArray[np.float64]
    path: int


@dataclass(slots=True, eq=False)
class Strokes:
    """What the paths of a drawing are."""

    lines: list[Line] = field(default_factory=list)
    tapers: list[Taper] = field(default_factory=list)
    circles: list[Circle] = field(default_factory=list)
    waves: list[Wave] = field(default_factory=list)
    arcs: list[Arc] = field(default_factory=list)
    """Curves that are part of no circle or wave."""
    others: list[tuple[int, BBox]] = field(default_factory=list)
    """Paths that are none of these: index and box."""
    backgrounds: set[int] = field(default_factory=set)
    """Indices of paths of broad lines below finer ones."""
    clipped: set[int] = field(default_factory=set)
    """Indices of paths that are partly hidden."""
    is_complete: bool = True
    """False where there are more than ``MAX_PIECES``, which are left out."""

    def elements(self) -> Iterator[tuple[Point, float, BBox, tuple[int, ...]]]:
        """Middle, length, box and paths of everything but filled circles."""
        for line in self.lines:
            yield line.middle, line.length, _around(line.p, line.q), line.paths
        for taper in self.tapers:
            middle = halfway(taper.narrow, taper.wide)
            yield middle, taper.length, _around(taper.narrow, taper.wide), taper.paths
        for wave in self.waves:
            yield halfway(wave.p, wave.q), math.dist(wave.p, wave.q), _around(wave.p, wave.q), wave.paths
        for circle in self.circles:
            if not circle.is_filled:
                (x, y), r = circle.center, circle.radius
                yield circle.center, 2 * math.pi * r, (x - r, y - r, x + r, y + r), circle.paths
        for arc in self.arcs:
            low, high = arc.points.min(axis=0), arc.points.max(axis=0)
            box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
            span = float(np.hypot(*np.diff(arc.points, axis=0).T).sum())
            yield halfway(box[:2], box[2:]), span, box, (arc.path,)
        for index, box in self.others:
            yield halfway(box[:2], box[2:]), (box[2] - box[0]) + (box[3] - box[1]), box, (index,)

    def within(self, box: BBox, margin: float) -> Strokes:
        """What has its middle in a box grown by a margin."""
        x0, y0, x1, y1 = grown(box, margin)

        def is_in(at: Point) -> bool:
            return x0 <= at[0] <= x1 and y0 <= at[1] <= y1

        return Strokes(
            lines=[line for line in self.lines if is_in(line.middle)],
            tapers=[taper for taper in self.tapers if is_in(halfway(taper.narrow, taper.wide))],
            circles=[circle for circle in self.circles if is_in(circle.center)],
            waves=[wave for wave in self.waves if is_in(halfway(wave.p, wave.q))],
            arcs=[arc for arc in self.arcs if is_in((float(arc.points[0, 0]), float(arc.points[0, 1])))],
            others=[(index, place) for index, place in self.others if is_in(halfway(place[:2], place[2:]))],
            backgrounds=self.backgrounds,
            clipped=self.clipped,
        )


def _around(a: Point, b: Point) -> BBox:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])


def line_ends(lines: Sequence[Line]) -> NDArray[np.float64]:
    """Ends of lines, (2n, 2): p of line k at 2k, q at 2k + 1."""
    return np.array([end for line in lines for end in (line.p, line.q)], float).reshape(-1, 2)


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
        if path.is_clipped:
            strokes.clipped.add(index)
        _add_path(strokes, path, index, papers)
    _join_arcs(strokes)
    return strokes


def visible_paths(drawing: Drawing) -> set[int]:
    """Indices of paths that do not have the color of the paper."""
    papers = _paper_colors(drawing)
    return {index for index, path in enumerate(drawing.paths) if _is_visible(path, papers)}


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
    if is_filled and _has_hole(path.subpaths):
        strokes.others.append((index, path.bbox))
        return
    known = True
    for part in path.subpaths:
        if len(part.points) < 2 or not np.isfinite(part.points).all():
            continue
        if is_filled and len(part.points) > 2:
            known &= _add_polygon(strokes, path, part, index)
        elif not _is_paper(path.stroke, papers):
            known &= _add_stroke(strokes, path, part, index)
    if not known:
        strokes.others.append((index, path.bbox))


# Filled shapes.


def _has_hole(parts: Sequence[Subpath]) -> bool:
    """Whether one of a few outlines lies within another, as in the letter O."""
    if not 1 < len(parts) <= 8:
        return False
    boxes = [(*part.points.min(axis=0), *part.points.max(axis=0)) for part in parts]
    return any(
        a is not b and a[0] < b[0] and a[1] < b[1] and a[2] > b[2] and a[3] > b[3]
        for a in boxes
        for b in boxes
    )


def _add_polygon(strokes: Strokes, path: PaintedPath, part: Subpath, index: int) -> bool:
    color = path.fill if path.fill is not None else path.stroke
    assert color is not None
    extra = path.width if path.stroke is not None else 0.0
    points = part.points[:-1] if part.is_closed else part.points
    circle = _as_circle(points, part.is_curve)
    if circle is not None:
        strokes.circles.append(Circle(*circle, (index,), is_filled=True))
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
    if (wide + narrow) / 2 <= _LINE_ASPECT * (length + extra):
        strokes.lines.append(Line(begin, end, (wide + narrow) / 2, color, (index,), path.order))
        return True
    return False


def measure_polygon(points: NDArray[np.float64]) -> tuple[Point, Point, float, float, bool] | None:
    """Ends of the middle line of a long polygon, its width at each, and whether it is even between them.

    None where it has no area. Even is a polygon whose width changes linearly and which has no branches; its
    wide end may be cut at a slant or notched.
    """
    points = polygon_corners(points)
    if 3 < len(points) < 8:
        points = _without_notch(points)
    if len(points) in (3, 4):
        return _measure_corners(points)
    return _measure_slices(points) if len(points) > 4 else None


def _without_notch(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The convex hull of a polygon that fills most of it, as of a wedge cut to fit other bonds."""
    hull = cv2.convexHull((points - points[0]).astype(np.float32))[:, 0].astype(np.float64) + points[0]
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


def _measure_corners(points: NDArray[np.float64]) -> tuple[Point, Point, float, float, bool] | None:
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
    widths = [abs(float(side[1] * axis[0] - side[0] * axis[1])) / length for side in across]
    return (
        (float(begin[0]), float(begin[1])),
        (float(end[0]), float(end[1])),
        *widths,
        is_convex and is_long,
    )


def _measure_slices(points: NDArray[np.float64]) -> tuple[Point, Point, float, float, bool] | None:
    """:func:`measure_polygon` of any polygon, by its width at several places along its main axis."""
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

    return place(u0), place(u1), max(base + growth * u0, 0.0), max(base + growth * u1, 0.0), is_even


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
    if len(points) < 8 or (is_curve.mean() < 0.8 and len(points) < 16):
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
        strokes.circles.append(Circle(*circle, (index,), is_filled=False))
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
            strokes.arcs.append(Arc(run, index))
            continue
        if a == b:
            continue
        dash = path.dashes[0] if path.dashes else 0.0
        strokes.lines.append(
            Line(a, b, path.width, color, (index,), path.order, is_dashed=bool(path.dashes), dash=dash)
        )
    return known


def _hollow_taper(points: NDArray[np.float64], path: PaintedPath, color: Color, index: int) -> Taper | None:
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
    if n_turns < 3 or amplitude * (n_turns + 1) > 1.6 * length:
        return None
    lift = float((across.max() + across.min()) / 2)
    shift = np.array([-unit[1], unit[0]]) * lift
    a, b = points[0] + shift, points[-1] + shift
    return (float(a[0]), float(a[1])), (float(b[0]), float(b[1]))


def _join_arcs(strokes: Strokes) -> None:
    """Join arcs that meet at their ends: some programs draw a ring's circle or a wave arc by arc."""
    arcs = strokes.arcs
    if not arcs:
        return
    spans = [float(np.hypot(*np.diff(arc.points, axis=0).T).sum()) for arc in arcs]
    ends = np.array([arc.points[side] for arc in arcs for side in (0, -1)])
    meets = defaultdict(list)
    for i, j in near_pairs(ends, 0.12 * float(np.median(spans))).tolist():
        if i // 2 != j // 2:
            meets[i].append(j)
            meets[j].append(i)
    left, strokes.arcs = set(range(len(arcs))), []
    starts = [end for end in range(len(ends)) if len(meets[end]) != 1] + list(range(len(ends)))
    for start in starts:
        if start // 2 not in left:
            continue
        chain, at = [], start
        while at // 2 in left:
            left.discard(at // 2)
            points = arcs[at // 2].points
            chain.append((at // 2, points if at % 2 == 0 else points[::-1]))
            onward = meets[at ^ 1]
            if len(onward) != 1:
                break
            at = onward[0]
        members = [arcs[index] for index, _ in chain]
        points = np.concatenate([piece for _, piece in chain])
        paths = tuple(dict.fromkeys(arc.path for arc in members))
        loop = _as_loop(points)
        wave = None if loop is not None else _as_wave(points)
        if loop is not None:
            strokes.circles.append(Circle(*loop, paths, is_filled=False))
        elif wave is not None:
            strokes.waves.append(Wave(*wave, paths))
        else:
            strokes.arcs += members


def _as_loop(points: NDArray[np.float64]) -> tuple[Point, float] | None:
    """Center and mean radius of a closed curve that is about a circle."""
    center = (points.min(axis=0) + points.max(axis=0)) / 2
    radii = np.hypot(*(points - center).T)
    radius = float(radii.mean())
    if radius <= 0 or radii.min() < 0.6 * radii.max():
        return None
    turns = np.sort(np.arctan2(*(points - center).T))
    if max(float(np.diff(turns).max()), 2 * math.pi - float(turns[-1] - turns[0])) > 1.2:
        return None
    return (float(center[0]), float(center[1])), radius
