"""The table parser: the format, and every way in which models break it."""

from __future__ import annotations

import pytest

from docai.contents import TableContent
from docai.parsers.base import Parsed
from docai.parsers.table import parse_table

LOCS = "<loc0100><loc0200><loc0300><loc0400>"
BOX = (200 / 1023, 100 / 1023, 400 / 1023, 300 / 1023)


def codes(parsed: Parsed[TableContent]) -> set[str]:
    return {issue.code for issue in parsed.issues}


def texts(parsed: Parsed[TableContent]) -> list[list[str]]:
    """Cell texts by the row they begin in."""
    rows: list[list[str]] = [[] for _ in range(parsed.content.n_rows)]
    for cell in parsed.content.cells:
        rows[cell.row].append(cell.text)
    return rows


def table(body: str) -> str:
    return f"<table>{body}</table>"


def test_the_format_as_the_model_is_trained_to_write_it() -> None:
    parsed = parse_table(
        f'<table><thead><tr><td coords="{LOCS}" colspan="2">Head</td></tr></thead>'
        f'<tbody><tr><td coords="{LOCS}">a</td><td></td></tr></tbody></table>'
    )
    assert parsed.issues == ()
    assert not parsed.repaired
    assert (parsed.content.n_rows, parsed.content.n_cols) == (2, 2)
    head, a, empty = parsed.content.cells
    assert (head.text, head.col_span, head.is_header, head.bbox) == ("Head", 2, True, BOX)
    assert (a.row, a.col, a.text, a.is_header, a.bbox) == (1, 0, "a", False, BOX)
    assert (empty.row, empty.col, empty.text, empty.bbox) == (1, 1, "", None)
    assert parsed.content.html == (
        '<table><thead><tr><td colspan="2">Head</td></tr></thead>'
        "<tbody><tr><td>a</td><td></td></tr></tbody></table>"
    )


@pytest.mark.parametrize(
    "attributes",
    [
        f'coords="{LOCS}" colspan="2"',
        f'colspan="2" coords="{LOCS}"',
        f"colspan='2' coords='{LOCS}'",
        f"coords={LOCS} colspan=2",
        f'class="x" coords = "{LOCS}" colspan="2" id=y',
    ],
)
def test_coords_stand_anywhere_among_the_attributes(attributes: str) -> None:
    parsed = parse_table(table(f"<tr><td {attributes}>a</td></tr><tr><td>b</td><td>c</td></tr>"))
    assert parsed.issues == ()
    assert (parsed.content.cells[0].bbox, parsed.content.cells[0].col_span) == (BOX, 2)


@pytest.mark.parametrize(
    "locs",
    [
        "<loc0100><loc0200><loc0300>",
        LOCS + "<loc0001>",
        "<loc0100><loc0200><loc0300><loc1024>",
        "<loc0300><loc0200><loc0100><loc0400>",
        "<loc0100><loc0200><loc0100><loc0400>",
        "rubbish",
        "",
    ],
)
def test_a_malformed_box_is_left_out_with_an_issue(locs: str) -> None:
    parsed = parse_table(table(f'<tr><td coords="{locs}">a</td></tr>'))
    assert codes(parsed) == {"table-bad-box"}
    assert (parsed.content.cells[0].text, parsed.content.cells[0].bbox) == ("a", None)


def test_an_unclosed_coords_quote_swallows_nothing() -> None:
    parsed = parse_table(table(f'<tr><td coords="{LOCS}>a</td><td coords="{LOCS}">b</td></tr>'))
    assert texts(parsed) == [["a", "b"]]


@pytest.mark.parametrize("wrap", ["```html\n{}\n```", "```\n{}```", "```html\r\n{}\r\n```\n", "`{}`"])
def test_markdown_fences_come_off(wrap: str) -> None:
    parsed = parse_table(wrap.format(table("<tr><td>a</td></tr>")))
    assert codes(parsed) == {"table-fenced"}
    assert texts(parsed) == [["a"]]


@pytest.mark.parametrize(
    "html",
    [
        "<table><tr><td>a<td>b<tr><td>c<td>d</table>",
        "<html><body><table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table></body></html>",
        "<TABLE><TR><TD>a</TD><TD>b</TD></TR><TR><TD>c</TD><TD>d</TD></TR></TABLE>",
        "<table border=1><tbody><tr><td>a</td><td>b</td></tr></tbody>"
        "<tbody><tr><td>c</td><td>d</td></tr></tbody></table>",
        "<table><tr><td><b>a<td><p>b<tr><td><li>c<td>d</table>",
    ],
)
def test_html_that_is_correct_or_merely_lazy_needs_no_issue(html: str) -> None:
    parsed = parse_table(html)
    assert texts(parsed) == [["a", "b"], ["c", "d"]]
    assert parsed.issues == ()


