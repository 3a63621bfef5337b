"""Grids: filled, written as canonical HTML, and read back as they were."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from docai.contents import Cell, TableContent
from docai.parsers.table import parse_table
from docai.parsers.table_grid import canonical_html, fill_grid, head_rows, table_content, table_from_rows

CELL_TEXT = st.text(max_size=8) | st.sampled_from(
    ["p < 0.05", "a<b", "<b>x</b>", "&lt;", "1;2", "x > y", "</td>"]
)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """HTML of rows whose spans fit or do not, with and without a head."""

    def row(tag: str) -> str:
        cells = draw(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4), CELL_TEXT), max_size=5))
        body = ""
        for col_span, row_span, text in cells:
            escaped = text.replace("&", "&amp;").replace("<", "&lt;")
            body += f'<{tag} colspan="{col_span}" rowspan="{row_span}">{escaped}</{tag}>'
        return f"<tr>{body}</tr>"

    head = "".join(row(draw(st.sampled_from(["td", "th"]))) for _ in range(draw(st.integers(0, 2))))
    body = "".join(row(draw(st.sampled_from(["td", "td", "th"]))) for _ in range(draw(st.integers(0, 4))))
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def assert_rectangular(content: TableContent) -> None:
    covered = [
        (row, col)
        for cell in content.cells
        for row in range(cell.row, cell.row + cell.row_span)
        for col in range(cell.col, cell.col + cell.col_span)
    ]
    assert sorted(covered) == [(r, c) for r in range(content.n_rows) for c in range(content.n_cols)]


@given(tables())
@settings(max_examples=150, deadline=None)
def test_canonical_html_is_rectangular_and_parses_back_to_the_same_grid(html: str) -> None:
    first = parse_table(html).content
    assert_rectangular(first)
    again = parse_table(first.html)
    assert again.content == first
    assert {issue.code for issue in again.issues} <= {"table-empty", "table-repeated-rows"}


PIECES = [
    "<table>", "</table>", "<thead>", "</thead>", "<tbody>", "</tbody>", "<tr>", "</tr>", "<td>", "</td>",
    "<th>", "</th>", '<td colspan="3">', '<td rowspan="2">', "<td rowspan=0>",
    '<th colspan=2 rowspan="9">', "<td col", "a", "b", "12", "3.5", " ", "<", "&lt;", "&", "<b>", "</b>",
    "<br>", "```html\n", "<loc0001>", "x<y", "\n", "<otsl>", "<fcel>", "<lcel>", "<nl>", "<ched>",
    "</otsl>",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@settings(max_examples=300, deadline=None)
def test_damaged_html_gives_canonical_html_that_parses_back_to_the_same_grid(text: str) -> None:
    first = parse_table(text).content
    assert_rectangular(first)
    again = parse_table(first.html)
    assert again.content == first
    assert {issue.code for issue in again.issues} <= {"table-empty", "table-repeated-rows"}


def test_a_head_that_was_found_stays_and_none_is_found_in_canonical_html() -> None:
    rows = "<tr><td>{}</td><td>b</td></tr>" + "<tr><td>1</td><td>2</td></tr>" * 3
    for corner, n_head in (("a", 1), ("7", 0)):
        content = parse_table(f"<table>{rows.format(corner)}</table>").content
        assert head_rows(content) == n_head
        changed = table_content([*content.cells[:2], *content.cells[2:]], content.n_rows, content.n_cols)
        changed.cells[0].text = "a"
        html = canonical_html(changed.cells, changed.n_rows, changed.n_cols)
        assert head_rows(parse_table(html).content) == n_head


def test_the_columns_follow_the_cells() -> None:
    content = table_from_rows([["a", "b"], ["x", "1"], ["y", "2"]])
    assert [(column.name, column.kind) for column in content.columns] == [("a", "text"), ("b", "integer")]
    cells = [cell.model_copy(update={"text": "2?"}) if cell.text == "2" else cell for cell in content.cells]
    assert [column.kind for column in table_content(cells, 3, 2).columns] == ["text", "text"]


def test_fill_grid_adds_what_is_missing() -> None:
    cells = fill_grid([Cell(row=1, col=1, text="x")], 2, 2)
    assert [(cell.row, cell.col, cell.text) for cell in cells] == [
        (0, 0, ""),
        (0, 1, ""),
        (1, 0, ""),
        (1, 1, "x"),
    ]


def test_empty_cells_of_a_header_row_are_headers() -> None:
    cells = fill_grid([Cell(row=0, col=0, text="h", is_header=True), Cell(row=1, col=1, text="x")], 2, 2)
    assert [cell.is_header for cell in cells] == [True, True, False, False]


def test_canonical_html_writes_spans_and_escapes_text() -> None:
    cells = [
        Cell(row=0, col=0, row_span=2, text="a < b & c"),
        Cell(row=0, col=1, col_span=2),
        Cell(row=1, col=1),
        Cell(row=1, col=2),
    ]
    assert canonical_html(cells, 2, 3) == (
        '<table><tbody><tr><td rowspan="2">a &lt; b &amp; c</td><td colspan="2"></td></tr>'
        "<tr><td></td><td></td></tr></tbody></table>"
    )


def test_a_table_from_the_rows_of_a_table_finder() -> None:
    content = table_from_rows([["a", None, "b"], ["c", "d", "e\nf"], [None, "g"]])
    assert_rectangular(content)
    assert [(cell.row, cell.col, cell.row_span, cell.col_span, cell.text) for cell in content.cells] == [
        (0, 0, 1, 2, "a"),
        (0, 2, 1, 1, "b"),
        (1, 0, 2, 1, "c"),
        (1, 1, 1, 1, "d"),
        (1, 2, 1, 1, "e f"),
        (2, 1, 1, 1, "g"),
        (2, 2, 1, 1, ""),
    ]
    assert [cell.is_header for cell in content.cells] == [True, True, False, False, False, False, False]
    assert parse_table(content.html).content == content


def test_a_table_from_no_rows() -> None:
    assert table_from_rows([]).cells == []
    assert table_from_rows([[None]]).cells == [Cell(row=0, col=0)]
