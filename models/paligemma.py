"""The engine that runs PaliGemma 2 with the model and processor of transformers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic

import torch

from docai.errors import ConfigurationError, GenerationError
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
from docai.models.dispatch import Dispatcher, Ticket
from docai.models.engine import Generation, K, Request, check_crop, failed_generation
from docai.models.generation import Answer, SpecialTokens, visible
from docai.models.heads import HEADS
from docai.models.inputs import Preprocessor, encode_prompts
from docai.models.jobs import Job, no_room
from docai.models.loading import (
    Quantization,
    choose_device,
    choose_dtype,
    choose_quantization,
    load_base,
    load_processor,
)
from docai.models.memory import default_slots
from docai.models.scheduler import Scheduler
from docai.models.side_by_side import AdapterRows, lay_side_by_side
from docai.models.slots import SlotDecoder

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor

    from docai.models.constrained import Constraint, Constraints
    from docai.models.heads import Head


CPU_DRAFT_ROWS: Final = 2
"""Above it a processor gains nothing by drafts: its steps take time for each token of each row."""


class PaliGemmaEngine:
    """PaliGemma 2 with one base model and a LoRA adapter for each head. Create it with :meth:`load`.

    It answers many requests at a time, of whatever heads, documents and threads: what one thread puts to it
    is read beside what others wait for. :meth:`generate` is for a list, :meth:`stream` for requests that come
    while others are answered.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        model: PaliGemmaForConditionalGeneration,
        processor: PaliGemmaProcessor,
        heads: Mapping[str, HeadWeights],
        *,
        adapters: PeftModel | AdapterRows | None,
        adapter_ids: Mapping[str, str],
        batch_size: int,
        cuda_graphs: bool = False,
        draft_rows: int | None = None,
    ) -> None:
        """Use :meth:`load`.

        Args:
            checkpoint: where the weights came from.
            model: the base model, into which the layers of ``adapters`` are injected.
            processor: set to pad on the left.
            heads: the heads with weights.
            adapters: switches the injected layers, for all rows or for each; None if there are none.
            adapter_ids: head → id of its weights in records, for heads with an adapter of that name.
            batch_size: most answers that are written at a time.
            cuda_graphs: capture the steps of decoding.
            draft_rows: as for :meth:`load`.
        """
        self.checkpoint = checkpoint
        self._model = model
        self._processor = processor
        self._heads = dict(heads)
        self._adapters = adapters
        self._adapter_ids = dict(adapter_ids)
        self._context = guards.text_config(model.config).max_position_embeddings
        self._special_tokens = SpecialTokens.of(model, processor)
        self._inputs = Preprocessor(processor, checkpoint.image_size, checkpoint.n_image_tokens)
        if draft_rows is None:
            draft_rows = batch_size if model.device.type == "cuda" else CPU_DRAFT_ROWS
        self._uses_drafts = draft_rows > 0
        scheduler = Scheduler(
            SlotDecoder(
                model,
                adapters=adapters if isinstance(adapters, AdapterRows) else None,
                fixed_shapes=cuda_graphs,
                graphs=cuda_graphs,
            ),
            self._special_tokens,
            n_slots=batch_size,
            context=self._context,
            n_image=checkpoint.n_image_tokens,
            select=None if adapters is None or isinstance(adapters, AdapterRows) else self._select,
            n_behind=1 if model.device.type == "cuda" else 0,
            draft_rows=draft_rows,
        )
        self._dispatcher = Dispatcher(scheduler)
        self._constraints: Constraints | None = None

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
        quantization: Quantization | None = None,
        cuda_graphs: bool = False,
        draft_rows: int | None = None,
        download: bool = False,
    ) -> PaliGemmaEngine:
        """Load a checkpoint.

        Args:
            model: an embedded model, a folder, or ``organisation/name@revision`` of the hub.
            device: ``auto`` is the first CUDA device if there is one, otherwise the CPU.
            dtype: ``float32`` or ``bfloat16``; None is bfloat16 on CUDA and float32 on a CPU.
            batch_size: most answers that are written at a time; None is as many as there is memory for on
                CUDA, 8 on a CPU.
            adapters: head → LoRA folder, in addition to those of the checkpoint, which they override.
            attention: ``auto`` is fused if the checkpoint allows it.
            quantization: ``nf4`` stores the decoder's weights in 4 bits, on a CUDA device. Not measured yet.
            cuda_graphs: capture the steps of decoding on a CUDA device as graphs. Not measured yet.
            draft_rows: most answers that are being written for several tokens of each to be tried together,
                which changes no answer, see :mod:`docai.models.drafts`; 0: never; None: 2 on a CPU, any
                number on CUDA, where it is not measured yet.
            download: allow downloading missing files from the hub.

        Raises:
            UnknownModelError: there is no such model on this machine.
            HeadNotAvailableError: the checkpoint has no heads, and no adapters were given.
            CheckpointError: the checkpoint is not a usable PaliGemma 2.
            AdapterError: an adapter does not fit the base.
            DeviceError: the device is unknown or not present.
            SettingError: the number format is not supported.
        """
        checkpoint = find_checkpoint(model, download=download)
        if not checkpoint.heads and not adapters:
            # Before gigabytes are read.
            raise head_not_available(min(HEADS), {}, checkpoint.id, checkpoint.base)
        torch_device = choose_device(device)
        torch_dtype = choose_dtype(dtype, torch_device)
        quantized = choose_quantization(quantization, torch_device)
        base = load_base(checkpoint, torch_dtype, attention, quantization=quantized)
        heads = dict(checkpoint.heads)
        folders = {
            head: checkpoint.folder / entry.adapter
            for head, entry in heads.items()
            if entry.adapter is not None
        }
        ids = {head: f"{checkpoint.id}+{head}" for head in folders}
        for head, adapter_folder in (adapters or {}).items():
            adapter = open_adapter(Path(adapter_folder), head)
            adapter.require_base(checkpoint)
            heads[head], folders[head] = adapter.weights, adapter.folder
            ids[head] = f"{checkpoint.id}+{head}@{adapter.revision}"
        loaded: PeftModel | AdapterRows | None = None
        if folders:
            peft_model = load_adapters(base, folders)
            loaded = lay_side_by_side(base, peft_model) or peft_model
        if quantized is None:
            base.to(torch_device)  # type: ignore[arg-type]
        budgets = [
            entry.max_tokens or HEADS[head].max_tokens for head, entry in heads.items() if head in HEADS
        ]
        return cls(
            checkpoint,
            base,
            load_processor(checkpoint),
            heads,
            adapters=loaded,
            adapter_ids=ids,
            batch_size=batch_size or default_slots(base, checkpoint.n_image_tokens, budgets),
            cuda_graphs=cuda_graphs,
            draft_rows=draft_rows,
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

    @property
    def side(self) -> int:
        """Side of the crops that it reads, pixels: a property of the weights."""
        return self.checkpoint.image_size

    @property
    def base(self) -> str:
        """What ``docai train --base`` takes to train more heads for it."""
        return self.checkpoint.base

    def heads(self) -> frozenset[str]:
        return frozenset(self._heads)

    def accuracy(self, head: str) -> float | None:
        """As the checkpoint states it; None for an adapter that was given beside it."""
        return self._heads[head].accuracy if head in self._heads else None

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Answer each request, in order. A failure is the answer to its own request.

        Raises:
            HeadNotAvailableError: a request names a head without weights.
            GenerationError: a crop is not RGB, or not of :attr:`side`.
        """
        tickets = [self._ticket(request) for request in requests]
        self._dispatcher.submit(tickets)
        try:
            self._dispatcher.wait(lambda: all(ticket.outcome is not None for ticket in tickets))
        except BaseException:
            self._dispatcher.forget(tickets)
            raise
        return [
            self._generation(request, ticket.outcome)
            for request, ticket in zip(requests, tickets, strict=True)
            if ticket.outcome is not None
        ]

    def stream(self) -> PaliGemmaStream[Any]:
        """A stream of requests, see :class:`docai.models.engine.Stream`; several share the slots."""
        return PaliGemmaStream(self)

    def close(self) -> None:
        """Give the memory of all slots back; that of the weights goes with the engine itself.

        What is not answered yet becomes an error. The next request takes the memory again.
        """
        self._dispatcher.close()
        if self._model.device.type == "cuda":
            torch.cuda.empty_cache()

    def _ticket(self, request: Request) -> Ticket:
        self._check(request)
        head = request.head
        constraint = self._constraint(head)
        if head.decoding.num_beams > 1:
            return Ticket(partial(self._search, request))
        return Ticket(
            Job(
                pixels=partial(self._inputs.pixels, request.image),
                prompt=self._inputs.prompt(head.prompt),
                budget=self._budget(request),
                decoding=head.decoding,
                constraint=constraint,
                adapter=head.name if head.name in self._adapter_ids else None,
                draft=self._inputs.answer(request.draft) if request.draft and self._uses_drafts else (),
                deadline=request.deadline,
                causal_prompt=self._heads[head.name].causal_prompt,
                picture=hashlib.sha256(request.image.tobytes()).digest(),
            )
        )

    def _search(self, request: Request) -> Answer:
        """The answer to one request by beam search."""
        from docai.models.beams import search

        head = request.head
        inputs = encode_prompts(
            self._processor,
            [head.prompt],
            [request.image],
            like=self._model,
            causal_prompt=self._heads[head.name].causal_prompt,
        )
        n_prompt = inputs["input_ids"].shape[1]
        budget = min(self._budget(request), self._context - n_prompt)
        if budget < 1:
            raise no_room(n_prompt, self._context)
        seconds = None if request.deadline is None else request.deadline - time.monotonic()
        if seconds is not None and seconds <= 0:
            return Answer([], [], "deadline")
        if self._model.device.type != "cpu":
            # Its own cache takes the place of the slots.
            self._dispatcher.scheduler.release()
        with torch.inference_mode():
            self._select(head.name if head.name in self._adapter_ids else None)
            return search(
                self._model,
                inputs,
                budget,
                head.decoding,
                self._special_tokens,
                self._constraint(head),
                seconds,
            )

    def _check(self, request: Request) -> None:
        head = request.head
        if head.name not in self._heads:
            raise head_not_available(head.name, self._heads, self.checkpoint.id, self.base)
        check_crop(request, self.side)
        if request.max_tokens is not None and request.max_tokens < 1:
            raise GenerationError(f"max_tokens must be at least 1, but is {request.max_tokens}.")

    def _budget(self, request: Request) -> int:
        limits = (request.head.max_tokens, self._heads[request.head.name].max_tokens)
        own = round(request.stretch * min(limit for limit in limits if limit is not None))
        return own if request.max_tokens is None else min(own, request.max_tokens)

    def _constraint(self, head: Head) -> Constraint | None:
        """The grammar of a head whose decoding is constrained by its own settings or its weights."""
        if not (head.decoding.constrained or self._heads[head.name].constrained):
            return None
        if head.grammar is None:
            raise ConfigurationError(
                f"Constrained decoding was requested, but the head {head.name!r} has no grammar: "
                "set Head(grammar=...), or turn it off."
            )
        if self._constraints is None:
            from docai.models.constrained import Constraints

            self._constraints = Constraints(self._processor.tokenizer, self._special_tokens.ends)
        return self._constraints[head.grammar]

    def _generation(self, request: Request, answer: Answer | Exception) -> Generation:
        checkpoint = self._adapter_ids.get(request.head.name, self.checkpoint.id)
        if isinstance(answer, Exception):
            return replace(failed_generation(request, answer), checkpoint=checkpoint)
        tokens, logprobs = visible(answer, self._processor.tokenizer, self._special_tokens)
        return Generation(
            text="".join(tokens),
            finish_reason=answer.reason,
            tokens=tokens,
            logprobs=logprobs,
            checkpoint=checkpoint,
            prompt=request.head.prompt,
            calibration=self._heads[request.head.name].calibration,
        )

    def _select(self, adapter: str | None) -> None:
        """Activate an adapter for all rows, or none."""
        if self._adapters is None:
            return
        if isinstance(self._adapters, AdapterRows):
            self._adapters.select(torch.tensor([self._adapters.index(adapter)], device=self._model.device))
            return
        layers = self._adapters.base_model
        if adapter is None:
            layers.disable_adapter_layers()
        else:
            layers.enable_adapter_layers()
            self._adapters.set_adapter(adapter, inference_mode=True)


class PaliGemmaStream(Generic[K]):
    """Requests to one engine and their answers, as :class:`docai.models.engine.Stream` has it."""

    def __init__(self, engine: PaliGemmaEngine) -> None:
        self._engine = engine
        self._open: dict[Ticket, tuple[K, Request]] = {}

    def submit(self, requests: Iterable[tuple[K, Request]]) -> None:
        engine = self._engine
        opened = {engine._ticket(request): (key, request) for key, request in requests}
        self._open.update(opened)
        engine._dispatcher.submit(opened)

    def answers(self) -> Iterator[tuple[K, Generation]]:
        engine = self._engine
        while self._open:
            engine._dispatcher.wait(self._is_ready)
            for ticket in [one for one in tuple(self._open) if one.outcome is not None]:
                key, request = self._open.pop(ticket)
                assert ticket.outcome is not None
                yield key, engine._generation(request, ticket.outcome)

    def close(self) -> None:
        engine, tickets = self._engine, tuple(self._open)
        self._open.clear()
        engine._dispatcher.forget(tickets)

    def _is_ready(self) -> bool:
        return not self._open or any(ticket.outcome is not None for ticket in tuple(self._open))
