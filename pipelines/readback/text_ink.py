"""Texts with boxes held against the ink: what words and table cells have in common."""

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

from docai.geometry import BBox
from docai.pipelines.readback.base import Gray

Shape = NDArray[np.float32]
"""(h, w) ink, 0..1."""

ROWS = 12
"""Rows that two shapes are compared on."""

_EM, _HEIGHT, _BASE = 32, 56, 36

_SPACE = 8

_MISSING = "\U0010fffd"


@cache
def _face() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_EM)


@lru_cache(maxsize=4096)
def _glyph(letter: str) -> Shape | None:
    """One letter with its side bearings; None where the face lacks it."""
    if letter.isspace():
        return np.zeros((_HEIGHT, _SPACE), np.float32)
    drawn = _drawn(letter)
    missing = _drawn(_MISSING)
    if drawn is None or (missing is not None and np.array_equal(drawn, missing)):
        return None
    return drawn


def _drawn(letter: str) -> Shape | None:
    face = _face()
    if not isinstance(face, ImageFont.FreeTypeFont):
        return None
    width = max(1, round(face.getlength(letter)))
    image = Image.new("L", (width, _HEIGHT), 0)
    ImageDraw.Draw(image).text((0, _BASE), letter, fill=255, font=face, anchor="ls")
    return np.asarray(np.asarray(image, np.float32) / 255, np.float32)


@lru_cache(maxsize=4096)
def draw_text(text: str) -> Shape | None:
    """A line of text, cut to its ink; None where the face has no glyph for a letter, or shows nothing."""
    parts = [_glyph(letter) for letter in text.strip()]
    if not parts or any(part is None for part in parts):
        return None
    line = np.concatenate([part for part in parts if part is not None], axis=1)
    ys, xs = np.nonzero(line > 0.3)
    if not len(ys):
        return None
    return np.asarray(line[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1], np.float32)


def text_width(text: str) -> float:
    """Width of a line of text, pixels of :func:`draw_text`; strange letters are as wide as an n."""
    return float(sum(_letter_width(letter) for letter in text))


@lru_cache(maxsize=4096)
def _letter_width(letter: str) -> int:
    glyph = _glyph(letter)
    return 18 if glyph is None else glyph.shape[1]


def likeness(drawn: Shape, seen: Shape) -> float:
    """Correlation, -1..1, of two shapes brought to one size and blurred a little; 0 where one is flat."""
    columns = int(min(max(ROWS * seen.shape[1] / max(seen.shape[0], 1), 4), 60 * ROWS))
    a, b = (
        cv2.blur(cv2.resize(shape, (columns, ROWS), interpolation=cv2.INTER_AREA), (3, 3)).ravel()
        for shape in (drawn, seen)
    )
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-6 else 0.0


MOST = 600
"""Texts looked at one by one; of more, evenly chosen ones."""

_RULE = 4.0
"""Letter heights that a straight line must be long to be a rule and no letter."""


@dataclass(frozen=True)
class Page:
    """The ink of a crop, parted. All (h, w) uint8, 1 on 0."""

    letters: Gray
    level: Gray
    """Horizontal rules."""
    upright: Gray
    """Vertical rules."""
    height: float
    """Of a typical letter, pixels."""


@dataclass(frozen=True)
class Claim:
    """A text that a record says stands in a box; the box is pixels of the crop."""

    text: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Look:
    """What was seen at one claim."""

    filled: float
    """Share of the box's width that has ink."""
    fit: float
    """Intersection over union of the box and the ink around it."""
    stretch: float
    """Log of the width seen over the width drawn, at one height; NaN where it cannot be told."""
    alike: float
    """Likeness of the drawn text and the ink, -1..1; NaN where it cannot be told."""
    gap: float
    """Widest white lane inside a line, in line heights, beyond that of a space."""
    crossed: bool
    """Whether a rule runs through the box."""


def part_ink(ink: Gray) -> Page:
    """Letters and rules. Rules are straight lines longer than letters are."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    tall, wide = stats[1:, cv2.CC_STAT_HEIGHT], stats[1:, cv2.CC_STAT_WIDTH]
    likely = (tall >= 4) & (wide < 4 * tall) & (tall < 0.3 * ink.shape[0])
    height = float(np.median(tall[likely])) if likely.any() else 12.0
    length = int(max(_RULE * height, 24))
    level = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    upright = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    thick = max(3, round(0.45 * height))
    level = level & (1 - cv2.morphologyEx(level, cv2.MORPH_OPEN, np.ones((thick, 3), np.uint8)))
    upright = upright & (1 - cv2.morphologyEx(upright, cv2.MORPH_OPEN, np.ones((3, thick), np.uint8)))
    rules = cv2.dilate(level, np.ones((3, 3), np.uint8)) | cv2.dilate(upright, np.ones((3, 3), np.uint8))
    letters = ink & (1 - rules)
    return Page(
        np.asarray(letters, np.uint8), np.asarray(level, np.uint8), np.asarray(upright, np.uint8), height
    )


def to_pixels(box: BBox, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Shares of the crop, in any order and beyond it, to whole pixels inside, at least one each way."""
    height, width = shape[:2]
    values = [0.5 if math.isnan(v) else min(max(v, 0.0), 1.0) for v in box]
    x0, x1 = sorted((values[0] * width, values[2] * width))
    y0, y1 = sorted((values[1] * height, values[3] * height))
    left, top = min(int(x0), width - 1), min(int(y0), height - 1)
    return left, top, max(left + 1, math.ceil(x1)), max(top + 1, math.ceil(y1))


