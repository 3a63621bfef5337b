"""Kern to MusicXML through music21, kept apart from all that music21 does besides."""

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

GRACE_LENGTH = Fraction(1, 8)
"""Of grace notes, in quarter notes; they begin with the note that they ornament."""


class Midi(NamedTuple):
    """A Standard MIDI File, and what was counted on the way."""

    data: bytes
    n_notes: int
    """Notes of the events, tied notes counted once."""
    n_written: int
    """Note-on events of the file."""


def write_midi(events: Sequence[Event], signs: Sequence[tuple[Fraction, str]], log: IssueLog) -> Midi:
    """A track for each spine. ``signs`` are meters and tempi in kern, and when they are given.

    Every note and meter that the file lacks is an issue.

    Raises:
        ConversionError: music21 failed.
    """
    played = _played(events)
    written = [(time, _plain(text), text) for time, text in signs]
    for text in dict.fromkeys(text for _, sign, text in written if sign is None):
        log.add("score-meter-lost", f"music21 cannot write the meter {quote(text)}.")
    kept = [(time, sign) for time, sign, _ in written if sign is not None]
    data, n_written = run_music21(lambda: _written(played, kept))
    if n_written != len(played):
        log.add("score-midi-lost", f"The kern has {len(played)} notes, the MIDI file {n_written}.")
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


T = TypeVar("T")

_DATE = re.compile(r"\s*<encoding-date>[^<]*</encoding-date>")

# music21 fills in a title and a composer where there are none.
_INVENTED = re.compile(
    r"\s*<movement-title>Music21 Fragment</movement-title>|\s*<creator type=\"composer\">Music21</creator>"
)

# It makes them up anew each time.
_PART_ID = re.compile(r"(<(?:score-part|part) id=\")([^\"]+)(\")")

_INSTRUMENT_ID = re.compile(r"(<(?:score-instrument|midi-instrument|instrument) id=\")([^\"]+)(\")")

_NOTE = re.compile(r"<note\b.*?</note>", re.DOTALL)

_SLUR_START = re.compile(r"<slur\b[^>]*\btype=\"start\"")

_BEATS = {"0": (2, "1"), "00": (4, "1"), "000": (8, "1"), **{str(2**n): (1, str(2**n)) for n in range(8)}}
"""Values of a beat in kern; into how many beats of what value MusicXML and MIDI have to divide one."""

_MOST_BEATS = 64
"""It takes the better part of a second to divide a measure of 100 beats, and never ends with one of 200."""

_LONGEST = 64
"""Quarter notes. It takes seconds over longer notes."""

_SHORTEST = Fraction(1, 256)
"""Quarter notes. It fails at shorter notes."""

_MOST_PARTS = 1024
"""Of a quarter note, into which durations may divide it."""


class ConversionError(Exception):
    """music21 failed; the message says how."""


class Place(NamedTuple):
    """Where a note is in the kern: its line from 1, the column its spine began in from 0, its MIDI pitch."""

    line: int
    column: int
    midi: int | None


class MusicXml(NamedTuple):
    """MusicXML, and what was counted on the way."""

    text: str
    n_read: int
    """Notes that music21 read; each note of a chord is one."""
    n_sounding: int
    """Notes in the MusicXML, tied ones counted once: music21 parts and ties what no single note can write."""
    n_slurs: int
    """Slurs in the MusicXML."""


