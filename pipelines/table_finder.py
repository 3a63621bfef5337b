"""PyMuPDF's table finder as a witness: a grid from rules and aligned words, filled with the PDF's words.

The finder's own cell texts are not used: they were seen to tear decimal numbers apart. It also leaves out
rows and columns that no rule closes, and puts too many columns where it has only words to go by; both
are mended by where the words stand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any

from docai.parsers.grid import canonical_html, fill_grid
from docai.pipelines.cells import WIDE_GAP, agreement, cell_text, cell_words, holds
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.ingest.quiet import quiet_mupdf
from docai.pipelines.layout.digital import text_turn, upright
from docai.pipelines.layout.frame import Frame
from docai.records import BBox, Cell, TableContent

EDGE_TOLERANCE = 2.0
"""Points within which two cell edges are one grid line."""

_MOST_LINES = 3
"""Lines of text that one row outside of the rules may have; more are rows that the rules do not part."""
_LUMP_LINES = 5
"""Lines of text in all cells of a row from which it is taken for several rows that no rules part."""
_REACH = 4.0
"""Points around a region in which its outer rules may lie."""
_GOOD = 0.99
"""Agreement with the words from which no other strategy is tried. Chosen on ICDAR 2013's EU documents."""
_WORD_SPACE = 0.7
"""Gap between words of one line, in heights of a word, up to which they belong together."""


def find_table(page: Page, bbox: BBox, words: Sequence[PageWord]) -> TableContent | None:
    """The grid that PyMuPDF sees inside ``bbox``, its cells filled with ``words``; None where it sees none.

    First from ruled lines, then from the white space between words, then from their alignment: the first
    that holds nearly all of the words, else the best of them. Coordinates are displayed page points; text
    that is turned on the page is read upright.
    """
    if page.pdf is None or not words:
        return None
    with quiet_mupdf():
        frame = Frame(page.width, page.height, text_turn(page.pdf))
        placed = [word._replace(bbox=frame.enter(word.bbox)) for word in words]
        with upright(page.pdf, frame.turn) as sheet:
            found = _best_grid(sheet, frame.enter(bbox), placed)
    if found is None:
        return None
    cells = [
        cell if cell.bbox is None else cell.model_copy(update={"bbox": frame.leave(cell.bbox)})
        for cell in found.cells
    ]
    return found.model_copy(update={"cells": cells})


def _best_grid(sheet: Any, bbox: BBox, words: Sequence[PageWord]) -> TableContent | None:
    native = [word.text for word in words]
    best: tuple[tuple[bool, float], TableContent] | None = None
    for boxes in _candidates(sheet, bbox, words):
        content = grid_from_boxes(boxes, words)
        if content.n_rows < 2 or content.n_cols < 2:
            continue
        share = agreement(cell_words(content), native)
        rank = (not _is_lumped(boxes, words), share)
        if best is None or rank > best[0]:
            best = (rank, content)
        if rank >= (True, _GOOD):
            break
    return best[1] if best is not None and best[0][1] > 0 else None


def _candidates(sheet: Any, bbox: BBox, words: Sequence[PageWord]) -> Iterator[list[BBox]]:
    """Boxes of the cells that each way of looking gives, the surest first."""
    for strategy in ("lines_strict", "lines"):
        boxes = _finder_boxes(sheet, bbox, words, strategy)
        yield [*boxes, *outer_boxes(boxes, words)]
    yield _page_grid(sheet, bbox, words)
    yield _without_false_columns(_finder_boxes(sheet, bbox, words, "text"), words)


def _finder_boxes(sheet: Any, bbox: BBox, words: Sequence[PageWord], strategy: str) -> list[BBox]:
    x0, y0, x1, y1 = bbox
    clip = (x0 - _REACH, y0 - _REACH, x1 + _REACH, y1 + _REACH)
    # That the region is a table is known: asking PyMuPDF's layout model again takes seconds.
    finder = sheet.find_tables(clip=clip, strategy=strategy, use_layout=False)
    if finder is None:
        raise RuntimeError(f"find_tables(strategy={strategy!r}) gave up")
    best = max(finder.tables, key=lambda table: sum(holds(table.bbox, word) for word in words), default=None)
    if best is None:
        return []
    return [tuple(cell) for row in best.rows for cell in row.cells if cell is not None]


def _page_grid(sheet: Any, bbox: BBox, words: Sequence[PageWord]) -> list[BBox]:
    """MuPDF's own grid of the white space between words."""
    from pymupdf import Rect
    from pymupdf.table import TABLE_DETECTOR_FLAGS, make_table_from_bbox

    text = sheet.get_textpage(flags=TABLE_DETECTOR_FLAGS)
    boxes = make_table_from_bbox(text, [Rect(word.bbox) for word in words], Rect(bbox))
    return [tuple(box) for box in boxes]


def grid_from_boxes(boxes: Sequence[BBox], words: Sequence[PageWord]) -> TableContent:
    """A grid from the boxes of its cells: edges become grid lines, and a box spans those inside it.

    The words whose centres lie in a box are its text. Rows and columns without any word are left out, and
    the first row is the header.
    """
    columns = _lines(edge for box in boxes for edge in (box[0], box[2]))
    rows = _lines(edge for box in boxes for edge in (box[1], box[3]))
    cells: list[Cell] = []
    taken: set[tuple[int, int]] = set()
    left = list(words)
    for box in sorted(set(boxes), key=lambda item: (item[1], item[0])):
        first, last = _nearest(columns, box[0]), _nearest(columns, box[2])
        top, bottom = _nearest(rows, box[1]), _nearest(rows, box[3])
        places = {(row, col) for row in range(top, bottom) for col in range(first, last)}
        if not places or places & taken:
            continue
        taken |= places
        inside = [word for word in left if holds(box, word)]
        left = [word for word in left if not holds(box, word)]
        cells.append(
            Cell(
                row=top,
                col=first,
                row_span=bottom - top,
                col_span=last - first,
                text=cell_text(inside),
                bbox=box,
            )
        )
    return _without_empty_lines(cells)


