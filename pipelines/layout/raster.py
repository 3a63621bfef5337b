"""Clues from pixels alone: a scan, or a page whose text layer is not to be used.

The page is set upright, its ink is sorted into letters, rules and drawings, and words are boxed. To name
the blocks of text the same layout model is asked as for a born-digital page: it looks at where words stand,
so it is shown a ghost of the page on which each word seen is a run of letters of that size in that place.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pymupdf

from docai.geometry import BBox, grow, join_touching, overlap, touches, union
from docai.pipelines.layout import deskew
from docai.pipelines.layout.digital import model_boxes
from docai.pipelines.layout.pixels import (
    Gray,
    Parts,
    binarise,
    level_lines,
    loose_between,
    parts_of,
    solid_areas,
    staves,
)
from docai.pipelines.layout.types import Clues, Item

DPI = 150
"""Pixels per inch at which pages are looked at; hairlines of staves still show, small print still parts."""
SCALE = DPI / 72
LOW_ROW = 15
"""Pixels, 7 points: rows of words between rules are hardly lower."""


@dataclass(frozen=True)
class Upright:
    """A page's gray pixels set upright: ``turn`` quarters clockwise, then ``skew`` degrees back."""

    gray: Gray
    ink: Gray
    turn: int
    skew: float


def set_upright(gray: Gray) -> Upright:
    """Find and undo how a page of pixels is turned."""
    ink = binarise(gray)
    turn = 0
    if deskew.lies_sideways(ink):
        turn = 1
        if deskew.upside_down(np.ascontiguousarray(np.rot90(ink, -1))):
            turn = 3
        gray, ink = (np.ascontiguousarray(np.rot90(image, -turn)) for image in (gray, ink))
    skew = deskew.skew_angle(ink)
    if skew:
        height, width = gray.shape
        matrix = deskew.turn_matrix(width, height, skew)
        paper = float(np.percentile(gray[:: max(1, height // 200), :: max(1, width // 200)], 90))
        gray = np.asarray(
            cv2.warpAffine(gray, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=paper)
        )
        ink = binarise(gray)
    return Upright(gray, ink, turn, skew)


@dataclass
class Row:
    """One line of text being put together, pixels: its letters' boxes from left to right."""

    letters: list[BBox]

    @property
    def bbox(self) -> BBox:
        return union(self.letters)


def raster_clues(page: Upright) -> Clues:
    """Clues of an upright page of pixels, in points of its frame."""
    gray, ink = page.gray, page.ink
    parts = parts_of(ink)
    letter = letter_height(parts)
    scores = score_boxes(gray, parts)
    drawn, rules = _drawn(gray, parts, letter, scores)
    rows = text_rows(parts, letter, [*scores, *_pictures(gray, letter)])
    words = [(word, number) for number, row in enumerate(rows) for word in _words(row)]
    items = [
        Item(_points(box), (0, number), max(1, round((box[2] - box[0]) / (0.75 * (box[3] - box[1] + 1)))))
        for box, number in words
    ]

    def crop(box: BBox) -> Gray:
        x0, y0, x1, y1 = (round(value * SCALE) for value in grow(box, 1))
        return np.ascontiguousarray(gray[max(0, y0) : y1, max(0, x0) : x1])

    height, width = ink.shape
    with ghost_page(rows, width / SCALE, height / SCALE) as ghost:
        model = model_boxes(ghost[0])
    graphics = [_points(box) for box in drawn]
    return Clues(
        width / SCALE,
        height / SCALE,
        items,
        model,
        graphics,
        [_points(r) for r in rules],
        crop,
        [_points(s) for s in scores],
        seen=True,
    )


def letter_height(parts: Parts) -> float:
    """Height of the usual small letter, pixels."""
    high, wide = parts.heights, parts.widths
    usual = (high >= 5) & (high <= 70) & (wide >= 2) & (wide <= 100)
    return min(14.0, float(np.median(high[usual]))) if usual.any() else 12.0


def score_boxes(gray: Gray, parts: Parts) -> list[BBox]:
    """Staves with the ink that belongs to them; staves of one passage are one box."""
    found = staves(gray, 90)
    passages: list[BBox] = []
    for staff in found:
        # The rows of a table are rarely lower; where they might be, look for words between the rules.
        if staff.space > LOW_ROW and loose_between(parts, staff) > 0.12:
            continue
        x0, _, x1, _ = staff.bbox
        reach = grow(staff.bbox, 3 * staff.space, 3.5 * staff.space)
        boxes = parts.boxes
        near = (boxes[:, 2] >= reach[0]) & (boxes[:, 0] <= reach[2])
        near &= (boxes[:, 3] >= reach[1]) & (boxes[:, 1] <= reach[3])
        near &= (parts.heights < 40 * staff.space) & (parts.widths < 1.3 * (x1 - x0))
        box = union([staff.bbox, *parts.boxes_of(near)])
        if near.sum() < 4 and parts.areas[near].sum() < 6 * (x1 - x0):
            continue  # five bare lines are the rules of something else
        for index, other in enumerate(passages):
            same = overlap(other[0], other[2], box[0], box[2]) > 0.7
            if same and box[1] - other[3] < 11 * staff.space:
                passages[index] = union([other, box])
                break
        else:
            passages.append(box)
    return join_touching(passages, 1)


def _drawn(gray: Gray, parts: Parts, letter: float, scores: list[BBox]) -> tuple[list[BBox], list[BBox]]:
    """Boxes of what is larger than letters, and of thin rules, outside of scores."""
    wide, high = parts.widths, parts.heights
    large = np.maximum(wide, high) > 3.2 * letter
    thin = np.minimum(wide, high) <= max(4, 0.4 * letter)
    # Letters that run together fill their box; the lines of a drawing do not.
    sparse = parts.areas < 0.22 * wide * high
    shown = large & ~thin & (sparse | (high > 4.5 * letter) | ((wide > 14 * letter) & (high > 2.2 * letter)))
    boxes = parts.boxes_of(shown)
    rules = parts.boxes_of(large & thin) + level_lines(gray, round(6 * letter))
    rules = join_touching(rules, 3, 2)
    strokes = [rule for rule in rules if max(rule[2] - rule[0], rule[3] - rule[1]) < 8 * letter]
    boxes += [rule for rule in strokes if any(touches(grow(rule, letter), box) for box in boxes)]
    boxes += _pictures(gray, letter)
    outside = [box for box in boxes if not any(touches(box, score) for score in scores)]
    rules = [rule for rule in rules if not any(touches(rule, box) for box in [*outside, *scores])]
    return join_touching(outside, 0.7 * letter), rules


def _pictures(gray: Gray, letter: float) -> list[BBox]:
    return solid_areas(gray, max(24, round(3.2 * letter)))


def text_rows(parts: Parts, letter: float, without: list[BBox]) -> list[Row]:
    """Lines of text, chained letter by letter from left to right."""
    high, wide = parts.heights, parts.widths
    letters = (high >= 0.55 * letter) & (high <= 3.2 * letter) & (wide <= 12 * letter) & (parts.areas >= 6)
    small = (high < 0.55 * letter) & (wide <= 2 * letter) & (parts.areas >= 3)
    rows: list[Row] = []
    boxes = [box for box in parts.boxes_of(letters) if not any(_inside(box, other) for other in without)]
    for box in sorted(boxes):
        best, most = None, 0.45
        for row in rows:
            last = row.letters[-1]
            tall = max(box[3] - box[1], last[3] - last[1], letter)
            if box[0] - last[2] > 1.5 * tall or box[0] < last[0] - 2:
                continue
            shared = max(overlap(box[1], box[3], other[1], other[3]) for other in row.letters[-3:])
            if shared > most:
                best, most = row, shared
        if best is None:
            rows.append(Row([box]))
        else:
            best.letters.append(box)
    frames = [grow(row.bbox, 0.5 * letter, 0.35 * letter) for row in rows]
    for dot in parts.boxes_of(small):
        for row, frame in zip(rows, frames, strict=True):
            if _inside(dot, frame):
                row.letters.append(dot)
                break
    for row in rows:
        row.letters.sort()
    return sorted(rows, key=lambda row: (row.bbox[1], row.bbox[0]))


def _words(row: Row) -> list[BBox]:
    """The words of a line: letters less than a space apart."""
    high = float(np.median([box[3] - box[1] for box in row.letters]))
    words: list[list[BBox]] = []
    right = float("-inf")
    for box in row.letters:
        if box[0] - right > max(3.0, 0.42 * high):
            words.append([])
        words[-1].append(box)
        right = max(right, box[2])
    return [union(word) for word in words]


def ghost_page(rows: list[Row], width: float, height: float) -> pymupdf.Document:
    """A one-page PDF with a run of letters in the place of each word."""
    document = pymupdf.open()
    page = document.new_page(width=width, height=height)
    shape = page.new_shape()
    font = pymupdf.Font("helv")
    for row in rows:
        letters = [box for box in row.letters if box[3] - box[1] > 3]
        if not letters:
            continue
        baseline = float(np.median([box[3] for box in letters])) / SCALE
        top = float(np.percentile([box[1] for box in letters], 5)) / SCALE
        size = max(4.0, (baseline - top) / 0.72)
        for word in _words(row):
            x, wide = word[0] / SCALE, (word[2] - word[0]) / SCALE
            text = "n" * max(1, round(wide / (0.556 * size)))
            start = pymupdf.Point(x, baseline)
            stretch = pymupdf.Matrix(wide / font.text_length(text, size), 1)
            shape.insert_text(start, text, fontsize=size, fontname="helv", morph=(start, stretch))
    shape.commit()
    return document


def _inside(box: BBox, other: BBox) -> bool:
    return other[0] <= (box[0] + box[2]) / 2 <= other[2] and other[1] <= (box[1] + box[3]) / 2 <= other[3]


def _points(box: BBox) -> BBox:
    return box[0] / SCALE, box[1] / SCALE, box[2] / SCALE, box[3] / SCALE
