"""Tuplets: numbers with brackets, or at beams."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from docai.geometry import BBox, union
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.score.phrases import Word
from docai.pipelines.drawings.score.sheet import Sheet, Slab
from docai.pipelines.drawings.score.types import Chord, Rest, Symbol, System, Tuplet

BRACKET_SPACES: Final = 0.3
"""Thickness of the line of a bracket at most, in staff spaces."""

NUMBER_GAP_SPACES: Final = 1.6
"""Distance between a number and the lines of its bracket at most, in staff spaces."""

BEAM_DISTANCE_SPACES: Final = 3.0
"""Distance between a number and the beamed notes that it is of at most, in staff spaces."""

_NUMBER: Final = re.compile(r"(\d{1,2})(?::(\d{1,2}))?")


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A number that may be of a tuplet."""

    values: tuple[int, ...]
    bbox: BBox
    symbols: tuple[Symbol, ...]
    letters: tuple[Letter, ...]

    @property
    def x(self) -> float:
        """Of its middle."""
        return (self.bbox[0] + self.bbox[2]) / 2

    @property
    def y(self) -> float:
        """Of its middle."""
        return (self.bbox[1] + self.bbox[3]) / 2


def find_numbers(symbols: Sequence[Symbol], words: Sequence[Word], space: float) -> list[Number]:
    """Numbers of a system that are not of its meters: digits of music fonts, and words of digits."""
    found = []
    digits = sorted(
        (symbol for symbol in symbols if re.fullmatch(r"tuplet(\d|Colon)", symbol.name)),
        key=lambda symbol: symbol.bbox[0],
    )
    groups: list[list[Symbol]] = []
    for symbol in digits:
        for group in groups:
            if (
                0 <= symbol.bbox[0] - group[-1].bbox[2] + 0.3 * space <= 0.9 * space
                and abs(symbol.origin[1] - group[-1].origin[1]) <= 0.3 * space
            ):
                group.append(symbol)
                break
        else:
            groups.append([symbol])
    for group in groups:
        text = "".join(":" if symbol.name.endswith("Colon") else symbol.name[-1] for symbol in group)
        values = _values(text)
        if values:
            found.append(Number(values, union(symbol.bbox for symbol in group), tuple(group), ()))
    for word in words:
        values = _values(word.text)
        if values:
            found.append(Number(values, word.bbox, (), word.letters))
    return found


def _values(text: str) -> tuple[int, ...]:
    match = _NUMBER.fullmatch(text)
    if match is None:
        return ()
    values = tuple(int(value) for value in match.groups() if value)
    return values if all(2 <= value <= 64 for value in values) else ()


def find_tuplets(sheet: Sheet, system: System, numbers: Sequence[Number], space: float) -> list[Number]:
    """Add to a system its tuplets; the numbers that are of none come back.

    Args:
        sheet: the page; lines of brackets are accounted for.
        system: with its chords and rests.
        numbers: of the system.
        space: a staff space, points.
    """
    left = []
    for number in numbers:
        tuplet = _bracketed(sheet, system, number, space) or _beamed(system, number, space)
        if tuplet is None and number.symbols:
            tuplet = _alone(system, number, space)
        if tuplet is None:
            left.append(number)
            continue
        for symbol in number.symbols:
            sheet.use(symbol)
        system.tuplets.append(tuplet)
    return left


def _bracketed(sheet: Sheet, system: System, number: Number, space: float) -> Tuplet | None:
    x0, _, x1, _ = number.bbox
    gap = NUMBER_GAP_SPACES * space
    lefts: list[Slab] = []
    rights: list[Slab] = []
    overs: list[Slab] = []
    for slab in sheet.slabs_between(x0 - gap, x1 + gap):
        if slab.thickness > BRACKET_SPACES * space:
            continue
        if slab.path in sheet.used_paths and not (
            # It may lie where a ledger line would.
            _has_hook(sheet, slab.x0, slab.y0, space) or _has_hook(sheet, slab.x1, slab.y1, space)
        ):
            continue
        if abs(slab.y1 - slab.y0) > 0.6 * slab.length or slab.length < 0.25 * space:
            continue
        if slab.x1 <= x0 + 0.4 * space and abs(slab.y1 - number.y) <= space:
            lefts.append(slab)
        elif slab.x0 >= x1 - 0.4 * space and abs(slab.y0 - number.y) <= space:
            rights.append(slab)
        elif slab.x0 < x0 and slab.x1 > x1 and abs(slab.y_at(number.x) - number.y) <= 1.6 * space:
            overs.append(slab)
    lines: list[Slab]
    if lefts and rights:
        lines = [
            min(lefts, key=lambda slab: abs(slab.y1 - number.y) + x0 - slab.x1),
            min(rights, key=lambda slab: abs(slab.y0 - number.y) + slab.x0 - x1),
        ]
    elif overs:
        lines = [min(overs, key=lambda slab: abs(slab.y_at(number.x) - number.y))]
        if not _has_hook(sheet, lines[0].x0, lines[0].y0, space):
            return None
    else:
        return None
    begin, end = lines[0].x0, lines[-1].x1
    y = (lines[0].y0 + lines[-1].y1) / 2
    staff = _nearest_staff(system, begin, end, y)
    if staff is None:
        return None
    for slab in lines:
        sheet.used_paths.add(slab.path)
    for x, at in ((begin, lines[0].y0), (end, lines[-1].y1)):
        _use_hook(sheet, x, at, space)
    return Tuplet(number.values, staff, begin, end, y, has_bracket=True, number_x=number.x)


