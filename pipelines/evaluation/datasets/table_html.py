"""Tables in token form (PubTabNet and its kin) as HTML and as cells on their grid."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

from docai.contents import Cell
from docai.geometry import BBox
from docai.parsers.table_grid import MAX_COLS, MAX_ROW_SPAN, canonical_html, fill_grid, tidy
from docai.pipelines.evaluation.datasets.formats import MalformedError

_TAG = re.compile(r"<(/?)(thead|tbody|tfoot|tr|td|th)((?:\s[^<>]*)?)>")
_SPAN = re.compile(r"\b(rowspan|colspan)\s*=\s*[\"']?(\d{1,9})[\"']?")
_INLINE = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>")


class TokenCell(NamedTuple):
    """A cell's content: HTML as it stands in the table, its plain text, its box in the set's units."""

    html: str
    text: str
    bbox: BBox | None


def wrap(table: str) -> str:
    """A table as a document, which the reference TEDS asks for."""
    return f"<html><body>{table}</body></html>"


def read_cell(tokens: Any, bbox: BBox | None) -> TokenCell:
    """A cell from its tokens: characters, which are escaped, and whole inline tags, which are kept.

    Raises:
        MalformedError: the tokens are not a list of texts.
    """
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise MalformedError("A cell's tokens are not a list of texts.")
    html, text = [], []
    for token in tokens:
        if len(token) > 1 and _INLINE.fullmatch(token):
            html.append(token)
        else:
            html.append(escape(token, quote=False))
            text.append(token)
    return TokenCell("".join(html), "".join(text), bbox)


def fill_structure(tokens: Any, cells: Sequence[TokenCell]) -> tuple[str, list[Cell]]:
    """HTML of a table whose ``<td></td>`` are filled in order, and its cells on their grid.

    The grid is that of the HTML standard: a cell takes the first free column of its row. Where the truth's
    spans overlap or rows are ragged, as in some of PubTabNet, both stay so.

    Raises:
        MalformedError: the structure holds something else than rows of cells, or another number of cells.
    """
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise MalformedError("The structure's tokens are not a list of texts.")
    structure = "".join(tokens)
    if _TAG.sub("", structure).strip():
        raise MalformedError("The structure holds something else than rows of cells.")
    walk = _Walk(cells)
    for match in _TAG.finditer(structure):
        walk.tag(match)
    if walk.n_cells != len(cells):
        raise MalformedError("The structure has another number of cells than the list of cells.")
    if not walk.placed:
        raise MalformedError("The table has no cells.")
    return wrap(f"<table>{''.join(walk.parts)}</table>"), walk.placed


class _Walk:
    """Goes through the structure's tags, fills the cells and places them."""

    def __init__(self, cells: Sequence[TokenCell]) -> None:
        self.parts: list[str] = []
        self.placed: list[Cell] = []
        self.n_cells = 0
        self._cells = cells
        self._row = -1
        self._col = 0
        self._in_head = False
        self._busy: dict[int, int] = {}
        """By column, the first row that is free again."""

    def tag(self, match: re.Match[str]) -> None:
        closing, name, attributes = match.groups()
        if name in ("td", "th"):
            self._cell(match[0], closing, name, attributes)
            return
        if name == "thead":
            self._in_head = not closing
        elif name == "tr" and not closing:
            self._row += 1
            self._col = 0
        self.parts.append(match[0])

    def _cell(self, tag: str, closing: str, name: str, attributes: str) -> None:
        self.parts.append(tag)
        if closing:
            return
        if self._row < 0:
            raise MalformedError("The structure holds something else than rows of cells.")
        self.n_cells += 1
        if self.n_cells > len(self._cells):
            return
        cell = self._cells[self.n_cells - 1]
        self.parts.append(cell.html)
        spans = {key: int(value) for key, value in _SPAN.findall(attributes)}
        row_span = min(max(spans.get("rowspan", 1), 1), MAX_ROW_SPAN)
        col_span = min(max(spans.get("colspan", 1), 1), MAX_COLS)
        while self._busy.get(self._col, 0) > self._row:
            self._col += 1
        self.placed.append(
            Cell(
                row=self._row,
                col=self._col,
                row_span=row_span,
                col_span=col_span,
                text=cell.text.strip(),
                is_header=self._in_head or name == "th",
                bbox=cell.bbox,
            )
        )
        for col in range(self._col, self._col + col_span):
            self._busy[col] = max(self._busy.get(col, 0), self._row + row_span)
        self._col += col_span


def table_from_cells(cells: Sequence[Cell]) -> tuple[str, list[Cell]]:
    """HTML of cells with known places, and the cells with empty ones where places are missing.

    Raises:
        MalformedError: there are none, two cover one place, or the grid is larger than any table.
    """
    if not cells:
        raise MalformedError("The table has no cells.")
    n_rows = max(cell.row + cell.row_span for cell in cells)
    n_cols = max(cell.col + cell.col_span for cell in cells)
    if n_cols > MAX_COLS or n_rows > MAX_ROW_SPAN or n_rows * n_cols > 1 << 20:
        raise MalformedError("The table's grid is larger than any table.")
    taken: set[tuple[int, int]] = set()
    for cell in cells:
        for row in range(cell.row, cell.row + cell.row_span):
            for col in range(cell.col, cell.col + cell.col_span):
                if (row, col) in taken:
                    raise MalformedError("Two cells cover the same place of the grid.")
                taken.add((row, col))
    filled = fill_grid(cells, n_rows, n_cols)
    return wrap(canonical_html(filled, n_rows, n_cols)), filled


def plain(text: object) -> str:
    """A cell's text with its white space tidied; anything but text is empty."""
    return tidy(text) if isinstance(text, str) else ""
