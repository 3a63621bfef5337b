"""Where a page comes from: whether it is born digital or a scan, and what its regions are found from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from docai.geometry import PageTransform, area, clip
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.layout.types import Origin

MIN_SCAN_SHARE = 0.8
"""Share of a page that an image must cover for the page to be a scan."""

MIN_INK_OUTSIDE_WORDS = 0.6
"""Share of the ink outside the words of the text layer from which a page is read from its pixels."""


class PageSources(NamedTuple):
    """What the regions of a page may be found from."""

    words: list[PageWord]
    """Those of the text layer that may be used."""
    origin: Origin
    is_read_from_pixels: bool


def sources_of(page: Page, use_text_layer: bool) -> PageSources:
    """For :meth:`~docai.pipelines.ingest.page.Page.inside`."""
    words = page.words() if use_text_layer else []
    origin = _origin(page, words)
    is_from_pdf = origin == "born-digital" or (origin == "mixed" and not _shows_more_than_words(page, words))
    return PageSources(words, origin, not (words and is_from_pdf))


def _origin(page: Page, words: list[PageWord]) -> Origin:
    if page.pdf is None:
        return "scan"
    images = [clip(tuple(info["bbox"]), *page.pdf.rect.br) for info in page.pdf.get_image_info()]
    covered = max((area(box) for box in images), default=0.0) / max(1.0, page.width * page.height)
    if covered >= MIN_SCAN_SHARE or (images and not words and not _has_paths(page)):
        return "mixed" if words and not _has_invisible_text(page) else "scan"
    if words or _has_paths(page):
        return "born-digital"
    # Glyphs without Unicode values and annotations are none of these: its pixels tell whether it is blank.
    # Words that are not to be used make it no scan.
    return "scan" if images or not page.words() else "born-digital"


def _has_paths(page: Page) -> bool:
    """Whether lines or areas are drawn that show."""
    from docai.pipelines.ingest.drawing_reader import read_drawing

    return bool(read_drawing(page).paths)


def _has_invisible_text(page: Page) -> bool:
    """Whether most of the text layer is invisible (text rendering mode 3), as OCR programs write it."""
    spans = [(span["type"], len(span["chars"])) for span in page.pdf.get_texttrace()]
    hidden = sum(n for kind, n in spans if kind == 3)
    return hidden > 0.5 * sum(n for _, n in spans)


def _shows_more_than_words(page: Page, words: list[PageWord]) -> bool:
    """Whether most ink is outside the words of the text layer, as where these are a stamp on a scan."""
    from docai.pipelines.pixels import binarize

    transform = PageTransform(0, 0, page.fit_scale(100 / 72))
    ink = binarize(np.asarray(page.render(scale=transform.scale).convert("L"))) > 0
    total = int(ink.sum())
    for word in words:
        x0, y0, x1, y1 = (max(0, round(value)) for value in transform.to_pixels(word.bbox))
        ink[y0 : y1 + 1, x0 : x1 + 1] = False
    return int(ink.sum()) > MIN_INK_OUTSIDE_WORDS * total
