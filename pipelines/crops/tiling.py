"""Divide a region that is too large for one crop into tiles, between lines of text, table rows or systems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, PageTransform
from docai.models.heads import Tiling
from docai.pipelines.crops.crop import CROP_SIZE, MARGIN, Crop, crop_window
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.pixels import parts_of, spans

LEGIBLE_HEIGHT: Final = 10.0
"""Height in crop pixels that the box of a word must have. The box spans the font's ascender to its descender,
1.25 times the extent of the letters, which are then 8 px high: below that, their strokes merge."""

_BOX_PER_LETTER: Final = 2.5
"""Height of a word's box over that of a lowercase letter (x-height, half an em)."""

_PROBE_SIDE: Final = 1600
"""Longer side, in pixels, of the picture in which gaps are searched; a 7 pt letter of an A4 page is 7 px high
in it."""

_INK_LEVEL: Final = 160
"""Gray level below which a pixel is ink; light gray rules and shaded cells are above it."""

_RULE_LEVEL: Final = 225
"""The same for rules, light gray ones included."""

_MIN_JOINED_SHARE: Final = 0.97
"""Share of the rows between two staves that a line joining them must cover; scans leave holes in it."""

_LONG_WORD: Final = 5
"""Characters above which a horizontal word is wider than high, whatever its letters."""

_MIN_LETTERS: Final = 5
"""Parts of the size of letters that a region must have to tell their height."""

Mask = NDArray[np.bool_]


def text_height(page: Page, bbox: BBox, words: Sequence[PageWord] = ()) -> float | None:
    """Height, in points, of the box of a word in a region's small print; None where no words are found.

    With ``words``, the tenth percentile of their heights: a single superscript must not divide a region that
    is legible otherwise. Without, estimated from the parts of the ink that have the size of letters.
    """
    if words:
        return float(np.percentile([_height_across(word) for word in words], 10))
    ink, transform = _ink(page, bbox)
    parts = parts_of(ink.astype(np.uint8))
    heights, widths = parts.heights, parts.widths
    letters = (heights >= 3) & (widths >= 2) & (widths < 3 * heights) & (heights < 0.2 * max(ink.shape))
    height = parts.median_height(letters, min_count=_MIN_LETTERS)
    return None if height is None else height / transform.scale * _BOX_PER_LETTER


def line_gaps(page: Page, bbox: BBox, words: Sequence[PageWord] = ()) -> list[tuple[float, float]]:
    """White gaps between lines across the whole width: (middle, height) in points, from the top down."""
    return [((top + bottom) / 2, bottom - top) for top, bottom in _white_bands(page, bbox, words)]


def row_gaps(page: Page, bbox: BBox, words: Sequence[PageWord] = ()) -> list[tuple[float, float]]:
    """As :func:`line_gaps`, but between the rows of a table.

    Where the table has horizontal rules, they separate its rows. Else a line that leaves the first column
    empty continues the row above it, as does a line that follows closer than lines do on average.
    """
    rules = _inner_rules(page, bbox)
    gaps = _white_bands(page, bbox, words)
    if len(rules) >= 4:
        return [(rule, 1.0) for rule in rules]
    if not gaps:
        return []
    usual = float(np.median([bottom - top for top, bottom in gaps]))
    wide = [(top, bottom) for top, bottom in gaps if bottom - top >= 0.8 * usual]
    if words:
        left = min(word.bbox[0] for word in words) + 0.1 * (bbox[2] - bbox[0])
        starts = [word.bbox[1] for word in words if word.bbox[0] <= left]
        wide = [gap for gap in wide if any(abs(y - gap[1]) < 0.5 * usual + 2 for y in starts)] or wide
    return [((top + bottom) / 2, bottom - top) for top, bottom in wide]


def system_cuts(page: Page, bbox: BBox) -> list[float]:
    """Where to cut a score, in points of the page: between systems, as its head is trained on one system.

    Two staves belong to one system where a vertical line, at least the bar line at its left, joins them.
    """
    import cv2

    ink, transform = _ink(page, bbox)
    cuts: list[float] = []
    for (_, upper), (lower, _) in pairwise(_staff_rows(ink)):
        between = ink[upper : lower + 1]
        # In a scan a joining line leans and breaks a little, so strips a few pixels wide are tested.
        strips = cv2.dilate(between.astype(np.uint8), np.ones((3, 9), np.uint8))
        if strips.mean(axis=0).max() >= _MIN_JOINED_SHARE:
            continue
        cuts.append(transform.row_to_page(upper + _emptiest_row(between.sum(axis=1))))
    return cuts


