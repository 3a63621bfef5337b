"""Composed music: events, voices and staves, and their ``**kern`` text.

The text is what Verovio engraves and the score head reads. The signs of a note have one order: ``(``, ``[``,
duration, pitch, ornaments, grace, beam, ``]`` or ``_``, ``)``; signs of a whole chord are at its first note.
A second voice on a staff is a spine split: ``*^`` after the barline, with the upper voice on the left, and
``*v *v`` before the next barline. A split stays open over measures that have two voices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby, islice

from docai.pipelines.synthesis.score.plain import LETTERS, SHARPS, beams

_MAX_COLUMNS = (14, 38)
"""Most onsets side by side, at difficulty 0 and at 1."""
MAX_CHARACTERS = 800
"""Longest text that fits the tokens of the head's answer."""
_RESERVED_CHARACTERS = 150
"""Characters reserved for clefs, keys, barlines and the like."""
_ON_FIFTHS = {letter: index for index, letter in enumerate("fcgdaeb", -1)}
_MAX_DOTS = 2
_TIES = {(False, False): "", (False, True): "[", (True, True): "_", (True, False): "]"}
"""Whether a note is tied to the one before and to the next → its sign."""


@dataclass(frozen=True)
class Head:
    """One notehead: position, semitones of its accidental, and tie: ``[``, ``_``, ``]`` or nothing."""

    position: int
    """Diatonic, seven per octave; 28 is middle C."""
    alter: int = 0
    tie: str = ""

    @property
    def pitch(self) -> str:
        """Kern pitch and accidental, without ``n``."""
        octave, step = divmod(self.position, 7)
        letter = LETTERS[step]
        name = letter * (octave - 3) if octave >= 4 else letter.upper() * (4 - octave)
        return name + ("#" * self.alter if self.alter > 0 else "-" * -self.alter)


@dataclass(frozen=True)
class Event:
    """A note, a chord or, without heads, a rest in one voice."""

    recip: str
    length: Fraction
    """In quarters; 0 for grace notes."""
    heads: tuple[Head, ...] = ()
    signs: str = ""
    """Articulations and ornaments."""
    beam: str = ""
    slur: str = ""
    """Any of ``(`` and ``)``."""
    grace: str = ""

    @property
    def token(self) -> str:
        """The kern field."""
        if not self.heads:
            return f"{self.recip}r{self.signs}"
        notes = []
        for index, head in enumerate(self.heads):
            note = "(" if not index and "(" in self.slur else ""
            note += "[" if head.tie == "[" else ""
            note += self.recip + head.pitch + ("" if index else self.signs) + self.grace
            note += ("" if index else self.beam) + (head.tie if head.tie in ("]", "_") else "")
            notes.append(note + (")" if not index and ")" in self.slur else ""))
        return " ".join(notes)


Voice = tuple[Event, ...]


@dataclass(frozen=True)
class Measure:
    """The music between two barlines: for each staff, lowest first, one or two voices, upper first."""

    staves: tuple[tuple[Voice, ...], ...]
    bar: str = ""
    """Style of the barline before it, as in kern after the number."""
    changes: tuple[tuple[str, ...], ...] = ()
    """Lines of interpretations at its start, such as a new key; one field per staff."""


@dataclass(frozen=True)
class Bar:
    """One measure of a piece with its clefs, keys and meter; one entry per part, lowest first."""

    parts: tuple[tuple[Voice, ...], ...]
    clefs: tuple[str, ...]
    fifths: tuple[int, ...]
    meter: tuple[int, int]


def write_kern(measures: Sequence[Measure], opening: Sequence[Sequence[str]], final: str = "==") -> str:
    """The kern text. ``opening`` are lines of interpretations such as clefs, one field per staff."""
    n_staves = len(measures[0].staves)
    lines = [["**kern"] * n_staves, *(list(fields) for fields in opening)]
    is_split = [False] * n_staves
    for number, measure in enumerate(measures, 1):
        wanted = [len(voices) > 1 for voices in measure.staves]
        lines += _joins(is_split, wanted)
        lines.append([f"={number}{measure.bar}"] * (n_staves + sum(is_split)))
        for fields in measure.changes:
            lines.append(
                [field for field, double in zip(fields, is_split, strict=True) for _ in range(1 + double)]
            )
        if any(new and not old for new, old in zip(wanted, is_split, strict=True)):
            splits = []
            for new, old in zip(wanted, is_split, strict=True):
                splits += ["*", "*"] if old else ["*^"] if new else ["*"]
            lines.append(splits)
        is_split[:] = wanted
        lines += _aligned([voice for voices in measure.staves for voice in voices])
    lines += _joins(is_split, [False] * n_staves)
    lines += [[final] * n_staves, ["*-"] * n_staves]
    return "\n".join("\t".join(line) for line in lines)


def trim(measures: Sequence[Measure], difficulty: float) -> list[Measure]:
    """The first measures, as many as are legible side by side, and at least one.

    Ties and slurs are removed whose other end is outside, or in another voice.
    """
    easy, hard = _MAX_COLUMNS
    most = easy + (hard - easy) * difficulty
    n_columns = n_characters = 0
    fitting: list[Measure] = []
    for measure in measures:
        lines = _aligned([voice for voices in measure.staves for voice in voices])
        n_columns += len(lines)
        n_characters += sum(len(field) + 1 for line in lines for field in line)
        if fitting and (n_columns > most or n_characters > MAX_CHARACTERS - _RESERVED_CHARACTERS):
            break
        fitting.append(measure)
    for staff in range(len(fitting[0].staves)):
        for place in range(2):
            has_it = [place < len(measure.staves[staff]) for measure in fitting]
            for is_there, numbers in groupby(range(len(fitting)), has_it.__getitem__):
                if is_there:
                    _pair_signs(fitting, list(numbers), staff, place)
    return fitting


