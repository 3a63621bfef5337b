"""Word documents: headings, paragraphs, lists, tables with merged cells, pictures.

Word's own styles carry what a block is, so that a template of one's own can restyle the file.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Final

from docai.base import Content
from docai.contents import Cell
from docai.exports.base import Export
from docai.exports.flow import (
    Block,
    blocks,
    file_name,
    is_picture,
    name_of,
    printable,
    running_text,
    words_of,
)
from docai.exports.html_table import numeric_columns
from docai.exports.pictures import cut_from_pages, molecule_png, score_png
from docai.parsers.table_grid import fill_grid, head_rows
from docai.records import Molecule, RecordBase, Score
from docai.table_formats import TableExports

if TYPE_CHECKING:
    from docx.document import Document as WordDocument
    from docx.text.paragraph import Paragraph

MAX_COLS: Final = 63
"""Columns of a table; Word opens no file with more."""

MAX_WIDTH: Final = 432.0
"""Points of a picture: the width of the text on the page of python-docx's template."""

_BREAKS: Final = re.compile(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
_HEADING_LEVELS: Final = 9
_FOOTNOTE_SIZE: Final = 9


def to_docx(export: Export) -> bytes:
    """The document as an Office Open XML file."""
    import docx

    word = docx.Document()
    word.core_properties.author = ""
    word.core_properties.comments = "Written by docai"
    word.core_properties.title = file_name(export.document)[:255]
    writer = _Writer(export, word)
    for block in blocks(export):
        writer.add(block)
    packed = io.BytesIO()
    word.save(packed)
    return packed.getvalue()


class _Writer:
    """Puts blocks at the end of a Word document."""

    def __init__(self, export: Export, word: WordDocument) -> None:
        self._export = export
        self._word = word
        shown = [record for record in export.document.records if is_picture(record)]
        self._regions = cut_from_pages(export, shown)

    def add(self, block: Block) -> None:
        word, text = self._word, block.text
        if block.kind == "title":
            word.add_heading(text, 0)
        elif block.kind == "heading":
            word.add_heading(text, min(block.level, _HEADING_LEVELS))
        elif block.kind == "list-item" and not block.marker:
            word.add_paragraph(text, "List Bullet")
        elif block.kind == "list-item":
            # Word's own numbers would go on from list to list.
            word.add_paragraph(f"{block.marker} {text}", "List")
        elif block.kind == "caption":
            word.add_paragraph(text, "Caption")
        elif block.kind == "code":
            self._code(text)
        elif block.kind == "footnote":
            self._small(text)
        elif block.kind == "record":
            self._record(block)
        else:
            word.add_paragraph(text)

    def _record(self, block: Block) -> None:
        record = block.record
        if is_picture(record):
            words, png = words_of(record), self._regions.get(record.id)
            if png is None:
                self._word.add_paragraph(f"[{name_of(record)}{': ' + words if words else ''}]")
            self._picture(record, png, words)
        elif block.table is not None:
            self._table(record, block.table)
        elif isinstance(record, Molecule):
            self._picture(record, molecule_png(record))
            self._small(f"SMILES: {record.smiles or ''}")
        elif isinstance(record, Score):
            png = score_png(self._export, record)
            self._picture(record, png)
            if png is None:
                self._code(printable(record.kern.rstrip("\n")))
        elif isinstance(record, Content):
            self._word.add_paragraph(running_text([record.describe()]))

    def _picture(self, record: RecordBase, png: bytes | None, words: str = "") -> None:
        if png is None:
            return
        from docx.shared import Pt

        x0, _, x1, _ = record.bbox
        picture = self._word.add_picture(io.BytesIO(png), Pt(min(max(x1 - x0, 36.0), MAX_WIDTH)))
        about: Any = picture._inline.docPr
        about.set("descr", f"{name_of(record)}{': ' + words if words else ''}")

    def _small(self, text: str) -> None:
        from docx.shared import Pt

        self._word.add_paragraph().add_run(text).font.size = Pt(_FOOTNOTE_SIZE)

    def _code(self, text: str) -> None:
        from docx.shared import Pt

        run = self._word.add_paragraph(style="No Spacing").add_run(text)
        run.font.name, run.font.size = "Courier New", Pt(_FOOTNOTE_SIZE)

    def _table(self, record: RecordBase, table: TableExports) -> None:
        if table.n_cols > MAX_COLS:
            self._export.lose(
                "too-wide",
                f"Page {record.page}: a table of {table.n_cols} columns is written as lines of text, since "
                f"Word's have {MAX_COLS} at most.",
                record.id,
            )
            self._code(printable(table.to_csv(delimiter="\t")).rstrip("\r\n").replace("\r\n", "\n"))
            return
        drawn = self._word.add_table(table.n_rows, table.n_cols, "Table Grid")
        places = [row.cells for row in drawn.rows]
        n_head, numeric = head_rows(table), numeric_columns(table)
        for row in drawn.rows[:n_head] if n_head else ():
            _repeat_on_pages(row)
        for cell in fill_grid(table.cells, table.n_rows, table.n_cols):
            place = places[cell.row][cell.col]
            if cell.row_span > 1 or cell.col_span > 1:
                place = place.merge(places[cell.row + cell.row_span - 1][cell.col + cell.col_span - 1])
            is_head = cell.row < n_head or cell.is_header
            _fill(place.paragraphs[0], cell, is_head, is_number=not is_head and cell.col in numeric)
        # Word joins tables that follow each other.
        self._word.add_paragraph()


def _fill(paragraph: Paragraph, cell: Cell, is_head: bool, *, is_number: bool) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    run = paragraph.add_run(_BREAKS.sub("\n", printable(cell.text)))
    run.bold = True if is_head else None
    if cell.marks:
        mark = paragraph.add_run(printable(",".join(cell.marks)))
        mark.bold = True if is_head else None
        mark.font.superscript = True
    if is_number:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT


def _repeat_on_pages(row: Any) -> None:
    """Show a header row again where the table goes on on another page."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    mark = OxmlElement("w:tblHeader")
    mark.set(qn("w:val"), "true")
    row._tr.get_or_add_trPr().append(mark)
