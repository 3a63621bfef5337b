"""Which digits over the clefs of systems are measure numbers, and of no octave clef.

An octave clef stands at each system of its part, and where it begins to hold, the system before announces it;
a measure number stands at the same place of each system and goes up by the measures between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from docai.geometry import BBox
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.score.attributes import Mark, SmallNumber, find_clefs, small_numbers
from docai.pipelines.drawings.score.types import Clef, Staff, Symbol, System

OCTAVE_GLYPHS: Final = ("clef8", "clef15")
"""Symbols that are of nothing but a clef, where a music font has them."""

ALIKE_SPACES: Final = (0.5, 1.5)
"""By how much the places of measure numbers differ at most, to the side and in height, in staff spaces."""

MAX_DIGITS: Final = 4
"""Of a measure number."""

BEGIN_SPACES: Final = 8.0
"""How far from the begin of its staff a barline ends no measure, in staff spaces."""


class _Sight(NamedTuple):
    """What is seen of a system before its clefs are known."""

    system: System
    clefs: list[tuple[Clef, list[Mark]]]
    numbers: list[SmallNumber]

    def opening(self, staff: int) -> str:
        return next((clef.kern for clef, _ in self.clefs if clef.staff == staff), "")

    def last(self, staff: int) -> str:
        return next((clef.kern for clef, _ in reversed(self.clefs) if clef.staff == staff), "")


def digits_beside_clefs(
    systems: Sequence[System], symbols: Sequence[Sequence[Symbol]], letters: Sequence[Sequence[Letter]]
) -> set[int]:
    """Digits, by ``id``, over or under clefs at the begin of systems that make no octave clef of them.

    Args:
        systems: from the top, with their barlines.
        symbols: of each system.
        letters: of each system.
    """
    others: set[int] = set()
    sights = [
        _Sight(system, find_clefs(own, system.staves, free), small_numbers(own, free, _space(system)))
        for system, own, free in zip(systems, symbols, letters, strict=True)
    ]
    for number, sight in enumerate(sights):
        wrong = set[int]()
        for clef, marks in sight.clefs:
            digits = marks[1:]
            if not digits or clef.is_change or any(_is_octave_glyph(digit) for digit in digits):
                continue
            found = next((one for one in sight.numbers if digits[0] in one.marks), None)
            runs_on = found is not None and _runs_on(found, clef.staff, number, sights)
            if runs_on or _is_alone(clef, number, sights):
                wrong.update(id(digit) for digit in digits)
        if wrong:
            others |= wrong
            again = find_clefs(symbols[number], sight.system.staves, letters[number], others)
            sights[number] = sight._replace(clefs=again)
    return others


def _space(system: System) -> float:
    return max(staff.space for staff in system.staves)


def _is_octave_glyph(mark: Mark) -> bool:
    return isinstance(mark, Symbol) and mark.glyph is not None and mark.name in OCTAVE_GLYPHS


def _of_piece(number: int, sights: Sequence[_Sight], step: int) -> Iterator[int]:
    """The systems before or after one, up to a final barline."""
    other = number + step
    while 0 <= other < len(sights):
        earlier = sights[min(other, other - step)].system
        if any(line.kind == "final" for line in earlier.barlines):
            return
        yield other
        other += step


def _runs_on(found: SmallNumber, staff: int, number: int, sights: Sequence[_Sight]) -> bool:
    """Whether the nearest numbers at the same place of other systems are as many measures away."""
    place = _place(found.bbox, sights[number].system.staves[staff])
    is_seen = False
    for step in (-1, 1):
        for other in _of_piece(number, sights, step):
            value = _number_at(place, sights[other], staff)
            if value is None:
                continue
            first, last = min(number, other), max(number, other)
            due = sum(_n_measures(sights[between].system) for between in range(first, last))
            went = step * (value - int(found.text))
            if went <= 0 or abs(went - due) > last - first:
                return False
            is_seen = True
            break
    return is_seen


def _place(box: BBox, staff: Staff) -> BBox:
    """A box in staff spaces from the top left of a staff."""
    x, y, space = staff.x0, staff.lines[0], staff.space
    return (box[0] - x) / space, (box[1] - y) / space, (box[2] - x) / space, (box[3] - y) / space


def _number_at(place: BBox, sight: _Sight, staff: int) -> int | None:
    """The number at a place of a system: its left, its middle or its right is there."""
    if staff >= len(sight.system.staves) or not sight.system.staves[staff].space:
        return None
    beside, above = ALIKE_SPACES
    for one in sight.numbers:
        x0, _, x1, y1 = _place(one.bbox, sight.system.staves[staff])
        aside = min(abs(x0 - place[0]), abs(x1 - place[2]), abs(x0 + x1 - place[0] - place[2]) / 2)
        if aside <= beside and abs(y1 - place[3]) <= above and len(one.text) <= MAX_DIGITS:
            return int(one.text)
    return None


def _n_measures(system: System) -> int:
    space, count = _space(system), 0
    last = min(staff.x0 + BEGIN_SPACES * staff.space for staff in system.staves)
    for x in sorted(line.x for line in system.barlines):
        if x > last:
            count, last = count + 1, x + space
    return count


def _is_alone(clef: Clef, number: int, sights: Sequence[_Sight]) -> bool:
    """Whether the systems beside this one have the same clef without an octave, and none announces it."""
    sight, plain = sights[number], re.sub(r"[v^]", "", clef.kern)
    before, after = (
        next((sights[other] for other in _of_piece(number, sights, step)), None) for step in (-1, 1)
    )
    before, after = (
        other if other is not None and len(other.system.staves) == len(sight.system.staves) else None
        for other in (before, after)
    )
    if after is not None and after.opening(clef.staff) == clef.kern:
        return False
    if before is not None:
        return before.last(clef.staff) == plain
    return after is not None and after.opening(clef.staff) == plain and sight.last(clef.staff) == clef.kern
