"""Grids of tables from where their words stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pymupdf
import pytest

from docai.contents import TableContent
from docai.geometry import BBox
from docai.limits import Limits
from docai.pipelines.ingest import PageWord, open_source
from docai.pipelines.tables.finder import find_table
from docai.pipelines.tables.grid_fit import has_merged_rows, phrase_fit
from docai.pipelines.tables.rulings import Rule, Rulings, find_rulings
from docai.pipelines.tables.word_rows import grid_from_words

SIZE = 10
STEP = 12


def _words(lines: Iterable[tuple[float, Sequence[tuple[float, str]]]]) -> list[PageWord]:
    """Words of lines (height, [(left, text), …]): letters are half as wide as they are high."""
    words = []
    for number, (y, pieces) in enumerate(lines):
        for x, text in pieces:
            for part in text.split():
                end = x + 5 * len(part)
                words.append(PageWord(part, (x, y, end, y + SIZE), 0, number))
                x = end + 2.5
    return words


def _texts(table: TableContent | None) -> list[list[str]]:
    assert table is not None
    grid = [[""] * table.n_cols for _ in range(table.n_rows)]
    for cell in table.cells:
        for row in range(cell.row, cell.row + cell.row_span):
            for col in range(cell.col, cell.col + cell.col_span):
                grid[row][col] = cell.text
    return grid


def _body(top: float, n: int, step: float = STEP) -> list[tuple[float, list[tuple[float, str]]]]:
    return [
        (top + step * i, [(0, f"Town {i}"), (100, f"{i}.5"), (150, f"{i}00"), (200, f"{i}1")])
        for i in range(n)
    ]


def test_a_heading_over_the_middle_of_columns_spans_them() -> None:
    lines = [
        (0.0, [(112.5, "Men")]),
        (12.0, [(100, "a"), (150, "b"), (200, "c")]),
        *_body(24, 5),
    ]
    assert _texts(grid_from_words(_words(lines), Rulings()))[0] != ["", "Men", "Men", "Men"]
    lines[0] = (0.0, [(150, "Men")])
    assert _texts(grid_from_words(_words(lines), Rulings()))[:2] == [
        ["", "Men", "Men", "Men"],
        ["", "a", "b", "c"],
    ]


def test_a_rule_under_a_heading_says_how_far_it_spans() -> None:
    lines = [
        (0.0, [(150, "Men")]),
        (14.0, [(0, "Town"), (100, "a"), (150, "b"), (200, "c")]),
        *_body(26, 5),
    ]
    rules = Rulings(horizontal=(Rule(140, 220, 12),))
    table = _texts(grid_from_words(_words(lines), rules))
    assert table[:2] == [["Town", "a", "Men", "Men"], ["Town", "a", "b", "c"]]


def test_lines_of_a_wrapped_heading_are_one_cell() -> None:
    lines = [
        (0.0, [(100, "rate"), (150, "all")]),
        (11.0, [(0, "Town"), (100, "each"), (150, "year"), (200, "sum")]),
        *_body(26, 5),
    ]
    assert _texts(grid_from_words(_words(lines), Rulings()))[0] == ["Town", "rate each", "all year", "sum"]


def test_a_label_that_goes_on_below_is_one_cell_and_a_short_one_a_row_of_its_own() -> None:
    lines = [
        (0.0, [(0, "Town"), (100, "Area"), (150, "Men"), (200, "Age")]),
        (20.0, [(0, "North")]),
        (40.0, [(0, "The very long name"), (100, "1.5"), (150, "100"), (200, "11")]),
        (51.0, [(0, "of a town")]),
        *_body(70, 4, 20),
    ]
    table = _texts(grid_from_words(_words(lines), Rulings()))
    assert table[1:4] == [
        ["North", "", "", ""],
        ["The very long name of a town", "1.5", "100", "11"],
        ["Town 0", "0.5", "000", "01"],
    ]


def test_values_one_below_the_other_are_rows_however_close_they_stand() -> None:
    lines = [(0.0, [(0, "Town"), (100, "Area"), (150, "Men"), (200, "Age")]), *_body(12, 6, 9)]
    table = grid_from_words(_words(lines), Rulings())
    assert table is not None
    assert table.n_rows == 7


def test_text_that_is_longer_than_its_column_stays_in_it() -> None:
    lines = [(0.0, [(0, "Town"), (100, "What"), (200, "Sum")])]
    for i in range(14):
        lines.append((20.0 + 24 * i, [(0, f"Town {i}"), (100, "Fare"), (200, f"{i}00")]))
        lines.append((31.0 + 24 * i, [(100, "there and back" if i else "there and back and on to the next")]))
    table = _texts(grid_from_words(_words(lines), Rulings()))
    assert table[1] == ["Town 0", "Fare there and back and on to the next", "000"]
    assert table[2] == ["Town 1", "Fare there and back", "100"]


def test_leading_dots_and_currency_signs_are_no_columns() -> None:
    lines = [(0.0, [(0, "Town"), (160, "Sum"), (220, "Old")])]
    for i in range(6):
        dots = [(60.0 + 10 * k, "....") for k in range(6)]
        lines.append((12.0 + 12 * i, [(0, f"Town {i}"), *dots, (150, "$"), (165, f"{i}00"), (220, f"{i}")]))
    table = grid_from_words(_words(lines), Rulings())
    assert table is not None
    assert (table.n_rows, table.n_cols) == (7, 3)
    assert _texts(table)[3] == ["Town 2 " + " ".join(["...."] * 6), "$ 200", "2"]


def test_an_upright_rule_parts_words_that_nearly_touch() -> None:
    lines = [(12.0 * i, [(0, "Town"), (24, f"{i}00"), (60, "x")]) for i in range(5)]
    rules = Rulings(vertical=(Rule(-2, 62, 22),))
    assert _texts(grid_from_words(_words(lines), rules))[2] == ["Town", "200", "x"]


@pytest.mark.parametrize("seed", range(6))
def test_no_word_is_lost_or_doubled(seed: int) -> None:
    lines = []
    for i in range(9):
        shift = (seed * 7 + i * 13) % 11
        pieces = [
            (shift * 3.0, "A label"),
            (60 + shift * 4.0, f"{i} wide text"),
            (150 - shift, "1"),
            (190, "%"),
        ]
        lines.append((11.0 * i + shift / 3, pieces[: 2 + (i + seed) % 3]))
    words = _words(lines)
    table = grid_from_words(words, Rulings())
    assert table is not None
    found = Counter(part for cell in table.cells for part in cell.text.split())
    assert found == Counter(word.text for word in words)


def test_one_column_is_no_grid() -> None:
    assert grid_from_words(_words([(12.0 * i, [(0, "only text")]) for i in range(4)]), Rulings()) is None


def _table_of(document: pymupdf.Document, box: BBox) -> TableContent:
    with open_source(document.tobytes(), limits=Limits()) as source, source.page(1) as page:
        inside = [word for word in page.words() if box[0] <= word.bbox[0] and word.bbox[3] <= box[3]]
        table = find_table(page, box, inside)
    assert table is not None
    return table


def test_rows_that_only_level_rules_part_are_cut_into_the_columns_of_the_head() -> None:
    document = pymupdf.open()
    sheet = document.new_page(width=400, height=300)
    for i in range(8):
        sheet.draw_line((40, 40 + 20 * i), (340, 40 + 20 * i))
    for x in (40, 140, 240, 340):
        sheet.draw_line((x, 40), (x, 60))
    sheet.draw_line((40, 40), (40, 180))
    sheet.draw_line((340, 40), (340, 180))
    for row in range(7):
        for col in range(3):
            text = (
                ("City", "Area", "People")[col] if row == 0 else (f"town{row}", f"{row}.5", f"{row}000")[col]
            )
            sheet.insert_text((50 + 100 * col, 54 + 20 * row), text, fontsize=11)
    table = _table_of(document, (38, 38, 342, 182))
    assert (table.n_rows, table.n_cols) == (7, 3)
    assert [cell.text for cell in table.cells[-3:]] == ["town6", "6.5", "6000"]


def test_justified_text_in_ruled_cells_is_not_torn() -> None:
    document = pymupdf.open()
    sheet = document.new_page(width=400, height=300)
    for i in range(3):
        sheet.draw_line((40, 40 + 60 * i), (340, 40 + 60 * i))
        sheet.draw_line((40 + 150 * i, 40), (40 + 150 * i, 160))
    for row in range(2):
        for col in range(2):
            for line, offsets in enumerate(((0, 70), (0, 30, 95), (0, 55, 100))):
                for offset in offsets:
                    place = (50 + 150 * col + offset, 58 + 60 * row + 14 * line)
                    sheet.insert_text(place, "word", fontsize=11)
    table = _table_of(document, (38, 38, 342, 162))
    assert (table.n_rows, table.n_cols) == (2, 2)
    assert {cell.text for cell in table.cells} == {" ".join(["word"] * 8)}


def test_rules_of_borders_are_joined_and_white_ones_left_out() -> None:
    document = pymupdf.open()
    sheet = document.new_page(width=400, height=300)
    for x in (50, 100, 150):
        sheet.draw_rect(pymupdf.Rect(x, 50, x + 50, 70), color=(0, 0, 0))
    sheet.draw_line((50, 200), (200, 200), color=(1, 1, 1))
    sheet.draw_rect(pymupdf.Rect(50, 250, 200, 251), color=None, fill=(0, 0, 0))
    found = find_rulings(sheet, (0, 0, 400, 300))
    assert [(round(r.start), round(r.end), round(r.at)) for r in found.horizontal] == [
        (50, 200, 50),
        (50, 200, 70),
        (50, 200, 250),
    ]
    assert [round(r.at) for r in found.vertical] == [50, 100, 150, 200]


def test_a_grid_is_sound_where_it_keeps_phrases_and_parts_columns() -> None:
    words = _words([(12.0 * i, [(0, "old town"), (100, f"{i}00")]) for i in range(5)])
    rows: list[BBox] = [(0, 12.0 * i, 150, 12.0 * i + 11) for i in range(5)]
    cells = [(x, y0, x + 75, y1) for _, y0, _, y1 in rows for x in (0.0, 75.0)]
    torn = [(x, y0, x + 22, y1) for _, y0, _, y1 in rows for x in (0.0, 22.0)]
    assert phrase_fit(cells, words) == 1.0
    assert phrase_fit(rows, words) == 0.5
    assert phrase_fit(torn, words) == 0.5


def test_stacks_of_values_are_rows_taken_for_one() -> None:
    words = _words([(12.0 * i, [(0, "town"), (50, f"{i}00"), (100, f"{i}.5")]) for i in range(3)])
    assert has_merged_rows([(0, 0, 40, 40), (40, 0, 90, 40), (90, 0, 150, 40)], words)
    assert not has_merged_rows([(0, 0, 40, 40)], words)


def _right(end: float, text: str) -> tuple[float, str]:
    """A text of :func:`_words` that ends there."""
    return end - sum(5 * len(part) for part in text.split()) - 2.5 * text.count(" "), text


def test_a_label_at_the_right_margin_of_its_column_does_not_span_the_gap_before_it() -> None:
    rows = [
        ("Item", "Code", "Qty", "Price", "VAT", "Amount"),
        ("Chair", "C-1", "1", "129.50", "19%", "129.50"),
        ("Table", "T-7", "1", "849.00", "19%", "849.00"),
        ("Book", "B-2", "2", "24.90", "7%", "49.80"),
        ("", "", "", "", "Subtotal", "1,028.30"),
        ("", "", "", "", "VAT 19%", "185.91"),
        ("", "", "", "", "VAT 7%", "3.49"),
        ("", "", "", "", "Total EUR", "1,217.70"),
    ]
    lines = []
    for number, (name, *texts) in enumerate(rows):
        values = [
            _right(end, text) for end, text in zip((90, 130, 190, 250, 310), texts, strict=True) if text
        ]
        lines.append((18.0 * number, [(0.0, name), *values] if name else values))
    assert _texts(grid_from_words(_words(lines), Rulings())) == [list(row) for row in rows]


def test_a_title_of_rows_below_a_head_without_a_first_name_is_no_name() -> None:
    rows = [
        (12, "Revenue", "3", "1,204.5", "1,150.2"),
        (12, "Cost of sales", "", "(811.3)", "(790.8)"),
        (24, "Administrative expenses", "4", "(96.4)", "(101.9)"),
        (24, "Impairment of goodwill", "11", "(1.4)", "(20.0)"),
        (0, "Profit", "", "184.8", "128.8"),
    ]
    lines: list[tuple[float, list[tuple[float, str]]]] = [
        (0.0, [_right(180, "Note"), _right(260, "2025"), _right(340, "2024")]),
        (12.0, [_right(260, "£m"), _right(340, "£m")]),
        (30.0, [(0, "Continuing operations")]),
    ]
    for number, (indent, name, *texts) in enumerate(rows):
        values = [_right(end, text) for end, text in zip((180, 260, 340), texts, strict=True) if text]
        lines.append((48.0 + 18 * number, [(indent, name), *values]))
    assert _texts(grid_from_words(_words(lines), Rulings()))[:3] == [
        ["", "Note", "2025 £m", "2024 £m"],
        ["Continuing operations", "", "", ""],
        ["Revenue", "3", "1,204.5", "1,150.2"],
    ]
