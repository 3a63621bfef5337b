"""Pages that Tesseract reads first: what is taken from it, what PP-OCR reads again, what is left to that."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docai.contents import TextContent
from docai.geometry import BBox
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.first_pass import FirstPass
from docai.pipelines.evidence.ppocr import PageReader, PpOcr
from docai.pipelines.evidence.readers import ReaderPool
from docai.pipelines.evidence.scanned_tables import PpOcrTables
from docai.pipelines.evidence.tesseract import Tesseract
from docai.pipelines.external import ppocr, tesseract
from docai.pipelines.external.programs import ReaderError
from docai.pipelines.ingest import open_source

LINES = (
    "Agreement between two readers that share nothing is evidence",
    "for both of them and where they differ the surer one is right",
    "more often than not so that a page of clean print can be read",
    "by the cheaper one alone and costs a second of one processor",
)

needs_both = pytest.mark.skipif(
    ppocr.missing() is not None or tesseract.missing() is not None,
    reason="rapidocr or Tesseract is not installed",
)


def _page(
    lines: Sequence[str] = LINES, *, label: str = "", ground: int = 255, dots: Sequence[tuple[int, int]] = ()
) -> bytes:
    """A scan of 150 dpi; ``label`` runs up its right edge, ``dots`` stand above some letters of its lines."""
    image = Image.new("L", (1100, 500), ground)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(26)
    for number, line in enumerate(lines):
        draw.text((60, 60 + 60 * number), line, fill=0, font=font)
    for number, index in dots:
        x0 = 60 + font.getlength(lines[number][:index])
        x1, top = (
            x0 + font.getlength(lines[number][index]),
            draw.textbbox((60, 60 + 60 * number), "o", font)[1],
        )
        for x in (x0 + 3, x1 - 6):
            draw.rectangle((x, top - 6, x + 2, top - 4), fill=0)
    if label:
        strip = Image.new("L", (400, 40), ground)
        ImageDraw.Draw(strip).text((5, 5), label, fill=0, font=font)
        image.paste(strip.rotate(90, expand=True), (1030, 40))
    file = io.BytesIO()
    image.save(file, "PNG", dpi=(150, 150))
    return file.getvalue()


class Engines:
    """Both engines in a test: what Tesseract says, and which lines PP-OCR is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, words: Sequence[tesseract.OcrWord]) -> None:
        self.words, self.lines, self.pages = words, list[BBox](), list[tuple[int, ...]]()
        self.n_first = 0
        monkeypatch.setattr(tesseract, "read_page", self._read_page)
        monkeypatch.setattr(ppocr, "read_lines", self._read_lines)
        monkeypatch.setattr(ppocr, "read_words", self._read_words)

    def _read_page(self, *arguments: object, **options: object) -> Sequence[tesseract.OcrWord]:
        self.n_first += 1
        return self.words

    def _read_lines(
        self, picture: NDArray[np.uint8], boxes: Sequence[BBox], **options: object
    ) -> list[list[ppocr.OcrWord]]:
        self.lines += boxes
        return [[ppocr.OcrWord("again", box, 0, 0.999)] for box in boxes]

    def _read_words(self, picture: NDArray[np.uint8], **options: object) -> list[ppocr.OcrWord]:
        self.pages.append(picture.shape)
        return []


def _clean(confidence: float = 0.965) -> list[tesseract.OcrWord]:
    """The words of the page where they are printed; its picture has a border of 20 pixels."""
    font, words = ImageFont.load_default(26), []
    for line, text in enumerate(LINES):
        start = 0
        for word in text.split():
            x0, x1 = 80 + font.getlength(text[:start]), 80 + font.getlength(text[: start + len(word)])
            box = (x0, 82.0 + 60 * line, x1, 114.0 + 60 * line)
            words.append(tesseract.OcrWord(word, box, 1, 1, line, confidence))
            start += len(word) + 1
    return words


def test_a_clear_page_is_read_once_and_by_tesseract_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines(monkeypatch, _clean())
    with open_source(_page()) as source, source.page(1) as page:
        reader = FirstPass(PageReader(), Tesseract())
        upper = ReaderInput(page, (0, 0, page.width, 50))
        assert reader.read(upper).text.split()[:2] == ["Agreement", "between"]
        reading = reader.read(ReaderInput(page, (0, 50, page.width, page.height)))
        assert reader.seen(upper) is not None
    assert reading.source == "tesseract"
    assert reading.complete
    assert reading.supporters == ()
    assert isinstance(reading.content, TextContent)
    assert min(reading.content.part_confidences()) > 0.9  # type: ignore[type-var, operator]
    assert engines.n_first == 1
    assert not engines.pages


