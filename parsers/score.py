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

Valid means that the spine structure is sound (see :mod:`docai.parsers.spines`); what bars and fields say
is checked too, as warnings. ``n_measures`` counts the stretches between barlines that hold notes or rests;
``measures`` says which lines these are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from docai.parsers.base import Parsed
from docai.parsers.cleaning import replace_unholdable_in, strip_fence
from docai.parsers.kern import MeasureCheck
from docai.parsers.musicxml import ConversionError, kern_to_musicxml
from docai.parsers.notes import Notes, quote
from docai.parsers.spines import Spine, SpineReader
from docai.parsers.traced import Span, TracedText
from docai.records import Measure, ScoreContent

MAX_WORK = 10_000_000
"""Some two seconds of music21 by our estimate: 1,500 notes in all, or one measure of 200."""
_CHAR_WORK = 200
_SPINE_WORK = 50_000
_BARLINE_WORK = 12

_LINE_END = re.compile(r"\r\n?|[\n\v\f\x85\u2028\u2029]")
_RECORD = re.compile(r"!!![A-Za-z][\w@-]*:")
_SPACED_HEADER = re.compile(r"^\*\*\w+(?P<gap> +)\*\*\w+(?: +\*\*\w+)*$", re.MULTILINE)


def parse_score(text: str) -> Parsed[ScoreContent]:
    """The score that the text describes; ``kern`` is the text with its line ends put right."""
    notes = Notes()
    lines, spans = _prepare(text, notes)
    if not any(line.startswith("**") or "\t" in line for line in lines):
        notes.add("score-empty", "The text holds no kern data.")
        return Parsed(ScoreContent(kern=_join(lines)), notes.issues(), notes.repaired)
    reader = SpineReader(lines, notes)
    check = MeasureCheck(notes)
    n_sound, n_notes = _walk(reader, check)
    if not check.n_measures and not notes.has_errors:
        notes.add("score-empty", "The score holds neither note nor rest.")
    is_valid = not notes.has_errors
    work = check.work + _BARLINE_WORK * check.n_barlines**2 + _SPINE_WORK * reader.n_kern
    if reader.first_broken is not None and n_sound:
        notes.add(
            "score-musicxml-partial", f"MusicXML ends before line {reader.first_broken + 1}, which is broken."
        )
    content = ScoreContent(
        kern=_join(lines),
        musicxml=_musicxml(lines[: reader.first_broken], n_notes, work, notes) if n_sound else None,
        n_spines=reader.n_kern,
        n_measures=check.n_measures,
        measures=[Measure(first_line=first, last_line=last) for first, last in check.measures],
        is_valid=is_valid,
    )
    where = tuple((spans[first - 1][0], spans[last - 1][1]) for first, last in check.measures)
    return Parsed(content, notes.issues(), notes.repaired, where)


def measure_texts(kern: str) -> list[str]:
    """The lines of notes of each measure of a kern text, with line feeds between them."""
    lines = _prepare(kern, Notes())[0]
    check = MeasureCheck(Notes())
    _walk(SpineReader(lines, Notes()), check)
    return ["\n".join(lines[first - 1 : last]) for first, last in check.measures]


def _walk(reader: SpineReader, check: MeasureCheck) -> tuple[int, int]:
    """Take all lines through the check. Returns the fields and notes before the first broken line."""
    spines: tuple[Spine, ...] = ()
    n_sound = n_notes = 0
    for line in reader:
        if line.kind == "data":
            check.data(line)
        elif line.kind == "barline":
            check.barline(line)
        else:
            check.interpretation(line)
        spines = line.spines
        if reader.first_broken is None:
            n_sound, n_notes = check.n_fields, check.n_notes
    check.end(spines)
    return n_sound, n_notes


def _prepare(raw: str, notes: Notes) -> tuple[list[str], list[Span]]:
    """The lines as they should be written, and where each stands in the text."""
    text = TracedText(raw)
    if strip_fence(text):
        notes.add("score-fenced", "A code fence around the kern was taken off.")
    if n_bad := replace_unholdable_in(text):
        notes.add("score-bad-character", f"{n_bad} unreadable characters were replaced.")
    found = list(_split(text.text))
    while found and not found[-1][0]:
        found.pop()
    first = next((index for index, (line, _) in enumerate(found) if line), 0)
    found = found[first:]
    if found and [line for line, _ in _split(text.text)] != text.text.split("\n"):
        notes.add("score-line-ends", "Line ends, or spaces around lines, were normalised.")
    if n_empty := sum(not line for line, _ in found):
        notes.add("score-empty-line", f"{n_empty} empty lines were taken out.")
        found = [(line, span) for line, span in found if line]
    lines = _tabbed([line for line, _ in found], notes)
    return lines, [text.raw(*span) for _, span in found]


def _split(text: str) -> Iterator[tuple[str, Span]]:
    """The lines of a text without the spaces around them, and where they stand."""
    start = 0
    for end, after in (*((m.start(), m.end()) for m in _LINE_END.finditer(text)), (len(text), 0)):
        line = text[start:end].lstrip(" ")
        begin = end - len(line)
        line = line.rstrip(" ")
        yield line, (begin, begin + len(line))
        start = after


def _tabbed(lines: list[str], notes: Notes) -> list[str]:
    header = _SPACED_HEADER.search("\n".join(lines))
    if header is None or any("\t" in line for line in lines):
        return lines
    notes.add("score-spaces-for-tabs", "Spaces between the spines became tabs.")
    gap = re.compile(" {2,}" if len(header["gap"]) > 1 else " ")
    return [line if line.startswith("!!") else gap.sub("\t", line) for line in lines]


def _join(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _musicxml(lines: list[str], n_notes: int, work: int, notes: Notes) -> str | None:
    """MusicXML of sound lines that hold notes or rests. Every note that it lacks is an issue."""
    # music21 stumbles over records without a value; other comments are of no use to it.
    kern = _join([line for line in lines if not line.startswith("!") or _RECORD.match(line)])
    if work + _CHAR_WORK * len(kern) > MAX_WORK:
        notes.add("score-too-long", "The score is too long, or its measures too full, for MusicXML.")
        return None
    try:
        musicxml, n_found = kern_to_musicxml(kern)
    except ConversionError as error:
        notes.add("score-musicxml-failed", f"music21 made no MusicXML: {quote(str(error))}.")
        return None
    if n_found != n_notes:
        notes.add("score-notes-lost", f"The kern has {n_notes} notes, the MusicXML {n_found}.")
    return musicxml
