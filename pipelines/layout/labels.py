"""The letters of a line drawing: which are labels of atoms, at the ends of bonds, and which stand apart.

Lengths are pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, interval_overlap, join_touching
from docai.pipelines.layout.segments import points_of, rod_of
from docai.pipelines.pixels import Parts

LABEL_GAP = 0.42
"""Bond lengths; a bond ends this close to the label of its atom, or closer."""

END_RADIUS = 0.3
"""Bond lengths; within this distance of the end of a bond there is no other bond."""

MAX_LETTERS = 12
"""Letters of the longest label of one atom, such as ``N(CH2CH3)2``."""

WORD_GAP = 0.33
"""Letter heights; letters of a label are closer than this, words of a caption are not."""

MIN_LETTER = 0.5
"""Share of the usual height of letters from which something is one; a subscript has 0.6."""

LINE_GAP = 1.1
"""Letter heights; the words of one line of a caption are closer than this."""


@dataclass(frozen=True)
class TextCluster:
    """Letters that touch or nearly touch: a label, or a word."""

    bbox: BBox
    members: tuple[int, ...]
    """Indices of the parts."""
    line: int
    """Of the clusters of one line of text, the same."""


@dataclass(frozen=True)
class Lettering:
    """The letters of a drawing.

    ``mask`` (n,) tells which parts they are, and ``height`` is that of a capital.
    """

    mask: NDArray[np.bool_]
    height: float
    clusters: list[TextCluster]


def letter_shaped(parts: Parts, bond: float, which: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the parts in ``which`` (n,) can be letters by size and shape; single strokes cannot."""
    widths, heights = parts.widths, parts.heights
    small = which & (heights <= 0.85 * bond) & (widths <= 0.95 * bond) & (heights >= 0.12 * bond)
    letters = np.zeros(len(parts.areas), bool)
    for index in np.flatnonzero(small):
        rod = rod_of(points_of(parts, int(index)))
        letters[index] = rod.long < 2.8 * rod.short
    if letters.any():
        # Weighted by ink: the dots and dashes of hashed bonds are many, and small.
        order = np.argsort(heights[letters])
        ink = np.cumsum(parts.areas[letters][order])
        capital = heights[letters][order][int(np.searchsorted(ink, ink[-1] / 2))]
        letters &= heights >= MIN_LETTER * capital
    return letters


def lettering_of(parts: Parts, letters: NDArray[np.bool_]) -> Lettering:
    """The letters in clusters and lines; thin signs beside letters, as ``l`` and ``-`` are, join them."""
    height = parts.median_height(letters) or 0.0
    letters = letters | _thin_signs(parts, letters, height)
    boxes = parts.boxes_of(letters)
    indices = np.flatnonzero(letters)
    gap = max(1.5, WORD_GAP * height)
    groups = join_touching(boxes, gap, max(1.0, 0.3 * height))
    members: list[list[int]] = [[] for _ in groups]
    for index, box in zip(indices, boxes, strict=True):
        owner = next(i for i, group in enumerate(groups) if _inside(box, group))
        members[owner].append(int(index))
    lines = _lines(groups, height)
    clusters = [
        TextCluster(group, tuple(of_group), line)
        for group, of_group, line in zip(groups, members, lines, strict=True)
        if of_group
    ]
    return Lettering(letters, height, clusters)


def _inside(box: BBox, group: BBox) -> bool:
    return box[0] >= group[0] and box[1] >= group[1] and box[2] <= group[2] and box[3] <= group[3]


def _thin_signs(parts: Parts, letters: NDArray[np.bool_], height: float) -> NDArray[np.bool_]:
    """Which parts (n,) are thin signs of a line of text: not longer than a letter is high, and beside one."""
    signs = np.zeros(len(parts.areas), bool)
    boxes = parts.boxes[letters]
    thin = ~letters & (parts.heights <= 1.25 * height) & (parts.widths <= height)
    for index in np.flatnonzero(thin):
        x0, y0, x1, y1 = parts.boxes[index]
        level = (boxes[:, 1] - 0.15 * height <= y0) & (boxes[:, 3] + 0.25 * height >= y1)
        beside = np.maximum(boxes[:, 0] - x1, x0 - boxes[:, 2]) <= 0.3 * height
        signs[index] = bool((level & beside).any())
    return signs


