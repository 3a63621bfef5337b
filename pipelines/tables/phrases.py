"""Boxes of words as rows of text, and a row as phrases parted by more than a space."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from docai.records import BBox

PHRASE_GAP = 1.0
"""Gap between words of one row, in heights of a word, from which they are two phrases: a space is about a
fifth, in justified lines up to a half."""

_SAME_ROW = 0.45
"""Distance of two middles, in heights of the higher word, up to which words stand in one row: a raised
index does, the next line does not."""


def text_rows(boxes: Sequence[BBox]) -> list[list[int]]:
    """Indices of the boxes by rows, downwards; in a row from left to right."""
    rows: list[tuple[BBox, list[int]]] = []
    for index in sorted(range(len(boxes)), key=lambda i: (boxes[i][1] + boxes[i][3], boxes[i][0])):
        box = boxes[index]
        middle, high = (box[1] + box[3]) / 2, box[3] - box[1]
        if rows:
            core, row = rows[-1]
            if abs(middle - (core[1] + core[3]) / 2) < _SAME_ROW * max(high, core[3] - core[1]):
                row.append(index)
                if high > core[3] - core[1]:
                    rows[-1] = (box, row)
                continue
        rows.append((box, [index]))
    return [sorted(row, key=lambda i: boxes[i][0]) for _, row in rows]


def phrases(boxes: Sequence[BBox], row: Sequence[int], gap: float = PHRASE_GAP) -> list[list[int]]:
    """One row, from left to right, cut where the gap is more than ``gap`` heights of the lower word."""
    if not row:
        return []
    parts = [[row[0]]]
    reach = boxes[row[0]][2]
    for before, after in pairwise(row):
        height = min(boxes[before][3] - boxes[before][1], boxes[after][3] - boxes[after][1])
        if boxes[after][0] - reach > gap * height:
            parts.append([])
        parts[-1].append(after)
        reach = max(reach, boxes[after][2])
    return parts
