"""Which letters of a drawing belong to one label, and what in it is raised, lowered, or on another line.

Distances are in ems of the letters concerned, so that they hold for any program and any scale.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from docai.geometry import BBox, center, interval_overlap, union
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.label_reader import read_label
from docai.pipelines.drawings.molecule.label_text import plain_characters
from docai.pipelines.drawings.molecule.types import LabelMark
from docai.pipelines.ingest.drawing import Point

__all__ = ["BondEnd", "group_labels", "read_label"]

BondEnd = tuple[Point, Point]
"""Where a bond ends, and the unit vector in which it would go on."""

MAX_GAP: Final = 0.32
"""Ems between letters of one label beside each other."""

MAX_SIGN_GAP: Final = 0.5
"""Ems between an atom and its charge or dot, on any side."""

MAX_LINE_GAP: Final = 0.6
"""Ems of white between lines of one label."""

MAX_LINE_LETTERS: Final = 6
"""Letters of a line that is added to the label above or below it."""

MAX_SIZE_RATIO: Final = 2.4
"""Size of a letter over that of its neighbor in the same label."""

END_REACH: Final = 0.75
"""Ems between the end of a bond and its label."""

MAX_ANGLE: Final = 8.0
"""Degrees by which the base line of a label is turned."""

_SIGNS: Final = frozenset("+-.:")


def group_labels(letters: Sequence[Letter], bond_length: float, ends: Sequence[BondEnd]) -> list[LabelMark]:
    """The labels that letters make, whether or not a bond ends at them.

    Letters of one label are beside each other on one base line, raised or lowered, or on lines close above each
    other of which only one has bonds. A bond between two letters parts them.

    Args:
        letters: of a whole drawing; turned ones and those without text are left out.
        bond_length: points.
        ends: of bonds that may end at labels.
    """
    usable = [letter for letter in letters if letter.text.strip() and _is_level(letter) and letter.size > 0]
    if not usable:
        return []
    near_ends = _ends_of_letters(usable, ends, bond_length)
    grid = _Grid(usable)
    groups = _Groups(len(usable))
    for first, second in grid.pairs():
        if _are_beside(usable, first, second, near_ends, ends):
            groups.join(first, second)
    _join_signs(usable, groups, grid)
    _join_lines(usable, groups, grid, near_ends)
    marks = [_make_mark([usable[index] for index in members]) for members in groups.members()]
    return sorted(marks, key=lambda mark: (mark.bbox[1], mark.bbox[0]))


def _is_level(letter: Letter) -> bool:
    turned = abs(letter.angle) % 360.0
    return min(turned, 360.0 - turned) <= MAX_ANGLE and all(map(math.isfinite, (*letter.bbox, letter.size)))


class _Groups:
    """Sets of letters that grow together."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def root(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, first: int, second: int) -> None:
        self._parent[self.root(second)] = self.root(first)

    def members(self) -> list[list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for index in range(len(self._parent)):
            found[self.root(index)].append(index)
        return list(found.values())


class _Grid:
    """Letters by place, to find those near each other."""

    def __init__(self, letters: Sequence[Letter]) -> None:
        self._letters = letters
        self._cell = max(2.0 * median(letter.size for letter in letters), 1e-6)
        self._cells: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, letter in enumerate(letters):
            self._cells[self._key(center(letter.bbox))].append(index)

    def _key(self, point: Point) -> tuple[int, int]:
        return int(point[0] // self._cell), int(point[1] // self._cell)

    def around(self, point: Point, reach: int = 1) -> Iterator[int]:
        """Letters whose middle is within about two ems of a point."""
        x, y = self._key(point)
        for i in range(x - reach, x + reach + 1):
            for j in range(y - reach, y + reach + 1):
                yield from self._cells.get((i, j), ())

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Pairs of letters near each other, each once, the left one first."""
        for index, letter in enumerate(self._letters):
            x, _ = center(letter.bbox)
            for other in self.around(center(letter.bbox)):
                place, _ = center(self._letters[other].bbox)
                if (place, other) > (x, index):
                    yield index, other


def _ends_of_letters(
    letters: Sequence[Letter], ends: Sequence[BondEnd], bond_length: float
) -> dict[int, list[int]]:
    """For each letter the bonds that end at it: each end is at the first letter that it points to."""
    grid = _Grid(letters)
    found: dict[int, list[int]] = defaultdict(list)
    for number, (point, direction) in enumerate(ends):
        best: tuple[float, int] | None = None
        for index in grid.around(point):
            letter = letters[index]
            reach = max(END_REACH * letter.size, 0.25 * bond_length)
            x, y = center(letter.bbox)
            dx, dy = x - point[0], y - point[1]
            along = dx * direction[0] + dy * direction[1]
            sideways = abs(dx * direction[1] - dy * direction[0])
            width = 0.5 * max(letter.bbox[2] - letter.bbox[0], letter.bbox[3] - letter.bbox[1])
            is_met = along > -0.3 * letter.size and sideways < width + 0.1 * letter.size
            if is_met and _gap(letter.bbox, (*point, *point)) < reach and (best is None or along < best[0]):
                best = along, index
        if best is not None:
            found[best[1]].append(number)
    return found


def _gap(a: BBox, b: BBox) -> float:
    return math.hypot(max(a[0] - b[2], b[0] - a[2], 0.0), max(a[1] - b[3], b[1] - a[3], 0.0))


def _are_beside(
    letters: Sequence[Letter],
    first: int,
    second: int,
    near_ends: dict[int, list[int]],
    ends: Sequence[BondEnd],
) -> bool:
    """Whether two letters, the left one first, are neighbors on one line of one label."""
    a, b = letters[first], letters[second]
    em = max(a.size, b.size)
    if em > MAX_SIZE_RATIO * min(a.size, b.size):
        return False
    gap = b.bbox[0] - a.bbox[2]
    if not -0.6 * em <= gap <= MAX_GAP * em:
        return False
    height = interval_overlap(a.bbox[1], a.bbox[3], b.bbox[1], b.bbox[3])
    has_sign = plain_characters(a.text) in _SIGNS or plain_characters(b.text) in _SIGNS
    if height < (-0.2 * em if has_sign else 0.0) or abs(a.baseline - b.baseline) > 0.75 * em:
        return False
    if gap > 0.2 * em and near_ends.get(first) and near_ends.get(second):
        return False
    between = (
        a.bbox[2] - 0.1 * em,
        min(a.bbox[1], b.bbox[1]),
        b.bbox[0] + 0.1 * em,
        max(a.bbox[3], b.bbox[3]),
    )
    numbers = (*near_ends.get(first, ()), *near_ends.get(second, ()))
    return not any(
        _is_inside(ends[number][0], between) and abs(ends[number][1][0]) > 0.8 for number in numbers
    )


def _is_inside(point: Point, box: BBox) -> bool:
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def _join_signs(letters: Sequence[Letter], groups: _Groups, grid: _Grid) -> None:
    """Join charges and dots that stand apart to the nearest letter."""
    alone = {members[0] for members in groups.members() if len(members) == 1}
    for index in sorted(alone):
        sign = letters[index]
        if plain_characters(sign.text) not in _SIGNS:
            continue
        near = [
            (_gap(sign.bbox, letters[other].bbox) / letters[other].size, other)
            for other in grid.around(center(sign.bbox))
            if plain_characters(letters[other].text)[:1].isalnum() and letters[other].size < 4 * sign.size
        ]
        if near and min(near)[0] <= MAX_SIGN_GAP:
            groups.join(min(near)[1], index)


def _join_lines(
    letters: Sequence[Letter], groups: _Groups, grid: _Grid, near_ends: dict[int, list[int]]
) -> None:
    """Join short lines without bonds to the line above or below them that has bonds."""
    members = {groups.root(line[0]): line for line in groups.members()}
    with_ends = {root for root, line in members.items() if any(near_ends.get(index) for index in line)}
    for root, line in members.items():
        text = "".join(plain_characters(letters[index].text) for index in line)
        if root in with_ends or len(line) > MAX_LINE_LETTERS or not any(map(str.isalpha, text)):
            continue
        box = union(letters[index].bbox for index in line)
        best: tuple[float, int] | None = None
        for index in line:
            for other in grid.around(center(letters[index].bbox)):
                host = groups.root(other)
                if host not in with_ends or host == root:
                    continue
                distance = _line_distance(letters, index, other, box)
                if distance is not None and (best is None or distance < best[0]):
                    best = distance, host
        if best is not None:
            groups.join(best[1], root)


def _line_distance(letters: Sequence[Letter], index: int, other: int, box: BBox) -> float | None:
    """Ems of white between a line and a letter above or below it; None where it is no other line of one label."""
    letter, host = letters[index], letters[other]
    em = max(letter.size, host.size)
    if em > 1.3 * min(letter.size, host.size) or not plain_characters(host.text).isalpha():
        return None
    gap = max(box[1] - host.bbox[3], host.bbox[1] - box[3])
    overlap = interval_overlap(letter.bbox[0], letter.bbox[2], host.bbox[0], host.bbox[2])
    narrow = min(letter.bbox[2] - letter.bbox[0], host.bbox[2] - host.bbox[0])
    if not -0.1 * em <= gap <= MAX_LINE_GAP * em or overlap < 0.5 * narrow:
        return None
    return gap / em


def _make_mark(letters: list[Letter]) -> LabelMark:
    lines = _lines_of(letters)
    scripts = [_script(letter, lines) for letter in letters]
    order = sorted(
        range(len(letters)),
        key=lambda index: (
            _nearest_line(letters[index], lines),
            _reading_place(letters[index], scripts[index]),
        ),
    )
    return LabelMark(
        [letters[index] for index in order],
        [scripts[index] for index in order],
        [_nearest_line(letters[index], lines) for index in order],
        union(letter.bbox for letter in letters),
    )


def _reading_place(letter: Letter, script: int) -> float:
    """x by which letters are read; a raised charge above a lowered number is read after it."""
    x = center(letter.bbox)[0]
    return x + 0.3 * letter.size if script > 0 and plain_characters(letter.text) in _SIGNS else x


def _lines_of(letters: Sequence[Letter]) -> list[list[Letter]]:
    """The full-size letters of each line, from the top."""
    words = [letter for letter in letters if plain_characters(letter.text)[:1].isalpha()] or list(letters)
    size = max(letter.size for letter in words)
    main = sorted(
        (letter for letter in words if letter.size > 0.85 * size), key=lambda letter: letter.baseline
    )
    capitals = [letter for letter in main if letter.text[:1].isupper()] or main
    lines: list[list[Letter]] = []
    for letter in capitals:
        if lines and letter.baseline - lines[-1][-1].baseline < 0.6 * size:
            lines[-1].append(letter)
        else:
            lines.append([letter])
    return lines


def _nearest_line(letter: Letter, lines: Sequence[Sequence[Letter]]) -> int:
    """Index of the line with the letter's nearest full-size neighbor; of two, that before it counts as nearer."""
    if len(lines) == 1:
        return 0
    y = center(letter.bbox)[1]

    def distance(line: Sequence[Letter]) -> float:
        return min(
            _gap(letter.bbox, other.bbox)
            + abs(y - center(other.bbox)[1])
            + (0.3 * other.size if other.bbox[0] > letter.bbox[2] else 0.0)
            for other in line
        )

    return min(range(len(lines)), key=lambda number: distance(lines[number]))


def _script(letter: Letter, lines: Sequence[Sequence[Letter]]) -> int:
    """1 raised, -1 lowered, 0 neither, beside the full-size letters of its line."""
    line = lines[_nearest_line(letter, lines)]
    base = median(other.baseline for other in line)
    em = max(other.size for other in line)
    text = plain_characters(letter.text)
    if text[:1].isalpha() or text in ("(", ")", "'"):
        shift = (base - letter.baseline) / em
        return 1 if shift > 0.22 else -1 if shift < -0.12 else 0
    boxes = [other.bbox for other in line if other is not letter]
    if not boxes:
        return 0
    top, bottom = median(box[1] for box in boxes), median(box[3] for box in boxes)
    # Capitals of some fonts go below the base line a little, and Q does in all.
    bottom = min(bottom, base + 0.05 * em)
    height = max(bottom - top, 0.3 * em)
    shift = ((top + bottom) / 2 - center(letter.bbox)[1]) / height
    return 1 if shift > 0.15 else -1 if shift < -0.12 else 0
