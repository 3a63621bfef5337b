"""MusicXML and MIDI of a score through music21.

MusicXML is made from the kern, which music21 parses; MIDI from our own events, which music21 only writes.
music21 accepts little that is unusual, so the input is reduced to what it can write, and what is lost is
logged as issues.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from fractions import Fraction
from typing import Any, NamedTuple, TypeVar

from docai.contents import Event
from docai.parsers.base import IssueLog, quote
from docai.parsers.score_notes import METER, read_field
from docai.parsers.score_ties import pair_ties

T = TypeVar("T")

_BEATS_OF_VALUE = {
    "0": (2, "1"),
    "00": (4, "1"),
    "000": (8, "1"),
    **{str(2**n): (1, str(2**n)) for n in range(8)},
}
"""Value of a beat in kern → the number and value of the beats that replace it in MusicXML and MIDI."""

_MAX_BEATS = 64
"""music21 takes almost a second to divide a measure of 100 beats, and does not finish with one of 200."""


class ConversionError(Exception):
    """music21 failed; the message is its own."""


def run_music21(function: Callable[[], T]) -> T:
    """Call a function that uses music21, without the warnings and output of music21.

    Raises:
        ConversionError: the function raised an exception.
    """
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            return function()
        except Exception as error:
            # music21 raises exceptions of any type on music that it does not support.
            raise ConversionError(f"{type(error).__name__}: {error}") from error


def plain_meter(text: str) -> str | None:
    """A kern meter in the form that music21 can write: ``5/8`` for ``*M2+3/8``; None if there is none."""
    match = METER.fullmatch(text)
    n, value = _BEATS_OF_VALUE.get(match[2], (0, "")) if match else (0, "")
    n_beats = n * sum(map(int, match[1].split("+"))) if match else 0
    return f"{n_beats}/{value}" if 0 < n_beats <= _MAX_BEATS else None


_MAX_QUARTERS = 64
"""music21 takes seconds for notes longer than this."""

_MIN_QUARTERS = Fraction(1, 256)
"""music21 fails on notes shorter than this."""

_MAX_PARTS_OF_QUARTER = 1024
"""Largest denominator of durations, in quarter notes."""

_ENCODING_DATE = re.compile(r"\s*<encoding-date>[^<]*</encoding-date>")

# music21 adds a title and a composer where there are none.
_INVENTED_CREDITS = re.compile(
    r"\s*<movement-title>Music21 Fragment</movement-title>|\s*<creator type=\"composer\">Music21</creator>"
)

# music21 makes new ids each time.
_PART_ID = re.compile(r"(<(?:score-part|part) id=\")([^\"]+)(\")")

_INSTRUMENT_ID = re.compile(r"(<(?:score-instrument|midi-instrument|instrument) id=\")([^\"]+)(\")")

_NOTE_ELEMENT = re.compile(r"<note\b.*?</note>", re.DOTALL)

_SLUR_START = re.compile(r"<slur\b[^>]*\btype=\"start\"")


class Place(NamedTuple):
    """Where a note is in the kern: line (from 1), column in which its spine started (from 0), MIDI pitch."""

    line: int
    column: int
    midi: int | None


class MusicXml(NamedTuple):
    """MusicXML, with the number of notes and slurs."""

    text: str
    n_read: int
    """Notes that music21 read; each note of a chord counts."""
    n_sounding: int
    """Notes in the MusicXML; tied notes count once, because music21 splits long notes and ties the parts."""
    n_slurs: int
    """Slurs in the MusicXML."""


def prepare_for_music21(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines, reduced to what music21 can write, and the meters that it cannot write as given.

    A sum of beats is replaced by the total. Invalid fields are removed, because music21 misreads them (it
    takes every digit of ``*M1/8;*MM60`` for one meter) and may not terminate. ``lines`` must be valid, with
    ``**kern`` spines only.
    """
    lost_meters: list[str] = []
    clean = [line if line[:1] in ("!", "=") else _clean_line(line, lost_meters) for line in lines]
    return clean, lost_meters


