"""What printing, scanning and compressing do to a picture, in a mild form.

All functions take and give SIZE x SIZE gray arrays. Only :func:`tilt` moves anything.
"""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.synthesis.base import MARGIN, Gray

_GRAIN_SIDE = 1200


def degrade(gray: Gray, rng: random.Random, strength: float) -> Gray:
    """Contrast, stroke weight, blur, resampling, grain and JPEG, each sometimes; 0 leaves the picture.

    Changes the content and a margin around it, as a crop of a noisy page has it; the padding of the
    square stays white. ``strength`` is 0…1.
    """
    if strength <= 0 or rng.random() > 0.25 + 0.6 * strength:
        return gray
    ink = gray < 250
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return gray
    y0, y1 = max(0, rows[0] - MARGIN), rows[-1] + 1 + MARGIN
    x0, x1 = max(0, columns[0] - MARGIN), columns[-1] + 1 + MARGIN
    noisy = gray.copy()
    noisy[y0:y1, x0:x1] = _worsen(gray[y0:y1, x0:x1], rng, strength)
    return noisy


def _worsen(image: Gray, rng: random.Random, strength: float) -> Gray:
    import cv2

    height, width = image.shape
    if rng.random() < 0.25 * strength:
        kernel = np.ones((2, 2), np.uint8)
        image = (cv2.erode if rng.random() < 0.7 else cv2.dilate)(image, kernel)
    if rng.random() < 0.3 * strength:
        factor = rng.uniform(1 - 0.5 * strength, 0.95)
        small = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.5 * strength:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 0.5 + 0.9 * strength))
    if rng.random() < 0.6 * strength:
        black = rng.uniform(0, 90 * strength)
        white = rng.uniform(255 - 14 * strength, 255)
        image = cv2.LUT(image, np.linspace(black, white, 256).astype(np.uint8))
    if rng.random() < 0.4 * strength:
        image = cv2.add(image, _grain(rng, height, width, 12 * strength), dtype=cv2.CV_8U)
    if rng.random() < 0.3 * strength:
        quality = rng.randint(round(90 - 50 * strength), 92)
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    return image


def tilt(gray: Gray, rng: random.Random, degrees: float) -> tuple[Gray, NDArray[np.float64]]:
    """Turn by at most ``degrees`` about the centre; also gives the 2 x 3 matrix that points follow."""
    import cv2

    side = gray.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-degrees, degrees), 1.0)
    turned = cv2.warpAffine(gray, matrix, (side, side), flags=cv2.INTER_LINEAR, borderValue=255)
    return np.asarray(turned, dtype=np.uint8), np.asarray(matrix, dtype=np.float64)


@lru_cache(maxsize=1)
def _grain_sheet() -> NDArray[np.float32]:
    """Unit normal noise, made once: drawing fresh noise would cost more than drawing the picture."""
    return np.random.default_rng(0).standard_normal((_GRAIN_SIDE, _GRAIN_SIDE), dtype=np.float32)


def _grain(rng: random.Random, height: int, width: int, deviation: float) -> NDArray[np.int16]:
    y, x = rng.randrange(_GRAIN_SIDE - height), rng.randrange(_GRAIN_SIDE - width)
    sheet = _grain_sheet()[y : y + height, x : x + width]
    return (sheet * rng.uniform(1, 1 + deviation)).astype(np.int16)
