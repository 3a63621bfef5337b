"""By how much a scanned page is turned: quarter turns, and a small angle."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.pixels import Gray, parts_of

MAX_SKEW = 15.0
"""Degrees up to which skew is detected."""

SIDE = 900
"""Longer side, in pixels, of the picture in which quarter turns are detected."""

MIN_LETTERS = 40
"""Letters with neighbors from which these tell which way the lines run."""

MAX_POINTS = 800
"""Letters of which all pairs are compared for the exact angle."""

MIN_LETTERS_UPRIGHT = 60
"""Letters from which these tell whether lines are upright or upside down."""

VOTES_RATIO, MIN_VOTES = 1.4, 5
"""How many times as many letters must reach to one side as to the other, and how many more, to be sure."""

Matrix = NDArray[np.float64]


def skew_angle(ink: Gray) -> float:
    """Degrees clockwise by which lines of text are turned, at most :data:`MAX_SKEW`; 0 where there is no
    text.

    The angle at which the lower edges of the letters fall on the fewest rows. Their positions are turned
    rather than the picture, whose interpolation would blur every angle but zero.
    """
    points = _lower_edges(ink)
    if len(points) < 8:
        return 0.0
    edges = np.linspace(points[:, 0].min(), points[:, 0].max() + 1, 5)
    strips = [points[(points[:, 0] >= a) & (points[:, 0] < b)] for a, b in pairwise(edges)]
    strips = [strip for strip in strips if len(strip) > 1]
    # In strips, since the lines of two columns are at different heights and meet at some wrong angle.
    coarse = max(
        np.arange(-MAX_SKEW, MAX_SKEW + 0.01, 0.1),
        key=lambda angle: (sum(_row_concentration(strip, angle, 2.0) for strip in strips), -abs(angle)),
    )
    angle = _refined_angle(points, float(coarse))
    if abs(angle) <= 0.02 or not _is_confirmed(ink, angle):
        return 0.0
    return float(round(angle, 2))


def _is_confirmed(ink: Gray, angle: float) -> bool:
    """Whether all ink, too, falls on fewer rows when turned back, which the notes of a score alone may not
    tell."""
    y, x = np.nonzero(ink)
    step = max(1, len(x) // 50_000)
    points = np.stack([x[::step], y[::step]], axis=1).astype(np.float64)
    return _row_concentration(points, angle, 1.5) >= 0.85 * _row_concentration(points, 0.0, 1.5)


def _refined_angle(points: Matrix, coarse: float) -> float:
    """The mean direction from letters to others in the same line, near a coarse angle; degrees."""
    chosen = points[:: max(1, len(points) // MAX_POINTS)]
    x, y = chosen[:, 0], chosen[:, 1]
    dx = x[None, :] - x[:, None]
    dy = y[None, :] - y[:, None]
    reach = (dx > 60) & (dx < 320)
    slope = float(np.tan(np.radians(coarse)))
    for slack in (2.5, 2.0, 1.5, 1.5):
        pairs = reach & (np.abs(dy - dx * slope) < slack)
        if pairs.sum() < 20:
            break
        slope = float((dx[pairs] * dy[pairs]).sum() / np.square(dx[pairs]).sum())
    return float(np.degrees(np.arctan(slope)))


def _lower_edges(ink: Gray) -> Matrix:
    """The middle of the lower edge of each letter, (n, 2) as x, y in pixels; all ink where there are few
    letters."""
    parts = parts_of(ink)
    heights, widths = parts.heights, parts.widths
    possible = (heights > 4) & (widths > 2) & (heights < 80)
    size = parts.median_height(possible, min_count=60)
    if size is not None:
        letters = possible & (heights > 0.6 * size) & (heights < 2.5 * size) & (widths < 8 * size)
        boxes = parts.boxes[letters]
        return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1).astype(np.float64)
    y, x = np.nonzero(ink)
    step = max(1, len(x) // 20_000)
    return np.stack([x[::step], y[::step]], axis=1).astype(np.float64)


def _row_concentration(points: Matrix, degrees: float, bin_size: float) -> float:
    """Sum of the squared numbers of points in each row, ``bin_size`` pixels high, after turning back."""
    angle = np.radians(degrees)
    rows = points[:, 1] * np.cos(angle) - points[:, 0] * np.sin(angle)
    counts = np.bincount(((rows - rows.min()) / bin_size).astype(np.int64))
    smooth = counts + 0.5 * np.concatenate((counts[1:], [0])) + 0.5 * np.concatenate(([0], counts[:-1]))
    return float(np.square(smooth).sum())


def is_rotated_90(ink: Gray) -> bool:
    """Whether lines of text run up or down the page.

    The next letter of a line is nearer than the next line, which decides where the letters agree on it. Their
    profiles decide elsewhere; the columns of a table, or a margin of leader dots, can be sharper than its
    rows.
    """
    beside, below = _nearest_neighbors(ink)
    if beside + below >= MIN_LETTERS and max(beside, below) >= 3 * min(beside, below):
        return below > beside
    letters = _reduced_letters(ink)
    if not letters.any():
        return False
    angles = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
    horizontal = max(_row_sharpness(letters, angle) for angle in angles)
    vertical = max(_row_sharpness(np.ascontiguousarray(letters.T), angle) for angle in angles)
    return vertical > 1.6 * horizontal


def _nearest_neighbors(ink: Gray) -> tuple[int, int]:
    """Numbers of letters whose nearest neighbor is beside them, and above or below them."""
    parts = parts_of(ink)
    longest = np.maximum(parts.heights, parts.widths)
    possible = (parts.heights > 3) & (parts.widths > 2)
    size = parts.median_height(possible)
    if size is None:
        return 0, 0
    boxes = parts.boxes[possible & (longest > 0.6 * size) & (longest < 2.5 * size)].astype(np.float32)
    asked = np.arange(0, len(boxes), max(1, len(boxes) // 500))
    own = boxes[asked, None]
    shared = np.minimum(own[..., 2:], boxes[None, :, 2:]) - np.maximum(own[..., :2], boxes[None, :, :2])
    shared[np.arange(len(asked)), asked] = 0
    overlap_x, overlap_y = shared[..., 0], shared[..., 1]
    # An overlap below zero is a gap.
    beside = np.where((overlap_y > 0.4 * size) & (overlap_x <= 0), -overlap_x, np.inf).min(
        axis=1, initial=np.inf
    )
    below = np.where((overlap_x > 0.4 * size) & (overlap_y <= 0), -overlap_y, np.inf).min(
        axis=1, initial=np.inf
    )
    return int((beside < below).sum()), int((below < beside).sum())


class UprightVotes(NamedTuple):
    """Letters of lines of Latin text that reach above the height of lowercase letters, and below their
    baseline: upright, there are more of the former."""

    n_above: int
    n_below: int

    @property
    def is_upright(self) -> bool:
        """Surely."""
        return self.n_above > VOTES_RATIO * self.n_below + MIN_VOTES

    @property
    def is_upside_down(self) -> bool:
        """Surely."""
        return self.n_below > VOTES_RATIO * self.n_above + MIN_VOTES


def upright_votes(ink: Gray) -> UprightVotes:
    """What the horizontal lines of text say of whether they are upright; nothing where there are few."""
    parts = parts_of(ink)
    heights = parts.heights
    if len(heights) < MIN_LETTERS_UPRIGHT:
        return UprightVotes(0, 0)
    size = parts.median_height(heights > 4) or 0.0
    letters = (heights > 0.6 * size) & (heights < 2.2 * size) & (parts.widths < 3 * size)
    boxes = parts.boxes[letters]
    if len(boxes) < MIN_LETTERS_UPRIGHT:
        return UprightVotes(0, 0)
    smeared = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((1, max(3, round(1.5 * size))), np.uint8))
    _, labels = cv2.connectedComponents(smeared)
    line = labels[(boxes[:, 1] + boxes[:, 3]) // 2, (boxes[:, 0] + boxes[:, 2]) // 2]
    n_above = n_below = 0
    for label in np.unique(line):
        row = boxes[line == label]
        if label == 0 or len(row) < 12:
            continue
        top, bottom = np.median(row[:, 1]), np.median(row[:, 3])
        n_above += int((row[:, 1] < top - 0.2 * size).sum())
        n_below += int((row[:, 3] > bottom + 0.2 * size).sum())
    return UprightVotes(n_above, n_below)


def is_upside_down(ink: Gray) -> bool:
    """Whether horizontal lines of Latin text are surely upside down."""
    return upright_votes(ink).is_upside_down


def turn_matrix(width: float, height: float, degrees: float) -> Matrix:
    """2 x 3 matrix that turns an image counterclockwise by ``degrees`` about its center."""
    return np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0), dtype=np.float64)


def _reduced_letters(ink: Gray) -> Gray:
    """The ink without parts far larger than letters, reduced to :data:`SIDE`."""
    parts = parts_of(ink)
    heights, widths = parts.heights, parts.widths
    possible = (heights > 3) & (widths > 2)
    size = parts.median_height(possible)
    if size is None:
        return np.zeros((1, 1), np.uint8)
    is_letter = np.concatenate(([False], possible & (heights < 4 * size) & (widths < 12 * size)))
    text = is_letter[parts.labels].astype(np.uint8) * 255
    if not text.any():
        text = ink
    factor = SIDE / max(text.shape)
    if factor < 1:
        text = cv2.resize(text, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(text, dtype=np.uint8)


def _row_sharpness(image: Gray, degrees: float) -> float:
    """Squared differences of neighboring rows after turning back, summed: largest for horizontal lines."""
    height, width = image.shape
    turned = cv2.warpAffine(
        image, turn_matrix(width, height, degrees), (width, height), flags=cv2.INTER_LINEAR
    )
    profile = turned.sum(axis=1, dtype=np.float64)
    return float(np.square(np.diff(profile)).sum())