def _clean_line(line: str, lost_meters: list[str]) -> str:
    fields = line.split("\t")
    for index, text in enumerate(fields):
        if text.startswith("*M") and not text.startswith("*MM"):
            meter = plain_meter(text)
            fields[index] = f"*M{meter}" if meter else "*"
            if METER.fullmatch(text) and (not meter or "+" in text):
                lost_meters.append(text)
        elif text != "." and text[:1] not in ("*", "!", "=") and not _is_writable_field(text):
            fields[index] = "."
    return "\t".join(fields)


def _is_writable_field(text: str) -> bool:
    field = read_field(text)
    return field is not None and all(
        not duration
        or (_MIN_QUARTERS <= duration <= _MAX_QUARTERS and duration.denominator <= _MAX_PARTS_OF_QUARTER)
        for duration in field.durations
    )


def kern_to_musicxml(kern: str, slurs: Collection[tuple[Place, Place]] = ()) -> MusicXml:
    """MusicXML 4.0 of a Humdrum text with a valid spine structure. The same kern always gives the same text.

    music21 does not read the slurs of kern, so they are passed separately, as pairs of start and end.

    Raises:
        ConversionError: music21 failed.
    """
    xml, n_read = run_music21(lambda: _convert_kern(kern, slurs))
    xml = _number_ids(_INSTRUMENT_ID, "I", _number_ids(_PART_ID, "P", xml))
    xml = _INVENTED_CREDITS.sub("", _ENCODING_DATE.sub("", xml))
    n_sounding = sum(
        ("<pitch>" in note or "<unpitched>" in note) and '<tie type="stop"' not in note
        for note in _NOTE_ELEMENT.findall(xml)
    )
    return MusicXml(xml, n_read, n_sounding, len(_SLUR_START.findall(xml)))


def _convert_kern(kern: str, slurs: Collection[tuple[Place, Place]]) -> tuple[str, int]:
    from music21.humdrum.spineParser import HumdrumDataCollection
    from music21.musicxml.m21ToXml import GeneralObjectExporter
    from music21.stream import Measure

    collection = HumdrumDataCollection(kern)
    collection.parse()
    score: Any = collection.stream
    n_notes = sum(len(sound.pitches) for sound in score.recurse().notes)
    if slurs:
        _add_slurs(score, slurs)
    for measure in score.recurse().getElementsByClass(Measure):
        # For the length of a measure without a meter, music21 searches for a meter that fits the notes, which
        # can take a minute (541/28). If the search raises, music21 uses the length of the notes.
        measure.bestTimeSignature = _raise_no_meter
    # As in GeneralObjectExporter.parse(), but without its deep copy: nobody else uses this score.
    score.makeRests(
        refStreamOrTimeRange=[0.0, score.highestTime],
        fillGaps=True,
        inPlace=True,
        hideRests=True,
        timeRangeFromBarDuration=True,
    )
    exporter = GeneralObjectExporter()
    return exporter.parseWellformedObject(exporter.fromScore(score)).decode(), n_notes


def _raise_no_meter() -> None:
    from music21.meter import MeterException

    raise MeterException("no meter is given")


def _add_slurs(score: Any, slurs: Collection[tuple[Place, Place]]) -> None:
    """Add slurs between the notes that music21 read from these places, if it read both."""
    from music21.spanner import Slur

    # music21 stores a note's line as its priority, and the column of its spine in the id of its part.
    sounds: dict[tuple[int, str], list[Any]] = defaultdict(list)
    for part in score.parts:
        for sound in part.recurse().notes:
            sounds[sound.priority, str(part.id)].append(sound)
    for start, end in slurs:
        first, last = (
            _find_sound(sounds[place.line, f"spine_{place.column}"], place.midi) for place in (start, end)
        )
        if first is not None and last is not None:
            score.insert(0, Slur(first, last))


