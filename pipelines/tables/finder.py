"""Find the grid of a table on a born-digital page, from its rules or from the positions of its words.

The steps: rules → boxes of cells → boxes outside the rules → edges snapped to grid lines → cells filled with
words. Boxes of cells come from :mod:`~docai.pipelines.tables.ruled_grid`, and where these do not fit the
words from PyMuPDF, whose cell texts are not used, since they were seen to split decimal numbers. Rows and
columns that no rule closes are added here. Rows without a rule between them come as one: where that happens,
or the grid does not fit the words otherwise, the table is that of
:func:`~docai.pipelines.tables.word_rows.grid_from_words`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from docai.contents import Cell, TableContent
from docai.geometry import BBox, TurnedFrame, center, grow, union
from docai.parsers.numbers import read_numeral
from docai.parsers.table_grid import fill_grid, table_content
from docai.pipelines.ingest import Page, PageWord, quiet_mupdf
from docai.pipelines.tables.grid_fit import count_lines, has_merged_rows, phrase_fit
from docai.pipelines.tables.merged_rows import split_merged_rows
from docai.pipelines.tables.overlapping import place_in_own_cells
from docai.pipelines.tables.powers import keep_powers
from docai.pipelines.tables.ruled_grid import boxes_of_cells
from docai.pipelines.tables.rulings import Rulings, find_rulings
from docai.pipelines.tables.word_rows import grid_from_words
from docai.pipelines.words import (
    WordCenters,
    agreement,
    cell_content,
    cell_words,
    holds_word,
    native_words,
    phrases,
    text_rows,
)

SNAP_TOLERANCE = 2.0
"""Points within which edges of cells are one grid line."""

_MAX_OUTER_LINES = 3
"""Lines of text that one row outside the rules may have; more lines are several rows."""

_OUTER_RULE_DISTANCE = 4.0
"""Points around a region in which its outer rules may be."""

_MIN_AGREEMENT = 0.99
"""Agreement of the cells with the words from which a grid of rules contains all of them."""

_MIN_PHRASE_FIT = 0.9
"""Value of :func:`~docai.pipelines.tables.grid_fit.phrase_fit` from which a grid of rules is accepted."""

_MAX_WORD_GAP = 0.7
"""Gap between words of one line, in heights of a word, below which they belong together."""


def find_table(page: Page, bbox: BBox, words: Sequence[PageWord]) -> TableContent | None:
    """The grid inside ``bbox``, its cells filled with ``words``; None where these form no two lines and
    columns.

    First from ruled lines. Where their grid loses words, merges rows, or does not keep phrases together and
    columns apart, from the white space between the words and the rules that there are. Coordinates are points
    of the displayed page; where text is turned on the page, the grid is found in the frame that sets it
    upright.
    """
    return page.inside(_find_table, bbox, words) if words else None


def _find_table(page: Page, bbox: BBox, words: Sequence[PageWord]) -> TableContent | None:
    if page.pdf is None:
        return None
    from docai.pipelines.layout.digital import page_frame, upright

    with quiet_mupdf():
        frame = page_frame(page, page.words())
        upright_words = [word._replace(bbox=frame.from_page(word.bbox)) for word in words]
        with upright(page.pdf, frame) as sheet:
            placed = place_in_own_cells(upright_words)
            content = _best_grid(sheet, frame.from_page(bbox), placed)
    if content is None:
        return None
    centers = WordCenters(placed)
    cells = [_shrink_to_words(cell, upright_words, centers, frame) for cell in content.cells]
    return keep_powers(content.model_copy(update={"cells": cells}))


def _shrink_to_words(cell: Cell, words: Sequence[PageWord], centers: WordCenters, frame: TurnedFrame) -> Cell:
    """The cell with the box of its words on the displayed page, as the table head gives it; none if it is
    empty."""
    inside = [] if cell.bbox is None else [words[index].bbox for index in centers.inside(cell.bbox)]
    return cell.model_copy(update={"bbox": frame.to_page(union(inside)) if inside else None})


def _best_grid(sheet: Any, bbox: BBox, words: Sequence[PageWord]) -> TableContent | None:
    around = grow(bbox, _OUTER_RULE_DISTANCE)
    rules = find_rulings(sheet, around)
    return best_grid(_boxes_by_rules(sheet, around, words, rules), words, rules)


def best_grid(
    candidates: Iterable[list[BBox]], words: Sequence[PageWord], rules: Rulings
) -> TableContent | None:
    """The first grid of rules that fits the words; else the better one of these and the grid from words.

    Args:
        candidates: the cells of each grid that the rules may mean; made when they are asked for.
    """
    best: tuple[tuple[bool, float], TableContent] | None = None
    for boxes in candidates:
        content = grid_from_boxes([*boxes, *outer_boxes(boxes, words)], words)
        if content.n_rows < 2 or content.n_cols < 2:
            continue
        rank, agreed = _rank_grid(content, words, rules)
        if rank >= (True, _MIN_PHRASE_FIT):
            return content
        if agreed > 0 and (best is None or rank > best[0]):
            best = (rank, content)
    from_words = grid_from_words(words, rules)
    if from_words is None or from_words.n_rows < 2:
        return best[1] if best is not None else None
    boxes = [cell.bbox for cell in from_words.cells if cell.bbox is not None]
    if best is not None and best[0] > (True, phrase_fit(boxes, words)):
        return best[1]
    return from_words


def boxes_by_rules(words: Sequence[PageWord], rules: Rulings) -> Iterator[list[BBox]]:
    """Boxes of cells from the rules, and those with rows told apart by words."""
    boxes = boxes_of_cells(rules)
    yield boxes
    yield split_merged_rows(boxes, words, rules)


def _boxes_by_rules(
    sheet: Any, around: BBox, words: Sequence[PageWord], rules: Rulings
) -> Iterator[list[BBox]]:
    """Boxes of cells from the rules: docai's own, then PyMuPDF's in two ways."""
    yield from boxes_by_rules(words, rules)
    for strategy in ("lines_strict", "lines"):
        yield _find_cell_boxes(sheet, around, words, strategy)


def _rank_grid(
    content: TableContent, words: Sequence[PageWord], rules: Rulings
) -> tuple[tuple[bool, float], float]:
    """How well a grid of rules fits the words: whether it is whole, and its phrase fit; and its agreement."""
    agreed = agreement(cell_words(content), native_words(words))
    boxes = [cell.bbox for cell in content.cells if cell.bbox is not None]
    # Without vertical rules PyMuPDF makes columns of the ends of horizontal ones.
    has_rules_for_columns = content.n_cols <= len(snap_edges(rule.at for rule in rules.vertical)) + 1
    is_whole = agreed >= _MIN_AGREEMENT and has_rules_for_columns and not has_merged_rows(boxes, words)
    return (is_whole, phrase_fit(boxes, words)), agreed


def _find_cell_boxes(sheet: Any, clip: BBox, words: Sequence[PageWord], strategy: str) -> list[BBox]:
    """Boxes of the cells of PyMuPDF's table that contains most words; empty where it finds none."""
    # PyMuPDF's layout model is not needed to know that the region is a table, and takes seconds.
    finder = sheet.find_tables(clip=clip, strategy=strategy, use_layout=False)
    if finder is None:
        raise RuntimeError(f"find_tables(strategy={strategy!r}) gave up")
    best = max(
        finder.tables, key=lambda table: sum(holds_word(table.bbox, word) for word in words), default=None
    )
    if best is None:
        return []
    return [tuple(cell) for row in best.rows for cell in row.cells if cell is not None]


