"""The events of a system, measure by measure: what each may last, and where in the measure it stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from docai.pipelines.drawings.score.events import (
    Event,
    TupletRatio,
    dotted,
    heads_by_value,
    value_of_chord,
    value_of_rest,
)
from docai.pipelines.drawings.score.tuplet_members import ratios_of, tuplet_members
from docai.pipelines.drawings.score.types import Barline, BarlineKind, System

_COLUMN_SPACES = 0.3
"""Staff spaces by which barlines of one place may differ."""
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
    opening = [bar for bar in bars if (bar.x < first and bar.x - left < 2 * space) or bar.x <= left]
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
        if chord.is_grace:
            graces += [(chord.x, staff, index) for staff in {head.staff for head in chord.heads}]
            continue
        for heads in heads_by_value(chord):
            for event in _events_of(system, index, heads):
                measure.staves.setdefault(event.staff, []).append(event)
    for index, rest in enumerate(system.rests):
        if not 0 <= rest.staff < len(system.staves) or system.staves[rest.staff].is_tablature:
            continue
        measure = measures[_measure_at(rest.x, starts)]
        measure.n_rests = max(measure.n_rests, rest.n_measures)
        value = dotted(value_of_rest(rest), rest.n_dots)
        event = Event(rest.x, rest.staff, ((value, 0.0),), rest.position, rest=index, n_dots=rest.n_dots)
        event.beam_group = rest.beam_group
        event.is_full_rest = rest.n_measures > 0 or (not rest.n_dots and value in (4, 8))
        measure.staves.setdefault(rest.staff, []).append(event)
    for measure in measures:
        for events in measure.staves.values():
            events.sort(key=lambda event: event.x)
    _add_spacers(system, measures)
    for tuplet in system.tuplets:
        measure = measures[_measure_at((tuplet.x0 + tuplet.x1) / 2, starts)]
        ratios = ratios_of(tuplet.numbers)
        members = tuplet_members(tuplet, measure.staves, space) if ratios else []
        if not members:
            continue
        number = len(measure.tuplets)
        # Between two staves it is above the lower one, whichever it was taken for.
        lines = system.staves[members[0].staff].lines
        is_above = tuplet.y < (lines[0] + lines[-1]) / 2
        measure.tuplets.append(TupletRatio(ratios, tuplet.beam_group, is_above))
        for event in members:
            event.tuplets = (*event.tuplets, number)
    for x, staff, index in sorted(graces):
        measures[_measure_at(x, starts)].graces.setdefault(staff, []).append((x, index))


def _events_of(system: System, index: int, heads: Sequence[int]) -> Iterator[Event]:
    """The events that some heads of a chord are, one for each staff on which they stand."""
    chord = system.chords[index]
    values = value_of_chord(chord, heads)
    for staff in sorted({chord.heads[place].staff for place in heads}):
        if not 0 <= staff < len(system.staves) or system.staves[staff].is_tablature:
            continue
        own = [place for place in heads if chord.heads[place].staff == staff]
        n_dots = max(chord.heads[place].n_dots for place in own)
        is_beamed = len(heads) == len(chord.heads) or values[0][0] < 1
        yield Event(
            chord.x,
            staff,
            tuple((dotted(value, n_dots), cost) for value, cost in values),
            sum(chord.heads[place].position for place in own) / len(own),
            chord.stem if is_beamed else "none",
            chord=index,
            heads=tuple(own),
            n_dots=n_dots,
            beam_group=chord.beam_group if is_beamed else None,
        )


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
