"""Boxes of cells from the rules of a table, also where no rule closes its sides.

The rules and the open sides divide the table into fields; fields without a rule between them are one cell.
PyMuPDF's finder wants each cell closed by crossing lines, which tables without rules at their sides are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from docai.geometry import BBox, interval_overlap
from docai.pipelines.tables.rulings import Rule, Rulings

_SAME_LINE = 5.5
"""Points within which rules are at one place, and ends of rules on one side of the table: no cell is that
narrow, but the white of a double rule is."""

_MIN_COVERED = 0.6
"""Share of the side of a field along which a rule must run to be between it and the next."""

_MIN_ENDS = 2
"""Rules that must end at one place for this to be an open side of the table."""

_MAX_FIELDS = 20_000
"""Fields above which rules are a drawing, not a table."""

Field = tuple[int, int]


def boxes_of_cells(rules: Rulings) -> list[BBox]:
    """Boxes of cells; empty where there are no rules in both directions."""
    if not rules.horizontal or not rules.vertical:
        return []
    columns = _lines(rules.vertical, rules.horizontal)
    rows = _lines(rules.horizontal, rules.vertical)
    n_rows, n_cols = len(rows) - 1, len(columns) - 1
    if n_rows < 1 or n_cols < 1 or n_rows * n_cols > _MAX_FIELDS:
        return []
    groups = {field: {field} for field in product(range(n_rows), range(n_cols))}
    for row, col in list(groups):
        if col + 1 < n_cols and not _is_between(rules.vertical, columns[col + 1], rows[row], rows[row + 1]):
            _join(groups, (row, col), (row, col + 1))
        if row + 1 < n_rows and not _is_between(
            rules.horizontal, rows[row + 1], columns[col], columns[col + 1]
        ):
            _join(groups, (row, col), (row + 1, col))
    boxes = []
    for group in {id(group): group for group in groups.values()}.values():
        for top, bottom, first, last in _rectangles(group):
            boxes.append((columns[first], rows[top], columns[last + 1], rows[bottom + 1]))
    return sorted(boxes, key=lambda box: (box[1], box[0]))


def _lines(along: Sequence[Rule], across: Sequence[Rule]) -> list[float]:
    """Places of the rules of one direction, and of the table's two sides where only rules of the other one
    end."""
    places: list[float] = []
    for place in sorted(rule.at for rule in along):
        if not places or place - places[-1] > _SAME_LINE:
            places.append(place)
    start, end = min(rule.start for rule in across), max(rule.end for rule in across)
    if start < places[0] - _SAME_LINE and _n_near(start, (rule.start for rule in across)) >= _MIN_ENDS:
        places.insert(0, start)
    if end > places[-1] + _SAME_LINE and _n_near(end, (rule.end for rule in across)) >= _MIN_ENDS:
        places.append(end)
    return places


def _n_near(place: float, others: Iterable[float]) -> int:
    return sum(abs(place - other) <= _SAME_LINE for other in others)


def _is_between(rules: Sequence[Rule], place: float, start: float, end: float) -> bool:
    """Whether rules at ``place`` run along most of the side from ``start`` to ``end``."""
    covered = sum(
        max(0.0, interval_overlap(rule.start, rule.end, start, end))
        for rule in rules
        if abs(rule.at - place) <= _SAME_LINE
    )
    return covered >= _MIN_COVERED * (end - start)


def _join(groups: dict[Field, set[Field]], a: Field, b: Field) -> None:
    if groups[a] is groups[b]:
        return
    joined = groups[a] | groups[b]
    for field in joined:
        groups[field] = joined


def _rectangles(group: set[Field]) -> list[tuple[int, int, int, int]]:
    """A group of fields as first and last row and column: one rectangle, or else one for each row of it."""
    rows, cols = [row for row, _ in group], [col for _, col in group]
    if (max(rows) - min(rows) + 1) * (max(cols) - min(cols) + 1) == len(group):
        return [(min(rows), max(rows), min(cols), max(cols))]
    runs: list[tuple[int, int, int, int]] = []
    for row, col in sorted(group):
        if runs and runs[-1][0] == row and runs[-1][3] == col - 1:
            runs[-1] = (row, row, runs[-1][2], col)
        else:
            runs.append((row, row, col, col))
    return runs
