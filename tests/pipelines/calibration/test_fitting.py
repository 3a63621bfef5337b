"""Fitting maps."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.models.calibration import SCORES
from docai.pipelines.calibration.fitting import MIN_GROUP, Observed, fit, fit_and_measure, quality
from docai.pipelines.evaluation.base import Belief
from docai.pipelines.evaluation.metrics.calibration import expected_calibration_error

pytest.importorskip("scipy", reason="fitting needs docai[metrics]")


def overconfident(n: int, seed: int) -> list[Observed]:
    """Answers whose probability of being right is the cube of what their tokens say."""
    rng = random.Random(seed)
    found = []
    for index in range(n):
        said = rng.uniform(0.3, 0.999)
        n_tokens = rng.randint(1, 6)
        logprobs = [math.log(said) / n_tokens] * n_tokens
        found.append(Observed(index, logprobs, rng.random() < said**3))
    return found


def error(observed: list[Observed], chosen: object) -> float:
    beliefs = [Belief(chosen.apply(one.logprobs), one.is_right) for one in observed]  # type: ignore[attr-defined]
    value = expected_calibration_error(beliefs)
    assert value is not None
    return value


def test_fresh_answers_come_true_as_often_as_they_say() -> None:
    fresh = overconfident(3000, seed=2)
    said = [Belief(math.exp(sum(one.logprobs)), one.is_right) for one in fresh]
    assert (expected_calibration_error(said) or 0) > 0.15
    chosen = fit(overconfident(1000, seed=1), "test")
    assert error(fresh, chosen) <= 0.05
    assert chosen.score == "product"


def test_what_is_measured_was_not_fitted_on() -> None:
    fitted = fit_and_measure(overconfident(600, seed=3), "test")
    assert fitted.after.n == fitted.before.n == fitted.chosen.n == 600
    assert fitted.after.error < 0.08 < 0.15 < fitted.before.error
    assert fitted.after.brier < fitted.before.brier
    # Coins cannot be foreseen: a map that saw them would look better than it is.
    rng = random.Random(4)
    coins = [Observed(i, [-rng.random()], rng.random() < 0.5) for i in range(200)]
    assert fit_and_measure(coins, "test").after.brier >= 0.245


def test_parts_of_one_answer_are_never_on_both_sides() -> None:
    # Each answer has its own probability, so that only having seen it tells how it went.
    rng = random.Random(5)
    found = []
    for group in range(40):
        value, is_right = -rng.random(), rng.random() < 0.5
        found += [Observed(group, [value], is_right)] * 30
    assert fit_and_measure(found, "test").after.brier > 0.2


@pytest.mark.parametrize("is_right", [True, False])
def test_one_outcome_alone_gives_a_constant(is_right: bool) -> None:
    chosen = fit([Observed(i, [-i / 10 - 0.1], is_right) for i in range(99)], "test")
    values = [chosen.apply([-0.01]), chosen.apply([-50.0])]
    assert values == pytest.approx([0.995 if is_right else 0.005] * 2)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.floats(-20, 0), st.booleans()), min_size=2, max_size=80), st.integers(1, 5))
def test_any_map_is_monotone_and_never_certain(outcomes: list[tuple[float, bool]], n_tokens: int) -> None:
    observed = [Observed(i, [value] * n_tokens, right) for i, (value, right) in enumerate(outcomes)]
    chosen = fit(observed, "test")
    assert chosen.score in SCORES
    values = [chosen.apply([-x / 10] * n_tokens) for x in range(250, -1, -1)]
    assert all(0 < value < 1 for value in values)
    assert all(a <= b + 1e-12 for a, b in pairwise(values))


def test_few_right_answers_are_no_certainty() -> None:
    found = [Observed(i, [-5.0 - i / 100], False) for i in range(50)]
    found += [Observed(50 + i, [-0.01 - i / 1000], True) for i in range(MIN_GROUP)]
    assert 0.5 < fit(found, "test").apply([-1e-9]) < 0.999


def test_no_answers_are_refused() -> None:
    with pytest.raises(ValueError, match="no answers"):
        fit([], "test")
    with pytest.raises(ValueError, match="no answers"):
        quality([])


def test_chance_alone_shows_an_error() -> None:
    beliefs = [Belief(0.5 + i / 1000, i % 2 == 0) for i in range(300)]
    assert 0.05 < quality(beliefs).by_chance < 0.15
    assert quality([Belief(0.5 + i / 100_000, True) for i in range(30_000)]).by_chance < 0.02
