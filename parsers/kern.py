"""Whether the notes of a kern text start together and fill their measures.

Each field is read by :mod:`docai.parsers.kern_notes`, each note that is sound becomes an event.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from docai.parsers.events import EventList
from docai.parsers.kern_notes import KernField, KernNote, read_field
from docai.parsers.notes import Notes, quote
from docai.parsers.spines import Spine, SpineLine

__all__ = ["KernField", "KernNote", "MeasureCheck", "read_field"]

_METER = re.compile(r"\*M(\d{1,3})/(\d{1,4})")
_TIMED_SIGN = re.compile(r"\*M[1-9]\d{0,2}/(?:1|2|4|8|16|32|64)|\*MM[1-9]\d{0,2}(?:\.\d{1,3})?")
_SPECIAL_BAR = re.compile(r"=.*[:|!=]|=.*-")
_LABEL = re.compile(r"\*>[^\[]*$")
_MAX_DENOMINATOR = 1_000_000
"""Beyond it durations are nonsense, and exact sums of nonsense take for ever."""

# A note costs music21 about a millisecond, and with it grow the cube of the fields of a measure and the
# square of the notes of a chord; a duration that no note value can write costs seconds. Measured with
# music21 10.5, in units of 0.2 us.
_FIELD_WORK = 4_000
_CHORD_WORK = 15
_ODD_WORK = 10_000_000
_ODD_NUMBER = re.compile(r"%|\d{4}|0\d")
# music21 takes the better part of a second to divide a measure of 100 beats, and never ends with one of 200.
_HUGE_METER = re.compile(r"\*M(?!M)(?:[^/]*\d{3}|6[5-9]|[7-9]\d|[^/]{9})")
_LONGEST = 64
_SHORTEST = 1024


@dataclass
class MeasureCheck:
    """Adds up the durations of each measure. Findings are warnings: musicians bend meters.

    The first and last measures may be short (a pickup), as may those beside a double bar or repeat, as
    long as all spines agree.
    """

    notes: Notes
    events: EventList | None = None
    """Takes the notes and rests that can be read."""
    measures: list[tuple[int, int]] = field(default_factory=list)
    """Numbers of the first and the last line of notes of each measure."""
    n_notes: int = 0
    n_fields: int = 0
    """Fields of notes or rests, also those that cannot be read."""
    n_barlines: int = 0
    work: int = 0
    """What the notes cost music21, in units of 0.2 us on one core of 2026."""
    signs: list[tuple[Fraction, str]] = field(default_factory=list)
    """Meters and tempi, such as ``*M3/4`` and ``*MM72``, and when they are given in quarter notes."""
    edges: set[Fraction] = field(default_factory=set)
    """Times since the start, in quarter notes, at which the passage or a section of it begins or ends."""
    _start: Fraction = field(default_factory=Fraction)
    _now: Fraction = field(default_factory=Fraction)
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
        self.work += _FIELD_WORK * len(line.fields)
        if self.events is not None:
            self.events.interpretation(line)
        for text in {text: None for text in line.fields if _TIMED_SIGN.fullmatch(text)}:
            self.signs.append((self._start + _end_of(line.spines), text))
        for spine, text in zip(line.spines, line.fields, strict=True):
            match = _METER.fullmatch(text)
            if _HUGE_METER.match(text):
                self.work += _ODD_WORK
            if match and int(match[2]):
                spine.meter = Fraction(4 * int(match[1]), int(match[2]))
                self._seen_meter = True
            elif text == "*MX":
                spine.meter = None
            elif _LABEL.match(text):
                self.edges.add(self._start + _end_of(line.spines))

    def data(self, line: SpineLine) -> None:
        found = [
            (column, spine, text, read_field(text))
            for column, (spine, text) in enumerate(zip(line.spines, line.fields, strict=True))
            if spine.kind == "**kern" and text != "."
        ]
        if not found:
            return
        self._first_line = self._first_line or line.number
        self._last_line = line.number
        self.n_fields += len(found)
        starts = {
            spine.time for _, spine, _, parsed in found if parsed and parsed.duration and spine.is_timed
        }
        # Where a spine has lost count, the others tell the time.
        self._now = max(starts, default=self._now)
        if len(starts) > 1 and not self._misaligned:
            self._misaligned = True
            self.notes.add("score-misaligned", f"Line {line.number}: its notes start at different times.")
        for column, spine, text, parsed in found:
            if parsed is None:
                self.notes.add("score-bad-token", f"Line {line.number}: {quote(text)} is no note or rest.")
                self.work += _ODD_WORK if _ODD_NUMBER.search(text) else _FIELD_WORK
                spine.is_timed = False
                continue
            if self.events is not None:
                onset = self._start + (spine.time if spine.is_timed else self._now)
                self.events.add(line, column, parsed, onset, self.n_measures + 1)
            self._count(line, spine, parsed)

    def _count(self, line: SpineLine, spine: Spine, parsed: KernField) -> None:
        self.n_notes += parsed.n_notes
        spine.n_fields += 1
        self.work += _FIELD_WORK + _CHORD_WORK * parsed.n_notes**2
        if len(parsed.durations) > 1:
            told = _told(parsed.durations)
            self.notes.add("score-chord-duration", f"Line {line.number}: the notes of a chord last {told}.")
        if parsed.duration > _LONGEST or parsed.duration.denominator > _SHORTEST:
            self.work += _ODD_WORK
        if not parsed.duration:
            return
        spine.time += parsed.duration
        spine.has_notes = True
        if spine.time.denominator > _MAX_DENOMINATOR:
            spine.is_timed = False
            spine.time = Fraction()

    def barline(self, line: SpineLine) -> None:
        self.n_barlines += 1
        self.work += _FIELD_WORK * len(line.fields)
        self._close(line.spines, at_special=any(_SPECIAL_BAR.match(text) for text in line.fields))

    def end(self, spines: Sequence[Spine]) -> None:
        self._close(spines, at_special=True)
        if self.n_notes and not self._seen_meter:
            self.notes.add("score-no-meter", "No meter is given, so durations were not checked against it.")

    def _close(self, spines: Sequence[Spine], *, at_special: bool) -> None:
        if self._first_line is not None:
            # A measure that turns out to be the last one may be short: its finding waits for the next.
            if self._held:
                self.notes.add("score-measure-duration", self._held)
            self.measures.append((self._first_line, self._last_line))
            self._held = self._fault(spines, lenient=at_special or self._at_special)
            self._start += _end_of(spines)
        if at_special or not self.edges:
            self.edges.add(self._start)
        self._at_special = at_special
        self._now = Fraction()
        self._first_line = None
        self._misaligned = False
        for spine in spines:
            self.work += spine.n_fields**3
            spine.n_fields = 0
            spine.time = Fraction()
            spine.has_notes = False
            spine.is_timed = True

    def _fault(self, spines: Sequence[Spine], *, lenient: bool) -> str | None:
        timed = [spine for spine in spines if spine.kind == "**kern" and spine.has_notes and spine.is_timed]
        lengths = {spine.time for spine in timed}
        meters = {spine.meter for spine in timed}
        name = f"Measure {self.n_measures}"
        if len(lengths) > 1 and len(meters) == 1:
            self.notes.add("score-measure-duration", f"{name}: the spines last {_told(lengths)}.")
            return None
        wrong = [spine for spine in timed if spine.meter is not None and spine.time != spine.meter]
        if not wrong or lenient:
            return None
        return f"{name} lasts {wrong[0].time} quarter notes; the meter says {wrong[0].meter}."


def _end_of(spines: Sequence[Spine]) -> Fraction:
    """How long the measure lasts so far."""
    return max((spine.time for spine in spines if spine.is_timed), default=Fraction())


def _told(lengths: Collection[Fraction]) -> str:
    return f"{', '.join(map(str, sorted(lengths)[:4]))} quarter notes"
