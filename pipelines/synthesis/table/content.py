"""Tables as in documents: groups of columns and rows, merged cells, totals, footnote marks."""

from __future__ import annotations

import math
import random
from dataclasses import replace

from docai.pipelines.synthesis.base import Plan, Split
from docai.pipelines.synthesis.table.grid import Grid, Role, TableCell, to_html
from docai.pipelines.synthesis.table.values import (
    BLANKS,
    TOTALS,
    Column,
    label,
    numeric_column,
    sentence,
    text_column,
    unit,
)

EASIEST = 0.35
"""Difficulty up to which tables are drawn directly."""
_NOTES = (
    ("a", "b", "c", "d"),
    ("*", "**", "***"),
    ("†", "‡", "§", "¶"),
    ("1", "2", "3"),
    ("(a)", "(b)", "(1)"),
)


def compose(rng: random.Random, difficulty: float, split: Split = "train") -> Plan[Grid]:
    """A table above :data:`EASIEST`; sizes grow from those of easy tables."""
    grown = max(0.0, (difficulty - EASIEST) / (1 - EASIEST))
    n_cols = _size(rng, 3, 10, grown)
    n_body = min(_size(rng, 3, 22, grown), max(2, round((18 + 110 * grown) / n_cols)))
    body = _Body(rng, n_cols, n_body, difficulty, split)
    tall = rng.random() < 0.75
    header = _header(rng, body, difficulty, tall)
    n_header = max(cell.row + cell.row_span for cell in header)
    below = [replace(cell, row=cell.row + n_header) for cell in body.cells]
    cells = sorted([*header, *below], key=lambda cell: (cell.row, cell.col))
    grid = Grid(
        n_header + body.n_rows,
        n_cols,
        n_header,
        tuple(cells),
        tuple(column.is_numeric for column in body.columns),
        body.n_stub_cols,
        body.needs_rules or (not tall and n_header > 1),
    )
    return Plan(to_html(grid, {}), grid)


def _size(rng: random.Random, easy: int, hard: int, grown: float) -> int:
    """A number from 2 to a limit that grows with the difficulty; small ones are more frequent."""
    top = easy + (hard - easy) * grown
    return 2 + round((top - 2) * math.pow(rng.random(), 1.4))


def _header(rng: random.Random, body: _Body, difficulty: float, tall: bool) -> list[TableCell]:
    """Column labels, some in groups. One without a group spans down if ``tall``, or is below empty cells."""
    n_cols, columns, split = body.n_cols, body.columns, body.split
    depth = 1 + (rng.random() < 0.45 * difficulty) + (rng.random() < 0.12 * difficulty)
    years = rng.random() < 0.12
    first = rng.randint(1990, 2022)

    def leaf(col: int) -> str:
        if years and columns[col].is_numeric:
            return str(first + col)
        return label(rng, difficulty, split, 4)

    def fill(row: int, start: int, stop: int) -> list[TableCell]:
        """Header cells of columns ``start`` to ``stop`` from ``row`` down."""
        cells: list[TableCell] = []
        col = start
        while col < stop:
            rest = depth - row
            # The label of the stub is not in a group; a group has at least two columns.
            wide = 1 if col == 0 or rest == 1 or rng.random() < 0.3 else min(rng.randint(2, 5), stop - col)
            if wide > 1:
                cells.append(TableCell(row, col, label(rng, difficulty, split, 4), wide))
                cells += fill(row + 1, col, col + wide)
            elif rest > 1 and not tall:
                cells += [TableCell(above, col, "") for above in range(row, depth - 1)]
                cells.append(TableCell(depth - 1, col, leaf(col)))
            else:
                cells.append(TableCell(row, col, leaf(col), row_span=rest))
            col += wide
        return cells

    cells = fill(0, 0, n_cols)
    if rng.random() < 0.3 * difficulty:
        cells = [replace(cell, text="") if cell.col == 0 else cell for cell in cells]
    cells = _without_bare_rows(cells)
    if any(column.is_numeric for column in columns) and rng.random() < 0.12 * difficulty:
        row = max(cell.row + cell.row_span for cell in cells)
        units = [unit(rng) if column.is_numeric else "" for column in columns]
        cells += [TableCell(row, col, text) for col, text in enumerate(units)]
    return [
        replace(cell, text=f"{cell.text} ({unit(rng)})") if _takes_unit(rng, cell) else cell for cell in cells
    ]


