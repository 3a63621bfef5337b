"""Passages cut from the pieces in music21's wheel: many of Palestrina and Bach, some of others.

Pieces in ``**kern`` are read as text and those in MusicXML by ``musicxml``, neither by music21, whose readers
and writers lose notes; those in ABC are not used. A cut has what is engraved: clef, key and meter at its
start, notes, ties, slurs, beams, ornaments. Comments, other spines, stem directions and layout are dropped.
Cuts are varied: some of the voices, two voices on a staff, another key, half or quarter note values. Without
music21 there are no pieces.
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
    add_beams,
    fifths_of,
    key_signature,
    recip_of,
    transpose,
    trim,
    write_kern,
)
from docai.pipelines.synthesis.score.plain import LETTERS

VOCAL_FOLDER = "palestrina"
"""Folder of the pieces in breves and semibreves without beams."""
_NO_MUSIC = ("demos", "theoryExercises", "leadSheet")
VOCAL_SHARE = 0.45
"""Share of vocal pieces among those drawn; they are nearly all pieces, and similar."""
_NOTE = re.compile(r"(\d+\.*)?[^a-gA-Gr]*(?:(r)|(([a-gA-G])\4*)(#{1,2}|-{1,2})?)")
_DRAWN_SIGNS = "'`^~;TtMmWwS"
_METER = re.compile(r"\*M(\d+)/(\d+)$")
_MAX_TRIES = 4
_TRANSPOSED_SHARE = 0.7
_BEAMED_SHARE = 0.7
_DOUBLED_SHARE = 0.6
_MAX_FIFTHS = 6
_RANGES = {
    "*clefG2": (24, 43),
    "*clefGv2": (19, 36),
    "*clefF4": (11, 32),
    "*clefC3": (19, 38),
    "*clefC4": (17, 36),
}
"""Clef → range of diatonic positions."""


@cache
def pieces() -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Files of the pieces with varied note values, and of the vocal pieces, sorted."""
    spec = find_spec("music21")
    if spec is None or not spec.submodule_search_locations:
        return (), ()
    corpus = Path(spec.submodule_search_locations[0]) / "corpus"
    files = sorted(
        path
        for ending in ("*.krn", "*.mxl", "*.musicxml", "*.xml")
        for path in corpus.rglob(ending)
        if path.relative_to(corpus).parts[0] not in _NO_MUSIC
    )
    return (
        tuple(path for path in files if path.parent.name != VOCAL_FOLDER),
        tuple(path for path in files if path.parent.name == VOCAL_FOLDER),
    )


@cache
def by_folder(files: tuple[Path, ...]) -> tuple[tuple[Path, ...], ...]:
    """The files, grouped by folder."""
    grouped: dict[Path, list[Path]] = {}
    for path in files:
        grouped.setdefault(path.parent, []).append(path)
    return tuple(map(tuple, grouped.values()))


def compose(rng: random.Random, difficulty: float) -> Plan[str] | None:
    """A passage, keyed by its piece; None where music21 is missing or no cut of a piece was valid."""
    varied, vocal = pieces()
    choice = vocal if rng.random() < VOCAL_SHARE else varied
    if not choice:
        return None
    path = rng.choice(choice)
    if choice is varied and rng.random() < 0.6:
        # By folder, else nearly all would be the chorales of one composer.
        path = rng.choice(rng.choice(by_folder(choice)))
    runs = read_piece(path)
    for _ in range(_MAX_TRIES if runs else 0):
        kern = _passage(rng, rng.choice(runs), path in vocal, difficulty)
        if kern is not None and len(kern) <= MAX_CHARACTERS and is_clean(kern):
            return Plan(f"music21/{path.parent.name}/{path.stem}", kern)
    return None


def is_clean(kern: str) -> bool:
    """Whether the parser's checks of spines, fields and measures find no issue; music21 is not used."""
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
    """Runs of consecutive measures that are complete and have at most two voices per part throughout."""
    if path.suffix != ".krn":
        return read_musicxml(path)
    text = path.read_bytes().decode("utf-8", "replace")
    lines = [line for line in text.splitlines() if line and not line.startswith("!!")]
    reader = SpineReader(lines, IssueLog())
    piece = _PieceReader()
    for line in reader:
        piece.take(line)
    return () if reader.first_invalid is not None else tuple(tuple(run) for run in piece.runs if run)


class _PieceReader:
    """Collects the measures of one piece, line by line."""

    def __init__(self) -> None:
        self.runs: list[list[Bar]] = [[]]
        self._clefs: dict[int, str] = {}
        self._fifths: dict[int, int] = {}
        self._meter: tuple[int, int] | None = None
        self._voices: dict[int, list[list[Event]]] = {}
        self._is_valid = True

    def take(self, line: SpineLine) -> None:
        """Read one line."""
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
            self._is_valid = False
        if is_clef:
            self._clefs[track] = text
        elif is_key:
            fifths = fifths_of(text)
            self._is_valid &= fifths is not None
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
                self._is_valid = False
                continue
            for voice, text in zip(voices, fields, strict=True):
                event = read_event(text) if text != "." else None
                if event is not None:
                    voice.append(event)
                self._is_valid &= text == "." or event is not None

    def _close(self) -> None:
        if not self._voices:
            return
        tracks = sorted(self._voices)
        parts = tuple(tuple(tuple(voice) for voice in self._voices[track]) for track in tracks)
        known = self._meter is not None and all(t in self._clefs and t in self._fifths for t in tracks)
        if known and self._is_valid and self._meter is not None:
            full = Fraction(4 * self._meter[0], self._meter[1])
            known = {sum(e.length for e in voice) for part in parts for voice in part} == {full}
        if known and self._is_valid and self._meter is not None:
            clefs = tuple(self._clefs[track] for track in tracks)
            bar = Bar(parts, clefs, tuple(self._fifths[track] for track in tracks), self._meter)
            self.runs[-1].append(bar)
        else:
            self.runs.append([])
        self._voices, self._is_valid = {}, True


