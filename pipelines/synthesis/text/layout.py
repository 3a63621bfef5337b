"""Places of the words of a text sample: lines, pages with columns, and words placed freely as on signs."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.synthesis import fonts
from docai.pipelines.synthesis.base import Box, Split, UndrawableError
from docai.pipelines.synthesis.noise import follow, harsh

Form = Literal["lines", "page", "scene"]
Lines = tuple[tuple[str, ...], ...]
LEGIBLE_X_HEIGHT = 9.0
"""Smallest legible x-height, pixels."""
PROBE_SIZE = 64
"""Font size at which text is measured, pixels."""
_MAX_FACES_TRIED = 12


@dataclass(frozen=True)
class Content:
    """The words of a sample in reading order: blocks of lines of words."""

    form: Form
    blocks: tuple[Lines, ...]
    n_columns: int = 1
    has_title: bool = False
    """Whether the first block of a page is its title."""

    @property
    def text(self) -> str:
        """Words of a line joined by spaces, lines by line feeds."""
        return "\n".join(" ".join(line) for block in self.blocks for line in block)


@dataclass(frozen=True)
class Style:
    """Typesetting of a block."""

    face: str
    leading: float
    """Line advance as a share of the face's height."""
    word_space: float
    align: float | None
    """0 left, 0.5 centered, 1 right, None justified."""


@dataclass(frozen=True)
class Word:
    text: str
    x: float
    y: float
    """Pen position at the top of the ascent, in the piece's own pixels."""


@dataclass(frozen=True)
class Piece:
    """Lines of one face in a frame of their own, and the matrix that places the frame in the square."""

    lines: tuple[tuple[Word, ...], ...]
    face: fonts.Face
    width: float
    height: float
    matrix: NDArray[np.float64]
    """(3, 3), from the frame's pixels to those of the square, or of the enclosing piece."""
    rules: tuple[Box, ...] = ()
    """Lines drawn beside or below the words."""

    def moved(self, matrix: NDArray[np.float64]) -> Piece:
        return replace(self, matrix=matrix @ self.matrix)

    def corners(self) -> NDArray[np.float64]:
        frame = np.array([[0, 0], [self.width, 0], [self.width, self.height], [0, self.height]], np.float64)
        return follow(self.matrix, frame)


def shift(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=np.float64)


def pick_face(rng: random.Random, text: str, split: Split, difficulty: float, *, easy: bool) -> str:
    """A face that has all characters of ``text``; upright where ``easy``.

    Fonts of the machine are used from a difficulty of 0.25 on. Raises UndrawableError where no face is found.
    """
    for attempt in range(_MAX_FACES_TRIED):
        system = (not easy or attempt > 0) and rng.random() < 2 * difficulty - 0.5
        name = fonts.pick(rng, upright=easy, system=system, split=split)
        if fonts.covers(name, text):
            return name
    raise UndrawableError(f"no face for {text[:40]!r}")


def smallest_size(face: str) -> int:
    """The font size with the smallest legible x-height."""
    ratio = fonts.face(face, PROBE_SIZE).x_height / PROBE_SIZE
    return math.ceil(LEGIBLE_X_HEIGHT / max(ratio, 0.2))


def lay_lines(lines: Lines, face: fonts.Face, style: Style) -> Piece:
    """Lines below one another."""
    space = face.space * style.word_space
    advances = [[face.advance(word) for word in line] for line in lines]
    widths = [sum(line) + space * (len(line) - 1) for line in advances]
    width = max(widths)
    placed = []
    for number, (line, line_width) in enumerate(zip(lines, widths, strict=True)):
        gap = space
        if style.align is None and len(line) > 1 and line_width > 0.72 * width:
            gap += (width - line_width) / (len(line) - 1)
        x = (width - line_width) * (style.align or 0.0)
        y = number * face.height * style.leading
        row = []
        for text, advance in zip(line, advances[number], strict=True):
            row.append(Word(text, x, y))
            x += advance + gap
        placed.append(tuple(row))
    height = face.height * (style.leading * (len(lines) - 1) + 1)
    return Piece(tuple(placed), face, width, height, np.eye(3))


def lay_page(content: Content, size: int, style: Style, page_style: PageStyle) -> list[Piece]:
    """The title and columns of a page, from its top left corner."""
    face = fonts.face(style.face, size)
    body = content.blocks[1:] if content.has_title else content.blocks
    columns: list[Piece] = []
    x = 0.0
    for part in _columns(body, content.n_columns):
        column = _with_gaps(part, face, style, page_style)
        columns.append(column.moved(shift(round(x), 0)))
        x += column.width + page_style.gutter * size
    width = x - page_style.gutter * size
    pieces = []
    top = 0.0
    if content.has_title:
        title_face = fonts.face(page_style.title_face, max(size, round(size * page_style.title_scale)))
        title = lay_lines(content.blocks[0], title_face, replace(style, align=page_style.title_align))
        width = max(width, title.width)
        pieces.append(title.moved(shift(round((width - title.width) * page_style.title_align), 0)))
        top = title.height + page_style.gap * face.height
    if page_style.has_rules and len(columns) > 1:
        rule_x = columns[0].width + page_style.gutter * size / 2
        weight = max(1.0, size / 18)
        rule = Box(rule_x, 0, rule_x + weight, max(column.height for column in columns))
        columns[0] = replace(columns[0], rules=(rule,))
    return [*pieces, *(column.moved(shift(0, round(top))) for column in columns)]


