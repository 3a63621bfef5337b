"""What a figure shows, judged by its ink: a score, a table, a molecule, or none of these.

Each judge looks at one crop and answers with a score in 0…1 and the observations behind it; the best judge
above one half wins, and what nobody claims is a plain figure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docai.geometry import BBox
from docai.pipelines.layout.pixels import (
    Gray,
    Parts,
    binarise,
    join_rows,
    level_lines,
    loose_between,
    parts_of,
    spans,
    staves,
    upright_lines,
)
from docai.records import Kind

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


Verdict = tuple[float, tuple[str, ...]]


def classify_image(image: Image.Image) -> tuple[Kind, float, tuple[str, ...]]:
    """What one figure crop shows: kind, score 0…1, evidence. Any size and mode; alpha is put on white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        paper = Image.new("RGBA", layered.size, "white")
        image = Image.alpha_composite(paper, layered)
    return judge(np.asarray(image.convert("L")))


def judge(gray: Gray, words: int | None = None) -> tuple[Kind, float, tuple[str, ...]]:
    """:func:`classify_image` of a gray array, with the number of native words where it is known."""
    look = look_at(gray, words)
    if look is None:
        return "figure", 0.3, ("no ink",)
    verdicts: list[tuple[Kind, Verdict]] = [
        ("score", _score_at_any_size(gray, look)),
        ("table", _table(look)),
        ("molecule", _molecule(look)),
    ]
    kind, (value, evidence) = max(verdicts, key=lambda item: item[1][0])
    if value > 0.5:
        return kind, round(min(value, 0.99), 3), evidence
    return "figure", round(1 - value, 3), (f"no head fits; nearest was {kind} with {value:.2f}", *evidence)


def is_ruled_grid(gray: Gray) -> bool:
    """Whether rules cross all over an image and text fills the fields between them."""
    look = look_at(gray)
    return look is not None and look.gridded > 0.5


def _score_at_any_size(gray: Gray, look: Look) -> Verdict:
    """A page of music, reduced, loses its hairlines: where none show, look again at twice the size."""
    verdict = _score(look)
    if verdict[0] > 0.5 or max(gray.shape) < 1.3 * SIDE or min(gray.shape) < 0.2 * max(gray.shape):
        return verdict
    closer = look_at(gray, look.words, side=2 * SIDE)
    return verdict if closer is None else max(verdict, _score(closer))


