"""Which regions are tables and how far they reach."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import pymupdf
import pytest
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.limits import Limits
from docai.pipelines.ingest import open_source
from docai.pipelines.layout import Region, find_regions
from docai.pipelines.layout.classify import classify_gray, is_ruled_grid
from docai.pipelines.layout.digital import _background
from docai.pipelines.layout.order import reading_order
from docai.pipelines.layout.ruling_strokes import grounds_among
from docai.pipelines.layout.table_splits import split_tables_drawn_apart
from docai.pipelines.layout.tables import is_tabular, leave_out_notes
from docai.pipelines.layout.types import PageEvidence, RegionCandidate, WordBox

Gray = NDArray[np.uint8]


def _clues(words: list[BBox], strokes: Iterable[BBox] = ()) -> PageEvidence:
    items = [WordBox(box, (0, number), 5) for number, box in enumerate(words)]
    gray = np.full((10, 10), 255, np.uint8)
    return PageEvidence(600, 800, items, [], [], [], lambda box: gray, strokes=list(strokes))


def _grid(box: BBox) -> list[BBox]:
    """Strokes around and through a box, as of two rows and two columns."""
    x0, y0, x1, y1 = box
    across = [(x0, y, x1, y) for y in (y0, (y0 + y1) / 2, y1)]
    return [*across, *((x, y0, x, y1) for x in (x0, (x0 + x1) / 2, x1))]


def _table(drawn: BBox, named: BBox) -> RegionCandidate:
    box = (min(drawn[0], named[0]), min(drawn[1], named[1]), max(drawn[2], named[2]), max(drawn[3], named[3]))
    return RegionCandidate("table", box, 0.95, [], ruled_box=drawn, model_box=named, is_grid=True)


def _ruled(n_rows: int, n_cols: int, *, text: bool) -> Gray:
    gray = np.full((60 * n_rows + 20, 120 * n_cols + 20), 255, np.uint8)
    for row in range(n_rows + 1):
        cv2.line(gray, (10, 10 + 60 * row), (10 + 120 * n_cols, 10 + 60 * row), 0, 2)
    for col in range(n_cols + 1):
        cv2.line(gray, (10 + 120 * col, 10), (10 + 120 * col, 10 + 60 * n_rows), 0, 2)
    for row in range(n_rows if text else 0):
        for col in range(n_cols):
            cv2.putText(gray, "a b c", (20 + 120 * col, 50 + 60 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2)
    return gray


def test_a_grid_with_a_curve_instead_of_text_is_no_table() -> None:
    filled, chart = _ruled(6, 5, text=True), _ruled(6, 5, text=False)
    curve = np.array([[10 + 6 * i, round(190 + 150 * np.sin(i / 12))] for i in range(100)], np.int32)
    cv2.polylines(chart, [curve], False, 0, 3)
    for row in range(6):
        cv2.putText(chart, "10", (12, 40 + 60 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 2)
    assert classify_gray(filled)[0] == "table"
    assert is_ruled_grid(filled)
    assert classify_gray(chart)[0] == "figure"
    assert not is_ruled_grid(chart)


def test_a_list_in_a_frame_is_no_table() -> None:
    gray = np.full((500, 700), 255, np.uint8)
    cv2.rectangle(gray, (5, 5), (694, 494), 0, 2)
    for row in range(10):
        cv2.putText(gray, str(row), (20, 50 + 45 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2)
        text = "the words of a longer item"[: 20 + row % 4]
        cv2.putText(gray, text, (80, 50 + 45 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2)
    assert classify_gray(gray)[0] == "figure"


def test_words_in_rows_of_cells_are_tabular_and_labels_of_an_axis_are_not() -> None:
    cells: list[BBox] = [(x, y, x + 20, y + 10) for y in (0, 20, 40) for x in (0, 60, 120)]
    axis: list[BBox] = [(0, 20 * i, 10, 20 * i + 10) for i in range(8)]
    axis += [(40 * i, 180, 40 * i + 20, 190) for i in range(5)]
    assert is_tabular(cells)
    assert not is_tabular(axis)
    assert not is_tabular([])


@pytest.mark.parametrize("aside", [False, True])
def test_tables_drawn_apart_get_their_own_boxes(aside: bool) -> None:
    boxes: tuple[BBox, BBox] = ((50, 100, 200, 200), (50, 215, 200, 300))
    named: BBox = (50, 90, 200, 300)
    if aside:
        boxes, named = ((50, 100, 200, 200), (215, 100, 300, 200)), (50, 100, 300, 200)
    found = [_table(box, named) for box in boxes]
    split_tables_drawn_apart(_clues([(60, 110, 80, 120)], [s for box in boxes for s in _grid(box)]), found)
    if aside:
        assert [region.bbox for region in found] == list(boxes)
    else:
        assert [region.bbox for region in found] == [(50, 90, 200, 200), boxes[1]]


def test_parts_of_one_table_stay_together() -> None:
    close = [
        _table((50, 100, 200, 200), (50, 100, 200, 300)),
        _table((50, 203, 200, 300), (50, 100, 200, 300)),
    ]
    head = [
        _table((50, 100, 200, 120), (50, 100, 200, 300)),
        _table((50, 140, 200, 300), (50, 100, 200, 300)),
    ]
    head[0].is_grid = False
    shaded = [_table((50, y, 200, y + 60), (50, 100, 200, 300)) for y in (100, 200)]
    drawn = [stroke for table in (*close, *head) for stroke in _grid(table.ruled_box or table.bbox)]
    for found, strokes in ((close, drawn), (head, drawn), (shaded, [])):
        before = [region.bbox for region in found]
        split_tables_drawn_apart(_clues([(60, 110, 80, 120)], strokes), found)
        assert [region.bbox for region in found] == before


def _rows(top: float, n: int) -> list[BBox]:
    return [(x, top + 15 * i, x + 30, top + 15 * i + 10) for i in range(n) for x in (60, 120, 180)]


def test_lines_beyond_the_rules_are_no_part_of_a_table_unless_they_are_rows() -> None:
    note: list[BBox] = [(60, 205, 90, 215), (92, 205, 120, 215)]
    region = RegionCandidate("table", (50, 90, 250, 220), 0.9, [], ruled_box=(50, 100, 250, 200))
    leave_out_notes(_clues([*_rows(105, 6), *note]), region)
    assert region.bbox == (50, 90, 250, 201)
    region = RegionCandidate("table", (50, 90, 250, 220), 0.9, [], ruled_box=(50, 100, 250, 200))
    leave_out_notes(_clues([*_rows(105, 6), *_rows(205, 1)]), region)
    assert region.bbox == (50, 90, 250, 220)


def test_most_of_a_table_is_never_left_out_as_a_note() -> None:
    lines: list[BBox] = [(60, 120 + 15 * i, 150, 130 + 15 * i) for i in range(6)]
    region = RegionCandidate("table", (50, 90, 250, 220), 0.9, [], ruled_box=(50, 100, 250, 118))
    leave_out_notes(_clues([*_rows(105, 1), *lines]), region)
    assert region.bbox == (50, 90, 250, 220)


def test_tiles_under_a_page_are_its_background_and_a_picture_is_not() -> None:
    tiles: list[BBox] = [(0, 100.0 * i, 600, 100.0 * i + 100) for i in range(8)]
    picture: BBox = (100, 100, 300, 300)
    assert _background([*tiles, picture], 600, 800) == [*tiles, picture]
    assert _background([tiles[0], picture], 600, 800) == []


def test_figures_whose_margins_overlap_do_not_mix_the_columns() -> None:
    names = {}

    def region(name: str, kind: str, box: BBox) -> RegionCandidate:
        found = RegionCandidate("text" if kind == "text" else "figure", box, 0.9, [])
        names[id(found)] = name
        return found

    regions = [
        region("a", "text", (50, 50, 280, 150)),
        region("b", "text", (50, 160, 280, 300)),
        region("c", "figure", (60, 310, 330, 500)),
        region("d", "text", (310, 50, 540, 155)),
        region("e", "figure", (300, 165, 540, 500)),
    ]
    assert "".join(names[id(found)] for found in reading_order(regions)) == "abcde"


def _regions(document: pymupdf.Document) -> tuple[Region, ...]:
    with open_source(document.tobytes(), limits=Limits()) as source, source.page(1) as page:
        return find_regions(page).regions


def _draw_table(sheet: pymupdf.Page, top: float, n_rows: int) -> None:
    for i in range(n_rows + 1):
        sheet.draw_line((60, top + 20 * i), (360, top + 20 * i))
    for x in (60, 160, 260, 360):
        sheet.draw_line((x, top), (x, top + 20 * n_rows))
    for row in range(n_rows):
        for col in range(3):
            text = (
                ("City", "Area", "People")[col] if row == 0 else (f"town{row}", f"{row}.5", f"{row}000")[col]
            )
            sheet.insert_text((70 + 100 * col, top + 14 + 20 * row), text, fontsize=11)


def test_stacked_tables_are_two_and_the_words_next_to_them_are_in_neither() -> None:
    document = pymupdf.open()
    sheet = document.new_page(width=420, height=600)
    _draw_table(sheet, 100, 8)
    _draw_table(sheet, 285, 6)
    sheet.insert_text((62, 418), "p = 0.1", fontsize=10)
    tables = [region for region in _regions(document) if region.kind == "table"]
    assert sorted((round(r.bbox[1]), round(r.bbox[3])) for r in tables) == [(100, 260), (285, 405)]
    assert "0.1" not in [word.text for region in tables for word in region.words]


def test_a_chart_with_gridlines_and_numbers_on_its_axes_is_no_table() -> None:
    document = pymupdf.open()
    sheet = document.new_page(width=420, height=600)
    for i in range(9):
        sheet.draw_line((90, 100 + 20 * i), (380, 100 + 20 * i), color=(0.6, 0.6, 0.6))
        sheet.insert_text((68, 104 + 20 * i), str(80 - 10 * i), fontsize=9)
    points = [(100 + 25 * i, 240 - 11 * ((i * 5) % 11)) for i in range(12)]
    sheet.draw_polyline(points, color=(0, 0, 0), width=1.5)
    for i, (x, _) in enumerate(points):
        sheet.insert_text((x - 6, 275), "JFMAMJJASOND"[i], fontsize=9)
    assert "table" not in {region.kind for region in _regions(document)}


def test_shaded_rows_of_slanted_letters_are_rows_and_no_molecules() -> None:
    document = pymupdf.open()
    sheet = document.new_page(width=420, height=400)
    for row in range(8):
        top = 60 + 18 * row
        if row % 2:
            sheet.draw_rect((100, top, 300, top + 18), color=None, fill=(0.96, 0.96, 0.96))
        cells = (
            (str(row), "Walter", "Ankara", str(990 - 7 * row)) if row else ("No.", "Name", "Town", "Points")
        )
        for x, text in zip((106, 150, 200, 250), cells, strict=True):
            sheet.insert_text((x, top + 12), text, fontsize=9)
    regions = _regions(document)
    assert [region.kind for region in regions] == ["table"]
    assert len(regions[0].words) == 32


def test_strokes_on_a_shaded_box_are_more_than_its_ground() -> None:
    document = pymupdf.open()
    sheet = document.new_page(width=420, height=400)
    sheet.insert_text((106, 72), "Walter", fontsize=9)
    sheet.insert_text((106, 172), "OH", fontsize=9)
    for top in (60, 160):
        sheet.draw_rect((100, top, 300, top + 60), color=None, fill=(0.96, 0.96, 0.96))
        sheet.draw_line((100, top + 60), (300, top + 60))
    sheet.draw_line((125, 168), (140, 178))
    words = [(106.0, 64.0, 140.0, 75.0), (106.0, 164.0, 120.0, 175.0)]
    boxes = [(100.0, 60.0, 300.0, 120.0), (100.0, 160.0, 300.0, 220.0)]
    assert grounds_among(boxes, sheet.get_drawings(), words) == boxes[:1]
    assert grounds_among(boxes, sheet.get_drawings(), []) == []
