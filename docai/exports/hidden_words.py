"""The words of a page as they are laid under its picture: where each stands, and where its line runs.

The words of a line share one base line and one height, by which programs know that they belong together: the
boxes of a reader end where the ink does, lower for ``page`` than for ``one``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final, Literal

from docai.contents import Cell, Line
from docai.document import Document, PageInfo
from docai.exports.flow import printable
from docai.exports.ocr_pages import spaces_after
from docai.geometry import BBox, TurnedFrame, center, union
from docai.records import Figure, RecordBase, Table, Text

Direction = Literal["right", "down", "left", "up"]
"""Where text runs on the displayed page; ``down``: that of a page which lies on its side."""

_TURNS: Final[dict[Direction, int]] = {"right": 0, "up": 1, "left": 2, "down": 3}
"""Quarters clockwise that set such text upright."""

_OPPOSITE: Final[dict[Direction, Direction]] = {"right": "left", "left": "right", "down": "up", "up": "down"}

_LONG_LINE: Final = 8.0
"""Heights of its words that a line is long at least, to tell how a page is skewed."""

_MIN_RISE: Final = 0.15
"""Of the height of its words: a slope that moves the end of the longest line by less is none."""

_MAX_LINE_HEIGHT: Final = 2.5
"""Of its words: in a higher line they are not of one line, and each keeps its own box."""


@dataclass(frozen=True)
class HiddenWord:
    """A word and its box, points of the displayed page."""

    text: str
    bbox: BBox
    direction: Direction = "right"
    slope: float = 0.0
    """How far its line goes down, seen upright, for each point that it goes on."""
    space_after: bool = False
    """A space stands between it and the next word of its line."""


def hidden_words(document: Document, info: PageInfo) -> list[HiddenWord]:
    """The words that docai read on a page, in reading order; not those of records that the page's own text
    layer gave."""
    records = [record for record in document.records if record.page == info.number]
    lines = [line for record in records if isinstance(record, Text) for line in record.lines]
    page = _PageOfLines(info, lines)
    return [
        word
        for record in records
        if "text-layer" not in record.evidence
        for word in page.words_of_record(record)
    ]


class _PageOfLines:
    """What the lines of a page have in common."""

    def __init__(self, info: PageInfo, lines: Sequence[Line]) -> None:
        self._info = info
        self._direction = _direction(lines) or "right"
        self._slope = self._median_slope(lines)

    def words_of_record(self, record: RecordBase) -> Iterator[HiddenWord]:
        if isinstance(record, Text):
            direction = _direction(record.lines) or self._direction
            for line in record.lines:
                yield from self._words_of_line(line, direction, record.bbox)
        elif isinstance(record, Table):
            for cell in record.cells:
                box = cell.bbox or _box_by_neighbors(record, cell)
                yield from self._words_in_box(cell.printed, box, self._direction)
        elif isinstance(record, Figure):
            yield from self._words_in_box(record.text, record.bbox, self._direction)

    def _frame(self, direction: Direction) -> TurnedFrame:
        return TurnedFrame(self._info.width, self._info.height, _TURNS[direction])

    def _median_slope(self, lines: Sequence[Line]) -> float:
        frame = self._frame(self._direction)
        slopes, most = [], 0.0
        for line in lines:
            boxes = [frame.from_page(word.bbox) for word in line.words if word.bbox is not None]
            if len(boxes) < 3:
                continue
            around = union(boxes)
            length = (around[2] - around[0]) / (median(y1 - y0 for _, y0, _, y1 in boxes) or 1.0)
            if length > _LONG_LINE:
                slopes.append(_slope([center(box) for box in boxes]))
                most = max(most, length)
        slope = median(slopes) if slopes else 0.0
        return slope if abs(slope) * most > _MIN_RISE else 0.0

    def _words_of_line(self, line: Line, direction: Direction, around: BBox) -> Iterator[HiddenWord]:
        placed = [(one.text, one.bbox) for one in line.words if one.bbox is not None]
        if not placed or len(placed) < len(line.words):
            yield from self._words_in_box(line.text, line.bbox or around, direction)
            return
        frame = self._frame(direction)
        boxes, slope = self._levelled([frame.from_page(box) for _, box in placed])
        spaces = spaces_after([text for text, _ in placed], line.text)
        for (text, _), box, space in zip(placed, boxes, spaces, strict=True):
            if text := " ".join(printable(text).split()):
                yield HiddenWord(text, frame.to_page(box), direction, slope, space)

    def _levelled(self, boxes: Sequence[BBox]) -> tuple[Sequence[BBox], float]:
        """The boxes of the words of a line, seen upright, with the height of the line; and its slope."""
        middles = [center(box)[0] * self._slope for box in boxes]
        top = min(box[1] - down for box, down in zip(boxes, middles, strict=True))
        bottom = max(box[3] - down for box, down in zip(boxes, middles, strict=True))
        if bottom - top > _MAX_LINE_HEIGHT * median(y1 - y0 for _, y0, _, y1 in boxes):
            return boxes, 0.0
        level = [
            (x0, top + down, x1, bottom + down) for (x0, _, x1, _), down in zip(boxes, middles, strict=True)
        ]
        return level, self._slope

    def _words_in_box(self, text: str, box: BBox, direction: Direction) -> Iterator[HiddenWord]:
        """Words whose own places nobody gave: the lines of a text share the box, and the words of a line its
        length, by their letters."""
        frame = self._frame(direction)
        x0, y0, x1, y1 = frame.from_page(box)
        lines = [line.split() for line in printable(text).split("\n") if line.strip()]
        height = (y1 - y0) / max(1, len(lines))
        for number, words in enumerate(lines):
            # Half a letter at each end, so that the words of the next cell are others.
            letter = (x1 - x0) / (sum(map(len, words)) + len(words))
            top, left = y0 + number * height, x0 + letter / 2
            for index, word in enumerate(words):
                right = left + letter * len(word)
                place = frame.to_page((left, top, right, top + height))
                yield HiddenWord(word, place, direction, space_after=index < len(words) - 1)
                left = right + letter


def _box_by_neighbors(table: Table, cell: Cell) -> BBox:
    """Where a cell is by those of its row and its column; as far as they have no boxes, all of the table."""
    x0, y0, x1, y1 = table.bbox
    placed = [(one, one.bbox) for one in table.cells if one.bbox is not None]
    if row := [box for one, box in placed if one.row == cell.row and one.row_span == 1]:
        _, y0, _, y1 = union(row)
    if column := [box for one, box in placed if one.col == cell.col and one.col_span == 1]:
        x0, _, x1, _ = union(column)
    return x0, y0, x1, y1


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line through points by least squares; 0 where they stand above each other."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def _direction(lines: Sequence[Line]) -> Direction | None:
    """Where most of the text runs, told by how words follow each other; None where no two do."""
    votes: Counter[Direction] = Counter()
    for line in lines:
        boxes = [word.bbox for word in line.words if word.bbox is not None]
        for before, after in pairwise(boxes):
            (ax, ay), (bx, by) = center(before), center(after)
            dx, dy = bx - ax, by - ay
            if abs(dx) == abs(dy):
                continue
            runs: Direction = "right" if dx > 0 else "left"
            if abs(dy) > abs(dx):
                runs = "down" if dy > 0 else "up"
            votes[_OPPOSITE[runs] if line.direction == "rtl" else runs] += 1
    return votes.most_common(1)[0][0] if votes else None
