"""TODO: what this module holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from docai.cli.common import INTERRUPTED, people
from docai.errors import SettingError

if TYPE_CHECKING:
    from docai.pipelines.training.nano.settings import SliceSettings

NANO = "nano"

_FOR_NANO = ("minutes", "total_minutes", "resume", "keep_optimizer", "pack", "megabytes")

_FOR_PACK = (
    "base",
    "learning_rate",
    "difficulty",
    "total_minutes",
    "keep_optimizer",
    "data",
    "device",
    "resume",
)
"""What has no meaning beside --pack."""


def _train_nano(
    out: Path | None, resume: Path | None, minutes: float, settings: SliceSettings, data: list[str]
) -> None:
    from docai.pipelines.training.nano.feed import Pack
    from docai.pipelines.training.nano.loop import train_slice
    from docai.pipelines.training.nano.pack import require_pack

    folder = out or resume
    if folder is None:
        raise SettingError("`docai train nano` needs -o DIR to start or go on, or --resume DIR to go on.")
    if len(data) > 1:
        raise SettingError("`docai train nano` draws from one pack; give --data once.")
    for pack in data:
        require_pack(Path(pack))
    console = people()
    progress = train_slice(
        folder,
        minutes,
        settings,
        lambda row: console.print(row, markup=False, soft_wrap=True),
        source=Pack(Path(data[0])) if data else None,
        resume=resume,
    )
    console.print(
        f"{progress.step} steps, {progress.samples} samples, {progress.minutes:.1f} minutes trained; "
        f"state in {folder / 'state'}",
        markup=False,
        soft_wrap=True,
    )
    if progress.interrupted:
        raise typer.Exit(INTERRUPTED)


def _pack_nano(
    pack: Path, run: Path | None, megabytes: float, minutes: float, seed: int, workers: int | None
) -> None:
    from docai.pipelines.training.nano.pack import PackSettings, write_pack

    console = people()
    settings = PackSettings(
        megabytes, minutes, seed, workers=os.cpu_count() or 1 if workers is None else workers
    )
    parts = write_pack(pack, run, settings, lambda row: console.print(row, markup=False, soft_wrap=True))
    listed = ", ".join(f"{name} {size / 2**20:.1f}" for name, size in parts.items())
    console.print(f"{sum(parts.values()) / 2**20:.1f} MiB in {pack}: {listed}", markup=False, soft_wrap=True)
