"""Reading and writing the encodings of kern that models are trained on: ``**ekern``, ``**bekern``, tokens.

``**ekern`` (https://github.com/OMR-PRAIG-UA-ES/kernpy, docs/concepts/encodings.md) splits a note into its
parts: ``@`` separates duration, dot, pitch and accidental, and ``·`` precedes each other sign, so that
``4.G#[`` becomes ``4@.@G@#·[``. ``**bekern`` omits those other signs. GrandStaff
(https://huggingface.co/datasets/antoniorv6/grandstaff) names its spines ``**ekern_1.0``. Models of the Sheet
Music Transformer write ``<t>`` for a tab, ``<b>`` for a line feed and ``<s>`` for a space.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from docai.parsers.base import IssueLog, TrackedText
from docai.parsers.score_notes import KernNote, read_field
from docai.parsers.score_spines import SpineReader

_EXTENDED_HEADER = re.compile(r"\*\*(?:(?:e|b|be)ke?rn(?:_[\w.]+)?|kern_[\w.]+)(?!\S)")

_MODEL_TOKEN_HEADER = re.compile(r"\*\*\w[\w.]* ?<[tb]>")

_MODEL_TOKENS = re.compile(r" ?<(?:t|b|s|bos|eos)> ?")

_TEXT_OF_TOKEN = {"t": "\t", "b": "\n", "s": " ", "bos": "", "eos": ""}

_TOKENS_OF_LINE = re.compile(r"^!.*|(?<!\S)\S+", re.MULTILINE)

_SEPARATORS = str.maketrans("", "", "@·")


def convert_from_ekern(text: TrackedText) -> bool:
    """Convert the text to plain kern in place if it has one of these encodings. Returns whether it had."""
    # Comments of kern may contain HTML, so <b> alone is not enough.
    is_tokens = _MODEL_TOKEN_HEADER.search(text.text) is not None
    if is_tokens:
        text.replace(_MODEL_TOKENS, lambda match: _TEXT_OF_TOKEN[match[0].strip(" <>")])
    is_extended = text.replace(_EXTENDED_HEADER, "**kern") > 0
    # Kern has no raised dot, so one is enough even without a header; an @ may be a sign of plain kern.
    if is_extended or "·" in text.text:
        before = text.text
        text.replace(_TOKENS_OF_LINE, lambda match: _join_parts(match[0]))
        is_extended = is_extended or text.text != before
    return is_tokens or is_extended


def _join_parts(token: str) -> str:
    """A note without separators. A token that would not be a note, such as a syllable, is kept."""
    if token.startswith("!") or not ("@" in token or "·" in token):
        return token
    plain = token.translate(_SEPARATORS)
    # All notes of a chord but the first may lack a duration.
    return plain if read_field(plain) or read_field(f"4{plain}") else token


def to_ekern(lines: list[str]) -> list[str]:
    """Valid kern lines as ``**ekern``. Fields that are not notes, and spines that are not kern, are kept."""
    return _convert_lines(lines, "**ekern", _write_ekern_note)


def to_bekern(lines: list[str]) -> list[str]:
    """Valid kern lines as ``**bekern``: ties, slurs, beams, stems and ornaments are omitted.

    Grace notes stay marked; otherwise the durations of measures would no longer add up.
    """
    return _convert_lines(lines, "**bekern", _write_bekern_note)


def _convert_lines(lines: list[str], header: str, write: Callable[[KernNote], str]) -> list[str]:
    reader = SpineReader(lines, IssueLog())
    written = list(lines)
    for line in reader:
        fields = [
            _convert_field(text, write) if line.kind == "data" and spine.kind == "**kern" else text
            for spine, text in zip(line.spines, line.fields, strict=True)
        ]
        if line.kind == "interpretation":
            fields = [header if text == "**kern" else text for text in fields]
        written[line.number - 1] = "\t".join(fields)
    first = next((place for place, line in enumerate(lines) if line.startswith("**")), None)
    if first is not None:
        names = lines[first].split("\t")
        written[first] = "\t".join(header if name == "**kern" else name for name in names)
    return written


def _convert_field(text: str, write: Callable[[KernNote], str]) -> str:
    field = None if text == "." else read_field(text)
    return text if field is None else " ".join(write(note) for note in field.notes)


def _basic_parts(note: KernNote) -> str:
    number = note.recip.rstrip(".")
    dots = "." * (len(note.recip) - len(number))
    name = note.letters + "r" if note.is_rest else note.letters
    return "@".join(part for part in (number, *dots, name, note.accidental) if part)


def _write_ekern_note(note: KernNote) -> str:
    return "".join((_basic_parts(note), *(f"·{sign}" for sign in note.signs)))


def _write_bekern_note(note: KernNote) -> str:
    return _basic_parts(note) + ("·q" if note.is_grace else "")
