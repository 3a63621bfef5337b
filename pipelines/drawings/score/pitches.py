"""Sounding pitches of the noteheads of a system: clef, key, accidentals of the measure, ottava lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from docai.pipelines.drawings.score.types import Chord, Clef, KeySignature, Span, System

LETTERS = "cdefgab"
MIDDLE_C = 28
"""Diatonic number of middle C, seven an octave."""
DEFAULT_CLEF = "*clefG2"
_CLEF = re.compile(r"\*clef([GFCX])(v{0,2}|\^{0,2})([1-5])?")
_CLEF_STEPS = {"G": MIDDLE_C + 4, "F": MIDDLE_C - 4, "C": MIDDLE_C, "X": MIDDLE_C + 4}
"""Letter of a clef → diatonic number of the note on its line. Percussion is written as if in G on line 2."""
_CLEF_LINES = {"G": 2, "F": 4, "C": 3, "X": 2}
_KEY_ORDER = "fcgdaeb"
_OTTAVA = re.compile(r"(8|15|22)")
_ALTERS = {"": 0, "n": 0, "#": 1, "##": 2, "-": -1, "--": -2}

HeadKey = tuple[int, int]
"""Index of a chord in ``System.chords`` and of a head in it."""


@dataclass(frozen=True, slots=True)
class Pitch:
    """The pitch of one head."""

    step: int
    """Diatonic number as it sounds."""
    alter: int
    """Semitones of its accidental, from the key or the measure too."""
    is_natural: bool
    """A natural sign is drawn before it."""

    @property
    def kern(self) -> str:
        """Letters and accidental of kern."""
        octave, place = divmod(self.step, 7)
        octave = min(max(octave, 0), 9)
        letter = LETTERS[place]
        name = letter * (octave - 3) if octave >= 4 else letter.upper() * (4 - octave)
        if self.is_natural:
            return name + "n"
        return name + ("#" * self.alter if self.alter > 0 else "-" * -self.alter)


@dataclass(slots=True)
class StaffKey:
    """The key signature in force on a staff, as letters with signs."""

    signs: dict[str, str] = field(default_factory=dict)

    @property
    def kern(self) -> str:
        """Such as ``*k[f#c#]``; usual keys in the usual order."""
        sharps = [letter for letter in _KEY_ORDER if self.signs.get(letter) == "#"]
        flats = [letter for letter in reversed(_KEY_ORDER) if self.signs.get(letter) == "-"]
        return f"*k[{''.join([f'{x}#' for x in sharps] + [f'{x}-' for x in flats])}]"

    def alter(self, step: int) -> int:
        """Semitones by which the key changes a diatonic number."""
        return _ALTERS[self.signs.get(LETTERS[step % 7], "")]


@dataclass(slots=True)
class SystemPitches:
    """Pitches of all heads, and the keys as they stand."""

    heads: dict[HeadKey, Pitch]
    keys: dict[int, StaffKey]
    """Index of a key signature in ``System.keys`` → the key that it sets."""
    clefs_at_end: list[str]
    """Of each staff."""
    keys_at_end: list[StaffKey]
    ornaments: dict[int, dict[str, int]]
    """Chord → semitones to the next note above (``up``) and below (``down``) its top head, in the key."""


def clef_step(clef: str) -> int:
    """Diatonic number of the note on the bottom line under a clef such as ``*clefG2``."""
    match = _CLEF.fullmatch(clef)
    if match is None:
        return clef_step(DEFAULT_CLEF)
    sign, octave, line = match[1], match[2], int(match[3] or _CLEF_LINES[match[1]])
    shift = 7 * len(octave) * (-1 if "v" in octave else 1)
    return _CLEF_STEPS[sign] - 2 * (line - 1) + shift


def read_key(key: KeySignature, clef: str) -> StaffKey:
    """The key of a signature; naturals in it cancel the key before and set nothing."""
    base = clef_step(clef)
    signs = {LETTERS[(base + place) % 7]: sign for sign, place in key.signs if sign in ("#", "-")}
    kinds = set(signs.values())
    if len(kinds) == 1:
        # Where the clef was misread, or a sign placed unusually, the number of signs still tells the key.
        sign = kinds.pop()
        n_signs = sum(one == sign for one, _ in key.signs)
        order = _KEY_ORDER if sign == "#" else _KEY_ORDER[::-1]
        return StaffKey(dict.fromkeys(order[:n_signs], sign))
    return StaffKey(signs)


def read_pitches(
    system: System,
    clefs: Sequence[str],
    keys: Sequence[StaffKey],
    barlines: Sequence[float],
    tied_in: Mapping[HeadKey, int] | None = None,
) -> SystemPitches:
    """The pitches of all heads of a system.

    Args:
        system: the system.
        clefs: of each staff, in force before it.
        keys: of each staff, in force before it.
        barlines: x of those that end a measure, from the left.
        tied_in: alteration of heads that are tied to the system before.
    """
    result = SystemPitches({}, {}, list(clefs), list(keys), {})
    tied_from: dict[HeadKey, HeadKey] = {}
    for curve in system.curves:
        if curve.first is not None and curve.last is not None:
            for first, last in curve.tied:
                tied_from[curve.last, last] = (curve.first, first)
    for staff in range(len(system.staves)):
        _read_staff(system, staff, barlines, tied_from, tied_in or {}, result)
    return result


def _read_staff(
    system: System,
    staff: int,
    barlines: Sequence[float],
    tied_from: Mapping[HeadKey, HeadKey],
    tied_in: Mapping[HeadKey, int],
    result: SystemPitches,
) -> None:
    items: list[tuple[float, int, int]] = [
        *((bar, 0, index) for index, bar in enumerate(barlines)),
        *((clef.x, 1, index) for index, clef in enumerate(system.clefs) if clef.staff == staff),
        *((key.x, 2, index) for index, key in enumerate(system.keys) if key.staff == staff),
        *((x, 3, index) for x, index in _chords_on(system, staff)),
    ]
    clef, key = result.clefs_at_end[staff], result.keys_at_end[staff]
    shown: dict[int, int] = {}
    ottavas = [span for span in system.spans if span.kind == "ottava" and span.staff == staff]
    space = system.staves[staff].space
    lines = system.staves[staff].lines
    middle = (lines[0] + lines[-1]) / 2
    for x, kind, index in sorted(items):
        if kind == 0:
            shown = {}
        elif kind == 1:
            clef = system.clefs[index].kern
        elif kind == 2:
            key = result.keys[index] = read_key(system.keys[index], clef)
            shown = {}
        else:
            chord = system.chords[index]
            base = clef_step(clef)
            octaves = sum(_octaves(span, middle) for span in ottavas if _covers(span, x, space))
            for place, head in enumerate(chord.heads):
                if head.staff != staff:
                    continue
                step = base + head.position
                one = index, place
                if head.accidental:
                    alter = shown[step] = _ALTERS.get(head.accidental, 0)
                elif one in tied_from and tied_from[one] in result.heads and step not in shown:
                    alter = result.heads[tied_from[one]].alter
                elif one in tied_in and step not in shown:
                    alter = tied_in[one]
                else:
                    alter = shown.get(step, key.alter(step))
                result.heads[one] = Pitch(step + 7 * octaves, alter, head.accidental == "n")
            result.ornaments[index] = _neighbors(chord, base, staff, key, shown)
    result.clefs_at_end[staff], result.keys_at_end[staff] = clef, key


def _chords_on(system: System, staff: int) -> Iterator[tuple[float, int]]:
    for index, chord in enumerate(system.chords):
        if any(head.staff == staff for head in chord.heads):
            yield chord.x, index


def _neighbors(
    chord: Chord, base: int, staff: int, key: StaffKey, shown: Mapping[int, int]
) -> dict[str, int]:
    steps = [base + head.position for head in chord.heads if head.staff == staff]
    if not steps:
        return {}
    top = max(steps)

    def semitones(step: int, alter: int) -> int:
        octave, place = divmod(step, 7)
        return 12 * octave + (0, 2, 4, 5, 7, 9, 11)[place] + alter

    here = semitones(top, shown.get(top, key.alter(top)))
    above = semitones(top + 1, key.alter(top + 1))
    below = semitones(top - 1, key.alter(top - 1))
    return {"up": above - here, "down": here - below}


def _covers(span: Span, x: float, space: float) -> bool:
    return span.x0 - space < x < span.x1 + space / 2


def _octaves(span: Span, middle: float) -> int:
    """Octaves up (above 0) or down; a bare ``8`` says by its place which."""
    match = _OTTAVA.search(span.text)
    count = {"8": 1, "15": 2, "22": 3}[match[1]] if match else 1
    text = span.text.lower().replace(" ", "")
    if re.search(r"(8|15|22)(vb|ba|mb|va?b)", text):
        return -count
    # y grows downward: a line above the staff raises, one below lowers.
    return count if span.y < middle else -count


def clefs_and_keys_before(n_staves: int) -> tuple[list[str], list[StaffKey]]:
    """What is in force where nothing is known."""
    return [DEFAULT_CLEF] * n_staves, [StaffKey() for _ in range(n_staves)]


def initial_clef(system: System, staff: int, before: str) -> str:
    """The clef at the left end of a staff; the one before where none is drawn."""
    here = [clef for clef in system.clefs if clef.staff == staff and not clef.is_change]
    return min(here, key=_clef_x).kern if here else before


def _clef_x(clef: Clef) -> float:
    return clef.x
