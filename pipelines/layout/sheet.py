"""A sheet of paper in a photograph: where its corners are.

The sheet is a bright area with four straight sides on a darker ground. It is looked for in a small picture:
Otsu's threshold, the largest bright part, its convex hull, and the quadrilateral that fits the hull. Where no
level parts the two, in uneven light, it is the paper as far as it goes on without a sharp edge.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.layout.light import follow_paper
from docai.pipelines.pixels import Gray, binarize, parts_of

SIDE: Final = 500
"""Longer side, in pixels, of the picture in which the sheet is looked for."""

MIN_SIDE: Final = 8
"""Pixels of the shorter side of that picture; of a longer strip there is nothing to see in it."""

MIN_SHARE, MAX_SHARE = 0.15, 0.97
"""Of the picture that a sheet covers."""

MIN_CONTRAST: Final = 40.0
"""Gray levels between the sheet and what it lies on."""

MIN_SOLID: Final = 0.92
"""Share of the hull that the bright part fills, its print filled up, and of the quadrilateral that the hull
does."""

MAX_CORNER_OFF: Final = 35.0
"""Degrees by which the corners of a sheet may differ from right angles."""

MIN_TILT: Final = 1.5
"""Degrees: a sheet whose sides are all nearer to those of the picture is no reason to cut it out."""

MIN_LETTERS: Final = 40
"""On the sheet."""

MAX_LETTERS_OUTSIDE: Final = 0.1
"""Of those on the sheet; with more, what surrounds it is to be read, too."""

_TOLERANCES: Final = (0.01, 0.015, 0.02, 0.03, 0.04, 0.06)
"""Of the length of the outline, by which a quadrilateral may leave it: the least that gives four corners."""


def find_sheet(gray: Gray) -> NDArray[np.float64] | None:
    """The corners (4, 2) of a sheet as x and y in pixels, clockwise from the one that is top left; None
    where there is none that has to be made straight."""
    scale = min(1.0, SIDE / max(gray.shape))
    if scale * min(gray.shape) < MIN_SIDE:
        return None
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = np.asarray(cv2.medianBlur(small, 5))
    level, _ = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    for bright in (small > level, follow_paper(gray)):
        if bright is None or bright.all() or not bright.any():
            continue
        seen = cv2.resize(small, bright.shape[::-1], interpolation=cv2.INTER_AREA)
        if float(seen[bright].mean()) - float(seen[~bright].mean()) < MIN_CONTRAST:
            continue
        corners = _quadrilateral(np.asarray(bright.astype(np.uint8) * 255))
        if corners is None or not _is_tilted(corners):
            continue
        corners = corners * (gray.shape[1] / bright.shape[1], gray.shape[0] / bright.shape[0])
        if _holds_the_text(gray, corners):
            return np.asarray(corners, np.float64)
    return None


def _quadrilateral(bright: Gray) -> NDArray[np.float64] | None:
    """The corners of the largest bright part, if it has four."""
    closed = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    outline = max(outlines, key=cv2.contourArea)
    hull = cv2.convexHull(outline)
    area = cv2.contourArea(hull)
    if not MIN_SHARE <= area / bright.size <= MAX_SHARE or cv2.contourArea(outline) < MIN_SOLID * area:
        return None
    length = cv2.arcLength(hull, closed=True)
    for tolerance in _TOLERANCES:
        shape = cv2.approxPolyDP(hull, tolerance * length, closed=True)
        if len(shape) < 4:
            return None
        if len(shape) == 4:
            corners = _clockwise(shape.reshape(4, 2).astype(np.float64))
            covers = area >= MIN_SOLID * cv2.contourArea(shape) and cv2.contourArea(shape) >= MIN_SOLID * area
            return corners if covers and _has_right_angles(corners) else None
    return None


def _clockwise(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners (4, 2) clockwise on the screen, from the one nearest to the top left."""
    middle = corners.mean(axis=0)
    angles = np.arctan2(corners[:, 1] - middle[1], corners[:, 0] - middle[0])
    ordered = corners[np.argsort(angles)]
    return np.asarray(np.roll(ordered, -int(np.argmin(ordered.sum(axis=1))), axis=0))


def _sides(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors (4, 2) from each corner to the next."""
    return np.asarray(np.roll(corners, -1, axis=0) - corners)


def _has_right_angles(corners: NDArray[np.float64]) -> bool:
    """Nearly: perspective bends them."""
    sides = _sides(corners)
    angles = np.degrees(np.arctan2(sides[:, 1], sides[:, 0]))
    bends = (np.roll(angles, -1) - angles) % 360
    return bool((np.abs(bends - 90) <= MAX_CORNER_OFF).all())


def _is_tilted(corners: NDArray[np.float64]) -> bool:
    sides = _sides(corners)
    angles = np.degrees(np.arctan2(sides[:, 1], sides[:, 0])) % 90
    return bool((np.minimum(angles, 90 - angles) > MIN_TILT).any())


def _holds_the_text(gray: Gray, corners: NDArray[np.float64]) -> bool:
    """Whether there are letters on the sheet, and hardly any around it."""
    parts = parts_of(binarize(gray))
    heights, widths = parts.heights, parts.widths
    letters = (heights >= 5) & (heights <= 60) & (widths >= 2) & (widths <= 100) & (parts.areas >= 8)
    boxes = parts.boxes[letters]
    inside = np.zeros(gray.shape, np.uint8)
    cv2.fillConvexPoly(inside, np.round(corners).astype(np.int32), 1)
    n_inside = int(inside[(boxes[:, 1] + boxes[:, 3]) // 2, (boxes[:, 0] + boxes[:, 2]) // 2].sum())
    return n_inside >= MIN_LETTERS and len(boxes) - n_inside <= MAX_LETTERS_OUTSIDE * n_inside
