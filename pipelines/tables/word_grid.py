"""Lines and columns of a table from the positions of its words, and from its rules where it has some.

The steps: words → lines of pieces → white lanes through nearly all lines → edges of columns → columns of each
piece → lines of the head. :mod:`~docai.pipelines.tables.word_rows` makes rows and cells of them.
Compare Nurminen, "Algorithmic extraction of data in tables in PDF documents" (2013), and Kieninger and
Dengel, "The T-Recs table recognition and analysis system" (1999).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from docai.geometry import center, interval_overlap, union
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.rulings import Rulings
from docai.pipelines.tables.word_lanes import lanes_to_edges
from docai.pipelines.tables.word_lines import (
    MAX_SPACE,
    Line,
    Piece,
    is_value,
    split_at_common_starts,
    words_to_line,
)
from docai.pipelines.words import text_rows

_MAX_HEAD_SHARE = 0.5
"""Share of the lines that the head of a table may have."""
_MIN_FULL_RULE_SHARE = 0.7
"""Share of the width of the table from which a horizontal rule separates rows of the whole table."""
_SAME_MARGIN = 1.0
"""Distance of the ends of two texts, in heights of a word, up to which both can be at the right margin."""
_YEAR = re.compile(r"\W*(1[89]|20)\d\d\W*")
_SIGN = re.compile(r"[$€£¥%)*]+")


@dataclass(frozen=True)
class WordLayout:
    """The words of one table as lines and columns. Coordinates are points."""

    words: Sequence[PageWord]
    lines: list[Line]
    edges: list[float]
    """x of the boundary between each two columns."""
    full_rules: list[float]
    """y of the rules across the whole table."""
    part_rules: list[tuple[float, float, float]]
    """Start, end and y of the other horizontal rules."""
    n_head: int
    """Number of lines of the head."""
    height: float
    """Median height of a word."""

    def text(self, piece: Piece) -> str:
        return " ".join(self.words[index].base or self.words[index].text for index in piece.words)

    def ruled_between(self, upper: Line, lower: Line) -> bool:
        return any(upper.middle < y < lower.middle for y in self.full_rules)


def lay_out_words(words: Sequence[PageWord], rules: Rulings) -> WordLayout | None:
    """Lines and columns of the words; None where there are not two of each."""
    boxes = [word.bbox for word in words]
    height = float(np.median([box[3] - box[1] for box in boxes]))
    x0, y0, x1, y1 = union(boxes)
    high = [r for r in rules.vertical if interval_overlap(r.start, r.end, y0, y1) > 0.5 * (y1 - y0)]
    walls = [r for r in high if x0 < r.at < x1]
    lines = [words_to_line(words, row, walls) for row in text_rows(boxes)]
    if len(lines) < 2:
        return None
    split_at_common_starts(words, lines)
    min_length = _MIN_FULL_RULE_SHARE * (x1 - x0)
    full = [r.at for r in rules.horizontal if interval_overlap(r.start, r.end, x0, x1) >= min_length]
    part = [(r.start, r.end, r.at) for r in rules.horizontal if r.at not in full]
    n_before_values = _lines_before_values(words, lines, full)
    edges = lanes_to_edges(lines, n_before_values, height, [wall.at for wall in walls])
    if not edges:
        return None
    layout = WordLayout(words, lines, edges, full, part, 0, height)
    _assign_columns(layout, n_before_values)
    edges = _drop_sign_columns(layout)
    layout = WordLayout(words, lines, edges, full, part, 0, height)
    _assign_columns(layout, n_before_values)
    return WordLayout(words, lines, edges, full, part, _count_head_lines(layout, n_before_values), height)


def _lines_before_values(words: Sequence[PageWord], lines: Sequence[Line], full: Sequence[float]) -> int:
    """Number of lines before the first line of values, in which at least half of the pieces after the first
    are.

    A line of years alone belongs to the head. Where no line has values, the number of lines above the first
    rule inside the table, else 1.
    """
    for number, line in enumerate(lines):
        texts = [" ".join(words[i].text for i in piece.words) for piece in line.pieces]
        rest = texts[1:] if len(texts) > 1 else []
        values = [text for text in rest if is_value(text)]
        years = number < _MAX_HEAD_SHARE * len(lines) and all(_YEAR.fullmatch(text) for text in values)
        if values and 2 * len(values) >= len(rest) and not years:
            return number
    inner = [y for y in full if lines[0].middle < y < lines[-1].middle]
    above = sum(line.middle < inner[0] for line in lines) if inner else 1
    return above if above <= _MAX_HEAD_SHARE * len(lines) else 1


def _assign_columns(layout: WordLayout, n_head: int) -> None:
    """Set the columns of each piece. A piece across an edge spans several columns where its words are a space
    apart, as those of headings are; else it is divided, since it is two pieces that are close."""
    edges = np.asarray(layout.edges)
    for number, line in enumerate(layout.lines):
        pieces: list[Piece] = []
        for piece in line.pieces:
            for part in _split_at_edges(layout, piece, is_head=number < n_head):
                box = union([layout.words[i].bbox for i in part])
                slack = min(2.0, 0.2 * (box[2] - box[0]))
                first = int(np.searchsorted(edges, box[0] + slack))
                last = max(first, int(np.searchsorted(edges, box[2] - slack)))
                pieces.append(Piece(part, box, first, last))
            pieces[-1].leaders += piece.leaders
        line.pieces = _separate_pieces(pieces, edges)


def _separate_pieces(pieces: Sequence[Piece], edges: NDArray[np.float64]) -> list[Piece]:
    """Pieces of one line without common columns: of two with one in common, each is limited to the side of
    its middle; where that is the same column, they become one."""
    separate: list[Piece] = []
    for piece in pieces:
        before = separate[-1] if separate else None
        if before is not None and piece.first <= before.last:
            before.last = min(before.last, int(np.searchsorted(edges, center(before.bbox)[0])))
            piece.first = max(before.last + 1, int(np.searchsorted(edges, center(piece.bbox)[0])))
            piece.first = min(piece.first, piece.last)
            before.last = max(before.first, before.last)
        if before is not None and piece.first <= before.last:
            before.words += piece.words
            before.leaders += piece.leaders
            before.bbox = union([before.bbox, piece.bbox])
            before.last = max(before.last, piece.last)
        else:
            separate.append(piece)
    return separate


def _split_at_edges(layout: WordLayout, piece: Piece, *, is_head: bool) -> list[list[int]]:
    """A piece divided at the edges in its gaps, where those are wider than a space or all parts are values;
    below the head the first part may be a label."""
    parts, wide_parts = [[piece.words[0]]], [[piece.words[0]]]
    for before, after in pairwise(piece.words):
        left, right = layout.words[before].bbox[2], layout.words[after].bbox[0]
        if any(left - 0.5 <= x <= right + 0.5 for x in layout.edges):
            parts.append([])
            if right - left > MAX_SPACE * layout.height:
                wide_parts.append([])
        parts[-1].append(after)
        wide_parts[-1].append(after)
    texts = [" ".join(layout.words[i].text for i in part) for part in parts]
    return parts if all(map(is_value, texts if is_head else texts[1:])) else wide_parts


def _drop_sign_columns(layout: WordLayout) -> list[float]:
    """Edges without those between a column of currency or percent signs and its numbers."""
    texts: dict[int, list[str]] = {}
    for line in layout.lines:
        for piece in line.pieces:
            if piece.first == piece.last:
                texts.setdefault(piece.first, []).append(layout.text(piece))
    dropped = set()
    for col, texts_of_column in texts.items():
        if all(_SIGN.fullmatch(text) for text in texts_of_column):
            is_before = all(text in "$€£¥" for text in texts_of_column)
            dropped.add(col if is_before and col < len(layout.edges) else col - 1)
    return [x for index, x in enumerate(layout.edges) if index not in dropped]


def _count_head_lines(layout: WordLayout, n_before_values: int) -> int:
    """Number of lines of the head. It ends at the last rule before the values; labels alone directly above
    the values belong to the body, unless they continue a heading."""
    lines = layout.lines
    if n_before_values == 0 or n_before_values > _MAX_HEAD_SHARE * len(lines) + 1:
        return 0 if n_before_values == 0 else 1
    end = n_before_values
    while end > 1 and lines[end - 1].filled() == {0}:
        is_ruled_off = layout.ruled_between(lines[end - 2], lines[end - 1])
        # The other headings may stand between two lines of the first one, at half their distance.
        above = next((line for line in reversed(lines[: end - 1]) if 0 in line.filled()), None)
        if above is not None and not is_ruled_off and continues_below(layout, above, lines[end - 1]):
            break
        end -= 1
    ruled = [n for n in range(1, end + 1) if layout.ruled_between(lines[n - 1], lines[n])]
    return ruled[-1] if ruled else end


def continues_below(layout: WordLayout, upper: Line, lower: Line, col: int = 0) -> bool:
    """Whether the text of a column continues in the lower line: its first word there begins with a lowercase
    letter, or had no room left in the upper line."""
    above = [piece for piece in upper.pieces if piece.first == col]
    below = [piece for piece in lower.pieces if piece.first == col]
    if not above or not below:
        return False
    word = layout.words[below[0].words[0]]
    if word.text[:1].islower():
        return True
    right = _right_margin(layout, col, above[0])
    return above[0].bbox[2] + 0.2 * layout.height + (word.bbox[2] - word.bbox[0]) > right


def _right_margin(layout: WordLayout, col: int, default: Piece) -> float:
    """x up to which the text of a column goes: where texts of several words end, if two do at one place, or
    almost at the next column."""
    alone = [p for line in layout.lines for p in line.pieces if p.first == p.last == col] or [default]
    right = max(piece.bbox[2] for piece in alone)
    full = [p for p in alone if len(p.words) > 1 and p.bbox[2] > right - _SAME_MARGIN * layout.height]
    next_column = [p.bbox[0] for line in layout.lines for p in line.pieces if p.first == p.last == col + 1]
    if len(full) > 1 or not next_column:
        return right
    return max(right, min(next_column) - layout.height)