def look(page: Page, claim: Claim) -> Look:
    """Compare one claim with the ink in and around its box."""
    x0, y0, x1, y1 = claim.box
    inside = page.letters[y0:y1, x0:x1]
    filled = float(inside.any(axis=0).mean())
    reach = max(2, round(0.35 * min(y1 - y0, 2 * page.height)))
    top, left = max(0, y0 - reach), max(0, x0 - reach)
    around = page.letters[top : y1 + reach, left : x1 + reach]
    ys, xs = np.nonzero(around)
    fit = 0.0
    if len(ys):
        found = (left + xs.min(), top + ys.min(), left + xs.max() + 1, top + ys.max() + 1)
        fit = _overlap(claim.box, (int(found[0]), int(found[1]), int(found[2]), int(found[3])))
    lines = _lines(inside, page.height)
    stretch, alike = _compare(claim.text, lines)
    deep = max(1, round(0.2 * (y1 - y0)))
    middle = max(1, round(0.1 * (x1 - x0)))
    level = page.level[y0 + deep : y1 - deep, x0:x1]
    upright = page.upright[y0:y1, x0 + middle : x1 - middle]
    crossed = bool(
        (level.size and level.any(axis=0).mean() > 0.6) or (upright.size and upright.any(axis=1).mean() > 0.6)
    )
    return Look(filled, fit, stretch, alike, max((_gap(line) for line in lines), default=0.0), crossed)


def _overlap(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    tall = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    both = wide * tall
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return float(both / (sum(areas) - both))


def _lines(inside: Gray, height: float) -> list[Gray]:
    """The ink of a box as its lines of text, each cut to its ink."""
    rows = inside.any(axis=1)
    if not rows.any():
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], rows, [False]]).astype(np.int8)))
    bands = [[int(a), int(b)] for a, b in edges.reshape(-1, 2)]
    merged = [bands[0]]
    for band in bands[1:]:
        # A band lower than half a letter is a dot or an accent of its neighbour.
        low = min(band[1] - band[0], merged[-1][1] - merged[-1][0]) < 0.5 * height
        if low and band[0] - merged[-1][1] < 0.4 * height:
            merged[-1][1] = band[1]
        else:
            merged.append(band)
    lines = []
    for top, bottom in merged:
        line = inside[top:bottom]
        columns = np.flatnonzero(line.any(axis=0))
        lines.append(line[:, columns[0] : columns[-1] + 1])
    return lines


def _compare(text: str, lines: Sequence[Gray]) -> tuple[float, float]:
    """How the lines' proportions and ink differ from the text drawn: (stretch, alike), NaN where unknown."""
    pieces = _broken(text, [line.shape[1] for line in lines])
    stretches, likes, weights = [], [], []
    for piece, line in zip(pieces, lines, strict=True):
        drawn = draw_text(piece)
        if drawn is None:
            continue
        seen = line.shape[1] / line.shape[0]
        stretches.append(math.log(seen / (drawn.shape[1] / drawn.shape[0])))
        likes.append(likeness(drawn, line.astype(np.float32)))
        weights.append(float(line.shape[1]))
    if not weights:
        return math.nan, math.nan
    if sum(bool(piece.strip()) for piece in pieces) < len(lines):
        # A line of ink without a word left for it.
        return math.log(sum(line.shape[1] for line in lines) / sum(weights)) + 0.5, 0.0
    return float(np.average(stretches, weights=weights)), float(np.average(likes, weights=weights))


def _broken(text: str, widths: Sequence[int]) -> list[str]:
    """The text parted at spaces into lines whose drawn widths are about as ``widths`` are."""
    if len(widths) <= 1:
        return [text] * len(widths)
    words = text.split()
    ends = np.cumsum([text_width(word) + 8 for word in words])
    goals = np.cumsum(widths) / sum(widths) * (ends[-1] if len(ends) else 1)
    cuts = [
        0,
        *(int(np.abs(ends - goal).argmin()) + 1 if len(ends) else 0 for goal in goals[:-1]),
        len(words),
    ]
    return [" ".join(words[a:b]) for a, b in pairwise(cuts)]


