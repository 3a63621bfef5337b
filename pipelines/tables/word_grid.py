"""A table's grid from where its words stand, with what rules it has: lines, columns, rows and cells.

Columns are parted by white that runs through nearly all lines, rows by full rules, by wider gaps, and by
the cells that a line leaves empty: a line that only goes on with cells of the line above is part of its row.
Compare Nurminen, "Algorithmic extraction of data in tables in PDF documents" (2013), and Kieninger and
Dengel, "The T-Recs table recognition and analysis system" (1999).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, union
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.rulings import Rule, Rulings
from docai.pipelines.words import WIDE_GAP, phrases, text_rows

_GAP = 0.65
"""Gap in heights of a word that parts phrases of a table's line: columns may stand closer than phrases of
running text, and cells are rarely justified."""
_SPACE = 0.33
"""Gap, in heights of a word, above which words are more than a space apart."""
_FEW = 0.08
"""Share of the lines that may run across the white between two columns."""
_MOST_HEAD = 0.5
"""Share of the lines that a table's head may take."""
_FULL = 0.7
"""Share of the table's width from which a level rule parts rows of the whole table."""
_VALUE = re.compile(r"[^A-Za-z]*\d[^A-Za-z]*[A-Za-z]?\W*|[-‐‑–—−.:*…/\s]+|n\.?/?a\.?", re.IGNORECASE)
_YEAR = re.compile(r"\W*(1[89]|20)\d\d\W*")
_LEADER = re.compile(r"[.·…_]{2,}|…")
_SIGN = re.compile(r"[$€£¥%)*]+")


@dataclass
class Piece:
    """Words that stand together in one line, and the columns ``first`` to ``last`` that they reach over."""

    words: list[int]
    bbox: BBox
    first: int = 0
    last: int = 0
    leaders: list[int] = field(default_factory=list)
    """Words that are rows of dots after these; they take no room of their own."""


@dataclass
class Line:
    """One line of text; ``pieces`` from left to right."""

    bbox: BBox
    pieces: list[Piece] = field(default_factory=list)

    @property
    def middle(self) -> float:
        return (self.bbox[1] + self.bbox[3]) / 2

    def filled(self) -> set[int]:
        return {col for piece in self.pieces for col in range(piece.first, piece.last + 1)}


@dataclass(frozen=True)
class Sheet:
    """The words of one table as lines in columns."""

    words: Sequence[PageWord]
    lines: list[Line]
    edges: list[float]
    """Places across between two columns, one fewer than columns."""
    full_rules: list[float]
    """Heights of the rules across the whole table."""
    part_rules: list[tuple[float, float, float]]
    """Start, end and height of the others."""
    n_head: int
    """Lines of the head."""
    height: float
    """Of a usual word."""

    def text(self, piece: Piece) -> str:
        return " ".join(self.words[index].text for index in piece.words)

    def ruled_between(self, upper: Line, lower: Line) -> bool:
        return any(upper.middle < y < lower.middle for y in self.full_rules)


def lay_out_words(words: Sequence[PageWord], rules: Rulings) -> Sheet | None:
    """Lines and columns of the words; None where they have no two columns."""
    boxes = [word.bbox for word in words]
    height = float(np.median([box[3] - box[1] for box in boxes]))
    x0, y0, x1, y1 = union(boxes)
    ruled = [r for r in rules.upright if min(r.end, y1) - max(r.start, y0) > 0.5 * (y1 - y0)]
    walls = [r for r in ruled if x0 < r.at < x1]
    lines = [_line(words, row, walls) for row in text_rows(boxes)]
    if len(lines) < 2:
        return None
    full = [r.at for r in rules.level if min(r.end, x1) - max(r.start, x0) >= _FULL * (x1 - x0)]
    part = [(r.start, r.end, r.at) for r in rules.level if r.at not in full]
    guess = _head_by_values(words, lines, full)
    edges = _edges(lines, guess, height, [wall.at for wall in walls])
    if not edges:
        return None
    sheet = Sheet(words, lines, edges, full, part, 0, height)
    _place(sheet)
    edges = _without_sign_columns(sheet)
    sheet = Sheet(words, lines, edges, full, part, 0, height)
    _place(sheet)
    return Sheet(words, lines, edges, full, part, _head_lines(sheet, guess), height)


