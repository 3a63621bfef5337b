"""Rows and cells of a table whose words are laid out in lines and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod

import numpy as np

from docai.contents import Cell, TableContent
from docai.geometry import union
from docai.parsers.table_grid import fill_grid, table_content
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.rulings import Rulings
from docai.pipelines.tables.word_grid import Line, Piece, Sheet, is_value, lay_out_words, wraps
from docai.pipelines.words import cell_text

_TIGHT = 0.93
"""Distance of two lines over that of usual rows, below which they are lines of one row."""
_NEAR = 1.15
"""Distance of two lines in heights of a word, up to which one may go on with the text above it."""
_LOOSE = 1.5
"""The same, above which no line does."""
_APART = 1.2
"""Distance of two lines over the least, from which lines of text alone are different rows."""
_CENTRED = 0.6
"""Distance, in heights of a word, of a heading's middle from that of the columns it stands over."""
_MOST_WAYS = 200


@dataclass
class _Block:
    """A cell in the making: rows and columns are inclusive."""

    top: int
    bottom: int
    first: int
    last: int
    words: list[int]


def grid_from_words(words: Sequence[PageWord], rules: Rulings) -> TableContent | None:
    """A grid of the words alone, parted by white and by rules; None where they stand in one column.

    Boxes of cells are those of their words. The coordinates of words and rules are of one frame, in which
    the text is upright.
    """
    sheet = lay_out_words(words, rules)
    if sheet is None:
        return None
    blocks, n_head = _head(sheet)
    n_rows = n_head
    for group in _body_rows(sheet):
        blocks += _row_blocks(group, n_rows)
        n_rows += 1
    n_cols = len(sheet.edges) + 1
    cells = [_cell(block, words, n_head) for block in _without_collisions(blocks)]
    return table_content(fill_grid(cells, n_rows, n_cols), n_rows, n_cols)


def _cell(block: _Block, words: Sequence[PageWord], n_head: int) -> Cell:
    inside = [words[index] for index in sorted(block.words)]
    return Cell(
        row=block.top,
        col=block.first,
        row_span=block.bottom - block.top + 1,
        col_span=block.last - block.first + 1,
        text=cell_text(inside),
        is_header=block.top < max(1, n_head),
        bbox=union([word.bbox for word in inside]),
    )


def _without_collisions(blocks: Sequence[_Block]) -> list[_Block]:
    """Cells that would cover a place twice, cut down to the place where they begin; no word is lost."""
    owners: dict[tuple[int, int], _Block] = {}
    kept = []
    for block in sorted(blocks, key=lambda block: (block.top, block.first)):
        if any(place in owners for place in _places(block)):
            block.bottom, block.last = block.top, block.first
        owner = owners.get((block.top, block.first))
        if owner is not None:
            owner.words += block.words
            continue
        owners |= dict.fromkeys(_places(block), block)
        kept.append(block)
    return kept


def _places(block: _Block) -> list[tuple[int, int]]:
    return list(product(range(block.top, block.bottom + 1), range(block.first, block.last + 1)))


def _row_blocks(lines: Sequence[Line], row: int) -> list[_Block]:
    """Cells of one row: pieces that share columns are one. A long line of text that reaches into a column
    with a text of its own is of the column where it begins."""
    blocks: list[_Block] = []
    taken = {piece.first for line in lines for piece in line.pieces if piece.first == piece.last}
    for line in lines:
        for piece in line.pieces:
            clear = taken.isdisjoint(range(piece.first + 1, piece.last + 1))
            last = piece.last if clear else piece.first
            block = _Block(row, row, piece.first, last, [*piece.words, *piece.leaders])
            for other in [b for b in blocks if b.first <= block.last and block.first <= b.last]:
                blocks.remove(other)
                block.first, block.last = min(block.first, other.first), max(block.last, other.last)
                block.words = other.words + block.words
            blocks.append(block)
    return blocks


