"""The voices of a measure: which events follow each other, so that they fill it.

Staves are read one by one; what the sure ones tell about time helps with the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from docai.pipelines.drawings.score.events import Event, Quarters, TupletRatio
from docai.pipelines.drawings.score.rhythm import DrawnMeasure
from docai.pipelines.drawings.score.time_map import NEXT_COLUMN, SAME_COLUMN, TimeMap
from docai.pipelines.drawings.score.voice_search import Placed, StaffReading, search_voices

SOUND_COST = 1.0
"""Up to this cost a staff in a measure is taken to be read as it is meant."""
_MAX_LENGTHS = 3
"""Lengths that are tried for a measure that does not fill its meter."""
_MAX_RETRIED = 150
"""Events of a measure in which other lengths than that of the meter are tried."""
_PICKUP_COST = 0.5
_IMPLIED_COST = 1.0
"""Of triplets in a measure whose number is not printed."""
_TRIPLET = Fraction(2, 3)
_OTHER_LENGTH_COST = 5.0
"""Of a measure in the middle of a piece that does not fill its meter."""


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
    return search_voices(events, tuplets, length, space, times)


def _fits_times(reading: StaffReading, times: TimeMap) -> bool:
    return all(one.event.is_full_rest or not times.cost(one.event.x, one.onset) for one in reading.placed)


def _read_as_one_voice(
    events: Sequence[Event], tuplets: Sequence[TupletRatio], length: Quarters, space: float
) -> StaffReading | None:
    """One voice that fills the measure, where the events simply follow each other; None where not."""
    if len(events) == 1 and events[0].is_full_rest:
        return StaffReading((Placed(Fraction(0), length, events[0], 0),), 0.0, 1, length)
    placed = []
    now = Fraction(0)
    last = -1e9
    for event in events:
        if event.x - last < NEXT_COLUMN * space or event.is_spacer:
            return None
        last = event.x
        ratio = Fraction(1)
        for number in event.tuplets:
            ratio *= tuplets[number].ratios[0]
        value = event.values[0][0] * ratio
        placed.append(Placed(now, value, event, 0))
        now += value
    return StaffReading(tuple(placed), 0.0, 1, length) if now == length else None


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
        best = _with_implied_triplets(measure, length, space, best)
    n_events = sum(map(len, measure.staves.values()))
    for other in likely_lengths(measure, space) if best is None or n_events <= _MAX_RETRIED else ():
        if other == length or other <= 0:
            continue
        readings, cost = _solve_for(measure, other, space)
        # Another length than that of the meter is right for a pickup, and for what is written so.
        if length is not None:
            cost += _PICKUP_COST if measure.is_edge and other < length else _OTHER_LENGTH_COST
        if best is None or cost < best[1]:
            best = readings, cost
    return best or _solve_for(measure, Fraction(4), space)


def _with_implied_triplets(
    measure: DrawnMeasure, length: Quarters, space: float, best: tuple[dict[int, StaffReading], float]
) -> tuple[dict[int, StaffReading], float]:
    """The reading with triplets whose 3 is not printed, where it is the better one; else that given.

    After the first triplets of a passage most engravers leave out the number.
    """
    implied = replace(measure, staves=dict(measure.staves), tuplets=list(measure.tuplets))
    for staff, events in measure.staves.items():
        if best[0][staff].cost < SOUND_COST:
            continue
        numbers: dict[int, int] = {}
        for group in _equal_threes(events):
            numbers[group] = len(implied.tuplets)
            is_above = any(event.stem == "up" for event in events if event.beam_group == group)
            implied.tuplets.append(TupletRatio((_TRIPLET,), group, is_above, is_guessed=True))
        implied.staves[staff] = [
            replace(event, tuplets=(numbers[event.beam_group],)) if event.beam_group in numbers else event
            for event in events
        ]
    if len(implied.tuplets) == len(measure.tuplets):
        return best
    readings, cost = _solve_for(implied, length, space)
    cost += _IMPLIED_COST
    if cost >= best[1]:
        return best
    measure.staves, measure.tuplets = implied.staves, implied.tuplets
    return readings, cost


def _equal_threes(events: Sequence[Event]) -> list[int]:
    """Beams over three, six, … equal notes of no tuplet that is printed."""
    groups: dict[int, list[Event]] = {}
    for event in events:
        if event.beam_group is not None:
            groups.setdefault(event.beam_group, []).append(event)
    return [
        group
        for group, own in groups.items()
        if len(own) % 3 == 0
        and len({event.values[0][0] for event in own}) == 1
        and not any(event.tuplets or event.n_dots or event.is_spacer for event in own)
    ]


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
    """Read staves again that do not fill the measure, or contradict others, with the onsets of the rest."""
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
        is_double = any(b.x - a.x < SAME_COLUMN * space for a, b in pairwise(own))
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