def outer_boxes(boxes: Sequence[BBox], words: Sequence[PageWord]) -> list[BBox]:
    """Boxes of cells for one row or column of words on each side of the grid, where no rule closes it.

    Above and below, words close together span the columns over which they extend, and notes span all.
    """
    if not boxes:
        return []
    x0, y0, x1, y1 = union(boxes)
    centered = [(*center(word.bbox), word.bbox) for word in words]
    rows = list(pairwise(snap_edges(edge for box in boxes for edge in (box[1], box[3]))))
    added: list[BBox] = []
    left = [box for x, y, box in centered if x < x0 and y0 <= y < y1]
    right = [box for x, y, box in centered if x >= x1 and y0 <= y < y1]
    # One point more, so that the center of a narrow word is not on the grid line.
    if left:
        edge = min(box[0] for box in left) - 1
        added += [(edge, top, x0, bottom) for top, bottom in rows]
    if right:
        edge = max(box[2] for box in right) + 1
        added += [(x1, top, edge, bottom) for top, bottom in rows]
    columns = snap_edges(edge for box in (*boxes, *added) for edge in (box[0], box[2]))
    above = [box for _, y, box in centered if y < y0]
    below = [box for _, y, box in centered if y >= y1]
    if above:
        added += _outer_row(above, columns, min(box[1] for box in above) - 1, y0)
    if below:
        added += _outer_row(below, columns, y1, max(box[3] for box in below) + 1)
    return added


