"""The measures of a system as they are read: their length by the meter, and the voices of each staff."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from docai.parsers.score_notes import METER, read_recip
from docai.pipelines.drawings.score.events import Quarters
from docai.pipelines.drawings.score.rhythm import DrawnMeasure
from docai.pipelines.drawings.score.types import System
from docai.pipelines.drawings.score.voice_search import StaffReading
from docai.pipelines.drawings.score.voices import likely_lengths, solve_measure

_DEFAULT_LENGTH = Fraction(4)
_MAX_RESTS = 999
"""Measures of one rest over several."""


@dataclass(frozen=True, slots=True)
class ReadMeasure:
    drawn: DrawnMeasure
    readings: Mapping[int, StaffReading]
    length: Quarters
    cost: float
    is_filled: bool
    expected: Quarters | None


def meters_of(system: System) -> list[tuple[float, tuple[str, ...], Quarters | None]]:
    """x, kern and length of a measure of each meter, those of the staves together."""
    space = max((staff.space for staff in system.staves), default=5.0)
    columns: list[list[tuple[float, tuple[str, ...]]]] = []
    for meter in sorted(system.meters, key=lambda meter: meter.x):
        if columns and meter.x - columns[-1][0][0] < 2 * space:
            columns[-1].append((meter.x, meter.kern))
        else:
            columns.append([(meter.x, meter.kern)])
    result = []
    for column in columns:
        kern = Counter(kern for _, kern in column).most_common(1)[0][0]
        # Kern has the meter before its symbol.
        kern = tuple(sorted(kern, key=lambda text: not METER.fullmatch(text)))
        result.append((column[0][0], kern, length_of_meter(kern)))
    return result


def length_of_meter(kern: Sequence[str]) -> Quarters | None:
    """Quarter notes in a measure of a meter such as ``*M3/4``; None where it says nothing."""
    for text in kern:
        match = METER.fullmatch(text)
        beat = read_recip(match[2]) if match else None
        if match and beat:
            return beat * sum(map(int, match[1].split("+")))
    return None


def read_measures(
    system: System, measures: Sequence[DrawnMeasure], usual: Quarters | None
) -> tuple[list[ReadMeasure], Quarters | None]:
    """The measures in their voices, and how long the meter at the end of the system lets one last.

    Args:
        system: the system.
        measures: with their events.
        usual: length of a measure by the meter before; None where no meter is known.
    """
    space = min((staff.space for staff in system.staves if not staff.is_tablature), default=5.0) or 5.0
    meters = meters_of(system)
    guess = _usual_length(measures, space) if usual is None else None
    read = []
    for measure in measures:
        first = min((event.x for events in measure.staves.values() for event in events), default=measure.x1)
        for x, _, length in meters:
            if x < first and length is not None and x >= measure.x0 - 2 * space:
                usual = length
        expected = usual or guess
        readings, cost = solve_measure(measure, expected, space)
        lengths = {one.length for one in readings.values()} or {expected or _DEFAULT_LENGTH}
        length = max(lengths)
        is_filled = len(lengths) == 1 and (
            expected in (None, length) or (measure.is_edge and expected is not None and length < expected)
        )
        one = ReadMeasure(measure, readings, length, cost, is_filled, expected)
        read += [one] * max(1, min(measure.n_rests, _MAX_RESTS))
    return read, usual


def _usual_length(measures: Sequence[DrawnMeasure], space: float) -> Quarters | None:
    """What most measures last, where no meter is drawn."""
    counts: Counter[Quarters] = Counter()
    for measure in measures:
        counts.update(likely_lengths(measure, space))
    return counts.most_common(1)[0][0] if counts else None
