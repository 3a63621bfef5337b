"""The parser of the score head: a checked score and MusicXML from Humdrum ``**kern``.

The format is Humdrum text: one spine for each staff, the lowest first, fields separated by tabs and lines by
line feeds, from the line of ``**kern`` to the line of ``*-``::

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

A score is valid if its spine structure is (see :mod:`docai.parsers.score_spines`). Measures and fields are
checked too; their issues are warnings. ``n_measures`` counts the measures with notes or rests; ``measures``
lists their lines.
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
from docai.parsers.score_ekern import convert_from_ekern
from docai.parsers.score_measures import EventList, MeasureCheck
from docai.parsers.score_music21 import (
    ConversionError,
    MusicXml,
    Place,
    kern_to_musicxml,
    prepare_for_music21,
)
from docai.parsers.score_spines import Spine, SpineReader, keep_kern_spines
from docai.parsers.score_ties import check_pairs, pair_slurs

MAX_WORK = 2_500_000
"""Estimated work of music21, in units of 0.2 us, up to which MusicXML is made while reading: half a second,
or 400 notes at four in a measure. Longer scores are converted on demand, by ``to_musicxml`` of the record."""
_WORK_PER_CHAR = 100
_WORK_PER_SPINE = 50_000
_WORK_PER_SQUARED_BARLINE = 12

_LINE_ENDS = re.compile(r"\r\n?|[\n\v\f\x85\u2028\u2029]")
_REFERENCE_RECORD = re.compile(r"!!![A-Za-z][\w@-]*:")
_HEADER_WITH_SPACES = re.compile(r"^\*\*\w+(?P<gap> +)\*\*\w+(?: +\*\*\w+)*$", re.MULTILINE)


@dataclass(frozen=True)
class ValidKern:
    """The lines of a kern text before the first invalid one, and their events."""

    lines: list[str]
    events: list[Event]
    meters_and_tempi: list[tuple[Fraction, str]]
    """Meters and tempi, each with its time in quarter notes since the start."""

    @property
    def n_sounding(self) -> int:
        """Number of notes; tied notes count once."""
        return sum(event.kind == "note" and event.tie in (None, "start") for event in self.events)


def parse_score(text: str, *, with_musicxml: bool = True) -> Parsed[ScoreContent]:
    """The score that the text describes; ``kern`` is the text with normalized line ends.

    MusicXML takes most of the time; ``with_musicxml=False`` leaves it out.
    """
    log = IssueLog()
    lines, spans = _clean_lines(text, log)
    if not any(line.startswith("**") or "\t" in line for line in lines):
        log.add("score-empty", "The text contains no kern data.")
        return Parsed(ScoreContent(kern=_join_lines(lines)), log.issues(), log.repaired)
    reader, check = SpineReader(lines, log), MeasureCheck(log, EventList())
    valid = _check_lines(reader, check)
    events = check.events.events if check.events else []
    check_pairs(events, check.section_edges, log)
    if not check.n_measures and not log.has_errors:
        log.add("score-empty", "The score contains neither notes nor rests.")
    is_valid = not log.has_errors
    n_measures = check.n_barlines + check.n_split_measures
    work = check.work + _WORK_PER_SQUARED_BARLINE * n_measures**2 + _WORK_PER_SPINE * reader.n_kern
    if with_musicxml and reader.first_invalid is not None and valid is not None:
        log.add(
            "score-musicxml-partial",
            f"MusicXML ends before line {reader.first_invalid + 1}, which is invalid.",
        )
    content = ScoreContent(
        kern=_join_lines(lines),
        musicxml=_make_musicxml(valid, work, log) if with_musicxml and valid is not None else None,
        n_spines=reader.n_kern,
        n_measures=check.n_measures,
        measures=[Measure(first_line=first, last_line=last) for first, last in check.measures],
        events=events,
        is_valid=is_valid,
    )
    measure_spans = tuple((spans[first - 1][0], spans[last - 1][1]) for first, last in check.measures)
    return Parsed(content, log.issues(), log.repaired, measure_spans)


def measure_texts(kern: str) -> list[str]:
    """The lines with notes of each measure of a kern text, joined by line feeds."""
    lines = kern_lines(kern)
    check = MeasureCheck(IssueLog())
    _check_lines(SpineReader(lines, IssueLog()), check)
    return ["\n".join(lines[first - 1 : last]) for first, last in check.measures]


def kern_lines(text: str) -> list[str]:
    """The lines of a kern text as :func:`parse_score` reads them: line ends normalized, ekern converted."""
    return _clean_lines(text, IssueLog())[0]


def read_valid_kern(kern: str) -> ValidKern | None:
    """The valid lines of a kern text; None if they contain neither notes nor rests."""
    lines = kern_lines(kern)
    return _check_lines(SpineReader(lines, IssueLog()), MeasureCheck(IssueLog(), EventList()))


def _check_lines(reader: SpineReader, check: MeasureCheck) -> ValidKern | None:
    """Check all lines. Returns those before the first invalid one; None if they have no notes or rests."""
    spines: tuple[Spine, ...] = ()
    n_fields = 0
    for line in reader:
        check.add(line)
        spines = line.spines
        if reader.first_invalid is None:
            n_fields = check.n_fields
    check.finish(spines)
    if not n_fields or check.events is None:
        return None
    events, end = check.events.events, reader.first_invalid
    if end is not None:
        events = [event for event in events if event.line <= end]
    return ValidKern(list(reader.lines[:end]), events, check.meters_and_tempi)


def _clean_lines(raw: str, log: IssueLog) -> tuple[list[str], list[Span]]:
    """The lines of the text in normal form, and the span of each in the text."""
    text = TrackedText(raw)
    if strip_fence(text):
        log.add("score-fenced", "A Markdown code fence around the kern was removed.")
    if convert_from_ekern(text):
        log.add("score-ekern", "The text is ekern, bekern or tokens of kern; it was converted to kern.")
    if n_bad := replace_invalid_chars_in(text):
        log.add("score-bad-character", f"{n_bad} invalid characters were replaced by U+FFFD.")
    lines_and_spans = list(_split_lines(text.text))
    is_tidy = [line for line, _ in lines_and_spans] == text.text.split("\n")
    while lines_and_spans and not lines_and_spans[-1][0]:
        lines_and_spans.pop()
    first = next((index for index, (line, _) in enumerate(lines_and_spans) if line), 0)
    lines_and_spans = lines_and_spans[first:]
    if lines_and_spans and not is_tidy:
        log.add("score-line-ends", "Line ends, or spaces around lines, were normalized.")
    if n_empty := sum(not line for line, _ in lines_and_spans):
        log.add("score-empty-line", f"{n_empty} empty lines were removed.")
        lines_and_spans = [(line, span) for line, span in lines_and_spans if line]
    lines = _replace_spaces_by_tabs([line for line, _ in lines_and_spans], log)
    return lines, [text.raw(*span) for _, span in lines_and_spans]


def _split_lines(text: str) -> Iterator[tuple[str, Span]]:
    """The lines of a text without the spaces around them, and their spans."""
    start = 0
    for end, after in (*(match.span() for match in _LINE_ENDS.finditer(text)), (len(text), 0)):
        line = text[start:end]
        if line[:1] == " " or line[-1:] == " ":
            line = line.lstrip(" ")
            start = end - len(line)
            line = line.rstrip(" ")
        yield line, (start, start + len(line))
        start = after


def _replace_spaces_by_tabs(lines: list[str], log: IssueLog) -> list[str]:
    header = _HEADER_WITH_SPACES.search("\n".join(lines))
    if header is None or any("\t" in line for line in lines):
        return lines
    log.add("score-spaces-for-tabs", "Spaces between the spines were replaced by tabs.")
    gap = re.compile(" {2,}" if len(header["gap"]) > 1 else " ")
    return [line if line.startswith("!!") else gap.sub("\t", line) for line in lines]


def _join_lines(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _make_musicxml(valid: ValidKern, work: int, log: IssueLog) -> str | None:
    """MusicXML; None, with an issue, if it would take too long or music21 fails."""
    if work + _WORK_PER_CHAR * sum(map(len, valid.lines)) > MAX_WORK:
        log.add(
            "score-too-long",
            "The score is too long to make MusicXML while reading; call to_musicxml() for it.",
        )
        return None
    try:
        return write_musicxml(valid, log).text
    except ConversionError as error:
        log.add("score-musicxml-failed", f"music21 could not make MusicXML: {quote(str(error))}.")
        return None


def write_musicxml(valid: ValidKern, log: IssueLog) -> MusicXml:
    """MusicXML of valid lines. Notes, slurs and meters that it lacks are logged as issues.

    Raises:
        ConversionError: music21 failed.
    """
    # music21 would read other spines, such as harmony, as notes, and fail.
    lines, lost_meters = prepare_for_music21(keep_kern_spines(valid.lines))
    valid = replace(valid, lines=lines)
    for meter in lost_meters:
        log.add("score-meter-lost", f"music21 cannot write the meter {quote(meter)} as given.")
    # music21 fails on reference records without a value and ignores all other comments.
    kept_numbers = [
        number
        for number, line in enumerate(valid.lines, start=1)
        if not line.startswith("!") or _REFERENCE_RECORD.match(line)
    ]
    slurs = _find_slurs(valid, {old: new for new, old in enumerate(kept_numbers, start=1)})
    made = kern_to_musicxml(_join_lines([valid.lines[number - 1] for number in kept_numbers]), slurs)
    n_notes = sum(event.kind == "note" for event in valid.events)
    if made.n_read != n_notes:
        log.add("score-notes-lost", f"The kern has {n_notes} notes, but music21 read {made.n_read}.")
    elif made.n_sounding != valid.n_sounding:
        log.add(
            "score-notes-lost",
            f"The kern has {valid.n_sounding} notes, the MusicXML {made.n_sounding} (tied ones count once).",
        )
    if made.n_slurs < len(slurs):
        log.add("score-slurs-lost", f"The kern has {len(slurs)} slurs, but the MusicXML has {made.n_slurs}.")
    return made


def _find_slurs(valid: ValidKern, new_number_of: dict[int, int]) -> list[tuple[Place, Place]]:
    """Start and end of each slur; one from a note to itself cannot be drawn and is omitted."""
    header = next((line.split("\t") for line in valid.lines if line.startswith("**")), [])
    columns = [column for column, name in enumerate(header) if name == "**kern"]

    def place(index: int) -> Place:
        event = valid.events[index]
        return Place(new_number_of[event.line], columns[event.spine - 1], event.midi)

    pairs = pair_slurs(valid.events).pairs
    return [(place(start), place(end)) for start, end in pairs if start != end]
