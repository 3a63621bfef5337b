"""The heads. A head is data plus a parser: a new one is a new entry here, never a branch elsewhere.

Prompts and target formats are docai's own: none were published with PaliGemma 2's table, molecule,
score and spotting results. `docs` of each format: the parser's module docstring.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal

from docai.errors import UnknownHeadError
from docai.parsers.base import Parser
from docai.parsers.molecule import parse_molecule
from docai.parsers.score import parse_score
from docai.parsers.table import parse_table
from docai.parsers.text import parse_text
from docai.records import Molecule, RecordBase, Score, Table, Text


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
class Head:
    """One thing a PaliGemma 2 can be asked to read."""

    name: str
    prompt: str
    parser: Parser
    record: type[RecordBase]
    max_tokens: int
    """Tokens of the longest answer; a checkpoint may declare fewer, a caller may allow fewer."""
    resolution: int = 896
    """Side of the square crop, pixels."""
    decoding: Decoding = Decoding()
    grammar: str | None = None
    """Name in :data:`docai.models.grammars.GRAMMARS` of what its answers keep to when decoding is
    constrained; None is a head that has none."""


HEADS: Mapping[str, Head] = MappingProxyType(
    {
        head.name: head
        for head in (
            Head("table", "table to html", parse_table, Table, max_tokens=4096, grammar="table-html"),
            Head(
                "molecule", "molecule to smiles", parse_molecule, Molecule, max_tokens=256, grammar="smiles"
            ),
            Head("score", "score to kern", parse_score, Score, max_tokens=1024, grammar="kern"),
            Head("text", "spot text", parse_text, Text, max_tokens=2048, grammar="spotting"),
        )
    }
)


def get_head(name: str) -> Head:
    """The registered head of that name. Raises :class:`UnknownHeadError`."""
    try:
        return HEADS[name]
    except KeyError:
        known = ", ".join(HEADS)
        raise UnknownHeadError(f"There is no head {name!r}; the heads are: {known}.") from None


Fault = Literal["cut", "loop", "invalid"]

_ALL: Final = frozenset[Fault](("cut", "loop", "invalid"))

_LOST: Final = frozenset[Fault](("loop", "invalid"))


@dataclass(frozen=True)
class RetryStep:
    """One way of asking again. What it does not name stays as it was."""

    name: str
    against: frozenset[Fault] = _ALL
    stretch: float = 1.0
    crop: Literal["same", "tighter", "wider", "tiles"] = "same"
    constrained: bool = False
    num_beams: int | None = None


_MORE = RetryStep("more-tokens", frozenset(("cut",)), stretch=2.0)

_TILES = RetryStep("tiles", frozenset(("cut", "loop")), crop="tiles")

_TIGHTER = RetryStep("tighter-crop", crop="tighter")

_WIDER = RetryStep("wider-crop", crop="wider")

_CONSTRAINED = RetryStep("constrained", _LOST, constrained=True)

_BEAM = RetryStep("beam", _LOST, num_beams=4)

LADDERS: Mapping[str, tuple[RetryStep, ...]] = MappingProxyType(
    {
        "table": (_MORE, _TILES, _CONSTRAINED, _WIDER),
        "molecule": (_CONSTRAINED, _TIGHTER, _WIDER, _BEAM),
        "score": (_MORE, _CONSTRAINED, _WIDER, replace(_BEAM, against=frozenset(("invalid",)))),
        "text": (_MORE, _TILES, replace(_TIGHTER, against=frozenset(("loop",))), _CONSTRAINED),
    }
)
"""Head → its steps. A head that is not here is asked once."""