def prepare_for_music21(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """As many lines, of what music21 can write alone; and the meters that it cannot write as they are.

    Of a sum of beats it gets the total. What breaks the grammar it takes for something else, such as every
    digit of ``*M1/8;*MM60`` for one meter, and may never come to an end. ``lines`` are sound, and all spines
    are ``**kern``.
    """
    lost: list[str] = []
    clean = [line if line[:1] in ("!", "=") else _clean(line, lost) for line in lines]
    return clean, lost


def _clean(line: str, lost: list[str]) -> str:
    fields = line.split("\t")
    for index, text in enumerate(fields):
        if text.startswith("*M") and not text.startswith("*MM"):
            meter = plain_meter(text)
            fields[index] = f"*M{meter}" if meter else "*"
            if METER.fullmatch(text) and (not meter or "+" in text):
                lost.append(text)
        elif text != "." and text[:1] not in ("*", "!", "=") and not _is_writable(text):
            fields[index] = "."
    return "\t".join(fields)


def _is_writable(text: str) -> bool:
    field = read_field(text)
    return field is not None and all(
        not duration or (_SHORTEST <= duration <= _LONGEST and duration.denominator <= _MOST_PARTS)
        for duration in field.durations
    )


def plain_meter(text: str) -> str | None:
    """A meter of kern as music21 can write it: ``5/8`` for ``*M2+3/8``; None where it cannot."""
    match = METER.fullmatch(text)
    n, value = _BEATS.get(match[2], (0, "")) if match else (0, "")
    n_beats = n * sum(map(int, match[1].split("+"))) if match else 0
    return f"{n_beats}/{value}" if 0 < n_beats <= _MOST_BEATS else None


def kern_to_musicxml(kern: str, slurs: Collection[tuple[Place, Place]] = ()) -> MusicXml:
    """MusicXML 4.0 of a Humdrum text whose spines are sound. The same kern always gives the same text.

    music21 does not read the slurs of kern, so it is told of them.

    Raises:
        ConversionError: music21 failed.
    """
    xml, n_read = run_music21(lambda: _convert(kern, slurs))
    xml = _numbered(_INSTRUMENT_ID, "I", _numbered(_PART_ID, "P", xml))
    xml = _INVENTED.sub("", _DATE.sub("", xml))
    n_sounding = sum(
        ("<pitch>" in note or "<unpitched>" in note) and '<tie type="stop"' not in note
        for note in _NOTE.findall(xml)
    )
    return MusicXml(xml, n_read, n_sounding, len(_SLUR_START.findall(xml)))


def _numbered(pattern: re.Pattern[str], letter: str, xml: str) -> str:
    ids: dict[str, str] = {}
    return pattern.sub(lambda m: m[1] + ids.setdefault(m[2], f"{letter}{len(ids) + 1}") + m[3], xml)


def run_music21(work: Callable[[], T]) -> T:
    """What the work with music21 gives. It warns and prints about what it does not know; our issues say it.

    Raises:
        ConversionError: it failed.
    """
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            return work()
        except Exception as error:
            # music21 raises errors of any type on music it does not understand.
            raise ConversionError(f"{type(error).__name__}: {error}") from error


def _convert(kern: str, slurs: Collection[tuple[Place, Place]]) -> tuple[str, int]:
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
        # Asked for the length of a measure without a meter, music21 looks for the meter that its notes fill,
        # for a minute where that is one of 541/28. Where there is none it takes the length of the notes.
        measure.bestTimeSignature = _no_meter
    # As GeneralObjectExporter.parse() does it, but for its deep copy of a score that nobody else has.
    score.makeRests(
        refStreamOrTimeRange=[0.0, score.highestTime],
        fillGaps=True,
        inPlace=True,
        hideRests=True,
        timeRangeFromBarDuration=True,
    )
    exporter = GeneralObjectExporter()
    return exporter.parseWellformedObject(exporter.fromScore(score)).decode(), n_notes


def _no_meter() -> None:
    from music21.meter import MeterException

    raise MeterException("no meter is given")


def _add_slurs(score: Any, slurs: Collection[tuple[Place, Place]]) -> None:
    """Put slurs between the notes that music21 read from their places, where it did read them."""
    from music21.spanner import Slur

    # music21 keeps the line of a note as its priority, and the column of its spine in the name of its part.
    sounds: dict[tuple[int, str], list[Any]] = defaultdict(list)
    for part in score.parts:
        for sound in part.recurse().notes:
            sounds[sound.priority, str(part.id)].append(sound)
    for start, end in slurs:
        first, last = (
            _sounding(sounds[place.line, f"spine_{place.column}"], place.midi) for place in (start, end)
        )
        if first is not None and last is not None:
            score.insert(0, Slur(first, last))


def _sounding(sounds: Sequence[Any], midi: int | None) -> Any:
    return next((sound for sound in sounds if any(pitch.midi == midi for pitch in sound.pitches)), None)
