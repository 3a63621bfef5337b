"""Decoding one batch with ``generate``: greedy or beam search, with log-probabilities, loop detection and
exact text.

:func:`write_answers` is the entry. The other parts decide when an answer ends (:class:`AnswerEnd`,
:class:`LoopDetector`), keep the log-probability of each token (:class:`GreedyLogProbs`), and turn tokens into
text (:func:`token_texts`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

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
from docai.models.loops import LoopDetector

if TYPE_CHECKING:
    from transformers import (
        BatchFeature,
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        PreTrainedTokenizerBase,
    )

    from docai.models.constrained import Constraint

StopReason = Literal["stop", "length", "loop"]


class AnswerEnd(StoppingCriteria):
    """Ends each answer of a batch separately: at its end token, its token budget, or a loop.

    ``generate`` pads rows that have ended; :attr:`lengths` has the true length of each answer.
    """

    def __init__(
        self, prompt_length: int, budgets: Sequence[int], end_tokens: Collection[int], decoding: Decoding
    ) -> None:
        self._prompt_length = prompt_length
        self._budgets = budgets
        self._end_tokens = frozenset(end_tokens)
        self._loops = [LoopDetector(decoding) for _ in budgets]
        self.lengths: list[int | None] = [None] * len(budgets)
        """Number of tokens of each answer without its end token; None while it is being written."""
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
    """Length and stop reason of a finished answer by the rules of :class:`AnswerEnd`, for beam search."""
    loop = LoopDetector(decoding)
    for index, token in enumerate(tokens[:budget]):
        if token in end_tokens:
            return index, "stop"
        if loop.add(token):
            return index + 1, "loop"
    return min(len(tokens), budget), "length"


class GreedyLogProbs(LogitsProcessor):
    """Records the log-probability of each greedily chosen token, and applies ``mask`` if there is one.

    The log-probability is that of the model before the mask: a token that only the grammar forced keeps the
    low probability that the model gave it.

    ``generate`` could return the logits of all steps, which takes 1 MB per token and crop for a vocabulary of
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
        """The log-probabilities: one list for each row of the batch, one number for each step."""
        stacked: list[list[float]] = torch.stack(self._steps, dim=1).tolist()
        return stacked


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


def write_answers(
    model: PaliGemmaForConditionalGeneration,
    inputs: BatchFeature,
    budgets: Sequence[int],
    decoding: Decoding,
    special_tokens: SpecialTokens,
    constraint: Constraint | None = None,
) -> list[Answer]:
    """Generate the answers of one batch.

    Args:
        model: the base model with the right adapter active.
        inputs: padded on the left, on the model's device, with token types.
        budgets: maximum number of tokens of each answer; all equal for beam search.
        decoding: settings of the whole batch.
        special_tokens: those of the model.
        constraint: the grammar of the answers; None allows any text.
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
    """All settings that affect the answer, stated explicitly: nothing comes from a file or another head."""
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
    # The declared type of generate() excludes PaliGemma.
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
    # The declared type of generate() excludes PaliGemma.
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
    """Log-probability of each generated token, (batch, tokens), from one forward pass over the answers.

    The score of a beam is a sum normalized by length. Records need the log-probability of each token, and
    these are the same values that greedy decoding gives.
    """
    written = sequences[:, inputs["input_ids"].shape[1] :]
    ones = torch.ones_like(written)
    mask = torch.cat([inputs["attention_mask"], ones], dim=1)
    logits: torch.Tensor = model(
        input_ids=sequences,
        pixel_values=inputs["pixel_values"],
        attention_mask=mask,
        token_type_ids=torch.cat([inputs["token_type_ids"], ones], dim=1),
        # PaliGemma counts positions from 1; padding has no position.
        position_ids=mask.cumsum(dim=1).clamp(min=1),
        logits_to_keep=written.shape[1] + 1,
    ).logits[:, :-1]
    chosen = logits.gather(2, written[..., None]).squeeze(2).float()
    return chosen - logits.float().logsumexp(dim=-1)
