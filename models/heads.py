"""The heads: what a PaliGemma 2 can be asked to read. A head is data plus a parser, never a branch elsewhere.

Prompts and target formats are docai's own: none were published with PaliGemma 2's table, molecule,
score and spotting results. Each format is described in the docstring of its parser's module.

A head of your own is a content (:class:`docai.base.Content`), a record that adds where it was read, a parser,
and a :class:`Head`; :func:`register` makes it known::

    class SealContent(Content):
        number: str = ""

    class Seal(RecordBase, SealContent):
        kind: Literal["seal"] = "seal"

    def parse_seal(text: str) -> Parsed[SealContent]:
        return Parsed(SealContent(number=text.strip()))

    register(Head("seal", "seal to number", parse_seal, Seal, max_tokens=64))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from docai.base import Content
from docai.errors import SettingError, UnknownHeadError
from docai.parsers.base import Parser
from docai.parsers.molecule import parse_molecule
from docai.parsers.score import parse_score
from docai.parsers.table import parse_table
from docai.parsers.text import parse_text
from docai.records import (
    Figure,
    Molecule,
    RecordBase,
    Score,
    Table,
    Text,
    add_record_type,
    kind_of,
    remove_record_type,
)

Color = tuple[int, int, int]
"""Red, green and blue, 0…255."""

Tiling = Literal["whole", "lines", "rows", "systems"]
"""Where a region that is too large for one crop may be cut: nowhere, between the lines of a text, the rows of
a table, or the systems of a score."""

Fault = Literal["cut", "loop", "invalid"]
"""What asking again may mend: the answer reached its token limit, repeats itself, or has an error."""

FIGURE: Final = kind_of(Figure)
"""The kind of region that no head reads."""


@dataclass(frozen=True)
class Decoding:
    """How one head's answers are decoded. Never shared between heads of a batch."""

    num_beams: int = 1
    """1 is greedy."""
    max_repeats: int = 8
    """A tail of this many equal periods is a loop: generation stops and is marked `loop`."""
    max_period: int = 64
    """Longest period, in tokens, that counts as a loop."""
    constrained: bool = False
    """Only what the head's grammar allows is written. Off unless the checkpoint's ``docai.json``
    asks for it: a lost model then writes what is well formed all the same, which is harder to tell."""


@dataclass(frozen=True)
class RetryStep:
    """One way of asking again. What it does not name stays as it was."""

    name: str
    """As :attr:`docai.records.Attempt.setting` has it."""
    against: frozenset[Fault] = frozenset(("cut", "loop", "invalid"))
    """The faults that it can mend; it is not tried against others."""
    stretch: float = 1.0
    """Times the token budget of the head."""
    crop: Literal["same", "tighter", "wider", "tiles"] = "same"
    constrained: bool = False
    num_beams: int | None = None
    """None: as before."""


@dataclass(frozen=True)
class Head:
    """One thing a PaliGemma 2 can be asked to read."""

    name: str
    """Also the ``kind`` of its records and of the regions that it reads."""
    prompt: str
    parser: Parser
    record: type[RecordBase]
    """A :class:`~docai.records.RecordBase` that is also the parser's content."""
    max_tokens: int
    """Tokens of the longest answer; a checkpoint may declare fewer, a caller may allow fewer."""
    resolution: int = 896
    """Side of the square crop, pixels."""
    decoding: Decoding = Decoding()
    grammar: str | None = None
    """Name in :data:`docai.models.grammars.GRAMMARS` of what its answers keep to when decoding is
    constrained; None is a head that has none."""
    color: Color = (90, 70, 190)
    """In which its regions are drawn on page pictures. Those of docai's own heads can be told apart
    by color-blind readers, too (after Okabe and Ito)."""
    tiling: Tiling = "whole"
    """Anything but ``whole`` needs contents that :mod:`docai.pipelines.recognition.tiles` can join."""
    retry_steps: tuple[RetryStep, ...] = ()
    """Tried in their order where ``retry`` is on; none: it is asked once."""

    @property
    def kind(self) -> str:
        """The ``kind`` of its records and of the regions that it reads."""
        return kind_of(self.record)

    def room(self, context: int, n_image: int) -> int:
        """Tokens of an answer for which a context of so many tokens has room; below 1: none.

        A prompt has at most as many tokens as bytes; a begin token, a line feed and an end token come on top.
        """
        return context - n_image - len(self.prompt.encode()) - 3


