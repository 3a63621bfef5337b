"""Drawn rules against a grid: each lies on a grid line, and a grid line that has them has them everywhere."""

from __future__ import annotations

from collections import Counter
from typing import Final

from docai.geometry import interval_overlap
from docai.pipelines.evidence.structure.view import ON_LINE, FilledCell, Grid

_MOST: Final = 0.6
"""Share of the boundaries from which most of them are ruled, and of a cell that a rule crosses."""

_ALL: Final = 0.8
"""Share of the width of a table from which a rule separates all of it."""


def unruled_share(grid: Grid) -> float:
    """Share of the boundaries of rows and columns that no rule backs."""
    ruled = [*grid.ruled_rows, *grid.ruled_columns]
    return 1 - sum(ruled) / len(ruled) if ruled else 1.0


def unruled_rows(grid: Grid) -> int:
    """Boundaries of rows without a rule where most have one; in the head only where the columns are ruled."""
    is_form = bool(grid.ruled_columns) and all(grid.ruled_columns)
    ruled = grid.ruled_rows if is_form else grid.ruled_rows[grid.n_head :]
    n_ruled = sum(ruled)
    return len(ruled) - n_ruled if n_ruled > _MOST * len(ruled) else 0


def open_titles(grid: Grid) -> int:
    """A first or last row that is one cell over all columns, with no rule beyond it: a caption, or a note."""
    whole = {cell.row for cell in grid.cells if cell.cell.col_span == grid.n_cols > 1}
    across, last = _across(grid), grid.n_rows - 1
    first_is_open = 0 in grid.rows and not any(at < sum(grid.rows[0]) / 2 for at in across)
    last_is_open = last in grid.rows and not any(at > sum(grid.rows[last]) / 2 for at in across)
    return (0 in whole and first_is_open) + (last in whole and last_is_open)


def _across(grid: Grid) -> list[float]:
    """y of the rules across the table."""
    x0, x1 = grid.extent
    return [
        rule.at
        for rule in grid.view.rules.horizontal
        if interval_overlap(rule.start, rule.end, x0, x1) > _ALL * (x1 - x0)
    ]


def crossed_cells(grid: Grid) -> set[int]:
    """Indices of the cells that a rule crosses between their words or lines."""
    return {cell.index for cell in grid.cells if _is_crossed(grid, cell)}


def _is_crossed(grid: Grid, cell: FilledCell) -> bool:
    x0, y0, x1, y1 = cell.box
    if any(
        x0 + ON_LINE < rule.at < x1 - ON_LINE
        and interval_overlap(rule.start, rule.end, y0, y1) > _MOST * (y1 - y0)
        for rule in grid.view.rules.vertical
    ):
        return True
    return any(
        y0 + 0.3 * grid.height < rule.at < y1 - 0.3 * grid.height
        and interval_overlap(rule.start, rule.end, x0, x1) > _MOST * (x1 - x0)
        and not _strikes_out(cell, rule.at)
        for rule in grid.view.rules.horizontal
    )


def _strikes_out(cell: FilledCell, y: float) -> bool:
    """Whether a height is in the middle of a line of the cell, as that of the rule over struck-out words."""
    return any(
        top + 0.25 * (bottom - top) < y < bottom - 0.25 * (bottom - top)
        for _, top, _, bottom in cell.line_boxes
    )


def rules_in_rows(grid: Grid) -> int:
    """Rules across the table that lie within a row."""
    x0, x1 = grid.extent
    return sum(
        interval_overlap(rule.start, rule.end, x0, x1) > _ALL * (x1 - x0)
        and any(
            top + 0.5 * grid.height < rule.at < bottom - 0.5 * grid.height
            for top, bottom in grid.rows.values()
        )
        for rule in grid.view.rules.horizontal
    )


def open_rows(grid: Grid) -> int:
    """Places whose lower boundary has no rule while most of that boundary of two rows has one.

    A cell that spans both rows is right there; a grid that has none cut a cell in two.
    """
    n = 0
    for row, (places, rules) in enumerate(zip(grid.ruled_places, grid.rules_between_rows, strict=True)):
        n_ruled = sum(place is not False for place in places)
        if rules and 2 * n_ruled >= len(places) and not _is_sum_rule(grid, row):
            n += places.count(False)
    return n


def _is_sum_rule(grid: Grid, row: int) -> bool:
    """Whether the rule below a row is that of a sum: over the last columns alone, with a label above it and
    one below it in the first column, which has few rules elsewhere."""
    places = grid.ruled_places[row]
    n_open = places.index(True) if True in places else 0
    if n_open == 0 or places.count(False) > n_open:
        return False
    labels = {cell.row for cell in grid.cells if cell.col == 0 and cell.cell.row_span == 1}
    body = [places[0] is True for places in grid.ruled_places[grid.n_head :]]
    return {row, row + 1} <= labels and 2 * sum(body) < len(body)


def open_columns(grid: Grid) -> int:
    """Places whose right boundary has no rule while most of that boundary of two columns has one.

    Rows of several cells without any vertical rule, such as heads on a shade, are left out.
    """
    inside = {
        (row, col)
        for cell in grid.content.cells
        for row in range(cell.row, cell.row + cell.row_span)
        for col in range(cell.col, cell.col + cell.col_span - 1)
    }
    n_filled = Counter(cell.row for cell in grid.cells)
    ruled = [
        {
            row: any(
                interval_overlap(rule.start, rule.end, top, bottom) > 0.5 * (bottom - top) for rule in rules
            )
            for row, (top, bottom) in grid.rows.items()
        }
        for rules in grid.rules_between_columns
    ]
    open_rows = {row for row in grid.rows if n_filled[row] > 1 and not any(places[row] for places in ruled)}
    return sum(
        not is_ruled and (row, col) not in inside and row not in open_rows
        for col, places in enumerate(ruled)
        if any(places.values()) and 2 * sum(places.values()) >= len(places)
        for row, is_ruled in places.items()
    )
