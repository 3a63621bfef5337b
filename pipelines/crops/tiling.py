"""Where a region can be parted from left to right without cutting a line, a row or a system."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.models.heads import Tiling
from docai.pipelines.crops.crop import CROP_SIZE, MARGIN, Crop, _cut
from docai.pipelines.ingest import Page, PageWord

LEGIBLE_HEIGHT: Final = 10.0
"""Crop pixels that a word's box must be high. The box spans the font's ascender to its descender, 1.25
of the letters' own extent, so letters are then 8 px high: below that, strokes of 896 px crops merge."""

_BOX_PER_MARK: Final = 2.5
"""Height of a word's box over that of its typical mark, a lowercase letter (x-height, half an em)."""

_PROBE_SIDE: Final = 1600
"""Pixels of the longer side at which a region is looked at; a 7 pt letter of an A4 page is 7 px high."""

_INK: Final = 160
"""Gray level below which a pixel counts as ink: light gray rules and shaded cells do not."""

_JOINED: Final = 0.97
"""Share of the rows between two staves that a line joining them must cover: scans leave holes."""

_LONG: Final = 5
"""Characters above which a word that does not stand up is wider than high, whatever its letters."""

Mask = NDArray[np.bool_]


def text_height(page: Page, bbox: BBox, words: Sequence[PageWord] = ()) -> float | None:
    """Points that the small print of a region is high, as word boxes go; None where nothing is found.

    The tenth percentile: one superscript must not part a page that is legible otherwise.
    """
    if words:
        return float(np.percentile([_letter_height(word) for word in words], 10))
    import cv2

    ink, scale = _ink(page, bbox)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    marks = stats[1:]
    tall, wide = marks[:, cv2.CC_STAT_HEIGHT], marks[:, cv2.CC_STAT_WIDTH]
    letters = tall[(tall >= 3) & (wide >= 2) & (wide < 3 * tall) & (tall < 0.2 * max(ink.shape))]
    if len(letters) < 5:
        return None
    return float(np.median(letters)) / scale * _BOX_PER_MARK


def line_gaps(page: Page, bbox: BBox, words: Sequence[PageWord] = ()) -> list[tuple[float, float]]:
    """Gaps between lines that run through the whole width: (middle, height) in points, downwards."""
    return [((top + bottom) / 2, bottom - top) for top, bottom in _gaps(page, bbox, words)]


def row_gaps(page: Page, bbox: BBox, words: Sequence[PageWord] = ()) -> list[tuple[float, float]]:
    """As :func:`line_gaps`, between rows of a table.

    Horizontal rules decide where the table has them. Else a line that leaves the first column empty is
    taken to continue the row above it, and so is one that follows closer than lines do on average.
    """
    rules = _rules(page, bbox)
    gaps = _gaps(page, bbox, words)
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
    """Heights between the systems of a score: one system is what the score head is trained on.

    Staves are where long horizontal lines lie; two staves belong to one system where a vertical line
    (the bar line at its left at least) joins them.
    """
    import cv2

    ink, scale = _ink(page, bbox)
    cuts: list[float] = []
    for (_, upper), (lower, _) in pairwise(_staves(ink)):
        between = ink[upper : lower + 1]
        # A joining line leans and breaks a little in a scan: look at strips a few pixels wide.
        strips = cv2.dilate(between.astype(np.uint8), np.ones((3, 9), np.uint8))
        if strips.mean(axis=0).max() >= _JOINED:
            continue
        cuts.append(bbox[1] + (upper + _quietest(between.sum(axis=1))) / scale)
    return cuts


def choose_cuts(gaps: Sequence[tuple[float, float]], top: float, bottom: float, most: float) -> list[float]:
    """The fewest of the gaps (middle, height) that leave no band higher than ``most``, of about equal
    height, wide gaps first. Where no gap is in reach the band grows to the next one."""
    n_bands = int(np.ceil((bottom - top) / most))
    cuts: list[float] = []
    start = top
    while bottom - start > most:
        ahead = [gap for gap in gaps if gap[0] > start + 1e-6 and gap[0] < bottom - 1e-6]
        if not ahead:
            break
        reach = [gap for gap in ahead if gap[0] - start <= most]
        left = max(n_bands - len(cuts), 2)
        ideal = start + min((bottom - start) / left, most)
        # One point of gap is worth four of balance.
        start = min(reach, key=lambda gap: abs(gap[0] - ideal) - 4 * gap[1])[0] if reach else ahead[0][0]
        cuts.append(start)
    return cuts


