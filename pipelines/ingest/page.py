"""One page of a source: its size in points, its words, and a picture of it on request."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from PIL import Image

from docai.errors import TooManyPixelsError
from docai.geometry import BBox
from docai.limits import Limits, raise_limit

VECTOR_SCALE = 300 / 72
"""Pixels per point at which drawings and fonts, which have no resolution of their own, are rendered: 300 dpi
is the usual resolution of scans of print, and a 6 pt subscript is still 25 px high."""

_ROUNDING_TOLERANCE = 1e-3
"""Pixels by which an edge may reach into the next pixel before the picture is made larger (float noise)."""


P = ParamSpec("P")

R = TypeVar("R")


class FontFace(NamedTuple):
    """The font of a word of the text layer, as the PDF declares it."""

    name: str
    """Such as ``TimesNewRomanPS-BoldMT``."""
    is_bold: bool = False
    is_italic: bool = False
    is_monospace: bool = False


class PageWord(NamedTuple):
    """One word of the PDF's text layer; ``bbox`` in points of the displayed page.

    ``text`` is as stored there, except that raised and lowered digits, signs and marks are the superscripts
    and subscripts of Unicode. ``block`` and ``line`` number the text block on the page and the line in the
    block, from 0.
    """

    text: str
    bbox: BBox
    block: int
    line: int
    size: float = 0.0
    """Of its largest letters, points; 0 where nobody said."""
    angle: float = 0.0
    """Degrees clockwise, 0 up to 360, by which its line is turned on the displayed page."""
    mark: str = ""
    """The raised footnote mark at its end, in ordinary characters: ``2`` where the text is ``24.91²``."""
    shade: float = 0.0
    """How light its letters are on white paper: 0 is black, 1 is white."""
    font: FontFace | None = None
    """Of its first letter; None where nobody said."""
    is_enciphered: bool = False
    """Its font seems to give other letters than it shows, by those of all of its words on the page."""
    is_ocr: bool = False
    """It is of the invisible text layer of a scan: what another program read there."""
    is_confirmed: bool | None = None
    """Of such a word: whether an OCR engine sees it, too; None where nobody compared."""
    seen_as: str = ""
    """What the engine surely sees at its place instead; empty where it is not sure, or sees the same."""

    @property
    def base(self) -> str:
        """The text without its footnote mark."""
        return self.text[: len(self.text) - len(self.mark)]


class Page(ABC):
    """One page as displayed: rotated, cut to its crop box, on white.

    Attributes:
        number: from 1.
        width, height: points.
        rotation: degrees clockwise that the file declares; already applied to everything here.
        dpi: pixels per 72 points of an image page; 72 for a PDF.

    What a page keeps in memory is dropped by :meth:`release` and read again when needed, as long as the
    source is open.
    """

    number: int
    width: float
    height: float
    rotation: int
    dpi: float
    is_straight = False
    """It is another page, seen straight; see :class:`~docai.pipelines.ingest.straight.StraightPage`."""

    def __init__(self, source: str, limits: Limits) -> None:
        self._source = source
        self._limits = limits

    @property
    def bbox(self) -> BBox:
        """The whole page, ``(0, 0, width, height)``."""
        return (0.0, 0.0, self.width, self.height)

    @property
    def pdf(self) -> Any:
        """The ``pymupdf.Page`` with its own rotation and crop box; None for an image file.

        For functions called by :meth:`inside` alone: elsewhere the page of a PDF may be in another process.

        Raises:
            RuntimeError: it is.
        """
        return None

    def sibling(self, number: int) -> Page | None:
        """Another page of the file, to be released; None where only the process that has the file open, see
        :meth:`inside`, can give it, or there is none.

        Raises:
            DamagedSourceError: it cannot be read.
        """
        return None

    def inside(self, function: Callable[Concatenate[Page, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """``function(page, *args, **kwargs)`` in the process that has the file open.

        Where that is another process, ``function`` is one of a module, arguments and result can be pickled,
        and messages call the step by the function's name.

        Raises:
            TooMuchTimeError, TooMuchMemoryError: the function needs more than the limits allow.
            DamagedSourceError: it made that process crash.
            Exception: whatever it raises.
        """
        return function(self, *args, **kwargs)

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Width and height of an image page in its own pixels; None for a PDF."""
        return None

    @abstractmethod
    def words(self) -> list[PageWord]:
        """Words of the text layer in the order of the PDF; empty for an image file.

        Words wholly outside the displayed page are left out, as is the second copy of a word that is drawn
        twice in one place to look bold.

        Raises:
            DamagedSourceError: the page cannot be read.
        """

    @abstractmethod
    def native_scale(self, bbox: BBox) -> float:
        """Pixels per point of what the page shows in ``bbox``: those of the scanned image where one covers
        it, else :data:`VECTOR_SCALE`."""

    def render(self, bbox: BBox | None = None, *, scale: float = 1.0) -> Image.Image:
        """A picture of the page, or of ``bbox`` on it, as RGB on white.

        Args:
            bbox: points of the displayed page; None is the whole page. What lies outside the page is white.
            scale: pixels per point.

        Returns:
            ``ceil(width * scale)`` by ``ceil(height * scale)`` pixels. The outer corner of pixel (0, 0) is
            exactly ``(x0, y0)``: ``PageTransform(x0, y0, scale)`` maps between the two.

        Raises:
            TooManyPixelsError: the picture, or an image that the page shows, has more pixels than
                ``Limits.max_pixels``.
            DamagedSourceError: the page cannot be drawn.
        """
        x0, y0, x1, y1 = self.bbox if bbox is None else bbox
        size = _pixels(x1 - x0, scale), _pixels(y1 - y0, scale)
        most = self._limits.max_pixels
        if most is not None and size[0] * size[1] > most:
            raise TooManyPixelsError(
                f"Page {self.number} of {self._source} would take {size[0]} x {size[1]} pixels, more than "
                f"the limit of {most:,}: ask for a smaller scale or {raise_limit('max_pixels')}.",
                source=self._source,
            )
        return self._raster(x0, y0, scale, size)

    def fit_scale(self, scale: float, bbox: BBox | None = None) -> float:
        """``scale``, or the largest below it at which :meth:`render` stays within ``Limits.max_pixels``."""
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
        """RGB, ``size`` (width, height) pixels; the outer corner of pixel (0, 0) is ``(x0, y0)``."""

    @abstractmethod
    def release(self) -> None:
        """Drop what the page keeps in memory."""


def _pixels(points: float, scale: float) -> int:
    return max(1, math.ceil(points * scale - _ROUNDING_TOLERANCE))


@contextmanager
def quiet_mupdf() -> Iterator[None]:
    """Keep MuPDF's messages about damaged files off the terminal inside the block.

    Wrap every use of :attr:`Page.pdf` in it. The switches are global in PyMuPDF, so they are set back to what
    they were.
    """
    import pymupdf

    tools = pymupdf.TOOLS
    errors, warnings = tools.mupdf_display_errors(), tools.mupdf_display_warnings()
    tools.mupdf_display_errors(False)
    tools.mupdf_display_warnings(False)
    try:
        yield
    finally:
        tools.mupdf_display_errors(errors)
        tools.mupdf_display_warnings(warnings)
