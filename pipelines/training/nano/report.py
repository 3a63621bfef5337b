"""The log of a training: one JSON line a report."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from docai.pipelines.training.nano.state import Progress
from docai.surroundings import processor, versions

if TYPE_CHECKING:
    import torch

    from docai.pipelines.training.nano.feed import Feed


class Reporter:
    """Means since the last report: losses, samples a second, the share of the time spent waiting for data."""

    def __init__(self, log: Path, say: Callable[[str], None], device: torch.device) -> None:
        self._log, self._say, self._device = log, say, device
        self._sums: dict[str, torch.Tensor] = {}
        self._steps = self._samples = 0
        self._waited = 0.0
        self.last = time.monotonic()

    def add(self, losses: Mapping[str, torch.Tensor], samples: int) -> None:
        """One step's losses, which stay on their device until they are reported."""
        for name, value in losses.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._steps += 1
        self._samples += samples

    def write(self, progress: Progress, feed: Feed, **figures: object) -> None:
        """A line for the log, and one for people. ``figures`` are added as they are."""
        means = {name: value.item() / self._steps for name, value in self._sums.items()}
        seconds = max(time.monotonic() - self.last, 1e-6)
        row: dict[str, object] = {
            **asdict(progress),
            "drawn": feed.n_drawn,
            "samples_per_second": round(self._samples / seconds, 2),
            "waiting_share": round((feed.waited - self._waited) / seconds, 4),
            **means,
            **figures,
        }
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps({**row, **self._machine()}) + "\n")
        self._say(" ".join(f"{k}={v:.3f}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()))
        self._sums, self._steps, self._samples = {}, 0, 0
        self._waited, self.last = feed.waited, time.monotonic()

    def _machine(self) -> dict[str, object]:
        import torch

        name = torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else processor()
        return {
            "hardware": name,
            "cores": os.cpu_count(),
            "versions": versions(("torch", "transformers", "numpy")),
        }
