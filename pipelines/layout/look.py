"""One figure crop and what its judges measure on it, each measurement taken once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.layout.pixels import (
    Gray,
    Parts,
    binarise,
    join_rows,
    level_lines,
    parts_of,
    spans,
    upright_lines,
)
from docai.records import BBox

SIDE = 900
"""Longest side that is looked at, pixels: a larger image is reduced first."""


class Grid(NamedTuple):
    """Long rules both ways: how many, and the shares of their crossings that exist and of the fields
    between them that hold a glyph."""

    n_level: int
    n_upright: int
    crossed: float
    filled: float

    @property
    def is_frame(self) -> bool:
        """A box around something, which says nothing of what is in it."""
        return self.n_level == 2 and self.n_upright == 2


class Columns(NamedTuple):
    """How many columns and rows glyphs stand in."""

    n_columns: int
    n_rows: int


@dataclass(frozen=True)
class Look:
    """One image, cut to its ink, with what all judges need of it."""

    gray: Gray
    ink: Gray
    parts: Parts
    level: list[BBox]
    """Horizontal lines."""
    upright: list[BBox]
    """Vertical lines."""
    words: int | None
    """Native words in it, where the source has a text layer."""

    @property
    def width(self) -> int:
        return int(self.ink.shape[1])

    @property
    def height(self) -> int:
        return int(self.ink.shape[0])

    @cached_property
    def glyphs(self) -> NDArray[np.bool_]:
        """Which parts are the size of a letter, judged by the middle of their own sizes."""
        parts, high = self.parts, self.parts.heights
        glyph = (high >= 4) & (high <= max(12, self.height // 4)) & (parts.widths <= 6 * np.maximum(high, 4))
        glyph &= parts.areas >= 6
        if not glyph.any():
            return np.asarray(glyph)
        size = float(np.median(high[glyph]))
        return np.asarray(glyph & (high <= 2.5 * size) & (high >= 0.3 * size))

    @cached_property
    def midtones(self) -> float:
        """Share of pixels that are neither paper nor full ink: high in photographs."""
        soft = (self.gray > 60) & (self.gray < 215)
        return float(cv2.erode(soft.astype(np.uint8), np.ones((3, 3), np.uint8)).mean())

    @cached_property
    def wide_rules(self) -> int:
        """Horizontal lines across the whole width."""
        wide = [(y0 + y1) / 2 for x0, y0, x1, y1 in self.level if x1 - x0 > 0.9 * self.width]
        return len(_distinct(wide))

    @cached_property
    def grid(self) -> Grid | None:
        """Its long rules, where there are at least two both ways."""
        level = _distinct([(y0 + y1) / 2 for x0, y0, x1, y1 in self.level if x1 - x0 > 0.55 * self.width])
        upright = _distinct([(x0 + x1) / 2 for x0, y0, x1, y1 in self.upright if y1 - y0 > 0.5 * self.height])
        if len(level) < 2 or len(upright) < 2:
            return None
        thick = cv2.dilate(self.ink, np.ones((7, 7), np.uint8))
        hits = [
            bool(thick[min(int(y), self.height - 1), min(int(x), self.width - 1)])
            for y in level
            for x in upright
        ]
        boxes = self.parts.boxes[self.glyphs]
        across = np.searchsorted(upright, (boxes[:, 0] + boxes[:, 2]) / 2)
        down = np.searchsorted(level, (boxes[:, 1] + boxes[:, 3]) / 2)
        inside = (across > 0) & (across < len(upright)) & (down > 0) & (down < len(level))
        fields = set(zip(across[inside].tolist(), down[inside].tolist(), strict=True))
        n_fields = (len(level) - 1) * (len(upright) - 1)
        return Grid(len(level), len(upright), sum(hits) / len(hits), len(fields) / n_fields)

    @cached_property
    def letters_in_grid(self) -> float:
        """Share of the ink besides rules that is in parts the size of a letter."""
        ink = self.ink.copy()
        for x0, y0, x1, y1 in [*self.level, *self.upright]:
            ink[max(0, int(y0) - 1) : int(y1) + 2, max(0, int(x0) - 1) : int(x1) + 2] = 0
        rest = replace(self, ink=ink, parts=parts_of(ink))
        whole = float(rest.parts.areas.sum())
        return float(rest.parts.areas[rest.glyphs].sum()) / whole if whole else 0.0

    @cached_property
    def gridded(self) -> float:
        """How far rules cross all over it and letters fill the fields between them, 0…1.

        The gridlines of a chart cross as well, but its fields are empty or full of curves and bars.
        """
        if self.grid is None or min(self.grid.n_level, self.grid.n_upright) < 3:
            return 0.0
        return self.grid.crossed * self.grid.filled * self.letters_in_grid

    @cached_property
    def is_ruled(self) -> bool:
        """Rules part rows or columns of letters here: more than a frame, and no axes and gridlines."""
        grid = self.grid
        if grid is None:
            return self.wide_rules >= 2
        letters = self.letters_in_grid
        if grid.is_frame or grid.crossed < 0.7 or letters < 0.5:
            return False
        return min(grid.n_level, grid.n_upright) < 3 or grid.filled * letters > 0.5

    @cached_property
    def columns(self) -> Columns:
        """Columns and rows of glyphs: white lanes that run through at least three rows of text."""
        parts, glyph = self.parts, self.glyphs
        if glyph.sum() < 9:
            return Columns(0, 0)
        size = float(np.median(parts.heights[glyph]))
        covered = float(parts.areas[glyph].sum()) / float((self.ink > 0).sum())
        mask = np.zeros(self.ink.shape, np.uint8)
        for x0, y0, x1, y1 in parts.boxes[glyph]:
            mask[y0:y1, x0:x1] = 1
        rows = spans(np.asarray(mask.any(axis=1)))
        rows = [(a, b) for a, b in rows if b - a >= 0.5 * size]
        if len(rows) < 3 or any(b - a > 4 * size for a, b in rows):
            return Columns(0, len(rows))
        gap = max(3, round(1.1 * size))
        filled = np.array(
            [cv2.dilate(mask[a:b].max(axis=0)[None], np.ones((1, 3), np.uint8))[0] for a, b in rows]
        )
        # One row may cross a lane: a spanning header or a note.
        lanes = spans(filled.sum(axis=0) <= max(0, len(rows) // 8), gap)
        inner = [(a, b) for a, b in lanes if a > 0 and b < self.width]
        edges = [0, *((a + b) // 2 for a, b in inner), self.width]
        cells = [float(filled[:, a:b].any(axis=1).mean()) for a, b in pairwise(edges)]
        columns = sum(share >= 0.4 for share in cells)
        start = int(np.flatnonzero(filled.any(axis=0))[0])
        inner = [(a, b) for a, b in inner if a > start]
        if columns == 2 and len(inner) == 1 and inner[0][0] - start < 3 * size and not self.is_ruled:
            columns = 1  # the numbers or bullets of a list
        if covered < (0.2 if self.is_ruled else 0.75):
            return Columns(0, len(rows))
        return Columns(columns, len(rows))


def look_at(gray: Gray, words: int | None = None, side: int = SIDE) -> Look | None:
    """Measure an image, reduced to ``side``; None where it is blank."""
    if min(gray.shape) < 3:
        return None
    longest = max(gray.shape)
    if longest > side:
        factor = side / longest
        gray = np.asarray(cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))
    elif longest < side * 0.7:
        factor = min(3.0, side / longest)
        gray = np.asarray(cv2.resize(gray, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC))
    gray = np.asarray(cv2.copyMakeBorder(gray, 6, 6, 6, 6, cv2.BORDER_CONSTANT, value=255))
    ink = binarise(gray)
    parts = parts_of(ink)
    if not len(parts.areas):
        return None
    x0, y0 = parts.boxes[:, :2].min(axis=0)
    x1, y1 = parts.boxes[:, 2:].max(axis=0)
    ink, gray = np.ascontiguousarray(ink[y0:y1, x0:x1]), np.ascontiguousarray(gray[y0:y1, x0:x1])
    height, width = ink.shape
    level = join_rows(level_lines(gray, max(20, width // 6)), 20)
    upright = upright_lines(gray, max(16, min(height // 5, 60)))
    return Look(gray, ink, parts_of(ink), level, upright, words)


def _distinct(values: list[float], apart: float = 5) -> list[float]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > apart:
            kept.append(value)
    return kept