def _find_sound(sounds: Sequence[Any], midi: int | None) -> Any:
    return next((sound for sound in sounds if any(pitch.midi == midi for pitch in sound.pitches)), None)


def _number_ids(pattern: re.Pattern[str], letter: str, xml: str) -> str:
    ids: dict[str, str] = {}
    return pattern.sub(lambda m: m[1] + ids.setdefault(m[2], f"{letter}{len(ids) + 1}") + m[3], xml)


GRACE_LENGTH = Fraction(1, 8)
"""Length of grace notes in MIDI, in quarter notes; they start together with the note that they ornament."""


class Midi(NamedTuple):
    """A Standard MIDI File, with the number of its notes."""

    data: bytes
    n_notes: int
    """Notes of the events; tied notes count once."""
    n_written: int
    """Note-on events of the file."""


def write_midi(
    events: Sequence[Event], meters_and_tempi: Sequence[tuple[Fraction, str]], log: IssueLog
) -> Midi:
    """A Standard MIDI File with a track for each spine.

    Args:
        events: notes and rests.
        meters_and_tempi: time in quarter notes since the start, and the meter or tempo as in kern.
        log: receives an issue for notes and meters that the file lacks.

    Raises:
        ConversionError: music21 failed.
    """
    struck = _struck_notes(events)
    signs_and_texts = [(time, _midi_sign(text), text) for time, text in meters_and_tempi]
    for text in dict.fromkeys(text for _, sign, text in signs_and_texts if sign is None):
        log.add("score-meter-lost", f"music21 cannot write the meter {quote(text)}.")
    writable_signs = [(time, sign) for time, sign, _ in signs_and_texts if sign is not None]
    data, n_written = run_music21(lambda: _make_midi_file(struck, writable_signs))
    if n_written != len(struck):
        log.add("score-midi-lost", f"The kern has {len(struck)} notes, but the MIDI file has {n_written}.")
    return Midi(data, len(struck), n_written)


def _struck_notes(events: Sequence[Event]) -> list[tuple[Event, Fraction]]:
    """Notes that do not continue a tie, with their length up to the end of the last tied note."""
    next_of = dict(pair_ties(events).pairs)
    continued = set(next_of.values())
    struck = []
    for index, event in enumerate(events):
        if event.kind == "rest" or index in continued:
            continue
        length = GRACE_LENGTH if event.grace else Fraction(event.duration)
        while index in next_of:
            index = next_of[index]
            length += Fraction(events[index].duration)
        struck.append((event, length))
    return struck


def _midi_sign(sign: str) -> str | float | None:
    """A meter such as ``3/4``, or a tempo in quarter notes per minute; None if music21 cannot write it."""
    return float(sign[3:]) if sign.startswith("*MM") else plain_meter(sign)


def _make_midi_file(
    struck: Sequence[tuple[Event, Fraction]], meters_and_tempi: Sequence[tuple[Fraction, str | float]]
) -> tuple[bytes, int]:
    from music21.meter import TimeSignature
    from music21.midi.translate import streamToMidiFile
    from music21.note import Note
    from music21.stream import Part, Score
    from music21.tempo import MetronomeMark

    score: Any = Score()
    parts: dict[int, Any] = {}
    for number in sorted({event.spine for event, _ in struck} or {1}):
        parts[number] = Part(id=f"P{number}")
        score.insert(0, parts[number])
    first = next(iter(parts.values()))
    for time, sign in meters_and_tempi:
        mark: Any = TimeSignature(sign) if isinstance(sign, str) else MetronomeMark(number=sign)
        first.insert(time, mark)
    for event, length in struck:
        if event.midi is not None:
            parts[event.spine].insert(Fraction(event.onset), Note(event.midi, quarterLength=length))
    file = streamToMidiFile(score)
    n_written = sum(event.isNoteOn() for track in file.tracks for event in track.events)
    return file.writestr(), n_written
