"""``docai train``: the embedded checkpoint in slices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from docai.cli.console import EXIT_CODES, INTERRUPTED, people
from docai.errors import SettingError


def register(app: typer.Typer) -> None:
    app.command("train", epilog=EXIT_CODES)(train)


def train(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="nano: the embedded checkpoint, all heads.")],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="DIR", help="Run folder; a run found there is resumed."),
    ],
    minutes: Annotated[float, typer.Option(metavar="M", min=0.05, help="Length of this slice.")] = 60.0,
    total_minutes: Annotated[
        float | None,
        typer.Option(metavar="T", min=0.05, help="Length of the whole schedule. Default: this slice."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of weights and data.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes that draw.")] = 1,
) -> None:
    """Train the embedded checkpoint from nothing on drawn pairs, on this machine's CPU.

    Stops by the clock and leaves DIR/state.pt, from which the next slice goes on, and DIR/checkpoint, which
    `docai process --model DIR/checkpoint` takes. Ctrl-C also leaves both.
    """
    if what != "nano":
        raise SettingError(f"There is nothing called {what!r} to train; so far only nano can be trained.")
    from docai.pipelines.training.slices import SliceSettings, train_slice

    console = people()
    settings = SliceSettings(total_minutes=total_minutes or minutes, seed=seed, workers=workers)
    progress = train_slice(out, minutes, settings, lambda row: console.print(row, soft_wrap=True))
    console.print(
        f"{progress.step} steps, {progress.samples} samples, {progress.minutes:.1f} of "
        f"{settings.total_minutes:.1f} minutes; checkpoint in {out / 'checkpoint'}"
    )
    if progress.interrupted:
        raise typer.Exit(INTERRUPTED)
