"""The search for the voices of one staff in one measure.

A staff has one voice or two. Events are taken from the left, and each is put at the end of a voice. The
search keeps the cheapest ways to do that: a note costs nothing where its stem points as that of its voice,
where events at one x start together and those farther to the right later, and where all voices end with the
measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from docai.pipelines.drawings.score.events import Event, Quarters, TupletRatio
from docai.pipelines.drawings.score.time_map import (
    DOTTED_COLUMN,
    NEXT_COLUMN,
    SAME_COLUMN,
    WIDE_COLUMN,
    TimeMap,
)

MAX_STATES = 80
"""Partial readings of a measure that the search keeps."""
_FEWEST_STATES = 12
_WORK = 2_400
"""Events times states; in long measures fewer states are kept."""
MAX_EVENTS = 100
"""Events of one staff in one measure; more are no music, and are read as one voice."""
_MAX_UNIT = 1 << 24
"""Parts of a quarter note; where values need more, they are read as one voice."""

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
LONG_COST = 9.0
"""Of a voice that lasts longer than the measure."""
_TOGETHER_COST = 0.1
_APART_COST = 0.8
_BACKWARD_COST = 4.0
_SQUEEZED_COST = 1.0
_BEAM_COST = 3.0
_TUPLET_COST = 1.5
_SKIPPED_SPACER_COST = 0.8
_SWAPPED_TUPLET_COST = 0.7
_OTHER_RATIO_COST = 0.8
_GUESSED_TUPLET_COST = 0.3
"""Of one whose number is not printed, where a measure has such."""
_HOPELESS_COST = 14.0
"""By which a partial reading may cost more than the best before it is given up."""

_MIDDLE = 4.0
"""Half spaces of the middle line above the bottom line."""
_NOWHERE = -1e9


class Placed(NamedTuple):
    """An event in its voice; times are quarter notes since the measure began."""

    onset: Quarters
    length: Quarters
    event: Event
    voice: int


@dataclass(frozen=True, slots=True)
class StaffReading:
    """How the events of one staff in one measure follow each other."""

    placed: tuple[Placed, ...]
    cost: float
    n_voices: int
    length: Quarters
    """Where its longest voice ends."""


class _State(NamedTuple):
    """A partial reading; times are whole numbers of the search's unit."""

    cost: float
    ends: tuple[int, int]
    """Where each voice ends; -1 for a voice without events."""
    last_x: float
    last_onset: int
    last_voice: int
    """-1 before the first event."""
    last_height: float
    tuplets: tuple[int, ...]
    """For each tuplet its voice and ratio: ``2 * ratio index + voice``; -1 while it has no event."""
    beams: tuple[tuple[int, int], ...]
    """Beam groups and their voices."""
    before: _State | None
    onset: int
    lasts: int
    voice: int
    """Of the event placed last; -1 where that was left out."""
    event: Event | None


def search_voices(
    events: Sequence[Event],
    tuplets: Sequence[TupletRatio],
    length: Quarters,
    space: float,
    times: TimeMap | None,
) -> StaffReading:
    """The cheapest way to put events into voices that last a measure of some length."""
    unit = _unit(events, tuplets, length, times)
    if len(events) > MAX_EVENTS or unit > _MAX_UNIT:
        return in_sequence(events)
    return _Search(tuplets, int(length * unit), space, times, unit).run(events)


def in_sequence(events: Sequence[Event]) -> StaffReading:
    """The events one after the other, as a reading that is not to be believed."""
    placed, now = [], Fraction(0)
    for event in events:
        placed.append(Placed(now, event.values[0][0], event, 0))
        now += event.values[0][0]
    return StaffReading(tuple(placed), LONG_COST, 1, now)


def _unit(
    events: Sequence[Event], tuplets: Sequence[TupletRatio], length: Quarters, times: TimeMap | None
) -> int:
    """Parts of a quarter note of which all values are whole numbers."""
    unit = length.denominator
    for event in events:
        for value, _ in event.values:
            unit = lcm(unit, value.denominator)
    base = unit
    for tuplet in tuplets:
        unit = lcm(unit, *(base * ratio.denominator for ratio in tuplet.ratios))
    # Tuplets within tuplets.
    if any(len(event.tuplets) > 1 for event in events):
        unit = lcm(unit, *(unit * ratio.denominator for tuplet in tuplets for ratio in tuplet.ratios[:1]))
    for onset in times.onsets if times else []:
        unit = lcm(unit, onset.denominator)
    return unit


