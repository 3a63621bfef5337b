"""Drop caps: large first letters beside lines of their paragraph; layout takes them into the first one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from docai.geometry import center
from docai.pipelines.layout.types import WordBox

if TYPE_CHECKING:
    from docai.pipelines.ingest import PageWord

_MIN_SIZE: Final = 1.7
"""Size of a drop cap, in sizes of the page's text: it is two lines high or more."""

_MAX_GAP: Final = 0.35
"""Distance of the lines beside it, in its own sizes."""

_MIN_LINES: Final = 2
"""Lines that begin beside it; beside a heading's first letter there is one."""

_OPENING: Final = "\"'“”„‚‘’«»‹›([¿¡"


def set_drop_caps(boxes: Sequence[WordBox], words: Sequence[PageWord]) -> list[WordBox]:
    """The boxes of words, those of drop caps as high as the first line of their paragraph, and part of it.

    Args:
        boxes: in the upright frame, one for each of ``words``.
        words: their sizes and texts.
    """
    placed = list(boxes)
    sizes = [word.size for word in words if word.size > 0]
    if not sizes:
        return placed
    usual = float(np.median(sizes))
    for index, word in enumerate(words):
        if word.size < _MIN_SIZE * usual or not 1 <= len(word.text) <= 2 or boxes[index].turn:
            continue
        if not word.text.strip(_OPENING).isalpha():
            continue
        beside = _beside(index, boxes, words)
        if len({boxes[other].line for other in beside}) >= _MIN_LINES:
            first = min(beside, key=lambda other: (boxes[other].bbox[1], boxes[other].bbox[0]))
            (x0, _, x1, _), (_, top, _, bottom) = boxes[index].bbox, boxes[first].bbox
            placed[index] = boxes[index]._replace(
                bbox=(x0, top, x1, bottom), line=boxes[first].line, joined_to=first
            )
    return placed


def _beside(cap: int, boxes: Sequence[WordBox], words: Sequence[PageWord]) -> list[int]:
    """The first words of the lines that begin to the right of a large letter."""
    x1, reach = boxes[cap].bbox[2], _MAX_GAP * words[cap].size
    _, top, _, bottom = boxes[cap].bbox
    found = []
    for index, word in enumerate(words):
        box = boxes[index].bbox
        if (
            index != cap
            and not boxes[index].turn
            and word.size * _MIN_SIZE <= words[cap].size
            and top <= center(box)[1] <= bottom
            and x1 - reach / 2 <= box[0] <= x1 + reach
        ):
            found.append(index)
    return found
