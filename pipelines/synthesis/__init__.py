"""Synthetic training data: an endless seeded stream of pairs of picture and target for every head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from docai.errors import UnknownHeadError
from docai.pipelines.synthesis import molecule, score, table, text
from docai.pipelines.synthesis.base import Generator, Mark, Sample, Split, split_of, stream

GENERATORS: Mapping[str, Generator[Any]] = MappingProxyType(
    {module.generate.head: module.generate for module in (molecule, score, table, text)}
)

__all__ = ["GENERATORS", "Generator", "Mark", "Sample", "Split", "samples", "split_of"]


def samples(
    head: str, seed: int, start: int = 0, difficulty: float = 1.0, split: Split = "train"
) -> Iterator[Sample]:
    """An endless stream of samples of one head, from index ``start`` on.

    Sample i depends only on head, seed, i, difficulty and split. The splits are disjoint by content key.

    Args:
        head: name of the head.
        seed: of the stream.
        start: index of the first sample.
        difficulty: 0 (few large symbols) to 1.
        split: "train" or "held-out".

    Raises:
        UnknownHeadError: there is no generator for ``head``.
    """
    if head not in GENERATORS:
        known = ", ".join(GENERATORS)
        raise UnknownHeadError(f"There is no generator for head {head!r}; there are: {known}.")
    return stream(GENERATORS[head], seed, start, difficulty, split)
