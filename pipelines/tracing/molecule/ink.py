"""Ink of a picture at a scale at which strokes have one width, whatever resolution it came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
"""``(H, W)``, 1 where there is ink."""

STROKE_PX: Final = (5.0, 8.0)
"""Width to which thinner and thicker strokes are brought: wide enough for tapers and letters to show, narrow
enough to be fast."""

_MAX_SCALE: Final = 4.0
_MIN_SCALE: Final = 0.05

MAX_PIXELS: Final = 12_000_000
"""Of the scaled picture; one that has more ink than that is read at a smaller scale."""

_MIN_CONTRAST: Final = 24
"""Difference of gray between ink and paper, 0…255, below which a picture is blank."""

_MAX_INK: Final = 0.4
"""Share of ink above which a picture is no drawing on paper."""

_SMOOTHING: Final = 0.22
"""Standard deviation of the blur that rounds the stairs of pixels, in stroke widths."""

_BINARY_SMOOTHING: Final = 0.6
"""Least standard deviation of that blur in pixels of a picture in black and white, whose edges are rough."""

_FAINT: Final = 0.22
"""Level of the faintest strokes, where paper is 0 and the usual stroke 1."""

_AROUND: Final = 2.0
"""Distance in stroke widths within which faint ink is compared with what is around."""

_ABOVE: Final = 1.3
"""Level of faint ink over the mean level around it, at least."""

_MARGIN: Final = 4
"""Pixels of paper around the scaled ink."""


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    """The ink of a picture; ``x_picture = (x + x0) / scale`` for corners of pixels."""

    mask: Mask
    levels: NDArray[np.uint8]
    """The same before it was ink or not: 0 for paper, 255 for the usual stroke."""
    scale: float
    """Its pixels per pixel of the picture."""
    x0: float
    y0: float
    width: float
    """Of the usual stroke, its pixels."""


def find_ink(picture: NDArray[np.uint8]) -> Ink | None:
    """The ink of a picture ``(H, W)`` or ``(H, W, 3)`` on light paper, or light on dark; None without any.

    Colors count by their darkest channel, so that yellow on white is ink.
    """
    gray = picture if picture.ndim == 2 else picture.min(axis=2)
    if gray.size == 0 or int(gray.max()) - int(gray.min()) < _MIN_CONTRAST:
        return None
    threshold, ink = cv2.threshold(gray, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    if ink.mean() > 0.5:
        gray, ink, threshold = 255 - gray, 1 - ink, 255 - threshold - 1
    if not 0 < ink.mean() <= _MAX_INK:
        return None
    x, y, wide, high = cv2.boundingRect(ink)
    part = ink[y : y + high, x : x + wide]
    width = stroke_width(np.asarray(part, np.uint8))
    if width <= 0:
        return None
    wanted = float(np.clip(width, *STROKE_PX))
    scale = float(np.clip(wanted / width, _MIN_SCALE, _MAX_SCALE))
    scale = min(scale, (MAX_PIXELS / (wide * high)) ** 0.5)
    levels = _levels(gray[y : y + high, x : x + wide], np.asarray(part, np.uint8), float(threshold))
    large = _scaled(levels, scale)
    mask = _inked(large, levels, scale, width)
    x0, y0 = x * scale - _MARGIN, y * scale - _MARGIN
    shown = np.asarray(np.clip(255 * large, 0, 255), np.uint8)
    return Ink(mask, shown, scale, x0, y0, stroke_width(mask) or width * scale)


def stroke_width(ink: Mask) -> float:
    """Pixels: the middle width of strokes over their pixels; 0 without ink.

    A stroke of width w at an angle is crossed by rows in h = w / sin and by columns in v = w / cos, so that
    w = h v / sqrt(h² + v²).
    """
    rows, columns = _runs(ink), _runs(np.ascontiguousarray(ink.T)).T
    inked = ink > 0
    if not inked.any():
        return 0.0
    h, v = rows[inked], columns[inked]
    return float(np.median(h * v / np.hypot(h, v)))


def _runs(ink: Mask) -> NDArray[np.float32]:
    """For each pixel the length of the run of ink in its row that it is in; 0 on paper."""
    height, width = ink.shape
    padded = np.zeros((height, width + 2), np.int8)
    padded[:, 1:-1] = ink
    steps = np.diff(padded, axis=1).ravel()
    begins, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    found = np.zeros(height * (width + 1), np.float32)
    lengths = ends - begins
    found[np.flatnonzero((padded[:, 1:] == 1).ravel())] = np.repeat(lengths, lengths)
    return found.reshape(height, width + 1)[:, :width]


def _levels(gray: NDArray[np.uint8], ink: Mask, threshold: float) -> NDArray[np.float32]:
    """Gray values as 0 for paper and 1 for ink, with the threshold at a half."""
    inside = ink > 0
    dark = float(np.median(gray[inside]))
    light = float(np.median(gray[~inside])) if not inside.all() else 255.0
    middle = threshold + 0.5
    return np.interp(gray.astype(np.float32), (dark, middle, max(light, middle + 1)), (1, 0.5, 0)).astype(
        np.float32
    )


def _floor(levels: NDArray[np.float32]) -> float:
    """Least level of faint ink: above the noise of the paper."""
    paper = levels[levels < 0.4]
    noise = float(np.sqrt((paper**2).mean())) if len(paper) else 0.0
    return float(np.clip(_FAINT + 4 * noise, _FAINT, 0.5))


def _scaled(levels: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Levels at another scale, with a margin of paper."""
    margin = int(np.ceil(_MARGIN / scale)) + 1
    framed = cv2.copyMakeBorder(levels, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    offset = margin * scale - _MARGIN
    height, wide = (round(side * scale) + 2 * _MARGIN for side in levels.shape)
    if scale < 1:
        sigma = 0.4 / scale
        framed = cv2.GaussianBlur(framed, (0, 0), sigma)
    # Corners of pixels are kept in place: x' + 0.5 = (x + 0.5) scale - offset.
    shift = 0.5 * scale - 0.5 - offset
    matrix = np.array([[scale, 0, shift], [0, scale, shift]])
    return np.asarray(cv2.warpAffine(framed, matrix, (wide, height), flags=cv2.INTER_CUBIC), np.float32)


def _inked(large: NDArray[np.float32], levels: NDArray[np.float32], scale: float, width: float) -> Mask:
    """Ink of scaled levels, with the stairs of pixels rounded. ``levels`` are those before, with strokes of
    ``width``."""
    if scale > 1:
        is_binary = bool(np.isin(levels, (0, 1)).all())
        sigma = max(_SMOOTHING * width, _BINARY_SMOOTHING if is_binary else 0.0)
        large = cv2.GaussianBlur(large, (0, 0), max(sigma * scale, 0.3))
    # A stroke thinner than a pixel is gray: it counts where it is darker than what is around.
    reach = 2 * round(_AROUND * width * scale) + 1
    around = cv2.blur(large, (reach, reach))
    return np.asarray(large > np.clip(_ABOVE * around, _floor(levels), 0.5), np.uint8)
