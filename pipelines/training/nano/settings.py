"""How the embedded checkpoint is trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

NANO_MAX_TOKENS = {"table": 420, "molecule": 96, "score": 384, "text": 420}
"""Longest answer of each head of the embedded checkpoint, in tokens; the longest it is trained on."""


@dataclass(frozen=True)
class SliceSettings:
    """How the embedded checkpoint is trained. Times are wall-clock."""

    base: str | None = None
    """Checkpoint whose weights a first slice begins with; None: random ones."""
    total_minutes: float | None = None
    """Length of the whole schedule, over all slices. None: as the state says, or else this slice."""
    weights: Mapping[str, float] = field(
        default_factory=lambda: {"text": 0.3, "table": 0.25, "molecule": 0.25, "score": 0.2}
    )
    last_share: float = 0.04
    """Last share of the schedule, in which ``whole_share`` of the samples keep their white patches: that is
    what reading sees, at four times the price. Before it each white patch that is kept stands for many."""
    whole_share: float = 0.5
    learning_rate: float = 6e-4
    warmup_share: float = 0.03
    weight_decay: float = 0.05
    rebuild_steps: int = 100
    """Steps of a rising rate after a state without its optimiser, whose moments settle meanwhile."""
    batch_samples: int | None = None
    """None: 8 on a CPU, 256 on a GPU."""
    micro_tokens: int | None = None
    """Padded tokens, image and text, that go through the model at once. None: 1,024, 65,536 on a GPU."""
    symbol_weight: float = 1.0
    """Weight of the auxiliary task at the start; a quarter of it at the end."""
    pointer_weight: float = 0.3
    """Weight of the pointing head's loss: where to look is told, not only what is to be said there. Without
    it the decoder needs many times the samples to find the letters that the tower has read."""
    tower_share: float = 0.2
    """First share of the schedule in which only the tower learns, from the auxiliary task: the decoder has
    nothing to read before the tower tells symbols apart. Passed over where the start are the weights of a
    checkpoint."""
    report_minutes: float | None = None
    """None: 2 on a CPU, half a minute on a GPU."""
    first_difficulty: float = 0.3
    """Difficulty of the hardest samples at the start, 0…1. A picture there holds three times the letters of
    one at 0, at nearly the same price."""
    difficulty: float = 0.5
    """Difficulty of the hardest samples at the end."""
    difficulty_share: float = 0.7
    """Share of the schedule over which the difficulty grows."""
    reuse: float | None = None
    """How often a drawn sample is learnt from. None: 1.5; 4 on a GPU, which learns faster than is drawn."""
    seed: int = 1
    workers: int | None = None
    """Processes that draw. None: one a core on a GPU machine, else 1."""
    device: str = "auto"
    keep_optimizer: bool = True
    """False: the state is the weights alone, and there is no ``checkpoint/``: what a loan lets come back."""
    n_held_out: int = 6
    """Held-out samples of each head."""
    n_answered: int = 2
    """Of them, those that are answered at the end of a slice."""
    max_steps: int | None = None
    """Most steps of a slice, for rehearsals."""

    def on(self, device: torch.device) -> SliceSettings:
        """With what was left open filled in for a device."""
        gpu = device.type == "cuda"
        return replace(
            self,
            batch_samples=self.batch_samples or (256 if gpu else 8),
            micro_tokens=self.micro_tokens or (65_536 if gpu else 1_024),
            report_minutes=(0.5 if gpu else 2.0) if self.report_minutes is None else self.report_minutes,
            reuse=self.reuse or (4.0 if gpu else 1.5),
            workers=((os.cpu_count() or 1) if gpu else 1) if self.workers is None else self.workers,
        )
