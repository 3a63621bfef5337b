"""What a page is to the rest of docai: a size in points, words, and pixels on request."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from docai.errors import TooManyPixelsError
from docai.geometry import BBox

if TYPE_CHECKING:
    from docai.limits import Limits

VECTOR_SCALE = 300 / 72
"""Pixels per point at which drawings and fonts, which have no resolution of their own, are shown
natively: 300 dpi is what print is scanned at, and a 6 pt subscript is still 25 px high."""

_ROUNDING = 1e-3
"""Pixels by which an edge may overlap the next pixel without opening it (float noise)."""


class PageWord(NamedTuple):
    """One word of the PDF's text layer, untouched, in displayed page points."""

    text: str
    bbox: BBox
    block: int
    line: int


class Page(ABC):
    """One page as it is displayed: rotated, cut to its crop box, on white.

    Attributes:
        number: from 1.
        width, height: points.
        rotation: degrees clockwise that the file declares; already applied.
        dpi: pixels per 72 points of an image page; 72 for a PDF.

    What a page holds in memory is dropped after its turn and read again when it is asked for, as long
    as its source is open.
    """

    number: int
    width: float
    height: float
    rotation: int
    dpi: float

    def __init__(self, source: str, limits: Limits) -> None:
        self._source = source
        self._limits = limits

    @property
    def bbox(self) -> BBox:
        """The whole page, ``(0, 0, width, height)``."""
        return (0.0, 0.0, self.width, self.height)

    @property
    def pdf(self) -> Any:
        """The ``pymupdf.Page``, its rotation and crop box untouched; None for an image file."""
        return None

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Width and height of an image page in its own pixels; None for a PDF."""
        return None

    @abstractmethod
    def words(self) -> list[PageWord]:
        """Words of the text layer in the PDF's own order; empty for an image file.

        Words wholly outside the displayed page are left out, and so is the second copy of a word that
        is drawn twice in one place to look bold.

        Raises:
            DamagedSourceError: the page cannot be read.
        """

    @abstractmethod
    def native_scale(self, bbox: BBox) -> float:
        """Pixels per point of the evidence under ``bbox``: of the scan where one covers it, else
        :data:`VECTOR_SCALE`."""

    def render(self, bbox: BBox | None = None, *, scale: float = 1.0) -> Image.Image:
        """The page, or the part of it under ``bbox``, as RGB on white.

        Args:
            bbox: displayed points; None is the whole page. What lies outside of the page is white.
            scale: pixels per point.

        Returns:
            ``ceil(width * scale)`` by ``ceil(height * scale)`` pixels. The corner of pixel (0, 0) lies
            exactly at ``(x0, y0)``.

        Raises:
            TooManyPixelsError: the picture, or an image the page is made of, has more pixels than
                ``Limits.max_pixels``.
            DamagedSourceError: the page cannot be drawn.
        """
        x0, y0, x1, y1 = self.bbox if bbox is None else bbox
        size = _pixels(x1 - x0, scale), _pixels(y1 - y0, scale)
        most = self._limits.max_pixels
        if most is not None and size[0] * size[1] > most:
            raise TooManyPixelsError(
                f"Page {self.number} of {self._source} would take {size[0]} x {size[1]} pixels, more than "
                f"the limit of {most:,}: ask for a smaller scale or raise Limits(max_pixels=...).",
                source=self._source,
            )
        return self._raster(x0, y0, scale, size)

    def fit_scale(self, scale: float, bbox: BBox | None = None) -> float:
        """``scale``, or the largest scale below it at which :meth:`render` stays under the limit."""
        most = self._limits.max_pixels
        x0, y0, x1, y1 = self.bbox if bbox is None else bbox
        width, height = x1 - x0, y1 - y0
        if most is None or _pixels(width, scale) * _pixels(height, scale) <= most:
            return scale
        # ceil() adds at most one pixel to each side: (ws + 1)(hs + 1) <= most, solved for s.
        total = width + height
        root = math.sqrt(total * total + 4 * width * height * (most - 1))
        return 2 * (most - 1) / (total + root)

    @abstractmethod
    def _raster(self, x0: float, y0: float, scale: float, size: tuple[int, int]) -> Image.Image:
        """RGB picture of ``size`` pixels whose pixel (0, 0) begins at ``(x0, y0)``."""

    @abstractmethod
    def release(self) -> None:
        """Drop what the page holds in memory."""


def _pixels(points: float, scale: float) -> int:
    return max(1, math.ceil(points * scale - _ROUNDING))
