"""Which way a line of text runs, and how its words follow each other (Unicode Standard Annex 9)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from docai.records import Word

Direction = Literal["ltr", "rtl"]

# Arabic letters in the shape that they have at one place of a word: type, not text.
_SHAPE = re.compile("[\ufb50-\ufdff\ufe70-\ufefc]")
_LTR_RUN = re.compile(r"L(?:[LN]*L)?")
_MAX_MARKS = 30
"""More combining characters stand on no letter (Unicode Standard Annex 15, stream-safe text format)."""


def normal(text: str) -> str:
    """The text in NFC, with plain letters for Arabic presentation forms. Ligatures such as ``ﬁ`` stay.

    Where more than thirty combining characters follow each other they stay as they are.
    """
    if text.isascii():
        return text
    plain = _SHAPE.sub(_letters, text)
    # To put marks in order takes a time that grows with the square of their number.
    return unicodedata.normalize("NFC", plain) if _is_stream_safe(plain) else plain


def _is_stream_safe(text: str) -> bool:
    if len(text) <= _MAX_MARKS or text.isascii():
        return True
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run > _MAX_MARKS:
            return False
    return True


def _letters(shape: re.Match[str]) -> str:
    letters = unicodedata.normalize("NFKC", shape[0])
    # A mark without its letter, or a whole phrase in one character, would part the word.
    return shape[0] if " " in letters else letters


def direction(text: str) -> Direction:
    """``rtl`` where most of the characters that have a direction of their own run from right to left."""
    if text.isascii():
        return "ltr"
    kinds = [unicodedata.bidirectional(character) for character in text]
    return "rtl" if sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L") else "ltr"


def reading_order(words: Sequence[Word]) -> list[int] | None:
    """Indices of the words of a right-to-left line that was written as it looks, from left to right.

    None where there is nothing to put right: the line runs from left to right, a word has no box, or the
    order of the boxes is not that of the looks. Words of a left-to-right script keep their order within.
    """
    if direction("".join(word.text for word in words)) == "ltr":
        return None
    classes = "".join(_class(word.text) for word in words)
    if classes.count("R") < 2:
        return None
    boxes = [word.bbox for word in words if word.bbox is not None]
    middles = [box[0] + box[2] for box in boxes]
    if len(boxes) < len(words) or not all(one < two for one, two in pairwise(middles)):
        return None
    order = list(range(len(words)))
    for run in _LTR_RUN.finditer(classes):
        order[slice(*run.span())] = reversed(order[slice(*run.span())])
    return order[::-1]


def _class(text: str) -> str:
    """``L`` or ``R``, or ``N`` for a word of digits and signs alone, which has no direction of its own."""
    if direction(text) == "rtl":
        return "R"
    return "L" if any(unicodedata.bidirectional(character) == "L" for character in text) else "N"
