"""Lines of text, values and places against the rows, columns and spans of a grid."""

from __future__ import annotations

from typing import Final

import numpy as np

from docai.pipelines.evidence.structure.view import FilledCell, Grid
from docai.pipelines.tables.word_lines import is_value

_SPARSE: Final = 0.34
"""Share of the rows below the head under which a column is nearly empty."""

_ROOM: Final = 0.8
"""Heights of a word that a line must have left beside the next word for its end to be no break of text."""


def row_steps(grid: Grid) -> tuple[int, int]:
    """Rows that may be lines of one cell, and rows that may be several.

    The first are as close as lines of one cell, without a rule between, where one of the two leaves columns
    empty that the other fills. The others have several lines in two cells or more without a rule around, or
    values one below the other in two cells.
    """
    middles: dict[int, list[float]] = {}
    filled: dict[int, set[int]] = {}
    n_tall: dict[int, int] = {}
    n_stacks: dict[int, int] = {}
    inner: list[float] = []
    for cell in grid.cells:
        if cell.cell.row_span > 1:
            continue
        ys = [(box[1] + box[3]) / 2 for box in cell.line_boxes]
        inner += list(np.diff(ys))
        middles.setdefault(cell.row, []).extend(ys)
        filled.setdefault(cell.row, set()).update(range(cell.col, cell.last_col + 1))
        n_tall[cell.row] = n_tall.get(cell.row, 0) + (len(ys) > 1)
        n_stacks[cell.row] = n_stacks.get(cell.row, 0) + _is_stack(cell)
    steps = {
        row: min(middles[row + 1]) - max(ys) for row, ys in sorted(middles.items()) if row + 1 in middles
    }
    usual = float(np.median(list(steps.values()))) if steps else 0.0
    line_step = float(np.median(inner)) if inner else 0.0
    n_close = sum(
        (step < 1.12 * line_step or step < 0.85 * usual)
        and (filled[row] < filled[row + 1] or filled[row + 1] < filled[row])
        and not grid.ruled_rows[row]
        for row, step in steps.items()
    )
    ruled = [True, *grid.ruled_rows, True]
    n_merged = sum(
        (n >= 2 and not (ruled[row] and ruled[row + 1])) or n_stacks[row] >= 2 for row, n in n_tall.items()
    )
    return n_close, n_merged


def loose_breaks(grid: Grid) -> int:
    """Cells below the head with a line that ends though the next word had room in its columns."""
    n = 0
    for cell in grid.cells:
        spanned = [grid.columns[col] for col in range(cell.col, cell.last_col + 1) if col in grid.columns]
        if cell.row < grid.n_head or len(cell.lines) < 2 or not spanned:
            continue
        width = max(end for _, end in spanned) - min(start for start, _ in spanned)
        n += any(
            upper[2] - upper[0] + _ROOM * grid.height + (line[0].bbox[2] - line[0].bbox[0]) < width
            for upper, line in zip(cell.line_boxes, cell.lines[1:], strict=False)
        )
    return n


def _is_stack(cell: FilledCell) -> bool:
    """Whether a cell holds several lines, each of which is a value."""
    return len(cell.lines) > 1 and all(is_value(" ".join(word.text for word in line)) for line in cell.lines)


def lone_cells(grid: Grid) -> int:
    """Rows in which one column alone has text, in a table of more than two columns."""
    if grid.n_cols < 3:
        return 0
    n_filled = [0] * grid.n_rows
    for cell in grid.cells:
        for row in range(cell.row, cell.last_row + 1):
            n_filled[row] += cell.cell.col_span
    return n_filled.count(1)


def sparse_columns(grid: Grid) -> int:
    """Columns that have text in few rows below the head."""
    counts = [0] * grid.n_cols
    for cell in grid.cells:
        if cell.row >= grid.n_head:
            for col in range(cell.col, cell.last_col + 1):
                counts[col] += cell.cell.row_span
    return sum(count < _SPARSE * max(1, grid.n_rows - grid.n_head) for count in counts)


def headless_columns(grid: Grid) -> int:
    """Columns after the first without text in the head."""
    headed = {
        col
        for cell in grid.cells
        if cell.row < max(1, grid.n_head)
        for col in range(cell.col, cell.last_col + 1)
    }
    return sum(col not in headed for col in range(1, grid.n_cols))


def loose_spans(grid: Grid) -> int:
    """Cells over several columns that neither their place, nor their width, nor a rule explains."""
    n = 0
    for cell in grid.cells:
        if cell.cell.col_span == 1:
            continue
        spanned = [grid.columns[col] for col in range(cell.col, cell.last_col + 1) if col in grid.columns]
        if not spanned:
            n += 1
            continue
        left, right = min(start for start, _ in spanned), max(end for _, end in spanned)
        x0, _, x1, y1 = cell.box
        is_centered = abs(x0 + x1 - left - right) / 2 < 0.8 * grid.height
        is_wide = x1 - x0 > 0.8 * (right - left)
        is_ruled = any(
            y1 - 0.4 * grid.height < rule.at < y1 + 1.2 * grid.height
            and abs(rule.start - left) + abs(rule.end - right) < 3 * grid.height
            for rule in grid.view.rules.horizontal
        )
        n += not (is_centered or is_wide or is_ruled or _is_between_walls(grid, cell, (left, right)))
    return n


def _is_between_walls(grid: Grid, cell: FilledCell, span: tuple[float, float]) -> bool:
    """Whether the next vertical rule after a cell stands after all its columns."""
    left, right = span
    y0, y1 = cell.box[1], cell.box[3]
    rules = [rule for rule in grid.view.rules.vertical if rule.start < y1 and rule.end > y0]
    is_closed = grid.ruled_length((cell.box[2], right + 2 * grid.height), (y0, y1)) > 0.6 * (y1 - y0)
    return is_closed and not any(left < rule.at < right for rule in rules)


def ragged_columns(grid: Grid) -> int:
    """Columns whose cells below the head have no common edge or middle."""
    n = 0
    for col in range(grid.n_cols):
        body = [
            cell
            for cell in grid.cells
            if cell.row >= grid.n_head and cell.col == col and cell.cell.col_span == 1
        ]
        if len(body) > 2:
            ends = np.array([(cell.box[0], cell.box[2], (cell.box[0] + cell.box[2]) / 2) for cell in body])
            spread = np.median(np.abs(ends - np.median(ends, axis=0)), axis=0)
            n += bool(spread.min() > 0.3 * grid.height)
    return n


def other_size(grid: Grid) -> tuple[bool, bool]:
    """Whether the grid that the words alone give has other numbers of rows, and of columns."""
    other = grid.view.from_words
    return other is None or other.n_rows != grid.n_rows, other is None or other.n_cols != grid.n_cols
