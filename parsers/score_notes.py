"""The grammar of ``**kern`` notes and rests: what one field of a line says.

``**kern`` (https://www.humdrum.org/rep/kern/): a note is a duration (``4`` a quarter, ``8.`` dotted, ``3%2``
a rational reciprocal, ``0`` a breve), a pitch letter repeated per octave, an accidental and signs for
ties, beams, slurs and ornaments in any order; ``r`` is a rest, ``q`` a grace note; chords part their notes
by spaces.
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
    """The ticks of a time in quarter notes."""
    ticks, rest = divmod(quarters.numerator * TICKS_PER_QUARTER, quarters.denominator)
    return quarters * TICKS_PER_QUARTER if rest else ticks


def ticks_to_quarters(ticks: Ticks) -> Fraction:
    """The same time in quarter notes."""
    return Fraction(ticks, TICKS_PER_QUARTER)


def denominator_in_quarters(ticks: Ticks) -> int:
    """That of the time in quarter notes."""
    return ticks.denominator * (TICKS_PER_QUARTER // gcd(ticks.numerator, TICKS_PER_QUARTER))


def format_ticks(ticks: Ticks) -> str:
    """The time in quarter notes as an event has it: ``3``, ``7/2``."""
    if isinstance(ticks, int):
        common = gcd(ticks, TICKS_PER_QUARTER)
        below = TICKS_PER_QUARTER // common
        return str(ticks // common) if below == 1 else f"{ticks // common}/{below}"
    return str(ticks_to_quarters(ticks))


@lru_cache(maxsize=1 << 12)
def read_ticks(text: str) -> Ticks:
    """The ticks of a time that :func:`format_ticks` wrote."""
    above, _, below = text.partition("/")
    if not below:
        return int(above) * TICKS_PER_QUARTER
    ticks, rest = divmod(int(above) * TICKS_PER_QUARTER, int(below))
    return quarters_to_ticks(Fraction(text)) if rest else ticks


T = TypeVar("T")

MAX_CACHED_CHARS = 64
"""Characters; longer texts are seldom seen twice, and would fill the memory."""


def cache_short_texts(n_kept: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Decorator: what a function of a text of up to :data:`MAX_CACHED_CHARS` characters gives is kept, of the
    last ``n_kept`` of them."""

    def decorate(function: Callable[[str], T]) -> Callable[[str], T]:
        kept = lru_cache(maxsize=n_kept)(function)

        @wraps(function)
        def called(text: str) -> T:
            return kept(text) if len(text) <= MAX_CACHED_CHARS else function(text)

        return called

    return decorate


METER = re.compile(r"\*M([0-9]{1,3}(?:\+[0-9]{1,3}){0,7})/([0-9]{1,4})")
"""Beats, which may be a sum, and the value of one, as of a note: ``*M3/4``, ``*M2+3/8``, breves ``*M1/0``."""

_NUMBER = re.compile(r"([0-9]{1,4})(?:%([0-9]{1,4}))?(\.{0,4})")

_DIGITS = re.compile(r"[0-9][0-9%.]*")

_PITCH = re.compile(r"([a-gA-G])\1*")

_MAX_OCTAVES = 8

_ACCIDENTALS = re.compile(r"#{1,3}|-{1,3}|n")

_SIGNS = re.compile(r"""[\[\]_LJKk(){}&'"`~^;:,zZvVTtMmSsWwOo$RPpqQxXyYuUhHiIjNl?@<>|+/\\]*""")

# The usual order of the parts; any other is read part by part. Possessive, so that a search stays linear.
_USUAL = re.compile(
    rf"({_SIGNS.pattern}+)([0-9][0-9%.]*+)?({_SIGNS.pattern}+)(([a-gA-G])\5{{0,{_MAX_OCTAVES - 1}}})"
    rf"({_ACCIDENTALS.pattern})?({_SIGNS.pattern}+)"
)

_SLURS = re.compile(r"(?<!&)&*+[()]")

_BEAMS = re.compile(r"[LJKk]")

# What a Note has a place of its own for; the rest of its signs stay as they were written.
_PLACED = str.maketrans("", "", "[]_LJKkqQ")