def _body_rows(sheet: Sheet) -> list[list[Line]]:
    lines = sheet.lines[sheet.n_head :]
    steps = [b.middle - a.middle for a, b in pairwise(lines)]
    rows_apart = [b.middle - a.middle for a, b in pairwise(lines) if _two_values(sheet, [a], b)]
    usual = float(np.median(rows_apart)) if rows_apart else _usual_step(sheet, lines) or max(steps, default=0)
    least = min(steps, default=0.0)
    pieces = [sheet.text(piece) for line in lines for piece in line.pieces if piece.first > 0]
    is_prose = sum(map(is_value, pieces)) < 0.3 * len(pieces)
    n_ruled = sum(sheet.ruled_between(a, b) for a, b in pairwise(lines))
    is_ruled = n_ruled >= 2 and 2 * n_ruled >= sum(len(line.pieces) > 1 for line in lines) - 1
    rows: list[list[Line]] = []
    for line in lines:
        step = line.middle - rows[-1][-1].middle if rows else 0.0
        if not rows or sheet.ruled_between(rows[-1][-1], line) or _two_values(sheet, rows[-1], line):
            rows.append([line])
        elif is_ruled or _goes_on(sheet, rows[-1], line, step, usual):
            rows[-1].append(line)
        elif is_prose and 0 < least < step / _APART:
            rows.append([line])
        elif is_prose and max(steps) >= _APART * least and len(line.pieces) > 1:
            rows[-1].append(line)
        else:
            rows.append([line])
    return rows


def _usual_step(sheet: Sheet, lines: Sequence[Line]) -> float:
    """Median distance of lines with values; with what lies between, those are of different rows."""
    valued = [line.middle for line in lines if any(is_value(sheet.text(p)) for p in line.pieces if p.first)]
    return float(np.median(np.diff(valued))) if len(valued) > 1 else 0.0


def _two_values(sheet: Sheet, row: Sequence[Line], line: Line) -> bool:
    """Whether some column has a value in the row already, and another in this line."""

    def values(one: Line) -> set[int]:
        return {piece.first for piece in one.pieces if piece.first > 0 and is_value(sheet.text(piece))}

    return bool(values(line) & {col for other in row for col in values(other)})


def _goes_on(sheet: Sheet, row: Sequence[Line], line: Line, step: float, usual: float) -> bool:
    """Whether a line belongs to the row above it by what it leaves empty and how near it is."""
    upper = row[-1]
    above = {col for other in row for col in other.filled()}
    here = line.filled()
    tight = step < min(_TIGHT * usual, _LOOSE * sheet.height)
    near = tight or step <= _NEAR * sheet.height
    if here == {0}:
        return (near and wraps(sheet, upper, line)) or (tight and above != {0})
    if above == {0} and 0 in here:
        return near and wraps(sheet, upper, line)
    if 0 not in here:
        return near and here <= above
    return tight and here <= above


def _head(sheet: Sheet) -> tuple[list[_Block], int]:
    """Cells of the head, and how many rows they take."""
    lines = sheet.lines[: sheet.n_head]
    for number, line in enumerate(lines):
        for piece in line.pieces:
            _keep_to_column(sheet, piece)
        if _span_by_rules(sheet, line, lines[number + 1 :]):
            continue
        _span_by_middle(sheet, line, sheet.lines[number + 1 :])
    row = 0
    rows = []
    for number, line in enumerate(lines):
        if number and (
            _spans(lines[number - 1]) - _spans(line) or sheet.ruled_between(lines[number - 1], line)
        ):
            row += 1
        rows.append(row)
    blocks: list[_Block] = []
    for number, (line, row) in enumerate(zip(lines, rows, strict=True)):
        ruled = number > 0 and sheet.ruled_between(lines[number - 1], line)
        for piece in line.pieces:
            over = [b for b in blocks if b.first <= piece.last and piece.first <= b.last]
            last = over[-1] if over and not ruled else None
            alike = last is not None and (last.first, last.last) == (piece.first, piece.last)
            if last is not None and alike and (last.bottom == row or piece.first == piece.last):
                last.bottom = row
                last.words += [*piece.words, *piece.leaders]
                continue
            blocks.append(_Block(row, row, piece.first, piece.last, [*piece.words, *piece.leaders]))
    _reach_up(blocks)
    return blocks, (rows[-1] + 1 if rows else 0)


