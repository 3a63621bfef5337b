"""Words that reach under those of the next cell, put back into their own.

A spreadsheet cuts a text that is longer than its cell at the next one; a PDF then has all of it, and its end
lies under the words of that cell.
"""

from __future__ import annotations

from collections.abc import Sequence

from docai.geometry import BBox
from docai.pipelines.ingest import PageWord
from docai.pipelines.words import text_rows

_MIN_OVERLAP = 0.15
"""Overlap of two words of one line, in heights of a word, from which they are of different texts; kerning
and slanted letters overlap by less."""

_SPACE = 0.2
"""Gap between the words of a text, in heights of a word."""

_MAX_SPACE = 0.6
"""Gap, in heights of a word, up to which a word continues a text."""

_LANE = 0.3
"""White that is left before the next text, in heights of a word, as between columns."""

_NARROW = 0.1
"""Points of width of a word that is not seen at all."""

_MIN_INDENT = 1.0
"""Distance of the beginnings of two texts, in heights of a word, from which they can be those of two cells;
text that is printed twice for a bold look begins at one place."""


def place_in_own_cells(words: Sequence[PageWord]) -> list[PageWord]:
    """The words, those that lie under another text of their line cut off where that begins."""
    boxes = [word.bbox for word in words]
    placed = list(words)
    for row in text_rows(boxes):
        texts = _texts(boxes, row)
        for number, text in enumerate(texts):
            start = boxes[text[0]][0]
            end = max(boxes[i][2] for i in text)
            height = boxes[text[0]][3] - boxes[text[0]][1]
            following = [
                boxes[other[0]][0]
                for other in texts[number + 1 :]
                if start + _MIN_INDENT * height < boxes[other[0]][0] < end - _MIN_OVERLAP * height
            ]
            if following:
                right = min(following) - _LANE * height
                for index in text:
                    placed[index] = words[index]._replace(bbox=_cut(boxes[index], start, right))
    return placed


def _texts(boxes: Sequence[BBox], row: Sequence[int]) -> list[list[int]]:
    """The words of a row, from left to right, as texts. A word continues the text that ends a space before
    it, unless another that it overlaps follows that text more closely."""
    texts: list[list[int]] = []
    for place, index in enumerate(row):
        x0, y0, x1, y1 = boxes[index]
        height = max(y1 - y0, 0.1)
        rivals = [
            boxes[other][0] for other in row[place + 1 :] if boxes[other][0] < x1 - _MIN_OVERLAP * height
        ]
        near: list[tuple[float, list[int]]] = []
        for text in texts:
            end = boxes[text[-1]][2]
            off = abs(x0 - end - _SPACE * height)
            if -_MIN_OVERLAP <= (x0 - end) / height <= _MAX_SPACE and not any(
                abs(rival - end - _SPACE * height) < off for rival in rivals
            ):
                near.append((off, text))
        if near:
            min(near, key=lambda item: item[0])[1].append(index)
        else:
            texts.append([index])
    return texts


def _cut(box: BBox, left: float, right: float) -> BBox:
    """The part of a box between ``left`` and ``right``; where there is none, a narrow box at ``left``."""
    x0, y0, x1, y1 = box
    return (x0, y0, min(x1, right), y1) if x0 < right else (left, y0, left + _NARROW, y1)