_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


class KernNote(NamedTuple):
    """One note or rest. ``duration`` is in quarter notes, 0 for a grace note, None where none is written."""

    duration: Fraction | None
    recip: str
    """The duration as written, such as ``8.``."""
    letters: str
    """As written, such as ``cc``; of a rest the place where it stands, mostly none."""
    accidental: str
    signs: str
    """All signs but accidentals."""
    is_rest: bool
    is_grace: bool

    @property
    def pitch(self) -> str:
        """In scientific pitch notation, such as ``Bb3`` or ``F##5``; empty for a rest."""
        return "" if self.is_rest else _pitch(self.letters, self.accidental)[0]

    @property
    def semitone(self) -> int | None:
        """Semitones above MIDI's lowest note, perhaps out of its range; None for a rest."""
        return None if self.is_rest else _pitch(self.letters, self.accidental)[1]

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
        """Articulations, ornaments, stems and the like: signs but those of ties, slurs, beams and grace."""
        return _SLURS.sub("", self.signs).translate(_PLACED) if self.signs else ""


class KernField(NamedTuple):
    """One field of notes. ``duration`` is in quarter notes, 0 for grace notes; ``ticks`` is the same."""

    duration: Fraction
    ticks: Ticks
    notes: tuple[KernNote, ...]
    n_notes: int
    """Notes without rests."""
    durations: frozenset[Fraction]
    """Those written in it: one, where the notes of a chord agree."""


@cache_short_texts(1 << 12)
def read_field(text: str) -> KernField | None:
    """What a data field says; None where it breaks the grammar. The null field is for the caller."""
    notes = []
    for token in text.split(" "):
        note = _read_note(token)
        if note is None:
            return None
        notes.append(note)
    # In a chord the first note speaks for all.
    first = notes[0].duration
    if first is None:
        return None
    written = {(note.recip, note.is_grace): note.duration for note in notes}
    durations = frozenset(duration for duration in written.values() if duration is not None)
    return KernField(
        first, quarters_to_ticks(first), tuple(notes), sum(not note.is_rest for note in notes), durations
    )


def _read_note(token: str) -> KernNote | None:
    if match := _USUAL.fullmatch(token):
        before, recip, between, letters, _, accidental, after = match.groups("")
        signs, is_rest = before + between + after, False
    else:
        is_rest = "r" in token
        numbers = _DIGITS.findall(token)
        pitches = [match[0] for match in _PITCH.finditer(token)]
        if len(numbers) > 1 or len(pitches) > 1 or not (pitches or is_rest):
            return None
        recip, letters = "".join(numbers), "".join(pitches)
        if len(letters) > _MAX_OCTAVES:
            return None
        signs = token.replace("r", "", 1)
        for part in (recip, letters):
            signs = signs.replace(part, "", 1)
        found = _ACCIDENTALS.search(signs)
        accidental = found[0] if found else ""
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
def _pitch(letters: str, accidental: str) -> tuple[str, int]:
    """In scientific pitch notation, and in semitones above MIDI's lowest note."""
    # Middle C begins octave 4.
    octave = 3 + len(letters) if letters.islower() else 4 - len(letters)
    alteration = accidental.count("#") - accidental.count("-")
    name = f"{letters[0].upper()}{accidental.strip('n').replace('-', 'b')}{octave}"
    return name, 12 * (octave + 1) + _SEMITONES[letters[0].lower()] + alteration


def read_recip(recip: str) -> Fraction | None:
    """The quarter notes that a duration such as ``8.`` or ``3%2`` lasts; None where it is none."""
    match = _NUMBER.fullmatch(recip)
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
    """Such as ``3:2``, three in the time of two; None where notes of the value need no tuplet."""
    match = _NUMBER.fullmatch(recip)
    if match is None or not match[1].strip("0"):
        return None
    above, below = int(match[2] or 1), int(match[1])
    common = gcd(above, below)
    above, below = above // common, below // common
    odd = below // (below & -below)
    if odd == 1 or above & (above - 1):
        return None
    return f"{odd}:{1 << (odd.bit_length() - 1)}"
