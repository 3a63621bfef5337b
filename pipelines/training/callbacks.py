"""What goes on beside the steps of a run: progress, states, Ctrl-C, and the held-out pairs."""

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
from docai.pipelines.training import run_folder as folders
from docai.pipelines.training.best_weights import BestWeights, Measured
from docai.pipelines.training.distributed import Ranks
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


def tensorboard(folder: Path, step: int, report: Report) -> list[TrainerCallback]:
    """transformers' own callback, writing to ``DIR/state/tensorboard``; none where it is not installed.

    Args:
        folder: of the run.
        step: where it goes on from; what a killed run wrote of later steps is taken out of the curves.
        report: gets a line for a person.
    """
    if importlib.util.find_spec("tensorboard") is None:
        report("no curves are written: tensorboard is not installed (pip install 'docai[train]')")
        return []
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations.integration_utils import TensorBoardCallback

    board = folder / folders.BOARD_FOLDER
    report(f"curves: tensorboard --logdir {board}")
    return [TensorBoardCallback(SummaryWriter(str(board), purge_step=step + 1))]


Report = Callable[[str], None]

MEASURED = "eval_"
"""Before the names of what is measured on held-out pairs, in the Trainer's log."""


@dataclass(frozen=True)
class HeldOut:
    """Held-out pairs, and how they are read."""

    pairs: Pairs
    head: Head
    processor: PaliGemmaProcessor
    metric: Metric
    max_tokens: int
    batch: int
    every: int
    """Steps between two times; the last step is always one."""
    ranks: Ranks

    def measure(self, model: PeftModel | PaliGemmaForConditionalGeneration, step: int) -> Measured:
        """How well the model reads them, each process its share."""
        own = _Some(self.pairs, self.ranks.share(len(self.pairs)))
        answers = self.ranks.joined(
            read_pairs_with(
                model, self.processor, self.head, own, max_tokens=self.max_tokens, batch=self.batch
            )
        )
        return self.metric.measured(self.head.parser, answers, step)


@dataclass(frozen=True)
class _Some:
    """Some of the pairs."""

    pairs: Pairs
    indices: Sequence[int]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Pair:
        return self.pairs[self.indices[index]]


class AllStepsDone(Exception):  # noqa: N818 - no error: it ends a run that has nothing left to do
    """The state that a run goes on from is its last."""


class Keeper(TrainerCallback):
    """Saves by the clock, at the end and on Ctrl-C, measures now and then, and hands progress on.

    Each process has one. What they do together (saving, measuring, stopping) all do after the same step.
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
        ranks: Ranks,
    ) -> None:
        """Make it before the Trainer.

        Args:
            best: where the best weights are kept.
            held_out: what is measured by; None measures nothing.
            save_minutes: between two states.
            report: gets a line for a person.
            log: the Trainer's own, so that what is measured goes where the loss goes.
            on_save: is called in the main process after each state.
            ranks: the processes of this training.
        """
        self.interrupted = False
        self._best = best
        self._held_out = held_out
        self._seconds = 60 * save_minutes
        self._report = report
        self._log = log
        self._on_save = on_save
        self._ranks = ranks
        self._saved = time.monotonic()
        self._saved_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.global_step >= state.max_steps:
            # The Trainer looks at the number of steps after a step: it would take one more.
            raise AllStepsDone
        # Where it goes on from is saved, and nothing is lost before the first step.
        self._saved_step = state.global_step

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """After a batch that is not the last of its step.

        A step of 256 crops takes minutes on a small GPU, and a launcher waits half a minute after Ctrl-C.
        What is left of the step is done again from its start.
        """
        (interrupted,) = self._ranks.any(self.interrupted)
        if interrupted:
            self.interrupted = True
            # A state that is there already is not written over: the new one might not fit on the disk.
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
            # The Trainer takes any log for the one of this step's loss.
            should_log = control.should_log
            self._measure(held_out, model, state.global_step)
            control.should_log = should_log
        is_time = self._ranks.is_main and time.monotonic() - self._saved > self._seconds
        interrupted, is_time = self._ranks.any(self.interrupted, is_time)
        if interrupted or finished or is_time:
            control.should_save = True
            self._saved = time.monotonic()
        # A run that ended on its last step was not interrupted.
        self.interrupted = interrupted and not finished
        if interrupted:
            control.should_training_stop = True

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._saved_step = state.global_step
        self._ranks.together(lambda: self._on_save(state) if self._ranks.is_main else None)

    def _measure(
        self, held_out: HeldOut, model: PeftModel | PaliGemmaForConditionalGeneration, step: int
    ) -> None:
        measured = held_out.measure(model, step)
        self._log({f"{MEASURED}{held_out.metric.key}": measured.value, f"{MEASURED}exact": measured.exact})
        self._ranks.together(
            lambda: self._keep_best(held_out, model, measured) if self._ranks.is_main else None
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
    def listening(self) -> Iterator[None]:
        """Take the first Ctrl-C as a wish to stop. Signals go to the main thread: elsewhere do nothing."""
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
