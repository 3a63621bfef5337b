"""Small tables drawn directly: one line per cell, and no cell over several rows.

They are quick to draw, and come first in training.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from docai.pipelines.synthesis import fonts
from docai.pipelines.synthesis.base import (
    SIZE,
    Box,
    Mark,
    Plan,
    Sample,
    Split,
    lerp,
    place,
    room,
    to_rgb,
)
from docai.pipelines.synthesis.noise import degrade
from docai.pipelines.synthesis.table.grid import Grid, TableCell, character_spans, to_html
from docai.pipelines.synthesis.table.values import split_of_grid, word
from docai.pipelines.synthesis.words import number, random_word

MAX_FONT_SIZE = 110
PRINT_FONT_SIZES = (44, 80)
"""Font sizes of print where the crop step enlarges as far as it can, pixels."""
_PROBE_SIZE = 40


@dataclass(frozen=True)
class _Style:
    face: str
    header_face: str
    ruling: str
    """grid, rows, booktabs or none."""
    rule: int
    pad_x: float
    pad_y: float
    """Cell padding in ems."""
    align: tuple[float, ...]
    """Per column: 0 left, 0.5 centered, 1 right."""
    ink: int
    header_fill: int
    stripe_fill: int


@dataclass(frozen=True)
class _Metrics:
    """Column and row edges, pixels from the table's top left."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]


def compose(rng: random.Random, difficulty: float, split: Split = "train") -> Plan[Grid]:
    n_cols = lerp(rng, (2, 2), (2, 5), difficulty)
    n_body = lerp(rng, (1, 1), (1, 5), difficulty)
    header = _header(rng, n_cols, difficulty, split)
    n_header = header[-1].row + 1
    numeric = [rng.random() < 0.65 for _ in range(n_cols)]
    numeric[0] = numeric[0] and rng.random() < 0.3
    body = [
        TableCell(row, col, _body_text(rng, numeric[col], difficulty, split))
        for row in range(n_header, n_header + n_body)
        for col in range(n_cols)
    ]
    if rng.random() < 0.3 * difficulty:
        # Not in the first column, whose label may be missing: a column without any text is invisible.
        blank = rng.randrange(n_body) * n_cols + rng.randint(1, n_cols - 1)
        body[blank] = TableCell(body[blank].row, body[blank].col, "")
    grid = Grid(n_header + n_body, n_cols, n_header, (*header, *body))
    return Plan(to_html(grid, {}), grid)


def draw(plan: Plan[Grid], rng: random.Random, difficulty: float) -> Sample:
    grid = plan.content
    style = _style(rng, grid.n_cols, difficulty, split_of_grid(plan))
    probe = _measure(grid, style, _PROBE_SIZE)
    free = room(rng, difficulty)
    size = int(_PROBE_SIZE * free / max(probe.xs[-1], probe.ys[-1]))
    size = max(8, min(_largest_font(rng, difficulty), size))
    metrics = _measure(grid, style, size)
    corner = place(metrics.xs[-1], metrics.ys[-1], rng, difficulty)
    left, top = round(corner[0]), round(corner[1])

    image = Image.new("L", (SIZE, SIZE), 255)
    pen = ImageDraw.Draw(image)
    _draw_fills(pen, grid, style, metrics, left, top)
    _draw_rules(pen, grid, style, metrics, left, top)
    boxes: dict[tuple[int, int], Box] = {}
    glyphs: list[tuple[TableCell, int, float, float]] = []
    for cell in grid.cells:
        if not cell.text:
            continue
        face = fonts.face(style.header_face if cell.row < grid.n_header_rows else style.face, size)
        x0, x1 = metrics.xs[cell.col], metrics.xs[cell.col + cell.col_span]
        pad = style.pad_x * size
        align = 0.5 if cell.col_span > 1 else style.align[cell.col]
        x = round(left + x0 + pad + (x1 - x0 - 2 * pad - face.advance(cell.text)) * align)
        y = round(top + (metrics.ys[cell.row] + metrics.ys[cell.row + 1] - face.height) / 2)
        pen.text((x, y), cell.text, fill=style.ink, font=face.font)
        ink = face.ink(cell.text)
        boxes[cell.row, cell.col] = Box(x + ink[0], y + ink[1], x + ink[2], y + ink[3])
        centers = enumerate(face.centers(cell.text))
        glyphs.extend((cell, n, x + cx, y + cy) for n, (cx, cy) in centers if cell.text[n] != " ")
    gray = degrade(np.asarray(image), rng, difficulty, detail=size / 2)
    target = to_html(grid, boxes)
    spans = character_spans(grid.cells, target)
    marks = tuple(Mark(x, y, cell.text[n], spans[cell.row, cell.col][n]) for cell, n, x, y in glyphs)
    return Sample("table", to_rgb(gray), target, marks, plan.key)


def _header(rng: random.Random, n_cols: int, difficulty: float, split: Split) -> list[TableCell]:
    """One row of labels, or a row of group labels over it."""
    labels = [TableCell(0, col, _label(rng, difficulty, split)) for col in range(n_cols)]
    if rng.random() < 0.3 * difficulty:
        labels[0] = TableCell(0, 0, "")
    if n_cols < 3 or rng.random() > 0.35 * difficulty:
        return labels
    group = rng.randint(2, n_cols - 1)
    start = rng.randint(1, n_cols - group)
    if rng.random() < 0.5:
        merged = TableCell(0, start, _label(rng, difficulty, split), group)
        return [*labels[:start], merged, *labels[start + group :]]
    above = [TableCell(0, col, "") for col in range(n_cols) if not start <= col < start + group]
    above.insert(start, TableCell(0, start, _label(rng, difficulty, split), group))
    return above + [TableCell(1, cell.col, cell.text) for cell in labels]


