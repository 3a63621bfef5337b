"""From the scores of every case to the figures of a report, and what they depend on besides the model."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from docai import environment
from docai.pipelines.evaluation.base import Belief, CaseScore, Measure, Ratio, Sample, Task
from docai.pipelines.evaluation.metrics.calibration import expected_calibration_error, reliability
from docai.pipelines.evaluation.metrics.regions import THRESHOLDS, class_rates
from docai.pipelines.evaluation.report.model import (
    Calibration,
    CaseValues,
    ClassPrecision,
    CostSummary,
    Counts,
    DataSummary,
    Failure,
    IntervalOf,
    Machine,
    MeasureSummary,
    ReliabilityBin,
    Report,
    Spread,
    TaskSummary,
)
from docai.pipelines.evaluation.statistics import Interval, bootstrap, corpus, costs
from docai.pipelines.evaluation.statistics import Spread as Known

if TYPE_CHECKING:
    from docai.pipelines.evaluation.scoring import Evaluation, Scored

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
"""Those whose versions a report names: what reads, and what the metrics are computed by."""

_GIT_SECONDS = 10


def summarize(evaluation: Evaluation, tasks: Mapping[str, Task]) -> Report:
    """The report of a run. ``tasks`` holds those of its data set."""
    data, cases = evaluation.dataset, evaluation.cases
    failures = [
        Failure(id=_writable(case.sample.id), error=_writable(case.prediction.error))
        for case in cases
        if case.prediction is not None and case.prediction.error is not None
    ]
    missing = [_writable(case.sample.id) for case in cases if case.prediction is None]
    return Report(
        date=datetime.now(UTC).replace(microsecond=0),
        reader=_writable(evaluation.reader),
        data=DataSummary(
            format=data.format,
            path=_writable(str(data.path)),
            unit=data.unit,
            kinds=list(data.kinds),
            tasks=list(data.tasks),
            protocol=data.protocol,
        ),
        counts=Counts(
            samples=len(cases),
            predicted=len(cases) - len(failures) - len(missing),
            failed=len(failures),
            missing=len(missing),
            skipped=len(evaluation.skipped),
            unknown_predictions=evaluation.unknown_predictions,
        ),
        tasks=[
            _task(tasks[name], [case.scores[name] for case in cases if name in case.scores])
            for name in data.tasks
        ],
        costs=_costs(cases),
        seconds=evaluation.seconds,
        skipped=dict(Counter(skipped.reason for skipped in evaluation.skipped).most_common()),
        failures=failures,
        missing=missing,
        settings={name: _writable(value) for name, value in evaluation.settings.items()},
        versions=environment.versions(PACKAGES),
        machine=_machine(),
        commit=_commit(),
        cases=[_values(case) for case in cases],
    )


def ratios(scores: Sequence[CaseScore], measure: str) -> list[Ratio]:
    """One measure's share of every case."""
    return [Ratio(*score.ratios[measure]) for score in scores]


def fingerprint(sample: Sample) -> str:
    """Equal for equal truths."""
    digest = hashlib.sha256()
    for item in sample.truth:
        digest.update(json.dumps(item.model_dump(), sort_keys=True).encode())
    return digest.hexdigest()[:12]


def _task(task: Task, scores: Sequence[CaseScore]) -> TaskSummary:
    notes = Counter(note for score in scores for note in dict.fromkeys(score.notes))
    return TaskSummary(
        name=task.name,
        headline=task.headline,
        measures=[_measure(measure, ratios(scores, measure.name)) for measure in task.measures],
        average_precision=list(_average_precision(scores)),
        calibration=_calibration([belief for score in scores for belief in score.beliefs], task.unit),
        part_calibrations=list(_part_calibrations(scores)),
        notes=dict(notes.most_common()),
    )


def _average_precision(scores: Sequence[CaseScore]) -> Iterator[ClassPrecision]:
    """Of every class, at every overlap; nothing for a task that finds no regions."""
    if not any(score.n_truth or score.detections for score in scores):
        return
    for iou in THRESHOLDS:
        for kind, rates in class_rates(scores, iou).items():
            yield ClassPrecision(
                kind=kind,
                iou=iou,
                value=rates.average_precision,
                n_truth=rates.n_truth,
                n_found=rates.n_predictions,
            )


def _part_calibrations(scores: Sequence[CaseScore]) -> Iterator[Calibration]:
    for unit in dict.fromkeys(unit for score in scores for unit in score.part_beliefs):
        calibration = _calibration(
            [belief for score in scores for belief in score.part_beliefs.get(unit, ())], unit
        )
        if calibration is not None:
            yield calibration


def _calibration(beliefs: Sequence[Belief], unit: str) -> Calibration | None:
    error = expected_calibration_error(beliefs)
    if error is None:
        return None
    return Calibration(
        error=error,
        n=len(beliefs),
        bins=[ReliabilityBin(**answers._asdict()) for answers in reliability(beliefs)],
        unit=unit,
    )


def _measure(measure: Measure, values: Sequence[Ratio]) -> MeasureSummary:
    n = sum(bool(ratio.denominator) for ratio in values)
    return MeasureSummary(
        name=measure.name,
        label=measure.label,
        protocol=measure.protocol,
        percent=measure.percent,
        higher_is_better=measure.higher_is_better,
        value=corpus(values),
        interval=interval_of(bootstrap(values)),
        n=n,
        n_undefined=len(values) - n,
    )


def interval_of(interval: Interval | None) -> IntervalOf | None:
    """As it is written."""
    if interval is None:
        return None
    return IntervalOf(low=interval.low, high=interval.high, level=interval.level)


def _costs(cases: Sequence[Scored]) -> CostSummary:
    summary = costs(case.prediction for case in cases if case.prediction is not None)
    return CostSummary(
        seconds=_spread(summary.seconds),
        tokens=_spread(summary.tokens),
        peak_bytes=_spread(summary.peak_bytes),
    )


def _spread(known: Known | None) -> Spread | None:
    if known is None:
        return None
    return Spread(n=known.n, median=known.median, mean=known.mean, p95=known.p95)


def _values(case: Scored) -> CaseValues:
    return CaseValues(
        id=_writable(case.sample.id),
        truth=fingerprint(case.sample),
        values={
            task: {name: (ratio[0], ratio[1]) for name, ratio in score.ratios.items()}
            for task, score in case.scores.items()
        },
    )


def _writable(text: str) -> str:
    """Without the lone surrogates that names of files can hold, and no UTF-8 can."""
    return text.encode("utf-8", "replace").decode()


def _machine() -> Machine:
    """This machine, with every CUDA device it has, used or not."""
    import torch

    return Machine(
        cpu=environment.processor(),
        n_cores=os.cpu_count() or 1,
        gpus=[torch.cuda.get_device_properties(index).name for index in range(torch.cuda.device_count())],
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


def _commit() -> str | None:
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
