"""The parser of the text head: lines of words with boxes from words with location tokens.

The model is trained to write this format: a word is four location tokens (y0, x0, y1, x1, see
:mod:`docai.parsers.locations`), a space, and the word as printed. `` ; `` separates the words of a line and a
line feed the lines, in reading order::

    <loc0010><loc0020><loc0050><loc0100> Hello ; <loc0010><loc0110><loc0050><loc0200> world
    <loc0060><loc0020><loc0100><loc0090> again

A word may contain ``;``, ``<`` or spaces: it ends where location tokens start. Text without location tokens
is split at white space into words without boxes. The result is in Unicode NFC, with plain letters for
ligatures and Arabic presentation forms. The words of a line are in reading order: from right to left for
Arabic and Hebrew (Unicode Standard Annex 9).
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

# Ligatures, and Arabic letters in the shape of one position in a word: glyphs, not characters.
_PRESENTATION_FORM = re.compile("[\ufb00-\ufb06\ufb13-\ufb17\ufb50-\ufdff\ufe70-\ufefc]")

_SOFT_HYPHEN = "\u00ad"

# Where a word is divided it shows as a hyphen; elsewhere it shows nothing.
_DIVIDING_HYPHEN = re.compile(rf"{_SOFT_HYPHEN}(?=\s|\Z)")

_LTR_RUN = re.compile(r"L(?:[LN]*L)?")

_MAX_COMBINING_CHARS = 30
"""Longest run of combining characters in real text (Unicode Standard Annex 15, stream-safe text format)."""


def normalize_text(text: str) -> str:
    """The text in NFC, with plain letters for ligatures (``ﬁ``) and Arabic presentation forms.

    A soft hyphen at the end of a word, which is one divided at the end of a line, is a hyphen as any other;
    inside a word it goes.

    A text with more than thirty combining characters in succession is not put in NFC.
    """
    if text.isascii():
        return text
    plain = _PRESENTATION_FORM.sub(_plain_letters, text)
    if _SOFT_HYPHEN in plain:
        plain = _DIVIDING_HYPHEN.sub("-", plain).replace(_SOFT_HYPHEN, "")
    # Sorting combining characters takes time quadratic in their number.
    return unicodedata.normalize("NFC", plain) if _is_stream_safe(plain) else plain


def _is_stream_safe(text: str) -> bool:
    if len(text) <= _MAX_COMBINING_CHARS or text.isascii():
        return True
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run > _MAX_COMBINING_CHARS:
            return False
    return True


def _plain_letters(shape: re.Match[str]) -> str:
    letters = unicodedata.normalize("NFKC", shape[0])
    # A mark without its letter, or a phrase in one character, would split the word.
    return shape[0] if " " in letters else letters


def text_direction(text: str) -> Direction:
    """``rtl`` if most of the characters with a direction of their own are written from right to left."""
    if text.isascii():
        return "ltr"
    kinds = [unicodedata.bidirectional(character) for character in text]
    return "rtl" if sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L") else "ltr"


def reading_order(words: Sequence[Word]) -> list[int] | None:
    """The reading order, as indices, of a right-to-left line whose words were written from left to right.

    None if the words need no reordering: the line runs from left to right, a word has no box, or the boxes
    are not ordered from left to right. Runs of words in a left-to-right script keep their own order.
    """
    if text_direction("".join(word.text for word in words)) == "ltr":
        return None
    classes = "".join(_direction_class(word.text) for word in words)
    if classes.count("R") < 2:
        return None
    boxes = [word.bbox for word in words if word.bbox is not None]
    middles = [box[0] + box[2] for box in boxes]
    if len(boxes) < len(words) or not all(left < right for left, right in pairwise(middles)):
        return None
    order = list(range(len(words)))
    for run in _LTR_RUN.finditer(classes):
        order[slice(*run.span())] = reversed(order[slice(*run.span())])
    return order[::-1]


def _direction_class(text: str) -> str:
    """``L`` or ``R``, or ``N`` for a word of digits and signs only, which has no direction of its own."""
    if text_direction(text) == "rtl":
        return "R"
    return "L" if any(unicodedata.bidirectional(character) == "L" for character in text) else "N"


_LOCATIONS = re.compile(rf"(?:{LOC.pattern}\s*)+")

_LINE_ENDS = re.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")

_UNSPACED = re.compile(r"\S+")

# A lone "<" may be a word: it starts a location only where one is expected.
_CUT_LOCATION = re.compile(r"(?:<l(?:o(?:c\d*)?)?|(?:(?<=; )|(?<=\d>)|(?<=\n))<)\Z")


def parse_text(text: str) -> Parsed[TextContent]:
    """The lines that the text describes. Boxes are fractions 0…1 of the crop; a line's box is their union."""
    log = IssueLog()
    tracked = TrackedText(text)
    if strip_fence(tracked):
        log.add("text-fenced", "A Markdown code fence around the words was removed.")
    if n_bad := replace_invalid_chars_in(tracked):
        log.add("text-bad-character", f"{n_bad} invalid characters were replaced by U+FFFD.")
    has_locs = LOC.search(tracked.text) is not None
    if has_locs and (tracked.replace(_CUT_LOCATION, "") or _ends_in_locations(tracked.text)):
        log.add("text-truncated", "The text ends inside location tokens, so words may be missing.")
    lines: list[Line] = []
    spans: list[Span] = []
    for start, end in _split_lines(tracked.text):
        words = list(_read_words(tracked.text[start:end], log))
        if words:
            if order := reading_order([word for word, _ in words]):
                log.add(
                    "text-visual-order",
                    "The words of a right-to-left line were written from left to right; they were reordered.",
                )
                words = [words[index] for index in order]
            lines.append(line_from_words([word for word, _ in words]))
            spans += [tracked.raw(start + span[0], start + span[1]) for _, span in words]
    if not lines:
        log.add("text-empty", "The text contains no word.")
    elif not has_locs:
        log.add("text-no-boxes", "None of the words has a box.")
    content = TextContent(text="\n".join(line.text for line in lines), lines=lines)
    return Parsed(content, log.issues(), log.repaired, tuple(spans))