def _lines(groups: list[BBox], height: float) -> list[int]:
    """A number for each cluster; clusters side by side, as the words of a line are, have the same."""
    lines = list(range(len(groups)))
    for i, a in enumerate(groups):
        for j, b in enumerate(groups[:i]):
            beside = -interval_overlap(a[0], a[2], b[0], b[2]) <= LINE_GAP * height
            lower = min(a[3] - a[1], b[3] - b[1])
            level = interval_overlap(a[1], a[3], b[1], b[3]) > 0.6 * lower
            if beside and level:
                old, new = lines[i], lines[j]
                lines = [new if line == old else line for line in lines]
    return lines


def is_bonded(cluster: TextCluster, parts: Parts, strokes: NDArray[np.bool_], bond: float) -> set[int]:
    """The stroke parts that end at a label, pointing to it; empty for letters that stand apart.

    ``strokes`` (n,) are the parts that may be bonds. At the end of a bond its ink leaves a small disc once;
    at the corner of a ring, or along a bond, it does so twice.
    """
    reach, radius = LABEL_GAP * bond, max(3.0, END_RADIUS * bond)
    margin = int(reach + radius) + 2
    height, width = parts.labels.shape
    x0, y0 = max(0, int(cluster.bbox[0]) - margin), max(0, int(cluster.bbox[1]) - margin)
    x1, y1 = min(width, int(cluster.bbox[2]) + margin), min(height, int(cluster.bbox[3]) + margin)
    window = parts.labels[y0:y1, x0:x1]
    text = np.isin(window, np.array(cluster.members) + 1)
    distance = cv2.distanceTransform((~text).astype(np.uint8), cv2.DIST_L2, 5)
    found: set[int] = set()
    for index in np.unique(window[(distance <= reach) & (window > 0)]) - 1:
        if not strokes[index]:
            continue
        own = (window == index + 1).astype(np.uint8)
        n, blobs = cv2.connectedComponents(own * (distance <= reach).astype(np.uint8), connectivity=8)
        for blob in range(1, n):
            ys, xs = np.nonzero(blobs == blob)
            nearest = int(np.argmin(distance[ys, xs]))
            if _ends_at(own, int(xs[nearest]), int(ys[nearest]), radius, text):
                found.add(int(index))
                break
    return found


def _ends_at(own: NDArray[np.uint8], x: int, y: int, radius: float, text: NDArray[np.bool_]) -> bool:
    """Whether the ink of one part ends at a pixel, and its line, drawn on, meets the text."""
    r = int(radius) + 1
    top, left = max(0, y - r), max(0, x - r)
    disc = own[top : y + r + 1, left : x + r + 1]
    ys, xs = np.mgrid[top : top + disc.shape[0], left : left + disc.shape[1]]
    away = np.hypot(xs - x, ys - y)
    _, pieces = cv2.connectedComponents(disc * (away <= radius).astype(np.uint8), connectivity=8)
    here = (pieces == pieces[y - top, x - left]) & (away <= radius)
    rim = (here & (away > radius - 1.6)).astype(np.uint8)
    n_arcs = cv2.connectedComponents(rim, connectivity=8)[0]
    if n_arcs == 1:
        return True  # A piece of a hashed bond, smaller than the disc.
    if n_arcs > 2:
        return False
    rim_y, rim_x = np.nonzero(rim)
    toward = np.array([x - (rim_x.mean() + left), y - (rim_y.mean() + top)])
    norm = float(np.hypot(*toward))
    text_y, text_x = np.nonzero(text)
    offset = np.stack([text_x - x, text_y - y], axis=1)
    along = offset @ (toward / norm)
    across = np.abs(offset @ np.array([-toward[1], toward[0]]) / norm)
    return bool(((along > 0) & (across <= np.maximum(2.5, 0.35 * along))).any())
