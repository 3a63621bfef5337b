"""A second witness of tables: a grid from rules, else from where the words stand, filled with those words.

Ruled grids are PyMuPDF's, but not its cell texts, which were seen to tear decimal numbers apart. It leaves
out rows and columns that no rule closes, and takes rows that no rule parts for one: the first is mended
here, and where the second happens the words are asked.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from docai.contents import Cell, TableContent
from docai.geometry import BBox, Frame, union
from docai.parsers.table_grid import fill_grid, table_content
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.ingest.quiet import quiet_mupdf
from docai.pipelines.tables.rulings import rulings
from docai.pipelines.tables.word_grid import is_leader, is_value
from docai.pipelines.tables.word_rows import grid_from_words
from docai.pipelines.words import PHRASE_GAP, Centres, agreement, cell_text, cell_words, holds, text_rows

_CLOSE = 0.25
"""Gap, in heights of a word, up to which neighbors are words of one phrase for certain."""

_CROSSED = 0.2
"""Share of the lines that may run over the white between two columns, as headings do."""

_LUMP_LINES = 5
"""Lines of text in all cells of a row from which it is taken for several rows that no rules part."""

_STACK = 3
"""Values one below the other in a cell from which they are taken for those of several rows."""


def soundness(boxes: Sequence[BBox], words: Sequence[PageWord]) -> float:
    """Share of the neighbors in a line that a grid treats as they stand: a space apart in one cell, parted
    by a lane of white in two. What lies between says nothing. 1 where there are none.

    A lane is free of words in most lines of its column: the wide spaces of justified text are not.
    """
    words = [word for word in words if not is_leader(word.text)]
    centres, homes = Centres(words), [-1] * len(words)
    for number in reversed(range(len(boxes))):
        for place in centres.inside(boxes[number]):
            homes[place] = number
    places = [word.bbox for word in words]
    rows = text_rows(places)
    right = wrong = 0
    for row in rows:
        for one, two in pairwise(row):
            height = min(places[i][3] - places[i][1] for i in (one, two))
            gap = (places[two][0] - places[one][2]) / max(height, 0.1)
            together = homes[one] == homes[two]
            if gap > PHRASE_GAP and together and homes[one] >= 0:
                middle = (places[one][2] + places[two][0]) / 2
                if not _is_lane(middle, boxes[homes[one]], rows, places):
                    continue
            if 0 <= gap <= _CLOSE or gap > PHRASE_GAP:
                fits = together == (gap <= _CLOSE)
                right, wrong = right + fits, wrong + (not fits)
    return right / (right + wrong) if right + wrong else 1.0


def _is_lane(x: float, box: BBox, rows: Sequence[Sequence[int]], places: Sequence[BBox]) -> bool:
    """Whether few of the lines in the column of a cell that have words on both sides of ``x`` cross it."""
    crossed = free = 0
    for row in rows:
        inside = [places[i] for i in row if box[0] <= (places[i][0] + places[i][2]) / 2 < box[2]]
        if any(place[0] < x < place[2] for place in inside):
            crossed += 1
        elif any(place[2] <= x for place in inside) and any(place[0] >= x for place in inside):
            free += 1
    return crossed <= _CROSSED * (crossed + free)


def is_lumped(boxes: Sequence[BBox], words: Sequence[PageWord]) -> bool:
    """A row of the grid is really several: nearly all its cells hold the same large number of lines, or
    two of them are stacks of values."""
    rows: dict[tuple[int, int], list[list[PageWord]]] = {}
    centres = Centres(words)
    for box in set(boxes):
        inside = [words[place] for place in centres.inside(box)]
        if inside:
            rows.setdefault((round(box[1]), round(box[3])), []).append(inside)
    for cells in rows.values():
        counts = [count_lines([word.bbox for word in inside]) for inside in cells]
        alike = sum(count >= max(counts) - 1 for count in counts)
        if max(counts) >= _LUMP_LINES and alike >= max(2, 0.9 * len(counts)):
            return True
        if sum(map(_is_stack, cells)) >= 2:
            return True
    return False


def _is_stack(words: Sequence[PageWord]) -> bool:
    lines = text_rows([word.bbox for word in words])
    return len(lines) >= _STACK and all(is_value(" ".join(words[i].text for i in line)) for line in lines)


def count_lines(boxes: Sequence[BBox]) -> int:
    """Lines of text: runs of boxes that overlap in height, told apart by their middles."""
    count, bottom = 0, -math.inf
    for box in sorted(boxes, key=lambda box: box[1] + box[3]):
        if (box[1] + box[3]) / 2 > bottom:
            count, bottom = count + 1, box[3]
    return count


EDGE_TOLERANCE = 2.0
"""Points within which two cell edges are one grid line."""

_MOST_LINES = 3
"""Lines of text that one row outside of the rules may have; more are rows that the rules do not part."""

_REACH = 4.0
"""Points around a region in which its outer rules may lie."""

_GOOD = 0.99
"""Agreement with the words from which a grid of rules holds them all."""

_SOUND = 0.9
"""Share of neighboring words that a grid of rules treats as they stand, from which it is believed."""

_WORD_SPACE = 0.7
"""Gap between words of one line, in heights of a word, up to which they belong together."""


def find_table(page: Page, bbox: BBox, words: Sequence[PageWord]) -> TableContent | None:
    """The grid inside ``bbox``, its cells filled with ``words``; None where these stand in no two columns.

    First from ruled lines. Where their grid loses words, keeps rows or columns together that stand apart
    as such, or parts phrases, it is from the white between the words, with what rules there are.
    Coordinates are displayed page points; text that is turned on the page is read upright.
    """
    if page.pdf is None or not words:
        return None
    from docai.pipelines.layout.digital import text_turn, upright

    with quiet_mupdf():
        frame = Frame(page.width, page.height, text_turn(page.pdf))
        placed = [word._replace(bbox=frame.enter(word.bbox)) for word in words]
        with upright(page.pdf, frame.turn) as sheet:
            found = _best_grid(sheet, frame.enter(bbox), placed)
    if found is None:
        return None
    centres = Centres(placed)
    cells = [_tight(cell, placed, centres, frame) for cell in found.cells]
    return found.model_copy(update={"cells": cells})


def _tight(cell: Cell, words: Sequence[PageWord], centres: Centres, frame: Frame) -> Cell:
    """The cell with the box of its words, as the table head gives it; none where it is empty."""
    inside = [] if cell.bbox is None else [words[place].bbox for place in centres.inside(cell.bbox)]
    return cell.model_copy(update={"bbox": frame.leave(union(inside)) if inside else None})


def _best_grid(sheet: Any, bbox: BBox, words: Sequence[PageWord]) -> TableContent | None:
    native = [word.text for word in words]
    x0, y0, x1, y1 = bbox
    around = (x0 - _REACH, y0 - _REACH, x1 + _REACH, y1 + _REACH)
    rules = rulings(sheet, around)
    walls = _lines(rule.at for rule in rules.upright)
    best: tuple[tuple[bool, float], TableContent] | None = None
    for strategy in ("lines_strict", "lines"):
        boxes = _finder_boxes(sheet, around, words, strategy)
        boxes = [*boxes, *outer_boxes(boxes, words)]
        content = grid_from_boxes(boxes, words)
        if content.n_rows < 2 or content.n_cols < 2:
            continue
        held = agreement(cell_words(content), native)
        places = [cell.bbox for cell in content.cells if cell.bbox is not None]
        # Without upright rules PyMuPDF makes columns of the ends of level ones.
        closed = content.n_cols <= len(walls) + 1
        rank = (held >= _GOOD and closed and not is_lumped(places, words), soundness(places, words))
        if rank >= (True, _SOUND):
            return content
        if held > 0 and (best is None or rank > best[0]):
            best = (rank, content)
    free = grid_from_words(words, rules)
    if free is None or free.n_rows < 2:
        return best[1] if best is not None else None
    boxes = [cell.bbox for cell in free.cells if cell.bbox is not None]
    if best is not None and best[0] > (True, soundness(boxes, words)):
        return best[1]
    return free


def _finder_boxes(sheet: Any, clip: BBox, words: Sequence[PageWord], strategy: str) -> list[BBox]:
    # That the region is a table is known: asking PyMuPDF's layout model again takes seconds.
    finder = sheet.find_tables(clip=clip, strategy=strategy, use_layout=False)
    if finder is None:
        raise RuntimeError(f"find_tables(strategy={strategy!r}) gave up")
    best = max(finder.tables, key=lambda table: sum(holds(table.bbox, word) for word in words), default=None)
    if best is None:
        return []
    return [tuple(cell) for row in best.rows for cell in row.cells if cell is not None]


def grid_from_boxes(boxes: Sequence[BBox], words: Sequence[PageWord]) -> TableContent:
    """A grid from the boxes of its cells: edges become grid lines, and a box spans those inside it.

    The words whose centres lie in a box are its text. Rows and columns without any word are left out, and
    the first row is the header.
    """
    columns = _lines(edge for box in boxes for edge in (box[0], box[2]))
    rows = _lines(edge for box in boxes for edge in (box[1], box[3]))
    cells: list[Cell] = []
    taken: set[tuple[int, int]] = set()
    centres, left = Centres(words), dict(enumerate(words))
    for box in sorted(set(boxes), key=lambda item: (item[1], item[0])):
        first, last = _nearest(columns, box[0]), _nearest(columns, box[2])
        top, bottom = _nearest(rows, box[1]), _nearest(rows, box[3])
        places = {(row, col) for row in range(top, bottom) for col in range(first, last)}
        if not places or places & taken:
            continue
        taken |= places
        inside = [left.pop(place) for place in centres.inside(box) if place in left]
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
    cells += _unboxed(tuple(left.values()), rows, columns, taken)
    return _without_empty_lines(cells)


def _unboxed(
    words: Sequence[PageWord],
    rows: Sequence[float],
    columns: Sequence[float],
    taken: set[tuple[int, int]],
) -> list[Cell]:
    """Cells for words inside the grid that no box holds: each as wide as the gap between the boxes is."""
    found: dict[tuple[int, int, int], list[PageWord]] = {}
    for word in words:
        x, y = sum(word.bbox[::2]) / 2, sum(word.bbox[1::2]) / 2
        row, col = bisect_right(rows, y) - 1, bisect_right(columns, x) - 1
        inside = 0 <= row < len(rows) - 1 and 0 <= col < len(columns) - 1
        if not inside or (row, col) in taken:
            continue
        first = last = col
        while first > 0 and (row, first - 1) not in taken:
            first -= 1
        while last < len(columns) - 2 and (row, last + 1) not in taken:
            last += 1
        found.setdefault((row, first, last), []).append(word)
    return [
        Cell(
            row=row,
            col=first,
            col_span=last - first + 1,
            text=cell_text(inside),
            bbox=(columns[first], rows[row], columns[last + 1], rows[row + 1]),
        )
        for (row, first, last), inside in found.items()
    ]


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
    if above and count_lines(above) <= _MOST_LINES:
        added += _spread(above, columns, min(box[1] for box in above) - 1, y0)
    if below and count_lines(below) <= _MOST_LINES:
        added += _spread(below, columns, y1, max(box[3] for box in below) + 1)
    return added


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
    return table_content(fill_grid(kept, len(rows), len(cols)), len(rows), len(cols))


def _lines(edges: Iterator[float]) -> list[float]:
    """Sorted edges, those within the tolerance merged."""
    merged: list[float] = []
    for edge in sorted(edges):
        if not merged or edge - merged[-1] > EDGE_TOLERANCE:
            merged.append(edge)
    return merged


def _nearest(lines: Sequence[float], edge: float) -> int:
    return min(range(len(lines)), key=lambda index: abs(lines[index] - edge))
