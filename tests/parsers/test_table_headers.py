"""The head of a table that marks none: found over columns of numbers, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docai.parsers.table import parse_table
from docai.parsers.table_grid import head_rows
from docai.pipelines.evaluation.base import Sample
from docai.pipelines.evaluation.datasets.pubtabnet import read_pubtabnet


def n_head(*rows: str, tag: str = "") -> int:
    """Header rows of a table given as ``a | b | c`` a row; ``a||`` is a cell over two columns."""
    html = ""
    for row in rows:
        cells = re.findall(r"([^|]*)(\|*)", row)
        html += "<tr>"
        for text, bars in cells:
            if text or bars:
                html += f'<td colspan="{max(len(bars), 1)}">{text.strip()}</td>'
        html += "</tr>"
    text = f"<table><{tag}>{html}</{tag}></table>" if tag else f"<table>{html}</table>"
    parsed = parse_table(text)
    found = head_rows(parsed.content)
    assert ("table-header-detected" in {issue.code for issue in parsed.issues}) == (found > 0)
    assert not parsed.repaired
    return found


def test_words_above_columns_of_numbers() -> None:
    assert n_head("Name | n | Mean", "a | 1 | 2.5", "b | 3 | –", "c | 5 | 1.5") == 1


def test_two_levels() -> None:
    assert (
        n_head("x | Men || Women ||", " | n | share | n | share", "a | 1 | 2% | 3 | 4%", "b|5|6%|7|8%") == 2
    )


def test_a_row_of_units_belongs_to_the_head() -> None:
    assert n_head("Name | Mass | Length", " | kg | m", "a | 1 | 2", "b | 3 | 4") == 2


def test_even_years_may_be_names() -> None:
    assert n_head("Item | 2019 | 2018", "a | 1,200 | 900", "b | 800 | 700") == 1
    assert n_head("Item | 2019 | 1720", "a | 1,200 | 900", "b | 800 | 700") == 0


def test_the_cells_are_flagged_and_the_html_has_a_head() -> None:
    parsed = parse_table("<tr><td>a<td>b<tr><td>1<td>2<tr><td>3<td>4")
    assert [cell.is_header for cell in parsed.content.cells] == [True, True, *[False] * 4]
    assert parsed.content.html.startswith("<table><thead><tr><td>a</td><td>b</td></tr></thead>")
    assert [column.name for column in parsed.content.columns] == ["a", "b"]


def test_otsl_without_header_tokens() -> None:
    parsed = parse_table("<fcel>a<fcel>b<nl><fcel>1<fcel>2<nl><fcel>3<fcel>4<nl>")
    assert head_rows(parsed.content) == 1
    declared = parse_table("<rhed>a<fcel>b<nl><fcel>1<fcel>2<nl><fcel>3<fcel>4<nl>")
    assert head_rows(declared.content) == 0


@pytest.mark.parametrize(
    "rows",
    [
        ["a | b", "c | d", "e | f"],
        ["1 | 2", "3 | 4", "5 | 6"],
        ["Lead | trace | trace", "Zinc | 1 | 2", "Iron | 3 | 4"],
        ["Name | Ann", "Age | 30", "Height | 180"],
        ["a | 5 | 6", "b | 1 | 2", "c | 3 | 4"],
        ["a | – | n/a", "b | 1 | 2", "c | 3 | 4"],
        ["a | &lt;5 | 12.3a", "b | 1 | 2", "c | 3 | 4"],
        ["Name | n | Mean", "a | 1 | 2.5"],
        ["Year | Place", "2001 | Rome", "2002 | Oslo", "2003 | Bern"],
        ["Results |||", "a | 1 | 2", "b | 3 | 4"],
        ["Name"],
    ],
)
def test_no_head_is_made_up(rows: list[str]) -> None:
    assert n_head(*rows) == 0


def test_a_section_row_is_no_part_of_the_head() -> None:
    assert n_head("Name | n | Mean", "Men | | ", "a | 1 | 2.5", "b | 3 | 4") == 1
    assert n_head("Name | n | Mean", "Men |||", "a | 1 | 2.5", "b | 3 | 4") == 1


def test_a_cell_that_reaches_into_the_body_is_no_header() -> None:
    html = '<tr><td rowspan="2">a</td><td>b</td></tr><tr><td>1</td></tr><tr><td>3</td><td>4</td></tr>'
    assert head_rows(parse_table(f"<table>{html}</table>").content) == 0


@pytest.mark.parametrize("tag", ["tbody", "tfoot"])
def test_a_table_with_row_groups_has_the_head_it_says(tag: str) -> None:
    assert n_head("Name | n | Mean", "a | 1 | 2.5", "b | 3 | 4", tag=tag) == 0


def test_a_header_cell_anywhere_says_which_are_headers() -> None:
    html = "<table><tr><td>x<td>y<tr><th>1<td>2<tr><td>3<td>4</table>"
    assert [cell.is_header for cell in parse_table(html).content.cells] == [False, False, True, *[False] * 3]


def test_the_search_can_be_left_out() -> None:
    html = "<table><tr><td>a<td>b<tr><td>1<td>2<tr><td>3<td>4</table>"
    parsed = parse_table(html, seek_head=False)
    assert head_rows(parsed.content) == 0
    assert parsed.issues == ()


@pytest.mark.real
def test_no_wrong_head_is_found_in_real_truths(real_data: Path) -> None:
    found = 0
    for sample in read_pubtabnet(real_data / "tables" / "pubtabnet"):
        assert isinstance(sample, Sample)
        html = sample.truth[0].text
        truth = head_rows(parse_table(html).content)
        bare = re.sub(r"</?(?:thead|tbody)>", "", html)
        seen = head_rows(parse_table(bare).content)
        assert seen in (0, truth)
        found += seen > 0
    assert found
