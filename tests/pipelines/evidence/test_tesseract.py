"""Tesseract as a second reader: its words, whether they are any, and what becomes of its crashes."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docai.contents import TextContent
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.tesseract import CLEAR, Tesseract, regular_share
from docai.pipelines.external.ocr_worker import OcrError, OcrProcesses, Word
from docai.pipelines.external.programs import ReaderError
from docai.pipelines.ingest import Page, open_source

LINES = ("Agreement between two readers", "that share nothing is evidence.")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """The lines as a scan of 150 dpi."""
    import pymupdf

    with pymupdf.open() as document:
        sheet = document.new_page(width=300, height=120)
        for number, line in enumerate(LINES):
            sheet.insert_text((40, 50 + 20 * number), line, fontsize=12)
        picture = sheet.get_pixmap(dpi=150).tobytes("png")
    with open_source(picture) as source, source.page(1) as opened:
        yield opened


@pytest.fixture
def tesseract() -> Tesseract:
    reader = Tesseract()
    if reader.available() is not None:
        pytest.skip("Tesseract's data is not installed")
    return reader


def test_words_come_with_boxes_in_page_points(tesseract: Tesseract, page: Page) -> None:
    told = tesseract.read(ReaderInput(page, (30, 30, 250, 90)))
    assert isinstance(told.content, TextContent)
    assert told.text == "\n".join(LINES)
    assert told.complete
    first = told.content.lines[0].words[0]
    assert first.text == "Agreement"
    assert first.bbox is not None
    assert first.bbox[0] == pytest.approx(40, abs=2)
    assert first.bbox[1] < 50 < first.bbox[3] + 3


def test_an_empty_region_holds_nothing(tesseract: Tesseract, page: Page) -> None:
    told = tesseract.read(ReaderInput(page, (10, 95, 290, 115)))
    assert told.content is None


def test_its_fall_costs_nothing_but_its_answer(tesseract: Tesseract, page: Page, tmp_path: Path) -> None:
    """Native code may end its process over broken data; the next region is read all the same."""
    (tmp_path / "eng.traineddata").write_bytes(b"no data of Tesseract" * 100)
    broken = Tesseract(tessdata=tmp_path)
    assert broken.available() is None
    with pytest.raises(ReaderError):
        broken.read(ReaderInput(page, page.bbox))
    assert tesseract.read(ReaderInput(page, page.bbox)).content is not None


def _ask(processes: OcrProcesses, *, seconds: float = 30.0) -> list[Word]:
    try:
        return processes.read(b"\xff" * 12, 2, 2, 72, tessdata=Path("x"), language="eng", seconds=seconds)
    finally:
        processes.close()


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.abort()",
        "import sys; sys.stdin.buffer.readline(); print('{\"words\": [', end='')",
        "import sys; sys.stdin.buffer.readline(); sys.stdin.close(); sys.exit(1)",
    ],
)
def test_a_process_that_falls_is_an_error(code: str) -> None:
    with pytest.raises(OcrError, match="it fell"):
        _ask(OcrProcesses((sys.executable, "-I", "-c", code)))


def test_a_process_that_hangs_is_ended() -> None:
    hanging = OcrProcesses((sys.executable, "-I", "-c", "import time; time.sleep(600)"))
    with pytest.raises(OcrError, match=r"it took longer than 0\.3 s"):
        _ask(hanging, seconds=0.3)


def test_without_its_data_it_says_what_is_missing(tmp_path: Path) -> None:
    missing = Tesseract(tessdata=tmp_path).available()
    assert missing is not None
    assert "eng.traineddata" in missing
    assert "TESSDATA_PREFIX" in missing


def test_data_is_found_where_the_environment_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "tessdata"
    folder.mkdir()
    (folder / "eng.traineddata").touch()
    monkeypatch.setattr("docai.pipelines.evidence.tesseract._FOLDERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TESSDATA_PREFIX", raising=False)
    assert Tesseract().available() is not None
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    assert Tesseract().available() is None


@pytest.mark.parametrize(
    "text",
    [
        "Agreement between two readers that share nothing is evidence.",
        "In 2019, the EU's share rose by 3.5% (see Table 2); NATO's did not.",
        "“Well-known” terms: $1,200.50, 12/03/2021, e.g. those of the well-read.",
    ],
)
def test_print_is_made_of_regular_words(text: str) -> None:
    assert regular_share(text) >= CLEAR


@pytest.mark.parametrize(
    "text",
    [
        "wast OT\nF\n‘\na — 4 a\n“— Parl\na a\n-",
        '2020.1.1. "ASSHSE, Be 780] HBS/O] AS sol] Cet, MAI Fek(Pandemic)',
        "OG\n- <O\n>O\nce\nof\nOC Hn\nJ\nCc fa\n©\nEC @",
        "",
    ],
)
def test_what_is_made_of_photographs_and_other_scripts_is_not(text: str) -> None:
    assert regular_share(text) < CLEAR


def test_a_picture_is_not_too_large_for_it() -> None:
    from PIL import Image

    from docai.pipelines.evidence.base import MAX_PIXELS

    picture = io.BytesIO()
    Image.new("L", (5000, 4000), 255).save(picture, "PNG")
    with open_source(picture.getvalue()) as source, source.page(1) as page:
        shown = ReaderInput(page, page.bbox).picture
    assert shown.image.width * shown.image.height < 1.05 * MAX_PIXELS
    assert shown.to_page((20, 20, 21, 21))[:2] == pytest.approx((-2, -2))