def _gap(line: Gray) -> float:
    empty = ~line.any(axis=0)
    if not empty.any():
        return 0.0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], empty, [False]]).astype(np.int8)))
    widest = int((edges[1::2] - edges[::2]).max())
    return max(0.0, float(widest / line.shape[0]) - 0.5)


def uncovered(page: Page, boxes: Sequence[tuple[int, int, int, int]]) -> dict[str, float]:
    """Letters outside of all boxes.

    ``uncovered`` is their share of all letters' ink, and ``largest_uncovered`` the largest lump of them,
    log of letter areas; specks do not count. Letters nearer to each other than a letter's height are one
    lump, so that a word or a row of words is. ``uncovered_lines``: share of the crop's rows that show
    letters, and none of them in a box; ``uncovered_lanes``: the same of its columns.
    """
    inside = np.zeros_like(page.letters)
    spare = max(2, round(0.25 * page.height))
    for x0, y0, x1, y1 in boxes:
        inside[max(0, y0 - spare) : y1 + spare, max(0, x0 - spare) : x1 + spare] = 1
    _, labels, stats, _ = cv2.connectedComponentsWithStats(page.letters, connectivity=8)
    sides = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    is_letter = (sides.max(axis=1) >= 0.4 * page.height) & (sides.max(axis=1) < 12 * page.height)
    is_letter[0] = False
    letters = is_letter[labels]
    covered = np.bincount(labels[inside > 0], minlength=len(stats)) > 0.3 * stats[:, cv2.CC_STAT_AREA]
    left = (is_letter & ~covered)[labels]
    total = int(letters.sum())
    if total == 0:
        return dict.fromkeys(("uncovered", "largest_uncovered", "uncovered_lines", "uncovered_lanes"), 0.0)
    side = max(3, round(page.height)) | 1
    grown = cv2.dilate(left.astype(np.uint8), np.ones((side // 2 | 1, side), np.uint8))
    _, lumps = cv2.connectedComponents(grown)
    sizes = np.bincount(lumps[left], minlength=1)
    largest = float(sizes[1:].max()) if sizes.size > 1 else 0.0
    lanes = {}
    for name, axis in (("uncovered_lines", 1), ("uncovered_lanes", 0)):
        shown = letters.any(axis=axis)
        bare = left.any(axis=axis) & ~inside.any(axis=axis)
        lanes[name] = float(bare.sum()) / max(1, int(shown.sum()))
    return {
        "uncovered": math.sqrt(float(left.sum()) / total),
        "largest_uncovered": math.log1p(largest / (0.35 * page.height**2)),
        **lanes,
    }


def summary(looks: Sequence[Look]) -> dict[str, float]:
    """Features of all claims together.

    Of each measure the mean, which many wrong claims move, and the worst, which one does. ``stretch`` is
    taken against the median of all: the picture's font may be wider than the one drawn with.
    """
    filled = np.array([one.filled for one in looks])
    fit = np.array([one.fit for one in looks])
    stretch = np.array([one.stretch for one in looks])
    alike = np.array([one.alike for one in looks])
    gap = np.array([one.gap for one in looks])
    known = ~np.isnan(stretch)
    off = np.abs(stretch[known] - np.median(stretch[known])) if known.any() else np.zeros(1)
    likes = alike[~np.isnan(alike)] if known.any() else np.zeros(1)
    return {
        "empty": float((filled < 0.25).mean()),
        "emptiest": float(filled.min()),
        "fit": float(fit.mean()),
        "worst_fit": float(fit.min()),
        "stretch": float(off.mean()),
        "worst_stretch": float(min(off.max(), 2.0)),
        "stretched": float((off > 0.35).mean()),
        "alike": float(likes.mean()),
        "least_alike": float(likes.min()),
        "low_alike": float(np.quantile(likes, 0.1)),
        "worst_gap": float(min(gap.max(), 5.0)),
        "crossed": float(np.mean([one.crossed for one in looks])),
    }


def chosen(claims: Sequence[Claim]) -> Sequence[Claim]:
    """All claims, or :data:`MOST` of them, spread evenly."""
    if len(claims) <= MOST:
        return claims
    return [claims[int(i)] for i in np.linspace(0, len(claims) - 1, MOST)]


def overlapping(boxes: NDArray[np.float64]) -> float:
    """Share of the boxes (n, 4) that lie on another by more than a third of themselves."""
    if len(boxes) < 2:
        return 0.0
    wide = np.minimum(boxes[:, None, 2], boxes[None, :, 2]) - np.maximum(boxes[:, None, 0], boxes[None, :, 0])
    tall = np.minimum(boxes[:, None, 3], boxes[None, :, 3]) - np.maximum(boxes[:, None, 1], boxes[None, :, 1])
    both = np.maximum(wide, 0) * np.maximum(tall, 0)
    np.fill_diagonal(both, 0)
    own = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return float((both.max(axis=1) > own / 3).mean())