def _joins(is_split: list[bool], wanted: Sequence[bool]) -> Iterator[list[str]]:
    """Lines that join spines, one per staff: adjacent joins on one line would be a single join."""
    for staff, keep in enumerate(wanted):
        if is_split[staff] and not keep:
            fields: list[str] = []
            for index, double in enumerate(is_split):
                fields += ["*v", "*v"] if index == staff else ["*"] * (1 + double)
            is_split[staff] = False
            yield fields


def _aligned(voices: Sequence[Voice]) -> list[list[str]]:
    """Tokens as lines; ``.`` where a voice has no onset. Grace notes come before their main note."""
    starts: list[dict[tuple[Fraction, int], str]] = []
    for voice in voices:
        now, n_graces, tokens = Fraction(0), 0, {}
        for event in voice:
            if event.grace:
                tokens[now, n_graces] = event.token
                n_graces += 1
                continue
            tokens[now, 1_000] = event.token
            now += event.length
            n_graces = 0
        starts.append(tokens)
    return [[tokens.get(time, ".") for tokens in starts] for time in sorted({t for s in starts for t in s})]


def recip_of(length: Fraction) -> str | None:
    """Kern duration of a length in quarters, at most a breve; None where no single note has that length."""
    for dots in range(_MAX_DOTS + 1):
        plain = length / (2 - Fraction(1, 2**dots))
        if plain == 8:
            return "0" + "." * dots
        number = 4 / plain
        if number.denominator == 1 and number <= 64:
            return str(number) + "." * dots
    return None


def key_signature(fifths: int) -> str:
    """``*k[…]`` of a key, given its place on the circle of fifths, sharps above 0."""
    letters, sign = (SHARPS[:fifths], "#") if fifths > 0 else (SHARPS[::-1][:-fifths], "-")
    return f"*k[{''.join(letter + sign for letter in letters)}]"


def fifths_of(signature: str) -> int | None:
    """The inverse of :func:`key_signature`; None where it is not a usual key."""
    count = signature.count("#") - signature.count("-")
    return count if abs(count) <= 7 and key_signature(count) == signature else None


def transpose(voice: Voice, fifths: int, octaves: int = 0) -> Voice | None:
    """Transpose on the circle of fifths, by at most a fourth, and by octaves; None for triple accidentals."""
    shift = (4 * fifths + 3) % 7 - 3 + 7 * octaves
    moved = []
    for event in voice:
        heads = []
        for head in event.heads:
            place = _ON_FIFTHS[LETTERS[head.position % 7]] + 7 * head.alter + fifths
            position = head.position + shift
            alter = (place - _ON_FIFTHS[LETTERS[position % 7]]) // 7
            if abs(alter) > 2:
                return None
            heads.append(replace(head, position=position, alter=alter))
        moved.append(replace(event, heads=tuple(heads)))
    return tuple(moved)


def add_beams(voice: Voice, beat: Fraction) -> Voice:
    """Set beams over notes shorter than a quarter, beat by beat, in place of existing ones.

    Grace notes keep their beams.
    """
    groups: list[list[int]] = []
    now, last = Fraction(0), None
    for index, event in enumerate(voice):
        if event.grace:
            continue
        if now // beat != last or not groups:
            groups.append([])
            last = now // beat
        groups[-1].append(index)
        now += event.length
    events = [event if event.grace else replace(event, beam="") for event in voice]
    for group in groups:
        recips = tuple(events[index].recip for index in group)
        marks = beams(recips, [not events[index].heads for index in group])
        for index, mark in zip(group, marks, strict=True):
            events[index] = replace(events[index], beam=mark)
    return tuple(events)


def _pair_signs(measures: list[Measure], run: Sequence[int], staff: int, place: int) -> None:
    """Remove unpaired ties and slurs of one voice in consecutive measures."""
    events = [event for number in run for event in measures[number].staves[staff][place]]
    paired = iter(_without_unpaired_signs(events))
    for number in run:
        staves = list(measures[number].staves)
        voices = list(staves[staff])
        voices[place] = tuple(islice(paired, len(voices[place])))
        staves[staff] = tuple(voices)
        measures[number] = replace(measures[number], staves=tuple(staves))


def _without_unpaired_signs(events: Sequence[Event]) -> list[Event]:
    """The events with one slur at a time, and only ties to the same pitch in the next event."""
    result = [replace(event, slur="") for event in events]
    opened: int | None = None
    for index, event in enumerate(events):
        if ")" in event.slur and opened is not None:
            result[opened] = replace(result[opened], slur=result[opened].slur + "(")
            result[index] = replace(result[index], slur=")")
            opened = None
        if "(" in event.slur and opened is None:
            opened = index
    plain = [index for index, event in enumerate(events) if not event.grace]
    tied_pitches: set[tuple[int, int]] = set()
    for place, index in enumerate(plain):
        following = events[plain[place + 1]].heads if place + 1 < len(plain) else ()
        next_pitches = {(head.position, head.alter) for head in following if head.tie in ("]", "_")}
        heads = []
        for head in events[index].heads:
            pitch = head.position, head.alter
            is_tied = head.tie in ("[", "_") and pitch in next_pitches
            was_tied = head.tie in ("]", "_") and pitch in tied_pitches
            heads.append(replace(head, tie=_TIES[was_tied, is_tied]))
        tied_pitches = {(head.position, head.alter) for head in heads if head.tie in ("[", "_")}
        result[index] = replace(result[index], heads=tuple(heads))
    return result
