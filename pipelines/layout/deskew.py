"""How a scanned page is turned: quarter turns, then a small angle."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.layout.pixels import Gray, parts_of

LARGEST = 6.0
"""Degrees of skew that are looked for."""
SIDE = 900
Matrix = NDArray[np.float64]


def skew_angle(ink: Gray) -> float:
    """Degrees clockwise by which the lines of text are turned, within ±LARGEST; 0 where none shows.

    The angle at which the feet of the letters fall on the fewest rows: points, not a turned picture, whose
    interpolation would blur every angle but zero.
    """
    points = _feet(ink)
    if len(points) < 8:
        return 0.0
    edges = np.linspace(points[:, 0].min(), points[:, 0].max() + 1, 5)
    strips = [points[(points[:, 0] >= a) & (points[:, 0] < b)] for a, b in pairwise(edges)]
    strips = [strip for strip in strips if len(strip) > 1]
    # By strips, since two columns are set on lines of their own, and their rows meet at some wrong angle.
    coarse = max(
        np.arange(-LARGEST, LARGEST + 0.01, 0.1),
        key=lambda angle: (sum(_gathered(strip, angle, 2.0) for strip in strips), -abs(angle)),
    )
    angle = _along_lines(points, float(coarse))
    if abs(angle) <= 0.02 or not _levels(ink, angle):
        return 0.0
    return float(round(angle, 2))


def _levels(ink: Gray, angle: float) -> bool:
    """Whether turning back gathers all the ink on fewer rows too: the notes of a score may mislead."""
    y, x = np.nonzero(ink)
    step = max(1, len(x) // 50_000)
    points = np.stack([x[::step], y[::step]], axis=1).astype(np.float64)
    return _gathered(points, angle, 1.5) >= 0.85 * _gathered(points, 0.0, 1.5)


def _along_lines(points: Matrix, coarse: float) -> float:
    """The mean direction from one letter to others further along its line, near a coarse angle."""
    chosen = points[:: max(1, len(points) // 1500)]
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


def _feet(ink: Gray) -> Matrix:
    """Where letters stand: the middle of each letter's lower edge, (n, 2) as x, y; any ink where few are."""
    parts = parts_of(ink)
    high, wide = parts.heights, parts.widths
    usual = (high > 4) & (wide > 2) & (high < 80)
    if usual.sum() >= 60:
        size = float(np.median(high[usual]))
        letters = usual & (high > 0.6 * size) & (high < 2.5 * size) & (wide < 8 * size)
        boxes = parts.boxes[letters]
        return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1).astype(np.float64)
    y, x = np.nonzero(ink)
    step = max(1, len(x) // 20_000)
    return np.stack([x[::step], y[::step]], axis=1).astype(np.float64)


def _gathered(points: Matrix, degrees: float, bin_size: float) -> float:
    """Sum of squared counts of points by row after turning back by ``degrees``."""
    angle = np.radians(degrees)
    rows = points[:, 1] * np.cos(angle) - points[:, 0] * np.sin(angle)
    counts = np.bincount(((rows - rows.min()) / bin_size).astype(np.int64))
    smooth = counts + 0.5 * np.concatenate((counts[1:], [0])) + 0.5 * np.concatenate(([0], counts[:-1]))
    return float(np.square(smooth).sum())


def lies_sideways(ink: Gray) -> bool:
    """Whether lines of text run up or down the page."""
    small = _letters(ink)
    if not small.any():
        return False
    angles = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0)
    across = max(_sharpness(small, angle) for angle in angles)
    along = max(_sharpness(np.ascontiguousarray(small.T), angle) for angle in angles)
    return along > 1.6 * across


def upside_down(ink: Gray) -> bool:
    """Whether level lines of Latin text stand on their heads: letters rise above the x-height more often
    than they hang below the baseline."""
    parts = parts_of(ink)
    high = parts.heights
    if len(high) < 60:
        return False
    size = float(np.median(high[high > 4])) if (high > 4).any() else 0.0
    letters = (high > 0.6 * size) & (high < 2.2 * size) & (parts.widths < 3 * size)
    boxes = parts.boxes[letters]
    if len(boxes) < 60:
        return False
    smeared = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((1, max(3, round(1.5 * size))), np.uint8))
    _, labels = cv2.connectedComponents(smeared)
    line = labels[(boxes[:, 1] + boxes[:, 3]) // 2, (boxes[:, 0] + boxes[:, 2]) // 2]
    up = down = 0
    for label in np.unique(line):
        row = boxes[line == label]
        if label == 0 or len(row) < 12:
            continue
        top, low = np.median(row[:, 1]), np.median(row[:, 3])
        up += int((row[:, 1] < top - 0.2 * size).sum())
        down += int((row[:, 3] > low + 0.2 * size).sum())
    return down > 1.4 * up + 5


def turn_matrix(width: float, height: float, degrees: float) -> Matrix:
    """2 x 3 matrix that turns an image counterclockwise by ``degrees`` about its centre."""
    return np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0), dtype=np.float64)


def _letters(ink: Gray) -> Gray:
    """The ink without what is far larger than a letter, reduced to ``SIDE``."""
    parts = parts_of(ink)
    high, wide = parts.heights, parts.widths
    usual = (high > 3) & (wide > 2)
    if not usual.any():
        return np.zeros((1, 1), np.uint8)
    size = float(np.median(high[usual]))
    keep = np.concatenate(([False], usual & (high < 4 * size) & (wide < 12 * size)))
    text = keep[parts.labels].astype(np.uint8) * 255
    if not text.any():
        text = ink
    factor = SIDE / max(text.shape)
    if factor < 1:
        text = cv2.resize(text, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(text, dtype=np.uint8)


def _sharpness(image: Gray, degrees: float) -> float:
    """Energy of the row profile's steps after turning back by ``degrees``: largest where lines are level."""
    height, width = image.shape
    turned = cv2.warpAffine(
        image, turn_matrix(width, height, degrees), (width, height), flags=cv2.INTER_LINEAR
    )
    profile = turned.sum(axis=1, dtype=np.float64)
    return float(np.square(np.diff(profile)).sum())
