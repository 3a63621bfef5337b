"""Detection of blank crops. A model that is shown a blank crop writes something anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

MIN_CONTRAST = 12
"""Gray levels by which the faintest line differs from the paper around it."""
NOISE_FACTOR = 4
"""Factor by which a mark exceeds the noise around it."""
MIN_BOLD_CONTRAST = 48
"""Gray levels by which strokes too wide for full resolution differ; more than paper differs from padding."""
MIN_MARK_SIDE = 10
"""Pixels that a mark extends in its longer direction; dust and compression noise extend less."""
_KERNEL_SIDE = 15
_TILE_SIDE = 32


def is_blank(image: Image) -> bool:
    """True if the crop has no mark: paper of an even or slowly changing tone, with or without noise.

    A mark is a connected group of pixels, at least :data:`MIN_MARK_SIDE` px long, that differs from the paper
    around it by :data:`MIN_CONTRAST` gray levels and by several times the noise there. Dark and light strokes
    are what a morphological closing and then an opening with a 15 px square remove; unlike a gradient, that
    does not respond to edges between areas, such as those of paper on a padded square. Bold strokes, up to
    120 px wide, are searched on reduced copies.

    Args:
        image: any mode; converted to gray.
    """
    import cv2

    gray = np.asarray(image.convert("L"))
    if int(gray.max()) - int(gray.min()) < MIN_CONTRAST:
        return True
    strokes = _strokes(gray)
    if _has_mark(strokes, _local_threshold(strokes)):
        return False
    for reduction in (4, 8):
        size = (max(1, gray.shape[1] // reduction), max(1, gray.shape[0] // reduction))
        strokes = _strokes(cv2.resize(gray, size, interpolation=cv2.INTER_AREA))
        if _has_mark(strokes, np.full(strokes.shape, MIN_BOLD_CONTRAST), shortest=4):
            return False
    return True


def _strokes(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Difference of each pixel from the paper around it in gray levels, (height, width)."""
    import cv2

    kernel = np.ones((_KERNEL_SIDE, _KERNEL_SIDE), np.uint8)
    closed = cv2.morphologyEx(gray, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
    # Opens what the closing left: otherwise the gaps between dark strokes would look like light strokes.
    paper = cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE)
    strokes: NDArray[np.uint8] = np.asarray(cv2.absdiff(gray, paper), dtype=np.uint8)
    return strokes


def _local_threshold(strokes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Difference that a mark must exceed, by pixel: several times the median of the noisiest tile nearby."""
    import cv2

    rows, cols = (max(1, side // _TILE_SIDE) for side in strokes.shape)
    cut = strokes[: rows * _TILE_SIDE, : cols * _TILE_SIDE]
    if min(strokes.shape) < _TILE_SIDE:
        medians = np.full((rows, cols), np.median(strokes), np.float32)
    else:
        tiles = cut.reshape(rows, _TILE_SIDE, cols, _TILE_SIDE)
        medians = np.median(tiles, axis=(1, 3)).astype(np.float32)
    medians = cv2.dilate(medians, np.ones((3, 3), np.uint8))
    # The upper bound keeps densely drawn areas from being treated as noise.
    threshold = np.clip(NOISE_FACTOR * medians, MIN_CONTRAST, 64)
    whole: NDArray[np.float32] = cv2.resize(threshold, strokes.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return whole


def _has_mark(strokes: NDArray[np.uint8], threshold: NDArray[Any], shortest: int = MIN_MARK_SIDE) -> bool:
    import cv2

    mask = (strokes > threshold).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return False
    extents = stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    return bool((extents >= shortest).any())
