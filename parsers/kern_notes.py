"""The grammar of ``**kern`` notes and rests: what one field of a line says.

``**kern`` (https://www.humdrum.org/rep/kern/): a note is a duration (``4`` a quarter, ``8.`` dotted, ``3%2``
a rational reciprocal, ``0`` a breve), a pitch letter repeated per octave, an accidental and signs for
ties, beams, slurs and ornaments in any order; ``r`` is a rest, ``q`` a grace note; chords part their notes
by spaces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from docai.records import Tie

_NUMBER = re.compile(r"(\d{1,4})(?:%(\d{1,4}))?(\.{0,4})")
_DIGITS = re.compile(r"\d[\d%.]*")
_PITCH = re.compile(r"([a-gA-G])\1*")
_MAX_OCTAVES = 8
_ACCIDENTALS = re.compile(r"#{1,3}|-{1,3}|n")
_SIGNS = re.compile(r"""[\[\]_LJKk(){}&'"`~^;:,zZvVTtMmSsWwOo$RPpqQxXyYuUhHiIjNl?@<>|+/\\]*""")
_GRACE = re.compile(r"[qQ]")
_SLURS = re.compile(r"&*[()]")
_BEAMS = re.compile(r"[LJKk]")
# What a Note has a place of its own for; the rest of its signs stay as they were written.
_PLACED = str.maketrans("", "", "[]_LJKkqQ")
_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_LONGEST_KEPT = 64
"""Fields are read once and remembered, but for those too long to be music."""


@dataclass(frozen=True, slots=True)
class KernNote:
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
    def alteration(self) -> int:
        """Semitones up, or down where negative."""
        return self.accidental.count("#") - self.accidental.count("-")

    @property
    def octave(self) -> int:
        """That of scientific pitch notation: middle C begins octave 4."""
        return 3 + len(self.letters) if self.letters.islower() else 4 - len(self.letters)

    @property
    def pitch(self) -> str:
        """In scientific pitch notation, such as ``Bb3`` or ``F##5``; empty for a rest."""
        if self.is_rest:
            return ""
        return f"{self.letters[0].upper()}{self.accidental.strip('n').replace('-', 'b')}{self.octave}"

    @property
    def semitone(self) -> int | None:
        """Semitones above MIDI's lowest note, perhaps out of its range; None for a rest."""
        if self.is_rest:
            return None
        return 12 * (self.octave + 1) + _SEMITONES[self.letters[0].lower()] + self.alteration

    @property
    def tie(self) -> Tie | None:
        if "_" in self.signs or ("[" in self.signs and "]" in self.signs):
            return "continue"
        return "start" if "[" in self.signs else "end" if "]" in self.signs else None

    @property
    def slurs(self) -> str:
        return "".join(_SLURS.findall(self.signs))

    @property
    def beams(self) -> str:
        return "".join(_BEAMS.findall(self.signs))

    @property
    def other_signs(self) -> str:
        """Articulations, ornaments, stems and the like: signs but those of ties, slurs, beams and grace."""
        return _SLURS.sub("", self.signs).translate(_PLACED)


@dataclass(frozen=True, slots=True)
class KernField:
    """One field of notes. ``duration`` is in quarter notes, 0 for grace notes."""

    duration: Fraction
    notes: tuple[KernNote, ...]
    n_notes: int
    """Notes without rests."""
    durations: frozenset[Fraction]
    """Those written in it: one, where the notes of a chord agree."""


def read_field(text: str) -> KernField | None:
    """What a data field says; None where it breaks the grammar. The null field is for the caller."""
    return _remembered(text) if len(text) <= _LONGEST_KEPT else _read(text)


def _read(text: str) -> KernField | None:
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
    durations = frozenset(note.duration for note in notes if note.duration is not None)
    return KernField(first, tuple(notes), sum(not note.is_rest for note in notes), durations)


_remembered = lru_cache(maxsize=1 << 12)(_read)


def _read_note(token: str) -> KernNote | None:
    is_rest, is_grace = "r" in token, _GRACE.search(token) is not None
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
    return KernNote(
        Fraction(0) if is_grace else duration, recip, letters, accidental, signs, is_rest, is_grace
    )


def read_recip(recip: str) -> Fraction | None:
    """The quarter notes that a duration such as ``8.`` or ``3%2`` lasts; None where it is none."""
    match = _NUMBER.fullmatch(recip)
    if match is None:
        return None
    number, over, dots = match[1], match[2], len(match[3])
    if not number.strip("0"):
        base = Fraction(4 * 2 ** len(number))
    elif over is not None and not int(over):
        return None
    else:
        base = Fraction(4 * int(over or 1), int(number))
    return base * (2 - Fraction(1, 2**dots))


def tuplet_of(recip: str) -> str | None:
    """Such as ``3:2``, three in the time of two; None where notes of the value need no tuplet."""
    match = _NUMBER.fullmatch(recip)
    if match is None or not match[1].strip("0"):
        return None
    value = Fraction(int(match[2] or 1), int(match[1]))
    odd = value.denominator // (value.denominator & -value.denominator)
    if odd == 1 or value.numerator & (value.numerator - 1):
        return None
    return f"{odd}:{1 << (odd.bit_length() - 1)}"
