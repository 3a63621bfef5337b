"""The engine that runs PaliGemma 2 with the model and processor of transformers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from docai.errors import CheckpointError, ConfigurationError, GenerationError
from docai.models import guards
from docai.models.adapters import load_adapters
from docai.models.attention import AttentionChoice
from docai.models.checkpoints import (
    Checkpoint,
    HeadWeights,
    find_checkpoint,
    head_not_available,
    open_adapter,
)
from docai.models.engine import Generation, Request, check_crop
from docai.models.generation import Answer, SpecialTokens, token_texts, write_answers
from docai.models.loading import choose_device, choose_dtype, load_base, load_processor

if TYPE_CHECKING:
    from peft import PeftModel
    from PIL.Image import Image
    from transformers import BatchFeature, PaliGemmaForConditionalGeneration, PaliGemmaProcessor

    from docai.models.constrained import Constraint, GrammarVocabulary
    from docai.models.heads import Head

IMAGE_TOKEN = "<image>"


def encode_prompts(
    processor: PaliGemmaProcessor,
    prompts: Sequence[str],
    images: Sequence[Image],
    *,
    like: PaliGemmaForConditionalGeneration,
    causal_prompt: bool = False,
) -> BatchFeature:
    """The model's inputs: image tokens, ``<bos>``, prompt and line feed, padded on the left.

    Args:
        processor: set to pad on the left.
        prompts: without the image token and the line feed.
        images: one for each prompt, of the size that the model reads.
        like: the model, whose device and number format the batch gets.
        causal_prompt: see :func:`docai.models.guards.make_prompt_causal`.
    """
    # NumPy, because the processor converts PyTorch tensors to NumPy in a way that NumPy 2 warns about.
    inputs: BatchFeature = processor(
        images=[[image] for image in images],
        text=[IMAGE_TOKEN + prompt for prompt in prompts],
        padding="longest",
        return_tensors="np",
    ).convert_to_tensors("pt")
    guards.drop_labels(inputs)
    guards.require_token_types(inputs)
    guards.require_ends_with_text(inputs["attention_mask"])
    if causal_prompt:
        guards.make_prompt_causal(inputs, processor.image_token_id)
    inputs["pixel_values"] = inputs["pixel_values"].to(like.dtype)
    on_device: BatchFeature = inputs.to(like.device)
    return on_device


class PaliGemmaEngine:
    """PaliGemma 2 with one base model and a LoRA adapter for each head. Create it with :meth:`load`.

    Calls from several threads are serialized, because the model has one active adapter.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        model: PaliGemmaForConditionalGeneration,
        processor: PaliGemmaProcessor,
        heads: Mapping[str, HeadWeights],
        *,
        adapters: PeftModel | None,
        adapter_ids: Mapping[str, str],
        batch_size: int,
    ) -> None:
        """Use :meth:`load`.

        Args:
            checkpoint: where the weights came from.
            model: the base model, into which the layers of ``adapters`` are injected.
            processor: set to pad on the left.
            heads: the heads with weights.
            adapters: switches the injected layers; None if there are none.
            adapter_ids: head → id of its weights in records, for heads with an adapter of that name.
            batch_size: maximum number of crops in one batch.
        """
        self.checkpoint = checkpoint
        self.batch_size = batch_size
        self._model = model
        self._processor = processor
        self._heads = dict(heads)
        self._adapters = adapters
        self._adapter_ids = dict(adapter_ids)
        self._lock = threading.Lock()
        self._context = guards.text_config(model.config).max_position_embeddings
        self._special_tokens = SpecialTokens.of(model, processor)
        self._grammar_vocabulary: GrammarVocabulary | None = None
        self._constraints: dict[str, Constraint] = {}

    @classmethod
    def load(
        cls,
        model: str | Path = "nano",
        *,
        device: str = "auto",
        dtype: str | None = None,
        batch_size: int | None = None,
        adapters: Mapping[str, str | Path] | None = None,
        attention: AttentionChoice = "auto",
        download: bool = False,
    ) -> PaliGemmaEngine:
        """Load a checkpoint.

        Args:
            model: an embedded model, a folder, or ``organisation/name@revision`` of the hub.
            device: ``auto`` is the first CUDA device if there is one, otherwise the CPU.
            dtype: ``float32`` or ``bfloat16``; None is bfloat16 on CUDA and float32 on a CPU.
            batch_size: maximum number of crops in one batch; None is 16 on CUDA, 4 on a CPU.
            adapters: head → LoRA folder, in addition to those of the checkpoint, which they override.
            attention: ``auto`` is fused if the checkpoint allows it.
            download: allow downloading missing files from the hub.

        Raises:
            UnknownModelError: there is no such model on this machine.
            CheckpointError: the checkpoint is not a usable PaliGemma 2.
            AdapterError: an adapter does not fit the base.
            DeviceError: the device is unknown or not present.
            SettingError: the number format is not supported.
        """
        checkpoint = find_checkpoint(model, download=download)
        torch_device = choose_device(device)
        torch_dtype = choose_dtype(dtype, torch_device)
        base = load_base(checkpoint, torch_dtype, attention)
        heads = dict(checkpoint.heads)
        folders = {
            head: checkpoint.folder / entry.adapter
            for head, entry in heads.items()
            if entry.adapter is not None
        }
        ids = {head: f"{checkpoint.id}+{head}" for head in folders}
        for head, adapter_folder in (adapters or {}).items():
            adapter = open_adapter(Path(adapter_folder), head)
            heads[head], folders[head] = adapter.weights, adapter.folder
            ids[head] = f"{checkpoint.id}+{head}@{adapter.revision}"
        peft_model = load_adapters(base, folders) if folders else None
        base.to(torch_device)  # type: ignore[arg-type]
        return cls(
            checkpoint,
            base,
            load_processor(checkpoint),
            heads,
            adapters=peft_model,
            adapter_ids=ids,
            batch_size=batch_size or (16 if torch_device.type == "cuda" else 4),
        )

    @property
    def name(self) -> str:
        return self.checkpoint.id

    @property
    def device(self) -> str:
        return str(self._model.device)

    @property
    def dtype(self) -> str:
        """Number format of the weights, such as ``float32``."""
        return str(self._model.dtype).removeprefix("torch.")

    def heads(self) -> frozenset[str]:
        return frozenset(self._heads)

    def accuracy(self, head: str) -> float | None:
        """As the checkpoint states it; None for an adapter that was given beside it."""
        return self._heads[head].accuracy if head in self._heads else None

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Answer each request, in order. A batch never mixes heads, adapters or decoding settings.

        Raises:
            HeadNotAvailableError: a request names a head without weights.
            CheckpointError: a head has a different resolution than the checkpoint.
            GenerationError: a crop is not RGB, or not of the size that its head reads.
        """
        for request in requests:
            self._check(request)
        groups: dict[tuple[object, ...], list[int]] = {}
        for index, request in enumerate(requests):
            groups.setdefault(self._group(request), []).append(index)
        answers: dict[int, Generation] = {}
        with self._lock:
            for indices in groups.values():
                for start in range(0, len(indices), self.batch_size):
                    batch = indices[start : start + self.batch_size]
                    answers.update(zip(batch, self._answer([requests[i] for i in batch]), strict=True))
        return [answers[index] for index in range(len(requests))]

    def _check(self, request: Request) -> None:
        head = request.head
        if head.name not in self._heads:
            raise head_not_available(head.name, self._heads, self.checkpoint.id, str(self.checkpoint.folder))
        if head.resolution != self.checkpoint.image_size:
            raise CheckpointError(
                f"The head {head.name!r} reads crops of {head.resolution} px, but {self.checkpoint.id} "
                f"reads {self.checkpoint.image_size} px: 448 and 896 checkpoints are different weights. "
                f"Use a {head.resolution} px checkpoint."
            )
        check_crop(request)
        if request.max_tokens is not None and request.max_tokens < 1:
            raise GenerationError(f"max_tokens must be at least 1, but is {request.max_tokens}.")

    def _group(self, request: Request) -> tuple[object, ...]:
        decoding = request.head.decoding
        # All answers of a beam search have one length; greedy answers end separately.
        budget = self._budget(request) if decoding.num_beams > 1 else None
        return request.head.name, decoding, budget

    def _budget(self, request: Request) -> int:
        limits = (request.head.max_tokens, self._heads[request.head.name].max_tokens)
        own = round(request.stretch * min(limit for limit in limits if limit is not None))
        return own if request.max_tokens is None else min(own, request.max_tokens)

    def _constraint(self, head: Head) -> Constraint | None:
        """The grammar of a head whose decoding is constrained by its own settings or its weights; cached."""
        if not (head.decoding.constrained or self._heads[head.name].constrained):
            return None
        if head.grammar is None:
            raise ConfigurationError(
                f"Constrained decoding was requested, but the head {head.name!r} has no grammar: "
                "set Head(grammar=...), or turn it off."
            )
        if head.grammar not in self._constraints:
            from docai.models.constrained import Constraint, GrammarVocabulary

            if self._grammar_vocabulary is None:
                tokenizer = self._processor.tokenizer
                self._grammar_vocabulary = GrammarVocabulary.of(tokenizer, self._special_tokens.ends)
            self._constraints[head.grammar] = Constraint(head.grammar, self._grammar_vocabulary)
        return self._constraints[head.grammar]

    def _answer(self, requests: Sequence[Request]) -> list[Generation]:
        """Answer one batch of one head with one set of decoding settings."""
        head = requests[0].head
        prompts = [request.head.prompt for request in requests]
        inputs = encode_prompts(
            self._processor,
            prompts,
            [request.image for request in requests],
            like=self._model,
            causal_prompt=self._heads[head.name].causal_prompt,
        )
        prompt_length = inputs["input_ids"].shape[1]
        room = self._context - prompt_length
        budgets = [min(self._budget(request), room) for request in requests]
        with torch.inference_mode(), self._adapter(head.name):
            answers = write_answers(
                self._model, inputs, budgets, head.decoding, self._special_tokens, self._constraint(head)
            )
        return [self._generation(*pair) for pair in zip(requests, answers, strict=True)]

    def _generation(self, request: Request, answer: Answer) -> Generation:
        texts = token_texts(self._processor.tokenizer, answer.tokens)
        text_indices = [
            i for i, token in enumerate(answer.tokens) if token not in self._special_tokens.silent
        ]
        tokens = tuple(texts[i] for i in text_indices)
        return Generation(
            text="".join(tokens),
            finish_reason=answer.reason,
            tokens=tokens,
            logprobs=tuple(answer.logprobs[i] for i in text_indices),
            checkpoint=self._adapter_ids.get(request.head.name, self.checkpoint.id),
            prompt=request.head.prompt,
            calibration=self._heads[request.head.name].calibration,
        )

    @contextmanager
    def _adapter(self, head: str) -> Iterator[None]:
        """Activate the adapter of ``head`` while the context is open, or none if it has none."""
        if self._adapters is None:
            yield
        elif head in self._adapter_ids:
            self._adapters.set_adapter(head, inference_mode=True)
            yield
        else:
            with self._adapters.disable_adapter():
                yield