def overlapping(top: float, bottom: float, most: float, overlap: float) -> list[tuple[float, float]]:
    """The fewest bands of equal height, none above ``most``, that share ``overlap`` with the next one.

    One band where it is low enough already, or where bands would be hardly more than what they share.
    """
    if bottom - top <= most or most < 3 * overlap:
        return [(top, bottom)]
    n_bands = int(np.ceil((bottom - top - overlap) / (most - overlap)))
    step = (bottom - top - overlap) / n_bands
    tops = [top + step * index for index in range(n_bands)]
    return [(start, start + step + overlap) for start in tops[:-1]] + [(tops[-1], bottom)]


def stands_up(words: Sequence[PageWord]) -> bool:
    """Whether most long words run up or down the page: a band from left to right cuts through all of them."""
    n_long = sum(len(word.text) > _LONG for word in words)
    return 2 * sum(_is_upright(word) for word in words) > n_long


def _letter_height(word: PageWord) -> float:
    """Height of the word's box across its direction: long words that are higher than wide stand up."""
    x0, y0, x1, y1 = word.bbox
    return x1 - x0 if _is_upright(word) else y1 - y0


def _is_upright(word: PageWord) -> bool:
    x0, y0, x1, y1 = word.bbox
    return len(word.text) > _LONG and y1 - y0 > x1 - x0


def _gaps(page: Page, bbox: BBox, words: Sequence[PageWord]) -> list[tuple[float, float]]:
    """Bands of the region, (top, bottom) in points, that no word or no ink reaches into."""
    if words:
        spans = [(word.bbox[1], word.bbox[3]) for word in words]
        # Boxes of neighboring lines overlap in tight type: their cores do not.
        spans = [(y0 + 0.15 * (y1 - y0), y1 - 0.15 * (y1 - y0)) for y0, y1 in spans]
    else:
        ink, scale = _ink(page, bbox)
        rows: Mask = np.asarray(_without_columns(ink).any(axis=1))
        spans = [(bbox[1] + a / scale, bbox[1] + b / scale) for a, b in _runs(rows)]
    gaps = []
    reached = -np.inf
    for y0, y1 in sorted(spans):
        if y0 > reached > -np.inf:
            gaps.append((float(reached), float(y0)))
        reached = max(reached, y1)
    return gaps


