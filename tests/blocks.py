"""Blocks of text and tables as records, for tests of what a document makes of them."""

from __future__ import annotations

from collections.abc import Sequence

from docai.contents import Line
from docai.document import Document, PageInfo, SourceInfo
from docai.geometry import BBox, union
from docai.parsers.table_grid import table_from_rows
from docai.records import Figure, Font, RecordBase, Table, Text
from docai.structure import Role

WIDTH, HEIGHT = 600.0, 800.0
"""Points of a page."""


def text(
    content: str,
    top: float,
    *,
    page: int = 1,
    left: float = 60,
    width: float = 480,
    role: Role = "paragraph",
    size: float | None = 10,
    bold: bool = False,
    italic: bool = False,
    level: int | None = None,
    name: str | None = None,
    lines: Sequence[BBox] | None = None,
) -> Text:
    """A block whose lines are those of ``content``: 1.2 sizes apart, each as wide as its letters but the
    longest, which is ``width``. ``size`` None: nobody knows the font; lines are 10 points high."""
    rows = content.split("\n")
    high = 10 if size is None else size
    longest = max(map(len, rows))
    boxes = lines or [
        (left, top + 1.2 * high * row, left + width * len(line) / longest, top + 1.2 * high * row + high)
        for row, line in enumerate(rows)
    ]
    font = None if size is None else Font(name="Times", size=size, is_bold=bold, is_italic=italic)
    return Text(
        id=name or f"p{page}-{content[:12]}",
        page=page,
        bbox=union(boxes),
        role=role,
        level=level,
        font=font,
        text=content,
        lines=[Line(text=line, bbox=box) for line, box in zip(rows, boxes, strict=True)],
    )


PROSE = (
    "The first line of a paragraph that goes on\nfor some lines of running text, as they do, and\nthen ends."
)


def prose(top: float, *, page: int = 1, left: float = 60, size: float | None = 10) -> Text:
    """A paragraph of three lines."""
    return text(PROSE, top, page=page, left=left, size=size, name=f"prose-{page}-{top}")


def table(
    rows: Sequence[Sequence[str]],
    top: float,
    *,
    page: int = 1,
    header_rows: int = 1,
    name: str | None = None,
    left: float = 60,
    right: float = 540,
) -> Table:
    """A table of 12 points a row."""
    content = table_from_rows(rows, header_rows=header_rows)
    box = (left, top, right, top + 12 * len(rows))
    return Table(id=name or f"table-{page}", page=page, bbox=box, **dict(content))


def figure(top: float, bottom: float, *, page: int = 1, left: float = 60, right: float = 540) -> Figure:
    return Figure(id=f"figure-{page}-{top:.0f}", page=page, bbox=(left, top, right, bottom))


def document(*records: RecordBase) -> Document:
    """A document of the pages that the records name."""
    pages = [
        PageInfo(number=number, width=WIDTH, height=HEIGHT, origin="born-digital")
        for number in range(1, 1 + max(record.page for record in records))
    ]
    source = SourceInfo(name="made.pdf", type="pdf", n_bytes=1, sha256="0" * 64, n_pages=len(pages))
    return Document(source=source, pages=pages, records=list(records))
