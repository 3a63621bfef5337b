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
            are_values = is_value(words[before].text) and is_value(words[after].text)
            if (are_values and gap > MAX_SPACE * height) or any(left < x < right for x in walls_here):
                parts.append([])
            parts[-1].append(after)
        pieces += [Piece(part, union([boxes[i] for i in part])) for part in parts]
    for leader in leaders - set(row):
        before_leader = [piece for piece in pieces if piece.bbox[0] <= boxes[leader][0]]
        (before_leader[-1] if before_leader else pieces[0]).leaders.append(leader)
    return Line(box, pieces)


def is_leader(text: str) -> bool:
    """Whether a word is a row of dots that leads to the next column."""
    return _LEADER.fullmatch(text) is not None


def is_value(text: str) -> bool:
    """Whether a text is a number, with signs and marks, or a sign for a missing one."""
    return _VALUE.fullmatch(text.strip()) is not None
