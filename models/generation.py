"""What every way of decoding needs: when an answer ends, which tokens are part of it, and its exact text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from docai.models.guards import text_config
from docai.models.heads import Decoding

if TYPE_CHECKING:
    from transformers import (
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        PreTrainedTokenizerBase,
    )

StopReason = Literal["stop", "length", "loop"]


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


def find_end(
    tokens: Sequence[int], budget: int, end_tokens: Collection[int], decoding: Decoding
) -> tuple[int, StopReason]:
    """Length and stop reason of a finished answer by the rules of the scheduler, for beam search."""
    loop = LoopDetector(decoding)
    for index, token in enumerate(tokens[:budget]):
        if token in end_tokens:
            return index, "stop"
        if loop.add(token):
            return index + 1, "loop"
    return min(len(tokens), budget), "length"


def token_texts(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """The text that each token adds; joined, they are the exact text of the answer.

    A character whose bytes are distributed over several tokens belongs to the last of them; bytes that do not
    form a character become U+FFFD. Special tokens such as ``<loc0000>`` are kept, as are all spaces, tabs and
    line feeds.
    """
    backend = tokenizer.backend_tokenizer
    texts: list[str] = []
    start = 0
    for index in range(len(ids)):
        text = backend.decode(ids[start : index + 1], skip_special_tokens=False)
        # A character has at most four bytes in UTF-8, so a fifth token cannot complete it.
        waits = text.endswith("\ufffd") and index - start < 3 and index + 1 < len(ids)
        texts.append("" if waits else text)
        start = start if waits else index + 1
    return texts


@dataclass(frozen=True)
class Answer:
    """The tokens of one answer without its end token."""

    tokens: list[int]
    logprobs: list[float]
    reason: StopReason


@dataclass(frozen=True)
class SpecialTokens:
    """The special token ids that decoding needs."""

    pad: int
    bos: int
    ends: tuple[int, ...]

    @classmethod
    def of(cls, model: PaliGemmaForConditionalGeneration, processor: PaliGemmaProcessor) -> SpecialTokens:
        """Those of the tokenizer, plus the end tokens of the decoder's configuration."""
        tokenizer = processor.tokenizer
        config_ends = text_config(model.config).eos_token_id
        listed = (
            config_ends if isinstance(config_ends, list) else [] if config_ends is None else [config_ends]
        )
        ends = dict.fromkeys([tokenizer.eos_token_id, *listed])
        return cls(tokenizer.pad_token_id, tokenizer.bos_token_id, tuple(ends))

    @property
    def silent(self) -> frozenset[int]:
        """Tokens that are not part of an answer's text."""
        return frozenset((self.pad, self.bos, *self.ends))