def _label(rng: random.Random, difficulty: float, split: Split) -> str:
    words = [word(rng, split, 0.6, 7)]
    if rng.random() < 0.3 * difficulty:
        words.append(word(rng, split, 1.0, 7))
    return " ".join(words).capitalize() if rng.random() < 0.8 else " ".join(words)


def _body_text(rng: random.Random, numeric: bool, difficulty: float, split: Split) -> str:
    if numeric:
        return number(rng, difficulty)
    if rng.random() < 0.7:
        return _label(rng, difficulty, split)
    return random_word(rng, difficulty, split)


def _largest_font(rng: random.Random, difficulty: float) -> int:
    return rng.randint(*PRINT_FONT_SIZES) if rng.random() < difficulty else MAX_FONT_SIZE


def _style(rng: random.Random, n_cols: int, difficulty: float, split: Split) -> _Style:
    face = fonts.pick(rng, upright=rng.random() > 0.3 * difficulty, split=split)
    ruling = rng.choice(
        ("grid", "grid", "rows", "booktabs", "none") if difficulty > 0.2 else ("grid", "booktabs")
    )
    plain = rng.random() > 0.4 * difficulty
    return _Style(
        face=face,
        header_face=fonts.bold(face) if rng.random() < 0.6 else face,
        ruling=ruling,
        rule=rng.choice((1, 1, 2, 3)),
        pad_x=rng.uniform(0.35, 0.6 + 0.7 * difficulty),
        pad_y=rng.uniform(0.08, 0.25 + 0.3 * difficulty),
        align=tuple(rng.choice((0.0, 0.0, 0.5, 1.0)) for _ in range(n_cols)),
        ink=rng.randint(0, round(20 + 60 * difficulty)),
        header_fill=255 if plain else rng.randint(205, 250),
        stripe_fill=255 if plain or rng.random() < 0.5 else rng.randint(225, 250),
    )


def _measure(grid: Grid, style: _Style, size: int) -> _Metrics:
    """Edges of columns and rows for a font size; a spanning cell widens the last column it covers."""
    pad = 2 * style.pad_x * size
    widths = [0.0] * grid.n_cols
    for cell in sorted(grid.cells, key=lambda cell: cell.col_span):
        name = style.header_face if cell.row < grid.n_header_rows else style.face
        wanted = fonts.face(name, size).advance(cell.text) + pad
        have = sum(widths[cell.col : cell.col + cell.col_span])
        widths[cell.col + cell.col_span - 1] += max(0.0, wanted - have)
    row = fonts.face(style.face, size).height + 2 * style.pad_y * size
    xs = [0.0]
    for width in widths:
        xs.append(xs[-1] + width)
    return _Metrics(tuple(xs), tuple(row * index for index in range(grid.n_rows + 1)))


def _draw_fills(
    pen: ImageDraw.ImageDraw, grid: Grid, style: _Style, metrics: _Metrics, left: int, top: int
) -> None:
    for row in range(grid.n_rows):
        striped = (row - grid.n_header_rows) % 2 == 1
        fill = style.header_fill if row < grid.n_header_rows else style.stripe_fill if striped else 255
        if fill < 255:
            y0, y1 = metrics.ys[row], metrics.ys[row + 1]
            pen.rectangle((left, top + y0, left + metrics.xs[-1], top + y1), fill=fill)


def _draw_rules(
    pen: ImageDraw.ImageDraw, grid: Grid, style: _Style, metrics: _Metrics, left: int, top: int
) -> None:
    right = left + metrics.xs[-1]
    for index, y in enumerate(metrics.ys):
        edge = index in (0, grid.n_header_rows, grid.n_rows)
        if style.ruling in ("grid", "rows") or (style.ruling == "booktabs" and edge):
            inside_merge = _under_group(grid, index) if style.ruling == "grid" else None
            start = left if inside_merge is None else left + metrics.xs[inside_merge[0]]
            stop = right if inside_merge is None else left + metrics.xs[inside_merge[1]]
            width = style.rule + (1 if style.ruling == "booktabs" and index != grid.n_header_rows else 0)
            pen.line((start, top + y, stop, top + y), fill=style.ink, width=width)
    for cell in grid.cells:
        group = _under_group(grid, cell.row + 1)
        if style.ruling == "booktabs" and group is not None and cell.col_span > 1:
            y = top + metrics.ys[cell.row + 1]
            x0, x1 = (left + metrics.xs[col] for col in group)
            pen.line((x0 + 4, y, x1 - 4, y), fill=style.ink, width=style.rule)
        if style.ruling == "grid":
            y0, y1 = (top + metrics.ys[row] for row in (cell.row, cell.row + 1))
            for x in (metrics.xs[cell.col], metrics.xs[cell.col + cell.col_span]):
                pen.line((left + x, y0, left + x, y1), fill=style.ink, width=style.rule)


def _under_group(grid: Grid, row: int) -> tuple[int, int] | None:
    """Columns of the group label right above grid line ``row`` inside a two-row header."""
    if row != 1 or grid.n_header_rows != 2:
        return None
    return next(((c.col, c.col + c.col_span) for c in grid.cells if c.row == 0 and c.col_span > 1), None)
