"""Is there anything to read on a crop? A model shown nothing writes something all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

FAINTEST = 12
"""Grey levels by which the faintest line differs from the paper around it."""
NOISE_FACTOR = 4
"""A mark stands out by this many times the noise around it."""
BOLD = 48
"""Grey levels by which strokes too wide for the fine view differ; more than paper differs from padding."""
SHORTEST = 10
"""Pixels that a mark extends in some direction; dust and compression noise extend less."""
_KERNEL = 15
_TILE = 32


def is_blank(image: Image) -> bool:
    """True where the crop holds no mark: paper of any even or slowly changing tone, with or without noise.

    A mark is a connected group of pixels, at least :data:`SHORTEST` px long, that stands out against the
    paper around it by :data:`FAINTEST` grey levels and well above the noise there. Strokes are what a
    morphological closing and then an opening with a 15 px square take away, dark ones and light ones;
    unlike a gradient, that does not answer to edges between areas, such as paper on a padded square.
    Bold strokes, up to 120 px wide, are looked for on reduced copies.

    Args:
        image: any mode; judged in grey.
    """
    import cv2

    gray = np.asarray(image.convert("L"))
    if int(gray.max()) - int(gray.min()) < FAINTEST:
        return True
    strokes = _strokes(gray)
    if _has_mark(strokes, _local_threshold(strokes)):
        return False
    for reduction in (4, 8):
        size = (max(1, gray.shape[1] // reduction), max(1, gray.shape[0] // reduction))
        strokes = _strokes(cv2.resize(gray, size, interpolation=cv2.INTER_AREA))
        if _has_mark(strokes, np.full(strokes.shape, BOLD), shortest=4):
            return False
    return True


def _strokes(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How far each pixel differs from the paper around it, (height, width)."""
    import cv2

    kernel = np.ones((_KERNEL, _KERNEL), np.uint8)
    closed = cv2.morphologyEx(gray, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
    # Only what the closing left: dark strokes would make the gaps between them look like light ones.
    paper = cv2.morphologyEx(closed, cv2.MORPH_OPEN, kernel, borderType=cv2.BORDER_REPLICATE)
    strokes: NDArray[np.uint8] = np.asarray(cv2.absdiff(gray, paper), dtype=np.uint8)
    return strokes


def _local_threshold(strokes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a mark has to exceed at each pixel: several times the median of the noisiest tile nearby."""
    import cv2

    rows, cols = (max(1, side // _TILE) for side in strokes.shape)
    cut = strokes[: rows * _TILE, : cols * _TILE]
    if min(strokes.shape) < _TILE:
        medians = np.full((rows, cols), np.median(strokes), np.float32)
    else:
        tiles = cut.reshape(rows, _TILE, cols, _TILE)
        medians = np.median(tiles, axis=(1, 3)).astype(np.float32)
    medians = cv2.dilate(medians, np.ones((3, 3), np.uint8))
    # The upper bound keeps a densely drawn area from passing for noise.
    threshold = np.clip(NOISE_FACTOR * medians, FAINTEST, 64)
    whole: NDArray[np.float32] = cv2.resize(threshold, strokes.shape[::-1], interpolation=cv2.INTER_NEAREST)
    return whole


def _has_mark(strokes: NDArray[np.uint8], threshold: NDArray[Any], shortest: int = SHORTEST) -> bool:
    import cv2

    mask = (strokes > threshold).astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return False
    extents = stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    return bool((extents >= shortest).any())
