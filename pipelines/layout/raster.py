"""Evidence on a page from its pixels alone: a scan, or a page whose text layer is not to be used.

The page is set upright, its ink is sorted into letters, rules and drawings, and letters are joined to words
and lines, where no OCR engine has read these. The blocks of text are then found by the same layout model as
on a born-digital page, which is given a facsimile of it, see :mod:`docai.pipelines.layout.facsimile`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from docai.geometry import (
    BBox,
    PageTransform,
    contains_center,
    grow,
    join_touching,
    overlap_ratio,
    share_inside,
    touches,
    union,
)
from docai.pipelines.layout import deskew
from docai.pipelines.layout.digital import model_boxes
from docai.pipelines.layout.facsimile import Run, facsimile, runs_of_letters, runs_of_words
from docai.pipelines.layout.types import PageEvidence, WordBox
from docai.pipelines.pixels import (
    Gray,
    Parts,
    binarize,
    flatten,
    has_words_between,
    horizontal_lines,
    parts_of,
    solid_areas,
    staves,
)

if TYPE_CHECKING:
    from docai.pipelines.ingest import Page

DPI = 150
"""Pixels per inch of the picture of a page: hairlines of staves still show, and letters of small print are
still apart."""
TRANSFORM = PageTransform(0, 0, DPI / 72)
"""Between points of a page whose text has the usual size and pixels of its picture."""

PROBE_SIDE = 3000
"""Pixels of the longer side of the picture in which letters are measured, at most: A3 at :data:`DPI` has
2,480."""

LETTER_HEIGHT = 10.5
"""Pixels: height of lowercase letters, at :data:`DPI`, of text of the usual size, 10 points."""

USUAL_LETTER_HEIGHTS = (4.0, 14.0)
"""Pixels at :data:`DPI`: text from 4 to 13 points. Pages with other letters are measured by these."""

MIN_LETTERS_TO_MEASURE = 100
"""Letters by which a picture can be measured; a drawing with its labels has fewer."""

READ_MARGIN = 0.5
"""Points around a word that was read within which groups of letters are parts of it."""

MIN_ROW_HEIGHT = 15
"""Pixels, 7 points: rows of words between rules are hardly lower."""


@dataclass(frozen=True)
class UprightPicture:
    """The picture of a page set upright: turned ``turn`` quarters clockwise, then ``skew`` degrees back."""

    gray: Gray
    ink: Gray
    turn: int
    skew: float


def gray_page(page: Page) -> tuple[Gray, float]:
    """Gray levels of a page (height, width) in which text has the usual size, and their pixels per point.

    A page has no size that can be relied on: image files seldom say how large they are, and PDFs are made
    with a point for each pixel. Letters of the usual sizes at :data:`DPI` leave it there; others, and a page
    without letters that is too large to draw, are brought to the size that all measures in layout are for.

    Raises:
        TooManyPixelsError, DamagedSourceError: as ``Page.render``.
    """
    scale = min(TRANSFORM.scale, PROBE_SIDE / max(page.width, page.height))
    gray = _drawn(page, scale)
    height = measured_letter_height(parts_of(binarize(gray)))
    wanted = scale
    if height is not None:
        height_at_dpi = height * TRANSFORM.scale / scale
        is_usual = USUAL_LETTER_HEIGHTS[0] <= height_at_dpi <= USUAL_LETTER_HEIGHTS[1]
        wanted = TRANSFORM.scale if is_usual else scale * LETTER_HEIGHT / height
        wanted = page.fit_scale(wanted)
    return (gray, scale) if wanted == scale else (_drawn(page, wanted), wanted)


def _drawn(page: Page, scale: float) -> Gray:
    return np.asarray(page.render(scale=scale).convert("L"))


def measured_letter_height(parts: Parts) -> float | None:
    """The usual height of lowercase letters, pixels; None where there are too few to tell."""
    heights, widths = parts.heights, parts.widths
    letters = (heights >= 4) & (widths >= 2) & (heights < parts.labels.shape[0] / 8)
    letters &= (widths < 8 * heights) & (heights < 12 * widths) & (parts.areas > 0.12 * heights * widths)
    return parts.median_height(letters, min_count=MIN_LETTERS_TO_MEASURE)


def set_upright(gray: Gray, turn: int | None = None, *, is_straight: bool = False) -> UprightPicture:
    """Turn the picture of a page so that its text is upright.

    Args:
        gray: gray levels (height, width).
        turn: quarters clockwise (0 to 3) that set it upright, where the page's own words tell; None: found
            in the pixels.
        is_straight: it is known not to be askew, as what is no scan.
    """
    ink = binarize(gray)
    if turn is None:
        turn = 0
        if deskew.is_rotated_90(ink):
            turn = 1
            if deskew.is_upside_down(np.ascontiguousarray(np.rot90(ink, -1))):
                turn = 3
    if turn:
        gray, ink = (np.ascontiguousarray(np.rot90(image, -turn)) for image in (gray, ink))
    skew = 0.0 if is_straight else deskew.skew_angle(ink)
    if skew:
        height, width = gray.shape
        matrix = deskew.turn_matrix(width, height, skew)
        paper = float(np.percentile(gray[:: max(1, height // 200), :: max(1, width // 200)], 90))
        gray = np.asarray(
            cv2.warpAffine(gray, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=paper)
        )
        ink = binarize(gray)
    return UprightPicture(gray, ink, turn, skew)


@dataclass
class Row:
    """One line of text: the boxes of its letters from left to right, pixels."""

    letters: list[BBox]

    @property
    def bbox(self) -> BBox:
        return union(self.letters)


def evidence_from_pixels(picture: UprightPicture, seen: Sequence[WordBox] = ()) -> PageEvidence:
    """What the picture of a page shows, in points of the upright page.

    Args:
        seen: words that an OCR engine read there, in the same points, boxes tight on the ink; others are
            found as groups of letters.
    """
    gray, ink = picture.gray, picture.ink
    parts = parts_of(ink)
    letter = letter_height(parts)
    scores = score_boxes(gray, parts)
    graphics, rules = _graphics_and_rules(gray, parts, letter, scores)
    rows = letter_rows(parts, letter, [*scores, *_photographs(gray, letter)])
    seen = _believable(seen, [TRANSFORM.to_page(score) for score in scores])
    rules = _rules_beside_words(rules, seen)
    found = [(word, number) for number, row in enumerate(rows) for word in _words(row)]
    unread = _unread_words(found, seen, first_line=1 + max((word.line[1] for word in seen), default=-1))

    def crop(box: BBox) -> Gray:
        x0, y0, x1, y1 = (round(value) for value in TRANSFORM.to_pixels(grow(box, 1)))
        return np.ascontiguousarray(gray[max(0, y0) : y1, max(0, x0) : x1])

    width, height = ink.shape[1] / TRANSFORM.scale, ink.shape[0] / TRANSFORM.scale
    thin = [TRANSFORM.to_page(rule) for rule in rules]
    runs = [*runs_of_words(seen), *_runs_of_unread(rows, unread)]
    with facsimile(runs, width, height, flatten(gray) if seen else None) as document:
        labeled = model_boxes(document[0])
    return PageEvidence(
        width=width,
        height=height,
        words=[*seen, *(word for word, _ in unread)],
        model_boxes=labeled,
        graphics=[TRANSFORM.to_page(box) for box in graphics],
        rules=thin,
        gray=crop,
        scores=[TRANSFORM.to_page(score) for score in scores],
        from_pixels=True,
    )


def letter_height(parts: Parts) -> float:
    """Height of lowercase letters at :data:`DPI`, pixels: at most 14, and 12 where there are none."""
    heights, widths = parts.heights, parts.widths
    letters = (heights >= 5) & (heights <= 70) & (widths >= 2) & (widths <= 100)
    height = parts.median_height(letters)
    return 12.0 if height is None else min(14.0, height)


def score_boxes(gray: Gray, parts: Parts) -> list[BBox]:
    """Boxes of passages of music, pixels: consecutive staves with the ink that belongs to them."""
    passages: list[BBox] = []
    for staff in staves(gray, 90):
        # Lines this far apart can be the rules of a table, which has words between them.
        if staff.space > MIN_ROW_HEIGHT and has_words_between(parts, staff):
            continue
        x0, _, x1, _ = staff.bbox
        reach = grow(staff.bbox, 3 * staff.space, 3.5 * staff.space)
        boxes = parts.boxes
        near = (boxes[:, 2] >= reach[0]) & (boxes[:, 0] <= reach[2])
        near &= (boxes[:, 3] >= reach[1]) & (boxes[:, 1] <= reach[3])
        near &= (parts.heights < 40 * staff.space) & (parts.widths < 1.3 * (x1 - x0))
        box = union([staff.bbox, *parts.boxes_of(near)])
        if near.sum() < 4 and parts.areas[near].sum() < 6 * (x1 - x0):
            continue  # Five lines without any note are the rules of something else.
        for index, other in enumerate(passages):
            same = overlap_ratio(other[0], other[2], box[0], box[2]) > 0.7
            if same and box[1] - other[3] < 11 * staff.space:
                passages[index] = union([other, box])
                break
        else:
            passages.append(box)
    return join_touching(passages, 1)


def _graphics_and_rules(
    gray: Gray, parts: Parts, letter: float, scores: list[BBox]
) -> tuple[list[BBox], list[BBox]]:
    """Boxes, in pixels, of drawings and pictures, and of thin rules; nothing in scores."""
    widths, heights = parts.widths, parts.heights
    large = np.maximum(widths, heights) > 3.2 * letter
    thin = np.minimum(widths, heights) <= max(4, 0.4 * letter)
    # Letters that touch each other fill their box; the lines of a drawing do not.
    sparse = parts.areas < 0.22 * widths * heights
    broad = (widths > 14 * letter) & (heights > 2.2 * letter)
    # Parentheses and integral signs around several lines of a formula are letters of a kind.
    delimiters = (widths < 2 * letter) & (heights > 2 * widths) & (heights < 8 * letter)
    drawn = large & ~thin & ~delimiters
    boxes = parts.boxes_of(drawn & (sparse | (heights > 4.5 * letter) | broad))
    rules = parts.boxes_of(large & thin) + horizontal_lines(gray, round(6 * letter))
    rules = join_touching(rules, 3, 2)
    strokes = [rule for rule in rules if max(rule[2] - rule[0], rule[3] - rule[1]) < 8 * letter]
    boxes += [rule for rule in strokes if any(touches(grow(rule, letter), box) for box in boxes)]
    boxes += _photographs(gray, letter)
    outside = [box for box in boxes if not any(touches(box, score) for score in scores)]
    rules = [rule for rule in rules if not any(touches(rule, box) for box in [*outside, *scores])]
    return join_touching(outside, 0.7 * letter), rules


def _photographs(gray: Gray, letter: float) -> list[BBox]:
    return solid_areas(gray, max(24, round(3.2 * letter)))


def letter_rows(parts: Parts, letter: float, excluded: list[BBox]) -> list[Row]:
    """Lines of text outside ``excluded`` boxes, built letter by letter from left to right, from the top down.

    ``letter`` is the usual height of lowercase letters. All values are pixels.
    """
    heights, widths = parts.heights, parts.widths
    letters = (heights >= 0.55 * letter) & (heights <= 3.2 * letter)
    letters &= (widths <= 12 * letter) & (parts.areas >= 6)
    dots = (heights < 0.55 * letter) & (widths <= 2 * letter) & (parts.areas >= 3)
    rows: list[Row] = []
    boxes = [
        box for box in parts.boxes_of(letters) if not any(contains_center(other, box) for other in excluded)
    ]
    for box in sorted(boxes):
        best, best_overlap = None, 0.45
        for row in rows:
            last = row.letters[-1]
            tall = max(box[3] - box[1], last[3] - last[1], letter)
            if box[0] - last[2] > 1.5 * tall or box[0] < last[0] - 2:
                continue
            shared = max(overlap_ratio(box[1], box[3], other[1], other[3]) for other in row.letters[-3:])
            if shared > best_overlap:
                best, best_overlap = row, shared
        if best is None:
            rows.append(Row([box]))
        else:
            best.letters.append(box)
    frames = [grow(row.bbox, 0.5 * letter, 0.35 * letter) for row in rows]
    for dot in parts.boxes_of(dots):
        for row, frame in zip(rows, frames, strict=True):
            if contains_center(frame, dot):
                row.letters.append(dot)
                break
    for row in rows:
        row.letters.sort()
    return sorted(rows, key=lambda row: (row.bbox[1], row.bbox[0]))


def _words(row: Row) -> list[BBox]:
    """Boxes of the words of a line, which are letters less than a space apart; pixels."""
    high = float(np.median([box[3] - box[1] for box in row.letters]))
    words: list[list[BBox]] = []
    right = float("-inf")
    for box in row.letters:
        if box[0] - right > max(3.0, 0.42 * high):
            words.append([])
        words[-1].append(box)
        right = max(right, box[2])
    return [union(word) for word in words]


def _believable(seen: Sequence[WordBox], scores: Sequence[BBox]) -> list[WordBox]:
    """The words read that lie in no passage of music: notes look like letters to an OCR engine."""
    return [word for word in seen if not any(contains_center(score, word.bbox) for score in scores)]


def _rules_beside_words(rules: list[BBox], seen: Sequence[WordBox]) -> list[BBox]:
    """The rules (pixels) that run through no words: a line of small print can look like one."""
    words = [TRANSFORM.to_pixels(word.bbox) for word in seen]
    return [rule for rule in rules if not any(share_inside(rule, word) > 0 for word in words)]


def _unread_words(
    found: Sequence[tuple[BBox, int]], seen: Sequence[WordBox], first_line: int
) -> list[tuple[WordBox, int]]:
    """Groups of letters (pixels, with the number of their row) that no engine read, and that number."""
    unread = []
    known = [grow(word.bbox, READ_MARGIN) for word in seen]
    for box, number in found:
        place = TRANSFORM.to_page(box)
        if not any(touches(place, other) for other in known):
            n_chars = max(1, round((box[2] - box[0]) / (0.75 * (box[3] - box[1] + 1))))
            unread.append((WordBox(place, (0, first_line + number), n_chars), number))
    return unread


def _runs_of_unread(rows: Sequence[Row], unread: Sequence[tuple[WordBox, int]]) -> list[Run]:
    """How the facsimile shows groups of letters that no engine read."""
    boxes: dict[int, list[BBox]] = {}
    for word, number in unread:
        boxes.setdefault(number, []).append(word.bbox)
    letters = [
        [TRANSFORM.to_page(box) for box in rows[number].letters if box[3] - box[1] > 3] for number in boxes
    ]
    return runs_of_letters(letters, list(boxes.values()))
