"""What the painted paths of a drawing are: lines, tapered shapes, circles and waves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.molecule.points import grown, halfway, unit_vector
from docai.pipelines.ingest.drawing import Color, Point


class Stop(NamedTuple):
    """Where two pieces of a straight line meet."""

    point: Point
    is_color: bool
    """The pieces have different colors."""


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
