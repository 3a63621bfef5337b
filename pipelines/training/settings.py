"""How one head is fine-tuned."""

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
"""Crops per step of the optimiser."""

LORA_RATE: Final = 1e-4


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

_OTHER = Preset(steps=15_000, full_rate=1e-5, label_smoothing=0.0)
"""For a head of the caller's own."""


def preset_for(head: Head) -> Preset:
    """The paper's settings for ``head``, or cautious ones for a head that it does not have."""
    return PRESETS.get(head.name, _OTHER)


@dataclass(frozen=True)
class Recipe:
    """What a run is trained with, nothing left open."""

    steps: int
    batch: int
    accumulate: int
    learning_rate: float
    label_smoothing: float
    processes: int = 1
    """Each takes a batch of its own."""

    @property
    def step_size(self) -> int:
        """Crops per step."""
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
    """The recipe: what is given, and the head's preset for what is None.

    Without ``accumulate`` as many batches of all processes are one step as make :data:`STEP_SIZE` crops or
    more.
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
    """How one head is trained. What is None comes from :mod:`docai.pipelines.training.settings`."""

    steps: int | None = None
    """Steps of the optimiser in all, over every resumed part."""
    batch: int = 4
    """Pairs that go through the model at once."""
    accumulate: int | None = None
    """Batches per step; None makes 256 pairs a step, as in the paper."""
    learning_rate: float | None = None
    label_smoothing: float | None = None
    warmup_share: float = 0.05
    """Of the steps, in which the rate rises from 0; from big_vision, see the presets."""
    full: bool = False
    """Train all weights rather than a LoRA adapter."""
    rank: int = 16
    """Of the LoRA matrices; their scale, alpha, is twice that."""
    four_bit: bool = False
    """Hold the frozen base in 4 bits (nf4, by bitsandbytes, on a GPU): about half of its memory."""
    checkpointing: bool | None = None
    """Compute activations twice rather than keep them; None does so beside a GPU."""
    seed: int = 0
    """Of the adapter's start, the order of the pairs, and what is drawn."""
    device: str = "auto"
    max_tokens: int | None = None
    """Longest target, in tokens; None is the head's own limit."""
    difficulty: float = 1.0
    """Of drawn pairs, 0…1."""
    max_rejected: float = MAX_REJECTED
    """Share of the data, 0…1, that may be unusable before the run stops."""
    held_out: int = 100
    """Most pairs that are not trained on but measured by, 2 % of the data at most; 0 measures nothing."""
    measure_steps: int | None = None
    """Steps between two measurements; None measures ten times in all."""
    workers: int | None = None
    """Processes that prepare pairs; None is one per core, 8 at most, beside a GPU and none beside a CPU."""
    save_minutes: float = 10.0
    """Between two states that a run can go on from."""
    report_steps: int = 10

    def recipe(self, head: Head, processes: int = 1) -> Recipe:
        """What is trained with by that many processes, nothing left open.

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
            raise SettingError("A base in 4 bits cannot be trained in full; leave out one of the two.")
        return recipe


def _require(holds: bool, name: str, value: float, allowed: str) -> None:
    if not holds:
        raise SettingError(f"The setting {name} is {value:g}; it has to be {allowed}.")
