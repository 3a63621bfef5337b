"""Texts with boxes compared with the ink of a crop: what words and table cells have in common.

The crop's ink is split into letters and rules (:func:`split_ink`). Each text that a record expects in a box
is drawn in Pillow's default font and compared with the letters in and around the box (:func:`match_text`);
:func:`summarize_matches`, :func:`uncovered_ink` and :func:`overlapping_share` give the features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docai.geometry import BBox, iou
from docai.pipelines.pixels import parts_of, spans
from docai.pipelines.readback.ink import Gray, pairwise_overlap

PixelBox = tuple[int, int, int, int]
"""x0, y0, x1, y1, pixels of the crop."""

Shape = NDArray[np.float32]
"""(h, w) ink, 0..1."""

MAX_TEXTS = 600
"""Texts that are compared one by one; of more, as many evenly chosen ones."""

_MIN_RULE_LETTER_HEIGHTS = 4.0
"""A longer straight line is a rule, not part of a letter."""

_COMPARED_ROWS = 12
"""Rows that two shapes are scaled to before they are compared."""

_FONT_SIZE_PX, _GLYPH_HEIGHT_PX, _BASELINE_PX, _SPACE_WIDTH_PX = 32, 56, 36, 8

_NO_GLYPH = "\U0010fffd"
"""A code point that no font has: it is drawn as the font's sign for a missing glyph."""


@dataclass(frozen=True)
class CropInk:
    """The ink of a crop, split into letters and rules. All (h, w) uint8, 1 on 0."""

    letters: Gray
    horizontal_rules: Gray
    vertical_rules: Gray
    letter_height: float
    """Of a typical letter, pixels."""


@dataclass(frozen=True)
class ExpectedText:
    """A text that a record expects in a box of the crop."""

    text: str
    box: PixelBox


@dataclass(frozen=True)
class TextMatch:
    """How well one expected text matches the ink at its box."""

    filled: float
    """Share of the box's width that has ink."""
    box_iou: float
    """Intersection over union of the box and the ink in and around it."""
    stretch: float
    """Log of the ink's width over the width of the drawn text at the same height; NaN where unknown."""
    correlation: float
    """Of the drawn text and the ink, -1..1; NaN where unknown."""
    gap: float
    """Widest empty space inside a line, in line heights, beyond that between words."""
    is_crossed: bool
    """Whether a rule runs through the box."""


def split_ink(ink: Gray) -> CropInk:
    """Letters and rules. Rules are straight lines longer than letters are."""
    parts = parts_of(ink)
    heights, widths = parts.heights, parts.widths
    is_letter = (heights >= 4) & (widths < 4 * heights) & (heights < 0.3 * ink.shape[0])
    letter_height = parts.median_height(is_letter) or 12.0
    length = int(max(_MIN_RULE_LETTER_HEIGHTS * letter_height, 24))
    horizontal = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    vertical = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    # What is thicker than a rule is a filled area.
    thick = max(3, round(0.45 * letter_height))
    horizontal &= 1 - cv2.morphologyEx(horizontal, cv2.MORPH_OPEN, np.ones((thick, 3), np.uint8))
    vertical &= 1 - cv2.morphologyEx(vertical, cv2.MORPH_OPEN, np.ones((3, thick), np.uint8))
    rules = cv2.dilate(horizontal, np.ones((3, 3), np.uint8)) | cv2.dilate(
        vertical, np.ones((3, 3), np.uint8)
    )
    letters = ink & (1 - rules)
    return CropInk(
        np.asarray(letters, np.uint8),
        np.asarray(horizontal, np.uint8),
        np.asarray(vertical, np.uint8),
        letter_height,
    )


def to_pixels(box: BBox, shape: tuple[int, ...]) -> PixelBox:
    """Shares of the crop, in any order and even beyond it, to whole pixels inside, at least one each way."""
    height, width = shape[:2]
    values = [0.5 if math.isnan(v) else min(max(v, 0.0), 1.0) for v in box]
    x0, x1 = sorted((values[0] * width, values[2] * width))
    y0, y1 = sorted((values[1] * height, values[3] * height))
    left, top = min(int(x0), width - 1), min(int(y0), height - 1)
    return left, top, max(left + 1, math.ceil(x1)), max(top + 1, math.ceil(y1))


