"""Boxes that a form draws: fields with a line of text in them, or none yet, and squares to tick.

They are rectangles that stand apart from all other drawing; those of tables and diagrams touch others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from docai.geometry import BBox, center, contains_center, grow, overlap_ratio, share_inside

MAX_HEIGHT: Final = 2.6
"""Height of a field, in heights of the words in it or before it."""

MIN_FIELD_RATIO: Final = 2.0
"""Width of a field, in its heights."""

MAX_LABEL_GAP: Final = 12.0
"""From a label to its field, in heights of the field."""

MAX_SQUARE_RATIO: Final = 1.25
"""Of the sides of a square to tick."""

MIN_TICK_GAP, MAX_TICK_GAP = 0.1, 3.0
"""From such a square to its label, in its widths. Bonds end at their labels."""

SQUARE_HEIGHTS: Final = (0.4, 1.7)
"""Least and greatest height of such a square, in heights of the words of its label."""

LIGHT: Final = 0.8
"""Least level of the color, 0…1, that a box may be filled with: legends of charts are in full color."""

MAX_PATHS: Final = 3000
"""Drawings of a page with more are of no form."""

TICKS: Final = frozenset("xX4✓✔✗✘☑☒×")
"""Words in a square that is ticked; ``4`` is a check mark of the font ZapfDingbats."""


class FormBoxes(NamedTuple):
    """What a page draws as a form, in points of its upright frame."""

    fields: list[BBox]
    """Boxes for a line of text."""
    squares: list[tuple[BBox, bool]]
    """Squares to tick, and whether they are ticked."""
    others: list[dict[str, Any]]
    """All other drawings."""


def find_form_boxes(paths: list[dict[str, Any]], words: Sequence[tuple[BBox, str]]) -> FormBoxes:
    """Tell the boxes of a form from other drawings.

    Args:
        paths: drawings of the page, as PyMuPDF gives them.
        words: boxes and texts of its words, in the same points.
    """
    frames = {number: box for number, path in enumerate(paths) if (box := _frame(path)) is not None}
    if not frames or not words or len(paths) > MAX_PATHS:
        return FormBoxes([], [], paths)
    fields: list[BBox] = []
    squares: list[tuple[BBox, bool]] = []
    extents = [_box(path) for path in paths]
    lows, highs = np.array(extents)[:, :2], np.array(extents)[:, 2:]
    apart: dict[int, list[int]] = {}
    for number, box in frames.items():
        around = np.array(grow(box, 1))
        # Pages of tables have thousands of boxes.
        touching = ((lows <= around[2:]) & (highs >= around[:2])).all(axis=1)
        near = [int(other) for other in np.flatnonzero(touching) if other != number]
        if all(share_inside(extents[other], grow(box, 1)) > 0.99 for other in near):
            apart[number] = near
    if not apart:
        return FormBoxes([], [], paths)
    # Words in boxes are of diagrams, too, and of no label.
    free = [word for word, _ in words if not any(contains_center(box, word) for box in frames.values())]
    used: set[int] = set()
    for number, inside in apart.items():
        box = frames[number]
        held = [word for word in words if contains_center(box, word[0])]
        if not inside and _is_field(box, [word[0] for word in held], free):
            fields.append(box)
            used.add(number)
        elif all(text in TICKS for _, text in held) and _is_square(box, words):
            squares.append((box, bool(inside or held)))
            used |= {number, *inside}
    return FormBoxes(fields, squares, [path for number, path in enumerate(paths) if number not in used])


def _box(path: dict[str, Any]) -> BBox:
    x0, y0, x1, y1 = path["rect"]
    return float(x0), float(y0), float(x1), float(y1)


def _frame(path: dict[str, Any]) -> BBox | None:
    """The rectangle that a path draws; None where it draws something else, or an area in full color."""
    fill, items = path.get("fill"), path["items"]
    if path.get("color") is None or (fill is not None and min(fill) < LIGHT):
        return None
    if len(items) == 1 and items[0][0] in ("re", "qu"):
        return _box(path)
    if len(items) != 4 or any(item[0] != "l" for item in items):
        return None
    is_level = all(min(abs(a.x - b.x), abs(a.y - b.y)) < 0.1 for _, a, b in items)
    return _box(path) if is_level else None


def _is_field(box: BBox, held: Sequence[BBox], free: Sequence[BBox]) -> bool:
    """Whether a wide box stands behind a label, and holds one line of words or none."""
    x0, y0, x1, y1 = box
    high = y1 - y0
    labels = [
        word for word in free if 0 <= x0 - word[2] <= MAX_LABEL_GAP * high and y0 < center(word)[1] < y1
    ]
    if x1 - x0 < MIN_FIELD_RATIO * high or not labels:
        return False
    line = held or labels
    is_low = high <= MAX_HEIGHT * max(word[3] - word[1] for word in line)
    return is_low and all(overlap_ratio(word[1], word[3], line[0][1], line[0][3]) > 0.5 for word in line)


def _is_square(box: BBox, words: Sequence[tuple[BBox, str]]) -> bool:
    """Whether a box is as wide as high, and stands before a label as large as it."""
    x0, y0, x1, y1 = box
    wide, high = x1 - x0, y1 - y0
    if not high or max(wide, high) > MAX_SQUARE_RATIO * min(wide, high):
        return False
    level = [
        word for word, text in words if y0 < center(word)[1] < y1 and word[0] >= x1 and text not in TICKS
    ]
    label = min(level, key=lambda word: word[0], default=None)
    if label is None:
        return False
    least, most = SQUARE_HEIGHTS
    gap = (label[0] - x1) / wide
    return MIN_TICK_GAP <= gap <= MAX_TICK_GAP and least <= high / (label[3] - label[1]) <= most