def test_cells_without_a_row_and_a_table_without_its_tag() -> None:
    assert texts(parse_table("<table><td>A</td></table>")) == [["A"]]
    parsed = parse_table("<tr><td>A</td><td>B</td></tr>")
    assert texts(parsed) == [["A", "B"]]
    assert codes(parsed) == {"table-no-table-tag"}


@pytest.mark.parametrize(
    "html", ["", "  \n", "No table", "<table></table>", "<table><tr></tr></table>", "<td"]
)
def test_no_cell_is_an_error(html: str) -> None:
    parsed = parse_table(html)
    assert "table-empty" in codes(parsed)
    assert (parsed.content.n_rows, parsed.content.n_cols, parsed.content.cells) == (0, 0, [])


@pytest.mark.parametrize(
    "tail",
    ["", "<", "</", "<td", "<td col", '<td colspan="', '<td coords="<loc01', f'<td coords="{LOCS}', "</tr>"],
)
def test_a_cut_off_table_keeps_its_rows_and_says_so(tail: str) -> None:
    parsed = parse_table("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td>" + tail)
    assert texts(parsed) == [["a", "b"], ["c", "d"]]
    assert codes(parsed) == {"table-truncated"}
    assert parsed.repaired


def test_raw_less_than_and_entities_are_text() -> None:
    parsed = parse_table(
        table("<tr><td>p < 0.05</td><td>p<0.05</td><td>x <y</td><td>a &lt;b&gt; &amp; c&nbsp;d</td></tr>")
    )
    assert texts(parsed) == [["p < 0.05", "p<0.05", "x <y", "a <b> & c d"]]
    assert codes(parsed) == {"table-raw-less-than"}


def test_inline_tags_and_line_breaks_inside_cells() -> None:
    parsed = parse_table(
        table("<tr><td>H<sub>2</sub>O <b>b<i>i</i></b></td><td>one<br>two\n  three<p>four</p></td></tr>")
    )
    assert texts(parsed) == [["H2O bi", "one two three four"]]
    assert parsed.issues == ()


def test_th_is_a_header_cell_and_survives_below_the_head() -> None:
    parsed = parse_table(table("<tr><th>a</th><th>b</th></tr><tr><th>c</th><td>d</td></tr>"))
    assert [cell.is_header for cell in parsed.content.cells] == [True, True, True, False]
    assert parsed.content.html == (
        "<table><thead><tr><td>a</td><td>b</td></tr></thead>"
        "<tbody><tr><th>c</th><td>d</td></tr></tbody></table>"
    )


def test_ragged_rows_are_filled() -> None:
    parsed = parse_table(table("<tr><td>a</td><td>b</td><td>c</td></tr><tr><td>d</td></tr>"))
    assert texts(parsed) == [["a", "b", "c"], ["d", "", ""]]
    assert codes(parsed) == {"table-ragged-row"}


def test_overlapping_cells_are_parted() -> None:
    parsed = parse_table(table('<tr><td>a</td><td rowspan="2">b</td></tr><tr><td colspan="2">c</td></tr>'))
    assert "table-overlap" in codes(parsed)
    c = parsed.content.cells[-1]
    assert (c.row, c.col, c.col_span) == (1, 0, 1)


def test_rowspan_0_reaches_to_the_end_of_its_row_group() -> None:
    parsed = parse_table(
        "<table><tbody><tr><td rowspan=0>a</td><td>b</td></tr><tr><td>c</td></tr></tbody>"
        "<tbody><tr><td>d</td><td>e</td></tr></tbody></table>"
    )
    assert parsed.issues == ()
    assert (parsed.content.n_rows, parsed.content.cells[0].row_span) == (3, 2)


def test_a_rowspan_does_not_leak_out_of_the_head() -> None:
    parsed = parse_table(
        '<table><thead><tr><td rowspan="3">a</td><td>b</td></tr></thead>'
        "<tbody><tr><td>c</td><td>d</td></tr></tbody></table>"
    )
    assert codes(parsed) == {"table-span-past-section"}
    assert texts(parsed) == [["a", "b"], ["c", "d"]]


@pytest.mark.parametrize("value", ["", "abc", "-1", "1.5", "99999999999999999999999999"])
@pytest.mark.parametrize("name", ["colspan", "rowspan"])
def test_a_span_that_is_no_number_in_range(name: str, value: str) -> None:
    parsed = parse_table(table(f'<tr><td {name}="{value}">a</td></tr><tr><td>b</td></tr>'))
    assert "table-bad-span" in codes(parsed)


