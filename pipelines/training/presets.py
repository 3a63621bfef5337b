"""How each head is fine-tuned where the caller says nothing: PaliGemma 2's own settings.

Steps, rates, smoothing, longest answers, data and padding: Steiner et al. 2024, arXiv 2412.03555, appendix on
the transfer tasks. All of those were full fine-tunes with 256 crops a step:

========  =======  =====  =========  ==============  ============  =========================================
head      steps    rate   smoothing  longest answer  image         data
========  =======  =====  =========  ==============  ============  =========================================
text      15,000   1e-5   0.1        2,048           not told      ICDAR'15, Total-Text, MLT, HierText, …
table     15,000   1e-4   none       4,096           white square  PubTabNet and FinTabNet, bad ones dropped
molecule  30,000   1e-4   0.1        256             white square  1M PubChem molecules drawn by Indigo
score     30,000   1e-4   0.1        1,024           white square  GrandStaff, original and distorted
========  =======  =====  =========  ==============  ============  =========================================

The longest answers stand in :data:`docai.models.heads.HEADS`. Every head's crop is padded to a white square,
as for reading; for text that is docai's choice, the aspect of a letter being worth keeping.

Not in the paper, taken from big_vision's example for transfers (``configs/proj/paligemma/transfers/
forkme.py``): Adam, a cosine to zero after a warm-up of 5 % of the steps, gradients clipped at a norm of 1.
Its weight decay, 3e-7 a step, is left out: over a run it shrinks a weight by less than half a percent.

docai's own choice: the rate of a LoRA adapter, 1e-4 for every head, and its rank of 16 with a scale of 2. The
paper trained no adapters; one starts at zero and needs larger steps than whole weights do. No run on official
weights has tried it.
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
