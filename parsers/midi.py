"""The notes of a score to MIDI through music21, which writes the file and reads none of the kern."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from docai.parsers.musicxml import plain_meter, quietly
from docai.parsers.notes import Notes, quote
from docai.parsers.pairing import pair_ties
from docai.records import Event

GRACE_LENGTH = Fraction(1, 8)
"""Of grace notes, in quarter notes; they begin with the note that they ornament."""


class Midi(NamedTuple):
    """A Standard MIDI File, and what was counted on the way."""

    data: bytes
    n_notes: int
    """Notes of the events, tied notes counted once."""
    n_written: int
    """Note-on events of the file."""


def write_midi(events: Sequence[Event], signs: Sequence[tuple[Fraction, str]], notes: Notes) -> Midi:
    """A track for each spine. ``signs`` are meters and tempi in kern, and when they are given.

    Every note and meter that the file lacks is an issue.

    Raises:
        ConversionError: music21 failed.
    """
    played = _played(events)
    written = [(time, _plain(text), text) for time, text in signs]
    for text in dict.fromkeys(text for _, sign, text in written if sign is None):
        notes.add("score-meter-lost", f"music21 cannot write the meter {quote(text)}.")
    kept = [(time, sign) for time, sign, _ in written if sign is not None]
    data, n_written = quietly(lambda: _written(played, kept))
    if n_written != len(played):
        notes.add("score-midi-lost", f"The kern has {len(played)} notes, the MIDI file {n_written}.")
    return Midi(data, len(played), n_written)


def _plain(sign: str) -> str | float | None:
    """A meter, or quarter notes a minute; None where it cannot be written."""
    return float(sign[3:]) if sign.startswith("*MM") else plain_meter(sign)


def _played(events: Sequence[Event]) -> list[tuple[Event, Fraction]]:
    """The notes that are struck, with how long they sound until the last note that they are tied to."""
    next_of = dict(pair_ties(events).pairs)
    taken = set(next_of.values())
    played = []
    for index, event in enumerate(events):
        if event.kind == "rest" or index in taken:
            continue
        length = GRACE_LENGTH if event.grace else Fraction(event.duration)
        while index in next_of:
            index = next_of[index]
            length += Fraction(events[index].duration)
        played.append((event, length))
    return played


def _written(
    played: Sequence[tuple[Event, Fraction]], signs: Sequence[tuple[Fraction, str | float]]
) -> tuple[bytes, int]:
    from music21.meter import TimeSignature
    from music21.midi.translate import streamToMidiFile
    from music21.note import Note
    from music21.stream import Part, Score
    from music21.tempo import MetronomeMark

    score: Any = Score()
    parts: dict[int, Any] = {}
    for number in sorted({event.spine for event, _ in played} or {1}):
        parts[number] = Part(id=f"P{number}")
        score.insert(0, parts[number])
    first = next(iter(parts.values()))
    for time, sign in signs:
        mark: Any = TimeSignature(sign) if isinstance(sign, str) else MetronomeMark(number=sign)
        first.insert(time, mark)
    for event, length in played:
        if event.midi is not None:
            parts[event.spine].insert(Fraction(event.onset), Note(event.midi, quarterLength=length))
    file = streamToMidiFile(score)
    n_written = sum(event.isNoteOn() for track in file.tracks for event in track.events)
    return file.writestr(), n_written
