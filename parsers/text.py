"""The text head: words with location tokens, to lines of words with boxes.

The format, as the model is trained to write it: a word is four location tokens (y0, x0, y1, x1, see
:mod:`docai.parsers.locations`), a space, and the word as printed; words of a line are joined by `` ; ``,
lines by a line feed, in reading order::

    <loc0010><loc0020><loc0050><loc0100> Hello ; <loc0010><loc0110><loc0050><loc0200> world
    <loc0060><loc0020><loc0100><loc0090> again

A word may hold ``;``, ``<`` or spaces: it ends where location tokens begin. Text without location tokens
is split at white space into words without boxes. Texts come out in Unicode NFC, Arabic ones in plain letters.
Words of a line stand in the order in which they are read, those of Arabic and Hebrew from right to left.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

from docai.contents import Line, TextContent, Word, box_of_words
from docai.geometry import BBox
from docai.parsers.base import (
    IssueLog,
    Parsed,
    Span,
    TrackedText,
    quote,
    replace_invalid_chars_in,
    strip_fence,
)
from docai.parsers.locations import LOC, box_from_bins

Direction = Literal["ltr", "rtl"]

# Arabic letters in the shape that they have at one place of a word: type, not text.
_SHAPE = re.compile("[\ufb50-\ufdff\ufe70-\ufefc]")

_LTR_RUN = re.compile(r"L(?:[LN]*L)?")

_MAX_MARKS = 30
"""More combining characters stand on no letter (Unicode Standard Annex 15, stream-safe text format)."""


def normal(text: str) -> str:
    """The text in NFC, with plain letters for Arabic presentation forms. Ligatures such as ``ﬁ`` stay.

    Where more than thirty combining characters follow each other they stay as they are.
    """
    if text.isascii():
        return text
    plain = _SHAPE.sub(_letters, text)
    # To put marks in order takes a time that grows with the square of their number.
    return unicodedata.normalize("NFC", plain) if _is_stream_safe(plain) else plain


def _is_stream_safe(text: str) -> bool:
    if len(text) <= _MAX_MARKS or text.isascii():
        return True
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run > _MAX_MARKS:
            return False
    return True


def _letters(shape: re.Match[str]) -> str:
    letters = unicodedata.normalize("NFKC", shape[0])
    # A mark without its letter, or a whole phrase in one character, would part the word.
    return shape[0] if " " in letters else letters


def direction(text: str) -> Direction:
    """``rtl`` where most of the characters that have a direction of their own run from right to left."""
    if text.isascii():
        return "ltr"
    kinds = [unicodedata.bidirectional(character) for character in text]
    return "rtl" if sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L") else "ltr"


def reading_order(words: Sequence[Word]) -> list[int] | None:
    """Indices of the words of a right-to-left line that was written as it looks, from left to right.

    None where there is nothing to put right: the line runs from left to right, a word has no box, or the
    order of the boxes is not that of the looks. Words of a left-to-right script keep their order within.
    """
    if direction("".join(word.text for word in words)) == "ltr":
        return None
    classes = "".join(_class(word.text) for word in words)
    if classes.count("R") < 2:
        return None
    boxes = [word.bbox for word in words if word.bbox is not None]
    middles = [box[0] + box[2] for box in boxes]
    if len(boxes) < len(words) or not all(one < two for one, two in pairwise(middles)):
        return None
    order = list(range(len(words)))
    for run in _LTR_RUN.finditer(classes):
        order[slice(*run.span())] = reversed(order[slice(*run.span())])
    return order[::-1]


def _class(text: str) -> str:
    """``L`` or ``R``, or ``N`` for a word of digits and signs alone, which has no direction of its own."""
    if direction(text) == "rtl":
        return "R"
    return "L" if any(unicodedata.bidirectional(character) == "L" for character in text) else "N"


_LOCS = re.compile(rf"(?:{LOC.pattern}\s*)+")

_LINE_END = re.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")

_UNSPACED = re.compile(r"\S+")

# A lone "<" may be a word: it begins a location only where one is due.
_CUT_LOC = re.compile(r"(?:<l(?:o(?:c\d*)?)?|(?:(?<=; )|(?<=\d>)|(?<=\n))<)\Z")


def parse_text(text: str) -> Parsed[TextContent]:
    """The lines that the text describes. Boxes are fractions 0…1 of the crop; a line's is their union."""
    log = IssueLog()
    tracked = TrackedText(text)
    if strip_fence(tracked):
        log.add("text-fenced", "A code fence around the words was taken off.")
    if n_bad := replace_invalid_chars_in(tracked):
        log.add("text-bad-character", f"{n_bad} unreadable characters were replaced.")
    has_locs = LOC.search(tracked.text) is not None
    if has_locs and (tracked.replace(_CUT_LOC, "") or _ends_in_locs(tracked.text)):
        log.add("text-truncated", "The text ends inside location tokens.")
    lines: list[Line] = []
    spans: list[Span] = []
    for start, end in _line_spans(tracked.text):
        found = list(_read_words(tracked.text[start:end], log))
        if found:
            if order := reading_order([word for word, _ in found]):
                log.add("text-visual-order", "Words of a right-to-left line were written from left to right.")
                found = [found[index] for index in order]
            lines.append(line_of([word for word, _ in found]))
            spans += [tracked.raw(start + span[0], start + span[1]) for _, span in found]
    if not lines:
        log.add("text-empty", "The text holds no word.")
    elif not has_locs:
        log.add("text-no-boxes", "No word has a box.")
    content = TextContent(text="\n".join(line.text for line in lines), lines=lines)
    return Parsed(content, log.issues(), log.repaired, tuple(spans))


