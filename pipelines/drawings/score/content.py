"""One system to its kern, its record content, and what is doubtful about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from docai.contents import Issue, ScoreContent
from docai.geometry import BBox
from docai.issues import make_issue
from docai.parsers.score import parse_score
from docai.parsers.score_notes import METER, read_recip
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.score.breaks import OpenTies
from docai.pipelines.drawings.score.confidence import (
    MeasureEvidence,
    is_in_range,
    measure_confidence,
    system_confidence,
)
from docai.pipelines.drawings.score.events import Quarters
from docai.pipelines.drawings.score.kern import MeasureText, voice_texts, write_kern
from docai.pipelines.drawings.score.notes import TokenWriter, read_joins
from docai.pipelines.drawings.score.pitches import (
    HeadKey,
    StaffKey,
    SystemPitches,
    clef_step,
    clefs_and_keys_before,
    initial_clef,
    read_key,
    read_pitches,
)
from docai.pipelines.drawings.score.rhythm import DrawnMeasure, cut_measures, fill_measures
from docai.pipelines.drawings.score.types import System
from docai.pipelines.drawings.score.voices import (
    SOUND_COST,
    StaffReading,
    likely_lengths,
    solve_measure,
)

_DEFAULT_LENGTH = Fraction(4)


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


@dataclass(frozen=True, slots=True)
class _ReadMeasure:
    drawn: DrawnMeasure
    readings: Mapping[int, StaffReading]
    length: Quarters
    cost: float
    is_filled: bool
    expected: Quarters | None


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
    clefs, keys = _in_force(system, state, begin)
    ties = ties or OpenTies()
    tied_in = _alters_of_tied(system, ties, state, clefs)
    pitches = read_pitches(system, clefs, keys, [measure.x1 for measure in measures], tied_in)
    joins = read_joins(system, ties.tied_out, ties.tied_in)
    writer = TokenWriter(system, pitches, joins)
    read = _read_measures(system, measures, state)
    spines = music[::-1]
    opening = _opening(system, spines, clefs, keys, begin)
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


def _in_force(system: System, state: PieceState, begin: float) -> tuple[list[str], list[StaffKey]]:
    """Clefs and keys at the begin of the system; what is drawn there counts, else what was before."""
    clefs, keys = [], []
    for staff, (clef, key) in enumerate(zip(state.clefs, state.keys, strict=True)):
        drawn = [one for one in system.clefs if one.staff == staff and one.x < begin]
        clefs.append(initial_clef(system, staff, clef) if drawn else clef)
        signatures = [one for one in system.keys if one.staff == staff and one.x < begin]
        if signatures:
            keys.append(read_key(max(signatures, key=lambda one: one.x), clefs[-1]))
        else:
            # Where a clef stands at the left, a key would stand beside it.
            keys.append(StaffKey() if drawn else key)
    return clefs, keys


def _meters(system: System) -> list[tuple[float, tuple[str, ...], Quarters | None]]:
    """x, kern and length of a measure of each meter, those of the staves together."""
    space = max((staff.space for staff in system.staves), default=5.0)
    columns: list[list[tuple[float, tuple[str, ...]]]] = []
    for meter in sorted(system.meters, key=lambda meter: meter.x):
        if columns and meter.x - columns[-1][0][0] < 2 * space:
            columns[-1].append((meter.x, meter.kern))
        else:
            columns.append([(meter.x, meter.kern)])
    result = []
    for column in columns:
        kern = Counter(kern for _, kern in column).most_common(1)[0][0]
        # Kern has the meter before its symbol.
        kern = tuple(sorted(kern, key=lambda text: not METER.fullmatch(text)))
        result.append((column[0][0], kern, length_of_meter(kern)))
    return result


def length_of_meter(kern: Sequence[str]) -> Quarters | None:
    """Quarter notes in a measure of a meter such as ``*M3/4``; None where it says nothing."""
    for text in kern:
        match = METER.fullmatch(text)
        beat = read_recip(match[2]) if match else None
        if match and beat:
            return beat * sum(map(int, match[1].split("+")))
    return None


def _read_measures(system: System, measures: Sequence[DrawnMeasure], state: PieceState) -> list[_ReadMeasure]:
    space = min((staff.space for staff in system.staves if not staff.is_tablature), default=5.0) or 5.0
    meters = _meters(system)
    guess = _usual_length(measures, space) if state.length is None else None
    read = []
    for measure in measures:
        first = min((event.x for events in measure.staves.values() for event in events), default=measure.x1)
        for x, _, length in meters:
            if x < first and length is not None and x >= measure.x0 - 2 * space:
                state.length = length
        expected = state.length or guess
        readings, cost = solve_measure(measure, expected, space)
        lengths = {one.length for one in readings.values()} or {expected or _DEFAULT_LENGTH}
        length = max(lengths)
        is_filled = len(lengths) == 1 and (
            expected in (None, length) or (measure.is_edge and expected is not None and length < expected)
        )
        one = _ReadMeasure(measure, readings, length, cost, is_filled, expected)
        read += [one] * max(1, min(measure.n_rests, 999))
    return read


def _usual_length(measures: Sequence[DrawnMeasure], space: float) -> Quarters | None:
    """What most measures last, where no meter is drawn."""
    counts: Counter[Quarters] = Counter()
    for measure in measures:
        counts.update(likely_lengths(measure, space))
    return counts.most_common(1)[0][0] if counts else None


def _opening(
    system: System,
    spines: Sequence[int],
    clefs: Sequence[str],
    keys: Sequence[StaffKey],
    begin: float,
) -> list[list[str]]:
    lines = [[clefs[staff] for staff in spines], [keys[staff].kern for staff in spines]]
    for x, kern, _ in _meters(system):
        if x < begin:
            lines += [[text] * len(spines) for text in kern]
            break
    return lines


def _measure_texts(
    system: System,
    read: Sequence[_ReadMeasure],
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
    _add_changes(system, read, spines, pitches, texts, begin)
    return texts


def _inner_barline(style: str) -> str:
    return "||" if style == "==" else style


def _final_barline(style: str) -> str:
    return style if style == "==" else f"={style}"


def _add_changes(
    system: System,
    read: Sequence[_ReadMeasure],
    spines: Sequence[int],
    pitches: SystemPitches,
    texts: Sequence[MeasureText],
    begin: float,
) -> None:
    """Clefs, keys and meters that change within the system, where they take effect."""
    lines: dict[tuple[int, Quarters], dict[str, dict[int, str]]] = {}

    def put(x: float, staff: int | None, kind: str, text: str) -> None:
        place = _place_of(x, staff, read)
        if place is None:
            return
        fields = lines.setdefault(place, {}).setdefault(kind, {})
        for spine in spines if staff is None else [staff]:
            fields[spine] = text

    for clef in system.clefs:
        if clef.x >= begin and clef.staff in spines:
            put(clef.x, clef.staff, "0clef", clef.kern)
    for index, key in enumerate(system.keys):
        if key.x >= begin and key.staff in spines and index in pitches.keys:
            put(key.x, key.staff, "1key", pitches.keys[index].kern)
    for x, kern, _ in _meters(system):
        if x >= begin:
            for number, text in enumerate(kern):
                put(x, None, f"2meter{number}", text)
    for (number, onset), kinds in sorted(lines.items()):
        rows = [[fields.get(staff, "*") for staff in spines] for _, fields in sorted(kinds.items())]
        if onset == 0:
            texts[number].changes += rows
        else:
            texts[number].inner_changes.setdefault(onset, []).extend(rows)


def _place_of(x: float, staff: int | None, read: Sequence[_ReadMeasure]) -> tuple[int, Quarters] | None:
    """Number of the measure, and time in it, before which something at x takes effect; None after all."""
    for number, one in enumerate(read):
        if x >= one.drawn.x1:
            continue
        placed = [
            event
            for index, reading in one.readings.items()
            if staff in (None, index)
            for event in reading.placed
        ]
        later = [event for event in placed if event.event.x > x]
        if not later:
            if x < one.drawn.x0 + (one.drawn.x1 - one.drawn.x0) / 3:
                return number, Fraction(0)
            return (number + 1, Fraction(0)) if number + 1 < len(read) else None
        return number, min(event.onset for event in later)
    return None


def _finish(
    system: System,
    read: Sequence[_ReadMeasure],
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


def _evidence(one: _ReadMeasure, pitches: SystemPitches) -> MeasureEvidence:
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


def _issues(system: System, read: Sequence[_ReadMeasure], n_loose: int) -> list[Issue]:
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
    return issues
