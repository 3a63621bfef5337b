"""Settings of the training of the embedded checkpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

NANO_MAX_TOKENS = {"table": 420, "molecule": 96, "score": 384, "text": 420}
"""Longest answer of each head of the embedded checkpoint, in tokens; longer ones are not trained on."""


@dataclass(frozen=True)
class NanoSettings:
    """Settings of a session. Times are wall-clock. :meth:`on` fills in what is None by the device."""

    base: str | None = None
    """Checkpoint whose weights the first session starts from; None: random weights."""
    total_minutes: float | None = None
    """Length of the whole schedule, over all sessions. None: that of the saved state, or else of this
    session."""
    weights: Mapping[str, float] = field(
        default_factory=lambda: {"text": 0.3, "table": 0.25, "molecule": 0.25, "score": 0.2}
    )
    last_share: float = 0.04
    """Last share of the schedule, in which ``whole_share`` of the samples keep all white patches, as in
    reading, at four times the cost. Before, each white patch that is kept stands for many."""
    whole_share: float = 0.5
    """Share of those samples, 0…1."""
    learning_rate: float = 6e-4
    warmup_share: float = 0.03
    weight_decay: float = 0.05
    muon: bool = True
    """The matrices of the layers are trained by Muon, all else by AdamW; False: all by AdamW."""
    average_decay: float | None = 0.998
    """Of the running average of the weights, per step, which is measured and shipped; None: the last weights
    are."""
    rebuild_steps: int = 100
    """Steps of a rising rate after resuming from a state without optimizer, while its moments are rebuilt."""
    batch_samples: int | None = None
    """Samples per step. None: 8 on a CPU, 256 on a GPU."""
    micro_tokens: int | None = None
    """Padded tokens, image and text, that go through the model at once. None: 1,024; 65,536 on a GPU."""
    symbol_weight: float = 1.0
    """Weight of the auxiliary task at the start; it falls to a quarter of that at the end."""
    pointer_weight: float = 0.3
    """Weight of the loss of the pointing head, which is taught where to look. Without it the decoder needs
    many times the samples to find the letters that the tower has recognized."""
    tower_share: float = 0.2
    """First share of the schedule, in which only the tower learns, from the auxiliary task: before the tower
    distinguishes symbols the decoder has nothing to read. Skipped where the training starts from a
    checkpoint."""
    report_minutes: float | None = None
    """Minutes between two lines of progress. None: 2 on a CPU, 0.5 on a GPU."""
    first_difficulty: float = 0.3
    """Difficulty of the hardest samples at the start, 0…1. At the default a picture has three times the
    letters of one at 0, at nearly the same cost."""
    difficulty: float = 0.5
    """Difficulty of the hardest samples at the end."""
    difficulty_share: float = 0.7
    """Share of the schedule over which the difficulty grows."""
    reuse: float | None = None
    """How often a drawn sample is used. None: 1.5; 4 on a GPU, which learns faster than the CPUs draw."""
    seed: int = 1
    workers: int | None = None
    """Processes that draw. None: one per core beside a GPU, else 1."""
    device: str = "auto"
    keep_optimizer: bool = True
    """False: only the weights are saved, and no ``checkpoint/``, where little can be carried back."""
    n_held_out: int = 6
    """Held-out samples per head."""
    n_answered: int = 2
    """Of them, those that are answered at the end of a session."""
    max_steps: int | None = None
    """Most steps of a session, for tests."""

    def on(self, device: torch.device) -> NanoSettings:
        """The settings with every None filled in for a device, but ``total_minutes`` and ``max_steps``."""
        gpu = device.type == "cuda"
        return replace(
            self,
            batch_samples=self.batch_samples or (256 if gpu else 8),
            micro_tokens=self.micro_tokens or (65_536 if gpu else 1_024),
            report_minutes=(0.5 if gpu else 2.0) if self.report_minutes is None else self.report_minutes,
            reuse=self.reuse or (4.0 if gpu else 1.5),
            workers=((os.cpu_count() or 1) if gpu else 1) if self.workers is None else self.workers,
        )
