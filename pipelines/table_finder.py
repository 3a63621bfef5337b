"""PyMuPDF's table finder as a witness: a grid from rules and aligned words, filled with the PDF's words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from docai.parsers.grid import canonical_html, fill_grid
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.ingest.pdf import quiet_mupdf
from docai.records import BBox, Cell, TableContent

EDGE_TOLERANCE = 2.0
"""Points within which two cell edges are one grid line."""


def find_table(page: Page, bbox: BBox, words: Sequence[PageWord]) -> TableContent | None:
    """The grid that PyMuPDF sees inside ``bbox``, its cells filled with ``words``; None where it sees none.

    First from ruled lines, then from the alignment of words. Coordinates are displayed page points. The
    finder's own cell texts are not used: they were seen to tear decimal numbers apart.
    """
    if page.pdf is None:
        return None
    with quiet_mupdf(), upright_page(page) as upright:
        for strategy in ("lines_strict", "lines", "text"):
            tables = upright.find_tables(clip=bbox, strategy=strategy).tables
            best = max(tables, key=lambda table: _overlap(tuple(table.bbox), bbox), default=None)
            if best is not None and _overlap(tuple(best.bbox), bbox) > 0.5:
                boxes = [tuple(cell) for row in best.rows for cell in row.cells if cell is not None]
                content = grid_from_boxes(boxes, words)
                if content.n_rows >= 2 and content.n_cols >= 2:
                    return content
    return None


@contextmanager
def upright_page(page: Page) -> Iterator[Any]:
    """The PyMuPDF page, or a copy with its rotation baked in: the finder misses tables on rotated pages."""
    import pymupdf

    if page.rotation == 0:
        yield page.pdf
        return
    with pymupdf.open() as copy:
        target = copy.new_page(width=page.width, height=page.height)
        target.show_pdf_page(target.rect, page.pdf.parent, page.pdf.number, rotate=-page.rotation)
        yield target


def grid_from_boxes(boxes: Sequence[BBox], words: Sequence[PageWord]) -> TableContent:
    """A grid from the boxes of its cells: edges become grid lines, and a box spans those inside it.

    The words whose centres lie in a box are its text. Rows and columns without any word are left out, and
    the first row is the header.
    """
    columns = _lines(edge for box in boxes for edge in (box[0], box[2]))
    rows = _lines(edge for box in boxes for edge in (box[1], box[3]))
    cells: list[Cell] = []
    taken: set[tuple[int, int]] = set()
    for box in sorted(set(boxes), key=lambda item: (item[1], item[0])):
        left, right = _nearest(columns, box[0]), _nearest(columns, box[2])
        top, bottom = _nearest(rows, box[1]), _nearest(rows, box[3])
        places = {(row, col) for row in range(top, bottom) for col in range(left, right)}
        if not places or places & taken:
            continue
        taken |= places
        inside = [
            word
            for word in words
            if box[0] <= (word.bbox[0] + word.bbox[2]) / 2 < box[2]
            and box[1] <= (word.bbox[1] + word.bbox[3]) / 2 < box[3]
        ]
        cells.append(
            Cell(
                row=top,
                col=left,
                row_span=bottom - top,
                col_span=right - left,
                text=" ".join(word.text for word in inside),
                bbox=box,
            )
        )
    return _without_empty_lines(cells)


def _without_empty_lines(cells: Sequence[Cell]) -> TableContent:
    """Leave out grid rows and columns in which no cell with text begins."""
    rows = sorted({cell.row for cell in cells if cell.text})
    cols = sorted({cell.col for cell in cells if cell.text})
    kept: list[Cell] = []
    for cell in cells:
        spanned_rows = [row for row in rows if cell.row <= row < cell.row + cell.row_span]
        spanned_cols = [col for col in cols if cell.col <= col < cell.col + cell.col_span]
        if spanned_rows and spanned_cols:
            kept.append(
                cell.model_copy(
                    update={
                        "row": rows.index(spanned_rows[0]),
                        "col": cols.index(spanned_cols[0]),
                        "row_span": len(spanned_rows),
                        "col_span": len(spanned_cols),
                        "is_header": spanned_rows[0] == rows[0],
                    }
                )
            )
    filled = fill_grid(kept, len(rows), len(cols))
    return TableContent(
        html=canonical_html(filled, len(rows), len(cols)), n_rows=len(rows), n_cols=len(cols), cells=filled
    )


def _lines(edges: Iterator[float]) -> list[float]:
    """Sorted edges, those within the tolerance merged."""
    merged: list[float] = []
    for edge in sorted(edges):
        if not merged or edge - merged[-1] > EDGE_TOLERANCE:
            merged.append(edge)
    return merged


def _nearest(lines: Sequence[float], edge: float) -> int:
    return min(range(len(lines)), key=lambda index: abs(lines[index] - edge))


def _overlap(box: BBox, other: BBox) -> float:
    """Intersection over the smaller of the two areas."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return width * height / max(min(areas), 1e-9)