class _Search:
    def __init__(
        self, tuplets: Sequence[TupletRatio], length: int, space: float, times: TimeMap | None, unit: int
    ) -> None:
        self.tuplets = tuplets
        self.length = length
        self.space = space
        self.times = times
        self.unit = unit
        self.here: set[int] = set()
        """Numbers of the tuplets that its events may be in."""
        self.costs: dict[int, float] = {}
        """Of onsets of the event that is placed now, by other staves."""

    def run(self, events: Sequence[Event]) -> StaffReading:
        self.here = {number for event in events for number in event.tuplets}
        unknown = (-1,) * len(self.tuplets)
        states = [_State(0.0, (-1, -1), _NOWHERE, 0, -1, 0.0, unknown, (), None, 0, 0, -1, None)]
        n_states = max(_FEWEST_STATES, min(MAX_STATES, _WORK // len(events)))
        for event in events:
            self.costs = {}
            best: dict[object, _State] = {}
            values = [(value * self.unit, cost) for value, cost in event.values]
            known = self._known_onsets(event)
            for state in states:
                for new in self._next(state, event, values, known):
                    key = (new.ends, new.last_onset, new.tuplets, new.beams)
                    rival = best.get(key)
                    if rival is None or new.cost < rival.cost:
                        best[key] = new
            ordered = sorted(best.values(), key=lambda state: state.cost)
            limit = ordered[0].cost + _HOPELESS_COST
            states = [state for state in ordered[:n_states] if not state.cost > limit]
        final = min(states, key=lambda state: state.cost + self._end_cost(state))
        return self._reading(final)

    def _reading(self, final: _State) -> StaffReading:
        placed: list[Placed] = []
        step: _State | None = final
        while step is not None:
            if step.event is not None and step.voice >= 0:
                onset, lasts = Fraction(step.onset, self.unit), Fraction(step.lasts, self.unit)
                placed.append(Placed(onset, lasts, step.event, step.voice))
            step = step.before
        placed.reverse()
        ends = [end for end in final.ends if end >= 0]
        longest = Fraction(max(ends, default=0), self.unit)
        return StaffReading(tuple(placed), final.cost + self._end_cost(final), len(ends), longest)

    def _end_cost(self, state: _State) -> float:
        unused = zip(state.tuplets, self.tuplets, strict=True)
        cost = _TUPLET_COST * sum(
            known < 0 and number in self.here and not tuplet.is_guessed
            for number, (known, tuplet) in enumerate(unused)
        )
        is_filled = self.length in state.ends
        for voice, end in enumerate(state.ends):
            if end > self.length:
                cost += LONG_COST
            elif 0 <= end < self.length:
                cost += _GAP_COST[voice] if is_filled else _SHORT_COST
        return cost

    def _known_onsets(self, event: Event) -> list[int]:
        """Onsets that other staves have at the place of an event."""
        return [int(onset * self.unit) for onset in self.times.at(event.x)] if self.times else []

    def _next(
        self, state: _State, event: Event, values: Sequence[tuple[Fraction, float]], known: Sequence[int]
    ) -> list[_State]:
        result = []
        if event.is_spacer:
            result.append(state._replace(cost=state.cost + _SKIPPED_SPACER_COST))
        if event.is_full_rest:
            result += self._full_rests(state, event)
        for voice in (0, 1):
            if voice == 1 and event.stem == "up" and state.ends == (-1, -1):
                continue
            cost = state.cost + _voice_cost(event, voice, state)
            beams = state.beams
            if event.beam_group is not None:
                of_beam = dict(beams).get(event.beam_group)
                if of_beam is None:
                    beams = (*beams, (event.beam_group, voice))
                elif of_beam != voice:
                    cost += _BEAM_COST
            onsets = self._onsets(state, event, voice, known)
            for ratio, memory, ratio_cost in self._ratios(state, event, voice):
                for value, value_cost in values:
                    lasts = int(value * ratio)
                    for onset, onset_cost in onsets:
                        total = cost + ratio_cost + value_cost + onset_cost
                        end = onset + lasts
                        if end > self.length:
                            total += LONG_COST / 3
                        ends = (end, state.ends[1]) if voice == 0 else (state.ends[0], end)
                        result.append(
                            _State(
                                total,
                                ends,
                                event.x,
                                onset,
                                voice,
                                event.height,
                                memory,
                                beams,
                                state,
                                onset,
                                lasts,
                                voice,
                                event,
                            )
                        )
        return result

    def _full_rests(self, state: _State, event: Event) -> list[_State]:
        """A whole rest alone in its voice lasts as long as the measure."""
        result = []
        for voice in (0, 1):
            if state.ends[voice] >= 0:
                continue
            ends = (self.length, state.ends[1]) if voice == 0 else (state.ends[0], self.length)
            result.append(
                state._replace(
                    cost=state.cost + _rest_cost(event, voice, state),
                    ends=ends,
                    before=state,
                    onset=0,
                    lasts=self.length,
                    voice=voice,
                    event=event,
                )
            )
        return result

    def _onsets(
        self, state: _State, event: Event, voice: int, known: Sequence[int]
    ) -> list[tuple[int, float]]:
        """When an event may start in a voice, each with its cost."""
        end = max(state.ends[voice], 0)
        costs = {end: 0.0}
        for onset in (state.ends[1 - voice], state.last_onset, *known):
            if onset > end:
                costs.setdefault(onset, _GAP_COST[voice])
        result = []
        for onset, cost in costs.items():
            if state.last_voice >= 0:
                cost += _column_cost((event.x - state.last_x) / self.space, onset, state.last_onset)
            if self.times is not None:
                if onset not in self.costs:
                    self.costs[onset] = self.times.cost(event.x, Fraction(onset, self.unit))
                cost += self.costs[onset]
            result.append((onset, cost))
        return result

    def _ratios(
        self, state: _State, event: Event, voice: int
    ) -> list[tuple[Fraction, tuple[int, ...], float]]:
        """Ratios that the tuplets around an event give it in a voice, and what is then known of them."""
        options = [(Fraction(1), state.tuplets, 0.0)]
        for number in event.tuplets:
            tuplet = self.tuplets[number]
            known = state.tuplets[number]
            if known >= 0:
                own = tuplet.ratios[known // 2] if known % 2 == voice else 1
                options = [(ratio * own, memory, cost) for ratio, memory, cost in options]
                continue
            side_cost = self._side_cost(state, event, voice, tuplet)
            new: list[tuple[Fraction, tuple[int, ...], float]] = []
            for ratio, memory, cost in options:
                for index, own in enumerate(tuplet.ratios):
                    changed = (*memory[:number], 2 * index + voice, *memory[number + 1 :])
                    extra = side_cost + _OTHER_RATIO_COST * index + _GUESSED_TUPLET_COST * tuplet.is_guessed
                    new.append((ratio * own, changed, cost + extra))
                new.append((ratio, memory, cost))
            options = new
        return options

    def _side_cost(self, state: _State, event: Event, voice: int, tuplet: TupletRatio) -> float:
        if tuplet.beam_group is not None and tuplet.beam_group == event.beam_group:
            return 0.0
        if tuplet.is_above == (voice == 0):
            return 0.0
        return 0.1 if state.ends[1 - voice] < 0 else _SWAPPED_TUPLET_COST


def _column_cost(dx: float, onset: int, last: int) -> float:
    """What it costs that an event some staff spaces to the right of the last one starts then."""
    if onset < last:
        return _BACKWARD_COST + dx
    if onset == last:
        if dx < SAME_COLUMN:
            return 0.0
        if dx > DOTTED_COLUMN:
            return _BACKWARD_COST + dx / 2
        return _TOGETHER_COST if dx < WIDE_COLUMN else _APART_COST
    if dx < SAME_COLUMN:
        return _BACKWARD_COST
    return _SQUEEZED_COST if dx < NEXT_COLUMN else 0.0


def _voice_cost(event: Event, voice: int, state: _State) -> float:
    cost = _SECOND_VOICE_COST if voice == 1 and state.ends[1] < 0 else 0.0
    if event.is_spacer:
        return cost
    if event.rest is not None:
        return cost + _rest_cost(event, voice, state)
    if event.stem != "none" and (event.stem == "up") != (voice == 0):
        # A voice alone on its staff turns its stems as the height of its notes wants.
        is_alone = voice == 0 and state.ends[1] <= max(state.ends[0], 0)
        cost += _LONE_STEM_COST if is_alone and state.ends[1] < 0 else _STEM_COST / (1 + is_alone)
    is_crossing = (event.height > state.last_height) != (voice == 0)
    if is_crossing and state.last_voice == 1 - voice and event.stem == "none":
        cost += _CROSSING_COST
    return cost


def _rest_cost(event: Event, voice: int, state: _State) -> float:
    offset = event.height - _MIDDLE if voice == 1 else _MIDDLE - event.height
    return _REST_COST * max(0.0, min(offset, 8.0) - 1.0)
