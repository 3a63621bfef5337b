"""The sheet that a picture shows: its symbols and strokes as the reader of drawings takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.score.sheet import Sheet, Slab, Upright
from docai.pipelines.drawings.score.types import Staff, Symbol
from docai.pipelines.ingest.drawing import Drawing, PaintedPath, Point, Subpath
from docai.pipelines.tracing.score.slabs import Stroke
from docai.pipelines.tracing.score.straighten import SPACE_PX
from docai.pipelines.tracing.score.symbol_finder import PictureSymbol
from docai.pipelines.tracing.score.uprights import Bar

POINTS_PER_PX: Final = 5.0 / SPACE_PX
"""A staff space of five points: the reader of drawings has limits in points, for music as it is printed."""

BLACK: Final = (0.0, 0.0, 0.0)

ORIGINS: Final = {
    "gClef8vb": 0.556,
    "gClef8va": 0.683,
    "gClef15mb": 0.556,
    "gClef15ma": 0.683,
    "gClef": 0.625,
    "fClef8vb": 0.23,
    "fClef8va": 0.45,
    "fClef": 0.292,
    "accidentalFlat": 0.715,
    "accidentalDoubleFlat": 0.715,
}
"""Begin of a name → the share of its height from the top at which SMuFL has its base line; else the middle.
From the boxes of Bravura's glyphs."""


@dataclass(slots=True, eq=False)
class SheetBuilder:
    """Collects what a picture shows; all lengths given are pixels of the straightened picture."""

    width: int
    height: int
    paths: list[PaintedPath] = field(default_factory=list)
    symbols: list[Symbol] = field(default_factory=list)
    uprights: list[Upright] = field(default_factory=list)
    slabs: list[Slab] = field(default_factory=list)

    def add_symbol(self, found: PictureSymbol) -> None:
        """A symbol of music."""
        x0, y0, _, y1 = box = in_points(found.box)
        share = next((at for name, at in ORIGINS.items() if found.name.startswith(name)), 0.5)
        origin: Point = (x0, y0 + share * (y1 - y0))
        size = 4 * SPACE_PX * POINTS_PER_PX * found.scale
        order = len(self.paths) + len(self.symbols)
        self.symbols.append(Symbol(found.name, box, origin, size, order, found.score))

    def add_upright(self, bar: Bar) -> None:
        """A stem or barline."""
        half = bar.thickness / 2
        path = self._add_outline(_corners(bar.x - half, bar.y0, bar.x + half, bar.y1))
        x, y0, y1 = (value * POINTS_PER_PX for value in (bar.x, bar.y0, bar.y1))
        self.uprights.append(Upright(x, y0, y1, bar.thickness * POINTS_PER_PX, False, (path,)))

    def add_slab(self, stroke: Stroke) -> None:
        """A beam, ledger line or bracket."""
        half = stroke.thickness / 2
        corners = np.array(
            [
                (stroke.x0, stroke.y0 - half),
                (stroke.x1, stroke.y1 - half),
                (stroke.x1, stroke.y1 + half),
                (stroke.x0, stroke.y0 + half),
                (stroke.x0, stroke.y0 - half),
            ]
        )
        path = self._add_outline(corners)
        x0, y0, x1, y1 = in_points((stroke.x0, stroke.y0, stroke.x1, stroke.y1))
        self.slabs.append(Slab(x0, y0, x1, y1, stroke.thickness * POINTS_PER_PX, path))

    def add_bow(self, outline: NDArray[np.float64]) -> None:
        """A slur or tie by the points (n, 2) of its outline, the first one again at the end."""
        self._add_outline(outline, is_curve=True)

    def sheet(self) -> Sheet:
        """All of it."""
        box = in_points((0.0, 0.0, float(self.width), float(self.height)))
        uprights = sorted(self.uprights, key=lambda upright: (upright.x, upright.y0))
        slabs = sorted(self.slabs, key=lambda slab: (slab.x0, slab.y0))
        return Sheet(Drawing(box, tuple(self.paths)), self.symbols, uprights, slabs)

    def _add_outline(self, points: NDArray[np.float64], *, is_curve: bool = False) -> int:
        points = points * POINTS_PER_PX
        part = Subpath(points, np.full(len(points) - 1, is_curve), True)
        (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        order = len(self.paths) + len(self.symbols)
        self.paths.append(
            PaintedPath(
                order=order,
                subpaths=(part,),
                stroke=None,
                fill=BLACK,
                width=0.0,
                dashes=(),
                opacity=1.0,
                bbox=(x0, y0, x1, y1),
            )
        )
        return len(self.paths) - 1


def _corners(x0: float, y0: float, x1: float, y1: float) -> NDArray[np.float64]:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])


def in_points(box: BBox) -> BBox:
    """Pixels of the straightened picture to points of its sheet."""
    x0, y0, x1, y1 = box
    return x0 * POINTS_PER_PX, y0 * POINTS_PER_PX, x1 * POINTS_PER_PX, y1 * POINTS_PER_PX


def in_pixels(box: BBox) -> BBox:
    """And back."""
    x0, y0, x1, y1 = box
    return x0 / POINTS_PER_PX, y0 / POINTS_PER_PX, x1 / POINTS_PER_PX, y1 / POINTS_PER_PX


def staff_in_points(staff: Staff) -> Staff:
    """A staff of the picture as one of its sheet."""
    lines = tuple(y * POINTS_PER_PX for y in staff.lines)
    return Staff(lines, staff.x0 * POINTS_PER_PX, staff.x1 * POINTS_PER_PX)


def solid_mask(shape: tuple[int, ...], boxes: Sequence[BBox], inset: float = 1.0) -> NDArray[np.bool_]:
    """(h, w): what lies in boxes that are made smaller by ``inset`` pixels on each side."""
    mask = np.zeros(shape, bool)
    for x0, y0, x1, y1 in boxes:
        left, right = round(x0 + inset), round(x1 - inset) + 1
        top, bottom = round(y0 + inset), round(y1 - inset) + 1
        mask[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    return mask


Line = tuple[float, float, float, float, float]
"""x and y of both ends, and thickness."""


def upright_line(bar: Bar) -> Line:
    """Where an upright stroke is."""
    return bar.x, bar.y0, bar.x, bar.y1, bar.thickness


def slab_line(stroke: Stroke) -> Line:
    """Where a stroke along the staff is."""
    return stroke.x0, stroke.y0, stroke.x1, stroke.y1, stroke.thickness


def painted(shape: tuple[int, ...], lines: Sequence[Line]) -> NDArray[np.bool_]:
    """(h, w): what straight strokes cover, and a pixel around."""
    mask = np.zeros(shape, np.uint8)
    for x0, y0, x1, y1, thickness in lines:
        across = (thickness / 2 + 1.5, 0.0) if x0 == x1 else (0.0, thickness / 2 + 1.5)
        corners = [
            (x0 - across[0], y0 - across[1]),
            (x1 - across[0], y1 - across[1]),
            (x1 + across[0], y1 + across[1]),
            (x0 + across[0], y0 + across[1]),
        ]
        cv2.fillPoly(mask, [np.round(np.array(corners)).astype(np.int32)], 1)
    return mask.astype(bool)
