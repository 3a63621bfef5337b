"""What a figure depends on besides the model: versions, machine and commit."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.resources import files
from pathlib import Path

from docai import environment
from docai.pipelines.evaluation.report.model import Machine

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "numpy",
    "scipy",
    "lxml",
    "apted",
    "rapidfuzz",
    "grits-metric",
    "shapely",
    "rdkit",
    "music21",
    "musicdiff",
    "converter21",
    "verovio",
    "pymupdf",
    "pillow",
)
"""What reads, and what the metrics are computed by."""

_GIT_SECONDS = 10


def versions() -> dict[str, str | None]:
    """docai, Python and :data:`PACKAGES`; None: not installed."""
    return environment.versions(PACKAGES)


def machine() -> Machine:
    """This machine, with every CUDA device it has, used or not."""
    import torch

    return Machine(
        cpu=environment.processor(),
        n_cores=os.cpu_count() or 1,
        gpus=[torch.cuda.get_device_properties(index).name for index in range(torch.cuda.device_count())],
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


def commit() -> str | None:
    """The commit of docai's checkout, with ``+changes`` where files differ from it; None outside of one."""
    root = Path(str(files("docai"))).resolve().parent
    if not (root / ".git").exists():
        return None
    name = _git(root, "rev-parse", "HEAD")
    if name is None:
        return None
    return f"{name}+changes" if _git(root, "status", "--porcelain") else name


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
