"""Laid-out tables, rendered by PyMuPDF. The boxes of characters are from the text layer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

import numpy as np
import pymupdf
from numpy.typing import NDArray
from PIL import Image
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Table

from docai.pipelines.synthesis import fonts
from docai.pipelines.synthesis.base import (
    SIZE,
    Box,
    Gray,
    Mark,
    Plan,
    Sample,
    UndrawableError,
    place,
    room,
    to_rgb,
)
from docai.pipelines.synthesis.noise import degrade, distort, follow, harsh
from docai.pipelines.synthesis.table.design import Design, pick_design
from docai.pipelines.synthesis.table.grid import Grid, TableCell, character_spans, to_html
from docai.pipelines.synthesis.table.layout import EM, lay_out
from docai.pipelines.synthesis.table.plain import PRINT_FONT_SIZES
from docai.pipelines.synthesis.table.values import split_of_grid

SMALLEST_PRINT = (20, 9)
"""Smallest font size at difficulty 0 and at 1, pixels."""
_UNLIMITED_POINTS = 1e6
_PROBE_SIZE = 128
"""Font size at which the ink of letters is measured, pixels."""
_BORDER_POINTS = 4.0
"""Border around the table on the page, for the width of its rules."""


class _Glyph(NamedTuple):
    """One character of a cell and its ink box."""

    cell: TableCell
    position: int
    """Index of the character in the cell's text."""
    box: Box


def draw(plan: Plan[Grid], rng: random.Random, difficulty: float) -> Sample:
    """Picture, target and marks. Raises :class:`UndrawableError` where the text would be too small."""
    grid = plan.content
    design = pick_design(rng, grid, difficulty, split_of_grid(plan))
    free = room(rng, difficulty)
    easy, hard = SMALLEST_PRINT
    smallest = easy + (hard - easy) * difficulty
    largest = rng.randint(*PRINT_FONT_SIZES)
    table = lay_out(grid, design, rng, free / smallest * EM - 2 * _BORDER_POINTS)
    width, height = table.wrap(_UNLIMITED_POINTS, _UNLIMITED_POINTS)
    scale = min(free / (max(width, height) + 2 * _BORDER_POINTS), largest / EM)
    if scale * EM < smallest:
        raise UndrawableError("The text would be too small to read.")
    raster, glyphs = _render(table, (width, height), scale, grid, design)
    left, top = (round(edge) for edge in place(raster.shape[1], raster.shape[0], rng, difficulty))
    square = np.full((SIZE, SIZE, *raster.shape[2:]), 255, np.uint8)
    square[top : top + raster.shape[0], left : left + raster.shape[1]] = raster
    matrix = np.eye(3)
    if rng.random() < 0.35 * harsh(difficulty):
        square, matrix = distort(square, rng, rng.random() * harsh(difficulty))
    shift = np.array([[1.0, 0, left], [0, 1, top], [0, 0, 1]])
    square = degrade(square, rng, difficulty, detail=0.5 * EM * scale, fax=not design.is_filled)
    return _sample(plan, square, _transform_glyphs(glyphs, matrix @ shift))


def _sample(plan: Plan[Grid], square: Gray, glyphs: Sequence[_Glyph]) -> Sample:
    boxes: dict[tuple[int, int], Box] = {}
    for glyph in glyphs:
        key = (glyph.cell.row, glyph.cell.col)
        boxes[key] = _union(boxes[key], glyph.box) if key in boxes else glyph.box
    target = to_html(plan.content, {key: _with_area(box) for key, box in boxes.items()})
    spans = character_spans(plan.content.cells, target)
    marks = tuple(
        Mark(
            (glyph.box.x0 + glyph.box.x1) / 2,
            (glyph.box.y0 + glyph.box.y1) / 2,
            glyph.cell.text[glyph.position],
            spans[glyph.cell.row, glyph.cell.col][glyph.position],
        )
        for glyph in glyphs
    )
    image = to_rgb(square) if square.ndim == 2 else Image.fromarray(square)
    return Sample("table", image, target, marks, plan.key)


