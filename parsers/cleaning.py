"""What all parsers do first: take off wrapping that models add, and characters that nothing can hold."""

from __future__ import annotations

import re

_FENCE = re.compile(r"\A\s*```[ \t]*[\w+*-]*[ \t]*\r?\n(?P<body>.*?)(?:\r?\n)?\s*(?:```\s*)?\Z", re.DOTALL)
_INLINE_FENCE = re.compile(r"\A\s*`{1,3}(?P<body>[^`\r\n]*)`{1,3}\s*\Z")
# C0 and C1 controls except tab and line ends, lone surrogates, and the two noncharacters of the BMP.
_UNHOLDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def strip_fence(text: str) -> tuple[str, bool]:
    """The text inside a Markdown code fence around the whole of it, and whether there was one.

    The closing fence may be missing: a cut-off answer has none.
    """
    match = _FENCE.match(text) or _INLINE_FENCE.match(text)
    return (match["body"], True) if match else (text, False)


def replace_unholdable(text: str) -> tuple[str, int]:
    """Put U+FFFD for what JSON, XML or a terminal cannot hold; a leading byte order mark just goes."""
    return _UNHOLDABLE.subn("\ufffd", text.removeprefix("\ufeff"))
