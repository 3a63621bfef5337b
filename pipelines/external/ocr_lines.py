"""Lines of print in a picture: pieces of a picture that is too large, line boxes over them, and cutting out.

A line is a quadrilateral ``(4, 2)``: its corners in pixels, clockwise from where its first letter has its top
left corner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import interval_overlap

Quad = NDArray[np.float32]

MAX_LINE_RATIO: Final = 40.0
"""Width of a line in its heights, above which it is read in pieces: reading takes memory by its width."""

MIDDLE_RATIO: Final = 10.0
"""Width of the middle of a line in its heights: two or three words, enough to know how it lies, or whether it
can be read, at a fifth of the time."""

_MIN_SAME: Final = 0.6
"""Share of the height of a line that two pieces of it, found in two tiles, have in common."""


def spans_of(length: int, side: int, overlap: int) -> list[tuple[int, int]]:
    """Even ranges of at most ``side`` that cover ``length``; each shares ``overlap`` with the next."""
    if length <= side:
        return [(0, length)]
    count = math.ceil((length - overlap) / (side - overlap))
    step = (length - overlap) / count
    return [(round(i * step), min(length, round((i + 1) * step) + overlap)) for i in range(count)]


def join_tiles(found: Sequence[tuple[tuple[float, float], Quad]]) -> list[Quad]:
    """Lines found in tiles, given by their offsets, as lines of the whole picture.

    Where two of different tiles are pieces of the same line, or the same line twice, they become one.
    """
    lines: list[tuple[set[tuple[float, float]], Quad]] = []
    for offset, quad in sorted(found, key=lambda one: (one[0][1], one[0][0])):
        line = quad + np.asarray(offset, np.float32)
        twin = next(
            (i for i, (tiles, other) in enumerate(lines) if offset not in tiles and _is_same(other, line)),
            None,
        )
        if twin is None:
            lines.append(({offset}, line))
        else:
            tiles, other = lines[twin]
            lines[twin] = (tiles | {offset}, _joined(other, line))
    return [line for _, line in lines]


def _bounds(quad: Quad) -> tuple[float, float, float, float]:
    (x0, y0), (x1, y1) = quad.min(axis=0), quad.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _is_same(a: Quad, b: Quad) -> bool:
    """Whether two boxes, which overlap, are of one line: along it they may be pieces."""
    if _is_upright(a) != _is_upright(b):
        return False
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = _bounds(a), _bounds(b)
    shared = interval_overlap(ax0, ax1, bx0, bx1), interval_overlap(ay0, ay1, by0, by1)
    along, across = shared if not _is_upright(a) else shared[::-1]
    heights = (ay1 - ay0, by1 - by0) if not _is_upright(a) else (ax1 - ax0, bx1 - bx0)
    return along > 0 and across > _MIN_SAME * max(heights)


def _is_upright(quad: Quad) -> bool:
    """Whether a line runs from top to bottom or back."""
    x0, y0, x1, y1 = _bounds(quad)
    return y1 - y0 > 1.5 * (x1 - x0)


def _joined(a: Quad, b: Quad) -> Quad:
    """One line of two pieces of it: the end of the one that begins first, and that of the other."""
    if _is_upright(a):
        above = a if a[[0, 1], 1].mean() <= b[[0, 1], 1].mean() else b
        below = a if a[[2, 3], 1].mean() >= b[[2, 3], 1].mean() else b
        return np.stack([above[0], above[1], below[2], below[3]])
    left = a if a[[0, 3], 0].mean() <= b[[0, 3], 0].mean() else b
    right = a if a[[1, 2], 0].mean() >= b[[1, 2], 0].mean() else b
    return np.stack([left[0], right[1], right[2], left[3]])


def size_of(quad: Quad) -> tuple[float, float]:
    """Width and height of a line, pixels."""
    a, b, c, d = quad
    return (
        float(max(np.linalg.norm(b - a), np.linalg.norm(c - d))),
        float(max(np.linalg.norm(d - a), np.linalg.norm(c - b))),
    )


def turned(quad: Quad, quarters: int) -> Quad:
    """The same corners with the first ``quarters`` further: the line read after so many quarter turns."""
    return np.roll(quad, -quarters, axis=0)


def is_long(quad: Quad) -> bool:
    """Whether a line is longer than its middle, see :func:`middle_of`."""
    sides = size_of(quad)
    return max(sides) > MIDDLE_RATIO * min(sides)


def middle_of(quad: Quad) -> Quad:
    """The middle of a long line, a piece of :data:`MIDDLE_RATIO` times its height."""
    wide, high = size_of(quad)
    half = min(1.0, MIDDLE_RATIO * high / max(wide, 1e-6)) / 2
    a, b, c, d = quad
    top, bottom = b - a, c - d
    start, end = 0.5 - half, 0.5 + half
    return np.stack([a + start * top, a + end * top, d + end * bottom, d + start * bottom]).astype(np.float32)


def cut_out(picture: NDArray[np.uint8], quad: Quad, height: int) -> tuple[NDArray[np.uint8], Quad]:
    """A line of an ``(H, W, 3)`` picture as a level one ``(height, W', 3)``, and what takes it back.

    Returns:
        The cut, and the ``(3, 3)`` projective matrix from its pixels to those of the picture.
    """
    wide, high = size_of(quad)
    width = max(8, round(wide * height / max(high, 1.0)))
    corners = np.asarray([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    x0, y0, x1, y1 = _bounds(quad)
    left, top = max(0, int(x0) - 2), max(0, int(y0) - 2)
    part = picture[top : int(y1) + 3, left : int(x1) + 3]
    shrink = min(1.0, 1.5 * height / max(high, 1.0))
    if shrink < 0.75:
        # Projected as it is, a much larger picture would lose thin strokes between the pixels.
        part = np.asarray(
            cv2.resize(part, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8
        )
    else:
        shrink = 1.0
    place = ((quad - np.asarray((left, top), np.float32)) * shrink).astype(np.float32)
    there = cv2.getPerspectiveTransform(place, corners)
    line = cv2.warpPerspective(
        part, there, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    back = cv2.getPerspectiveTransform(corners, quad.astype(np.float32))
    return np.asarray(line, np.uint8), np.asarray(back, np.float32)


def pieces_of(line: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Ranges of columns of a level line ``(H, W, 3)`` in which it is read, cut where it has least ink."""
    most = int(MAX_LINE_RATIO * line.shape[0])
    if line.shape[1] <= 1.5 * most:
        return [(0, line.shape[1])]
    busy = np.convolve(line.astype(np.float32).std(axis=0).mean(axis=1), np.ones(15), "same")
    cuts = [0]
    while line.shape[1] - cuts[-1] > 1.5 * most:
        start = cuts[-1] + most // 2
        cuts.append(start + int(np.argmin(busy[start : start + most])))
    return [*pairwise([*cuts, line.shape[1]])]


def to_picture(box: tuple[float, float, float, float], back: Quad) -> tuple[float, float, float, float]:
    """The box around what a box of a cut-out line is in the picture."""
    x0, y0, x1, y1 = box
    corners = np.asarray([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]], np.float32)
    return _bounds(np.asarray(cv2.perspectiveTransform(corners, back)[0], np.float32))