@pytest.mark.parametrize("attribute", ["colspan=1000000000", "rowspan=1000000000"])
def test_a_hallucinated_span_costs_nothing(attribute: str) -> None:
    parsed = parse_table(
        table(f"<tr><td {attribute}>a</td><td>x</td></tr>" + "<tr><td>b</td><td>c</td></tr>" * 3)
    )
    assert len(parsed.content.cells) < 20
    assert "table-bad-span" in codes(parsed)


def test_a_wide_span_of_a_heading_is_cut_to_the_table() -> None:
    parsed = parse_table(table('<tr><td colspan="900">t</td></tr><tr><td>a</td><td>b</td></tr>'))
    assert codes(parsed) == {"table-span-clipped"}
    assert (parsed.content.n_cols, parsed.content.cells[0].col_span) == (2, 2)


def test_a_span_over_columns_in_which_no_cell_begins_is_kept() -> None:
    parsed = parse_table(table('<tr><td colspan="2">a</td></tr><tr><td colspan="2">b</td></tr>'))
    assert parsed.issues == ()
    assert parsed.content.n_cols == 2


def test_a_nested_table_is_text_of_its_cell() -> None:
    parsed = parse_table(
        table("<tr><td>a<table><tr><td>in</td><td>side</td></tr></table>b</td><td>z</td></tr>")
    )
    assert texts(parsed) == [["a in side b", "z"]]
    assert codes(parsed) == {"table-nested-table"}


def test_a_second_table_is_an_error() -> None:
    parsed = parse_table(table("<tr><td>a</td></tr>") + table("<tr><td>b</td></tr>"))
    assert texts(parsed) == [["a"]]
    assert {issue.code: issue.severity for issue in parsed.issues}["table-second-table"] == "error"


def test_text_outside_cells_is_named_in_an_issue() -> None:
    parsed = parse_table("Here it is: <table>stray<tr>more<td>a</td></tr></table> Done.")
    assert texts(parsed) == [["a"]]
    assert codes(parsed) == {"table-stray-text", "table-text-outside"}
    assert any("stray" in issue.message for issue in parsed.issues)


def test_location_tokens_in_a_cell_text_are_no_words() -> None:
    parsed = parse_table(table(f"<tr><td>{LOCS}a</td></tr>"))
    assert texts(parsed) == [["a"]]
    assert codes(parsed) == {"table-stray-loc"}


def test_a_loop_of_rows_is_told() -> None:
    row = "<tr><td>a</td><td>1</td></tr>"
    assert "table-repeated-rows" in codes(parse_table(table(row * 20)))
    assert "table-repeated-rows" not in codes(parse_table(table(row * 3)))
    assert "table-repeated-rows" not in codes(parse_table(table("<tr><td></td></tr>" * 20)))


def test_characters_that_json_cannot_hold() -> None:
    parsed = parse_table(table("<tr><td>a\x00b\ud800c</td></tr>"))
    assert texts(parsed) == [["a\ufffdb\ufffdc"]]
    assert codes(parsed) == {"table-bad-character"}


def test_endless_nesting_is_an_error() -> None:
    parsed = parse_table("<div>" * 10_000 + table("<tr><td>a</td></tr>"))
    assert "table-too-deep" in codes(parsed)


def test_the_grid_is_bounded() -> None:
    rows = "<tr>" * 12_000
    parsed = parse_table("<table><tr>" + "<td rowspan=65534><td>" * 600 + rows + "</table>")
    assert "table-too-large" in codes(parsed)
    assert parsed.content.n_rows * parsed.content.n_cols <= 1 << 16


@pytest.mark.parametrize(
    ("written", "read"), [("0", 1), ("1", 1), ("1000", 1000), ("1001", 1000), ("1000000000", 1000)]
)
def test_a_colspan_is_clamped_to_1_and_1000(written: str, read: int) -> None:
    parsed = parse_table(table(f'<tr><td colspan="{written}">a</td></tr>'))
    assert [cell.col_span for cell in parsed.content.cells] == [read]
    assert codes(parsed) == (set() if int(written) == read else {"table-bad-span"})


