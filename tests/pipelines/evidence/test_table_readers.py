"""Tables of pictures by SLANet and by the grid of words, and which of them is believed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from docai.contents import Cell, TableContent
from docai.parsers.table_grid import table_content
from docai.pipelines.evidence.arbiter import decide
from docai.pipelines.evidence.base import Picture, ReaderInput, Reading
from docai.pipelines.evidence.ppocr import OcrPageWord, PageReader
from docai.pipelines.evidence.scanned_tables import PpOcrTables
from docai.pipelines.evidence.slanet import SlanetTables
from docai.pipelines.evidence.table_choice import doubts_of, has_same_grid, is_doubtful, join_tables
from docai.pipelines.evidence.table_dashes import with_dashes
from docai.pipelines.evidence.table_sheet import prepare
from docai.pipelines.evidence.table_words import fill_with_words
from docai.pipelines.evidence.trust import word_trust
from docai.pipelines.external import ppocr, slanet, weights
from docai.pipelines.external.programs import ReaderError
from docai.pipelines.external.slanet import SIDE_PX, read_structure
from docai.pipelines.ingest import PageWord, open_source
from docai.records import Evidence

needs_slanet = pytest.mark.skipif(slanet.missing() is not None, reason=str(slanet.missing()))
needs_ppocr = pytest.mark.skipif(ppocr.missing() is not None, reason="rapidocr is not installed")

ROWS = (
    ("Group", "Mean age", "Score"),
    ("Placebo", "61.3", "4.20"),
    ("Treated", "58.9", "6.75"),
    ("All", "60.1", "5.47"),
)


def drawn(*, is_ruled: bool = False) -> Image.Image:
    """The rows as a journal prints them, with three rules, or with all."""
    image = Image.new("RGB", (700, 260), "white")
    draw = ImageDraw.Draw(image)
    for row, texts in enumerate(ROWS):
        for col, text in enumerate(texts):
            draw.text((30 + 230 * col, 20 + 60 * row), text, fill=0, font=ImageFont.load_default(26))
    for row in range(5) if is_ruled else (0, 1, 4):
        draw.line([(10, 8 + 60 * row), (690, 8 + 60 * row)], fill=0, width=2)
    for x in (10, 240, 470, 690) if is_ruled else ():
        draw.line([(x, 8), (x, 248)], fill=0, width=2)
    return image


def read(reader: PpOcrTables | SlanetTables, image: Image.Image) -> Reading:
    file = io.BytesIO()
    image.save(file, "PNG", dpi=(150, 150))
    with open_source(file.getvalue()) as source, source.page(1) as page:
        return reader.read(ReaderInput(page, page.bbox))


def table(*rows: tuple[str, ...], confidence: float = 0.99) -> TableContent:
    cells = [
        Cell(
            row=row,
            col=col,
            text=text,
            confidence=confidence,
            bbox=(100 * col, 20 * row, 100 * col + 50, 20 * row + 10),
        )
        for row, texts in enumerate(rows)
        for col, text in enumerate(texts)
    ]
    return table_content(cells, len(rows), len(rows[0]))


def reading(source: Evidence, content: TableContent, quality: float) -> Reading:
    return Reading(source, content, content.html, quality=quality)


@needs_slanet
@needs_ppocr
def test_a_table_of_a_journal_is_read_by_slanet() -> None:
    told = read(SlanetTables(), drawn())
    assert isinstance(told.content, TableContent)
    assert told.source == "slanet"
    assert [[cell.text for cell in told.content.cells if cell.row == row] for row in range(4)] == [
        list(row) for row in ROWS
    ]
    assert told.quality is not None
    assert all(cell.confidence is not None for cell in told.content.cells)
    box = next(cell.bbox for cell in told.content.cells if cell.text == "58.9")
    assert box is not None
    # Page points at 150 dpi, around the ink alone.
    assert box[0] == pytest.approx(260 * 72 / 150, abs=3)
    assert box[2] - box[0] < 40


@needs_slanet
@needs_ppocr
@pytest.mark.parametrize("is_ruled", [True, False])
def test_both_readers_see_the_same_grid(is_ruled: bool) -> None:
    pages = PageReader()
    readings = [
        read(reader, drawn(is_ruled=is_ruled)) for reader in (PpOcrTables(pages), SlanetTables(pages))
    ]
    assert has_same_grid(*readings)
    joined, alternatives = join_tables(readings)
    assert joined is not None
    assert joined.supporters
    assert not joined.opponents
    assert not alternatives
    assert joined.confidence.value is not None
    assert joined.confidence.value > 0.6


@needs_slanet
@needs_ppocr
def test_a_white_picture_has_no_table() -> None:
    white = Image.new("RGB", (500, 300), "white")
    assert read(SlanetTables(), white).content is None
    assert read(PpOcrTables(), white).content is None


@needs_slanet
def test_a_photograph_and_a_huge_picture_are_read_in_time() -> None:
    noise = np.random.default_rng(7).integers(0, 255, (600, 400, 3), dtype=np.uint8)
    assert len(read_structure(noise, letter_height=20).rows) < 500
    wide = np.full((200, 12_000, 3), 255, np.uint8)
    assert read_structure(wide, letter_height=20).score <= 1.0


@needs_slanet
def test_large_letters_do_not_fill_the_square(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = slanet._prepare(np.zeros((50, 100, 3), np.uint8), 2.0)
    assert shown.shape == (1, 3, SIDE_PX, SIDE_PX)
    assert (shown[0, :, :100, :200] < -1).all()
    assert not shown[0, :, 100:].any()


def test_without_its_weights_slanet_is_absent_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path))
    assert "docai models fetch slanet" in (slanet.missing() or "")
    if ppocr.missing() is None:
        assert "docai models fetch slanet" in (SlanetTables().available() or "")
    with pytest.raises(ReaderError, match="not here"):
        read_structure(np.zeros((9, 9, 3), np.uint8), letter_height=9)


@needs_slanet
def test_a_truncated_file_is_an_error_of_the_reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = weights.find(weights.SLANET)
    assert path is not None
    (tmp_path / weights.SLANET.file).write_bytes(path.read_bytes()[:100_000])
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(ReaderError, match="SLANet failed"):
        read_structure(np.zeros((90, 90, 3), np.uint8), letter_height=9)


def test_the_grid_that_is_rated_higher_is_believed_and_the_other_kept() -> None:
    good = reading("slanet", table(("a", "b"), ("1", "2")), 0.9)
    bad = reading("ppocr", table(("a b",), ("1 2",)), 0.4)
    joined, alternatives = join_tables([bad, good])
    assert joined is not None
    assert (joined.source, joined.supporters, joined.opponents) == ("slanet", (), ("ppocr",))
    assert [one.source for one in alternatives] == ["ppocr"]
    assert "0.90" in alternatives[0].reason


def test_agreement_and_sure_words_raise_the_confidence() -> None:
    grid, unsure = table(("a", "b"), ("1", "2")), table(("a", "b"), ("1", "2"), confidence=0.4)

    def confidence(*readings: Reading) -> float:
        joined, _ = join_tables(readings)
        assert joined is not None
        assert joined.confidence.value is not None
        return joined.confidence.value

    alone = confidence(reading("ppocr", grid, 0.9))
    assert confidence(reading("ppocr", grid, 0.9), reading("slanet", grid, 0.8)) > alone
    assert confidence(reading("ppocr", unsure, 0.9)) < alone
    assert confidence(reading("ppocr", grid, 0.9), reading("slanet", table(("a", "b", "c")), 0.8)) < alone


def test_a_table_of_a_picture_that_is_likely_wrong_says_so_and_why() -> None:
    grid, other = table(("a", "b"), ("1", "2")), table(("a", "b", "c"), ("1", "2", "3"))
    decision = decide("table", None, [reading("ppocr", grid, 0.4), reading("slanet", other, 0.3)])
    assert decision is not None
    assert decision.confidence.value is not None
    assert decision.confidence.value < 0.5
    doubt = next(issue for issue in decision.issues if issue.code == "table-structure-doubtful")
    assert "slanet made out other rows" in doubt.message
    assert f"{decision.confidence.value:.2f}" in doubt.message
    sure, _ = join_tables([reading("ppocr", grid, 0.99), reading("slanet", grid, 0.9)])
    assert sure is not None
    assert not doubts_of(sure)


def test_cells_say_how_often_such_words_were_right() -> None:
    content = table(("Year", "Sum"), ("1871", "12"), confidence=0.9)
    for source, words in (("ppocr", "ppocr"), ("slanet", "ppocr"), ("tesseract", "tesseract")):
        joined, _ = join_tables([reading(source, content, 0.9)])
        assert joined is not None
        assert joined.content is not None
        fitted = word_trust(words, 0.9)
        assert fitted < 0.9
        assert set(joined.content.part_confidences()) == {fitted}
    assert set(content.part_confidences()) == {0.9}


def test_nothing_that_is_read_stays_nothing() -> None:
    assert join_tables([]) == (None, ())
    joined, alternatives = join_tables([Reading("ppocr"), Reading("slanet")])
    assert joined is not None
    assert joined.content is None
    assert not alternatives


def test_tesseract_is_asked_only_where_the_others_are_poor() -> None:
    grid, other = table(("a", "b"), ("1", "2")), table(("a b",), ("1 2",))
    assert not is_doubtful([reading("ppocr", grid, 0.999)])
    assert is_doubtful([reading("ppocr", grid, 0.8)])
    assert not is_doubtful([reading("ppocr", grid, 0.8), reading("slanet", other, 0.7)])
    assert is_doubtful([reading("ppocr", grid, 0.2), reading("slanet", other, 0.3)])
    assert is_doubtful([Reading("ppocr")])


def test_a_word_beside_its_cell_goes_to_the_nearest() -> None:
    grid = table(("", ""), ("", ""))
    words = [
        OcrPageWord(PageWord("left", (52, 1, 60, 9), 0, 0), 0.9),
        OcrPageWord(PageWord("right", (120, 22, 140, 30), 0, 1), 0.7),
    ]
    filled = fill_with_words(grid, words)
    assert [cell.text for cell in filled.cells] == ["left", "", "", "right"]
    assert [cell.confidence for cell in filled.cells] == [0.9, None, None, 0.7]
    assert filled.cells[0].bbox == (52, 1, 60, 9)
    assert filled.cells[1].bbox is None


def test_edges_of_striped_rows_are_rules() -> None:
    image = drawn()
    pixels = np.asarray(image.convert("L")).copy()
    pixels[128:188][pixels[128:188] > 200] = 215
    plain, striped = prepare(image), prepare(Image.fromarray(pixels))
    assert len(striped.rules.horizontal) == len(plain.rules.horizontal) + 2


def test_a_lone_dash_is_a_word_and_a_rule_or_a_hyphen_is_none() -> None:
    image = Image.new("RGB", (600, 200), "white")
    draw = ImageDraw.Draw(image)
    words = []
    for x, y, text in ((20, 20, "Benzene"), (300, 20, "12-14"), (20, 100, "Methane")):
        font = ImageFont.load_default(30)
        draw.text((x, y), text, fill=0, font=font)
        x0, y0, x1, y1 = draw.textbbox((x, y), text, font=font)
        words.append(OcrPageWord(PageWord(text, (x0, y0, x1, y1), 0, 0), 0.99))
    draw.rectangle((320, 118, 334, 120), fill=0)
    draw.line([(0, 80), (600, 80)], fill=0, width=2)
    for x in range(0, 600, 24):
        draw.line([(x, 170), (x + 12, 170)], fill=0, width=2)
    found = with_dashes(words, Picture(image, 1.0))
    assert [one.word.text for one in found[3:]] == ["-"]
    assert found[3].word.bbox[0] == 320


@needs_ppocr
def test_dashes_fill_their_cells() -> None:
    rows = (
        ("Substance", "Air", "Water"),
        ("Benzene", "1000", "-"),
        ("Fluorides", "-", "2000"),
        ("Zinc", "200", "100"),
    )
    image = Image.new("RGB", (700, 260), "white")
    draw = ImageDraw.Draw(image)
    for row, texts in enumerate(rows):
        for col, text in enumerate(texts):
            draw.text((30 + 230 * col, 20 + 60 * row), text, fill=0, font=ImageFont.load_default(26))
    told = read(PpOcrTables(), image)
    assert isinstance(told.content, TableContent)
    assert [cell.text for cell in told.content.cells] == [text for texts in rows for text in texts]