def _union(a: Box, b: Box) -> Box:
    return Box(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))


def _with_area(box: Box) -> Box:
    """The box, made at least two pixels wide and high, so that the bins of opposite sides differ."""
    x, y = (max(0.0, 1 - (high - low) / 2) for low, high in ((box.x0, box.x1), (box.y0, box.y1)))
    return Box(box.x0 - x, box.y0 - y, box.x1 + x, box.y1 + y)


def _transform_glyphs(glyphs: Sequence[_Glyph], matrix: NDArray[np.float64]) -> list[_Glyph]:
    """The glyphs with their boxes transformed; a rotated box becomes the axis-parallel one around it."""
    boxes = np.array([glyph.box for glyph in glyphs])
    corners = follow(matrix, boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)).reshape(-1, 4, 2)
    around = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return [glyph._replace(box=Box(*box)) for glyph, box in zip(glyphs, around.tolist(), strict=True)]


def _render(
    table: Table, size: tuple[float, float], scale: float, grid: Grid, design: Design
) -> tuple[Gray, list[_Glyph]]:
    """The table as a raster, and the characters of its text layer in pixels of the raster."""
    width, height = (side + 2 * _BORDER_POINTS for side in size)
    file = BytesIO()
    canvas = Canvas(file, pagesize=(width, height), pageCompression=0, invariant=1)
    table.drawOn(canvas, _BORDER_POINTS, _BORDER_POINTS)
    canvas.showPage()
    canvas.save()
    with pymupdf.open("pdf", file.getvalue()) as document:
        page = document[0]
        space = pymupdf.csRGB if design.tint else pymupdf.csGRAY
        pixels = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), colorspace=space, alpha=False)
        layer = page.get_text("rawdict", flags=pymupdf.TEXT_PRESERVE_WHITESPACE)
    shape = (pixels.height, pixels.width, 3) if design.tint else (pixels.height, pixels.width)
    raster = np.frombuffer(pixels.samples, np.uint8).reshape(shape)
    characters = [
        (char["c"], char["origin"], line["dir"], span["size"])
        for block in layer["blocks"]
        for line in block["lines"]
        for span in line["spans"]
        for char in span["chars"]
        if not char["c"].isspace()
    ]
    expected = [
        (cell, index) for cell in grid.cells for index, letter in enumerate(cell.text) if not letter.isspace()
    ]
    if [letter for letter, *_ in characters] != [cell.text[index] for cell, index in expected]:
        raise UndrawableError("The text layer differs from the text.")
    glyphs = []
    for (cell, index), (letter, (x, y), (along, down), em) in zip(expected, characters, strict=True):
        # PyMuPDF's boxes have the height of the line; the font gives the ink relative to the origin.
        x0, y0, x1, y1 = (value * em * scale for value in _ink(design.cell_face(grid, cell), letter))
        left, top = x * scale, y * scale
        xs = [left + right * along - under * down for right in (x0, x1) for under in (y0, y1)]
        ys = [top + right * down + under * along for right in (x0, x1) for under in (y0, y1)]
        glyphs.append(_Glyph(cell, index, Box(min(xs), min(ys), max(xs), max(ys))))
    return raster, glyphs


@lru_cache(maxsize=20_000)
def _ink(name: str, letter: str) -> tuple[float, float, float, float]:
    """Ink box of a letter in ems, relative to its origin on the baseline, y downward."""
    face = fonts.face(name, _PROBE_SIZE)
    x0, y0, x1, y1 = face.ink(letter)
    return (
        x0 / _PROBE_SIZE,
        (y0 - face.ascent) / _PROBE_SIZE,
        x1 / _PROBE_SIZE,
        (y1 - face.ascent) / _PROBE_SIZE,
    )
