"""What a structure drawing is made of: its strokes, straight or part of circles, and the letters at its
atoms.

Which letter a piece of ink is most like is told well enough to tell ``N`` from ``O``. The picture's font is
unknown, so each letter is drawn in the PDF's standard fonts (Helvetica, Times, Courier, with their slanted
and bold forms), which PyMuPDF brings along, and the nearest counts.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docai.pipelines.readback.ink import Gray, paths

LETTERS = "CNOSFPBIHRXYZAM23"

FONTS = ("helv", "heit", "hebo", "tiro", "tiit", "tibo", "cour", "coit")
"""PyMuPDF's names."""

COMPARED_SIDE_PX = 16
"""Rows and columns that two shapes are scaled to before they are compared."""

_FONT_SIZE_PX = 48

_MAX_LETTER_ASPECT = 1.6
"""Width over height; what is wider is not a single letter."""


def letter_correlations(ink: Gray, boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """(boxes, letters): correlation with the nearest font, less half the difference of log aspect ratios.

    NaN where a box is too wide to be one letter. ``boxes``: (n, 4) as x, y, w, h.
    """
    shapes, log_aspects = _templates()
    correlations = np.full((len(boxes), len(LETTERS)), np.nan)
    for index, (x, y, w, h) in enumerate(boxes.tolist()):
        if w > _MAX_LETTER_ASPECT * h or min(w, h) < 2:
            continue
        shape = _normalized(ink[y : y + h, x : x + w].astype(np.float32))
        by_font = shapes @ shape - 0.5 * np.abs(log_aspects - np.log(w / h))
        correlations[index] = by_font.max(axis=0)
    return correlations


def letter_margin(correlations: NDArray[np.float64], expected: Collection[str]) -> float:
    """How much better one of the expected letters fits than any other, at the best of several pieces of ink.

    ``correlations`` as :func:`letter_correlations` gives them. NaN where there is no readable piece, or no
    expected letter in :data:`LETTERS`.
    """
    readable = correlations[~np.isnan(correlations).any(axis=1)]
    is_expected = np.array([letter in expected for letter in LETTERS])
    if not len(readable) or not is_expected.any():
        return float("nan")
    margins = readable[:, is_expected].max(axis=1) - readable[:, ~is_expected].max(axis=1)
    return float(margins.max())


@cache
def _templates() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """(fonts, letters, COMPARED_SIDE_PX²) and the logs of width over height, (fonts, letters)."""
    import pymupdf

    shapes = np.zeros((len(FONTS), len(LETTERS), COMPARED_SIDE_PX**2), np.float32)
    log_aspects = np.zeros((len(FONTS), len(LETTERS)))
    for i, name in enumerate(FONTS):
        font = ImageFont.truetype(io.BytesIO(pymupdf.Font(name).buffer), _FONT_SIZE_PX)
        for j, letter in enumerate(LETTERS):
            image = Image.new("L", (2 * _FONT_SIZE_PX, 2 * _FONT_SIZE_PX), 0)
            ImageDraw.Draw(image).text((_FONT_SIZE_PX // 2, _FONT_SIZE_PX // 2), letter, fill=255, font=font)
            drawn = np.asarray(np.asarray(image.crop(image.getbbox()), np.float32) / 255, np.float32)
            shapes[i, j] = _normalized(drawn)
            log_aspects[i, j] = np.log(drawn.shape[1] / drawn.shape[0])
    return shapes, log_aspects


def _normalized(shape: NDArray[np.float32]) -> NDArray[np.float32]:
    """A shape scaled to one grid and blurred a little, as a vector of mean 0 and length 1."""
    small = cv2.resize(shape, (COMPARED_SIDE_PX, COMPARED_SIDE_PX), interpolation=cv2.INTER_AREA)
    flat = cv2.GaussianBlur(small, (3, 3), 0).ravel()
    flat = flat - flat.mean()
    return np.asarray(flat / max(float(np.linalg.norm(flat)), 1e-6), np.float32)


Points = NDArray[np.float64]


@dataclass(frozen=True)
class Strokes:
    """Straight pieces (n, 4) as x0 y0 x1 y1, and the component of the ink that each is in."""

    ends: Points
    component: NDArray[np.int64]

    @property
    def lengths(self) -> Points:
        return segment_lengths(self.ends)


def segment_lengths(ends: Points) -> Points:
    """Of segments (n, 4) as x0 y0 x1 y1."""
    return np.asarray(np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1]))


def distances(points: Points) -> Points:
    """(n, n) between points (n, 2)."""
    dx, dy = (points[:, None, axis] - points[None, :, axis] for axis in (0, 1))
    return np.asarray(np.hypot(dx, dy))


def connected_groups(is_near: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of the group of each of n things, of which ``is_near`` (n, n) says which two belong together."""
    group = np.arange(len(is_near))
    while len(is_near):
        linked = is_near | np.eye(len(is_near), dtype=bool)
        lowest = np.where(linked, group[None, :], len(is_near)).min(axis=1)
        lowest = lowest[lowest]
        if np.array_equal(lowest, group):
            break
        group = lowest
    return np.asarray(group, np.int64)


def straight_strokes(lines: Gray, components: NDArray[np.int32], tolerance: float) -> Strokes:
    """Lines one pixel wide as straight pieces that lie within ``tolerance`` pixels of them."""
    ends, component = [], []
    for path in paths(lines):
        for part in _open(path):
            corners = cv2.approxPolyDP(part.reshape(-1, 1, 2), tolerance, False).reshape(-1, 2)
            for a, b in pairwise(corners):
                ends.append((float(a[0]), float(a[1]), float(b[0]), float(b[1])))
                component.append(int(components[a[1], a[0]]))
    return Strokes(np.array(ends, np.float64).reshape(-1, 4), np.array(component, np.int64))


def _open(path: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    """A path, or a loop cut in two at the point farthest from its start: OpenCV drops a loop's last piece."""
    if bool((path[0] != path[-1]).any()):
        return [path]
    farthest = int(np.square(path - path[0]).sum(axis=1).argmax())
    return [path[: farthest + 1], path[farthest:]]


def typical_length(lengths: Points) -> float:
    """Median of the strokes within a fifth of one length: that with the largest sum of squared lengths."""
    ordered = np.sort(lengths)
    sums = np.concatenate([[0.0], np.cumsum(np.square(ordered))])
    low = np.searchsorted(ordered, ordered / 1.2)
    high = np.searchsorted(ordered, ordered * 1.2, side="right")
    best = int(np.argmax(sums[high] - sums[low]))
    return float(np.median(ordered[low[best] : high[best]]))


def find_circles(strokes: Strokes, stats: NDArray[np.int32], bond: float) -> NDArray[np.bool_]:
    """Components that are round: the ends of their strokes are equally far from their center."""
    is_circle = np.zeros(len(stats), bool)
    for index in range(1, len(stats)):
        x, y, w, h = (float(v) for v in stats[index, :4])
        if not (0.85 * bond < w < 1.8 * bond and 0.8 < w / max(h, 1.0) < 1.25):
            continue
        ends = strokes.ends[strokes.component == index]
        if len(ends) < 6:
            continue
        radii = np.hypot(ends[:, 0] - (x + w / 2), ends[:, 1] - (y + h / 2))
        is_circle[index] = bool(radii.std() < 0.08 * radii.mean())
    return is_circle


def find_inside_rings(ink: Gray, components: NDArray[np.int32], n: int, bond: float) -> NDArray[np.bool_]:
    """Components that a ring of bonds encloses: inner lines of double bonds, which may meet as a V."""
    is_inside = np.zeros(n, bool)
    contours, tree = cv2.findContours(ink, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    holes = [
        contour
        for contour, (_, _, _, parent) in zip(
            contours, tree[0].tolist() if tree is not None else (), strict=True
        )
        if parent >= 0 and 0.5 * bond**2 < cv2.contourArea(contour) < 5.5 * bond**2
    ]
    mask = np.zeros_like(ink)
    for hole in holes:
        ring = int(components[hole[0][0][1], hole[0][0][0]])
        cv2.drawContours(mask, [hole], -1, 1, cv2.FILLED)
        enclosed = np.unique(components[mask > 0])
        is_inside[enclosed[enclosed != ring]] = True
        mask[:] = 0
    is_inside[0] = False
    return is_inside


def merge_hashed_bonds(
    boxes: Points, is_dash: NDArray[np.bool_], bond: float
) -> tuple[Points, NDArray[np.bool_]]:
    """Rows of four and more dashes, about a bond long, as one stroke each; and which components they were."""
    dashes = np.flatnonzero(is_dash)
    in_hashed = np.zeros(len(boxes), bool)
    strokes = []
    if 4 <= len(dashes) <= 400:
        centers = boxes[dashes, :2] + boxes[dashes, 2:] / 2
        groups = connected_groups(distances(centers) < 0.22 * bond)
        for group in np.unique(groups):
            row = centers[groups == group]
            if len(row) < 4:
                continue
            mean = row.mean(axis=0)
            axis = np.linalg.svd(row - mean, full_matrices=False)[2][0]
            along = (row - mean) @ axis
            across = np.abs((row - mean) @ np.array([-axis[1], axis[0]]))
            if 0.4 * bond < np.ptp(along) < 1.5 * bond and float(across.max()) < 0.1 * bond:
                strokes.append((*(mean + along.min() * axis), *(mean + along.max() * axis)))
                in_hashed[dashes[groups == group]] = True
    return np.array(strokes, np.float64).reshape(-1, 4), in_hashed


def split_long_strokes(ends: Points, bond: float) -> Points:
    """Strokes as long as several bonds, split: at a triple bond, three or four atoms are in line."""
    pieces = []
    for stroke in ends:
        length = float(np.hypot(*(stroke[2:] - stroke[:2]))) / bond
        n = round(length) if length > 1.6 else 1
        steps = np.linspace(stroke[:2], stroke[2:], n + 1)
        pieces += [np.concatenate(pair) for pair in pairwise(steps)]
    return np.array(pieces, np.float64).reshape(-1, 4)


def merge_parallel_strokes(ends: Points, bond: float) -> tuple[Points, NDArray[np.bool_], Points]:
    """Double and triple bonds as one stroke each; which strokes these are; and where their ends join.

    The third are the ends of the strokes that were merged away (k, 4: x, y, and the end of the kept stroke
    beside it): two parallel lines meet the next bond at two points, which are one place.
    """
    vectors = ends[:, 2:] - ends[:, :2]
    lengths = np.maximum(np.hypot(vectors[:, 0], vectors[:, 1]), 1e-9)
    units = vectors / lengths[:, None]
    kept: list[int] = []
    doubled: set[int] = set()
    joints: list[tuple[float, float, float, float]] = []
    for index in np.argsort(-lengths, kind="stable").tolist():
        center = (ends[index, :2] + ends[index, 2:]) / 2
        for longer in kept:
            if abs(float(units[index] @ units[longer])) < 0.985:
                continue
            from_start = center - ends[longer, :2]
            along = float(from_start @ units[longer])
            across = abs(float(from_start[0] * units[longer][1] - from_start[1] * units[longer][0]))
            if across < 0.38 * bond and 0.1 * lengths[longer] < along < 0.9 * lengths[longer]:
                doubled.add(longer)
                for end in (ends[index, :2], ends[index, 2:]):
                    corners = ends[longer].reshape(2, 2)
                    nearest = corners[int(np.hypot(*(corners - end).T).argmin())]
                    if float(np.hypot(*(nearest - end))) < 0.45 * bond:
                        joints.append((*end.tolist(), *nearest.tolist()))
                break
        else:
            kept.append(index)
    kept.sort()
    is_double = np.array([index in doubled for index in kept], bool)
    return ends[kept], is_double, np.array(joints, np.float64).reshape(-1, 4)
