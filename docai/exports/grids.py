"""Whether the tables of a document are grids at all: JSON may say anything of where a cell is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from docai.contents import Cell, TableContent
from docai.document import Document
from docai.errors import ExportError

MAX_PLACES: Final = 1 << 24
"""Most positions of a table (rows times columns): all rows that Excel holds, 16 columns wide."""


def check_tables(document: Document) -> None:
    """See that all cells can be placed, before a format lays them out.

    Raises:
        ExportError: a table is too large, or a cell of it is outside of its grid or on another cell.
    """
    for table in document.tables:
        if problem := _problem(table):
            raise ExportError(
                f"The table {table.id} on page {table.page} of {document.source.name} is no grid "
                f"({problem}): correct the result, or read its source again."
            )


def _problem(table: TableContent) -> str | None:
    size = f"{table.n_rows} x {table.n_cols} cells"
    if table.n_rows * table.n_cols > MAX_PLACES:
        return f"{size}, more than {MAX_PLACES:,}"
    for cell in table.cells:
        if cell.row + cell.row_span > table.n_rows or cell.col + cell.col_span > table.n_cols:
            return f"a cell at row {cell.row}, column {cell.col} is outside of its {size}"
    return _overlap(table.cells)


def _overlap(cells: Iterable[Cell]) -> str | None:
    """Cells inside of the grid; the columns that are taken are bits of an integer, as in the parsers."""
    taken = 0
    ending: dict[int, int] = {}
    for cell in sorted(cells, key=lambda one: one.row):
        for row in [row for row in ending if row <= cell.row]:
            taken &= ~ending.pop(row)
        mask = ((1 << cell.col_span) - 1) << cell.col
        if taken & mask:
            return f"the cell at row {cell.row}, column {cell.col} lies on another"
        taken |= mask
        end = cell.row + cell.row_span
        ending[end] = ending.get(end, 0) | mask
    return None
