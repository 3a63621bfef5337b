"""Watermarks: large, light or slanted text that lies across other text and is no part of it.

A watermark is drawn behind the page or over it. What tells it from text that is only large, light or slanted
(chapter numbers, gray captions, slanted heads of columns) is that other words lie within its letters; slanted
text much larger than the rest is one also where it meets no word. It is found by its lines, before layout, so
that layout sees the page as without it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from docai.geometry import BBox, center, union
from docai.pipelines.ingest import PageWord
from docai.pipelines.layout.types import SKEWED, quarter_turn

_LIGHT: Final = 0.3
"""Shade from which text is light: dark gray text is below, the lightest legible text about 0.5."""

_LARGE, _HUGE = 2.0, 3.0
"""Size, in sizes of the page's text, of a level watermark that is light, and of one that is dark."""

_LARGE_SLANTED: Final = 1.5
"""As above, of a slanted one that is dark."""

_MIN_COPIES: Final = 3
"""Lines of one text from which it is repeated over the page."""

_MIN_CROSSED: Final = 3
"""Words of other lines within the letters of level text that is no light, from which it lies across them."""

_MIN_LETTERS: Final = 3
"""Characters of a level watermark; a drop cap has fewer."""

_LETTER_HALF: Final = 0.45
"""Half the height of letters, in sizes of the font, about their middle."""


@dataclass(frozen=True)
class _Line:
    """One line of the PDF."""

    indices: list[int]
    text: str
    bbox: BBox
    size: float
    angle: float
    shade: float

    @property
    def is_slanted(self) -> bool:
        return quarter_turn(self.angle) == SKEWED


def find_watermarks(words: Sequence[PageWord]) -> list[list[int]]:
    """The words of each watermark, as indices in the order of the file; empty where there is none."""
    lines = [line for line in _lines(words) if line.size > 0]
    if not lines:
        return []
    letters = [(line.size, len(line.text)) for line in lines if not line.is_slanted] or [(lines[0].size, 1)]
    usual = float(np.median(np.repeat(*map(np.array, zip(*letters, strict=True)))))
    candidates = [line for line in lines if _may_be_watermark(line, usual)]
    if not candidates:
        return []
    centers = np.array([center(word.bbox) for word in words])
    copies = Counter(line.text for line in candidates)
    groups: dict[tuple[float, float], list[int]] = {}
    for line in candidates:
        twins = {index for other in candidates if _are_alike(other, line) for index in other.indices}
        n_crossed = len(_within(line, centers) - twins)
        if _is_watermark(line, usual, n_crossed, copies[line.text]):
            groups.setdefault((round(line.angle), round(line.size)), []).extend(line.indices)
    return [sorted(group) for group in groups.values()]


def _lines(words: Sequence[PageWord]) -> list[_Line]:
    lines: dict[tuple[int, int], list[int]] = {}
    for index, word in enumerate(words):
        lines.setdefault((word.block, word.line), []).append(index)
    return [
        _Line(
            indices,
            " ".join(words[index].text for index in indices),
            union([words[index].bbox for index in indices]),
            min(words[index].size for index in indices),
            words[indices[0]].angle,
            min(words[index].shade for index in indices),
        )
        for indices in lines.values()
    ]


def _may_be_watermark(line: _Line, usual: float) -> bool:
    if line.is_slanted:
        return line.shade >= _LIGHT or line.size >= _LARGE_SLANTED * usual
    return len(line.text) >= _MIN_LETTERS and line.size >= (_LARGE if line.shade >= _LIGHT else _HUGE) * usual


def _is_watermark(line: _Line, usual: float, n_crossed: int, n_copies: int) -> bool:
    if line.is_slanted:
        return n_crossed > 0 or line.size >= _HUGE * usual or n_copies >= _MIN_COPIES
    return n_crossed >= (1 if line.shade >= _LIGHT else _MIN_CROSSED)


def _are_alike(a: _Line, b: _Line) -> bool:
    return round(a.angle) == round(b.angle) and round(a.size) == round(b.size)


def _within(line: _Line, centers: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> set[int]:
    """Words whose centers lie within the letters of a line: near its axis, and not beyond its ends."""
    x0, y0, x1, y1 = line.bbox
    x, y = centers[:, 0], centers[:, 1]
    inside = (x0 <= x) & (x <= x1) & (y0 <= y) & (y <= y1)
    turn = math.radians(line.angle)
    middle = center(line.bbox)
    across = np.abs((y - middle[1]) * math.cos(turn) - (x - middle[0]) * math.sin(turn))
    return set(np.flatnonzero(inside & (across <= _LETTER_HALF * line.size)).tolist()) - set(line.indices)
