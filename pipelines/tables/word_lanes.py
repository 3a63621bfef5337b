"""Edges of the columns of a table: vertical rules, white lanes between words, and heads of empty columns."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import pairwise

from docai.geometry import center
from docai.pipelines.tables.word_lines import Line
from docai.pipelines.words import WIDE_GAP

_MAX_CROSSING_SHARE = 0.08
"""Share of the lines that may cross the white lane between two columns."""

_WALL_REACH = 1.0
"""Points by which the words of a cell may reach over a vertical rule."""


def lanes_to_edges(lines: Sequence[Line], n_head: int, height: float, walls: Sequence[float]) -> list[float]:
    """x of the boundaries of columns: vertical rules, and middles of the white lanes without one."""
    divided = [(number, line) for number, line in enumerate(lines) if len(line.pieces) > 1]
    most_pieces = max((len(line.pieces) for _, line in divided), default=0)
    body = [line for number, line in divided if number >= n_head and 2 * len(line.pieces) >= most_pieces]
    head = [line for number, line in divided if number < n_head]
    if len(body) < 2:
        body, head = [line for _, line in divided], []
    if not body:
        return []
    ends = sorted(
        {x for line in [*body, *head] for piece in line.pieces for x in (piece.bbox[0], piece.bbox[2])}
    )
    max_crossing = int(_MAX_CROSSING_SHARE * len(body))
    lanes: list[tuple[float, float]] = []
    for start, end in pairwise(ends):
        x = (start + end) / 2
        n_crossing = sum(any(piece.bbox[0] < x < piece.bbox[2] for piece in line.pieces) for line in body)
        is_inside = any(line.pieces[0].bbox[0] < x < line.pieces[-1].bbox[2] for line in body)
        if n_crossing > max_crossing or not is_inside:
            continue
        if lanes and lanes[-1][1] >= start - 0.01:
            lanes[-1] = (lanes[-1][0], end)
        else:
            lanes.append((start, end))
    edges = list(walls)
    for start, end in lanes:
        if end - start >= 0.2 * height and not any(
            start - _WALL_REACH <= x <= end + _WALL_REACH for x in walls
        ):
            edges.append((start + end) / 2)
    heading = lines[n_head - 1] if head and n_head else None
    return _add_headed_columns(_drop_empty_columns(sorted(edges), body, head, height), walls, body, heading)


def _drop_empty_columns(
    edges: Sequence[float], body: Sequence[Line], head: Sequence[Line], height: float
) -> list[float]:
    """Edges without those of empty columns, as between the strokes of a double rule, or where only the words
    of one heading are apart."""
    middles = [center(piece.bbox)[0] for line in body for piece in line.pieces]
    for line in head:
        start = line.pieces[0].bbox[0]
        for piece, following in pairwise([*line.pieces, None]):
            if piece is None:
                continue
            if following is None or following.bbox[0] - piece.bbox[2] > WIDE_GAP * height:
                middles.append((start + piece.bbox[2]) / 2)
                start = following.bbox[0] if following is not None else start
    needed: list[float] = []
    for edge in edges:
        if any((needed[-1] if needed else float("-inf")) < x <= edge for x in middles):
            needed.append(edge)
    return needed if any(needed and x > needed[-1] for x in middles) else needed[:-1]


def _add_headed_columns(
    edges: list[float], walls: Sequence[float], body: Sequence[Line], heading: Line | None
) -> list[float]:
    """The edges, with those of columns that have a heading and no text below it.

    Only where the last line of the head has one piece over each column with text, but for the first: then a
    further piece beside them is the heading of a column, too. Where vertical rules are between columns, one
    must be beside that piece as well: else it is a word of a justified heading.
    """
    if heading is None or len(heading.pieces) < 2:
        return edges
    extents = _extents(edges, body)
    columns: list[tuple[float, float]] = []
    numbers: list[int | None] = []
    for piece in heading.pieces:
        start, end = piece.bbox[0], piece.bbox[2]
        below = [number for number, (left, right) in extents.items() if start < right and left < end]
        if len(below) > 1:
            return edges
        for left, right in (extents[number] for number in below):
            start, end = min(start, left), max(end, right)
        columns.append((start, end))
        numbers.append(below[0] if below else None)
    if 0 not in numbers and 0 in extents:
        columns.insert(0, extents[0])
        numbers.insert(0, 0)
    if [number for number in numbers if number is not None] != sorted(extents) or None not in numbers:
        return edges
    headed: list[float] = []
    for (before, after), (col, following) in zip(pairwise(columns), pairwise(numbers), strict=True):
        if col is not None and following is not None:
            headed.append(edges[col])
            continue
        start, end = before[1], after[0]
        has_wall = any(start - _WALL_REACH <= x <= end + _WALL_REACH for x in walls)
        if start >= end or (walls and not has_wall):
            return edges
        headed.append((start + end) / 2)
    return headed


def _extents(edges: Sequence[float], body: Sequence[Line]) -> dict[int, tuple[float, float]]:
    """Left and right end of the text below the head, by the number of the column."""
    extents: dict[int, tuple[float, float]] = {}
    for line in body:
        for piece in line.pieces:
            start, end = piece.bbox[0], piece.bbox[2]
            col = bisect(edges, (start + end) / 2)
            if col == bisect(edges, start + 1) == bisect(edges, end - 1):
                left, right = extents.get(col, (start, end))
                extents[col] = min(left, start), max(right, end)
    return extents