def line_from_words(words: list[Word]) -> Line:
    """The line of these words, which are in reading order."""
    text = " ".join(word.text for word in words)
    return Line(text=text, bbox=box_of_words(words), words=words, direction=text_direction(text))


def _ends_in_locations(text: str) -> bool:
    return text.rstrip().endswith(">") and LOC.match(text.rstrip()[text.rstrip().rfind("<") :]) is not None


def _split_lines(text: str) -> Iterator[Span]:
    start = 0
    for match in _LINE_ENDS.finditer(text):
        yield start, match.start()
        start = match.end()
    yield start, len(text)


def _read_words(raw: str, log: IssueLog) -> Iterator[tuple[Word, Span]]:
    """The words of one line, each with its span in the line."""
    tokens = list(_LOCATIONS.finditer(raw))
    before = raw[: tokens[0].start()] if tokens else raw
    if tokens:
        before, _ = _split_separator(before)
    loose = list(_UNSPACED.finditer(before))
    if loose and tokens:
        log.add(
            "text-missing-box",
            f"The word {quote(_normalize_label(loose[0][0]))} has no box.",
            count=len(loose),
        )
    for match in loose:
        yield Word(text=_normalize_label(match[0])), match.span()
    for index, match in enumerate(tokens):
        is_last = index + 1 == len(tokens)
        label = raw[match.end() : None if is_last else tokens[index + 1].start()]
        rest, separated = _split_separator(label)
        if not is_last and label.strip() == ";":
            rest, separated = "", True
        if is_last and separated and rest.strip():
            log.add(
                "text-trailing-separator",
                f"The ' ; ' after {quote(rest)} separates it from nothing; it was removed.",
            )
            label = rest
        elif not is_last:
            if not separated and label.strip():
                log.add(
                    "text-missing-separator",
                    f"A ' ; ' is missing after {quote(label)}; the words were separated.",
                )
            label = rest
        text = _normalize_label(label)
        if text:
            start = match.end() + len(label) - len(label.lstrip())
            end = match.end() + len(label.rstrip())
            yield Word(text=text, bbox=_read_box(match[0], text, log)), (start, end)
        else:
            log.add("text-empty-label", "A box has no word; it was dropped.")


def _split_separator(label: str) -> tuple[str, bool]:
    """The label without the separator at its end, and whether there was one.

    A separator follows white space: the ``;`` of ``etc.;`` is part of the word.
    """
    stripped = label.rstrip()
    if stripped.endswith(";") and stripped[-2:-1].isspace():
        return stripped[:-1], True
    return label, False


def _normalize_label(label: str) -> str:
    return normalize_text(" ".join(label.split()))


def _read_box(tokens: str, text: str, log: IssueLog) -> BBox | None:
    # A location without exactly four digits is not a token of the model's vocabulary: it names no bin.
    bins = [int(value) if len(value) == 4 else -1 for value in LOC.findall(tokens)]
    box, fault = box_from_bins(bins)
    if fault in ("count", "range"):
        log.add(
            "text-bad-box", f"The location tokens before {quote(text)} do not form a box; they were dropped."
        )
    elif fault == "reversed":
        log.add(
            "text-reversed-box",
            f"The box of {quote(text)} has a minimum above its maximum; they were exchanged.",
        )
    elif fault == "zero-area":
        log.add(
            "text-zero-area-box",
            f"The box of {quote(text)} has no area; it was widened by half a bin on each side.",
        )
    return box
