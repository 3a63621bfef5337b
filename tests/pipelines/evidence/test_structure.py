"""How sure the grid of a born-digital table is: drawn tables, right and broken."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pymupdf
import pytest

from docai.contents import Cell, TableContent
from docai.geometry import BBox
from docai.limits import Limits
from docai.parsers.table_grid import fill_grid, table_content
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.structure.judge import (
    REASONS,
    SURE,
    Structure,
    coefficients,
    judge,
    judge_on_page,
)
from docai.pipelines.evidence.structure.view import TableView, observe
from docai.pipelines.evidence.table_decision import TableFinder
from docai.pipelines.ingest import open_source
from docai.pipelines.synthesis.table.document import same_cells, table_document
from docai.pipelines.tables.finder import find_table
from docai.pipelines.words import holds_word

# The benchmarks are scripts that import one another by plain names.
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks" / "tables"))
try:
    from broken_grids import BREAKINGS, broken_grids
finally:
    del sys.path[0]

WIDE, HIGH = 90, 20
LEFT, TOP = 50, 60

TEXTS = [
    ["Region", "Area", "People", "Share"],
    ["North coast", "1,204", "88,120", "12.4"],
    ["East hills and\nlower valley", "956", "71,004", "10.0"],
    ["South", "2,310", "310,551", "43.7"],
    ["West", "1,877", "240,118", "33.9"],
]


def _draw(texts: Sequence[Sequence[str]], rules: str) -> tuple[bytes, BBox]:
    """A page with a table: rows of 20 points, 12 more for each further line, columns of 90 points."""
    with pymupdf.open() as document:
        page = document.new_page(width=500, height=400)
        y = float(TOP)
        ys = [y]
        for row in texts:
            for col, text in enumerate(row):
                for number, line in enumerate(text.split("\n")):
                    page.insert_text((LEFT + 4 + WIDE * col, y + 14 + 12 * number), line, fontsize=10)
            y += HIGH + 12 * max(text.count("\n") for text in row)
            ys.append(y)
        right = LEFT + WIDE * max(map(len, texts))
        for at in ys if rules == "grid" else [ys[0], ys[1], ys[-1]] if rules == "booktabs" else []:
            page.draw_line((LEFT, at), (right, at), width=0.7)
        for col in range(len(texts[0]) + 1) if rules == "grid" else ():
            page.draw_line((LEFT + WIDE * col, TOP), (LEFT + WIDE * col, y), width=0.7)
        return document.tobytes(), (LEFT - 2, TOP - 2, right + 2, y + 2)


def _judged(
    pdf: bytes, bbox: BBox, change: Callable[[TableContent], TableContent] | None = None
) -> Structure:
    with open_source(pdf, limits=Limits()) as source, source.page(1) as page:
        words = [word for word in page.words() if holds_word(bbox, word)]
        table = find_table(page, bbox, words)
        assert table is not None
        return judge_on_page(table if change is None else change(table), page, bbox, words)


def _viewed(pdf: bytes, bbox: BBox) -> tuple[TableContent, TableView]:
    with open_source(pdf, limits=Limits()) as source, source.page(1) as page:
        words = [word for word in page.words() if holds_word(bbox, word)]
        table = find_table(page, bbox, words)
        assert table is not None
        frame, view = observe(page, bbox, words)
        return table.map_boxes(frame.from_page), view


@pytest.mark.parametrize("rules", ["grid", "booktabs"])
def test_a_right_grid_is_sure(rules: str) -> None:
    structure = _judged(*_draw(TEXTS, rules))
    assert structure.probability >= SURE
    assert not structure.doubtful_cells


def test_rules_all_around_make_a_grid_surer_than_few() -> None:
    assert _judged(*_draw(TEXTS, "grid")).probability > _judged(*_draw(TEXTS, "booktabs")).probability


@pytest.mark.parametrize("rules", ["grid", "booktabs"])
@pytest.mark.parametrize("breaking", sorted(set(BREAKINGS) - {"lose_span"}))
def test_a_grid_that_was_broken_is_not(rules: str, breaking: str) -> None:
    table, view = _viewed(*_draw(TEXTS, rules))
    for seed in range(3):
        broken = dict(broken_grids(table, view.words, random.Random(seed)))
        assert judge(broken[breaking], view).probability < SURE, f"{breaking}, seed {seed}"


def test_a_lost_span_is_seen_by_the_rule_that_is_not_there() -> None:
    texts = [["", "Measured values", "", ""], *TEXTS]
    pdf, bbox = _draw(texts, "booktabs")
    with pymupdf.open("pdf", pdf) as document:
        page = document[0]
        page.draw_line((LEFT + WIDE, TOP + HIGH), (LEFT + 4 * WIDE, TOP + HIGH), width=0.7)
        for col in range(5):
            page.draw_line((LEFT + WIDE * col, TOP + HIGH), (LEFT + WIDE * col, bbox[3] - 2), width=0.7)
        page.draw_line((LEFT + WIDE, TOP), (LEFT + WIDE, TOP + HIGH), width=0.7)
        pdf = document.tobytes()
    table, view = _viewed(pdf, bbox)
    flat = table_content(
        fill_grid(
            [cell.model_copy(update={"row_span": 1, "col_span": 1}) for cell in table.cells],
            table.n_rows,
            table.n_cols,
        ),
        table.n_rows,
        table.n_cols,
    )
    structure = judge(flat, view)
    assert structure.features["open_columns"] > 0
    assert structure.probability < SURE


def test_two_tables_in_one_region_are_no_sure_table() -> None:
    left = [[f"a{row}", f"{row}.5"] for row in range(5)]
    right = [["first words of a note", "7"], ["that is no", "18"], ["table at all", "9"]]
    with pymupdf.open() as document:
        page = document.new_page(width=500, height=400)
        for x, rows, step in ((50, left, 15), (260, right, 22)):
            for number, (name, value) in enumerate(rows):
                page.insert_text((x, 80 + step * number), name, fontsize=10)
                page.insert_text((x + 130, 80 + step * number), value, fontsize=10)
        pdf = document.tobytes()
    assert _judged(pdf, (45, 60, 480, 160)).probability < SURE


def test_what_speaks_against_a_grid_is_said_in_words_and_its_cells_are_named() -> None:
    table, view = _viewed(*_draw(TEXTS, "grid"))
    structure = judge(dict(broken_grids(table, view.words, random.Random(1)))["merge_columns"], view)
    assert REASONS["rules_inside"] in structure.doubts
    assert structure.doubtful_cells


def test_the_finder_says_how_sure_it_is_and_why_not() -> None:
    texts = [["Name", "Value"], ["alpha beta", "1.5"], ["gamma delta", "2.5"], ["and more of it", ""]]
    pdf, bbox = _draw(texts, "")
    with open_source(pdf, limits=Limits()) as source, source.page(1) as page:
        reading = TableFinder().read(ReaderInput(page, bbox, page.words()))
    assert reading.is_calibrated
    assert reading.confidence.value is not None
    assert "rules, lanes, lines and columns" in reading.confidence.method
    if reading.confidence.value < SURE:
        assert [issue.code for issue in reading.issues] == ["table-structure-doubtful"]
        assert any(reason in reading.issues[0].message for reason in REASONS.values())


def test_every_weight_is_of_a_known_feature_and_speaks_against() -> None:
    weights = coefficients().weights
    assert set(weights) <= set(REASONS)
    assert all(weight < 0 for weight in weights.values())
    assert set(_judged(*_draw(TEXTS, "grid")).features) == set(REASONS)


def test_drawn_pages_are_the_same_each_time_and_have_a_truth() -> None:
    pages = [table_document(seed) for seed in range(40)]
    assert pages[0] == table_document(0)
    assert any(not page.cells for page in pages), "two tables in one region"
    assert any("grid" in page.design for page in pages)


def test_cells_are_compared_by_their_places_spans_and_texts() -> None:
    one = [
        Cell(row=0, col=0, text="A b", col_span=2),
        Cell(row=1, col=0, text="c"),
        Cell(row=1, col=1, text="d"),
    ]
    assert same_cells([*one, Cell(row=2, col=0)], [one[0].model_copy(update={"text": "aB"}), *one[1:]])
    assert not same_cells(one, [one[0].model_copy(update={"col_span": 1}), *one[1:]])
    assert not same_cells(one, one[:2])


def _page(draw: Callable[[pymupdf.Page], None]) -> tuple[bytes, BBox]:
    with pymupdf.open() as document:
        page = document.new_page(width=500, height=400)
        draw(page)
        return document.tobytes(), (45, 55, 455, 355)


def _write(page: pymupdf.Page, end: float, y: float, text: str) -> None:
    """A text that ends there."""
    page.insert_text((end - pymupdf.get_text_length(text, fontsize=10), y), text, fontsize=10)


def test_a_merged_cell_with_rules_around_it_is_no_doubt_wherever_its_words_stand() -> None:
    def draw(page: pymupdf.Page) -> None:
        for row in range(6):
            for col in range(5):
                merged = (row, col) in {(2, 1), (4, 3)}
                x0, x1 = 50 + 80 * col, 130 + 80 * (col + merged)
                if (row, col - 1) not in {(2, 1), (4, 3)}:
                    page.draw_rect((x0, 60 + 20 * row, x1, 80 + 20 * row), width=0.7)
                    text = f"Name {col}" if row == 0 else "Leeds" if merged else f"{row}{col}0"
                    page.insert_text((x0 + 4, 74 + 20 * row), text, fontsize=10)

    structure = _judged(*_page(draw))
    assert structure.features["loose_spans"] == 0
    assert structure.probability >= SURE


STATEMENT = [
    ("Date", "Details", "Paid out", "Paid in", "Balance"),
    ("", "Opening balance", "", "", "2,104.11"),
    ("02 Mar", "Card payment STORES 3297", "45.20", "", "2,058.91"),
    ("03 Mar", "Direct debit\nGAS\nRef 8500112233", "88.00", "", "1,970.91"),
    ("05 Mar", "Salary ACME", "", "2,450.00", "4,420.91"),
    ("09 Mar", "Standing order\nMr J Smith", "950.00", "", "3,470.91"),
    ("", "Cash withdrawal", "60.00", "", "3,410.91"),
    ("12 Mar", "Interest", "", "0.37", "3,411.28"),
    ("", "Closing balance", "", "", "3,411.28"),
]


def _draw_statement(page: pymupdf.Page) -> None:
    y = 74.0
    for date, details, *amounts in STATEMENT:
        page.insert_text((50, y), date, fontsize=10)
        lines = details.split("\n")
        for number, line in enumerate(lines):
            page.insert_text((105, y + 12 * number), line, fontsize=10)
        for end, text in zip((310, 380, 450), amounts, strict=True):
            _write(page, end, y, text)
        y += 18 + 12 * (len(lines) - 1)


def test_lines_closer_than_rows_are_of_one_cell_wherever_they_end() -> None:
    pdf, bbox = _page(_draw_statement)
    table, view = _viewed(pdf, bbox)
    assert (table.n_rows, table.n_cols) == (9, 5)
    structure = judge(table, view)
    assert structure.features["loose_breaks"] == 0
    for seed in range(3):
        merged = dict(broken_grids(table, view.words, random.Random(seed)))["merge_rows"]
        assert judge(merged, view).probability < min(SURE, structure.probability), f"seed {seed}"


def test_the_rule_of_a_sum_and_steps_of_indents_are_no_doubts() -> None:
    rows = [
        (12, "Revenue", "1,204.5"),
        (12, "Cost of sales", "(811.3)"),
        (0, "Gross profit", "393.2"),
        (24, "Distribution", "(112.0)"),
        (24, "Administration", "(96.4)"),
        (0, "Operating profit", "184.8"),
    ]

    def draw(page: pymupdf.Page) -> None:
        for end, text in ((250, "Note"), (350, "2025"), (450, "2024")):
            _write(page, end, 74, text)
        for number, (indent, name, value) in enumerate(rows, 1):
            y = 74 + 18 * number
            page.insert_text((50 + indent, y), name, fontsize=10)
            _write(page, 250, y, f"{number}")
            _write(page, 350, y, value)
            _write(page, 450, y, value)
            if name.endswith("profit"):
                page.draw_line((300, y - 12), (455, y - 12), width=0.5)

    structure = _judged(*_page(draw))
    assert structure.features["open_rows"] == 0
    assert structure.features["ragged_columns"] == 0
