"""Pictures of the viewer: pages, the crops that heads read, and contents drawn anew."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from docai.base import Content
from docai.contents import MoleculeContent, ScoreContent
from docai.exports.pictures import engraved, molecule_svg
from docai.limits import Limits
from docai.pipelines.crops.crop import make_crop
from docai.pipelines.ingest import Page, Source, open_source
from docai.records import RecordBase, kind_of
from docai.viewer.data import DOUBTFUL, crop_side

if TYPE_CHECKING:
    from PIL.Image import Image

PAGE_PX: Final = 1400
"""Longer side of the picture of a page."""

_QUALITY: Final = 70
"""Of WebP; small print is clear."""


class PictureBook:
    """Pictures of one document. Use it in a ``with`` block; several threads may ask at a time.

    Args:
        source: the file that was read.
        password: opens an encrypted PDF.
        limits: None for the defaults.
    """

    def __init__(self, source: Path, *, password: str | None = None, limits: Limits | None = None) -> None:
        self._path = source
        self._password = password
        self._limits = limits or Limits()
        self._source: Source | None = None
        self._lock = Lock()

    def page(self, number: int) -> bytes:
        """A page, from 1, as WebP. Raises :class:`docai.errors.InputError`."""
        with self._page(number) as page:
            scale = page.fit_scale(PAGE_PX / max(page.width, page.height, 1.0))
            return as_webp(page.render(scale=scale))

    def crop(self, record: RecordBase) -> bytes:
        """The square that the head of a record reads, as WebP. Raises :class:`docai.errors.InputError`."""
        size = crop_side(kind_of(type(record)))
        with self._page(record.page) as page:
            return as_webp(make_crop(page, record.bbox, size=size).image)

    @contextmanager
    def _page(self, number: int) -> Iterator[Page]:
        with self._lock:
            if self._source is None:
                self._source = open_source(self._path, password=self._password, limits=self._limits)
            with self._source.page(number) as page:
                yield page

    def close(self) -> None:
        with self._lock:
            if self._source is not None:
                self._source.close()
                self._source = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def as_webp(picture: Image) -> bytes:
    """A picture for a browser."""
    data = io.BytesIO()
    picture.convert("RGB").save(data, "WEBP", quality=_QUALITY, method=2)
    return data.getvalue()


def draw_content(content: Content) -> str | None:
    """A molecule or a score as SVG; None for other kinds, and where it cannot be drawn here.

    RDKit draws molecules, with a patch of color behind each atom that is not sure. Verovio engraves scores;
    it is in the extra ``synth``.
    """
    match content:
        case MoleculeContent():
            doubtful = [
                atom.number
                for atom in content.atoms
                if atom.confidence is not None and atom.confidence < DOUBTFUL
            ]
            return molecule_svg(content, doubtful)
        case ScoreContent():
            return engraved(content.kern) if content.kern.strip() else None
    return None
