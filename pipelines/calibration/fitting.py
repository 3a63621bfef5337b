"""Fitting a calibration map, measuring it on answers that it was not fitted on, storing it in ``docai.json``.

Every score of :data:`docai.models.calibration.SCORES` is tried with every method; the one with the best Brier
score in cross-validation is taken. Folds are of whole answers, since the parts of one answer are not
independent of one another.

The isotonic map is the pool-adjacent-violators solution (``scipy.optimize.isotonic_regression``, Zadrozny and
Elkan 2002) over groups of about equally many answers, whose shares of right ones are drawn a little towards
the share of all: ``(right + share) / (n + 1)``. So no group, however small, says 0 or 1. The logistic map is
found by ``scipy.optimize.minimize`` with targets smoothed as Platt 1999 smooths them.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from docai.errors import CheckpointError, SettingError, needs
from docai.files import write_atomically
from docai.models.calibration import SCORES, Calibration, CalibrationMap, Score, log_odds, log_score
from docai.models.checkpoints import MANIFEST, Manifest
from docai.pipelines.evaluation.base import Belief
from docai.pipelines.evaluation.metrics.calibration import brier_score, expected_calibration_error


def check_writable(folder: Path) -> None:
    """Raise before long work where ``docai.json`` could not be replaced afterwards.

    Raises:
        CheckpointError: there is none.
        SettingError: the folder cannot be written to.
    """
    if not (folder / MANIFEST).is_file():
        raise CheckpointError(
            f"The folder {folder} has no {MANIFEST}, so it says of no head that it can answer; calibrate a "
            "checkpoint that docai train wrote."
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def check_new(folder: Path) -> None:
    """Raise before long work where a copy could not be put at ``folder`` afterwards.

    Raises:
        SettingError: there is something already, or it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingError(f"{folder} is there already; give a new or empty folder with -o.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder.parent):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def write_copy(source: Path, target: Path, maps: Mapping[str, Calibration]) -> None:
    """A checkpoint with these maps in a new folder, complete or not at all.

    The states of its training are left out. Weights are hard links where the disk allows it.

    Raises:
        SettingError: see :func:`check_new`.
        CheckpointError: see :func:`write_calibration`.
    """
    check_new(target)
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        left_out = shutil.ignore_patterns("state", "__pycache__")
        shutil.copytree(source, part, copy_function=_link, ignore=left_out)
        write_calibration(part, maps)
        if target.exists():
            target.rmdir()
        part.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_calibration(folder: Path, maps: Mapping[str, Calibration]) -> None:
    """Put the maps of some heads into ``docai.json``, whole or not at all. All else in it stays.

    Raises:
        CheckpointError: it is missing, damaged, or lacks one of the heads.
        SettingError: it cannot be written.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        entries = content["heads"]
        for head, units in maps.items():
            entries[head]["calibration"] = {
                unit: chosen.model_dump(exclude_defaults=True) for unit, chosen in units.items()
            }
        # What cannot be read again must not take the place of what can.
        Manifest.model_validate(content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"The {MANIFEST} of {folder} cannot be used ({error}); mend it.") from error
    try:
        write_atomically(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise _unwritable(folder, error) from error


def _link(source: str, target: str) -> None:
    """``docai.json`` is replaced later and never written into, so that links are safe."""
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copy2(source, target)


def _unwritable(folder: Path, error: OSError) -> SettingError:
    return SettingError(
        f"The folder {folder} cannot be written to: {error.strerror or error}. Give another folder with -o."
    )


Method = Literal["isotonic", "logistic"]

Floats = npt.NDArray[np.float64]

N_FOLDS: Final = 5

MIN_GROUP: Final = 10
"""Answers of one point of an isotonic map at least."""

MAX_GROUPS: Final = 20

_METHODS: Final[tuple[Method, ...]] = get_args(Method)

_RESAMPLES: Final = 200


class Observed(NamedTuple):
    """One answer, or one part of one, that was held against the truth."""

    group: int
    """Equal for the parts of one answer."""
    logprobs: Sequence[float]
    """Of the tokens that spell it; one at least."""
    is_right: bool


@dataclass(frozen=True)
class Quality:
    """How well confidences come true."""

    n: int
    accuracy: float
    error: float
    """Expected calibration error."""
    brier: float
    by_chance: float
    """The calibration error that confidences without any fault would show on so many answers."""


@dataclass(frozen=True)
class Fitted:
    """A map, and what it does on answers that it was not fitted on."""

    chosen: CalibrationMap
    before: Quality
    """Of the plain geometric mean."""
    after: Quality
    """Of maps fitted in the same way without the fold that they are measured on."""


def fit_and_measure(observed: Sequence[Observed], data: str) -> Fitted:
    """The map of all of them, and how well such a map does on others.

    Args:
        observed: of two groups at least.
        data: what they are, for records.

    Raises:
        MissingDependencyError: scipy is not installed.
    """
    plain = [
        Belief(math.exp(log_score("geometric-mean", observation.logprobs)), observation.is_right)
        for observation in observed
    ]
    held_out: list[Belief] = []
    for rest, fold in _folds(observed):
        chosen = fit(rest, data)
        held_out += [Belief(chosen.apply(observation.logprobs), observation.is_right) for observation in fold]
    return Fitted(fit(observed, data), quality(plain), quality(held_out))


def quality(beliefs: Sequence[Belief], seed: int = 0) -> Quality:
    """The figures of one belief or more.

    Raises:
        ValueError: there are none.
    """
    error, brier = expected_calibration_error(beliefs), brier_score(beliefs)
    if error is None or brier is None:
        raise ValueError("There are no answers to measure.")
    rng = random.Random(seed)
    n_draws = max(5, min(_RESAMPLES, 200_000 // len(beliefs)))
    drawn = [
        expected_calibration_error(
            [Belief(belief.confidence, rng.random() < belief.confidence) for belief in beliefs]
        )
        for _ in range(n_draws)
    ]
    return Quality(
        n=len(beliefs),
        accuracy=sum(belief.is_right for belief in beliefs) / len(beliefs),
        error=error,
        brier=brier,
        by_chance=math.fsum(value or 0.0 for value in drawn) / n_draws,
    )


def fit(observed: Sequence[Observed], data: str) -> CalibrationMap:
    """The map with the best Brier score in cross-validation. All right, or all wrong: a constant one.

    Raises:
        ValueError: there is nothing to fit on.
        MissingDependencyError: scipy is not installed.
    """
    if not observed:
        raise ValueError("There are no answers to fit a map on.")
    right = sum(observation.is_right for observation in observed)
    if right in (0, len(observed)):
        share = (right + 0.5) / (len(observed) + 1)
        return CalibrationMap(
            score="product", method="isotonic", x=[0.0], y=[share], n=len(observed), data=data
        )
    candidates = [(score, method) for score in SCORES for method in _METHODS]
    losses = dict.fromkeys(candidates, 0.0)
    tables = {score: _table(observed, score) for score in SCORES}
    groups = np.array([observation.group for observation in observed])
    for fold_groups in _held_groups(observed):
        is_held = np.isin(groups, fold_groups)
        for score, method in candidates:
            table = tables[score]
            chosen = _fit_one(table[~is_held], score, method, data)
            for x, log_n, is_right in table[is_held].tolist():
                losses[score, method] += (chosen.at(x, round(math.exp(log_n))) - is_right) ** 2
    best = min(candidates, key=losses.__getitem__)
    return _fit_one(tables[best[0]], *best, data)


def _folds(observed: Sequence[Observed]) -> Iterator[tuple[list[Observed], list[Observed]]]:
    for fold_groups in _held_groups(observed):
        chosen = frozenset(fold_groups)
        yield (
            [observation for observation in observed if observation.group not in chosen],
            [observation for observation in observed if observation.group in chosen],
        )


def _held_groups(observed: Sequence[Observed]) -> list[list[int]]:
    """The groups of each fold, by chance and always the same."""
    groups = sorted({observation.group for observation in observed})
    random.Random(len(groups)).shuffle(groups)
    n_folds = min(N_FOLDS, len(groups))
    return [groups[start::n_folds] for start in range(n_folds)]


def _table(observed: Sequence[Observed], score: Score) -> Floats:
    """Log-odds of the score, logarithm of the number of tokens, and 1 where it is right: [n, 3]."""
    rows = [
        (
            log_odds(score, observation.logprobs),
            math.log(len(observation.logprobs)),
            float(observation.is_right),
        )
        for observation in observed
    ]
    return np.array(rows, dtype=np.float64)


def _fit_one(table: Floats, score: Score, method: Method, data: str) -> CalibrationMap:
    n = len(table)
    if method == "isotonic":
        x, y = _isotonic(table)
        return CalibrationMap(score=score, method=method, x=x, y=y, n=n, data=data)
    intercept, slope, length = _logistic(table)
    return CalibrationMap(
        score=score, method=method, intercept=intercept, slope=slope, length=length, n=n, data=data
    )


def _isotonic(table: Floats) -> tuple[list[float], list[float]]:
    with _scipy():
        from scipy.optimize import isotonic_regression
    ordered = table[np.argsort(table[:, 0], kind="stable")]
    share = float(ordered[:, 2].mean())
    xs, ys, weights = [], [], []
    for group in _groups(ordered):
        xs.append(float(group[:, 0].mean()))
        ys.append((float(group[:, 2].sum()) + share) / (len(group) + 1))
        weights.append(len(group))
    y = isotonic_regression(ys, weights=weights).x
    # Rounded for the file, and rising still.
    points = dict(sorted((round(a, 5), round(float(b), 6)) for a, b in zip(xs, y, strict=True)))
    return list(points), np.maximum.accumulate(list(points.values())).tolist()


def _groups(ordered: Floats) -> Iterator[Floats]:
    """Runs of about equally many answers; those of one score are never parted."""
    size = max(MIN_GROUP, math.ceil(len(ordered) / MAX_GROUPS))
    start = 0
    while start < len(ordered):
        end = min(start + size, len(ordered))
        end = int(np.searchsorted(ordered[:, 0], ordered[end - 1, 0], side="right"))
        if len(ordered) - end < size:
            # What is left would be a group of few.
            end = len(ordered)
        yield ordered[start:end]
        start = end


def _logistic(table: Floats) -> tuple[float, float, float]:
    """Intercept, slope and weight of the length, by greatest likelihood; the slope is not negative."""
    with _scipy():
        from scipy.optimize import minimize
    n_right = float(table[:, 2].sum())
    n_wrong = len(table) - n_right
    targets = np.where(table[:, 2] > 0, (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2))
    features = np.column_stack([np.ones(len(table)), table[:, 0], table[:, 1]])
    # Scores of long answers are far out, and must not decide the step of the search.
    scale = np.maximum(np.abs(features).max(axis=0), 1.0)
    features = features / scale

    def loss(weights: Floats) -> tuple[float, Floats]:
        logits = features @ weights
        error = 1 / (1 + np.exp(-np.clip(logits, -500, 500))) - targets
        value = float(np.mean(np.logaddexp(0, logits) - targets * logits))
        return value, features.T @ error / len(table)

    start = np.array([math.log((n_right + 1) / (n_wrong + 1)), 0.0, 0.0])
    bounds = [(None, None), (0, None), (None, None)]
    optimum = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    intercept, slope, length = (float(round(value, 6)) for value in optimum.x / scale)
    return intercept, slope, length


def _scipy() -> AbstractContextManager[None]:
    return needs("docai[metrics]", "Fitting a calibration")
