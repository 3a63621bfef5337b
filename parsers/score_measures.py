"""The measures and events of a kern text.

:class:`MeasureCheck` takes the lines of a score one by one and checks that the notes of a line start together
and that each measure is filled. Each valid note or rest becomes a typed event in an :class:`EventList`.
Fields are read by :mod:`docai.parsers.score_notes`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from docai.contents import Event
from docai.parsers.base import IssueLog, quote
from docai.parsers.score_notes import (
    METER,
    TICKS_PER_QUARTER,
    KernField,
    KernNote,
    Ticks,
    cache_short_texts,
    denominator_in_quarters,
    format_ticks,
    quarters_to_ticks,
    read_field,
    read_recip,
    ticks_to_quarters,
    tuplet_of,
)
from docai.parsers.score_spines import Spine, SpineLine

_MAX_DENOMINATOR = 1_000_000
"""Durations with a larger denominator are not music, and their exact sums take very long."""

# Time that music21 10.5 takes, measured in units of 0.2 us: most of a millisecond for a note, half of one for
# a further note of a chord, 1.5 for a measure; plus terms in the cube of the fields of a measure and in the
# square of the notes of a chord.
_WORK_PER_FIELD = 3_500

_WORK_PER_CHORD_NOTE = 2_500

_WORK_PER_MEASURE = 7_000

_WORK_PER_SQUARED_CHORD_NOTE = 15

_WORK_PER_KEY_CHAR = 400

_TEMPO_MARK = re.compile(r"\*MM[1-9]\d{0,2}(?:\.\d{1,3})?")

_SECTION_BARLINE = re.compile(r"=.*[:|!=]|=.*-")

_SECTION_LABEL = re.compile(r"\*>[^\[]*$")

_STAFF_MARK = re.compile(r"\*staff(\d{1,3})")

_MIDI_PITCHES = range(128)


@dataclass
class MeasureCheck:
    """Adds up the durations of each measure. Its issues are warnings: real music breaks the rules of meter.

    The first and last measures, and those beside a double bar or repeat, may be short (a pickup) as long as
    all spines agree. Call :meth:`add` with the lines in order, then
    :meth:`finish`.
    """

    log: IssueLog
    events: EventList | None = None
    """Receives the valid notes and rests."""
    measures: list[tuple[int, int]] = field(default_factory=list)
    """First and last line (from 1) of the notes of each measure."""
    n_notes: int = 0
    n_fields: int = 0
    """Fields of notes or rests, including invalid ones."""
    n_barlines: int = 0
    n_split_measures: int = 0
    """Additional measures that MusicXML needs for notes longer than the meter, which it splits."""
    work: int = 0
    """Estimated time of music21 for the notes, in units of 0.2 us on one core of 2026."""
    meters_and_tempi: list[tuple[Fraction, str]] = field(default_factory=list)
    """Meters (``*M3/4``) and tempi (``*MM72``), each with its time in quarter notes since the start."""
    section_edges: set[Ticks] = field(default_factory=set)
    """Times since the start, in ticks, at which the passage or one of its sections starts or ends."""
    _measure_start: Ticks = 0
    _time_in_measure: Ticks = 0
    _first_line: int | None = None
    _last_line: int = 0
    _at_section_edge: bool = True
    _pending_message: str | None = None
    _reported_misaligned: bool = False
    _has_meter: bool = False

    @property
    def n_measures(self) -> int:
        """Number of measures with notes or rests."""
        return len(self.measures)

    def add(self, line: SpineLine) -> None:
        """Take the next line of the score."""
        if line.kind == "data":
            self._add_data(line)
        elif line.kind == "barline":
            self._add_barline(line)
        else:
            self._add_interpretation(line)

    def finish(self, spines: Sequence[Spine]) -> None:
        """End the last measure; ``spines`` are those of the last line."""
        self._close_measure(spines, at_section_edge=True)
        if self.n_notes and not self._has_meter:
            self.log.add(
                "score-no-meter", "The score has no meter, so durations were not checked against one."
            )

    def _add_interpretation(self, line: SpineLine) -> None:
        self.work += _WORK_PER_FIELD * (len(line.fields) - line.fields.count("*"))
        if self.events is not None:
            self.events.add_interpretation(line)
        for text in dict.fromkeys(line.fields):
            mark = _read_time_mark(text)
            if mark.is_timed:
                self.meters_and_tempi.append(
                    (ticks_to_quarters(self._measure_start + _elapsed(line.spines)), text)
                )
            if mark.is_label:
                self.section_edges.add(self._measure_start + _elapsed(line.spines))
        for spine, text in zip(line.spines, line.fields, strict=True):
            mark = _read_time_mark(text)
            if text.startswith("*k["):
                self.work += _WORK_PER_KEY_CHAR * len(text)
            if mark.meter is not None:
                spine.meter = mark.meter
                self._has_meter = True
            elif text == "*MX":
                spine.meter = None

    def _add_data(self, line: SpineLine) -> None:
        kern_fields: list[tuple[int, Spine, str, KernField | None]] = []
        start: Ticks | None = None
        is_aligned = True
        for column, (spine, text) in enumerate(zip(line.spines, line.fields, strict=True)):
            if text == "." or spine.kind != "**kern":
                continue
            parsed = read_field(text)
            kern_fields.append((column, spine, text, parsed))
            if parsed is not None and parsed.ticks and spine.is_timed:
                is_aligned = is_aligned and start in (None, spine.time)
                start = spine.time if start is None else max(start, spine.time)
        if not kern_fields:
            return
        self._first_line = self._first_line or line.number
        self._last_line = line.number
        self.n_fields += len(kern_fields)
        # Spines with invalid durations take their time from the others.
        self._time_in_measure = self._time_in_measure if start is None else start
        if not is_aligned and not self._reported_misaligned:
            self._reported_misaligned = True
            self.log.add("score-misaligned", f"Line {line.number}: the notes do not start at the same time.")
        for column, spine, text, parsed in kern_fields:
            if parsed is None:
                self.log.add(
                    "score-bad-token",
                    f"Line {line.number}: {quote(text)} is not a valid note, chord or rest.",
                )
                spine.is_timed = False
                continue
            if self.events is not None:
                onset = self._measure_start + (spine.time if spine.is_timed else self._time_in_measure)
                self.events.add(line, column, parsed, onset, self.n_measures + 1)
            self._count_field(line, spine, parsed)

    def _count_field(self, line: SpineLine, spine: Spine, parsed: KernField) -> None:
        self.n_notes += parsed.n_notes
        spine.n_fields += 1
        self.work += _work_of_chord(len(parsed.notes))
        if len(parsed.durations) > 1:
            durations = _list_durations(parsed.durations)
            self.log.add(
                "score-chord-duration",
                f"Line {line.number}: the notes of a chord have different durations: {durations}.",
            )
        if spine.meter and parsed.ticks > spine.meter:
            n_measures = parsed.ticks // spine.meter
            self.n_split_measures += n_measures
            self.work += _WORK_PER_MEASURE * n_measures
        if not parsed.ticks:
            return
        spine.has_notes = True
        if not spine.is_timed:
            return
        spine.time += parsed.ticks
        if _is_unreasonable(spine.time):
            spine.is_timed = False
            spine.time = 0

    def _add_barline(self, line: SpineLine) -> None:
        self.n_barlines += 1
        self.work += _WORK_PER_MEASURE * len(line.fields)
        self._close_measure(
            line.spines, at_section_edge=any(_SECTION_BARLINE.match(text) for text in line.fields)
        )

    def _close_measure(self, spines: Sequence[Spine], *, at_section_edge: bool) -> None:
        if self._first_line is not None:
            # The last measure may be short, so the message about a measure waits until the next one ends.
            if self._pending_message:
                self.log.add("score-measure-duration", self._pending_message)
            self.measures.append((self._first_line, self._last_line))
            self._pending_message = self._check_durations(
                spines, lenient=at_section_edge or self._at_section_edge
            )
            self._measure_start += _elapsed(spines)
            if _is_unreasonable(self._measure_start):
                self._measure_start = -(-self._measure_start // TICKS_PER_QUARTER) * TICKS_PER_QUARTER
        if at_section_edge or not self.section_edges:
            self.section_edges.add(self._measure_start)
        # A barline before the first note leaves that a pickup.
        is_empty = self._first_line is None
        self._at_section_edge = at_section_edge or (is_empty and self._at_section_edge)
        self._time_in_measure = 0
        self._first_line = None
        self._reported_misaligned = False
        for spine in spines:
            self.work += spine.n_fields**3
            spine.n_fields = 0
            spine.time = 0
            spine.has_notes = False
            spine.is_timed = True

    def _check_durations(self, spines: Sequence[Spine], *, lenient: bool) -> str | None:
        timed = [spine for spine in spines if spine.kind == "**kern" and spine.has_notes and spine.is_timed]
        lengths = {spine.time for spine in timed}
        name = f"Measure {self.n_measures}"
        if len(lengths) > 1 and len({spine.meter for spine in timed}) == 1:
            durations = _list_durations(map(ticks_to_quarters, lengths))
            self.log.add("score-measure-duration", f"{name}: the spines have different lengths: {durations}.")
            return None
        if lenient:
            return None
        for spine in timed:
            if spine.meter is not None and spine.time != spine.meter:
                length, expected = format_ticks(spine.time), format_ticks(spine.meter)
                return f"{name} lasts {length} quarter notes; its meter requires {expected}."
        return None


class _TimeMark(NamedTuple):
    """What one interpretation says about time."""

    is_timed: bool
    """It is a meter or tempo."""
    meter: Ticks | None
    """Length of a measure; None if the interpretation is not a meter."""
    is_label: bool
    """It labels a section."""


@cache_short_texts(1 << 10)
def _read_time_mark(text: str) -> _TimeMark:
    match = METER.fullmatch(text)
    beat = read_recip(match[2]) if match else None
    meter = quarters_to_ticks(beat * sum(map(int, match[1].split("+")))) if match and beat else None
    return _TimeMark(
        match is not None or _TEMPO_MARK.fullmatch(text) is not None,
        meter,
        _SECTION_LABEL.match(text) is not None,
    )


def _elapsed(spines: Sequence[Spine]) -> Ticks:
    """Length of the measure so far."""
    return max((spine.time for spine in spines if spine.is_timed), default=0)


def _work_of_chord(n_notes: int) -> int:
    return _WORK_PER_FIELD + _WORK_PER_CHORD_NOTE * (n_notes - 1) + _WORK_PER_SQUARED_CHORD_NOTE * n_notes**2


def _is_unreasonable(time: Ticks) -> bool:
    return not isinstance(time, int) and denominator_in_quarters(time) > _MAX_DENOMINATOR


def _list_durations(lengths: Iterable[Fraction]) -> str:
    return f"{', '.join(map(str, sorted(lengths)[:4]))} quarter notes"


class EventList:
    """Collects the events of one score.

    Attributes:
        events: The events so far, by line, then from left to right, then by position in the chord.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._staves: dict[int, int] = {}
        self._tracks: list[int] = []
        self._spines: tuple[Spine, ...] = ()
        self._places: dict[int, tuple[int, int, int]] = {}
        self._values_by_field: dict[int, tuple[KernField, list[dict[str, Any]]]] = {}

    def add_interpretation(self, line: SpineLine) -> None:
        """Remember the staff numbers that the line gives its spines."""
        for spine, text in zip(line.spines, line.fields, strict=True):
            if match := _STAFF_MARK.fullmatch(text):
                self._staves[spine.track] = max(1, int(match[1]))
                self._spines = ()

    def add(self, line: SpineLine, column: int, field: KernField, onset: Ticks, measure: int) -> None:
        """Add the notes of one field, which start ``onset`` ticks after the start of the score."""
        number, voice, staff = self._place(line.spines, column)
        start = format_ticks(onset)
        for values in self._values_of(field):
            self.events.append(
                Event(
                    line=line.number,
                    spine=number,
                    voice=voice,
                    staff=staff,
                    measure=measure,
                    onset=start,
                    **values,
                )
            )

    def _values_of(self, field: KernField) -> list[dict[str, Any]]:
        """Values of the field's events that do not depend on its position; cached, because fields repeat."""
        entry = self._values_by_field.get(id(field))
        if entry is None:
            recip = field.notes[0].recip
            entry = (field, [_note_values(note, note.recip or recip) for note in field.notes])
            for place, values in enumerate(entry[1], start=1):
                values["duration"] = str(field.duration)
                if len(field.notes) > 1:
                    values["chord"] = place
            self._values_by_field[id(field)] = entry
        return entry[1]

    def _place(self, spines: tuple[Spine, ...], column: int) -> tuple[int, int, int]:
        """Number of the kern spine (from 1, left to right), the voice in it, and the staff."""
        if self._spines is not spines:
            self._spines = spines
            self._places = {}
            voices: Counter[int] = Counter()
            kern = [(index, spine.track) for index, spine in enumerate(spines) if spine.kind == "**kern"]
            self._tracks = sorted({*self._tracks, *(track for _, track in kern)})
            number_of = {track: number for number, track in enumerate(self._tracks, start=1)}
            for index, track in kern:
                voices[track] += 1
                number = number_of[track]
                # Spines are numbered from the lowest staff upward, staves from the top down.
                staff = self._staves.get(track) or len(self._tracks) - number + 1
                self._places[index] = (number, voices[track], staff)
        return self._places[column]


def _note_values(note: KernNote, recip: str) -> dict[str, Any]:
    """Fields of an event that depend on its note alone, without those that have their default."""
    values: dict[str, Any] = {"kind": "rest" if note.is_rest else "note"}
    semitone = note.semitone
    if semitone is not None:
        values["pitch"] = note.pitch
        if semitone in _MIDI_PITCHES:
            values["midi"] = semitone
    optional = {
        "accidental": note.accidental,
        "dots": recip.count("."),
        "tuplet": None if note.is_grace else tuplet_of(recip),
        "grace": note.is_grace,
        "tie": note.tie,
        "slurs": note.slurs,
        "beams": note.beams,
        "signs": note.other_signs,
    }
    values.update({name: value for name, value in optional.items() if value})
    return values
