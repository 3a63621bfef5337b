"""Read what a page of a PDF draws, through MuPDF: see :mod:`docai.pipelines.ingest.drawing`."""

from __future__ import annotations

import ctypes
import re
from typing import Any, Final

import numpy as np
import pymupdf
from pymupdf import mupdf

from docai.geometry import BBox
from docai.pipelines.ingest.drawing import (
    Drawing,
    GlyphShape,
    PaintedImage,
    PaintedPath,
    PlacedGlyph,
    Point,
    Subpath,
)
from docai.pipelines.ingest.page import Page, quiet_mupdf

MAX_PATHS: Final = 20_000
"""Painted paths of a region above which it is no drawing that anybody here reads."""

CURVE_PIECES: Final = 8
"""Straight pieces that stand for one Bézier curve."""

_SUBSET: Final = re.compile(r"^[A-Z]{6}\+")


def read_drawing(page: Page, bbox: BBox | None = None) -> Drawing:
    """What the page draws in a box, for :meth:`~docai.pipelines.ingest.page.Page.inside`.

    Args:
        page: of a PDF; that of an image file draws nothing.
        bbox: points of the displayed page; None is the whole page.
    """
    box = page.bbox if bbox is None else bbox
    if page.pdf is None:
        return Drawing(box)
    with quiet_mupdf():
        device = _TextDevice()
        mupdf.fz_run_page(page.pdf.this, device, mupdf.FzMatrix(), mupdf.FzCookie())
        mupdf.fz_close_device(device)
        paths = _painted_paths(page.pdf)
    drawing = Drawing(page.bbox, tuple(paths), tuple(device.glyphs), tuple(device.images))
    return drawing.within(box)


def _painted_paths(page: Any) -> list[PaintedPath]:
    turn = page.rotation_matrix
    found = []
    for path in page.get_cdrawings():
        subpaths = tuple(_subpaths(path["items"], turn, closes=bool(path.get("closePath"))))
        if not subpaths:
            continue
        points = np.concatenate([part.points for part in subpaths])
        if not np.isfinite(points).all():
            continue
        fill, stroke = path.get("fill"), path.get("color")
        found.append(
            PaintedPath(
                order=path["seqno"],
                subpaths=subpaths,
                stroke=stroke if "s" in path["type"] else None,
                fill=fill if "f" in path["type"] else None,
                width=float(path.get("width") or 0.0),
                dashes=_dashes(path.get("dashes", "")),
                opacity=float(path.get("stroke_opacity" if path["type"] == "s" else "fill_opacity") or 0.0),
                bbox=_around(points),
            )
        )
    return found


def _dashes(text: str) -> tuple[float, ...]:
    inside = re.match(r"\[\s*(.*?)\s*\]", text or "")
    return tuple(float(word) for word in inside[1].split()) if inside else ()


def _around(points: np.ndarray[Any, Any]) -> BBox:
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return (float(x0), float(y0), float(x1), float(y1))


def _subpaths(items: Any, turn: Any, *, closes: bool) -> list[Subpath]:
    """Subpaths of a path of ``Page.get_cdrawings``, each from where the last one did not end."""
    parts: list[tuple[list[Point], list[bool]]] = []

    def begin(at: Point) -> tuple[list[Point], list[bool]]:
        if not parts or parts[-1][0][-1] != at:
            parts.append(([at], []))
        return parts[-1]

    for item in items:
        kind = item[0]
        if kind == "l":
            points, curved = begin(item[1])
            points.append(item[2])
            curved.append(False)
        elif kind == "c":
            points, curved = begin(item[1])
            bent = flatten_curve(*item[1:5])
            points += bent
            curved += [True] * len(bent)
        elif kind in ("re", "qu"):
            if kind == "re":
                x0, y0, x1, y1 = item[1]
                corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
            else:
                ul, ur, ll, lr = item[1]
                corners = [ul, ur, lr, ll]
            parts.append(([*corners, corners[0]], [False] * 4))
    made = []
    for points, curved in parts:
        if closes and points[0] != points[-1]:
            points.append(points[0])
            curved.append(False)
        if len(points) < 2:
            continue
        placed = np.array([tuple(pymupdf.Point(point) * turn) for point in points]) if turn else points
        made.append(Subpath(np.array(placed, float), np.array(curved, bool), points[0] == points[-1]))
    return made


def flatten_curve(start: Point, a: Point, b: Point, end: Point) -> list[Point]:
    """Points on a cubic Bézier curve after its start, the last one its end."""
    t = np.linspace(0, 1, CURVE_PIECES + 1)[1:, None]
    control = np.array([start, a, b, end])
    s = 1 - t
    made = s**3 * control[0] + 3 * s * s * t * control[1] + 3 * s * t * t * control[2] + t**3 * control[3]
    return [*map(tuple, made[:-1].tolist()), (float(end[0]), float(end[1]))]


