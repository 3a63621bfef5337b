"""The registry of issue codes: severity, stage, whether the code reports a repair, and meaning.

A released code keeps its meaning. An ``error`` means that something is missing or cannot be trusted, a
``warning`` that a part was repaired or is doubtful, an ``info`` that something was interpreted in a
particular way. A code with ``repairs`` marks the record as repaired: its content is not what the model's
answer literally says.

The table is committed as ``docai/issues.md``; after a change, write it with ``python -m docai.issues``.
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

Each issue of a record, a page or a document has one of these codes. A released code keeps its meaning. An
`error` means that something is missing or cannot be trusted, a `warning` that a part was repaired or is
doubtful, an `info` that something was interpreted in a particular way. A code with "yes" under "repairs" sets
`repaired` on the record: its content is not what the model's answer literally says. The pipeline may report a
code with a different severity if it knows more.

Written by `python -m docai.issues` from `docai/issues.py`.
"""
_SECTIONS = {
    "table": "Tables: parsing the model's answer",
    "molecule": "Molecules: parsing the model's answer",
    "score": "Scores: parsing the model's answer",
    "text": "Text: parsing the model's answer",
}
_OTHER_SECTION = "Pages, regions and other readers"


class IssueCode(NamedTuple):
    """Default severity, stage and meaning of one issue code."""

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


def _harmless_repair(meaning: str) -> IssueCode:
    return IssueCode("info", "parser", meaning, repairs=True)


def _repair(meaning: str) -> IssueCode:
    return IssueCode("warning", "parser", meaning, repairs=True)


def _lossy_repair(meaning: str) -> IssueCode:
    return IssueCode("error", "parser", meaning, repairs=True)


