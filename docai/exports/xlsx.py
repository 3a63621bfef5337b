"""Excel workbooks: one sheet for each table, with spans as merged cells and numbers as numbers.

A number has a format that shows it as it was printed: decimals, thousands, currency, unit,
negative in parentheses, footnote mark. All other text is text, also where it looks like a formula. The last
sheet says where each table comes from.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from docai.base import counted
from docai.contents import Cell
from docai.errors import NothingToExportError
from docai.exports.base import Export
from docai.exports.excel_numbers import TypedCell, typed_cells
from docai.exports.flow import WholeTable, captions, file_name, printable, tables_of
from docai.parsers.marks import superscript
from docai.parsers.table_grid import fill_grid, head_rows
from docai.records import Table

if TYPE_CHECKING:
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

MAX_SHEETS: Final = 250
"""Of one workbook: Excel's own interface makes no more at once, and opens such a book in seconds."""

MAX_NAME: Final = 31
MAX_ROWS: Final = 1_048_576
MAX_COLS: Final = 16_384
MAX_TEXT: Final = 32_767
"""Excel's limits: characters of a sheet's name, rows, columns, characters of a cell."""

_ILLEGAL: Final = re.compile(r"[\[\]:*?/\\\x00-\x1f]+")

_SOURCES: Final = "Sources"
_SOURCE_COLUMNS: Final = ("Sheet", "Record", "Page", "x0", "y0", "x1", "y1", "Confidence", "Method", "Issues")


def to_xlsx(export: Export) -> bytes:
    """The first workbook; tables beyond :data:`MAX_SHEETS` are in ``STEM-2.xlsx`` and so on.

    Raises:
        NothingToExportError: no table was read.
    """
    tables = tables_of(export.document)
    if not tables:
        raise NothingToExportError(
            f"{export.document.source.name} has no tables that could be read: nothing can be written as XLSX."
        )
    names = sheet_names(export, tables)
    books = [slice(start, start + MAX_SHEETS) for start in range(0, len(tables), MAX_SHEETS)]
    if not export.options.files_beside and len(books) > 1:
        export.lose(
            "further-tables",
            f"{counted(len(tables) - MAX_SHEETS, 'table')} left out: one workbook holds {MAX_SHEETS}.",
        )
        books = books[:1]
    for number, part in enumerate(books[1:], 2):
        export.add_file(f"{export.stem}-{number}.xlsx", _workbook(export, tables[part], names[part]))
    return _workbook(export, tables[books[0]], names[books[0]])


def sheet_names(export: Export, tables: Sequence[WholeTable]) -> list[str]:
    """A legal name for each table, no two the same: its number and what of its caption has room."""
    words = captions(export.document)
    names = []
    for number, table in enumerate(tables, 1):
        caption = " ".join(_ILLEGAL.sub(" ", printable(words.get(table.id, ""))).split())
        name = f"{number} {caption}" if caption else f"Table {number}"
        # Excel counts UTF-16 units.
        while len(name.encode("utf-16-le")) > 2 * MAX_NAME:
            name = name[:-1]
        names.append(name.rstrip(" '"))
    return names


def _workbook(export: Export, tables: Sequence[WholeTable], names: Sequence[str]) -> bytes:
    from xlsxwriter.workbook import Workbook

    packed = io.BytesIO()
    # What is written stays what it is: text is never read as a number, a formula or a link.
    book = Workbook(packed, {"in_memory": True, "nan_inf_to_errors": True})
    book.set_properties({"title": file_name(export.document), "comments": "Written by docai"})
    formats = _Formats(book)
    for table, name in zip(tables, names, strict=True):
        _fill_sheet(export, book.add_worksheet(name), table, formats)
    _fill_sources(book.add_worksheet(_SOURCES), tables, names, formats)
    book.close()
    return packed.getvalue()


