"""A table in other formats: read back by a reader of each, it is the same."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.contents import Cell, TableContent
from docai.errors import MissingDependencyError
from docai.parsers.table import parse_table
from docai.parsers.table_grid import head_rows, table_from_rows
from docai.table_formats import to_csv, to_dataframe, to_html, to_markdown

CELL_TEXT = st.text(max_size=8) | st.sampled_from(
    ["a|b", "a\\|b", "\\", "*x*", "_x_", "a_b", "`|`", "<b>", "x < y", "&amp;", "a&b", "[x](y)", "~~x~~",
     "# x", "---", ":-:", "1. x", "> x", '"q"', "a,b", "a;b", "=1+1", "1,234", "(5)", "12%", "–", "$5", "!"]
)  # fmt: skip
ROWS = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.lists(CELL_TEXT | st.none(), min_size=n, max_size=n), min_size=1, max_size=4)
)


def group_table() -> TableContent:
    return parse_table(
        '<table><thead><tr><td rowspan="2">Item</td><td colspan="2">Group</td><td>Cost</td></tr>'
        "<tr><td>n</td><td>n</td><td></td></tr></thead><tbody>"
        '<tr><td rowspan="2">a | b</td><td>1,234</td><td>0.5</td><td>$5</td></tr>'
        "<tr><td>–</td><td>1.25</td><td>(7)</td></tr>"
        '<tr><td>c</td><td>3</td><td colspan="2">none</td></tr></tbody></table>'
    ).content


def test_html_is_that_of_the_cells_as_they_are() -> None:
    table = group_table()
    assert to_html(table) == table.html
    table.cells[0].text = "Changed"
    assert ">Changed</td>" in to_html(table)
    assert parse_table(to_html(table)).content.cells == table.cells


def test_csv() -> None:
    assert to_csv(group_table()) == (
        'Item,Group,,Cost\r\n,n,n,\r\na | b,"1,234",0.5,$5\r\n,–,1.25,(7)\r\nc,3,none,\r\n'
    )
    repeated = list(
        csv.reader(io.StringIO(to_csv(group_table(), repeat_spans=True, delimiter=";")), delimiter=";")
    )
    assert repeated[0] == ["Item", "Group", "Group", "Cost"]
    assert repeated[3][0] == "a | b"
    assert repeated[4] == ["c", "3", "none", "none"]


@given(ROWS)
@settings(deadline=None)
def test_csv_is_read_back(rows: list[list[str | None]]) -> None:
    table = table_from_rows(rows)
    read = list(csv.reader(io.StringIO(to_csv(table), newline="")))
    expected = [[""] * table.n_cols for _ in range(table.n_rows)]
    for cell in table.cells:
        expected[cell.row][cell.col] = cell.text
    assert read == expected


def test_markdown() -> None:
    assert to_markdown(group_table()) == (
        "| Item | Group / n | Group / n | Cost |\n"
        "| --- | ---: | --- | ---: |\n"
        "| a \\| b | 1,234 | 0.5 | $5 |\n"
        "|  | – | 1.25 | (7) |\n"
        "| c | 3 | none |  |\n"
    )


def test_markdown_of_a_table_without_a_head_has_an_empty_header_row() -> None:
    table = parse_table("<table><tbody><tr><td>a</td><td>1</td></tr></tbody></table>").content
    assert to_markdown(table) == "|  |  |\n| --- | ---: |\n| a | 1 |\n"
    assert to_markdown(TableContent()) == ""


def test_markdown_keeps_line_ends_inside_its_cell() -> None:
    table = TableContent(n_rows=1, n_cols=1, cells=[Cell(row=0, col=0, text="a\nb\r\nc")])
    assert to_markdown(table).splitlines()[2] == "| a<br>b<br>c |"


def read_markdown(text: str) -> list[list[str]]:
    """The texts of a table's cells, as a CommonMark reader with GFM tables shows them."""
    markdown_it = pytest.importorskip("markdown_it")
    rows: list[list[str]] = []
    for token in markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            assert {child.type for child in token.children} <= {"text", "text_special"}, token.children
            rows[-1].append("".join(child.content for child in token.children))
        else:
            assert token.type.split("_")[0] in ("table", "thead", "tbody", "tr", "th", "td")
    return rows


