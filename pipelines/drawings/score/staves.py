"""Staves of a drawing: equidistant level lines of one length."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.score.strokes import Strokes, find_strokes
from docai.pipelines.drawings.score.types import Staff
from docai.pipelines.ingest.drawing import Drawing

MIN_STAFF_POINTS: Final = 14.0
"""Length of a staff below which it is none."""

SPACE_POINTS: Final = (1.2, 30.0)
"""Least and greatest distance of two lines of a staff."""

MIN_STAFF_SPACES: Final = 5.0
"""Length of the shortest staff, such as an ossia of one measure: ledger lines are shorter."""

MAX_LINE_SPACES: Final = 0.34
"""Thickness of a staff line at most, in staff spaces."""

UNEVEN_SPACES: Final = 0.08
"""How far a line may lie from its place, in staff spaces."""

MIN_SHARED_SPAN: Final = 0.93
"""Share of the length of two lines, from the first end to the last, over which both of one staff run."""

MAX_LINES: Final = 6
"""Lines of a staff at most; more of them are ruled paper or a table."""

MAX_LEVEL_LINES: Final = 4_000
"""Long level lines of a page above which it is a table or a hatch."""

MAX_OPEN_LINES: Final = 12
"""Lines of one height among which the one that a piece continues is looked for."""

Floats = NDArray[np.float64]


def find_staves(drawing: Drawing, strokes: Strokes | None = None) -> list[Staff]:
    """Staves of five lines and, as tablature, those of four and six; from the top, then from the left.

    Args:
        drawing: of a page or a part of it.
        strokes: its straight strokes, if they are known.
    """
    lines = level_lines(find_strokes(drawing) if strokes is None else strokes)
    lines = lines[lines[:, 1] - lines[:, 0] >= MIN_STAFF_POINTS]
    if len(lines) < 4 or len(lines) > MAX_LEVEL_LINES:
        return []
    staves = []
    is_free = np.ones(len(lines), bool)
    for first in range(len(lines)):
        if not is_free[first]:
            continue
        run = _equidistant(lines, is_free, first)
        if len(run) < 4:
            continue
        is_free[run] = False
        if len(run) <= MAX_LINES:
            x0, x1 = np.median(lines[run, 0]), np.median(lines[run, 1])
            staves.append(Staff(tuple(lines[run, 2].tolist()), float(x0), float(x1), len(run) != 5))
    return sorted(staves, key=lambda staff: (staff.lines[0], staff.x0))


def level_lines(strokes: Strokes) -> Floats:
    """(n, 4): x of both ends, y and thickness of level lines from the top, pieces of one line joined."""
    level = strokes.take(strokes.is_level)
    pieces = np.column_stack(
        [level.ends[:, 0], level.ends[:, 2], (level.ends[:, 1] + level.ends[:, 3]) / 2, level.thickness]
    )
    if len(pieces) == 0:
        return np.empty((0, 4))
    pieces = pieces[np.argsort(pieces[:, 2], kind="stable")]
    # Pieces of one height, as exactly as engravers write numbers.
    row = np.cumsum(np.diff(pieces[:, 2], prepend=pieces[0, 2]) > 0.06)
    order = np.lexsort((pieces[:, 0], row))
    pieces, row = pieces[order], row[order]
    joined: list[list[float]] = []
    first_of_row, last_row = 0, -1
    for index, (x0, x1, y, thickness) in zip(row.tolist(), pieces.tolist(), strict=True):
        if index != last_row:
            first_of_row, last_row = len(joined), index
        gap = max(0.6, 1.5 * thickness)
        # A beam may lie on a line: the line before it goes on behind it.
        for line in joined[: max(first_of_row, len(joined) - MAX_OPEN_LINES) - len(joined) - 1 : -1]:
            if x0 <= line[1] + gap and _alike(thickness, line[3]):
                line[1] = max(line[1], x1)
                break
        else:
            joined.append([x0, x1, y, thickness])
    return np.array(sorted(joined, key=lambda line: (line[2], line[0])))


def _alike(one: float, other: float) -> bool:
    return max(one, other) <= 1.25 * min(one, other) + 0.05


def _equidistant(lines: Floats, is_free: NDArray[np.bool_], first: int) -> list[int]:
    """Indices of the lines at one distance from each other, from the first one down."""
    x0, x1, y, thickness = lines[first]
    below = np.arange(first + 1, len(lines))
    shared = np.minimum(lines[below, 1], x1) - np.maximum(lines[below, 0], x0)
    span = np.maximum(lines[below, 1], x1) - np.minimum(lines[below, 0], x0)
    below = below[is_free[below] & (shared >= MIN_SHARED_SPAN * span)]
    thick = lines[below, 3]
    alike = np.maximum(thick, thickness) <= 1.5 * np.minimum(thick, thickness) + 0.1
    heights, all_heights, below = lines[below[alike], 2], lines[below, 2], below[alike]
    # No other line of that length lies in a staff: among many lines some are equidistant by chance.
    if len(below) == 0 or heights[0] > all_heights[0]:
        return [first]
    space = float(heights[0]) - y
    if space > SPACE_POINTS[1] or space < max(SPACE_POINTS[0], thickness / MAX_LINE_SPACES):
        return [first]
    if x1 - x0 < MIN_STAFF_SPACES * space:
        return [first]
    run = [first, int(below[0])]
    while len(run) < len(below) + 1:
        # From the mean space so far: rounding of single lines does not add up.
        space = (lines[run[-1], 2] - y) / (len(run) - 1)
        near = np.abs(heights - (y + space * len(run)))
        if near.min() > UNEVEN_SPACES * space + 0.02:
            break
        run.append(int(below[near.argmin()]))
    reach = lines[run[-1], 2] + 0.8 * space
    return run if int(np.searchsorted(all_heights, reach, "right")) == len(run) - 1 else [first]
