"""Gutters: the white lanes between the columns of a page, which titles and wide tables may cross."""

from __future__ import annotations

from itertools import pairwise

from docai.geometry import BBox

SLACK = 1.5
"""Points by which regions may overlap and still be apart."""

_MAX_CROSSING_HEIGHT = 0.2
"""Height of what crosses a gutter, in heights of the lower column beside it: titles do, and tables."""

_MAX_BOXES = 300
"""Boxes above which no gutters are looked for, which takes time quadratic in their number."""


def find_gutters(boxes: list[BBox]) -> list[tuple[float, float]]:
    """Where columns are apart, as x from and to: few boxes cross there, and more are on either side."""
    if len(boxes) > _MAX_BOXES:
        return []
    edges = sorted({edge for box in boxes for edge in (box[0] + SLACK, box[2] - SLACK)})
    heights = []
    for left, right in pairwise(edges):
        over = [box for box in boxes if box[0] + SLACK <= left and right <= box[2] - SLACK]
        heights.append(covered_height(over))
    gutters: list[tuple[float, float]] = []
    for index in range(1, len(heights) - 1):
        sides = min(max(heights[:index]), max(heights[index + 1 :]))
        if heights[index] <= _MAX_CROSSING_HEIGHT * sides:
            start = edges[index]
            if gutters and gutters[-1][1] == start:
                start = gutters.pop()[0]
            gutters.append((start, edges[index + 1]))
    return gutters


def covered_height(boxes: list[BBox]) -> float:
    """Height over which there are boxes."""
    total, end = 0.0, float("-inf")
    for _, top, _, bottom in sorted(boxes, key=lambda box: box[1]):
        total += max(0.0, bottom - max(top, end))
        end = max(end, bottom)
    return total