def _score(look: Look) -> Verdict:
    found = staves(look.gray, max(40, look.width // 4))
    found = [staff for staff in found if staff.bbox[2] - staff.bbox[0] > 0.3 * look.width]
    if not found:
        return 0.0, ("no five-line staff",)
    loose = max(loose_between(look.parts, staff) for staff in found)
    if loose > 0.12:
        return 0.3, (f"{len(found)} groups of five lines with loose glyphs between them, as in a table",)
    covered = sum(staff.bbox[3] - staff.bbox[1] for staff in found) / look.height
    value = min(0.98, 0.75 + 0.1 * len(found) + 0.2 * covered)
    return value, (f"{len(found)} five-line stave{'s' if len(found) > 1 else ''}",)


def _table(look: Look) -> Verdict:
    grid = look.grid
    columns, rows = look.columns
    evidence = []
    value = 0.0
    if grid is not None and look.glyphs.sum() >= 4:
        evidence.append(f"ruled grid of {grid.n_level} by {grid.n_upright} lines, {grid.crossed:.0%} crossed")
        if grid.n_level >= 3 and grid.n_upright >= 3:
            evidence.append(
                f"{grid.filled:.0%} of its fields filled, {look.letters_in_grid:.0%} of their ink letters"
            )
            value = 0.05 + 0.9 * look.gridded
        else:
            value = 0.45
    if columns >= 2 and rows >= 3:
        evidence.append(f"{rows} rows aligned in {columns} columns")
        value = max(value, 0.6) + 0.05 * min(columns, 4)
        if look.wide_rules >= 2:
            evidence.append(f"{look.wide_rules} rules across the whole width")
            value += 0.1
    if look.midtones > 0.35:
        return min(value, 0.4), (*evidence, f"{look.midtones:.0%} halftones")
    return min(value, 0.97), tuple(evidence) or ("no grid and no aligned columns",)


def _molecule(look: Look) -> Verdict:
    photo = look.midtones
    density = float((look.ink > 0).mean())
    if photo > 0.08 or density > 0.45:
        return 0.1, (f"{photo:.0%} halftones, {density:.0%} ink: not a line drawing",)
    distance = cv2.distanceTransform(look.ink, cv2.DIST_L2, 3)
    stroke = 2 * float(np.percentile(distance[look.ink > 0], 95))
    size = float(max(look.width, look.height))
    if stroke > max(5.0, 0.06 * size):
        return 0.15, (f"strokes {stroke:.0f} px wide: filled areas",)
    segments = _segments(look, stroke)
    if len(segments) < 3:
        return 0.2, (f"{len(segments)} straight strokes",)
    lengths, angles = segments[:, 0], segments[:, 1]
    typical = float(np.median(lengths[lengths >= np.median(lengths)]))
    skew = np.minimum(angles % 90, 90 - angles % 90)
    slanted = float(lengths[skew > 8].sum() / lengths.sum())
    bonds = lengths[(lengths > 0.45 * typical) & (lengths < 2.2 * typical)]
    alike = float(bonds.sum() / lengths.sum())
    longest = float(lengths.max()) / typical
    glyphs = _loose_glyphs(look, typical)
    value = 0.35 + 0.3 * min(1.0, slanted / 0.45) + 0.25 * alike
    evidence = [
        f"{len(bonds)} thin strokes of like length",
        f"{slanted:.0%} of the strokes slanted",
        f"{glyphs} glyph-sized parts",
    ]
    frame = _frame_lines(look)
    if frame:
        evidence.append(f"{frame} long axis-parallel lines")
        value -= 0.25 * min(frame, 2)
    if longest > 5:
        value -= 0.1
    if slanted < 0.2:
        value -= 0.2
    if glyphs > 12 + 2.0 * len(bonds):
        evidence.append("more glyphs than strokes")
        value -= 0.3
    letters = _letters_share(look)
    if letters > 0.6 and look.columns.n_rows >= 3:
        evidence.append(f"{letters:.0%} of the ink in parts of one letter height")
        value -= 0.5
    if look.words is not None and look.words > 15 + len(bonds):
        value -= 0.3
    return max(0.0, min(value, 0.97)), tuple(evidence)


def _letters_share(look: Look) -> float:
    """Share of the ink that is in parts of one letter's height: near one for text, small for drawings."""
    parts, high = look.parts, look.parts.heights
    glyph = look.glyphs
    if glyph.sum() < 8:
        return 0.0
    size = float(np.percentile(high[glyph], 75))
    letter = glyph & (high <= 1.5 * size) & (parts.widths <= 2.5 * size)
    return float(parts.areas[letter].sum()) / float(parts.areas.sum())


def _frame_lines(look: Look) -> int:
    """Lines along the axes that span most of the drawing: axes, frames and rules, which molecules lack."""
    level = sum(x1 - x0 > 0.6 * look.width and x1 - x0 > 60 for x0, _, x1, _ in look.level)
    upright = sum(y1 - y0 > 0.6 * look.height and y1 - y0 > 60 for _, y0, _, y1 in look.upright)
    return int(level + upright)


def _loose_glyphs(look: Look, bond: float) -> int:
    """Parts smaller than a bond of that length, as atom labels are."""
    parts = look.parts
    small = (parts.widths < 0.8 * bond) & (parts.heights < 0.8 * bond) & (parts.areas > 8)
    return int(small.sum())


def _segments(look: Look, thickness: float) -> NDArray[np.float64]:
    """Straight strokes as rows of (length, angle in degrees 0…180). Both edges of a stroke count."""
    smooth = cv2.GaussianBlur(255 - look.ink, (0, 0), 0.8)
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(smooth)[0]
    if found is None:
        return np.zeros((0, 2))
    lines = found.reshape(-1, 4).astype(np.float64)
    dx, dy = lines[:, 2] - lines[:, 0], lines[:, 3] - lines[:, 1]
    lengths, angles = np.hypot(dx, dy), np.degrees(np.arctan2(dy, dx)) % 180
    keep = lengths > max(8.0, 2.5 * thickness)
    return np.stack([lengths[keep], angles[keep]], axis=1)
