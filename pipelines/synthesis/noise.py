"""Noise of printing, copying, scanning, photographing and compressing.

:func:`degrade` changes pixel values and moves nothing. :func:`tilt` and :func:`distort` move the content and
return the matrix for boxes and marks (:func:`follow`). Pictures are SIZE x SIZE, gray or RGB.

Up to a strength of :data:`MILD` the noise is that of a clean scan: contrast, stroke weight, blur, resampling,
grain, JPEG. Above it come uneven light, show-through, dirt, camera shake, faded print and fax.
"""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.synthesis.base import MARGIN, SIZE, Box, Gray

MILD = 0.35
"""Strength up to which the noise is mild."""
EDGE = 8
"""Pixels along the sides of the square that stay white."""
_GRAIN_SIDE = 1200
"""Side of the precomputed sheet of grain, pixels."""
_DARKEST_INK = 140
"""Highest gray level that black may fade to."""


def harsh(strength: float) -> float:
    """0 up to :data:`MILD`, then linear up to 1 at full strength."""
    return max(0.0, (strength - MILD) / (1 - MILD))


def degrade(
    gray: Gray, rng: random.Random, strength: float, *, detail: float = 16.0, fax: bool = True
) -> Gray:
    """Add noise of a scan or a photo, each kind at random; strength 0 changes nothing.

    The content and a margin around it are changed, as in a crop of a noisy page; the padding of the square
    stays white.

    Args:
        gray: SIZE x SIZE, or SIZE x SIZE x 3.
        rng: chooses kinds and amounts.
        strength: 0…1.
        detail: height in pixels of the smallest symbol that must stay legible, such as an x. It limits blur,
            resampling and fax.
        fax: whether the picture may become black and white, which makes a gray ground black together with the
            text on it.
    """
    if strength <= 0 or rng.random() > 0.25 + 0.6 * strength:
        return gray
    rows, columns = _inked(gray)
    if not len(rows):
        return gray
    content = gray[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    sparse = content[::9, ::9]
    # A tinted sheet includes its margin.
    margin = 0 if np.median(sparse if gray.ndim == 2 else sparse.min(axis=2)) < 250 else MARGIN
    y0, y1 = max(EDGE, int(rows[0]) - margin), min(gray.shape[0] - EDGE, int(rows[-1]) + 1 + margin)
    x0, x1 = max(EDGE, int(columns[0]) - margin), min(gray.shape[1] - EDGE, int(columns[-1]) + 1 + margin)
    if y0 >= y1 or x0 >= x1:
        return gray
    noisy = gray.copy()
    noisy[y0:y1, x0:x1] = _worsen(gray[y0:y1, x0:x1], rng, strength, detail, fax)
    return noisy


def _inked(image: Gray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns with anything but white paper."""
    import cv2

    ink = (image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) < 250
    return np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))


def _worsen(image: Gray, rng: random.Random, strength: float, detail: float, fax: bool) -> Gray:
    import cv2

    height, width = image.shape[:2]
    late = harsh(strength)
    darkest = int(image.min())
    seen_through = rng.random() < 0.3 * late
    if seen_through:
        image = _show_through(image, rng, 0.3 * late)
    if rng.random() < 0.25 * strength and detail >= 12:
        kernel = np.ones((2, 2), np.uint8)
        image = np.asarray((cv2.erode if rng.random() < 0.7 else cv2.dilate)(image, kernel), np.uint8)
    if rng.random() < 0.3 * strength + 0.15 * late:
        # An x of five pixels is about that of ten-point print at 100 dpi.
        coarsest = max(1 - 0.5 * strength - 0.2 * late, min(0.95, 5.0 / detail))
        factor = rng.uniform(coarsest, 0.95)
        small = (max(1, round(width * factor)), max(1, round(height * factor)))
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
        back = rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC)) if late > 0 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, (width, height), interpolation=back), np.uint8)
    if rng.random() < 0.5 * strength:
        sigma = min(rng.uniform(0.4, 0.5 + 0.9 * strength + 0.4 * late), max(0.5, detail / 9))
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    elif rng.random() < 0.2 * late:
        image = _shake(image, rng, min(3 + 4 * late, detail / 3))
    if rng.random() < 0.6 * strength:
        # Ink on a colored ground has less contrast from the start.
        black = rng.uniform(0, 90 * strength + 40 * late) * (1.0 if image.ndim == 2 else 0.5)
        white = rng.uniform(255 - 14 * strength - 40 * late, 255)
        image = _between(image, black, white, darkest)
    lit = rng.random() < 0.35 * late
    if lit:
        image = _light(image, rng, 0.55 * late)
    if rng.random() < 0.4 * strength:
        deviation = 12 * strength + 8 * late
        image = _add(image, _grain(rng, height, width, deviation))
    if rng.random() < 0.2 * late:
        image = _dirt(image, rng, 0.004 * late)
    # A threshold would make show-through as black as the print, and the picture would not match its target.
    if rng.random() < 0.12 * late and fax and image.ndim == 2 and detail >= 11 and not seen_through:
        return _fax(image, rng, local=lit, fine=detail < 14)
    if rng.random() < 0.3 * strength + 0.1 * late:
        quality = rng.randint(round(90 - 50 * strength - 8 * late), 92)
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        flags = cv2.IMREAD_GRAYSCALE if image.ndim == 2 else cv2.IMREAD_COLOR
        image = np.asarray(cv2.imdecode(packed, flags), dtype=np.uint8)
    return image


def _between(image: Gray, black: float, white: float, darkest: int) -> Gray:
    """Map 0…255 to black…white, with black limited so that the ink stays visible."""
    import cv2

    room = (_DARKEST_INK - darkest * white / 255) / max(1.0, 1 - darkest / 255)
    black = min(black, max(0.0, room))
    return np.asarray(cv2.LUT(image, np.linspace(black, white, 256).astype(np.uint8)), np.uint8)


def _light(image: Gray, rng: random.Random, depth: float) -> Gray:
    """Uneven light: shadows, a fold, a lamp at one side."""
    import cv2

    height, width = image.shape[:2]
    n = rng.choice((2, 2, 3, 4))
    coarse = np.array([[1 - depth * rng.random() for _ in range(n)] for _ in range(n)], np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC if n > 2 else cv2.INTER_LINEAR)
    field = np.clip(field * (255 / max(float(coarse.max()), 0.1)), 60, 255).astype(np.uint8)
    return np.asarray(cv2.multiply(image, _like(field, image), scale=1 / 255), np.uint8)


def _show_through(image: Gray, rng: random.Random, depth: float) -> Gray:
    """Print on the back that shines through: the same picture, mirrored, blurred and faint."""
    import cv2

    if np.median(image[::9, ::9]) < 128:
        return image
    back = cv2.flip(image, rng.choice((1, 1, -1)))
    back = np.roll(back, (rng.randint(-60, 60), rng.randint(-60, 60)), axis=(0, 1))
    back = cv2.GaussianBlur(back, (0, 0), rng.uniform(0.8, 2.5))
    share = rng.uniform(0.25, 1) * depth
    faint = cv2.LUT(back, np.linspace(255 * (1 - share), 255, 256).astype(np.uint8))
    return np.asarray(cv2.multiply(image, faint, scale=1 / 255), np.uint8)


def _shake(image: Gray, rng: random.Random, longest: float) -> Gray:
    """Motion blur along one direction."""
    import cv2

    length = rng.uniform(2.0, max(2.0, longest))
    side = 2 * int(length // 2 + 1) + 1
    kernel = np.zeros((side, side), np.float32)
    kernel[side // 2, :] = np.clip(length / 2 + 0.5 - np.abs(np.arange(side) - side // 2), 0, 1)
    turn = cv2.getRotationMatrix2D((side // 2, side // 2), rng.uniform(0, 180), 1.0)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (side, side)), np.float32)
    shaken = cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(shaken, np.uint8)


def _dirt(image: Gray, rng: random.Random, share: float) -> Gray:
    """Salt and pepper noise: black and white dots, one or two pixels wide."""
    generator = np.random.default_rng(rng.getrandbits(64))
    height, width = image.shape[:2]
    count = int(height * width * share * rng.random())
    dirty = image.copy()
    side = rng.choice((1, 1, 2))
    y, x = generator.integers(0, height - 1, count), generator.integers(0, width - 1, count)
    value = np.where(generator.random(count) < 0.6, 0, 255).astype(np.uint8)
    for down in range(side):
        for right in range(side):
            dirty[y + down, x + right] = value if image.ndim == 2 else value[:, None]
    return dirty


def _fax(image: Gray, rng: random.Random, *, local: bool, fine: bool) -> Gray:
    """Black and white, by Otsu's threshold, or by a local one where the light is uneven.

    ``fine``: a lower threshold, so that small letters stay open.
    """
    import cv2

    soft = cv2.GaussianBlur(image, (0, 0), 0.6)
    if local or rng.random() < 0.4:
        offset = rng.uniform(8, 16)
        fax = cv2.adaptiveThreshold(soft, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 61, offset)
    else:
        level, _ = cv2.threshold(soft, 0, 255, cv2.THRESH_OTSU)
        _, fax = cv2.threshold(
            soft, level + (rng.uniform(-12, 0) if fine else rng.uniform(-12, 25)), 255, cv2.THRESH_BINARY
        )
    return np.asarray(fax, np.uint8)


def tilt(gray: Gray, rng: random.Random, degrees: float) -> tuple[Gray, NDArray[np.float64]]:
    """Rotate by at most ``degrees`` about the center; also returns the 2 x 3 matrix for points."""
    import cv2

    side = gray.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-degrees, degrees), 1.0)
    return warp(gray, np.vstack([matrix, (0, 0, 1)])), np.asarray(matrix, dtype=np.float64)


def distort(gray: Gray, rng: random.Random, strength: float) -> tuple[Gray, NDArray[np.float64]]:
    """Rotate, shear and apply perspective around the content's center, as of a photographed sheet.

    Also returns the 3 x 3 matrix for points. Content inside the square's white edge stays inside.
    """
    rows, columns = _inked(gray)
    if not len(rows) or strength <= 0:
        return gray, np.eye(3)
    content = Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    matrix = distortion(content, rng, strength)
    return warp(gray, matrix), matrix


def distortion(content: Box, rng: random.Random, strength: float) -> NDArray[np.float64]:
    """The 3 x 3 matrix of :func:`distort` for content in that box. ``strength`` 1: 4° and 6 % of a side."""
    import cv2

    x0, y0, x1, y1 = content
    center = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    angle = np.deg2rad(rng.uniform(-4, 4) * strength * rng.random())
    shear = rng.uniform(-0.03, 0.03) * strength
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (corners - center) @ (turn @ np.array([[1, shear], [0, 1]])).T
    if rng.random() < 0.5:
        # Perspective: each corner moves a little by itself.
        reach = 0.06 * strength * np.array([x1 - x0, y1 - y0])
        moved += np.array([[rng.uniform(-0.5, 0.5) for _ in range(2)] for _ in range(4)]) * reach
    # Keep the center, and stay inside the square's white edge.
    low, high = moved.min(axis=0), moved.max(axis=0)
    moved -= (low + high) / 2
    free = np.minimum(center, SIZE - center) - max(EDGE, min(MARGIN, x0, y0, SIZE - x1, SIZE - y1))
    factor = min(1.0, float((free / np.maximum((high - low) / 2, 1e-6)).min()))
    moved = moved * max(factor, 0.1) + center
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))
    return np.asarray(matrix, np.float64)


def warp(gray: Gray, matrix: NDArray[np.float64], side: int | None = None) -> Gray:
    """The picture transformed by a 3 x 3 matrix into a white square of ``side``, by default its own height.

    Coordinates refer to pixel corners, as those of boxes: the center of a pixel is at a half.
    """
    import cv2

    side = side or gray.shape[0]
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    centered = np.linalg.inv(half) @ matrix @ half
    white = 255 if gray.ndim == 2 else (255, 255, 255)
    moved = cv2.warpPerspective(gray, centered, (side, side), flags=cv2.INTER_LINEAR, borderValue=white)
    return np.asarray(moved, dtype=np.uint8)


def follow(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(N, 2)`` points transformed by a 2 x 3 or 3 x 3 matrix."""
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    return moved[:, :2] / moved[:, 2:] if matrix.shape[0] == 3 else moved


def _like(gray: Gray, image: Gray) -> Gray:
    """A gray picture with as many channels as ``image``."""
    return gray if image.ndim == 2 else np.repeat(gray[:, :, None], image.shape[2], axis=2)


def _add(image: Gray, noise: NDArray[np.int16]) -> Gray:
    import cv2

    spread = noise if image.ndim == 2 else np.repeat(noise[:, :, None], image.shape[2], axis=2)
    return np.asarray(cv2.add(image, spread, dtype=cv2.CV_8U), np.uint8)


@lru_cache(maxsize=1)
def _grain_sheet() -> NDArray[np.float32]:
    """Unit normal noise, made once: new noise would take longer than drawing the picture."""
    return np.random.default_rng(0).standard_normal((_GRAIN_SIDE, _GRAIN_SIDE), dtype=np.float32)


def _grain(rng: random.Random, height: int, width: int, deviation: float) -> NDArray[np.int16]:
    y, x = rng.randrange(_GRAIN_SIDE - height), rng.randrange(_GRAIN_SIDE - width)
    sheet = _grain_sheet()[y : y + height, x : x + width]
    return (sheet * rng.uniform(1, 1 + deviation)).astype(np.int16)
