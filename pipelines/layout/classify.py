"""What a figure shows, judged by its ink: a score, a table, a molecule, or none of these.

Each of the three is rated 0…1, with the observations behind the rating. The best rating above one half
decides; a picture without one is a plain figure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docai.geometry import BBox
from docai.pipelines.pixels import (
    Gray,
    Parts,
    binarize,
    gray_levels,
    horizontal_lines,
    join_line_pieces,
    parts_of,
    spans,
    straight_strokes,
    vertical_lines,
)
from docai.pipelines.tracing.score.page_staves import find_page_staves
from docai.pipelines.tracing.score.straighten import SURVEY_SIDES_PX
from docai.records import Kind

SIDE = 900
"""Longest side, in pixels, of the picture that is measured; a larger one is reduced first."""


class Grid(NamedTuple):
    """Long horizontal and vertical rules.

    ``crossed`` is the share of their crossings at which there is ink, and ``filled`` the share of the fields
    between them in which there is a letter, both 0…1.
    """

    n_horizontal: int
    n_vertical: int
    crossed: float
    filled: float

    @property
    def is_frame(self) -> bool:
        """Whether it is just a box, which tells nothing about what it contains."""
        return self.n_horizontal == 2 and self.n_vertical == 2


class Columns(NamedTuple):
    """How many columns and rows the letters form."""

    n_columns: int
    n_rows: int


@dataclass(frozen=True)
class FigureFeatures:
    """Measurements of one picture, cut to its ink, that the ratings share. All lengths are pixels of it."""

    gray: Gray
    ink: Gray
    parts: Parts
    horizontal: list[BBox]
    """Horizontal lines."""
    vertical: list[BBox]
    """Vertical lines."""
    n_words: int | None
    """Words of the text layer in it; None where there is no text layer."""

    @property
    def width(self) -> int:
        return int(self.ink.shape[1])

    @property
    def height(self) -> int:
        return int(self.ink.shape[0])

    @cached_property
    def letters(self) -> NDArray[np.bool_]:
        """Which parts (n,) have the size of letters: near the median height of those that can be letters."""
        parts, heights = self.parts, self.parts.heights
        possible = (heights >= 4) & (heights <= max(12, self.height // 4)) & (parts.areas >= 6)
        possible &= parts.widths <= 6 * np.maximum(heights, 4)
        size = parts.median_height(possible)
        if size is None:
            return np.asarray(possible)
        return np.asarray(possible & (heights <= 2.5 * size) & (heights >= 0.3 * size))

    @cached_property
    def midtones(self) -> float:
        """Share of the pixels that are neither white nor black, 0…1; high in photographs."""
        soft = (self.gray > 60) & (self.gray < 215)
        return float(cv2.erode(soft.astype(np.uint8), np.ones((3, 3), np.uint8)).mean())

    @cached_property
    def n_wide_rules(self) -> int:
        """Number of horizontal lines across the whole width."""
        wide = [(y0 + y1) / 2 for x0, y0, x1, y1 in self.horizontal if x1 - x0 > 0.9 * self.width]
        return len(_distinct_positions(wide))

    @cached_property
    def grid(self) -> Grid | None:
        """Its long rules; None where there are not at least two in both directions."""
        horizontal = _distinct_positions(
            [(y0 + y1) / 2 for x0, y0, x1, y1 in self.horizontal if x1 - x0 > 0.55 * self.width]
        )
        vertical = _distinct_positions(
            [(x0 + x1) / 2 for x0, y0, x1, y1 in self.vertical if y1 - y0 > 0.5 * self.height]
        )
        if len(horizontal) < 2 or len(vertical) < 2:
            return None
        thick = cv2.dilate(self.ink, np.ones((7, 7), np.uint8))
        hits = [
            bool(thick[min(int(y), self.height - 1), min(int(x), self.width - 1)])
            for y in horizontal
            for x in vertical
        ]
        boxes = self.parts.boxes[self.letters]
        across = np.searchsorted(vertical, (boxes[:, 0] + boxes[:, 2]) / 2)
        down = np.searchsorted(horizontal, (boxes[:, 1] + boxes[:, 3]) / 2)
        inside = (across > 0) & (across < len(vertical)) & (down > 0) & (down < len(horizontal))
        fields = set(zip(across[inside].tolist(), down[inside].tolist(), strict=True))
        n_fields = (len(horizontal) - 1) * (len(vertical) - 1)
        return Grid(len(horizontal), len(vertical), sum(hits) / len(hits), len(fields) / n_fields)

    @cached_property
    def letter_share(self) -> float:
        """Share of the ink, rules left out, that is in parts of the size of letters, 0…1."""
        ink = self.ink.copy()
        for x0, y0, x1, y1 in [*self.horizontal, *self.vertical]:
            ink[max(0, int(y0) - 1) : int(y1) + 2, max(0, int(x0) - 1) : int(x1) + 2] = 0
        rest = replace(self, ink=ink, parts=parts_of(ink))
        whole = float(rest.parts.areas.sum())
        return float(rest.parts.areas[rest.letters].sum()) / whole if whole else 0.0

    @cached_property
    def grid_of_text(self) -> float:
        """How completely rules cross and letters fill the fields between them, 0…1.

        The grid lines of a chart cross, too, but its fields are empty or contain curves and bars.
        """
        if self.grid is None or min(self.grid.n_horizontal, self.grid.n_vertical) < 3:
            return 0.0
        return self.grid.crossed * self.grid.filled * self.letter_share

    @cached_property
    def has_rules(self) -> bool:
        """Whether rules separate rows or columns of letters; a frame does not, nor do axes and grid lines."""
        grid = self.grid
        if grid is None:
            return self.n_wide_rules >= 2
        letters = self.letter_share
        if grid.is_frame or grid.crossed < 0.7 or letters < 0.5:
            return False
        return min(grid.n_horizontal, grid.n_vertical) < 3 or grid.filled * letters > 0.5

    @cached_property
    def columns(self) -> Columns:
        """Columns and rows of letters; white lanes through at least three rows of text separate columns."""
        parts, letters = self.parts, self.letters
        size = parts.median_height(letters, min_count=9)
        if size is None:
            return Columns(0, 0)
        covered = float(parts.areas[letters].sum()) / float((self.ink > 0).sum())
        mask = np.zeros(self.ink.shape, np.uint8)
        for x0, y0, x1, y1 in parts.boxes[letters]:
            mask[y0:y1, x0:x1] = 1
        rows = spans(np.asarray(mask.any(axis=1)))
        rows = [(a, b) for a, b in rows if b - a >= 0.5 * size]
        if len(rows) < 3 or any(b - a > 4 * size for a, b in rows):
            return Columns(0, len(rows))
        gap = max(3, round(1.1 * size))
        filled = np.array(
            [cv2.dilate(mask[a:b].max(axis=0)[None], np.ones((1, 3), np.uint8))[0] for a, b in rows]
        )
        # Some rows may cross a lane: a header over several columns, or a note.
        lanes = spans(filled.sum(axis=0) <= max(0, len(rows) // 8), gap)
        inner = [(a, b) for a, b in lanes if a > 0 and b < self.width]
        edges = [0, *((a + b) // 2 for a, b in inner), self.width]
        cells = [float(filled[:, a:b].any(axis=1).mean()) for a, b in pairwise(edges)]
        n_columns = sum(share >= 0.4 for share in cells)
        start = int(np.flatnonzero(filled.any(axis=0))[0])
        inner = [(a, b) for a, b in inner if a > start]
        if n_columns == 2 and len(inner) == 1 and inner[0][0] - start < 3 * size and not self.has_rules:
            n_columns = 1  # The first column is the numbers or bullets of a list.
        if covered < (0.2 if self.has_rules else 0.75):
            return Columns(0, len(rows))
        return Columns(n_columns, len(rows))


def measure_figure(gray: Gray, n_words: int | None = None, side: int = SIDE) -> FigureFeatures | None:
    """Measure a picture, scaled to about ``side`` pixels; None where it is blank."""
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
    ink = binarize(gray)
    parts = parts_of(ink)
    if not len(parts.areas):
        return None
    x0, y0 = parts.boxes[:, :2].min(axis=0)
    x1, y1 = parts.boxes[:, 2:].max(axis=0)
    ink, gray = np.ascontiguousarray(ink[y0:y1, x0:x1]), np.ascontiguousarray(gray[y0:y1, x0:x1])
    height, width = ink.shape
    horizontal = join_line_pieces(horizontal_lines(gray, max(20, width // 6)), 20)
    vertical = vertical_lines(gray, max(16, min(height // 5, 60)))
    return FigureFeatures(gray, ink, parts_of(ink), horizontal, vertical, n_words)


def _distinct_positions(values: list[float], min_distance: float = 5) -> list[float]:
    """The values in order, without those that are close to the one before."""
    distinct: list[float] = []
    for value in sorted(values):
        if not distinct or value - distinct[-1] > min_distance:
            distinct.append(value)
    return distinct


Rating = tuple[float, tuple[str, ...]]
"""How well a picture fits one kind, 0…1, and the observations behind it."""


def classify_image(image: Image.Image) -> tuple[Kind, float, tuple[str, ...]]:
    """What one picture shows.

    Args:
        image: of any size and mode; transparency is put on white.

    Returns:
        Kind, how sure it is (0…1), and the observations behind it.
    """
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        paper = Image.new("RGBA", layered.size, "white")
        image = Image.alpha_composite(paper, layered)
    return classify_gray(gray_levels(image))


def classify_gray(gray: Gray, n_words: int | None = None) -> tuple[Kind, float, tuple[str, ...]]:
    """As :func:`classify_image`, of gray levels; ``n_words`` in the text layer, None where there is none."""
    features = measure_figure(gray, n_words)
    if features is None:
        return "figure", 0.3, ("no ink",)
    ratings: list[tuple[Kind, Rating]] = [
        ("score", _rate_score(gray)),
        ("table", _rate_table(features)),
        ("molecule", _rate_molecule(features)),
    ]
    kind, (value, evidence) = max(ratings, key=lambda item: item[1][0])
    if value > 0.5:
        return kind, round(min(value, 0.99), 3), evidence
    return "figure", round(1 - value, 3), (f"no head fits; nearest was {kind} with {value:.2f}", *evidence)


MAX_STAFF_SHARE: Final = 0.75
"""Share of the height of a picture that one staff may fill: notes and clefs reach above and below it, and the
grid lines of a chart fill it."""

MAX_STAFF_INK: Final = 0.6
"""Share of the pixels of a staff, with its notes and beams, that are ink, at most."""

MIN_STAFF_WIDTH: Final = 0.3
"""Share of the width of a picture that a staff takes at least."""


def is_ruled_grid(gray: Gray) -> bool:
    """Whether rules cross all over a picture and text fills the fields between them."""
    features = measure_figure(gray)
    return features is not None and features.grid_of_text > 0.5


def _rate_score(gray: Gray) -> Rating:
    spaces = _staff_spaces(gray)
    if not spaces:
        return 0.0, ("no five-line staff",)
    covered = sum(4 * space for space in spaces) / gray.shape[0]
    value = min(0.98, 0.75 + 0.1 * len(spaces) + 0.2 * covered)
    return value, (f"{len(spaces)} five-line stave{'s' if len(spaces) > 1 else ''}",)


def _staff_spaces(gray: Gray) -> list[float]:
    """Of each staff that is what a picture shows the distance between two lines, pixels of it."""
    for side in SURVEY_SIDES_PX:
        scale = min(1.0, side / max(gray.shape))
        small = gray
        if scale < 1:
            small = np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        small = np.asarray(cv2.copyMakeBorder(small, 8, 8, 8, 8, cv2.BORDER_CONSTANT, value=255))
        height, width = small.shape
        staves = find_page_staves(small, max(40, MIN_STAFF_WIDTH * width))
        spaces: list[float] = []
        if staves:
            ink = np.asarray(binarize(small) > 0, np.bool_)
            spaces = [
                staff.space / scale
                for staff in staves
                if 4 * staff.space < MAX_STAFF_SHARE * height and not _is_on_ink(ink, staff.bbox)
            ]
        if spaces or scale == 1:
            return spaces
    return []


def _is_on_ink(ink: NDArray[np.bool_], box: BBox) -> bool:
    """Whether most of a box is dark: what seem lines there are the rows of light print on a dark band."""
    x0, y0, x1, y1 = (max(0, round(value)) for value in box)
    return float(ink[y0:y1, x0:x1].mean()) > MAX_STAFF_INK


def _rate_table(features: FigureFeatures) -> Rating:
    grid = features.grid
    columns, rows = features.columns
    evidence = []
    value = 0.0
    if grid is not None and features.letters.sum() >= 4:
        evidence.append(
            f"ruled grid of {grid.n_horizontal} by {grid.n_vertical} lines, {grid.crossed:.0%} crossed"
        )
        if grid.n_horizontal >= 3 and grid.n_vertical >= 3:
            evidence.append(
                f"{grid.filled:.0%} of its fields filled, {features.letter_share:.0%} of their ink letters"
            )
            value = 0.05 + 0.9 * features.grid_of_text
        else:
            value = 0.45
    if columns >= 2 and rows >= 3:
        evidence.append(f"{rows} rows aligned in {columns} columns")
        value = max(value, 0.6) + 0.05 * min(columns, 4)
        if features.n_wide_rules >= 2:
            evidence.append(f"{features.n_wide_rules} rules across the whole width")
            value += 0.1
    if features.midtones > 0.35:
        return min(value, 0.4), (*evidence, f"{features.midtones:.0%} halftones")
    return min(value, 0.97), tuple(evidence) or ("no grid and no aligned columns",)


def _rate_molecule(features: FigureFeatures) -> Rating:
    photo = features.midtones
    density = float((features.ink > 0).mean())
    if photo > 0.08 or density > 0.45:
        return 0.1, (f"{photo:.0%} halftones, {density:.0%} ink: not a line drawing",)
    distance = cv2.distanceTransform(features.ink, cv2.DIST_L2, 3)
    stroke = 2 * float(np.percentile(distance[features.ink > 0], 95))
    size = float(max(features.width, features.height))
    if stroke > max(5.0, 0.06 * size):
        return 0.15, (f"strokes {stroke:.0f} px wide: filled areas",)
    segments = straight_strokes(features.ink, max(8.0, 2.5 * stroke))
    if len(segments) < 3:
        return 0.2, (f"{len(segments)} straight strokes",)
    lengths, angles = segments[:, 0], segments[:, 1]
    typical = float(np.median(lengths[lengths >= np.median(lengths)]))
    skew = np.minimum(angles % 90, 90 - angles % 90)
    slanted = float(lengths[skew > 8].sum() / lengths.sum())
    bonds = lengths[(lengths > 0.45 * typical) & (lengths < 2.2 * typical)]
    alike = float(bonds.sum() / lengths.sum())
    longest = float(lengths.max()) / typical
    n_small = _count_small_parts(features, typical)
    value = 0.35 + 0.3 * min(1.0, slanted / 0.45) + 0.25 * alike
    evidence = [
        f"{len(bonds)} thin strokes of like length",
        f"{slanted:.0%} of the strokes slanted",
        f"{n_small} glyph-sized parts",
    ]
    n_frame_lines = _count_frame_lines(features)
    if n_frame_lines:
        evidence.append(f"{n_frame_lines} long axis-parallel lines")
        value -= 0.25 * min(n_frame_lines, 2)
    if longest > 5:
        value -= 0.1
    if slanted < 0.2:
        value -= 0.2
    if n_small > 12 + 2.0 * len(bonds):
        evidence.append("more glyphs than strokes")
        value -= 0.3
    letters = _letter_share(features)
    if letters > 0.6 and features.columns.n_rows >= 3:
        evidence.append(f"{letters:.0%} of the ink in parts of one letter height")
        value -= 0.5
    if features.n_words is not None and features.n_words > 15 + len(bonds):
        value -= 0.3
    return max(0.0, min(value, 0.97)), tuple(evidence)


def _letter_share(features: FigureFeatures) -> float:
    """Share of the ink that is in parts of the height of letters, 0…1: high for text, low for drawings."""
    parts, letters = features.parts, features.letters
    if letters.sum() < 8:
        return 0.0
    size = float(np.percentile(parts.heights[letters], 75))
    similar = letters & (parts.heights <= 1.5 * size) & (parts.widths <= 2.5 * size)
    return float(parts.areas[similar].sum()) / float(parts.areas.sum())


def _count_frame_lines(features: FigureFeatures) -> int:
    """Number of horizontal and vertical lines across most of the picture, as axes and frames are."""
    n_horizontal = sum(
        x1 - x0 > 0.6 * features.width and x1 - x0 > 60 for x0, _, x1, _ in features.horizontal
    )
    n_vertical = sum(y1 - y0 > 0.6 * features.height and y1 - y0 > 60 for _, y0, _, y1 in features.vertical)
    return int(n_horizontal + n_vertical)


def _count_small_parts(features: FigureFeatures, bond: float) -> int:
    """Number of parts smaller than a bond of ``bond`` pixels, as the labels of atoms are."""
    parts = features.parts
    small = (parts.widths < 0.8 * bond) & (parts.heights < 0.8 * bond) & (parts.areas > 8)
    return int(small.sum())
