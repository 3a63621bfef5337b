"""A region as the square picture that a head reads, and the transform back to the page.

A crop is rendered from the page at the scale it needs and centered on white with its aspect ratio kept, as
for the training of PaliGemma 2's table, molecule and score heads (arXiv 2412.03555, appendix on tasks).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from PIL import Image

from docai.geometry import BBox, PageTransform
from docai.pipelines.ingest import Page

CROP_SIZE: Final = 896
"""Side of a crop, pixels."""

MARGIN: Final = 20
"""Pixels of the page shown around the region on every side."""

MAX_SCALE: Final = 6.0
"""Pixels per point beyond which a small region is not enlarged. A 10 pt line is then 60 px high, four times
as high as on a full page: larger letters carry no more detail, and no head was trained on them."""

LOC_BINS: Final = 1024
"""Coordinates that PaliGemma's tokens ``<loc0000>`` to ``<loc1023>`` can express per axis."""

Bins = tuple[int, int, int, int]
"""``y0 x0 y1 x1``, each 0 to 1023."""


@dataclass(frozen=True)
class CropTransform(PageTransform):
    """Between points of a page and a square crop of it: its pixels, its unit square, and ``<loc>`` bins.

    Attributes:
        size: side of the square in pixels.
    """

    size: int

    def to_unit(self, box: BBox) -> BBox:
        """Page points to coordinates in the unit square, ``x0 y0 x1 y1``, clipped to 0…1."""
        left, top, right, bottom = (min(max(v / self.size, 0.0), 1.0) for v in self.to_pixels(box))
        return (left, top, right, bottom)

    def from_unit(self, box: BBox) -> BBox:
        """Coordinates in the unit square (0…1), ``x0 y0 x1 y1``, to page points."""
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
    """One region as the square picture that a head reads.

    Attributes:
        bbox: the region, page points.
        image: RGB, ``transform.size`` pixels on each side.
        transform: between page points and pixels of ``image``.
        shown: the box on the page that ``image`` shows, the region and its margin; what is around it is
            white.
    """

    bbox: BBox
    image: Image.Image
    transform: CropTransform
    shown: BBox
    _page: Page = field(repr=False, compare=False)

    def native(self) -> Image.Image:
        """The region and its margin, RGB, at the resolution of the page (see ``Page.native_scale``), or less
        where ``Limits.max_pixels`` allows no more. Rendered when called, so the source must be open."""
        scale = self._page.fit_scale(self._page.native_scale(self.bbox), self.shown)
        return self._page.render(self.shown, scale=scale)


def make_crop(page: Page, bbox: BBox, *, size: int = CROP_SIZE, margin: int = MARGIN) -> Crop:
    """Render a region, centered in a white square.

    Args:
        page: where it is.
        bbox: the region, points of the displayed page.
        size: side of the square, pixels.
        margin: pixels of the page shown around the region on every side, with whatever is there. Beyond the
            margin and beyond the page, the square is white.

    Raises:
        TooManyPixelsError, DamagedSourceError: the page cannot be rendered.
        ValueError: the margin leaves no room.
    """
    return crop_window(page, bbox, size, margin, page.bbox)


def fit_square(bbox: BBox, *, size: int = CROP_SIZE, margin: int = MARGIN) -> CropTransform:
    """The transform of the crop of a region (points of the displayed page); nothing is rendered.

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


def crop_window(page: Page, bbox: BBox, size: int, margin: int, window: BBox) -> Crop:
    """As :func:`make_crop`, with all that lies outside ``window`` (page points) white."""
    transform = fit_square(bbox, size=size, margin=margin)
    x0, x1 = sorted((bbox[0], bbox[2]))
    y0, y1 = sorted((bbox[1], bbox[3]))
    width, height, scale = x1 - x0, y1 - y0, transform.scale
    left, top = (size - width * scale) / 2, (size - height * scale) / 2
    inside = transform.to_pixels(window)
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
