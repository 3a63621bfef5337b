"""Words of a PDF that MuPDF joined across white, as it does in lines with text from right to left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pymupdf

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")

_MIN_GAP = 0.5
"""White between two characters, in heights of a character, that no word has inside it."""

RawWord = tuple[Any, ...]
"""As of ``TextPage.extractWORDS``: box, text, block, line, number in the line."""


def split_joined(textpage: Any) -> list[RawWord]:
    """The words of a ``pymupdf.TextPage`` as it lists them, those with white inside them as several.

    MuPDF ends a word where the next character is ahead of it; in a line of both directions the next cell of a
    table may be behind it, and its text is joined to that of the first.
    """
    words: list[RawWord] = textpage.extractWORDS()
    if not any(_RIGHT_TO_LEFT.search(word[4]) for word in words):
        return words
    parts = {key: list(_parts(characters)) for key, characters in _characters_of_words(textpage)}
    split: list[RawWord] = []
    for word in words:
        of_word = parts.get(word[5:8], ())
        if len(of_word) > 1 and "".join(text for text, _ in of_word) == word[4]:
            split += [(*box, text, *word[5:8]) for text, box in of_word]
        else:
            split.append(word)
    return split


def _characters_of_words(
    textpage: Any,
) -> Iterator[tuple[tuple[int, int, int], list[dict[str, Any]]]]:
    """The characters of each word of a level line, by block, line and number."""
    for block in textpage.extractRAWDICT()["blocks"]:
        for line_number, line in enumerate(block.get("lines", ())):
            if abs(line["dir"][1]) > abs(line["dir"][0]):
                continue
            number = 0
            word: list[dict[str, Any]] = []
            for character in (character for span in line["spans"] for character in span["chars"]):
                if character["c"].isspace():
                    if word:
                        yield (block["number"], line_number, number), word
                        number, word = number + 1, []
                else:
                    word.append(character)
            if word:
                yield (block["number"], line_number, number), word


def _parts(
    characters: Iterable[dict[str, Any]],
) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """The characters as texts without white inside, and their boxes."""
    text, box = "", pymupdf.Rect()
    last = None
    for character in characters:
        here = pymupdf.Rect(character["bbox"])
        gap = 0.0 if last is None else max(here.x0 - last.x1, last.x0 - here.x1)
        if last is not None and gap > _MIN_GAP * here.height:
            yield text, tuple(box)
            text, last = "", None
        box = here if last is None else box | here
        text += character["c"]
        last = here
    if text:
        yield text, tuple(box)
