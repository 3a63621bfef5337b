"""Grids that are wrong in one way, made from right ones. Boxes are those of the words of a cell."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from docai.contents import Cell, TableContent
from docai.geometry import center, union
from docai.parsers.table_grid import fill_grid, table_content
from docai.pipelines.ingest import PageWord
from docai.pipelines.words import cell_content, text_rows

Breaking = Callable[[TableContent, Sequence[PageWord], random.Random], list[Cell] | None]
"""The cells of a wrong grid; None where the table cannot be broken in that way."""


def merge_columns(table: TableContent, words: Sequence[PageWord], rng: random.Random) -> list[Cell] | None:
    if table.n_cols < 3:
        return None
    at = rng.randrange(table.n_cols - 1)
    return _together([_without_boundary(cell, "col", at) for cell in table.cells])


def merge_rows(table: TableContent, words: Sequence[PageWord], rng: random.Random) -> list[Cell] | None:
    if table.n_rows < 4:
        return None
    at = rng.randrange(1, table.n_rows - 1)
    return _together([_without_boundary(cell, "row", at) for cell in table.cells])


def _without_boundary(cell: Cell, axis: str, at: int) -> Cell:
    """The cell in a grid in which row or column ``at`` and the next are one."""
    start, span = getattr(cell, axis), getattr(cell, f"{axis}_span")
    first, last = start - (start > at), start + span - 1 - (start + span - 1 > at)
    return cell.model_copy(update={axis: first, f"{axis}_span": max(1, last - first + 1)})


def _together(cells: Sequence[Cell]) -> list[Cell]:
    """The cells with those of one place as one."""
    by_place: dict[tuple[int, int], Cell] = {}
    for cell in cells:
        place = cell.row, cell.col
        by_place[place] = _joined(by_place[place], cell) if place in by_place else cell
    return list(by_place.values())


def _joined(one: Cell, other: Cell) -> Cell:
    boxes = [cell.bbox for cell in (one, other) if cell.bbox is not None]
    text = " ".join(cell.text for cell in (one, other) if cell.text)
    return one.model_copy(update={"text": text, "bbox": union(boxes) if boxes else None})


def drop_row(table: TableContent, words: Sequence[PageWord], rng: random.Random) -> list[Cell] | None:
    if table.n_rows < 4:
        return None
    at = rng.randrange(1, table.n_rows)
    kept = [cell for cell in table.cells if not (cell.row == at and cell.row_span == 1)]
    return [
        cell.model_copy(
            update={
                "row": cell.row - (cell.row > at),
                "row_span": max(1, cell.row_span - (cell.row <= at < cell.row + cell.row_span)),
            }
        )
        for cell in kept
    ]


def shift_column(table: TableContent, words: Sequence[PageWord], rng: random.Random) -> list[Cell] | None:
    """The values of one column stand a row too low from some row on."""
    col = rng.randrange(table.n_cols)
    cells = [cell for cell in table.cells if cell.col == col and cell.col_span == cell.row_span == 1]
    if len(cells) < 4:
        return None
    at = rng.randrange(1, len(cells) - 1)
    moved = [*cells[:at], None, *cells[at:-1]]
    return _with_contents(table, dict(zip(map(_place, cells), moved, strict=True)))


def shift_heads(table: TableContent, words: Sequence[PageWord], rng: random.Random) -> list[Cell] | None:
    """The cells of the first row stand one column too far left or right."""
    cells = [cell for cell in table.cells if cell.row == 0]
    if len(cells) < 3:
        return None
    moved = [*cells[1:], None] if rng.random() < 0.5 else [None, *cells[:-1]]
    return _with_contents(table, dict(zip(map(_place, cells), moved, strict=True)))


def _place(cell: Cell) -> tuple[int, int]:
    return cell.row, cell.col


def _with_contents(table: TableContent, contents: Mapping[tuple[int, int], Cell | None]) -> list[Cell]:
    """The cells, with text and box of others at some places; None is an empty one."""
    cells = []
    for cell in table.cells:
        if _place(cell) in contents:
            source = contents[_place(cell)]
            text, bbox = ("", None) if source is None else (source.text, source.bbox)
            cell = cell.model_copy(update={"text": text, "bbox": bbox})
        cells.append(cell)
    return cells


def lose_span(table: TableContent, words: Sequence[PageWord], rng: random.Random) -> list[Cell] | None:
    """A spanning cell stands in its first place alone, and the others are empty."""
    spanning = [cell for cell in table.cells if (cell.col_span > 1 or cell.row_span > 1) and cell.text]
    if not spanning:
        return None
    lost = rng.choice(spanning)
    return [
        cell.model_copy(update={"row_span": 1, "col_span": 1}) if cell is lost else cell
        for cell in table.cells
    ]


def invent_span(table: TableContent, words: Sequence[PageWord], rng: random.Random) -> list[Cell] | None:
    """A cell takes in its right neighbor."""
    single = {_place(cell): cell for cell in table.cells if cell.col_span == cell.row_span == 1}
    pairs = [
        (cell, single[row, col + 1])
        for (row, col), cell in single.items()
        if cell.text and (row, col + 1) in single
    ]
    if not pairs:
        return None
    one, other = rng.choice(pairs)
    kept = [cell for cell in table.cells if cell is not one and cell is not other]
    return [*kept, _joined(one, other).model_copy(update={"col_span": 2})]


def split_column(table: TableContent, words: Sequence[PageWord], rng: random.Random) -> list[Cell] | None:
    """The cells of one column are cut at their widest space."""
    several = [c.col for c in table.cells if c.bbox and c.col_span == 1 and " " in c.text]
    cols = sorted({col for col in several if several.count(col) > 1})
    if not cols:
        return None
    at = rng.choice(cols)
    cells = []
    for cell in table.cells:
        if cell.col == at and cell.col_span == 1:
            cells += _cut(cell, sorted(_words_in(cell, words), key=lambda word: word.bbox[0]))
        else:
            last = cell.col + cell.col_span - 1
            first = cell.col + (cell.col > at)
            cells.append(cell.model_copy(update={"col": first, "col_span": last + (last >= at) - first + 1}))
    return cells


def _cut(cell: Cell, words: Sequence[PageWord]) -> list[Cell]:
    if len(words) < 2:
        return [cell]
    gaps = [after.bbox[0] - before.bbox[2] for before, after in pairwise(words)]
    at = 1 + gaps.index(max(gaps))
    return [_filled(cell, words[:at]), _filled(cell, words[at:]).model_copy(update={"col": cell.col + 1})]


def split_row(table: TableContent, words: Sequence[PageWord], rng: random.Random) -> list[Cell] | None:
    """A row with cells of two lines is cut between them."""
    tall = sorted(
        {c.row for c in table.cells if c.bbox and c.row_span == 1 and len(_lines(_words_in(c, words))) == 2}
    )
    if not tall:
        return None
    at = rng.choice(tall)
    cells = []
    for cell in table.cells:
        if cell.row == at and cell.row_span == 1:
            first, *rest = _lines(_words_in(cell, words)) or [[]]
            cells.append(_filled(cell, first) if first else cell)
            if rest:
                below = _filled(cell, [word for line in rest for word in line])
                cells.append(below.model_copy(update={"row": at + 1}))
        else:
            last = cell.row + cell.row_span - 1
            first_row = cell.row + (cell.row > at)
            span = last + (last >= at) - first_row + 1
            cells.append(cell.model_copy(update={"row": first_row, "row_span": span}))
    return cells


def _words_in(cell: Cell, words: Sequence[PageWord]) -> list[PageWord]:
    if cell.bbox is None:
        return []
    x0, y0, x1, y1 = cell.bbox
    middles = [(word, *center(word.bbox)) for word in words]
    return [word for word, x, y in middles if x0 - 0.1 <= x <= x1 + 0.1 and y0 - 0.1 <= y <= y1 + 0.1]


def _lines(words: Sequence[PageWord]) -> list[list[PageWord]]:
    return [[words[index] for index in row] for row in text_rows([word.bbox for word in words])]


def _filled(cell: Cell, words: Sequence[PageWord]) -> Cell:
    text, marks = cell_content(words)
    return cell.model_copy(update={"text": text, "marks": marks, "bbox": union([w.bbox for w in words])})


BREAKINGS: Final[Mapping[str, Breaking]] = {
    breaking.__name__: breaking
    for breaking in (
        merge_columns,
        merge_rows,
        drop_row,
        shift_column,
        shift_heads,
        lose_span,
        invent_span,
        split_column,
        split_row,
    )
}


def broken_grids(
    table: TableContent, words: Sequence[PageWord], rng: random.Random
) -> Iterator[tuple[str, TableContent]]:
    """The name of each way in which the table can be broken, and the wrong grid."""
    for name, breaking in BREAKINGS.items():
        cells = breaking(table, words, rng)
        if cells is None:
            continue
        n_rows = max(cell.row + cell.row_span for cell in cells)
        n_cols = max(cell.col + cell.col_span for cell in cells)
        yield name, table_content(fill_grid(cells, n_rows, n_cols), n_rows, n_cols)
