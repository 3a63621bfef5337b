"""Coordinates of truth files over PDFs, turned into points of the page as it is displayed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from docai.errors import InputError, PageNotFoundError
from docai.geometry import BBox
from docai.pipelines.evaluation.datasets.formats import MalformedError

if TYPE_CHECKING:
    from docai.pipelines.ingest import Page, Source

_UNREADABLE = "Its PDF cannot be read."


@dataclass(frozen=True, slots=True)
class Frame:
    """One page. ``width`` and ``height`` in points, as displayed."""

    width: float
    height: float
    media_height: float
    offset: tuple[float, float]
    """From the media box's top left to the crop box's."""
    turn: tuple[float, float, float, float, float, float]
    """The page's rotation as a matrix."""

    def from_bottom_left(self, box: BBox) -> BBox:
        """A box whose origin is the bottom left corner of the page as displayed."""
        x0, y0, x1, y1 = box
        return x0, self.height - y1, x1, self.height - y0

    def from_media_box(self, box: BBox) -> BBox:
        """A box whose origin is the bottom left of the media box, before the page's own rotation."""
        dx, dy = self.offset
        x0, y0, x1, y1 = box
        a, b, c, d, e, f = self.turn
        corners = ((x0 - dx, self.media_height - y1 - dy), (x1 - dx, self.media_height - y0 - dy))
        (px, py), (qx, qy) = ((a * x + c * y + e, b * x + d * y + f) for x, y in corners)
        return min(px, qx), min(py, qy), max(px, qx), max(py, qy)


class Frames:
    """The frames of pages; the PDF asked for last stays open."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._source: Source | None = None
        self._frames: dict[int, Frame] = {}

    def __enter__(self) -> Frames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def of(self, path: Path, page: int) -> Frame:
        """The frame of a page, counted from 1.

        Raises:
            MalformedError: the PDF cannot be read, or has no such page.
        """
        from docai.pipelines.ingest import open_source

        try:
            if path != self._path or self._source is None:
                self._close()
                self._source = open_source(path)
                self._path = path
            if page not in self._frames:
                with self._source.page(page) as opened:
                    self._frames[page] = opened.inside(page_frame)
        except PageNotFoundError:
            raise MalformedError("Its PDF has no such page.") from None
        except InputError as error:
            raise MalformedError(_UNREADABLE) from error
        return self._frames[page]

    def _close(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source = self._path = None
        self._frames = {}


def page_frame(page: Page) -> Frame:
    """The frame of an open page. Raises :class:`MalformedError` where it is not one of a PDF."""
    if page.pdf is None:
        raise MalformedError(_UNREADABLE)
    media, crop = page.pdf.mediabox, page.pdf.cropbox
    return Frame(
        width=page.width,
        height=page.height,
        media_height=float(media.height),
        # PyMuPDF gives the media box in PDF's own direction and the crop box from its top.
        offset=(float(crop.x0 - media.x0), float(crop.y0)),
        turn=tuple(page.pdf.rotation_matrix),
    )
