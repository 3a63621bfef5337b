"""Kern tokens of chords and rests: duration, pitches, ties, slurs, beams, ornaments, grace marks.

The order of signs is that of the targets of the score head: ``(``, ``[``, duration, pitch, ornaments, grace,
beam, ``]`` or ``_``, ``)``; signs of a whole chord stand at its first note.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from docai.pipelines.drawings.score.events import Quarters, value_of_chord
from docai.pipelines.drawings.score.pitches import HeadKey, SystemPitches
from docai.pipelines.drawings.score.types import Curve, Symbol, System

_MAX_DOTS = 3
_ARTICULATIONS = {
    "articStaccatissimo": "`",
    "articStaccatissimoWedge": "`",
    "articStaccatissimoStroke": "`",
    "articStaccato": "'",
    "articTenutoStaccato": "~'",
    "articTenutoAccent": "~^",
    "articAccentStaccato": "^'",
    "articMarcatoStaccato": "^^'",
    "articMarcatoTenuto": "^^~",
    "articTenuto": "~",
    "articMarcato": "^^",
    "articAccent": "^",
    "articStress": "",
}
"""Begin of a name in SMuFL → kern; longer names first."""
_ORNAMENTS = {
    "ornamentTrill": "T",
    "ornamentShortTrill": "M",
    "ornamentTremblement": "M",
    "ornamentMordent": "W",
    "ornamentTurnInverted": "$",
    "ornamentTurn": "S",
}
_LOWER_AUXILIARY = frozenset("W")
_DECORATED = ("`", "'", "~", "^", ";")


@dataclass(slots=True)
class Joins:
    """Ties and slurs by the notes that they join."""

    tied_on: set[HeadKey] = field(default_factory=set)
    """Heads that are tied to the next."""
    tied_back: set[HeadKey] = field(default_factory=set)
    slurs_begin: dict[int, int] = field(default_factory=dict)
    """Chord → number of slurs that begin at it."""
    slurs_end: dict[int, int] = field(default_factory=dict)
    n_loose: int = 0
    """Curves without a note at either end."""


def read_joins(system: System, tied_out: Iterable[HeadKey] = (), tied_in: Iterable[HeadKey] = ()) -> Joins:
    """The ties and slurs of a system.

    Args:
        system: the system.
        tied_out: heads that are tied into the next system.
        tied_in: heads that are tied to the system before.
    """
    joins = Joins(set(tied_out), set(tied_in))
    out = {chord for chord, _ in joins.tied_on}
    back = {chord for chord, _ in joins.tied_back}
    for curve in system.curves:
        if curve.first is None and curve.last is None:
            joins.n_loose += not _is_in_tablature(system, curve)
        elif curve.tied and curve.first is not None and curve.last is not None:
            for first, last in curve.tied:
                joins.tied_on.add((curve.first, first))
                joins.tied_back.add((curve.last, last))
        elif (curve.last is None and curve.first in out) or (curve.first is None and curve.last in back):
            continue
        elif curve.first is not None and curve.first == curve.last:
            joins.n_loose += 1
        else:
            if curve.first is not None:
                joins.slurs_begin[curve.first] = joins.slurs_begin.get(curve.first, 0) + 1
            if curve.last is not None:
                joins.slurs_end[curve.last] = joins.slurs_end.get(curve.last, 0) + 1
    return joins


def _is_in_tablature(system: System, curve: Curve) -> bool:
    """The nearest staff of a curve is one of tablature."""
    y = (curve.bbox[1] + curve.bbox[3]) / 2
    nearest = min(system.staves, key=lambda staff: max(staff.lines[0] - y, y - staff.lines[-1], 0.0))
    return nearest.is_tablature


def recip_of(length: Quarters, n_dots: int = 0) -> str:
    """Kern duration of a length in quarter notes, which is drawn with some dots."""
    if length <= 0:
        return "8"
    plain = length / (2 - Fraction(1, 2 ** min(n_dots, 4)))
    dots = "." * min(n_dots, 4)
    for value, text in ((8, "0"), (16, "00"), (32, "000")):
        if plain == value:
            return text + dots
    number = 4 / plain
    if number.denominator == 1:
        return f"{number.numerator}{dots}"
    return f"{number.numerator}%{number.denominator}{dots}"


def recip_of_rest(length: Quarters) -> str:
    """Kern duration of a rest without a form of its own, such as one that fills a measure of 5/4."""
    for n_dots in range(_MAX_DOTS + 1):
        text = recip_of(length, n_dots)
        if "%" not in text:
            return text
    return recip_of(length)


def beam_signs(system: System) -> dict[int, str]:
    """``L``, ``J``, ``K`` and ``k`` of each chord of a beam."""
    groups: dict[int, list[int]] = {}
    for index, chord in enumerate(system.chords):
        if chord.beam_group is not None:
            groups.setdefault(chord.beam_group, []).append(index)
    signs: dict[int, str] = {}
    for members in groups.values():
        members.sort(key=lambda index: system.chords[index].x)
        chords = [system.chords[index] for index in members]
        joined = [min(one.beams_right, other.beams_left) for one, other in pairwise(chords)]
        for place, (index, chord) in enumerate(zip(members, chords, strict=True)):
            before = joined[place - 1] if place else 0
            after = joined[place] if place < len(joined) else 0
            hooks_left = max(0, chord.beams_left - max(before, after))
            hooks_right = max(0, chord.beams_right - max(before, after))
            sign = "L" * max(0, after - before) + "J" * max(0, before - after)
            if before or after:
                sign += "k" * hooks_left if hooks_left >= hooks_right else "K" * hooks_right
            signs[index] = sign
    return signs


class TokenWriter:
    """Writes the tokens of one system."""

    def __init__(self, system: System, pitches: SystemPitches, joins: Joins) -> None:
        self._system = system
        self._pitches = pitches
        self._joins = joins
        self._beams = beam_signs(system)

    def chord(self, index: int, heads: Sequence[int], recip: str, *, is_beamed: bool) -> str:
        """The token of some heads of a chord."""
        return self._write(index, heads, recip, "", self._beams.get(index, "") if is_beamed else "")

    def grace(self, index: int, staff: int) -> str:
        """The token of a grace note."""
        chord = self._system.chords[index]
        value = value_of_chord(chord)[0][0]
        heads = [place for place, head in enumerate(chord.heads) if head.staff == staff]
        n_dots = max((head.n_dots for head in chord.heads), default=0)
        recip = recip_of(value) + "." * min(n_dots, 4)
        # A stroke through its stem is no tremolo.
        mark = "q" if chord.has_slash or chord.n_tremolos else "qq"
        return self._write(index, heads, recip, mark, self._beams.get(index, ""))

    def _write(self, index: int, heads: Sequence[int], recip: str, grace: str, beam: str) -> str:
        chord = self._system.chords[index]
        joins = self._joins
        # What belongs to the chord as a whole is written once, where most of it stands.
        is_main = chord.heads[heads[0]].staff == chord.staff or len(heads) == len(chord.heads)
        signs = signs_of_marks(chord.marks, self._pitches.ornaments.get(index, {}))
        tokens: list[str] = []
        for place in sorted(heads, key=lambda place: chord.heads[place].position):
            key = (index, place)
            is_first = is_main and not tokens
            on, back = key in joins.tied_on, key in joins.tied_back
            token = "(" * joins.slurs_begin.get(index, 0) if is_first else ""
            token += "[" if on and not back else ""
            token += recip + self._pitches.heads[key].kern
            token += (signs if is_first else "") + grace
            token += beam if is_first else ""
            token += "_" if on and back else "]" if back else ""
            token += ")" * joins.slurs_end.get(index, 0) if is_first else ""
            tokens.append(token)
        return " ".join(tokens)

    def rest(self, index: int, recip: str) -> str:
        """The token of a rest."""
        marks = self._system.rests[index].marks
        has_fermata = any(mark.name.startswith("fermata") for mark in marks)
        return f"{recip}r" + (";" if has_fermata else "")


def signs_of_marks(marks: Iterable[Symbol], neighbors: Mapping[str, int]) -> str:
    """Articulations, ornaments and fermata of a chord as kern writes them.

    Args:
        marks: symbols at the chord.
        neighbors: semitones to the notes above (``up``) and below (``down``), which say whether a trill
            is a whole or half tone wide.
    """
    signs: list[str] = []
    for mark in marks:
        sign = next((sign for name, sign in _ARTICULATIONS.items() if mark.name.startswith(name)), "")
        if mark.name.startswith("fermata"):
            sign = ";"
        for name, ornament in _ORNAMENTS.items():
            if mark.name.startswith(name):
                side = "down" if ornament in _LOWER_AUXILIARY else "up"
                is_half = abs(neighbors.get(side, 2)) == 1 and ornament.isalpha() and ornament != "S"
                sign = ornament.lower() if is_half else ornament
                break
        if sign and sign not in signs:
            signs.append(sign)
    plain = [sign for sign in signs if sign[:1] not in _DECORATED]
    return "".join(plain + sorted((s for s in signs if s[:1] in _DECORATED), key=lambda s: s == ";"))
