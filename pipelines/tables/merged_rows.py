"""Rows without rules between them, told apart by their words below a head that is ruled."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from docai.geometry import BBox
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.grid_fit import merged_rows
from docai.pipelines.tables.rulings import Rulings
from docai.pipelines.tables.word_rows import grid_from_words
from docai.pipelines.words import holds_word


def split_merged_rows(boxes: Sequence[BBox], words: Sequence[PageWord], rules: Rulings) -> list[BBox]:
    """The boxes of cells, those of a row that is several rows divided; empty where no row below others is.

    A merged row at the top has the head in it, of which the rules then say nothing.
    """
    rows = merged_rows(boxes, words)
    top = min((round(box[1]) for box in boxes), default=0)
    if not rows or any(row[0] <= top for row in rows):
        return []
    divided: list[BBox] = []
    for box in boxes:
        row = (round(box[1]), round(box[3]))
        edges = _edges_between(_inside(row, boxes, words), rules) if row in rows else []
        for upper, lower in pairwise([box[1], *edges, box[3]]):
            divided.append((box[0], upper, box[2], lower))
    return divided


def _inside(row: tuple[int, int], boxes: Sequence[BBox], words: Sequence[PageWord]) -> list[PageWord]:
    cells = [box for box in boxes if (round(box[1]), round(box[3])) == row]
    return [word for word in words if any(holds_word(box, word) for box in cells)]


def _edges_between(words: Sequence[PageWord], rules: Rulings) -> list[float]:
    """y of the middles between the rows of the words."""
    table = grid_from_words(words, Rulings((), rules.vertical))
    if table is None:
        return []
    rows: dict[int, list[BBox]] = {}
    for cell in table.cells:
        if cell.bbox is not None and cell.row_span == 1:
            rows.setdefault(cell.row, []).append(cell.bbox)
    extents = [
        (min(box[1] for box in of_row), max(box[3] for box in of_row)) for _, of_row in sorted(rows.items())
    ]
    return [(upper[1] + lower[0]) / 2 for upper, lower in pairwise(extents)]
