"""Pictures as they come: fax, inverted, very long, of very many words. Nothing that is read gets lost."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence

import pymupdf
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from docai import Document, Limits, Pipeline, ScriptedEngine
from docai.geometry import contains_center, grow
from docai.pipelines.evidence import readers
from docai.pipelines.external import ppocr
from docai.pipelines.ingest import PageWord, open_source
from docai.pipelines.layout import find_regions
from docai.pipelines.layout.types import SeenWord

needs_ppocr = pytest.mark.skipif(ppocr.missing() is not None, reason="rapidocr is not installed")

LINES = (
    "The ferry leaves the harbor at seven",
    "and calls at four islands before noon;",
    "parcels and bicycles are taken on board",
    "without charge on any day but Sunday.",
)


def printed(lines: Sequence[str], *, size: float = 12, dpi: int = 150) -> Image.Image:
    """A page 400 points wide, in gray."""
    with pymupdf.open() as document:
        page = document.new_page(width=400, height=300)
        for number, line in enumerate(lines):
            page.insert_text((50, 60 + 1.4 * size * number), line, fontsize=size)
        pixmap = page.get_pixmap(dpi=dpi, colorspace="gray")
    return Image.frombytes("L", (pixmap.width, pixmap.height), pixmap.samples)


def read(image: Image.Image, dpi: int = 150) -> Document:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", dpi=(dpi, dpi))
    engine = ScriptedEngine(dict.fromkeys(("table", "molecule", "score", "text"), ""), accuracy=0.0)
    return Pipeline(engine=engine).process(buffer.getvalue())


@pytest.fixture
def _ppocr_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "known_readers", lambda: (readers.TextLayer(), readers.PpOcr()))


def words_of(document: Document) -> Counter[str]:
    return Counter(word for text in document.texts for word in text.text.split())


@needs_ppocr
@pytest.mark.usefixtures("_ppocr_alone")
@pytest.mark.parametrize("how", ["fax", "inverted"])
def test_black_and_white_and_inverted_pages_are_read(how: str) -> None:
    image = printed(LINES)
    image = image.convert("1", dither=Image.Dither.NONE) if how == "fax" else ImageOps.invert(image)
    document = read(image)
    assert words_of(document) == Counter(" ".join(LINES).split())
    assert {record.kind for record in document.records} == {"text"}
    assert not any(issue.severity == "error" for issue in document.iter_issues())


@needs_ppocr
@pytest.mark.usefixtures("_ppocr_alone")
def test_a_strip_of_twenty_thousand_pixels_is_read() -> None:
    strip = Image.new("L", (20_000, 90), 255)
    draw = ImageDraw.Draw(strip)
    words = [f"word{number}" for number in range(40)]
    for number, word in enumerate(words):
        draw.text((100 + 490 * number, 25), word, fill=0, font=ImageFont.load_default(36))
    document = read(strip)
    assert document.pages[0].origin == "scan"
    assert (words_of(document) & Counter(words)).total() >= 38


def test_a_page_of_three_thousand_words_loses_none_in_layout() -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=612, height=792)
        for row in range(100):
            for column in range(3):
                line = " ".join(f"w{row}c{column}n{number}" for number in range(10))
                page.insert_text((36 + 182 * column, 40 + 7.2 * row), line, fontsize=4.5)
        words = page.get_text("words")
        picture = page.get_pixmap(dpi=200, colorspace="gray").tobytes("png")
    seen = [
        SeenWord(PageWord(text, (x0, y0 + 1.4, x1, y1 - 0.4), 0, number // 10), 0.95)
        for number, (x0, y0, x1, y1, text, *_) in enumerate(words)
    ]
    assert len(seen) == 3000
    with pymupdf.open() as document:
        page = document.new_page(width=612, height=792)
        page.insert_image(page.rect, stream=picture)
        data = document.tobytes()
    with open_source(data, limits=Limits()) as source, source.page(1) as page:
        layout = find_regions(page, see_words=lambda _: seen)
    boxes = [grow(region.bbox, 1) for region in layout.regions]
    assert all(any(contains_center(box, one.word.bbox) for box in boxes) for one in seen)
