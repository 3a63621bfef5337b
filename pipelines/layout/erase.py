"""A page without some of its text: MuPDF writes its content again and asks for each character."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pymupdf
from pymupdf import mupdf

from docai.pipelines.ingest.mending import copy_page

if TYPE_CHECKING:
    from docai.pipelines.ingest import PageWord

_SAME_ANGLE = 1.0
"""Degrees between the directions of two characters of one text, at most."""

_SAME_SIZE = 0.03
"""Difference of their sizes, as a share, at most."""


@contextmanager
def erased(page: pymupdf.Page, words: Sequence[PageWord]) -> Iterator[pymupdf.Page]:
    """A copy of the page without the text set as ``words`` are; the page itself where there are none.

    What has the size and the direction of these goes.

    Args:
        page: of a PDF.
        words: as :meth:`docai.pipelines.ingest.Page.words` gives them.
    """
    if not words:
        yield page
        return
    with pymupdf.open() as copy:
        copy_page(page, copy, links=False)
        settings = {(word.size, (word.angle - page.rotation) % 360) for word in words}
        _filter(copy[0], _Eraser(settings))
        yield copy.reload_page(copy[0])


class _Eraser(mupdf.PdfSanitizeFilterOptions2):  # type: ignore[misc]  # PyMuPDF has no types here
    """Drops characters by their size and direction."""

    def __init__(self, settings: set[tuple[float, float]]) -> None:
        super().__init__()
        self.use_virtual_text_filter()
        self._settings = settings

    def text_filter(self, _context: Any, codes: Any, n: int, text: Any, page: Any, *_: Any) -> int:
        """1 drops the character.

        Args:
            codes: pointer to its Unicode code points, ``n`` of them.
            text: matrix from the font's em square to the content's units.
            page: matrix from there to the page, y up.
        """
        # Baseline (a, b) and height (c, d) of the em square on the page.
        a, b = text.a * page.a + text.b * page.c, text.a * page.b + text.b * page.d
        c, d = text.c * page.a + text.d * page.c, text.c * page.b + text.d * page.d
        angle, size = -math.degrees(math.atan2(b, a)), math.sqrt(abs(a * d - b * c))
        return int(
            any(
                abs((angle - own + 180) % 360 - 180) <= _SAME_ANGLE and abs(size - high) <= _SAME_SIZE * high
                for high, own in self._settings
            )
        )


def _filter(page: pymupdf.Page, eraser: _Eraser) -> None:
    class Factory(mupdf.PdfFilterFactory2):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.use_virtual_filter()

        def filter(self, _context: Any, document: Any, *chain_and_options: Any) -> Any:
            return mupdf.ll_pdf_new_sanitize_filter(document, *chain_and_options, eraser.internal())

    options, factory = mupdf.PdfFilterOptions(), Factory()
    options.recurse = options.instance_forms = 1
    options.add_factory(factory.internal())
    document = mupdf.PdfDocument(page.parent.this)
    mupdf.pdf_filter_page_contents(document, mupdf.pdf_page_from_fz_page(page.this), options)