def sample_texts(texts: Sequence[ExpectedText]) -> Sequence[ExpectedText]:
    """All texts, or :data:`MAX_TEXTS` of them, spread evenly."""
    if len(texts) <= MAX_TEXTS:
        return texts
    return [texts[int(i)] for i in np.linspace(0, len(texts) - 1, MAX_TEXTS)]


def match_text(ink: CropInk, expected: ExpectedText) -> TextMatch:
    """Compare one expected text with the ink in and around its box."""
    x0, y0, x1, y1 = expected.box
    inside = ink.letters[y0:y1, x0:x1]
    reach = max(2, round(0.35 * min(y1 - y0, 2 * ink.letter_height)))
    top, left = max(0, y0 - reach), max(0, x0 - reach)
    ys, xs = np.nonzero(ink.letters[top : y1 + reach, left : x1 + reach])
    box_iou = 0.0
    if len(ys):
        ink_box = (left + xs.min(), top + ys.min(), left + xs.max() + 1, top + ys.max() + 1)
        box_iou = float(iou(expected.box, ink_box))
    lines = _lines(inside, ink.letter_height)
    stretch, correlation = _compare_lines(expected.text, lines)
    return TextMatch(
        filled=float(inside.any(axis=0).mean()),
        box_iou=box_iou,
        stretch=stretch,
        correlation=correlation,
        gap=max((_widest_gap(line) for line in lines), default=0.0),
        is_crossed=_is_crossed(ink, expected.box),
    )


def _is_crossed(ink: CropInk, box: PixelBox) -> bool:
    """Whether a rule runs through a box, not only along its edge."""
    x0, y0, x1, y1 = box
    dy, dx = max(1, round(0.2 * (y1 - y0))), max(1, round(0.1 * (x1 - x0)))
    horizontal = ink.horizontal_rules[y0 + dy : y1 - dy, x0:x1]
    vertical = ink.vertical_rules[y0:y1, x0 + dx : x1 - dx]
    return bool(
        (horizontal.size and horizontal.any(axis=0).mean() > 0.6)
        or (vertical.size and vertical.any(axis=1).mean() > 0.6)
    )


def _lines(inside: Gray, letter_height: float) -> list[Gray]:
    """The ink of a box as its lines of text, each cut to its ink."""
    bands = [[*span] for span in spans(np.asarray(inside.any(axis=1)))]
    merged = bands[:1]
    for band in bands[1:]:
        # A band lower than half a letter is a dot or an accent of its neighbor.
        is_low = min(band[1] - band[0], merged[-1][1] - merged[-1][0]) < 0.5 * letter_height
        if is_low and band[0] - merged[-1][1] < 0.4 * letter_height:
            merged[-1][1] = band[1]
        else:
            merged.append(band)
    lines = []
    for top, bottom in merged:
        line = inside[top:bottom]
        columns = np.flatnonzero(line.any(axis=0))
        lines.append(line[:, columns[0] : columns[-1] + 1])
    return lines


def _widest_gap(line: Gray) -> float:
    """See :attr:`TextMatch.gap`."""
    gaps = spans(~np.asarray(line.any(axis=0)))
    if not gaps:
        return 0.0
    widest = max(end - start for start, end in gaps)
    return max(0.0, float(widest / line.shape[0]) - 0.5)


def _compare_lines(text: str, lines: Sequence[Gray]) -> tuple[float, float]:
    """(stretch, correlation) of lines of ink and the text drawn; NaN where unknown."""
    parts = _wrap(text, [line.shape[1] for line in lines])
    stretches, correlations, weights = [], [], []
    for part, line in zip(parts, lines, strict=True):
        drawn = draw_text(part)
        if drawn is None:
            continue
        aspect = line.shape[1] / line.shape[0]
        stretches.append(math.log(aspect / (drawn.shape[1] / drawn.shape[0])))
        correlations.append(shape_correlation(drawn, line.astype(np.float32)))
        weights.append(float(line.shape[1]))
    if not weights:
        return math.nan, math.nan
    if sum(bool(part.strip()) for part in parts) < len(lines):
        # A line of ink without a word left for it.
        return math.log(sum(line.shape[1] for line in lines) / sum(weights)) + 0.5, 0.0
    return float(np.average(stretches, weights=weights)), float(np.average(correlations, weights=weights))


