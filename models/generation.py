"""One batch through ``generate``: greedy answers, or a beam search with its log-probabilities."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from docai.models.guards import text_config
from docai.models.heads import Decoding

if TYPE_CHECKING:
    from transformers import (
        BatchFeature,
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        PreTrainedTokenizerBase,
    )

    from docai.models.constrained import Constraint

StopReason = Literal["stop", "length", "loop"]


class LoopDetector:
    """Finds out whether one growing sequence has begun to repeat itself.

    It loops when its tail is one period of at most ``max_period`` tokens, ``max_repeats`` times over. The
    tail must also be ``max_period`` tokens long, because short periods are honest content: a carbon
    chain, a row of empty cells, a bar of rests.

    The cost is that of ``max_period`` comparisons per token, whatever the length of the sequence.
    """

    def __init__(self, decoding: Decoding) -> None:
        periods = np.arange(1, decoding.max_period + 1)
        # A tail of n periods has n - 1 of them equal to the one before.
        self._needed = np.maximum(periods * decoding.max_repeats, decoding.max_period) - periods
        self._equal = np.zeros(decoding.max_period, dtype=np.int64)
        self._recent = np.full(decoding.max_period, -1, dtype=np.int64)

    def add(self, token: int) -> bool:
        """Take the next token; True when the sequence loops."""
        # _recent[p - 1] is the token p positions back; _equal counts how long it has been the same.
        self._equal = np.where(self._recent == token, self._equal + 1, 0)
        self._recent = np.roll(self._recent, 1)
        self._recent[0] = token
        return bool((self._equal >= self._needed).any())


class AnswerEnd(StoppingCriteria):
    """Ends each answer of a batch on its own: end token, token budget, or loop.

    Rows that have ended are padded by ``generate``; :attr:`lengths` says where each answer really stops.
    """

    def __init__(
        self, prompt_length: int, budgets: Sequence[int], end_tokens: Collection[int], decoding: Decoding
    ) -> None:
        self._prompt_length = prompt_length
        self._budgets = budgets
        self._end_tokens = frozenset(end_tokens)
        self._loops = [LoopDetector(decoding) for _ in budgets]
        self.lengths: list[int | None] = [None] * len(budgets)
        """Tokens of each answer, its end token left out; None while it is being written."""
        self.reasons: list[StopReason] = ["length"] * len(budgets)

    def __call__(self, input_ids: torch.Tensor, scores: object, **kwargs: object) -> torch.Tensor:
        written = input_ids.shape[1] - self._prompt_length
        for row, token in enumerate(input_ids[:, -1].tolist()):
            if self.lengths[row] is None:
                self._take(row, token, written)
        ended = [length is not None for length in self.lengths]
        return torch.tensor(ended, device=input_ids.device)

    def _take(self, row: int, token: int, written: int) -> None:
        if token in self._end_tokens:
            self.lengths[row], self.reasons[row] = written - 1, "stop"
        elif self._loops[row].add(token):
            self.lengths[row], self.reasons[row] = written, "loop"
        elif written >= self._budgets[row]:
            self.lengths[row], self.reasons[row] = written, "length"


def find_end(
    tokens: Sequence[int], budget: int, end_tokens: Collection[int], decoding: Decoding
) -> tuple[int, StopReason]:
    """Length and reason of one finished answer, as :class:`AnswerEnd` would have found them (for beams)."""
    loop = LoopDetector(decoding)
    for index, token in enumerate(tokens[:budget]):
        if token in end_tokens:
            return index, "stop"
        if loop.add(token):
            return index + 1, "loop"
    return min(len(tokens), budget), "length"


class GreedyLogProbs(LogitsProcessor):
    """Notes the log-probability of each greedy choice, and changes nothing but what ``mask`` changes.

    It is the model's own, of the scores before the mask: a token that a grammar forced on the model counts
    for as little as the model thought of it.

    ``generate`` could return the logits of all steps, at 1 MB per token and crop for a vocabulary of
    257,216. This keeps one number.
    """

    def __init__(self, mask: LogitsProcessor | None = None) -> None:
        self._mask = mask
        self._steps: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        logits = scores.float()
        chosen = logits.amax(dim=-1)
        if self._mask is not None:
            scores = self._mask(input_ids, scores)
            chosen = logits.gather(1, scores.argmax(dim=-1, keepdim=True)).squeeze(1)
        self._steps.append(chosen - logits.logsumexp(dim=-1))
        return scores

    def rows(self) -> list[list[float]]:
        """One list per row of the batch, one number per step."""
        stacked: list[list[float]] = torch.stack(self._steps, dim=1).tolist()
        return stacked


def token_texts(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """The text that each token adds, so that joined they are the exact text of the answer.

    A character whose bytes are spread over several tokens belongs to the last of them; bytes that never
    become a character are U+FFFD. Special tokens such as ``<loc0000>`` are kept, and so is every space,
    tab and newline.
    """
    backend = tokenizer.backend_tokenizer
    texts: list[str] = []
    start = 0
    for index in range(len(ids)):
        text = backend.decode(ids[start : index + 1], skip_special_tokens=False)
        # UTF-8 has at most four bytes for a character: more waiting tokens cannot complete one.
        waits = text.endswith("\ufffd") and index - start < 3 and index + 1 < len(ids)
        texts.append("" if waits else text)
        start = start if waits else index + 1
    return texts


@dataclass(frozen=True)
class Answer:
    """The tokens of one answer, its end token left out."""

    tokens: list[int]
    logprobs: list[float]
    reason: StopReason


@dataclass(frozen=True)
class SpecialTokens:
    """The token ids that decoding has to know."""

    pad: int
    bos: int
    ends: tuple[int, ...]

    @classmethod
    def of(cls, model: PaliGemmaForConditionalGeneration, processor: PaliGemmaProcessor) -> SpecialTokens:
        """From the tokenizer, and the end tokens that the decoder's configuration adds."""
        tokenizer = processor.tokenizer
        config_ends = text_config(model.config).eos_token_id
        listed = (
            config_ends if isinstance(config_ends, list) else [] if config_ends is None else [config_ends]
        )
        ends = dict.fromkeys([tokenizer.eos_token_id, *listed])
        return cls(tokenizer.pad_token_id, tokenizer.bos_token_id, tuple(ends))

    @property
    def silent(self) -> frozenset[int]:
        """Tokens that are never part of an answer's text."""
        return frozenset((self.pad, self.bos, *self.ends))


