"""Print in a region of a scan that nobody has read: a script, or letters, for which no reader is here.

An OCR engine that does not know a script reads nothing there, or a few signs in the place of a line. How much
of the print has been read is told by lengths: that of groups of letters which no word touches, and that by
which the box of a word is longer than its characters can be. Letters with accents that a reader does not know
it reads without these, or not at all, and is sure of the word: there the ink tells
(:mod:`docai.pipelines.external.letter_marks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from docai.contents import TextContent
from docai.geometry import BBox, PageTransform, touches
from docai.pipelines.evidence.base import Picture
from docai.pipelines.external.letter_marks import has_unwritten_marks, is_of_unknown_letters
from docai.pipelines.external.ocr_letters import find_letters

MIN_READ_SHARE: Final = 0.5
"""Share of the print of a region that must be read."""

MAX_WRITTEN_SHARE: Final = 0.9
"""Share of the words of a region without accents that were not read, up to which no reader knows its
letters."""

UNKNOWN_SCRIPT: Final = (
    "Words were read in {read:.0%} of the print of the region: its script may be one that no reader here "
    "knows. PP-OCR reads Latin letters and Chinese, Tesseract the languages whose data is installed."
)

UNKNOWN_LETTERS: Final = (
    "{unread:.0%} of the words have marks above letters, such as accents, with which nobody has read them: "
    "PP-OCR knows the letters of most European languages, but not of Vietnamese."
)

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


def written_share(content: TextContent, picture: Picture) -> float:
    """The share of the words of a text that have no marks above letters but those they were read with, 0…1;
    1 where such words are too few to tell.

    Args:
        picture: of the region.
    """
    boxed = [(word.text, word.bbox) for word in content.parts() if word.bbox is not None]
    transform = PageTransform(picture.x0, picture.y0, picture.scale)
    words = [(text, transform.to_pixels(box)) for text, box in boxed]
    has_marks = has_unwritten_marks(find_letters(np.asarray(picture.image.convert("L"))), words)
    return 1.0 - float(has_marks.mean()) if is_of_unknown_letters(has_marks) else 1.0


def _sides(box: BBox) -> tuple[float, float]:
    """The shorter and the longer side: lines may run up or down the page."""
    wide, high = box[2] - box[0], box[3] - box[1]
    return min(wide, high), max(wide, high)
