"""Whether the notes of a kern text start together and fill their measures.

Each field is read by :mod:`docai.parsers.score_notes`, each note that is sound becomes an event.
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
    PER_QUARTER,
    KernField,
    KernNote,
    Ticks,
    denominator,
    in_quarters,
    of_short_texts,
    read_field,
    read_recip,
    to_ticks,
    tuplet_of,
    written,
)
from docai.parsers.score_spines import Spine, SpineLine

_STAFF = re.compile(r"\*staff(\d{1,3})")

_MIDI_PITCHES = range(128)


class EventList:
    """Gathers the events of one score. ``events`` may be read at any time.

    Attributes:
        events: What was gathered, by line, then from left to right, then by place in the chord.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._staves: dict[int, int] = {}
        self._tracks: list[int] = []
        self._spines: tuple[Spine, ...] = ()
        self._places: dict[int, tuple[int, int, int]] = {}
        self._known: dict[int, tuple[KernField, list[dict[str, Any]]]] = {}

    def interpretation(self, line: SpineLine) -> None:
        """Take note of the staves that the line names."""
        for spine, text in zip(line.spines, line.fields, strict=True):
            if match := _STAFF.fullmatch(text):
                self._staves[spine.track] = max(1, int(match[1]))
                self._spines = ()

    def add(self, line: SpineLine, column: int, field: KernField, onset: Ticks, measure: int) -> None:
        """Add the notes of one field, which start at ``onset`` (ticks since the start)."""
        number, voice, staff = self._place(line.spines, column)
        start = written(onset)
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
        """What the notes of a field say, wherever they stand. The same few fields come again and again."""
        known = self._known.get(id(field))
        if known is None:
            recip = field.notes[0].recip
            known = (field, [_of_note(note, note.recip or recip) for note in field.notes])
            for place, values in enumerate(known[1], start=1):
                values["duration"] = str(field.duration)
                if len(field.notes) > 1:
                    values["chord"] = place
            self._known[id(field)] = known
        return known[1]

    def _place(self, spines: tuple[Spine, ...], column: int) -> tuple[int, int, int]:
        """Number of the kern spine from the left, as they first came, its voice there, and its staff."""
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
                # Spines go from the lowest staff up, staves from the top down.
                staff = self._staves.get(track) or len(self._tracks) - number + 1
                self._places[index] = (number, voices[track], staff)
        return self._places[column]


def _of_note(note: KernNote, recip: str) -> dict[str, Any]:
    """The fields of an event that its note alone decides, without those that say nothing."""
    values: dict[str, Any] = {"kind": "rest" if note.is_rest else "note"}
    semitone = note.semitone
    if semitone is not None:
        values["pitch"] = note.pitch
        if semitone in _MIDI_PITCHES:
            values["midi"] = semitone
    found = {
        "accidental": note.accidental,
        "dots": recip.count("."),
        "tuplet": None if note.is_grace else tuplet_of(recip),
        "grace": note.is_grace,
        "tie": note.tie,
        "slurs": note.slurs,
        "beams": note.beams,
        "signs": note.other_signs,
    }
    values.update({name: value for name, value in found.items() if value})
    return values


__all__ = ["KernField", "KernNote", "MeasureCheck", "read_field"]

_TEMPO = re.compile(r"\*MM[1-9]\d{0,2}(?:\.\d{1,3})?")

_SPECIAL_BAR = re.compile(r"=.*[:|!=]|=.*-")

_LABEL = re.compile(r"\*>[^\[]*$")

_MAX_DENOMINATOR = 1_000_000
"""Beyond it durations are nonsense, and exact sums of nonsense take for ever."""

# A note costs music21 most of a millisecond, a further one of its chord half of one, a measure 1.5; with
# these grow the cube of the fields of a measure and the square of the notes of a chord. Measured with music21
# 10.5, in units of 0.2 us.
_FIELD_WORK = 3_500

_NOTE_WORK = 2_500

