"""Pages in, regions out: what users see of layout."""

from collections import Counter
from functools import lru_cache
from io import BytesIO

import pymupdf
import pytest
from PIL import Image

from docai import Limits
from docai.geometry import iou
from docai.pipelines.ingest import open_source
from docai.pipelines.layout import PageLayout, find_regions
from docai.pipelines.layout.digital import model_boxes
from docai.pipelines.synthesis.pages import scanned, synthetic_page

pytestmark = pytest.mark.slow(seconds=55)

LONG = (
    "Prose that fills a paragraph of several lines so that a layout model has something to look at, "
    "with words of many lengths and the usual marks, set in one narrow column of the page. "
)


drawn = lru_cache(synthetic_page)


def layout_of(data: bytes, **options: bool) -> tuple[PageLayout, list]:
    with open_source(data, limits=Limits()) as source:
        page = next(iter(source.pages()))
        return find_regions(page, **options), page.words()


def make_pdf(draw, width: float = 595, height: float = 842) -> bytes:
    with pymupdf.open() as document:
        draw(document.new_page(width=width, height=height))
        return document.tobytes()


def two_columns(page) -> None:
    page.insert_text((60, 82), "A Heading Over Both Columns", fontsize=20, fontname="hebo")
    for column, x in enumerate((60, 310)):
        for row in range(3):
            name = f"Block{column}{row} "
            page.insert_textbox((x, 110 + 150 * row, x + 230, 250 + 150 * row), name + LONG, fontsize=10)


def every_word_once(found: PageLayout, words: list) -> bool:
    given = Counter((word.text, word.bbox) for word in words)
    return given == Counter((word.text, word.bbox) for region in found.regions for word in region.words)


def text_of(found: PageLayout) -> str:
    return " ".join(word.text for region in found.regions for word in region.words)


def test_columns_are_read_one_after_the_other() -> None:
    found, words = layout_of(make_pdf(two_columns))
    assert found.origin == "born-digital"
    assert every_word_once(found, words)
    text = text_of(found)
    places = [text.index(f"Block{column}{row}") for column in range(2) for row in range(3)]
    assert text.startswith("A Heading")
    assert places == sorted(places)
    assert len(found.regions) >= 7, "a paragraph is a region, a page is not"


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("sideways", [False, True], ids=["upright-as-displayed", "sideways-as-displayed"])
def test_rotated_pages_give_displayed_boxes(rotation: int, sideways: bool) -> None:
    """Either the rotation sets text upright that the file has sideways, or the other way round."""

    def draw(page) -> None:
        if sideways:
            two_columns(page)
        else:
            with pymupdf.open("pdf", make_pdf(two_columns)) as upright:
                page.show_pdf_page(page.rect, upright, 0, rotate=rotation)
        page.set_rotation(rotation)

    swap = not sideways and rotation != 180
    data = make_pdf(draw, *((842, 595) if swap else (595, 842)))
    found, words = layout_of(data)
    assert every_word_once(found, words)
    assert len(found.regions) >= 7
    text = text_of(found)
    places = [text.index(f"Block{column}{row}") for column in range(2) for row in range(3)]
    assert places == sorted(places)
    for region in found.regions:
        for word in region.words:
            x, y = (word.bbox[0] + word.bbox[2]) / 2, (word.bbox[1] + word.bbox[3]) / 2
            assert region.bbox[0] - 1 <= x <= region.bbox[2] + 1
            assert region.bbox[1] - 1 <= y <= region.bbox[3] + 1


def test_lines_are_numbered_within_a_region() -> None:
    found, _ = layout_of(make_pdf(two_columns))
    for number, region in enumerate(found.regions):
        assert {word.block for word in region.words} == {number}
        lines = [word.line for word in region.words]
        assert lines == sorted(lines)
        assert set(lines) == set(range(max(lines) + 1))


@pytest.mark.parametrize("seed", [1000, 1011])
def test_synthetic_page_is_found(seed: int) -> None:
    page = drawn(seed)
    found, words = layout_of(page.pdf)
    assert every_word_once(found, words)
    for true in page.truth:
        assert max(iou(true.bbox, r.bbox) for r in found.regions if r.kind == true.kind) > 0.7, true


@pytest.mark.parametrize("from_pixels", [False, True], ids=["scan", "text-layer-ignored"])
def test_pixels_alone_are_enough(from_pixels: bool) -> None:
    page = drawn(1000)
    page = page if from_pixels else scanned(page)
    found, _ = layout_of(page.pdf, use_text_layer=not from_pixels)
    hit = [
        max((iou(true.bbox, r.bbox) for r in found.regions if r.kind == true.kind), default=0.0)
        for true in page.truth
    ]
    assert sum(value > 0.7 for value in hit) >= 0.85 * len(hit)
    assert all(not region.words for region in found.regions)


def test_invisible_words_of_a_scan_are_kept() -> None:
    scan = scanned(drawn(1002))

    def add_layer(page) -> None:
        with pymupdf.open("pdf", scan.pdf) as source:
            page.show_pdf_page(page.rect, source, 0)
        with pymupdf.open("pdf", drawn(1002).pdf) as clean:
            for x0, _, _, y1, text, *_ in clean[0].get_text("words"):
                page.insert_text((x0, y1 - 2), text, fontsize=9, render_mode=3)

    found, words = layout_of(make_pdf(add_layer, scan.width, scan.height))
    assert len(words) > 100
    assert found.origin == "scan"
    assert every_word_once(found, words)


def test_skew_is_reported_with_polygons() -> None:
    scan = scanned(drawn(1013))
    found, _ = layout_of(scan.pdf)
    assert found.skew == pytest.approx(-0.98, abs=0.08)
    assert all(region.polygon is not None and len(region.polygon) == 4 for region in found.regions)


def test_blank_page() -> None:
    found, _ = layout_of(make_pdf(lambda page: None))
    assert found == PageLayout((), "blank")


def test_white_image_is_blank() -> None:
    buffer = BytesIO()
    Image.new("RGB", (400, 300), "white").save(buffer, "PNG")
    found, _ = layout_of(buffer.getvalue())
    assert found.regions == ()


def test_stray_words_become_a_region() -> None:
    found, words = layout_of(make_pdf(lambda page: page.insert_text((500, 820), "x7")))
    assert every_word_once(found, words)


@pytest.mark.real
def test_real_scores_are_scores(real_data) -> None:
    for path in sorted((real_data / "scores" / "mozart").glob("*.pdf")):
        found, _ = layout_of(path.read_bytes())
        area = sum(
            (r.bbox[2] - r.bbox[0]) * (r.bbox[3] - r.bbox[1]) for r in found.regions if r.kind == "score"
        )
        with pymupdf.open(path) as document:
            assert area > 0.4 * abs(document[0].rect), path.name


def test_fields_that_cannot_be_listed_are_none_to_the_layout_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a file whose decryption went wrong: the name of a field is no text then."""

    def broken(page: pymupdf.Page) -> None:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    with pymupdf.open(stream=make_pdf(two_columns)) as document:
        expected = model_boxes(document[0])
        monkeypatch.setattr(pymupdf.Page, "widgets", broken)
        assert model_boxes(document[0]) == expected != []
