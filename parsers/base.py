"""What all parsers share: their contract, the log of issues, and text that knows where its parts came from.

A parser is a function from the text that a model wrote to a :class:`Parsed`. It is total: it accepts any
string and never raises on what the string says. What it repairs or doubts goes into an :class:`IssueLog`.
While it cleans the text, a :class:`TrackedText` remembers where each character stood in the original.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from docai.base import Content
from docai.contents import Issue
from docai.issues import CODES, make_issue

Span = tuple[int, int]
"""Start and end of characters in a text, as a slice has them."""

C = TypeVar("C", bound=Content, covariant=True)


@dataclass(frozen=True)
class Parsed(Generic[C]):
    """What a parser made of the text of one model answer.

    Boxes in ``content`` are ``(x0, y0, x1, y1)`` as fractions 0…1 of the square crop that the model saw,
    origin top left. ``repaired`` is True where the content is not what the text literally says (a tag
    closed, a row padded, a value dropped); each such repair is also an issue.
    """

    content: C
    issues: tuple[Issue, ...] = ()
    repaired: bool = False
    spans: tuple[Span | None, ...] = ()
    """For each part of the content (cell, word in reading order, atom, measure) the characters of the text
    that it was read from, without its location tokens; for an empty cell the place where its text would
    begin. None: the text does not contain that part, a repair added it."""


Parser = Callable[[str], Parsed[Content]]
"""The contract: any string gives a result, never an exception."""


class IssueLog:
    """The issues of one parse, one for each code, in the order in which the codes first occurred."""

    def __init__(self) -> None:
        self._messages: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def add(self, code: str, message: str, *, count: int = 1) -> None:
        """Log an issue. Each code keeps its first message; further occurrences are only counted.

        Raises:
            KeyError: ``code`` is not in :data:`docai.issues.CODES`, which is a bug of docai.
        """
        if code not in CODES:
            raise KeyError(code)
        self._messages.setdefault(code, message)
        self._counts[code] = self._counts.get(code, 0) + count

    def __contains__(self, code: str) -> bool:
        return code in self._counts

    @property
    def has_errors(self) -> bool:
        """Whether one of the issues is an error."""
        return any(CODES[code].severity == "error" for code in self._counts)

    @property
    def repaired(self) -> bool:
        """Whether one of the issues reports a repair."""
        return any(CODES[code].repairs for code in self._counts)

    def issues(self) -> tuple[Issue, ...]:
        """One issue for each code; where a code occurred more than once, its message ends with the count."""
        return tuple(
            make_issue(code, message + self._count_of_others(code))
            for code, message in self._messages.items()
        )

    def _count_of_others(self, code: str) -> str:
        n_others = self._counts[code] - 1
        return f" ({n_others} more like this.)" if n_others else ""


_MAX_QUOTED_CHARS = 40


def quote(text: str) -> str:
    """A piece of model text for a message: shortened, on one line, in quotes."""
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= _MAX_QUOTED_CHARS else flat[: _MAX_QUOTED_CHARS - 1] + "…")


Replacement = str | Callable[[re.Match[str]], str]


@dataclass
class _Edit:
    """The replacements of one pass over a text, in order: their spans in the text after it and before it."""

    after: list[Span] = field(default_factory=list)
    before: list[Span] = field(default_factory=list)

    def add(self, after: Span, before: Span) -> None:
        self.after.append(after)
        self.before.append(before)

    def start_before(self, start: int) -> int:
        """Where a part started before the edit; inside a replacement, where the replaced text started."""
        index = bisect_right(self.after, start, key=lambda span: span[0]) - 1
        if index < 0:
            return start
        if start < self.after[index][1]:
            return self.before[index][0]
        return self.before[index][1] + start - self.after[index][1]

    def end_before(self, end: int) -> int:
        """Where a part ended before the edit; inside a replacement, where the replaced text ended."""
        index = bisect_left(self.after, end, key=lambda span: span[0]) - 1
        if index < 0:
            return end
        return self.before[index][1] + max(0, end - self.after[index][1])


class TrackedText:
    """A text that is edited. :meth:`raw` gives the span that a part of it had in the original.

    Attributes:
        text: The text as it is now.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._edits: list[_Edit] = []

    def keep(self, start: int, end: int) -> None:
        """Cut off what is outside ``text[start:end]``."""
        if (start, end) == (0, len(self.text)):
            return
        edit = _Edit()
        edit.add((0, 0), (0, start))
        edit.add((end - start, end - start), (end, len(self.text)))
        self._apply(self.text[start:end], edit)

    def replace(self, pattern: re.Pattern[str], by: Replacement) -> int:
        """Substitute as ``pattern.sub`` does, but take a string literally. Returns the number of matches."""
        edit = _Edit()
        parts: list[str] = []
        done = length = 0
        for match in pattern.finditer(self.text):
            new = by if isinstance(by, str) else by(match)
            length += match.start() - done
            parts += (self.text[done : match.start()], new)
            edit.add((length, length + len(new)), match.span())
            length += len(new)
            done = match.end()
        if edit.after:
            self._apply("".join((*parts, self.text[done:])), edit)
        return len(edit.after)

    def translate(self, table: Mapping[int, str]) -> None:
        """Replace single characters by single characters, as ``str.translate`` does.

        Raises:
            ValueError: the table replaces a character by none or by several.
        """
        new = self.text.translate(table)
        if len(new) != len(self.text):
            raise ValueError("The table must replace each character by exactly one.")
        self.text = new

    def raw(self, start: int, end: int) -> Span:
        """The span of ``text[start:end]`` in the original, including what was removed inside it."""
        for edit in reversed(self._edits):
            start, end = edit.start_before(start), edit.end_before(end)
        return start, max(start, end)

    def _apply(self, text: str, edit: _Edit) -> None:
        self.text = text
        self._edits.append(edit)


_FENCE = re.compile(r"\A\s*```[ \t]*+[\w+*-]*+[ \t]*+\r?\n")

_INLINE_FENCE = re.compile(r"\A\s*`{1,3}(?P<body>[^`\r\n]*)`{1,3}\s*\Z")

# C0 and C1 controls except tab and line ends, lone surrogates, and the two noncharacters of the BMP.
_INVALID_CHARS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def strip_fence(text: TrackedText) -> bool:
    """Remove a Markdown code fence around the whole text. Returns whether there was one.

    The closing fence may be missing, as in an answer that was cut off.
    """
    if opening := _FENCE.match(text.text):
        body = text.text[opening.end() :].rstrip()
        text.keep(opening.end(), opening.end() + len(body.removesuffix("```").rstrip()))
        return True
    if inline := _INLINE_FENCE.match(text.text):
        text.keep(*inline.span("body"))
        return True
    return False


def replace_invalid_chars(text: str) -> tuple[str, int]:
    """Replace characters that JSON, XML or a terminal cannot carry by U+FFFD; remove a byte order mark.

    Returns the text and the number of characters replaced.
    """
    return _INVALID_CHARS.subn("\ufffd", text.removeprefix("\ufeff"))


def replace_invalid_chars_in(text: TrackedText) -> int:
    """The same as :func:`replace_invalid_chars` in place. Returns the number of characters replaced."""
    if text.text.startswith("\ufeff"):
        text.keep(1, len(text.text))
    return text.replace(_INVALID_CHARS, "\ufffd")
