"""Passages cut from the pieces of music21's wheel: much Palestrina and Bach, some of many others.

Those in ``**kern`` are read as text and those in MusicXML by ``musicxml``, neither by music21, whose readers
and writers lose notes; those in ABC are not read. Kept is what is engraved of it: clef, key and meter,
at the head of each cut those in force, notes, ties, slurs, beams, ornaments. Comments, other spines, stem
directions and layout go. Cuts are varied: some of the voices, two voices to a staff, another key, note
values of a half or a quarter. Without music21 there are no pieces.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from docai.parsers.base import IssueLog
from docai.parsers.score_measures import MeasureCheck
from docai.parsers.score_notes import read_field
from docai.parsers.score_spines import Spine, SpineLine, SpineReader
from docai.pipelines.synthesis.base import Plan, lerp
from docai.pipelines.synthesis.score.musicxml import read_musicxml
from docai.pipelines.synthesis.score.notation import (
    MAX_CHARACTERS,
    Bar,
    Event,
    Head,
    Measure,
    Voice,
    beamed,
    fifths_of,
    key_signature,
    recip_of,
    transposed,
    trimmed,
    written,
)
from docai.pipelines.synthesis.score.plain import LETTERS

SINGERS = "palestrina"
"""Folder of the pieces in breves and semibreves without beams."""
_NO_MUSIC = ("demos", "theoryExercises", "leadSheet")
SHARE_OF_SINGERS = 0.45
"""Of the pieces drawn; of all pieces they are nearly all, and much alike."""
_NOTE = re.compile(r"(\d+\.*)?[^a-gA-Gr]*(?:(r)|(([a-gA-G])\4*)(#{1,2}|-{1,2})?)")
_DRAWN_SIGNS = "'`^~;TtMmWwS"
_METER = re.compile(r"\*M(\d+)/(\d+)$")
_TRIES = 4
_SHARE_MOVED = 0.7
_SHARE_BEAMED = 0.7
_SHARE_DOUBLED = 0.6
_MAX_FIFTHS = 6
_RANGES = {
    "*clefG2": (24, 43),
    "*clefGv2": (19, 36),
    "*clefF4": (11, 32),
    "*clefC3": (19, 38),
    "*clefC4": (17, 36),
}
"""Clef to the diatonic positions that it is used for."""


@cache
def pieces() -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Files of the pieces of varied note values, and of the singers', in an order of their own."""
    spec = find_spec("music21")
    if spec is None or not spec.submodule_search_locations:
        return (), ()
    corpus = Path(spec.submodule_search_locations[0]) / "corpus"
    found = sorted(
        path
        for ending in ("*.krn", "*.mxl", "*.musicxml", "*.xml")
        for path in corpus.rglob(ending)
        if path.relative_to(corpus).parts[0] not in _NO_MUSIC
    )
    return (
        tuple(path for path in found if path.parent.name != SINGERS),
        tuple(path for path in found if path.parent.name == SINGERS),
    )


@cache
def by_folder(files: tuple[Path, ...]) -> tuple[tuple[Path, ...], ...]:
    """The files of each folder."""
    grouped: dict[Path, list[Path]] = {}
    for path in files:
        grouped.setdefault(path.parent, []).append(path)
    return tuple(map(tuple, grouped.values()))


def compose(rng: random.Random, difficulty: float) -> Plan[str] | None:
    """A passage, keyed by its piece; None where music21 is missing or no cut of a piece was sound."""
    varied, sung = pieces()
    choice = sung if rng.random() < SHARE_OF_SINGERS else varied
    if not choice:
        return None
    path = rng.choice(choice)
    if choice is varied and rng.random() < 0.6:
        # By the folder, else nearly all would be the chorales of one composer.
        path = rng.choice(rng.choice(by_folder(choice)))
    runs = read_piece(path)
    for _ in range(_TRIES if runs else 0):
        kern = _passage(rng, rng.choice(runs), path in sung, difficulty)
        if kern is not None and len(kern) <= MAX_CHARACTERS and is_clean(kern):
            return Plan(f"music21/{path.parent.name}/{path.stem}", kern)
    return None


def is_clean(kern: str) -> bool:
    """Whether the parser's checks of spines, fields and measures find nothing; music21 is not asked."""
    log = IssueLog()
    check = MeasureCheck(log)
    spines: tuple[Spine, ...] = ()
    for line in SpineReader(kern.split("\n"), log):
        check.add(line)
        spines = line.spines
    check.finish(spines)
    return not log.issues() and check.n_notes > 0