def _line(words: Sequence[PageWord], row: Sequence[int], walls: Sequence[Rule]) -> Line:
    """Pieces are parted by wide gaps, by upright rules, and by more than a space between two values."""
    boxes = [word.bbox for word in words]
    leaders = {i for i in row if is_leader(words[i].text)}
    row = [i for i in row if i not in leaders] or list(row)
    box = union([boxes[i] for i in row])
    middle = (box[1] + box[3]) / 2
    here = [wall.at for wall in walls if wall.start <= middle <= wall.end]
    pieces: list[Piece] = []
    for phrase in phrases(boxes, row, _GAP):
        parts = [[phrase[0]]]
        for before, after in pairwise(phrase):
            gap = boxes[after][0] - boxes[before][2]
            middles = sum(boxes[before][::2]) / 2, sum(boxes[after][::2]) / 2
            height = min(boxes[i][3] - boxes[i][1] for i in (before, after))
            apart = gap > _SPACE * height and is_value(words[before].text) and is_value(words[after].text)
            if apart or any(middles[0] < x < middles[1] for x in here):
                parts.append([])
            parts[-1].append(after)
        pieces += [Piece(part, union([boxes[i] for i in part])) for part in parts]
    for leader in leaders - set(row):
        led = [piece for piece in pieces if piece.bbox[0] <= boxes[leader][0]]
        (led[-1] if led else pieces[0]).leaders.append(leader)
    return Line(box, pieces)


def is_leader(text: str) -> bool:
    """Dots that lead the eye to the next column."""
    return _LEADER.fullmatch(text) is not None


def is_value(text: str) -> bool:
    """A number, with its signs and marks, or what stands for a missing one."""
    return _VALUE.fullmatch(text.strip()) is not None


def _head_by_values(words: Sequence[PageWord], lines: Sequence[Line], full: Sequence[float]) -> int:
    """Lines before the first that shows values: at least half of its phrases after the first.

    A line of years alone is a head. Where no line shows values, the head is what stands above the first
    rule inside the table, else the first line.
    """
    for number, line in enumerate(lines):
        texts = [" ".join(words[i].text for i in piece.words) for piece in line.pieces]
        rest = texts[1:] if len(texts) > 1 else []
        values = [text for text in rest if is_value(text)]
        years = number < _MOST_HEAD * len(lines) and all(_YEAR.fullmatch(text) for text in values)
        if values and 2 * len(values) >= len(rest) and not years:
            return number
    inner = [y for y in full if lines[0].middle < y < lines[-1].middle]
    above = sum(line.middle < inner[0] for line in lines) if inner else 1
    return above if above <= _MOST_HEAD * len(lines) else 1


def _edges(lines: Sequence[Line], n_head: int, height: float, walls: Sequence[float]) -> list[float]:
    """Middles of the white lanes between columns, or the upright rules in them."""
    several = [(number, line) for number, line in enumerate(lines) if len(line.pieces) > 1]
    most = max((len(line.pieces) for _, line in several), default=0)
    body = [line for number, line in several if number >= n_head and 2 * len(line.pieces) >= most]
    head = [line for number, line in several if number < n_head]
    if len(body) < 2:
        body, head = [line for _, line in several], []
    if not body:
        return []
    strong = [*body, *head]
    ends = sorted({x for line in strong for piece in line.pieces for x in (piece.bbox[0], piece.bbox[2])})
    few = int(_FEW * len(body))
    lanes: list[tuple[float, float]] = []
    for start, end in pairwise(ends):
        x = (start + end) / 2
        blocked = sum(any(piece.bbox[0] < x < piece.bbox[2] for piece in line.pieces) for line in body)
        inside = any(line.pieces[0].bbox[0] < x < line.pieces[-1].bbox[2] for line in body)
        if blocked > few or not inside:
            continue
        if lanes and lanes[-1][1] >= start - 0.01:
            lanes[-1] = (lanes[-1][0], end)
        else:
            lanes.append((start, end))
    edges = list(walls)
    for start, end in lanes:
        if end - start >= 0.2 * height and not any(start - 1 <= x <= end + 1 for x in walls):
            edges.append((start + end) / 2)
    return _without_empty_columns(sorted(edges), body, head, height)


def _without_empty_columns(
    edges: Sequence[float], body: Sequence[Line], head: Sequence[Line], height: float
) -> list[float]:
    """Edges without those that close a column of nothing: between the strokes of a double rule, or where
    only the words of one heading stand apart."""
    middles = [sum(piece.bbox[::2]) / 2 for line in body for piece in line.pieces]
    for line in head:
        start = line.pieces[0].bbox[0]
        for one, two in pairwise([*line.pieces, None]):
            if one is not None and (two is None or two.bbox[0] - one.bbox[2] > WIDE_GAP * height):
                middles.append((start + one.bbox[2]) / 2)
                start = two.bbox[0] if two is not None else start
    kept: list[float] = []
    for edge in edges:
        if any((kept[-1] if kept else float("-inf")) < x <= edge for x in middles):
            kept.append(edge)
    return kept if any(kept and x > kept[-1] for x in middles) else kept[:-1]


