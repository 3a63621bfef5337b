"""Words that an OCR engine sees in a scan: layout is found by them, and invisible ones compared with them."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO

import numpy as np
import pymupdf
import pytest
from PIL import Image, ImageDraw

from docai import Limits, Pipeline, ScriptedEngine
from docai.contents import FigureContent
from docai.geometry import contains_center
from docai.pipelines.evidence.arbiter import decide
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.figure_words import read_seen_words
from docai.pipelines.evidence.text_layer import TextLayer, confirmed_share
from docai.pipelines.ingest import PageWord, open_source
from docai.pipelines.layout import PageLayout, find_regions
from docai.pipelines.layout.facsimile import CAPITAL, runs_of_words
from docai.pipelines.layout.hidden_words import compare_words
from docai.pipelines.layout.paragraphs import split_paragraphs
from docai.pipelines.layout.spread import split_spread
from docai.pipelines.layout.types import RegionCandidate, SeenWord, WordBox

LINES = ("Lanterns are lit in the evening", "by whoever walks along the quay", "and put out at seven")


def scan(*, links: bool = False, hidden: Sequence[str] = ()) -> tuple[bytes, list[SeenWord]]:
    """A scan of three lines, and its words as an engine sees them."""
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=200)
        for number, line in enumerate(LINES):
            page.insert_text((40, 60 + 14 * number), line, fontsize=11)
        words = page.get_text("words")
        if links:
            page.draw_rect(pymupdf.Rect(words[0][:4]), color=(0, 0.8, 0), width=1.2)
        picture = page.get_pixmap(dpi=200).tobytes("png")
    seen = [
        # Tight on the ink, as an engine's boxes are.
        SeenWord(PageWord(text, (x0, y0 + 3.5, x1, y1 - 1.0), 0, line), 0.95)
        for x0, y0, x1, y1, text, _, line, _ in words
    ]
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=200)
        page.insert_image(page.rect, stream=picture)
        for number, line in enumerate(hidden):
            page.insert_text((40, 60 + 14 * number), line, fontsize=11, render_mode=3)
        return document.tobytes(), seen


def layout_of(data: bytes, seen: Sequence[SeenWord]) -> PageLayout:
    with open_source(data, limits=Limits()) as source, source.page(1) as page:
        return find_regions(page, see_words=lambda _: seen)


def test_all_words_that_are_seen_lie_in_text_also_framed_ones() -> None:
    data, seen = scan(links=True)
    regions = layout_of(data, seen).regions
    assert {region.kind for region in regions} == {"text"}
    assert all(any(contains_center(r.bbox, one.word.bbox) for r in regions) for one in seen)


def test_an_engine_is_asked_only_for_pages_that_are_read_from_pixels() -> None:
    asked = []
    with pymupdf.open() as document:
        document.new_page(width=300, height=200).insert_text((40, 60), LINES[0])
        data = document.tobytes()
    with open_source(data, limits=Limits()) as source, source.page(1) as page:
        find_regions(page, see_words=lambda page: asked.append(page) or [])
    assert not asked


def test_a_word_is_set_in_the_size_that_its_letters_have() -> None:
    size, baseline = 10.0, 100.0
    top = baseline - CAPITAL * size
    words = [
        WordBox((0, top, 20, baseline), (0, 0), 4, text="Hold"),
        WordBox((25, baseline - 0.53 * size, 40, baseline), (0, 0), 4, text="some"),
        WordBox((45, top, 60, baseline + 0.21 * size), (0, 0), 4, text="hype"),
    ]
    assert [(run.size, run.baseline) for run in runs_of_words(words)] == [
        (pytest.approx(size), pytest.approx(baseline))
    ] * 3


def test_invisible_words_that_the_picture_shows_are_confirmed() -> None:
    data, seen = scan(hidden=LINES)
    (region,) = layout_of(data, seen).regions
    assert confirmed_share(region.words) == 1.0


def test_invisible_words_of_another_page_are_not_believed() -> None:
    data, seen = scan(hidden=("Minutes of the annual meeting", "held on Thursday in Bergen"))
    words = [word for region in layout_of(data, seen).regions for word in region.words]
    share = confirmed_share(words)
    assert share is not None
    assert share < 0.2
    engine = ScriptedEngine({"text": "", "table": "", "molecule": "", "score": ""})
    off = Pipeline(engine=engine, witnesses="off").process(data)
    assert [issue.code for text in off.texts for issue in text.issues] == ["text-layer-of-scan"]


def test_an_invisible_word_that_the_picture_shows_otherwise_is_named() -> None:
    changed = (LINES[0].replace("evening", "morning"), *LINES[1:])
    data, seen = scan(hidden=changed)
    (region,) = layout_of(data, seen).regions
    assert [(word.text, word.seen_as) for word in region.words if word.seen_as] == [("morning", "evening")]
    with open_source(data) as source, source.page(1) as page:
        reading = TextLayer().read(ReaderInput(page, region.bbox, region.words))
    assert [issue.code for issue in reading.issues] == ["text-layer-of-scan", "text-layer-differs"]
    assert "'evening' for 'morning'" in reading.issues[1].message
    assert reading.confidence.value == pytest.approx(confirmed_share(region.words))
    unsure = [one._replace(confidence=0.8) for one in seen]
    assert not any(word.seen_as for word in compare_words(region.bbox, region.words, unsure))


def test_words_in_letters_that_the_engine_does_not_know_are_not_compared() -> None:
    words = [PageWord("Протокол", (0, 0, 50, 10), 0, 0, is_ocr=True)]
    seen = [SeenWord(PageWord("NpoTokon", (0, 0, 50, 10), 0, 0), 0.9)]
    assert confirmed_share(compare_words((0, 0, 50, 10), words, seen)) is None


def test_two_pages_in_one_picture_are_read_one_after_the_other() -> None:
    def text(x0: float, y0: float, x1: float, y1: float, label: str = "") -> RegionCandidate:
        return RegionCandidate("text", (x0, y0, x1, y1), 0.9, [], label=label)

    left = [text(40, 20, 380, 30, "page-header"), text(40, 50, 380, 300), text(40, 310, 380, 560)]
    right = [text(430, 20, 770, 30, "page-header"), text(430, 50, 770, 560)]
    assert split_spread([*right, *left], 800, 600) == [left, right]
    heading = text(40, 35, 770, 45)
    assert split_spread([heading, *left, *right], 800, 600) == [[heading, *left, *right]]
    assert len(split_spread([*left, *right], 800, 1100)) == 1


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((900, 700), 255, np.uint8),
        np.zeros((900, 700), np.uint8),
        np.tile(np.linspace(40, 220, 800).astype(np.uint8), (600, 1)),
        np.full((40, 20_000), 255, np.uint8),
    ],
    ids=["white", "black", "shades", "strip"],
)
def test_pictures_without_text_are_pages_without_errors(pixels: np.ndarray) -> None:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    engine = ScriptedEngine({"text": "", "table": "", "molecule": "", "score": ""})
    document = Pipeline(engine=engine, witnesses="off").process(buffer.getvalue())
    assert document.pages[0].origin in ("blank", "scan")
    assert not any(issue.severity == "error" for issue in document.issues)


def test_words_in_a_photograph_are_texts_beside_it() -> None:
    shades = np.tile(np.linspace(70, 190, 500).astype(np.uint8), (400, 1))
    shades[150:190, 100:300:12] = 20
    buffer = BytesIO()
    Image.fromarray(shades).save(buffer, "PNG")
    seen = [SeenWord(PageWord("EXIT", (100, 150, 190, 190), 0, 0), 0.9)]
    regions = layout_of(buffer.getvalue(), seen).regions
    (text,) = (region for region in regions if "words seen in a photograph" in region.evidence)
    assert text.kind == "text"
    assert contains_center(text.bbox, seen[0].word.bbox)
    assert any(region.kind == "figure" for region in regions)


def test_words_in_a_chart_are_the_text_of_its_figure() -> None:
    picture = Image.new("L", (1800, 1200), 255)
    draw = ImageDraw.Draw(picture)
    draw.line([(240, 120), (240, 1020), (1680, 1020)], fill=0, width=6)
    draw.line([(240, 990), (480, 720), (720, 810), (960, 390), (1200, 480), (1620, 180)], fill=0, width=9)
    buffer = BytesIO()
    picture.save(buffer, "PNG", dpi=(216, 216))
    seen = [
        SeenWord(PageWord("Year", (300, 310, 340, 325), 0, 0), 0.9),
        SeenWord(PageWord("Turnover", (110, 70, 180, 85), 0, 1), 0.7),
        SeenWord(PageWord("vibble", (420, 250, 460, 265), 0, 2), 0.1),
    ]
    (figure,) = layout_of(buffer.getvalue(), seen).regions
    assert figure.kind == "figure"
    assert {one.word.text for one in figure.seen} == {"Year", "Turnover"}
    decision = decide("figure", None, [read_seen_words(figure.seen)])
    assert decision is not None
    assert decision.content == FigureContent(text="Turnover\nYear")
    assert decision.evidence == ("layout", "ppocr")
    assert decision.confidence.value is not None


def test_print_in_which_no_word_is_seen_is_told_and_doubted() -> None:
    data, seen = scan()
    (text,) = layout_of(data, [one for one in seen if one.word.line == 0]).regions
    assert text.unread
    assert all(box[1] > 60 for box in text.unread)
    unread = layout_of(data, seen).regions[0].unread
    assert unread == ()


def test_paragraphs_with_an_indented_first_line_are_regions_of_their_own() -> None:
    rows = [(20, 200), (10, 200), (10, 120), (20, 200), (10, 200), (10, 60)]
    words = [WordBox((x0, 12.0 * row, x1, 12.0 * row + 9), (0, row), 20) for row, (x0, x1) in enumerate(rows)]
    region = RegionCandidate("text", (10, 0, 200, 70), 0.9, [], word_indices=list(range(6)), label="text")
    parts = split_paragraphs([region], words)
    assert [part.word_indices for part in parts] == [[0, 1, 2], [3, 4, 5]]
    centered = [word._replace(bbox=(60.0, *word.bbox[1:])) for word in words[:3]]
    (whole,) = split_paragraphs([replace(region, word_indices=[0, 1, 2])], centered)
    assert whole.word_indices == [0, 1, 2]


def test_wide_space_between_lines_parts_a_heading_from_the_text_around_it() -> None:
    tops = [0, 12, 24, 46, 66, 78, 90]
    words = [WordBox((10, y, 100 if y == 46 else 200, y + 9), (0, n), 20) for n, y in enumerate(tops)]
    region = RegionCandidate("text", (10, 0, 200, 99), 0.9, [], word_indices=list(range(7)), label="text")
    parts = split_paragraphs([region], words)
    assert [part.word_indices for part in parts] == [[0, 1, 2], [3], [4, 5, 6]]
    assert all("space" in part.evidence[-1] for part in parts)
    even = [word._replace(bbox=(10, 22.0 * n, 200, 22.0 * n + 9)) for n, word in enumerate(words)]
    assert len(split_paragraphs([region], even)) == 1
