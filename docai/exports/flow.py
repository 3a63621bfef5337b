"""A document as a reader takes it in: headings, paragraphs, lists, tables and pictures, one after the other.

What the formats of flowing text (Markdown, HTML, DOCX, chunks) share.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PureWindowsPath
from typing import Final, Literal

from docai.base import Content
from docai.document import Document
from docai.exports.base import Export
from docai.joined_tables import JoinedTable
from docai.parsers.base import replace_invalid_chars
from docai.records import Figure, Molecule, RecordBase, Score, Table, Text
from docai.structure import Paragraph

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
    records: tuple[RecordBase, ...]
    """Several of a paragraph or a table that goes on in another column or on another page."""
    table: JoinedTable | None = None
    """All of a table."""
    text: str = ""
    """Without the mark of a list item; of code with its lines."""
    level: int = 0
    """Of a heading, from 1."""
    depth: int = 0
    """Of a heading as HTML counts: its level, and one more where the document has a title, which is 1."""
    marker: str = ""
    """Of a list item: empty for a bullet, else such as ``3.``"""
    headings: tuple[str, ...] = ()
    """Title and headings that it stands under."""

    @property
    def record(self) -> RecordBase:
        """The first of them."""
        return self.records[0]


@dataclass(frozen=True)
class WholeTable:
    """A table that was read, with what goes on with it on the next pages."""

    content: JoinedTable
    records: tuple[Table, ...]

    @property
    def id(self) -> str:
        """Of its first record."""
        return self.records[0].id

    @property
    def page(self) -> int:
        """On which it begins."""
        return self.records[0].page


def tables_of(document: Document) -> list[WholeTable]:
    """The tables that have cells, those that go on over pages as one."""
    by_id = {table.id: table for table in document.tables}
    joined = [one for one in document.joined_tables() if not one.is_empty]
    return [WholeTable(one, tuple(by_id[name] for name in one.records)) for one in joined]


def blocks(export: Export) -> Iterator[Block]:
    """The document's blocks in reading order.

    Running heads and page numbers are left out, with a loss, as is text in which nothing was read. Another
    record in which nothing was read is there, with a loss: :func:`is_picture` says so.
    """
    headings: list[tuple[int, str]] = []
    has_title = any(text.role == "title" for text in export.document.texts)
    n_furniture = 0
    by_id = {record.id: record for record in export.document.records}
    paragraphs = {one.records[0]: one for one in export.document.paragraphs()}
    tables = {one.records[0]: one for one in export.document.joined_tables()}
    rest = {name for one in paragraphs.values() for name in one.records[1:]}
    rest |= {name for one in tables.values() for name in one.records[1:]}
    for record in export.document.records:
        if record.id in rest:
            continue
        if isinstance(record, Text) and record.role in _FURNITURE:
            n_furniture += 1
            continue
        if is_unread(record):
            kind = _kind(record)
            export.lose("unread-region", f"Page {record.page}: nothing was read in a {kind}.", record.id)
            if isinstance(record, Text):
                continue
        if isinstance(record, Text):
            block = _text_block(paragraphs[record.id], by_id)
        else:
            table = tables.get(record.id)
            block = Block("record", (record,) if table is None else _those(table.records, by_id), table)
        if block.kind in ("title", "heading"):
            level = block.level if block.kind == "heading" else 0
            headings = [(above, text) for above, text in headings if above < level]
        path = tuple(text for _, text in headings)
        if block.kind in ("title", "heading"):
            headings.append((level, block.text))
        depth = block.level + has_title if block.kind == "heading" else 0
        yield replace(block, depth=depth, headings=path)
    if n_furniture:
        export.lose("running-heads", f"Running heads and page numbers are left out: {n_furniture}.")


def is_unread(record: RecordBase) -> bool:
    """Whether nothing valid was read in a region that a head reads."""
    if isinstance(record, Text):
        return not record.text.strip()
    return isinstance(record, Content) and record.is_empty and not isinstance(record, Figure)


def is_picture(record: RecordBase) -> bool:
    """Whether a record is shown as the page shows it: a figure, or what could not be read."""
    return isinstance(record, Figure) or (is_unread(record) and not isinstance(record, Text))


def words_of(record: RecordBase) -> str:
    """The words that belong to what :func:`is_picture`: those inside a figure, else what a model wrote."""
    return running_text((record.text if isinstance(record, Figure) else record.raw).split("\n"))


def _kind(record: RecordBase) -> str:
    return str(getattr(record, "kind", "record"))


def _those(names: Sequence[str], by_id: Mapping[str, RecordBase]) -> tuple[RecordBase, ...]:
    return tuple(by_id[name] for name in names)


def _text_block(paragraph: Paragraph, by_id: Mapping[str, RecordBase]) -> Block:
    records, text = _those(paragraph.records, by_id), running_text([paragraph.text])
    if paragraph.role == "code":
        return Block("code", records, text=printable(paragraph.printed))
    if paragraph.role == "section-heading":
        return Block("heading", records, text=text, level=paragraph.level or 1)
    if paragraph.role == "list-item":
        if mark := _BULLET.match(text):
            return Block("list-item", records, text=text[mark.end() :])
        if mark := _NUMBER.match(text):
            return Block("list-item", records, text=text[mark.end() :], marker=mark[1] + mark[2])
        return Block("list-item", records, text=text)
    if paragraph.role == "title" or paragraph.role == "caption" or paragraph.role == "footnote":
        return Block(paragraph.role, records, text=text)
    return Block("paragraph", records, text=text)


def running_text(lines: Sequence[str]) -> str:
    """Lines as one, without the white space at their ends."""
    return " ".join(" ".join(map(printable, lines)).split())


def printable(text: str) -> str:
    """The text with U+FFFD in place of characters that XML and HTML forbid, such as control characters."""
    return replace_invalid_chars(text)[0]


def file_name(document: Document) -> str:
    """The name of what was read, without its folder."""
    return printable(PureWindowsPath(document.source.name).name) or "document"


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