@pytest.mark.parametrize(
    ("written", "n_rows", "read", "found"),
    [
        ("0", 3, 3, set()),
        ("65534", 3, 3, {"table-span-past-section"}),
        ("65535", 3, 3, {"table-bad-span", "table-span-past-section"}),
        ("1000000000", 3, 3, {"table-bad-span", "table-span-past-section"}),
        ("2", 3, 2, set()),
    ],
)
def test_a_rowspan_is_clamped_to_0_and_65534(written: str, n_rows: int, read: int, found: set[str]) -> None:
    rows = f'<tr><td rowspan="{written}">a</td><td>b</td></tr>' + "<tr><td>c</td></tr>" * (read - 1)
    rows += "<tr><td>c</td><td>d</td></tr>" * (n_rows - read)
    parsed = parse_table(table(rows))
    assert (parsed.content.n_rows, parsed.content.cells[0].row_span) == (n_rows, read)
    assert codes(parsed) == found


@pytest.mark.parametrize("attribute", ["colspan", "rowspan"])
def test_a_span_of_1e9_takes_no_memory(attribute: str) -> None:
    import tracemalloc

    html = table("<tr>" + f"<td {attribute}=1000000000>a</td>" * 3 + "</tr><tr><td>b</td></tr>")
    parse_table(html)
    tracemalloc.start()
    try:
        parse_table(html)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_a_rowspan_past_its_tbody_does_not_leak_into_the_next() -> None:
    parsed = parse_table(
        '<table><tbody><tr><td rowspan="2">a</td><td>b</td></tr></tbody>'
        "<tbody><tr><td>c</td><td>d</td></tr></tbody></table>"
    )
    assert codes(parsed) == {"table-span-past-section"}
    assert texts(parsed) == [["a", "b"], ["c", "d"]]


def test_newlines_inside_cells_are_spaces() -> None:
    parsed = parse_table(table("<tr><td>a\nb\r\n  c</td><td>\n</td></tr>"))
    assert texts(parsed) == [["a b c", ""]]
    assert parsed.issues == ()


@pytest.mark.parametrize(
    "text", ["&lt;b&gt;", "&amp;lt;", "&#60;", "&#x3c;", "&nbsp;x&nbsp;", "AT&T", "&bogus;"]
)
def test_entities_come_out_and_survive_the_canonical_html(text: str) -> None:
    content = parse_table(table(f"<tr><td>{text}</td></tr>")).content
    [cell] = content.cells
    assert cell.text == {"&lt;b&gt;": "<b>", "&amp;lt;": "&lt;", "&nbsp;x&nbsp;": "x"}.get(
        text, "<" if text.startswith("&#") else text
    )
    assert parse_table(content.html).content == content


def test_stray_text_is_not_moved_before_the_table() -> None:
    parsed = parse_table("<table><tr>stray<td>a</td>more</tr>again<tr><td>b</td></tr></table>")
    assert texts(parsed) == [["a"], ["b"]]
    assert codes(parsed) == {"table-stray-text"}


def test_a_duplicate_row_run_is_told_from_eight_on_and_keeps_its_rows() -> None:
    row = '<tr><td colspan="2">a</td><td>1</td></tr>'
    seven, eight = (parse_table(table("<tr><td>h</td><td>i</td><td>j</td></tr>" + row * n)) for n in (7, 8))
    assert "table-repeated-rows" not in codes(seven)
    assert "table-repeated-rows" in codes(eight)
    assert eight.content.n_rows == 9


@pytest.mark.parametrize("size", [2, 4])
def test_a_loop_of_several_rows_is_told(size: int) -> None:
    block = "".join(f"<tr><td>{number}</td><td>x</td></tr>" for number in range(size))
    assert "table-repeated-rows" in codes(parse_table(table("<tr><td>h</td><td>i</td></tr>" + block * 8)))
    assert "table-repeated-rows" not in codes(parse_table(table(block * 5)))


def test_a_truncated_loop_is_both() -> None:
    parsed = parse_table("<table>" + "<tr><td>a</td><td>1</td></tr>" * 30 + "<tr><td>a</td><td")
    assert codes(parsed) >= {"table-truncated", "table-repeated-rows", "table-ragged-row"}


@pytest.mark.parametrize("order", ["colspan {} coords {}", "coords {} colspan {}"])
def test_coords_and_spans_in_either_order_with_every_quoting(order: str) -> None:
    for quote in ('"', "'", ""):
        parts = {"colspan": f"colspan={quote}2{quote}", "coords": f"coords={quote}{LOCS}{quote}"}
        attributes = " ".join(parts[name] for name in order.replace("{}", "").split())
        parsed = parse_table(table(f"<tr><td {attributes}>a</td></tr><tr><td>b</td><td>c</td></tr>"))
        assert parsed.issues == ()
        assert (parsed.content.cells[0].bbox, parsed.content.cells[0].col_span) == (BOX, 2)
