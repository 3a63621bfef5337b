"""Boxes of cells from rules alone."""

from __future__ import annotations

from docai.pipelines.tables.ruled_grid import boxes_of_cells
from docai.pipelines.tables.rulings import Rule, Rulings


def _rules(
    horizontal: list[tuple[float, float, float]], vertical: list[tuple[float, float, float]]
) -> Rulings:
    return Rulings(tuple(Rule(*rule) for rule in horizontal), tuple(Rule(*rule) for rule in vertical))


def test_open_sides_close_where_rules_end() -> None:
    rules = _rules([(0, 90, 0), (0, 90, 20), (0, 90, 40)], [(0, 40, 30), (0, 40, 60)])
    boxes = boxes_of_cells(rules)
    assert boxes == [(x, y, x + 30, y + 20) for y in (0, 20) for x in (0, 30, 60)]


def test_fields_without_a_rule_between_them_are_one_cell_across_rows_and_columns() -> None:
    across = [(0, 90, 0), (30, 90, 20), (0, 90, 40), (0, 90, 60)]
    down = [(0, 60, 0), (0, 60, 30), (20, 60, 60), (0, 60, 90)]
    assert boxes_of_cells(_rules(across, down))[:3] == [(0, 0, 30, 40), (30, 0, 90, 20), (30, 20, 60, 40)]


def test_the_two_strokes_of_a_double_rule_enclose_no_cell() -> None:
    across = [(0, 60, y) for y in (0, 3, 20, 40, 43)]
    boxes = boxes_of_cells(_rules(across, [(0, 43, x) for x in (0, 30, 60)]))
    assert len(boxes) == 4


def test_fields_that_are_no_rectangle_together_are_a_cell_in_each_row() -> None:
    across = [(0, 60, 0), (30, 60, 20), (0, 60, 40)]
    boxes = boxes_of_cells(_rules(across, [(0, 40, 0), (0, 20, 30), (0, 40, 60)]))
    assert boxes == [(0, 0, 30, 20), (30, 0, 60, 20), (0, 20, 60, 40)]


def test_rules_of_one_direction_are_no_grid() -> None:
    assert boxes_of_cells(_rules([(0, 60, 0), (0, 60, 20)], [])) == []