def write_answers(
    model: PaliGemmaForConditionalGeneration,
    inputs: BatchFeature,
    budgets: Sequence[int],
    decoding: Decoding,
    special_tokens: SpecialTokens,
    constraint: Constraint | None = None,
) -> list[Answer]:
    """The answers of one batch.

    Args:
        model: the base with the right adapter active.
        inputs: left padded, on the model's device, with token types.
        budgets: most tokens of each answer; all equal for a beam search.
        decoding: for the whole batch.
        vocabulary: of the model.
        constraint: the grammar that every answer has to keep; None is any text.
    """
    mask = None
    if constraint is not None:
        from docai.models.constrained import GrammarMask

        mask = GrammarMask(constraint, inputs["input_ids"].shape[1], special_tokens.silent)
    if decoding.num_beams > 1:
        return _decode_beams(model, inputs, budgets, decoding, special_tokens, mask)
    return _decode_greedy(model, inputs, budgets, decoding, special_tokens, mask)


def _generation_config(
    budgets: Sequence[int], special_tokens: SpecialTokens, num_beams: int
) -> GenerationConfig:
    """Everything that decides the answer, stated: nothing is taken over from a file or another head."""
    return GenerationConfig(
        do_sample=False,
        num_beams=num_beams,
        max_new_tokens=max(budgets),
        pad_token_id=special_tokens.pad,
        bos_token_id=special_tokens.bos,
        eos_token_id=list(special_tokens.ends),
        repetition_penalty=1.0,
        use_cache=True,
    )


def _decode_greedy(
    model: PaliGemmaForConditionalGeneration,
    inputs: BatchFeature,
    budgets: Sequence[int],
    decoding: Decoding,
    special_tokens: SpecialTokens,
    mask: LogitsProcessor | None,
) -> list[Answer]:
    prompt_length = inputs["input_ids"].shape[1]
    end = AnswerEnd(prompt_length, budgets, special_tokens.ends, decoding)
    logprobs = GreedyLogProbs(mask)
    # Its declared type does not admit PaliGemma.
    sequences: torch.Tensor = cast(Any, model).generate(
        **inputs,
        generation_config=_generation_config(budgets, special_tokens, num_beams=1),
        stopping_criteria=StoppingCriteriaList([end]),
        logits_processor=LogitsProcessorList([logprobs]),
    )
    tokens = sequences[:, prompt_length:].tolist()
    return [
        Answer(row[:length], steps[:length], reason)
        for row, steps, length, reason in zip(tokens, logprobs.rows(), end.lengths, end.reasons, strict=True)
    ]


def _decode_beams(
    model: PaliGemmaForConditionalGeneration,
    inputs: BatchFeature,
    budgets: Sequence[int],
    decoding: Decoding,
    special_tokens: SpecialTokens,
    mask: LogitsProcessor | None,
) -> list[Answer]:
    prompt_length = inputs["input_ids"].shape[1]
    # Its declared type does not admit PaliGemma.
    sequences: torch.Tensor = cast(Any, model).generate(
        **inputs,
        generation_config=_generation_config(budgets, special_tokens, num_beams=decoding.num_beams),
        logits_processor=LogitsProcessorList([] if mask is None else [mask]),
    )
    logprobs = _score_tokens(model, inputs, sequences).tolist()
    answers = []
    for row, steps, budget in zip(sequences[:, prompt_length:].tolist(), logprobs, budgets, strict=True):
        length, reason = find_end(row, budget, special_tokens.ends, decoding)
        answers.append(Answer(row[:length], steps[:length], reason))
    return answers


def _score_tokens(
    model: PaliGemmaForConditionalGeneration, inputs: BatchFeature, sequences: torch.Tensor
) -> torch.Tensor:
    """Log-probability of every written token, (batch, written), read back in one pass over the answers.

    A beam's own score is a sum, normalised by length; the model's number for each token is what records
    carry, and this is the same number that greedy decoding gives.
    """
    written = sequences[:, inputs["input_ids"].shape[1] :]
    ones = torch.ones_like(written)
    mask = torch.cat([inputs["attention_mask"], ones], dim=1)
    logits: torch.Tensor = model(
        input_ids=sequences,
        pixel_values=inputs["pixel_values"],
        attention_mask=mask,
        token_type_ids=torch.cat([inputs["token_type_ids"], ones], dim=1),
        # PaliGemma counts positions from 1, and padding has none.
        position_ids=mask.cumsum(dim=1).clamp(min=1),
        logits_to_keep=written.shape[1] + 1,
    ).logits[:, :-1]
    chosen = logits.gather(2, written[..., None]).squeeze(2).float()
    return chosen - logits.float().logsumexp(dim=-1)
