"""How a scanned page is turned: quarter turns, then a small angle."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.layout.pixels import Gray, parts_of

LARGEST = 6.0
"""Degrees of skew that are looked for."""
SIDE = 900
Matrix = NDArray[np.float64]


def skew_angle(ink: Gray) -> float:
    """Degrees clockwise by which the lines of text are turned, within ±LARGEST; 0 where none shows."""
    small = _letters(ink)
    if not small.any():
        return 0.0
    level = _sharpness(small, 0.0)
    coarse = max(np.arange(-LARGEST, LARGEST + 0.1, 0.5), key=lambda angle: _sharpness(small, angle))
    fine = max(np.arange(coarse - 0.5, coarse + 0.51, 0.05), key=lambda angle: _sharpness(small, angle))
    return float(round(fine, 2)) if _sharpness(small, fine) > 1.03 * level else 0.0


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


def turn_matrix(width: int, height: int, degrees: float) -> Matrix:
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
    turned = cv2.warpAffine(image, turn_matrix(width, height, degrees), (width, height), flags=cv2.INTER_LINEAR)
    profile = turned.sum(axis=1, dtype=np.float64)
    return float(np.square(np.diff(profile)).sum())
