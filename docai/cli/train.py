"""``docai train``: an adapter for one head on a base of the user's, or the embedded checkpoint in slices."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docai.cli.common import EXIT_CODES, INTERRUPTED, USAGE, people
from docai.cli.train_nano import _FOR_NANO, _FOR_PACK, NANO, _pack_nano, _train_nano
from docai.errors import SettingError, StoppedElsewhereError, UnknownHeadError

if TYPE_CHECKING:
    from docai.pipelines.training.finetune import AdapterRun

_HEAD_PANEL = "A head on a base"

_DATA_PANEL = "Its data"

_FOR_HEAD = (
    "steps",
    "batch",
    "accumulate",
    "label_smoothing",
    "max_tokens",
    "rank",
    "full",
    "four_bit",
    "checkpointing",
    "max_rejected",
    "held_out",
    "measure_steps",
)


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
        typer.Option("-o", "--out", metavar="DIR", help="Run folder; a run found there is resumed."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="Seed of weights and data.")] = 1,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Processes that prepare pairs.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A folder or hub id@revision; for nano, itself or what was trained from it.",
            rich_help_panel=_HEAD_PANEL,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Of the whole run. Default: the preset.", rich_help_panel=_HEAD_PANEL
        ),
    ] = None,
    batch: Annotated[
        int, typer.Option(metavar="N", min=1, help="Pairs at once.", rich_help_panel=_HEAD_PANEL)
    ] = 4,
    accumulate: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Batches per step. Default: as make 256 pairs.",
            rich_help_panel=_HEAD_PANEL,
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            metavar="X", help="Highest rate; nano too. Default: the preset.", rich_help_panel=_HEAD_PANEL
        ),
    ] = None,
    label_smoothing: Annotated[
        float | None,
        typer.Option(metavar="X", help="0 to below 1. Default: the preset.", rich_help_panel=_HEAD_PANEL),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Longest answer. Default: the head's.", rich_help_panel=_HEAD_PANEL
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Train all weights, no LoRA adapter.", rich_help_panel=_HEAD_PANEL),
    ] = False,
    rank: Annotated[
        int, typer.Option(metavar="R", min=1, help="Of the LoRA matrices.", rich_help_panel=_HEAD_PANEL)
    ] = 16,
    four_bit: Annotated[
        bool,
        typer.Option(
            "--four-bit",
            help="Hold the base in 4 bits (GPU, bitsandbytes).",
            rich_help_panel=_HEAD_PANEL,
        ),
    ] = False,
    checkpointing: Annotated[
        bool | None,
        typer.Option(
            "--checkpointing/--no-checkpointing",
            help="Compute activations twice, keep none. Default: on a GPU.",
            rich_help_panel=_HEAD_PANEL,
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu or cuda; nano too.")] = "auto",
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA",
            help="A folder of docai synth, or FORMAT:PATH as in docai evaluate; repeatable. Default: drawn. "
            "For nano: a folder of --pack to draw from.",
            rich_help_panel=_DATA_PANEL,
        ),
    ] = None,
    difficulty: Annotated[
        float,
        typer.Option(
            metavar="X",
            min=0,
            max=1,
            help="Of drawn pairs, 0 to 1. For nano 0.5 unless given, grown to.",
            rich_help_panel=_DATA_PANEL,
        ),
    ] = 1.0,
    max_rejected: Annotated[
        float,
        typer.Option(
            metavar="X",
            min=0,
            max=1,
            help="Share that may be unusable; more stops the run.",
            rich_help_panel=_DATA_PANEL,
        ),
    ] = 0.2,
    held_out: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            help="Most pairs measured by, 2 % of the data at most; 0: none.",
            rich_help_panel=_DATA_PANEL,
        ),
    ] = 100,
    measure_steps: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Steps between two measurements. Default: ten in all.",
            rich_help_panel=_DATA_PANEL,
        ),
    ] = None,
    minutes: Annotated[
        float,
        typer.Option(metavar="M", min=0.05, help="Length of this slice.", rich_help_panel=NANO),
    ] = 60.0,
    total_minutes: Annotated[
        float | None,
        typer.Option(
            metavar="T",
            min=0.05,
            help="Length of the whole schedule. Default: as it was, at first this slice.",
            rich_help_panel=NANO,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Go on from the state in DIR, which must have one. Without -o it is the run folder too.",
            rich_help_panel=NANO,
        ),
    ] = None,
    keep_optimizer: Annotated[
        bool,
        typer.Option(
            "--keep-optimizer/--weights-only",
            help="Save the optimiser and a checkpoint too, or only what is carried easily.",
            rich_help_panel=NANO,
        ),
    ] = True,
    pack: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Train nothing: write all that a slice needs on another machine, with the state of -o.",
            rich_help_panel=NANO,
        ),
    ] = None,
    megabytes: Annotated[
        float,
        typer.Option(metavar="N", min=1, help="Most that a pack takes, MiB.", rich_help_panel=NANO),
    ] = 40.0,
) -> None:
    """Train the weights of a head.

    `docai train HEAD --base MODEL -o DIR` fine-tunes a LoRA adapter (or, with --full, all weights) for one
    head on a PaliGemma 2 that is on this machine. DIR is then a checkpoint: `docai process --model DIR`.
    What is not given is as in PaliGemma 2's paper. The data is checked first: DIR/rejected.jsonl lists what
    cannot be used. Where pairs are held out, the best weights on them are what DIR ends with. DIR/README.md
    is its card. On several GPUs: `torchrun --nproc-per-node N -m docai train HEAD …`, or `accelerate launch`.

    `docai train nano -o DIR` trains the embedded checkpoint and stops by the clock: from nothing, or with
    --base nano from the weights it has. It leaves DIR/state, from which the next slice goes on,
    DIR/log.jsonl and DIR/checkpoint. With --pack it writes a folder to take to a machine without network
    and renderers; CONTRIBUTING.md has the commands.

    Ctrl-C ends either after the step it is in, with everything saved; the same command goes on from there.
    """
    for name in _FOR_HEAD if what == NANO else _FOR_NANO:
        if _is_given(context, name):
            raise SettingError(f"--{name.replace('_', '-')} has no meaning for `docai train {what}`.")
    if what == NANO and pack is not None:
        for name in _FOR_PACK:
            if _is_given(context, name):
                raise SettingError(f"--{name.replace('_', '-')} has no meaning beside --pack.")
        _pack_nano(pack, out, megabytes, minutes, seed, workers)
        return
    if what == NANO:
        from docai.pipelines.training.nano.settings import SliceSettings

        slice_settings = SliceSettings(
            base=base,
            total_minutes=total_minutes,
            seed=seed,
            workers=workers,
            device=device,
            keep_optimizer=keep_optimizer,
        )
        if learning_rate is not None:
            if learning_rate <= 0:
                raise SettingError(f"learning_rate is {learning_rate:g}; it has to be above 0.")
            slice_settings = replace(slice_settings, learning_rate=learning_rate)
        if _is_given(context, "difficulty"):
            first = min(difficulty, slice_settings.first_difficulty)
            slice_settings = replace(slice_settings, difficulty=difficulty, first_difficulty=first)
        _train_nano(out, resume, minutes, slice_settings, data or [])
        return
    from docai.models.heads import HEADS

    if what not in HEADS:
        raise UnknownHeadError(
            f"There is nothing called {what!r} to train; there are the heads {', '.join(HEADS)}, and {NANO}."
        )
    if out is None:
        raise SettingError(f"`docai train {what}` needs -o: the folder that the run is kept in.")
    if base is None:
        raise SettingError(
            f"`docai train {what}` needs --base: the folder of a PaliGemma 2, or a hub id such as "
            "google/paligemma2-3b-pt-896@<revision> whose files are on this machine."
        )
    console = people()
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
            command=_typed(),
        )
    except StoppedElsewhereError:
        # The process that stopped says why; this one of several has nothing to add.
        raise typer.Exit(USAGE) from None
    except KeyboardInterrupt:
        # Before the first step, or a second Ctrl-C: the state saved last is what the next run goes on from.
        run = None
    says = os.environ.get("RANK", "0") == "0" if run is None else run.is_main
    if run is None or run.interrupted:
        if says:
            console.print("Interrupted; the same command goes on from what is saved.", soft_wrap=True)
        raise typer.Exit(INTERRUPTED)
    if not says:
        return
    loss = "" if run.loss is None else f", loss {run.loss:.4f}"
    best = run.best
    measured = "" if best is None else f", {best.metric} {best.value:.4f} held out, at step {best.step}"
    console.print(f"{run.step} steps{loss}{measured}; checkpoint in {out}", markup=False, soft_wrap=True)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _typed() -> str:
    """The command line as it was typed, with the launcher where there was one."""
    count = os.environ.get("WORLD_SIZE", "1")
    start = "docai" if count == "1" else f"torchrun --nproc-per-node {count} -m docai"
    return f"{start} {shlex.join(sys.argv[1:])}"