def _rules(page: Page, bbox: BBox) -> list[float]:
    """Heights of the inner horizontal rules that cross most of the region."""
    import cv2

    ink, scale = _ink(page, bbox, level=225)
    kernel = np.ones((1, max(15, ink.shape[1] // 20)), np.uint8)
    lines = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    crossed: Mask = np.greater(lines.sum(axis=1), 0.8 * ink.shape[1])
    runs = _runs(crossed)
    thin = [(a + b) / 2 for a, b in runs if b - a <= max(4.0, 2.5 * scale)]
    inner = [y / scale for y in thin if 0.01 * ink.shape[0] < y < 0.99 * ink.shape[0]]
    return [bbox[1] + y for y in inner]


def _staves(ink: Mask) -> list[tuple[int, int]]:
    """(top, bottom) rows of each staff: where lines lie as close as they do in a staff, all along."""
    import cv2

    kernel = np.ones((1, max(15, ink.shape[1] // 25)), np.uint8)
    lines = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    # The most common distance between lines, as in Fujinaga, "Staff detection and removal" (2004).
    columns = lines[:, :: max(1, lines.shape[1] // 200)].astype(bool)
    steps = np.concatenate([np.diff([a for a, _ in _runs(column)]) for column in columns.T])
    steps = steps[(steps >= 3) & (steps < 0.2 * ink.shape[0])].astype(np.int64)
    if len(steps) < 20:
        return []
    space = int(np.bincount(steps).argmax())
    # Each line counts by its upper edge, however thick, and at full length also where it is bent or
    # aslant. A window of three spaces holds three or four lines in a staff, and two of them up to half a
    # space beyond its ends.
    edges = lines.astype(np.int16)
    edges[1:] = np.maximum(edges[1:] - edges[:-1], 0)
    density = cv2.blur(edges.sum(axis=1).astype(np.float32)[:, None], (1, 3 * space + 1))[:, 0]
    runs = [(a + space // 2, b - space // 2) for a, b in _runs(density > 0.4 * density.max())]
    return [(a, b - 1) for a, b in runs if 3 * space <= b - a]


def _quietest(ink_per_row: NDArray[np.int_]) -> int:
    """Middle of the longest stretch of rows with the least ink."""
    runs = _runs(ink_per_row == ink_per_row.min())
    a, b = max(runs, key=lambda run: run[1] - run[0])
    return (a + b) // 2


def _without_columns(ink: Mask) -> Mask:
    """Ink without vertical rules, which would bridge every gap between lines."""
    ruled: Mask = np.asarray(ink.mean(axis=0) > 0.5)
    return ink & ~ruled[None, :]


def _ink(page: Page, bbox: BBox, *, level: int = _INK) -> tuple[Mask, float]:
    """Ink of the region, and pixels per point."""
    side = max(bbox[2] - bbox[0], bbox[3] - bbox[1], 1.0)
    scale = min(page.native_scale(bbox), _PROBE_SIDE / side)
    gray = np.asarray(page.render(bbox, scale=scale).convert("L"))
    return gray < level, scale


def _runs(flags: Mask) -> list[tuple[int, int]]:
    """(start, end) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


OVERLAP: Final = 3.0
"""Heights of small print that tiles share where they are parted through lines: one of three times its size is
still whole in one of them."""


def tile_region(
    page: Page,
    tiling: Tiling,
    bbox: BBox,
    *,
    size: int = CROP_SIZE,
    margin: int = MARGIN,
    words: Sequence[PageWord] = (),
    tallest: float = math.inf,
) -> list[Crop]:
    """A region as one crop where that is legible, else as several from top to bottom.

    A text is cut between its lines, a table between its rows, a score between its systems, and the tiles
    cover the region without overlap. Where a text has no such place, as when its lines stand askew or its
    columns are not in step, tiles overlap by some lines: what the border of one cuts stands whole in the
    other, and
    :mod:`docai.pipelines.recognition.tiles` reads it once. A table or a score is never cut: its tile stays
    large. Of the margins of a tile those at a cut are white, so that no line is read twice. Molecules and
    figures are one thing each and stay whole.

    Args:
        page, bbox, size, margin: as in :func:`make_crop`.
        tiling: between what it may be cut; ``whole`` is one crop always.
        words: the text layer's words in the region; without them, pixels decide.
        tallest: points that a tile of text or a table is high at most, also where more is legible.

    Raises:
        As :func:`make_crop`.
    """
    spans = _spans(page, tiling, bbox, size - 2 * margin, words, tallest)
    crops = []
    for index, (top, bottom) in enumerate(spans):
        window = (
            page.bbox[0],
            page.bbox[1] if index == 0 else top,
            page.bbox[2],
            page.bbox[3] if index == len(spans) - 1 else bottom,
        )
        crops.append(_cut(page, (bbox[0], top, bbox[2], bottom), size, margin, window))
    return crops


def _spans(
    page: Page, tiling: Tiling, bbox: BBox, room: int, words: Sequence[PageWord], tallest: float
) -> list[tuple[float, float]]:
    """Top and bottom of each tile on the page; one where the region is legible as a whole."""
    _, top, _, bottom = bbox
    if tiling == "systems":
        return list(pairwise([top, *system_cuts(page, bbox), bottom]))
    if tiling == "whole":
        return [(top, bottom)]
    height = text_height(page, bbox, words)
    if height is None:
        return [(top, bottom)]
    width = max(bbox[2] - bbox[0], 1.0)
    # Parting makes tiles lower, not narrower: beyond a square nothing is gained.
    most = min(max(room * height / LEGIBLE_HEIGHT, width), tallest)
    if bottom - top <= most:
        return [(top, bottom)]
    find_gaps = row_gaps if tiling == "rows" else line_gaps
    cuts = choose_cuts(find_gaps(page, bbox, words), top, bottom, most)
    spans = list(pairwise([top, *cuts, bottom]))
    if tiling == "rows" or stands_up(words):
        return spans
    return [tile for span in spans for tile in overlapping(*span, most, OVERLAP * height)]
