"""Footnote marks on numbers of a table: data apart, never a digit."""

from __future__ import annotations

from typing import Any

import pymupdf
import pytest

import docai
from docai.pipelines.ingest import PageWord
from docai.pipelines.words import cell_content, cell_words, native_words

ROWS = [
    ["State", "Loans", "Share"],
    ["Kerala", "24.91^2", "4.11"],
    ["Punjab", "10.93", "7.23"],
    ["Goa^b", "1204^1", "0.38"],
    ["Assam", "10.02", "0.26^a"],
    ["All", "1250.86", "11.98"],
]


POWERS = [
    ["Name", "Bits", "Size"],
    ["Small", "8", "2^10"],
    ["Middle", "16", "2^11"],
    ["Large", "32", "2^12"],
    ["Huge", "64", "2^13"],
    ["Whole", "64", "2^14"],
]


def draw_table(page: Any, rows: list[list[str]], *, ruled: bool) -> None:
    for number, row in enumerate(rows):
        y = 100 + 20 * number
        for col, text in enumerate(row):
            x = 100 + 110 * col
            base, _, mark = text.partition("^")
            page.insert_text((x, y), base, fontsize=10)
            end = x + pymupdf.get_text_length(base, fontsize=10)
            page.insert_text((end, y - 3.6), mark, fontsize=7)
            if ruled:
                page.draw_rect((x - 10, y - 14, x + 100, y + 6))
    if not ruled:
        for y in (85, 105, 206):
            page.draw_line((95, y), (400, y))


def table_of(*, ruled: bool, rows: list[list[str]] = ROWS) -> docai.Table:
    with pymupdf.open() as document:
        draw_table(document.new_page(width=500, height=300), rows, ruled=ruled)
        data = document.tobytes()
    engine = docai.ScriptedEngine({"table": lambda request: ""})
    regions = {1: [("table", (90, 80, 420, 212))]}
    document = docai.Pipeline(engine=engine, witnesses="off").process(data, regions=regions)
    (record,) = document.records
    assert isinstance(record, docai.Table)
    return record


@pytest.mark.parametrize("ruled", [True, False], ids=["ruled", "lines"])
def test_numbers_are_numbers_and_marks_stand_beside_them(ruled: bool) -> None:
    table = table_of(ruled=ruled)
    rows = [line.split(",") for line in table.to_csv().split()]
    assert rows == [[text.partition("^")[0] for text in row] for row in ROWS]
    marks = {cell.text: cell.marks for cell in table.cells if cell.marks}
    assert marks == {"24.91": ["2"], "Goa": ["b"], "1204": ["1"], "0.26": ["a"]}
    assert [column.kind for column in table.columns] == ["text", "number", "number"]
    assert table.to_dataframe()["Loans"].tolist()[0] == 24.91
    assert "<td>24.91<sup>2</sup></td>" in table.to_html()
    assert "| 24.91² |" in table.to_markdown()


def test_cells_and_words_of_the_pdf_are_the_same_words() -> None:
    table = table_of(ruled=True)
    assert table.confidence.value > 0.85
    assert not any(issue.code == "table-words-disagree" for issue in table.issues)
    assert "24.91²" in (table.native_text or "").split()
    assert sorted(cell_words(table)).count("24.912") == 0


def word(text: str, mark: str = "", x: float = 0.0) -> PageWord:
    return PageWord(text, (x, 0.0, x + 10.0, 10.0), 0, 0, mark=mark)


def test_a_mark_in_the_middle_of_a_cell_or_alone_stays_in_its_text() -> None:
    assert cell_content([word("loans²", "2"), word("(net)", x=12)]) == ("loans² (net)", [])
    assert cell_content([word("²", "2")]) == ("²", [])
    assert cell_content([word("5"), word("m", x=12), word("²", "2", x=24)]) == ("5 m ²", [])
    assert cell_content([word("5.1"), word("²", "2", x=12), word("ᵃ", "a", x=24)]) == ("5.1", ["2", "a"])
    assert native_words([word("24.91²", "2"), word("m²")]) == ["24.91", "2", "m", "2"]


@pytest.mark.parametrize("ruled", [True, False], ids=["ruled", "lines"])
def test_a_column_of_powers_is_none_of_numbers_with_marks(ruled: bool) -> None:
    table = table_of(ruled=ruled, rows=POWERS)
    assert [cell.text for cell in table.cells if cell.col == 2] == ["Size", "2¹⁰", "2¹¹", "2¹²", "2¹³", "2¹⁴"]
    assert not any(cell.marks for cell in table.cells)
    assert [column.kind for column in table.columns] == ["text", "integer", "text"]