_MORE_TOKENS: Final = RetryStep("more-tokens", frozenset(("cut",)), stretch=2.0)
_TILES: Final = RetryStep("tiles", frozenset(("cut", "loop")), crop="tiles")
_TIGHTER_CROP: Final = RetryStep("tighter-crop", crop="tighter")
_WIDER_CROP: Final = RetryStep("wider-crop", crop="wider")
_CONSTRAINED: Final = RetryStep("constrained", frozenset(("loop", "invalid")), constrained=True)
_BEAM: Final = RetryStep("beam", frozenset(("loop", "invalid")), num_beams=4)

_HEADS: dict[str, Head] = {
    head.name: head
    for head in (
        Head(
            "table",
            "table to html",
            parse_table,
            Table,
            max_tokens=4096,
            grammar="table-html",
            color=(0, 114, 178),
            tiling="rows",
            retry_steps=(_MORE_TOKENS, _TILES, _CONSTRAINED, _WIDER_CROP),
        ),
        Head(
            "molecule",
            "molecule to smiles",
            parse_molecule,
            Molecule,
            max_tokens=256,
            grammar="smiles",
            color=(0, 140, 100),
            retry_steps=(_CONSTRAINED, _TIGHTER_CROP, _WIDER_CROP, _BEAM),
        ),
        Head(
            "score",
            "score to kern",
            parse_score,
            Score,
            max_tokens=1024,
            grammar="kern",
            color=(170, 60, 150),
            tiling="systems",
            retry_steps=(
                _MORE_TOKENS,
                _CONSTRAINED,
                _WIDER_CROP,
                replace(_BEAM, against=frozenset(("invalid",))),
            ),
        ),
        Head(
            "text",
            "spot text",
            parse_text,
            Text,
            max_tokens=2048,
            grammar="spotting",
            color=(110, 110, 110),
            tiling="lines",
            retry_steps=(
                _MORE_TOKENS,
                _TILES,
                replace(_TIGHTER_CROP, against=frozenset(("loop",))),
                _CONSTRAINED,
            ),
        ),
    )
}

_OWN_HEADS: Final = frozenset(_HEADS)

HEADS: Mapping[str, Head] = MappingProxyType(_HEADS)
"""All heads by name: docai's own, then those that were registered."""


def get_head(name: str) -> Head:
    """The head of that name.

    Raises:
        UnknownHeadError: there is none.
    """
    try:
        return HEADS[name]
    except KeyError:
        known = ", ".join(HEADS)
        raise UnknownHeadError(f"There is no head {name!r}; the heads are: {known}.") from None


def register(head: Head) -> None:
    """Make a head known to everything in this process: reading, parsing, ``regions=``, pictures, JSON.

    Layout finds no regions of its kind: give them by ``regions=``, or read whole images. Worker processes
    that docai starts, as for training, do not know it.

    Raises:
        SettingError: the name is taken, or the record does not fit the head.
    """
    if head.name in HEADS or head.name == FIGURE:
        raise SettingError(f"There is a head or kind {head.name!r} already: give the new head another name.")
    if not issubclass(head.record, Content):
        raise SettingError(
            f"The record {head.record.__name__} of the head {head.name!r} has to be a content, too: make it "
            "a subclass of RecordBase and of what the parser gives."
        )
    if "kind" not in head.record.model_fields or head.kind != head.name:
        raise SettingError(
            f"The records of the head {head.name!r} have to say so: give {head.record.__name__} the field "
            f'kind: Literal["{head.name}"] = "{head.name}".'
        )
    add_record_type(head.record)
    _HEADS[head.name] = head


def unregister(name: str) -> None:
    """Take back :func:`register`.

    Raises:
        UnknownHeadError: there is no such head.
        SettingError: it is one of docai's own.
    """
    head = get_head(name)
    if name in _OWN_HEADS:
        raise SettingError(f"The head {name!r} is docai's own and stays.")
    remove_record_type(head.record)
    del _HEADS[name]


def region_kinds() -> tuple[str, ...]:
    """The kinds that a region can be of: those that heads read, and figures, which none reads."""
    return (*(head.kind for head in HEADS.values()), FIGURE)
