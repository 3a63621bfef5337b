"""Every issue code of docai: how bad it is, where it arises, whether it repairs, what it means.

A code is stable: once released it keeps its meaning. An ``error`` says that something is missing or cannot be
trusted; a ``warning`` that a part was repaired or is doubtful; an ``info`` that something was read in a
particular way. A code with ``repairs`` marks the record as repaired: its content is not what the model's
text literally says.

The table is committed as ``docai/issues.md``; ``python -m docai.issues`` writes it again after a change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from docai.contents import Issue, Severity, Stage

FILE_NAME = "issues.md"

_HEAD = """\
# Issue codes

Each issue of a record, a page or a document has one of these codes. They are stable: a released code keeps
its meaning. An `error` says that something is missing or cannot be trusted, a `warning` that a part was
repaired or is doubtful, an `info` that something was read in a particular way. Where a code repairs, the
record has `repaired`: its content is not what the model's text literally says. A code of the pipeline may
come with another severity where the step that reports it knows better.

Written by `python -m docai.issues` from `docai/issues.py`.
"""
_SECTIONS = {
    "table": "Tables, from the model's text",
    "molecule": "Molecules, from the model's text",
    "score": "Scores, from the model's text",
    "text": "Text, from the model's text",
}
_OTHER_SECTION = "Pages, regions and witnesses"


class IssueCode(NamedTuple):
    """What one issue code stands for, and how bad it is unless the step that reports it knows better."""

    severity: Severity
    stage: Stage
    meaning: str
    repairs: bool = False


def _info(meaning: str) -> IssueCode:
    return IssueCode("info", "parser", meaning)


def _warning(meaning: str) -> IssueCode:
    return IssueCode("warning", "parser", meaning)


def _error(meaning: str) -> IssueCode:
    return IssueCode("error", "parser", meaning)


def _tidied(meaning: str) -> IssueCode:
    return IssueCode("info", "parser", meaning, repairs=True)


def _repaired(meaning: str) -> IssueCode:
    return IssueCode("warning", "parser", meaning, repairs=True)


def _lost(meaning: str) -> IssueCode:
    return IssueCode("error", "parser", meaning, repairs=True)


CODES: Mapping[str, IssueCode] = MappingProxyType(
    {
        # Tables
        "table-empty": _error("The text holds no table cell."),
        "table-no-table-tag": _repaired("The cells stand in no <table>; one was put around them."),
        "table-truncated": _lost("The text ends before the table does, so rows may be missing."),
        "table-fenced": _tidied("A Markdown code fence around the table was taken off."),
        "table-bad-character": _repaired("A character that no document can hold became U+FFFD."),
        "table-too-deep": _lost("Tags are nested deeper than HTML readers go; what is inside is lost."),
        "table-second-table": _lost("More than one table was written; only the first was read."),
        "table-nested-table": _repaired("A table inside a cell was read as text of that cell."),
        "table-text-outside": _repaired("Text before or after the table was left out."),
        "table-stray-text": _repaired("Text inside the table but in no cell was left out."),
        "table-raw-less-than": _info("A raw '<' that opens no HTML tag was read as text."),
        "table-tag-mismatch": _warning(
            "A tag is not closed, or closed and not opened, or stands in another where HTML allows none."
        ),
        "table-repeated-attribute": _repaired("An attribute stands twice in a tag; its first value counts."),
        "table-stray-loc": _repaired("Location tokens outside a coords attribute were left out."),
        "table-row-without-tr": _repaired("Cells stand in no <tr>; a row was put around them."),
        "table-bad-span": _repaired("A colspan or rowspan is no number in range; the nearest one was used."),
        "table-span-past-section": _repaired("A rowspan reaches past its row group and was cut there."),
        "table-span-clipped": _repaired("A colspan reaches past all other rows and was cut there."),
        "table-overlap": _repaired("Two cells claim the same place; the later one was narrowed."),
        "table-ragged-row": _repaired("A row is shorter than the table; empty cells fill it."),
        "table-too-large": _lost(
            "The table has more rows or columns than docai reads; the rest is left out."
        ),
        "table-repeated-rows": _warning("Many equal rows follow each other, as when a model loops."),
        "table-header-detected": _info("The text marks no head; the first rows were taken for it."),
        "table-otsl-span": _repaired("An OTSL span token contradicts its neighbours: see the message."),
        "table-otsl-text": _repaired("Text follows an OTSL token that takes none; it became a cell."),
        "table-own-location": _info("Location tokens of the whole table were left out."),
        "table-bad-box": _repaired("A cell's location tokens make no box; the box was left out."),
        "table-tiles-differ": _repaired("The row bands of one table were read with different widths."),
        "table-tiles-headed": _tidied("A head inside a table that was read in row bands became plain rows."),
        # Molecules
        "molecule-empty": _error("The text holds no SMILES."),
        "molecule-fenced": _tidied("A code fence, quotes or a label around the SMILES were taken off."),
        "molecule-bad-character": _repaired("A look-alike of an ASCII character was replaced by it."),
        "molecule-extra-text": _repaired("Text after the SMILES was left out."),
        "molecule-too-long": _error("The SMILES is longer, or has more atoms, than docai reads."),
        "molecule-reaction": _error("The text is a reaction, not a molecule."),
        "molecule-ring-closure": _error("A ring is opened and never closed, or closed onto itself."),
        "molecule-unknown-atom": _error("What stands for an atom is neither element nor label."),
        "molecule-syntax": _error("The text breaks the SMILES grammar."),
        "molecule-valence": _error("An atom has more bonds than its element allows."),
        "molecule-kekulisation": _error("An aromatic ring has no arrangement of single and double bonds."),
        "molecule-sanitisation": _error("RDKit refuses the structure for another reason."),
        "molecule-dative-missing": _error(
            "The structure is valid only with dative bonds (->) to its metal, which are not written."
        ),
        "molecule-dative-bond": _info("Bonds are dative; few other formats and tools have such bonds."),
        "molecule-stereo-dropped": _repaired(
            "A stereo mark stands where no configuration can be; it was dropped."
        ),
        "molecule-r-group": _info("An R-group became a numbered dummy atom, as in [R1] to [1*]."),
        "molecule-abbreviation": _tidied("An abbreviation such as [Ph] was written out as atoms."),
        "molecule-unknown-label": _repaired("A label is neither element nor known group; it became *."),
        "molecule-ambiguous-label": _warning("A symbol may be an element or a group: see the message."),
        "molecule-no-inchi": _info("The structure has no InChI, as with dummy atoms."),
        "molecule-no-molblock": _warning("RDKit could lay out no mol block."),
        # Scores
        "score-empty": _error("The text holds no kern data."),
        "score-ekern": _tidied("The text is ekern, bekern or a model's tokens; it was written as kern."),
        "score-fenced": _tidied("A Markdown code fence around the kern was taken off."),
        "score-bad-character": _repaired("A character that no document can hold became U+FFFD."),
        "score-line-ends": _tidied("Line ends, or spaces around lines, were normalised."),
        "score-empty-line": _repaired("Empty lines were taken out."),
        "score-spaces-for-tabs": _repaired("Spaces between the spines became tabs."),
        "score-no-exclusive": _error("The first line does not name the spines (**kern)."),
        "score-no-kern": _error("No spine is **kern."),
        "score-spine-count": _error("A line has more or fewer fields than there are spines."),
        "score-empty-field": _error("A field is empty; kern writes '.' where nothing happens."),
        "score-mixed-line": _error("A line mixes interpretations, barlines, comments and data."),
        "score-bad-join": _error("A spine is joined (*v) with no neighbour to join."),
        "score-ambiguous-join": _warning("One line joins the parts of two spines; each was kept apart."),
        "score-bad-exchange": _error("Spines are exchanged (*x) other than in one pair."),
        "score-bad-exclusive": _error("A ** interpretation stands where no new spine begins."),
        "score-after-end": _error("Data follow the line that ends all spines."),
        "score-no-terminator": _error("A spine is not ended by *-, as when the text was cut off."),
        "score-bad-token": _warning("A field breaks the grammar of kern notes and rests."),
        "score-chord-duration": _warning("The notes of a chord have different durations; the first counts."),
        "score-tie-unpaired": _warning("A tie begins or ends, and no note of its pitch takes it up."),
        "score-slur-unpaired": _warning("A slur begins or ends, and its other end is missing."),
        "score-phrase-unpaired": _warning("A phrase begins or ends, and its other end is missing."),
        "score-barline-mismatch": _warning("A barline is not written, or not the same, in all spines."),
        "score-misaligned": _warning("Notes of one line do not start at the same time."),
        "score-measure-duration": _warning("The durations of a measure do not add up to the meter."),
        "score-no-meter": _info("No meter (*M) is given, so durations were not checked."),
        "score-too-long": _warning("The score is too long for MusicXML at once; `to_musicxml()` makes it."),
        "score-musicxml-partial": _warning("MusicXML holds the lines before the first broken one."),
        "score-musicxml-failed": _warning("music21 could not make MusicXML."),
        "score-notes-lost": _warning("MusicXML has another number of notes than the kern."),
        "score-slurs-lost": _warning("MusicXML has fewer slurs than the kern."),
        "score-meter-lost": _warning("MusicXML or MIDI lacks a meter of the kern, or the parts of one."),
        "score-midi-lost": _warning("MIDI has another number of notes than the kern."),
        # Text
        "text-empty": _warning("The text holds no word."),
        "text-fenced": _tidied("A Markdown code fence around the words was taken off."),
        "text-bad-character": _repaired("A character that no document can hold became U+FFFD."),
        "text-no-boxes": _warning("No word has a box."),
        "text-missing-box": _warning("A word has no box."),
        "text-bad-box": _repaired("Location tokens before a word make no box; the box was left out."),
        "text-reversed-box": _repaired("A box had its minimum and maximum exchanged; they were put right."),
        "text-zero-area-box": _repaired("A box without area was widened by half a bin on each side."),
        "text-empty-label": _repaired("A box has no word; it was left out."),
        "text-missing-separator": _repaired("Two words stand together without ' ; ' and were parted."),
        "text-trailing-separator": _tidied("A ' ; ' at the end of a line was taken off."),
        "text-visual-order": _repaired(
            "Words of a right-to-left line stood from left to right; they were put in reading order."
        ),
        "text-truncated": _warning("The text ends inside location tokens; the last word may be missing."),
        # Document and page
        "source-repaired": IssueCode(
            "warning", "ingest", "The file is damaged and was mended on opening; something may be missing."
        ),
        "page-failed": IssueCode("error", "ingest", "The page could not be read; the other pages are whole."),
        "layout-failed": IssueCode(
            "error", "layout", "The page's regions could not be found; its own words, if any, are one text."
        ),
        "regions-not-asked-for": IssueCode(
            "info", "layout", "Regions of kinds not in `heads` were left out."
        ),
        # Region: not read by a model
        "region-limit": IssueCode("error", "model", "Limits.max_regions_per_page was reached before it."),
        "page-time-limit": IssueCode("error", "model", "Limits.max_seconds_per_page was used up before it."),
        "head-not-available": IssueCode("error", "model", "The model has no weights for the region's kind."),
        "crop-failed": IssueCode("error", "crop", "The region could not be drawn for the model."),
        "record-failed": IssueCode(
            "error", "parser", "The model's answer could not be made a record; see `raw`."
        ),
        # Region: how the model ended
        "model-output-cut": IssueCode("error", "model", "The token limit was reached; the end is missing."),
        "model-output-loop": IssueCode("error", "model", "The model repeated itself and was stopped."),
        "model-blank-crop": IssueCode(
            "warning", "model", "The region shows nothing, and no model was asked."
        ),
        "model-asked-again": IssueCode(
            "warning",
            "model",
            "The first answer was cut, looping or invalid; a later attempt is believed.",
        ),
        "model-failed": IssueCode("error", "model", "The model could not answer; the message says why."),
        "model-box-outside": IssueCode(
            "warning", "model", "A box lies where the crop shows no page; it was cut to the page or left out."
        ),
        "text-tiles-merged": IssueCode(
            "info", "model", "Words that two overlapping tiles show were read once."
        ),
        "text-tiles-differ": IssueCode(
            "warning",
            "model",
            "Words were read in two ways where tiles overlap; the message has both.",
        ),
        # Region: the PDF's own words
        "text-layer-not-believed": IssueCode(
            "warning", "evidence", "The PDF's own words look broken; they are kept in `native_text`."
        ),
        "text-layer-disagrees": IssueCode(
            "warning", "evidence", "The model read other words than the PDF has; the PDF was believed."
        ),
        # Region: witnesses of a table
        "table-cells-corrected": IssueCode(
            "info", "evidence", "Cells took their text from the PDF's own words inside their boxes."
        ),
        "table-cells-differ": IssueCode(
            "warning", "evidence", "Cells hold other words than the PDF has inside their boxes."
        ),
        "table-boxes-off": IssueCode(
            "warning", "evidence", "The cells' boxes do not lie on their words, so words did not fill cells."
        ),
        "table-words-disagree": IssueCode(
            "warning", "evidence", "The table as a whole holds other words than the PDF has in the region."
        ),
        "table-grids-differ": IssueCode(
            "warning",
            "evidence",
            "The model and the table finder see different grids; the model's was believed.",
        ),
        "table-from-finder": IssueCode(
            "warning", "evidence", "The table finder's grid was believed, not the model's."
        ),
        "table-unread": IssueCode(
            "error", "evidence", "Neither the model nor the table finder made out a table."
        ),
        # Region: other witnesses
        "witness-believed": IssueCode(
            "warning", "evidence", "A second reader's answer was believed; the model's is in `alternatives`."
        ),
        "witness-disagrees": IssueCode(
            "warning",
            "evidence",
            "A second reader has another answer, in `alternatives`; the model was believed.",
        ),
        "witness-silent": IssueCode(
            "info", "evidence", "A second reader saw nothing there that it could make out."
        ),
        "witness-failed": IssueCode("info", "evidence", "A second reader failed and has nothing to say."),
        # Region: read-back
        "readback-differs": IssueCode(
            "warning", "validator", "Drawn again, the record is little like its crop: it may be wrong."
        ),
    }
)


def make_issue(
    code: str, message: str, *, severity: Severity | None = None, page: int | None = None
) -> Issue:
    """An issue of a listed code.

    Args:
        severity: in place of the code's own.

    Raises:
        KeyError: ``code`` is not in :data:`CODES`, which is a bug of docai.
    """
    entry = CODES[code]
    return Issue(
        code=code, severity=severity or entry.severity, stage=entry.stage, message=message, page=page
    )


def section_of(code: str) -> str:
    """The section of the committed table that a code stands in: that of a head, or of the pipeline."""
    head = code.partition("-")[0]
    if CODES[code].stage == "parser" and head in _SECTIONS:
        return _SECTIONS[head]
    return _OTHER_SECTION


def issue_codes() -> Iterator[tuple[str, str, IssueCode]]:
    """Section, code and entry of all codes: those of the parsers by head, then those of the pipeline."""
    for section in (*_SECTIONS.values(), _OTHER_SECTION):
        for code, entry in CODES.items():
            if section_of(code) == section:
                yield section, code, entry


def build_table() -> str:
    """The table as Markdown. Ends with a newline."""
    lines = [_HEAD]
    previous = ""
    for section, code, entry in issue_codes():
        if section != previous:
            previous = section
            lines.append(
                f"## {section}\n\n| code | severity | stage | repairs | meaning |\n|---|---|---|---|---|"
            )
        meaning = entry.meaning.replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")
        repairs = "yes" if entry.repairs else ""
        lines.append(f"| `{code}` | {entry.severity} | {entry.stage} | {repairs} | {meaning} |")
    return "\n".join(lines).replace("|\n## ", "|\n\n## ") + "\n"


if __name__ == "__main__":
    Path(__file__).with_name(FILE_NAME).write_text(build_table(), "utf-8")
