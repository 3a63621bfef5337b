"""A page seen straight: its picture, its words, and the way back to the displayed page."""

from io import BytesIO

import numpy as np
import pymupdf
import pytest
from PIL import Image

from docai import Limits
from docai.geometry import iou
from docai.pipelines.ingest import Page, open_source
from docai.pipelines.ingest.straight import Straightening, StraightPage, turned
from docai.pipelines.layout import deskew

BOX = (100.0, 150.0, 180.0, 190.0)


def black_box() -> Image.Image:
    """A page of 300 by 400 points at 72 dpi with one black box."""
    pixels = np.full((400, 300), 255, np.uint8)
    x0, y0, x1, y1 = (int(value) for value in BOX)
    pixels[y0:y1, x0:x1] = 0
    return Image.fromarray(pixels)


def encoded(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def ink_of(page: Page, scale: float = 2.0) -> tuple[float, ...]:
    """The box of the ink of a page, points."""
    ink = np.asarray(page.render(scale=scale).convert("L")) < 128
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return tuple(v / scale for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_turned_page_is_drawn_upright_pixel_by_pixel(turn: int) -> None:
    upright = black_box()
    displayed = upright.rotate(90 * turn, expand=True)
    with open_source(encoded(displayed), limits=Limits()) as source, source.page(1) as page:
        straight = StraightPage(page, turned(page.width, page.height, turn))
        assert (straight.width, straight.height) == (300, 400)
        assert np.array_equal(np.asarray(straight.render().convert("L")), np.asarray(upright))
        assert straight.native_scale(BOX) == 1.0
        assert straight.to_displayed(BOX) == pytest.approx(ink_of(page), abs=0.5)
        assert straight.from_displayed(straight.to_displayed(BOX)) == pytest.approx(BOX)


def test_a_skewed_page_is_drawn_level_and_its_boxes_lie_on_the_displayed_page() -> None:
    # Displayed, the lines run 10 degrees down to the right.
    displayed = black_box().rotate(-10, fillcolor="white", resample=Image.Resampling.BICUBIC)
    matrix = np.vstack([deskew.turn_matrix(300, 400, 10), [0, 0, 1]])
    with open_source(encoded(displayed), limits=Limits()) as source, source.page(1) as page:
        straight = StraightPage(page, Straightening(matrix, (300.0, 400.0), 0, 10.0))
        assert ink_of(straight) == pytest.approx(BOX, abs=1.0)
        part = straight.render((90, 140, 190, 200), scale=3.0)
        whole = straight.render(scale=3.0).crop((270, 420, 570, 600))
        assert np.abs(np.asarray(part, float) - np.asarray(whole, float)).mean() < 3
        assert iou(straight.to_displayed(BOX), ink_of(page)) > 0.9
        assert len(straight.outline(BOX)) == 4


def test_what_runs_inside_sees_the_straight_page_and_its_words() -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=400)
        page.insert_text((50, 100), "upside", fontsize=20)
        data = document.tobytes()
    with open_source(data, limits=Limits()) as source, source.page(1) as displayed:
        (word,) = displayed.words()
        straight = StraightPage(displayed, turned(300, 400, 2))
        assert straight.inside(_size_and_words) == (True, 300, 400, ["upside"])
        (moved,) = straight.words()
        assert moved.angle == 180
        assert moved.bbox == pytest.approx(
            (300 - word.bbox[2], 400 - word.bbox[3], 300 - word.bbox[0], 400 - word.bbox[1])
        )


def _size_and_words(page: Page) -> tuple[bool, float, float, list[str]]:
    return page.is_straight, page.width, page.height, [word.text for word in page.words()]
