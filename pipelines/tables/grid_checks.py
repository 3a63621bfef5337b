"""Whether a grid fits the words that stand in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.cells import Centres
from docai.pipelines.tables.phrases import PHRASE_GAP, text_rows
from docai.pipelines.tables.word_grid import is_leader, is_value
from docai.records import BBox

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
