"""The cells of a table held against the ink of a crop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from docai.contents import Cell, TableContent, TextContent
from docai.pipelines.readback.base import Features, Gray, NotComparable
from docai.pipelines.readback.ink import to_ink
from docai.pipelines.readback.text_ink import (
    Claim,
    Page,
    chosen,
    look,
    overlapping,
    part_ink,
    summary,
    to_pixels,
    uncovered,
)


def observe_text(gray: Gray) -> Page:
    """The letters of a crop, without its rules.

    Raises:
        NotComparable: it is blank.
    """
    return part_ink(to_ink(gray))


def text_features(page: Page, content: TextContent) -> Features:
    """Features of words against ink; boxes are shares of the crop.

    ``uncovered``: share of the ink outside of all boxes; ``largest_uncovered``: its largest lump, log of
    letter areas; ``overlap``: share of boxes on top of others; ``unboxed``: share of words without a box;
    the rest: :func:`docai.pipelines.readback.text_ink.summary`.

    Raises:
        NotComparable: no word has a box.
    """
    words = [word for line in content.lines for word in line.words if word.text.strip()]
    claims = [Claim(word.text, to_pixels(word.bbox, page.letters.shape)) for word in words if word.bbox]
    if not claims:
        raise NotComparable("no word has a box" if words else "the record has no words")
    some = chosen(claims)
    return {
        **summary([look(page, claim) for claim in some]),
        **uncovered(page, [claim.box for claim in claims]),
        "overlap": overlapping(np.array([claim.box for claim in some], np.float64)),
        "unboxed": 1 - len(claims) / len(words),
    }


Box = tuple[int, int, int, int]


def observe_table(gray: Gray) -> Page:
    """The letters and rules of a crop.

    Raises:
        NotComparable: it is blank.
    """
    return part_ink(to_ink(gray))


def table_features(page: Page, content: TableContent) -> Features:
    """Features of a grid against ink; cells' boxes are those of their texts, shares of the crop.

    ``uncovered``, ``largest_uncovered``, ``overlap``, ``unboxed``: as for words; ``disorder``: share of
    neighbours in the grid whose boxes do not lie so; ``mixed_rows``, ``mixed_cols``: share of neighbours in
    a row (a column) between whose boxes a level (an upright) rule runs; ``unruled_rows``, ``unruled_cols``:
    where most rows (columns) are parted by rules, the share that are not; ``loose``: spread of the cells'
    middles in a row, in letter heights; the rest: :func:`docai.pipelines.readback.text_ink.summary`.

    Raises:
        NotComparable: no cell has a box.
    """
    cells = [cell for cell in content.cells if cell.text.strip()]
    boxed = [(cell, to_pixels(cell.bbox, page.letters.shape)) for cell in cells if cell.bbox]
    if not boxed:
        raise NotComparable("no cell has a box" if cells else "the record has no text in any cell")
    claims = [Claim(cell.text, box) for cell, box in boxed]
    some = chosen(claims)
    return {
        **summary([look(page, claim) for claim in some]),
        **_grid(page, boxed),
        **uncovered(page, [claim.box for claim in claims]),
        "overlap": overlapping(np.array([claim.box for claim in some], np.float64)),
        "unboxed": 1 - len(claims) / len(cells),
    }


def _grid(page: Page, boxed: Sequence[tuple[Cell, Box]]) -> dict[str, float]:
    """Whether the boxes lie as the grid says, and whether the rules agree."""
    rows: dict[int, list[tuple[Cell, Box]]] = defaultdict(list)
    cols: dict[int, list[tuple[Cell, Box]]] = defaultdict(list)
    for cell, box in boxed:
        rows[cell.row].append((cell, box))
        cols[cell.col].append((cell, box))
    disorder, mixed_rows, mixed_cols, loose = [], [], [], [0.0]
    for row in rows.values():
        row.sort(key=lambda pair: pair[0].col)
        for (cell, a), (other, b) in pairwise(row):
            disorder.append((a[0] + a[2]) >= (b[0] + b[2]))
            if cell.row_span == other.row_span == 1:
                mixed_rows.append(_parted(page.level, _middle(a, 1), _middle(b, 1), a, b, upright=False))
                apart = (
                    min(abs(a[i] - b[j]) / 2 for i, j in ((1, 1), (3, 3))),
                    abs(_middle(a, 1) - _middle(b, 1)),
                )
                loose.append(min(*apart) / page.height)
    for col in cols.values():
        col.sort(key=lambda pair: pair[0].row)
        for (cell, a), (other, b) in pairwise(col):
            disorder.append((a[1] + a[3]) >= (b[1] + b[3]))
            if cell.col_span == other.col_span == 1:
                mixed_cols.append(_parted(page.upright, _middle(a, 0), _middle(b, 0), a, b, upright=True))
    ruled_rows = _ruled(page, rows, upright=False)
    ruled_cols = _ruled(page, cols, upright=True)
    return {
        "disorder": _share(disorder),
        "mixed_rows": _share(mixed_rows),
        "mixed_cols": _share(mixed_cols),
        "loose": min(max(loose), 4.0),
        "unruled_rows": 1 - ruled_rows if ruled_rows > 0.5 else 0.0,
        "unruled_cols": 1 - ruled_cols if ruled_cols > 0.5 else 0.0,
    }


def _middle(box: Box, axis: int) -> float:
    return (box[axis] + box[axis + 2]) / 2


def _parted(rules: Gray, start: float, end: float, a: Box, b: Box, *, upright: bool) -> bool:
    """Whether a rule runs between the middles of two boxes, at either of them."""
    low, high = sorted((round(start), round(end)))
    if high - low < 2:
        return False
    for box in (a, b):
        strip = rules[box[1] : box[3], low:high] if upright else rules[low:high, box[0] : box[2]]
        if strip.size and bool((strip.mean(axis=0 if upright else 1) > 0.7).any()):
            return True
    return False


def _ruled(page: Page, lanes: dict[int, list[tuple[Cell, Box]]], *, upright: bool) -> float:
    """Share of the neighbouring lanes of the grid that a rule parts."""
    axis = 0 if upright else 1
    order = sorted(lanes)
    found = []
    for first, second in pairwise(order):
        one = max((box for cell, box in lanes[first] if _span(cell, upright) == 1), default=None)
        other = max((box for cell, box in lanes[second] if _span(cell, upright) == 1), default=None)
        if one is None or other is None:
            continue
        rules = page.upright if upright else page.level
        found.append(_parted(rules, _middle(one, axis), _middle(other, axis), one, other, upright=upright))
    return _share(found)


def _span(cell: Cell, upright: bool) -> int:
    return cell.col_span if upright else cell.row_span


def _share(found: Sequence[bool]) -> float:
    return float(np.mean(found)) if found else 0.0
