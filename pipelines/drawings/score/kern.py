"""The ``**kern`` text of a system whose measures are read: a spine for each staff, the lowest first.

A staff with two voices is a split spine, ``*^`` after the barline and ``*v *v`` before the next, with the
upper voice on the left; where a voice is silent without a rest, kern has a rest that is not shown (``yy``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from docai.pipelines.drawings.score.events import Quarters
from docai.pipelines.drawings.score.notes import TokenWriter, recip_of, recip_of_rest
from docai.pipelines.drawings.score.rhythm import DrawnMeasure
from docai.pipelines.drawings.score.types import System
from docai.pipelines.drawings.score.voice_search import Placed, StaffReading

_MAIN = 1_000_000
"""Place of a note among the grace notes before it."""
_GAP_VALUES = tuple(Fraction(2**power) for power in range(4, -7, -1))


@dataclass(slots=True)
class MeasureText:
    """One measure as it will be written; staves in the order of spines."""

    opening: str
    voices: list[list[dict[tuple[Quarters, int], str]]]
    """For each staff its voices: tokens by onset and place among grace notes."""
    changes: list[list[str]] = field(default_factory=list)
    """Lines of interpretations at its start, one field a staff."""
    inner_changes: dict[Quarters, list[list[str]]] = field(default_factory=dict)
    """The same before what begins at a time."""


def write_kern(measures: Sequence[MeasureText], opening: Sequence[Sequence[str]], final: str) -> str:
    """The kern text of measures; ``opening`` are lines of clefs and the like, one field a staff."""
    n_staves = len(measures[0].voices) if measures else 0
    lines = [["**kern"] * n_staves, *(list(fields) for fields in opening)]
    n_voices = [1] * n_staves
    for number, measure in enumerate(measures, 1):
        wanted = [max(1, len(voices)) for voices in measure.voices]
        lines += _joins(n_voices, wanted)
        lines.append([f"={number}{measure.opening}"] * sum(n_voices))
        lines += [_repeat(fields, n_voices) for fields in measure.changes]
        lines += _splits(n_voices, wanted)
        lines += _data_lines(measure, n_voices)
    lines += _joins(n_voices, [1] * n_staves)
    lines += [[final] * n_staves, ["*-"] * n_staves]
    return "\n".join("\t".join(line) for line in lines) + "\n"


def _repeat(fields: Sequence[str], n_voices: Sequence[int]) -> list[str]:
    return [field for field, count in zip(fields, n_voices, strict=True) for _ in range(count)]


def _joins(n_voices: list[int], wanted: Sequence[int]) -> list[list[str]]:
    """Lines that join spines, one for each staff: adjacent joins on one line would be a single join."""
    lines = []
    for staff, number in enumerate(wanted):
        if n_voices[staff] > number:
            lines.append(
                [
                    "*v" if index == staff else "*"
                    for index, count in enumerate(n_voices)
                    for _ in range(count)
                ]
            )
            n_voices[staff] = 1
    return lines


def _splits(n_voices: list[int], wanted: Sequence[int]) -> list[list[str]]:
    lines = []
    while any(old < new for old, new in zip(n_voices, wanted, strict=True)):
        line: list[str] = []
        for staff, (old, new) in enumerate(zip(n_voices, wanted, strict=True)):
            line += ["*^" if old < new else "*"] + ["*"] * (old - 1)
            n_voices[staff] = old + (old < new)
        lines.append(line)
    return lines


def _data_lines(measure: MeasureText, n_voices: Sequence[int]) -> list[list[str]]:
    columns = [voice for voices in measure.voices for voice in voices]
    times = sorted({time for column in columns for time in column})
    pending = sorted(measure.inner_changes)
    lines = []
    for time in times:
        while pending and pending[0] <= time[0]:
            lines += [_repeat(fields, n_voices) for fields in measure.inner_changes[pending.pop(0)]]
        lines.append([column.get(time, ".") for column in columns])
    for late in pending:
        lines += [_repeat(fields, n_voices) for fields in measure.inner_changes[late]]
    return lines


def voice_texts(
    system: System,
    measure: DrawnMeasure,
    staff: int,
    reading: StaffReading | None,
    length: Quarters,
    writer: TokenWriter,
) -> list[dict[tuple[Quarters, int], str]]:
    """The voices of a staff in a measure as tokens by time."""
    placed = list(reading.placed) if reading else []
    voices = [
        [one for one in placed if one.voice == voice] for voice in sorted({one.voice for one in placed})
    ]
    if not voices:
        return [{(Fraction(0), _MAIN): f"{recip_of_rest(length)}ryy"}]
    texts: list[dict[tuple[Quarters, int], str]] = []
    longest = max(max(one.onset + one.length for one in voice) for voice in voices)
    for number, voice in enumerate(voices):
        text: dict[tuple[Quarters, int], str] = {}
        now = Fraction(0)
        for one in voice:
            if one.onset > now:
                _fill_gap(text, now, one.onset)
            text[max(one.onset, now), _MAIN] = _token(one, staff, writer)
            now = max(one.onset, now) + one.length
        # A first voice that stops early is kept as it is read; a second may, once the first goes on.
        if number or len(voices) > 1:
            _fill_gap(text, now, max(longest, length) if longest <= length else longest)
        texts.append(text)
    _add_graces(system, measure, staff, voices, texts, writer)
    return texts


def _token(placed: Placed, staff: int, writer: TokenWriter) -> str:
    event = placed.event
    if event.chord is not None:
        recip = recip_of(placed.length, event.n_dots)
        return writer.chord(event.chord, event.heads, recip, is_beamed=event.beam_group is not None)
    if event.rest is not None:
        is_stretched = event.is_full_rest and placed.length != event.values[0][0]
        recip = recip_of_rest(placed.length) if is_stretched else recip_of(placed.length, event.n_dots)
        return writer.rest(event.rest, recip)
    return f"{recip_of(placed.length, event.n_dots)}ryy"


def _fill_gap(text: dict[tuple[Quarters, int], str], begin: Quarters, end: Quarters) -> None:
    """Hidden rests from one time to another."""
    now = begin
    while now < end:
        value = next((value for value in _GAP_VALUES if value <= end - now and now % value == 0), None)
        if value is None:
            value = end - now
        text[now, _MAIN] = f"{recip_of(value)}ryy"
        now += value


def _add_graces(
    system: System,
    measure: DrawnMeasure,
    staff: int,
    voices: Sequence[Sequence[Placed]],
    texts: Sequence[dict[tuple[Quarters, int], str]],
    writer: TokenWriter,
) -> None:
    """Each grace note goes before the next note of a voice whose stems point as its own, else of any."""
    counts: dict[tuple[int, Quarters], int] = {}
    for x, chord in measure.graces.get(staff, []):
        stem = system.chords[chord].stem
        best: tuple[float, int, Quarters] | None = None
        for number, voice in enumerate(voices):
            after = next((one for one in voice if one.event.x > x and one.event.chord is not None), None)
            if after is None or after.event.chord is None:
                continue
            is_other = len(voices) > 1 and stem != "none" and (stem == "up") != (number == 0)
            distance = after.event.x - x + is_other * 0.5 * system.staves[staff].space
            if best is None or distance < best[0]:
                best = distance, number, after.onset
        if best is None:
            last = max(voices[0], key=lambda one: one.onset)
            best = 0.0, 0, last.onset + last.length
        number, onset = best[1], best[2]
        count = counts.get((number, onset), 0)
        counts[number, onset] = count + 1
        texts[number][onset, count] = writer.grace(chord, staff)
