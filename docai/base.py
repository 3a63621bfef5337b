"""What all contents and records share: strict fields, parts, boxes, and a ``repr`` that fits on a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict

from docai.geometry import BBox

Unit = Literal["record", "cell", "word", "atom", "measure"]
"""What a confidence is about: a whole record, or one kind of its parts."""

Place = Callable[[BBox], BBox | None]
"""Moves a box; None where nothing of it is left."""

MAX_REPR = 100
"""Characters of a ``repr``: one line of a terminal or a notebook."""


def one_line(text: str, max_length: int = MAX_REPR) -> str:
    """The text on one line of at most ``max_length`` characters; what was cut is shown by ``…``."""
    flat = " ".join(text.split())
    return flat if len(flat) <= max_length else flat[: max_length - 1] + "…"


def bracketed(name: str, *facts: str) -> str:
    """The ``repr`` of something: ``<Table: 4 x 3 cells>``. Facts that are empty are left out."""
    text = ", ".join(fact for fact in facts if fact)
    return f"<{one_line(f'{name}: {text}' if text else name, MAX_REPR - 2)}>"


def counted(number: int, noun: str) -> str:
    """``1 page``, ``2 pages``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class PlacedRecord(Protocol):
    """What views of a document need of any record, without knowing the classes of records."""

    @property
    def id(self) -> str: ...

    @property
    def page(self) -> int: ...

    @property
    def bbox(self) -> BBox: ...


class Data(BaseModel):
    """Base of everything that is serialized: unknown fields are refused, so that a typo never passes."""

    model_config = ConfigDict(extra="forbid")


class Part(Protocol):
    """A piece of a content that has a confidence of its own."""

    confidence: float | None


class Content(Data):
    """Base of all contents, and the whole of what docai asks of one.

    The content of a new head names its fields; what it does not override is that of a content without parts
    and without boxes.
    """

    part_unit: ClassVar[Unit | None] = None
    """What its parts are; None: it has none."""

    @property
    def is_empty(self) -> bool:
        """Nothing was read."""
        return False

    def parts(self) -> Sequence[Part]:
        """The parts that have a confidence of their own, in the order of a parser's spans."""
        return ()

    def with_confidences(self, values: Sequence[float | None]) -> Self:
        """The same with these confidences (0…1 or None) on :meth:`parts`, in their order.

        Raises:
            ValueError: there are more or fewer values than parts.
        """
        if values:
            raise ValueError(f"{type(self).__name__} has no parts, and {len(values)} confidences were given.")
        return self

    def part_confidences(self) -> list[float | None]:
        """The confidences of :meth:`parts`, in their order."""
        return [part.confidence for part in self.parts()]

    def map_boxes(self, place: Place) -> Self:
        """The same with ``place`` applied to each box."""
        return self

    def parts_within(self, box: BBox) -> Self:
        """The same with only the parts whose center lies in ``box``; a part without a box is left out.

        A content without boxes is whole.
        """
        return self

    def brief(self) -> str:
        """How much was read, in two or three words, such as ``4 x 3 cells``; may be empty."""
        return ""

    def describe(self) -> str:
        """What was read, as the command line shows it on one line; it is cut there."""
        return self.brief()

    def __repr__(self) -> str:
        return bracketed(type(self).__name__, self.brief())

    def __str__(self) -> str:
        return repr(self)
