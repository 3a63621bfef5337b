"""Training of the embedded checkpoint in slices that stop by the clock and resume where they stopped."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from docai.environment import processor, versions
from docai.errors import CheckpointError, SettingError
from docai.models.checkpoints import find_checkpoint
from docai.models.devices import choose_device
from docai.pipelines.training.nano.feed import Feed, FeedSettings, Renderers, Source
from docai.pipelines.training.nano.measure import HeldOut, exact_answers, held_out, token_accuracy
from docai.pipelines.training.nano.model import build_model, build_processor, save_checkpoint
from docai.pipelines.training.nano.patches import cut_patches, has_ink
from docai.pipelines.training.nano.settings import NANO_MAX_TOKENS, SliceSettings
from docai.pipelines.training.nano.state import (
    Found,
    Progress,
    find_state,
    load_state,
    require_state,
    save_state,
)
from docai.pipelines.training.nano.step import Learner, Weights, learning_rate_at, training_step

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from transformers import PaliGemmaProcessor


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


def start_from(base: str, learner: Learner, processor: PaliGemmaProcessor) -> Progress:
    """Fill the learner's model with the weights of ``base``, a checkpoint of the same architecture.

    The head of the auxiliary task is not part of a checkpoint. It starts at zero, where it asks nothing of
    the tower before it has learnt something itself.

    Raises:
        UnknownModelError: there is no such checkpoint.
        CheckpointError: it is damaged, or of another architecture or vocabulary.
    """
    import torch

    from docai.models.loading import load_base, load_processor

    checkpoint = find_checkpoint(base)
    weights = load_base(checkpoint, torch.float32).state_dict()
    vocabulary = load_processor(checkpoint).tokenizer.get_vocab()
    own = learner.model.state_dict()
    other = [name for name in own.keys() | weights.keys() if _shape(own, name) != _shape(weights, name)]
    if other or vocabulary != processor.tokenizer.get_vocab():
        what = f"{len(other)} tensors differ, such as {min(other)}" if other else "its vocabulary differs"
        raise CheckpointError(
            f"{base} is of another architecture than nano: {what}. `docai train nano --base` takes nano and "
            "what was trained from it; `docai train HEAD --base` takes any PaliGemma 2."
        )
    learner.model.load_state_dict(weights)
    torch.nn.init.zeros_(learner.symbols.weight)
    torch.nn.init.zeros_(learner.symbols.bias)
    found = re.fullmatch(r"step-(\d+)", checkpoint.revision)
    return Progress(step=int(found[1]) if found else 0, base=checkpoint.id)


def _shape(weights: dict[str, torch.Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(weights[name].shape) if name in weights else None


SAVE_SECONDS = 240.0

_FIRST_GUESS = 5.0
"""Seconds that saving, and measuring, are taken to need before they were done once."""


def train_slice(
    folder: Path,
    minutes: float,
    settings: SliceSettings,
    report: Callable[[str], None],
    *,
    source: Source | None = None,
    resume: Path | None = None,
) -> Progress:
    """Train for ``minutes``, the start and the end included, or to the end of the schedule.

    Goes on from the state in ``resume``, which has to have one, or in ``folder``, where there is one; else
    begins with the weights of ``settings.base``, or with random ones. Writes
    to ``folder``: ``state/`` (see :mod:`.state`), ``log.jsonl`` (one line a report) and ``checkpoint/`` (a
    folder that ``process(model=…)`` takes), at the end of the slice and every four minutes.

    Raises:
        DeviceError: the device is not there.
        SettingError: ``resume`` holds no state, or ``minutes`` are too short to take a step and save it.
        UnknownModelError: there is no checkpoint ``settings.base``.
        CheckpointError: the state is damaged, the base is not one of nano's, or the disk took no more of the
            new state.
    """
    import torch

    began = time.monotonic()
    device = choose_device(settings.device)
    found = find_state(folder) if resume is None else require_state(resume)
    total = settings.total_minutes or (found.total_minutes if found else None) or minutes
    settings = replace(settings.on(device), total_minutes=total)
    source = source or Renderers()
    torch.manual_seed(settings.seed)
    processor = build_processor()
    fresh = found is None and settings.base is None
    model = build_model(processor, patch_statistics(source, settings.seed) if fresh else None)
    learner = Learner.of(
        *(model, processor, device),
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
    )
    if found:
        progress = load_state(found, learner)
    else:
        progress = start_from(settings.base, learner, processor) if settings.base else Progress()
    measured = held_out(
        source, processor, settings.seed, count=settings.n_held_out, n_answered=settings.n_answered
    )
    clock = _Clock(began, 60 * minutes)
    clock.check()
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(folder, settings, learner, processor, measured, progress, clock)
    run.rebuilding = settings.rebuild_steps if found and not found.has_optimizer else 0
    notes = _notes(found, run.rebuilding)
    feed_settings = FeedSettings(
        {head: settings.weights.get(head, 0.0) for head in source.heads()},
        seed=settings.seed,
        start=progress.samples,
        max_text_tokens=max(NANO_MAX_TOKENS.values()),
        source=source,
    )
    reporter = Reporter(folder / "log.jsonl", report, device)
    with Feed(feed_settings, workers=settings.workers or 0, reuse=settings.reuse or 1.0) as feed:
        run.go(feed, reporter, notes)
    return run.progress


def _notes(found: Found | None, rebuilding: int) -> dict[str, object]:
    """What the first line of the log of a slice says of the state that it went on from."""
    notes: dict[str, object] = {}
    if rebuilding:
        notes["optimizer"] = f"not kept: rebuilt over {rebuilding} steps of a rising rate"
    if found and found.rounding:
        notes["weights"] = f"kept in bf16: up to {found.rounding:.2%} off"
    return notes


@dataclass
class _Clock:
    """What is left of a slice's time. Seconds."""

    began: float
    length: float
    measuring: float = _FIRST_GUESS
    saving: float = _FIRST_GUESS
    step: float = 0.0
    """The longest step so far."""

    @property
    def answering(self) -> float:
        """What answering whole squares at the end may take."""
        return min(45.0, 0.1 * self.length)

    @property
    def left(self) -> float:
        return self.began + self.length - time.monotonic()

    @property
    def reserve(self) -> float:
        """What the end takes, and the step before it."""
        return 1.3 * (self.measuring + self.saving) + self.answering + self.step

    def check(self) -> None:
        """Raise where nothing is left to train in."""
        if self.left > self.reserve:
            return
        needed = (1.2 * (self.length - self.left) + 1.5 * self.reserve) / 60
        raise SettingError(
            f"{self.length / 60:g} minutes are too short: {self.length - self.left:.0f} s went by before the "
            f"first step, and measuring and saving may take {self.reserve:.0f} s; give at least "
            f"{max(1.0, needed):.0f} to --minutes."
        )


