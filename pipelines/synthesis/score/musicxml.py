"""Reads the measures of a MusicXML piece (https://www.w3.org/2021/06/musicxml40/) without losing notes.

music21 is not used, since its kern writer loses notes. A measure with something that is not supported here
(cue notes, hidden or unpitched notes, quarter tones, three voices on a staff, a clef change in the middle,
durations that do not add up) is left out as a whole, and a new run begins after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from docai.pipelines.synthesis.score.notation import Bar, Event, Head, recip_of

if TYPE_CHECKING:
    from lxml.etree import _Element

_STEPS = "CDEFGAB"
_CONTAINER = "META-INF/container.xml"
_SIGNS = {"fermata": ";", "staccato": "'", "accent": "^", "trill-mark": "T"}
_BEAMS = {"begin": "L", "end": "J", "forward hook": "K", "backward hook": "k"}
_TIES = {(False, False): "", (True, False): "[", (True, True): "_", (False, True): "]"}
"""Whether a note is tied to the next and to the one before → its sign."""
_GRACE_RECIPS = {"quarter": "4", "eighth": "8", "16th": "16", "32nd": "32"}


class _UnsupportedError(Exception):
    """The measure has something that is not supported."""


@dataclass
class _Staff:
    """Current clef and key of one staff."""

    clef: str = ""
    fifths: int | None = None


@dataclass
class _Part:
    """Reads the measures of one part, in order."""

    staves: list[_Staff] = field(default_factory=lambda: [_Staff()])
    meter: tuple[int, int] | None = None
    divisions: int = 1
    _ends: dict[tuple[int, str], Fraction] = field(default_factory=dict)
    """Where the last note of each voice in the measure ends."""

    def read(self, measure: _Element) -> Bar | None:
        """One measure, its staves from top to bottom; None where it has something unsupported."""
        voices: dict[tuple[int, str], list[Event]] = {}
        self._ends = {}
        is_supported = True
        now = Fraction(0)
        for element in measure:
            duration = _quarters(element.findtext("duration") or "0", self.divisions)
            if element.tag == "attributes":
                # Clefs, keys and meters apply to later measures, also where this one is left out.
                is_supported &= not voices or element.find("divisions") is not None
                self._attributes(element)
            elif element.tag == "backup":
                now -= duration
            elif element.tag == "forward":
                now += duration
            elif element.tag == "note" and is_supported:
                try:
                    now = self._note(element, duration, now, voices)
                except _UnsupportedError:
                    is_supported = False
        return self._bar(voices) if is_supported else None

    def _attributes(self, element: _Element) -> None:
        self.divisions = int(element.findtext("divisions") or self.divisions)
        n_staves = int(element.findtext("staves") or len(self.staves))
        self.staves += [_Staff() for _ in range(n_staves - len(self.staves))]
        for key in element.iterfind("key"):
            number = int(key.get("number") or 0)
            for staff in self.staves[number - 1 : number] if number else self.staves:
                staff.fifths = int(key.findtext("fifths") or 0)
        for clef in element.iterfind("clef"):
            down = {"": "", "0": "", "-1": "v"}.get(clef.findtext("clef-octave-change") or "", "?")
            name = f"*clef{clef.findtext('sign')}{down}{clef.findtext('line')}"
            self.staves[int(clef.get("number") or 1) - 1].clef = name
        for time in element.iterfind("time"):
            beats, unit = time.findtext("beats") or "", time.findtext("beat-type") or ""
            self.meter = (int(beats), int(unit)) if beats.isdecimal() and unit.isdecimal() else None

    def _note(
        self, note: _Element, duration: Fraction, now: Fraction, voices: dict[tuple[int, str], list[Event]]
    ) -> Fraction:
        """Add one note, and return the start of the next."""
        children = {child.tag: child for child in note}
        if note.get("print-object") == "no" or not children.keys().isdisjoint(("cue", "unpitched")):
            raise _UnsupportedError
        staff = int(children["staff"].text or 1) - 1 if "staff" in children else 0
        name = children["voice"].text or "1" if "voice" in children else "1"
        voice = voices.setdefault((staff, name), [])
        if "chord" in children:
            if not voice or not voice[-1].heads:
                raise _UnsupportedError
            heads = sorted({*voice[-1].heads, _head(note)}, key=lambda head: head.position)
            if len(heads) == len(voice[-1].heads):
                raise _UnsupportedError
            voice[-1] = replace(voice[-1], heads=tuple(heads))
            return now
        grace = children.get("grace")
        recip = _recip(duration) if grace is None else _GRACE_RECIPS.get(note.findtext("type") or "")
        if recip is None or self._ends.get((staff, name), 0) != now:
            raise _UnsupportedError
        self._ends[staff, name] = now + duration
        is_rest = "rest" in children
        signs = slur = ""
        if "notations" in children:
            inside = [(mark.tag, mark.get("type")) for mark in children["notations"].iter()]
            signs = "".join(sign for tag, sign in _SIGNS.items() if any(mark[0] == tag for mark in inside))
            slur = "(" * (("slur", "start") in inside) + ")" * (("slur", "stop") in inside)
        beams = (
            "" if grace is not None else "".join(_BEAMS.get(b.text or "", "") for b in note.iterfind("beam"))
        )
        if is_rest:
            event = Event(recip, duration, signs=";" if ";" in signs else "", beam=beams)
        else:
            mark = "" if grace is None else "q" if grace.get("slash") == "yes" else "qq"
            event = Event(recip, duration, (_head(note),), signs, beams, slur, mark)
        voice.append(event)
        return now + duration

    def _bar(self, voices: dict[tuple[int, str], list[Event]]) -> Bar | None:
        if self.meter is None or not all(staff.clef and staff.fifths is not None for staff in self.staves):
            return None
        full = Fraction(4 * self.meter[0], self.meter[1])
        parts = []
        for number in range(len(self.staves)):
            here = [tuple(voices[place]) for place in sorted(voices) if place[0] == number]
            if len(here) not in (1, 2) or any(sum(e.length for e in voice) != full for voice in here):
                return None
            parts.append(tuple(here))
        clefs = tuple(staff.clef for staff in self.staves)
        return Bar(tuple(parts), clefs, tuple(staff.fifths or 0 for staff in self.staves), self.meter)


@lru_cache(maxsize=1 << 12)
def _quarters(duration: str, divisions: int) -> Fraction:
    return Fraction(int(duration), divisions)


_recip = lru_cache(maxsize=1 << 12)(recip_of)


def _head(note: _Element) -> Head:
    step, octave = note.findtext("pitch/step"), note.findtext("pitch/octave")
    alter = note.findtext("pitch/alter") or "0"
    if step is None or octave is None or alter not in ("-2", "-1", "0", "1", "2"):
        raise _UnsupportedError
    ties = {tie.get("type") for tie in note.iterfind("tie")}
    tie = _TIES["start" in ties, "stop" in ties]
    return Head(7 * int(octave) + _STEPS.index(step), int(alter), tie)


def read_musicxml(path: Path) -> tuple[tuple[Bar, ...], ...]:
    """Runs of consecutive measures; none where the file is not partwise MusicXML.

    Args:
        path: a plain or compressed (``.mxl``) file.
    """
    from lxml import etree

    try:
        data = _unpack(path) if path.suffix == ".mxl" else path.read_bytes()
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except (etree.XMLSyntaxError, BadZipFile, KeyError):
        return ()
    if root.tag != "score-partwise":
        return ()
    columns = [list(_measures(part)) for part in root.iterfind("part")]
    if len({len(column) for column in columns}) != 1:
        return ()
    runs: list[list[Bar]] = [[]]
    for bars in zip(*columns, strict=True):
        whole_bar = _join_parts([bar for bar in bars if bar is not None]) if None not in bars else None
        if whole_bar is None:
            runs.append([])
        else:
            runs[-1].append(whole_bar)
    return tuple(tuple(run) for run in runs if run)


def _measures(part: _Element) -> Iterator[Bar | None]:
    reader = _Part()
    for measure in part.iterfind("measure"):
        yield reader.read(measure)


def _join_parts(bars: list[Bar]) -> Bar | None:
    """One measure of all parts, lowest staff first; None where their meters differ."""
    if len({bar.meter for bar in bars}) != 1:
        return None
    parts = tuple(voices for bar in bars for voices in bar.parts)[::-1]
    clefs = tuple(clef for bar in bars for clef in bar.clefs)[::-1]
    return Bar(parts, clefs, tuple(key for bar in bars for key in bar.fifths)[::-1], bars[0].meter)


def _unpack(path: Path) -> bytes:
    """The score in a ``.mxl`` file: the first file that its container lists."""
    from lxml import etree

    with ZipFile(path) as archive:
        container = etree.fromstring(archive.read(_CONTAINER))
        name = next((str(e.get("full-path")) for e in container.iter("{*}rootfile", "rootfile")), "")
        return archive.read(name)
