"""Pages of a PDF, through PyMuPDF."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from pickle import PickleBuffer
from typing import Any

import pymupdf
from PIL import Image

from docai.errors import (
    DamagedSourceError,
    EncryptedSourceError,
    PasswordRequiredError,
    TooManyPixelsError,
    WrongPasswordError,
)
from docai.files import as_text
from docai.geometry import BBox, PageTransform, clip, touches
from docai.limits import Limits, raise_limit
from docai.pipelines.ingest.check_boxes import with_check_boxes
from docai.pipelines.ingest.drawing import Drawing
from docai.pipelines.ingest.mending import drop_broken_structure, mend_page_tree
from docai.pipelines.ingest.page import Page, PageWord, quiet_mupdf
from docai.pipelines.ingest.pixels import Pixels, PlacedImage, place_pixels, scale_of_images
from docai.pipelines.ingest.text_words import page_words

MUPDF_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, pymupdf.mupdf.FzErrorBase)
"""What PyMuPDF was seen to raise on damaged pages: its errors have no common class."""


class PdfFile:
    """An open PDF; closed by :meth:`close`."""

    def __init__(
        self, data: Path | bytes | bytearray, *, name: str, password: str | None, limits: Limits
    ) -> None:
        self._name = name
        self._limits = limits
        with quiet_mupdf():
            self._document = _open(data, name)
            try:
                _unlock(self._document, name, password)
                with suppress(*MUPDF_ERRORS):
                    mend_page_tree(self._document)
                    drop_broken_structure(self._document)
                self.n_pages = _count(self._document, name)
            except BaseException:
                self._document.close()
                raise
            self.repaired = bool(self._document.is_repaired)

    def page(self, number: int) -> PdfPage:
        return PdfPage(self._document, number, source=self._name, limits=self._limits)

    def close(self) -> None:
        with quiet_mupdf():
            self._document.close()
            # PyMuPDF keeps every message of the process, which grows over a batch of damaged files.
            pymupdf.TOOLS.reset_mupdf_warnings()


class PdfPage(Page):
    """See :class:`Page`.

    Attributes:
        kept_drawing: the whole page, where :func:`~docai.pipelines.ingest.drawing_reader.read_drawing` was
            asked for it.
    """

    def __init__(self, document: Any, number: int, *, source: str, limits: Limits) -> None:
        super().__init__(source, limits)
        self._document = document
        self.number = number
        self.dpi = 72.0
        self._pdf: Any = None
        self._display_list: Any = None
        self._images_checked = False
        self._words: list[PageWord] | None = None
        self._images: list[PlacedImage] | None = None
        self.kept_drawing: Drawing | None = None
        with self._readable():
            rect = self.pdf.rect
            self.rotation = int(self.pdf.rotation)
            # MuPDF shows a page that is missing from the file as an empty page of letter size.
            if not document.xref_get_keys(self.pdf.xref):
                raise ValueError("its object is missing")
        self.width, self.height = float(rect.width), float(rect.height)
        if not (0 < self.width < math.inf and 0 < self.height < math.inf):
            raise DamagedSourceError(
                f"Page {number} of {source} has no area: leave it out with pages=...", source=source
            )

    @property
    def pdf(self) -> Any:
        if self._document.is_closed:
            raise ValueError(f"page {self.number} of {self._source} was used after its source was closed")
        if self._pdf is None:
            with self._readable():
                self._pdf = self._document.load_page(self.number - 1)
        return self._pdf

    def words(self) -> list[PageWord]:
        if self._words is None:
            with self._readable():
                # get_text gives coordinates of the page before its rotation.
                textpage = self.pdf.get_textpage(flags=pymupdf.TEXTFLAGS_WORDS)
                words = page_words(textpage, self.pdf.rotation_matrix)
                with suppress(*MUPDF_ERRORS):
                    words = with_check_boxes(words, self.pdf)
            self._words = _displayed_words(words, self.width, self.height)
        return list(self._words)

    def native_scale(self, bbox: BBox) -> float:
        return scale_of_images(self.placed_images(), bbox)

    def sibling(self, number: int) -> PdfPage | None:
        if not 1 <= number <= self._document.page_count:
            return None
        return PdfPage(self._document, number, source=self._source, limits=self._limits)

    def release(self) -> None:
        self._pdf = self._display_list = self._words = self._images = self.kept_drawing = None
        # MuPDF keeps up to 256 MB of decoded images and fonts; those of a scanned page serve no other page.
        pymupdf.TOOLS.store_shrink(100)

    def placed_images(self) -> list[PlacedImage]:
        """Displayed box and pixels per point of each image that the page shows."""
        if self._images is None:
            with self._readable():
                rotation = self.pdf.rotation_matrix
                images = []
                for info in self.pdf.get_image_info():
                    a, b, c, d, _, _ = info["transform"]
                    across, down = math.hypot(a, b), math.hypot(c, d)
                    if across > 0 and down > 0:
                        scale = max(info["width"] / across, info["height"] / down)
                        images.append((tuple(pymupdf.Rect(info["bbox"]) * rotation), scale))
            self._images = images
        return self._images

    def _raster(self, x0: float, y0: float, scale: float, size: tuple[int, int]) -> Image.Image:
        return place_pixels(self.pixels(x0, y0, scale, size), size)

    def pixels(self, x0: float, y0: float, scale: float, size: tuple[int, int]) -> Pixels | None:
        """What of a picture is on the page; None where nothing is."""
        window = pymupdf.Rect(PageTransform(x0, y0, scale).to_page((0, 0, *size)))
        if (window & pymupdf.Rect(self.bbox)).is_empty:
            return None
        with self._readable():
            self._check_images()
            pixmap = self.display_list().get_pixmap(
                matrix=pymupdf.Matrix(scale, 0, 0, scale, -x0 * scale, -y0 * scale),
                colorspace=pymupdf.csRGB,
                alpha=0,
                clip=window,
            )
            # A copy: the memory of the pixmap is freed with it.
            samples = PickleBuffer(bytearray(pixmap.samples_mv))
            return Pixels(pixmap.x, pixmap.y, pixmap.width, pixmap.height, samples)

    def display_list(self) -> Any:
        """The ``pymupdf.DisplayList`` of the page, which is quicker to run than its content.

        Call it where errors of MuPDF are caught.
        """
        if self._display_list is None:
            self._display_list = self.pdf.get_displaylist()
        return self._display_list

    def _check_images(self) -> None:
        """Refuse an image whose declared size is over the limit before it is decompressed."""
        most = self._limits.max_pixels
        if most is None or self._images_checked:
            return
        for _, _, width, height, *_ in self.pdf.get_images(full=True):
            if width * height > most:
                raise TooManyPixelsError(
                    f"Page {self.number} of {self._source} shows an image of {width} x {height} pixels, "
                    f"more than the limit of {most:,}: leave the page out or {raise_limit('max_pixels')}.",
                    source=self._source,
                )
        self._images_checked = True

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """Turn the errors of PyMuPDF into one that names the page."""
        if self._document.is_closed:
            raise ValueError(f"page {self.number} of {self._source} was used after its source was closed")
        with quiet_mupdf():
            try:
                yield
            except MUPDF_ERRORS as error:
                raise DamagedSourceError(
                    f"Page {self.number} of {self._source} cannot be read ({error}): leave it out with "
                    "pages=..., or repair the file, for example with `qpdf` or by printing it to PDF.",
                    source=self._source,
                ) from error


def _open(data: Path | bytes | bytearray, name: str) -> Any:
    try:
        if isinstance(data, Path) and as_text(str(data)) != str(data):
            # MuPDF opens no such path.
            document = pymupdf.open(stream=data.read_bytes(), filetype="pdf")
        elif isinstance(data, Path):
            # Given a path, MuPDF reads only the parts of the file that it needs.
            document = pymupdf.open(str(data), filetype="pdf")
        else:
            document = pymupdf.open(stream=data, filetype="pdf")
    except MUPDF_ERRORS as error:
        cause = str(error.__cause__ or error)
        if "encryption" in cause or "crypt" in cause:
            raise EncryptedSourceError(
                f"{name} is encrypted in a way that no password opens (a certificate, an unknown method): "
                "save a copy without protection and give docai that.",
                source=name,
            ) from error
        raise _damaged(name) from error
    if not document.is_pdf:
        document.close()
        raise _damaged(name)
    return document


def _unlock(document: Any, name: str, password: str | None) -> None:
    if not document.needs_pass:
        return
    if password is None:
        raise PasswordRequiredError(
            f"{name} is encrypted and no password was given: pass password=... (--password).", source=name
        )
    if not document.authenticate(password):
        raise WrongPasswordError(
            f"The password given does not open {name}: check it, and mind upper and lower case.",
            source=name,
        )


def _count(document: Any, name: str) -> int:
    """Number of pages; raises where none can be read at all, as in a file cut off in the middle."""
    try:
        n_pages = int(document.page_count)
        if n_pages > 0 and document.is_repaired:
            _first_readable(document, n_pages)
    except MUPDF_ERRORS as error:
        raise _damaged(name) from error
    if n_pages <= 0:
        raise _damaged(name)
    return n_pages


def _first_readable(document: Any, n_pages: int) -> None:
    """Load the first page that can be loaded; raises the last error where none of the first 50 can."""
    last = min(n_pages, 50) - 1
    for index in range(last + 1):
        try:
            document.load_page(index)
        except MUPDF_ERRORS:
            if index == last:
                raise
        else:
            return


def _damaged(name: str) -> DamagedSourceError:
    return DamagedSourceError(
        f"{name} begins like a PDF but no page can be read from it, so it is cut off or broken: get the "
        "file again, or repair it, for example with `qpdf`.",
        source=name,
    )


def _displayed_words(words: list[PageWord], width: float, height: float) -> list[PageWord]:
    """The words that lie on the page, cut to it, each once.

    Bold is sometimes imitated by drawing a text twice, slightly shifted. MuPDF drops such copies of single
    characters; copies that come as whole words, often much later in the file, are dropped here.
    """
    displayed: list[PageWord] = []
    boxes_by_text: dict[str, list[BBox]] = {}
    for word in words:
        if not touches(word.bbox, (0.0, 0.0, width, height)):
            continue
        copies = boxes_by_text.setdefault(word.text, [])
        if any(_is_same_place(word.bbox, box) for box in copies):
            continue
        copies.append(word.bbox)
        displayed.append(word._replace(bbox=clip(word.bbox, width, height)))
    return displayed


def _is_same_place(box: BBox, other: BBox) -> bool:
    """Whether all edges differ by at most a fifth of the shorter side, which is the height of the letters."""
    slack = 0.2 * min(box[2] - box[0], box[3] - box[1])
    return (
        abs(box[1] - other[1]) <= slack
        and abs(box[0] - other[0]) <= slack
        and abs(box[2] - other[2]) <= slack
        and abs(box[3] - other[3]) <= slack
    )
