"""Whether confidence means what it says: answers given at 0.8 should be right eight times in ten.

Expected calibration error is Guo et al. 2017 ("On Calibration of Modern Neural Networks", eq. 3): the mean
distance of confidence and accuracy over bins, weighted by answers. The bins here hold equally many answers
(Nguyen and O'Connor 2015) instead of being equally wide: models are mostly sure, and equal widths leave most
bins nearly empty. Answers of one confidence are never parted, so the order of answers has no influence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from docai.pipelines.evaluation.base import Belief

N_BINS = 15
"""As in Guo et al."""


class ReliabilityBin(NamedTuple):
    """Answers of similar confidence."""

    low: float
    high: float
    """Least and greatest confidence."""
    n: int
    confidence: float
    """Mean."""
    accuracy: float
    """Share of right answers."""


def reliability(beliefs: Sequence[Belief], n_bins: int = N_BINS) -> list[ReliabilityBin]:
    """Bins for a reliability diagram, by rising confidence; empty where there are no beliefs.

    A bin is closed where the answers so far reach the next multiple of ``n / n_bins`` and the confidence
    changes. So there are fewer bins than ``n_bins`` where many answers share one confidence.

    Raises:
        ValueError: ``n_bins`` is less than 1.
    """
    if n_bins < 1:
        raise ValueError(f"n_bins is {n_bins}: a diagram needs one bin at least.")
    bins: list[ReliabilityBin] = []
    open_bin: list[Belief] = []
    n_closed = 0
    ordered = sorted(beliefs)
    for _, equal in groupby(ordered, key=lambda belief: belief.confidence):
        open_bin.extend(equal)
        n_seen = n_closed + len(open_bin)
        n_full = n_closed * n_bins // len(ordered)
        if n_seen * n_bins >= len(ordered) * (n_full + 1):
            bins.append(_bin(open_bin))
            n_closed, open_bin = n_seen, []
    return bins


def expected_calibration_error(beliefs: Sequence[Belief], n_bins: int = N_BINS) -> float | None:
    """0 (confidence is accuracy) … 1; None where there are no beliefs.

    Raises:
        ValueError: ``n_bins`` is less than 1.
    """
    bins = reliability(beliefs, n_bins)
    if not bins:
        return None
    errors = (answers.n * abs(answers.confidence - answers.accuracy) for answers in bins)
    return math.fsum(errors) / len(beliefs)


def brier_score(beliefs: Sequence[Belief]) -> float | None:
    """Mean squared distance of confidence from what came true (Brier 1950), 0 … 1; None without beliefs.

    Unlike the calibration error it also rewards telling right answers from wrong ones.
    """
    if not beliefs:
        return None
    return math.fsum((belief.confidence - belief.is_right) ** 2 for belief in beliefs) / len(beliefs)


def _bin(beliefs: Sequence[Belief]) -> ReliabilityBin:
    n = len(beliefs)
    return ReliabilityBin(
        low=beliefs[0].confidence,
        high=beliefs[-1].confidence,
        n=n,
        confidence=math.fsum(belief.confidence for belief in beliefs) / n,
        accuracy=sum(belief.is_right for belief in beliefs) / n,
    )
