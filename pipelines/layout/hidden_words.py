"""The invisible words of a scan compared with what an OCR engine sees in its picture.

Scans come with the words of other programs, which may be of another page, of another language's model, or
shifted; nobody who looks at the page sees that.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from docai.geometry import BBox, contains_center, grow, iou
from docai.pipelines.ingest import PageWord
from docai.pipelines.layout.types import SeenWord
from docai.pipelines.words import plain

MIN_CONFIDENCE: Final = 0.75
"""Mean confidence of the engine in the words of a region below which it tells nothing about others."""

MIN_COVERED: Final = 0.6
"""Letters of the invisible words for one that is seen in a region, below which text is missing from them."""

MIN_PART: Final = 4
"""Characters from which a word may be a part of what the engine took for one word."""

SURE: Final = 0.9
"""Confidence of the engine in a word from which it may say that another one is wrong."""

SAME_PLACE: Final = 0.4
"""Intersection over union of the boxes of two words at one place: those of invisible ones are not tight."""

MARGIN: Final = 3.0
"""Points around a region in which its words are seen."""

_READABLE: Final = ("LATIN", "DIGIT", "CJK")
"""First words of the Unicode names of the letters that the engine knows."""


def compare_words(box: BBox, words: Sequence[PageWord], seen: Sequence[SeenWord]) -> tuple[PageWord, ...]:
    """The invisible words of a region, with ``is_confirmed`` where they can be compared.

    Args:
        box: of the region, displayed page points.
        words: of the text layer, in the region.
        seen: on the whole page.
    """
    inside = [one for one in seen if contains_center(grow(box, MARGIN), one.word.bbox)]
    if not words or not words[0].is_ocr:
        return tuple(words)
    if inside and sum(one.confidence for one in inside) / len(inside) < MIN_CONFIDENCE:
        return tuple(words)
    texts = [plain(one.word.text) for one in inside]
    known, joined = set(texts), "".join(texts)
    n_layer = sum(len(word.text) for word in words)
    is_partial = n_layer < MIN_COVERED * len(joined)
    compared = []
    for word in words:
        text = plain(word.text)
        if not text or not _is_readable(text):
            compared.append(word)
            continue
        is_seen = text in known or (len(text) >= MIN_PART and text in joined)
        is_confirmed = is_seen and not is_partial
        seen_as = "" if is_seen else _seen_at(word, inside)
        compared.append(word._replace(is_confirmed=is_confirmed, seen_as=seen_as))
    return tuple(compared)


def _seen_at(word: PageWord, seen: Sequence[SeenWord]) -> str:
    """The one word that the engine surely sees at the place of a word; empty where there is none."""
    there = [one for one in seen if iou(one.word.bbox, word.bbox) >= SAME_PLACE]
    if len(there) != 1 or there[0].confidence < SURE or not _is_readable(plain(there[0].word.text)):
        return ""
    return there[0].word.text


def _is_readable(text: str) -> bool:
    """Whether the engine knows all letters of a word; one of signs alone tells nothing."""
    letters = [unicodedata.name(letter, "") for letter in text if letter.isalnum()]
    return bool(letters) and all(name.startswith(_READABLE) for name in letters)
