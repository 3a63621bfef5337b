"""Text that is cleaned step by step and still knows where each part of it stood at first."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

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