@dataclass
class _Run:
    """One slice at work."""

    folder: Path
    settings: SliceSettings
    learner: Learner
    processor: PaliGemmaProcessor
    measured: HeldOut
    progress: Progress
    clock: _Clock
    rebuilding: int = 0
    """Steps of a rising rate that are left."""

    def go(self, feed: Feed, reporter: Reporter, notes: dict[str, object]) -> None:
        """Steps until the time, the schedule or the patience of a person is over; saves in any case."""
        progress, settings = self.progress, self.settings
        generator = np.random.default_rng((settings.seed, progress.samples))
        started, begun = time.monotonic(), progress.minutes
        first, last_save = progress.step, started
        progress.interrupted = True
        figures: dict[str, object] = {}
        try:
            self.learner.model.train()
            while (
                self.clock.left > self.clock.reserve
                and progress.minutes < self.total
                and (settings.max_steps is None or progress.step - first < settings.max_steps)
            ):
                before = time.monotonic()
                self._step(feed, reporter, generator)
                now = time.monotonic()
                self.clock.step = max(self.clock.step, now - before)
                progress.minutes = begun + (now - started) / 60
                if now - reporter.last > 60 * (settings.report_minutes or 0.0):
                    reporter.write(progress, feed, **self._figures(), **notes)
                    notes = {}
                if time.monotonic() - last_save > SAVE_SECONDS:
                    self.save()
                    last_save = time.monotonic()
            progress.interrupted = False
            if progress.step > first:
                figures = self._figures()
                figures |= exact_answers(
                    *(self.learner, self.processor, self.measured.whole, NANO_MAX_TOKENS),
                    seconds=min(self.clock.answering, self.clock.left - 1.3 * self.clock.saving),
                )
        except KeyboardInterrupt:
            pass
        self.save()
        if progress.step > first:
            reporter.write(progress, feed, **figures, **notes)

    @property
    def total(self) -> float:
        assert self.settings.total_minutes is not None
        return self.settings.total_minutes

    def _step(self, feed: Feed, reporter: Reporter, generator: np.random.Generator) -> None:
        settings, progress = self.settings, self.progress
        share = progress.minutes / self.total
        feed.set_difficulty(self.difficulty)
        feed.set_whole(settings.whole_share if share > 1.0 - settings.last_share else 0.0)
        rate = learning_rate_at(share, peak=settings.learning_rate, warmup=settings.warmup_share)
        if self.rebuilding:
            rate *= 1.0 - self.rebuilding / (settings.rebuild_steps + 1)
            self.rebuilding -= 1
        for group in self.learner.optimizer.param_groups:
            group["lr"] = rate
        assert settings.batch_samples is not None
        assert settings.micro_tokens is not None
        weights = Weights(
            symbol=settings.symbol_weight * (1.0 - 0.75 * share),
            pointer=settings.pointer_weight,
            tower_only=progress.base is None and share < settings.tower_share,
        )
        samples = feed.take(settings.batch_samples)
        reporter.add(
            training_step(self.learner, samples, settings.micro_tokens, weights, generator), len(samples)
        )
        progress.step += 1
        progress.samples += len(samples)

    @property
    def difficulty(self) -> float:
        """Of the hardest samples now."""
        settings = self.settings
        grown = min(1.0, self.progress.minutes / self.total / settings.difficulty_share)
        return settings.first_difficulty + (settings.difficulty - settings.first_difficulty) * grown

    def _figures(self) -> dict[str, object]:
        began = time.monotonic()
        accuracy = token_accuracy(self.learner, self.measured.cut, self.settings.micro_tokens or 2_048)
        self.clock.measuring = time.monotonic() - began
        return {"difficulty": round(self.difficulty, 3), **accuracy}

    def save(self) -> None:
        """The state, and the checkpoint unless only what can be carried is kept."""
        began = time.monotonic()
        save_state(
            *(self.folder, self.learner, self.progress),
            total_minutes=self.total,
            keep_optimizer=self.settings.keep_optimizer,
        )
        if self.settings.keep_optimizer:
            save_checkpoint(
                *(self.learner.model, self.processor, self.folder / "checkpoint"),
                name="nano",
                revision=f"step-{self.progress.step}",
                max_tokens=NANO_MAX_TOKENS,
            )
        self.clock.saving = time.monotonic() - began


def patch_statistics(source: Source, seed: int, *, samples_per_head: int = 48) -> NDArray[np.uint8]:
    """Patches with ink of easy samples of every head, ``(N, 784)``."""
    import random

    found = []
    for head in source.heads():
        rng = random.Random(f"patches/{seed}/{head}")
        for _ in range(samples_per_head):
            patches = cut_patches(source.draw(head, rng, 0.3).image)
            found.append(patches[has_ink(patches)])
    return np.concatenate(found)
