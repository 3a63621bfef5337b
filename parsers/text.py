"""The text head: words with location tokens, to lines of words with boxes.

The format, as the model is trained to write it: a word is four location tokens (y0, x0, y1, x1, see
:mod:`docai.parsers.boxes`), a space, and the word as printed; words of a line are joined by `` ; ``, lines
by a line feed, in reading order::

    <loc0010><loc0020><loc0050><loc0100> Hello ; <loc0010><loc0110><loc0050><loc0200> world
    <loc0060><loc0020><loc0100><loc0090> again

A word may hold ``;``, ``<`` or spaces: it ends where location tokens begin. Text without location tokens
is split at white space into words without boxes. Texts come out in Unicode NFC, Arabic ones in plain letters.
Words of a line stand in the order in which they are read, those of Arabic and Hebrew from right to left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from docai.parsers.base import Parsed
from docai.parsers.boxes import LOC, box_from_bins
from docai.parsers.cleaning import replace_unholdable_in, strip_fence
from docai.parsers.direction import direction, normal, reading_order
from docai.parsers.notes import Notes, quote
from docai.parsers.traced import Span, TracedText
from docai.records import BBox, Line, TextContent, Word

_LOCS = re.compile(rf"(?:{LOC.pattern}\s*)+")
_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")
_UNSPACED = re.compile(r"\S+")
# A lone "<" may be a word: it begins a location only where one is due.
_CUT_LOC = re.compile(r"(?:<l(?:o(?:c\d*)?)?|(?:(?<=; )|(?<=\d>)|(?<=\n))<)\Z")


def parse_text(text: str) -> Parsed[TextContent]:
    """The lines that the text describes. Boxes are fractions 0…1 of the crop; a line's is their union."""
    notes = Notes()
    traced = TracedText(text)
    if strip_fence(traced):
        notes.add("text-fenced", "A code fence around the words was taken off.")
    if n_bad := replace_unholdable_in(traced):
        notes.add("text-bad-character", f"{n_bad} unreadable characters were replaced.")
    has_locs = LOC.search(traced.text) is not None
    if has_locs and (traced.replace(_CUT_LOC, "") or _ends_in_locs(traced.text)):
        notes.add("text-truncated", "The text ends inside location tokens.")
    lines: list[Line] = []
    spans: list[Span] = []
    for start, end in _line_spans(traced.text):
        found = list(_read_words(traced.text[start:end], notes))
        if found:
            if order := reading_order([word for word, _ in found]):
                notes.add(
                    "text-visual-order", "Words of a right-to-left line were written from left to right."
                )
                found = [found[index] for index in order]
            lines.append(line_of([word for word, _ in found]))
            spans += [traced.raw(start + span[0], start + span[1]) for _, span in found]
    if not lines:
        notes.add("text-empty", "The text holds no word.")
    elif not has_locs:
        notes.add("text-no-boxes", "No word has a box.")
    content = TextContent(text="\n".join(line.text for line in lines), lines=lines)
    return Parsed(content, notes.issues(), notes.repaired, tuple(spans))


def line_of(words: list[Word]) -> Line:
    """The line that consists of these words, which are in reading order."""
    text = " ".join(word.text for word in words)
    return Line(text=text, bbox=union(words), words=words, direction=direction(text))


def _ends_in_locs(text: str) -> bool:
    return text.rstrip().endswith(">") and LOC.match(text.rstrip()[text.rstrip().rfind("<") :]) is not None


def _line_spans(text: str) -> Iterator[Span]:
    start = 0
    for match in _LINE_END.finditer(text):
        yield start, match.start()
        start = match.end()
    yield start, len(text)


def _read_words(raw: str, notes: Notes) -> Iterator[tuple[Word, Span]]:
    """The words of one line, each with its place in it."""
    tokens = list(_LOCS.finditer(raw))
    before = raw[: tokens[0].start()] if tokens else raw
    if tokens:
        before, _ = _split_separator(before)
    loose = list(_UNSPACED.finditer(before))
    if loose and tokens:
        notes.add("text-missing-box", f"{quote(_tidy(loose[0][0]))} has no box.", count=len(loose))
    for found in loose:
        yield Word(text=_tidy(found[0])), found.span()
    for index, match in enumerate(tokens):
        is_last = index + 1 == len(tokens)
        label = raw[match.end() : None if is_last else tokens[index + 1].start()]
        rest, separated = _split_separator(label)
        if not is_last and label.strip() == ";":
            rest, separated = "", True
        if is_last and separated and rest.strip():
            notes.add("text-trailing-separator", f"Nothing follows the ' ; ' after {quote(rest)}.")
            label = rest
        elif not is_last:
            if not separated and label.strip():
                notes.add("text-missing-separator", f"No ' ; ' after {quote(label)}.")
            label = rest
        text = _tidy(label)
        if text:
            start = match.end() + len(label) - len(label.lstrip())
            end = match.end() + len(label.rstrip())
            yield Word(text=text, bbox=_box(match[0], text, notes)), (start, end)
        else:
            notes.add("text-empty-label", "A box has no word.")


def _split_separator(label: str) -> tuple[str, bool]:
    """The label without the one separator at its end, and whether there was one.

    A separator stands alone: the ``;`` of ``etc.;`` is a part of the word.
    """
    stripped = label.rstrip()
    if stripped.endswith(";") and stripped[-2:-1].isspace():
        return stripped[:-1], True
    return label, False


def _tidy(label: str) -> str:
    return normal(" ".join(label.split()))


def _box(tokens: str, text: str, notes: Notes) -> BBox | None:
    # One that has not four digits is no token of the model's vocabulary: it names no bin.
    bins = [int(value) if len(value) == 4 else -1 for value in LOC.findall(tokens)]
    box, fault = box_from_bins(bins)
    if fault in ("count", "range"):
        notes.add("text-bad-box", f"The location tokens before {quote(text)} make no box.")
    elif fault == "reversed":
        notes.add("text-reversed-box", f"The box of {quote(text)} was written from end to start.")
    elif fault == "zero-area":
        notes.add("text-zero-area-box", f"The box of {quote(text)} has no area.")
    return box


def union(words: list[Word]) -> BBox | None:
    """The smallest box around those of the words; None where none has one."""
    boxes = [word.bbox for word in words if word.bbox is not None]
    if not boxes:
        return None
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)
