"""What all parsers do first: take off wrapping that models add, and characters that nothing can hold."""

from __future__ import annotations

import re

from docai.parsers.traced import TracedText

_FENCE = re.compile(r"\A\s*```[ \t]*+[\w+*-]*+[ \t]*+\r?\n")
_INLINE_FENCE = re.compile(r"\A\s*`{1,3}(?P<body>[^`\r\n]*)`{1,3}\s*\Z")
# C0 and C1 controls except tab and line ends, lone surrogates, and the two noncharacters of the BMP.
_UNHOLDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def strip_fence(text: TracedText) -> bool:
    """Keep what is inside a Markdown code fence around the whole text; says whether there was one.

    The closing fence may be missing: a cut-off answer has none.
    """
    if opening := _FENCE.match(text.text):
        body = text.text[opening.end() :].rstrip()
        text.keep(opening.end(), opening.end() + len(body.removesuffix("```").rstrip()))
        return True
    if inline := _INLINE_FENCE.match(text.text):
        text.keep(*inline.span("body"))
        return True
    return False


def replace_unholdable(text: str) -> tuple[str, int]:
    """Put U+FFFD for what JSON, XML or a terminal cannot hold; a leading byte order mark just goes."""
    return _UNHOLDABLE.subn("\ufffd", text.removeprefix("\ufeff"))


def replace_unholdable_in(text: TracedText) -> int:
    """:func:`replace_unholdable` in place; returns how many characters were replaced."""
    if text.text.startswith("\ufeff"):
        text.keep(1, len(text.text))
    return text.replace(_UNHOLDABLE, "\ufffd")