CODES: Mapping[str, IssueCode] = MappingProxyType(
    {
        # Tables
        "table-empty": _error("The model's answer contains no table cell."),
        "table-no-table-tag": _repair("The cells are outside any <table>; one was added around them."),
        "table-truncated": _lossy_repair("The answer ends before the table does, so rows may be missing."),
        "table-fenced": _harmless_repair("A Markdown code fence around the table was removed."),
        "table-bad-character": _repair("A character that JSON and XML do not allow was replaced by U+FFFD."),
        "table-too-deep": _lossy_repair(
            "Tags are nested too deeply for the HTML parser; their content was lost."
        ),
        "table-second-table": _lossy_repair("The answer has more than one table; only the first was read."),
        "table-nested-table": _repair("A table inside a cell was read as the text of that cell."),
        "table-text-outside": _repair("Text before or after the table was ignored."),
        "table-stray-text": _repair("Text inside the table but outside its cells was ignored."),
        "table-raw-less-than": _info("A '<' that does not start an HTML tag was read as text."),
        "table-tag-mismatch": _warning(
            "A tag is not closed, is closed without being opened, or is nested where HTML does not allow it."
        ),
        "table-repeated-attribute": _repair("An attribute occurs twice in a tag; the first value was used."),
        "table-stray-loc": _repair("Location tokens outside a coords attribute were removed."),
        "table-row-without-tr": _repair("Cells are outside any <tr>; a row was added around them."),
        "table-bad-span": _repair(
            "A colspan or rowspan is not a number in the allowed range; the nearest allowed one was used."
        ),
        "table-span-past-section": _repair(
            "A rowspan extends past the end of its row group; it was cut there."
        ),
        "table-span-clipped": _repair("A colspan extends past the end of all other rows; it was cut there."),
        "table-overlap": _repair("Two cells overlap; the later one was narrowed."),
        "table-ragged-row": _repair("A row is shorter than the table; empty cells were added."),
        "table-too-large": _lossy_repair(
            "The table has more rows or columns than docai supports; the rest was dropped."
        ),
        "table-repeated-rows": _warning("Many equal rows follow each other; the model may have looped."),
        "table-header-detected": _info(
            "The answer does not mark the header; the first rows were detected as header."
        ),
        "table-otsl-span": _repair("An OTSL span token contradicts its neighbors; the message names it."),
        "table-otsl-text": _repair("Text follows an OTSL token that takes none; it was read as a cell."),
        "table-own-location": _info("Location tokens of the whole table were ignored."),
        "table-bad-box": _repair("A cell's location tokens do not form a box; they were dropped."),
        "table-tiles-differ": _repair(
            "A table was read in bands of rows, with different numbers of columns."
        ),
        "table-tiles-headed": _harmless_repair(
            "A table was read in bands of rows; a header inside it was turned into plain rows."
        ),
        # Molecules
        "molecule-empty": _error("The model's answer contains no SMILES."),
        "molecule-fenced": _harmless_repair(
            "A code fence, quotes or a label around the SMILES were removed."
        ),
        "molecule-bad-character": _repair(
            "A character that only looks like an ASCII character was replaced by it."
        ),
        "molecule-extra-text": _repair("Text after the SMILES was ignored."),
        "molecule-too-long": _error("The SMILES has more characters or atoms than docai supports."),
        "molecule-reaction": _error("The answer is a reaction, not a molecule."),
        "molecule-ring-closure": _error(
            "A ring closure is opened but not closed, or bonds an atom to itself."
        ),
        "molecule-unknown-atom": _error("A symbol in the SMILES is neither an atom, a bond nor a label."),
        "molecule-syntax": _error("The answer is not valid SMILES syntax."),
        "molecule-valence": _error("An atom has more bonds than its element allows."),
        "molecule-kekulisation": _error(
            "An aromatic ring cannot be written with alternating single and double bonds."
        ),
        "molecule-sanitisation": _error("RDKit rejects the structure for another reason."),
        "molecule-dative-missing": _error(
            "The structure would be valid only with dative bonds (->) to its metal."
        ),
        "molecule-dative-bond": _info("Bonds are dative; few other formats and tools support such bonds."),
        "molecule-stereo-dropped": _repair(
            "A stereo mark is on an atom or bond that cannot have a configuration; it was dropped."
        ),
        "molecule-r-group": _info("An R-group became a numbered dummy atom, such as [1*] for [R1]."),
        "molecule-abbreviation": _harmless_repair("An abbreviation such as [Ph] was expanded to atoms."),
        "molecule-unknown-label": _repair(
            "A label is neither an element nor a known group; it became a dummy atom (*)."
        ),
        "molecule-ambiguous-label": _warning(
            "A symbol may be an element or a group; the message says how it was read."
        ),
        "molecule-no-inchi": _info("The structure has no InChI, for example because it has dummy atoms."),
        "molecule-no-molblock": _warning("RDKit could not make a mol block."),
        # Scores
        "score-empty": _error("The model's answer contains no notes or rests in kern."),
        "score-ekern": _harmless_repair(
            "The answer is in ekern, bekern or tokens of kern; it was converted to kern."
        ),
        "score-fenced": _harmless_repair("A Markdown code fence around the kern was removed."),
        "score-bad-character": _repair("A character that JSON and XML do not allow was replaced by U+FFFD."),
        "score-line-ends": _harmless_repair("Line ends, or spaces around lines, were normalized."),
        "score-empty-line": _repair("Empty lines were removed."),
        "score-spaces-for-tabs": _repair("Spaces between the spines were replaced by tabs."),
        "score-no-exclusive": _error("The first line does not name the spines (**kern)."),
        "score-no-kern": _error("None of the spines is **kern."),
        "score-spine-count": _error("A line has more or fewer fields than there are spines."),
        "score-empty-field": _error("A field is empty; in kern, a field where nothing happens is '.'."),
        "score-mixed-line": _error("A line mixes interpretations, barlines, comments and data."),
        "score-bad-join": _error("A spine is joined (*v) without a neighbor to join."),
        "score-ambiguous-join": _warning("One line joins parts of two spines; they were kept as two spines."),
        "score-bad-exchange": _error("Spines are exchanged (*x), but not as one pair of neighbors."),
        "score-bad-exclusive": _error("A ** interpretation is given where no new spine starts."),
        "score-after-end": _error("There are lines after the one that ends all spines."),
        "score-no-terminator": _error("A spine is not ended by *-; the answer may have been cut off."),
        "score-bad-token": _warning("A field is not a valid kern note, chord or rest."),
        "score-chord-duration": _warning(
            "The notes of a chord have different durations; the first was used."
        ),
        "score-tie-unpaired": _warning(
            "A tie starts or ends at a note without a matching note of the same pitch."
        ),
        "score-slur-unpaired": _warning("A slur starts or ends, but its other end is missing."),
        "score-phrase-unpaired": _warning("A phrase starts or ends, but its other end is missing."),
        "score-barline-mismatch": _warning("A barline is missing in some spines, or not the same in all."),
        "score-misaligned": _warning("Notes of one line do not start at the same time."),
        "score-measure-duration": _warning("The durations of a measure do not add up to the meter."),
        "score-no-meter": _info("The score has no meter (*M), so durations were not checked."),
        "score-too-long": _warning(
            "The score is too long to make MusicXML while reading; `to_musicxml()` makes it."
        ),
        "score-musicxml-partial": _warning("MusicXML contains only the lines before the first invalid one."),
        "score-musicxml-failed": _warning("music21 could not make MusicXML."),
        "score-notes-lost": _warning("MusicXML and kern have different numbers of notes."),
        "score-slurs-lost": _warning("MusicXML has fewer slurs than the kern."),
        "score-meter-lost": _warning(
            "MusicXML or MIDI lacks a meter of the kern, or has it in simplified form."
        ),
        "score-midi-lost": _warning("MIDI and kern have different numbers of notes."),
        # Scores: reading the drawing
        "score-drawing-unexplained": IssueCode(
            "warning", "evidence", "Strokes or symbols of a drawn system were not understood."
        ),
        "score-drawing-rhythm": IssueCode(
            "warning", "evidence", "Notes of a drawn measure do not fill its meter; they were kept as drawn."
        ),
        "score-drawing-voices": IssueCode(
            "warning", "evidence", "In a drawn measure it is not sure which notes follow each other."
        ),
        "score-drawing-doubtful": IssueCode(
            "warning", "evidence", "A sign of a drawn system could not be made out, or belongs to no note."
        ),
        "score-drawing-tablature": IssueCode(
            "warning", "evidence", "A drawn system has tablature, which is not read."
        ),
        "score-drawing-words": IssueCode(
            "info",
            "evidence",
            "Words under the notes of a drawn system, such as lyrics, were not taken over.",
        ),
        "score-passages-apart": IssueCode(
            "warning",
            "evidence",
            "The passages of a region do not make one score; the longest is its content, the others are "
            "alternatives.",
        ),
        # Text
        "text-empty": _warning("The model's answer contains no word."),
        "text-fenced": _harmless_repair("A Markdown code fence around the words was removed."),
        "text-bad-character": _repair("A character that JSON and XML do not allow was replaced by U+FFFD."),
        "text-no-boxes": _warning("None of the words has a box."),
        "text-missing-box": _warning("A word has no box."),
        "text-bad-box": _repair("The location tokens before a word do not form a box; they were dropped."),
        "text-reversed-box": _repair("A box has a minimum above its maximum; they were exchanged."),
        "text-zero-area-box": _repair("A box without area was widened by half a location bin on each side."),
        "text-empty-label": _repair("A box has no word; it was dropped."),
        "text-missing-separator": _repair("A ' ; ' is missing between two words; they were separated."),
        "text-trailing-separator": _harmless_repair("A ' ; ' at the end of a line was removed."),
        "text-visual-order": _repair(
            "The words of a right-to-left line were written from left to right; they were reordered."
        ),
        "text-truncated": _warning("The answer ends inside location tokens; the last word may be missing."),
        # Document and page
        "source-repaired": IssueCode(
            "warning", "ingest", "The file is damaged and was repaired on opening; content may be missing."
        ),
        "page-failed": IssueCode(
            "error", "ingest", "The page could not be read; the other pages are not affected."
        ),
        "structure-failed": IssueCode(
            "warning",
            "layout",
            "The roles of texts could not be settled; they are those that layout gave, or `paragraph`.",
        ),
        "layout-failed": IssueCode(
            "error",
            "layout",
            "Layout analysis failed; the PDF's own words, if any, are returned as one text.",
        ),
        "regions-not-asked-for": IssueCode(
            "info", "layout", "Regions whose kind is not in `heads` were skipped."
        ),
        "page-straightened": IssueCode(
            "info",
            "layout",
            "The scanned page lies on its side, upside down, askew or at an angle, and was read "
            "straightened; boxes are those of the page as displayed.",
        ),
        "uneven-light": IssueCode(
            "info",
            "layout",
            "The scanned page lies in uneven light, as under a lamp or a shadow, and was read in even light.",
        ),
        # Region: the model did not read it
        "region-limit": IssueCode(
            "error", "model", "The region was skipped: Limits.max_regions_per_page was reached."
        ),
        "page-time-limit": IssueCode(
            "error", "model", "The region was skipped: Limits.max_seconds_per_page was used up."
        ),
        "head-not-available": IssueCode(
            "error", "model", "The region was skipped: the model has no weights for its kind."
        ),
        "crop-failed": IssueCode("error", "crop", "The region could not be rendered for the model."),
        "record-failed": IssueCode(
            "error", "parser", "The model's answer could not be turned into a record; it is in `raw`."
        ),
        # Region: the model's answer
        "model-output-cut": IssueCode(
            "error", "model", "The model reached its token limit; the end of its answer is missing."
        ),
        "model-output-loop": IssueCode("error", "model", "The model repeated itself and was stopped."),
        "model-blank-crop": IssueCode("warning", "model", "The region is blank, so the model was not run."),
        "model-asked-again": IssueCode(
            "warning",
            "model",
            "The first answer was cut off, looping or invalid; the answer of a retry was used.",
        ),
        "model-failed": IssueCode("error", "model", "The model failed; the message says why."),
        "model-box-outside": IssueCode(
            "warning", "model", "A box is partly or wholly outside the page; it was clipped or dropped."
        ),
        "text-tiles-merged": IssueCode("info", "model", "Words in the overlap of two tiles were merged."),
        "text-tiles-differ": IssueCode(
            "warning",
            "model",
            "Words in the overlap of two tiles were read differently; the message has both readings.",
        ),
        # Region: the PDF's own words
        "text-layer-of-scan": IssueCode(
            "info",
            "evidence",
            "The words are of the invisible text layer of a scan; the message says how many of them an OCR "
            "engine sees in its picture, if one was asked.",
        ),
        "text-layer-differs": IssueCode(
            "warning",
            "evidence",
            "An OCR engine surely sees other words in the picture of a scan than its invisible text layer "
            "has there; the message names some. The words of the layer were kept.",
        ),
        "text-layer-not-believed": IssueCode(
            "warning",
            "evidence",
            "The PDF's own words look damaged, or the picture of the scan shows others; they were not "
            "used, and are in `native_text`.",
        ),
        "text-watermark": IssueCode(
            "info",
            "layout",
            "The text lies across the page as a watermark; it is the last record of its page.",
        ),
        "text-layer-disagrees": IssueCode(
            "warning", "evidence", "The model and the PDF have different words; those of the PDF were used."
        ),
        # Region: evidence about a table
        "table-cells-corrected": IssueCode(
            "info", "evidence", "The text of cells was replaced by the PDF's own words inside their boxes."
        ),
        "table-cells-differ": IssueCode(
            "warning", "evidence", "The text of cells differs from the PDF's own words inside their boxes."
        ),
        "table-boxes-off": IssueCode(
            "warning",
            "evidence",
            "The cells' boxes do not match the PDF's words, so these were not used for the cells.",
        ),
        "table-words-disagree": IssueCode(
            "warning",
            "evidence",
            "The words of the whole table differ from the PDF's own words in the region.",
        ),
        "table-grids-differ": IssueCode(
            "warning",
            "evidence",
            "The model and the table finder found different grids; the model's was used.",
        ),
        "table-from-finder": IssueCode(
            "info", "evidence", "The model gave another grid or none; that of the table finder was used."
        ),
        "table-structure-doubtful": IssueCode(
            "warning",
            "evidence",
            "The grid of a table, or a word of one in a picture, may be wrong; the message says why.",
        ),
        "table-number-doubtful": IssueCode(
            "warning",
            "evidence",
            "The last digit of a number may be a footnote mark; it counts as unread, and its column as text.",
        ),
        "table-lines-only": IssueCode(
            "error",
            "evidence",
            "Nobody made out a grid that the PDF's own words bear out; each row is a line of these words.",
        ),
        # Region: other readers
        "witness-believed": IssueCode(
            "warning", "evidence", "A second reader's answer was used; the model's is in `alternatives`."
        ),
        "witness-disagrees": IssueCode(
            "warning",
            "evidence",
            "A second reader has a different answer, in `alternatives`; the model's was used.",
        ),
        "drawing-disagrees": IssueCode(
            "info",
            "evidence",
            "The drawing was believed; whoever read its picture read something else, see `alternatives`.",
        ),
        "drawing-unexplained": IssueCode(
            "warning",
            "evidence",
            "Strokes or letters inside the drawing are no part of what was read; the message says where.",
        ),
        "drawing-unsure": IssueCode(
            "warning",
            "evidence",
            "A part of the drawing can be read in more than one way; the message says which.",
        ),
        "drawing-valence": IssueCode(
            "error",
            "evidence",
            "An atom of the drawing has more or fewer bonds than its element allows; the message says where.",
        ),
        "drawing-stereo": IssueCode(
            "warning",
            "evidence",
            "A wedge or hashed bond is drawn at an atom that cannot have a configuration as drawn.",
        ),
        "witness-silent": IssueCode("info", "evidence", "A second reader recognized nothing in the region."),
        "witness-unclear": IssueCode(
            "warning",
            "evidence",
            "No model read the region, and who did could not make out all of it; that answer is kept.",
        ),
        "correction-outdated": IssueCode(
            "warning",
            "evidence",
            "A person accepted another reading than the record has; it is as it was read.",
        ),
        "correction-refused": IssueCode(
            "error",
            "evidence",
            "What a person put in the place of a reading cannot be one; the record is as it was read.",
        ),
        "correction-unplaced": IssueCode(
            "warning", "evidence", "A person corrected a record that the document does not have."
        ),
        "text-unread": IssueCode(
            "warning",
            "evidence",
            "Most of the print of a text in a picture is none of the words that were read there, or many of "
            "these have accents that nobody read, as where it is of a script or language that no reader here "
            "knows.",
        ),
        "molecule-cut": IssueCode(
            "warning",
            "evidence",
            "The drawing of a molecule goes on beyond the box of its region; what is there was not read.",
        ),
        "witness-failed": IssueCode("info", "evidence", "A second reader failed; the message says why."),
        "reader-missing": IssueCode(
            "info",
            "evidence",
            "Something in pictures was read badly, and a second reader of its kind is not installed; the "
            "message says how to get it.",
        ),
        # Region: read-back
        "readback-differs": IssueCode(
            "warning", "validator", "The re-rendered record does not match the crop; it may be wrong."
        ),
    }
)


def make_issue(
    code: str, message: str, *, severity: Severity | None = None, page: int | None = None
) -> Issue:
    """An issue of a registered code.

    Args:
        code: one of :data:`CODES`.
        message: what happened, in one sentence.
        severity: overrides the code's own.
        page: number of the page, from 1.

    Raises:
        KeyError: ``code`` is not in :data:`CODES`, which is a bug of docai.
    """
    entry = CODES[code]
    return Issue(
        code=code, severity=severity or entry.severity, stage=entry.stage, message=message, page=page
    )


def section_of(code: str) -> str:
    """The section of the committed table that lists a code: that of a head, or that of the pipeline."""
    head = code.partition("-")[0]
    if CODES[code].stage == "parser" and head in _SECTIONS:
        return _SECTIONS[head]
    return _OTHER_SECTION


def issue_codes() -> Iterator[tuple[str, str, IssueCode]]:
    """Section, code and entry of each code: those of the parsers by head, then those of the pipeline."""
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
