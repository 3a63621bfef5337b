"""The PDFs that a child process has open for its owner, and functions called on their pages.

:mod:`docai.pipelines.ingest.guarded` calls what is here in that process.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from docai.limits import Limits
from docai.pipelines.ingest.page import Page, PageWord

if TYPE_CHECKING:
    from docai.pipelines.ingest.pdf import PdfFile, PdfPage
    from docai.pipelines.ingest.pixels import Pixels, PlacedImage


class FileFacts(NamedTuple):
    """What is known of an open file."""

    n_pages: int
    repaired: bool


class PageFacts(NamedTuple):
    """What is known of a page before anything of it is read; points and degrees."""

    width: float
    height: float
    rotation: int


_files: dict[int, PdfFile] = {}
_pages: dict[tuple[int, int], PdfPage] = {}


def open_file(key: int, data: Path | bytes, name: str, password: str | None, limits: Limits) -> FileFacts:
    """Open a file, to be known by ``key``."""
    # The owner, which imports this module for the names in it, needs no PDF library.
    from docai.pipelines.ingest.pdf import PdfFile

    _files[key] = file = PdfFile(data, name=name, password=password, limits=limits)
    return FileFacts(file.n_pages, file.repaired)


def call_on_page(
    key: int, number: int, function: Callable[..., Any], *args: Any, **kwargs: Any
) -> tuple[bool, Any]:
    """True and ``function(page, *args, **kwargs)``.

    False where the file is not open here: the process that had it open was replaced by this one.
    """
    page = _pages.get((key, number))
    if page is None:
        if key not in _files:
            return False, None
        page = _pages[key, number] = _files[key].page(number)
    return True, function(page, *args, **kwargs)


def release_page(key: int, number: int) -> None:
    """Drop what is kept of a page."""
    if (page := _pages.pop((key, number), None)) is not None:
        page.release()


def close_file(key: int) -> None:
    """Close a file."""
    for one, number in list(_pages):
        if one == key:
            release_page(key, number)
    if (file := _files.pop(key, None)) is not None:
        file.close()


def open_page(page: Page) -> PageFacts:
    """What is known of the page."""
    return PageFacts(page.width, page.height, page.rotation)


def read_words(page: Page) -> list[PageWord]:
    """See ``Page.words``."""
    return page.words()


def find_images(page: PdfPage) -> list[PlacedImage]:
    """See ``PdfPage.placed_images``."""
    return page.placed_images()


def draw(page: PdfPage, x0: float, y0: float, scale: float, size: tuple[int, int]) -> Pixels | None:
    """See ``PdfPage.pixels``."""
    return page.pixels(x0, y0, scale, size)
