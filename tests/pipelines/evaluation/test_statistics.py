"""Corpus figures, intervals and the comparison of two readers."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.pipelines.evaluation.base import Prediction, Ratio
from docai.pipelines.evaluation.statistics import (
    Spread,
    bootstrap,
    bootstrap_figure,
    corpus,
    costs,
    paired_test,
)

RATIOS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda pair: Ratio(min(pair), max(pair))), max_size=12
)


def means(*values: float) -> list[Ratio]:
    return [Ratio(value, 1) for value in values]


def test_corpus_divides_sums_and_not_a_mean_of_quotients() -> None:
    assert corpus([Ratio(1, 1), Ratio(0, 9)]) == 0.1


def test_a_case_without_denominator_counts_in_no_sum() -> None:
    assert corpus([Ratio(1, 2), Ratio(7, 0)]) == 0.5
    assert corpus([Ratio(0, 0)]) is None
    assert corpus([]) is None


@settings(deadline=None)
@given(RATIOS)
def test_corpus_does_not_depend_on_order(ratios: list[Ratio]) -> None:
    figure = corpus(ratios)
    assert figure == corpus(ratios[::-1])
    assert figure is None or 0 <= figure <= 1


@settings(deadline=None)
@given(RATIOS)
def test_the_interval_lies_within_the_values_of_the_cases(ratios: list[Ratio]) -> None:
    interval = bootstrap(ratios, resamples=50)
    values = [ratio.value for ratio in ratios if ratio.value is not None]
    assert (interval is None) == (len(values) < 2)
    if interval is not None:
        assert min(values) - 1e-9 <= interval.low <= interval.high <= max(values) + 1e-9


def test_the_interval_of_a_mean_is_that_of_the_normal_approximation() -> None:
    rng = random.Random(1)
    values = [rng.gauss(0.5, 0.1) for _ in range(400)]
    interval = bootstrap(means(*values), resamples=4000)
    assert interval is not None
    half = 1.96 * float(np.std(values)) / math.sqrt(400)
    assert interval.low == pytest.approx(np.mean(values) - half, abs=half / 10)
    assert interval.high == pytest.approx(np.mean(values) + half, abs=half / 10)
    assert interval.level == 0.95


def test_undefined_cases_do_not_widen_the_interval() -> None:
    ratios = means(0, 1, 0.5, 1)
    assert bootstrap(ratios) == bootstrap([*ratios, Ratio(0, 0), Ratio(0, 0)])


def test_the_same_seed_gives_the_same_interval_and_large_sets_are_drawn_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ratios = means(*(i / 40 for i in range(40)))
    whole = bootstrap(ratios, seed=3)
    assert whole != bootstrap(ratios, seed=4)
    monkeypatch.setattr("docai.pipelines.evaluation.statistics._DRAWS_AT_ONCE", 400)
    assert bootstrap(ratios, seed=3) == whole


def test_any_figure_can_be_resampled() -> None:
    interval = bootstrap_figure([1.0, 2.0, 3.0, 9.0], max, resamples=200)
    assert interval is not None
    assert interval.high == 9
    assert bootstrap_figure([1.0], max) is None
    assert bootstrap_figure([1.0, 2.0], lambda cases: None) is None


def test_a_figure_undefined_on_some_resamples_has_an_interval_of_the_others() -> None:
    interval = bootstrap_figure([0, 1, 1], lambda cases: float(sum(cases)) or None, resamples=300)
    assert interval is not None
    assert interval.low >= 1


def test_counts_follow_the_direction_of_the_measure() -> None:
    old, new = means(0.1, 0.5, 0.5, 0.9), means(0.2, 0.5, 0.6, 0.8)
    up = paired_test(old, new)
    assert (up.better, up.worse, up.unchanged, up.undefined) == (2, 1, 1, 0)
    down = paired_test(old, new, higher_is_better=False)
    assert (down.better, down.worse, down.unchanged) == (1, 2, 1)
    assert up.difference == pytest.approx(0.025)
    assert down.difference == up.difference


def test_the_p_value_of_few_cases_is_exact() -> None:
    # All of 4 cases gain: of the 16 ways to swap, all and none are as extreme.
    assert paired_test(means(0, 0, 0, 0), means(1, 1, 1, 1)).p_value == 2 / 16
    # Gains of 1, 1, 1 and a loss of 1: |sum| >= 2 in 10 of 16 ways.
    assert paired_test(means(0, 0, 0, 1), means(1, 1, 1, 0)).p_value == 10 / 16


def test_the_drawn_p_value_is_near_the_exact_one() -> None:
    rng = random.Random(7)
    old = means(*(rng.random() for _ in range(12)))
    new = means(*(ratio.numerator + rng.gauss(0.1, 0.2) for ratio in old))
    exact, drawn = paired_test(old, new), paired_test(old, new, resamples=4000)
    assert exact.p_value is not None
    assert 0.02 < exact.p_value < 0.98
    assert drawn.p_value == pytest.approx(exact.p_value, abs=0.04)
    assert drawn.p_value != exact.p_value


def test_a_clear_gain_is_significant_and_noise_is_not() -> None:
    rng = random.Random(2)
    old = means(*(rng.random() for _ in range(200)))
    gain = paired_test(old, [Ratio(ratio.numerator + 0.05, 1) for ratio in old])
    assert gain.p_value == 1 / 10000
    assert gain.interval is not None
    assert gain.interval.low == pytest.approx(0.05)
    noise = paired_test(old, [Ratio(ratio.numerator + rng.choice((-0.1, 0.1)), 1) for ratio in old])
    assert noise.p_value is not None
    assert noise.p_value > 0.05
    assert noise.interval is not None
    assert noise.interval.low < 0 < noise.interval.high


def test_the_difference_is_that_of_the_reported_figures() -> None:
    # The new reader answers one case less: its precision there is not defined, the old one's still counts.
    old, new = [Ratio(1, 1), Ratio(0, 1)], [Ratio(1, 1), Ratio(0, 0)]
    result = paired_test(old, new)
    assert (result.old, result.new, result.difference) == (0.5, 1.0, 0.5)
    assert (result.unchanged, result.undefined) == (1, 1)


def test_what_is_defined_nowhere_is_not_compared() -> None:
    result = paired_test([Ratio(0, 0)], [Ratio(1, 1)])
    assert (result.old, result.new) == (None, 1.0)
    assert (result.difference, result.p_value, result.interval) == (None, None, None)
    assert paired_test([], []).undefined == 0


def test_readers_of_different_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_test(means(1, 1), means(1))


@settings(deadline=None)
@given(RATIOS)
def test_a_reader_does_not_differ_from_itself(ratios: list[Ratio]) -> None:
    result = paired_test(ratios, ratios, resamples=20)
    assert result.better == result.worse == 0
    if result.difference is not None:
        assert (result.difference, result.p_value) == (0, 1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=9))
def test_swapping_the_readers_swaps_the_result(values: list[tuple[int, int]]) -> None:
    old, new = means(*(a for a, _ in values)), means(*(b for _, b in values))
    there, back = paired_test(old, new), paired_test(new, old)
    assert (there.better, there.worse) == (back.worse, back.better)
    assert there.difference is not None
    assert back.difference == pytest.approx(-there.difference)
    assert there.p_value == pytest.approx(back.p_value)
    assert 0 < (there.p_value or 0) <= 1


def test_costs_are_of_the_samples_that_know_them() -> None:
    predictions = [
        Prediction(id=str(i), seconds=seconds, n_tokens=tokens)
        for i, (seconds, tokens) in enumerate([(1.0, None), (2.0, 10), (6.0, 30), (None, None)])
    ]
    result = costs(predictions)
    assert result.seconds == Spread(n=3, median=2.0, mean=3.0, p95=pytest.approx(5.6))
    assert result.tokens == Spread(n=2, median=20.0, mean=20.0, p95=29.0)
    assert result.peak_bytes is None


def test_costs_of_nothing_are_unknown() -> None:
    assert costs([]).seconds is None
