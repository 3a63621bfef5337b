"""White between words against the columns of a grid: wide in a cell, or narrow between two, is a fault."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from docai.geometry import interval_overlap
from docai.pipelines.evidence.structure.view import ON_LINE, FilledCell, Grid, Span

_WIDE: Final = 1.0
"""Gap between words of a line, in heights of a word, as columns have and phrases do not."""

_SPACE: Final = 0.45
"""Gap, in heights of a word, above which it is more than a space between words."""

_LANE: Final = 0.35
"""White between two columns, in heights of a word, below which it is hardly more than a space."""

_MAX_CROSSING_SHARE: Final = 0.2
"""Share of the lines of a column that may cross a white lane in it, as headings do."""


def torn_cells(grid: Grid) -> set[int]:
    """Indices of the cells with a gap as wide as between columns, which is a lane in their columns."""
    return {
        cell.index
        for cell in grid.cells
        if any(
            end - start > _WIDE * grid.height and _is_lane(grid, cell, (start + end) / 2)
            for start, end in _gaps(cell)
        )
    }


def _gaps(cell: FilledCell) -> list[Span]:
    """Between neighbors of one line."""
    return [(before.bbox[2], after.bbox[0]) for line in cell.lines for before, after in pairwise(line)]


def _is_lane(grid: Grid, cell: FilledCell, x: float) -> bool:
    """Whether few lines in the columns of a cell cross ``x``, unlike the wide spaces of justified text."""
    n_crossing, n_free = 0, 1
    for other in grid.cells:
        if other.last_col < cell.col or other.col > cell.last_col or not other.box[0] < x < other.box[2]:
            continue
        for line in other.lines:
            if any(word.bbox[0] < x < word.bbox[2] for word in line):
                n_crossing += 1
            elif other is not cell and line[0].bbox[2] <= x <= line[-1].bbox[0]:
                n_free += 1
    return n_crossing <= _MAX_CROSSING_SHARE * (n_crossing + n_free)


def inner_lanes(grid: Grid) -> int:
    """Columns with more than a space at one place in most of their cells of several words."""
    widest: dict[int, list[Span]] = {}
    n_several: dict[int, int] = {}
    for cell in grid.cells:
        gaps = _gaps(cell)
        if cell.cell.col_span > 1 or not gaps:
            continue
        n_several[cell.col] = n_several.get(cell.col, 0) + 1
        start, end = max(gaps, key=lambda gap: gap[1] - gap[0])
        if end - start > _SPACE * grid.height:
            widest.setdefault(cell.col, []).append((start, end))
    n = 0
    for col, gaps in widest.items():
        common = max(sum(start < (a + b) / 2 < end for start, end in gaps) for a, b in gaps)
        n += common >= 2 and 2 * common >= n_several[col]
    return n


def crossing_cells(grid: Grid) -> tuple[set[int], int]:
    """Indices of the cells over the best boundary of two columns, and number of the boundaries without a
    lane and without a rule."""
    crossing: set[int] = set()
    n_narrow = 0
    for col in range(grid.n_cols - 1):
        left = [cell for cell in grid.cells if cell.last_col == col]
        right = [cell for cell in grid.cells if cell.col == col + 1]
        if not left or not right:
            continue
        over = min(
            (
                {cell.index for cell in left if cell.box[2] > x + 0.5}
                | {cell.index for cell in right if cell.box[0] < x - 0.5}
                for x in sorted({cell.box[2] for cell in left} | {cell.box[0] for cell in right})
            ),
            key=len,
        )
        crossing |= over
        ends = [cell.box[2] for cell in left if cell.index not in over]
        starts = [cell.box[0] for cell in right if cell.index not in over]
        if ends and starts:
            n_narrow += min(starts) - max(ends) < _LANE * grid.height and not grid.ruled_columns[col]
    return crossing, n_narrow


def split_phrases(grid: Grid) -> set[int]:
    """Indices of the neighbors in a row whose words stand a space apart in one line, with no rule between."""
    starts = {(row, cell.col): cell for cell in grid.cells for row in range(cell.row, cell.last_row + 1)}
    split: set[int] = set()
    for cell in grid.cells:
        after = starts.get((cell.row, cell.last_col + 1))
        if after is None or _is_walled(grid, cell, after):
            continue
        gaps = [
            right[0].bbox[0] - left[-1].bbox[2]
            for left in cell.lines
            for right in after.lines
            if interval_overlap(left[-1].bbox[1], left[-1].bbox[3], right[0].bbox[1], right[0].bbox[3])
            > 0.5 * (left[-1].bbox[3] - left[-1].bbox[1])
        ]
        if any(gap < _LANE * grid.height for gap in gaps):
            split |= {cell.index, after.index}
    return split


def _is_walled(grid: Grid, left: FilledCell, right: FilledCell) -> bool:
    """Whether a vertical rule lies between two neighbors."""
    top, bottom = max(left.box[1], right.box[1]), min(left.box[3], right.box[3])
    lane = left.box[2] - ON_LINE, right.box[0] + ON_LINE
    return grid.ruled_length(lane, (top, bottom)) > 0.5 * max(bottom - top, 0.1)
