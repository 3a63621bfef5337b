"""Notes and rests as typed events, in the order of the lines of a kern text."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from docai.parsers.kern_notes import KernField, KernNote, tuplet_of
from docai.parsers.spines import Spine, SpineLine
from docai.parsers.ticks import Ticks, written
from docai.records import Event

_STAFF = re.compile(r"\*staff(\d{1,3})")
_MIDI_PITCHES = range(128)


class EventList:
    """Gathers the events of one score. ``events`` may be read at any time.

    Attributes:
        events: What was gathered, by line, then from left to right, then by place in the chord.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._staves: dict[int, int] = {}
        self._tracks: list[int] = []
        self._spines: tuple[Spine, ...] = ()
        self._places: dict[int, tuple[int, int, int]] = {}
        self._known: dict[int, tuple[KernField, list[dict[str, Any]]]] = {}

    def interpretation(self, line: SpineLine) -> None:
        """Take note of the staves that the line names."""
        for spine, text in zip(line.spines, line.fields, strict=True):
            if match := _STAFF.fullmatch(text):
                self._staves[spine.track] = max(1, int(match[1]))
                self._spines = ()

    def add(self, line: SpineLine, column: int, field: KernField, onset: Ticks, measure: int) -> None:
        """Add the notes of one field, which start at ``onset`` (ticks since the start)."""
        number, voice, staff = self._place(line.spines, column)
        start = written(onset)
        for values in self._values_of(field):
            self.events.append(
                Event(
                    line=line.number,
                    spine=number,
                    voice=voice,
                    staff=staff,
                    measure=measure,
                    onset=start,
                    **values,
                )
            )

    def _values_of(self, field: KernField) -> list[dict[str, Any]]:
        """What the notes of a field say, wherever they stand. The same few fields come again and again."""
        known = self._known.get(id(field))
        if known is None:
            recip = field.notes[0].recip
            known = (field, [_of_note(note, note.recip or recip) for note in field.notes])
            for place, values in enumerate(known[1], start=1):
                values["duration"] = str(field.duration)
                if len(field.notes) > 1:
                    values["chord"] = place
            self._known[id(field)] = known
        return known[1]

    def _place(self, spines: tuple[Spine, ...], column: int) -> tuple[int, int, int]:
        """Number of the kern spine from the left, as they first came, its voice there, and its staff."""
        if self._spines is not spines:
            self._spines = spines
            self._places = {}
            voices: Counter[int] = Counter()
            kern = [(index, spine.track) for index, spine in enumerate(spines) if spine.kind == "**kern"]
            self._tracks = sorted({*self._tracks, *(track for _, track in kern)})
            number_of = {track: number for number, track in enumerate(self._tracks, start=1)}
            for index, track in kern:
                voices[track] += 1
                number = number_of[track]
                # Spines go from the lowest staff up, staves from the top down.
                staff = self._staves.get(track) or len(self._tracks) - number + 1
                self._places[index] = (number, voices[track], staff)
        return self._places[column]


def _of_note(note: KernNote, recip: str) -> dict[str, Any]:
    """The fields of an event that its note alone decides, without those that say nothing."""
    values: dict[str, Any] = {"kind": "rest" if note.is_rest else "note"}
    semitone = note.semitone
    if semitone is not None:
        values["pitch"] = note.pitch
        if semitone in _MIDI_PITCHES:
            values["midi"] = semitone
    found = {
        "accidental": note.accidental,
        "dots": recip.count("."),
        "tuplet": None if note.is_grace else tuplet_of(recip),
        "grace": note.is_grace,
        "tie": note.tie,
        "slurs": note.slurs,
        "beams": note.beams,
        "signs": note.other_signs,
    }
    values.update({name: value for name, value in found.items() if value})
    return values
