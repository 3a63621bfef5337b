"""The size of letters that were read in a picture, from the heights of their words.

How high the ink of a word is depends on its letters as much as on its size: ``now`` is half as high as
``fly``. The parts of the em that letters take are much the same in all text faces.
"""

from __future__ import annotations

import statistics
import unicodedata
from collections.abc import Sequence
from typing import Final

from docai.contents import Line, Word

CAPITAL: Final = 0.71
"""Height of capitals, figures and letters such as ``b``, in ems."""

SMALL: Final = 0.49
"""Of letters such as ``x``."""

ACCENT: Final = 0.2
"""Of an accent, above the letter."""

DESCENDER: Final = 0.21
"""Below the line."""

IDEOGRAPH: Final = 0.92
"""Height of a Chinese or Japanese character, all of it."""

ABOVE: Final = 230
"""Combining class, in Unicode, of marks that stand above their letter."""

MAX_MARK: Final = 0.82
"""Size of a raised number, in sizes of its text: drawn ones were measured as 0.56 to 0.75, numbers of
headings and of entries as 0.87 to 1.07."""

_ASCENDING: Final = frozenset("bdfhklijtßþ!?/|()[]{}&%$§")
_DESCENDING: Final = frozenset("gjpqyþ()[]{}|§")
_BELOW: Final = frozenset("Q,;ç")
"""A little below the line."""


def letter_size(lines: Sequence[Line]) -> float | None:
    """The size of most words of a text, in points of the font; None where none of them tells.

    Args:
        lines: with words whose boxes are tight on the ink.
    """
    sizes: list[tuple[bool, float]] = []
    for line in lines:
        for word in line.words:
            height, ems = _height(word), _height_in_ems(word.text)
            if height is not None and ems is not None:
                # The height of small letters differs most from face to face.
                sizes.append((ems >= CAPITAL, height / ems))
    sure = [size for is_sure, size in sizes if is_sure]
    return statistics.median(sure or [size for _, size in sizes]) if sizes else None


def has_small_figure(lines: Sequence[Line], size: float) -> bool | None:
    """Whether the text begins with a number in much smaller letters than its own, as a footnote does on a
    page without fonts; None where it begins with none, or that is not known.

    Args:
        lines: as in :func:`letter_size`.
        size: of most letters of the text.
    """
    first = next((word for line in lines for word in line.words), None)
    if first is None or not first.text.rstrip(".)").isdigit():
        return None
    height, ems = _height(first), _height_in_ems(first.text)
    return None if height is None or ems is None else height / ems <= MAX_MARK * size


def _height(word: Word) -> float | None:
    """Across the line of the word, which may run up or down the page."""
    if word.bbox is None:
        return None
    x0, y0, x1, y1 = word.bbox
    return min(x1 - x0, y1 - y0) if len(word.text) > 2 else y1 - y0


def _height_in_ems(text: str) -> float | None:
    """The height of the ink of a word; None where it has no letter and no figure."""
    letters = [character for character in text if character.isalnum()]
    if not letters:
        return None
    if any(unicodedata.east_asian_width(character) in "WF" for character in letters):
        return IDEOGRAPH
    top = max(map(_top, text))
    bottom = 0.0
    if not _DESCENDING.isdisjoint(text):
        bottom = DESCENDER
    elif not _BELOW.isdisjoint(text):
        bottom = DESCENDER / 2
    return top + bottom


def _top(character: str) -> float:
    base, *marks = list(unicodedata.normalize("NFD", character))
    is_high = base.isupper() or base.isdigit() or base in _ASCENDING
    has_accent = any(unicodedata.combining(mark) == ABOVE for mark in marks)
    if has_accent and base in "ij":
        return CAPITAL
    return (CAPITAL if is_high else SMALL) + (ACCENT if has_accent else 0.0)