def choose_cuts(
    gaps: Sequence[tuple[float, float]], top: float, bottom: float, max_height: float
) -> list[float]:
    """The fewest gaps, as their middles, that divide ``top…bottom`` into bands of at most ``max_height``.

    Bands of about equal height and wide gaps are preferred. Where no gap is in reach, the band extends to the
    next one. All values are points; ``gaps`` are (middle, height).
    """
    n_bands = int(np.ceil((bottom - top) / max_height))
    cuts: list[float] = []
    start = top
    while bottom - start > max_height:
        ahead = [gap for gap in gaps if gap[0] > start + 1e-6 and gap[0] < bottom - 1e-6]
        if not ahead:
            break
        in_reach = [gap for gap in ahead if gap[0] - start <= max_height]
        n_left = max(n_bands - len(cuts), 2)
        ideal = start + min((bottom - start) / n_left, max_height)
        # One point more of gap outweighs four points away from the ideal height.
        best = min(in_reach, key=lambda gap: abs(gap[0] - ideal) - 4 * gap[1]) if in_reach else ahead[0]
        start = best[0]
        cuts.append(start)
    return cuts


def overlapping_bands(
    top: float, bottom: float, max_height: float, overlap: float
) -> list[tuple[float, float]]:
    """The fewest bands of equal height, at most ``max_height``, each sharing ``overlap`` with the next.

    One band where ``top…bottom`` is low enough, or where bands would be hardly more than what they share. All
    values are points.
    """
    if bottom - top <= max_height or max_height < 3 * overlap:
        return [(top, bottom)]
    n_bands = int(np.ceil((bottom - top - overlap) / (max_height - overlap)))
    step = (bottom - top - overlap) / n_bands
    tops = [top + step * index for index in range(n_bands)]
    return [(start, start + step + overlap) for start in tops[:-1]] + [(tops[-1], bottom)]


def is_vertical_text(words: Sequence[PageWord]) -> bool:
    """Whether most long words run up or down the page, so that no horizontal cut can avoid them."""
    n_long = sum(len(word.text) > _LONG_WORD for word in words)
    return 2 * sum(_is_vertical(word) for word in words) > n_long


def _height_across(word: PageWord) -> float:
    """Extent of the word's box, in points, across the direction in which the word runs."""
    x0, y0, x1, y1 = word.bbox
    return x1 - x0 if _is_vertical(word) else y1 - y0


def _is_vertical(word: PageWord) -> bool:
    x0, y0, x1, y1 = word.bbox
    return len(word.text) > _LONG_WORD and y1 - y0 > x1 - x0


def _white_bands(page: Page, bbox: BBox, words: Sequence[PageWord]) -> list[tuple[float, float]]:
    """Bands of the region without words, or without ink where no words are given: (top, bottom) in points."""
    if words:
        filled = [(word.bbox[1], word.bbox[3]) for word in words]
        # In tight type the boxes of neighboring lines overlap; the middle parts of them do not.
        filled = [(y0 + 0.15 * (y1 - y0), y1 - 0.15 * (y1 - y0)) for y0, y1 in filled]
    else:
        ink, transform = _ink(page, bbox)
        rows: Mask = np.asarray(_without_vertical_rules(ink).any(axis=1))
        filled = [(transform.row_to_page(a), transform.row_to_page(b)) for a, b in spans(rows)]
    gaps = []
    reached = -np.inf
    for y0, y1 in sorted(filled):
        if y0 > reached > -np.inf:
            gaps.append((float(reached), float(y0)))
        reached = max(reached, y1)
    return gaps


