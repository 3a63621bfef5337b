"""The encodings of kern that models are trained on, read and written: ``**ekern``, ``**bekern``, tokens.

``**ekern`` (https://github.com/OMR-PRAIG-UA-ES/kernpy, docs/concepts/encodings.md) parts a note into what it
is made of: ``@`` stands between duration, dot, pitch and accidental, ``·`` before each other sign, so that
``4.G#[`` is ``4@.@G@#·[``. ``**bekern`` leaves those other signs out. GrandStaff
(https://huggingface.co/datasets/antoniorv6/grandstaff) names its spines ``**ekern_1.0``; models of the Sheet
Music Transformer write ``<t>`` for a tab, ``<b>`` for a line feed and ``<s>`` for a space.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from docai.parsers.base import IssueLog, TrackedText
from docai.parsers.score_notes import KernNote, read_field
from docai.parsers.score_spines import SpineReader

_HEADER = re.compile(r"\*\*(?:(?:e|b|be)ke?rn(?:_[\w.]+)?|kern_[\w.]+)(?!\S)")

_TOKEN_HEADER = re.compile(r"\*\*\w[\w.]* ?<[tb]>")

_TOKENS = re.compile(r" ?<(?:t|b|s|bos|eos)> ?")

_TOKEN_OF = {"t": "\t", "b": "\n", "s": " ", "bos": "", "eos": ""}

_PIECES = re.compile(r"^!.*|(?<!\S)\S+", re.MULTILINE)

_SEPARATORS = str.maketrans("", "", "@·")


def from_ekern(text: TrackedText) -> bool:
    """Write the text as plain kern in place, where it is one of these; says whether it was."""
    # Comments of kern may hold HTML.
    is_tokens = _TOKEN_HEADER.search(text.text) is not None
    if is_tokens:
        text.replace(_TOKENS, lambda match: _TOKEN_OF[match[0].strip(" <>")])
    is_extended = text.replace(_HEADER, "**kern") > 0
    # Kern has no raised dot, so a mistaken header deceives nobody; but an @ may be a sign of its own.
    if is_extended or "·" in text.text:
        before = text.text
        text.replace(_PIECES, lambda match: _joined(match[0]))
        is_extended = is_extended or text.text != before
    return is_tokens or is_extended


def _joined(piece: str) -> str:
    """A note without separators; what would not be a note, such as a syllable, as it is."""
    if piece.startswith("!") or not ("@" in piece or "·" in piece):
        return piece
    joined = piece.translate(_SEPARATORS)
    # The later notes of a chord may lack a duration.
    return joined if read_field(joined) or read_field(f"4{joined}") else piece


def to_ekern(lines: list[str]) -> list[str]:
    """Sound kern lines as ``**ekern``. What is no note, and spines that are not kern, stay as they are."""
    return _written(lines, "**ekern", _extended)


def to_bekern(lines: list[str]) -> list[str]:
    """Sound kern lines as ``**bekern``: ties, slurs, beams, stems and ornaments are left out.

    Grace notes are still marked, or the measures would no longer add up.
    """
    return _written(lines, "**bekern", _basic)


def _written(lines: list[str], header: str, write: Callable[[KernNote], str]) -> list[str]:
    reader = SpineReader(lines, IssueLog())
    written = list(lines)
    for line in reader:
        fields = [
            _field(text, write) if line.kind == "data" and spine.kind == "**kern" else text
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


def _field(text: str, write: Callable[[KernNote], str]) -> str:
    field = None if text == "." else read_field(text)
    return text if field is None else " ".join(write(note) for note in field.notes)


def _core(note: KernNote) -> str:
    number = note.recip.rstrip(".")
    dots = "." * (len(note.recip) - len(number))
    name = note.letters + "r" if note.is_rest else note.letters
    return "@".join(part for part in (number, *dots, name, note.accidental) if part)


def _extended(note: KernNote) -> str:
    return "".join((_core(note), *(f"·{sign}" for sign in note.signs)))


def _basic(note: KernNote) -> str:
    return _core(note) + ("·q" if note.is_grace else "")