def _outer_row(words: Sequence[BBox], columns: Sequence[float], top: float, bottom: float) -> list[BBox]:
    """Boxes for words above or below the rules: a row of cells, or one box for notes; none where they are
    several rows of cells."""
    left, right = min(box[0] for box in words) - 1, max(box[2] for box in words) + 1
    is_wider = not all(columns[0] <= center(box)[0] < columns[-1] for box in words)
    is_row = count_lines(words) <= _MAX_OUTER_LINES
    if is_row and not is_wider:
        return _row_of_boxes(words, columns, top, bottom)
    if is_row or all(len(phrases(words, row)) == 1 for row in text_rows(words)):
        return [(min(left, columns[0]), top, max(right, columns[-1]), bottom)]
    return []


def _row_of_boxes(words: Sequence[BBox], columns: Sequence[float], top: float, bottom: float) -> list[BBox]:
    """One row of boxes between two heights: one for each run of columns that the same words span."""
    ordered = sorted(words, key=lambda box: (round(box[1]), box[0]))
    spanned: set[int] = set()
    for number, word in enumerate(ordered, start=1):
        end = word[2]
        for following in ordered[number : number + 1]:
            if 0 <= following[0] - word[2] < _MAX_WORD_GAP * (word[3] - word[1]):
                end = following[0]
        spanned |= {i for i, x in enumerate(columns) if word[0] + SNAP_TOLERANCE < x < end - 1}
    edges = [x for index, x in enumerate(columns) if index not in spanned]
    return [(start, top, end, bottom) for start, end in pairwise(edges)]


def grid_from_boxes(boxes: Sequence[BBox], words: Sequence[PageWord]) -> TableContent:
    """A table from the boxes of its cells: their edges are snapped to grid lines, and a box spans those
    inside it.

    The text of a cell is the words whose centers are in its box. Rows and columns without any word are left
    out, and the first row is the header.
    """
    columns = snap_edges(edge for box in boxes for edge in (box[0], box[2]))
    rows = snap_edges(edge for box in boxes for edge in (box[1], box[3]))
    cells: list[Cell] = []
    taken: set[tuple[int, int]] = set()
    centers, words_left = WordCenters(words), dict(enumerate(words))
    for box in sorted(set(boxes), key=lambda item: (item[1], item[0])):
        first, last = _nearest_line(columns, box[0]), _nearest_line(columns, box[2])
        top, bottom = _nearest_line(rows, box[1]), _nearest_line(rows, box[3])
        positions = {(row, col) for row in range(top, bottom) for col in range(first, last)}
        if not positions or positions & taken:
            continue
        taken |= positions
        inside = [words_left.pop(index) for index in centers.inside(box) if index in words_left]
        text, marks = cell_content(inside)
        cells.append(
            Cell(
                row=top,
                col=first,
                row_span=bottom - top,
                col_span=last - first,
                text=text,
                marks=marks,
                bbox=box,
            )
        )
    cells += _cells_without_box(tuple(words_left.values()), rows, columns, taken)
    return _drop_empty_rows_and_columns(cells)


