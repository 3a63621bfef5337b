"""Rows and cells of a table from the lines and columns of :mod:`~docai.pipelines.tables.word_grid`.

The steps: head lines → cells; body lines → rows → cells; collisions resolved → grid. A new row begins at a
rule, after a wider gap, and with a second value in a column. A line that only continues cells of the line
above belongs to the same row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod

import numpy as np

from docai.contents import Cell, TableContent
from docai.geometry import center, interval_overlap, union
from docai.parsers.table_grid import fill_grid, table_content
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.rulings import Rulings
from docai.pipelines.tables.word_grid import WordLayout, continues_below, lay_out_words
from docai.pipelines.tables.word_lines import Line, Piece, is_value
from docai.pipelines.words import cell_content

_MAX_TIGHT_STEP = 0.93
"""Distance of two lines, in usual distances of rows, below which they can be of one row."""

_MAX_NEAR_STEP = 1.15
"""Distance of two lines, in heights of a word, up to which the lower one can continue the text of the upper
one."""

_MAX_TIGHT_HEIGHTS = 1.5
"""Distance of two lines, in heights of a word, from which they are of different rows."""

_MIN_ROW_STEP = 1.2
"""Distance of two lines, in the smallest distance of lines, above which lines of text are of different
rows."""

_CLOSER = 0.85
"""Distance of a label alone from the line below, in its distance from the line above, below which it begins
the row of that line."""

_MAX_OFF_CENTER = 0.6
"""Distance, in heights of a word, of the center of a heading from that of the columns below it."""

_MAX_OFF_PITCH = 0.3
"""The same distance, in distances of columns, where all headings are above groups of the same size."""

_MAX_COMBINATIONS = 200
"""Ways to distribute columns among headings above which they are not tried."""


@dataclass
class _Block:
    """A cell that may still change: its rows and columns, last ones included, and its words as indices."""

    top: int
    bottom: int
    first: int
    last: int
    words: list[int]


def grid_from_words(words: Sequence[PageWord], rules: Rulings) -> TableContent | None:
    """A table from the positions of its words and rules; None where these form no two lines and columns.

    Boxes of cells are those of their words. Words and rules are in the points of one frame, in which the text
    is upright.
    """
    layout = lay_out_words(words, rules)
    if layout is None:
        return None
    blocks, n_head_rows = _head_blocks(layout)
    n_rows = n_head_rows
    for line in layout.lines[layout.n_head :]:
        for piece in line.pieces:
            _narrow_to_own_column(layout, piece)
    for lines in _group_body_lines(layout):
        blocks += _lines_to_blocks(lines, n_rows)
        n_rows += 1
    n_cols = len(layout.edges) + 1
    cells = [_block_to_cell(block, words, n_head_rows) for block in _resolve_collisions(blocks)]
    return table_content(fill_grid(cells, n_rows, n_cols), n_rows, n_cols)


def _block_to_cell(block: _Block, words: Sequence[PageWord], n_head_rows: int) -> Cell:
    inside = [words[index] for index in sorted(block.words)]
    text, marks = cell_content(inside)
    return Cell(
        row=block.top,
        col=block.first,
        row_span=block.bottom - block.top + 1,
        col_span=block.last - block.first + 1,
        text=text,
        marks=marks,
        is_header=block.top < max(1, n_head_rows),
        bbox=union([word.bbox for word in inside]),
    )


def _resolve_collisions(blocks: Sequence[_Block]) -> list[_Block]:
    """The blocks without overlaps: a block over a position of an earlier one is reduced to its first
    position, or added to the block there. No word is lost."""
    owners: dict[tuple[int, int], _Block] = {}
    result = []
    for block in sorted(blocks, key=lambda block: (block.top, block.first)):
        if any(position in owners for position in _positions(block)):
            block.bottom, block.last = block.top, block.first
        owner = owners.get((block.top, block.first))
        if owner is not None:
            owner.words += block.words
            continue
        owners |= dict.fromkeys(_positions(block), block)
        result.append(block)
    return result


def _positions(block: _Block) -> list[tuple[int, int]]:
    """All (row, column) of a block."""
    return list(product(range(block.top, block.bottom + 1), range(block.first, block.last + 1)))


def _lines_to_blocks(lines: Sequence[Line], row: int) -> list[_Block]:
    """Blocks of one row: pieces that share columns are one. A long piece that extends into a column with text
    of its own belongs to the column where it begins."""
    blocks: list[_Block] = []
    taken = {piece.first for line in lines for piece in line.pieces if piece.first == piece.last}
    for line in lines:
        for piece in line.pieces:
            is_free = taken.isdisjoint(range(piece.first + 1, piece.last + 1))
            last = piece.last if is_free else piece.first
            block = _Block(row, row, piece.first, last, [*piece.words, *piece.leaders])
            for other in [b for b in blocks if b.first <= block.last and block.first <= b.last]:
                blocks.remove(other)
                block.first, block.last = min(block.first, other.first), max(block.last, other.last)
                block.words = other.words + block.words
            blocks.append(block)
    return blocks


def _group_body_lines(layout: WordLayout) -> list[list[Line]]:
    """The lines below the head, as those of each row."""
    lines = layout.lines[layout.n_head :]
    steps = [b.middle - a.middle for a, b in pairwise(lines)]
    row_steps = [b.middle - a.middle for a, b in pairwise(lines) if _has_second_value(layout, [a], b)]
    if row_steps:
        usual = float(np.median(row_steps))
    else:
        usual = _value_line_step(layout, lines) or max(steps, default=0)
    min_step = min(steps, default=0.0)
    pieces = [layout.text(piece) for line in lines for piece in line.pieces if piece.first > 0]
    is_prose = sum(map(is_value, pieces)) < 0.3 * len(pieces)
    n_ruled = sum(layout.ruled_between(a, b) for a, b in pairwise(lines))
    is_ruled = n_ruled >= 2 and 2 * n_ruled >= sum(len(line.pieces) > 1 for line in lines) - 1
    rows: list[list[Line]] = []
    for number, line in enumerate(lines):
        step = line.middle - rows[-1][-1].middle if rows else 0.0
        next_step = lines[number + 1].middle - line.middle if number + 1 < len(lines) else math.inf
        if not rows or layout.ruled_between(rows[-1][-1], line) or _has_second_value(layout, rows[-1], line):
            rows.append([line])
        elif is_ruled or _continues_row(layout, rows[-1], line, (step, next_step), usual):
            rows[-1].append(line)
        elif is_prose and 0 < min_step < step / _MIN_ROW_STEP:
            rows.append([line])
        elif is_prose and max(steps) >= _MIN_ROW_STEP * min_step and len(line.pieces) > 1:
            rows[-1].append(line)
        else:
            rows.append([line])
    return rows


def _value_line_step(layout: WordLayout, lines: Sequence[Line]) -> float:
    """Median distance of consecutive lines with values, which are of different rows; 0 where there are no
    two."""
    valued = [line.middle for line in lines if any(is_value(layout.text(p)) for p in line.pieces if p.first)]
    return float(np.median(np.diff(valued))) if len(valued) > 1 else 0.0


def _has_second_value(layout: WordLayout, row: Sequence[Line], line: Line) -> bool:
    """Whether a column that has a value in the row has another one in this line."""

    def value_columns(of: Line) -> set[int]:
        return {piece.first for piece in of.pieces if piece.first > 0 and is_value(layout.text(piece))}

    return bool(value_columns(line) & {col for known in row for col in value_columns(known)})


def _continues_row(
    layout: WordLayout, row: Sequence[Line], line: Line, steps: tuple[float, float], usual: float
) -> bool:
    """Whether a line belongs to the row above it: by the columns that it leaves empty, and by its distances
    from the lines above and below, ``steps``, points."""
    upper = row[-1]
    step, next_step = steps
    above = {col for known in row for col in known.filled()}
    filled = line.filled()
    is_tight = step < min(_MAX_TIGHT_STEP * usual, _MAX_TIGHT_HEIGHTS * layout.height)
    is_near = is_tight or step <= _MAX_NEAR_STEP * layout.height
    if filled == {0} and next_step < _CLOSER * step:
        return False
    if filled == {0}:
        return (is_near and continues_below(layout, upper, line)) or (is_tight and above != {0})
    if above == {0} and 0 in filled:
        return is_near and continues_below(layout, upper, line)
    if 0 not in filled:
        return is_near and filled <= above
    return is_tight and filled <= above


def _head_blocks(layout: WordLayout) -> tuple[list[_Block], int]:
    """Blocks of the head, and its number of rows."""
    lines = layout.lines[: layout.n_head]
    for number, line in enumerate(lines):
        for piece in line.pieces:
            _narrow_to_own_column(layout, piece)
        if _span_columns_by_rules(layout, line, lines[number + 1 :]):
            continue
        # Headings become finer from line to line: what stands below a finer line continues its cells.
        if not any(len(upper.pieces) > len(line.pieces) for upper in lines[:number]):
            _span_columns_by_centers(layout, line, layout.lines[number + 1 :])
    row = 0
    rows = []
    for number, line in enumerate(lines):
        if number and (
            _column_spans(lines[number - 1]) - _column_spans(line)
            or layout.ruled_between(lines[number - 1], line)
        ):
            row += 1
        rows.append(row)
    blocks: list[_Block] = []
    for number, (line, row) in enumerate(zip(lines, rows, strict=True)):
        is_ruled_off = number > 0 and layout.ruled_between(lines[number - 1], line)
        for piece in line.pieces:
            over = [b for b in blocks if b.first <= piece.last and piece.first <= b.last]
            last = over[-1] if over and not is_ruled_off else None
            same_columns = last is not None and (last.first, last.last) == (piece.first, piece.last)
            if last is not None and same_columns and (last.bottom == row or piece.first == piece.last):
                last.bottom = row
                last.words += [*piece.words, *piece.leaders]
                continue
            blocks.append(_Block(row, row, piece.first, piece.last, [*piece.words, *piece.leaders]))
    _extend_to_top(blocks)
    return blocks, (rows[-1] + 1 if rows else 0)


def _extend_to_top(blocks: Sequence[_Block]) -> None:
    """Extend the heading of one column without another heading above it to the top of the head."""
    for block in blocks:
        over = [b for b in blocks if b is not block and b.first <= block.last and block.first <= b.last]
        if block.first == block.last and not any(b.top < block.top for b in over):
            block.top = 0


def _column_spans(line: Line) -> set[tuple[int, int]]:
    """First and last column of the pieces that span several."""
    return {(piece.first, piece.last) for piece in line.pieces if piece.first < piece.last}


def _column_extent(layout: WordLayout, col: int, lines: Sequence[Line] | None = None) -> tuple[float, float]:
    """Left and right end, x, of the pieces in one column alone, of all lines or those given; of the column
    where there are none."""
    lines = layout.lines if lines is None else lines
    alone = [p.bbox for line in lines for p in line.pieces if p.first == p.last == col]
    left = layout.edges[col - 1] if col else min(word.bbox[0] for word in layout.words)
    right = layout.edges[col] if col < len(layout.edges) else max(word.bbox[2] for word in layout.words)
    return (min(b[0] for b in alone), max(b[2] for b in alone)) if alone else (left, right)


def _narrow_to_own_column(layout: WordLayout, piece: Piece) -> None:
    """Limit a piece that is wider than its column to the column with which it is aligned, if it only reaches
    into the gaps beside that."""
    if piece.first == piece.last:
        return

    def misalignment(first: int, last: int) -> float:
        left, right = _column_extent(layout, first)[0], _column_extent(layout, last)[1]
        start, end = piece.bbox[0], piece.bbox[2]
        return min(abs(start - left), abs(end - right), abs(start + end - left - right) / 2)

    def is_clear_of(col: int) -> bool:
        left, right = _column_extent(layout, col)
        return interval_overlap(left, right, piece.bbox[0], piece.bbox[2]) < 0.2 * layout.height

    cols = range(piece.first, piece.last + 1)
    own = min(cols, key=lambda col: misalignment(col, col))
    if misalignment(own, own) > misalignment(piece.first, piece.last):
        return
    if all(is_clear_of(col) for col in cols if col != own):
        piece.first = piece.last = own


def _span_columns_by_rules(layout: WordLayout, line: Line, below: Sequence[Line]) -> bool:
    """Extend headings to the columns above which the rule below them runs, if it is shorter than the table;
    returns whether there was such a rule."""
    is_any = False
    for start, end, y in layout.part_rules:
        if not line.middle < y < line.bbox[3] + layout.height or any(other.middle < y for other in below):
            continue
        over = [p for p in line.pieces if start - 1 <= center(p.bbox)[0] <= end + 1]
        cols = [c for c in range(len(layout.edges) + 1) if start <= sum(_column_extent(layout, c)) / 2 <= end]
        if len(over) == 1 and len(cols) > 1:
            over[0].first, over[0].last = cols[0], cols[-1]
            is_any = True
    return is_any


def _span_columns_by_centers(layout: WordLayout, line: Line, below: Sequence[Line]) -> None:
    """Extend headings to groups of columns, if each is centered above its group and the groups are all
    columns.

    Only where one of the next lines has text in each of those columns.
    """
    n_cols = len(layout.edges) + 1
    pieces = [piece for piece in line.pieces if piece.first > 0]
    filled = max((lower.filled() for lower in below[:4]), key=len, default=set())
    if not pieces or not set(range(1, n_cols)) <= filled or len(line.filled()) >= len(filled):
        return
    starts: list[range] = [range(1, 2)]
    starts += [range(a.last + 1, b.first + 1) for a, b in pairwise(pieces)]
    if prod(len(choice) for choice in starts) > _MAX_COMBINATIONS:
        return
    best: tuple[float, list[tuple[int, int]]] | None = None
    for firsts in product(*starts):
        groups = [(a, b - 1) for a, b in pairwise([*firsts, n_cols])]
        pairs = zip(pieces, groups, strict=True)
        distance = max(_distance_from_center(layout, piece, group, below) for piece, group in pairs)
        if best is None or distance < best[0]:
            best = (distance, groups)
    if best is None:
        return
    if best[0] <= _MAX_OFF_CENTER * layout.height or _are_regular(layout, pieces, best[1], below):
        for piece, (first, last) in zip(pieces, best[1], strict=True):
            piece.first, piece.last = first, last


def _are_regular(
    layout: WordLayout, pieces: Sequence[Piece], groups: Sequence[tuple[int, int]], below: Sequence[Line]
) -> bool:
    """Whether headings stand above the middles of groups of as many columns each.

    Numbers at the right of their columns are not below the middle of a heading, but as far from it in each
    group.
    """
    size = groups[0][1] - groups[0][0] + 1
    if len(groups) < 2 or size < 2 or any(last - first + 1 != size for first, last in groups):
        return False
    middles = [sum(_column_extent(layout, col, below)) / 2 for col in range(1, groups[-1][1] + 1)]
    pitch = (middles[-1] - middles[0]) / (len(middles) - 1)
    offsets = [
        center(piece.bbox)[0] - (middles[first - 1] + middles[last - 1]) / 2
        for piece, (first, last) in zip(pieces, groups, strict=True)
    ]
    return all(abs(offset) <= _MAX_OFF_PITCH * pitch for offset in offsets)


def _distance_from_center(
    layout: WordLayout, piece: Piece, group: tuple[int, int], below: Sequence[Line]
) -> float:
    """Distance, in points, of a piece's center from that of a group of columns; infinite where it is beyond
    them."""
    if not group[0] <= piece.first <= piece.last <= group[1]:
        return float("inf")
    left = _column_extent(layout, group[0], below)[0]
    right = _column_extent(layout, group[1], below)[1]
    return abs(center(piece.bbox)[0] - (left + right) / 2)
