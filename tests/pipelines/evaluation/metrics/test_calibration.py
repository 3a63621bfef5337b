"""Whether confidence means what it says."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.pipelines.evaluation.base import Belief
from docai.pipelines.evaluation.metrics.calibration import (
    ReliabilityBin,
    brier_score,
    expected_calibration_error,
    reliability,
)

BELIEFS = st.lists(
    st.builds(Belief, st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]) | st.floats(0, 1), st.booleans()),
    min_size=1,
    max_size=40,
)


def beliefs(confidence: float, n_right: int, n: int) -> list[Belief]:
    return [Belief(confidence, i < n_right) for i in range(n)]


def test_no_beliefs_have_no_calibration() -> None:
    assert reliability([]) == []
    assert expected_calibration_error([]) is None
    assert brier_score([]) is None


def test_confidence_that_comes_true_has_no_error() -> None:
    well = beliefs(0.8, 8, 10) + beliefs(0.5, 5, 10)
    assert expected_calibration_error(well) == pytest.approx(0)
    assert brier_score(well) == pytest.approx((10 * 0.16 + 10 * 0.25) / 20)


def test_the_error_is_the_weighted_distance_over_bins() -> None:
    # 30 answers at 0.9 of which 18 are right, 10 at 0.2 of which 5 are.
    found = beliefs(0.9, 18, 30) + beliefs(0.2, 5, 10)
    assert expected_calibration_error(found, 4) == pytest.approx((30 * 0.3 + 10 * 0.3) / 40)
    assert expected_calibration_error(found, 1) == pytest.approx(abs((27 + 2) / 40 - 23 / 40))


def test_sure_and_wrong_is_the_worst() -> None:
    assert expected_calibration_error(beliefs(1.0, 0, 3)) == 1
    assert brier_score(beliefs(1.0, 0, 3)) == 1


def test_bins_hold_equally_many_answers() -> None:
    rising = [Belief(i / 10, i >= 5) for i in range(10)]
    assert [one.n for one in reliability(rising, 5)] == [2, 2, 2, 2, 2]
    assert [one.n for one in reliability(rising, 3)] == [4, 3, 3]
    assert reliability(rising, 2) == [
        ReliabilityBin(0.0, 0.4, 5, pytest.approx(0.2), 0.0),
        ReliabilityBin(0.5, 0.9, 5, pytest.approx(0.7), 1.0),
    ]


def test_answers_of_one_confidence_stay_together() -> None:
    bins = reliability([*beliefs(0.3, 0, 2), *beliefs(0.9, 9, 18)], 10)
    assert [(one.low, one.high, one.n) for one in bins] == [(0.3, 0.3, 2), (0.9, 0.9, 18)]


def test_no_bins_are_refused() -> None:
    with pytest.raises(ValueError, match="one bin"):
        reliability(beliefs(0.5, 1, 2), 0)


@settings(deadline=None)
@given(BELIEFS, st.integers(1, 20))
def test_bins_hold_every_answer_once_in_order(found: list[Belief], n_bins: int) -> None:
    bins = reliability(found, n_bins)
    assert sum(one.n for one in bins) == len(found)
    assert 1 <= len(bins) <= n_bins
    assert all(before.high < after.low for before, after in pairwise(bins))


@settings(deadline=None)
@given(BELIEFS, st.randoms(use_true_random=False))
def test_bounds_and_order(found: list[Belief], rng: random.Random) -> None:
    shuffled = rng.sample(found, len(found))
    for figure in (expected_calibration_error, brier_score):
        value = figure(found)
        assert value is not None
        assert -1e-12 <= value <= 1 + 1e-12
        assert figure(shuffled) == pytest.approx(value)


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1))
def test_knowing_is_perfect(outcomes: list[bool]) -> None:
    knowing = [Belief(float(is_right), is_right) for is_right in outcomes]
    assert expected_calibration_error(knowing) == 0
    assert brier_score(knowing) == 0
