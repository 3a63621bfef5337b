"""Columns: typed where all cells are numbers of one kind, text where anything is open."""

from __future__ import annotations

import pytest

from docai.contents import Column
from docai.parsers.table import parse_table
from docai.parsers.table_columns import read_columns


def kind(*texts: str) -> tuple[str, str | None]:
    [column] = read_columns([texts])
    return column.kind, column.unit


def values(*texts: str) -> list[float | int | None]:
    [column] = read_columns([texts])
    return list(column.values)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "2", "30"], ("integer", None)),
        (["1", "2.5"], ("number", None)),
        (["1", "", "–", "n/a", "3"], ("integer", None)),
        (["12%", "3.5 %"], ("percent", "%")),
        (["$ 1,234", "56", "$ 7"], ("currency", "$")),
        (["5 kg", "7 kg"], ("integer", "kg")),
        (["-", "", "n/a"], ("empty", None)),
        (["a", "b"], ("text", None)),
        (["1", "2", "ND"], ("text", None)),
        (["1", "1–2"], ("text", None)),
        (["12%", "13"], ("text", None)),
        (["5 kg", "7"], ("text", None)),
        (["5 kg", "7 g"], ("text", None)),
        (["$5", "€5"], ("text", None)),
        (["1.5", "2,5"], ("text", None)),
        (["12.3a", "11.2b"], ("text", None)),
    ],
)
def test_kinds(texts: list[str], expected: tuple[str, str | None]) -> None:
    assert kind(*texts) == expected


def test_values_stand_where_their_texts_do() -> None:
    assert values("1,234", "", "(56)", "7") == [1234, None, -56, 7]


def test_the_column_shows_which_mark_parts_the_decimals() -> None:
    assert values("1.234,5", "2.000") == [1234.5, 2000]
    assert values("1.234", "0.5") == [1.234, 0.5]
    assert values("1,234", "567") == [1234, 567]


def test_the_other_columns_show_it_where_the_column_does_not() -> None:
    _, open_column = read_columns([["0,5", "1,25"], ["1.234", "5"]])
    assert open_column.values == (1234, 5)
    _, open_column = read_columns([["0.5", "1.25"], ["1.234", "5"]])
    assert open_column.values == (1.234, 5)


def test_points_that_may_part_thousands_leave_the_column_text() -> None:
    assert kind("3.597", "268", "1.072") == ("text", None)
    assert kind("3.597", "0", "1.072") == ("number", None)


def test_commas_beside_points_in_one_table_stay_text() -> None:
    points, commas = read_columns([["0.5", "1.25"], ["1,2", "3,4"]])
    assert (points.kind, commas.kind) == ("number", "text")


@pytest.mark.parametrize(
    "texts",
    [
        ["(1)", "(2)", "(3)"],
        ["-5", "(3)", "4"],
        ["0.12", "(0.03)", "0.40", "(0.10)"],
    ],
)
def test_brackets_that_may_be_no_minus_leave_the_column_text(texts: list[str]) -> None:
    assert kind(*texts) == ("text", None)


def test_the_columns_of_a_record() -> None:
    content = parse_table(
        '<table><thead><tr><td rowspan="2">Item</td><td colspan="2">Group A</td></tr>'
        "<tr><td>n</td><td>share</td></tr></thead><tbody>"
        "<tr><td>a</td><td>1,234</td><td>5%</td></tr><tr><td>b</td><td>–</td><td>7.5%</td></tr>"
        "<tr><td>c</td><td>12</td><td></td></tr></tbody></table>"
    ).content
    assert content.columns == [
        Column(name="Item", kind="text", n_unread=3),
        Column(name="Group A / n", kind="integer", n_read=2, n_missing=1),
        Column(name="Group A / share", kind="percent", unit="%", n_read=2, n_missing=1),
    ]
    assert [cell.text for cell in content.cells][5:7] == ["1,234", "5%"]


def test_a_title_over_all_columns_is_no_part_of_their_names() -> None:
    html = (
        '<thead><tr><td colspan="2">Title</td></tr><tr><td>a</td><td>b</td></tr></thead><tr><td>1</td></tr>'
    )
    assert [column.name for column in parse_table(f"<table>{html}</table>").content.columns] == ["a", "b"]


def test_a_cell_over_several_columns_counts_in_the_first() -> None:
    html = '<table><tbody><tr><td>1</td><td>2</td></tr><tr><td colspan="2">not done</td></tr></tbody></table>'
    assert [column.kind for column in parse_table(html).content.columns] == ["text", "integer"]