def _wrap(text: str, widths: Sequence[int]) -> list[str]:
    """The text split at spaces into lines whose drawn widths are in about the proportion of ``widths``."""
    if len(widths) <= 1:
        return [text] * len(widths)
    words = text.split()
    ends = np.cumsum([text_width(word) + _SPACE_WIDTH_PX for word in words])
    goals = np.cumsum(widths) / sum(widths) * (ends[-1] if len(ends) else 1)
    cuts = [
        0,
        *(int(np.abs(ends - goal).argmin()) + 1 if len(ends) else 0 for goal in goals[:-1]),
        len(words),
    ]
    return [" ".join(words[a:b]) for a, b in pairwise(cuts)]


@lru_cache(maxsize=4096)
def draw_text(text: str) -> Shape | None:
    """A line of text, cut to its ink; None where the font lacks a glyph, or nothing is visible."""
    glyphs = [_glyph(letter) for letter in text.strip()]
    if not glyphs or any(glyph is None for glyph in glyphs):
        return None
    line = np.concatenate([glyph for glyph in glyphs if glyph is not None], axis=1)
    ys, xs = np.nonzero(line > 0.3)
    if not len(ys):
        return None
    return np.asarray(line[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1], np.float32)


def text_width(text: str) -> float:
    """Width of a line of text, pixels of :func:`draw_text`; a letter without a glyph counts as an n."""
    return float(sum(_letter_width(letter) for letter in text))


@lru_cache(maxsize=4096)
def _letter_width(letter: str) -> int:
    glyph = _glyph(letter)
    return 18 if glyph is None else glyph.shape[1]


@lru_cache(maxsize=4096)
def _glyph(letter: str) -> Shape | None:
    """One letter with its side bearings; None where the font lacks it."""
    if letter.isspace():
        return np.zeros((_GLYPH_HEIGHT_PX, _SPACE_WIDTH_PX), np.float32)
    drawn, missing = _draw_glyph(letter), _draw_glyph(_NO_GLYPH)
    if drawn is None or (missing is not None and np.array_equal(drawn, missing)):
        return None
    return drawn


def _draw_glyph(letter: str) -> Shape | None:
    font = _font()
    if not isinstance(font, ImageFont.FreeTypeFont):
        return None
    width = max(1, round(font.getlength(letter)))
    image = Image.new("L", (width, _GLYPH_HEIGHT_PX), 0)
    ImageDraw.Draw(image).text((0, _BASELINE_PX), letter, fill=255, font=font, anchor="ls")
    return np.asarray(np.asarray(image, np.float32) / 255, np.float32)


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT_SIZE_PX)


def shape_correlation(drawn: Shape, ink: Shape) -> float:
    """Of two shapes scaled to one size and blurred a little, -1..1; 0 where one is uniform."""
    columns = int(min(max(_COMPARED_ROWS * ink.shape[1] / max(ink.shape[0], 1), 4), 60 * _COMPARED_ROWS))
    a, b = (
        cv2.blur(cv2.resize(shape, (columns, _COMPARED_ROWS), interpolation=cv2.INTER_AREA), (3, 3)).ravel()
        for shape in (drawn, ink)
    )
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / norm if norm > 1e-6 else 0.0


