"""Tables of scans from Tesseract's words: their grid, their boxes, and what becomes of failures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import docai
from docai.contents import TableContent
from docai.models.heads import HEADS
from docai.pipelines.evidence import readers
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.readers import ReaderPool
from docai.pipelines.evidence.scanned_tables import ScannedTables, prepare
from docai.pipelines.external.programs import ReaderError
from docai.pipelines.external.tesseract import LETTER_HEIGHT_PX, letter_height
from docai.pipelines.ingest import Page, PageWord, open_source

ROWS = (
    ("Sample", "Mass", "Acidity"),
    ("Willow", "125", "68"),
    ("Birch", "975", "82"),
    ("Alder", "340", "59"),
)
REGION = (30.0, 30.0, 290.0, 140.0)


def picture(dpi: int, *, ruled: bool) -> bytes:
    """The rows as a scan."""
    import pymupdf

    with pymupdf.open() as document:
        sheet = document.new_page(width=320, height=170)
        for number, row in enumerate(ROWS):
            for column, text in enumerate(row):
                sheet.insert_text((40 + 85 * column, 50 + 25 * number), text, fontsize=12)
        if ruled:
            for number in range(5):
                sheet.draw_line((34, 34 + 25 * number), (286, 34 + 25 * number))
            for x in (34, 118, 203, 286):
                sheet.draw_line((x, 34), (x, 134))
        return sheet.get_pixmap(dpi=dpi).tobytes("png")


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> ScannedTables:
    reader = ScannedTables()
    if reader.available() is not None:
        pytest.skip("Tesseract is not installed")
    monkeypatch.setattr(readers, "known_readers", lambda: (reader,))
    return reader


def opened(data: bytes) -> Iterator[Page]:
    with open_source(data) as source, source.page(1) as page:
        yield page


@pytest.mark.parametrize("dpi", [72, 150, 300])
@pytest.mark.parametrize("ruled", [True, False])
def test_a_scan_is_read_whatever_its_resolution(reader: ScannedTables, dpi: int, ruled: bool) -> None:
    for page in opened(picture(dpi, ruled=ruled)):
        unit = page.width / 320
        told = reader.read(ReaderInput(page, tuple(value * unit for value in REGION)))  # type: ignore[arg-type]
        assert isinstance(told.content, TableContent)
        assert [[cell.text for cell in told.content.cells if cell.row == row] for row in range(4)] == [
            list(row) for row in ROWS
        ]
        assert told.complete
        assert told.text == told.content.html
        box = next(cell.bbox for cell in told.content.cells if cell.text == "975")
        assert box is not None
        assert box[0] / unit == pytest.approx(125, abs=3)
        assert box[1] / unit < 100 < box[3] / unit + 3


def test_one_line_and_white_paper_are_no_table(reader: ScannedTables) -> None:
    for page in opened(picture(150, ruled=False)):
        assert reader.read(ReaderInput(page, (30, 30, 290, 56))).content is None
        assert reader.read(ReaderInput(page, (0, 0, page.width, 20))).content is None


def test_letters_are_brought_to_one_height_and_rules_are_taken_out() -> None:
    for dpi in (72, 300):
        with Image.open(io.BytesIO(picture(dpi, ruled=True))) as image:
            sheet = prepare(image)
        assert letter_height(sheet.gray) == pytest.approx(LETTER_HEIGHT_PX, rel=0.25)
        assert len(sheet.rules.horizontal) == 5
        assert len(sheet.rules.vertical) == 4
        assert np.mean(sheet.gray < 128, axis=1).max() < 0.5, "a rule is left"


def test_a_region_with_words_of_its_own_goes_to_the_table_finder_and_others_here() -> None:
    class Reader(ScannedTables):
        def available(self) -> None:
            return None

    with ReaderPool([Reader()]) as pool:
        for page in opened(picture(72, ruled=True)):
            region = ReaderInput(page, page.bbox)
            assert pool.submit("table", region)
            word = PageWord("a", (0, 0, 9, 9), 0, 0)
            assert not pool.submit("table", replace(region, words=(word,)))


def test_a_program_that_fails_is_no_answer(tmp_path: Path) -> None:
    broken = tmp_path / "tesseract"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    for page in opened(picture(72, ruled=True)):
        with pytest.raises(ReaderError, match="ended with 3"):
            ScannedTables(str(broken)).read(ReaderInput(page, page.bbox))
    missing = ScannedTables("no-such-program").available()
    assert missing is not None
    assert "apt install tesseract-ocr" in missing


def test_a_poor_answer_of_the_model_gives_way_and_is_kept(reader: ScannedTables) -> None:
    html = "<table><tr><td>Sarnple</td><td>Mess</td></tr><tr><td>Will"
    engine = docai.ScriptedEngine({"table": html})
    record = docai.Pipeline(engine=engine, readback="off").read(picture(150, ruled=True), head="table")
    assert isinstance(record, docai.records.Table)
    assert (record.n_rows, record.n_cols) == (4, 3)
    assert record.evidence == ["tesseract"]
    assert record.raw == html
    assert [one.source for one in record.alternatives] == ["model"]
    assert record.confidence.value is not None
    assert record.confidence.value < 0.9


def test_the_same_table_is_surer_and_another_grid_of_the_same_words_is_not_the_same(
    reader: ScannedTables,
) -> None:
    def answer(rows: tuple[tuple[str, ...], ...]) -> docai.records.Table:
        body = "".join("<tr>" + "".join(f"<td>{text}</td>" for text in row) + "</tr>" for row in rows)
        engine = docai.ScriptedEngine({"table": f"<table>{body}</table>"})
        record = docai.Pipeline(engine=engine, readback="off").read(picture(150, ruled=True), head="table")
        assert isinstance(record, docai.records.Table)
        return record

    same = answer(ROWS)
    assert same.evidence == ["model", "tesseract"]
    assert not any(issue.code == "witness-disagrees" for issue in same.issues)
    turned = answer(tuple(zip(*ROWS, strict=True)))
    assert any(issue.code == "witness-disagrees" for issue in turned.issues)
    assert "The grids are 3 x 4 and 4 x 3" in " ".join(issue.message for issue in turned.issues)
    assert (
        HEADS["table"].parser(turned.alternatives[0].content).content
        == HEADS["table"].parser(same.html).content
    )
