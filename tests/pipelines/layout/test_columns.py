"""Reading order of pages in columns, whatever stands over them, and which words make a region."""

from __future__ import annotations

from typing import Any

import pymupdf
import pytest

from docai.geometry import BBox
from docai.pipelines.ingest import open_source
from docai.pipelines.layout import find_regions
from docai.pipelines.layout.assign import assign_words
from docai.pipelines.layout.order import reading_order
from docai.pipelines.layout.types import PageEvidence, RegionCandidate, WordBox

PROSE = "Prose that fills a paragraph of several lines, with words of many lengths and the usual marks. "


def texts_of(draw: Any) -> list[str]:
    with pymupdf.open() as document:
        draw(document.new_page(width=595, height=842))
        data = document.tobytes()
    with open_source(data) as source:
        regions = find_regions(next(iter(source.pages()))).regions
    return [" ".join(word.text for word in region.words) for region in regions]


def centered(page: Any, y: float, text: str, size: float) -> None:
    x = 297.5 - pymupdf.get_text_length(text, fontsize=size) / 2
    page.insert_text((x, y), text, fontsize=size)


def paper(page: Any, *, rest: str, authors: list[str]) -> None:
    """Title, authors, two columns; the second begins with the rest of a paragraph."""
    centered(page, 80, "On lanterns and harbors at night", 18)
    for number, author in enumerate(authors):
        centered(page, 105 + 14 * number, author, 10)
    for section in range(3):
        y = 190 + 170 * section
        page.insert_text((50, y), f"{section + 1}. Left", fontsize=10, fontname="hebo")
        page.insert_textbox((50, y + 8, 289, y + 160), PROSE * 5, fontsize=9)
    page.insert_textbox((307, 182, 545, 230), rest, fontsize=9)
    for section in range(2):
        y = 250 + 170 * section
        page.insert_text((307, y), f"{section + 4}. Right", fontsize=10, fontname="hebo")
        page.insert_textbox((307, y + 8, 545, y + 160), PROSE * 5, fontsize=9)


@pytest.mark.parametrize("rest", ["the rest of it.", PROSE, PROSE * 2], ids=["short", "long", "longer"])
@pytest.mark.parametrize(
    "authors",
    [["A. Author and B. Writer"], ["A. Author", "University of Harbors", "a.author@example.org"], []],
    ids=["one", "three", "none"],
)
def test_the_second_column_begins_after_the_first(rest: str, authors: list[str]) -> None:
    texts = texts_of(lambda page: paper(page, rest=rest, authors=authors))
    said = " ".join(texts)
    left, right = ["1. Left", "2. Left", "3. Left"], ["4. Right", "5. Right"]
    marks = ["On lanterns", *authors, *left, rest[:40].strip(), *right]
    places = []
    after = 0
    for mark in marks:
        # The rest of the paragraph has the words of the others: it is looked for from where it may begin.
        after = said.index(mark, after)
        places.append(after)
    assert places == sorted(places)
    assert said.index("3. Left") < said.index("4. Right") < said.index("5. Right")
    assert said.index("1. Left") < said.index("2. Left") < said.index("3. Left")
    assert texts[0].startswith("On lanterns")


def region(name: str, box: BBox, turn: int = 0) -> RegionCandidate:
    return RegionCandidate("text", box, 1.0, [], label=name, turn=turn)


def names(regions: list[RegionCandidate]) -> list[str]:
    return [one.label for one in reading_order(regions)]


def test_a_short_centered_line_is_part_of_no_column() -> None:
    page = [
        region("title", (165, 69, 429, 86)),
        region("authors", (248, 95, 346, 102)),
        region("left head", (50, 180, 138, 188)),
        region("left", (50, 198, 289, 700)),
        region("rest", (307, 180, 484, 189)),
        region("right head", (307, 201, 397, 209)),
        region("right", (307, 219, 545, 487)),
    ]
    assert names(page[::-1]) == [one.label for one in page]


def test_a_wide_table_and_a_centered_formula_part_the_columns() -> None:
    page = [
        region("left", (50, 50, 289, 200)),
        region("right", (307, 50, 545, 200)),
        region("formula", (250, 215, 340, 230)),
        region("left on", (50, 245, 289, 400)),
        region("right on", (307, 245, 545, 400)),
        region("table", (100, 420, 480, 500)),
        region("left end", (50, 520, 289, 700)),
        region("right end", (307, 520, 545, 700)),
    ]
    assert names(page[::-1]) == [one.label for one in page]


def test_three_columns_with_a_table_over_two_of_them() -> None:
    page = [
        region("a", (50, 50, 200, 300)),
        region("b", (220, 50, 370, 300)),
        region("table", (50, 320, 370, 400)),
        region("a2", (50, 420, 200, 700)),
        region("b2", (220, 420, 370, 700)),
        region("c", (390, 50, 540, 700)),
    ]
    assert names(page[::-1]) == ["a", "b", "table", "a2", "b2", "c"]