def _inner_rules(page: Page, bbox: BBox) -> list[float]:
    """Heights, in points, of the horizontal rules inside the region that cross most of it."""
    import cv2

    ink, transform = _ink(page, bbox, level=_RULE_LEVEL)
    kernel = np.ones((1, max(15, ink.shape[1] // 20)), np.uint8)
    lines = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    crossed: Mask = np.greater(lines.sum(axis=1), 0.8 * ink.shape[1])
    thin = [(a + b) / 2 for a, b in spans(crossed) if b - a <= max(4.0, 2.5 * transform.scale)]
    return [transform.row_to_page(y) for y in thin if 0.01 * ink.shape[0] < y < 0.99 * ink.shape[0]]


def _staff_rows(ink: Mask) -> list[tuple[int, int]]:
    """Pixel rows (top, bottom) of the staves in a region that is known to be a score, from the top down.

    Looks for bands in which horizontal lines are dense, so that bent, slanted and partly lost lines do as
    well. This cannot tell a score from a table;
    :func:`~docai.pipelines.tracing.score.page_staves.find_page_staves`, which needs all five lines at equal
    distances, can.
    """
    import cv2

    kernel = np.ones((1, max(15, ink.shape[1] // 25)), np.uint8)
    lines = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    # The most common distance between lines, as in Fujinaga, "Staff detection and removal" (2004).
    columns = lines[:, :: max(1, lines.shape[1] // 200)].astype(bool)
    steps = np.concatenate([np.diff([a for a, _ in spans(column)]) for column in columns.T])
    steps = steps[(steps >= 3) & (steps < 0.2 * ink.shape[0])].astype(np.int64)
    if len(steps) < 20:
        return []
    space = int(np.bincount(steps).argmax())
    # Only upper edges are counted: a line then counts once, however thick, and in full where it is bent or
    # slanted. A window of three spaces contains three or four lines inside a staff, and two of them up to
    # half a space beyond its ends.
    edges = lines.astype(np.int16)
    edges[1:] = np.maximum(edges[1:] - edges[:-1], 0)
    density = cv2.blur(edges.sum(axis=1).astype(np.float32)[:, None], (1, 3 * space + 1))[:, 0]
    bands = [(a + space // 2, b - space // 2) for a, b in spans(density > 0.4 * density.max())]
    return [(a, b - 1) for a, b in bands if 3 * space <= b - a]


def _emptiest_row(ink_per_row: NDArray[np.int_]) -> int:
    """Middle of the longest stretch of rows with the least ink."""
    a, b = max(spans(ink_per_row == ink_per_row.min()), key=lambda run: run[1] - run[0])
    return (a + b) // 2


def _without_vertical_rules(ink: Mask) -> Mask:
    """Ink without vertical rules, which run through every gap between lines."""
    ruled: Mask = np.asarray(ink.mean(axis=0) > 0.5)
    return ink & ~ruled[None, :]


def _ink(page: Page, bbox: BBox, *, level: int = _INK_LEVEL) -> tuple[Mask, PageTransform]:
    """Which pixels of the region are darker than ``level``, and where they lie on the page."""
    side = max(bbox[2] - bbox[0], bbox[3] - bbox[1], 1.0)
    scale = min(page.native_scale(bbox), _PROBE_SIDE / side)
    gray = np.asarray(page.render(bbox, scale=scale).convert("L"))
    return gray < level, PageTransform(bbox[0], bbox[1], scale)


OVERLAP: Final = 3.0
"""Overlap of tiles that cut through lines of text, in heights of the small print: a line of up to three times
that height is then whole in one of them."""


def tile_region(
    page: Page,
    tiling: Tiling,
    bbox: BBox,
    *,
    size: int = CROP_SIZE,
    margin: int = MARGIN,
    words: Sequence[PageWord] = (),
    max_height: float = math.inf,
) -> list[Crop]:
    """A region as one crop where that is legible, else as several crops from top to bottom.

    Text is divided between lines, a table between rows, and a score between systems; the tiles cover the
    region without overlap. Where text has no gap to cut at, because its lines are slanted or its columns not
    aligned, tiles overlap by some lines: what the edge of one tile cuts is whole in the next, and
    :mod:`docai.pipelines.recognition.tiles` merges the two readings. Rows and systems are never cut; their
    tile stays large. The margin of a tile at a cut is white, so that no line is read twice. Molecules and
    figures stay whole.

    Args:
        page, bbox, size, margin: as for :func:`make_crop`.
        tiling: between what it may be cut; ``whole`` is always one crop.
        words: the words of the text layer in the region; without them, gaps are found in the pixels.
        max_height: upper limit, in points, of the height of tiles of text and tables, also where more is
            legible.

    Raises:
        As :func:`make_crop`.
    """
    tiles = _tile_spans(page, tiling, bbox, size - 2 * margin, words, max_height)
    crops = []
    for index, (top, bottom) in enumerate(tiles):
        window = (
            page.bbox[0],
            page.bbox[1] if index == 0 else top,
            page.bbox[2],
            page.bbox[3] if index == len(tiles) - 1 else bottom,
        )
        crops.append(crop_window(page, (bbox[0], top, bbox[2], bottom), size, margin, window))
    return crops


def _tile_spans(
    page: Page, tiling: Tiling, bbox: BBox, room: int, words: Sequence[PageWord], max_height: float
) -> list[tuple[float, float]]:
    """Top and bottom of each tile, in points of the page; one where the region is legible as a whole."""
    _, top, _, bottom = bbox
    if tiling == "systems":
        return list(pairwise([top, *system_cuts(page, bbox), bottom]))
    if tiling == "whole":
        return [(top, bottom)]
    height = text_height(page, bbox, words)
    if height is None:
        return [(top, bottom)]
    width = max(bbox[2] - bbox[0], 1.0)
    # Tiles are lower than the region, not narrower: below a square, the scale does not grow any more.
    max_height = min(max(room * height / LEGIBLE_HEIGHT, width), max_height)
    if bottom - top <= max_height:
        return [(top, bottom)]
    find_gaps = row_gaps if tiling == "rows" else line_gaps
    cuts = choose_cuts(find_gaps(page, bbox, words), top, bottom, max_height)
    tiles = list(pairwise([top, *cuts, bottom]))
    if tiling == "rows" or is_vertical_text(words):
        return tiles
    return [band for tile in tiles for band in overlapping_bands(*tile, max_height, OVERLAP * height)]
