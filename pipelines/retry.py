"""Asking again where the first answer is invalid, looping or cut.

Each head has a list of steps; each step changes one thing about the request and is tried only against the
faults that it can mend:

========  ====================================================================================
head      steps in order (against)
========  ====================================================================================
table     more-tokens (cut), tiles (cut, loop), constrained (invalid, loop), wider-crop (all)
molecule  constrained (invalid, loop), tighter-crop (all), wider-crop (all), beam (invalid, loop)
score     more-tokens (cut), constrained (invalid, loop), wider-crop (all), beam (invalid)
text      more-tokens (cut), tiles (cut, loop), tighter-crop (loop), constrained (invalid, loop)
========  ====================================================================================

``more-tokens`` doubles the budget, under the caller's limit; ``tiles`` cuts the region in two or more
between its rows or lines; ``tighter-crop`` hides the neighbors in the margin and ``wider-crop`` shows a
twentieth more on every side; ``constrained`` holds the answer to the head's grammar, where llguidance
is installed; ``beam`` searches with four beams.

The first sound answer ends it, at most :data:`MAX_ATTEMPTS` are made, and their tokens together are at most
:data:`MAX_BUDGETS` times the head's budget. Where none is sound the first answer stays: a record is never
worse for having been asked again. All regions of one round are put to the engine together.

Off by default, by what it does to nano on drawn, held-out crops, 20 of each head. At difficulty 0.2 no answer
was faulty. At 0.6 no score was, and 10 molecules were invalid: 9 of them became valid, at 1.7 times the
tokens of all first answers, and none of the 9 was the molecule that was drawn. So a valid answer after an
invalid one is an answer to check, which is why the record says so; with a model that reads better than it
spells, ``auto`` is for you.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from itertools import islice
from typing import Final

from docai.issues import make_issue
from docai.models.engine import Engine, Generation, Request, answer
from docai.models.heads import Fault, Head, RetryStep
from docai.pipelines.crops.crop import MARGIN, Crop
from docai.pipelines.crops.tiling import tile_region
from docai.pipelines.evidence.base import Reading
from docai.pipelines.recognition.answer import region_reading
from docai.pipelines.region import RegionTask
from docai.records import Alternative, Attempt

MAX_ATTEMPTS: Final = 3
"""After the first answer."""

MAX_BUDGETS: Final = 4
"""Tokens of all further attempts at one region, in budgets of its head."""

_FAULT_WORDS: Final[Mapping[Fault | None, str]] = {
    "cut": "cut off",
    "loop": "a loop",
    "invalid": "invalid",
    None: "without fault",
}

_TIGHT_MARGIN_PIXELS: Final = 4

_WIDENING_SHARE: Final = 0.05
"""Of the longer side of a region."""


@dataclass
class _Retry:
    """One region that is asked again, and what it may still cost."""

    task: RegionTask
    head: Head
    reading: Reading
    steps: list[RetryStep]
    tokens_left: int
    n_attempts: int = 0


@dataclass(frozen=True)
class _Trial:
    """One step of one region, ready for the engine."""

    retry: _Retry
    step: RetryStep
    crops: Sequence[Crop]
    requests: Sequence[Request]


def fault_of(reading: Reading) -> Fault | None:
    """What is wrong with the model's answer that asking again might mend; None for anything else."""
    if reading.finish_reason == "length":
        return "cut"
    if reading.finish_reason == "loop":
        return "loop"
    return "invalid" if reading.finish_reason == "stop" and not reading.complete else None


def retry_regions(
    tasks: Sequence[RegionTask], engine: Engine, *, in_time: Callable[[], bool] = lambda: True
) -> None:
    """Ask again for the regions whose answer has a fault, all of a round in one call.

    A task that gains by it gets the better crops, generations and reading, and an issue that says so.

    Args:
        tasks: regions that a model may have read, of one page.
        engine: reads them again.
        in_time: asked before each round; False ends it.

    Raises:
        ConfigurationError: the engine is not set up. Any other failure is the answer to its crop.
    """
    retries = [retry for task in tasks if (retry := _begin(task)) is not None]
    while retries and in_time():
        trials = [trial for retry in retries if (trial := _next_trial(retry)) is not None]
        generations = iter(answer(engine, [request for trial in trials for request in trial.requests]))
        for trial in trials:
            _take(trial, list(islice(generations, len(trial.requests))))
        retries = [trial.retry for trial in trials if not trial.retry.reading.complete]


