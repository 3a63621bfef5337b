"""The score head: Humdrum ``**kern``, to a checked score and MusicXML.

The format is Humdrum text: one spine per staff, lowest first, fields parted by tabs, lines by line
feeds, from the line of ``**kern`` to the line of ``*-``::

    **kern	**kern
    *clefF4	*clefG2
    *k[b-]	*k[b-]
    *M2/4	*M2/4
    =1	=1
    4FF 4F	8a/L
    .	8b-/J
    4C	4cc
    ==	==
    *-	*-

Valid means that the spine structure is sound (see :mod:`docai.parsers.score_spines`); what bars and fields
say is checked too, as warnings. ``n_measures`` counts the stretches between barlines that hold notes or
rests; ``measures`` says which lines these are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from docai.contents import Event, Measure, ScoreContent
from docai.parsers.base import (
    IssueLog,
    Parsed,
    Span,
    TrackedText,
    quote,
    replace_invalid_chars_in,
    strip_fence,
)
from docai.parsers.score_ekern import from_ekern
from docai.parsers.score_measures import EventList, MeasureCheck
from docai.parsers.score_music21 import ConversionError, MusicXml, Place, kern_to_musicxml, writable
from docai.parsers.score_spines import Spine, SpineReader, kern_alone
from docai.parsers.score_ties import check_pairs, pair_slurs

MAX_WORK = 2_500_000
"""Half a second of music21 by our estimate: 400 notes in all with four in a measure, 500 with sixteen. Longer
scores are written when they are asked for, by :meth:`docai.contents.ScoreContent.to_musicxml`."""
_CHAR_WORK = 100
_SPINE_WORK = 50_000
_BARLINE_WORK = 12

_LINE_END = re.compile(r"\r\n?|[\n\v\f\x85\u2028\u2029]")
_RECORD = re.compile(r"!!![A-Za-z][\w@-]*:")
_SPACED_HEADER = re.compile(r"^\*\*\w+(?P<gap> +)\*\*\w+(?: +\*\*\w+)*$", re.MULTILINE)


@dataclass(frozen=True)
class Sound:
    """The lines of a kern text before the first broken one, and what they say."""

    lines: list[str]
    events: list[Event]
    signs: list[tuple[Fraction, str]]
    """Meters and tempi, and when they are given in quarter notes."""

    @property
    def n_sounding(self) -> int:
        """Notes, tied ones counted once."""
        return sum(event.kind == "note" and event.tie in (None, "start") for event in self.events)


def parse_score(text: str) -> Parsed[ScoreContent]:
    """The score that the text describes; ``kern`` is the text with its line ends put right."""
    log = IssueLog()
    lines, spans = _prepare(text, log)
    if not any(line.startswith("**") or "\t" in line for line in lines):
        log.add("score-empty", "The text holds no kern data.")
        return Parsed(ScoreContent(kern=_join(lines)), log.issues(), log.repaired)
    reader, check = SpineReader(lines, log), MeasureCheck(log, EventList())
    sound = _walk(reader, check)
    events = check.events.events if check.events else []
    check_pairs(events, check.edges, log)
    if not check.n_measures and not log.has_errors:
        log.add("score-empty", "The score holds neither note nor rest.")
    is_valid = not log.has_errors
    n_measures = check.n_barlines + check.n_cut
    work = check.work + _BARLINE_WORK * n_measures**2 + _SPINE_WORK * reader.n_kern
    if reader.first_broken is not None and sound is not None:
        log.add(
            "score-musicxml-partial", f"MusicXML ends before line {reader.first_broken + 1}, which is broken."
        )
    content = ScoreContent(
        kern=_join(lines),
        musicxml=_musicxml(sound, work, log) if sound is not None else None,
        n_spines=reader.n_kern,
        n_measures=check.n_measures,
        measures=[Measure(first_line=first, last_line=last) for first, last in check.measures],
        events=events,
        is_valid=is_valid,
    )
    where = tuple((spans[first - 1][0], spans[last - 1][1]) for first, last in check.measures)
    return Parsed(content, log.issues(), log.repaired, where)


def measure_texts(kern: str) -> list[str]:
    """The lines of notes of each measure of a kern text, with line feeds between them."""
    lines = kern_lines(kern)
    check = MeasureCheck(IssueLog())
    _walk(SpineReader(lines, IssueLog()), check)
    return ["\n".join(lines[first - 1 : last]) for first, last in check.measures]


def kern_lines(text: str) -> list[str]:
    """The lines of a kern text as :func:`parse_score` reads them: line ends put right, ekern as kern."""
    return _prepare(text, IssueLog())[0]


def read_sound(kern: str) -> Sound | None:
    """The sound lines of a kern text; None where they hold neither note nor rest."""
    lines = kern_lines(kern)
    return _walk(SpineReader(lines, IssueLog()), MeasureCheck(IssueLog(), EventList()))


def _walk(reader: SpineReader, check: MeasureCheck) -> Sound | None:
    """Take all lines through the check. Returns the lines before the first broken one if notes are there."""
    spines: tuple[Spine, ...] = ()
    n_fields = 0
    for line in reader:
        if line.kind == "data":
            check.data(line)
        elif line.kind == "barline":
            check.barline(line)
        else:
            check.interpretation(line)
        spines = line.spines
        if reader.first_broken is None:
            n_fields = check.n_fields
    check.end(spines)
    if not n_fields or check.events is None:
        return None
    events, end = check.events.events, reader.first_broken
    if end is not None:
        events = [event for event in events if event.line <= end]
    return Sound(list(reader.lines[:end]), events, check.signs)


def _prepare(raw: str, log: IssueLog) -> tuple[list[str], list[Span]]:
    """The lines as they should be written, and where each stands in the text."""
    text = TrackedText(raw)
    if strip_fence(text):
        log.add("score-fenced", "A code fence around the kern was taken off.")
    if from_ekern(text):
        log.add("score-ekern", "The text is ekern or a model's tokens; it was written as kern.")
    if n_bad := replace_invalid_chars_in(text):
        log.add("score-bad-character", f"{n_bad} unreadable characters were replaced.")
    found = list(_split(text.text))
    is_tidy = [line for line, _ in found] == text.text.split("\n")
    while found and not found[-1][0]:
        found.pop()
    first = next((index for index, (line, _) in enumerate(found) if line), 0)
    found = found[first:]
    if found and not is_tidy:
        log.add("score-line-ends", "Line ends, or spaces around lines, were normalised.")
    if n_empty := sum(not line for line, _ in found):
        log.add("score-empty-line", f"{n_empty} empty lines were taken out.")
        found = [(line, span) for line, span in found if line]
    lines = _tabbed([line for line, _ in found], log)
    return lines, [text.raw(*span) for _, span in found]


def _split(text: str) -> Iterator[tuple[str, Span]]:
    """The lines of a text without the spaces around them, and where they stand."""
    start = 0
    for end, after in (*(match.span() for match in _LINE_END.finditer(text)), (len(text), 0)):
        line = text[start:end]
        if line[:1] == " " or line[-1:] == " ":
            line = line.lstrip(" ")
            start = end - len(line)
            line = line.rstrip(" ")
        yield line, (start, start + len(line))
        start = after


def _tabbed(lines: list[str], log: IssueLog) -> list[str]:
    header = _SPACED_HEADER.search("\n".join(lines))
    if header is None or any("\t" in line for line in lines):
        return lines
    log.add("score-spaces-for-tabs", "Spaces between the spines became tabs.")
    gap = re.compile(" {2,}" if len(header["gap"]) > 1 else " ")
    return [line if line.startswith("!!") else gap.sub("\t", line) for line in lines]


def _join(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _musicxml(sound: Sound, work: int, log: IssueLog) -> str | None:
    """MusicXML, unless it would take too long."""
    if work + _CHAR_WORK * sum(map(len, sound.lines)) > MAX_WORK:
        log.add("score-too-long", "The score is too long for MusicXML at once; to_musicxml() makes it.")
        return None
    try:
        return write_musicxml(sound, log).text
    except ConversionError as error:
        log.add("score-musicxml-failed", f"music21 made no MusicXML: {quote(str(error))}.")
        return None


def write_musicxml(sound: Sound, log: IssueLog) -> MusicXml:
    """MusicXML of sound lines. Every note, slur and meter that it lacks is an issue.

    Raises:
        ConversionError: music21 failed.
    """
    # What other spines say, such as harmony, music21 takes for notes, and fails.
    lines, lost_meters = writable(kern_alone(sound.lines))
    sound = replace(sound, lines=lines)
    for meter in lost_meters:
        log.add("score-meter-lost", f"music21 cannot write the meter {quote(meter)} as it is.")
    # It stumbles over records without a value; other comments are of no use to it.
    kept = [
        number
        for number, line in enumerate(sound.lines, start=1)
        if not line.startswith("!") or _RECORD.match(line)
    ]
    slurs = _slurs(sound, {number: place for place, number in enumerate(kept, start=1)})
    made = kern_to_musicxml(_join([sound.lines[number - 1] for number in kept]), slurs)
    n_notes = sum(event.kind == "note" for event in sound.events)
    if made.n_read != n_notes:
        log.add("score-notes-lost", f"The kern has {n_notes} notes, music21 read {made.n_read}.")
    elif made.n_sounding != sound.n_sounding:
        log.add(
            "score-notes-lost",
            f"The kern has {sound.n_sounding} notes, the MusicXML {made.n_sounding}, tied ones counted once.",
        )
    if made.n_slurs < len(slurs):
        log.add("score-slurs-lost", f"The kern has {len(slurs)} slurs, the MusicXML {made.n_slurs}.")
    return made


def _slurs(sound: Sound, line_of: dict[int, int]) -> list[tuple[Place, Place]]:
    """Where slurs begin and end; a slur from a note to itself is none that could be drawn."""
    header = next((line.split("\t") for line in sound.lines if line.startswith("**")), [])
    columns = [column for column, name in enumerate(header) if name == "**kern"]

    def place(index: int) -> Place:
        event = sound.events[index]
        return Place(line_of[event.line], columns[event.spine - 1], event.midi)

    pairs = pair_slurs(sound.events).pairs
    return [(place(start), place(end)) for start, end in pairs if start != end]
