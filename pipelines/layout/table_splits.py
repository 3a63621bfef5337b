"""Tables that are drawn as one, or that the layout model takes for one, set apart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np

from docai.geometry import (
    BBox,
    center,
    contains_center,
    grow,
    interval_overlap,
    share_inside,
    touches,
    union,
)
from docai.pipelines.layout.ruling_strokes import is_grid
from docai.pipelines.layout.types import PageEvidence, RegionCandidate
from docai.pipelines.words import phrases, text_rows

_MIN_LANE = 1.5
"""Width, in heights of a word, from which the white lane between two tables can be one."""

_SAME_HEIGHT = 0.2
"""Distance, in heights of a word, up to which two lines are at the same height."""

_MAX_SHARED_ROWS = 0.4
"""Share of the rows of the one table that may be at the height of rows of the other by chance."""

_MIN_ROWS = 3
"""Rows of several phrases from which words side by side are a table of their own."""

_MIN_OWN_RULE = 0.8
"""Share of the width of a table from which a rule is one of its own, not that of a few columns."""


def split_tables_drawn_apart(page: PageEvidence, regions: Sequence[RegionCandidate]) -> None:
    """Give tables that the layout model took for one, but that are drawn apart, boxes of their own.

    They are apart where each is a ruled grid, with more than half a line of white to the next: inside a
    table, rules do not end and begin again. Shades do: those of every second row are no tables. What the
    model found above the first or below the last of a stack stays with that table.
    """
    groups: dict[BBox, list[RegionCandidate]] = {}
    for region in regions:
        if region.ruled_box is not None and region.model_box is not None:
            groups.setdefault(region.model_box, []).append(region)
    for model_box, tables in groups.items():
        grids = [table for table in tables if table.is_grid and has_grid(page, table)]
        boxes = [table.ruled_box for table in grids if table.ruled_box is not None]
        if len(grids) < 2 or len(grids) < len(tables):
            continue
        heights = [box[3] - box[1] for box in page.word_boxes_in(model_box)]
        line = float(np.median(heights)) if heights else 0.0
        if any(touches(grow(a, line / 4), grow(b, line / 4)) for i, a in enumerate(boxes) for b in boxes[:i]):
            continue
        for table, box in zip(grids, boxes, strict=True):
            table.bbox = box
            table.evidence.append("drawn apart from its neighbor")
        stack = sorted(grids, key=lambda table: table.bbox[1])
        if all(upper.bbox[3] < lower.bbox[1] for upper, lower in pairwise(stack)):
            x0, y0, x1, y1 = stack[0].bbox
            stack[0].bbox = (x0, min(y0, model_box[1]), x1, y1)
            x0, y0, x1, y1 = stack[-1].bbox
            stack[-1].bbox = (x0, y0, x1, max(y1, model_box[3]))


def has_grid(page: PageEvidence, table: RegionCandidate) -> bool:
    """Whether strokes of the page are a grid inside a table's drawing; True where no strokes are known."""
    if page.from_pixels or table.ruled_box is None:
        return True
    around = grow(table.ruled_box, 1.0)
    return is_grid([stroke for stroke in page.strokes if share_inside(stroke, around) > 0.99])


def tables_in_drawing(page: PageEvidence, drawing: BBox, tables: Sequence[BBox]) -> list[RegionCandidate]:
    """The tables that the layout model finds in one drawing, where it has two or more and they are apart.

    They are where other text is between them, or white that no stroke passes through: then the drawing is
    their frame, their background, or one path with the rules of all. On scans that model is less reliable.
    """
    if page.from_pixels:
        return []
    inside = [table for table in tables if share_inside(table, drawing) > 0.8]
    if len(inside) < 2 or not all(_are_apart(page, *pair) for pair in combinations(inside, 2)):
        return []
    found = []
    for table in inside:
        strokes = _own_strokes(page, table)
        evidence = ["layout model: table", f"one of {len(inside)} tables in one drawing"]
        words = page.word_boxes_in(table)
        if strokes or words:
            box = union([table, *words, *strokes])
            ruled_box = union(strokes) if strokes else None
            found.append(RegionCandidate("table", box, 0.9, evidence, ruled_box=ruled_box, model_box=table))
    return found


def _are_apart(page: PageEvidence, a: BBox, b: BBox) -> bool:
    gap = _gap(a, b)
    if gap is None:
        return False
    if any(contains_center(gap, box) for box, label in page.model_boxes if label not in ("table", "picture")):
        return True
    heights = [box[3] - box[1] for box in page.word_boxes_in(union([a, b]))]
    line = float(np.median(heights)) if heights else 0.0
    is_wide = min(gap[2] - gap[0], gap[3] - gap[1]) > line
    return is_wide and not any(_passes(stroke, gap) for stroke in page.strokes)


