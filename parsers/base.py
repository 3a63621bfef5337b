"""The contract that every parser keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from docai.parsers.traced import Span
from docai.records import Content, Issue, Severity

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


def parser_issue(code: str, severity: Severity, message: str) -> Issue:
    """An issue found by a parser; page and region are filled in where the record is made."""
    return Issue(code=code, severity=severity, stage="parser", message=message)