def _place(sheet: Sheet) -> None:
    """Give each piece its columns. One that runs over an edge spans where its words do so closely, in the
    head and where it stands alone; else it is two that stand close, and is cut."""
    edges = np.asarray(sheet.edges)
    for line in sheet.lines:
        placed: list[Piece] = []
        for piece in line.pieces:
            for part in _cut(sheet, piece):
                box = union([sheet.words[i].bbox for i in part])
                slack = min(2.0, 0.2 * (box[2] - box[0]))
                first = int(np.searchsorted(edges, box[0] + slack))
                last = max(first, int(np.searchsorted(edges, box[2] - slack)))
                placed.append(Piece(part, box, first, last))
            placed[-1].leaders += piece.leaders
        line.pieces = _side_by_side(placed, edges)


def _side_by_side(pieces: Sequence[Piece], edges: NDArray[np.float64]) -> list[Piece]:
    """Pieces of one line with columns of their own: where two reach into one, each keeps to its middle."""
    parted: list[Piece] = []
    for piece in pieces:
        before = parted[-1] if parted else None
        if before is not None and piece.first <= before.last:
            before.last = min(before.last, int(np.searchsorted(edges, sum(before.bbox[::2]) / 2)))
            piece.first = max(before.last + 1, int(np.searchsorted(edges, sum(piece.bbox[::2]) / 2)))
            piece.first = min(piece.first, piece.last)
            before.last = max(before.first, before.last)
        if before is not None and piece.first <= before.last:
            before.words += piece.words
            before.leaders += piece.leaders
            before.bbox = union([before.bbox, piece.bbox])
            before.last = max(before.last, piece.last)
        else:
            parted.append(piece)
    return parted


def _cut(sheet: Sheet, piece: Piece) -> list[list[int]]:
    """A piece cut at the edges that lie in its gaps, where these are wider than a space, or where all of
    its parts but the first are values."""
    parts = [[piece.words[0]]]
    wide = False
    for before, after in pairwise(piece.words):
        left, right = sheet.words[before].bbox[2], sheet.words[after].bbox[0]
        if any(left - 0.5 <= x <= right + 0.5 for x in sheet.edges):
            wide = wide or right - left > _SPACE * sheet.height
            parts.append([])
        parts[-1].append(after)
    texts = [" ".join(sheet.words[i].text for i in part) for part in parts]
    return parts if wide or all(is_value(text) for text in texts[1:]) else [piece.words]


def _without_sign_columns(sheet: Sheet) -> list[float]:
    """Edges without those that part a column of nothing but signs from its numbers."""
    texts: dict[int, list[str]] = {}
    for line in sheet.lines:
        for piece in line.pieces:
            if piece.first == piece.last:
                texts.setdefault(piece.first, []).append(sheet.text(piece))
    dropped = set()
    for col, found in texts.items():
        if all(_SIGN.fullmatch(text) for text in found):
            leads = all(text in "$€£¥" for text in found)
            dropped.add(col if leads and col < len(sheet.edges) else col - 1)
    return [x for index, x in enumerate(sheet.edges) if index not in dropped]


def _head_lines(sheet: Sheet, guess: int) -> int:
    """The head ends at a rule where one follows it; labels alone above the first values are of the body."""
    lines = sheet.lines
    if guess == 0 or guess > _MOST_HEAD * len(lines) + 1:
        return 0 if guess == 0 else 1
    end = guess
    while end > 1 and lines[end - 1].filled() == {0}:
        ruled_off = sheet.ruled_between(lines[end - 2], lines[end - 1])
        if not ruled_off and wraps(sheet, lines[end - 1], lines[end]):
            break
        end -= 1
    ruled = [n for n in range(1, end + 1) if sheet.ruled_between(lines[n - 1], lines[n])]
    return ruled[-1] if ruled else end


def wraps(sheet: Sheet, upper: Line, lower: Line, col: int = 0) -> bool:
    """Whether the text of a column goes on below: the next word would not have fitted in its line,
    or begins with a small letter."""
    one = [piece for piece in upper.pieces if piece.first == col]
    two = [piece for piece in lower.pieces if piece.first == col]
    if not one or not two:
        return False
    alone = [p.bbox[2] for line in sheet.lines for p in line.pieces if p.first == p.last == col]
    right = max(alone, default=one[0].bbox[2])
    word = sheet.words[two[0].words[0]]
    if word.text[:1].islower():
        return True
    return one[0].bbox[2] + 0.2 * sheet.height + (word.bbox[2] - word.bbox[0]) > right
