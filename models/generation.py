"""What every way of decoding needs: when an answer ends, which tokens are part of it, and its exact text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from docai.models.guards import text_config
from docai.models.heads import Decoding
from docai.models.loops import LoopDetector

if TYPE_CHECKING:
    from transformers import (
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        PreTrainedTokenizerBase,
    )

StopReason = Literal["stop", "length", "loop", "deadline"]


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


def visible(
    answer: Answer, tokenizer: PreTrainedTokenizerBase, special_tokens: SpecialTokens
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Text and log-probability of each token that is part of an answer's text."""
    texts = token_texts(tokenizer, answer.tokens)
    kept = [i for i, token in enumerate(answer.tokens) if token not in special_tokens.silent]
    return tuple(texts[i] for i in kept), tuple(answer.logprobs[i] for i in kept)
