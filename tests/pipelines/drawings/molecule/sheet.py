"""Drawings made stroke by stroke, for tests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.reader import read_molecules
from docai.pipelines.drawings.molecule.types import MoleculeReading
from docai.pipelines.ingest.drawing import Color, Drawing, PaintedPath, Point, Subpath

BLACK: Color = (0.0, 0.0, 0.0)
RED: Color = (1.0, 0.0, 0.0)

BOND = 20.0
"""Length of a bond, points."""


def polar(center: Point, angle: float, length: float = BOND) -> Point:
    """A point at an angle in degrees, counterclockwise from the right as one sees it, and a distance."""
    turn = math.radians(angle)
    return center[0] + length * math.cos(turn), center[1] - length * math.sin(turn)


def between(a: Point, b: Point, share: float) -> Point:
    """The point at a share of the way from a to b."""
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def aside(a: Point, b: Point, by: float) -> tuple[Point, Point]:
    """The piece from a to b moved sideways, to its left as one sees it from a."""
    length = math.dist(a, b)
    dx, dy = (b[1] - a[1]) / length * by, -(b[0] - a[0]) / length * by
    return (a[0] + dx, a[1] + dy), (b[0] + dx, b[1] + dy)


class Sheet:
    """A page to draw on."""

    def __init__(self) -> None:
        self.paths: list[PaintedPath] = []
        self.letters: list[Letter] = []

    def path(
        self,
        parts: Sequence[Sequence[Point]],
        *,
        stroke: Color | None = BLACK,
        fill: Color | None = None,
        width: float = 1.0,
        dashes: tuple[float, ...] = (),
        curved: bool = False,
    ) -> None:
        """One path; a part is closed where it ends at its first point."""
        subpaths = tuple(
            Subpath(np.array(part, float), np.full(len(part) - 1, curved), tuple(part[0]) == tuple(part[-1]))
            for part in parts
        )
        points = np.concatenate([part.points for part in subpaths])
        (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        order = len(self.paths)
        self.paths.append(PaintedPath(order, subpaths, stroke, fill, width, dashes, 1.0, (x0, y0, x1, y1)))

    def line(self, *points: Point, width: float = 1.0, color: Color = BLACK) -> None:
        """A stroke through points."""
        self.path([points], stroke=color, width=width)

    def lines(self, pieces: Sequence[tuple[Point, Point]]) -> None:
        """Strokes, each a path."""
        for a, b in pieces:
            self.line(a, b)

    def polygon(self, *points: Point, fill: Color = BLACK) -> None:
        """A filled shape."""
        self.path([[*points, points[0]]], stroke=None, fill=fill, width=0.0)

    def bar(self, a: Point, b: Point, width: float = 1.0) -> None:
        """A line as a thin filled shape."""
        (p, q), (r, s) = aside(a, b, width / 2), aside(a, b, -width / 2)
        self.polygon(p, q, s, r)

    def circle(self, center: Point, radius: float, fill: Color | None = None) -> None:
        """A circle."""
        around = [polar(center, 10.0 * n, radius) for n in range(36)]
        around.append(around[0])
        self.path([around], curved=True, stroke=None if fill else BLACK, fill=fill)

    def text(self, text: str, at: Point, size: float = 9.0) -> None:
        """Letters beside each other, the first one around a point."""
        for n, sign in enumerate(text):
            x, y = at[0] + 0.72 * size * n, at[1]
            box = (x - 0.33 * size, y - 0.36 * size, x + 0.33 * size, y + 0.36 * size)
            self.letters.append(Letter(sign, box, size, box[3], 1000 + len(self.letters)))

    def drawing(self) -> Drawing:
        """What was drawn."""
        return Drawing((-1000.0, -1000.0, 2000.0, 2000.0), tuple(self.paths))

    def readings(self) -> list[MoleculeReading]:
        """The structures read from it."""
        return read_molecules(self.drawing(), list(self.letters))

    def smiles(self) -> list[str | None]:
        """Their SMILES; those that are not sure end with a question mark."""
        return [
            f"{reading.content.smiles}{'' if reading.confidence >= 0.5 else '?'}" if reading.content else None
            for reading in self.readings()
        ]


def ring(center: Point, n: int = 6, first: float = 90.0, bond: float = BOND) -> list[Point]:
    """Corners of a regular ring, counterclockwise from an angle."""
    radius = bond / (2 * math.sin(math.pi / n))
    return [polar(center, first + 360.0 * k / n, radius) for k in range(n)]


def sides(corners: Sequence[Point]) -> list[tuple[Point, Point]]:
    """The sides of a ring."""
    return [*pairwise(corners), (corners[-1], corners[0])]


def zigzag(start: Point, n: int, bond: float = BOND) -> list[Point]:
    """A chain of n points."""
    points = [start]
    for k in range(n - 1):
        points.append(polar(points[-1], 30.0 if k % 2 == 0 else -30.0, bond))
    return points
