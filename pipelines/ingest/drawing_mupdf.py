"""Paths, dashes and shadings of MuPDF as plain numbers."""

from __future__ import annotations

import math
from typing import Any, Final

import pymupdf
from pymupdf import mupdf

from docai.geometry import BBox
from docai.pipelines.ingest.drawing import Color
from docai.pipelines.ingest.drawing_flatten import CLOSE, CURVE, LINE, MOVE

MUPDF_CALL_ERRORS: Final = (mupdf.FzErrorBase, RuntimeError, ValueError)
"""What calls of MuPDF were seen to raise."""


class PathWalker(mupdf.FzPathWalker2):  # type: ignore[misc]
    """Appends the operations of paths to flat lists. Every subpath begins with a move."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("moveto", "lineto", "curveto", "closepath"):
            getattr(self, f"use_virtual_{name}")()
        self.codes: list[int] = []
        self.coordinates: list[float] = []
        self._is_open = False
        self._fills = False
        self._start = (0.0, 0.0)

    def walk(self, path: Any, *, fills: bool) -> None:
        """``fills`` closes each subpath."""
        self._is_open, self._fills, self._start = False, fills, (0.0, 0.0)
        mupdf.ll_fz_walk_path(path, self.m_internal, self.m_internal)
        if self._is_open and fills:
            self.codes.append(CLOSE)

    def moveto(self, _ctx: Any, x: float, y: float) -> None:
        if self._is_open and self._fills:
            self.codes.append(CLOSE)
        self.codes.append(MOVE)
        self.coordinates += (x, y)
        self._start = (x, y)
        self._is_open = True

    def lineto(self, _ctx: Any, x: float, y: float) -> None:
        if not self._is_open:
            self.moveto(_ctx, *self._start)
        self.codes.append(LINE)
        self.coordinates += (x, y)

    def curveto(self, _ctx: Any, *points: float) -> None:
        if not self._is_open:
            self.moveto(_ctx, *self._start)
        self.codes.append(CURVE)
        self.coordinates += points

    def closepath(self, _ctx: Any) -> None:
        if self._is_open:
            self.codes.append(CLOSE)
            self._is_open = False


def mean_color(shade: Any, ctm: Any, box: BBox) -> Color:
    """The mean color that a shading paints in a box; gray where that cannot be said."""
    n = 8
    width, height = box[2] - box[0], box[3] - box[1]
    if not (0 < width < math.inf and 0 < height < math.inf):
        return (0.5, 0.5, 0.5)
    try:
        rgb = mupdf.FzColorspace(mupdf.FzColorspace.Fixed_RGB)
        pixmap = mupdf.FzPixmap(rgb, mupdf.FzIrect(0, 0, n, n), mupdf.FzSeparations(), 1)
        pixmap.fz_clear_pixmap()
        to_pixels = mupdf.FzMatrix(n / width, 0, 0, n / height, -box[0] * n / width, -box[1] * n / height)
        device = mupdf.FzDevice(mupdf.FzMatrix(), pixmap)
        kept = mupdf.FzShade(mupdf.ll_fz_keep_shade(shade))
        device.fz_fill_shade(
            kept, mupdf.fz_concat(mupdf.FzMatrix(ctm), to_pixels), 1.0, mupdf.FzColorParams()
        )
        device.fz_close_device()
        samples = pymupdf.Pixmap("raw", pixmap).samples
    except MUPDF_CALL_ERRORS:
        return (0.5, 0.5, 0.5)
    total = sum(samples[3::4])
    if not total:
        return (0.5, 0.5, 0.5)
    # Colors of a pixmap with alpha are multiplied by it.
    red, green, blue = (color_share(sum(samples[index::4]) / total) for index in range(3))
    return (red, green, blue)


def dashes_of(stroke: Any) -> tuple[float, ...]:
    if not stroke.dash_len:
        return ()
    lengths = stroke.dash_list
    dashes = tuple(abs(mupdf.floats_getitem(lengths, index)) for index in range(min(stroke.dash_len, 32)))
    return dashes if sum(dashes) > 0 else ()


def color_share(value: float) -> float:
    """A part of a color, 0…1."""
    return min(max(float(value), 0.0), 1.0) if value == value else 0.0


def kept_matrix(m: Any) -> Any:
    """A matrix of its own: that of a callback is gone after it."""
    return mupdf.ll_fz_make_matrix(m.a, m.b, m.c, m.d, m.e, m.f)
