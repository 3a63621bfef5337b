"""The notes, rests and chords of ``**kern`` fields, and exact musical time.

In ``**kern`` (https://www.humdrum.org/rep/kern/) a note consists of a duration (``4`` a quarter, ``8.``
dotted, ``3%2`` a rational reciprocal, ``0`` a breve), a pitch letter repeated for the octave, an accidental,
and signs for ties, beams, slurs and ornaments, in any order; ``r`` is a rest, ``q`` a grace note. Spaces
separate the notes of a chord.

Times are counted in ticks, so that sums are fast and exact. A quarter note has 887 040 = 2⁸ · 3² · 5 · 7 · 11
ticks: durations down to dotted 256th notes and the usual tuplets are whole numbers of them. Any other
duration is a fraction of a tick, which can be mixed with whole ticks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache, wraps
from math import gcd
from typing import NamedTuple, TypeVar

from docai.contents import Tie

Ticks = int | Fraction

TICKS_PER_QUARTER = 887_040


def quarters_to_ticks(quarters: Fraction) -> Ticks:
    """Convert a time in quarter notes to ticks."""
    ticks, rest = divmod(quarters.numerator * TICKS_PER_QUARTER, quarters.denominator)
    return quarters * TICKS_PER_QUARTER if rest else ticks


def ticks_to_quarters(ticks: Ticks) -> Fraction:
    """Convert a time in ticks to quarter notes."""
    return Fraction(ticks, TICKS_PER_QUARTER)


def denominator_in_quarters(ticks: Ticks) -> int:
    """The denominator of the time in quarter notes."""
    return ticks.denominator * (TICKS_PER_QUARTER // gcd(ticks.numerator, TICKS_PER_QUARTER))


def format_ticks(ticks: Ticks) -> str:
    """The time in quarter notes as the fields of an event have it: ``3``, ``7/2``."""
    if isinstance(ticks, int):
        common = gcd(ticks, TICKS_PER_QUARTER)
        below = TICKS_PER_QUARTER // common
        return str(ticks // common) if below == 1 else f"{ticks // common}/{below}"
    return str(ticks_to_quarters(ticks))


@lru_cache(maxsize=1 << 12)
def read_ticks(text: str) -> Ticks:
    """The ticks of a time as written by :func:`format_ticks`."""
    above, _, below = text.partition("/")
    if not below:
        return int(above) * TICKS_PER_QUARTER
    ticks, rest = divmod(int(above) * TICKS_PER_QUARTER, int(below))
    return quarters_to_ticks(Fraction(text)) if rest else ticks


T = TypeVar("T")

MAX_CACHED_CHARS = 64
"""Longer texts are rarely seen twice and would fill the memory."""


def cache_short_texts(max_size: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Decorator: cache the results of a function for texts of up to :data:`MAX_CACHED_CHARS` characters.

    A score repeats the same few fields. ``max_size`` is the number of results kept.
    """

    def decorate(function: Callable[[str], T]) -> Callable[[str], T]:
        cached = lru_cache(maxsize=max_size)(function)

        @wraps(function)
        def wrapper(text: str) -> T:
            return cached(text) if len(text) <= MAX_CACHED_CHARS else function(text)

        return wrapper

    return decorate


METER = re.compile(r"\*M([0-9]{1,3}(?:\+[0-9]{1,3}){0,7})/([0-9]{1,4})")
"""A meter: the beats, possibly a sum, and the value of one: ``*M3/4``, ``*M2+3/8``, breves ``*M1/0``."""

_RECIP = re.compile(r"([0-9]{1,4})(?:%([0-9]{1,4}))?(\.{0,4})")

_RECIP_CHARS = re.compile(r"[0-9][0-9%.]*")

_PITCH_LETTERS = re.compile(r"([a-gA-G])\1*")

_MAX_OCTAVES = 8

_ACCIDENTALS = re.compile(r"#{1,3}|-{1,3}|n")

_SIGNS = re.compile(r"""[\[\]_LJKk(){}&'"`~^;:,zZvVTtMmSsWwOo$RPpqQxXyYuUhHiIjNl?@<>|+/\\]*""")

# The usual order of the parts; any other is read part by part. Possessive, so that matching stays linear.
_USUAL_NOTE = re.compile(
    rf"({_SIGNS.pattern}+)([0-9][0-9%.]*+)?({_SIGNS.pattern}+)(([a-gA-G])\5{{0,{_MAX_OCTAVES - 1}}})"
    rf"({_ACCIDENTALS.pattern})?({_SIGNS.pattern}+)"
)

_SLURS = re.compile(r"(?<!&)&*+[()]")

_BEAMS = re.compile(r"[LJKk]")

# Signs that have a field of their own in an event; the others are kept as written.
_SIGNS_WITH_FIELDS = str.maketrans("", "", "[]_LJKkqQ")

_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


