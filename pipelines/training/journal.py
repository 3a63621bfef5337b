"""What a run tells of itself: ``training.json``, and the card that is written from it.

Both are written after each state, so that a killed run has them too, and at the end. A resumed run keeps
the earlier parts: steps, pairs, time and machines add up over them.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from docai import surroundings
from docai.pipelines.training import folders
from docai.pipelines.training.best import Measured
from docai.pipelines.training.card import card_text
from docai.pipelines.training.keeper import MEASURED
from docai.pipelines.training.prepare import RunData
from docai.pipelines.training.ranks import Ranks
from docai.pipelines.training.states import writing

if TYPE_CHECKING:
    from transformers import TrainerState

Ended = Literal["running", "interrupted", "finished"]

_PACKAGES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes")
_MAX_LOSSES = 100


@dataclass(frozen=True)
class Part:
    """One call of the command, up to its last state."""

    started: str
    """UTC, ISO 8601."""
    from_step: int
    to_step: int
    pairs: int
    seconds: float
    """From the call, so checks and loading included."""
    processes: int
    hardware: str
    versions: Mapping[str, str]
    command: str | None
    """None where Python called."""
    peak_gpu_bytes: int | None
    """Of the main process."""
    ended: Ended
    """``running``: it was killed after this state."""


@dataclass
class Journal:
    """Writes ``training.json`` and ``README.md``. Make it when the training is called."""

    folder: Path
    about: Mapping[str, Any]
    """What does not change on the way: ``run``, ``head``, ``base``, ``settings``."""
    device: torch.device
    ranks: Ranks
    command: str | None
    data: RunData
    begun: float = field(default_factory=time.monotonic)
    """When the call began, by the monotonic clock."""
    pairs: Callable[[], int] = lambda: 0
    """Pairs of the steps taken in this part."""
    earlier: Sequence[Mapping[str, Any]] = ()
    from_step: int = 0
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def write(self, state: TrainerState, best: Measured | None, ended: Ended) -> None:
        """Write both files as things stand.

        Raises:
            SettingError: they cannot be written.
        """
        content = self._content(state, best, ended)
        with writing(self.folder / folders.RUN_FILE, self.folder):
            folders.write_json(self.folder / folders.RUN_FILE, content)
            folders.write_text(self.folder / folders.CARD_FILE, card_text(content))

    def _content(self, state: TrainerState, best: Measured | None, ended: Ended) -> dict[str, Any]:
        rows: list[dict[str, float]] = state.log_history
        losses = [{"step": row["step"], "loss": row["loss"]} for row in rows if "loss" in row]
        parts = self._parts(state, ended)
        held_out = self.data.held_out
        result = {
            "step": state.global_step,
            "ended": ended,
            "loss": losses[-1]["loss"] if losses else None,
            "n_train": len(self.data.train),
            "n_held_out": 0 if held_out is None else len(held_out),
            "n_rejected": len(self.data.rejected),
            "held_out": None if best is None else asdict(best),
            "pairs": sum(part["pairs"] for part in parts),
            "seconds": sum(part["seconds"] for part in parts),
        }
        return {
            **self.about,
            "data": {"split": self.data.split, "sources": [asdict(source) for source in self.data.sources]},
            "result": result,
            "curve": _curve(rows),
            "losses": losses[:: len(losses) // _MAX_LOSSES + 1],
            "parts": parts,
            "versions": versions(),
        }

    def _parts(self, state: TrainerState, ended: Ended) -> list[dict[str, Any]]:
        # A part that went on after its last state was killed; what it did from there is done again.
        parts = [dict(part) for part in self.earlier]
        if state.global_step == self.from_step and parts:
            # Nothing was left to do.
            return parts
        on_gpu = self.device.type == "cuda"
        own = Part(
            started=self.started,
            from_step=self.from_step,
            to_step=state.global_step,
            pairs=self.pairs(),
            seconds=round(time.monotonic() - self.begun, 1),
            processes=self.ranks.count,
            hardware=hardware(self.device, self.ranks.count),
            versions=versions(),
            command=self.command,
            peak_gpu_bytes=torch.cuda.max_memory_allocated(self.device) if on_gpu else None,
            ended=ended,
        )
        return [*parts, asdict(own)]


def earlier_parts(folder: Path) -> list[dict[str, Any]]:
    """The parts that ``training.json`` tells of; none where it does not, or cannot be read."""
    try:
        found = json.loads((folder / folders.RUN_FILE).read_text(encoding="utf-8"))["parts"]
        return [dict(part) for part in found]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def hardware(device: torch.device, count: int) -> str:
    """What a run used: ``4 x NVIDIA H200``, or ``CPU, x86_64, 8 cores``."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return f"{count} x {name}" if count > 1 else name
    return f"CPU, {platform.machine()}, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    """Of docai, Python and the packages that a result depends on, where they are installed."""
    return {name: found for name, found in surroundings.versions(_PACKAGES).items() if found is not None}


def _curve(rows: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """What was measured on the held-out pairs, by step; the last time of a step that was taken twice."""
    found: dict[float, dict[str, float]] = {}
    for row in rows:
        values = {
            name.removeprefix(MEASURED): value for name, value in row.items() if name.startswith(MEASURED)
        }
        if values:
            found[row["step"]] = {"step": row["step"], **values}
    return [found[step] for step in sorted(found)]
