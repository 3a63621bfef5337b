"""Pictures of PDF pages on their way from the process that draws them, and the resolution of scanned ones."""

from __future__ import annotations

from collections.abc import Sequence
from pickle import PickleBuffer
from typing import NamedTuple

import numpy as np
from PIL import Image

from docai.geometry import BBox, area, intersection_area
from docai.pipelines.ingest.page import VECTOR_SCALE

_MIN_SCANNED_SHARE = 0.5
"""Share of a box that images must cover for it to count as scanned."""

_MAX_NATIVE_SCALE = 1200 / 72
"""Pixels per point: 1200 dpi is more than scanners give; an image with more is a large one shown small."""

PlacedImage = tuple[BBox, float]
"""The box of an image on the displayed page, and its pixels per point."""


class Pixels(NamedTuple):
    """A rectangle of RGB pixels, rows without padding, and where in its picture it lies."""

    x: int
    y: int
    width: int
    height: int
    samples: bytearray | PickleBuffer
    """Wrapped so that they are not copied on their way to another process, where they arrive unwrapped."""


def place_pixels(pixels: Pixels | None, size: tuple[int, int]) -> Image.Image:
    """The picture of ``size`` that the pixels are part of, white around them."""
    if pixels is None:
        return Image.new("RGB", size, "white")
    shown = pixels.width, pixels.height
    samples = np.frombuffer(memoryview(pixels.samples), np.uint8)
    picture = Image.frombuffer("RGB", shown, samples, "raw", "RGB", 0, 1)
    if picture.size == size and (pixels.x, pixels.y) == (0, 0):
        return picture
    canvas = Image.new("RGB", size, "white")
    canvas.paste(picture, (pixels.x, pixels.y))
    return canvas


def scale_of_images(images: Sequence[PlacedImage], bbox: BBox) -> float:
    """Pixels per point of the images that cover ``bbox``; :data:`VECTOR_SCALE` where none do."""
    whole = max(area(bbox), 1e-9)
    covered, scale = 0.0, 0.0
    for box, image_scale in images:
        shared = intersection_area(bbox, box)
        covered += shared
        if shared > 0.01 * whole:
            scale = max(scale, image_scale)
    if covered < _MIN_SCANNED_SHARE * whole or scale == 0.0:
        return VECTOR_SCALE
    return min(scale, _MAX_NATIVE_SCALE)
