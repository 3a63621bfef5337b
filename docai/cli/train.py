"""``docai train``: an adapter for one head on a base of the user's, or the embedded checkpoint in slices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from docai.cli.console import EXIT_CODES, INTERRUPTED, people
from docai.cli.outputs import make_folder
from docai.errors import SettingError, UnknownHeadError

if TYPE_CHECKING:
    from docai.pipelines.training.adapters import AdapterRun

NANO = "nano"
_HEAD_PANEL = "A head on a base"
_DATA_PANEL = "Its data"
_FOR_HEAD = (
    "base",
    "data",
    "steps",
    "batch",
    "accumulate",
    "learning_rate",
    "label_smoothing",
    "max_tokens",
    "rank",
    "full",
    "four_bit",
    "checkpointing",
    "difficulty",
    "max_rejected",
    "held_out",
    "measure_steps",
    "device",
)
_FOR_NANO = ("minutes", "total_minutes")


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
        Path,
        typer.Option("-o", "--out", metavar="DIR", help="Run folder; a run found there is resumed."),
    ],
    seed: Annotated[int, typer.Option(metavar="S", min=0, help="Seed of weights and data.")] = 1,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Processes that prepare pairs.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="A folder or hub id@revision.", rich_help_panel=_HEAD_PANEL),
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
        typer.Option(metavar="X", help="Highest rate. Default: the preset.", rich_help_panel=_HEAD_PANEL),
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
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="auto, cpu or cuda.", rich_help_panel=_HEAD_PANEL)
    ] = "auto",
    data: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DATA",
            help="A folder of docai synth, or FORMAT:PATH as in docai evaluate; repeatable. Default: drawn.",
            rich_help_panel=_DATA_PANEL,
        ),
    ] = None,
    difficulty: Annotated[
        float,
        typer.Option(metavar="X", min=0, max=1, help="Of drawn pairs, 0 to 1.", rich_help_panel=_DATA_PANEL),
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
            help="Length of the whole schedule. Default: this slice.",
            rich_help_panel=NANO,
        ),
    ] = None,
) -> None:
    """Train the weights of a head.

    `docai train HEAD --base MODEL -o DIR` fine-tunes a LoRA adapter (or, with --full, all weights) for one
    head on a PaliGemma 2 that is on this machine. DIR is then a checkpoint: `docai process --model DIR`.
    What is not given is as in PaliGemma 2's paper. The data is checked first: DIR/rejected.jsonl lists what
    cannot be used. Where pairs are held out, the best weights on them are what DIR ends with.

    `docai train nano -o DIR` trains the embedded checkpoint from nothing on this machine's CPU and stops by
    the clock. It leaves DIR/state.pt, from which the next slice goes on, and DIR/checkpoint.

    Ctrl-C ends either after the step it is in, with everything saved; the same command goes on from there.
    """
    for name in _FOR_HEAD if what == NANO else _FOR_NANO:
        source = context.get_parameter_source(name)
        if source is not None and source.name != "DEFAULT":
            raise SettingError(f"--{name.replace('_', '-')} has no meaning for `docai train {what}`.")
    if what == NANO:
        _train_nano(out, minutes, total_minutes, seed, workers)
        return
    from docai.models.heads import HEADS

    if what not in HEADS:
        raise UnknownHeadError(
            f"There is nothing called {what!r} to train; there are the heads {', '.join(HEADS)}, and {NANO}."
        )
    if base is None:
        raise SettingError(
            f"`docai train {what}` needs --base: the folder of a PaliGemma 2, or a hub id such as "
            "google/paligemma2-3b-pt-896@<revision> whose files are on this machine."
        )
    console = people()
    try:
        from docai.pipelines.training.adapters import AdapterSettings, train_adapter

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
        )
    except KeyboardInterrupt:
        # Before the first step, or a second Ctrl-C: the state saved last is what the next run goes on from.
        run = None
    if run is None or run.interrupted:
        console.print("Interrupted; the same command goes on from what is saved.", soft_wrap=True)
        raise typer.Exit(INTERRUPTED)
    loss = "" if run.loss is None else f", loss {run.loss:.4f}"
    best = run.best
    measured = "" if best is None else f", {best.metric} {best.value:.4f} held out, at step {best.step}"
    console.print(f"{run.step} steps{loss}{measured}; checkpoint in {out}", markup=False, soft_wrap=True)


def _train_nano(
    out: Path, minutes: float, total_minutes: float | None, seed: int, workers: int | None
) -> None:
    from docai.pipelines.training.slices import SliceSettings, train_slice

    console = people()
    settings = SliceSettings(total_minutes=total_minutes or minutes, seed=seed, workers=workers or 1)
    progress = train_slice(
        make_folder(out), minutes, settings, lambda row: console.print(row, soft_wrap=True)
    )
    console.print(
        f"{progress.step} steps, {progress.samples} samples, {progress.minutes:.1f} of "
        f"{settings.total_minutes:.1f} minutes; checkpoint in {out / 'checkpoint'}"
    )
    if progress.interrupted:
        raise typer.Exit(INTERRUPTED)
