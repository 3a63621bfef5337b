"""Corpus figures, how sure they are, and whether two readers differ.

A figure is a ratio of sums over cases (see :mod:`docai.pipelines.evaluation.base`). Its interval is the
percentile bootstrap over cases (Efron and Tibshirani 1993, ch. 13): a case is drawn with its numerator and
its denominator, since words or cells of one page are not independent of one another. Two readers are
compared on the same cases by a permutation test that swaps their results within cases.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from docai.pipelines.evaluation.base import Prediction, Ratio

Case = TypeVar("Case")
Floats = npt.NDArray[np.float64]

_DRAWS_AT_ONCE = 2**21
"""Drawn cases held in memory at a time."""
_INTERVAL_RESAMPLES = 1000
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies with probability ``level``."""

    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Two readers on the same cases."""

    better: int
    """Cases on which the new reader's own value is better."""
    worse: int
    unchanged: int
    undefined: int
    """Cases whose value is not defined for at least one of the two. Such a case still counts in the corpus
    figure of the reader it is defined for, as it does in that reader's report."""
    old: float | None
    new: float | None
    difference: float | None
    """``new - old`` of the corpus figures; None where one of them is not defined."""
    p_value: float | None
    """Two-sided: how often a difference at least as large comes from swapping results within cases."""
    interval: Interval | None
    """Of the difference, cases resampled in pairs; None for fewer than two cases."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How a cost is distributed over the ``n`` samples that it is known for."""

    n: int
    median: float
    mean: float
    p95: float


@dataclass(frozen=True, slots=True)
class Costs:
    """What reading took per sample. None: known for no sample."""

    seconds: Spread | None
    tokens: Spread | None
    peak_bytes: Spread | None


def corpus(ratios: Sequence[Ratio]) -> float | None:
    """Sum of numerators over sum of denominators; None where the figure is defined on no case."""
    defined = [ratio for ratio in ratios if ratio.denominator]
    if not defined:
        return None
    return math.fsum(r.numerator for r in defined) / math.fsum(r.denominator for r in defined)


def bootstrap(
    ratios: Sequence[Ratio], *, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> Interval | None:
    """Percentile interval of :func:`corpus`, over the cases on which the measure is defined.

    None for fewer than two such cases: one case says nothing about how cases vary.
    """
    table = _table(ratio for ratio in ratios if ratio.denominator)
    if len(table) < 2:
        return None
    rng = np.random.default_rng(seed)
    sums = np.concatenate([table[rows].sum(axis=1) for rows in _draws(rng, len(table), resamples)])
    return _interval(_quotient(sums), level)


def bootstrap_figure(
    cases: Sequence[Case],
    figure: Callable[[Sequence[Case]], float | None],
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval | None:
    """Percentile interval of a figure that is no ratio of sums, such as AP or a calibration error.

    ``figure`` is called once for each resample. None for fewer than two cases, and where the figure is not
    defined on at least half of the resamples.
    """
    if len(cases) < 2:
        return None
    rng = np.random.default_rng(seed)
    drawn = (
        figure([cases[i] for i in row])
        for rows in _draws(rng, len(cases), resamples)
        for row in rows.tolist()
    )
    values = [value for value in drawn if value is not None]
    return _interval(np.array(values), level) if 2 * len(values) >= resamples else None


def paired_test(
    old: Sequence[Ratio],
    new: Sequence[Ratio],
    *,
    higher_is_better: bool = True,
    seed: int = 0,
    resamples: int = 9999,
    level: float = 0.95,
) -> PairedTest:
    """Compare two readers on the same cases, ``old[i]`` and ``new[i]`` being of one case.

    The p-value counts the observed result among the drawn ones, ``(1 + extreme) / (1 + resamples)``
    (Phipson and Smyth 2010), and is exact where there are no more than ``resamples`` ways to swap.

    Raises:
        ValueError: the two are not of one length.
    """
    counts = {"better": 0, "worse": 0, "unchanged": 0, "undefined": 0}
    for old_case, new_case in zip(old, new, strict=True):
        counts[_verdict(old_case.value, new_case.value, higher_is_better)] += 1
    figures = corpus(old), corpus(new)
    difference = figures[1] - figures[0] if figures[0] is not None and figures[1] is not None else None
    p_value, interval = None, None
    if difference is not None:
        rng = np.random.default_rng(seed)
        before, after = _table(old), _table(new)
        p_value = _p_value(before, after, rng, resamples)
        interval = _difference_interval(before, after, rng, level)
    return PairedTest(
        **counts, old=figures[0], new=figures[1], difference=difference, p_value=p_value, interval=interval
    )


def costs(predictions: Iterable[Prediction]) -> Costs:
    """Median, mean and 95th percentile of what each sample took, failures included."""
    taken = list(predictions)
    return Costs(
        seconds=_spread(prediction.seconds for prediction in taken),
        tokens=_spread(prediction.n_tokens for prediction in taken),
        peak_bytes=_spread(prediction.peak_bytes for prediction in taken),
    )


def _spread(values: Iterable[float | None]) -> Spread | None:
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if not known.size:
        return None
    median, p95 = np.quantile(known, [0.5, 0.95])
    return Spread(n=known.size, median=float(median), mean=float(known.mean()), p95=float(p95))


def _table(ratios: Iterable[Ratio]) -> Floats:
    """Numerators and denominators, [n, 2]; zeros where a case counts in no sum."""
    rows = [tuple(ratio) if ratio.denominator else (0.0, 0.0) for ratio in ratios]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _draws(rng: np.random.Generator, n: int, resamples: int) -> Iterator[npt.NDArray[np.int64]]:
    """Indices drawn with replacement, [m, n] at a time, ``resamples`` rows in all."""
    at_once = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, resamples, at_once):
        yield rng.integers(n, size=(min(at_once, resamples - start), n))


def _quotient(sums: Floats) -> Floats:
    """[…, 2] to […]; NaN where the denominator is 0."""
    over = np.where(sums[..., 1] == 0, np.nan, sums[..., 1])
    result: Floats = sums[..., 0] / over
    return result


def _interval(values: Floats, level: float) -> Interval | None:
    defined = values[~np.isnan(values)]
    if not defined.size:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)


