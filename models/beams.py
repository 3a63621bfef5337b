"""Beam search for one crop, by the ``generate`` of transformers. Only some retries ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import torch
from transformers import GenerationConfig, LogitsProcessorList

from docai.models.generation import Answer, SpecialTokens, find_end
from docai.models.guards import text_config

if TYPE_CHECKING:
    from transformers import BatchFeature, PaliGemmaForConditionalGeneration

    from docai.models.constrained import Constraint
    from docai.models.heads import Decoding

_SCORED_TOGETHER: Final = 64
"""Tokens whose logits are in memory at a time."""


def search(
    model: PaliGemmaForConditionalGeneration,
    inputs: BatchFeature,
    budget: int,
    decoding: Decoding,
    special_tokens: SpecialTokens,
    constraint: Constraint | None = None,
    seconds: float | None = None,
) -> Answer:
    """The best answer that a beam search finds.

    Args:
        model: the base model with the right adapter active.
        inputs: of one crop, on the model's device, with token types.
        budget: most tokens of the answer.
        decoding: with the number of beams.
        special_tokens: those of the model.
        constraint: the grammar of the answer; None allows any text.
        seconds: after which it ends with what it has; None: never.
    """
    prompt_length = inputs["input_ids"].shape[1]
    processors = LogitsProcessorList()
    if constraint is not None:
        from docai.models.constrained import GrammarMask

        processors.append(GrammarMask(constraint, prompt_length, special_tokens.silent))
    # All settings that affect the answer are stated: nothing comes from a file or another head.
    config = GenerationConfig(
        do_sample=False,
        num_beams=decoding.num_beams,
        max_new_tokens=budget,
        pad_token_id=special_tokens.pad,
        bos_token_id=special_tokens.bos,
        eos_token_id=list(special_tokens.ends),
        repetition_penalty=1.0,
        use_cache=True,
        max_time=seconds,
    )
    # The declared type of generate() excludes PaliGemma.
    sequences: torch.Tensor = cast(Any, model).generate(
        **inputs, generation_config=config, logits_processor=processors
    )
    written = sequences[0, prompt_length:].tolist()
    length, reason = find_end(written, budget, special_tokens.ends, decoding)
    if reason == "length" and length < budget:
        reason = "deadline"
    return Answer(written[:length], _score(model, inputs, sequences)[:length], reason)


def _score(
    model: PaliGemmaForConditionalGeneration, inputs: BatchFeature, sequences: torch.Tensor
) -> list[float]:
    """Log-probability of each generated token, from one forward pass over the answer.

    The score of a beam is a sum normalized by length. Records need the log-probability of each token, and
    these are the same values that greedy decoding gives.
    """
    written = sequences[:, inputs["input_ids"].shape[1] :]
    ones = torch.ones_like(written)
    mask = torch.cat([inputs["attention_mask"], ones], dim=1)
    hidden: torch.Tensor = model.model(
        input_ids=sequences,
        pixel_values=inputs["pixel_values"],
        attention_mask=mask,
        token_type_ids=torch.cat([inputs["token_type_ids"], ones], dim=1),
        # PaliGemma counts positions from 1; padding has no position.
        position_ids=mask.cumsum(dim=1).clamp(min=1),
    ).last_hidden_state[:, -written.shape[1] - 1 : -1]
    cap = text_config(model.config).final_logit_softcapping
    parts = []
    for states, tokens in zip(
        hidden[0].split(_SCORED_TOGETHER), written[0].split(_SCORED_TOGETHER), strict=True
    ):
        logits = model.lm_head(states).float()
        if cap is not None:
            logits = torch.tanh(logits / cap) * cap
        parts.append(logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(dim=-1))
    logprobs: list[float] = torch.cat(parts).tolist()
    return logprobs