@lru_cache(maxsize=128)
def read_piece(path: Path) -> tuple[tuple[Bar, ...], ...]:
    """Runs of measures that follow each other, are full and have at most two voices a part, all through."""
    if path.suffix != ".krn":
        return read_musicxml(path)
    text = path.read_bytes().decode("utf-8", "replace")
    lines = [line for line in text.splitlines() if line and not line.startswith("!!")]
    reader = SpineReader(lines, IssueLog())
    reading = _Reading()
    for line in reader:
        reading.take(line)
    return () if reader.first_invalid is not None else tuple(tuple(run) for run in reading.runs if run)


class _Reading:
    """Gathers the measures of one piece, line by line."""

    def __init__(self) -> None:
        self.runs: list[list[Bar]] = [[]]
        self._clefs: dict[int, str] = {}
        self._fifths: dict[int, int] = {}
        self._meter: tuple[int, int] | None = None
        self._voices: dict[int, list[list[Event]]] = {}
        self._is_sound = True

    def take(self, line: SpineLine) -> None:
        """Use one line; what it says is put by part."""
        if line.kind == "interpretation":
            for spine, text in zip(line.spines, line.fields, strict=True):
                if spine.kind == "**kern":
                    self._interpret(spine.track, text)
        elif line.kind == "barline":
            self._close()
        else:
            self._data(line)

    def _interpret(self, track: int, text: str) -> None:
        meter = _METER.match(text)
        is_clef, is_key = text.startswith("*clef"), text.startswith("*k[")
        if self._voices and (is_clef or is_key or meter):
            self._is_sound = False
        if is_clef:
            self._clefs[track] = text
        elif is_key:
            fifths = fifths_of(text)
            self._is_sound &= fifths is not None
            self._fifths[track] = fifths or 0
        elif meter:
            self._meter = int(meter[1]), int(meter[2])

    def _data(self, line: SpineLine) -> None:
        now: dict[int, list[str]] = {}
        for spine, text in zip(line.spines, line.fields, strict=True):
            if spine.kind == "**kern":
                now.setdefault(spine.track, []).append(text)
        for track, fields in now.items():
            voices = self._voices.setdefault(track, [[] for _ in fields])
            if len(voices) != len(fields) or len(fields) > 2:
                self._is_sound = False
                continue
            for voice, text in zip(voices, fields, strict=True):
                event = read_event(text) if text != "." else None
                if event is not None:
                    voice.append(event)
                self._is_sound &= text == "." or event is not None

    def _close(self) -> None:
        if not self._voices:
            return
        tracks = sorted(self._voices)
        parts = tuple(tuple(tuple(voice) for voice in self._voices[track]) for track in tracks)
        known = self._meter is not None and all(t in self._clefs and t in self._fifths for t in tracks)
        if known and self._is_sound and self._meter is not None:
            full = Fraction(4 * self._meter[0], self._meter[1])
            known = {sum(e.length for e in voice) for part in parts for voice in part} == {full}
        if known and self._is_sound and self._meter is not None:
            clefs = tuple(self._clefs[track] for track in tracks)
            bar = Bar(parts, clefs, tuple(self._fifths[track] for track in tracks), self._meter)
            self.runs[-1].append(bar)
        else:
            self.runs.append([])
        self._voices, self._is_sound = {}, True


@lru_cache(maxsize=1 << 14)
def read_event(text: str) -> Event | None:
    """A kern field without what is not engraved here; None where it cannot be kept."""
    field = read_field(text)
    if field is None or "yy" in text:
        return None
    heads: list[Head] = []
    recips = []
    for note in text.split(" "):
        match = _NOTE.match(re.sub(r"[^\w.#\-%]", "", note))
        if match is None or "%" in note:
            return None
        recips.append(match[1] or "8")
        if match[3]:
            sign = match[5] or ""
            octave = 3 + len(match[3]) if match[4].islower() else 4 - len(match[3])
            tie = next((mark for mark in "[_]" if mark in note), "")
            alter = sign.count("#") - sign.count("-")
            heads.append(Head(7 * octave + LETTERS.index(match[4].lower()), alter, tie))
    grace = next((mark for mark in ("qq", "q") if mark in text), "")
    if not grace and recip_of(field.duration) is None:
        return None
    heads.sort(key=lambda head: head.position)
    return Event(
        recips[0] if grace else recip_of(field.duration) or "",
        field.duration,
        tuple(heads),
        "".join(mark for mark in _DRAWN_SIGNS if mark in text) if heads else ";" * (";" in text),
        "" if grace else "".join(re.findall(r"[LJKk]", text)),
        "".join(mark for mark in "()" if mark in text) if heads else "",
        grace,
    )


@dataclass(frozen=True)
class _View:
    """How a cut is looked at."""

    parts: slice
    shortening: int
    """Note values are divided by it."""
    fifths: int
    """How far the key moves."""
    beams: bool
    """New ones are set."""


