"""Notes and durations of ``**kern`` fields, and whether they fill their measures.

``**kern`` (https://www.humdrum.org/rep/kern/): a note is a duration (``4`` a quarter, ``8.`` dotted, ``3%2``
a rational reciprocal, ``0`` a breve), a pitch letter repeated per octave, an accidental and signs for
ties, beams, slurs and ornaments in any order; ``r`` is a rest, ``q`` a grace note; chords part their notes
by spaces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from docai.parsers.notes import Notes, quote
from docai.parsers.spines import Spine, SpineLine

_NUMBER = re.compile(r"(\d{1,4})(?:%(\d{1,4}))?(\.{0,4})")
_DIGITS = re.compile(r"\d[\d%.]*")
_PITCH = re.compile(r"([a-gA-G])\1*")
_MAX_OCTAVES = 8
_ACCIDENTALS = re.compile(r"#{1,3}|-{1,3}|n")
_SIGNS = re.compile(r"""[\[\]_LJKk(){}&'"`~^;:,zZvVTtMmSsWwOo$RPpqQxXyYuUhHiIjNl?@<>|+/\\]*""")
_METER = re.compile(r"\*M(\d{1,3})/(\d{1,4})")
_SPECIAL_BAR = re.compile(r"=.*[:|!=]|=.*-")
_MAX_DENOMINATOR = 1_000_000
"""Beyond it durations are nonsense, and exact sums of nonsense take for ever."""

# A note costs music21 about a millisecond, and with it grow the cube of the fields of a measure and the
# square of the notes of a chord; a duration that no note value can write costs seconds. Measured with
# music21 10.5, in units of 0.2 us.
_FIELD_WORK = 4_000
_CHORD_WORK = 15
_ODD_WORK = 10_000_000
_ODD_NUMBER = re.compile(r"%|\d{4}|0\d")
_LONGEST = 64
_SHORTEST = 1024


@dataclass(frozen=True)
class KernField:
    """One field of notes. ``duration`` is in quarter notes, 0 for grace notes."""

    duration: Fraction
    n_notes: int


def read_field(text: str) -> KernField | None:
    """What a data field says; None where it breaks the grammar. The null field is for the caller."""
    duration: Fraction | None = None
    n_notes = 0
    for token in text.split(" "):
        is_rest = "r" in token
        numbers = _DIGITS.findall(token)
        pitches = [match[0] for match in _PITCH.finditer(token)]
        if len(numbers) > 1 or len(pitches) > 1 or not (pitches or is_rest):
            return None
        if pitches and len(pitches[0]) > _MAX_OCTAVES:
            return None
        signs = token.replace("r", "", 1)
        for part in (*numbers, *pitches):
            signs = signs.replace(part, "", 1)
        if not _SIGNS.fullmatch(_ACCIDENTALS.sub("", signs, count=1)):
            return None
        if duration is None:
            duration = Fraction(0) if "q" in token or "Q" in token else _duration("".join(numbers))
            if duration is None:
                return None
        n_notes += not is_rest
    return None if duration is None else KernField(duration, n_notes)


def _duration(number: str) -> Fraction | None:
    match = _NUMBER.fullmatch(number)
    if match is None:
        return None
    recip, over, dots = match[1], match[2], len(match[3])
    if not recip.strip("0"):
        base = Fraction(4 * 2 ** len(recip))
    elif over is not None and not int(over):
        return None
    else:
        base = Fraction(4 * int(over or 1), int(recip))
    return base * (2 - Fraction(1, 2**dots))


@dataclass
class MeasureCheck:
    """Adds up the durations of each measure. Findings are warnings: musicians bend meters.

    The first and last measures may be short (a pickup), as may those beside a double bar or repeat, as
    long as all spines agree.
    """

    notes: Notes
    measures: list[tuple[int, int]] = field(default_factory=list)
    """Numbers of the first and the last line of notes of each measure."""
    n_notes: int = 0
    n_fields: int = 0
    """Fields of notes or rests, also those that cannot be read."""
    n_barlines: int = 0
    work: int = 0
    """What the notes cost music21, in units of 0.2 us on one core of 2026."""
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
        for spine, text in zip(line.spines, line.fields, strict=True):
            match = _METER.fullmatch(text)
            if match and int(match[2]):
                spine.meter = Fraction(4 * int(match[1]), int(match[2]))
                self._seen_meter = True
            elif text == "*MX":
                spine.meter = None

    def data(self, line: SpineLine) -> None:
        starts = set()
        for spine, text in zip(line.spines, line.fields, strict=True):
            if spine.kind != "**kern" or text == ".":
                continue
            self._first_line = self._first_line or line.number
            self._last_line = line.number
            self.n_fields += 1
            parsed = read_field(text)
            if parsed is None:
                self.notes.add("score-bad-token", f"Line {line.number}: {quote(text)} is no note or rest.")
                self.work += _ODD_WORK if _ODD_NUMBER.search(text) else _FIELD_WORK
                spine.is_timed = False
                continue
            self.n_notes += parsed.n_notes
            spine.n_fields += 1
            self.work += _FIELD_WORK + _CHORD_WORK * parsed.n_notes**2
            if parsed.duration > _LONGEST or parsed.duration.denominator > _SHORTEST:
                self.work += _ODD_WORK
            if not parsed.duration:
                continue
            if spine.is_timed:
                starts.add(spine.time)
            spine.time += parsed.duration
            spine.has_notes = True
            if spine.time.denominator > _MAX_DENOMINATOR:
                spine.is_timed = False
                spine.time = Fraction()
        if len(starts) > 1 and not self._misaligned:
            self._misaligned = True
            self.notes.add("score-misaligned", f"Line {line.number}: its notes start at different times.")

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
        self._at_special = at_special
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
            told = ", ".join(str(length) for length in sorted(lengths)[:4])
            self.notes.add("score-measure-duration", f"{name}: the spines last {told} quarter notes.")
            return None
        wrong = [spine for spine in timed if spine.meter is not None and spine.time != spine.meter]
        if not wrong or lenient:
            return None
        return f"{name} lasts {wrong[0].time} quarter notes; the meter says {wrong[0].meter}."
