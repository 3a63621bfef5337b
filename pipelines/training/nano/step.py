"""One training step of the embedded checkpoint: model and optimizer, losses, learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from docai.models.loading import has_bfloat16
from docai.pipelines.synthesis.base import BINS
from docai.pipelines.training.nano.feed import n_symbols
from docai.pipelines.training.nano.model import WIDTH
from docai.pipelines.training.nano.patches import (
    SUBCELLS,
    SparseSample,
    collate,
    decode,
    encode_patches,
)

if TYPE_CHECKING:
    import torch
    from torch.optim.swa_utils import AveragedModel
    from transformers import PaliGemmaForConditionalGeneration, PaliGemmaProcessor

    _Tensors = tuple[torch.Tensor, ...] | list[torch.Tensor]

LOCATION_SPREAD = 1.5
"""Standard deviation, in bins, of the target distribution of a location."""
LOCATION_WEIGHT = 0.4
"""Weight of a location in the loss; a letter has 1."""
_PLAIN_ATTENTION = "docai_lean"


@dataclass
class Learner:
    """Model, head of the auxiliary task, and optimizers: all that a step changes."""

    model: PaliGemmaForConditionalGeneration
    symbols: torch.nn.Linear
    """The head of the auxiliary task, which classifies the symbol in each quarter of a patch."""
    optimizers: tuple[torch.optim.Optimizer, ...]
    """Each weight is of one of them."""
    device: torch.device
    first_location: int
    """Token id of ``<loc0000>``; the others follow."""
    has_lost_moments: bool = False
    """The state that was loaded has moments of another optimizer."""
    average: AveragedModel | None = None
    """The running average of the weights, which is measured and shipped; None: the model itself is."""

    @classmethod
    def create(
        cls,
        model: PaliGemmaForConditionalGeneration,
        processor: PaliGemmaProcessor,
        device: torch.device,
        *,
        learning_rate: float,
        weight_decay: float,
        muon: bool = False,
        average_decay: float | None = None,
    ) -> Learner:
        """A new head and optimizers for a model, all on a device.

        Args:
            muon: the matrices of the layers are trained by Muon (Jordan et al. 2024; its steps scaled to the
                size of AdamW's, arXiv 2502.16982), all else by AdamW; False: all by AdamW.
            average_decay: of the running average of the weights, per step; None: there is none.
        """
        import torch
        from torch.optim.swa_utils import AveragedModel

        symbols = torch.nn.Linear(WIDTH, SUBCELLS * SUBCELLS * n_symbols())
        model.to(device)  # type: ignore[arg-type]
        symbols.to(device)
        _set_attention(model, _register_plain_attention() if device.type == "cpu" else "sdpa")
        matrices = _layer_matrices(model) if muon else []
        in_layers = {id(matrix) for matrix in matrices}
        others = [weight for weight in model.parameters() if id(weight) not in in_layers]
        optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(
                [*others, *symbols.parameters()],
                lr=learning_rate,
                betas=(0.9, 0.98),
                weight_decay=weight_decay,
                fused=True,
            )
        ]
        if matrices:
            optimizers.append(
                torch.optim.Muon(
                    matrices, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
                )
            )
        first_location = processor.tokenizer.convert_tokens_to_ids("<loc0000>")
        learner = cls(model, symbols, tuple(optimizers), device, first_location)
        if average_decay is not None:
            learner.average = AveragedModel(model, multi_avg_fn=_running_average(average_decay))
        return learner

    @property
    def shipped(self) -> PaliGemmaForConditionalGeneration:
        """The model that is measured and shipped: the running average, where there is one."""
        # Before the first step there is nothing to average.
        if self.average is None or not self.average.n_averaged:
            return self.model
        return cast("PaliGemmaForConditionalGeneration", self.average.module)

    def moments_of(self, parameter: torch.nn.Parameter) -> Mapping[str, torch.Tensor]:
        """What its optimizer knows of a weight, by name; nothing before the first step."""
        return next(
            (optimizer.state[parameter] for optimizer in self.optimizers if parameter in optimizer.state), {}
        )

    def optimizer_of(self, parameter: torch.nn.Parameter) -> torch.optim.Optimizer:
        """The optimizer that trains a weight."""
        return next(
            optimizer
            for optimizer in self.optimizers
            for group in optimizer.param_groups
            if any(parameter is one for one in group["params"])
        )

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next step."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def autocast(self) -> torch.autocast:
        """Matrix products in bf16 where the device supports it; all in fp32 elsewhere."""
        import torch

        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=has_bfloat16(self.device))

    @contextmanager
    def stock_attention(self) -> Iterator[None]:
        """The shipped model with stock attention, which generation needs."""
        before = self.shipped.model.language_model.config._attn_implementation
        _set_attention(self.shipped, "sdpa")
        try:
            yield
        finally:
            _set_attention(self.shipped, before)


def _running_average(decay: float) -> Callable[[_Tensors, _Tensors, torch.Tensor | int], None]:
    """How an average takes new weights: it keeps less of the first ones, so that it does not hang on them."""
    import torch

    def update(averaged: _Tensors, current: _Tensors, n_averaged: torch.Tensor | int) -> None:
        n_steps = int(n_averaged)
        share = 1.0 - min(decay, (1 + n_steps) / (10 + n_steps))
        with torch.no_grad():
            torch._foreach_lerp_(averaged, current, share)

    return update


def _layer_matrices(model: PaliGemmaForConditionalGeneration) -> list[torch.nn.Parameter]:
    """The matrices of the layers of the tower and the decoder: all weights that map one state to another."""
    layers: Any = (*model.model.vision_tower.encoder.layers, *model.model.language_model.layers)
    return [weight for layer in layers for weight in layer.parameters() if weight.ndim == 2]


def _set_attention(model: PaliGemmaForConditionalGeneration, name: str) -> None:
    model.model.language_model.config._attn_implementation = name
    model.model.vision_tower.config._attn_implementation = name


def _register_plain_attention() -> str:
    """Register a plain attention that stays in bf16 with transformers; returns its name.

    On a CPU the fused kernel takes three times as long, since its backward pass with a mask is slow there,
    and transformers' own plain attention converts the scores to fp32 and back.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(_PLAIN_ATTENTION, _attend)
    return _PLAIN_ATTENTION


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **unused: object,
) -> tuple[torch.Tensor, None]:
    """An attention function as transformers calls it. ``unused`` are dropout and soft caps."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = (query * scaling) @ key.transpose(2, 3)
    if attention_mask is not None:
        scores = scores + attention_mask.to(scores.dtype)
    return (scores.softmax(dim=-1) @ value).transpose(1, 2).contiguous(), None


@dataclass(frozen=True)
class Weights:
    """Weights of the losses in one step."""

    symbol: float
    pointer: float
    tower_only: bool = False
    """Whether the decoder is neither run nor changed."""


def training_step(
    learner: Learner,
    samples: Sequence[SparseSample],
    micro_tokens: int,
    weights: Weights,
    generator: np.random.Generator,
) -> dict[str, torch.Tensor]:
    """One optimizer step over ``samples``, in micro-batches of similar length.

    Returns mean losses as scalars on the device: reading them waits for the step, so only reports do.
    """
    import torch

    model, device = learner.model, learner.device
    for optimizer in learner.optimizers:
        optimizer.zero_grad(set_to_none=True)
    batches = [collate(group, generator) for group in micro_batches(samples, micro_tokens)]
    n_targets = sum(len(sample.suffix) for sample in samples)
    n_marks = max(1, sum(int((batch.symbols > 0).sum()) for batch in batches))
    n_empty = max(1, sum(int((batch.symbols == 0).sum()) for batch in batches))
    n_shown = max(1, sum(int((sample.pointers >= 0).sum()) for sample in samples))
    names = ("symbol",) if weights.tower_only else ("symbol", "answer", "pointer")
    totals = {name: torch.zeros((), device=device) for name in names}
    for batch in (batch.to(device) for batch in batches):
        attention: list[torch.Tensor] = []
        with learner.autocast():
            features = encode_patches(model, batch)
            symbol_logits = learner.symbols(features.flatten(0, 1)[batch.auxiliary])
            if not weights.tower_only:
                hidden = decode(model, batch, features, attention)
                logits = model.lm_head(hidden.flatten(0, 1)[batch.labeled])
        losses = torch.nn.functional.cross_entropy(
            symbol_logits.float().view(-1, n_symbols()), batch.symbols.flatten(), reduction="none"
        )
        # Most quarters are empty: all of them together weigh 0.3 times as much as the symbols.
        empty = batch.symbols.flatten() == 0
        symbol = (losses * torch.where(empty, 0.3 * n_marks / n_empty, 1.0)).sum() / n_marks
        loss: torch.Tensor = weights.symbol * symbol
        totals["symbol"] += symbol.detach()
        if not weights.tower_only:
            answer_sum = answer_loss(logits, batch.labels.flatten()[batch.labeled], learner.first_location)
            pointer_sum = pointer_loss(attention[0], batch.pointers)
            loss = loss + answer_sum / n_targets + weights.pointer * pointer_sum / n_shown
            totals["answer"] += answer_sum.detach() / n_targets
            totals["pointer"] += pointer_sum.detach() / n_shown
        loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in learner.optimizers:
        optimizer.step()
    if learner.average is not None:
        learner.average.update_parameters(model)
    return totals


def answer_loss(logits: torch.Tensor, labels: torch.Tensor, first_location: int) -> torch.Tensor:
    """Sum of the cross entropies of N tokens: logits ``(N, vocabulary)``, labels ``(N,)``.

    A location may be off by a bin or two: its target is spread over the neighboring bins, and it has less
    weight than a letter. With a single right bin of 1024, a model learns mostly coordinates.
    """
    import torch

    log_probs = logits.float().log_softmax(dim=-1)
    last = first_location + BINS - 1
    is_location = (labels >= first_location) & (labels <= last)
    exact = -log_probs.gather(1, labels.unsqueeze(1)).squeeze(1)
    offsets = torch.arange(-4, 5, device=labels.device)
    spread = (-0.5 * (offsets / LOCATION_SPREAD) ** 2).softmax(dim=0)
    around = (labels.unsqueeze(1) + offsets).clamp(first_location, last)
    near = -(log_probs.gather(1, around) * spread).sum(dim=1)
    return torch.where(is_location, LOCATION_WEIGHT * near, exact).sum()


def pointer_loss(attention: torch.Tensor, pointers: torch.Tensor) -> torch.Tensor:
    """Sum over the tokens with a pointer of -log of the attention, ``(B, T, K)``, to the patch pointed at."""
    at_pointer = attention.float().gather(2, pointers.clamp(min=0).unsqueeze(2)).squeeze(2)
    log_attention = at_pointer.clamp(min=1e-6).log()
    return -log_attention.masked_fill(pointers < 0, 0.0).sum()


def micro_batches(samples: Sequence[SparseSample], tokens: int) -> list[list[SparseSample]]:
    """Group samples of similar length, each group at most ``tokens`` long when padded."""
    groups: list[list[SparseSample]] = []
    longest = 0
    for sample in sorted(samples, key=lambda item: item.length):
        longest = max(longest, sample.length)
        if groups and (len(groups[-1]) + 1) * longest <= tokens:
            groups[-1].append(sample)
        else:
            groups.append([sample])
            longest = sample.length
    return groups


def learning_rate_at(share: float, *, peak: float, warmup: float) -> float:
    """The rate after ``share`` of the schedule: linear warm-up, then a cosine to a hundredth of ``peak``."""
    if share < warmup:
        return peak * max(share / warmup, 0.02)
    done = (share - warmup) / (1.0 - warmup)
    return peak * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done))))
