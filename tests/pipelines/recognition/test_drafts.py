"""What the PDF says itself, as a head would write it."""

from __future__ import annotations

import pymupdf
import pytest

from docai.contents import Cell, MoleculeContent, TableContent
from docai.geometry import BBox
from docai.models.heads import HEADS
from docai.options import Options
from docai.pipelines.crops.crop import make_crop
from docai.pipelines.crops.tiling import tile_region
from docai.pipelines.evidence.base import ReaderInput, Reading
from docai.pipelines.evidence.readers import ReaderPool
from docai.pipelines.ingest import open_source
from docai.pipelines.layout import Region
from docai.pipelines.recognition.drafts import draft_of
from docai.pipelines.region import RegionTask

BOX: BBox = (50, 50, 300, 150)

OPTIONS = Options(witnesses="off")


@pytest.fixture
def pdf() -> bytes:
    document = pymupdf.open()
    page = document.new_page(width=400, height=200)
    page.insert_text((60, 80), "Hello world", fontsize=12)
    page.insert_text((60, 110), "second line & more", fontsize=12)
    return bytes(document.tobytes())


def test_words_are_written_line_by_line_with_their_boxes(pdf: bytes) -> None:
    with (
        open_source(pdf) as source,
        source.page(1) as page,
        ReaderPool.choose(OPTIONS) as pool,
    ):
        native = pool.read_words("text", ReaderInput(page, BOX, page.words()))
        assert native is not None
        crop = make_crop(page, BOX)
        draft = draft_of([native], crop)
        parsed = HEADS["text"].parser(draft)
        assert not parsed.issues
        assert [line.text for line in parsed.content.lines] == ["Hello world", "second line & more"]  # type: ignore[attr-defined]
        for line in parsed.content.lines:  # type: ignore[attr-defined]
            for word in line.words:
                placed = crop.transform.from_unit(word.bbox)
                (own,) = [one for one in page.words() if one.text == word.text]
                assert placed == pytest.approx(own.bbox, abs=0.5)
        # A crop of a part of the region holds the words of that part.
        part = make_crop(page, (50, 95, 300, 150))
        assert [line.text for line in HEADS["text"].parser(draft_of([native], part)).content.lines] == [  # type: ignore[attr-defined]
            "second line & more"
        ]


def test_a_grid_says_more_than_words(pdf: bytes) -> None:
    cells = [
        Cell(row=0, col=0, text="a < b", bbox=(60, 60, 100, 80)),
        Cell(row=0, col=1, text="", bbox=None),
        Cell(row=1, col=0, col_span=2, text="c", marks=["1"], bbox=(60, 90, 100, 110)),
    ]
    grid = Reading("table-finder", TableContent(n_rows=2, n_cols=2, cells=cells))
    with (
        open_source(pdf) as source,
        source.page(1) as page,
        ReaderPool.choose(OPTIONS) as pool,
    ):
        native = pool.read_words("table", ReaderInput(page, BOX, page.words()))
        readings = [one for one in (native, grid) if one is not None]
        draft = draft_of(readings, make_crop(page, BOX))
    parsed = HEADS["table"].parser(draft)
    assert isinstance(parsed.content, TableContent)
    assert not [issue for issue in parsed.issues if issue.severity == "error"]
    assert [(cell.row, cell.col, cell.col_span, cell.text) for cell in parsed.content.cells] == [
        (0, 0, 1, "a < b"),
        (0, 1, 1, ""),
        (1, 0, 2, "c1"),
    ]
    assert parsed.content.cells[0].bbox is not None
    assert parsed.content.cells[1].bbox is None


def test_other_readers_are_no_text_layer(pdf: bytes) -> None:
    with open_source(pdf) as source, source.page(1) as page:
        crop = make_crop(page, BOX)
        assert draft_of([], crop) == ""
        assert draft_of([Reading("imago", MoleculeContent()), Reading("text-layer")], crop) == ""


def test_the_head_is_asked_with_the_words_of_the_page(pdf: bytes) -> None:
    for text_layer, is_drafted in (("verify", True), ("ignore", False)):
        options = Options(text_layer=text_layer, witnesses="off")  # type: ignore[arg-type]
        with open_source(pdf) as source, source.page(1) as page, ReaderPool.choose(options) as pool:
            region = Region("text", BOX, 1.0, ("given by the caller",), words=tuple(page.words()))
            task = RegionTask("p1-text-0", page, region, options)
            task.plan(pool, ["text"])
            task.crops = tile_region(page, "lines", BOX, size=896, words=task.words)
            (request,) = task.requests()
            assert ("Hello ; " in request.draft) is is_drafted


def test_the_head_of_a_table_is_asked_with_its_grid() -> None:
    document = pymupdf.open()
    page = document.new_page(width=400, height=200)
    for row in range(3):
        for column in range(2):
            cell = pymupdf.Rect(60 + 100 * column, 60 + 25 * row, 160 + 100 * column, 85 + 25 * row)
            page.draw_rect(cell)
            page.insert_text((cell.x0 + 6, cell.y0 + 16), f"r{row}c{column}", fontsize=10)
    options = Options(text_layer="verify", witnesses="off")
    box: BBox = (58, 58, 262, 137)
    with (
        open_source(bytes(document.tobytes())) as source,
        source.page(1) as own,
        ReaderPool.choose(Options(text_layer="verify")) as pool,
    ):
        region = Region("table", box, 1.0, ("given by the caller",), words=tuple(own.words()))
        task = RegionTask("p1-table-0", own, region, options)
        task.plan(pool, ["table"])
        task.submit(pool)
        task.crops = tile_region(own, "rows", box, size=896, words=task.words)
        (request,) = task.requests()
        task.gather_evidence()
    parsed = HEADS["table"].parser(request.draft)
    assert isinstance(parsed.content, TableContent)
    assert [cell.text for cell in parsed.content.cells] == [
        f"r{row}c{column}" for row in range(3) for column in range(2)
    ]
