"""The table head: HTML or OTSL as a model writes it, to a rectangular grid of cells.

The format, as the model is trained to write it::

    <table><thead><tr><td coords="<loc0012><loc0034><loc0050><loc0200>" colspan="2">text</td>…</tr></thead>
    <tbody>…</tbody></table>

``coords`` is the cell's text box as y0, x0, y1, x1 (see :mod:`docai.parsers.locations`), on non-empty cells
only. Rows of ``<thead>`` and ``<th>`` cells anywhere are headers. Inline tags (``<b> <i> <sup> <sub>`` …)
are allowed in cells; their text is kept. Everything else HTML allows is read as HTML; what it does not
allow is repaired, and each repair is an issue of the record. OTSL is read where its tokens come before any
tag of a table, see :mod:`docai.parsers.table_otsl`.

Where the text names no head, neither by ``<th>``, ``<thead>`` or ``<tbody>`` nor by ``ched``, a head over
columns of numbers is found by the rule of :mod:`docai.parsers.table_columns`, and an issue says so. Canonical
HTML always has a ``<tbody>``: it is read back as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from docai.contents import Cell, TableContent
from docai.parsers.base import Notes, Parsed, TracedText, replace_unholdable_in, strip_fence
from docai.parsers.table_grid import CellSpans, lay_out
from docai.parsers.table_html import read_html
from docai.parsers.table_otsl import is_otsl, read_otsl

_LOOP_ROWS = 8
"""So many equal rows, or equal blocks of rows, in a run are taken for a loop of the model."""
_LOOP_BLOCK = 4


def parse_table(text: str, *, seek_head: bool = True) -> Parsed[TableContent]:
    """The table that the text describes. Cell boxes are fractions 0…1 of the crop.

    ``seek_head`` False: a table whose head is not marked has none, as truths and metrics want it.
    """
    notes = Notes()
    traced = TracedText(text)
    if strip_fence(traced):
        notes.add("table-fenced", "A code fence around the table was taken off.")
    if n_bad := replace_unholdable_in(traced):
        notes.add("table-bad-character", f"{n_bad} unreadable characters were replaced.")
    read = read_otsl if is_otsl(traced.text) else read_html
    groups, declares_head = read(traced, notes)
    spans: CellSpans = {}
    content = lay_out(groups, notes, spans, seek_head=seek_head and not declares_head)
    if not content.cells:
        notes.add("table-empty", "The text holds no table cell.")
    _note_loops(content.cells, notes)
    its_spans = tuple(spans.get((cell.row, cell.col)) for cell in content.cells)
    return Parsed(content, notes.issues(), notes.repaired, its_spans)


def _note_loops(cells: Sequence[Cell], notes: Notes) -> None:
    """Tell of one row, or of a block of a few, that comes again and again."""
    rows = [
        tuple((cell.col, cell.row_span, cell.col_span, cell.text) for cell in row)
        for _, row in groupby(cells, key=lambda cell: cell.row)
    ]
    for size in range(1, _LOOP_BLOCK + 1):
        again = (row == before for row, before in zip(rows[size:], rows, strict=False))
        end = size
        for is_same, run in groupby(again):
            length = sum(1 for _ in run)
            end += length
            block = rows[end - size : end]
            if (
                is_same
                and length >= (_LOOP_ROWS - 1) * size
                and any(cell[-1] for row in block for cell in row)
            ):
                what = "equal rows" if size == 1 else f"equal blocks of {size} rows"
                notes.add("table-repeated-rows", f"{length // size + 1} {what} follow each other.")
                return