class _Formats:
    """The formats of a workbook, each made once."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, Any], ...], Any] = {}

    def get(self, **values: Any) -> Any:
        key = tuple(sorted(values.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format(values)
        return self._made[key]


def _fill_sheet(export: Export, sheet: Worksheet, table: WholeTable, formats: _Formats) -> None:
    content = table.content
    n_head = head_rows(content)
    typed = typed_cells(content)
    if typed.n_text:
        export.lose(
            "unread-numbers",
            f"Page {table.page}: {counted(typed.n_text, 'cell')} of columns of numbers "
            f"{'stays' if typed.n_text == 1 else 'stay'} text.",
            table.id,
        )
    for cell in fill_grid(content.cells, content.n_rows, content.n_cols):
        if cell.row >= MAX_ROWS or cell.col >= MAX_COLS:
            continue
        is_head = cell.row < n_head or cell.is_header
        look: dict[str, Any] = {"valign": "top", "border": 1, "border_color": "#C8C8D0"}
        look |= {"bold": True, "bg_color": "#EEF0F5"} if is_head else {}
        look |= {"text_wrap": True} if "\n" in cell.text else {}
        number = typed.cells.get((cell.row, cell.col))
        look |= {"num_format": number.format} if number is not None else {"num_format": "@"}
        _write(export, sheet, table, cell, number, look, formats)
    if content.n_rows > MAX_ROWS or content.n_cols > MAX_COLS:
        export.lose(
            "too-large",
            f"Page {table.page}: a table of {content.n_rows:,} rows and {content.n_cols:,} columns is cut to "
            "what a sheet holds.",
            table.id,
        )
    if n_head:
        sheet.freeze_panes(n_head, 0)
    sheet.autofit(400)


def _write(
    export: Export,
    sheet: Worksheet,
    table: WholeTable,
    cell: Cell,
    number: TypedCell | None,
    look: dict[str, Any],
    formats: _Formats,
) -> None:
    style = formats.get(**look)
    row, col = cell.row, cell.col
    last_row, last_col = min(row + cell.row_span, MAX_ROWS) - 1, min(col + cell.col_span, MAX_COLS) - 1
    if (last_row, last_col) != (row, col):
        sheet.merge_range(row, col, last_row, last_col, "", style)
    text = printable(cell.text)
    if len(text) > MAX_TEXT:
        export.lose("long-cell", f"Page {table.page}: a cell is cut to {MAX_TEXT:,} characters.", table.id)
        text = text[:MAX_TEXT]
    marks = printable(",".join(cell.marks))
    if number is not None:
        sheet.write_number(row, col, number.value, style)
    elif not text and not marks:
        sheet.write_blank(row, col, None, style)
    elif marks and text and len(text) + len(marks) <= MAX_TEXT:
        bold = {"bold": True} if look.get("bold") else {}
        raised = formats.get(font_script=1, **bold)
        sheet.write_rich_string(
            row, col, *([formats.get(**bold)] if bold else []), text, raised, marks, style
        )
    else:
        sheet.write_string(row, col, text or superscript(marks), style)


def _fill_sources(
    sheet: Worksheet, tables: Sequence[WholeTable], names: Sequence[str], formats: _Formats
) -> None:
    head, plain = formats.get(bold=True, bg_color="#EEF0F5"), formats.get(valign="top")
    for col, title in enumerate(_SOURCE_COLUMNS):
        sheet.write_string(0, col, title, head)
    for row, (table, name) in enumerate(zip(tables, names, strict=True), 1):
        sheet.write_url(row, 0, f"internal:'{name.replace(chr(39), 2 * chr(39))}'!A1", string=name)
        least = min(table.records, key=_confidence)
        sheet.write_string(row, 1, " ".join(record.id for record in table.records)[:MAX_TEXT], plain)
        sheet.write_number(row, 2, table.page, plain)
        for col, value in enumerate(table.records[0].bbox, 3):
            sheet.write_number(row, col, round(value, 2), plain)
        if least.confidence.value is not None:
            sheet.write_number(row, 7, least.confidence.value, formats.get(num_format="0.00"))
        sheet.write_string(row, 8, printable(least.confidence.method), plain)
        issues = printable("; ".join(issue.message for record in table.records for issue in record.issues))
        sheet.write_string(row, 9, issues[:MAX_TEXT], plain)
    sheet.freeze_panes(1, 0)
    sheet.autofit(400)


def _confidence(table: Table) -> float:
    """0 where it was not measured."""
    return table.confidence.value or 0.0
