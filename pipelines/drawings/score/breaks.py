"""Ties over the break between two systems: which open curves are ties, and between which heads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from docai.geometry import center
from docai.pipelines.drawings.score.pitches import DEFAULT_CLEF, HeadKey, clef_step
from docai.pipelines.drawings.score.types import Chord, Curve, Head, System

_NEAR_HEAD = 1.3
"""Staff spaces between the end of a tie and the middle of its head, along the staff's height."""
_BESIDE_HEAD = 0.45
"""Share of the width of a head from its middle, from where a tie begins beside it and not over it."""
_COLUMN_SPACES = 1.9


@dataclass(slots=True)
class OpenTies:
    """Ties of one system to its neighbors."""

    tied_in: dict[HeadKey, HeadKey | None] = field(default_factory=dict)
    """Head → the one in the system before; None where that is not known."""
    tied_out: set[HeadKey] = field(default_factory=set)


def find_open_ties(systems: Sequence[System]) -> list[OpenTies]:
    """The ties over the breaks of successive systems.

    An open curve is a tie where the last note before the break and the first after it are the same; where
    there is no system on the other side, if it begins or ends beside a head instead of above or below it.
    """
    ties = [OpenTies() for _ in systems]
    for number, system in enumerate(systems):
        following = systems[number + 1] if number + 1 < len(systems) else None
        if following is not None and len(following.staves) != len(system.staves):
            following = None
        for key, curve in _open_heads(system, is_out=True):
            if following is None:
                if _is_beside(system, key, curve.begin[0], curve.begin[1], is_out=True):
                    ties[number].tied_out.add(key)
                continue
            step = _step(system, key, None)
            staff = _head(system, key).staff
            for other, _ in _open_heads(following, is_out=False):
                if other in ties[number + 1].tied_in or _head(following, other).staff != staff:
                    continue
                if _step(following, other, system) == step:
                    ties[number].tied_out.add(key)
                    ties[number + 1].tied_in[other] = key
                    break
        if number == 0 or len(systems[number - 1].staves) != len(system.staves):
            for key, curve in _open_heads(system, is_out=False):
                if _is_beside(system, key, curve.end[0], curve.end[1], is_out=False):
                    ties[number].tied_in[key] = None
    return ties


def _open_heads(system: System, *, is_out: bool) -> Iterator[tuple[HeadKey, Curve]]:
    """Heads next to a break with an open curve: for each curve the heads of its chord, the nearest first."""
    for curve in system.curves:
        index = curve.first if is_out else curve.last
        beyond = curve.last if is_out else curve.first
        if index is None or beyond is not None:
            continue
        chord = system.chords[index]
        if chord.is_grace or not chord.heads or not _is_outermost(system, chord, is_out=is_out):
            continue
        y = curve.begin[1] if is_out else curve.end[1]
        place = min(range(len(chord.heads)), key=lambda place: abs(center(chord.heads[place].bbox)[1] - y))
        yield (index, place), curve


def _is_outermost(system: System, chord: Chord, *, is_out: bool) -> bool:
    """No note of the staff, in the same voice or another, stands between the chord and the break."""
    space = system.staves[chord.staff].space if chord.staff < len(system.staves) else 5.0
    for other in system.chords:
        if other is chord or other.staff != chord.staff or other.is_grace:
            continue
        between = other.x - chord.x if is_out else chord.x - other.x
        same_voice = chord.stem == "none" or other.stem in ("none", chord.stem)
        if between > _COLUMN_SPACES * space and same_voice:
            return False
    return True


def _head(system: System, key: HeadKey) -> Head:
    return system.chords[key[0]].heads[key[1]]


def _is_beside(system: System, key: HeadKey, x: float, y: float, *, is_out: bool) -> bool:
    head = _head(system, key)
    space = system.staves[head.staff].space if head.staff < len(system.staves) else 5.0
    middle_x, middle_y = center(head.bbox)
    beside = (x - middle_x) if is_out else (middle_x - x)
    return abs(y - middle_y) < _NEAR_HEAD * space and beside > _BESIDE_HEAD * (head.bbox[2] - head.bbox[0])


def _step(system: System, key: HeadKey, before: System | None) -> int:
    """Diatonic number of a head under the clef in force at it."""
    head = _head(system, key)
    x = system.chords[key[0]].x
    clefs = [clef for clef in system.clefs if clef.staff == head.staff and clef.x < x]
    if not clefs and before is not None:
        clefs = [clef for clef in before.clefs if clef.staff == head.staff]
    clef = max(clefs, key=lambda clef: clef.x).kern if clefs else DEFAULT_CLEF
    return clef_step(clef) + head.position
