"""What a page draws, as data: its painted paths, glyphs and images, in points of the displayed page.

One type serves layout, molecules and scores; it is read by
:func:`docai.pipelines.ingest.drawing_reader.read_drawing`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, touches

Point = tuple[float, float]

Color = tuple[float, float, float]
"""Red, green, blue, 0…1."""

Cap = Literal["butt", "round", "square"]
"""How the ends of strokes look."""

WHITE = 0.98
"""Least red, green and blue of what cannot be told from white paper."""


class Subpath(NamedTuple):
    """Straight pieces one after the other; curves are flattened."""

    points: NDArray[np.float64]
    """(n, 2), x and y; a closed subpath repeats its first point at the end."""
    is_curve: NDArray[np.bool_]
    """(n - 1,), whether the piece after each point is of a curve."""
    is_closed: bool


@dataclass(frozen=True, slots=True, eq=False)
class PaintedPath:
    """One path that the page strokes, fills, or both."""

    order: int
    """When it is painted, counted over paths, glyphs and images together: later ones lie above."""
    subpaths: tuple[Subpath, ...]
    stroke: Color | None
    fill: Color | None
    width: float
    """Of the stroke, points; 0 for the thinnest line there is, and without a stroke."""
    dashes: tuple[float, ...]
    """Lengths of dashes and gaps in points; empty for a solid stroke."""
    opacity: float
    bbox: BBox
    """Around its points, without the width of the stroke, cut to its clip."""
    is_clipped: bool = False
    """Its clip hides some of it, beyond what was cut off."""
    cap: Cap = "butt"
    """With ``round`` and ``square``, a subpath of two equal points is a dot of the width."""
    is_shaded: bool = False
    """It is painted with a gradient or a pattern, of which its color is the mean."""

    @property
    def is_white(self) -> bool:
        """Whether it paints in white alone, as programs do to interrupt what is below."""
        return all(is_white(color) for color in (self.stroke, self.fill) if color is not None)


@dataclass(frozen=True, slots=True, eq=False)
class GlyphShape:
    """One glyph of one font, in ems, y up; shared by all places where it is drawn."""

    font: str
    """Name of the font, without the tag of a subset."""
    gid: int
    name: str
    """Its name in the embedded font, such as ``noteheads.s2``; empty where there is none."""
    subpaths: tuple[Subpath, ...]
    """Empty for a space, and where the font has no outlines."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacedGlyph:
    """A glyph where the page shows it."""

    order: int
    text: str
    """Of the text layer, as it stands there: a character, the several of a ligature, or empty where the font
    does not say."""
    shape: GlyphShape
    origin: Point
    """Of its base line."""
    matrix: tuple[float, float, float, float]
    """a, b, c, d: ems of the shape to points, ``x = a u + c v + origin``."""
    size: float
    """Points an em."""
    color: Color
    opacity: float
    bbox: BBox
    """Around its outline; of a glyph without one, the origin."""

    def outline(self) -> tuple[Subpath, ...]:
        """The outline in points of the page."""
        return place_subpaths(self.shape.subpaths, self.matrix, self.origin)


@dataclass(frozen=True, slots=True, eq=False)
class PaintedImage:
    """An image. What it wholly hides is not in the drawing."""

    order: int
    bbox: BBox
    is_opaque: bool = False
    """It hides all that was painted before it in its box."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """What is painted in a box of a page, in the order of painting."""

    bbox: BBox
    paths: tuple[PaintedPath, ...] = ()
    glyphs: tuple[PlacedGlyph, ...] = ()
    images: tuple[PaintedImage, ...] = ()
    is_complete: bool = True
    """False where there was more than the limits allow, which is left out."""

    def within(self, bbox: BBox) -> Drawing:
        """What of it touches a box; nothing is cut."""
        return replace(
            self,
            bbox=bbox,
            paths=tuple(path for path in self.paths if touches(path.bbox, bbox)),
            glyphs=tuple(glyph for glyph in self.glyphs if touches(glyph.bbox, bbox)),
            images=tuple(image for image in self.images if touches(image.bbox, bbox)),
        )


def is_white(color: Color) -> bool:
    """Whether a color cannot be told from white paper."""
    return min(color) >= WHITE


def place_subpaths(
    subpaths: tuple[Subpath, ...], matrix: tuple[float, float, float, float], origin: Point
) -> tuple[Subpath, ...]:
    """Subpaths under an affine map."""
    a, b, c, d = matrix
    turn = np.array([[a, b], [c, d]])
    return tuple(part._replace(points=part.points @ turn + origin) for part in subpaths)
