"""A table as HTML for people: spans as they are, header cells marked, line breaks kept.

``Table.html`` is another thing: the form that models write and parsers compare.
"""

from __future__ import annotations

import re
from html import escape
from typing import Final

from docai.contents import Cell, TableContent
from docai.exports.flow import printable
from docai.parsers.table_columns import read_columns
from docai.parsers.table_grid import fill_grid, head_rows

_BREAKS: Final = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")


def html_table(table: TableContent, *, indent: str = "") -> str:
    """A ``<table>`` element, one row on each line and no empty line, so that it stands in Markdown, too."""
    cells = fill_grid(table.cells, table.n_rows, table.n_cols)
    n_head = head_rows(table)
    numeric = numeric_columns(table)
    rows: list[list[str]] = [[] for _ in range(table.n_rows)]
    # A cell of the first row may extend below it, and what it names is columns all the same.
    n_names = min((cell.row for cell in cells if not cell.is_header), default=table.n_rows)
    for cell in cells:
        is_head = cell.row < max(n_head, n_names)
        rows[cell.row].append(_cell(cell, is_head=is_head, is_number=cell.col in numeric))
    lines = [f"<tr>{''.join(row)}</tr>" for row in rows]
    head, body = lines[:n_head], lines[n_head:]
    parts = ["<table>"]
    if head:
        parts += ["<thead>", *head, "</thead>"]
    if body:
        parts += ["<tbody>", *body, "</tbody>"]
    return "\n".join(f"{indent}{part}" for part in [*parts, "</table>"])


def numeric_columns(table: TableContent) -> frozenset[int]:
    """The columns whose cells below the head are numbers."""
    n_head = head_rows(table)
    texts: list[list[str]] = [[] for _ in range(table.n_cols)]
    for cell in table.cells:
        if cell.row >= n_head and cell.col < table.n_cols:
            texts[cell.col].append(cell.text)
    return frozenset(index for index, column in enumerate(read_columns(texts)) if column.is_numeric)


def _cell(cell: Cell, *, is_head: bool, is_number: bool) -> str:
    tag, attributes = "td", ""
    if is_head or cell.is_header:
        tag = "th"
        scope = "col" if is_head else "row"
        several = cell.col_span > 1 if is_head else cell.row_span > 1
        attributes += f' scope="{scope}{"group" if several else ""}"'
    if cell.row_span > 1:
        attributes += f' rowspan="{cell.row_span}"'
    if cell.col_span > 1:
        attributes += f' colspan="{cell.col_span}"'
    if is_number and not is_head:
        attributes += ' align="right"'
    text = _BREAKS.sub("<br>", escape(printable(cell.text), quote=False))
    if cell.marks:
        text += f"<sup>{escape(printable(','.join(cell.marks)), quote=False)}</sup>"
    return f"<{tag}{attributes}>{text}</{tag}>"
