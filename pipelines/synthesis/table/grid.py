"""The content of a table, without its design, and its target."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Literal

from docai.pipelines.synthesis.base import Box, loc

Role = Literal["", "group", "total"]
Boxes = Mapping[tuple[int, int], Box]


@dataclass(frozen=True)
class TableCell:
    """A cell at its top left grid position."""

    row: int
    col: int
    text: str
    col_span: int = 1
    row_span: int = 1
    n_raised: int = 0
    """Number of characters at the end that are a footnote mark."""
    indent: int = 0
    """Levels of indentation of a row label."""
    role: Role = ""

    @property
    def plain_text(self) -> str:
        """The text without its footnote mark."""
        return self.text[: len(self.text) - self.n_raised]


@dataclass(frozen=True)
class Grid:
    """A table. Its cells cover each place once and are in reading order."""

    n_rows: int
    n_cols: int
    n_header_rows: int
    cells: tuple[TableCell, ...]
    numeric: tuple[bool, ...] | None = None
    """Which columns hold numbers, for tables that are laid out; None for those drawn directly."""
    n_stub_cols: int = 1
    """Columns of row labels."""
    needs_rules: bool = False
    """Whether the structure is ambiguous without rules around the cells."""


def to_html(grid: Grid, boxes: Boxes) -> str:
    """The target of the table head; ``boxes`` are the text boxes of cells by (row, col), in square pixels."""
    rows: list[list[str]] = [[] for _ in range(grid.n_rows)]
    for cell in grid.cells:
        box = boxes.get((cell.row, cell.col))
        coords = "" if box is None else f' coords="{loc(box)}"'
        spans = "".join(
            f' {name}="{span}"'
            for name, span in (("rowspan", cell.row_span), ("colspan", cell.col_span))
            if span > 1
        )
        rows[cell.row].append(f"<td{coords}{spans}>{html.escape(cell.text, quote=False)}</td>")
    lines = [f"<tr>{''.join(cells)}</tr>" for cells in rows]
    head, body = "".join(lines[: grid.n_header_rows]), "".join(lines[grid.n_header_rows :])
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def character_spans(cells: Sequence[TableCell], target: str) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Start and end in ``target`` of each character of each cell, by (row, col); ``&`` is ``&amp;`` there."""
    spans = {}
    end = 0
    for cell in sorted(cells, key=lambda cell: cell.row):
        escaped = [html.escape(letter, quote=False) for letter in cell.text]
        start = target.index(f">{''.join(escaped)}</td>", end) + 1
        ends = list(accumulate(map(len, escaped), initial=start))
        spans[cell.row, cell.col] = list(pairwise(ends))
        end = ends[-1]
    return spans