def _hooks(sheet: Sheet, x: float, y: float, space: float) -> list[int]:
    near = 0.2 * space
    return [
        path
        for upright in sheet.uprights_between(x - near, x + near)
        if upright.length <= 2.5 * space and min(abs(upright.y0 - y), abs(upright.y1 - y)) <= near
        for path in upright.paths
    ]


def _has_hook(sheet: Sheet, x: float, y: float, space: float) -> bool:
    return bool(_hooks(sheet, x, y, space))


def _use_hook(sheet: Sheet, x: float, y: float, space: float) -> None:
    sheet.used_paths.update(_hooks(sheet, x, y, space))


def _nearest_staff(system: System, x0: float, x1: float, y: float) -> int | None:
    """The staff whose notes and rests between two x are nearest to a height."""
    best: tuple[float, int] | None = None
    events: list[Chord | Rest] = [*system.chords, *system.rests]
    for event in events:
        if not x0 - 1 <= event.x <= x1 + 1 or system.staves[event.staff].is_tablature:
            continue
        away = max(event.bbox[1] - y, y - event.bbox[3], 0.0)
        if best is None or away < best[0]:
            best = (away, event.staff)
    if best is None:
        return None
    # A staff of tablature that is nearer has the number.
    space = system.staves[best[1]].space
    for staff in system.staves:
        if staff.is_tablature and best[0] > max(staff.lines[0] - y, y - staff.lines[-1], 0.0):
            return None
    return best[1] if best[0] <= 12 * space else None


def _beamed(system: System, number: Number, space: float) -> Tuplet | None:
    groups: dict[int, list[Chord]] = {}
    for chord in system.chords:
        if chord.beam_group is not None:
            groups.setdefault(chord.beam_group, []).append(chord)
    best: tuple[float, int] | None = None
    for group, chords in groups.items():
        box = union(chord.bbox for chord in chords)
        if not box[0] - space <= number.x <= box[2] + space:
            continue
        above = max(box[1] - number.bbox[3], number.bbox[1] - box[3], 0.0)
        if above > BEAM_DISTANCE_SPACES * space:
            continue
        aside = abs(number.x - (box[0] + box[2]) / 2)
        if aside <= max(0.2 * (box[2] - box[0]), 1.1 * space) and (best is None or above + aside < best[0]):
            best = (above + aside, group)
    if best is not None:
        chords = groups[best[1]]
        if len(chords) > 1:
            return _over(chords, number, best[1])
    return _part_of_beam(list(groups.values()), number, space)


def _part_of_beam(groups: Sequence[Sequence[Chord]], number: Number, space: float) -> Tuplet | None:
    """As many neighboring notes of a longer beam as the number says, under its middle."""
    count = number.values[0]
    best: tuple[float, Sequence[Chord]] | None = None
    for chords in groups:
        for first in range(len(chords) - count + 1):
            part = chords[first : first + count]
            box = union(chord.bbox for chord in part)
            above = max(box[1] - number.bbox[3], number.bbox[1] - box[3], 0.0)
            aside = abs(number.x - (box[0] + box[2]) / 2)
            fits = above <= BEAM_DISTANCE_SPACES * space and aside <= 1.1 * space
            if fits and (best is None or above + aside < best[0]):
                best = (above + aside, part)
    return None if best is None else _over(best[1], number, None)


def _alone(system: System, number: Number, space: float) -> Tuplet | None:
    """Over the middle of as many notes and rests as it says, without a bracket."""
    count = number.values[0]
    best: tuple[float, Sequence[Chord | Rest]] | None = None
    for staff in range(len(system.staves)):
        events: list[Chord | Rest] = [chord for chord in system.chords if not chord.is_grace]
        events += system.rests
        events = [event for event in events if event.staff == staff]
        events.sort(key=lambda event: event.x)
        for n in {count, count - 1, 2}:
            for first in range(len(events) - n + 1):
                part = events[first : first + n]
                box = union(event.bbox for event in part)
                above = max(box[1] - number.bbox[3], number.bbox[1] - box[3], 0.0)
                aside = abs(number.x - (box[0] + box[2]) / 2)
                fits = n > 1 and above <= 2 * space and aside <= 0.8 * space
                if fits and (best is None or above + aside < best[0]):
                    best = (above + aside, part)
    return None if best is None else _over(best[1], number, None)


def _over(events: Sequence[Chord | Rest], number: Number, group: int | None) -> Tuplet:
    box = union(event.bbox for event in events)
    staves = [event.staff for event in events]
    staff = max(sorted(set(staves)), key=staves.count)
    return Tuplet(
        number.values, staff, box[0], box[2], number.y, has_bracket=False, beam_group=group, number_x=number.x
    )
