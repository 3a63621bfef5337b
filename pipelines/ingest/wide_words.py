"""Words that MuPDF joined over a gap, as it does where Arabic glyphs and the digits of the next cell meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from docai.geometry import BBox, interval_overlap, union

_MAX_GAP = 0.8
"""Gap inside a word, in font sizes, above which it is two: MuPDF takes a wider one for the end of a line."""

_ADVANCE = 0.62
"""Width of a character, in font sizes, above which the words of most lines are not on average."""

_WIDE_ADVANCE = 1.05
"""As above, with a character that is as wide as high, as Chinese ones are."""

_FIRST_WIDE = "\u2e80"


class RawWord(NamedTuple):
    """A word as MuPDF gives it, on the page before its rotation."""

    text: str
    bbox: BBox
    key: tuple[int, int]
    """Block and line."""


def split_wide_words(
    words: Iterable[RawWord], sizes: Mapping[tuple[int, int], float], textpage: Any
) -> list[RawWord]:
    """The words, those with a wide gap inside cut there.

    Args:
        words: of ``textpage`` in its order.
        sizes: font size of each line; words of other lines stay as they are.
        textpage: asked for its characters, which takes time, only where a word is wider than its characters.
    """
    words = list(words)
    wide = {word.key for word in words if _is_wide(word, sizes.get(word.key))}
    if not wide:
        return words
    characters = {key: iter(found) for key, found in _characters(textpage.extractRAWDICT(), wide)}
    split: list[RawWord] = []
    for word in words:
        if word.key not in characters:
            split.append(word)
            continue
        own = list(islice(characters[word.key], len(word.text)))
        if "".join(character for character, _ in own) == word.text:
            split += _cut(word, [box for _, box in own], _MAX_GAP * sizes[word.key])
        else:
            split.append(word)
    return split


def _is_wide(word: RawWord, size: float | None) -> bool:
    if size is None or len(word.text) < 2:
        return False
    x0, y0, x1, y1 = word.bbox
    advance = _WIDE_ADVANCE if max(word.text) >= _FIRST_WIDE and not _is_presentation(word.text) else _ADVANCE
    return max(x1 - x0, y1 - y0) > size * (advance * len(word.text) + _MAX_GAP)


def _is_presentation(text: str) -> bool:
    """Whether its last characters in Unicode are Arabic glyphs, which are as narrow as Latin ones."""
    return "\ufb1d" <= max(text) <= "\ufefc"


def _characters(
    page: Any, keys: set[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], list[tuple[str, BBox]]]]:
    """Characters and their boxes, white space left out, of some lines."""
    for block in page["blocks"]:
        for number, line in enumerate(block.get("lines", ())):
            key = (block["number"], number)
            if key in keys:
                spans = (character for span in line["spans"] for character in span["chars"])
                yield key, [(one["c"], one["bbox"]) for one in spans if not is_space(one["c"])]


def is_space(character: str) -> bool:
    """Whether MuPDF divides words there."""
    code = ord(character)
    return code <= 32 or code == 160 or 0x202A <= code <= 0x202E


def _cut(word: RawWord, boxes: list[BBox], max_gap: float) -> Iterator[RawWord]:
    """The parts of a word between gaps along its longer side."""
    axis = 0 if word.bbox[2] - word.bbox[0] >= word.bbox[3] - word.bbox[1] else 1
    start = 0
    for end in range(1, len(boxes) + 1):
        if end < len(boxes):
            before, after = boxes[end - 1], boxes[end]
            gap = -interval_overlap(before[axis], before[axis + 2], after[axis], after[axis + 2])
            if gap <= max_gap:
                continue
        yield RawWord(word.text[start:end], union(boxes[start:end]), word.key)
        start = end
