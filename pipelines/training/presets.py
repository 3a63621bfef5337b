"""How each head is fine-tuned where the caller says nothing: PaliGemma 2's own settings.

Source: arXiv 2412.03555, appendix on tasks. All of those were full fine-tunes with 256 crops a step:

========  =======  =====  =========  ==============  =======================================
head      steps    rate   smoothing  longest answer  data
========  =======  =====  =========  ==============  =======================================
text      15,000   1e-5   0.1        2,048           ICDAR'15, Total-Text, HierText, …
table     15,000   1e-4   none       4,096           PubTabNet and FinTabNet
molecule  30,000   1e-4   0.1        256             1M PubChem molecules drawn by Indigo
score     30,000   1e-4   0.1        1,024           GrandStaff, original and distorted
========  =======  =====  =========  ==============  =======================================

The longest answers are those of :data:`docai.models.heads.HEADS`. The paper trained no LoRA adapters; for
them the rate is docai's own choice, 1e-4 for every head: an adapter starts at zero and needs larger steps
than whole weights do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from docai.models.heads import Head

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

    @property
    def step_size(self) -> int:
        """Crops per step."""
        return self.batch * self.accumulate


def complete(
    head: Head,
    *,
    full: bool,
    batch: int,
    steps: int | None = None,
    accumulate: int | None = None,
    learning_rate: float | None = None,
    label_smoothing: float | None = None,
) -> Recipe:
    """The recipe: what is given, and the head's preset for what is None.

    Without ``accumulate`` as many batches are one step as make :data:`STEP_SIZE` crops or more.
    """
    preset = preset_for(head)
    rate = preset.full_rate if full else LORA_RATE
    return Recipe(
        steps=preset.steps if steps is None else steps,
        batch=batch,
        accumulate=math.ceil(STEP_SIZE / max(batch, 1)) if accumulate is None else accumulate,
        learning_rate=rate if learning_rate is None else learning_rate,
        label_smoothing=preset.label_smoothing if label_smoothing is None else label_smoothing,
    )