class _TextItem(ctypes.Structure):
    """``fz_text_item`` of MuPDF's ``fitz/text.h``; PyMuPDF gives no access to the array of them."""

    _fields_ = (
        ("x", ctypes.c_float),
        ("y", ctypes.c_float),
        ("adv", ctypes.c_float),
        ("gid", ctypes.c_int),
        ("ucs", ctypes.c_int),
        ("cid", ctypes.c_int),
    )


class _TextDevice(mupdf.FzDevice2):
    """Collects glyphs and images, and counts what is painted."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("fill_text", "stroke_text", "fill_path", "stroke_path", "fill_image", "fill_shade"):
            getattr(self, f"use_virtual_{name}")()
        self.glyphs: list[PlacedGlyph] = []
        self.images: list[PaintedImage] = []
        self._shapes: dict[tuple[int, int], GlyphShape] = {}
        self._fonts: list[Any] = []
        self._order = 0

    def fill_path(self, *_: Any) -> None:
        self._order += 1

    def stroke_path(self, *_: Any) -> None:
        self._order += 1

    def fill_image(self, _ctx: Any, _image: Any, ctm: Any, *_: Any) -> None:
        box = mupdf.fz_transform_rect(mupdf.FzRect(0, 0, 1, 1), mupdf.FzMatrix(ctm))
        self.images.append(PaintedImage(self._order, (box.x0, box.y0, box.x1, box.y1)))
        self._order += 1

    def fill_shade(self, *_: Any) -> None:
        self._order += 1

    def fill_text(self, _ctx: Any, text: Any, ctm: Any, _cs: Any, _color: Any, alpha: float, *_: Any) -> None:
        span = text.head
        while span:
            self._add_span(span, mupdf.FzMatrix(ctm), alpha)
            span = span.next
        self._order += 1

    def stroke_text(self, _ctx: Any, text: Any, _stroke: Any, ctm: Any, *rest: Any) -> None:
        self.fill_text(_ctx, text, ctm, *rest)

    def _add_span(self, span: Any, ctm: Any, alpha: float) -> None:
        font = mupdf.FzFont(mupdf.ll_fz_keep_font(span.font))
        key = int(span.font.this)
        self._fonts.append(font)
        trm = span.trm
        items = (_TextItem * span.len).from_address(int(span.items.this))
        for item in items:
            shape = self._shapes.get((key, item.gid))
            if shape is None:
                shape = self._shapes[key, item.gid] = _glyph_shape(font, item.gid)
            place = mupdf.FzMatrix(trm.a, trm.b, trm.c, trm.d, item.x, item.y)
            m = mupdf.fz_concat(place, ctm)
            matrix, origin = (m.a, m.b, m.c, m.d), (m.e, m.f)
            box = (*origin, *origin)
            if shape.subpaths:
                turn = np.array([[m.a, m.b], [m.c, m.d]])
                box = _around(np.concatenate([part.points for part in shape.subpaths]) @ turn + origin)
            text = chr(item.ucs) if 0 < item.ucs < 0x110000 else ""
            size = float(np.hypot(m.c, m.d))
            self.glyphs.append(
                PlacedGlyph(self._order, text, shape, origin, matrix, size, (0, 0, 0), alpha, box)
            )


def _glyph_shape(font: Any, gid: int) -> GlyphShape:
    walker = _Walker()
    path = mupdf.fz_outline_glyph(font, gid, mupdf.FzMatrix()) if gid >= 0 else None
    if path is not None and path.m_internal:
        mupdf.fz_walk_path(path, walker, walker.m_internal)
    name = mupdf.fz_get_glyph_name2(font, gid) if gid >= 0 else ""
    return GlyphShape(_SUBSET.sub("", mupdf.fz_font_name(font)), gid, name, walker.subpaths())


class _Walker(mupdf.FzPathWalker2):
    def __init__(self) -> None:
        super().__init__()
        for name in ("moveto", "lineto", "curveto", "closepath"):
            getattr(self, f"use_virtual_{name}")()
        self._parts: list[tuple[list[Point], list[bool]]] = []

    def moveto(self, _ctx: Any, x: float, y: float) -> None:
        self._parts.append(([(x, y)], []))

    def lineto(self, _ctx: Any, x: float, y: float) -> None:
        points, curved = self._parts[-1]
        points.append((x, y))
        curved.append(False)

    def curveto(self, _ctx: Any, *values: float) -> None:
        points, curved = self._parts[-1]
        bent = flatten_curve(points[-1], values[0:2], values[2:4], values[4:6])  # type: ignore[arg-type]
        points += bent
        curved += [True] * len(bent)

    def closepath(self, _ctx: Any) -> None:
        points, curved = self._parts[-1]
        if points[0] != points[-1]:
            points.append(points[0])
            curved.append(False)

    def subpaths(self) -> tuple[Subpath, ...]:
        return tuple(
            Subpath(np.array(points), np.array(curved, bool), True)
            for points, curved in self._parts
            if len(points) > 2
        )
