"""Kern as text to be compared: what is taken out of it first, and the tokens that are counted.

The Sheet Music Transformer (https://github.com/antoniorv6/SMT: data.py, utils.py, eval_functions.py) set the
rates that papers report; its texts and its tokens are here under its name, by the date they came to hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from docai.parsers.base import IssueLog
from docai.parsers.score_spines import SpineReader

Preparation = Literal["smt-system", "smt-page", "printed", "none"]
"""What is done to both texts before they are compared.

==============  ============================================================================================
``smt-system``  SMT's data.py for single systems, such as GrandStaff: line feeds and spaces around the whole,
                the numbers of bars and the ``·`` of ekern are taken out; all else counts, the header too.
``smt-page``    SMT's data.py and utils.py for full pages: besides those, ``@``, stem marks after ``·`` or at
                the start of a note, lines of ``*`` alone, lines with one of ``DROPPED_LINES``, the header.
                SMT cuts four tokens for the header, which is its line where there are two spines.
``printed``     docai's own, for truths from editions: what an engraving shows. No comments, no spines but
                kern, no interpretations but clef, key, meter and the spine structure, no numbers of bars, no
                stems; one encoding, one kind of line end, no empty lines.
``none``        Nothing: the texts as they are, as SMT's eval_functions.py takes them.
==============  ============================================================================================
"""
Tokenization = Literal["smt-2025-07", "smt-2024-01"]
"""What a character is: every one (SMT since 7 July 2025), or all but spaces, where ``<b>`` for a line feed
and ``<t>`` for a tab are one each (SMT before). Symbols and lines are the same in both."""

DROPPED_LINES = (
    "*staff2",
    "*staff1",
    "*Xped",
    "*tremolo",
    "*ped",
    "*Xtuplet",
    "*tuplet",
    "*Xtremolo",
    "*cue",
    "*Xcue",
    "*rscale:1",
    "*kcancel",
    "*below",
)
"""A line that holds one of these anywhere is not part of SMT's page text, unless it is the last."""

SEPARATORS = str.maketrans("", "", "·@")
"""What stands between the parts of a note in ekern and bekern; a table for ``str.translate``."""

_LINE_END = re.compile(r"\r\n?|[\n\v\f\x85\u2028\u2029]")
_HEADER = re.compile(r"\*\*b?e?kern(?:_[\w.]+)?")
_BAR_NUMBER = re.compile(r"(?<==)\d+")
_STARS = re.compile(r"\*(?:\s\*)*")
_LEADING_STEM = re.compile(r"(?<=[ \t\n])[/\\]")
_SHOWN = re.compile(r"\*(?:\*.+|clef.*|k\[.*\]|M\d[\d+/%]*|met\(.*\)|[v^+x-])")
_STEM = str.maketrans("", "", "/\\")


def plain_kern(text: str) -> str:
    """The text with line feeds alone for line ends, and bekern and ekern written as kern."""
    text = _LINE_END.sub("\n", text.removeprefix("\ufeff"))
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if line.startswith("**"):
            lines[index] = _HEADER.sub("**kern", line)
    return "\n".join(lines).translate(SEPARATORS)


def header_of(text: str) -> str | None:
    """What the first kern spine is called, such as ``**ekern_1.0``; None where there is none."""
    header = _HEADER.search(text)
    return header[0] if header else None


def prepare_kern(text: str, preparation: Preparation) -> str:
    """The text that is compared; see ``Preparation``."""
    match preparation:
        case "smt-system":
            return _BAR_NUMBER.sub("", text.strip("\n ")).replace("·", "")
        case "smt-page":
            return _smt_page(text)
        case "printed":
            return _printed(text)
        case "none":
            return text


def characters(text: str, tokenization: Tokenization) -> Sequence[str]:
    """The tokens of CER."""
    if tokenization == "smt-2025-07":
        return text
    return [piece for token in symbols(text) for piece in ([token] if token in ("<b>", "<t>") else token)]


def symbols(text: str) -> list[str]:
    """The tokens of SER: notes (each one of a chord), ``<t>`` between fields, ``<b>`` between lines."""
    return text.replace("\n", " <b> ").replace("\t", " <t> ").split(" ")


def lines(text: str) -> list[str]:
    """The tokens of LER."""
    return text.split("\n")


def _smt_page(text: str) -> str:
    *whole, last = text.split("\n")
    kern_lines = [line for line in whole if not any(mark in line for mark in DROPPED_LINES)]
    kern_lines = [line for line in [*kern_lines, last] if not _STARS.fullmatch(line)]
    text = _BAR_NUMBER.sub("", "\n".join(kern_lines).strip())
    text = _LEADING_STEM.sub("", text).replace("·/", "").replace("·\\", "")
    text = text.translate(SEPARATORS).strip()
    head, _, rest = text.partition("\n")
    return rest if head.startswith("**") else text


def _printed(text: str) -> str:
    kern_lines = [line.strip(" ") for line in plain_kern(text).split("\n")]
    kern_lines = [line for line in kern_lines if line and not line.startswith("!")]
    shown: list[str] = []
    for line in _kern_spines(kern_lines):
        fields = line.split("\t")
        if line.startswith("*"):
            fields = [field if _SHOWN.fullmatch(field) else "*" for field in fields]
        elif line.startswith("="):
            fields = [_BAR_NUMBER.sub("", field) for field in fields]
        else:
            fields = [field.translate(_STEM) for field in fields]
        if set(fields) not in ({"*"}, {"."}):
            shown.append("\t".join(fields))
    return "\n".join(shown)


def _kern_spines(kern_lines: list[str]) -> list[str]:
    """Without the spines of dynamics, lyrics and so on; all of it where the structure is broken."""
    header = next((line.split("\t") for line in kern_lines if line.startswith("**")), [])
    if set(header) <= {"**kern"} or "**kern" not in header:
        return kern_lines
    reader = SpineReader(kern_lines, IssueLog())
    of_kern = ["\t".join(["**kern"] * header.count("**kern"))]
    for line in reader:
        pairs = zip(line.fields, line.spines, strict=True)
        if fields := [field for field, spine in pairs if spine.kind == "**kern"]:
            of_kern.append("\t".join(fields))
    return kern_lines if reader.first_invalid is not None else of_kern
