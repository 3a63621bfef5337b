"""Loops in answers: a model that has lost its way repeats itself. Without torch."""

from __future__ import annotations

import numpy as np

from docai.models.heads import Decoding


class LoopDetector:
    """Detects that a growing sequence of tokens repeats itself.

    A sequence loops if it ends with ``max_repeats`` repetitions of a period of at most ``max_period`` tokens.
    The repetitions must also be at least ``max_period`` tokens long together, because short periods occur in
    correct answers: a carbon chain, a row of empty cells, a measure of rests.

    Each token costs ``max_period`` comparisons, independent of the length of the sequence.
    """

    def __init__(self, decoding: Decoding) -> None:
        periods = np.arange(1, decoding.max_period + 1)
        # Of n repetitions of a period, n - 1 are equal to the one before.
        self._needed = np.maximum(periods * decoding.max_repeats, decoding.max_period) - periods
        self._equal = np.zeros(decoding.max_period, dtype=np.int64)
        self._recent = np.full(decoding.max_period, -1, dtype=np.int64)

    def add(self, token: int) -> bool:
        """Take the next token. Returns whether the sequence loops."""
        # _recent[p - 1] is the token p positions back; _equal[p - 1] counts for how many tokens it has been
        # equal.
        self._equal = np.where(self._recent == token, self._equal + 1, 0)
        self._recent = np.roll(self._recent, 1)
        self._recent[0] = token
        return bool((self._equal >= self._needed).any())
