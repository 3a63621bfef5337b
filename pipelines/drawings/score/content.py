"""One system to its kern, its record content, and what is doubtful about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from docai.contents import Issue, ScoreContent
from docai.geometry import BBox
from docai.issues import make_issue
from docai.parsers.score import parse_score
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.score.breaks import OpenTies
from docai.pipelines.drawings.score.changes import add_changes, in_force, opening_lines
from docai.pipelines.drawings.score.confidence import (
    MeasureEvidence,
    is_in_range,
    measure_confidence,
    system_confidence,
)
from docai.pipelines.drawings.score.events import Quarters
from docai.pipelines.drawings.score.kern import MeasureText, voice_texts, write_kern
from docai.pipelines.drawings.score.lyrics import find_lyrics
from docai.pipelines.drawings.score.measures import ReadMeasure, read_measures
from docai.pipelines.drawings.score.notes import TokenWriter, read_joins
from docai.pipelines.drawings.score.pitches import (
    HeadKey,
    StaffKey,
    SystemPitches,
    clef_step,
    clefs_and_keys_before,
    read_pitches,
)
from docai.pipelines.drawings.score.rhythm import cut_measures, fill_measures
from docai.pipelines.drawings.score.types import System
from docai.pipelines.drawings.score.voices import SOUND_COST

MAX_WORDS_SHOWN: Final = 12
"""In the issue that says which words were not taken over."""


@dataclass(frozen=True)
class SystemReading:
    """One system as read from its drawing."""

    bbox: BBox
    """Points of the page."""
    content: ScoreContent
    """Empty where the system has only tablature. Its measures have confidences; MusicXML is left to
    ``to_musicxml`` of the record, because it takes longer than all the rest."""
    confidence: float
    """The probability that all of it is right, 0…1: from what of the drawing was explained, how well the
    voices fill the measures, and how surely the symbols were told."""
    issues: tuple[Issue, ...]
    texts: tuple[Letter, ...]
    """Letters in it that are no music: lyrics, dynamics, names."""
    is_tablature: bool = False
    """It has staves of tablature only, which is not read."""


@dataclass(slots=True)
class PieceState:
    """What one system hands to the next."""

    clefs: list[str] = field(default_factory=list)
    keys: list[StaffKey] = field(default_factory=list)
    length: Quarters | None = None
    """Of a measure; None where no meter was seen."""
    alters: dict[HeadKey, int] = field(default_factory=dict)
    """Alterations of the heads of the system before."""
    tied_out: dict[tuple[int, int], int] = field(default_factory=dict)
    """Staff and diatonic number of notes that are tied into the next system, with their alteration."""


def read_system(
    system: System,
    state: PieceState,
    ties: OpenTies | None = None,
) -> SystemReading:
    """Read one system; ``state`` is that before it, and is set to that after it.

    Args:
        system: the system as drawn.
        state: of the piece.
        ties: those over its breaks.
    """
    music = [index for index, staff in enumerate(system.staves) if not staff.is_tablature]
    if not music:
        return _tablature(system)
    if len(state.clefs) != len(system.staves):
        state.clefs, state.keys = clefs_and_keys_before(len(system.staves))
    measures, final = cut_measures(system)
    fill_measures(system, measures)
    begin = _first_event(system)
    clefs, keys = in_force(system, state.clefs, state.keys, begin)
    ties = ties or OpenTies()
    tied_in = _alters_of_tied(system, ties, state, clefs)
    pitches = read_pitches(system, clefs, keys, [measure.x1 for measure in measures], tied_in)
    joins = read_joins(system, ties.tied_out, ties.tied_in)
    writer = TokenWriter(system, pitches, joins)
    read, state.length = read_measures(system, measures, state.length)
    spines = music[::-1]
    opening = opening_lines(system, spines, clefs, keys, begin)
    texts = _measure_texts(system, read, spines, pitches, writer, begin)
    has_music = bool(system.chords or system.rests)
    kern = write_kern(texts, opening, _final_barline(final)) if has_music else ""
    state.clefs, state.keys = pitches.clefs_at_end, pitches.keys_at_end
    state.alters = {key: pitch.alter for key, pitch in pitches.heads.items()}
    state.tied_out = {
        (system.chords[chord].heads[head].staff, pitches.heads[chord, head].step): pitches.heads[
            chord, head
        ].alter
        for chord, head in ties.tied_out
        if (chord, head) in pitches.heads
    }
    return _finish(system, read, texts, kern, pitches, joins.n_loose)


def _alters_of_tied(
    system: System, ties: OpenTies, state: PieceState, clefs: Sequence[str]
) -> dict[HeadKey, int]:
    """The alterations that ties carry over the break before the system."""
    alters = {}
    for key, before in ties.tied_in.items():
        head = system.chords[key[0]].heads[key[1]]
        known = (
            state.alters.get(before)
            if before is not None
            else state.tied_out.get((head.staff, clef_step(clefs[head.staff]) + head.position))
        )
        if known is not None:
            alters[key] = known
    return alters


def _tablature(system: System) -> SystemReading:
    issue = make_issue("score-drawing-tablature", "The system is tablature, which is not read.")
    return SystemReading(system.bbox, ScoreContent(), 0.0, (issue,), tuple(system.texts), is_tablature=True)


def _first_event(system: System) -> float:
    xs = [chord.x for chord in system.chords] + [rest.x for rest in system.rests]
    return min(xs, default=system.bbox[2])


def _measure_texts(
    system: System,
    read: Sequence[ReadMeasure],
    spines: Sequence[int],
    pitches: SystemPitches,
    writer: TokenWriter,
    begin: float,
) -> list[MeasureText]:
    texts = []
    for one in read:
        voices = [
            voice_texts(system, one.drawn, staff, one.readings.get(staff), one.length, writer)
            for staff in spines
        ]
        texts.append(MeasureText(_inner_barline(one.drawn.opening), voices))
    add_changes(system, read, spines, pitches, texts, begin)
    return texts


def _inner_barline(style: str) -> str:
    return "||" if style == "==" else style


def _final_barline(style: str) -> str:
    return style if style == "==" else f"={style}"


def _finish(
    system: System,
    read: Sequence[ReadMeasure],
    texts: Sequence[MeasureText],
    kern: str,
    pitches: SystemPitches,
    n_loose: int,
) -> SystemReading:
    parsed = parse_score(kern, with_musicxml=False)
    n_staves = sum(not staff.is_tablature for staff in system.staves)
    evidence = [_evidence(one, pitches) for one in read]
    values = [measure_confidence(one, n_staves, system.unexplained) for one in evidence if kern]
    content = parsed.content
    if len(content.measures) == len(values):
        content = content.with_confidences(values)
    issues = [*parsed.issues, *_issues(system, read, n_loose)]
    confidence = system_confidence(values, system)
    return SystemReading(system.bbox, content, confidence, tuple(issues), tuple(system.texts))


def _evidence(one: ReadMeasure, pitches: SystemPitches) -> MeasureEvidence:
    chords = {
        placed.event.chord
        for reading in one.readings.values()
        for placed in reading.placed
        if placed.event.chord is not None
    }
    n_out = sum(
        chord in chords and not is_in_range(pitch.step) for (chord, _), pitch in pitches.heads.items()
    )
    return MeasureEvidence(one.drawn.x0, one.drawn.x1, one.cost, one.is_filled, n_out_of_range=n_out)


def _issues(system: System, read: Sequence[ReadMeasure], n_loose: int) -> list[Issue]:
    issues = []
    unfilled = [
        f"{number} ({one.length} of {one.expected} quarter notes)"
        for number, one in enumerate(read, 1)
        if not one.is_filled
    ]
    if unfilled:
        issues.append(
            make_issue(
                "score-drawing-rhythm",
                f"The notes drawn do not fill the meter in measure {', '.join(unfilled[:6])}; "
                "they were kept as drawn.",
            )
        )
    doubtful = [
        str(number)
        for number, one in enumerate(read, 1)
        if one.is_filled and one.cost >= SOUND_COST * max(1, len(one.readings))
    ]
    if doubtful:
        issues.append(
            make_issue(
                "score-drawing-voices",
                f"Which notes follow each other is not sure in measure {', '.join(doubtful[:10])}.",
            )
        )
    if system.unexplained:
        issues.append(
            make_issue(
                "score-drawing-unexplained",
                f"{len(system.unexplained)} marks in the system were not understood.",
            )
        )
    problems = list(system.problems)
    if n_loose:
        problems.append(f"{n_loose} slurs or ties begin and end at no note.")
    if problems:
        issues.append(make_issue("score-drawing-doubtful", " ".join(problems[:6])))
    if any(staff.is_tablature for staff in system.staves):
        issues.append(
            make_issue(
                "score-drawing-tablature", "The system has tablature too, which is not read.", severity="info"
            )
        )
    words = find_lyrics(system)
    if words:
        shown = " ".join(words[:MAX_WORDS_SHOWN]) + (" …" if len(words) > MAX_WORDS_SHOWN else "")
        issues.append(
            make_issue("score-drawing-words", f"Words under the notes were not taken over: {shown[:200]}")
        )
    return issues
