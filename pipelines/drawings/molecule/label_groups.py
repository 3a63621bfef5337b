"""Letters of a drawing that belong together, by base line, size and distance.

Distances are in ems of the letters concerned, so that they hold for any program and any scale.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from docai.geometry import BBox, center, interval_overlap, union
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.label_text import plain_characters
from docai.pipelines.ingest.drawing import Point

BondEnd = tuple[Point, Point]
"""Where a bond ends, and the unit vector in which it would go on."""

CLOSE_GAP: Final = 0.2
"""Ems between neighbors of one label."""

WIDE_GAP: Final = 0.42
"""The same of letters set wide, where not both sides have bonds of their own."""

BEFORE_GAP: Final = 0.33
"""Ems between an isotope or a charge and the letter after it."""

MAX_OVERLAP: Final = 0.14
"""Ems by which neighbors of one label overlap; those of crowded labels overlap by more."""

SAME_BASE: Final = 0.22
"""Ems between base lines of letters on one line."""

MAX_SIGN_GAP: Final = 0.5
"""Ems between an atom and its charge or dot, on any side."""

MAX_LINE_GAP: Final = 0.6
"""Ems of white between lines of one label."""

HYDROGEN_LINE: Final = re.compile(r"H\d?[+-]?")
"""A line of a label that is only hydrogens."""

HYDROGEN_GAP: Final = 0.3
"""Ems of white between an atom and hydrogens above or below it; a bond would not fit in."""

MAX_LINE_LETTERS: Final = 6
"""Letters of a line that is added to the label above or below it."""

SAME_SIZE: Final = 1.2
"""Size of a letter over that of another of one line; what is smaller is raised or lowered."""

ESTIMATED_SIZE: Final = 1.7
"""The same where both sizes are estimated from outlines, and the base lines agree well."""

MAX_SIZE_RATIO: Final = 2.6
"""Size of a letter over that of what is raised or lowered beside it."""

END_REACH: Final = 0.75
"""Ems between the end of a bond and its label."""

SIGNS: Final = frozenset("+-.:")


class LetterGroups:
    """Letters that grow into labels; each step joins more.

    Args:
        letters: level, with text and a size.
        ends: of bonds that may end at them.
        bond_length: points.
    """

    def __init__(self, letters: Sequence[Letter], ends: Sequence[BondEnd], bond_length: float) -> None:
        self._letters = letters
        self._texts = [plain_characters(letter.text) or "?" for letter in letters]
        self._parent = list(range(len(letters)))
        self._cell = max(2.0 * median(letter.size for letter in letters), 1e-6)
        self._cells: dict[tuple[int, int], list[int]] = defaultdict(list)
        for index, letter in enumerate(letters):
            self._cells[self._key(center(letter.bbox))].append(index)
        self._ends: dict[int, list[BondEnd]] = defaultdict(list)
        for end in ends:
            met = self._letter_at(end, bond_length)
            if met is not None:
                self._ends[met].append(end)
        self._host: dict[int, int] = {}
        """Of what is raised or lowered: the full-size letter that it is beside."""
        self._previous_digit: dict[int, int] = {}

    def groups(self) -> list[list[int]]:
        """Indices of the letters of each label."""
        pairs = list(self._pairs())
        self._join_digits(pairs)
        self._join_neighbors(pairs, CLOSE_GAP)
        self._join_scripts(pairs)
        self._join_over_scripts(pairs)
        self._join_neighbors(pairs, WIDE_GAP)
        self._join_signs()
        self._join_lines()
        return self._members()

    def _key(self, point: Point) -> tuple[int, int]:
        return int(point[0] // self._cell), int(point[1] // self._cell)

    def _around(self, point: Point) -> Iterator[int]:
        """Letters whose middle is within about two ems of a point."""
        x, y = self._key(point)
        for i in (x - 1, x, x + 1):
            for j in (y - 1, y, y + 1):
                yield from self._cells.get((i, j), ())

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """Letters near each other, no bond between, the left one first."""
        for index, letter in enumerate(self._letters):
            x, y = center(letter.bbox)
            for other in self._around((x, y)):
                place, height = center(self._letters[other].bbox)
                if (place, other) > (x, index) and abs(height - y) < 1.2 * letter.size:
                    gap = self._letters[other].bbox[0] - letter.bbox[2]
                    if gap < 0.6 * letter.size and not self._has_bond_between(index, other):
                        yield index, other

    def _letter_at(self, end: BondEnd, bond_length: float) -> int | None:
        """The letter that a bond points to."""
        point, direction = end
        best: tuple[float, int] | None = None
        for index in self._around(point):
            letter = self._letters[index]
            x, y = center(letter.bbox)
            dx, dy = x - point[0], y - point[1]
            along = dx * direction[0] + dy * direction[1]
            sideways = abs(dx * direction[1] - dy * direction[0])
            width = 0.5 * max(letter.bbox[2] - letter.bbox[0], letter.bbox[3] - letter.bbox[1])
            if along < -0.3 * letter.size or sideways > width + 0.1 * letter.size:
                continue
            reach = max(END_REACH * letter.size, 0.25 * bond_length)
            distance = sideways + 0.45 * abs(along)
            if gap_between(letter.bbox, (*point, *point)) < reach and (best is None or distance < best[0]):
                best = distance, index
        return None if best is None else best[1]

    def _root(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def _join(self, first: int, second: int) -> None:
        self._parent[self._root(second)] = self._root(first)

    def _members(self) -> list[list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for index in range(len(self._parent)):
            found[self._root(index)].append(index)
        return list(found.values())

    def _has_bond_between(self, first: int, second: int) -> bool:
        """Whether a bond lies in the gap between two letters and ends at both."""
        em = max(self._letters[first].size, self._letters[second].size)
        x0 = self._letters[first].bbox[2] - 0.1 * em
        x1 = self._letters[second].bbox[0] + 0.1 * em
        return all(
            any(
                x0 <= x <= x1 and side * direction[0] > 0.7 for (x, _), direction in self._ends.get(index, ())
            )
            for index, side in ((first, -1), (second, 1))
        )

    def _is_word(self, index: int) -> bool:
        """Whether it is a letter or parenthesis, which can stand on a base line by itself."""
        text = self._texts[index]
        return text[:1].isalnum() or text in ("(", ")", "*", "=", "#")

    def _on_one_line(self, first: int, second: int) -> bool:
        a, b = self._letters[first], self._letters[second]
        large, small = max(a.size, b.size), min(a.size, b.size)
        shift = abs(a.baseline - b.baseline)
        if large < SAME_SIZE * small:
            return shift <= SAME_BASE * large
        # The size of an outline is only estimated, from what it is taken for.
        is_estimated = a.glyph is None and b.glyph is None
        are_letters = self._texts[first].isalpha() and self._texts[second].isalpha()
        return is_estimated and are_letters and large < ESTIMATED_SIZE * small and shift <= 0.1 * large

    def _gap(self, first: int, second: int) -> float:
        """Ems between two letters, the left one first."""
        a, b = self._letters[first], self._letters[second]
        return (b.bbox[0] - a.bbox[2]) / max(a.size, b.size)

    def _join_neighbors(self, pairs: Sequence[tuple[int, int]], gap: float) -> None:
        """Join full-size letters side by side; far ones only where not both have bonds or scripts between."""
        with_script = {self._host[index] for index in self._host}
        with_ends = {self._root(index) for index, ends in self._ends.items() if ends}
        for first, second in pairs:
            if not (self._is_word(first) and self._is_word(second) and self._on_one_line(first, second)):
                continue
            if first in self._host or second in self._host or self._root(first) == self._root(second):
                continue
            if self._texts[first].isdigit() and self._texts[second].isdigit():
                continue
            distance = self._gap(first, second)
            if not -MAX_OVERLAP <= distance <= gap:
                continue
            if distance > CLOSE_GAP:
                both = self._root(first) in with_ends and self._root(second) in with_ends
                # A small letter is the rest of a symbol, whatever bonds seem to end at it.
                both = both and not self._texts[second].islower()
                if both or first in with_script:
                    continue
            self._join(first, second)

    def _join_digits(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Join the digits of a number."""
        for first, second in pairs:
            if not (self._texts[first].isdigit() and self._texts[second].isdigit()):
                continue
            # The digit 1 is narrow, and is set as wide as the others.
            if self._on_one_line(first, second) and -MAX_OVERLAP <= self._gap(first, second) <= BEFORE_GAP:
                self._previous_digit[second] = first
                self._join(first, second)

    def _join_scripts(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Join what is raised or lowered to the letter before it, else to the one after it."""
        alone = {
            index
            for members in self._members()
            if len(members) == 1 or all(self._texts[member].isdigit() for member in members)
            for index in members
        }
        before, after = (
            self._previous_digit,
            {first: second for second, first in self._previous_digit.items()},
        )
        options: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for first, second in pairs:
            if second in alone and second not in before and self._can_be_script(second, first):
                limit = 0.45 if self._texts[second] in SIGNS else WIDE_GAP
                self._add_option(
                    options[second], first, self._gap(first, second), limit, self._rise(second, first)
                )
            if first in alone and first not in after and self._can_be_script(first, second):
                script = first
                while script in before:
                    script = before[script]
                # Before a letter only isotopes and charges stand, which are raised.
                oddness = 0.35 + max(0.0, -self._rise(first, second))
                self._add_option(options[script], second, self._gap(first, second), BEFORE_GAP, oddness)
        for script in sorted(
            (one for one in options if options[one]), key=lambda one: self._letters[one].bbox[0]
        ):
            host = min(options[script])[1]
            host = self._host.get(host, host)
            number: int | None = script
            while number is not None:
                self._host[number] = host
                self._join(host, number)
                number = after.get(number)

    def _add_option(
        self, options: list[tuple[float, int]], host: int, gap: float, limit: float, oddness: float
    ) -> None:
        if -MAX_OVERLAP <= gap <= limit:
            options.append((max(gap, 0.0) + max(oddness, 0.0), host))

    def _rise(self, script: int, host: int) -> float:
        """Ems by which the middle of a letter is above that of another; of a charge 0."""
        if self._texts[script] in SIGNS:
            return 0.0
        small, large = self._letters[script], self._letters[host]
        return (center(large.bbox)[1] - center(small.bbox)[1]) / large.size

    def _can_be_script(self, script: int, host: int) -> bool:
        small, large = self._letters[script], self._letters[host]
        text = self._texts[script]
        if not (text.isdigit() or text in SIGNS or text in "'\"*" or small.size * SAME_SIZE < large.size):
            return False
        if small.size > 1.05 * large.size or large.size > MAX_SIZE_RATIO * small.size:
            return False
        if self._texts[host] in SIGNS and text not in SIGNS:
            return False
        if text in "()":
            return False
        if self._texts[host].isdigit() and text not in SIGNS:
            # Two digits of one number.
            return text.isdigit() and abs(small.baseline - large.baseline) < SAME_BASE * large.size
        top, bottom, middle = small.bbox[1], small.bbox[3], center(small.bbox)[1]
        if text in SIGNS:
            # A charge may be raised above a lowered number.
            rise = 1.0 if self._texts[host].isdigit() else 0.4
            return large.bbox[1] - rise * large.size <= middle <= large.bbox[3] + 0.1 * large.size
        # It reaches into the height of its letter, or nearly so.
        return large.bbox[1] - 0.12 * large.size <= bottom and top <= large.bbox[3] + 0.12 * large.size

    def _join_over_scripts(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Join a letter to the one before it where something raised or lowered stands between."""
        for first, second in pairs:
            # What stands between is at the letter before it, or, as an isotope, at the one after it.
            host, following = self._host.get(first, first), self._host.get(second, second)
            if (
                (host, following) == (first, second)
                or not self._is_word(host)
                or not self._is_word(following)
                or self._root(host) == self._root(following)
            ):
                continue
            if host == following or not self._on_one_line(host, following):
                continue
            if self._letters[following].bbox[0] < self._letters[host].bbox[2]:
                continue
            if -MAX_OVERLAP <= self._gap(first, second) <= CLOSE_GAP + 0.06:
                self._join(host, following)

    def _join_signs(self) -> None:
        """Join charges and dots that stand apart to the nearest letter."""
        for members in self._members():
            index = members[0]
            sign = self._letters[index]
            if len(members) > 1 or self._texts[index] not in SIGNS:
                continue
            near = [
                (gap_between(sign.bbox, self._letters[other].bbox) / self._letters[other].size, other)
                for other in self._around(center(sign.bbox))
                if self._texts[other][:1].isalnum() and self._letters[other].size < 4 * sign.size
            ]
            if near and min(near)[0] <= MAX_SIGN_GAP:
                self._join(min(near)[1], index)

    def _join_lines(self) -> None:
        """Join short lines without bonds to the line above or below them that has bonds."""
        lines = {self._root(members[0]): members for members in self._members()}
        with_ends = {root for root, line in lines.items() if any(self._ends.get(index) for index in line)}
        for root, line in lines.items():
            text = "".join(self._texts[index] for index in line)
            # Hydrogens stand above or below their atom; a bond that seems to end at them is one of it.
            is_hydrogen = HYDROGEN_LINE.fullmatch(text) is not None
            if len(line) > MAX_LINE_LETTERS or not any(map(str.isalpha, text)):
                continue
            if root in with_ends and not is_hydrogen:
                continue
            box = union(self._letters[index].bbox for index in line)
            best: tuple[float, int] | None = None
            for index in line:
                for other in self._around(center(self._letters[index].bbox)):
                    host = self._root(other)
                    if host not in with_ends or host == root:
                        continue
                    distance = self._line_distance(index, other, box)
                    if root in with_ends and (self._texts[other] == "H" or (distance or 1.0) > HYDROGEN_GAP):
                        continue
                    if distance is not None and (best is None or distance < best[0]):
                        best = distance, host
            if best is not None:
                self._join(best[1], root)

    def _line_distance(self, index: int, other: int, box: BBox) -> float | None:
        """Ems of white between a line and a letter above or below it; None where they are apart."""
        letter, host = self._letters[index], self._letters[other]
        em = max(letter.size, host.size)
        if em > SAME_SIZE * min(letter.size, host.size) or not self._texts[other].isalpha():
            return None
        gap = max(box[1] - host.bbox[3], host.bbox[1] - box[3])
        overlap = interval_overlap(letter.bbox[0], letter.bbox[2], host.bbox[0], host.bbox[2])
        narrow = min(letter.bbox[2] - letter.bbox[0], host.bbox[2] - host.bbox[0])
        if not -0.1 * em <= gap <= MAX_LINE_GAP * em or overlap < 0.5 * narrow:
            return None
        return gap / em


def gap_between(a: BBox, b: BBox) -> float:
    """Distance of two boxes, 0 where they touch."""
    return math.hypot(max(a[0] - b[2], b[0] - a[2], 0.0), max(a[1] - b[3], b[1] - a[3], 0.0))
