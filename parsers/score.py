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
is checked too, as warnings. ``n_measures`` counts the stretches between barlines that hold notes or rests.
"""

from __future__ import annotations

import re

from docai.parsers.base import Parsed
from docai.parsers.cleaning import replace_unholdable, strip_fence
from docai.parsers.kern import MeasureCheck
from docai.parsers.musicxml import ConversionError, kern_to_musicxml
from docai.parsers.notes import Notes, quote
from docai.parsers.spines import Spine, SpineReader
from docai.records import ScoreContent

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
    lines = _prepare(text, notes)
    if not any(line.startswith("**") or "\t" in line for line in lines):
        notes.add("score-empty", "The text holds no kern data.")
        return Parsed(ScoreContent(kern=_join(lines)), notes.issues(), notes.repaired)
    reader = SpineReader(lines, notes)
    check = MeasureCheck(notes)
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
        is_valid=is_valid,
    )
    return Parsed(content, notes.issues(), notes.repaired)


def _prepare(text: str, notes: Notes) -> list[str]:
    text, fenced = strip_fence(text)
    if fenced:
        notes.add("score-fenced", "A code fence around the kern was taken off.")
    text, n_bad = replace_unholdable(text)
    if n_bad:
        notes.add("score-bad-character", f"{n_bad} unreadable characters were replaced.")
    raw = _LINE_END.split(text)
    lines = [line.strip(" ") for line in raw]
    if any(lines) and lines != text.split("\n"):
        notes.add("score-line-ends", "Line ends, or spaces around lines, were normalised.")
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    if "" in lines:
        notes.add("score-empty-line", f"{lines.count('')} empty lines were taken out.")
        lines = [line for line in lines if line]
    return _tabbed(lines, notes)


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
