"""Numbers that a footnote mark may have become a digit of."""

from __future__ import annotations

import pytest

from docai.contents import TableContent
from docai.parsers.table import parse_table
from docai.parsers.table_columns import read_columns
from docai.pipelines.evidence.arbiter import decide
from docai.pipelines.evidence.base import Decision, Reading


@pytest.mark.parametrize(
    "texts",
    [
        ["24.912", "3.18", "7.02", "11.40"],
        ["1,2041", "1,203", "956", "2,488"],
        ["1.2041", "1.203", "956", "2.488"],
        ["1,203", "9562", "2,488", "3,001"],
        ["12.4%", "8.1%", "45.72%", "33.0%"],
        ["24,912", "3,18", "7,02", "11,40"],
        ["5.1812", "3.18", "7.02", "11.40"],
    ],
)
def test_a_number_with_a_digit_too_many_is_unread_and_its_column_text(texts: list[str]) -> None:
    [column] = read_columns([texts])
    assert (column.kind, column.n_unread, column.n_read) == ("text", 1, len(texts) - 1)
    assert set(column.values) == {None}


@pytest.mark.parametrize(
    "texts",
    [
        ["0.5", "0.25", "0.75", "1.5"],
        ["10.5", "11.2", "0.05", "9.1"],
        ["100", "99.95", "98.2", "97.1"],
        ["1203", "1555", "24", "9"],
        ["1,203", "956", "12,488", "7"],
        ["1.20", "3.18", "7.020", "4.41"],
        ["1.2", "3.45"],
        ["2007", "1,203", "2,488", "3,001"],
        ["2001", "2002", "2003", "2004"],
        ["3.5", "2.7", "1.25", "8.1", "9.75", "4.25"],
    ],
)
def test_columns_written_in_several_ways_are_numbers_as_before(texts: list[str]) -> None:
    [column] = read_columns([texts])
    assert column.is_numeric
    assert column.n_unread == 0


def test_the_record_says_which_number_is_doubtful() -> None:
    rows = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in zip("abcd", (
        "3.18", "24.912", "7.02", "11.40"), strict=True))  # fmt: skip
    html = f"<table><thead><tr><td>x</td><td>y</td></tr></thead><tbody>{rows}</tbody></table>"
    parsed = parse_table(html)
    decision = decide("table", Reading("model", parsed.content, html, finish_reason="stop"), [])
    assert isinstance(decision, Decision)
    assert isinstance(decision.content, TableContent)
    assert [issue.code for issue in decision.issues] == ["table-number-doubtful"]
    assert "'24.912'" in decision.issues[0].message
    assert decision.content.columns[1].n_unread == 1
    assert decision.content.cells[5].text == "24.912"
