"""One batch through ``generate``: greedy answers, or a beam search with its log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, StoppingCriteriaList

from docai.models.decoding import AnswerEnd, GreedyLogProbs, StopReason, find_end
from docai.models.guards import text_config
from docai.models.heads import Decoding

if TYPE_CHECKING:
    from transformers import BatchFeature, PaliGemmaForConditionalGeneration, PaliGemmaProcessor

    from docai.models.constraints.matching import Constraint


@dataclass(frozen=True)
class Answer:
    """The tokens of one answer, its end token left out."""

    tokens: list[int]
    logprobs: list[float]
    reason: StopReason


@dataclass(frozen=True)
class Vocabulary:
    """The token ids that decoding has to know."""

    pad: int
    bos: int
    ends: tuple[int, ...]

    @classmethod
    def of(cls, model: PaliGemmaForConditionalGeneration, processor: PaliGemmaProcessor) -> Vocabulary:
        """From the tokenizer, and the end tokens that the decoder's configuration adds."""
        tokenizer = processor.tokenizer
        more = text_config(model.config).eos_token_id
        listed = more if isinstance(more, list) else [] if more is None else [more]
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
    vocabulary: Vocabulary,
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
        from docai.models.constraints.mask import GrammarMask

        mask = GrammarMask(constraint, inputs["input_ids"].shape[1], vocabulary.silent)
    if decoding.num_beams > 1:
        return _search(model, inputs, budgets, decoding, vocabulary, mask)
    return _follow(model, inputs, budgets, decoding, vocabulary, mask)


def _settings(budgets: Sequence[int], vocabulary: Vocabulary, num_beams: int) -> GenerationConfig:
    """Everything that decides the answer, stated: nothing is taken over from a file or another head."""
    return GenerationConfig(
        do_sample=False,
        num_beams=num_beams,
        max_new_tokens=max(budgets),
        pad_token_id=vocabulary.pad,
        bos_token_id=vocabulary.bos,
        eos_token_id=list(vocabulary.ends),
        repetition_penalty=1.0,
        use_cache=True,
    )


def _follow(
    model: PaliGemmaForConditionalGeneration,
    inputs: BatchFeature,
    budgets: Sequence[int],
    decoding: Decoding,
    vocabulary: Vocabulary,
    mask: LogitsProcessor | None,
) -> list[Answer]:
    prompt_length = inputs["input_ids"].shape[1]
    end = AnswerEnd(prompt_length, budgets, vocabulary.ends, decoding)
    logprobs = GreedyLogProbs(mask)
    # Its declared type does not admit PaliGemma.
    sequences: torch.Tensor = cast(Any, model).generate(
        **inputs,
        generation_config=_settings(budgets, vocabulary, num_beams=1),
        stopping_criteria=StoppingCriteriaList([end]),
        logits_processor=LogitsProcessorList([logprobs]),
    )
    tokens = sequences[:, prompt_length:].tolist()
    return [
        Answer(row[:length], steps[:length], reason)
        for row, steps, length, reason in zip(tokens, logprobs.rows(), end.lengths, end.reasons, strict=True)
    ]


def _search(
    model: PaliGemmaForConditionalGeneration,
    inputs: BatchFeature,
    budgets: Sequence[int],
    decoding: Decoding,
    vocabulary: Vocabulary,
    mask: LogitsProcessor | None,
) -> list[Answer]:
    prompt_length = inputs["input_ids"].shape[1]
    # Its declared type does not admit PaliGemma.
    sequences: torch.Tensor = cast(Any, model).generate(
        **inputs,
        generation_config=_settings(budgets, vocabulary, num_beams=decoding.num_beams),
        logits_processor=LogitsProcessorList([] if mask is None else [mask]),
    )
    logprobs = _score(model, inputs, sequences).tolist()
    answers = []
    for row, steps, budget in zip(sequences[:, prompt_length:].tolist(), logprobs, budgets, strict=True):
        length, reason = find_end(row, budget, vocabulary.ends, decoding)
        answers.append(Answer(row[:length], steps[:length], reason))
    return answers


def _score(
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