def line_of(words: list[Word]) -> Line:
    """The line that consists of these words, which are in reading order."""
    text = " ".join(word.text for word in words)
    return Line(text=text, bbox=box_of_words(words), words=words, direction=direction(text))


def _ends_in_locs(text: str) -> bool:
    return text.rstrip().endswith(">") and LOC.match(text.rstrip()[text.rstrip().rfind("<") :]) is not None


def _line_spans(text: str) -> Iterator[Span]:
    start = 0
    for match in _LINE_END.finditer(text):
        yield start, match.start()
        start = match.end()
    yield start, len(text)


def _read_words(raw: str, log: IssueLog) -> Iterator[tuple[Word, Span]]:
    """The words of one line, each with its place in it."""
    tokens = list(_LOCS.finditer(raw))
    before = raw[: tokens[0].start()] if tokens else raw
    if tokens:
        before, _ = _split_separator(before)
    loose = list(_UNSPACED.finditer(before))
    if loose and tokens:
        log.add("text-missing-box", f"{quote(_tidy(loose[0][0]))} has no box.", count=len(loose))
    for found in loose:
        yield Word(text=_tidy(found[0])), found.span()
    for index, match in enumerate(tokens):
        is_last = index + 1 == len(tokens)
        label = raw[match.end() : None if is_last else tokens[index + 1].start()]
        rest, separated = _split_separator(label)
        if not is_last and label.strip() == ";":
            rest, separated = "", True
        if is_last and separated and rest.strip():
            log.add("text-trailing-separator", f"Nothing follows the ' ; ' after {quote(rest)}.")
            label = rest
        elif not is_last:
            if not separated and label.strip():
                log.add("text-missing-separator", f"No ' ; ' after {quote(label)}.")
            label = rest
        text = _tidy(label)
        if text:
            start = match.end() + len(label) - len(label.lstrip())
            end = match.end() + len(label.rstrip())
            yield Word(text=text, bbox=_box(match[0], text, log)), (start, end)
        else:
            log.add("text-empty-label", "A box has no word.")


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


def _box(tokens: str, text: str, log: IssueLog) -> BBox | None:
    # One that has not four digits is no token of the model's vocabulary: it names no bin.
    bins = [int(value) if len(value) == 4 else -1 for value in LOC.findall(tokens)]
    box, fault = box_from_bins(bins)
    if fault in ("count", "range"):
        log.add("text-bad-box", f"The location tokens before {quote(text)} make no box.")
    elif fault == "reversed":
        log.add("text-reversed-box", f"The box of {quote(text)} was written from end to start.")
    elif fault == "zero-area":
        log.add("text-zero-area-box", f"The box of {quote(text)} has no area.")
    return box
