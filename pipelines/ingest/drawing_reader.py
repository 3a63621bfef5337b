"""Read what a page of a PDF draws, through MuPDF: see :mod:`docai.pipelines.ingest.drawing`."""

from __future__ import annotations

from typing import Final

from pymupdf import mupdf

from docai.geometry import BBox
from docai.pipelines.ingest.drawing import Drawing
from docai.pipelines.ingest.drawing_assembly import assemble_drawing
from docai.pipelines.ingest.drawing_device import Recorder
from docai.pipelines.ingest.drawing_packing import pack_by_arrays
from docai.pipelines.ingest.page import Page, quiet_mupdf
from docai.pipelines.ingest.pdf import MUPDF_ERRORS, PdfPage

MAX_PATHS: Final = 20_000
"""Painted paths of a region above which it is no drawing that anybody here reads."""

MAX_GLYPHS: Final = 50_000
"""Glyphs of a region, likewise."""

MAX_POINTS: Final = 600_000
"""Operations of the paths of a region, likewise: one path can draw a whole map."""


pack_by_arrays()


def read_drawing(page: Page, bbox: BBox | None = None) -> Drawing:
    """What the page draws in a box, for :meth:`~docai.pipelines.ingest.page.Page.inside`.

    It is what a picture of the page shows: cut to the page and to the clips of the file, without optional
    content that is off, without invisible text, with annotations. What a later opaque image or filled
    rectangle wholly hides is left out. The page keeps the drawing for the next box.

    Args:
        page: of a PDF; that of an image file draws nothing.
        bbox: points of the displayed page; None is the whole page.

    Returns:
        Where there is more than the limits allow, what is painted first, and ``is_complete`` is False.
    """
    box = page.bbox if bbox is None else bbox
    if not isinstance(page, PdfPage):
        return Drawing(box)
    whole = page.kept_drawing
    if whole is None:
        whole = page.kept_drawing = _read(page, page.bbox, is_part=False)
    if whole.is_complete or bbox is None:
        return whole.within(box)
    return _read(page, box, is_part=True).within(box)


def _read(page: PdfPage, box: BBox, *, is_part: bool) -> Drawing:
    with quiet_mupdf():
        cookie = mupdf.FzCookie()
        shown = (max(box[0], 0.0), max(box[1], 0.0), min(box[2], page.width), min(box[3], page.height))
        recorder = Recorder(shown, MAX_PATHS, MAX_GLYPHS, MAX_POINTS, cookie)
        is_readable = True
        try:
            if is_part:
                # MuPDF leaves out by itself what lies elsewhere, and with it areas that are lines.
                area = mupdf.FzRect(*shown)
                mupdf.fz_run_display_list(page.display_list().this, recorder, mupdf.FzMatrix(), area, cookie)
            else:
                mupdf.fz_run_page(page.pdf.this, recorder, mupdf.FzMatrix(), cookie)
            mupdf.fz_close_device(recorder)
        except MUPDF_ERRORS:
            # What was painted before the damage is what a picture of the page shows, too.
            is_readable = False
        return assemble_drawing(recorder, box, is_complete=is_readable and not recorder.is_full)