_MEASURE_WORK = 7_000

_CHORD_WORK = 15

_KEY_WORK = 400


class _Sign(NamedTuple):
    """What an interpretation says about time."""

    is_timed: bool
    """A meter or tempo."""
    meter: Ticks | None
    """Length of a measure, where a meter is named."""
    is_label: bool


@of_short_texts(1 << 10)
def _sign(text: str) -> _Sign:
    match = METER.fullmatch(text)
    beat = read_recip(match[2]) if match else None
    meter = to_ticks(beat * sum(map(int, match[1].split("+")))) if match and beat else None
    return _Sign(
        match is not None or _TEMPO.fullmatch(text) is not None,
        meter,
        _LABEL.match(text) is not None,
    )


@dataclass
class MeasureCheck:
    """Adds up the durations of each measure. Findings are warnings: musicians bend meters.

    The first and last measures may be short (a pickup), as may those beside a double bar or repeat, as
    long as all spines agree.
    """

    log: IssueLog
    events: EventList | None = None
    """Takes the notes and rests that can be read."""
    measures: list[tuple[int, int]] = field(default_factory=list)
    """Numbers of the first and the last line of notes of each measure."""
    n_notes: int = 0
    n_fields: int = 0
    """Fields of notes or rests, also those that cannot be read."""
    n_barlines: int = 0
    n_cut: int = 0
    """Measures by the meter that notes last longer than theirs: in MusicXML they are cut into as many."""
    work: int = 0
    """What the notes cost music21, in units of 0.2 us on one core of 2026."""
    signs: list[tuple[Fraction, str]] = field(default_factory=list)
    """Meters and tempi, such as ``*M3/4`` and ``*MM72``, and when they are given in quarter notes."""
    edges: set[Ticks] = field(default_factory=set)
    """Times since the start, in ticks, at which the passage or a section of it begins or ends."""
    _start: Ticks = 0
    _now: Ticks = 0
    _first_line: int | None = None
    _last_line: int = 0
    _at_special: bool = True
    _held: str | None = None
    _misaligned: bool = False
    _seen_meter: bool = field(default=False)

    @property
    def n_measures(self) -> int:
        """Stretches between barlines that hold notes or rests."""
        return len(self.measures)

    def interpretation(self, line: SpineLine) -> None:
        self.work += _FIELD_WORK * (len(line.fields) - line.fields.count("*"))
        if self.events is not None:
            self.events.interpretation(line)
        for text in dict.fromkeys(line.fields):
            sign = _sign(text)
            if sign.is_timed:
                self.signs.append((in_quarters(self._start + _end_of(line.spines)), text))
            if sign.is_label:
                self.edges.add(self._start + _end_of(line.spines))
        for spine, text in zip(line.spines, line.fields, strict=True):
            sign = _sign(text)
            if text.startswith("*k["):
                self.work += _KEY_WORK * len(text)
            if sign.meter is not None:
                spine.meter = sign.meter
                self._seen_meter = True
            elif text == "*MX":
                spine.meter = None

    def data(self, line: SpineLine) -> None:
        found: list[tuple[int, Spine, str, KernField | None]] = []
        start: Ticks | None = None
        is_aligned = True
        for column, (spine, text) in enumerate(zip(line.spines, line.fields, strict=True)):
            if text == "." or spine.kind != "**kern":
                continue
            parsed = read_field(text)
            found.append((column, spine, text, parsed))
            if parsed is not None and parsed.ticks and spine.is_timed:
                is_aligned = is_aligned and start in (None, spine.time)
                start = spine.time if start is None else max(start, spine.time)
        if not found:
            return
        self._first_line = self._first_line or line.number
        self._last_line = line.number
        self.n_fields += len(found)
        # Where a spine has lost count, the others tell the time.
        self._now = self._now if start is None else start
        if not is_aligned and not self._misaligned:
            self._misaligned = True
            self.log.add("score-misaligned", f"Line {line.number}: its notes start at different times.")
        for column, spine, text, parsed in found:
            if parsed is None:
                self.log.add("score-bad-token", f"Line {line.number}: {quote(text)} is no note or rest.")
                spine.is_timed = False
                continue
            if self.events is not None:
                onset = self._start + (spine.time if spine.is_timed else self._now)
                self.events.add(line, column, parsed, onset, self.n_measures + 1)
            self._count(line, spine, parsed)

    def _count(self, line: SpineLine, spine: Spine, parsed: KernField) -> None:
        self.n_notes += parsed.n_notes
        spine.n_fields += 1
        self.work += _chord_work(len(parsed.notes))
        if len(parsed.durations) > 1:
            told = _told(parsed.durations)
            self.log.add("score-chord-duration", f"Line {line.number}: the notes of a chord last {told}.")
        if spine.meter and parsed.ticks > spine.meter:
            n_cut = parsed.ticks // spine.meter
            self.n_cut += n_cut
            self.work += _MEASURE_WORK * n_cut
        if not parsed.ticks:
            return
        spine.has_notes = True
        if not spine.is_timed:
            return
        spine.time += parsed.ticks
        if _is_nonsense(spine.time):
            spine.is_timed = False
            spine.time = 0

    def barline(self, line: SpineLine) -> None:
        self.n_barlines += 1
        self.work += _MEASURE_WORK * len(line.fields)
        self._close(line.spines, at_special=any(_SPECIAL_BAR.match(text) for text in line.fields))

    def end(self, spines: Sequence[Spine]) -> None:
        self._close(spines, at_special=True)
        if self.n_notes and not self._seen_meter:
            self.log.add("score-no-meter", "No meter is given, so durations were not checked against it.")

    def _close(self, spines: Sequence[Spine], *, at_special: bool) -> None:
        if self._first_line is not None:
            # A measure that turns out to be the last one may be short: its finding waits for the next.
            if self._held:
                self.log.add("score-measure-duration", self._held)
            self.measures.append((self._first_line, self._last_line))
            self._held = self._fault(spines, lenient=at_special or self._at_special)
            self._start += _end_of(spines)
            if _is_nonsense(self._start):
                self._start = -(-self._start // PER_QUARTER) * PER_QUARTER
        if at_special or not self.edges:
            self.edges.add(self._start)
        self._at_special = at_special
        self._now = 0
        self._first_line = None
        self._misaligned = False
        for spine in spines:
            self.work += spine.n_fields**3
            spine.n_fields = 0
            spine.time = 0
            spine.has_notes = False
            spine.is_timed = True

    def _fault(self, spines: Sequence[Spine], *, lenient: bool) -> str | None:
        timed = [spine for spine in spines if spine.kind == "**kern" and spine.has_notes and spine.is_timed]
        lengths = {spine.time for spine in timed}
        name = f"Measure {self.n_measures}"
        if len(lengths) > 1 and len({spine.meter for spine in timed}) == 1:
            told = _told(map(in_quarters, lengths))
            self.log.add("score-measure-duration", f"{name}: the spines last {told}.")
            return None
        if lenient:
            return None
        for spine in timed:
            if spine.meter is not None and spine.time != spine.meter:
                told = f"{written(spine.time)} quarter notes; the meter says {written(spine.meter)}"
                return f"{name} lasts {told}."
        return None


def _end_of(spines: Sequence[Spine]) -> Ticks:
    """How long the measure lasts so far."""
    return max((spine.time for spine in spines if spine.is_timed), default=0)


def _chord_work(n_notes: int) -> int:
    return _FIELD_WORK + _NOTE_WORK * (n_notes - 1) + _CHORD_WORK * n_notes**2


def _is_nonsense(time: Ticks) -> bool:
    return not isinstance(time, int) and denominator(time) > _MAX_DENOMINATOR


def _told(lengths: Iterable[Fraction]) -> str:
    return f"{', '.join(map(str, sorted(lengths)[:4]))} quarter notes"
