"""Tables drawn on the pages of a PDF, with their truth: what finders and confidences of tables are tried on.

The pairs of :mod:`~docai.pipelines.synthesis.table.render` are pictures for a model; here the PDF itself is
the source. A region holds one table; some hold two side by side or one above the other, as where a finder
took two for one: no single grid is right there.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO

from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Table

from docai.contents import Cell
from docai.geometry import BBox, union
from docai.pipelines.synthesis.base import UndrawableError
from docai.pipelines.synthesis.table import content
from docai.pipelines.synthesis.table.design import Design, pick_design
from docai.pipelines.synthesis.table.grid import Grid, TableCell
from docai.pipelines.synthesis.table.layout import CellText, lay_out
from docai.pipelines.synthesis.table.values import split_of_grid
from docai.pipelines.synthesis.words import ENGLISH

WIDTH, HEIGHT = 595.0, 842.0
"""Of the page, points: A4."""

_MARGIN = 50.0
_TWO_SHARE = 0.08
"""Share of the regions with two tables."""
_NOTE_SHARE = 0.08
"""Share of the regions with a caption or a note in them, which is no row of the table."""
_WHITE_RULE_SHARE = 0.06
"""Share of the tables whose rules are white on a shade."""
_BREAK_SHARE = 0.1
"""Share of the tables with line breaks in cells that would fit in one line, as writers put them in."""
_SPARSE_SHARE = 0.25
"""Share of the regions with sparse tables: ledgers with an amount in one of two columns, labels that stand
once for several rows, columns of remarks."""
_WIDE_ROWS_SHARE = 0.3
"""Share of the sparse tables with line breaks in the texts of one column and more white between rows than
between lines, as statements of accounts have."""
_ALIGNED_SPANS_SHARE = 0.5
"""Share of the tables with rules around all cells whose merged cells are aligned as their column is, not
centered."""
_DIFFICULTIES = (0.36, 1.0)


@dataclass(frozen=True)
class TableDocument:
    """One page with one region."""

    pdf: bytes
    bbox: BBox
    """The region, points from the top left."""
    cells: tuple[Cell, ...]
    """The true cells, empty ones included; none where no grid is right."""
    design: str
    """Style of its rules, and what else is special, for statistics."""


def table_document(seed: int | str) -> TableDocument:
    """The page of a seed, always the same."""
    rng = random.Random(f"docai table {seed}")
    sparse_rng = random.Random(f"docai sparse table {seed}")
    span_rng = random.Random(f"docai table spans {seed}")
    while True:
        try:
            return _draw(rng, sparse_rng if sparse_rng.random() < _SPARSE_SHARE else None, span_rng)
        except UndrawableError:
            continue


def _draw(rng: random.Random, sparse_rng: random.Random | None, span_rng: random.Random) -> TableDocument:
    two = rng.random() < _TWO_SHARE
    beside = two and rng.random() < 0.6
    widest = WIDTH - 2 * _MARGIN
    room = (widest - 30) / 2 if beside else widest
    drawn = [_table(rng, room, sparse_rng, span_rng) for _ in range(1 + two)]
    sizes = [table.wrap(10_000, 10_000) for table, _, _ in drawn]
    if sum(high for _, high in sizes) > HEIGHT - 2 * _MARGIN - 60:
        raise UndrawableError("The tables are too high for the page.")
    file = BytesIO()
    canvas = Canvas(file, pagesize=(WIDTH, HEIGHT), invariant=1)
    x, y = _MARGIN, HEIGHT - _MARGIN - 20
    boxes: list[BBox] = []
    for (table, _, _), (wide, high) in zip(drawn, sizes, strict=True):
        table.drawOn(canvas, x, y - high)
        boxes.append((x, HEIGHT - y, x + wide, HEIGHT - y + high))
        if beside:
            x += wide + rng.uniform(12, 30)
        else:
            y -= high + rng.uniform(12, 30)
    box = union(boxes)
    names = [design.rules for _, design, _ in drawn]
    if sparse_rng is not None:
        names.append("sparse")
    if rng.random() < _NOTE_SHARE:
        box = _write_note(rng, canvas, box)
        names.append("note")
    canvas.showPage()
    canvas.save()
    cells = () if two else _cells(drawn[0][2])
    kind = ("beside" if beside else "stacked") if two else ""
    region = (box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2)
    return TableDocument(file.getvalue(), region, cells, "+".join([*names, kind]).strip("+"))


def _table(
    rng: random.Random, widest: float, sparse_rng: random.Random | None, span_rng: random.Random
) -> tuple[Table, Design, Grid]:
    difficulty = rng.uniform(*_DIFFICULTIES)
    plan = content.compose(rng, difficulty)
    grid = plan.content if sparse_rng is None else _thinned(plan.content, sparse_rng)
    # Turned heads are drawn letter by letter along the page, which is another question.
    design = replace(
        pick_design(rng, grid, difficulty, split_of_grid(plan)),
        rotated_header=False,
        rotated_stub=False,
    )
    if rng.random() < _WHITE_RULE_SHARE:
        design = replace(design, rules="grid", rule_gray=1.0, stripe=1.0, header_fill=0.8, stub_fill=0.9)
    has_wide_rows = sparse_rng is not None and span_rng.random() < _WIDE_ROWS_SHARE
    if has_wide_rows:
        design = replace(design, pad_y=span_rng.uniform(0.2, 0.5), leading=span_rng.uniform(1.05, 1.25))
    table = lay_out(grid, design, rng, widest)
    if rng.random() < _BREAK_SHARE:
        _break_lines(rng, table)
    if has_wide_rows:
        _write_details(span_rng, table, grid)
    if design.rules == "grid" and span_rng.random() < _ALIGNED_SPANS_SHARE:
        _align_spans(table, grid, design)
    return table, design, grid


def _thinned(grid: Grid, rng: random.Random) -> Grid:
    """The table without some texts of its body, as writers leave them out; columns keep two, rows one."""
    body = [cell for cell in grid.cells if cell.row >= grid.n_header_rows and cell.text and not cell.role]
    columns = {
        col: [cell for cell in body if cell.col == col and cell.col_span == 1] for col in range(grid.n_cols)
    }
    dropped: set[TableCell] = set()
    left, *others = [col for col, cells in columns.items() if len(cells) >= 4] or [0]
    if rng.random() < 0.3:
        # A label that stands for several rows.
        dropped |= {cell for cell in columns[left][1:] if rng.random() < 0.6}
    ways = rng.choices(("pair", "thin"), k=max(1, len(others) // 2))
    for way in ways:
        if way == "pair" and len(others) >= 2:
            at = rng.randrange(len(others) - 1)
            pair = columns[others[at]], columns[others[at + 1]]
            for row in {cell.row for cells in pair for cell in cells}:
                either = rng.choice(pair)
                dropped |= {cell for cell in either if cell.row == row}
        elif others:
            share = rng.uniform(0.2, 0.8)
            dropped |= {cell for cell in columns[rng.choice(others)] if rng.random() < share}
    kept = Counter(cell.col for cell in body if cell not in dropped)
    for cell in sorted(dropped, key=lambda cell: (cell.row, cell.col)):
        alone = not any(one.row == cell.row and one not in dropped for one in body)
        if alone or kept[cell.col] < 2:
            dropped.discard(cell)
            kept[cell.col] += 1
    cells = tuple(replace(cell, text="", n_raised=0) if cell in dropped else cell for cell in grid.cells)
    return replace(grid, cells=cells)


def _break_lines(rng: random.Random, table: Table) -> None:
    """Break the text of some cells where it would not need to be broken."""
    share = rng.choice((0.1, 0.3))
    for cell in (cell for row in table._cellvalues for cell in row if isinstance(cell, CellText)):
        if len(cell.lines) == 1 and rng.random() < share:
            words = cell.lines[0].split(" ")
            at = rng.randint(1, len(words))
            cell.lines = [" ".join(part) for part in (words[:at], words[at:]) if part]


def _write_details(rng: random.Random, table: Table, grid: Grid) -> None:
    """Break the texts of one column below the head, some of them into several lines."""
    columns = [col for col in range(grid.n_cols) if not (grid.numeric and grid.numeric[col])]
    col = rng.choice(columns or [0])
    for row in table._cellvalues[grid.n_header_rows :]:
        cell = row[col]
        if isinstance(cell, CellText) and len(cell.lines) == 1 and rng.random() < 0.5:
            words = cell.lines[0].split(" ")
            size = rng.randint(1, 2)
            cell.lines = [" ".join(words[at : at + size]) for at in range(0, len(words), size)]


def _align_spans(table: Table, grid: Grid, design: Design) -> None:
    """Align the merged cells below the head as the column in which they begin."""
    for cell in grid.cells:
        if cell.col_span > 1 and cell.row >= grid.n_header_rows:
            start, align = (cell.col, cell.row), design.align[cell.col].replace("DECIMAL", "RIGHT")
            table.setStyle([("ALIGN", start, start, align)])


def _write_note(rng: random.Random, canvas: Canvas, box: BBox) -> BBox:
    """A line of prose above or below the table; returns the region with it."""
    words = " ".join(rng.choice(ENGLISH) for _ in range(rng.randint(3, 12)))
    is_above = rng.random() < 0.5
    text = f"Table {rng.randint(1, 9)}. {words}." if is_above else f"Source: {words}."
    baseline = box[1] - 6 if is_above else box[3] + 13
    canvas.setFont("Helvetica", 9)
    canvas.setFillGray(0)
    canvas.drawString(box[0], HEIGHT - baseline, text)
    width = canvas.stringWidth(text, "Helvetica", 9)
    return union([box, (box[0], baseline - 8, min(box[0] + width, WIDTH), baseline + 3)])


def _cells(grid: Grid) -> tuple[Cell, ...]:
    return tuple(
        Cell(
            row=cell.row,
            col=cell.col,
            row_span=cell.row_span,
            col_span=cell.col_span,
            text=cell.text,
            is_header=cell.row < grid.n_header_rows,
        )
        for cell in grid.cells
    )


def same_cells(found: Sequence[Cell], truth: Sequence[Cell]) -> bool:
    """Whether every cell with text has the place, the spans and the text of a true one, and none is missing.

    Rows and columns without any text are left out on both sides, and texts are compared without spaces, case
    and variants of the same sign, footnote marks as a part of them.
    """
    return _places(found) == _places(truth)


def _places(cells: Sequence[Cell]) -> list[tuple[int, int, int, int, str]]:
    from docai.pipelines.words import plain

    filled = [cell for cell in cells if cell.text.strip()]
    rows = sorted({cell.row for cell in filled})
    cols = sorted({cell.col for cell in filled})
    return sorted(
        (
            rows.index(cell.row),
            cols.index(cell.col),
            sum(cell.row <= row < cell.row + cell.row_span for row in rows),
            sum(cell.col <= col < cell.col + cell.col_span for col in cols),
            "".join(plain(cell.printed).split()).casefold(),
        )
        for cell in filled
    )
