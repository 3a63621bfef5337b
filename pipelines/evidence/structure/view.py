"""A grid, and beside it what its page shows: words, rules, and the grid that the words alone would give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Final

import numpy as np

from docai.contents import Cell, TableContent
from docai.geometry import BBox, TurnedFrame, contains_center, grow, interval_overlap, iou, union
from docai.pipelines.ingest import Page, PageWord, quiet_mupdf
from docai.pipelines.tables.rulings import Rule, Rulings, find_rulings
from docai.pipelines.tables.word_lines import is_leader
from docai.pipelines.tables.word_rows import grid_from_words
from docai.pipelines.words import WordCenters, text_rows

ON_LINE: Final = 1.5
"""Points by which a rule may reach into the box of a word, whose height is that of the font."""

_RULES_AROUND: Final = 4.0
"""Points around a region in which its outer rules may be."""

_SAME_TABLE: Final = 0.5
"""Intersection over union from which a table of the layout model is the region."""

_ON_EDGE: Final = 0.1
"""Points by which the box of a cell is grown so that words as wide or high as it lie inside."""

Span = tuple[float, float]
"""Start and end on one axis, points."""


@dataclass(frozen=True)
class TableView:
    """What is known of a table beside its grid, in a frame in which its text is upright; points."""

    words: Sequence[PageWord]
    rules: Rulings = field(default_factory=Rulings)
    from_words: TableContent | None = None
    """The grid that its words alone give."""
    n_tables: int = 0
    """How many tables the layout model sees there; 0 where it sees none, or was not asked."""
    model_size: tuple[int, int] | None = None
    """Rows and columns that it sees in the table there; None where it sees none."""


def observe(page: Page, bbox: BBox, words: Sequence[PageWord]) -> tuple[TurnedFrame, TableView]:
    """What a page shows of a table beside any grid, and the frame in which that is.

    ``bbox`` and ``words`` are of the displayed page.
    """
    return page.inside(_observe, bbox, words)


def _observe(page: Page, bbox: BBox, words: Sequence[PageWord]) -> tuple[TurnedFrame, TableView]:
    from docai.pipelines.layout.digital import model_grids, page_frame, upright

    with quiet_mupdf():
        frame = page_frame(page, page.words())
        inside = [word._replace(bbox=frame.from_page(word.bbox)) for word in words]
        box = frame.from_page(bbox)
        with upright(page.pdf, frame) as sheet:
            rules = find_rulings(sheet, grow(box, _RULES_AROUND))
            # Of a page that was turned or scaled for layout, what the model saw is gone.
            tables = [(other, size) for other, size in model_grids(sheet) if contains_center(box, other)]
    sizes = [size for other, size in tables if iou(box, other) >= _SAME_TABLE and min(size) > 0]
    view = TableView(
        inside, rules, grid_from_words(inside, Rulings()), len(tables), sizes[0] if sizes else None
    )
    return frame, view


@dataclass(frozen=True)
class FilledCell:
    """A cell with text, its words and its lines of text, each from left to right."""

    index: int
    """Of the cell in its table."""
    cell: Cell
    box: BBox
    """Around its words."""
    lines: Sequence[Sequence[PageWord]]

    @property
    def row(self) -> int:
        return self.cell.row

    @property
    def col(self) -> int:
        return self.cell.col

    @property
    def last_row(self) -> int:
        return self.cell.row + self.cell.row_span - 1

    @property
    def last_col(self) -> int:
        return self.cell.col + self.cell.col_span - 1

    @cached_property
    def line_boxes(self) -> list[BBox]:
        return [union([word.bbox for word in line]) for line in self.lines]


class Grid:
    """The cells of a table with their words, and where its rows and columns lie."""

    def __init__(self, content: TableContent, view: TableView) -> None:
        """Boxes of cells are those of their words, in the frame of the view."""
        self.content, self.view = content, view
        self.n_rows, self.n_cols = content.n_rows, content.n_cols
        heights = [word.bbox[3] - word.bbox[1] for word in view.words]
        self.height = max(float(np.median(heights)) if heights else 1.0, 0.1)
        """Median height of a word, points."""
        self.cells = _fill(content, view.words)
        self.n_head = 1 + max((cell.row for cell in self.cells if cell.cell.is_header), default=-1)
        """Rows of its head."""

    @cached_property
    def extent(self) -> Span:
        """Left and right end of the words."""
        boxes = [word.bbox for word in self.view.words]
        return min((box[0] for box in boxes), default=0.0), max((box[2] for box in boxes), default=0.0)

    @cached_property
    def rows(self) -> dict[int, Span]:
        """Top and bottom of the cells that are in one row alone, by row."""
        return _extents(
            (cell.row, cell.box[1], cell.box[3]) for cell in self.cells if cell.cell.row_span == 1
        )

    @cached_property
    def columns(self) -> dict[int, Span]:
        """Left and right end of the cells that are in one column alone, by column."""
        return _extents(
            (cell.col, cell.box[0], cell.box[2]) for cell in self.cells if cell.cell.col_span == 1
        )

    @cached_property
    def column_edges(self) -> list[float]:
        """x of the boundaries of columns, the outer ones included: middles of the white between them."""
        edges = [self.extent[0] - self.height]
        for col in range(self.n_cols - 1):
            left, right = self.columns.get(col), self.columns.get(col + 1)
            if left is None or right is None:
                edges.append(edges[-1] if left is None else left[1] + ON_LINE)
            else:
                edges.append((left[1] + right[0]) / 2)
        return [*edges, self.extent[1] + self.height]

    @cached_property
    def ruled_places(self) -> list[list[bool | None]]:
        """For each boundary of two rows and each column, whether a rule lies there; None inside a cell."""
        inside = {
            (row, col)
            for cell in self.content.cells
            for row in range(cell.row, cell.row + cell.row_span - 1)
            for col in range(cell.col, cell.col + cell.col_span)
        }
        return [
            [
                None
                if (row, col) in inside
                else any(interval_overlap(rule.start, rule.end, x0, x1) > 0.5 * (x1 - x0) for rule in rules)
                for col, (x0, x1) in enumerate(pairwise(self.column_edges))
            ]
            for row, rules in enumerate(self.rules_between_rows)
        ]

    @cached_property
    def ruled_rows(self) -> list[bool]:
        """For each boundary of two rows, whether rules lie on most of it that no cell spans."""
        ruled = []
        for places in self.ruled_places:
            known = [place for place in places if place is not None]
            ruled.append(sum(known) > 0.6 * len(known))
        return ruled

    @cached_property
    def rules_between_rows(self) -> list[list[Rule]]:
        """For each boundary of two rows, the horizontal rules between their middles."""
        return [
            [rule for rule in self.view.rules.horizontal if start < rule.at < end]
            for start, end in (_middles(self.rows, row) for row in range(self.n_rows - 1))
        ]

    @cached_property
    def rules_between_columns(self) -> list[list[Rule]]:
        """For each boundary of two columns, the vertical rules between their middles."""
        return [
            [rule for rule in self.view.rules.vertical if start < rule.at < end]
            for start, end in (_middles(self.columns, col) for col in range(self.n_cols - 1))
        ]

    @cached_property
    def ruled_columns(self) -> list[bool]:
        """For each boundary of two columns, whether rules lie along half of it."""
        if not self.cells:
            return [False] * max(0, self.n_cols - 1)
        top = min(cell.box[1] for cell in self.cells)
        bottom = max(cell.box[3] for cell in self.cells)
        ruled = []
        for col in range(self.n_cols - 1):
            left = [cell.box[2] for cell in self.cells if cell.last_col == col]
            right = [cell.box[0] for cell in self.cells if cell.col == col + 1]
            if not left or not right:
                ruled.append(False)
                continue
            lane = float(np.median(left)) - ON_LINE, float(np.median(right)) + ON_LINE
            ruled.append(self.ruled_length(lane, (top, bottom)) > 0.5 * (bottom - top))
        return ruled

    def ruled_length(self, lane: Span, height: Span) -> float:
        """Length between two y along which vertical rules lie between two x."""
        pieces = sorted(
            (max(rule.start, height[0]), min(rule.end, height[1]))
            for rule in self.view.rules.vertical
            if lane[0] <= rule.at <= lane[1]
        )
        length, reach = 0.0, height[0]
        for first, last in pieces:
            length += max(0.0, last - max(first, reach))
            reach = max(reach, last)
        return length


def _fill(content: TableContent, words: Sequence[PageWord]) -> list[FilledCell]:
    """Each word goes to the smallest cell that holds its center."""
    centers = WordCenters(words)
    owners: dict[int, tuple[float, int]] = {}
    for index, cell in enumerate(content.cells):
        if cell.bbox is None or not cell.text.strip():
            continue
        size = (cell.bbox[2] - cell.bbox[0]) * (cell.bbox[3] - cell.bbox[1])
        for word in centers.inside(grow(cell.bbox, _ON_EDGE)):
            if word not in owners or size < owners[word][0]:
                owners[word] = (size, index)
    words_of: dict[int, list[PageWord]] = {}
    for number, (_, index) in owners.items():
        words_of.setdefault(index, []).append(words[number])
    filled = []
    for index, inside in sorted(words_of.items()):
        # Rows of dots lead from a cell to the next column.
        inside = [word for word in inside if not is_leader(word.text)] or inside
        boxes = [word.bbox for word in inside]
        lines = [[inside[number] for number in row] for row in text_rows(boxes)]
        filled.append(FilledCell(index, content.cells[index], union(boxes), lines))
    return filled


def _extents(spans: Iterable[tuple[int, float, float]]) -> dict[int, Span]:
    extents: dict[int, Span] = {}
    for number, start, end in spans:
        first, last = extents.get(number, (start, end))
        extents[number] = (min(first, start), max(last, end))
    return extents


def _middles(extents: dict[int, Span], number: int) -> Span:
    """Middle of one row or column, and of the next; an empty interval where one of them has no cell."""
    if number not in extents or number + 1 not in extents:
        return 0.0, 0.0
    return sum(extents[number]) / 2, sum(extents[number + 1]) / 2
