"""The voices of a measure: which events follow each other, so that they fill it and what stands together sounds
together.

Each staff has one voice or two. Events are taken from the left; each is put at the end of a voice. A search keeps
the cheapest ways to do that: a note costs nothing where its stem points as that of its voice, where events at one x
start together and those farther to the right later, and where all voices end with the measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from docai.pipelines.drawings.score.rhythm import DrawnMeasure, Event, Quarters, TupletRatio

MAX_STATES = 120
"""Partial readings of a measure that the search keeps."""
_MAX_LENGTHS = 3
"""Lengths that are tried for a measure that does not fill its meter."""
MAX_EVENTS = 200
"""Events of one staff in one measure; more are no music, and are read as one voice."""

# Costs: 1 is what one looks at twice, 4 and more is hardly ever right.
_SECOND_VOICE_COST = 0.15
_STEM_COST = 1.6
_LONE_STEM_COST = 0.25
_CROSSING_COST = 0.6
_REST_COST = 0.25
"""A half space by which a rest stands on the side of the other voice."""
_GAP_COST = (2.5, 1.2)
"""Of time in which the first voice, and the second, is silent without a rest."""
_SHORT_COST = 6.0
_LONG_COST = 9.0
_TOGETHER_COST = 0.1
_BACKWARD_COST = 4.0
_SQUEEZED_COST = 1.0
_BEAM_COST = 3.0
_TUPLET_COST = 1.5
_SKIPPED_SPACER_COST = 0.8
_SWAPPED_TUPLET_COST = 0.7
_OTHER_RATIO_COST = 0.8
_GUESSED_TUPLET_COST = 2.0
_OFF_GRID_COST = 3.0
_PICKUP_COST = 0.5
_OTHER_LENGTH_COST = 5.0

# Staff spaces.
_SAME_COLUMN = 0.35
_NEXT_COLUMN = 0.9
_WIDE_COLUMN = 1.9

SOUND_COST = 1.0
"""Up to this cost a staff in a measure is taken to be read as it is meant."""

_MIDDLE = 4.0
"""Half spaces of the middle line above the bottom line."""


class Placed(NamedTuple):
    """An event in its voice; times are quarter notes since the measure began."""

    onset: Quarters
    length: Quarters
    event: Event
    voice: int
    ratio: Fraction
    """Of its tuplets; 1 without."""


@dataclass(frozen=True, slots=True)
class StaffReading:
    """How the events of one staff in one measure follow each other."""

    placed: tuple[Placed, ...]
    cost: float
    n_voices: int
    length: Quarters
    """Where its longest voice ends."""

    def voice(self, number: int) -> list[Placed]:
        """The events of one voice in time."""
        return [one for one in self.placed if one.voice == number]


class _State(NamedTuple):
    cost: float
    ends: tuple[Quarters | None, Quarters | None]
    """Where each voice ends; None for a voice without events."""
    last_x: float
    last_onset: Quarters
    tuplets: tuple[int, ...]
    """For each tuplet its voice and ratio: ``2 * ratio index + voice``; -1 while it has no event."""
    beams: tuple[tuple[int, int], ...]
    """Beam groups and their voices."""
    before: _State | None
    placed: Placed | None


class TimeMap:
    """Onsets of the measure by x, as staves tell that were read surely."""

    def __init__(self, points: Sequence[tuple[float, Quarters]], space: float) -> None:
        self._points = sorted(points)
        self._space = space

    def at(self, x: float) -> list[Quarters]:
        """Onsets of events at about this x."""
        near = [
            (abs(px - x), onset) for px, onset in self._points if abs(px - x) < _NEXT_COLUMN * self._space
        ]
        return [onset for _, onset in sorted(near)][:2]

    def cost(self, x: float, onset: Quarters) -> float:
        """What it costs that an event at this x starts then."""
        worst = 0.0
        for px, known in self._points:
            dx = (px - x) / self._space
            if abs(dx) < _SAME_COLUMN:
                worst = max(worst, 0.0 if known == onset else _OFF_GRID_COST)
            elif (dx > _WIDE_COLUMN and known <= onset) or (dx < -_WIDE_COLUMN and known >= onset):
                worst = max(worst, _OFF_GRID_COST)
        return worst


def read_staff(
    events: Sequence[Event],
    tuplets: Sequence[TupletRatio],
    length: Quarters,
    space: float,
    times: TimeMap | None = None,
) -> StaffReading:
    """The cheapest way to put the events of one staff into voices that last a measure of some length."""
    if not events:
        return StaffReading((), 0.0, 0, Fraction(0))
    quick = _read_as_one_voice(events, tuplets, length, space)
    if quick is not None and (times is None or _fits_times(quick, times)):
        return quick
    if len(events) > MAX_EVENTS:
        return _in_sequence(events)
    return _search(events, tuplets, length, space, times)


def _fits_times(reading: StaffReading, times: TimeMap) -> bool:
    return all(one.event.is_full_rest or not times.cost(one.event.x, one.onset) for one in reading.placed)


def _read_as_one_voice(
    events: Sequence[Event], tuplets: Sequence[TupletRatio], length: Quarters, space: float
) -> StaffReading | None:
    """One voice that fills the measure, where the events simply follow each other; None where not."""
    if len(events) == 1 and events[0].is_full_rest:
        return StaffReading((Placed(Fraction(0), length, events[0], 0, Fraction(1)),), 0.0, 1, length)
    placed = []
    now = Fraction(0)
    last = -1e9
    for event in events:
        if event.x - last < _NEXT_COLUMN * space or event.is_spacer:
            return None
        last = event.x
        ratio = Fraction(1)
        for number in event.tuplets:
            ratio *= tuplets[number].ratios[0]
        value = event.values[0][0] * ratio
        placed.append(Placed(now, value, event, 0, ratio))
        now += value
    return StaffReading(tuple(placed), 0.0, 1, length) if now == length else None


def _in_sequence(events: Sequence[Event]) -> StaffReading:
    placed, now = [], Fraction(0)
    for event in events:
        placed.append(Placed(now, event.values[0][0], event, 0, Fraction(1)))
        now += event.values[0][0]
    return StaffReading(tuple(placed), _LONG_COST, 1, now)


def _search(
    events: Sequence[Event],
    tuplets: Sequence[TupletRatio],
    length: Quarters,
    space: float,
    times: TimeMap | None,
) -> StaffReading:
    start = _State(0.0, (None, None), -1e9, Fraction(0), (-1,) * len(tuplets), (), None, None)
    states = [start]
    for event in events:
        best: dict[object, _State] = {}
        for state in states:
            for new in _next_states(state, event, tuplets, length, space, times):
                key = (new.ends, new.last_onset, new.tuplets, new.beams)
                known = best.get(key)
                if known is None or new.cost < known.cost:
                    best[key] = new
        states = sorted(best.values(), key=lambda state: state.cost)[:MAX_STATES]
        if not states:
            return _in_sequence(events)
    cost, final = min(
        ((state.cost + _end_cost(state, length), state) for state in states), key=lambda pair: pair[0]
    )
    placed: list[Placed] = []
    step: _State | None = final
    while step is not None:
        if step.placed is not None:
            placed.append(step.placed)
        step = step.before
    placed.reverse()
    ends = [end for end in final.ends if end is not None]
    return StaffReading(tuple(placed), cost, len(ends), max(ends, default=Fraction(0)))


def _end_cost(state: _State, length: Quarters) -> float:
    first, second = state.ends
    cost = 0.0
    is_filled = length in (first, second)
    for voice, end in enumerate((first, second)):
        if end is None:
            continue
        if end > length:
            cost += _LONG_COST
        elif end < length:
            cost += _GAP_COST[voice] if is_filled else _SHORT_COST
    return cost


def _next_states(
    state: _State,
    event: Event,
    tuplets: Sequence[TupletRatio],
    length: Quarters,
    space: float,
    times: TimeMap | None,
) -> list[_State]:
    result = []
    if event.is_spacer:
        result.append(state._replace(cost=state.cost + _SKIPPED_SPACER_COST))
    if event.is_full_rest:
        for voice in (0, 1):
            if state.ends[voice] is None and not (voice == 1 and state.ends[0] is None and event.height > 6):
                cost = state.cost + _rest_cost(event, voice, state)
                placed = Placed(Fraction(0), length, event, voice, Fraction(1))
                ends = (length, state.ends[1]) if voice == 0 else (state.ends[0], length)
                result.append(state._replace(cost=cost, ends=ends, before=state, placed=placed))
    in_beam = dict(state.beams)
    for voice in (0, 1):
        if voice == 1 and state.ends[0] is None and state.ends[1] is None and event.stem == "up":
            continue
        cost = state.cost
        if state.ends[voice] is None and voice == 1:
            cost += _SECOND_VOICE_COST
        cost += _voice_cost(event, voice, state)
        beams = state.beams
        if event.beam_group is not None:
            known = in_beam.get(event.beam_group)
            if known is None:
                beams = (*state.beams, (event.beam_group, voice))
            elif known != voice:
                cost += _BEAM_COST
        for ratio, memory, ratio_cost in _ratios(state, event, voice, tuplets):
            for value, value_cost in event.values:
                lasts = value * ratio
                for onset, onset_cost in _onsets(state, event, voice, space, times):
                    total = cost + ratio_cost + value_cost + onset_cost
                    end = onset + lasts
                    if end > length:
                        total += _LONG_COST / 3
                    ends = (end, state.ends[1]) if voice == 0 else (state.ends[0], end)
                    placed = Placed(onset, lasts, event, voice, ratio)
                    result.append(_State(total, ends, event.x, onset, memory, beams, state, placed))
    return result


def _onsets(
    state: _State, event: Event, voice: int, space: float, times: TimeMap | None
) -> list[tuple[Quarters, float]]:
    """When an event may start in a voice, each with its cost."""
    end = state.ends[voice] or Fraction(0)
    other = state.ends[1 - voice]
    candidates: dict[Quarters, float] = {end: 0.0}
    later = [other, state.last_onset] + (times.at(event.x) if times else [])
    for onset in later:
        if onset is not None and onset > end:
            candidates.setdefault(onset, _GAP_COST[voice])
    result = []
    for onset, cost in candidates.items():
        if state.placed is not None or state.last_x > -1e8:
            dx = (event.x - state.last_x) / space
            cost += _column_cost(dx, onset, state.last_onset)
        if times is not None:
            cost += times.cost(event.x, onset)
        result.append((onset, cost))
    return result


def _column_cost(dx: float, onset: Quarters, last: Quarters) -> float:
    if onset < last:
        return _BACKWARD_COST + dx
    if onset == last:
        if dx < _SAME_COLUMN:
            return 0.0
        return _TOGETHER_COST if dx < _WIDE_COLUMN else _BACKWARD_COST + dx / 2
    if dx < _SAME_COLUMN:
        return _BACKWARD_COST
    return _SQUEEZED_COST if dx < _NEXT_COLUMN else 0.0


def _voice_cost(event: Event, voice: int, state: _State) -> float:
    if event.is_spacer:
        return 0.0
    if event.rest is not None:
        return _rest_cost(event, voice, state)
    other = state.ends[1 - voice]
    cost = 0.0
    if event.stem != "none" and (event.stem == "up") != (voice == 0):
        # A voice alone on its staff turns its stems as the height of its notes wants.
        is_alone = voice == 0 and (other is None or other <= (state.ends[0] or 0))
        cost += _LONE_STEM_COST if is_alone and other is None else _STEM_COST / 2 if is_alone else _STEM_COST
    if state.placed is not None and state.placed.voice != voice and not state.placed.event.is_spacer:
        is_higher = event.height > state.placed.event.height
        if is_higher != (voice == 0) and event.stem == "none":
            cost += _CROSSING_COST
    return cost


def _rest_cost(event: Event, voice: int, state: _State) -> float:
    offset = event.height - _MIDDLE if voice == 1 else _MIDDLE - event.height
    cost = _REST_COST * max(0.0, min(offset, 8.0) - 1.0)
    if state.ends[voice] is None and voice == 1:
        cost += _SECOND_VOICE_COST
    return cost


def _ratios(
    state: _State, event: Event, voice: int, tuplets: Sequence[TupletRatio]
) -> list[tuple[Fraction, tuple[int, ...], float]]:
    """Ratios that the tuplets around an event give it in a voice, with what is then known of the tuplets."""
    options = [(Fraction(1), state.tuplets, 0.0)]
    for number in event.tuplets:
        tuplet = tuplets[number]
        known = state.tuplets[number]
        new: list[tuple[Fraction, tuple[int, ...], float]] = []
        for ratio, memory, cost in options:
            if known >= 0:
                if known % 2 == voice:
                    new.append((ratio * tuplet.ratios[known // 2], memory, cost))
                else:
                    new.append((ratio, memory, cost))
                continue
            side_cost = 0.0 if tuplet.is_above == (voice == 0) else _SWAPPED_TUPLET_COST
            if tuplet.beam_group is not None and tuplet.beam_group == event.beam_group:
                side_cost = 0.0
            if state.ends == (None, None) or state.ends[1 - voice] is None:
                side_cost = min(side_cost, 0.1)
            for index, own in enumerate(tuplet.ratios):
                changed = (*memory[:number], 2 * index + voice, *memory[number + 1 :])
                extra = side_cost + _OTHER_RATIO_COST * index + _GUESSED_TUPLET_COST * tuplet.is_guessed
                new.append((ratio * own, changed, cost + extra))
            new.append((ratio, memory, cost + (_TUPLET_COST if not tuplet.is_guessed else 0.0)))
        options = new
    return options


def solve_measure(
    measure: DrawnMeasure, length: Quarters | None, space: float
) -> tuple[dict[int, StaffReading], float]:
    """The readings of all staves of a measure, and what they cost together.

    Args:
        measure: the measure.
        length: that its meter wants; None where no meter is known.
        space: of the staff, points.
    """
    best: tuple[dict[int, StaffReading], float] | None = None
    if length is not None:
        best = _solve_for(measure, length, space)
        if best[1] < SOUND_COST * max(1, len(measure.staves)):
            return best
    for other in likely_lengths(measure, space):
        if other == length or other <= 0:
            continue
        readings, cost = _solve_for(measure, other, space)
        # Another length than that of the meter is right for a pickup, and for what is written so.
        if length is not None:
            cost += _PICKUP_COST if measure.is_edge and other < length else _OTHER_LENGTH_COST
        if best is None or cost < best[1]:
            best = readings, cost
    return best or _solve_for(measure, Fraction(4), space)


def _solve_for(
    measure: DrawnMeasure, length: Quarters, space: float
) -> tuple[dict[int, StaffReading], float]:
    readings = {
        staff: read_staff(events, measure.tuplets, length, space) for staff, events in measure.staves.items()
    }
    if len(readings) > 1:
        _reconcile(measure, readings, length, space)
    return readings, sum(reading.cost for reading in readings.values())


def _reconcile(
    measure: DrawnMeasure, readings: dict[int, StaffReading], length: Quarters, space: float
) -> None:
    """Read staves again that do not fill the measure, or contradict the others, with the onsets of the rest."""
    order = sorted(readings, key=lambda staff: readings[staff].cost)
    trusted: list[tuple[float, Quarters]] = []
    for staff in order:
        reading = readings[staff]
        if trusted:
            times = TimeMap(trusted, space)
            clash = sum(
                times.cost(one.event.x, one.onset) for one in reading.placed if not one.event.is_full_rest
            )
            if reading.cost > 0 or clash:
                again = read_staff(measure.staves[staff], measure.tuplets, length, space, times)
                if again.cost < reading.cost + clash:
                    readings[staff] = reading = again
                else:
                    readings[staff] = reading = StaffReading(
                        reading.placed, reading.cost + clash, reading.n_voices, reading.length
                    )
        if reading.cost < SOUND_COST or not trusted:
            trusted += [
                (one.event.x, one.onset)
                for one in reading.placed
                if not one.event.is_full_rest and not one.event.is_spacer
            ]


def likely_lengths(measure: DrawnMeasure, space: float) -> dict[Quarters, int]:
    """Lengths that the sums of the values on each staff speak for, with the number of staves that do."""
    counts: dict[Quarters, int] = {}
    for events in measure.staves.values():
        own = [event for event in events if not event.is_spacer]
        sums: dict[str, Quarters] = {}
        # Events at one place are of two voices, of which each fills the measure.
        is_double = any(b.x - a.x < _SAME_COLUMN * space for a, b in zip(own, own[1:], strict=False))
        for event in own:
            if event.is_full_rest and len(own) == 1:
                continue
            value = event.values[0][0]
            for number in event.tuplets:
                value *= measure.tuplets[number].ratios[0]
            voices = (event.stem,) if event.stem != "none" else ("up", "down")
            for voice in voices if is_double else ("all",):
                sums[voice] = sums.get(voice, Fraction(0)) + value
        for length in {length for length in sums.values() if length > 0}:
            counts[length] = counts.get(length, 0) + 1
    ordered = sorted(counts, key=lambda length: -counts[length])[:_MAX_LENGTHS]
    return {length: counts[length] for length in ordered}
