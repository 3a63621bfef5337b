"""Words of a picture in the cells of a table, put there by boxes that are not exact; how sure they are."""

from __future__ import annotations

from collections.abc import Sequence

from docai.contents import Cell, TableContent
from docai.geometry import BBox, center, grow, interval_overlap, union
from docai.parsers.table_grid import table_content
from docai.pipelines.evidence.ppocr import OcrPageWord, words_in_rows
from docai.pipelines.words import WordCenters, cell_content

_ON_EDGE = 0.1
"""Points by which the box of a cell is grown so that words as wide or high as it lie inside."""


def fill_with_words(grid: TableContent, words: Sequence[OcrPageWord]) -> TableContent:
    """A grid whose cells have boxes about where their text is, as a network gives them, with each word in the
    nearest one. The boxes become those of the words, and cells without words have none."""
    inside: dict[int, list[OcrPageWord]] = {}
    for word in words:
        inside.setdefault(_nearest(word.word.bbox, grid.cells), []).append(word)
    cells = [_filled(cell, inside.get(index, ())) for index, cell in enumerate(grid.cells)]
    return table_content(cells, grid.n_rows, grid.n_cols)


def _filled(cell: Cell, words: Sequence[OcrPageWord]) -> Cell:
    if not words:
        return cell.model_copy(update={"bbox": None, "confidence": None})
    text, marks = cell_content(words_in_rows(words))
    box = union([one.word.bbox for one in words])
    confidence = min(one.confidence for one in words)
    return cell.model_copy(update={"text": text, "marks": marks, "bbox": box, "confidence": confidence})


def _nearest(box: BBox, cells: Sequence[Cell]) -> int:
    """Index of the cell outside of which the word and its center lie least; of several, that with the nearest
    center."""

    def distance(cell: Cell) -> tuple[float, float]:
        if cell.bbox is None:
            return float("inf"), 0.0
        (x, y), (own_x, own_y) = center(box), center(cell.bbox)
        apart_x = max(0.0, -interval_overlap(box[0], box[2], cell.bbox[0], cell.bbox[2]))
        apart_y = max(0.0, -interval_overlap(box[1], box[3], cell.bbox[1], cell.bbox[3]))
        beyond_x = max(cell.bbox[0] - x, x - cell.bbox[2], 0.0)
        beyond_y = max(cell.bbox[1] - y, y - cell.bbox[3], 0.0)
        return apart_x + apart_y + beyond_x + beyond_y, abs(x - own_x) + abs(y - own_y)

    return min(range(len(cells)), key=lambda index: distance(cells[index]))


def with_word_confidences(table: TableContent, words: Sequence[OcrPageWord]) -> TableContent:
    """The table with boxes around the words in its cells, whose least confidence is that of their cell; both
    in points of the page."""
    centers = WordCenters([one.word for one in words])
    cells = []
    for cell in table.cells:
        inside = [] if cell.bbox is None else [words[i] for i in centers.inside(grow(cell.bbox, _ON_EDGE))]
        box = union([one.word.bbox for one in inside]) if inside else None
        confidence = min((one.confidence for one in inside), default=None)
        cells.append(cell.model_copy(update={"bbox": box, "confidence": confidence}))
    return table.model_copy(update={"cells": cells})
