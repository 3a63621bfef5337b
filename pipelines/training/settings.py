"""Settings of a fine-tuning, and the presets of each head: PaliGemma 2's own settings.

Steps, rates, smoothing, longest answers, data and padding are from Steiner et al. 2024, arXiv 2412.03555,
appendix on the transfer tasks. All of those were full fine-tunes with 256 crops per step:

========  =======  =====  =========  ==============  ============  =========================================
head      steps    rate   smoothing  longest answer  image         data
========  =======  =====  =========  ==============  ============  =========================================
text      15,000   1e-5   0.1        2,048           not stated    ICDAR'15, Total-Text, MLT, HierText, …
table     15,000   1e-4   none       4,096           white square  PubTabNet and FinTabNet, bad ones dropped
molecule  30,000   1e-4   0.1        256             white square  1M PubChem molecules drawn by Indigo
score     30,000   1e-4   0.1        1,024           white square  GrandStaff, original and distorted
========  =======  =====  =========  ==============  ============  =========================================

The longest answers are in :data:`docai.models.heads.HEADS`. The crop of every head is padded to a white
square, as for reading. For text that is docai's choice, because it keeps the aspect ratio of letters.

Not in the paper but from big_vision's example for transfers (``configs/proj/paligemma/transfers/forkme.py``):
Adam, a cosine to zero after a warm-up of 5 % of the steps, gradients clipped at a norm of 1. Its weight
decay, 3e-7 per step, is left out: over a run it shrinks a weight by less than half a percent.

docai's own choice: a rate of 1e-4 for the LoRA adapter of every head, and a rank of 16 with a scale of 2. The
paper trained no adapters. An adapter starts at zero and needs larger steps than whole weights do. No run on
official weights has tested this.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

from docai.errors import SettingError
from docai.models.heads import Head
from docai.pipelines.training.checks import MAX_REJECTED

STEP_SIZE: Final = 256
"""Crops per optimizer step."""

LORA_RATE: Final = 1e-4
"""Highest learning rate of a LoRA adapter."""


@dataclass(frozen=True)
class Preset:
    """The paper's settings for one head."""

    steps: int
    full_rate: float
    """Highest learning rate of a full fine-tune."""
    label_smoothing: float


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "text": Preset(steps=15_000, full_rate=1e-5, label_smoothing=0.1),
        "table": Preset(steps=15_000, full_rate=1e-4, label_smoothing=0.0),
        "molecule": Preset(steps=30_000, full_rate=1e-4, label_smoothing=0.1),
        "score": Preset(steps=30_000, full_rate=1e-4, label_smoothing=0.1),
    }
)

_DEFAULT_PRESET = Preset(steps=15_000, full_rate=1e-5, label_smoothing=0.0)
"""For a head that the paper does not have."""


def preset_for(head: Head) -> Preset:
    """The paper's settings for ``head``, or cautious ones for a head that it does not have."""
    return PRESETS.get(head.name, _DEFAULT_PRESET)


@dataclass(frozen=True)
class Recipe:
    """The settings of a run, with all defaults filled in."""

    steps: int
    batch: int
    accumulate: int
    learning_rate: float
    label_smoothing: float
    processes: int = 1
    """Each processes a batch of its own."""

    @property
    def step_size(self) -> int:
        """Crops per optimizer step."""
        return self.batch * self.accumulate * self.processes


def complete(
    head: Head,
    *,
    full: bool,
    batch: int,
    steps: int | None = None,
    accumulate: int | None = None,
    learning_rate: float | None = None,
    label_smoothing: float | None = None,
    processes: int = 1,
) -> Recipe:
    """The recipe: the given values, and those of the head's preset where a value is None.

    Without ``accumulate``, a step has as many batches as are needed for :data:`STEP_SIZE` crops over all
    processes.
    """
    preset = preset_for(head)
    rate = preset.full_rate if full else LORA_RATE
    return Recipe(
        steps=preset.steps if steps is None else steps,
        batch=batch,
        accumulate=math.ceil(STEP_SIZE / max(batch * processes, 1)) if accumulate is None else accumulate,
        learning_rate=rate if learning_rate is None else learning_rate,
        label_smoothing=preset.label_smoothing if label_smoothing is None else label_smoothing,
        processes=processes,
    )


@dataclass(frozen=True)
class AdapterSettings:
    """How one head is trained. None stands for the head's preset unless a field says otherwise."""

    steps: int | None = None
    """Optimizer steps in all, over every resumed part."""
    batch: int = 4
    """Pairs that go through the model at once."""
    accumulate: int | None = None
    """Batches per step; None: as many as make 256 pairs, as in the paper."""
    learning_rate: float | None = None
    label_smoothing: float | None = None
    warmup_share: float = 0.05
    """Share of the steps in which the rate rises from 0, as in big_vision."""
    full: bool = False
    """Train all weights rather than a LoRA adapter."""
    rank: int = 16
    """Rank of the LoRA matrices; their scale, alpha, is twice that."""
    causal_prompt: bool = False
    """The mask of servers, see :func:`docai.models.guards.make_prompt_causal`."""
    four_bit: bool = False
    """Load the frozen base in 4 bits (nf4 of bitsandbytes, GPU only): about half of its memory."""
    checkpointing: bool | None = None
    """Recompute activations instead of keeping them (gradient checkpointing); None: on a GPU only."""
    seed: int = 0
    """Seed of the first adapter weights, the order of the pairs, and the drawn pairs."""
    device: str = "auto"
    max_tokens: int | None = None
    """Longest target, in tokens; None is the head's own limit."""
    difficulty: float = 1.0
    """Difficulty of drawn pairs, 0…1."""
    max_rejected: float = MAX_REJECTED
    """Share of the data, 0…1, that may be unusable; above it the run stops."""
    held_out: int = 100
    """Pairs held out of training to measure with, at most 2 % of the data; 0 measures nothing."""
    measure_steps: int | None = None
    """Steps between two measurements; None: ten measurements in all."""
    workers: int | None = None
    """Processes that load or draw pairs; None: one per core, at most 8, on a GPU and none on a CPU."""
    save_minutes: float = 10.0
    """Minutes between two saved training states."""
    report_steps: int = 10
    """Steps between two progress lines."""

    def recipe(self, head: Head, processes: int = 1) -> Recipe:
        """The recipe for that many processes.

        Raises:
            SettingError: a setting cannot be used.
        """
        recipe = complete(
            head,
            full=self.full,
            batch=self.batch,
            steps=self.steps,
            accumulate=self.accumulate,
            learning_rate=self.learning_rate,
            label_smoothing=self.label_smoothing,
            processes=processes,
        )
        numbers = asdict(recipe)
        for name in ("steps", "batch", "accumulate", "learning_rate"):
            _require(numbers[name] > 0, name, numbers[name], "above 0")
        _require(self.rank > 0, "rank", self.rank, "above 0")
        _require(0 <= recipe.label_smoothing < 1, "label_smoothing", recipe.label_smoothing, "0 to below 1")
        _require(0 <= self.max_rejected <= 1, "max_rejected", self.max_rejected, "0 to 1")
        _require(self.held_out >= 0, "held_out", self.held_out, "0 or more")
        _require(self.measure_steps is None or self.measure_steps > 0, "measure_steps", 0, "above 0")
        if self.full and self.four_bit:
            raise SettingError("A base in 4 bits cannot be trained in full: leave out --four-bit or --full.")
        return recipe


def _require(holds: bool, name: str, value: float, allowed: str) -> None:
    if not holds:
        raise SettingError(f"The setting {name} is {value:g}; it has to be {allowed}.")
