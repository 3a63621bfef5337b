"""How well the embedded checkpoint reads held-out pairs while it is trained."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from docai.models.heads import HEADS
from docai.pipelines.training.nano.feed import Source, cut_sample
from docai.pipelines.training.nano.patches import IGNORE, SparseSample, collate, forward
from docai.pipelines.training.nano.step import Learner, micro_batches

if TYPE_CHECKING:
    from transformers import PaliGemmaProcessor

    from docai.pipelines.synthesis.base import Sample


@dataclass(frozen=True)
class HeldOut:
    """Pairs whose content is never used in training, by head."""

    cut: Mapping[str, Sequence[SparseSample]]
    whole: Mapping[str, Sequence[Sample]]
    """The first of them as whole squares, to be answered as in reading."""


def draw_held_out(
    source: Source, processor: PaliGemmaProcessor, seed: int, *, count: int, n_answered: int
) -> HeldOut:
    """``count`` pairs per head, the same for the same seed; the first ``n_answered`` are to be answered."""
    generator = np.random.default_rng(seed)
    drawn = {head: source.held_out(head, seed, count) for head in source.heads()}
    cut = {
        head: [cut_sample(sample, processor.tokenizer, generator) for sample in samples]
        for head, samples in drawn.items()
    }
    return HeldOut(cut, {head: samples[:n_answered] for head, samples in drawn.items()})


def token_accuracy(
    learner: Learner, samples: Mapping[str, Sequence[SparseSample]], micro_tokens: int
) -> dict[str, float]:
    """Share of target tokens predicted right after the true tokens before them, by head."""
    import torch

    result: dict[str, float] = {}
    learner.shipped.eval()
    with torch.no_grad(), learner.autocast():
        for head, cut in samples.items():
            right = total = 0
            for group in micro_batches(cut, micro_tokens):
                batch = collate(group).to(learner.device)
                _, logits = forward(learner.shipped, batch)
                has_label = batch.labels != IGNORE
                right += int((logits.argmax(-1) == batch.labels)[has_label].sum())
                total += int(has_label.sum())
            result[f"{head}_accuracy"] = right / max(1, total)
    learner.shipped.train()
    return result


def exact_answers(
    learner: Learner,
    processor: PaliGemmaProcessor,
    samples: Mapping[str, Sequence[Sample]],
    max_tokens: Mapping[str, int],
    seconds: float,
) -> dict[str, str]:
    """How many whole squares are answered exactly, as ``3/8``, by head: greedily, by the stock ``generate``.

    Stops after ``seconds``: heads that were not reached are left out, and an answer cut off counts as wrong.
    """
    import torch
    from transformers import GenerationConfig

    from docai.models.inputs import encode_prompts

    model = learner.shipped
    stock: Any = model
    ends = time.monotonic() + seconds
    result: dict[str, str] = {}
    model.eval()
    with torch.inference_mode(), learner.stock_attention():
        for head, pairs in samples.items():
            left = ends - time.monotonic()
            if left <= 0 or not pairs:
                continue
            images = [pair.image for pair in pairs]
            inputs = encode_prompts(processor, [HEADS[head].prompt] * len(pairs), images, like=model)
            n_prompt = inputs["input_ids"].shape[1]
            longest = max(len(processor.tokenizer(pair.target).input_ids) for pair in pairs) + 1
            tokens = stock.generate(
                **inputs,
                generation_config=GenerationConfig(
                    max_new_tokens=min(longest, max_tokens[head]),
                    do_sample=False,
                    max_time=left,
                    eos_token_id=processor.tokenizer.eos_token_id,
                    pad_token_id=processor.tokenizer.pad_token_id,
                ),
            )
            answers = processor.tokenizer.batch_decode(tokens[:, n_prompt:].cpu())
            texts = [text.split("<eos>")[0] if "<eos>" in text else None for text in answers]
            right = sum(text == pair.target for text, pair in zip(texts, pairs, strict=True))
            result[f"{head}_exact"] = f"{right}/{len(pairs)}"
    model.train()
    return result
