"""PyMuPDF's table finder as a witness."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pymupdf
import pytest

from docai.contents import TableContent
from docai.geometry import BBox
from docai.limits import Limits
from docai.pipelines.ingest import Page, PageWord, open_source
from docai.pipelines.tables.finder import find_table, grid_from_boxes, outer_boxes


@contextmanager
def _opened(document: pymupdf.Document) -> Iterator[Page]:
    with open_source(document.tobytes(), limits=Limits()) as source, source.page(1) as page:
        yield page


def _ruled(*, turned: bool = False) -> pymupdf.Document:
    """A ruled table of 3 x 3 cells at (60, 100), 80 x 30 points each; ``turned`` reads from below."""
    document = pymupdf.open()
    sheet = document.new_page(width=400, height=600)
    for i in range(4):
        sheet.draw_line(*_place((0, 30 * i), (240, 30 * i), turned=turned))
        sheet.draw_line(*_place((80 * i, 0), (80 * i, 90), turned=turned))
    for row in range(3):
        for col in range(3):
            (start,) = _place((10 + 80 * col, 20 + 30 * row), turned=turned)
            sheet.insert_text(start, f"r{row}c{col}", fontsize=11, rotate=90 if turned else 0)
    return document


def _place(*points: tuple[float, float], turned: bool) -> list[pymupdf.Point]:
    return [pymupdf.Point(60 + y, 400 - x) if turned else pymupdf.Point(60 + x, 100 + y) for x, y in points]


def _around(page: Page) -> BBox:
    boxes = [word.bbox for word in page.words()]
    return (
        min(box[0] for box in boxes) - 12,
        min(box[1] for box in boxes) - 12,
        max(box[2] for box in boxes) + 12,
        max(box[3] for box in boxes) + 12,
    )


def _found(page: Page) -> TableContent:
    table = find_table(page, _around(page), page.words())
    assert table is not None
    return table


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("cropped", [False, True])
def test_a_rotated_page_gives_the_same_table(rotation: int, cropped: bool) -> None:
    document = _ruled()
    document[0].set_rotation(rotation)
    if cropped:
        document[0].set_cropbox(pymupdf.Rect(20, 40, 380, 560))
    with _opened(document) as page:
        table = _found(page)
        assert [(c.row, c.col, c.text) for c in table.cells] == [
            (row, col, f"r{row}c{col}") for row in range(3) for col in range(3)
        ]
        for cell in table.cells:
            assert cell.bbox is not None
            inside = [word.text for word in page.words() if _holds(cell.bbox, word.bbox)]
            assert inside == [cell.text]


def test_a_cells_box_is_that_of_its_text_and_an_empty_cell_has_none() -> None:
    document = _ruled()
    document[0].add_redact_annot(pymupdf.Rect(142, 132, 218, 158))
    document[0].apply_redactions()
    with _opened(document) as page:
        table = _found(page)
        boxes = {word.text: word.bbox for word in page.words()}
    assert {(cell.row, cell.col) for cell in table.cells if not cell.text} == {(1, 1)}
    for cell in table.cells:
        assert cell.bbox == (pytest.approx(boxes[cell.text]) if cell.text else None)


def _holds(box: BBox, word: BBox) -> bool:
    return box[0] <= word[0] and box[1] <= word[1] and word[2] <= box[2] and word[3] <= box[3]


@pytest.mark.parametrize("rotation", [0, 90])
def test_a_table_that_is_turned_on_its_page_is_read_as_its_text_goes(rotation: int) -> None:
    document = _ruled(turned=True)
    document[0].set_rotation(rotation)
    with _opened(document) as page:
        assert [cell.text for cell in _found(page).cells][:4] == ["r0c0", "r0c1", "r0c2", "r1c0"]


def test_aligned_words_without_rules_are_a_grid_of_whole_phrases() -> None:
    document = pymupdf.open()
    sheet = document.new_page(width=400, height=300)
    rows = [
        ("Name of city", "Area in km", "Inhabitants"),
        *((f"Old town {i}", f"{i}.5", f"{i} 000 000") for i in range(1, 7)),
    ]
    for row, texts in enumerate(rows):
        for col, text in enumerate(texts):
            sheet.insert_text((40 + 120 * col, 50 + 18 * row), text, fontsize=11)
    with _opened(document) as page:
        table = _found(page)
        assert (table.n_rows, table.n_cols) == (7, 3)
        assert [cell.text for cell in table.cells[:6]] == [*rows[0], *rows[1]]
        assert [cell.is_header for cell in table.cells[:4]] == [True, True, True, False]


def test_words_outside_of_the_rules_get_their_row_and_column() -> None:
    document = pymupdf.open()
    sheet = document.new_page(width=400, height=300)
    for i in range(3):
        sheet.draw_line((120, 80 + 30 * i), (280, 80 + 30 * i))
        sheet.draw_line((120 + 80 * i, 80), (120 + 80 * i, 140))
    for row, texts in enumerate([["", "left", "right"], ["top", "1", "2"], ["low", "3", "4"]]):
        for col, text in enumerate(texts):
            sheet.insert_text((50 + 80 * col, 70 + 30 * row), text, fontsize=11)
    with _opened(document) as page:
        table = _found(page)
        assert (table.n_rows, table.n_cols) == (3, 3)
        assert [cell.text for cell in table.cells] == ["", "left", "right", "top", "1", "2", "low", "3", "4"]


def test_rows_without_rules_under_a_ruled_head_are_told_apart() -> None:
    document = pymupdf.open()
    sheet = document.new_page(width=400, height=300)
    for y in (40, 60, 200):
        sheet.draw_line((40, y), (340, y))
    for x in (40, 140, 240, 340):
        sheet.draw_line((x, 40), (x, 200))
    rows = [("City", "Area", "People"), *((f"town{i}", f"{i}.5", f"{i}000") for i in range(1, 8))]
    for row, texts in enumerate(rows):
        for col, text in enumerate(texts):
            sheet.insert_text((50 + 100 * col, 54 + 19 * row), text, fontsize=11)
    with _opened(document) as page:
        table = _found(page)
        assert (table.n_rows, table.n_cols) == (8, 3)
        assert [cell.text for cell in table.cells[-3:]] == ["town7", "7.5", "7000"]


def test_a_heading_over_several_columns_spans_them() -> None:
    boxes: list[BBox] = [(0, 20, 50, 40), (50, 20, 100, 40), (0, 40, 50, 60), (50, 40, 100, 60)]
    words = [PageWord("wide", (30, 5, 48, 15), 0, 0), PageWord("heading", (52, 5, 80, 15), 0, 0)]
    assert outer_boxes(boxes, words) == [(0, 4, 100, 20)]


def test_grid_lines_and_spans_come_from_the_edges_of_the_boxes() -> None:
    boxes: list[BBox] = [(0, 0, 100, 20), (0, 20, 50, 40), (50.5, 20, 100, 40), (0, 0, 100, 20)]
    words = [
        PageWord("a", (10, 5, 20, 15), 0, 0),
        PageWord("b", (10, 25, 20, 35), 0, 1),
        PageWord("c", (60, 25, 70, 35), 0, 1),
        PageWord("outside", (60, 45, 70, 55), 0, 1),
    ]
    table = grid_from_boxes(boxes, words)
    assert (table.n_rows, table.n_cols) == (2, 2)
    assert [(c.row, c.col, c.col_span, c.text) for c in table.cells] == [
        (0, 0, 2, "a"),
        (1, 0, 1, "b"),
        (1, 1, 1, "c"),
    ]
    assert table.html.startswith('<table><thead><tr><td colspan="2">a</td></tr></thead>')


@pytest.mark.parametrize(
    ("below", "n_head"), [(("H1", "H2"), 2), (("2022", "2023"), 2), (("7", "8"), 1), (("H1", ""), 1)]
)
def test_names_of_columns_below_a_group_are_of_the_head(below: tuple[str, str], n_head: int) -> None:
    boxes: list[BBox] = [(0, 0, 50, 40), (50, 0, 150, 20), (50, 20, 100, 40), (100, 20, 150, 40)]
    boxes += [(x, 40, x + 50, 60) for x in (0, 50, 100)]
    texts = ("Region", "Half", *below, "North", "1", "2")
    words = [
        PageWord(text, (x0 + 5, y0 + 5, x0 + 40, y0 + 15), number, 0)
        for number, (text, (x0, y0, _, _)) in enumerate(zip(texts, boxes, strict=True))
        if text
    ]
    table = grid_from_boxes(boxes, words)
    assert {cell.text for cell in table.cells if cell.is_header} == set(texts[: 2 * n_head])
    assert [cell.row_span for cell in table.cells if cell.text == "Region"] == [2]


def test_rows_and_columns_without_words_are_left_out() -> None:
    boxes: list[BBox] = [(x, y, x + 10, y + 10) for y in (0, 10, 20) for x in (0, 10, 20)]
    words = [PageWord("a", (1, 1, 5, 5), 0, 0), PageWord("b", (21, 21, 25, 25), 0, 0)]
    table = grid_from_boxes(boxes, words)
    assert (table.n_rows, table.n_cols) == (2, 2)
    assert [cell.text for cell in table.cells] == ["a", "", "", "b"]


def test_prose_and_images_are_no_table() -> None:
    document = pymupdf.open()
    document.new_page(width=400, height=300).insert_text((40, 50), "Only one line of prose.", fontsize=11)
    with _opened(document) as page:
        assert find_table(page, _around(page), page.words()) is None
    picture = pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 50, 50), False)
    with open_source(picture.tobytes("png"), limits=Limits()) as source, source.page(1) as page:
        assert find_table(page, page.bbox, [PageWord("x", (1, 1, 5, 5), 0, 0)]) is None
