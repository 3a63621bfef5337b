"""Music between composing and writing: events, voices and staves, and their ``**kern`` text.

What is written is what Verovio engraves and the score head reads: signs of a note stand in one order,
``(``, ``[``, duration, pitch, ornaments, grace, beam, ``]`` or ``_``, ``)``; the first note of a chord
carries what the chord has once. A second voice on a staff is a spine split: ``*^`` after the barline, its
upper voice left, ``*v *v`` before the next; a split stays open while the measures that follow have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby, islice

from docai.pipelines.synthesis.score.plain import LETTERS, SHARPS, beams

_COLUMNS = (14, 38)
"""Moments at which something starts that stand side by side, at difficulty 0 and at most at 1."""
MAX_CHARACTERS = 800
"""Longest text; what fits the tokens of the head's answer."""
_FRAME = 150
"""Characters kept for clefs, keys, barlines and the like."""
_ON_FIFTHS = {letter: index for index, letter in enumerate("fcgdaeb", -1)}
_MAX_DOTS = 2
_TIES = {(False, False): "", (False, True): "[", (True, True): "_", (True, False): "]"}
"""Whether a note is tied to the one before and to the next, to its sign."""


@dataclass(frozen=True)
class Head:
    """One notehead: position, semitones of its accidental, and its tie: ``[``, ``_``, ``]`` or nothing."""

    position: int
    """Seven an octave, one a letter; 28 is middle c."""
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
    """A note, chord or, without heads, rest of one voice."""

    recip: str
    length: Fraction
    """Quarters; 0 for grace notes."""
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
    """What stands between two barlines: for each staff, lowest first, its one or two voices, upper first."""

    staves: tuple[tuple[Voice, ...], ...]
    bar: str = ""
    """Style of the barline before it, as kern writes it after the number."""
    changes: tuple[tuple[str, ...], ...] = ()
    """Lines of interpretations at its start, such as a new key; one field a staff."""


@dataclass(frozen=True)
class Bar:
    """One measure of a piece, with what is in force in it; one entry a part, lowest first."""

    parts: tuple[tuple[Voice, ...], ...]
    clefs: tuple[str, ...]
    fifths: tuple[int, ...]
    meter: tuple[int, int]


def written(measures: Sequence[Measure], opening: Sequence[Sequence[str]], final: str = "==") -> str:
    """The kern text. ``opening``: lines of interpretations such as clefs, one field a staff."""
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


def trimmed(measures: Sequence[Measure], difficulty: float) -> list[Measure]:
    """The first measures, as many as fit side by side large enough to be read, and one at least.

    Ties and slurs go whose other end lies outside, or in another voice.
    """
    easy, hard = _COLUMNS
    most = easy + (hard - easy) * difficulty
    n_columns = n_characters = 0
    kept: list[Measure] = []
    for measure in measures:
        lines = _aligned([voice for voices in measure.staves for voice in voices])
        n_columns += len(lines)
        n_characters += sum(len(field) + 1 for line in lines for field in line)
        if kept and (n_columns > most or n_characters > MAX_CHARACTERS - _FRAME):
            break
        kept.append(measure)
    for staff in range(len(kept[0].staves)):
        for place in range(2):
            has_it = [place < len(measure.staves[staff]) for measure in kept]
            for is_there, numbers in groupby(range(len(kept)), has_it.__getitem__):
                if is_there:
                    _partner(kept, list(numbers), staff, place)
    return kept


def _joins(is_split: list[bool], wanted: Sequence[bool]) -> Iterator[list[str]]:
    """One line a staff: joins side by side on one line would be one join."""
    for staff, keep in enumerate(wanted):
        if is_split[staff] and not keep:
            fields: list[str] = []
            for index, double in enumerate(is_split):
                fields += ["*v", "*v"] if index == staff else ["*"] * (1 + double)
            is_split[staff] = False
            yield fields


def _aligned(voices: Sequence[Voice]) -> list[list[str]]:
    """Tokens as lines; ``.`` where a voice has nothing new. Grace notes come before what they adorn."""
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
    """Kern duration of a length in quarters, a breve at most; None where one note cannot have it."""
    for dots in range(_MAX_DOTS + 1):
        plain = length / (2 - Fraction(1, 2**dots))
        if plain == 8:
            return "0" + "." * dots
        number = 4 / plain
        if number.denominator == 1 and number <= 64:
            return str(number) + "." * dots
    return None


def key_signature(fifths: int) -> str:
    """``*k[…]`` of a key by its place on the circle of fifths, sharps above 0."""
    letters, sign = (SHARPS[:fifths], "#") if fifths > 0 else (SHARPS[::-1][:-fifths], "-")
    return f"*k[{''.join(letter + sign for letter in letters)}]"


def fifths_of(signature: str) -> int | None:
    """The inverse of :func:`key_signature`; None where it is no usual key."""
    count = signature.count("#") - signature.count("-")
    return count if abs(count) <= 7 and key_signature(count) == signature else None


def transposed(voice: Voice, fifths: int, octaves: int = 0) -> Voice | None:
    """Moved along the circle of fifths, by a fourth at most, and octaves; None with a triple accidental."""
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


def beamed(voice: Voice, beat: Fraction) -> Voice:
    """With beams over what is shorter than a quarter, beat by beat, in place of any others.

    Grace notes keep theirs.
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


def _partner(measures: list[Measure], run: Sequence[int], staff: int, place: int) -> None:
    """Mend one voice in measures that follow each other."""
    events = [event for number in run for event in measures[number].staves[staff][place]]
    mended = iter(_without_loose_ends(events))
    for number in run:
        staves = list(measures[number].staves)
        voices = list(staves[staff])
        voices[place] = tuple(islice(mended, len(voices[place])))
        staves[staff] = tuple(voices)
        measures[number] = replace(measures[number], staves=tuple(staves))


def _without_loose_ends(events: Sequence[Event]) -> list[Event]:
    """One slur at a time; a tie leads to the same pitch in the next event."""
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
    held: set[tuple[int, int]] = set()
    for place, index in enumerate(plain):
        following = events[plain[place + 1]].heads if place + 1 < len(plain) else ()
        coming = {(head.position, head.alter) for head in following if head.tie in ("]", "_")}
        heads = []
        for head in events[index].heads:
            pitch = head.position, head.alter
            goes_on = head.tie in ("[", "_") and pitch in coming
            was_held = head.tie in ("]", "_") and pitch in held
            heads.append(replace(head, tie=_TIES[was_held, goes_on]))
        held = {(head.position, head.alter) for head in heads if head.tie in ("[", "_")}
        result[index] = replace(result[index], heads=tuple(heads))
    return result
