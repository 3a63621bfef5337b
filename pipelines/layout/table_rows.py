"""Rows of a table in a picture that the layout model has left outside: its head, or the sums below it.

That model sees marks in the place of words there, and what it takes for a block may end in the middle of a
table.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from docai.geometry import BBox, center, contains_center, share_inside, union
from docai.pipelines.layout.types import PageEvidence, RegionCandidate
from docai.pipelines.words import phrases, text_rows

MAX_STEP: Final = 2.2
"""Distance from a row to the table, in distances of its rows."""

MAX_INSIDE: Final = 0.6
"""Share of a text of the layout model that is in a region from which it is no text of its own."""

MIN_GAP: Final = 0.6
"""Heights of a word between two pieces of a row; a space is about a third of one."""

MIN_ROWS: Final = 3
"""Rows of several phrases by which the columns of a table are known."""


def take_rows(page: PageEvidence, regions: Sequence[RegionCandidate]) -> None:
    """Let tables of a page of pixels reach over the rows above and below that stand in their columns, as far
    as these are in no region and no box of the layout model but one that the table is most of."""
    if not page.from_pixels:
        return
    owners = [region.bbox for region in regions]
    owners += [
        box
        for box, label in page.model_boxes
        if label != "table" and not any(share_inside(box, one.bbox) > MAX_INSIDE for one in regions)
    ]
    free = [
        word.bbox
        for word in page.words
        if not word.turn and not any(contains_center(box, word.bbox) for box in owners)
    ]
    for table in regions:
        if table.kind == "table" and free:
            _extend(page, table, free)


def _extend(page: PageEvidence, table: RegionCandidate, free: Sequence[BBox]) -> None:
    words = page.word_boxes_in(table.bbox)
    rows = text_rows(words)
    pieces = [[union([words[index] for index in part]) for part in phrases(words, row)] for row in rows]
    several = [row for row in pieces if len(row) > 1]
    if len(several) < MIN_ROWS:
        return
    columns = _merged([box for row in several for box in row])
    middles = [center(union(row))[1] for row in pieces]
    pitch = float(np.median([below - above for above, below in pairwise(middles)]))
    rest = text_rows(free)
    beside = [[free[index] for index in row] for row in rest]
    for row in sorted(beside, key=lambda row: abs(center(union(row))[1] - center(table.bbox)[1])):
        box = union(row)
        y = center(box)[1]
        step = min(abs(y - middle) for middle in (min(middles), max(middles)))
        if step <= MAX_STEP * pitch and _stands_in(row, columns):
            table.bbox = union([table.bbox, box])
            middles.append(y)
            table.evidence.append("a row beside it in the same columns")


def _merged(boxes: Sequence[BBox]) -> list[tuple[float, float]]:
    """The ranges, left and right, that boxes cover together."""
    merged: list[tuple[float, float]] = []
    for x0, _, x1, _ in sorted(boxes):
        if merged and x0 <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(x1, merged[-1][1])
        else:
            merged.append((x0, x1))
    return merged


def _stands_in(row: Sequence[BBox], columns: Sequence[tuple[float, float]]) -> bool:
    """Whether a row has several pieces, each of which stands in one column, and each in another."""
    taken = []
    for part in phrases(row, range(len(row)), MIN_GAP):
        x0, _, x1, _ = union([row[index] for index in part])
        over = [number for number, (left, right) in enumerate(columns) if x0 < right and left < x1]
        if len(over) != 1:
            return False
        taken += over
    return len(taken) > 1 and len(set(taken)) == len(taken)
