"""What an evaluation comes to: every case with its truth, its prediction and its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from docai.pipelines.evaluation.base import CaseScore, Prediction, Sample, Skipped

if TYPE_CHECKING:
    from docai.pipelines.evaluation.datasets import DataSet


@dataclass(frozen=True, slots=True)
class Scored:
    """One case. ``scores`` is by the name of the task."""

    sample: Sample
    prediction: Prediction | None
    scores: Mapping[str, CaseScore]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All cases of one data set, read by one reader."""

    dataset: DataSet
    reader: str
    """Such as ``nano@step-6765 (head table)`` or the name of a file of predictions."""
    cases: Sequence[Scored]
    skipped: Sequence[Skipped]
    unknown_predictions: int
    """Predictions whose id is that of no sample."""
    settings: Mapping[str, str]
    seconds: float
