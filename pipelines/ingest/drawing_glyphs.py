"""The outlines and names of glyphs, of all fonts that MuPDF knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np
from pymupdf import mupdf

from docai.pipelines.ingest.drawing import GlyphShape, PaintedPath, Subpath
from docai.pipelines.ingest.drawing_device import Recorder
from docai.pipelines.ingest.drawing_flatten import flatten_paths
from docai.pipelines.ingest.drawing_mupdf import MUPDF_CALL_ERRORS, PathWalker

EM_UNIT: Final = 0.05
"""Ems that stand for a point of the page in tolerances: at 20 points an em they are the same."""

GLYPH_LIMITS: Final = (200, 200, 20_000)
"""Paths, glyphs and operations of a glyph that is a drawing itself."""

GLYPH_BOX: Final = (-1e4, -1e4, 1e4, 1e4)
"""Around all that such a glyph may draw."""

_IDENTITY: Final = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)

_SUBSET: Final = re.compile(r"^[A-Z]{6}\+")


ReadPaths = Callable[[Recorder], Iterable[PaintedPath]]
"""The paths that a recorder has seen."""


def read_shapes(glyphs: Sequence[tuple[Any, int]], read_paths: ReadPaths) -> list[GlyphShape]:
    """The shape of each glyph, without outline where there is none.

    Args:
        glyphs: fonts of MuPDF, and numbers.
        read_paths: for the glyphs of Type 3 fonts, which are small drawings.
    """
    walker = PathWalker()
    spans = []
    for font, gid in glyphs:
        begin = len(walker.codes)
        path = _outline(font, gid)
        if path is not None and path.m_internal:
            walker.walk(path.m_internal, fills=True)
        spans.append((begin, len(walker.codes)))
    flat = flatten_paths(walker.codes, walker.coordinates, spans, [_IDENTITY] * len(spans), unit=EM_UNIT)
    shapes = []
    for (font, gid), parts in zip(glyphs, flat.subpaths(len(spans)), strict=True):
        outline = tuple(part for part in parts if len(part.points) > 2)
        if not outline and _is_type3(font):
            outline = _drawn_outline(font, gid, read_paths)
        shapes.append(GlyphShape(_SUBSET.sub("", mupdf.fz_font_name(font)), gid, _name(font, gid), outline))
    return shapes


def _name(font: Any, gid: int) -> str:
    if _is_type3(font):
        return ""
    try:
        name = str(mupdf.fz_get_glyph_name2(font, gid))
    except MUPDF_CALL_ERRORS:
        return ""
    # MuPDF writes the number where the font has no names.
    return "" if name == str(gid) else name


def _outline(font: Any, gid: int) -> Any:
    try:
        return mupdf.fz_outline_glyph(font, gid, mupdf.FzMatrix())
    except MUPDF_CALL_ERRORS:
        return None


def _is_type3(font: Any) -> bool:
    return bool(mupdf.ll_fz_font_t3_procs(font.m_internal))


def _drawn_outline(font: Any, gid: int, read_paths: ReadPaths) -> tuple[Subpath, ...]:
    """The outline of a glyph of a Type 3 font: its areas, and its strokes as areas."""
    recorder = Recorder(GLYPH_BOX, *GLYPH_LIMITS, None)
    try:
        mupdf.fz_run_t3_glyph(font, gid, mupdf.FzMatrix(), recorder)
        mupdf.fz_close_device(recorder)
    except MUPDF_CALL_ERRORS:
        return ()
    found: list[Subpath] = []
    for path in read_paths(recorder):
        if path.fill is not None:
            found += path.subpaths
        elif path.stroke is not None:
            for part in path.subpaths:
                found += _stroke_areas(part, path.width)
    return tuple(found)


def _stroke_areas(part: Subpath, width: float) -> list[Subpath]:
    """A rectangle for each piece of a stroke."""
    found = []
    for start, end in zip(part.points[:-1], part.points[1:], strict=True):
        length = float(np.hypot(*(end - start)))
        if length > 0 and width > 0:
            along = (end - start) / length
            side = np.array([-along[1], along[0]]) * width / 2
            points = np.array([start + side, end + side, end - side, start - side, start + side])
            found.append(Subpath(points, np.zeros(4, bool), is_closed=True))
    return found