@lru_cache(maxsize=1 << 14)
def read_event(text: str) -> Event | None:
    """A kern field, without signs that are not engraved; None where it cannot be used."""
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
class _Variation:
    """How a cut is varied."""

    parts: slice
    shortening: int
    """Divisor of the note values."""
    fifths: int
    """Transposition on the circle of fifths."""
    beams: bool
    """Whether new beams are set."""


def _passage(rng: random.Random, run: Sequence[Bar], is_vocal: bool, difficulty: float) -> str | None:
    """A varied cut of at most six measures; None where the result is not usable."""
    n_measures = min(len(run), lerp(rng, (1, 2), (2, 6), difficulty))
    start = rng.randrange(len(run) - n_measures + 1)
    cut = run[start : start + n_measures]
    n_parts = min(len(bar.parts) for bar in cut)
    n_chosen = min(n_parts, lerp(rng, (1, 2), (1, 4), difficulty))
    first = rng.randrange(n_parts - n_chosen + 1)
    fifths = rng.randint(-4, 4) if rng.random() < _TRANSPOSED_SHARE else 0
    variation = _Variation(
        slice(first, first + n_chosen),
        rng.choice((1, 2, 2, 4)) if is_vocal else 1,
        0 if any(abs(key + fifths) > _MAX_FIFTHS for bar in cut for key in bar.fifths) else fifths,
        is_vocal and rng.random() < _BEAMED_SHARE,
    )
    bars = [_vary(bar, variation) for bar in cut]
    if rng.random() < _DOUBLED_SHARE and all(bar is not None and _is_quartet_or_duet(bar) for bar in bars):
        bars = [bar and _double(bar) for bar in bars]
    measures = []
    before: Bar | None = None
    for bar in bars:
        if bar is None or not _fits(bar):
            return None
        parts = tuple(_without_silent_voice(voices) for voices in bar.parts)
        measures.append(Measure(parts, "", tuple(_changes(before, bar)) if before else ()))
        before = bar
    opening = _changes(None, bars[0]) if bars[0] else []
    return write_kern(trim(measures, difficulty), opening, rng.choice(("==", "=", "=||")))


def _vary(bar: Bar, variation: _Variation) -> Bar | None:
    meter = _shorter_meter(bar.meter, variation.shortening)
    beat = Fraction(12, meter[1]) if meter[1] >= 8 and meter[0] % 3 == 0 else Fraction(4, meter[1])
    parts = []
    for part in bar.parts[variation.parts]:
        voices = []
        for voice in part:
            changed = _transform_voice(voice, variation.shortening, variation.fifths)
            if changed is None:
                return None
            voices.append(add_beams(changed, beat) if variation.beams else changed)
        parts.append(tuple(voices))
    fifths = tuple(key + variation.fifths for key in bar.fifths[variation.parts])
    return Bar(tuple(parts), bar.clefs[variation.parts], fifths, meter)


def _is_quartet_or_duet(bar: Bar) -> bool:
    single = all(len(voices) == 1 for voices in bar.parts)
    return single and len(bar.parts) in (2, 4) and len(set(bar.fifths)) == 1


def _double(bar: Bar) -> Bar:
    """Put two parts on each staff, as in a hymn book."""
    pairs = range(0, len(bar.parts), 2)
    parts = tuple((bar.parts[low + 1][0], bar.parts[low][0]) for low in pairs)
    clefs = ("*clefF4", "*clefG2") if len(parts) == 2 else ("*clefG2",)
    return Bar(parts, clefs, bar.fifths[::2], bar.meter)


def _changes(before: Bar | None, bar: Bar) -> list[tuple[str, ...]]:
    """Lines for clefs, keys and meters that have changed."""
    lines = []
    for old, new in zip(_opening_signs(before) if before else ((),) * 3, _opening_signs(bar), strict=True):
        if old != new:
            past = old or ("",) * len(new)
            lines.append(tuple("*" if b == a else a for b, a in zip(past, new, strict=True)))
    return lines


def _opening_signs(bar: Bar) -> tuple[tuple[str, ...], ...]:
    keys = tuple(key_signature(fifths) for fifths in bar.fifths)
    return bar.clefs, keys, (f"*M{bar.meter[0]}/{bar.meter[1]}",) * len(bar.parts)


def _shorter_meter(meter: tuple[int, int], shortening: int) -> tuple[int, int]:
    n_beats, unit = meter
    if shortening == 4 and n_beats % 4 == 0 and unit == 2:
        return n_beats // 2, 4
    return n_beats, unit * shortening


def _transform_voice(voice: Voice, shortening: int, fifths: int) -> Voice | None:
    moved = transpose(voice, fifths)
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


def _without_silent_voice(voices: tuple[Voice, ...]) -> tuple[Voice, ...]:
    """One voice where both only rest."""
    return voices if any(event.heads for voice in voices for event in voice) else voices[:1]


def _fits(bar: Bar) -> bool:
    """Whether all notes are close to their staves."""
    for voices, clef in zip(bar.parts, bar.clefs, strict=True):
        low, high = _RANGES.get(clef, (0, 0))
        heads = [head for voice in voices for event in voice for head in event.heads]
        if any(not low <= head.position <= high for head in heads):
            return False
    return True