def snap_edges(edges: Iterable[float]) -> list[float]:
    """The edges in order, those within :data:`SNAP_TOLERANCE` as one."""
    snapped: list[float] = []
    for edge in sorted(edges):
        if not snapped or edge - snapped[-1] > SNAP_TOLERANCE:
            snapped.append(edge)
    return snapped


def _nearest_line(lines: Sequence[float], edge: float) -> int:
    return min(range(len(lines)), key=lambda index: abs(lines[index] - edge))


def _cells_without_box(
    words: Sequence[PageWord],
    rows: Sequence[float],
    columns: Sequence[float],
    taken: set[tuple[int, int]],
) -> list[Cell]:
    """Cells for words inside the grid that no box contains, each as wide as the gap between boxes there."""
    words_of_gaps: dict[tuple[int, int, int], list[PageWord]] = {}
    for word in words:
        x, y = center(word.bbox)
        row, col = bisect_right(rows, y) - 1, bisect_right(columns, x) - 1
        is_inside = 0 <= row < len(rows) - 1 and 0 <= col < len(columns) - 1
        if not is_inside or (row, col) in taken:
            continue
        first = last = col
        while first > 0 and (row, first - 1) not in taken:
            first -= 1
        while last < len(columns) - 2 and (row, last + 1) not in taken:
            last += 1
        words_of_gaps.setdefault((row, first, last), []).append(word)
    cells = []
    for (row, first, last), inside in words_of_gaps.items():
        text, marks = cell_content(inside)
        box = (columns[first], rows[row], columns[last + 1], rows[row + 1])
        cells.append(Cell(row=row, col=first, col_span=last - first + 1, text=text, marks=marks, bbox=box))
    return cells


def _drop_empty_rows_and_columns(cells: Sequence[Cell]) -> TableContent:
    """A table of the cells without grid rows and columns in which no cell with text begins."""
    rows = sorted({cell.row for cell in cells if cell.text})
    cols = sorted({cell.col for cell in cells if cell.text})
    remaining: list[Cell] = []
    for cell in cells:
        spanned_rows = [row for row in rows if cell.row <= row < cell.row + cell.row_span]
        spanned_cols = [col for col in cols if cell.col <= col < cell.col + cell.col_span]
        if spanned_rows and spanned_cols:
            remaining.append(
                cell.model_copy(
                    update={
                        "row": rows.index(spanned_rows[0]),
                        "col": cols.index(spanned_cols[0]),
                        "row_span": len(spanned_rows),
                        "col_span": len(spanned_cols),
                    }
                )
            )
    n_head = _count_head_rows(remaining, len(rows))
    for cell in remaining:
        cell.is_header = cell.row < n_head
    return table_content(fill_grid(remaining, len(rows), len(cols)), len(rows), len(cols))


def _count_head_rows(cells: Sequence[Cell], n_rows: int) -> int:
    """One, or the rows that a name beside groups of columns covers, where names of these columns are below.

    A number below a group is no name, unless it is a year.
    """
    first = [cell for cell in cells if cell.row == 0]
    n_head = max((cell.row_span for cell in first), default=1)
    groups = [cell for cell in first if cell.col_span > 1 and cell.row_span < n_head]
    below = [cell for cell in cells if 0 < cell.row < n_head]
    if not groups or not below or n_head >= n_rows:
        return 1
    for cell in below:
        numeral = read_numeral(cell.text)
        if cell.row + cell.row_span > n_head or (numeral is not None and not numeral.is_year):
            return 1
    for group in groups:
        names = [cell for cell in below if group.col <= cell.col < group.col + group.col_span and cell.text]
        if len(names) < 2:
            return 1
    return n_head
