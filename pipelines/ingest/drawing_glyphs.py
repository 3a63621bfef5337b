"""The outlines and names of glyphs, of all fonts that MuPDF knows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from pymupdf import mupdf

from docai.pipelines.ingest.drawing import GlyphShape, Subpath
from docai.pipelines.ingest.drawing_device import Recorder
from docai.pipelines.ingest.drawing_flatten import flatten_paths
from docai.pipelines.ingest.drawing_mupdf import MUPDF_CALL_ERRORS, PathWalker

EM_UNIT: Final = 0.05
"""Ems that stand for a point of the page in tolerances: at 20 points an em they are the same."""

GLYPH_LIMITS: Final = (200, 200, 20_000)
"""Paths, glyphs and operations of a glyph that is a drawing itself."""

_IDENTITY: Final = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)

_SUBSET: Final = re.compile(r"^[A-Z]{6}\+")


def read_shapes(glyphs: Sequence[tuple[Any, int]]) -> list[GlyphShape]:
    """The shape of each glyph, a font of MuPDF and a number; without outline where there is none."""
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
            outline = _drawn_outline(font, gid)
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


def _drawn_outline(font: Any, gid: int) -> tuple[Subpath, ...]:
    """The outline of a glyph of a Type 3 font, which is a small drawing: its areas, and strokes as areas."""
    from docai.pipelines.ingest.drawing_assembly import assemble_drawing

    box = (-1e4, -1e4, 1e4, 1e4)
    recorder = Recorder(box, *GLYPH_LIMITS, None)
    try:
        mupdf.fz_run_t3_glyph(font, gid, mupdf.FzMatrix(), recorder)
        mupdf.fz_close_device(recorder)
    except MUPDF_CALL_ERRORS:
        return ()
    recorder.glyphs.clear()
    drawing = assemble_drawing(recorder, box, is_complete=True)
    found: list[Subpath] = []
    for path in drawing.paths:
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
