"""``docai train``: fine-tune one head on a PaliGemma 2, or train the embedded checkpoint.

The second, ``docai train nano``, is in :mod:`docai.cli.train_nano`.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docai.cli.common import EXIT_CODES, INTERRUPTED, USAGE, is_given, stderr_console
from docai.cli.corrections import Corrections, CorrectionSources, corrected_pairs
from docai.cli.train_nano import (
    NANO,
    NANO_OPTIONS,
    KeepOptimizer,
    Megabytes,
    Minutes,
    NanoArguments,
    Pack,
    Resume,
    TotalMinutes,
    require_unused,
    run_nano,
)
from docai.errors import SettingError, StoppedElsewhereError, UnknownHeadError

if TYPE_CHECKING:
    from docai.pipelines.training.finetune import AdapterRun

_HEAD_PANEL = "A head"

_DATA_PANEL = "Data of a head"

_HEAD_OPTIONS = (
    "steps",
    "batch",
    "accumulate",
    "label_smoothing",
    "max_tokens",
    "rank",
    "full",
    "causal_prompt",
    "four_bit",
    "checkpointing",
    "corrections",
    "source",
    "max_rejected",
    "held_out",
    "measure_steps",
)
"""Parameters that only ``docai train HEAD`` uses."""


def register(app: typer.Typer) -> None:
    app.command("train", epilog=EXIT_CODES)(train)


def train(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="A head (table, molecule, score, text), or nano: the embedded checkpoint."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="DIR", help="Run folder. A run that is already there is resumed."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="S", min=0, help="Seed of the first weights and of the data.")
    ] = 1,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Processes that load or draw pairs.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="PaliGemma 2 to train: folder or hub id@revision. For nano: nano, or trained from it.",
            rich_help_panel=_HEAD_PANEL,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Optimizer steps of the whole run. Default: the head's preset.",
            rich_help_panel=_HEAD_PANEL,
        ),
    ] = None,
    batch: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Pairs that go through the model at once.", rich_help_panel=_HEAD_PANEL
        ),
    ] = 4,
    accumulate: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Batches per step. Default: as many as make 256 pairs.",
            rich_help_panel=_HEAD_PANEL,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Highest learning rate; also for nano. Default: the preset.",
            rich_help_panel=_HEAD_PANEL,
        ),
    ] = None,
    label_smoothing: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="From 0 to below 1. Default: the head's preset.", rich_help_panel=_HEAD_PANEL
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Longest answer, in tokens. Default: the head's.",
            rich_help_panel=_HEAD_PANEL,
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Train all weights instead of a LoRA adapter.", rich_help_panel=_HEAD_PANEL
        ),
    ] = False,
    rank: Annotated[
        int, typer.Option(metavar="R", min=1, help="Rank of the LoRA matrices.", rich_help_panel=_HEAD_PANEL)
    ] = 16,
    causal_prompt: Annotated[
        bool,
        typer.Option(
            "--causal-prompt",
            help="Train with the mask of servers such as vLLM; see docs/serving.md.",
            rich_help_panel=_HEAD_PANEL,
        ),
    ] = False,
    four_bit: Annotated[
        bool,
        typer.Option(
            "--four-bit",
            help="Load the base in 4 bits (needs a GPU and bitsandbytes).",
            rich_help_panel=_HEAD_PANEL,
        ),
    ] = False,
    checkpointing: Annotated[
        bool | None,
        typer.Option(
            "--checkpointing/--no-checkpointing",
            help="Recompute activations to save memory. Default: on a GPU only.",
            rich_help_panel=_HEAD_PANEL,
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu or cuda; also for nano.")] = "auto",
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA",
            help="Folder written by docai synth, or FORMAT:PATH as in docai evaluate; can be repeated. "
            "Default: pairs are drawn. For nano: a folder written by --pack.",
            rich_help_panel=_DATA_PANEL,
        ),
    ] = None,
    corrections: Corrections = None,
    source: CorrectionSources = None,
    difficulty: Annotated[
        float,
        typer.Option(
            metavar="X",
            min=0,
            max=1,
            help="Difficulty of drawn pairs, 0 to 1. For nano: reached gradually, default 0.5.",
            rich_help_panel=_DATA_PANEL,
        ),
    ] = 1.0,
    max_rejected: Annotated[
        float,
        typer.Option(
            metavar="X",
            min=0,
            max=1,
            help="Share of the pairs that may be unusable; above it the run stops.",
            rich_help_panel=_DATA_PANEL,
        ),
    ] = 0.2,
    held_out: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Pairs held out to measure with, at most 2 % of the data; 0 for none.",
            rich_help_panel=_DATA_PANEL,
        ),
    ] = 100,
    measure_steps: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Steps between two measurements. Default: ten measurements in all.",
            rich_help_panel=_DATA_PANEL,
        ),
    ] = None,
    minutes: Minutes = 60.0,
    total_minutes: TotalMinutes = None,
    resume: Resume = None,
    keep_optimizer: KeepOptimizer = True,
    pack: Pack = None,
    megabytes: Megabytes = 40.0,
) -> None:
    """Train the weights of a head.

    `docai train HEAD --base MODEL -o DIR` fine-tunes a LoRA adapter (with --full, all weights) for one head
    on a PaliGemma 2 that is on this machine. DIR is then a checkpoint: `docai process --model DIR`.
    The defaults are those of PaliGemma 2's paper. The data is checked first: DIR/rejected.jsonl lists the
    pairs that cannot be used. Where pairs are held out, DIR ends with the weights that read them best.
    DIR/README.md is the model card. On several GPUs: `torchrun --nproc-per-node N -m docai train HEAD …`, or
    `accelerate launch`.

    `docai train nano -o DIR` trains the embedded checkpoint for --minutes, from random weights or, with
    --base nano, from those it has. It writes DIR/state, from which the next session continues,
    DIR/log.jsonl and DIR/checkpoint. With --pack it writes a folder to take to a machine without network
    and renderers; docs/training.md has the commands.

    Ctrl-C ends the run after the current step, with everything saved; the same command continues it.
    """
    given = {name for name in context.params if is_given(context, name)}
    require_unused(given, _HEAD_OPTIONS if what == NANO else NANO_OPTIONS, f"for `docai train {what}`")
    if what == NANO:
        run_nano(
            NanoArguments(
                given=given,
                out=out,
                base=base,
                seed=seed,
                workers=workers,
                device=device,
                data=data or [],
                difficulty=difficulty,
                learning_rate=learning_rate,
                minutes=minutes,
                total_minutes=total_minutes,
                resume=resume,
                keep_optimizer=keep_optimizer,
                pack=pack,
                megabytes=megabytes,
            )
        )
        return
    from docai.models.heads import HEADS

    if what not in HEADS:
        raise UnknownHeadError(
            f"There is nothing called {what!r} to train; choose a head ({', '.join(HEADS)}) or {NANO}."
        )
    if out is None:
        raise SettingError(f"`docai train {what}` needs -o: the folder of the run.")
    if base is None:
        raise SettingError(
            f"`docai train {what}` needs --base: the folder of a PaliGemma 2, or a hub id such as "
            "google/paligemma2-3b-pt-896@<revision> whose files are on this machine."
        )
    console = stderr_console()
    if corrections:
        if "RANK" in os.environ:
            raise SettingError(
                "With --corrections one process writes pairs: run it with --steps 1 without torchrun, and "
                f"give the pairs as --data {out}-corrections/{what} then."
            )
        pairs = corrected_pairs(what, corrections, source, out, console)
        data = [*(data or ()), str(pairs)]
    try:
        from docai.pipelines.training.finetune import train_adapter
        from docai.pipelines.training.settings import AdapterSettings

        settings = AdapterSettings(
            steps=steps,
            batch=batch,
            accumulate=accumulate,
            learning_rate=learning_rate,
            label_smoothing=label_smoothing,
            full=full,
            rank=rank,
            causal_prompt=causal_prompt,
            four_bit=four_bit,
            checkpointing=checkpointing,
            seed=seed,
            device=device,
            max_tokens=max_tokens,
            difficulty=difficulty,
            max_rejected=max_rejected,
            held_out=held_out,
            measure_steps=measure_steps,
            workers=workers,
        )
        run: AdapterRun | None = train_adapter(
            HEADS[what],
            base,
            out,
            settings,
            data=data or (),
            report=lambda line: console.print(line, markup=False, soft_wrap=True),
            command=_command_line(),
        )
    except StoppedElsewhereError:
        # The process that failed prints the error; the others print nothing.
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        # Before the first step, or a second Ctrl-C: the next run continues from the last saved state.
        run = None
    prints = os.environ.get("RANK", "0") == "0" if run is None else run.is_main
    if run is None or run.interrupted:
        if prints:
            console.print("Interrupted; the same command continues from the saved state.", soft_wrap=True)
        raise typer.Exit(INTERRUPTED)
    if not prints:
        return
    loss = "" if run.loss is None else f", loss {run.loss:.4f}"
    best = run.best
    measured = "" if best is None else f", {best.metric} {best.value:.4f} held out, at step {best.step}"
    console.print(f"{run.step} steps{loss}{measured}; checkpoint in {out}", markup=False, soft_wrap=True)


def _command_line() -> str:
    """The command line as it was typed, with ``torchrun`` where it started several processes."""
    count = os.environ.get("WORLD_SIZE", "1")
    start = "docai" if count == "1" else f"torchrun --nproc-per-node {count} -m docai"
    return f"{start} {shlex.join(sys.argv[1:])}"
