"""Chords and rests as events that take time: what each may last by how it is drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from docai.pipelines.drawings.score.types import Chord, Rest

Quarters = Fraction
"""A length or time in quarter notes."""

_REST_VALUES = {
    "restMaxima": Fraction(32),
    "restLonga": Fraction(16),
    "restDoubleWhole": Fraction(8),
    "restWhole": Fraction(4),
    "restHalf": Fraction(2),
    "restQuarter": Fraction(1),
    "restQuarterOld": Fraction(1),
    "restQuarterZ": Fraction(1),
}
_PLAIN_VALUES = {"noteheadBlack": 1, "noteheadHalf": 2, "noteheadWhole": 4}
"""Usual heads → quarter notes that they last without flags and beams."""
_REST_FRACTION = re.compile(r"rest(\d+)(?:th|nd)")
_HOLLOW_VALUE_COST = 1.0
"""Of reading a hollow head, of a shape other than the usual one, as a quarter note."""


@dataclass(slots=True, eq=False)
class Event:
    """A chord or rest on one staff, before it is known when it sounds."""

    x: float
    staff: int
    values: tuple[tuple[Quarters, float], ...]
    """What it may last without tuplets, each with what it costs to read it so; the likeliest first."""
    height: float
    """Half spaces of its middle above the bottom line."""
    stem: str = "none"
    chord: int | None = None
    heads: tuple[int, ...] = ()
    """Those of the chord that it stands for, by index."""
    rest: int | None = None
    n_dots: int = 0
    beam_group: int | None = None
    tuplets: tuple[int, ...] = ()
    """Tuplets that it may belong to, by number in the measure."""
    is_full_rest: bool = False
    """A whole rest, which may fill the measure whatever its meter."""
    is_spacer: bool = False
    """Stands for a chord of its beam that is on another staff."""


@dataclass(frozen=True, slots=True)
class TupletRatio:
    """One tuplet in a measure."""

    ratios: tuple[Fraction, ...]
    """By which it may multiply note values, the likeliest first."""
    beam_group: int | None
    is_above: bool
    is_guessed: bool = False
    """Without a number."""


def heads_by_value(chord: Chord) -> list[list[int]]:
    """The heads of a chord by index, apart where one stem is that of a half note and of a shorter one."""
    kinds: dict[str, list[int]] = {}
    for index, head in enumerate(chord.heads):
        kinds.setdefault(head.name if head.name in _PLAIN_VALUES else "", []).append(index)
    if chord.is_grace or "" in kinds or len(kinds) < 2:
        return [list(range(len(chord.heads)))]
    return [kinds[name] for name in _PLAIN_VALUES if name in kinds]


def value_of_chord(chord: Chord, heads: Sequence[int] = ()) -> tuple[tuple[Quarters, float], ...]:
    """What a chord, or some of its heads, may last without dots and tuplets, in quarter notes."""
    name = max((chord.heads[index].name for index in heads or range(len(chord.heads))), key=len, default="")
    if heads and len(heads) < len(chord.heads) and name != "noteheadBlack":
        return ((Fraction(_PLAIN_VALUES[name]), 0.0),)
    n_flags = max(chord.n_flags, chord.beams_left, chord.beams_right)
    has_beam = chord.beam_group is not None
    if "DoubleWhole" in name or "Breve" in name:
        return ((Fraction(8), 0.0),)
    # Beams between hollow heads are a tremolo.
    if n_flags and name not in ("noteheadHalf", "noteheadWhole"):
        return ((Fraction(1, 2**n_flags), 0.0),)
    if name in _PLAIN_VALUES:
        plain = _PLAIN_VALUES[name]
        if plain == 4 and chord.stem != "none":
            plain = 2
        if plain == 1 and has_beam:
            return ((Fraction(1, 2), 0.0), (Fraction(1), _HOLLOW_VALUE_COST))
        return ((Fraction(plain), 0.0),)
    if name.endswith("Whole"):
        return ((Fraction(4), 0.0),) if chord.stem == "none" else ((Fraction(2), 0.0), (Fraction(1), 0.5))
    if name.endswith(("Half", "White")):
        first = ((Fraction(2), 0.0), (Fraction(1), _HOLLOW_VALUE_COST))
        return first if chord.stem != "none" else ((Fraction(4), 0.0), *first)
    return ((Fraction(1), 0.0),)


def value_of_rest(rest: Rest) -> Quarters:
    """What a rest lasts, without dots and tuplets, in quarter notes."""
    for name, value in _REST_VALUES.items():
        if rest.name.startswith(name) and not rest.name[len(name) :][:1].islower():
            return value
    match = _REST_FRACTION.match(rest.name)
    return Fraction(4, int(match[1])) if match and int(match[1]) else Fraction(1)


def dotted(value: Quarters, n_dots: int) -> Quarters:
    """A value with augmentation dots."""
    n_dots = min(n_dots, 4)
    return value * (2 - Fraction(1, 2**n_dots))
