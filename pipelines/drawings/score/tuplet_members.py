"""Which events a tuplet covers, and what it does to their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from docai.pipelines.drawings.score.events import Event, Quarters
from docai.pipelines.drawings.score.types import Tuplet

_NORMALS: dict[int, tuple[int, ...]] = {
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
_NUMBER_OFF_SPACES = 3.0
"""Staff spaces by which the number of a tuplet may be off the middle of its notes."""
_BRACKET_OFF_SPACES = 1.0
"""Staff spaces by which a note may stand out of the bracket around it."""
_END_OFF_SPACES = 1.6
"""Staff spaces between the end of a bracket and the note there."""
_MAX_RUN = 64
"""Notes of a beam among which those of a tuplet are looked for."""


def ratios_of(numbers: Sequence[int]) -> tuple[Fraction, ...]:
    """What a tuplet's numbers may multiply note values by, the likeliest first."""
    if len(numbers) >= 2 and numbers[0] > 0 and numbers[1] > 0:
        return (Fraction(numbers[1], numbers[0]),)
    if not numbers or not 2 <= numbers[0] <= 64:
        return ()
    number = numbers[0]
    normals = _NORMALS.get(number) or (1 << (number.bit_length() - 1),)
    return tuple(Fraction(normal, number) for normal in normals if normal != number)


def tuplet_members(tuplet: Tuplet, staves: Mapping[int, Sequence[Event]], space: float) -> list[Event]:
    """The events of a measure that a tuplet may cover; in two voices those of both.

    Args:
        tuplet: the tuplet; ratios_of its numbers must not be empty.
        staves: events of the measure by staff.
        space: of the staff, points.
    """
    number = tuplet.numbers[0]
    if not tuplet.has_bracket:
        group = [
            event
            for events in staves.values()
            for event in events
            if tuplet.beam_group is not None and event.beam_group == tuplet.beam_group
        ]
        middle = (tuplet.x0 + tuplet.x1) / 2 if tuplet.number_x is None else tuplet.number_x
        if group:
            return _run_at([group], middle, number, space) or group
        events = list(staves.get(tuplet.staff, ()))
        return _run_at(list(_voices(events)), middle, number, space) or _in_bracket(tuplet, events, space)
    own = _in_bracket(tuplet, staves.get(tuplet.staff, ()), space)
    if _adds_up(own, tuplet, space):
        return own
    # Between two staves it may be that of the other.
    for staff in (tuplet.staff + 1, tuplet.staff - 1):
        others = _in_bracket(tuplet, staves.get(staff, ()), space)
        if _adds_up(others, tuplet, space):
            return others
    return own


def _in_bracket(tuplet: Tuplet, events: Sequence[Event], space: float) -> list[Event]:
    margin = _BRACKET_OFF_SPACES * space
    return [event for event in events if tuplet.x0 - margin <= event.x <= tuplet.x1 + margin]


def _adds_up(events: Sequence[Event], tuplet: Tuplet, space: float) -> bool:
    """Some voice of the events has as many notes of one value as the number says, from end to end."""
    for voice in _voices(events):
        margin = _END_OFF_SPACES * space
        if abs(voice[0].x - tuplet.x0) > margin or abs(voice[-1].x - tuplet.x1) > margin:
            continue
        if _is_plain(sum((event.values[0][0] for event in voice), Fraction(0)) / tuplet.numbers[0]):
            return True
    return False


def _voices(events: Sequence[Event]) -> Iterator[list[Event]]:
    if events:
        yield list(events)
    for stem in ("up", "down"):
        voice = [event for event in events if event.stem in (stem, "none")]
        if voice and len(voice) < len(events):
            yield voice


def _is_plain(unit: Quarters) -> bool:
    """A value of a note without dots."""
    above, below = unit.numerator, unit.denominator
    return above & (above - 1) == 0 and below & (below - 1) == 0 and above in (1, 2, 4) and below <= 256


def _run_at(voices: Sequence[Sequence[Event]], x: float, number: int, space: float) -> list[Event]:
    """The events at the number of a tuplet without a bracket: as many notes as it says, about it.

    They may be part of a longer beam. Empty where no run adds up to the number.
    """
    best: tuple[float, Sequence[Event]] | None = None
    for voice in voices:
        events = sorted(voice, key=lambda event: event.x)
        for begin in range(len(events)):
            total = Fraction(0)
            for end in range(begin, min(len(events), begin + _MAX_RUN)):
                total += events[end].values[0][0]
                off = abs((events[begin].x + events[end].x) / 2 - x) / space
                if end == begin or off > _NUMBER_OFF_SPACES or not _is_plain(total / number):
                    continue
                run = events[begin : end + 1]
                off += _run_cost(run, total / number, number)
                if best is None or off < best[0]:
                    best = off, run
    return list(best[1]) if best else []


def _run_cost(run: Sequence[Event], unit: Quarters, number: int) -> float:
    """As many notes as the number says, of one value, are likelier than fewer longer ones."""
    return 2.0 * (len(run) != number) + 2.0 * all(event.values[0][0] != unit for event in run)
