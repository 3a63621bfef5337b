"""``docai train nano``: train the embedded checkpoint, or pack its training for another machine.

The options of this part of the command are types here (``Minutes``, ``Pack``, …); :mod:`docai.cli.train` puts
them in its signature and calls :func:`run_nano`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from docai.cli.common import INTERRUPTED, people
from docai.errors import SettingError

NANO = "nano"

NANO_OPTIONS = ("minutes", "total_minutes", "resume", "keep_optimizer", "pack", "megabytes")
"""Parameters of the command that only ``docai train nano`` uses."""

_UNUSED_BY_PACK = (
    "base",
    "learning_rate",
    "difficulty",
    "total_minutes",
    "keep_optimizer",
    "data",
    "device",
    "resume",
)

Minutes = Annotated[
    float,
    typer.Option(metavar="M", min=0.05, help="Minutes that this session lasts.", rich_help_panel=NANO),
]

TotalMinutes = Annotated[
    float | None,
    typer.Option(
        metavar="T",
        min=0.05,
        help="Minutes of the whole schedule, over all sessions. Default: as before; at first --minutes.",
        rich_help_panel=NANO,
    ),
]

Resume = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Continue from the saved state in DIR, which must exist. Without -o, DIR is the run folder too.",
        rich_help_panel=NANO,
    ),
]

KeepOptimizer = Annotated[
    bool,
    typer.Option(
        "--keep-optimizer/--weights-only",
        help="Save the optimizer and a checkpoint too, or only the weights (45 MB).",
        rich_help_panel=NANO,
    ),
]

Pack = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Do not train: write a folder with all that another machine needs, and the state of -o.",
        rich_help_panel=NANO,
    ),
]

Megabytes = Annotated[
    float,
    typer.Option(metavar="N", min=1, help="Largest size of the pack, MiB.", rich_help_panel=NANO),
]


@dataclass(frozen=True)
class NanoArguments:
    """What was given to ``docai train nano``."""

    given: Collection[str]
    """Names of the parameters that do not have their default."""
    out: Path | None
    base: str | None
    seed: int
    workers: int | None
    device: str
    data: list[str]
    difficulty: float
    learning_rate: float | None
    minutes: float
    total_minutes: float | None
    resume: Path | None
    keep_optimizer: bool
    pack: Path | None
    megabytes: float


def require_unused(given: Collection[str], names: Iterable[str], place: str) -> None:
    """Raise where one of the parameters ``names`` was given.

    Args:
        given: the parameters that were given.
        names: those that are not used.
        place: where they are not, such as "beside --pack".

    Raises:
        SettingError: one was given.
    """
    for name in names:
        if name in given:
            raise SettingError(f"--{name.replace('_', '-')} has no meaning {place}.")


def run_nano(arguments: NanoArguments) -> None:
    """Train, or write a pack.

    Raises:
        SettingError: the arguments contradict each other, or there is nowhere to write.
        typer.Exit: Ctrl-C ended the session; its state is saved.
    """
    if arguments.pack is not None:
        require_unused(arguments.given, _UNUSED_BY_PACK, "beside --pack")
        _write_pack(arguments, arguments.pack)
    else:
        _train(arguments)


def _train(arguments: NanoArguments) -> None:
    from docai.pipelines.training.nano.feed import PackSource
    from docai.pipelines.training.nano.loop import train_nano
    from docai.pipelines.training.nano.pack import require_pack
    from docai.pipelines.training.nano.settings import NanoSettings

    settings = NanoSettings(
        base=arguments.base,
        total_minutes=arguments.total_minutes,
        seed=arguments.seed,
        workers=arguments.workers,
        device=arguments.device,
        keep_optimizer=arguments.keep_optimizer,
    )
    rate = arguments.learning_rate
    if rate is not None:
        if rate <= 0:
            raise SettingError(f"learning_rate is {rate:g}; it has to be above 0.")
        settings = replace(settings, learning_rate=rate)
    if "difficulty" in arguments.given:
        first = min(arguments.difficulty, settings.first_difficulty)
        settings = replace(settings, difficulty=arguments.difficulty, first_difficulty=first)
    folder = arguments.out or arguments.resume
    if folder is None:
        raise SettingError("`docai train nano` needs -o DIR to start or go on, or --resume DIR to go on.")
    packs = [Path(name) for name in arguments.data]
    if len(packs) > 1:
        raise SettingError("`docai train nano` draws from one pack; give --data once.")
    for pack in packs:
        require_pack(pack)
    progress = train_nano(
        folder,
        arguments.minutes,
        settings,
        _print,
        source=PackSource(packs[0]) if packs else None,
        resume=arguments.resume,
    )
    _print(
        f"{progress.step} steps, {progress.samples} samples, {progress.minutes:.1f} minutes trained; "
        f"state in {folder / 'state'}"
    )
    if progress.interrupted:
        raise typer.Exit(INTERRUPTED)


def _write_pack(arguments: NanoArguments, folder: Path) -> None:
    from docai.pipelines.training.nano.pack import PackSettings, write_pack

    workers = os.cpu_count() or 1 if arguments.workers is None else arguments.workers
    settings = PackSettings(arguments.megabytes, arguments.minutes, arguments.seed, workers=workers)
    sizes = write_pack(folder, arguments.out, settings, _print)
    parts = ", ".join(f"{name} {size / 2**20:.1f}" for name, size in sizes.items())
    _print(f"{sum(sizes.values()) / 2**20:.1f} MiB in {folder}: {parts}")


def _print(line: str) -> None:
    people().print(line, markup=False, soft_wrap=True)