def _begin(task: RegionTask) -> _Retry | None:
    """The steps that may mend a region's answer; None where it needs none or there are none."""
    if task.head is None or task.reading is None:
        return None
    fault = fault_of(task.reading)
    steps = [step for step in task.head.retry_steps if fault in step.against]
    if fault is None or not steps:
        return None
    task.attempts.append(_attempt("first", task.reading))
    return _Retry(task, task.head, task.reading, steps, MAX_BUDGETS * task.head.max_tokens)


def _next_trial(retry: _Retry) -> _Trial | None:
    """The next step that changes anything; None where all are done or a bound is reached."""
    max_tokens = retry.task.options.limits.max_tokens_per_region
    while retry.steps and retry.n_attempts < MAX_ATTEMPTS and retry.tokens_left > 0:
        step = retry.steps.pop(0)
        if step.constrained and not can_constrain():
            continue
        crops = _crops(step, retry.head, retry.task)
        if not crops or len(crops) > retry.tokens_left:
            continue
        # What is left is shared by the tiles, so that no attempt goes beyond it.
        budget = retry.tokens_left // len(crops)
        budget = budget if max_tokens is None else min(budget, max_tokens)
        head = _changed_head(step, retry.head)
        requests = [
            Request(head, crop.image, budget, step.stretch, deadline=retry.task.deadline) for crop in crops
        ]
        return _Trial(retry, step, crops, requests)
    return None


def can_constrain() -> bool:
    """Whether llguidance is installed, which a machine that only trains may lack."""
    return find_spec("llguidance") is not None


def _changed_head(step: RetryStep, head: Head) -> Head:
    decoding = replace(
        head.decoding,
        constrained=step.constrained or head.decoding.constrained,
        num_beams=step.num_beams or head.decoding.num_beams,
    )
    return replace(head, decoding=decoding)


def _crops(step: RetryStep, head: Head, task: RegionTask) -> Sequence[Crop]:
    """The crops of a step; none where it would show what was shown before, or cannot be drawn."""
    if step.crop == "same":
        return task.crops
    page, tiling, bbox = task.page, head.tiling, task.region.bbox
    tiles_of = partial(tile_region, page, tiling, size=task.crop_size, words=task.words)
    x0, y0, x1, y1 = bbox
    try:
        if step.crop == "tighter":
            return tiles_of(bbox, margin=_TIGHT_MARGIN_PIXELS)
        if step.crop == "tiles":
            tallest = (y1 - y0) / (len(task.crops) + 0.5)
            tiles = tiles_of(bbox, margin=MARGIN, max_height=tallest)
            return tiles if len(tiles) > len(task.crops) else ()
        more = _WIDENING_SHARE * max(x1 - x0, y1 - y0)
        left, top, right, bottom = page.bbox
        wider = (max(left, x0 - more), max(top, y0 - more), min(right, x1 + more), min(bottom, y1 + more))
        return () if wider == bbox else tiles_of(wider)
    except Exception:
        # The region could be drawn once, and that answer is kept: a second drawing that fails takes nothing.
        return ()


def _take(trial: _Trial, generations: list[Generation]) -> None:
    """Record an attempt, and put it in the place of the answer so far where it is sound."""
    retry, task = trial.retry, trial.retry.task
    reading = region_reading(retry.head, trial.crops, generations)
    retry.n_attempts += 1
    retry.tokens_left -= reading.n_tokens
    task.attempts.append(_attempt(trial.step.name, reading))
    if not _is_better(reading, retry.reading):
        return
    number = len(task.attempts)
    fault = _FAULT_WORDS[fault_of(retry.reading)]
    message = f"The first answer was {fault}; that of attempt {number}, {trial.step.name}, is sound."
    task.issues.append(make_issue("model-asked-again", message))
    task.superseded.append(Alternative(source="model", content=retry.reading.text, reason=message))
    task.crops, task.generations, task.reading = trial.crops, generations, reading
    task.attempts = [
        attempt.model_copy(update={"believed": index == number})
        for index, attempt in enumerate(task.attempts, 1)
    ]
    retry.reading = reading


def _is_better(reading: Reading, first: Reading) -> bool:
    """Sound where the first is not, and not for want of anything to say."""
    if reading.content is None or reading.content.is_empty:
        return False
    return reading.complete and not first.complete


def _attempt(setting: str, reading: Reading) -> Attempt:
    return Attempt(
        setting=setting,
        finish_reason=reading.finish_reason,
        n_tokens=reading.n_tokens,
        is_sound=reading.complete,
        confidence=reading.confidence.value,
        believed=setting == "first",
    )
