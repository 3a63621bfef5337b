"""GriTS through grits-metric: its values, and what docai adds about misses, sizes and boxes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.contents import Cell
from docai.pipelines.evaluation.metrics.grits import GritsScore, grits, whole_grid

pytest.importorskip("grits", reason="grits-metric is not installed: pip install 'docai[eval]'")

TRUTH = "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>"


def boxed(*texts: str) -> list[Cell]:
    """Cells of one row, each 10 by 10."""
    return [
        Cell(row=0, col=index, text=text, bbox=(10 * index, 0, 10 * index + 10, 10))
        for index, text in enumerate(texts)
    ]


@pytest.mark.real
def test_means_on_the_pairs_of_pubtabnet(real_data: Path) -> None:
    folder = real_data / "tables" / "teds-parity"
    preds = json.loads((folder / "sample_pred.json").read_text(encoding="utf-8"))
    truths = json.loads((folder / "sample_gt.json").read_text(encoding="utf-8"))
    results = [grits(preds[name], truths[name]["html"]) for name in truths]
    for kind, macro, micro in (("top", 0.9323, 0.9046), ("con", 0.8870, 0.8346)):
        scores: list[GritsScore] = [getattr(result, kind) for result in results]
        assert round(sum(score.value or 0 for score in scores) / 20, 4) == macro
        places = sum(score.n_pred + score.n_truth for score in scores)
        assert round(2 * sum(score.similarity for score in scores) / places, 4) == micro


def test_a_missing_row_costs_its_places() -> None:
    result = grits("<table><tr><td>a</td><td>b</td></tr></table>", TRUTH)
    assert result.top == result.con == GritsScore(2, 2, 4)
    assert result.con is not None
    assert result.con.value == pytest.approx(2 / 3)
    assert result.loc is None


def test_a_span_and_a_text_cost_a_part() -> None:
    merged = "<table><tr><td colspan=2>ax</td></tr><tr><td>c</td><td>d</td></tr></table>"
    result = grits(merged, TRUTH)
    assert result.top == GritsScore(3, 4, 4)  # Half of the IoU for each of the two places.
    assert result.con is not None
    assert result.con.similarity == pytest.approx(2 + 2 / 3)


@pytest.mark.parametrize("pred", [None, "", "No table", "```\nsorry\n```", "\ud800", "<table></table>", []])
def test_no_table_is_a_miss(pred: str | list[Cell] | None) -> None:
    result = grits(pred, TRUTH)
    assert result.top == result.con == GritsScore(0, 0, 4)
    assert result.top is not None
    assert result.top.value == 0


def test_two_without_a_table_have_no_value() -> None:
    result = grits("", "")
    assert result.top == result.con == GritsScore(0, 0, 0)
    assert result.top is not None
    assert result.top.value is None


def test_an_invented_table_has_places() -> None:
    assert grits(TRUTH, "").con == GritsScore(0, 4, 0)


def test_text_that_lxml_refuses_is_read_by_docai() -> None:
    assert grits('<?xml version="1.0" encoding="utf-8"?>' + TRUTH, TRUTH).con == GritsScore(4, 4, 4)
    assert grits("<tr><td>a<td>b<tr><td>c<td>d", TRUTH).con == GritsScore(4, 4, 4)


@pytest.mark.parametrize(
    "html",
    [
        "<table><tr><td rowspan=65534 colspan=1000>a</table>",
        "<table><tr><td rowspan=0065534 colspan=000001000>a</table>",
        "<table><tr><td rowspan=30000>a" + "<tr><td colspan=1000>" * 30 + "</table>",
        f"<table><tr><td colspan={'9' * 5000}>a</table>",
    ],
)
def test_spans_that_would_fill_the_memory_are_clipped(html: str) -> None:
    result = grits(html, TRUTH)
    assert result.top is not None
    assert result.top.n_pred <= 1 << 16


def test_cells_are_as_html() -> None:
    cells = [
        Cell(row=0, col=0, text="a"),
        Cell(row=0, col=1, text=" b\n"),
        Cell(row=1, col=0, text="c"),
        Cell(row=1, col=1, text="d"),
    ]
    assert grits(cells, TRUTH).con == grits(TRUTH, cells).con == GritsScore(4, 4, 4)


def test_boxes_are_compared_where_both_have_some() -> None:
    truth = boxed("a", "b")
    shifted = [
        cell.model_copy(update={"bbox": (cell.bbox[0] + 5, 0, cell.bbox[2] + 5, 10)}) for cell in truth
    ]
    assert grits(truth, truth).loc == GritsScore(2, 2, 2)
    loc = grits(shifted, truth).loc
    assert loc is not None
    assert loc.similarity == pytest.approx(2 / 3)
    without = [cell.model_copy(update={"bbox": None}) for cell in truth]
    assert grits(truth, without).loc is None
    assert grits(without, truth).loc is None
    assert "no boxes of cells" in grits(without, truth).notes[0]
    assert grits(None, truth).loc == GritsScore(0, 0, 2)


def test_a_cell_without_a_box_agrees_with_another_only() -> None:
    some = boxed("a", "")
    some[1].bbox = None
    assert grits(some, some).loc == GritsScore(2, 2, 2)
    assert grits(boxed("a", ""), some).loc == GritsScore(1, 2, 2)


def test_boxes_that_are_reversed_or_not_finite() -> None:
    truth = boxed("a", "b")
    truth[0].bbox = (10, 10, 0, 0)
    assert grits(boxed("a", "b"), truth).loc == GritsScore(2, 2, 2)
    truth[1].bbox = (0, 0, float("inf"), float("nan"))
    assert grits(boxed("a", "b"), truth).loc == GritsScore(1, 2, 2)


def test_a_truth_is_left_out_for_all_predictions_or_for_none() -> None:
    for pred in (None, TRUTH):
        result = grits(pred, TRUTH, max_pairs=63)
        assert result.top is None
        assert "left out for every reader" in result.notes[0]
    assert grits(TRUTH, TRUTH, max_pairs=64).top == GritsScore(4, 4, 4)
    result = grits(f"<table>{'<tr><td>x' * 20}</table>", TRUTH, max_pairs=64)
    assert result.top == GritsScore(0, 20, 4)
    assert "far larger" in result.notes[0]


def test_long_texts_are_refused_by_con_alone() -> None:
    result = grits(f"<table><tr><td>{'ab' * 300_000}</table>", f"<table><tr><td>{'abc' * 300}</table>")
    assert result.top == GritsScore(1, 1, 1)
    assert result.con == GritsScore(0, 1, 1)


def test_the_grid_of_cells_is_made_whole() -> None:
    holes = whole_grid([Cell(row=0, col=0, text="a"), Cell(row=1, col=1, text="b")])
    assert [(cell.row, cell.col, cell.text) for cell in holes] == [
        (0, 0, "a"),
        (0, 1, ""),
        (1, 0, ""),
        (1, 1, "b"),
    ]
    overlapping = [Cell(row=0, col=0, col_span=2, text="a"), Cell(row=0, col=1, text="b")]
    assert [(cell.col, cell.text) for cell in whole_grid(overlapping)] == [(0, "a"), (2, "b")]
    huge = [Cell(row=0, col=0, row_span=10**9, col_span=10**9), Cell(row=1, col=1)]
    assert len(whole_grid(huge)) > 0
    assert whole_grid([Cell(row=10**6, col=10**6)]) == []
    assert whole_grid([]) == []


tables = st.lists(
    st.lists(
        st.builds(
            lambda span, text: f"<td{span}>{text}</td>",
            st.sampled_from(["", "", " colspan=2", " rowspan=2"]),
            st.sampled_from(["", "a", "ab", "b c", "é"]),
        ),
        min_size=1,
        max_size=4,
    ).map(lambda cells: f"<tr>{''.join(cells)}</tr>"),
    min_size=1,
    max_size=4,
).map(lambda rows: f"<table>{''.join(rows)}</table>")


@settings(max_examples=80, deadline=None)
@given(tables)
def test_a_table_is_equal_to_itself(table: str) -> None:
    result = grits(table, table)
    assert result.top is not None
    assert result.con is not None
    assert result.top.value == result.con.value == 1


@settings(max_examples=80, deadline=None)
@given(tables, tables)
def test_bounded_and_exchanging_the_two_exchanges_their_places(first: str, second: str) -> None:
    there, back = grits(first, second), grits(second, first)
    for one, other in ((there.top, back.top), (there.con, back.con)):
        assert one is not None
        assert other is not None
        assert (one.n_pred, one.n_truth) == (other.n_truth, other.n_pred)
        assert 0 <= one.similarity <= min(one.n_pred, one.n_truth) + 1e-9


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(["", "a", "ab", "ba", "abc"]), min_size=1, max_size=5), st.data())
def test_symmetric_where_there_is_one_row(first: list[str], data: st.DataObject) -> None:
    second = data.draw(st.lists(st.sampled_from(["", "a", "ab", "ba"]), min_size=1, max_size=5))
    there, back = grits(boxed(*first), boxed(*second)), grits(boxed(*second), boxed(*first))
    for one, other in ((there.con, back.con), (there.loc, back.loc)):
        assert one is not None
        assert other is not None
        assert one.similarity == pytest.approx(other.similarity)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.builds(
            Cell,
            row=st.integers(0, 5),
            col=st.integers(0, 5),
            row_span=st.integers(1, 3) | st.just(10**9),
            col_span=st.integers(1, 3) | st.just(10**9),
            text=st.sampled_from(["", "a", "b"]),
        ),
        max_size=8,
    )
)
def test_any_cells_make_a_whole_grid(cells: list[Cell]) -> None:
    grid = whole_grid(cells)
    assert bool(grid) == bool(cells)
    places = sum(cell.row_span * cell.col_span for cell in grid)
    rows = max((cell.row + cell.row_span for cell in grid), default=0)
    cols = max((cell.col + cell.col_span for cell in grid), default=0)
    assert places == rows * cols <= 1 << 16
    assert sorted(cell.text for cell in grid if cell.text) == sorted(cell.text for cell in cells if cell.text)
