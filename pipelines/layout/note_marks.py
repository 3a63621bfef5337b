"""Raised marks of footnotes on scans, put to the line that they stand before.

A small raised figure left of a note is apart from its words, and higher: the layout model takes it for a text
of its own, or for the end of the line above.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from docai.geometry import BBox, center, overlap_ratio, union
from docai.pipelines.layout.types import RegionCandidate, WordBox

MAX_HEIGHT: Final = 0.8
"""Height of a mark, in heights of its line."""

MAX_GAP: Final = 1.5
"""Heights of its line between a mark and the first word."""

MAX_OFF: Final = 0.6
"""Heights of its line from the top of a mark to that of the line."""

MAX_WIDTH: Final = 1.2
"""Width of a mark, in heights of its line."""

_MARK: Final = re.compile(r"\d{1,3}|[*†‡§¶]{1,3}|")
"""Nothing, where an OCR engine sees letters and reads none."""


def place_note_marks(regions: Sequence[RegionCandidate], words: Sequence[WordBox]) -> list[RegionCandidate]:
    """The regions, with each such mark in the text whose first line it stands before.

    Args:
        words: of the page.
    """
    placed = list(regions)
    for mark, word in enumerate(words):
        if not _MARK.fullmatch(word.text) or word.turn:
            continue
        holder = next((one for one in placed if mark in one.word_indices), None)
        if holder is None or not _is_prose(holder):
            continue
        others = [one for one in placed if one is not holder and _is_prose(one)]
        offs = [
            (off, number) for number, one in enumerate(others) if (off := _off(word, one, words)) is not None
        ]
        if not offs or min(offs)[0] >= _off_own_line(mark, holder, words):
            continue
        target = others[min(offs)[1]]
        rest = [index for index in holder.word_indices if index != mark]
        kept = [replace(holder, bbox=_box(rest, words), word_indices=rest)] if rest else []
        joined = replace(
            target, bbox=union([target.bbox, word.bbox]), word_indices=[mark, *target.word_indices]
        )
        placed = [
            new for one in placed for new in (kept if one is holder else [joined] if one is target else [one])
        ]
    return placed


def _is_prose(region: RegionCandidate) -> bool:
    """Whether it is level text and no formula, whose signs are small, too."""
    return region.kind == "text" and not region.turn and region.label != "formula"


def _off(mark: WordBox, region: RegionCandidate, words: Sequence[WordBox]) -> float | None:
    """How far the top of a mark is from that of the first line of a region, in heights of that line; None
    where it cannot be the mark of it."""
    if not region.word_indices:
        return None
    line = _line_of(min(region.word_indices, key=lambda index: words[index].bbox[1]), region, words)
    box = _box(line, words)
    high = box[3] - box[1]
    x0, y0, x1, y1 = mark.bbox
    gap, off = box[0] - x1, abs(y0 - box[1])
    is_small = y1 - y0 <= MAX_HEIGHT * high and x1 - x0 <= MAX_WIDTH * high
    is_before = 0 <= gap <= MAX_GAP * high and off <= MAX_OFF * high
    return off / high if is_small and is_before else None


def _off_own_line(mark: int, region: RegionCandidate, words: Sequence[WordBox]) -> float:
    """The same for the line of its own region that it stands in; infinite where it stands alone."""
    line = [index for index in _line_of(mark, region, words) if index != mark]
    if not line:
        return float("inf")
    box = _box(line, words)
    return abs(words[mark].bbox[1] - box[1]) / (box[3] - box[1])


def _line_of(first: int, region: RegionCandidate, words: Sequence[WordBox]) -> list[int]:
    """The words of a region that stand at the height of one of them."""
    _, top, _, bottom = words[first].bbox
    return [
        index
        for index in region.word_indices
        if overlap_ratio(top, bottom, words[index].bbox[1], words[index].bbox[3]) > 0.5
        or top < center(words[index].bbox)[1] < bottom
    ]


def _box(indices: Sequence[int], words: Sequence[WordBox]) -> BBox:
    return union([words[index].bbox for index in indices])