def summarize_matches(matches: Sequence[TextMatch]) -> dict[str, float]:
    """Features of all expected texts together.

    Of each measure the mean, which many wrong texts change, and the worst, which a single one does.
    ``stretch`` is relative to the median of all: the picture's font may be wider than the one drawn with.
    ``empty``, ``stretched`` and ``crossed`` are the shares of boxes with hardly any ink, of texts whose width
    is off by more than 0.35 (log), and of boxes with a rule through them.
    """
    filled = np.array([match.filled for match in matches])
    box_ious = np.array([match.box_iou for match in matches])
    stretches = np.array([match.stretch for match in matches])
    correlations = np.array([match.correlation for match in matches])
    gaps = np.array([match.gap for match in matches])
    known = ~np.isnan(stretches)
    deviations = np.abs(stretches[known] - np.median(stretches[known])) if known.any() else np.zeros(1)
    known_correlations = correlations[~np.isnan(correlations)] if known.any() else np.zeros(1)
    return {
        "empty": float((filled < 0.25).mean()),
        "min_filled": float(filled.min()),
        "box_iou": float(box_ious.mean()),
        "min_box_iou": float(box_ious.min()),
        "stretch": float(deviations.mean()),
        "max_stretch": float(min(deviations.max(), 2.0)),
        "stretched": float((deviations > 0.35).mean()),
        "correlation": float(known_correlations.mean()),
        "min_correlation": float(known_correlations.min()),
        "low_correlation": float(np.quantile(known_correlations, 0.1)),
        "max_gap": float(min(gaps.max(), 5.0)),
        "crossed": float(np.mean([match.is_crossed for match in matches])),
    }


def uncovered_ink(ink: CropInk, boxes: Sequence[PixelBox]) -> dict[str, float]:
    """Features of the letters outside of all boxes.

    ``uncovered`` is the square root of their share of all letters' ink, and ``largest_uncovered`` their
    largest group, log of 1 + its ink in letter areas; specks do not count. Letters nearer to each other than
    a letter's height are one group, as in a word or a row of words. ``uncovered_lines``: share of the crop's
    rows with letters that have none inside a box; ``uncovered_lanes``: the same of its columns.
    """
    inside = np.zeros_like(ink.letters)
    margin = max(2, round(0.25 * ink.letter_height))
    for x0, y0, x1, y1 in boxes:
        inside[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin] = 1
    _, components, stats, _ = cv2.connectedComponentsWithStats(ink.letters, connectivity=8)
    sides = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    is_letter = (sides >= 0.4 * ink.letter_height) & (sides < 12 * ink.letter_height)
    is_letter[0] = False
    letters = is_letter[components]
    n_inside = np.bincount(components[inside > 0], minlength=len(stats))
    is_covered = n_inside > 0.3 * stats[:, cv2.CC_STAT_AREA]
    uncovered = (is_letter & ~is_covered)[components]
    total = int(letters.sum())
    if total == 0:
        return dict.fromkeys(("uncovered", "largest_uncovered", "uncovered_lines", "uncovered_lanes"), 0.0)
    side = max(3, round(ink.letter_height)) | 1
    grown = cv2.dilate(uncovered.astype(np.uint8), np.ones((side // 2 | 1, side), np.uint8))
    _, groups = cv2.connectedComponents(grown)
    sizes = np.bincount(groups[uncovered], minlength=1)
    largest = float(sizes[1:].max()) if sizes.size > 1 else 0.0
    shares = {}
    for name, axis in (("uncovered_lines", 1), ("uncovered_lanes", 0)):
        with_letters = letters.any(axis=axis)
        bare = uncovered.any(axis=axis) & ~inside.any(axis=axis)
        shares[name] = float(bare.sum()) / max(1, int(with_letters.sum()))
    return {
        "uncovered": math.sqrt(float(uncovered.sum()) / total),
        "largest_uncovered": math.log1p(largest / (0.35 * ink.letter_height**2)),
        **shares,
    }


def overlapping_share(boxes: Sequence[PixelBox]) -> float:
    """Share of the boxes that another box covers by more than a third."""
    if len(boxes) < 2:
        return 0.0
    corners = np.array(boxes, np.float64)
    widths, heights = pairwise_overlap(corners)
    overlaps = np.maximum(widths, 0) * np.maximum(heights, 0)
    np.fill_diagonal(overlaps, 0)
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    return float((overlaps.max(axis=1) > areas / 3).mean())
