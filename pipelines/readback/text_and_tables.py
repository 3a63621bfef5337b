"""Features of words and of table cells compared with the ink of a crop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from docai.contents import Cell, TableContent, TextContent
from docai.pipelines.readback.ink import Gray, to_ink, without_bands
from docai.pipelines.readback.similarity import Features, NotComparable
from docai.pipelines.readback.text_ink import (
    CropInk,
    ExpectedText,
    PixelBox,
    match_text,
    overlapping_share,
    sample_texts,
    split_ink,
    summarize_matches,
    to_pixels,
    uncovered_ink,
)

BoxedCell = tuple[Cell, PixelBox]


def observe_text(gray: Gray) -> CropInk:
    """The letters and rules of a crop, of a text or a table.

    Raises:
        NotComparable: it is blank.
    """
    return split_ink(to_ink(without_bands(gray)))


def text_features(ink: CropInk, content: TextContent) -> Features:
    """Features of words compared with ink; boxes are shares of the crop.

    ``overlap``: share of boxes on top of others; ``unboxed``: share of words without a box; the others are
    those of :func:`~docai.pipelines.readback.text_ink.summarize_matches` and
    :func:`~docai.pipelines.readback.text_ink.uncovered_ink`.

    Raises:
        NotComparable: no word has a box.
    """
    words = [word for line in content.lines for word in line.words if word.text.strip()]
    boxed = [ExpectedText(word.text, to_pixels(word.bbox, ink.letters.shape)) for word in words if word.bbox]
    if not boxed:
        raise NotComparable("no word has a box" if words else "the record has no words")
    return _expected_text_features(ink, boxed, len(words))


def table_features(ink: CropInk, content: TableContent) -> Features:
    """Features of a grid compared with ink; cells' boxes are those of their texts, shares of the crop.

    ``overlap`` and ``unboxed`` and the features of the texts are as for words. ``out_of_order``: share of
    neighbors in the grid whose boxes are not in that order; ``mixed_rows``, ``mixed_cols``: share of
    neighbors in a row (column) with a horizontal (vertical) rule between their boxes; ``unruled_rows``,
    ``unruled_cols``: where most rows (columns) are separated by rules, the share that are not;
    ``row_offset``: largest vertical offset of two neighbors in a row, in letter heights.

    Raises:
        NotComparable: no cell has a box.
    """
    cells = [cell for cell in content.cells if cell.text.strip()]
    boxed = [(cell, to_pixels(cell.bbox, ink.letters.shape)) for cell in cells if cell.bbox]
    if not boxed:
        raise NotComparable("no cell has a box" if cells else "the record has no text in any cell")
    texts = [ExpectedText(cell.text, box) for cell, box in boxed]
    return {**_expected_text_features(ink, texts, len(cells)), **_grid_features(ink, boxed)}


def _expected_text_features(ink: CropInk, texts: Sequence[ExpectedText], n_texts: int) -> Features:
    """Of the texts with a box, out of ``n_texts``."""
    sample = sample_texts(texts)
    return {
        **summarize_matches([match_text(ink, expected) for expected in sample]),
        **uncovered_ink(ink, [expected.box for expected in texts]),
        "overlap": overlapping_share([expected.box for expected in sample]),
        "unboxed": 1 - len(texts) / n_texts,
    }


def _grid_features(ink: CropInk, boxed: Sequence[BoxedCell]) -> Features:
    """Whether the boxes lie as the grid says, and whether the rules agree."""
    rows: dict[int, list[BoxedCell]] = defaultdict(list)
    cols: dict[int, list[BoxedCell]] = defaultdict(list)
    for cell, box in boxed:
        rows[cell.row].append((cell, box))
        cols[cell.col].append((cell, box))
    out_of_order, mixed_rows, mixed_cols, offsets = [], [], [], [0.0]
    for row in rows.values():
        row.sort(key=lambda pair: pair[0].col)
        for (left, a), (right, b) in pairwise(row):
            out_of_order.append(_center(a, 0) >= _center(b, 0))
            if left.row_span == right.row_span == 1:
                mixed_rows.append(_is_separated(ink, a, b, axis=1))
                edges = min(abs(a[1] - b[1]) / 2, abs(a[3] - b[3]) / 2)
                offsets.append(min(edges, abs(_center(a, 1) - _center(b, 1))) / ink.letter_height)
    for col in cols.values():
        col.sort(key=lambda pair: pair[0].row)
        for (upper, a), (lower, b) in pairwise(col):
            out_of_order.append(_center(a, 1) >= _center(b, 1))
            if upper.col_span == lower.col_span == 1:
                mixed_cols.append(_is_separated(ink, a, b, axis=0))
    ruled_rows, ruled_cols = _ruled_share(ink, rows, axis=1), _ruled_share(ink, cols, axis=0)
    return {
        "out_of_order": _share(out_of_order),
        "mixed_rows": _share(mixed_rows),
        "mixed_cols": _share(mixed_cols),
        "row_offset": min(max(offsets), 4.0),
        "unruled_rows": 1 - ruled_rows if ruled_rows > 0.5 else 0.0,
        "unruled_cols": 1 - ruled_cols if ruled_cols > 0.5 else 0.0,
    }


def _center(box: PixelBox, axis: int) -> float:
    """Along x (``axis`` 0) or y (1)."""
    return (box[axis] + box[axis + 2]) / 2


def _is_separated(ink: CropInk, a: PixelBox, b: PixelBox, *, axis: int) -> bool:
    """Whether a rule across ``axis`` runs between the centers of two boxes, along at least one of them."""
    rules = ink.horizontal_rules if axis else ink.vertical_rules
    low, high = sorted((round(_center(a, axis)), round(_center(b, axis))))
    if high - low < 2:
        return False
    for box in (a, b):
        strip = rules[low:high, box[0] : box[2]] if axis else rules[box[1] : box[3], low:high]
        if strip.size and bool((strip.mean(axis=axis) > 0.7).any()):
            return True
    return False


def _ruled_share(ink: CropInk, lanes: Mapping[int, Sequence[BoxedCell]], *, axis: int) -> float:
    """Share of the neighboring rows (``axis`` 1) or columns (0) of the grid with a rule between them."""
    separated = []
    for first, second in pairwise(sorted(lanes)):
        # Of each lane, the rightmost cell that spans no other lane.
        a, b = (
            max((box for cell, box in lanes[lane] if _span(cell, axis) == 1), default=None)
            for lane in (first, second)
        )
        if a is not None and b is not None:
            separated.append(_is_separated(ink, a, b, axis=axis))
    return _share(separated)


def _span(cell: Cell, axis: int) -> int:
    return cell.row_span if axis else cell.col_span


def _share(flags: Sequence[bool]) -> float:
    return float(np.mean(flags)) if flags else 0.0
