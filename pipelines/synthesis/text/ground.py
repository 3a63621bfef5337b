"""The background of text, and its ink: paper, tints, textures, photo-like pictures, dark grounds.

A ground has a range of gray levels, and the ink a level outside it, so that every word contrasts with the
ground behind it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docai.pipelines.synthesis.base import Gray
from docai.pipelines.synthesis.noise import harsh

Kind = Literal["flat", "shade", "fibers", "lines", "photo"]
Color = tuple[int, int, int]
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Ground:
    """Pixels behind the text, gray ``(H, W)`` or RGB ``(H, W, 3)``, and their range of gray levels."""

    pixels: Gray
    low: int
    high: int


def paint_ground(rng: random.Random, height: int, width: int, difficulty: float, *, photo: bool) -> Ground:
    """A ground of that size. ``photo``: for a scene, light or dark, not for a sheet."""
    late = harsh(difficulty)
    if photo or rng.random() < 0.12 * late:
        low, high = _pick_range(rng, dark=rng.random() < 0.5, spread=rng.randint(10, 30 + round(70 * late)))
        kind: Kind = rng.choice(("photo", "photo", "photo", "shade", "flat") if photo else ("shade", "flat"))
    else:
        low = rng.randint(235 - round(65 * late), 246)
        high = rng.randint(low + 6, 254)
        kind = rng.choice(("flat", "shade", "fibers", "lines"))
    colored = rng.random() < 0.6
    base = tint(rng, rng.randint(low, high)) if colored else None
    pixels = _PAINTERS[kind](rng, height, width, low, high)
    if base is not None:
        pixels = _add_hue(pixels, base, rng, photo=kind == "photo")
    gray = pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))
    return Ground(pixels, int(gray.min()), int(gray.max()))


def pick_ink(rng: random.Random, ground: Ground, difficulty: float) -> Color:
    """An ink darker, or lighter, than all of the ground: by 70 of 255 levels where that is possible."""
    contrast = rng.randint(110 - round(40 * harsh(difficulty)), 200)
    if ground.low >= 255 - ground.high:
        level = max(0, min(ground.low - contrast, 120))
    else:
        level = min(255, ground.high + contrast)
    return tint(rng, level) if rng.random() < 0.5 else (level, level, level)


def tint(rng: random.Random, level: int) -> Color:
    """A random color of that luminance (ITU-R BT.601), within a level or two."""
    color = np.array([rng.uniform(0, 255) for _ in range(3)])
    for _ in range(12):
        color = np.clip(color + (level - float(color @ _LUMA)), 0, 255)
    red, green, blue = (round(float(value)) for value in color)
    return red, green, blue


def _pick_range(rng: random.Random, *, dark: bool, spread: int) -> tuple[int, int]:
    """Gray levels of a scene: below 115, or above 165."""
    low = rng.randint(0, max(0, 110 - spread)) if dark else rng.randint(165, max(165, 250 - spread))
    return low, min(low + spread, 110 if dark else 254)


def _flat(rng: random.Random, height: int, width: int, low: int, high: int) -> Gray:
    return np.full((height, width), rng.randint(low, high), np.uint8)


def _shade(rng: random.Random, height: int, width: int, low: int, high: int) -> Gray:
    """A gradient between two levels, in any direction."""
    return _field(rng, height, width, (2,), low, high)


def _fibers(rng: random.Random, height: int, width: int, low: int, high: int) -> Gray:
    """Paper from close up: cloudy, with a grain."""
    return _field(rng, height, width, (6, 40, 220), low, high)


def _lines(rng: random.Random, height: int, width: int, low: int, high: int) -> Gray:
    """Ruled or squared paper, or stripes."""
    pixels = np.full((height, width), high, np.uint8)
    step, weight = rng.randint(14, 60), rng.choice((1, 1, 2, rng.randint(3, 14)))
    across = rng.random() < 0.7
    for offset in range(weight):
        if across:
            pixels[offset::step] = low
        if not across or rng.random() < 0.3:
            pixels[:, offset::step] = low
    return pixels


def _photo(rng: random.Random, height: int, width: int, low: int, high: int) -> Gray:
    """Clouds, surfaces with edges, and grain: as busy as a photo, without recognizable objects."""
    import cv2

    pixels = _field(rng, height, width, (3, 9, 30), low, high)
    for _ in range(rng.randint(2, 14)):
        level = rng.randint(low, high)
        center = (rng.randrange(width), rng.randrange(height))
        if rng.random() < 0.5:
            axes = (rng.randint(10, max(11, width // 3)), rng.randint(10, max(11, height // 3)))
            cv2.ellipse(pixels, center, axes, rng.uniform(0, 180), 0, 360, level, -1, cv2.LINE_AA)
        else:
            spread = max(30, min(height, width) // 2)
            corners = [[at + rng.randint(-spread, spread) for at in center] for _ in range(4)]
            cv2.fillConvexPoly(pixels, cv2.convexHull(np.array(corners, np.int32)), level, cv2.LINE_AA)
    if rng.random() < 0.7:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.8, 6)), np.uint8)
    grain = _field(rng, height, width, (rng.randint(60, 300),), 0, 255)
    share = rng.uniform(0, 0.25)
    grainy = cv2.addWeighted(pixels, 1 - share, grain, share * (high - low) / 255, share * low)
    return np.asarray(grainy, np.uint8)


def _field(rng: random.Random, height: int, width: int, cells: tuple[int, ...], low: int, high: int) -> Gray:
    """Smooth noise between two levels, a sum of layers with so many cells along the longer side."""
    import cv2

    generator = np.random.default_rng(rng.getrandbits(64))
    total: NDArray[np.float32] = np.zeros((height, width), np.float32)
    for number, n in enumerate(cells):
        shape = (max(2, n * height // max(height, width)), max(2, n * width // max(height, width)))
        coarse = generator.random(shape, dtype=np.float32) / (1 + number)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.normalize(total, None, low, high, cv2.NORM_MINMAX), np.float32).astype(np.uint8)


def _add_hue(gray: Gray, base: Color, rng: random.Random, *, photo: bool) -> Gray:
    """The gray ground in a hue; the hue of a photo varies from place to place."""
    import cv2

    level = sum(weight * value for weight, value in zip(_LUMA, base, strict=True))
    shift = np.array([value - level for value in base], np.float32) * rng.uniform(0.3, 1)
    wide = np.repeat(gray[:, :, None], 3, axis=2)
    if not photo:
        return np.asarray(cv2.add(wide, (*map(float, shift), 0.0)), np.uint8)
    height, width = gray.shape[:2]
    mix = _field(rng, height, width, (4,), 0, 255)
    second_shift = np.array([shift[1], shift[2], shift[0]], np.float32)
    warm = cv2.add(wide, (*map(float, shift), 0.0))
    cold = cv2.add(wide, (*map(float, second_shift), 0.0))
    mask = np.repeat(mix[:, :, None], 3, axis=2)
    return np.asarray(
        cv2.add(cv2.multiply(warm, mask, scale=1 / 255), cv2.multiply(cold, 255 - mask, scale=1 / 255)),
        np.uint8,
    )


_PAINTERS = {"flat": _flat, "shade": _shade, "fibers": _fibers, "lines": _lines, "photo": _photo}
