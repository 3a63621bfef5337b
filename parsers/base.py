"""The contract that every parser keeps."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from docai.base import Content
from docai.contents import Issue
from docai.issues import CODES, make_issue

_MAX_QUOTE = 40


class Notes:
    """Issues found so far, in the order in which their codes were first met."""

    def __init__(self) -> None:
        self._messages: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def add(self, code: str, message: str, *, count: int = 1) -> None:
        """Note a finding. The message of a code's first finding is kept, the others are counted.

        ``code`` has to be listed in :data:`docai.issues.CODES`; a KeyError is a bug of ours.
        """
        if code not in CODES:
            raise KeyError(code)
        self._messages.setdefault(code, message)
        self._counts[code] = self._counts.get(code, 0) + count

    def __contains__(self, code: str) -> bool:
        return code in self._counts

    @property
    def has_errors(self) -> bool:
        return any(CODES[code].severity == "error" for code in self._counts)

    @property
    def repaired(self) -> bool:
        return any(CODES[code].repairs for code in self._counts)

    def issues(self) -> tuple[Issue, ...]:
        return tuple(make_issue(code, message + self._more(code)) for code, message in self._messages.items())

    def _more(self, code: str) -> str:
        more = self._counts[code] - 1
        return f" ({more} more like this.)" if more else ""


def quote(text: str) -> str:
    """A piece of model text as it may stand in a message: short, on one line, in quotes."""
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= _MAX_QUOTE else flat[: _MAX_QUOTE - 1] + "…")


Span = tuple[int, int]
"""Start and end of characters in a text, as a slice has them."""

Replacement = str | Callable[[re.Match[str]], str]


@dataclass
class _Step:
    """The replacements of one step, in order: places in the text after it, and in the one before."""

    new: list[Span] = field(default_factory=list)
    old: list[Span] = field(default_factory=list)

    def add(self, new: Span, old: Span) -> None:
        self.new.append(new)
        self.old.append(old)

    def start_before(self, place: int) -> int:
        """Where a part that starts at ``place`` started; inside a replacement: at what was replaced."""
        index = bisect_right(self.new, place, key=lambda span: span[0]) - 1
        if index < 0:
            return place
        if place < self.new[index][1]:
            return self.old[index][0]
        return self.old[index][1] + place - self.new[index][1]

    def end_before(self, place: int) -> int:
        index = bisect_left(self.new, place, key=lambda span: span[0]) - 1
        if index < 0:
            return place
        return self.old[index][1] + max(0, place - self.new[index][1])


class TracedText:
    """``text`` as it stands now. :meth:`raw` says where a part of it was in the text it was made from."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._steps: list[_Step] = []

    def keep(self, start: int, end: int) -> None:
        """Cut off what is outside ``text[start:end]``."""
        if (start, end) == (0, len(self.text)):
            return
        step = _Step()
        step.add((0, 0), (0, start))
        step.add((end - start, end - start), (end, len(self.text)))
        self._take(self.text[start:end], step)

    def replace(self, pattern: re.Pattern[str], by: Replacement) -> int:
        """Substitute as ``pattern.sub`` does; a text is put in as it is. Returns the number of places."""
        step = _Step()
        parts: list[str] = []
        done = length = 0
        for match in pattern.finditer(self.text):
            new = by if isinstance(by, str) else by(match)
            length += match.start() - done
            parts += (self.text[done : match.start()], new)
            step.add((length, length + len(new)), match.span())
            length += len(new)
            done = match.end()
        if step.new:
            self._take("".join((*parts, self.text[done:])), step)
        return len(step.new)

    def translate(self, table: Mapping[int, str]) -> None:
        """Put one character for another.

        Raises:
            ValueError: the table holds more or less than one character for one.
        """
        new = self.text.translate(table)
        if len(new) != len(self.text):
            raise ValueError("The table does not put one character for one.")
        self.text = new

    def raw(self, start: int, end: int) -> Span:
        """Where the characters ``text[start:end]`` stood at first, with what was taken out between them."""
        for step in reversed(self._steps):
            start, end = step.start_before(start), step.end_before(end)
        return start, max(start, end)

    def _take(self, text: str, step: _Step) -> None:
        self.text = text
        self._steps.append(step)


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


C = TypeVar("C", bound=Content, covariant=True)


@dataclass(frozen=True)
class Parsed(Generic[C]):
    """What a parser made of one model text.

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
    begin. None: the text does not have that part, a repair put it in."""


Parser = Callable[[str], Parsed[Content]]
"""Total: any string gives an answer, never an exception."""