def outer_boxes(boxes: Sequence[BBox], words: Sequence[PageWord]) -> list[BBox]:
    """Boxes for a row or column of words on each side of the grid, where rules do not close it.

    Above and below, words that stand together take the columns that they reach over.
    """
    if not boxes:
        return []
    x0, y0 = min(box[0] for box in boxes), min(box[1] for box in boxes)
    x1, y1 = max(box[2] for box in boxes), max(box[3] for box in boxes)
    middles = [((w.bbox[0] + w.bbox[2]) / 2, (w.bbox[1] + w.bbox[3]) / 2, w.bbox) for w in words]
    rows = list(pairwise(_lines(edge for box in boxes for edge in (box[1], box[3]))))
    added: list[BBox] = []
    left = [box for x, y, box in middles if x < x0 and y0 <= y < y1]
    right = [box for x, y, box in middles if x >= x1 and y0 <= y < y1]
    # A gap of nothing between word and rule would put the word's centre on the line.
    if left:
        edge = min(box[0] for box in left) - 1
        added += [(edge, top, x0, bottom) for top, bottom in rows]
    if right:
        edge = max(box[2] for box in right) + 1
        added += [(x1, top, edge, bottom) for top, bottom in rows]
    columns = _lines(edge for box in (*boxes, *added) for edge in (box[0], box[2]))
    above = [box for x, y, box in middles if y < y0 and columns[0] <= x < columns[-1]]
    below = [box for x, y, box in middles if y >= y1 and columns[0] <= x < columns[-1]]
    if above and _n_lines(above) <= _MOST_LINES:
        added += _spread(above, columns, min(box[1] for box in above) - 1, y0)
    if below and _n_lines(below) <= _MOST_LINES:
        added += _spread(below, columns, y1, max(box[3] for box in below) + 1)
    return added


def _n_lines(boxes: Sequence[BBox]) -> int:
    """Lines of text: runs of boxes that overlap in height, told apart by their middles."""
    count, bottom = 0, -math.inf
    for box in sorted(boxes, key=lambda box: box[1] + box[3]):
        if (box[1] + box[3]) / 2 > bottom:
            count, bottom = count + 1, box[3]
    return count


def _is_lumped(boxes: Sequence[BBox], words: Sequence[PageWord]) -> bool:
    """A row of the grid is really several: nearly all its cells hold the same large number of lines."""
    rows: dict[tuple[int, int], list[int]] = {}
    for box in set(boxes):
        inside = [word.bbox for word in words if holds(box, word)]
        if inside:
            rows.setdefault((round(box[1]), round(box[3])), []).append(_n_lines(inside))
    for counts in rows.values():
        alike = sum(count >= max(counts) - 1 for count in counts)
        if max(counts) >= _LUMP_LINES and alike >= max(2, 0.9 * len(counts)):
            return True
    return False


def _spread(words: Sequence[BBox], columns: Sequence[float], top: float, bottom: float) -> list[BBox]:
    """One row between two heights: a box for each run of columns that words reach over together."""
    ordered = sorted(words, key=lambda box: (round(box[1]), box[0]))
    joined: set[int] = set()
    for number, word in enumerate(ordered, start=1):
        reach = word[2]
        for after in ordered[number : number + 1]:
            if 0 <= after[0] - word[2] < _WORD_SPACE * (word[3] - word[1]):
                reach = after[0]
        joined |= {i for i, x in enumerate(columns) if word[0] + EDGE_TOLERANCE < x < reach - 1}
    edges = [x for index, x in enumerate(columns) if index not in joined]
    return [(start, top, end, bottom) for start, end in pairwise(edges)]


def _without_false_columns(boxes: Sequence[BBox], words: Sequence[PageWord]) -> list[BBox]:
    """The grid that the text strategy sees, without column lines that part words of one phrase.

    A line is false where it parts neighbors that stand a word's space apart more often than such that
    stand farther apart. The strategy's grids have no spans.
    """
    columns = _lines(edge for box in boxes for edge in (box[0], box[2]))
    rows = _lines(edge for box in boxes for edge in (box[1], box[3]))
    close, wide = [0] * len(columns), [0] * len(columns)
    for _, line in groupby(words, key=lambda word: (word.block, word.line)):
        for one, two in pairwise(sorted(word.bbox for word in line)):
            gap, height = two[0] - one[2], max(one[3] - one[1], two[3] - two[1])
            for index, x in enumerate(columns):
                if (one[0] + one[2]) / 2 < x <= (two[0] + two[2]) / 2:
                    close[index] += gap < _WORD_SPACE * height
                    wide[index] += gap > WIDE_GAP / 2 * height
    edges = [x for index, x in enumerate(columns) if close[index] <= wide[index]]
    return [(left, top, right, bottom) for top, bottom in pairwise(rows) for left, right in pairwise(edges)]


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
