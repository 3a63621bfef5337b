"""OTSL as docling's models write it, and every way in which it can be broken."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.contents import TableContent
from docai.parsers.base import Parsed
from docai.parsers.table import parse_table
from docai.parsers.table_otsl import place_cells


def codes(parsed: Parsed[TableContent]) -> set[str]:
    return {issue.code for issue in parsed.issues}


def cells(parsed: Parsed[TableContent]) -> list[tuple[int, int, int, int, str]]:
    return [(c.row, c.col, c.row_span, c.col_span, c.text) for c in parsed.content.cells]


def shown(text: str) -> list[tuple[str, str | None]]:
    """Text of each cell, and what its span covers."""
    parsed = parse_table(text)
    return [
        (cell.text, None if span is None else text[slice(*span)])
        for cell, span in zip(parsed.content.cells, parsed.spans, strict=True)
    ]


def test_a_table_as_docling_writes_it() -> None:
    text = "<otsl><ched>Name<ched>Age<nl><rhed>Ann<fcel>30<nl><fcel>Bob<ecel><nl></otsl>"
    parsed = parse_table(text)
    assert parsed.issues == ()
    assert not parsed.repaired
    assert parsed.content.html == (
        "<table><thead><tr><td>Name</td><td>Age</td></tr></thead><tbody>"
        "<tr><th>Ann</th><td>30</td></tr><tr><td>Bob</td><td></td></tr></tbody></table>"
    )
    assert shown(text) == [(word, word) for word in ("Name", "Age", "Ann", "30", "Bob", "")]


@pytest.mark.parametrize(
    "otsl",
    [
        "<fcel>a<lcel><fcel>b<nl><ucel><xcel><fcel>c<nl>",
        "<fcel>a<xcel><fcel>b<nl><xcel><xcel><fcel>c<nl>",
        "<FCEL>a<LCEL><FCEL>b<NL>\n<UCEL><XCEL><FCEL>c<NL>\n",
        "<fcel/>a<lcel/><fcel/>b<nl/><ucel/><xcel/><fcel/>c<nl/>",
        "<otsl>\n<fcel> a <lcel><fcel>b<nl>\n<ucel><xcel><fcel>c</otsl>",
    ],
)
def test_spans_in_every_spelling(otsl: str) -> None:
    parsed = parse_table(otsl)
    assert cells(parsed) == [(0, 0, 2, 2, "a"), (0, 2, 1, 1, "b"), (1, 2, 1, 1, "c")]
    assert parsed.issues == ()


@pytest.mark.parametrize(
    "otsl",
    [
        "fcel lcel nl fcel ecel nl",
        "['fcel', 'lcel', 'nl', 'fcel', 'ecel', 'nl']",
        "fcel,lcel,nl,fcel,ecel,nl",
    ],
)
def test_bare_tokens_are_a_structure_without_text(otsl: str) -> None:
    parsed = parse_table(otsl)
    assert cells(parsed) == [(0, 0, 1, 2, ""), (1, 0, 1, 1, ""), (1, 1, 1, 1, "")]
    assert codes(parsed) <= {"table-fenced"}


def test_bare_tokens_with_text() -> None:
    text = "ched Name ched Age nl fcel Ann fcel 30 nl"
    assert shown(text) == [(word, word) for word in ("Name", "Age", "Ann", "30")]


def test_boxes_of_cells_in_both_scales() -> None:
    parsed = parse_table(
        "<otsl><fcel><loc_50><loc_100><loc_250><loc_500>a<fcel><loc0100><loc0200><loc0300><loc0400>b<nl></otsl>"
    )
    assert [cell.bbox for cell in parsed.content.cells] == [
        (0.1, 0.2, 0.5, 1.0),
        (200 / 1023, 100 / 1023, 400 / 1023, 300 / 1023),
    ]
    assert parsed.issues == ()


@pytest.mark.parametrize(
    "locs",
    ["<loc_1><loc_2>", "<loc_9><loc_2><loc_1><loc_4>", "<loc_1><loc_2><loc_3><loc_501>", "<loc_1>" * 4],
)
def test_a_malformed_box_is_left_out_with_an_issue(locs: str) -> None:
    parsed = parse_table(f"<otsl><fcel>{locs}a<nl></otsl>")
    assert codes(parsed) == {"table-bad-box"}
    assert [(cell.text, cell.bbox) for cell in parsed.content.cells] == [("a", None)]


def test_the_location_and_the_caption_of_the_table_are_left_out_and_named() -> None:
    text = (
        "<doctag><table><loc_1><loc_2><loc_3><loc_4><otsl><loc_1><loc_2><loc_3><loc_4><fcel>a<nl>"
        "<caption>Table 1: x</caption></otsl></table></doctag><end_of_utterance>"
    )
    parsed = parse_table(text)
    assert cells(parsed) == [(0, 0, 1, 1, "a")]
    assert codes(parsed) == {"table-own-location", "table-stray-text"}
    assert any("Table 1: x" in issue.message for issue in parsed.issues)


def test_fences_entities_inline_tags_and_raw_less_than() -> None:
    text = "```\n<otsl><fcel>H<sub>2</sub>O<fcel>p < 0.05<fcel>a &amp; b<fcel>x<br>y\nz<nl></otsl>\n```"
    parsed = parse_table(text)
    assert [cell.text for cell in parsed.content.cells] == ["H2O", "p < 0.05", "a & b", "x y z"]
    assert codes(parsed) == {"table-fenced"}


@pytest.mark.parametrize(
    ("otsl", "expected"),
    [
        ("<lcel><fcel>b<nl>", [(0, 0, 1, 1, ""), (0, 1, 1, 1, "b")]),
        ("<ucel><fcel>b<nl>", [(0, 0, 1, 1, ""), (0, 1, 1, 1, "b")]),
        ("<xcel><nl>", [(0, 0, 1, 1, "")]),
        ("<fcel>a<lcel><nl><ucel><fcel>b<nl>", [(0, 0, 1, 2, "a"), (1, 0, 1, 1, ""), (1, 1, 1, 1, "b")]),
        ("<fcel>a<fcel>b<nl><ucel><lcel><nl>",
         [(0, 0, 2, 1, "a"), (0, 1, 1, 1, "b"), (1, 1, 1, 1, "")]),
    ],
)  # fmt: skip
def test_contradictory_spans_lose_nothing(otsl: str, expected: list[tuple[int, int, int, int, str]]) -> None:
    parsed = parse_table(otsl)
    assert cells(parsed) == expected
    orphans = len(expected) - otsl.count("<fcel>")
    assert codes(parsed) == ({"table-otsl-span"} if orphans else set())


def test_a_cross_that_spans_in_one_direction_only_is_told() -> None:
    parsed = parse_table("<otsl><fcel>a<fcel>b<nl><fcel>c<xcel><nl></otsl>")
    assert cells(parsed) == [(0, 0, 1, 1, "a"), (0, 1, 2, 1, "b"), (1, 0, 1, 1, "c")]
    assert codes(parsed) == {"table-otsl-span"}


def test_rows_of_different_length_are_filled() -> None:
    parsed = parse_table("<otsl><fcel>a<fcel>b<nl><fcel>c<nl></otsl>")
    assert cells(parsed)[-2:] == [(1, 0, 1, 1, "c"), (1, 1, 1, 1, "")]
    assert codes(parsed) == {"table-ragged-row"}


@pytest.mark.parametrize("token", ["ecel", "lcel", "ucel", "xcel"])
def test_text_after_a_token_that_takes_none_is_kept(token: str) -> None:
    parsed = parse_table(f"<otsl><fcel>a<{token}>b<nl></otsl>")
    assert cells(parsed) == [(0, 0, 1, 1, "a"), (0, 1, 1, 1, "b")]
    assert codes(parsed) == {"table-otsl-text"}


@pytest.mark.parametrize("end", ["", "<", "<f", "<fce", "<n", "<loc_1", "</ots"])
@pytest.mark.parametrize("start", ["<otsl>", ""])
def test_a_cut_off_table_keeps_its_cells_and_says_so(start: str, end: str) -> None:
    parsed = parse_table(f"{start}<fcel>a<fcel>b<nl><fcel>c<fcel>d{end}")
    assert [cell.text for cell in parsed.content.cells] == ["a", "b", "c", "d"]
    assert codes(parsed) == {"table-truncated"}
    assert parsed.repaired


def test_a_second_table_is_an_error() -> None:
    parsed = parse_table("<otsl><fcel>a<nl></otsl><otsl><fcel>b<nl></otsl>")
    assert [cell.text for cell in parsed.content.cells] == ["a"]
    assert {issue.code: issue.severity for issue in parsed.issues} == {"table-second-table": "error"}


def test_a_loop_of_rows_is_told() -> None:
    assert "table-repeated-rows" in codes(parse_table("<fcel>a<fcel>1<nl>" * 20))


def test_text_outside_is_named() -> None:
    parsed = parse_table("Here: <otsl>stray<fcel>a<nl>more</otsl> Done.")
    assert codes(parsed) == {"table-text-outside", "table-stray-text"}
    assert [cell.text for cell in parsed.content.cells] == ["a"]


@pytest.mark.parametrize("text", ["<otsl>", "<otsl></otsl>", "</otsl>", "<otsl><nl><nl></otsl>", "nl"])
def test_no_cell_is_an_error(text: str) -> None:
    parsed = parse_table(text)
    assert "table-empty" in codes(parsed)
    assert parsed.content.cells == []


def test_html_about_otsl_stays_html() -> None:
    parsed = parse_table("<table><tr><td>the token <fcel> is</td></tr></table>")
    assert [cell.text for cell in parsed.content.cells] == ["the token <fcel> is"]
    assert [cell.text for cell in parse_table("<tr><td>fcel</td></tr>").content.cells] == ["fcel"]


def test_a_place_is_part_of_one_cell_or_of_none() -> None:
    rows = [["fcel", "lcel", "xcel"], ["ucel", "xcel", "fcel", "lcel"], ["xcel"]]
    places, orphans = place_cells(rows)
    assert [place[:4] for place in places] == [(0, 0, 1, 3), (1, 2, 1, 2)]
    assert orphans == [(1, 0), (1, 1), (2, 0)]


TOKENS = ["fcel", "ecel", "ched", "rhed", "srow", "lcel", "ucel", "xcel"]


@st.composite
def otsl(draw: st.DrawFn) -> str:
    """Any rows of tokens, with texts that may be anything, cut anywhere."""
    text = ""
    for _ in range(draw(st.integers(0, 5))):
        for token in draw(st.lists(st.sampled_from(TOKENS), max_size=5)):
            text += f"<{token}>"
            if draw(st.booleans()):
                text += draw(
                    st.text(max_size=4) | st.sampled_from(["1", "<loc_1>", "a<b", "&lt;", "</td>", "<br>"])
                )
        text += "<nl>"
    if draw(st.booleans()):
        text = f"<otsl>{text}</otsl>"
    return text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text


@given(otsl())
@settings(max_examples=300, deadline=None)
def test_canonical_html_of_any_otsl_is_rectangular_and_parses_back_to_the_same_grid(text: str) -> None:
    parsed = parse_table(text)
    content = parsed.content
    covered = [
        (row, col)
        for cell in content.cells
        for row in range(cell.row, cell.row + cell.row_span)
        for col in range(cell.col, cell.col + cell.col_span)
    ]
    assert sorted(covered) == [(r, c) for r in range(content.n_rows) for c in range(content.n_cols)]
    again = parse_table(content.html)
    assert again.content == content.model_copy(
        update={"cells": [cell.model_copy(update={"bbox": None}) for cell in content.cells]}
    )
    assert {issue.code for issue in again.issues} <= {"table-empty", "table-repeated-rows"}
    assert all(span is None or 0 <= span[0] <= span[1] <= len(text) for span in parsed.spans)