@given(ROWS)
@settings(max_examples=200, deadline=None)
def test_markdown_is_read_back_by_another_reader(rows: list[list[str | None]]) -> None:
    table = table_from_rows(rows, header_rows=1)
    expected = [[""] * table.n_cols for _ in range(table.n_rows)]
    for cell in table.cells:
        columns = range(cell.col, cell.col + cell.col_span) if cell.is_header else [cell.col]
        for col in columns:
            expected[cell.row][col] = cell.text
    if head_rows(table) == 0:
        expected.insert(0, [""] * table.n_cols)
    assert read_markdown(to_markdown(table)) == expected


def test_a_dataframe_is_typed_and_says_its_units() -> None:
    pandas = pytest.importorskip("pandas")
    table = parse_table(
        "<table><tr><th>Item</th><th>n</th><th>n</th><th>Share</th><th>Cost</th></tr>"
        "<tr><td>a</td><td>1,234</td><td>0.5</td><td>5%</td><td>$5</td></tr>"
        "<tr><td></td><td>–</td><td>n/a</td><td>7.5%</td><td>(7)</td></tr></table>"
    ).content
    frame = to_dataframe(table)
    assert list(frame.columns) == ["Item", "n", "n.1", "Share", "Cost"]
    assert [str(dtype) for dtype in frame.dtypes] == ["string", "Int64", "Float64", "Float64", "Int64"]
    assert frame["n"].tolist() == [1234, pandas.NA]
    assert frame["Cost"].tolist() == [5, -7]
    assert frame["Item"].isna().tolist() == [False, True]
    assert frame.attrs["units"] == {"Share": "%", "Cost": "$"}
    untyped = to_dataframe(table, typed=False)
    assert set(map(str, untyped.dtypes)) == {"string"}
    assert untyped["n"].tolist() == ["1,234", "–"]
    assert untyped.attrs["units"] == {}


def test_a_dataframe_loses_no_text_of_a_column_that_is_not_numeric() -> None:
    pytest.importorskip("pandas")
    frame = to_dataframe(group_table(), repeat_spans=True)
    assert list(frame.columns) == ["Item", "Group / n", "Group / n.1", "Cost"]
    assert frame["Item"].tolist() == ["a | b", "a | b", "c"]
    assert frame["Group / n.1"].tolist() == ["0.5", "1.25", "none"]


def test_a_dataframe_of_a_table_without_a_head_numbers_its_columns() -> None:
    pytest.importorskip("pandas")
    table = parse_table("<table><tbody><tr><td>a</td><td>1</td></tr></tbody></table>").content
    frame = to_dataframe(table)
    assert list(frame.columns) == [0, 1]
    assert frame.shape == (1, 2)
    assert to_dataframe(TableContent()).shape == (0, 0)


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_a_dataframe_of_any_table_has_its_texts_or_numbers(rows: list[list[str | None]]) -> None:
    pytest.importorskip("pandas")
    table = table_from_rows(rows)
    frame = to_dataframe(table)
    assert frame.shape == (table.n_rows - head_rows(table), table.n_cols)
    assert frame.columns.is_unique
    texts = to_dataframe(table, typed=False)
    for index, column in enumerate(table.columns):
        if column.kind in ("text", "empty"):
            assert frame.iloc[:, index].equals(texts.iloc[:, index])
        else:
            assert frame.iloc[:, index].notna().sum() == column.n_read


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match="pip install 'pandas'"):
        to_dataframe(group_table())


def test_the_other_formats_need_no_pandas() -> None:
    code = (
        "import sys; from docai.contents import TableContent, Cell\n"
        "from docai.table_formats import to_csv, to_html, to_markdown\n"
        "t = TableContent(n_rows=1, n_cols=1, cells=[Cell(row=0, col=0, text='a')])\n"
        "to_html(t), to_csv(t), to_markdown(t)\n"
        "assert not {'pandas', 'lxml', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_table_from_before_format_1_3_still_loads_and_writes() -> None:
    old: dict[str, Any] = {
        "html": "", "n_rows": 2, "n_cols": 1,
        "cells": [{"row": 0, "col": 0, "text": "n", "is_header": True}, {"row": 1, "col": 0, "text": "5"}],
    }  # fmt: skip
    table = TableContent.model_validate(old)
    assert table.columns == []
    assert to_markdown(table) == "| n |\n| ---: |\n| 5 |\n"
