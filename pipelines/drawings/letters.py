"""Letters of a drawing, whether they are glyphs of a font or outlines painted as paths."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, degrees, isfinite
from typing import Final

import numpy as np

from docai.geometry import BBox
from docai.pipelines.drawings.letter_glyphs import glyph_text, is_music_glyph
from docai.pipelines.ingest.drawing import Drawing, PlacedGlyph

_TYPICAL_CORNERS: Final = ((0.05, 0.0), (0.55, 0.7))
"""Lower left and upper right of a capital, ems from its origin."""


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """One character as drawn; lengths in points of the page."""

    text: str
    """What it most likely is; empty where nothing fits."""
    bbox: BBox
    """Around its ink."""
    size: float
    """Points an em; of an outline without a font estimated from its height."""
    baseline: float
    """y of its base line; of an outline without a font estimated."""
    order: int
    """Of painting, see :class:`~docai.pipelines.ingest.drawing.PaintedPath`."""
    score: float = 1.0
    """How sure ``text`` is, 0…1."""
    others: tuple[str, ...] = ()
    """What else it may be, likeliest first, such as ``O`` and ``0`` for ``o``."""
    angle: float = 0.0
    """Degrees clockwise by which its base line is turned."""
    paths: tuple[int, ...] = ()
    """Indices in ``Drawing.paths`` of the outlines that it is made of; empty for a glyph of a font."""
    glyph: int | None = None
    """Index in ``Drawing.glyphs``; None for outlines."""


def read_letters(drawing: Drawing) -> list[Letter]:
    """The letters of a drawing: glyphs of fonts, and filled or stroked outlines that look like letters.

    Music glyphs, spaces and letters outside the drawing's box are left out.
    """
    return [
        letter
        for index, glyph in enumerate(drawing.glyphs)
        if (letter := _letter_of_glyph(glyph, index)) is not None
    ]


def _letter_of_glyph(glyph: PlacedGlyph, index: int) -> Letter | None:
    if is_music_glyph(glyph.shape, glyph.text):
        return None
    text = glyph_text(glyph.shape, glyph.text)
    if text.isspace() or (not text and not glyph.shape.subpaths):
        return None
    bbox = glyph.bbox if glyph.shape.subpaths else _box_without_outline(glyph)
    if not all(map(isfinite, (*bbox, *glyph.origin, glyph.size))):
        return None
    a, b, _, _ = glyph.matrix
    return Letter(
        text=text,
        bbox=bbox,
        size=glyph.size,
        baseline=glyph.origin[1],
        order=glyph.order,
        score=1.0 if text else 0.0,
        angle=degrees(atan2(b, a)),
        glyph=index,
    )


def _box_without_outline(glyph: PlacedGlyph) -> BBox:
    """About where the ink of a glyph is whose font draws it by other means, as those of Type 3 do."""
    x, y = np.array(_TYPICAL_CORNERS) @ np.reshape(glyph.matrix, (2, 2)) + glyph.origin
    return (float(min(x[0], y[0])), float(min(x[1], y[1])), float(max(x[0], y[0])), float(max(x[1], y[1])))
