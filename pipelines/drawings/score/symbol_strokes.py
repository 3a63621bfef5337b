"""Staff lines, stems and barlines that a font draws: as paths, like those of other programs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from docai.geometry import BBox
from docai.pipelines.drawings.score.symbol_glyphs import says_nothing
from docai.pipelines.drawings.score.symbol_names import is_music_font, symbol_name
from docai.pipelines.drawings.score.symbol_places import SPACES_IN_EM
from docai.pipelines.drawings.score.types import Symbol
from docai.pipelines.ingest.drawing import Drawing, GlyphShape, PaintedPath, PlacedGlyph, Subpath

MAX_BARS: Final = 8
"""Bars of one glyph at most: a staff of tablature has six lines."""

MIN_BAR_FILL: Final = 0.97
"""Share of its box that a bar fills."""


HEAD_WIDTH_SPACES: Final = 1.25
"""Of a black notehead, about."""

STEM_SPACES: Final = 0.12
"""Thickness of a stem, about."""

_NOTE: Final = re.compile(r"(?:metNote|note)(Half|Quarter|\d+(?:th|nd))(Up|Down)")


def unfold_bars(drawing: Drawing) -> Drawing:
    """The drawing with glyphs that are nothing but level or upright bars as paths.

    Old music fonts have pieces of staves, barlines, ledger lines and stems. Letters such as ``|`` and
    ``_`` are left alone, unless the font is known to hold music. The same object where there are none.
    """
    bars: dict[int, bool] = {}
    kept: list[PlacedGlyph] = []
    paths: list[PaintedPath] = []
    for glyph in drawing.glyphs:
        key = id(glyph.shape)
        if key not in bars:
            may_be = says_nothing(glyph.text) or is_music_font(glyph.shape.font)
            bars[key] = may_be and not symbol_name(glyph.shape, glyph.text) and _is_of_bars(glyph.shape)
        if bars[key]:
            paths.append(
                PaintedPath(
                    glyph.order, glyph.outline(), None, glyph.color, 0.0, (), glyph.opacity, glyph.bbox
                )
            )
        else:
            kept.append(glyph)
    if not paths:
        return drawing
    ordered = sorted((*drawing.paths, *paths), key=lambda path: path.order)
    return replace(drawing, paths=tuple(ordered), glyphs=tuple(kept))


def split_notes(drawing: Drawing, symbols: Sequence[Symbol]) -> tuple[Drawing, list[Symbol]]:
    """Glyphs that are notes with stems as heads, flags, and stems, which are paths at the end of the drawing.

    Only those of fonts without codes and names: SMuFL's are those of metronome marks.
    """
    paths: list[PaintedPath] = []
    kept: list[Symbol] = []
    for symbol in symbols:
        match = _NOTE.fullmatch(symbol.name)
        glyph = None if symbol.glyph is None else drawing.glyphs[symbol.glyph]
        if match is None or glyph is None or symbol_name(glyph.shape, glyph.text):
            kept.append(symbol)
            continue
        length, direction = match[1], match[2]
        space = symbol.size / SPACES_IN_EM
        x0, y0, x1, y1 = symbol.bbox
        is_up = direction == "Up"
        has_flag = length not in ("Half", "Quarter")
        right = min(x1, x0 + HEAD_WIDTH_SPACES * space) if has_flag else x1
        head_box = (x0, y1 - space, right, y1) if is_up else (x0, y0, right, y0 + space)
        head = "noteheadHalf" if length == "Half" else "noteheadBlack"
        middle = (head_box[1] + head_box[3]) / 2
        kept.append(replace(symbol, name=head, bbox=head_box, origin=(x0, middle)))
        thickness = STEM_SPACES * space
        stem_x = right - thickness if is_up else x0
        ends = (y0, middle) if is_up else (middle, y1)
        paths.append(_bar((stem_x, ends[0], stem_x + thickness, ends[1]), glyph))
        if has_flag:
            flag_box = (stem_x, y0, x1, middle) if is_up else (stem_x, middle, x1, y1)
            end = (stem_x, y0 if is_up else y1)
            kept.append(replace(symbol, name=f"flag{length}{direction}", bbox=flag_box, origin=end))
    return replace(drawing, paths=(*drawing.paths, *paths)) if paths else drawing, kept


def _bar(box: BBox, glyph: PlacedGlyph) -> PaintedPath:
    x0, y0, x1, y1 = box
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])
    part = Subpath(corners, np.zeros(4, bool), True)
    return PaintedPath(glyph.order, (part,), None, glyph.color, 0.0, (), glyph.opacity, box)


def _is_of_bars(shape: GlyphShape) -> bool:
    if not 1 <= len(shape.subpaths) <= MAX_BARS:
        return False
    for part in shape.subpaths:
        points = part.points
        width, height = np.ptp(points, axis=0).tolist()
        x, y = (points - points[0]).T
        area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
        if width <= 0 or height <= 0 or area < MIN_BAR_FILL * width * height:
            return False
    return True
