"""Evidence on a page from its pixels alone: a scan, or a page whose text layer is not to be used.

The page is set upright, its ink is sorted into letters, rules and drawings, and letters are joined to words
and lines, where no OCR engine has read these. The blocks of text are then found by the same layout model as
on a born-digital page, which is given a facsimile of it, see :mod:`docai.pipelines.layout.facsimile`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from docai.geometry import (
    BBox,
    area,
    contains_center,
    grow,
    join_touching,
    overlap_ratio,
    share_inside,
    touches,
    union,
)
from docai.pipelines.layout.digital import model_boxes
from docai.pipelines.layout.facsimile import Run, facsimile, runs_of_letters, runs_of_words
from docai.pipelines.layout.picture import TRANSFORM, UprightPicture
from docai.pipelines.layout.types import LabeledBox, PageEvidence, WordBox
from docai.pipelines.pixels import (
    Gray,
    Parts,
    flatten,
    horizontal_lines,
    parts_of,
    solid_areas,
)
from docai.pipelines.tracing.score.page_staves import find_page_staves

READ_MARGIN = 0.5
"""Points around a word that was read within which groups of letters are parts of it."""

MAX_FRAME_HEIGHT = 2.5
"""Heights of the words in it up to which a graphic can be the frame of words of a line."""

MIN_FRAMED_SHARE = 0.4
"""Share of its area that these words fill."""

MIN_WORDS_OF_TEXT = 60
"""Words, of four characters and more on average, in what is no picture: the labels of charts are fewer or
shorter."""

MIN_ROW_OVERLAP = 0.45
"""Share of the height of the lower one of two letters from which they can stand in a row."""

MIN_STAFF_LENGTH = 90
"""Pixels, 43 points."""


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
    graphics = [box for box in graphics if not _is_framed_text(TRANSFORM.to_page(box), seen)]
    found = [(word, number) for number, row in enumerate(rows) for word in _words(row)]
    unread = _unread_words(found, seen, first_line=1 + max((word.line[1] for word in seen), default=-1))

    def crop(box: BBox) -> Gray:
        x0, y0, x1, y1 = (round(value) for value in TRANSFORM.to_pixels(grow(box, 1)))
        return np.ascontiguousarray(gray[max(0, y0) : y1, max(0, x0) : x1])

    width, height = ink.shape[1] / TRANSFORM.scale, ink.shape[0] / TRANSFORM.scale
    thin = [TRANSFORM.to_page(rule) for rule in rules]
    runs = [*runs_of_words([word for word in seen if not word.turn]), *_runs_of_unread(rows, unread)]
    labeled = _labeled(runs, width, height, flatten(gray) if seen else None)
    if any(_is_page_of_words(box, seen) for box, label in labeled if label == "picture"):
        # A watermark or a pattern can make the whole page a picture to the model.
        labeled = [
            one
            for one in _labeled(runs, width, height, None)
            if one.label != "picture" or not _is_page_of_words(one.bbox, seen)
        ]
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


@dataclass
class _Passage:
    """Consecutive staves, pixels."""

    bbox: BBox
    has_notes: bool
    """Any of them."""


def score_boxes(gray: Gray, parts: Parts) -> list[BBox]:
    """Boxes of passages of music, pixels: consecutive staves with the ink that belongs to them.

    A staff may be empty where others of its passage have notes: voices rest for whole systems.
    """
    passages: list[_Passage] = []
    for staff in find_page_staves(gray, MIN_STAFF_LENGTH, parts):
        x0, _, x1, _ = staff.bbox
        reach = grow(staff.bbox, 3 * staff.space, 3.5 * staff.space)
        boxes = parts.boxes
        near = (boxes[:, 2] >= reach[0]) & (boxes[:, 0] <= reach[2])
        near &= (boxes[:, 3] >= reach[1]) & (boxes[:, 1] <= reach[3])
        near &= (parts.heights < 40 * staff.space) & (parts.widths < 1.3 * (x1 - x0))
        box = union([staff.bbox, *parts.boxes_of(near)])
        # Five lines without any note are the rules of something else. Barlines may join all staves and notes
        # to one part, so it is ink that counts.
        left, top, right, bottom = (max(0, round(value)) for value in reach)
        n_inked = np.count_nonzero(parts.labels[top:bottom, left:right])
        has_notes = bool(near.sum() >= 4 or n_inked >= 6 * (x1 - x0))
        for passage in passages:
            other = passage.bbox
            same = overlap_ratio(other[0], other[2], box[0], box[2]) > 0.7
            if same and box[1] - other[3] < 11 * staff.space:
                passage.bbox = union([other, box])
                passage.has_notes |= has_notes
                break
        else:
            passages.append(_Passage(box, has_notes))
    return join_touching([passage.bbox for passage in passages if passage.has_notes], 1)


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
    boxes = [
        box for box in parts.boxes_of(letters) if not any(contains_center(other, box) for other in excluded)
    ]
    rows = _rows_of_letters(sorted(boxes), letter)
    frames = [grow(row.bbox, 0.5 * letter, 0.35 * letter) for row in rows]
    for dot in parts.boxes_of(dots):
        for row, frame in zip(rows, frames, strict=True):
            if contains_center(frame, dot):
                row.letters.append(dot)
                break
    for row in rows:
        row.letters.sort()
    return sorted(rows, key=lambda row: (row.bbox[1], row.bbox[0]))


def _rows_of_letters(boxes: Sequence[BBox], letter: float) -> list[Row]:
    """Rows of letters, given from the left: each joins the row whose last letters are most at its height."""
    rows: list[Row] = []
    # The last three letters of each row, the last one first: every letter is compared with every row.
    ends = np.zeros((len(boxes), 3, 4))
    for box in boxes:
        x0, y0, _, y1 = box
        lasts = ends[: len(rows), 0]
        tall = np.maximum(lasts[:, 3] - lasts[:, 1], max(y1 - y0, letter))
        near = np.flatnonzero((x0 - lasts[:, 2] <= 1.5 * tall) & (x0 >= lasts[:, 0] - 2))
        tops, bottoms = ends[near, :, 1], ends[near, :, 3]
        shared = np.minimum(bottoms, y1) - np.maximum(tops, y0)
        shares = np.max(shared / np.maximum(np.minimum(bottoms - tops, y1 - y0), 1e-9), axis=1, initial=0.0)
        if len(near) and shares.max() > MIN_ROW_OVERLAP:
            index = int(near[shares.argmax()])
            rows[index].letters.append(box)
            ends[index, 1:] = ends[index, :-1].copy()
            ends[index, 0] = box
        else:
            ends[len(rows)] = box
            rows.append(Row([box]))
    return rows


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


def _labeled(runs: Sequence[Run], width: float, height: float, picture: Gray | None) -> list[LabeledBox]:
    """What the layout model finds on the facsimile."""
    with facsimile(runs, width, height, picture) as document:
        return model_boxes(document[0])


def _is_page_of_words(box: BBox, seen: Sequence[WordBox]) -> bool:
    """Whether so many words are read in a box that it is no picture with labels."""
    inside = [word for word in seen if contains_center(box, word.bbox)]
    return len(inside) >= MIN_WORDS_OF_TEXT and sum(word.n_chars for word in inside) >= 4 * len(inside)


def _believable(seen: Sequence[WordBox], scores: Sequence[BBox]) -> list[WordBox]:
    """The words read that lie in no passage of music: notes look like letters to an OCR engine."""
    return [word for word in seen if not any(contains_center(score, word.bbox) for score in scores)]


def _rules_beside_words(rules: list[BBox], seen: Sequence[WordBox]) -> list[BBox]:
    """The rules (pixels) that run through no words: a line of small print can look like one."""
    words = [TRANSFORM.to_pixels(word.bbox) for word in seen]
    return [
        rule
        for rule in rules
        if not any(share_inside(rule, word) > 0 for word in words if touches(rule, word))
    ]


def _is_framed_text(graphic: BBox, seen: Sequence[WordBox]) -> bool:
    """Whether a graphic is no more than the frame of some words of a line, as that of a link is."""
    inside = [word for word in seen if share_inside(word.bbox, graphic) > 0.5 and word.n_chars > 1]
    if not inside:
        return False
    high = max(word.bbox[3] - word.bbox[1] for word in inside)
    covered = sum(area(word.bbox) for word in inside)
    return graphic[3] - graphic[1] < MAX_FRAME_HEIGHT * high and covered >= MIN_FRAMED_SHARE * area(graphic)


def _unread_words(
    found: Sequence[tuple[BBox, int]], seen: Sequence[WordBox], first_line: int
) -> list[tuple[WordBox, int]]:
    """Groups of letters (pixels, with the number of their row) that no engine read, and that number."""
    unread = []
    x0, y0, x1, y1 = np.array([grow(word.bbox, READ_MARGIN) for word in seen]).reshape(-1, 4).T
    for box, number in found:
        place = TRANSFORM.to_page(box)
        if not np.any((place[0] <= x1) & (x0 <= place[2]) & (place[1] <= y1) & (y0 <= place[3])):
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
