"""Lines of a table as pieces: words that stand together in one line.

What is said here of a piece is said of its words alone; which columns it spans is found by
:mod:`~docai.pipelines.tables.word_grid`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from docai.geometry import BBox, center, union
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.rulings import Rule
from docai.pipelines.words import phrases

PIECE_GAP = 0.65
"""Gap, in heights of a word, above which words are different pieces of a line: columns may be closer than
phrases of running text, and cells are rarely justified."""

MAX_SPACE = 0.33
"""Gap, in heights of a word, up to which there is one space between words."""

_SAME_START = 1.0
"""Points between the beginnings of two words up to which they are at one place."""

_MIN_WIDE = 2
"""Lines with a wide gap before a place from which it can be the beginning of a column."""

_MIN_STARTS = 0.8
"""Share of the lines with words that far to the right in which a word must begin there."""

_VALUE = re.compile(r"[^A-Za-z]*\d[^A-Za-z]*[A-Za-z]?\W*|[-‐‑–—−.:*…/\s]+|n\.?/?a\.?", re.IGNORECASE)
_LEADER = re.compile(r"[.·…_]{2,}|…")


@dataclass
class Piece:
    """Words close together in one line, as indices, and the columns ``first`` to ``last`` that they span."""

    words: list[int]
    bbox: BBox
    first: int = 0
    last: int = 0
    leaders: list[int] = field(default_factory=list)
    """Words that are rows of dots after these; ``bbox`` is without them."""


@dataclass
class Line:
    """One line of text; ``pieces`` from left to right."""

    bbox: BBox
    pieces: list[Piece] = field(default_factory=list)

    @property
    def middle(self) -> float:
        """Height of its middle."""
        return center(self.bbox)[1]

    def filled(self) -> set[int]:
        """Columns in which the line has words."""
        return {col for piece in self.pieces for col in range(piece.first, piece.last + 1)}


def words_to_line(words: Sequence[PageWord], row: Sequence[int], walls: Sequence[Rule]) -> Line:
    """A row of words as pieces, which wide gaps, vertical rules, and more than a space between values
    separate."""
    boxes = [word.bbox for word in words]
    leaders = {i for i in row if is_leader(words[i].text)}
    row = [i for i in row if i not in leaders] or list(row)
    box = union([boxes[i] for i in row])
    middle = center(box)[1]
    walls_here = [wall.at for wall in walls if wall.start <= middle <= wall.end]
    pieces: list[Piece] = []
    for phrase in phrases(boxes, row, PIECE_GAP):
        parts = [[phrase[0]]]
        for before, after in pairwise(phrase):
            gap = boxes[after][0] - boxes[before][2]
            left, right = center(boxes[before])[0], center(boxes[after])[0]
            height = min(boxes[i][3] - boxes[i][1] for i in (before, after))
            are_values = is_value(words[before].text) and is_value(words[after].base)
            if (are_values and gap > MAX_SPACE * height) or any(left < x < right for x in walls_here):
                parts.append([])
            parts[-1].append(after)
        pieces += [Piece(part, union([boxes[i] for i in part])) for part in parts]
    for leader in leaders - set(row):
        before_leader = [piece for piece in pieces if piece.bbox[0] <= boxes[leader][0]]
        (before_leader[-1] if before_leader else pieces[0]).leaders.append(leader)
    return Line(box, pieces)


def split_at_common_starts(words: Sequence[PageWord], lines: Sequence[Line]) -> None:
    """Divide pieces before words that begin where a column does.

    It is a column where words begin at one place in nearly all lines, after a wide gap in some: the texts
    before it fill their cells in the others.
    """
    wide = [piece.bbox[0] for line in lines for piece in line.pieces[1:]]
    starts = [[words[i].bbox[0] for piece in line.pieces for i in piece.words] for line in lines]
    for x in sorted({round(start) for start in wide}):
        n_wide = sum(abs(start - x) <= _SAME_START for start in wide)
        with_text = [line for line in starts if max(line) >= x - _SAME_START]
        n_starts = sum(any(abs(start - x) <= _SAME_START for start in line) for line in with_text)
        if n_wide >= _MIN_WIDE and n_starts >= max(_MIN_WIDE + 1, _MIN_STARTS * len(with_text)):
            ends = [max((p.bbox[2] for p in line.pieces if p.bbox[2] < x), default=0.0) for line in lines]
            for line in lines:
                line.pieces = [
                    part for piece in line.pieces for part in _split_before(words, piece, x, max(ends))
                ]


def _split_before(words: Sequence[PageWord], piece: Piece, x: float, end: float) -> list[Piece]:
    """A piece as two at a word that begins at ``x``, if it begins where other lines have text, too, which
    reaches to ``end``: else it is the heading of the column alone."""
    for place, index in enumerate(piece.words[1:], 1):
        if abs(words[index].bbox[0] - x) <= _SAME_START and piece.bbox[0] < end:
            parts = piece.words[:place], piece.words[place:]
            before, after = (Piece(part, union([words[i].bbox for i in part])) for part in parts)
            after.leaders = piece.leaders
            return [before, after]
    return [piece]


def is_leader(text: str) -> bool:
    """Whether a word is a row of dots that leads to the next column."""
    return _LEADER.fullmatch(text) is not None


def is_value(text: str) -> bool:
    """Whether a text is a number, with signs and marks, or a sign for a missing one."""
    return _VALUE.fullmatch(text.strip()) is not None
