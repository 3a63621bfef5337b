"""Print in a region of a scan that nobody has read as words: a script for which no reader is here.

An OCR engine that does not know a script reads nothing there, or a few signs in the place of a line. How much
of the print has been read is told by lengths: that of groups of letters which no word touches, and that by
which the box of a word is longer than its characters can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from docai.contents import TextContent
from docai.geometry import BBox, touches

MIN_READ_SHARE: Final = 0.5
"""Share of the print of a region that must be read."""

MIN_UNREAD_HEIGHTS: Final = 6.0
"""Length of what was not read, in heights of the print, from which it is more than bullets and specks."""

MAX_CHARACTER_WIDTH: Final = 1.2
"""Width of one character in heights of its line: a Chinese one is as wide as high."""


def read_share(content: TextContent | None, unread: Sequence[BBox]) -> float:
    """The share of the print of a region that its text accounts for, 0…1.

    Args:
        content: what was read there; None: nothing.
        unread: groups of letters in which the OCR engine that told layout where words are has read none,
            page points.
    """
    words = [] if content is None else content.parts()
    boxed = [(word.bbox, len(word.text)) for word in words if word.bbox is not None]
    if content is not None and not content.is_empty and len(boxed) < len(words):
        return 1.0
    rest = [box for box in unread if not any(touches(box, word) for word, _ in boxed)]
    if not boxed and not rest:
        return 1.0
    height = float(np.median([_sides(box)[0] for box in [*(box for box, _ in boxed), *rest]]))
    read = missing = 0.0
    for box, n_chars in boxed:
        high, long = _sides(box)
        covered = min(long, MAX_CHARACTER_WIDTH * max(high, height) * n_chars)
        read, missing = read + covered, missing + long - covered
    missing += sum(_sides(box)[1] for box in rest)
    return 1.0 if missing < MIN_UNREAD_HEIGHTS * height else read / (read + missing)


def _sides(box: BBox) -> tuple[float, float]:
    """The shorter and the longer side: lines may run up or down the page."""
    wide, high = box[2] - box[0], box[3] - box[1]
    return min(wide, high), max(wide, high)