@dataclass(frozen=True)
class PageStyle:
    """Style of a page besides that of its lines. Lengths in font sizes or line heights."""

    title_face: str
    title_scale: float
    title_align: float
    gutter: float
    gap: float
    """Between paragraphs and below the title, as a share of the line height."""
    indent: float
    has_rules: bool


def _columns(blocks: Sequence[Lines], count: int) -> list[list[Lines]]:
    """Distribute paragraphs over columns of about the same number of lines, broken where a column is full."""
    n_lines = sum(map(len, blocks))
    per_column = -(-n_lines // count)
    columns: list[list[Lines]] = [[]]
    free = per_column
    for block in blocks:
        while block:
            if free == 0:
                columns.append([])
                free = per_column
            columns[-1].append(block[:free])
            taken = len(columns[-1][-1])
            block, free = block[taken:], free - taken
    return columns


def _with_gaps(paragraphs: Sequence[Lines], face: fonts.Face, style: Style, page_style: PageStyle) -> Piece:
    """One column: paragraphs below one another, with gaps between them."""
    whole = lay_lines(tuple(line for block in paragraphs for line in block), face, style)
    lines = []
    number = 0
    for index, block in enumerate(paragraphs):
        down = index * page_style.gap * face.height
        for first, _ in enumerate(block):
            right = page_style.indent * face.size if first == 0 and style.align in (0.0, None) else 0.0
            row = whole.lines[number]
            fits = row[-1].x + face.advance(row[-1].text) + right <= whole.width
            moved = right if fits else 0.0
            lines.append(tuple(Word(word.text, word.x + moved, word.y + down) for word in row))
            number += 1
    height = whole.height + (len(paragraphs) - 1) * page_style.gap * face.height
    return replace(whole, lines=tuple(lines), height=height)


def lay_scene(
    content: Content, rng: random.Random, width: float, height: float, difficulty: float, split: Split
) -> list[Piece]:
    """Lines placed freely in a frame, each with its own face, size and angle, in rows from the top.

    Raises UndrawableError where one does not fit at a legible size.
    """
    lines = [line for block in content.blocks for line in block]
    rows: list[list[tuple[str, ...]]] = []
    while lines:
        n = 2 if len(lines) > 1 and rng.random() < 0.3 else 1
        rows.append(lines[:n])
        lines = lines[n:]
    heights = [rng.uniform(1, 2.5) for _ in rows]
    pieces = []
    top = 0.0
    for row, share in zip(rows, heights, strict=True):
        row_height = height * share / sum(heights)
        lengths = [4 + sum(map(len, line)) for line in row]
        left = 0.0
        for line, length in zip(row, lengths, strict=True):
            cell = Box(left, top, left + width * length / sum(lengths), top + row_height)
            pieces.append(_in_cell(line, cell, rng, difficulty, split))
            left = cell.x1
        top += row_height
    return pieces


def _in_cell(line: tuple[str, ...], cell: Box, rng: random.Random, difficulty: float, split: Split) -> Piece:
    late = harsh(difficulty)
    name = pick_face(rng, "".join(line), split, difficulty, easy=rng.random() < 0.3)
    style = Style(name, 1.0, rng.uniform(0.9, 1.6), 0.0)
    angle = math.radians(rng.uniform(-14, 14) * late * rng.random())
    cell_width, cell_height = cell.x1 - cell.x0, cell.y1 - cell.y0
    if cell_height > 1.6 * cell_width and rng.random() < 0.5:
        angle += math.radians(rng.choice((90, -90)))
    probe = lay_lines((line,), fonts.face(name, PROBE_SIZE), style)
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    across = (probe.width * cos + probe.height * sin, probe.width * sin + probe.height * cos)
    fitting = PROBE_SIZE * min(0.94 * cell_width / across[0], 0.92 * cell_height / across[1])
    smallest = smallest_size(name)
    if fitting < smallest:
        raise UndrawableError("a sign is too long for its place")
    size = max(smallest, int(min(fitting, 190) * rng.uniform(0.6, 1)))
    piece = lay_lines((line,), fonts.face(name, size), style)
    scale = size / PROBE_SIZE
    slack_x, slack_y = cell_width - across[0] * scale, cell_height - across[1] * scale
    x = (cell.x0 + cell.x1) / 2 + rng.uniform(-0.4, 0.4) * max(0.0, slack_x)
    y = (cell.y0 + cell.y1) / 2 + rng.uniform(-0.4, 0.4) * max(0.0, slack_y)
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    return piece.moved(shift(x, y) @ turn @ shift(-piece.width / 2, -piece.height / 2))
