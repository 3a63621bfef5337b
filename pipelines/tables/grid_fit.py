"""How well boxes of cells fit the words: phrases kept together, columns apart, and rows not merged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from docai.geometry import BBox, center
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.word_lines import is_leader, is_value
from docai.pipelines.words import PHRASE_GAP, WordCenters, text_rows

_MAX_SPACE = 0.25
"""Gap, in heights of a word, up to which neighbors certainly are words of one phrase."""

_MAX_CROSSING_SHARE = 0.2
"""Share of the lines that may cross the white lane between two columns, as headings do."""

_MERGED_ROW_LINES = 5
"""Lines of text in all cells of a row from which it is taken for several rows without rules between them."""

_MERGED_ROW_VALUES = 3
"""Values one below the other in a cell from which they are taken for those of several rows."""


def phrase_fit(boxes: Sequence[BBox], words: Sequence[PageWord]) -> float:
    """Share of neighbors in a line that the cells treat correctly, 0…1; 1 where no neighbors can be judged.

    Words one space apart belong in one cell, and words with a white lane between them in two; gaps between
    these are not counted. A lane is free of words in most lines of its column, which the wide spaces of
    justified text are not.
    """
    words = [word for word in words if not is_leader(word.text)]
    centers, cell_of_word = WordCenters(words), [-1] * len(words)
    for number in reversed(range(len(boxes))):
        for index in centers.inside(boxes[number]):
            cell_of_word[index] = number
    word_boxes = [word.bbox for word in words]
    rows = text_rows(word_boxes)
    n_right = n_wrong = 0
    for row in rows:
        for before, after in pairwise(row):
            height = min(word_boxes[i][3] - word_boxes[i][1] for i in (before, after))
            gap = (word_boxes[after][0] - word_boxes[before][2]) / max(height, 0.1)
            cell = cell_of_word[before]
            together = cell == cell_of_word[after]
            if gap > PHRASE_GAP and together and cell >= 0:
                middle = (word_boxes[before][2] + word_boxes[after][0]) / 2
                if not _is_white_lane(middle, boxes[cell], rows, word_boxes):
                    continue
            if 0 <= gap <= _MAX_SPACE or gap > PHRASE_GAP:
                is_right = together == (gap <= _MAX_SPACE)
                n_right, n_wrong = n_right + is_right, n_wrong + (not is_right)
    return n_right / (n_right + n_wrong) if n_right + n_wrong else 1.0


def _is_white_lane(x: float, box: BBox, rows: Sequence[Sequence[int]], word_boxes: Sequence[BBox]) -> bool:
    """Whether few lines in the column of the cell ``box`` cross ``x``, of those with words on both sides of
    it."""
    n_crossing = n_free = 0
    for row in rows:
        inside = [word_boxes[i] for i in row if box[0] <= center(word_boxes[i])[0] < box[2]]
        if any(word[0] < x < word[2] for word in inside):
            n_crossing += 1
        elif any(word[2] <= x for word in inside) and any(word[0] >= x for word in inside):
            n_free += 1
    return n_crossing <= _MAX_CROSSING_SHARE * (n_crossing + n_free)


def has_merged_rows(boxes: Sequence[BBox], words: Sequence[PageWord]) -> bool:
    """Whether one row of the cells is several rows of the table."""
    return bool(merged_rows(boxes, words))


def merged_rows(boxes: Sequence[BBox], words: Sequence[PageWord]) -> list[tuple[int, int]]:
    """Top and bottom, in whole points, of the rows of the cells that are several rows of the table.

    They are where nearly all their cells have the same large number of lines, or two of these are stacks of
    values.
    """
    merged: list[tuple[int, int]] = []
    rows: dict[tuple[int, int], list[list[PageWord]]] = {}
    centers = WordCenters(words)
    for box in set(boxes):
        inside = [words[index] for index in centers.inside(box)]
        if inside:
            rows.setdefault((round(box[1]), round(box[3])), []).append(inside)
    for row, cells in rows.items():
        counts = [count_lines([word.bbox for word in inside]) for inside in cells]
        n_alike = sum(count >= max(counts) - 1 for count in counts)
        are_alike = max(counts) >= _MERGED_ROW_LINES and n_alike >= max(2, 0.9 * len(counts))
        if are_alike or sum(map(_is_stack_of_values, cells)) >= 2:
            merged.append(row)
    return merged


def _is_stack_of_values(words: Sequence[PageWord]) -> bool:
    lines = [" ".join(words[i].text for i in line) for line in text_rows([word.bbox for word in words])]
    return len(lines) >= _MERGED_ROW_VALUES and all(map(is_value, lines))


def count_lines(boxes: Sequence[BBox]) -> int:
    """Number of lines of text: a word whose middle is below the line before it begins a new one."""
    n_lines, bottom = 0, -math.inf
    for box in sorted(boxes, key=lambda box: box[1] + box[3]):
        if center(box)[1] > bottom:
            n_lines, bottom = n_lines + 1, box[3]
    return n_lines
