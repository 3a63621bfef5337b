"""The events of a system, measure by measure: what each may last, and where in the measure it stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from docai.pipelines.drawings.score.types import Barline, BarlineKind, Chord, Rest, System, Tuplet

Quarters = Fraction
"""A length or time in quarter notes."""

_REST_VALUES = {
    "restMaxima": Fraction(32),
    "restLonga": Fraction(16),
    "restDoubleWhole": Fraction(8),
    "restWhole": Fraction(4),
    "restHalf": Fraction(2),
    "restQuarter": Fraction(1),
    "restQuarterOld": Fraction(1),
    "restQuarterZ": Fraction(1),
}
_REST_FRACTION = re.compile(r"rest(\d+)(?:th|nd)")
_HOLLOW_VALUE_COST = 1.0
"""Of reading a hollow head, of a shape other than the usual one, as a quarter note."""
_COLUMN_SPACES = 0.3
"""Staff spaces by which barlines of one place may differ."""
_RUN_SPACES = 3.0
"""Staff spaces by which the number of a tuplet may be off the middle of its notes."""
_MAX_RUN = 64
"""Notes of a beam among which those of a tuplet are looked for."""
_REPEATS: dict[BarlineKind, str] = {
    "single": "",
    "double": "||",
    "final": "==",
    "heavy": "!!",
    "dashed": "",
    "dotted": "",
    "repeat-start": "!|:",
    "repeat-end": ":|!",
    "repeat-both": ":|!|:",
}
_EDGES: frozenset[BarlineKind] = frozenset(
    ("double", "final", "heavy", "repeat-start", "repeat-end", "repeat-both")
)
_TUPLET_NORMALS: dict[int, tuple[int, ...]] = {
    2: (3,),
    3: (2,),
    4: (3,),
    5: (4, 3, 6),
    6: (4,),
    7: (4, 8, 6),
    8: (6,),
    9: (8, 6),
    10: (8,),
}
"""Number of a tuplet → how many of the notes it may last."""


@dataclass(slots=True, eq=False)
class Event:
    """A chord or rest on one staff, before it is known when it sounds."""

    x: float
    staff: int
    values: tuple[tuple[Quarters, float], ...]
    """What it may last without tuplets, each with what it costs to read it so; the likeliest first."""
    height: float
    """Half spaces of its middle above the bottom line."""
    stem: str = "none"
    chord: int | None = None
    rest: int | None = None
    n_dots: int = 0
    beam_group: int | None = None
    tuplets: tuple[int, ...] = ()
    """Tuplets that it may belong to, by number in the measure."""
    is_full_rest: bool = False
    """A whole rest, which may fill the measure whatever its meter."""
    is_spacer: bool = False
    """Stands for a chord of its beam that is on another staff."""


@dataclass(frozen=True, slots=True)
class TupletRatio:
    """One tuplet in a measure."""

    ratios: tuple[Fraction, ...]
    """By which it may multiply note values, the likeliest first."""
    staff: int
    beam_group: int | None
    is_above: bool
    is_guessed: bool = False
    """Without a number."""


@dataclass(slots=True, eq=False)
class DrawnMeasure:
    """What stands between two barlines."""

    x0: float
    x1: float
    opening: str = ""
    """Style of the barline before it as kern writes it after the number."""
    staves: dict[int, list[Event]] = field(default_factory=dict)
    """Events of each staff from the left, without grace notes."""
    graces: dict[int, list[tuple[float, int]]] = field(default_factory=dict)
    """x and chord of each grace note of a staff, from the left."""
    tuplets: list[TupletRatio] = field(default_factory=list)
    is_edge: bool = False
    """Beside the begin or end of a piece, section or system: it may be shorter than its meter."""
    is_open: bool = False
    """No barline ends it: it goes on in the next system."""
    n_rests: int = 0
    """Measures of rest that it stands for; 0 for an ordinary one."""


def value_of_chord(chord: Chord) -> tuple[tuple[Quarters, float], ...]:
    """What a chord may last, without dots and tuplets, in quarter notes."""
    name = max((head.name for head in chord.heads), key=len, default="noteheadBlack")
    n_flags = max(chord.n_flags, chord.beams_left, chord.beams_right)
    has_beam = chord.beam_group is not None
    if "DoubleWhole" in name or "Breve" in name:
        return ((Fraction(8), 0.0),)
    if n_flags and not chord.n_tremolos:
        return ((Fraction(1, 2**n_flags), 0.0),)
    if name in ("noteheadWhole", "noteheadHalf", "noteheadBlack"):
        plain = {"noteheadWhole": 4, "noteheadHalf": 2, "noteheadBlack": 1}[name]
        if plain == 4 and chord.stem != "none":
            plain = 2
        if plain == 1 and has_beam:
            return ((Fraction(1, 2), 0.0), (Fraction(1), _HOLLOW_VALUE_COST))
        return ((Fraction(plain), 0.0),)
    if name.endswith("Whole"):
        return ((Fraction(4), 0.0),) if chord.stem == "none" else ((Fraction(2), 0.0), (Fraction(1), 0.5))
    if name.endswith(("Half", "White")):
        first = ((Fraction(2), 0.0), (Fraction(1), _HOLLOW_VALUE_COST))
        return first if chord.stem != "none" else ((Fraction(4), 0.0), *first)
    return ((Fraction(1), 0.0),)


def value_of_rest(rest: Rest) -> Quarters:
    """What a rest lasts, without dots and tuplets, in quarter notes."""
    for name, value in _REST_VALUES.items():
        if rest.name.startswith(name) and not rest.name[len(name) :][:1].islower():
            return value
    match = _REST_FRACTION.match(rest.name)
    return Fraction(4, int(match[1])) if match and int(match[1]) else Fraction(1)


def dotted(value: Quarters, n_dots: int) -> Quarters:
    """A value with augmentation dots."""
    n_dots = min(n_dots, 4)
    return value * (2 - Fraction(1, 2**n_dots))


def cut_measures(system: System) -> tuple[list[DrawnMeasure], str]:
    """The measures of a system from the left, and the style of the barline that ends it in kern.

    The style is empty for a single barline, and ``-`` where no barline ends the system.
    """
    bars = _barlines(system)
    staves = [index for index, staff in enumerate(system.staves) if not staff.is_tablature]
    left = min((system.staves[index].x0 for index in staves), default=system.bbox[0])
    right = max((system.staves[index].x1 for index in staves), default=system.bbox[2])
    events = [
        *(chord.x for chord in system.chords),
        *(rest.x for rest in system.rests),
    ]
    space = _space(system)
    first = min(events, default=right)
    opening = [bar for bar in bars if bar.x < first and bar.x - left < 2 * space or bar.x <= left]
    opening += [bar for bar in bars if bar not in opening and bar.x < first and bar.kind == "repeat-start"]
    inner = [bar for bar in bars if bar not in opening]
    style = next((_REPEATS[bar.kind] for bar in opening if bar.kind == "repeat-start"), "")
    measures: list[DrawnMeasure] = []
    begin, is_edge = left, True
    for bar in inner:
        measure = DrawnMeasure(begin, bar.x, style, is_edge=is_edge or bar.kind in _EDGES)
        measures.append(measure)
        begin, style, is_edge = bar.x, _REPEATS[bar.kind], bar.kind in _EDGES
    measures = _without_gaps(measures, events)
    if any(x > begin for x in events):
        measures.append(DrawnMeasure(begin, right + space, style, is_edge=True, is_open=True))
        style = "-"
    if measures:
        measures[-1].is_edge = True
    return measures, style


def _without_gaps(measures: Sequence[DrawnMeasure], events: Sequence[float]) -> list[DrawnMeasure]:
    """Without the empty room that some engravers leave between the end of one repeat and the next begin."""
    kept: list[DrawnMeasure] = []
    opening: str | None = None
    for number, measure in enumerate(measures):
        following = measures[number + 1] if number + 1 < len(measures) else None
        is_empty = not any(measure.x0 <= x < measure.x1 for x in events)
        if is_empty and following is not None and measure.opening and following.opening:
            opening = _joined_style(opening or measure.opening, following.opening)
            continue
        if opening is not None:
            measure.opening = opening
            opening = None
        kept.append(measure)
    return kept


def _joined_style(first: str, second: str) -> str:
    return ":|!|:" if first == ":|!" and second == "!|:" else second


def _space(system: System) -> float:
    spaces = [staff.space for staff in system.staves if not staff.is_tablature and staff.space > 0]
    return min(spaces, default=5.0)


def _barlines(system: System) -> list[Barline]:
    """One barline for each place where the system has one, the most telling kind of those there."""
    space = _space(system)
    n_staves = sum(not staff.is_tablature for staff in system.staves)
    columns: list[list[Barline]] = []
    for bar in sorted(system.barlines, key=lambda bar: bar.x):
        if columns and bar.x - columns[-1][-1].x < _COLUMN_SPACES * space:
            columns[-1].append(bar)
        else:
            columns.append([bar])
    merged: list[Barline] = []
    for column in columns:
        covered = {staff for bar in column for staff in bar.staves}
        if 2 * len(covered) < n_staves:
            continue
        kind = max((bar.kind for bar in column), key=lambda kind: (kind in _EDGES, kind != "single"))
        merged.append(Barline(kind, column[0].x, tuple(sorted(covered))))
    return merged


def fill_measures(system: System, measures: Sequence[DrawnMeasure]) -> None:
    """Put the events of the system into its measures."""
    if not measures:
        return
    space = _space(system)
    starts = [measure.x0 for measure in measures]
    graces: list[tuple[float, int, int]] = []
    for index, chord in enumerate(system.chords):
        measure = measures[_measure_at(chord.x, starts)]
        by_staff: dict[int, list[int]] = {}
        for head in chord.heads:
            by_staff.setdefault(head.staff, []).append(head.position)
        for staff, positions in by_staff.items():
            if not 0 <= staff < len(system.staves) or system.staves[staff].is_tablature:
                continue
            if chord.is_grace:
                graces.append((chord.x, staff, index))
                continue
            n_dots = max((head.n_dots for head in chord.heads), default=0)
            measure.staves.setdefault(staff, []).append(
                Event(
                    chord.x,
                    staff,
                    tuple((dotted(value, n_dots), cost) for value, cost in value_of_chord(chord)),
                    sum(positions) / len(positions),
                    chord.stem,
                    chord=index,
                    n_dots=n_dots,
                    beam_group=chord.beam_group,
                )
            )
    for index, rest in enumerate(system.rests):
        if not 0 <= rest.staff < len(system.staves) or system.staves[rest.staff].is_tablature:
            continue
        measure = measures[_measure_at(rest.x, starts)]
        measure.n_rests = max(measure.n_rests, rest.n_measures)
        value = dotted(value_of_rest(rest), rest.n_dots)
        event = Event(rest.x, rest.staff, ((value, 0.0),), rest.position, rest=index, n_dots=rest.n_dots)
        event.beam_group = rest.beam_group
        event.is_full_rest = not rest.n_dots and value in (4, 8)
        measure.staves.setdefault(rest.staff, []).append(event)
    for measure in measures:
        for events in measure.staves.values():
            events.sort(key=lambda event: event.x)
    _add_spacers(system, measures)
    _add_tuplets(system, measures, starts, space)
    for x, staff, index in sorted(graces):
        measures[_measure_at(x, starts)].graces.setdefault(staff, []).append((x, index))


def _measure_at(x: float, starts: Sequence[float]) -> int:
    index = 0
    for number, start in enumerate(starts):
        if x >= start:
            index = number
    return index


def _add_spacers(system: System, measures: Sequence[DrawnMeasure]) -> None:
    """Where a beam goes from staff to staff, its chords take time on each of them."""
    for measure in measures:
        groups: dict[int, dict[int, list[Event]]] = {}
        for staff, events in measure.staves.items():
            for event in events:
                if event.beam_group is not None and event.chord is not None:
                    groups.setdefault(event.beam_group, {}).setdefault(staff, []).append(event)
        for by_staff in groups.values():
            if len(by_staff) < 2:
                continue
            everything = [event for events in by_staff.values() for event in events]
            for staff, own in by_staff.items():
                taken = {event.chord for event in own}
                for event in everything:
                    if event.chord in taken:
                        continue
                    taken.add(event.chord)
                    measure.staves[staff].append(
                        Event(
                            event.x,
                            staff,
                            event.values,
                            4.0,
                            own[0].stem,
                            n_dots=event.n_dots,
                            beam_group=event.beam_group,
                            is_spacer=True,
                        )
                    )
                measure.staves[staff].sort(key=lambda event: event.x)


def _add_tuplets(
    system: System, measures: Sequence[DrawnMeasure], starts: Sequence[float], space: float
) -> None:
    for tuplet in system.tuplets:
        ratios = ratios_of(tuplet.numbers)
        if not ratios:
            continue
        middle = (tuplet.x0 + tuplet.x1) / 2
        measure = measures[_measure_at(middle, starts)]
        lines = system.staves[tuplet.staff].lines if tuplet.staff < len(system.staves) else (0.0,)
        is_above = tuplet.y < (lines[0] + lines[-1]) / 2
        number = len(measure.tuplets)
        members = _members(measure, tuplet, space)
        if not members:
            continue
        measure.tuplets.append(TupletRatio(ratios, tuplet.staff, tuplet.beam_group, is_above))
        for event in members:
            event.tuplets = (*event.tuplets, number)


def _members(measure: DrawnMeasure, tuplet: Tuplet, space: float) -> list[Event]:
    events = measure.staves.get(tuplet.staff, [])
    group = [
        event
        for members in measure.staves.values()
        for event in members
        if tuplet.beam_group is not None and event.beam_group == tuplet.beam_group
    ]
    if not tuplet.has_bracket:
        return _run_at(group or events, (tuplet.x0 + tuplet.x1) / 2, tuplet.numbers[0], space)
    return [event for event in events if tuplet.x0 - space <= event.x <= tuplet.x1 + space]


def _run_at(events: Sequence[Event], x: float, number: int, space: float) -> list[Event]:
    """The events under the number of a tuplet without a bracket: as many notes as it says, about it.

    They may be part of a longer beam. Where no run adds up to the number, it stands for all of them.
    """
    events = sorted(events, key=lambda event: event.x)
    best: tuple[float, list[Event]] | None = None
    for begin in range(min(len(events), _MAX_RUN)):
        total = Fraction(0)
        for end in range(begin, min(len(events), begin + _MAX_RUN)):
            total += events[end].values[0][0]
            unit = total / number
            if end == begin or unit.numerator != 1 or unit.denominator & (unit.denominator - 1):
                if not (unit.denominator == 1 and unit.numerator in (2, 4)):
                    continue
            run = events[begin : end + 1]
            off = abs((events[begin].x + events[end].x) / 2 - x) / space
            if off > _RUN_SPACES:
                continue
            # As many notes as the number says, of one value, are likelier than fewer longer ones.
            off += 2.0 * (len(run) != number) + 2.0 * all(event.values[0][0] != unit for event in run)
            if best is None or off < best[0]:
                best = off, run
    return best[1] if best else list(events)


def ratios_of(numbers: Sequence[int]) -> tuple[Fraction, ...]:
    """What a tuplet's numbers may multiply note values by."""
    if len(numbers) >= 2 and numbers[0] > 0 and numbers[1] > 0:
        return (Fraction(numbers[1], numbers[0]),)
    if not numbers or not 2 <= numbers[0] <= 64:
        return ()
    number = numbers[0]
    normals = _TUPLET_NORMALS.get(number) or (1 << (number.bit_length() - 1),)
    return tuple(Fraction(normal, number) for normal in normals if normal != number)