def _reach_up(blocks: Sequence[_Block]) -> None:
    """The heading of one column, with no other heading over it, is as high as the head."""
    for block in blocks:
        over = [b for b in blocks if b is not block and b.first <= block.last and block.first <= b.last]
        if block.first == block.last and not any(b.top < block.top for b in over):
            block.top = 0


def _spans(line: Line) -> set[tuple[int, int]]:
    return {(piece.first, piece.last) for piece in line.pieces if piece.first < piece.last}


def _bounds(sheet: Sheet, col: int) -> tuple[float, float]:
    """Extent of what stands in one column alone."""
    alone = [p.bbox for line in sheet.lines for p in line.pieces if p.first == p.last == col]
    left = sheet.edges[col - 1] if col else min(word.bbox[0] for word in sheet.words)
    right = sheet.edges[col] if col < len(sheet.edges) else max(word.bbox[2] for word in sheet.words)
    return (min(b[0] for b in alone), max(b[2] for b in alone)) if alone else (left, right)


def _keep_to_column(sheet: Sheet, piece: Piece) -> None:
    """A heading wider than its column reaches over the edge of the next, but is in line with its own."""
    if piece.first == piece.last:
        return

    def off(first: int, last: int) -> float:
        left, right = _bounds(sheet, first)[0], _bounds(sheet, last)[1]
        start, end = piece.bbox[0], piece.bbox[2]
        return min(abs(start - left), abs(end - right), abs(start + end - left - right) / 2)

    def clear_of(col: int) -> bool:
        left, right = _bounds(sheet, col)
        return min(right, piece.bbox[2]) - max(left, piece.bbox[0]) < 0.2 * sheet.height

    cols = range(piece.first, piece.last + 1)
    own = min(cols, key=lambda col: off(col, col))
    if off(own, own) <= off(piece.first, piece.last) and all(clear_of(col) for col in cols if col != own):
        piece.first = piece.last = own


def _span_by_rules(sheet: Sheet, line: Line, below: Sequence[Line]) -> bool:
    """A rule under a heading, shorter than the table, reaches over the columns that it heads. Whether there
    was one."""
    found = False
    for start, end, y in sheet.part_rules:
        if not line.middle < y < line.bbox[3] + sheet.height or any(other.middle < y for other in below):
            continue
        over = [p for p in line.pieces if start - 1 <= (p.bbox[0] + p.bbox[2]) / 2 <= end + 1]
        cols = [c for c in range(len(sheet.edges) + 1) if start <= sum(_bounds(sheet, c)) / 2 <= end]
        if len(over) == 1 and len(cols) > 1:
            over[0].first, over[0].last = cols[0], cols[-1]
            found = True
    return found


def _span_by_middle(sheet: Sheet, line: Line, below: Sequence[Line]) -> None:
    """Headings that each stand over the middle of several columns, all of them together over all columns.

    Only where a line below has a heading of its own in each of those columns.
    """
    n_cols = len(sheet.edges) + 1
    pieces = [piece for piece in line.pieces if piece.first > 0]
    under = max((other.filled() for other in below[:4]), key=len, default=set())
    if not pieces or not set(range(1, n_cols)) <= under or len(line.filled()) >= len(under):
        return
    starts: list[range] = [range(1, 2)]
    starts += [range(one.last + 1, two.first + 1) for one, two in pairwise(pieces)]
    if prod(len(choice) for choice in starts) > _MOST_WAYS:
        return
    best: tuple[float, list[tuple[int, int]]] | None = None
    for firsts in product(*starts):
        groups = [(a, b - 1) for a, b in pairwise([*firsts, n_cols])]
        off = max(_off_middle(sheet, piece, group) for piece, group in zip(pieces, groups, strict=True))
        if best is None or off < best[0]:
            best = (off, groups)
    if best is not None and best[0] <= _CENTRED * sheet.height:
        for piece, (first, last) in zip(pieces, best[1], strict=True):
            piece.first, piece.last = first, last


def _off_middle(sheet: Sheet, piece: Piece, group: tuple[int, int]) -> float:
    if not group[0] <= piece.first <= piece.last <= group[1]:
        return float("inf")
    left, right = _bounds(sheet, group[0])[0], _bounds(sheet, group[1])[1]
    return abs((piece.bbox[0] + piece.bbox[2]) / 2 - (left + right) / 2)
