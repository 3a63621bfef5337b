"""The tables of RESULTS.md."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from adapters import ROOT
from reading import Reading, seconds
from suites import Column

from docai.environment import processor
from docai.pipelines.evaluation.base import CaseScore, Measure, Prediction
from docai.pipelines.evaluation.statistics import bootstrap, corpus
from docai.pipelines.evaluation.tasks import TASKS

REFERENCE = "docai"
"""Seconds are given as multiples of this tool's over the same cases."""


@dataclass(frozen=True)
class Row:
    """One tool on one data set."""

    reading: Reading
    scores: Sequence[Mapping[str, CaseScore]]
    """Of its cases, by the name of the task."""


def table(columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[str]:
    """Markdown lines."""
    measures = [_measure(column) for column in columns]
    heads = ["tool"]
    for column, measure in zip(columns, measures, strict=True):
        heads.append((column.heading or measure.label) + (" %" if measure.percent else ""))
    heads += ["cases", "failed", "s / case", f"× {REFERENCE}", "peak MiB"]
    yield f"| {' | '.join(heads)} |"
    yield f"|---|{'---:|' * (len(heads) - 1)}"
    reference = next((row.reading for row in rows if row.reading.peer.name == REFERENCE), None)
    for row in rows:
        if row.reading.unavailable is not None:
            yield f"| {row.reading.peer.name} | not run: {row.reading.unavailable} |{' |' * (len(heads) - 2)}"
            continue
        figures = [
            figure(measure, [scores[column.task] for scores in row.scores])
            for column, measure in zip(columns, measures, strict=True)
        ]
        yield f"| {' | '.join([row.reading.peer.name, *figures, *_costs(row.reading, reference)])} |"


def _measure(column: Column) -> Measure:
    return next(measure for measure in TASKS[column.task].measures if measure.name == column.measure)


def figure(measure: Measure, scores: Sequence[CaseScore]) -> str:
    """The corpus figure with its 95 % interval, such as ``87.5 (80.1–93.2)`` in percent."""
    ratios = [score.ratios[measure.name] for score in scores]
    value = corpus(ratios)
    if value is None:
        return "–"
    factor, digits = (100, 1) if measure.percent else (1, 3)
    interval = bootstrap(ratios)
    text = f"{value * factor:.{digits}f}"
    if interval is None:
        return text
    return f"{text} ({interval.low * factor:.{digits}f}–{interval.high * factor:.{digits}f})"


def _costs(reading: Reading, reference: Reading | None) -> list[str]:
    """Cases, failures, mean seconds, multiple of the reference, peak memory."""
    predictions = list(reading.predictions.values())
    mean = seconds(predictions)
    peaks = [prediction.peak_bytes for prediction in predictions if prediction.peak_bytes is not None]
    return [
        str(len(predictions)),
        str(sum(prediction.error is not None for prediction in predictions)),
        "–" if mean is None else f"{mean:.2f}",
        "–" if reference is None else _multiple(reading.predictions, reference.predictions),
        f"{max(peaks) / 2**20:.0f}" if peaks else "–",
    ]


def _multiple(ours: Mapping[str, Prediction], theirs: Mapping[str, Prediction]) -> str:
    common = [name for name in ours if name in theirs]
    our_mean, their_mean = (seconds([predictions[name] for name in common]) for predictions in (ours, theirs))
    return f"{our_mean / their_mean:.2f}" if our_mean is not None and their_mean else "–"


def header(command: str) -> Iterator[str]:
    """Commit, command and machine of the run."""
    commit = _git("rev-parse", "--short", "HEAD") or "unknown"
    if _git("status", "--porcelain", "--", ".", ":!benchmarks/RESULTS.md"):
        commit += " with uncommitted changes"
    load = os.getloadavg()[0]
    yield f"- commit {commit}, {date.today().isoformat()}, `{command}`"
    yield (
        f"- {processor()}, {os.cpu_count()} cores, {_memory()}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}; load average {load:.1f} when the run began"
    )


def _git(*arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip() if result.returncode == 0 else ""


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def versions(readings: Sequence[Reading]) -> Iterator[str]:
    """Each tool that was asked, its version, and how it was called or why not."""
    yield "| tool | version | how it was called |"
    yield "|---|---|---|"
    seen: dict[str, Reading] = {}
    for reading in readings:
        seen.setdefault(reading.peer.name, reading)
    for name, reading in seen.items():
        if reading.unavailable is None:
            yield f"| {name} | {reading.version} | {reading.peer.remark} |"
        else:
            yield f"| {name} | – | not run: {reading.unavailable} |"
