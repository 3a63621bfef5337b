"""What happens between the steps of a run: progress lines, saved states, held-out pairs, Ctrl-C, curves."""

from __future__ import annotations

import importlib.util
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from docai.models.heads import Head
from docai.pipelines.training import run_folder
from docai.pipelines.training.best_weights import BestWeights, Measured
from docai.pipelines.training.distributed import ProcessGroup
from docai.pipelines.training.metrics import Metric, read_pairs_with
from docai.pipelines.training.pairs import Pair, Pairs

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import (
        PaliGemmaForConditionalGeneration,
        PaliGemmaProcessor,
        TrainerControl,
        TrainerState,
        TrainingArguments,
    )


Report = Callable[[str], None]
"""Takes one line of progress, for people."""

MEASURED = "eval_"
"""Prefix of the figures measured on held-out pairs, in the Trainer's log."""


@dataclass(frozen=True)
class HeldOut:
    """Held-out pairs, and how they are read and measured."""

    pairs: Pairs
    head: Head
    processor: PaliGemmaProcessor
    metric: Metric
    max_tokens: int
    batch: int
    every: int
    """Steps between two measurements; the last step is always measured."""
    group: ProcessGroup
    causal_prompt: bool = False

    def measure(self, model: PeftModel | PaliGemmaForConditionalGeneration, step: int) -> Measured:
        """How well the model reads the pairs. Each process reads its share of them."""
        share = _Subset(self.pairs, self.group.own_indices(len(self.pairs)))
        answers = self.group.gather(
            read_pairs_with(
                model,
                self.processor,
                self.head,
                share,
                max_tokens=self.max_tokens,
                batch=self.batch,
                causal_prompt=self.causal_prompt,
            )
        )
        return self.metric.measured(self.head.parser, answers, step)


@dataclass(frozen=True)
class _Subset:
    """The pairs at some indices."""

    pairs: Pairs
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Pair:
        return self.pairs[self.indices[index]]


class AllStepsDone(Exception):  # noqa: N818 - no error: it ends a run that has nothing left to do
    """The state that the run resumes from is that of its last step: nothing is left to do."""


class RunCallback(TrainerCallback):
    """Saves by time, at the end and on Ctrl-C, measures on held-out pairs, and reports progress.

    Each process has one. Saving, measuring and stopping happen in all processes after the same step.
    """

    def __init__(
        self,
        best: BestWeights,
        held_out: HeldOut | None,
        *,
        save_minutes: float,
        report: Report,
        log: Callable[[dict[str, float]], None],
        on_save: Callable[[TrainerState], None],
        group: ProcessGroup,
    ) -> None:
        """Create it before the Trainer.

        Args:
            best: stores the best weights.
            held_out: the pairs to measure with; None measures nothing.
            save_minutes: minutes between two saved states.
            report: gets lines of progress.
            log: the Trainer's ``log``, so that the figures are logged beside the loss.
            on_save: is called in the main process after each saved state.
            group: the processes of this training.
        """
        self.interrupted = False
        self._best = best
        self._held_out = held_out
        self._save_seconds = 60 * save_minutes
        self._report = report
        self._log = log
        self._on_save = on_save
        self._group = group
        self._saved_at = time.monotonic()
        self._saved_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.global_step >= state.max_steps:
            # The Trainer checks the number of steps after a step: it would take one more.
            raise AllStepsDone
        # The state that the run resumes from is on disk already.
        self._saved_step = state.global_step

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Stop after a batch that is not the last of its step, where Ctrl-C was pressed.

        A step of 256 crops takes minutes on a small GPU, and a launcher waits half a minute after Ctrl-C.
        The resumed run repeats the step from its start.
        """
        (interrupted,) = self._group.any_true(self.interrupted)
        if interrupted:
            self.interrupted = True
            # An existing state is not overwritten: the new one might not fit on the disk.
            control.should_save = state.global_step != self._saved_step
            control.should_training_stop = True

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: PeftModel | PaliGemmaForConditionalGeneration | None = None,
        **kwargs: Any,
    ) -> None:
        finished = state.global_step >= state.max_steps
        held_out = self._held_out
        if held_out and model is not None and (finished or state.global_step % held_out.every == 0):
            # Logging resets the flag, and the loss of this step would not be logged.
            should_log = control.should_log
            self._measure(held_out, model, state.global_step)
            control.should_log = should_log
        is_due = self._group.is_main and time.monotonic() - self._saved_at > self._save_seconds
        interrupted, is_due = self._group.any_true(self.interrupted, is_due)
        if interrupted or finished or is_due:
            control.should_save = True
            self._saved_at = time.monotonic()
        # A run whose last step is done was not interrupted.
        self.interrupted = interrupted and not finished
        if interrupted:
            control.should_training_stop = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._saved_step = state.global_step
        self._group.run_on_all(lambda: self._on_save(state) if self._group.is_main else None)

    def _measure(
        self, held_out: HeldOut, model: PeftModel | PaliGemmaForConditionalGeneration, step: int
    ) -> None:
        measured = held_out.measure(model, step)
        self._log({f"{MEASURED}{held_out.metric.key}": measured.value, f"{MEASURED}exact": measured.exact})
        self._group.run_on_all(
            lambda: self._keep_best(held_out, model, measured) if self._group.is_main else None
        )

    def _keep_best(
        self, held_out: HeldOut, model: PeftModel | PaliGemmaForConditionalGeneration, measured: Measured
    ) -> None:
        before = self._best.measured()
        is_best = held_out.metric.is_better(measured.value, None if before is None else before.value)
        if is_best:
            self._best.keep(model, measured)
        self._report(
            f"step {measured.step}  held out ({len(held_out.pairs)} pairs): {measured.metric} "
            f"{measured.value:.4f}  exact {measured.exact:.4f}{'  best so far' if is_best else ''}"
        )

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "loss" in logs:
            self._report(
                f"step {state.global_step} of {state.max_steps}  loss {logs['loss']:.4f}  "
                f"rate {logs['learning_rate']:.2e}"
            )

    @contextmanager
    def handling_interrupts(self) -> Iterator[None]:
        """Stop the run at the first Ctrl-C. Only the main thread gets signals; elsewhere nothing is done."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def stop(number: int, frame: FrameType | None) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def tensorboard(folder: Path, step: int, report: Report) -> list[TrainerCallback]:
    """transformers' own callback, writing to ``DIR/state/tensorboard``; none without tensorboard.

    Args:
        folder: of the run.
        step: that the run resumes from; later points of a killed run are removed from the curves.
        report: gets a line that says where the curves are.
    """
    if importlib.util.find_spec("tensorboard") is None:
        report("no curves are written: tensorboard is not installed (pip install 'docai[train]')")
        return []
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations.integration_utils import TensorBoardCallback

    logs = folder / run_folder.BOARD_FOLDER
    report(f"curves: tensorboard --logdir {logs}")
    return [TensorBoardCallback(SummaryWriter(str(logs), purge_step=step + 1))]
