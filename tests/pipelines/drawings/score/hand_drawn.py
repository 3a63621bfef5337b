"""Systems of music put together by hand: staves of a space of 10 points, bottom line of the first at y 40."""

from __future__ import annotations

from collections.abc import Sequence

from docai.pipelines.drawings.score.types import (
    Barline,
    Chord,
    Clef,
    Curve,
    Head,
    KeySignature,
    Meter,
    Rest,
    Staff,
    System,
)

SPACE = 10.0
_HEADS = {"4": "noteheadWhole", "2": "noteheadHalf"}


def a_system(n_staves: int = 1, bars: Sequence[float] = (500,), meter: str | None = "*M4/4") -> System:
    """Staves in the treble clef from x 0 to the last bar, without notes."""
    staves = [Staff(tuple(100 * n + SPACE * line for line in range(5)), 0, bars[-1]) for n in range(n_staves)]
    system = System((0, 0, bars[-1], 100 * n_staves), staves)
    every = tuple(range(n_staves))
    system.barlines = [Barline("single", x, every) for x in bars]
    system.clefs = [Clef("*clefG2", staff, 5) for staff in every]
    if meter:
        system.meters = [Meter((meter,), staff, 30) for staff in every]
    return system


def add_note(
    system: System,
    x: float,
    value: str,
    *positions: int,
    staff: int = 0,
    stem: str = "up",
    accidental: str = "",
) -> int:
    """Add a chord, and return its index.

    Args:
        system: the system.
        x: its place, points.
        value: ``4`` a whole note, ``2`` a half, ``1`` a quarter, ``1/2`` one with a flag, ``1/4`` with two;
            ``.`` adds a dot.
        positions: half spaces above the bottom line.
        staff: its index.
        stem: ``up``, ``down`` or ``none``.
        accidental: before the first head.
    """
    plain = value.rstrip(".")
    name = _HEADS.get(plain, "noteheadBlack")
    heads = []
    for position in positions:
        y = system.staves[staff].lines[-1] - position * SPACE / 2
        heads.append(Head(name, staff, position, (x - 6, y - 5, x + 6, y + 5), "", value.count(".")))
    heads[0].accidental = accidental
    chord = Chord(heads, x, staff, "none" if plain == "4" else stem)  # type: ignore[arg-type]
    chord.n_flags = int(plain[2:]).bit_length() - 1 if "/" in plain else 0
    chord.bbox = (x - 6, min(head.bbox[1] for head in heads), x + 6, max(head.bbox[3] for head in heads))
    system.chords.append(chord)
    return len(system.chords) - 1


def add_rest(system: System, x: float, name: str, staff: int = 0, position: float = 4) -> None:
    """Add a rest by its name in SMuFL."""
    system.rests.append(Rest(name, staff, position, x, (x - 5, 0, x + 5, 10)))


def add_beam(system: System, *chords: int, n_beams: int = 1) -> None:
    """Beam chords; their flags go."""
    group = sum(chord.beam_group is not None for chord in system.chords) + 1
    for place, index in enumerate(chords):
        chord = system.chords[index]
        chord.n_flags, chord.beam_group = 0, group
        chord.beams_left = n_beams if place else 0
        chord.beams_right = n_beams if place < len(chords) - 1 else 0


def add_tie(system: System, first: int, last: int) -> None:
    """Tie the lowest heads of two chords."""
    system.curves.append(Curve((0, 0), (0, 0), True, (0, 0, 0, 0), first, last, ((0, 0),)))


def add_key(system: System, x: float, *signs: tuple[str, int], staff: int = 0) -> None:
    """Add a key signature."""
    system.keys.append(KeySignature(list(signs), staff, x))
