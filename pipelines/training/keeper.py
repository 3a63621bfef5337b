"""What goes on beside the steps of a run: progress, states, Ctrl-C, and the held-out pairs."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from docai.models.heads import Head
from docai.pipelines.training.best import BestWeights, Measured
from docai.pipelines.training.metrics import Metric, read_pairs_with
from docai.pipelines.training.pairs import Pairs

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

    def measure(self, model: PeftModel | PaliGemmaForConditionalGeneration, step: int) -> Measured:
        answers = read_pairs_with(
            model, self.processor, self.head, self.pairs, max_tokens=self.max_tokens, batch=self.batch
        )
        exact = sum(answer == target for answer, target in answers) / len(answers)
        return Measured(step, self.metric.name, self.metric.of(self.head.parser, answers), exact)


class Keeper(TrainerCallback):
    """Saves by the clock, at the end and on Ctrl-C, measures now and then, and hands progress on."""

    def __init__(
        self, best: BestWeights, held_out: HeldOut | None, *, save_minutes: float, report: Report
    ) -> None:
        self.interrupted = False
        self._best = best
        self._held_out = held_out
        self._seconds = 60 * save_minutes
        self._report = report
        self._saved = time.monotonic()

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: PeftModel | PaliGemmaForConditionalGeneration | None = None,
        **kwargs: Any,
    ) -> None:
        now = time.monotonic()
        finished = state.global_step >= state.max_steps
        held_out = self._held_out
        if held_out and model is not None and (finished or state.global_step % held_out.every == 0):
            self._measure(held_out, model, state.global_step)
        if self.interrupted or finished or now - self._saved > self._seconds:
            control.should_save = True
            self._saved = now
        if self.interrupted:
            control.should_training_stop = True
            # A run that ended on its last step was not interrupted.
            self.interrupted = not finished

    def _measure(
        self, held_out: HeldOut, model: PeftModel | PaliGemmaForConditionalGeneration, step: int
    ) -> None:
        measured = held_out.measure(model, step)
        before = self._best.measured()
        is_best = held_out.metric.is_better(measured.value, None if before is None else before.value)
        if is_best:
            self._best.keep(model, measured)
        self._report(
            f"step {step}  held out ({len(held_out.pairs)} pairs): {measured.metric} {measured.value:.4f}  "
            f"exact {measured.exact:.4f}{'  best so far' if is_best else ''}"
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
