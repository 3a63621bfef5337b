"""Music on a page that is a picture: which staves are one region, and that notes are no words."""

from collections.abc import Sequence

import numpy as np
import pymupdf
import pytest

from docai import Limits
from docai.geometry import share_inside
from docai.pipelines.ingest import PageWord, open_source
from docai.pipelines.layout import PageLayout, find_regions
from docai.pipelines.layout.picture import DPI, TRANSFORM
from docai.pipelines.layout.raster import score_boxes
from docai.pipelines.layout.types import SeenWord
from docai.pipelines.pixels import binarize, parts_of

pytestmark = pytest.mark.slow(seconds=15)

SPACE = 5.0
"""Points between two lines of a staff."""
LEFT, RIGHT = 60.0, 530.0


def draw_staff(page: pymupdf.Page, top: float, *, has_notes: bool) -> tuple[float, float, float, float]:
    """Five lines and four bars, of notes or of rests."""
    for line in range(5):
        page.draw_line((LEFT, top + line * SPACE), (RIGHT, top + line * SPACE), width=0.5)
    for bar in range(4):
        begin, end = (LEFT + (RIGHT - LEFT) * (bar + share) / 4 for share in (0, 1))
        page.draw_line((end, top), (end, top + 4 * SPACE), width=0.8)
        if not has_notes:
            middle = (begin + end) / 2
            page.draw_rect((middle - 3, top + SPACE, middle + 3, top + 1.5 * SPACE), fill=0, color=None)
            continue
        for beat in range(4):
            x, y = begin + 25 + 22 * beat, top + (1 + (beat + bar) % 3) * SPACE
            page.draw_oval((x - 3, y - 2.2, x + 3, y + 2.2), fill=0, color=0)
            page.draw_line((x + 2.8, y), (x + 2.8, y - 3.5 * SPACE), width=0.7)
    return LEFT, top, RIGHT, top + 4 * SPACE


def as_scan(document: pymupdf.Document) -> bytes:
    page = document[0]
    with pymupdf.open() as scan:
        shown = scan.new_page(width=page.rect.width, height=page.rect.height)
        shown.insert_image(shown.rect, stream=page.get_pixmap(dpi=150, colorspace="gray").tobytes("png"))
        return scan.tobytes()


def layout_of(data: bytes, seen: Sequence[SeenWord] = ()) -> PageLayout:
    with open_source(data, limits=Limits()) as source, source.page(1) as page:
        return find_regions(page, see_words=lambda _: seen)


def test_voices_that_rest_for_a_whole_system_are_of_it() -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=842)
        staves = [draw_staff(page, 90 + 62 * number, has_notes=number in (0, 5, 6)) for number in range(7)]
        page.draw_line((LEFT, staves[0][1]), (LEFT, staves[-1][3]), width=1)
        pixmap = page.get_pixmap(dpi=DPI, colorspace="gray")
    gray = np.frombuffer(pixmap.samples, np.uint8).reshape(pixmap.height, pixmap.width)
    passages = [TRANSFORM.to_page(box) for box in score_boxes(gray, parts_of(binarize(gray)))]
    assert len(passages) == 1
    assert all(share_inside(staff, passages[0]) > 0.95 for staff in staves)


def test_notes_that_an_engine_takes_for_large_words_do_not_shrink_the_page() -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=842)
        staves = [draw_staff(page, 60 + 70 * number, has_notes=True) for number in range(10)]
        data = as_scan(document)
    seen = [
        SeenWord(
            PageWord("Jld", (x0 + 30 + 110 * bar, y0 - 14, x0 + 90 + 110 * bar, y1 + 16), 0, number), 0.7
        )
        for number, (x0, y0, _, y1) in enumerate(staves)
        for bar in range(4)
    ]
    regions = [region for region in layout_of(data, seen).regions if region.kind == "score"]
    assert all(any(share_inside(staff, region.bbox) > 0.9 for region in regions) for staff in staves)
