"""Marks above letters, such as accents, that a reader did not write.

A recognizer that was trained on one language writes the letters of another without what it does not know:
Tesseract's English data reads "für" as "fur" and "Würde" as "Wurde", and is as sure of that as of other
words; PP-OCR, which knows the letters of most European languages, does so with Vietnamese. The ink tells: a
small part that stands above a letter is the dot of an i or j, or belongs to a letter that has it by Unicode's
decomposition (combining class 230, "above").
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.external.ocr_letters import Letters

MIN_WORDS: Final = 5
"""Words with such marks on a page from which these are no specks of dust."""

MIN_SHARE: Final = 0.03
"""Share of the words of a page that have such marks, from which it is in a language with letters that the
reader does not know: of German, French, Polish and Czech it is 0.1 to 0.4."""

_MAX_MARK_HEIGHT, _MIN_LETTER_HEIGHT = 0.6, 0.5
"""Of a mark, at most, and of the letter below it, at least, in median heights of letters."""

_MAX_GAP: Final = 0.4
"""Between a mark and its letter, in the same."""

_MIN_PX: Final = 2
"""Sides of a mark."""

_ABOVE: Final = 230
"""Combining class of marks above."""

_DOTTED: Final = frozenset("ijіј")
"""Letters with a dot that is no mark by Unicode, Latin and Cyrillic."""

_STACKED: Final = frozenset('%=÷≤≥±"“”')
"""Signs that are made of parts above each other, or may stand above others."""


def has_unwritten_marks(letters: Letters, words: Sequence[tuple[str, BBox]]) -> NDArray[np.bool_]:
    """For each of the words (n,), whether it has more letters with marks above them than its text says.

    Args:
        letters: of the picture.
        words: texts, and boxes in pixels of the picture, tight on the ink or nearly so.
    """
    found = np.zeros(len(words), np.bool_)
    if not len(letters.heights):
        return found
    height = float(np.median(letters.heights))
    bases = letters.boxes[letters.boxes[:, 3] - letters.boxes[:, 1] >= _MIN_LETTER_HEIGHT * height]
    parts = letters.dark_parts
    sides = parts[:, 2:] - parts[:, :2]
    is_small = (sides[:, 1] <= _MAX_MARK_HEIGHT * height) & (sides[:, 0] <= height)
    marks = parts[is_small & (sides.min(axis=1) >= _MIN_PX)]
    for index, (text, box) in enumerate(words):
        n_marked = len(_marked(_inside(bases, box), _inside(marks, box), height))
        found[index] = n_marked > _n_marks(text)
    return found


def is_of_unknown_letters(has_marks: NDArray[np.bool_]) -> bool:
    """Whether words, by :func:`has_unwritten_marks`, are in letters that their reader does not know."""
    return int(has_marks.sum()) >= max(MIN_WORDS, MIN_SHARE * len(has_marks))


def _inside(boxes: NDArray[np.float32], box: BBox) -> NDArray[np.float32]:
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return boxes[(x >= box[0]) & (x <= box[2]) & (y >= box[1] - 1) & (y <= box[3])]


def _marked(bases: NDArray[np.float32], marks: NDArray[np.float32], height: float) -> set[int]:
    """Indexes of the letters that have a mark right above them."""
    found = set()
    for x0, _, x1, y1 in marks:
        gaps = bases[:, 1] - y1
        shared = np.minimum(bases[:, 2], x1) - np.maximum(bases[:, 0], x0)
        # Strokes of a letter are narrower than its mark, as those of an i.
        is_above = (shared >= 0.5 * np.minimum(x1 - x0, bases[:, 2] - bases[:, 0])) & (gaps > -0.5)
        for index in np.flatnonzero(is_above & (gaps <= _MAX_GAP * height)):
            found.add(int(index))
    return found


def _n_marks(text: str) -> int:
    """Letters of a text that have marks above them, and signs that may look so."""
    count = 0
    for char in text:
        decomposed = unicodedata.normalize("NFD", char)
        is_marked = any(unicodedata.combining(part) == _ABOVE for part in decomposed)
        count += is_marked or decomposed[0] in _DOTTED or char in _STACKED
    return count