def test_lines_with_doubtful_words_are_read_again_where_they_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = _clean()
    words[3] = words[3]._replace(text="tvvo", confidence=0.4)
    engines = Engines(monkeypatch, words)
    with open_source(_page()) as source, source.page(1) as page:
        reader = FirstPass(PageReader(), Tesseract())
        reader.read(ReaderInput(page, (0, 50, page.width, page.height)))
        assert engines.lines == []
        upper = ReaderInput(page, (0, 0, page.width, 50))
        reading = reader.read(upper)
        reader.read(upper)
    assert reading.supporters == ("ppocr",)
    # PP-OCR is shown the word and its neighbors.
    assert reading.text.splitlines()[0] == "Agreement between again share nothing is evidence"
    ((x0, _, x1, _),) = engines.lines
    assert x1 - x0 < 0.4 * (words[8].box[2] - words[0].box[0])


def test_where_ppocr_fails_the_words_stay_and_it_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    words = _clean()
    words[3] = words[3]._replace(text="tvvo", confidence=0.4)
    Engines(monkeypatch, words)
    n_asked = 0

    def fail(*arguments: object, **options: object) -> list[list[ppocr.OcrWord]]:
        nonlocal n_asked
        n_asked += 1
        raise ReaderError("it crashed")

    monkeypatch.setattr(ppocr, "read_lines", fail)
    with open_source(_page()) as source, source.page(1) as page:
        reader = FirstPass(PageReader(), Tesseract())
        for _ in range(2):
            reading = reader.read(ReaderInput(page, page.bbox))
    assert "tvvo" in reading.text
    assert reading.supporters == ()
    assert n_asked == 1


@pytest.mark.parametrize("words", [[], _clean(0.3), [word._replace(text="êñ#%") for word in _clean()]])
def test_what_tesseract_cannot_read_is_left_to_others(
    monkeypatch: pytest.MonkeyPatch, words: Sequence[tesseract.OcrWord]
) -> None:
    engines = Engines(monkeypatch, words)
    with open_source(_page()) as source, source.page(1) as page:
        reader = FirstPass(PageReader(), Tesseract())
        region = ReaderInput(page, page.bbox)
        assert reader.seen(region) is None
        assert reader.read(region).content is None
        reader.read(region)
    assert engines.n_first == 1
    assert not engines.lines


