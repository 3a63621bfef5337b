"""Pages in pixels, with their regions, lines and words: what hOCR, ALTO and PAGE XML share.

These formats place everything on a picture of the page, in whole pixels. That of an image file is the image
itself; pages of a PDF are given at :data:`PDF_DPI`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from docai.contents import Cell, Line, Word
from docai.document import PageInfo
from docai.errors import NothingToExportError
from docai.exports.base import Export
from docai.exports.flow import printable
from docai.geometry import BBox, clip
from docai.records import Figure, Point, RecordBase, Table, Text

PDF_DPI: Final = 300
"""Dots per inch of the pictures of a PDF's pages that boxes are given on."""

PixelBox = tuple[int, int, int, int]

_ID: Final = re.compile(r"[A-Za-z0-9_.-]+")
"""What may stand in an XML id behind its first letter, of ASCII."""


@dataclass(frozen=True)
class PixelFrame:
    """The picture of a page: its size in pixels and its resolution."""

    width: int
    height: int
    dpi: float

    def box(self, bbox: BBox) -> PixelBox:
        """A box in page points as whole pixels ``x0, y0, x1, y1`` on the picture, of at least one pixel."""
        scale = self.dpi / 72
        x0, y0, x1, y1 = clip(
            (bbox[0] * scale, bbox[1] * scale, bbox[2] * scale, bbox[3] * scale), self.width, self.height
        )
        left, top = min(round(x0), self.width - 1), min(round(y0), self.height - 1)
        return left, top, max(left + 1, round(x1)), max(top + 1, round(y1))

    def points(self, corners: Sequence[Point]) -> list[tuple[int, int]]:
        """Corners in page points as whole pixels on the picture."""
        scale = self.dpi / 72
        return [
            (min(max(round(x * scale), 0), self.width), min(max(round(y * scale), 0), self.height))
            for x, y in corners
        ]


@dataclass(frozen=True)
class PlacedWord:
    """A word. ``box`` is that of its line, cell or region where nobody gave it one."""

    text: str
    box: PixelBox
    confidence: float | None = None
    space_after: bool = False
    """A space stands between it and the next word of its line."""


@dataclass(frozen=True)
class PlacedLine:
    """A line of text. ``box`` is that of its cell or region where nobody gave it one."""

    text: str
    box: PixelBox
    words: Sequence[PlacedWord]
    direction: Literal["ltr", "rtl"] = "ltr"


@dataclass(frozen=True)
class PlacedCell:
    """A cell of a table; ``box`` is that of its table where nobody gave it one."""

    cell: Cell
    id: str
    box: PixelBox
    lines: Sequence[PlacedLine]


@dataclass(frozen=True)
class Region:
    """One record on its page."""

    record: RecordBase
    id: str
    """The id of the record as an XML id."""
    box: PixelBox
    corners: Sequence[tuple[int, int]]
    """Of the region where the page is skewed, else of its box; clockwise from the top left."""
    lines: Sequence[PlacedLine] = ()
    cells: Sequence[PlacedCell] = ()

    @property
    def kind(self) -> str:
        """Kind of the record, such as ``table``, or that of a user's own head."""
        return str(getattr(self.record, "kind", "record"))


@dataclass(frozen=True)
class PlacedPage:
    """One page with its regions in reading order."""

    info: PageInfo
    frame: PixelFrame
    regions: Sequence[Region]


def placed_pages(export: Export) -> list[PlacedPage]:
    """The pages of the document that were read, at least one. A page that failed is told as a loss.

    Raises:
        NothingToExportError: no page could be read.
    """
    names = XmlIds()
    pages = []
    for info in export.document.pages:
        if info.origin == "failed" or info.width <= 0 or info.height <= 0:
            export.lose("failed-page", f"Page {info.number} could not be read and is left out.")
            continue
        dpi = float(PDF_DPI) if export.document.source.type == "pdf" else info.dpi
        width, height = (max(1, round(side * dpi / 72)) for side in (info.width, info.height))
        frame = PixelFrame(width, height, dpi)
        records = [record for record in export.document.records if record.page == info.number]
        pages.append(PlacedPage(info, frame, [_region(record, frame, names) for record in records]))
    if not pages:
        name = export.document.source.name
        raise NothingToExportError(
            f"No page of {name} was read, so there is nothing to place: read it again."
        )
    return pages


class XmlIds:
    """Gives each thing of a file an id of its own."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def name(self, name: str) -> str:
        """An XML id that says ``name``, with a number behind where that is taken."""
        plain = "-".join(_ID.findall(name))
        if not plain[:1].isalpha():
            plain = f"r-{plain}"
        free, number = plain, 1
        while free in self._taken:
            number += 1
            free = f"{plain}-{number}"
        self._taken.add(free)
        return free


def _region(record: RecordBase, frame: PixelFrame, names: XmlIds) -> Region:
    box = frame.box(record.bbox)
    name = names.name(record.id)
    x0, y0, x1, y1 = box
    corners: Sequence[tuple[int, int]] = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    if record.polygon and len(record.polygon) > 2:
        corners = frame.points(record.polygon)
    lines: Sequence[PlacedLine] = ()
    cells: Sequence[PlacedCell] = ()
    if isinstance(record, Text):
        lines = [_line(line, frame, box) for line in record.lines if line.text or line.words]
    elif isinstance(record, Table):
        ids = [names.name(f"{name}-{cell.row}-{cell.col}") for cell in record.cells]
        cells = [_cell(cell, one, frame, box) for cell, one in zip(record.cells, ids, strict=True)]
    elif isinstance(record, Figure):
        lines = _lines_without_boxes(record.text, box)
    return Region(record, name, box, corners, lines, cells)


def _cell(cell: Cell, name: str, frame: PixelFrame, table: PixelBox) -> PlacedCell:
    box = table if cell.bbox is None else frame.box(cell.bbox)
    return PlacedCell(cell, name, box, _lines_without_boxes(cell.printed, box, cell.confidence))


def _lines_without_boxes(text: str, box: PixelBox, confidence: float | None = None) -> list[PlacedLine]:
    lines = []
    for line in filter(str.strip, printable(text).split("\n")):
        words = line.split()
        placed = [PlacedWord(one, box, confidence, n < len(words)) for n, one in enumerate(words, 1)]
        lines.append(PlacedLine(line, box, placed))
    return lines


def _line(line: Line, frame: PixelFrame, around: PixelBox) -> PlacedLine:
    box = around if line.bbox is None else frame.box(line.bbox)
    words = line.words or [Word(text=word) for word in line.text.split()]
    spaces = spaces_after([word.text for word in words], line.text)
    placed = [
        PlacedWord(
            printable(word.text), box if word.bbox is None else frame.box(word.bbox), word.confidence, space
        )
        for word, space in zip(words, spaces, strict=True)
        if word.text
    ]
    return PlacedLine(printable(line.text), box, placed, line.direction)


def spaces_after(words: Sequence[str], text: str) -> Iterator[bool]:
    """For each word whether white space stands behind it in ``text``, which they make up.

    Words that are not found there are taken for separate; behind the last one there is none.
    """
    place = 0
    for index, word in enumerate(words):
        found = text.find(word, place)
        if found >= 0:
            place = found + len(word)
        is_last = index == len(words) - 1
        yield not is_last and (found < 0 or not text.startswith(words[index + 1], place))
