"""Lines of text, values and places against the rows, columns and spans of a grid."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.evidence.structure.view import ON_LINE, FilledCell, Grid
from docai.pipelines.tables.word_lines import is_value

_SPARSE: Final = 0.34
"""Share of the rows below the head under which a column is nearly empty."""

_TIGHT: Final = 0.85
"""Distance of the lines of a cell, in the smallest distance of rows, below which they are clearly of one
row."""

_ALIGNED: Final = 0.15
"""Heights of a word by which the cells of a column may be off their common edge."""

_MAX_LEVELS: Final = 3
"""Places at which the labels of a column begin where some are indented."""

_ROOM: Final = 0.8
"""Heights of a word that a line must have left beside the next word for its end to be no break of text."""


def row_steps(grid: Grid) -> tuple[int, int]:
    """Rows that may be lines of one cell, and rows that may be several.

    The first are as close as lines of one cell, without a rule between, where one of the two leaves columns
    empty that the other fills. The others have several lines in two cells or more without a rule around, or
    values one below the other in two cells.
    """
    filled: dict[int, set[int]] = {}
    n_tall: dict[int, int] = {}
    n_stacks: dict[int, int] = {}
    inner: list[float] = []
    for cell in grid.cells:
        if cell.cell.row_span > 1:
            continue
        ys = [(box[1] + box[3]) / 2 for box in cell.line_boxes]
        inner += list(np.diff(ys))
        filled.setdefault(cell.row, set()).update(range(cell.col, cell.last_col + 1))
        n_tall[cell.row] = n_tall.get(cell.row, 0) + (len(ys) > 1)
        n_stacks[cell.row] = n_stacks.get(cell.row, 0) + _is_stack(cell)
    steps = _row_steps(grid)
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
    """Cells below the head with a line that ends though the next word had room in its columns.

    Lines that stand clearly closer than the rows of the table are of one cell, wherever they end.
    """
    row_step = min(_row_steps(grid).values(), default=0.0)
    n = 0
    for cell in grid.cells:
        spanned = [grid.columns[col] for col in range(cell.col, cell.last_col + 1) if col in grid.columns]
        if cell.row < grid.n_head or len(cell.lines) < 2 or not spanned:
            continue
        width = max(end for _, end in spanned) - min(start for start, _ in spanned)
        n += any(
            upper[2] - upper[0] + _ROOM * grid.height + (line[0].bbox[2] - line[0].bbox[0]) < width
            and (lower[1] + lower[3] - upper[1] - upper[3]) / 2 > _TIGHT * row_step
            for upper, lower, line in zip(cell.line_boxes, cell.line_boxes[1:], cell.lines[1:], strict=False)
        )
    return n


def _row_steps(grid: Grid) -> dict[int, float]:
    """Distance from the last line of each row to the first line of the next one, by row."""
    middles: dict[int, list[float]] = {}
    for cell in grid.cells:
        if cell.cell.row_span == 1:
            middles.setdefault(cell.row, []).extend((box[1] + box[3]) / 2 for box in cell.line_boxes)
    return {row: min(middles[row + 1]) - max(ys) for row, ys in sorted(middles.items()) if row + 1 in middles}


def loose_empties(grid: Grid) -> float:
    """Share of the places that are empty though neither their row nor their column is plain.

    A row is plain where it stands as far from its neighbors as others do, and a column where its cells below
    the head have a common edge.
    """
    steps = _row_steps(grid)
    usual = float(np.median(list(steps.values()))) if steps else 0.0
    close = {row + down for row, step in steps.items() if step < _TIGHT * usual for down in (0, 1)}
    spread = _spreads(grid, 2)
    ragged = {col for col in range(grid.n_cols) if spread.get(col, np.inf) > _ALIGNED * grid.height}
    filled = {
        (row, col)
        for cell in grid.cells
        for row in range(cell.row, cell.last_row + 1)
        for col in range(cell.col, cell.last_col + 1)
    }
    n = sum(
        (row in close or col in ragged) and (row, col) not in filled
        for row in range(grid.n_rows)
        for col in range(grid.n_cols)
    )
    return n / max(1, grid.n_rows * grid.n_cols)


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
    """Whether the next vertical rule after a cell stands after all its columns, and before the next one."""
    left, right = span
    y0, y1 = cell.box[1], cell.box[3]
    rules = [rule for rule in grid.view.rules.vertical if rule.start < y1 and rule.end > y0]
    after = grid.columns.get(cell.last_col + 1)
    end = max(right + 2 * grid.height, np.inf if after is None else after[0] + ON_LINE)
    is_closed = grid.ruled_length((cell.box[2], end), (y0, y1)) > 0.6 * (y1 - y0)
    return is_closed and not any(left < rule.at < right for rule in rules)


def ragged_columns(grid: Grid) -> int:
    """Columns whose cells below the head have no common edge or middle."""
    return sum(spread > 0.3 * grid.height for spread in _spreads(grid, 3).values())


def _spreads(grid: Grid, least: int) -> dict[int, float]:
    """How far the cells of a column below the head usually are from their common edge or middle, by column;
    without columns of fewer cells than ``least``."""
    spreads: dict[int, float] = {}
    for col in range(grid.n_cols):
        body = [
            cell
            for cell in grid.cells
            if cell.row >= grid.n_head and cell.col == col and cell.cell.col_span == 1
        ]
        if len(body) >= least:
            ends = np.array([(cell.box[0], cell.box[2], (cell.box[0] + cell.box[2]) / 2) for cell in body])
            spread = np.median(np.abs(ends - np.median(ends, axis=0)), axis=0)
            spreads[col] = 0.0 if _is_indented(ends[:, 0], grid.height) else float(spread.min())
    return spreads


def _is_indented(starts: NDArray[np.float64], height: float) -> bool:
    """Whether cells begin at two or three places, each of which several have, as labels that are indented."""
    starts = np.sort(starts)
    levels = np.split(starts, np.flatnonzero(np.diff(starts) > _ALIGNED * height) + 1)
    return len(levels) <= _MAX_LEVELS and min(map(len, levels)) > 1


def other_size(grid: Grid) -> tuple[bool, bool]:
    """Whether the grid that the words alone give has other numbers of rows, and of columns."""
    other = grid.view.from_words
    return other is None or other.n_rows != grid.n_rows, other is None or other.n_cols != grid.n_cols