def test_a_page_whose_accents_tesseract_does_not_write_is_left_to_ppocr(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dots = [(number, i) for number, line in enumerate(LINES) for i, char in enumerate(line) if char in "ou"]
    engines = Engines(monkeypatch, _clean())
    with open_source(_page(dots=dots)) as source, source.page(1) as page:
        reader = FirstPass(PageReader(), Tesseract())
        assert reader.seen(ReaderInput(page, page.bbox)) is None
        assert reader.is_unsuited(page)
    assert engines.n_first == 1


def test_a_name_with_an_accent_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines(monkeypatch, _clean())
    with open_source(_page(dots=[(0, LINES[0].index("are"))])) as source, source.page(1) as page:
        reading = FirstPass(PageReader(), Tesseract()).read(ReaderInput(page, page.bbox))
    assert reading.text.splitlines()[0] == "Agreement between two readers again is evidence"
    assert len(engines.lines) == 1


@pytest.mark.parametrize(
    ("text", "is_unsuited"),
    [("x" * 30, False), ("光" * 30, True), ("", True)],
    ids=["Latin", "Chinese", "unknown"],
)
def test_some_lines_tell_whether_tesseract_reads_the_page(
    monkeypatch: pytest.MonkeyPatch, text: str, is_unsuited: bool
) -> None:
    engines = Engines(monkeypatch, _clean())

    def read_lines(*arguments: object, **options: object) -> list[list[ppocr.OcrWord]]:
        (_, boxes) = arguments
        assert isinstance(boxes, list)
        return [[ppocr.OcrWord(text, box, 0, 0.99)] if text else [] for box in boxes]

    monkeypatch.setattr(ppocr, "read_lines", read_lines)
    with open_source(_page([*LINES, *LINES[:3]])) as source, source.page(1) as page:
        reader = FirstPass(PageReader(), Tesseract())
        words = reader.glance(ReaderInput(page, page.bbox))
        assert words is not None
        assert len(words) == (5 if text else 0)
        assert reader.is_unsuited(page) == is_unsuited
        assert (reader.seen(ReaderInput(page, page.bbox)) is None) == is_unsuited
    assert engines.n_first == (0 if is_unsuited else 1)


def test_of_a_page_with_few_lines_all_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    Engines(monkeypatch, _clean())
    with open_source(_page(LINES[:2])) as source, source.page(1) as page:
        assert FirstPass(PageReader(), Tesseract()).glance(ReaderInput(page, page.bbox)) is None


def test_a_photograph_is_not_even_shown_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines(monkeypatch, _clean())
    noise = np.random.default_rng(0).normal(128, 25, (60, 80)).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((800, 600), Image.Resampling.BICUBIC).save(file, "PNG")
    with open_source(file.getvalue()) as source, source.page(1) as page:
        assert FirstPass(PageReader(), Tesseract()).seen(ReaderInput(page, page.bbox)) is None
    assert engines.n_first == 0


def test_where_tesseract_fails_ppocr_reads_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines(monkeypatch, ())

    def fail(*arguments: object, **options: object) -> list[tesseract.OcrWord]:
        raise ReaderError("it crashed")

    monkeypatch.setattr(tesseract, "read_page", fail)
    monkeypatch.setattr(ppocr, "missing", lambda: None)
    monkeypatch.setattr(tesseract, "missing", lambda program: None)
    with open_source(_page()) as source, source.page(1) as page, ReaderPool(_readers()) as pool:
        assert pool.eyes is not None
        assert pool.eyes(page) == []
    assert len(engines.pages) == 1


def _readers() -> tuple[PpOcr, Tesseract]:
    return PpOcr(PageReader()), Tesseract()


def test_best_effort_asks_both_about_all(monkeypatch: pytest.MonkeyPatch) -> None:
    engines = Engines(monkeypatch, _clean())
    monkeypatch.setattr(ppocr, "missing", lambda: None)
    monkeypatch.setattr(tesseract, "missing", lambda program: None)
    with open_source(_page()) as source, source.page(1) as page, ReaderPool(_readers(), "best") as pool:
        assert pool.eyes is not None
        pool.eyes(page)
    assert engines.n_first == 0
    assert len(engines.pages) == 1


def test_of_a_page_that_is_read_otherwise_only_the_regions_of_tables_are_shown_to_ppocr(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engines = Engines(monkeypatch, _clean())
    with open_source(_page()) as source, source.page(1) as page:
        pages = PageReader()
        assert FirstPass(pages, Tesseract()).seen(ReaderInput(page, page.bbox)) is not None
        region = ReaderInput(page, (20, 20, 300, 100))
        for _ in range(2):
            PpOcrTables(pages).read(region)
    ((height, width, _),) = engines.pages
    assert width < 0.7 * 1100
    assert height < 0.7 * 500


def test_a_page_that_cannot_be_read_is_tried_once_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    n_tried = 0

    def fail(*arguments: object, **options: object) -> list[ppocr.OcrWord]:
        nonlocal n_tried
        n_tried += 1
        raise ReaderError("it crashed")

    monkeypatch.setattr(ppocr, "read_words", fail)
    with open_source(_page()) as source, source.page(1) as page:
        pages = PageReader()
        region = ReaderInput(page, page.bbox)
        assert pages.seen(region) == []
        with pytest.raises(ReaderError, match="it crashed"):
            pages.words_in(region)
        assert pages.words_in(region) == []
    assert n_tried == 1


@needs_both
def test_labels_on_their_side_are_read_beside_the_print() -> None:
    with open_source(_page(label="Temperature in Kelvin")) as source, source.page(1) as page:
        reading = FirstPass(PageReader(), Tesseract()).read(ReaderInput(page, page.bbox))
    lines = reading.text.splitlines()
    assert lines[: len(LINES)] == list(LINES)
    assert lines[len(LINES) :] == ["Temperature in Kelvin"]
    assert reading.supporters == ("ppocr",)