def _verdict(old: float | None, new: float | None, higher_is_better: bool) -> str:
    if old is None or new is None:
        return "undefined"
    if math.isclose(old, new, rel_tol=1e-9, abs_tol=_ROUNDING):
        return "unchanged"
    return "better" if (new > old) == higher_is_better else "worse"


def _p_value(before: Floats, after: Floats, rng: np.random.Generator, resamples: int) -> float:
    # Swapping two equal results changes nothing: only the pairs that differ are drawn.
    differs = (before != after).any(axis=1)
    change = (after - before)[differs]
    n = len(change)
    is_exact = n < 63 and 2**n <= resamples
    totals = before.sum(axis=0), after.sum(axis=0)
    observed = abs(float(_quotient(totals[1]) - _quotient(totals[0])))
    extreme, total = (0, 0) if is_exact else (1, 1)
    for swapped in _all_swaps(n) if is_exact else _random_swaps(rng, n, resamples):
        moved = swapped @ change
        drawn = np.abs(_quotient(totals[1] - moved) - _quotient(totals[0] + moved))
        # A swap that leaves a side undefined is held against significance.
        extreme += int((np.isnan(drawn) | (drawn >= observed - _ROUNDING)).sum())
        total += len(drawn)
    return extreme / total


def _all_swaps(n: int) -> Iterator[npt.NDArray[Any]]:
    yield (np.arange(2**n)[:, None] >> np.arange(n)) & 1


def _random_swaps(rng: np.random.Generator, n: int, resamples: int) -> Iterator[npt.NDArray[Any]]:
    at_once = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, resamples, at_once):
        yield rng.integers(2, size=(min(at_once, resamples - start), n), dtype=np.int8).astype(np.float64)


def _difference_interval(
    before: Floats, after: Floats, rng: np.random.Generator, level: float
) -> Interval | None:
    if len(before) < 2:
        return None
    pairs = np.stack([before, after], axis=1)
    sums = np.concatenate([pairs[rows].sum(axis=1) for rows in _draws(rng, len(pairs), _INTERVAL_RESAMPLES)])
    figures = _quotient(sums)
    return _interval(figures[:, 1] - figures[:, 0], level)
