"""One session of the training of the embedded checkpoint: it ends by time and resumes the one before."""

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
from docai.models.loading import choose_device
from docai.pipelines.training.nano.feed import Feed, FeedSettings, RendererSource, Source
from docai.pipelines.training.nano.measure import HeldOut, draw_held_out, exact_answers, token_accuracy
from docai.pipelines.training.nano.model import build_model, build_processor, save_checkpoint
from docai.pipelines.training.nano.patches import cut_patches, has_ink
from docai.pipelines.training.nano.settings import NANO_MAX_TOKENS, NanoSettings
from docai.pipelines.training.nano.state import (
    Progress,
    SavedState,
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


SAVE_INTERVAL_SECONDS = 240.0
"""Time between two saved states."""

_FIRST_GUESS_SECONDS = 5.0
"""Assumed time of saving and of measuring before either was done once."""


def train_nano(
    folder: Path,
    minutes: float,
    settings: NanoSettings,
    report: Callable[[str], None],
    *,
    source: Source | None = None,
    resume: Path | None = None,
) -> Progress:
    """Train for ``minutes``, with loading and saving, or to the end of the schedule.

    Resumes from the state in ``resume`` or, where that is None, from one in ``folder``. Without a state it
    starts from the weights of ``settings.base``, or from random ones. Writes to ``folder``, at the end of the
    session and every four minutes: ``state/`` (see :mod:`.state`), ``log.jsonl`` (one line per report) and
    ``checkpoint/`` (a folder that ``process(model=…)`` takes).

    Args:
        folder: of the run.
        minutes: length of this session, wall-clock.
        settings: of the session.
        report: gets lines of progress, for people.
        source: of the pairs; None for the renderers of this machine.
        resume: folder of a run with a state.

    Raises:
        DeviceError: there is no such device.
        SettingError: ``resume`` has no state, or ``minutes`` are too few to take a step and save it.
        UnknownModelError: there is no checkpoint ``settings.base``.
        CheckpointError: the state is damaged, the base has another architecture, or the disk is full.
    """
    import torch

    began = time.monotonic()
    device = choose_device(settings.device)
    saved = find_state(folder) if resume is None else require_state(resume)
    total = settings.total_minutes or (saved.total_minutes if saved else None) or minutes
    settings = replace(settings.on(device), total_minutes=total)
    source = source or RendererSource()
    torch.manual_seed(settings.seed)
    processor = build_processor()
    is_new = saved is None and settings.base is None
    model = build_model(processor, draw_inked_patches(source, settings.seed) if is_new else None)
    learner = Learner.create(
        *(model, processor, device),
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        muon=settings.muon,
        average_decay=settings.average_decay,
    )
    if saved:
        progress = load_state(saved, learner)
    else:
        progress = start_from(settings.base, learner, processor) if settings.base else Progress()
    held_out = draw_held_out(
        source, processor, settings.seed, count=settings.n_held_out, n_answered=settings.n_answered
    )
    clock = _Clock(began, 60 * minutes)
    clock.require_time()
    folder.mkdir(parents=True, exist_ok=True)
    session = _Session(folder, settings, learner, processor, held_out, progress, clock)
    if saved and (not saved.has_optimizer or learner.has_lost_moments):
        session.rebuild_steps_left = settings.rebuild_steps
    notes = _describe_start(saved, session.rebuild_steps_left)
    feed_settings = FeedSettings(
        {head: settings.weights.get(head, 0.0) for head in source.heads()},
        seed=settings.seed,
        start=progress.samples,
        max_text_tokens=max(NANO_MAX_TOKENS.values()),
        source=source,
    )
    log = TrainingLog(folder / "log.jsonl", report, device)
    with Feed(feed_settings, workers=settings.workers or 0, reuse=settings.reuse or 1.0) as feed:
        session.run(feed, log, notes)
    return session.progress


def _describe_start(saved: SavedState | None, rebuild_steps: int) -> dict[str, object]:
    """What the first line of a session's log says about the state that it resumed from."""
    notes: dict[str, object] = {}
    if rebuild_steps:
        why = "another one" if saved and saved.has_optimizer else "not saved"
        notes["optimizer"] = f"{why}: rebuilt over {rebuild_steps} steps of a rising rate"
    if saved and saved.rounding:
        notes["weights"] = f"saved in bf16: up to {saved.rounding:.2%} off"
    return notes


@dataclass
class _Clock:
    """The time of a session, in seconds, and how much of it is left."""

    began: float
    length: float
    measuring: float = _FIRST_GUESS_SECONDS
    saving: float = _FIRST_GUESS_SECONDS
    step: float = 0.0
    """The longest step so far."""

    @property
    def answering(self) -> float:
        """Time allowed for answering whole squares at the end."""
        return min(45.0, 0.1 * self.length)

    @property
    def left(self) -> float:
        return self.began + self.length - time.monotonic()

    @property
    def reserve(self) -> float:
        """Time needed for one more step and for the end of the session."""
        return 1.3 * (self.measuring + self.saving) + self.answering + self.step

    def require_time(self) -> None:
        """Raise :class:`SettingError` where no time is left to train."""
        if self.left > self.reserve:
            return
        needed = (1.2 * (self.length - self.left) + 1.5 * self.reserve) / 60
        raise SettingError(
            f"{self.length / 60:g} minutes are too short: {self.length - self.left:.0f} s passed before the "
            f"first step, and measuring and saving may take {self.reserve:.0f} s; set --minutes to at least "
            f"{max(1.0, needed):.0f}."
        )


@dataclass
class _Session:
    """A session while it runs."""

    folder: Path
    settings: NanoSettings
    learner: Learner
    processor: PaliGemmaProcessor
    held_out: HeldOut
    progress: Progress
    clock: _Clock
    rebuild_steps_left: int = 0
    """Steps of a rising rate that are left after resuming without the optimizer."""

    def run(self, feed: Feed, log: TrainingLog, notes: dict[str, object]) -> None:
        """Train until the time or the schedule is over, or Ctrl-C is pressed; save in any case."""
        progress, settings = self.progress, self.settings
        generator = np.random.default_rng((settings.seed, progress.samples))
        started, first_minutes = time.monotonic(), progress.minutes
        first_step, last_save = progress.step, started
        progress.interrupted = True
        figures: dict[str, object] = {}
        try:
            self.learner.model.train()
            while (
                self.clock.left > self.clock.reserve
                and progress.minutes < self.total
                and (settings.max_steps is None or progress.step - first_step < settings.max_steps)
            ):
                before = time.monotonic()
                self._step(feed, log, generator)
                now = time.monotonic()
                self.clock.step = max(self.clock.step, now - before)
                progress.minutes = first_minutes + (now - started) / 60
                if now - log.last_write > 60 * (settings.report_minutes or 0.0):
                    log.write(progress, feed, **self._measure(), **notes)
                    notes = {}
                if time.monotonic() - last_save > SAVE_INTERVAL_SECONDS:
                    self.save()
                    last_save = time.monotonic()
            progress.interrupted = False
            if progress.step > first_step:
                figures = self._measure()
                figures |= exact_answers(
                    *(self.learner, self.processor, self.held_out.whole, NANO_MAX_TOKENS),
                    seconds=min(self.clock.answering, self.clock.left - 1.3 * self.clock.saving),
                )
        except KeyboardInterrupt:
            pass
        self.save()
        if progress.step > first_step:
            log.write(progress, feed, **figures, **notes)

    @property
    def total(self) -> float:
        assert self.settings.total_minutes is not None
        return self.settings.total_minutes

    def _step(self, feed: Feed, log: TrainingLog, generator: np.random.Generator) -> None:
        settings, progress = self.settings, self.progress
        share = progress.minutes / self.total
        feed.set_difficulty(self.difficulty)
        feed.set_whole(settings.whole_share if share > 1.0 - settings.last_share else 0.0)
        rate = learning_rate_at(share, peak=settings.learning_rate, warmup=settings.warmup_share)
        if self.rebuild_steps_left:
            rate *= 1.0 - self.rebuild_steps_left / (settings.rebuild_steps + 1)
            self.rebuild_steps_left -= 1
        self.learner.set_rate(rate)
        assert settings.batch_samples is not None
        assert settings.micro_tokens is not None
        weights = Weights(
            symbol=settings.symbol_weight * (1.0 - 0.75 * share),
            pointer=settings.pointer_weight,
            tower_only=progress.base is None and share < settings.tower_share,
        )
        samples = feed.take(settings.batch_samples)
        losses = training_step(self.learner, samples, settings.micro_tokens, weights, generator)
        log.add(losses, len(samples))
        progress.step += 1
        progress.samples += len(samples)

    @property
    def difficulty(self) -> float:
        """Difficulty of the hardest samples now."""
        settings = self.settings
        grown = min(1.0, self.progress.minutes / self.total / settings.difficulty_share)
        return settings.first_difficulty + (settings.difficulty - settings.first_difficulty) * grown

    def _measure(self) -> dict[str, object]:
        began = time.monotonic()
        accuracy = token_accuracy(self.learner, self.held_out.cut, self.settings.micro_tokens or 2_048)
        self.clock.measuring = time.monotonic() - began
        return {"difficulty": round(self.difficulty, 3), **accuracy}

    def save(self) -> None:
        """Save the state and, unless only the weights are saved, the checkpoint."""
        began = time.monotonic()
        save_state(
            *(self.folder, self.learner, self.progress),
            total_minutes=self.total,
            keep_optimizer=self.settings.keep_optimizer,
        )
        if self.settings.keep_optimizer:
            save_checkpoint(
                *(self.learner.shipped, self.processor, self.folder / "checkpoint"),
                name="nano",
                revision=f"step-{self.progress.step}",
                max_tokens=NANO_MAX_TOKENS,
            )
        self.clock.saving = time.monotonic() - began


def draw_inked_patches(source: Source, seed: int, *, samples_per_head: int = 48) -> NDArray[np.uint8]:
    """The patches with ink of easy samples of every head, ``(N, 784)``."""
    import random

    inked = []
    for head in source.heads():
        rng = random.Random(f"patches/{seed}/{head}")
        for _ in range(samples_per_head):
            patches = cut_patches(source.draw(head, rng, 0.3).image)
            inked.append(patches[has_ink(patches)])
    return np.concatenate(inked)


class TrainingLog:
    """``log.jsonl``: per report the mean losses, samples per second and share of time waiting for data."""

    def __init__(self, path: Path, report: Callable[[str], None], device: torch.device) -> None:
        self._path, self._report, self._device = path, report, device
        self._sums: dict[str, torch.Tensor] = {}
        self._steps = self._samples = 0
        self._waited = 0.0
        self.last_write = time.monotonic()

    def add(self, losses: Mapping[str, torch.Tensor], samples: int) -> None:
        """Add the losses of one step, which stay on their device until they are written."""
        for name, value in losses.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._steps += 1
        self._samples += samples

    def write(self, progress: Progress, feed: Feed, **figures: object) -> None:
        """Write a line to the log, and report one to people. ``figures`` are added unchanged."""
        means = {name: value.item() / self._steps for name, value in self._sums.items()}
        seconds = max(time.monotonic() - self.last_write, 1e-6)
        row: dict[str, object] = {
            **asdict(progress),
            "drawn": feed.n_drawn,
            "samples_per_second": round(self._samples / seconds, 2),
            "waiting_share": round((feed.waited - self._waited) / seconds, 4),
            **means,
            **figures,
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**row, **self._machine()}) + "\n")
        self._report(" ".join(f"{k}={v:.3f}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()))
        self._sums, self._steps, self._samples = {}, 0, 0
        self._waited, self.last_write = feed.waited, time.monotonic()

    def _machine(self) -> dict[str, object]:
        import torch

        name = torch.cuda.get_device_name(self._device) if self._device.type == "cuda" else processor()
        return {
            "hardware": name,
            "cores": os.cpu_count(),
            "versions": versions(("torch", "transformers", "numpy")),
        }


def start_from(base: str, learner: Learner, processor: PaliGemmaProcessor) -> Progress:
    """Load the weights of ``base``, a checkpoint of the same architecture, into the learner's model.

    The head of the auxiliary task is not part of a checkpoint. It starts at zero, where it has no effect on
    the tower before it has learned something itself.

    Raises:
        UnknownModelError: there is no such checkpoint.
        CheckpointError: the checkpoint is damaged, or has another architecture or vocabulary.
    """
    import torch

    from docai.models.loading import load_base, load_processor

    checkpoint = find_checkpoint(base)
    weights = load_base(checkpoint, torch.float32).state_dict()
    vocabulary = load_processor(checkpoint).tokenizer.get_vocab()
    expected = learner.model.state_dict()
    names = expected.keys() | weights.keys()
    different = [name for name in names if _shape(expected, name) != _shape(weights, name)]
    if different or vocabulary != processor.tokenizer.get_vocab():
        what = "its vocabulary differs"
        if different:
            what = f"{len(different)} tensors differ, such as {min(different)}"
        raise CheckpointError(
            f"{base} is of another architecture than nano: {what}. `docai train nano --base` takes nano and "
            "checkpoints trained from it; `docai train HEAD --base` takes any PaliGemma 2."
        )
    learner.model.load_state_dict(weights)
    torch.nn.init.zeros_(learner.symbols.weight)
    torch.nn.init.zeros_(learner.symbols.bias)
    revision = re.fullmatch(r"step-(\d+)", checkpoint.revision)
    return Progress(step=int(revision[1]) if revision else 0, base=checkpoint.id)


def _shape(weights: dict[str, torch.Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(weights[name].shape) if name in weights else None