class KernNote(NamedTuple):
    """One note or rest. ``duration`` is in quarter notes, 0 for a grace note, None if it is omitted."""

    duration: Fraction | None
    recip: str
    """The duration as written, such as ``8.``."""
    letters: str
    """Pitch letters as written, such as ``cc``; for a rest its vertical position, usually empty."""
    accidental: str
    signs: str
    """All signs except accidentals."""
    is_rest: bool
    is_grace: bool

    @property
    def pitch(self) -> str:
        """The pitch in scientific notation, such as ``Bb3`` or ``F##5``; empty for a rest."""
        return "" if self.is_rest else _read_pitch(self.letters, self.accidental)[0]

    @property
    def semitone(self) -> int | None:
        """The MIDI pitch, possibly outside the range of MIDI; None for a rest."""
        return None if self.is_rest else _read_pitch(self.letters, self.accidental)[1]

    @property
    def tie(self) -> Tie | None:
        if "_" in self.signs or ("[" in self.signs and "]" in self.signs):
            return "continue"
        return "start" if "[" in self.signs else "end" if "]" in self.signs else None

    @property
    def slurs(self) -> str:
        return "".join(_SLURS.findall(self.signs)) if "(" in self.signs or ")" in self.signs else ""

    @property
    def beams(self) -> str:
        return "".join(_BEAMS.findall(self.signs)) if self.signs else ""

    @property
    def other_signs(self) -> str:
        """Articulations, ornaments, stems and so on: all signs except ties, slurs, beams and grace marks."""
        return _SLURS.sub("", self.signs).translate(_SIGNS_WITH_FIELDS) if self.signs else ""


class KernField(NamedTuple):
    """One field of notes. ``duration`` is in quarter notes, 0 for grace notes; ``ticks`` is in ticks."""

    duration: Fraction
    ticks: Ticks
    notes: tuple[KernNote, ...]
    n_notes: int
    """Number of notes, rests not counted."""
    durations: frozenset[Fraction]
    """The durations of its notes; more than one if the notes of a chord disagree."""


@cache_short_texts(1 << 12)
def read_field(text: str) -> KernField | None:
    """Parse a data field; None if it is invalid. The null field ``.`` is not handled here."""
    notes = []
    for token in text.split(" "):
        note = _read_note(token)
        if note is None:
            return None
        notes.append(note)
    # The first note of a chord gives the duration.
    first = notes[0].duration
    if first is None:
        return None
    duration_of = {(note.recip, note.is_grace): note.duration for note in notes}
    durations = frozenset(duration for duration in duration_of.values() if duration is not None)
    return KernField(
        first, quarters_to_ticks(first), tuple(notes), sum(not note.is_rest for note in notes), durations
    )


def _read_note(token: str) -> KernNote | None:
    if match := _USUAL_NOTE.fullmatch(token):
        before, recip, between, letters, _, accidental, after = match.groups("")
        signs, is_rest = before + between + after, False
    else:
        is_rest = "r" in token
        numbers = _RECIP_CHARS.findall(token)
        pitches = [match[0] for match in _PITCH_LETTERS.finditer(token)]
        if len(numbers) > 1 or len(pitches) > 1 or not (pitches or is_rest):
            return None
        recip, letters = "".join(numbers), "".join(pitches)
        if len(letters) > _MAX_OCTAVES:
            return None
        signs = token.replace("r", "", 1)
        for part in (recip, letters):
            signs = signs.replace(part, "", 1)
        match = _ACCIDENTALS.search(signs)
        accidental = match[0] if match else ""
        signs = signs.replace(accidental, "", 1)
        if not _SIGNS.fullmatch(signs):
            return None
    duration = read_recip(recip) if recip else None
    if recip and duration is None:
        return None
    is_grace = "q" in token or "Q" in token
    return KernNote(
        Fraction(0) if is_grace else duration, recip, letters, accidental, signs, is_rest, is_grace
    )


@lru_cache(maxsize=1 << 10)
def _read_pitch(letters: str, accidental: str) -> tuple[str, int]:
    """The pitch in scientific notation, and as MIDI pitch."""
    # Middle C begins octave 4.
    octave = 3 + len(letters) if letters.islower() else 4 - len(letters)
    alteration = accidental.count("#") - accidental.count("-")
    name = f"{letters[0].upper()}{accidental.strip('n').replace('-', 'b')}{octave}"
    return name, 12 * (octave + 1) + _SEMITONES[letters[0].lower()] + alteration


def read_recip(recip: str) -> Fraction | None:
    """The length in quarter notes of a duration such as ``8.`` or ``3%2``; None if it is invalid."""
    match = _RECIP.fullmatch(recip)
    if match is None:
        return None
    number, over, dots = match[1], match[2], len(match[3])
    if over is not None and not (int(number) and int(over)):
        return None
    if not number.strip("0"):
        above, below = 4 << len(number), 1
    else:
        above, below = 4 * int(over or 1), int(number)
    return Fraction(above * ((2 << dots) - 1), below << dots)


@lru_cache(maxsize=1 << 10)
def tuplet_of(recip: str) -> str | None:
    """The tuplet of a duration, such as ``3:2`` for three in the time of two; None if it needs no tuplet."""
    match = _RECIP.fullmatch(recip)
    if match is None or not match[1].strip("0"):
        return None
    above, below = int(match[2] or 1), int(match[1])
    common = gcd(above, below)
    above, below = above // common, below // common
    odd = below // (below & -below)
    if odd == 1 or above & (above - 1):
        return None
    return f"{odd}:{1 << (odd.bit_length() - 1)}"
