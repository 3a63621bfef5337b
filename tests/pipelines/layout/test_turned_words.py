"""Words that do not run along the lines of the page: margin stamps, axis labels, slanted and turned heads."""

from __future__ import annotations

from typing import Any

import pymupdf
import pytest

from docai.pipelines.ingest import open_source
from docai.pipelines.layout import Region, find_regions
from docai.pipelines.layout.order import lines_of
from docai.pipelines.layout.types import SKEWED, WordBox, quarter_turn
from docai.pipelines.words import cell_content, text_from_words

PROSE = "Prose that fills a paragraph of several lines, with words of many lengths and the usual marks. " * 4

STAMP = "Preprint:2405.01234v2 [cs.XX] 7 May 2024"


def regions_of(document: Any, rotation: int = 0) -> tuple[Region, ...]:
    document[0].set_rotation(rotation)
    with open_source(document.tobytes()) as source:
        return find_regions(next(iter(source.pages()))).regions


def texts_of(regions: tuple[Region, ...]) -> list[str]:
    return [text_from_words(region.words).text for region in regions]


def paper(page: Any) -> None:
    page.insert_text((100, 90), "A Title of This Paper", fontsize=18, fontname="hebo")
    page.insert_textbox((100, 120, 520, 260), PROSE, fontsize=10)
    page.insert_textbox((100, 280, 520, 420), PROSE, fontsize=10)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("upwards", [True, False], ids=["up", "down"])
def test_a_margin_stamp_is_read_along_its_own_line_and_after_the_body(rotation: int, upwards: bool) -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=612, height=792)
        paper(page)
        at = (30, 560) if upwards else (20, 200)
        page.insert_text(at, STAMP, fontsize=14, rotate=90 if upwards else 270)
        texts = texts_of(regions_of(document, rotation))
    assert texts[-1] == STAMP
    assert texts[0] == "A Title of This Paper"
    assert not any("Preprint" in text for text in texts[:-1])


def test_two_turned_lines_are_two_lines_in_order() -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=612, height=792)
        paper(page)
        page.insert_text((560, 300), "First line of the note", fontsize=10, rotate=270)
        page.insert_text((547, 300), "and its second line", fontsize=10, rotate=270)
        texts = texts_of(regions_of(document))
    assert texts[-1] == "First line of the note\nand its second line"


def test_turned_words_take_no_level_words_along() -> None:
    """A long turned line whose box meets the lines of a paragraph."""
    with pymupdf.open() as document:
        page = document.new_page(width=612, height=792)
        paper(page)
        page.insert_text((300, 700), "DO NOT COPY THIS", fontsize=11, rotate=90)
        page.insert_textbox((310, 560, 520, 700), PROSE[:190], fontsize=10)
        texts = texts_of(regions_of(document))
    assert "DO NOT COPY THIS" in texts
    assert sum("COPY" in text for text in texts) == 1


def test_lines_of_a_region_with_level_and_turned_words() -> None:
    def box(x: float, y: float, turn: int, line: int) -> WordBox:
        size = (6, 20) if turn % 2 else (20, 6)
        return WordBox((x, y, x + size[0], y + size[1]), (0, line), 4, turn)

    up = [box(10, 40, 3, 0), box(10, 70, 3, 0), box(20, 40, 3, 1), box(20, 70, 3, 1)]
    level = [box(40, 100, 0, 2), box(70, 100, 0, 2)]
    slanted = [box(90, 110, SKEWED, 3), box(80, 118, SKEWED, 3)]
    assert lines_of(list(range(8)), [*up, *level, *slanted]) == [[1, 0], [3, 2], [4, 5], [6, 7]]
    down = [word._replace(turn=1) for word in up]
    assert lines_of(list(range(4)), down) == [[2, 3], [0, 1]]


def test_angles_are_quarters_or_slanted() -> None:
    angles = [0, 4, 356, 90, 75, 180, 265, 270, 315, 45, 359.9]
    assert [quarter_turn(angle) for angle in angles] == [0, 0, 0, 1, 1, 2, 3, 3, SKEWED, SKEWED, 0]


def test_turned_heads_of_a_ruled_table_are_read_along_their_lines() -> None:
    heads = ["Place", "Market loans", "Other income", "Share of all"]
    rows = [["Kerala", "24.9", "4.1", "12"], ["Punjab", "10.9", "7.2", "31"], ["Goa", "12.0", "0.3", "57"]]
    with pymupdf.open() as document:
        page = document.new_page(width=500, height=400)
        for col, head in enumerate(heads):
            x = 80 + 70 * col
            page.draw_rect((x, 60, x + 70, 150))
            if col:
                page.insert_text((x + 38, 144), head, fontsize=10, rotate=90)
            else:
                page.insert_text((x + 8, 140), head, fontsize=10)
            for number, row in enumerate(rows):
                y = 150 + 20 * number
                page.draw_rect((x, y, x + 70, y + 20))
                page.insert_text((x + 8, y + 14), row[col], fontsize=10)
        data = document.tobytes()
    import docai

    engine = docai.ScriptedEngine({"table": lambda request: ""})
    given = {1: [("table", (75, 55, 365, 215))]}
    (table,) = docai.Pipeline(engine=engine, witnesses="off").process(data, regions=given).records
    assert isinstance(table, docai.Table)
    assert [line.split(",") for line in table.to_csv().split("\r\n")[:-1]] == [heads, *rows]


def test_words_of_a_turned_cell_are_in_the_order_of_its_lines() -> None:
    from docai.pipelines.ingest import PageWord

    words = [
        PageWord("Market", (10, 40, 20, 70), 0, 0, 10, 270),
        PageWord("loans", (10, 15, 20, 38), 0, 0, 10, 270),
        PageWord("net", (22, 50, 32, 70), 0, 1, 10, 270),
    ]
    assert cell_content(words) == ("Market loans net", [])
    assert text_from_words(words).text == "Market loans\nnet"


def test_a_turned_page_that_names_objects_that_are_not_there_has_its_regions() -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=200)
        page.insert_text((20, 40), "Hello world", fontsize=12)
        (content,) = page.get_contents()
        document.xref_set_key(page.xref, "Contents", f"[{content} 0 R 99999 0 R]")
        assert texts_of(regions_of(document, rotation=90)) == ["Hello world"]
