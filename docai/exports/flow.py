"""A document as a reader takes it in: headings, paragraphs, lists, tables and pictures, one after the other.

What the formats of flowing text (Markdown, HTML, DOCX, chunks) share.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from docai.base import counted
from docai.contents import Content
from docai.exports.base import Export
from docai.parsers.base import replace_invalid_chars
from docai.records import Document, Figure, Molecule, RecordBase, Score, Table, Text

BlockKind = Literal["title", "heading", "paragraph", "list-item", "caption", "footnote", "code", "record"]

_FURNITURE: Final = ("page-header", "page-footer")

_BULLET: Final = re.compile(r"[•‣◦⁃▪▫●○·∙*–—-]\s+")
"""What begins an item of a list without numbers."""

_NUMBER: Final = re.compile(r"(\d{1,9})([.)])\s+")
"""What begins a numbered item as Markdown writes it, too; any other, such as ``(a)``, stays in its text."""


@dataclass(frozen=True)
class Block:
    """One piece of the flow."""

    kind: BlockKind
    """``record``: a table, molecule, score, figure, or a record of a user's own head."""
    record: RecordBase
    text: str = ""
    """Without the mark of a list item; of code with its lines."""
    level: int = 0
    """Of a heading, from 1."""
    marker: str = ""
    """Of a list item: empty for a bullet, else such as ``3.``"""
    headings: tuple[str, ...] = ()
    """Title and headings that it stands under."""


def blocks(export: Export) -> Iterator[Block]:
    """The document's blocks in reading order.

    Running heads and page numbers are left out, with a loss; so are records in which nothing was read.
    """
    headings: list[tuple[int, str]] = []
    n_furniture = 0
    for record in export.document.records:
        if isinstance(record, Text) and record.role in _FURNITURE:
            n_furniture += 1
            continue
        if isinstance(record, Content) and record.is_empty and not isinstance(record, Figure):
            export.lose(
                "unread-region", f"Page {record.page}: nothing was read in a {_kind(record)}.", record.id
            )
            continue
        block = _block(record)
        if block.kind in ("title", "heading"):
            level = block.level if block.kind == "heading" else 0
            headings = [(above, text) for above, text in headings if above < level]
        path = tuple(text for _, text in headings)
        if block.kind in ("title", "heading"):
            headings.append((level, block.text))
        yield Block(block.kind, record, block.text, block.level, block.marker, path)
    if n_furniture:
        export.lose("page-furniture", f"{counted(n_furniture, 'running head or page number')} left out.")


def _kind(record: RecordBase) -> str:
    return str(getattr(record, "kind", "record"))


def _block(record: RecordBase) -> Block:
    if not isinstance(record, Text):
        return Block("record", record)
    if record.role == "code":
        return Block("code", record, printable(record.text))
    text = running_text(record.text.split("\n"))
    if record.role == "section-heading":
        return Block("heading", record, text, record.level or 1)
    if record.role == "list-item":
        if mark := _BULLET.match(text):
            return Block("list-item", record, text[mark.end() :])
        if mark := _NUMBER.match(text):
            return Block("list-item", record, text[mark.end() :], marker=mark[1] + mark[2])
        return Block("list-item", record, text)
    if record.role in ("title", "caption", "footnote"):
        return Block(record.role, record, text)  # type: ignore[arg-type]
    return Block("paragraph", record, text)


def running_text(lines: Sequence[str]) -> str:
    """Lines as one, without the white space at their ends."""
    return " ".join(" ".join(map(printable, lines)).split())


def printable(text: str) -> str:
    """The text with U+FFFD in place of characters that XML and HTML forbid, such as control characters."""
    return replace_invalid_chars(text)[0]


def name_of(record: RecordBase) -> str:
    """What a record is called where it cannot be shown: ``Figure on page 3``."""
    names = {Table: "Table", Molecule: "Molecule", Score: "Score", Figure: "Figure"}
    name = next(
        (name for kind, name in names.items() if isinstance(record, kind)), _kind(record).capitalize()
    )
    return f"{name} on page {record.page}"


def captions(document: Document) -> dict[str, str]:
    """Record id → the text of the captions that belong to it."""
    found: dict[str, list[str]] = {}
    for text in document.texts:
        if text.role == "caption" and text.belongs_to is not None:
            found.setdefault(text.belongs_to, []).append(running_text(text.text.split("\n")))
    return {record: " ".join(parts) for record, parts in found.items()}
