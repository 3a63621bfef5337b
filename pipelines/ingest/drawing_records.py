"""What a recorder of a page notes of each thing that is painted, before it is flattened and cut."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from docai.geometry import BBox
from docai.pipelines.ingest.drawing import Cap, Color

Matrix = tuple[float, float, float, float, float, float]
"""a, b, c, d, e, f: ``x' = a x + c y + e``, ``y' = b x + d y + f``."""


class Clip(NamedTuple):
    """What the clips in force at one time let through."""

    bbox: BBox
    is_exact: bool
    """They let through the whole box."""


class PathRecord(NamedTuple):
    """One painted path; its operations are ``codes[begin:end]`` of the recorder."""

    order: int
    begin: int
    end: int
    matrix: Matrix
    stroke: Color | None
    fill: Color | None
    width: float
    """Before the matrix."""
    cap: Cap
    dashes: tuple[float, ...]
    """Before the matrix."""
    opacity: float
    is_shaded: bool
    is_blended: bool
    """It is mixed with what is below, such as a highlight that multiplies: it hides nothing."""
    clip: int


class GlyphRecord(NamedTuple):
    """One painted glyph."""

    order: int
    text: str
    shape: int
    matrix: Matrix
    """From ems."""
    color: Color
    opacity: float
    clip: int


class ImageRecord(NamedTuple):
    """One painted image."""

    order: int
    bbox: BBox
    is_opaque: bool


class TileFrame(NamedTuple):
    n_paths: int
    n_glyphs: int
    area: BBox
    view: BBox
    step: tuple[float, float]
    matrix: Matrix


def tile_shifts(tile: TileFrame, most: int) -> list[tuple[float, float]] | None:
    """By how much to move the cell of a pattern to cover its area; None for more than ``most`` times."""
    ranges = []
    for axis in (0, 1):
        step = tile.step[axis]
        low, high = tile.area[axis] - tile.view[axis + 2], tile.area[axis + 2] - tile.view[axis]
        if not (step > 0 and math.isfinite(low) and math.isfinite(high) and (high - low) / step <= most + 2):
            return None
        first, last = math.floor(low / step + 1e-3) + 1, math.ceil(high / step - 1e-3) - 1
        ranges.append([index * step for index in range(first, last + 1)])
    if len(ranges[0]) * len(ranges[1]) > most:
        return None
    a, b, c, d, _, _ = tile.matrix
    return [(a * x + c * y, b * x + d * y) for y in ranges[1] for x in ranges[0]]


def shifted(matrix: Matrix, dx: float, dy: float) -> Matrix:
    return (*matrix[:4], matrix[4] + dx, matrix[5] + dy)


def matrix_of(m: Any) -> Matrix:
    return (m.a, m.b, m.c, m.d, m.e, m.f)


def joined_matrix(first: Matrix, second: Matrix) -> Matrix:
    """First the one, then the other."""
    a, b, c, d, e, f = first
    p, q, r, s, t, u = second
    return (a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u)


def turned_box(box: BBox, matrix: Matrix) -> BBox:
    """The box around a box under a matrix."""
    a, b, c, d, e, f = matrix
    corners = [(x, y) for x in (box[0], box[2]) for y in (box[1], box[3])]
    xs = [a * x + c * y + e for x, y in corners]
    ys = [b * x + d * y + f for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def is_upright(matrix: Matrix) -> bool:
    """Whether it makes upright rectangles of such."""
    a, b, c, d, _, _ = matrix
    slack = 1e-3 * max(abs(a), abs(b), abs(c), abs(d))
    return (abs(b) <= slack and abs(c) <= slack) or (abs(a) <= slack and abs(d) <= slack)


def box_of(rect: Any) -> BBox:
    return (rect.x0, rect.y0, rect.x1, rect.y1)


def common_box(a: BBox, b: BBox) -> BBox:
    """What two boxes share; with ``x1 < x0`` or ``y1 < y0`` where they are apart."""
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
