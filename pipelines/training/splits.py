"""Pairs apart into those that are trained on and those that the run is measured by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from docai.pipelines.training.pairs import Listed

L = TypeVar("L", bound=Listed)


def hold_out(pairs: Sequence[L], *, share: float, most: int) -> tuple[list[L], list[L]]:
    """Pairs to train on and held-out pairs, disjoint by content, both in their order.

    A hash of the content decides, not the place: pairs of equal content stay together, and the same pairs
    are held out again in another order. At least half of the data is trained on.

    Args:
        share: of the pairs, about, 0…1.
        most: most pairs that are held out.
    """
    ranks = [_rank(pair.content) for pair in pairs]
    lowest = sorted(ranks)
    n_most = min(most, len(pairs) // 2)
    limit = min(share, lowest[n_most]) if n_most < len(lowest) else share
    held = [pair for pair, rank in zip(pairs, ranks, strict=True) if rank < limit]
    return [pair for pair, rank in zip(pairs, ranks, strict=True) if rank >= limit], held


def _rank(content: str) -> float:
    """0…1, evenly spread over contents."""
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)
