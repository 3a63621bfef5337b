"""Scores of many cases: at first here, and where that takes long in several processes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from docai.errors import DocaiError
from docai.pipelines.evaluation.base import CaseScore, Prediction, Ratio, Sample, Skipped, Task
from docai.pipelines.evaluation.predictions import keep_kinds
from docai.pipelines.evaluation.tasks import get_task
from docai.pipelines.external.workers import WorkerDied, can_start_processes, each_in_process
from docai.records import Kind

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


FindTask = Callable[[str], Task]

Case = tuple[Sample, Prediction | None]

Scores = dict[str, CaseScore]

SECONDS_ALONE = 3.0
"""What takes less is not worth starting processes for."""

DIED = "not scored: the process that scored it died"

_ALL_KINDS = "words"
"""The task whose truth is the words of all kinds of regions."""


def score_cases(
    cases: Sequence[Case],
    tasks: Sequence[str],
    kinds: Sequence[Kind],
    *,
    jobs: int = 1,
    find_task: FindTask = get_task,
    seconds_alone: float = SECONDS_ALONE,
) -> Iterator[Scores]:
    """The scores of each case by the name of the task, in the order of the cases.

    A case whose metric fails, or takes its process down, is not defined in any measure of the task and says
    so in its notes; the others are scored.

    Args:
        kinds: what the truth labels; predicted items of other kinds are dropped before they are scored,
            but for ``words``, whose truth is the words of the whole page.
        jobs: processes; 1 scores in this one alone.
        find_task: a function of a module, so that a new process can import it.
        seconds_alone: how long this process scores before it starts others.

    Raises:
        MissingDependencyError: a task needs a package that is not installed.
    """
    started = time.perf_counter()
    score = partial(score_case, tasks=tuple(tasks), kinds=tuple(kinds), find_task=find_task)
    first = 0
    for first, case in enumerate(cases):
        if jobs > 1 and len(cases) - first > 1 and time.perf_counter() - started >= seconds_alone:
            break
        yield score(case)
    else:
        return
    rest = cases[first:]
    if not can_start_processes():
        yield from map(score, rest)
        return
    outcomes = each_in_process(partial(_in_process, score), rest, processes=min(jobs, len(rest)))
    for case, outcome in zip(rest, outcomes, strict=True):
        if isinstance(outcome, WorkerDied):
            yield {name: _undefined(case, find_task(name), DIED) for name in tasks}
        else:
            yield outcome


def score_case(
    case: Case, tasks: Sequence[str], kinds: Sequence[Kind], find_task: FindTask = get_task
) -> Scores:
    """The scores of one case by the name of the task."""
    sample, prediction = case
    labeled = prediction and keep_kinds(prediction, kinds)
    scores = {}
    for name in tasks:
        task = find_task(name)
        try:
            score = task.score(sample, prediction if name == _ALL_KINDS else labeled)
        except DocaiError:
            raise
        except Exception as error:
            score = _undefined(case, task, f"not scored: the metric failed, {type(error).__name__}: {error}")
        # Plain dictionaries, which go from one process to another.
        scores[name] = replace(score, ratios=dict(score.ratios), n_truth=dict(score.n_truth))
    return scores


def _undefined(case: Case, task: Task, note: str) -> CaseScore:
    return CaseScore(case[0].id, {measure.name: Ratio(0, 0) for measure in task.measures}, (note,))


def _in_process(score: Callable[[Case], Scores], case: Case) -> Scores:
    # Ctrl-C reaches all processes of a terminal; those of ours end at once and without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return score(case)