def _takes_unit(rng: random.Random, cell: TableCell) -> bool:
    return bool(cell.text) and cell.col > 0 and cell.col_span == 1 and rng.random() < 0.08


def _without_bare_rows(cells: list[TableCell]) -> list[TableCell]:
    """Remove rows in which no cell with text begins: they are invisible."""
    row = 0
    while row < max(cell.row + cell.row_span for cell in cells):
        if any(cell.row == row and cell.text for cell in cells):
            row += 1
            continue
        rest = []
        for cell in cells:
            reaches = cell.row <= row < cell.row + cell.row_span
            if reaches and cell.row_span == 1:
                continue
            if reaches:
                rest.append(replace(cell, row_span=cell.row_span - 1))
            else:
                rest.append(replace(cell, row=cell.row - 1) if cell.row > row else cell)
        cells = rest
    return cells


class _Body:
    """The rows below the header, counted from 0."""

    def __init__(self, rng: random.Random, n_cols: int, n_rows: int, difficulty: float, split: Split) -> None:
        self.rng = rng
        self.split = split
        self.difficulty = difficulty
        self.n_cols = n_cols
        self.n_rows = 0
        self.cells: list[TableCell] = []
        grouping = rng.random()
        nested = n_cols > 2 and n_rows > 2
        self._spanning = nested and grouping < 0.14 * difficulty
        self._banded = not self._spanning and n_rows > 3 and grouping < 0.42 * difficulty
        self._wide_bands = rng.random() < 0.5
        self.n_stub_cols = 2 if self._spanning else 1
        self.columns = self._columns()
        self.needs_rules = False
        self._stub_words = rng.choice((1, 2, 3, 3, 5)) if rng.random() < difficulty else 2
        self._write(n_rows)
        self._blank()
        self._merge()
        self._note()

    def _columns(self) -> list[Column]:
        rng, difficulty = self.rng, self.difficulty
        share = rng.choice((0.2, 0.75, 0.75, 0.9, 1.0))
        common = numeric_column(rng, difficulty) if rng.random() < 0.4 else None
        columns = []
        for col in range(self.n_cols):
            if col < self.n_stub_cols or rng.random() > share:
                columns.append(text_column(rng, difficulty if col >= self.n_stub_cols else 0.0, self.split))
            else:
                columns.append(common or numeric_column(rng, difficulty))
        return columns

    def _write(self, n_rows: int) -> None:
        rng = self.rng
        ends_in_total = n_rows > 2 and rng.random() < 0.3 * self.difficulty
        subtotals = self._banded and rng.random() < 0.3
        indents = rng.random() < 0.7
        last = n_rows - ends_in_total
        while self.n_rows < last:
            room = last - self.n_rows
            size = min(rng.randint(2, 6), room) if self._banded or self._spanning else room
            if self._spanning:
                self._add_spanned(size)
                continue
            if self._banded and room > 1:
                self._add_band()
                size = min(size, last - self.n_rows)
            for index in range(size):
                is_sum = subtotals and size > 2 and index == size - 1
                self._add_row("total" if is_sum else "", int(self._banded and indents and not is_sum))
        if ends_in_total:
            self._add_row("total", 0)

    def _stub(self, role: Role) -> str:
        if role == "total":
            return self.rng.choice(TOTALS)
        return label(self.rng, self.difficulty, self.split, self._stub_words)

    def _add_row(self, role: Role, indent: int) -> None:
        row, rng = self.n_rows, self.rng
        if indent and rng.random() < 0.1 * self.difficulty and self.cells[-1].indent:
            indent += 1
        stub = TableCell(row, 0, self._stub(role), self.n_stub_cols, role=role, indent=indent)
        self._fill(stub, self.n_stub_cols)

    def _fill(self, stub: TableCell, start: int) -> None:
        values = (
            TableCell(stub.row, col, self.columns[col].make(self.rng), role=stub.role)
            for col in range(start, self.n_cols)
        )
        self.cells += [stub, *values]
        self.n_rows += 1

    def _add_band(self) -> None:
        """Add the heading row of a group: one cell over all columns, or a label and empty cells."""
        text = label(self.rng, self.difficulty, self.split, 4)
        width = self.n_cols if self._wide_bands else 1
        self.cells.append(TableCell(self.n_rows, 0, text, width, role="group"))
        self.cells += [TableCell(self.n_rows, col, "", role="group") for col in range(width, self.n_cols)]
        self.n_rows += 1

    def _add_spanned(self, size: int) -> None:
        """Add the rows of one group, whose label in the first column spans all of them."""
        self.cells.append(
            TableCell(self.n_rows, 0, label(self.rng, self.difficulty, self.split, 3), row_span=size)
        )
        for _ in range(size):
            self._fill(TableCell(self.n_rows, 1, self._stub("")), 2)

    def _values(self) -> list[int]:
        return [
            index
            for index, cell in enumerate(self.cells)
            if cell.col >= self.n_stub_cols and not cell.role and cell.col_span == cell.row_span == 1
        ]

    def _blank(self) -> None:
        """In some tables, replace values by nothing, a dash or the like."""
        rng = self.rng
        if rng.random() > 0.45 * self.difficulty:
            return
        share, word = rng.choice((0.04, 0.1, 0.25, 0.5)), rng.choice(BLANKS)
        for index in self._values():
            if rng.random() < share:
                self.cells[index] = replace(self.cells[index], text=word)

    def _merge(self) -> None:
        """In some tables, merge cells into a value for several columns or rows."""
        rng = self.rng
        if rng.random() > 0.35 * self.difficulty:
            return
        # A value between two columns, or a long one, visibly spans them; else rules are needed.
        self.needs_rules = rng.random() < 0.6
        shapes = ((2, 1), (3, 1), (1, 2), (1, 3), (2, 2)) if self.needs_rules else ((2, 1), (3, 1))
        for _ in range(rng.randint(1, 3)):
            free = {(self.cells[index].row, self.cells[index].col): index for index in self._values()}
            if not free:
                return
            row, col = rng.choice(list(free))
            wide, high = rng.choice((*shapes, (self.n_cols - col, 1)))
            covered = [(row + down, col + right) for down in range(high) for right in range(wide)]
            if len(covered) < 2 or not all(place in free for place in covered):
                continue
            text = self.cells[free[row, col]].text or "–"
            if wide > 2 and not self.needs_rules:
                text = sentence(rng, self.split, 3 * wide)
            elif wide > 1 and rng.random() < 0.5:
                text = sentence(rng, self.split, rng.randint(1, 2 * wide))
            gone = {free[place] for place in covered[1:]}
            self.cells[free[row, col]] = TableCell(row, col, text, wide, high)
            self.cells = [cell for index, cell in enumerate(self.cells) if index not in gone]

    def _note(self) -> None:
        """In some tables, add footnote marks to the text of a few cells.

        The target has them as plain text: the head writes no ``<sup>``.
        """
        rng = self.rng
        if rng.random() > 0.4 * self.difficulty:
            return
        marks, share = rng.choice(_NOTES), rng.choice((0.03, 0.08, 0.2))
        for index, cell in enumerate(self.cells):
            if cell.text and rng.random() < share:
                mark = rng.choice(marks)
                self.cells[index] = replace(cell, text=cell.text + mark, n_raised=len(mark))
