"""Tables as the tools give them, in the form that all are measured in. Standard library only."""

from __future__ import annotations

import html
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

Box = tuple[float, float, float, float]
Cell = dict[str, Any]
Item = dict[str, Any]
"""With the fields of ``docai.pipelines.evaluation.base.Item``; cells those of ``docai.contents.Cell``."""


def cell(row: int, col: int, text: str | None, bbox: Box | None, rows: int = 1, cols: int = 1) -> Cell:
    """One cell; white space and line breaks in its text become single spaces, as in displayed HTML."""
    return {
        "row": row,
        "col": col,
        "row_span": rows,
        "col_span": cols,
        "text": " ".join((text or "").split()),
        "bbox": None if bbox is None else [float(value) for value in bbox],
    }


def table(cells: Sequence[Cell], page: int, bbox: Box | None) -> Item:
    return {
        "kind": "table",
        "text": as_html(cells),
        "page": page,
        "bbox": None if bbox is None else [float(value) for value in bbox],
        "cells": list(cells),
    }


def as_html(cells: Sequence[Cell]) -> str:
    """The cells in order of rows. None of the tools says which rows are a header, so none is written."""
    rows: dict[int, list[Cell]] = {}
    for placed in cells:
        rows.setdefault(placed["row"], []).append(placed)
    n_rows = max((placed["row"] + placed["row_span"] for placed in cells), default=0)
    lines = []
    for row in range(n_rows):
        line = ""
        for placed in sorted(rows.get(row, ()), key=lambda c: c["col"]):
            spans = "".join(
                f' {name}="{placed[key]}"'
                for name, key in (("rowspan", "row_span"), ("colspan", "col_span"))
                if placed[key] > 1
            )
            line += f"<td{spans}>{html.escape(placed['text'], quote=False)}</td>"
        lines.append(f"<tr>{line}</tr>")
    return f"<html><body><table>{''.join(lines)}</table></body></html>"


def from_boxes(boxes: Sequence[tuple[Box, str | None]]) -> list[Cell]:
    """Cells of a table of which the tool gives every cell's box once: a cell spans the columns and rows
    that begin inside it."""
    lefts = sorted({box[0] for box, _ in boxes})
    tops = sorted({box[1] for box, _ in boxes})
    cells = []
    for box, text in boxes:
        col, row = bisect_left(lefts, box[0]), bisect_left(tops, box[1])
        cols = max(1, bisect_left(lefts, box[2]) - col)
        rows = max(1, bisect_left(tops, box[3]) - row)
        cells.append(cell(row, col, text, box, rows, cols))
    return sorted(cells, key=lambda c: (c["row"], c["col"]))


def from_borders(
    texts: Sequence[Sequence[str]],
    boxes: Sequence[Sequence[Box]],
    open_right: Sequence[Sequence[bool]],
    open_below: Sequence[Sequence[bool]],
) -> list[Cell]:
    """Cells of a regular grid in which positions without a border between them are one cell."""
    taken: set[tuple[int, int]] = set()
    cells = []
    for row, line in enumerate(texts):
        for col in range(len(line)):
            if (row, col) in taken:
                continue
            right, below = col, row
            while right + 1 < len(line) and open_right[row][right] and (row, right + 1) not in taken:
                right += 1
            while below + 1 < len(texts) and all(
                open_below[below][c] and (below + 1, c) not in taken for c in range(col, right + 1)
            ):
                below += 1
            places = [(r, c) for r in range(row, below + 1) for c in range(col, right + 1)]
            taken.update(places)
            parts = [texts[r][c].strip() for r, c in places]
            corners = [boxes[r][c] for r, c in places]
            bbox = (
                min(box[0] for box in corners),
                min(box[1] for box in corners),
                max(box[2] for box in corners),
                max(box[3] for box in corners),
            )
            text = " ".join(part for part in parts if part)
            cells.append(cell(row, col, text, bbox, below - row + 1, right - col + 1))
    return cells
