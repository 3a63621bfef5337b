"""One process of what test_several_processes starts by torchrun: stopped on the way, then resumed.

Arguments: base, data, run folder, and a folder for what each process saw.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from docai.models.heads import HEADS
from docai.pipelines.training import prepare
from docai.pipelines.training.callbacks import RunCallback
from docai.pipelines.training.finetune import train_adapter
from docai.pipelines.training.pairs import Collator, Pair
from docai.pipelines.training.settings import AdapterSettings

SETTINGS = AdapterSettings(
    steps=6,
    batch=2,
    accumulate=1,
    learning_rate=1e-2,
    label_smoothing=0.1,
    rank=4,
    seed=1,
    device="cpu",
    held_out=3,
    measure_steps=3,
    max_tokens=8,
    report_steps=1,
)
STOPPED_AT = 4


def main(base: str, data: str, out: str, seen: str) -> None:
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    trained: list[str] = []
    collate, step_end = Collator.__call__, RunCallback.on_step_end

    def noting(self: Collator, pairs: Sequence[Pair]) -> dict[str, Any]:
        trained.extend(pair.target for pair in pairs)
        return collate(self, pairs)

    def stopping(
        self: RunCallback, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        if rank == 1 and state.global_step == STOPPED_AT:
            os.kill(os.getpid(), signal.SIGINT)
        step_end(self, args, state, control, **rest)

    prepare._HELD_OUT_SHARE = 1.0
    Collator.__call__ = noting  # type: ignore[method-assign]
    RunCallback.on_step_end = stopping  # type: ignore[method-assign]
    head = replace(HEADS["molecule"], resolution=56)
    lines: list[str] = []
    ends = []
    for _ in range(2):
        run = train_adapter(head, base, Path(out), SETTINGS, data=[data], report=lines.append)
        ends.append([run.step, run.interrupted, run.is_main])
        RunCallback.on_step_end = step_end  # type: ignore[method-assign]
    Path(seen, f"{rank}.json").write_text(json.dumps({"trained": trained, "lines": lines, "ends": ends}))


if __name__ == "__main__":
    main(*sys.argv[1:])