def test_turned_text_in_the_margin_comes_last_and_beside_a_figure_it_stays() -> None:
    page = [region("title", (100, 50, 500, 80)), region("body", (100, 100, 500, 700))]
    stamp = region("stamp", (15, 300, 34, 560), 3)
    foot = region("page-footer", (290, 780, 310, 790))
    assert names([stamp, foot, *page]) == ["title", "body", "stamp", "page-footer"]
    side = region("side", (110, 300, 124, 400), 3)
    blocks = [region("above", (100, 50, 500, 280)), side, region("below", (100, 420, 500, 700))]
    assert names(blocks[::-1]) == ["above", "side", "below"]


def line(y: float, number: int, height: float = 12.0) -> list[WordBox]:
    return [WordBox((70 + 40 * i, y, 105 + 40 * i, y + height), (number, 0), 5) for i in range(4)]


def evidence(words: list[WordBox]) -> PageEvidence:
    return PageEvidence(595, 842, words, [], [], [], lambda box: None)  # type: ignore[arg-type,return-value]


def test_lines_left_over_are_not_joined_over_what_another_region_has() -> None:
    words = [*line(100, 0, 24), *line(119, 1, 24), *line(138, 2, 24)]
    regions = [RegionCandidate("text", (60, 121, 240, 141), 0.9, [], label="text")]
    assign_words(evidence(words), regions)
    assert [sorted(one.word_indices) for one in regions] == [[4, 5, 6, 7], [0, 1, 2, 3], [8, 9, 10, 11]]


def test_a_word_goes_to_the_region_that_holds_it_best_not_to_the_largest() -> None:
    words = [*line(100, 0), *line(120, 1)]
    around = RegionCandidate("text", (0, 0, 500, 500), 0.9, [], label="page-footer")
    close = RegionCandidate("text", (69, 99, 240, 112.5), 0.9, [], label="text")
    low = RegionCandidate("text", (69, 119, 240, 132.5), 0.9, [], label="text")
    for regions in ([around, close], [close, around]):
        assign_words(evidence(words), regions, move=False)
        assert close.word_indices == [0, 1, 2, 3]
        assert around.word_indices == [4, 5, 6, 7]
    regions = [around, close, low]
    assign_words(evidence(words), regions, move=False)
    assert (around.word_indices, close.word_indices, low.word_indices) == ([], [0, 1, 2, 3], [4, 5, 6, 7])


TALE = (
    "nce upon a time there was a page with a large letter and a note in its margin beside the first lines. "
)


@pytest.mark.parametrize("size", [30, 42, 60])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_drop_cap_begins_its_paragraph_whatever_stands_in_the_margin(size: float, side: str) -> None:
    def draw(page: Any) -> None:
        page.insert_text((150, 80), "A Chapter of the Book", fontsize=18, fontname="hebo")
        x = 50 if side == "left" else 450
        page.insert_textbox((x, 118, x + 90, 200), "A note in the margin that tells of 1904.", fontsize=8)
        page.insert_text((150, 148), "O", fontsize=size, fontname="tiro")
        cap = pymupdf.get_text_length("O", fontsize=size, fontname="tiro")
        words, y = (TALE * 4).split(), 125.0
        while words:
            left, line = 150 + (cap + 3 if y < 152 else 0), ""
            while words and pymupdf.get_text_length(f"{line} {words[0]}", fontsize=10) < 430 - left:
                line = f"{line} {words.pop(0)}".strip()
            page.insert_text((left, y), line, fontsize=10, fontname="tiro")
            y += 12.5

    texts = texts_of(draw)
    paragraph = next(text for text in texts if "nce upon" in text)
    assert paragraph.startswith("O nce upon a time there was")
    assert "A note in the margin that tells of 1904." in texts
    assert texts[0] == "A Chapter of the Book"


def test_notes_left_of_the_text_are_read_before_what_they_stand_beside() -> None:
    page = [
        region("title", (130, 50, 500, 80)),
        region("note", (40, 110, 115, 150)),
        region("first", (130, 105, 500, 300)),
        region("second note", (40, 330, 115, 360)),
        region("second", (130, 320, 500, 500)),
    ]
    assert names(page[::-1]) == [one.label for one in page]


def test_columns_of_one_width_are_no_notes() -> None:
    page = [
        region("left", (50, 300, 290, 400)),
        region("a", (310, 50, 550, 250)),
        region("b", (310, 260, 550, 700)),
    ]
    assert names(page[::-1]) == ["left", "a", "b"]


@pytest.mark.parametrize("title", ["Three Column News", "News"])
def test_a_short_title_over_three_columns_heads_all_of_them(title: str) -> None:
    def draw(page: Any) -> None:
        for band in range(2):
            top = 20 + 390 * band
            page.insert_textbox((50, top, 545, top + 40), title, fontsize=20, align=1)
            for column in range(3):
                x = 50 + 170 * column
                text = f"T{band}{column} " + "lamp harbor orchard walnut juniper copper lantern " * 13
                page.insert_textbox((x, top + 60, x + 155, top + 350), text, fontsize=9)

    first = [text.split()[0] for text in texts_of(draw)]
    start = title.split()[0]
    assert first == [start, "T00", "T01", "T02", start, "T10", "T11", "T12"]