def _gap(a: BBox, b: BBox) -> BBox | None:
    """The white between two boxes, one above or beside the other; None where they overlap."""
    across = interval_overlap(a[0], a[2], b[0], b[2])
    down = interval_overlap(a[1], a[3], b[1], b[3])
    if across > 0 and down <= 0:
        return (min(a[0], b[0]), min(a[3], b[3]), max(a[2], b[2]), max(a[1], b[1]))
    if down > 0 and across <= 0:
        return (min(a[2], b[2]), min(a[1], b[1]), max(a[0], b[0]), max(a[3], b[3]))
    if across <= 0 and down <= 0:
        return (min(a[2], b[2]), min(a[3], b[3]), max(a[0], b[0]), max(a[1], b[1]))
    return None


def _passes(stroke: BBox, gap: BBox) -> bool:
    """Whether a stroke goes from one side of a gap to the other."""
    x0, y0, x1, y1 = gap
    across = stroke[0] <= x0 and stroke[2] >= x1 and y0 < center(stroke)[1] < y1
    down = stroke[1] <= y0 and stroke[3] >= y1 and x0 < center(stroke)[0] < x1
    return across or down


def _own_strokes(page: PageEvidence, table: BBox) -> list[BBox]:
    """Strokes of a table: those that touch it and its margin of a line, and do not reach to other text."""
    around = grow(table, 8, 12)
    width, height = table[2] - table[0], table[3] - table[1]
    own = []
    for stroke in page.strokes:
        is_short = stroke[2] - stroke[0] < 1.5 * width and stroke[3] - stroke[1] < 1.5 * height
        if is_short and touches(stroke, around):
            own.append(stroke)
    return own


def split_side_by_side(page: PageEvidence, regions: Sequence[RegionCandidate]) -> list[RegionCandidate]:
    """The regions, with tables side by side that were taken for one as two.

    A white lane goes through all of their lines and no stroke crosses it. They are two where each has rules
    of its own across its width, or where their rows are at different heights: those of one table are not.
    """
    result: list[RegionCandidate] = []
    for region in regions:
        lane = _lane_between_tables(page, region) if region.kind == "table" else None
        if lane is None:
            result.append(region)
            continue
        for words in _sides(page.word_boxes_in(region.bbox), lane):
            box = union(words)
            strokes = [s for s in page.strokes if touches(s, grow(box, 4, 12)) and not s[0] < lane < s[2]]
            evidence = [*region.evidence, "set apart from the table beside it"]
            ruled_box = union(strokes) if strokes else None
            box = union([box, *strokes])
            result.append(RegionCandidate("table", box, region.score, evidence, ruled_box=ruled_box))
    return result


def _sides(words: Sequence[BBox], lane: float) -> tuple[list[BBox], list[BBox]]:
    left = [word for word in words if center(word)[0] < lane]
    return left, [word for word in words if center(word)[0] >= lane]


def _lane_between_tables(page: PageEvidence, region: RegionCandidate) -> float | None:
    """x of the white lane between two tables in a region; None where it is one table."""
    words = page.word_boxes_in(region.bbox)
    if page.from_pixels or len(words) < 4 * _MIN_ROWS:
        return None
    height = float(np.median([word[3] - word[1] for word in words]))
    strokes = [stroke for stroke in page.strokes if touches(stroke, region.bbox)]
    reach = min(word[2] for word in words)
    for word in sorted(words):
        lane = (reach + word[0]) / 2
        if word[0] - reach >= _MIN_LANE * height and not any(s[0] < lane < s[2] for s in strokes):
            left, right = _sides(words, lane)
            if _has_own_rules(left, strokes) and _has_own_rules(right, strokes):
                return lane
            if not strokes and _rows_differ(left, right, height):
                return lane
        reach = max(reach, word[2])
    return None


def _has_own_rules(words: Sequence[BBox], strokes: Sequence[BBox]) -> bool:
    """Whether at least two rules go across the words' width, and they are a table."""
    x0, _, x1, _ = union(words)
    n_rules = sum(
        interval_overlap(s[0], s[2], x0, x1) >= _MIN_OWN_RULE * (x1 - x0) and s[3] - s[1] < 3 for s in strokes
    )
    return n_rules >= 2 and len(_tabular_rows(words)) >= _MIN_ROWS


def _tabular_rows(words: Sequence[BBox]) -> list[float]:
    """Heights of the middles of the rows with several phrases."""
    rows = text_rows(words)
    return [
        float(np.mean([center(words[i])[1] for i in row])) for row in rows if len(phrases(words, row)) > 1
    ]


def _rows_differ(left: Sequence[BBox], right: Sequence[BBox], height: float) -> bool:
    """Whether both sides are tables by themselves, and few of their rows are at the same height."""
    a, b = sorted((_tabular_rows(left), _tabular_rows(right)), key=len)
    if len(a) < _MIN_ROWS or 2 * min(len(a), len(b)) < max(len(text_rows(left)), len(text_rows(right))):
        return False
    shared = sum(any(abs(y - other) <= _SAME_HEIGHT * height for other in b) for y in a)
    return shared <= _MAX_SHARED_ROWS * len(a)
