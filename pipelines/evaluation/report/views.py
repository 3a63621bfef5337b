"""What a case looks like in the page: plain values that the templates lay out, all text unescaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from docai.pipelines.evaluation.report.pictures import Mark, Outline, Picture

Look = Mark | Literal["same", "shape"]
"""How a part compares: ``shape`` is the right text with other spans, or a header on one side only."""

MAX_TEXT = 4_000
"""Characters of one text that is shown."""


@dataclass(frozen=True, slots=True)
class Place:
    """One cell of a grid."""

    text: str
    row_span: int
    col_span: int
    is_header: bool
    look: Look


@dataclass(frozen=True, slots=True)
class Grid:
    """A table."""

    kind: ClassVar[str] = "grid"
    rows: Sequence[Sequence[Place]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture made from an answer."""

    kind: ClassVar[str] = "drawing"
    picture: Picture


@dataclass(frozen=True, slots=True)
class Prose:
    """Plain text, as it stands."""

    kind: ClassVar[str] = "prose"
    text: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence of ours."""

    kind: ClassVar[str] = "remark"
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """Part of a text."""

    text: str
    look: Look


@dataclass(frozen=True, slots=True)
class Runs:
    """A text whose parts compare differently."""

    kind: ClassVar[str] = "runs"
    runs: Sequence[Run]
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class LinePair:
    """A line of both sides; numbers from 1, None where a side has no such line."""

    old_number: int | None
    old: Sequence[Run]
    new_number: int | None
    new: Sequence[Run]


@dataclass(frozen=True, slots=True)
class Lines:
    """Two texts, line against line."""

    kind: ClassVar[str] = "lines"
    pairs: Sequence[LinePair]


@dataclass(frozen=True, slots=True)
class Entry:
    """One difference."""

    look: Look
    text: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Entries:
    """A list of differences."""

    kind: ClassVar[str] = "entries"
    entries: Sequence[Entry]
    n_more: int = 0


Block = Grid | Drawing | Prose | Remark | Runs | Lines | Entries


@dataclass(slots=True)
class Sides:
    """Truth, prediction and difference of one case."""

    truth: list[Block] = field(default_factory=list)
    prediction: list[Block] = field(default_factory=list)
    difference: list[Block] = field(default_factory=list)
    outlines: list[Outline] = field(default_factory=list)
    """To be drawn on the picture of the sample."""


def cut(text: str, most: int = MAX_TEXT) -> str:
    """The text, or its beginning and how much is left out."""
    if len(text) <= most + 30:
        return text
    return f"{text[:most]} … ({len(text) - most:,} more characters)"


def quoted(text: str, most: int = 60) -> str:
    """A short text in quotation marks; ``nothing`` where it is empty."""
    if not text:
        return "nothing"
    return f"“{text if len(text) <= most else text[: most - 1] + '…'}”"


def entries(found: Sequence[Entry], most: int) -> Entries:
    """The first ``most``, and a count of the rest."""
    return Entries(found[:most], max(0, len(found) - most))
