"""Strokes of a line drawing: where they run, how long they are, and which are too long to be bonds.

Lengths are pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.pixels import Gray, Parts

MIN_SEGMENT = 6.0
"""Pixels; shorter segments are curves of letters and noise."""

MAX_RUN = 3.2
"""Bond lengths; a level or plumb stroke that is longer is a rule, a frame or an axis."""

MIN_RULE_SHARE = 0.9
"""Share of a part's ink in such strokes from which it is a frame or rules and nothing else."""


MIN_CORNER, MAX_CORNER = 45.0, 155.0
"""Degrees between two bonds of an atom; the pieces of a curve meet at more."""


MIN_SLANT = 8.0
"""Degrees from level or plumb from which a stroke is slanted."""


class Rod(NamedTuple):
    """The smallest rectangle around a part, at any angle: its sides and its longer axis."""

    long: float
    short: float
    axis: NDArray[np.float64]
    """Unit vector (2,) along the longer side, x and y."""


def line_segments(ink: Gray) -> NDArray[np.float64]:
    """Straight segments by OpenCV's line segment detector: (n, 4) as x0 y0 x1 y1.

    Both edges of a stroke count.
    """
    smooth = cv2.GaussianBlur(255 - ink, (0, 0), 0.8)
    detected = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(smooth)[0]
    if detected is None:
        return np.zeros((0, 4))
    segments = np.asarray(detected, np.float64).reshape(-1, 4)
    return np.asarray(segments[lengths_of(segments) >= MIN_SEGMENT])


def lengths_of(segments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths (n,) of segments (n, 4)."""
    return np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])


def slanted(segments: NDArray[np.float64]) -> NDArray[np.float64]:
    """The segments (n, 4) that are neither level nor plumb."""
    angles = np.degrees(np.arctan2(segments[:, 3] - segments[:, 1], segments[:, 2] - segments[:, 0])) % 90
    return np.asarray(segments[np.minimum(angles, 90 - angles) > MIN_SLANT])


def typical_length(segments: NDArray[np.float64], share: float = 0.5) -> float:
    """The length below which a share of the whole length of all segments lies; 0 where there is none.

    Weighted by length, since the many short strokes of letters and the few of rules both say little.
    """
    if not len(segments):
        return 0.0
    lengths = np.sort(lengths_of(segments))
    total = np.cumsum(lengths)
    return float(lengths[int(np.searchsorted(total, total[-1] * share))])


def points_of(parts: Parts, index: int) -> NDArray[np.float64]:
    """The pixels of one part: (n, 2) as x and y."""
    x0, y0, x1, y1 = parts.boxes[index]
    ys, xs = np.nonzero(parts.labels[y0:y1, x0:x1] == index + 1)
    return np.stack([xs + x0, ys + y0], axis=1).astype(np.float64)


def rod_of(points: NDArray[np.float64]) -> Rod:
    """The smallest rectangle around pixels (n, 2)."""
    _, (width, height), angle = cv2.minAreaRect(points.astype(np.float32))
    turn = np.radians(angle if width >= height else angle + 90)
    return Rod(max(width, height) + 1, min(width, height) + 1, np.array([np.cos(turn), np.sin(turn)]))


def mask_of(parts: Parts, which: NDArray[np.bool_]) -> Gray:
    """The ink of the parts that are True in ``which`` (n,), as 255 on 0."""
    chosen = np.concatenate(([False], which))
    return np.asarray(chosen[parts.labels].astype(np.uint8) * 255)


def long_runs(ink: Gray, length: float) -> Gray:
    """The ink of level and plumb strokes of at least ``length``, as 255 on 0."""
    size = max(3, round(length))
    level = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, size), np.uint8))
    plumb = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((size, 1), np.uint8))
    return np.asarray(level | plumb)


def share_in(ink: Gray, parts: Parts) -> NDArray[np.float64]:
    """Share (n,) of the pixels of each part that ``ink`` covers, 0…1."""
    within = np.bincount(parts.labels[ink > 0], minlength=len(parts.areas) + 1)[1:]
    return np.asarray(within / np.maximum(1, parts.areas))


def owners(parts: Parts, segments: NDArray[np.float64]) -> NDArray[np.int64]:
    """The part (n,) on whose ink the middle of each segment (n, 4) lies, or within a pixel; -1 for none."""
    if not len(segments):
        return np.zeros(0, np.int64)
    spread = cv2.dilate(parts.labels.astype(np.float32), np.ones((3, 3), np.uint8))
    height, width = spread.shape
    middles = ((segments[:, :2] + segments[:, 2:]) / 2).astype(int)
    x, y = np.clip(middles[:, 0], 0, width - 1), np.clip(middles[:, 1], 0, height - 1)
    return np.asarray(spread[y, x].astype(np.int64) - 1)


def segments_of(
    segments: NDArray[np.float64], owner: NDArray[np.int64], which: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The segments on parts that are True in ``which`` (n,)."""
    return np.asarray(segments[np.append(which, False)[owner]])


def joints(segments: NDArray[np.float64], reach: float) -> tuple[int, int]:
    """How many ends of segments (n, 4) meet at the angle of bonds, and how many as pieces of one curve do.

    ``reach`` is how far apart ends that meet may be.
    """
    ends = np.concatenate([segments[:, :2], segments[:, 2:]])
    away = np.concatenate([segments[:, 2:] - segments[:, :2], segments[:, :2] - segments[:, 2:]])
    away = away / np.maximum(1e-6, np.hypot(away[:, :1], away[:, 1:]))
    near = np.hypot(*(ends[:, None] - ends[None]).transpose(2, 0, 1)) <= reach
    first, second = np.nonzero(np.triu(near, 1))
    different = first % len(segments) != second % len(segments)
    cosine = (away[first[different]] * away[second[different]]).sum(axis=1)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    is_corner = (angle >= MIN_CORNER) & (angle <= MAX_CORNER)
    return int(is_corner.sum()), int((angle > MAX_CORNER).sum())