def _passage(rng: random.Random, run: Sequence[Bar], sung: bool, difficulty: float) -> str | None:
    """A cut of at most six measures, looked at in one of many ways; None where that makes no good score."""
    n_measures = min(len(run), lerp(rng, (1, 2), (2, 6), difficulty))
    start = rng.randrange(len(run) - n_measures + 1)
    cut = run[start : start + n_measures]
    n_parts = min(len(bar.parts) for bar in cut)
    n_chosen = min(n_parts, lerp(rng, (1, 2), (1, 4), difficulty))
    first = rng.randrange(n_parts - n_chosen + 1)
    fifths = rng.randint(-4, 4) if rng.random() < _SHARE_MOVED else 0
    view = _View(
        slice(first, first + n_chosen),
        rng.choice((1, 2, 2, 4)) if sung else 1,
        0 if any(abs(key + fifths) > _MAX_FIFTHS for bar in cut for key in bar.fifths) else fifths,
        sung and rng.random() < _SHARE_BEAMED,
    )
    bars = [_looked_at(bar, view) for bar in cut]
    if rng.random() < _SHARE_DOUBLED and all(bar is not None and _is_quartet_or_duet(bar) for bar in bars):
        bars = [bar and _doubled(bar) for bar in bars]
    measures = []
    before: Bar | None = None
    for bar in bars:
        if bar is None or not _fits(bar):
            return None
        parts = tuple(_once_where_silent(voices) for voices in bar.parts)
        measures.append(Measure(parts, "", tuple(_changes(before, bar)) if before else ()))
        before = bar
    opening = _changes(None, bars[0]) if bars[0] else []
    return written(trimmed(measures, difficulty), opening, rng.choice(("==", "=", "=||")))


def _looked_at(bar: Bar, view: _View) -> Bar | None:
    meter = _shorter_meter(bar.meter, view.shortening)
    beat = Fraction(12, meter[1]) if meter[1] >= 8 and meter[0] % 3 == 0 else Fraction(4, meter[1])
    parts = []
    for part in bar.parts[view.parts]:
        voices = []
        for voice in part:
            changed = _changed(voice, view.shortening, view.fifths)
            if changed is None:
                return None
            voices.append(beamed(changed, beat) if view.beams else changed)
        parts.append(tuple(voices))
    fifths = tuple(key + view.fifths for key in bar.fifths[view.parts])
    return Bar(tuple(parts), bar.clefs[view.parts], fifths, meter)


def _is_quartet_or_duet(bar: Bar) -> bool:
    single = all(len(voices) == 1 for voices in bar.parts)
    return single and len(bar.parts) in (2, 4) and len(set(bar.fifths)) == 1


def _doubled(bar: Bar) -> Bar:
    """Two parts on each staff, as in a hymn book."""
    pairs = range(0, len(bar.parts), 2)
    parts = tuple((bar.parts[low + 1][0], bar.parts[low][0]) for low in pairs)
    clefs = ("*clefF4", "*clefG2") if len(parts) == 2 else ("*clefG2",)
    return Bar(parts, clefs, bar.fifths[::2], bar.meter)


def _changes(before: Bar | None, bar: Bar) -> list[tuple[str, ...]]:
    """Lines for what is in force now and was not before."""
    lines = []
    for old, new in zip(_signs(before) if before else ((),) * 3, _signs(bar), strict=True):
        if old != new:
            past = old or ("",) * len(new)
            lines.append(tuple("*" if b == a else a for b, a in zip(past, new, strict=True)))
    return lines


def _signs(bar: Bar) -> tuple[tuple[str, ...], ...]:
    keys = tuple(key_signature(fifths) for fifths in bar.fifths)
    return bar.clefs, keys, (f"*M{bar.meter[0]}/{bar.meter[1]}",) * len(bar.parts)


def _shorter_meter(meter: tuple[int, int], shortening: int) -> tuple[int, int]:
    n_beats, unit = meter
    if shortening == 4 and n_beats % 4 == 0 and unit == 2:
        return n_beats // 2, 4
    return n_beats, unit * shortening


def _changed(voice: Voice, shortening: int, fifths: int) -> Voice | None:
    moved = transposed(voice, fifths)
    if moved is None or shortening == 1:
        return moved
    events = []
    for event in moved:
        length = event.length / shortening
        recip = event.recip if event.grace else recip_of(length)
        if recip is None:
            return None
        events.append(replace(event, length=length, recip=recip))
    return tuple(events)


def _once_where_silent(voices: tuple[Voice, ...]) -> tuple[Voice, ...]:
    """One voice where both rest all through."""
    return voices if any(event.heads for voice in voices for event in voice) else voices[:1]


def _fits(bar: Bar) -> bool:
    """Whether all notes stand near their staves."""
    for voices, clef in zip(bar.parts, bar.clefs, strict=True):
        low, high = _RANGES.get(clef, (0, 0))
        heads = [head for voice in voices for event in voice for head in event.heads]
        if any(not low <= head.position <= high for head in heads):
            return False
    return True
