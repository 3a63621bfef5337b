"""Regions into the squares that a head reads, and the way back.

A crop is drawn afresh from the page at the scale it needs, centered on white with its aspect kept, as
PaliGemma 2's table, molecule and score heads were trained (arXiv 2412.03555, appendix on tasks). Its
transform takes page points to crop pixels and to ``<loc>`` bins and back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from PIL import Image

from docai.geometry import BBox
from docai.pipelines.ingest import Page

CROP_SIZE: Final = 896

MARGIN: Final = 20

MAX_SCALE: Final = 6.0
"""Pixels per point above which a small region is not enlarged further. A 10 pt line is then 60 px high,
four times what print on a full page gets: larger letters carry no more detail, and no head saw them."""

LOC_BINS: Final = 1024

Bins = tuple[int, int, int, int]


@dataclass(frozen=True)
class CropTransform:
    """Where the pixels of a square crop lie on the page.

    Attributes:
        x0, y0: page point of the outer corner of pixel (0, 0).
        scale: crop pixels per point.
        size: side of the square in pixels.
    """

    x0: float
    y0: float
    scale: float
    size: int

    def to_crop(self, box: BBox) -> BBox:
        """Page points to crop pixels."""
        left, top, right, bottom = box
        return (
            (left - self.x0) * self.scale,
            (top - self.y0) * self.scale,
            (right - self.x0) * self.scale,
            (bottom - self.y0) * self.scale,
        )

    def to_page(self, box: BBox) -> BBox:
        """Crop pixels to page points."""
        left, top, right, bottom = box
        return (
            left / self.scale + self.x0,
            top / self.scale + self.y0,
            right / self.scale + self.x0,
            bottom / self.scale + self.y0,
        )

    def to_unit(self, box: BBox) -> BBox:
        """Page points to shares of the square, ``x0 y0 x1 y1``, clipped to 0..1."""
        left, top, right, bottom = (min(max(v / self.size, 0.0), 1.0) for v in self.to_crop(box))
        return (left, top, right, bottom)

    def from_unit(self, box: BBox) -> BBox:
        """Shares of the square (0..1), ``x0 y0 x1 y1``, to page points."""
        left, top, right, bottom = box
        size = self.size
        return self.to_page((left * size, top * size, right * size, bottom * size))

    def to_loc(self, box: BBox) -> Bins:
        """Page points to ``<loc>`` bins in PaliGemma's order ``y0 x0 y1 x1``: ``round(v * 1023)``."""
        x0, y0, x1, y1 = (round(v * (LOC_BINS - 1)) for v in self.to_unit(box))
        return (y0, x0, y1, x1)

    def from_loc(self, bins: Bins) -> BBox:
        """``<loc>`` bins ``y0 x0 y1 x1`` to page points: ``bin / 1023``."""
        y0, x0, y1, x1 = (value / (LOC_BINS - 1) for value in bins)
        return self.from_unit((x0, y0, x1, y1))


@dataclass(frozen=True)
class Crop:
    """One region as a head sees it.

    Attributes:
        bbox: the region wanted, page points.
        image: RGB, ``transform.size`` pixels a side.
        transform: page points to pixels of ``image``.
    """

    bbox: BBox
    image: Image.Image
    transform: CropTransform
    shown: BBox
    """Page box that ``image`` shows: the region and its margin; around it there is padding."""
    _page: Page = field(repr=False, compare=False)

    def native(self) -> Image.Image:
        """The region and its margin, RGB, at the scale of its evidence (see ``Page.native_scale``),
        or below where ``Limits.max_pixels`` allows no more. Drawn when called; its source must be open."""
        scale = self._page.fit_scale(self._page.native_scale(self.bbox), self.shown)
        return self._page.render(self.shown, scale=scale)


def make_crop(page: Page, bbox: BBox, *, size: int = CROP_SIZE, margin: int = MARGIN) -> Crop:
    """A region as a white square of ``size`` pixels a side.

    Args:
        page: where it is.
        bbox: the region, displayed page points.
        size: side of the square, pixels.
        margin: pixels of the page that are shown around the region on every side, neighbors included.
            Beyond the margin, and beyond the page, the square is white.

    Raises:
        TooManyPixelsError, DamagedSourceError: the page cannot be drawn.
        ValueError: the margin leaves no room.
    """
    return _cut(page, bbox, size, margin, page.bbox)


def fit_square(bbox: BBox, *, size: int = CROP_SIZE, margin: int = MARGIN) -> CropTransform:
    """Where a region (displayed page points) comes to lie in its square; nothing is drawn.

    Raises:
        ValueError: the margin leaves no room.
    """
    room = size - 2 * margin
    if room <= 0 or margin < 0:
        raise ValueError(f"a crop of {size} px has no room for a margin of {margin} px")
    x0, x1 = sorted((bbox[0], bbox[2]))
    y0, y1 = sorted((bbox[1], bbox[3]))
    width, height = x1 - x0, y1 - y0
    scale = min(MAX_SCALE, room / max(width, height, room / MAX_SCALE))
    left, top = (size - width * scale) / 2, (size - height * scale) / 2
    return CropTransform(x0 - left / scale, y0 - top / scale, scale, size)


def _cut(page: Page, bbox: BBox, size: int, margin: int, window: BBox) -> Crop:
    """The crop; nothing outside of ``window`` (page points) is shown."""
    transform = fit_square(bbox, size=size, margin=margin)
    x0, x1 = sorted((bbox[0], bbox[2]))
    y0, y1 = sorted((bbox[1], bbox[3]))
    width, height, scale = x1 - x0, y1 - y0, transform.scale
    left, top = (size - width * scale) / 2, (size - height * scale) / 2
    inside = transform.to_crop(window)
    # Whole pixels, so that drawing needs no second resampling.
    pixels = (
        max(0, math.floor(left - margin), math.floor(inside[0])),
        max(0, math.floor(top - margin), math.floor(inside[1])),
        min(size, math.ceil(left + width * scale + margin), math.ceil(inside[2])),
        min(size, math.ceil(top + height * scale + margin), math.ceil(inside[3])),
    )
    image = Image.new("RGB", (size, size), "white")
    shown = transform.to_page((float(pixels[0]), float(pixels[1]), float(pixels[2]), float(pixels[3])))
    if pixels[0] < pixels[2] and pixels[1] < pixels[3]:
        image.paste(page.render(shown, scale=scale), (pixels[0], pixels[1]))
    else:
        shown = (x0, y0, x1, y1)
    return Crop((x0, y0, x1, y1), image, transform, shown, page)
