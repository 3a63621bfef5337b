"""Curves for TensorBoard, where it is installed: loss, rate, and what is measured on held-out pairs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from docai.pipelines.training import folders
from docai.pipelines.training.keeper import Report

if TYPE_CHECKING:
    from transformers import TrainerCallback


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
