"""Answers to crops without an engine, for whoever has a model at hand, as training does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from docai.models.generation import Answer, SpecialTokens
from docai.models.guards import text_config
from docai.models.heads import Decoding
from docai.models.inputs import Preprocessor
from docai.models.jobs import Job
from docai.models.scheduler import Scheduler
from docai.models.slots import SlotDecoder

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor


def answer_crops(
    model: PaliGemmaForConditionalGeneration,
    processor: PaliGemmaProcessor,
    prompt: str,
    images: Sequence[Image],
    *,
    budget: int,
    decoding: Decoding,
    n_slots: int,
    causal_prompt: bool = False,
) -> list[Answer]:
    """The answers to one prompt about several crops, greedily, without an engine.

    Args:
        model: with the right adapter active.
        processor: of the model.
        prompt: without the image token and the line feed.
        images: RGB, of the size that the model reads.
        budget: most tokens of an answer.
        decoding: when an answer loops.
        n_slots: most answers at a time.
        causal_prompt: see :func:`docai.models.guards.make_prompt_causal`.

    Raises:
        Exception: whatever a crop failed with.
    """
    n_image = int(processor.image_seq_length)
    inputs = Preprocessor(processor, images[0].width, n_image)
    scheduler = Scheduler(
        SlotDecoder(model),
        SpecialTokens.of(model, processor),
        n_slots=n_slots,
        context=text_config(model.config).max_position_embeddings,
        n_image=n_image,
    )
    tokens = inputs.prompt(prompt)
    jobs = [
        Job(partial(inputs.pixels, image), tokens, budget, decoding, causal_prompt=causal_prompt)
        for image in images
    ]
    return answer_jobs(scheduler, jobs)


def answer_jobs(scheduler: Scheduler, jobs: Sequence[Job]) -> list[Answer]:
    """The answers to jobs, in their order, by a scheduler that has no others.

    Raises:
        Exception: whatever a job failed with.
    """
    for job in jobs:
        scheduler.submit(job)
    answers: dict[Job, Answer] = {}
    while not scheduler.is_idle:
        for job, outcome in scheduler.step():
            if isinstance(outcome, Exception):
                raise outcome
            answers[job] = outcome
    return [answers[job] for job in jobs]
