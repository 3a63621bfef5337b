"""The parser of the table head: a rectangular grid of cells from HTML or OTSL.

The model is trained to write this format::

    <table><thead><tr><td coords="<loc0012><loc0034><loc0050><loc0200>" colspan="2">text</td>…</tr></thead>
    <tbody>…</tbody></table>

``coords`` is the box of the cell's text as y0, x0, y1, x1 (see :mod:`docai.parsers.locations`); empty cells
have none. Rows of ``<thead>``, and ``<th>`` cells anywhere, are headers. Inline tags (``<b> <i> <sup> <sub>``
…) are allowed in cells; their text is kept, and a ``<sup>`` at the end of a cell may be its footnote marks.
Other valid HTML is read as HTML; invalid HTML is repaired, and each repair is an issue of the record. The
text is read as OTSL if an OTSL token comes before any tag of an HTML table, see
:mod:`docai.parsers.table_otsl`.

If the text marks no header, neither by ``<th>``, ``<thead>`` or ``<tbody>`` nor by ``ched``, header rows
above columns of numbers are detected by the rule of :mod:`docai.parsers.table_columns`, and an issue says so.
Canonical HTML always has a ``<tbody>``, so that it is read back unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from docai.contents import Cell, TableContent
from docai.parsers.base import IssueLog, Parsed, TrackedText, replace_invalid_chars_in, strip_fence
from docai.parsers.table_grid import CellSpans, build_table
from docai.parsers.table_html import read_html
from docai.parsers.table_otsl import is_otsl, read_otsl

_MIN_LOOP_REPEATS = 8
"""This many equal rows, or equal blocks of rows, in succession are reported as a loop of the model."""

_MAX_LOOP_ROWS = 4
"""Rows of the largest block that is checked for loops."""


def parse_table(text: str, *, seek_head: bool = True) -> Parsed[TableContent]:
    """The table that the text describes. Cell boxes are fractions 0…1 of the crop.

    Args:
        text: HTML or OTSL.
        seek_head: detect header rows that the text does not mark. Ground truth and metrics turn it off.
    """
    log = IssueLog()
    tracked = TrackedText(text)
    if strip_fence(tracked):
        log.add("table-fenced", "A Markdown code fence around the table was removed.")
    if n_bad := replace_invalid_chars_in(tracked):
        log.add("table-bad-character", f"{n_bad} invalid characters were replaced by U+FFFD.")
    read = read_otsl if is_otsl(tracked.text) else read_html
    groups, declares_head = read(tracked, log)
    spans: CellSpans = {}
    content = build_table(groups, log, spans, seek_head=seek_head and not declares_head)
    if not content.cells:
        log.add("table-empty", "The text contains no table cell.")
    _log_loops(content.cells, log)
    cell_spans = tuple(spans.get((cell.row, cell.col)) for cell in content.cells)
    return Parsed(content, log.issues(), log.repaired, cell_spans)


def _log_loops(cells: Sequence[Cell], log: IssueLog) -> None:
    """Report a row, or a block of up to four rows, that repeats many times."""
    rows = [
        tuple((cell.col, cell.row_span, cell.col_span, cell.text) for cell in row)
        for _, row in groupby(cells, key=lambda cell: cell.row)
    ]
    for size in range(1, _MAX_LOOP_ROWS + 1):
        repeats = (row == before for row, before in zip(rows[size:], rows, strict=False))
        end = size
        for is_same, run in groupby(repeats):
            length = sum(1 for _ in run)
            end += length
            block = rows[end - size : end]
            if (
                is_same
                and length >= (_MIN_LOOP_REPEATS - 1) * size
                and any(cell[-1] for row in block for cell in row)
            ):
                what = "equal rows" if size == 1 else f"equal blocks of {size} rows"
                log.add(
                    "table-repeated-rows",
                    f"{length // size + 1} {what} follow each other; the model may have looped.",
                )
                return
