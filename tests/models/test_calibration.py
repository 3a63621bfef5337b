"""Maps from token log-probabilities to confidences."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from docai.models.calibration import SCORES, CalibrationMap, Score, log_odds, log_score

ISOTONIC = CalibrationMap(score="product", method="isotonic", x=[-2, 0, 3], y=[0.1, 0.4, 0.95], n=500)
LOGISTIC = CalibrationMap(
    score="geometric-mean", method="logistic", slope=0.5, intercept=-1, length=0.1, n=500
)
LOGPROBS = st.lists(st.floats(-50, 0), min_size=1, max_size=20)


def test_scores_are_what_their_names_say() -> None:
    logprobs = [math.log(0.5), math.log(0.8)]
    assert math.exp(log_score("product", logprobs)) == pytest.approx(0.4)
    assert math.exp(log_score("geometric-mean", logprobs)) == pytest.approx(math.sqrt(0.4))
    assert math.exp(log_score("minimum", logprobs)) == pytest.approx(0.5)
    assert log_odds("minimum", logprobs) == pytest.approx(0)
    assert log_odds("product", logprobs) == pytest.approx(math.log(0.4 / 0.6))


@pytest.mark.parametrize("score", SCORES)
def test_broken_numbers_stay_finite_or_say_so(score: Score) -> None:
    assert math.isnan(log_score(score, [-0.1, math.nan]))
    for logprobs in ([-math.inf, -0.1], [0.0], [0.2], [-1e300]):
        assert math.isfinite(log_odds(score, logprobs))


def test_isotonic_is_linear_between_points_and_constant_outside() -> None:
    assert [ISOTONIC.at(x, 1) for x in (-9, -2, -1, 0, 1.5, 3, 99)] == pytest.approx(
        [0.1, 0.1, 0.25, 0.4, 0.675, 0.95, 0.95]
    )


def test_logistic_is_platts_sigmoid() -> None:
    assert LOGISTIC.at(4, 3) == pytest.approx(1 / (1 + math.exp(1 - 2 - 0.1 * math.log(3))))
    steep = LOGISTIC.model_copy(update={"slope": 1e6})
    assert (steep.at(-1e6, 1), steep.at(1e6, 1)) == (0.5 / 501, 1 - 0.5 / 501)


@given(LOGPROBS, st.floats(0, 5))
def test_surer_tokens_never_make_less_sure(logprobs: list[float], less: float) -> None:
    for chosen in (ISOTONIC, LOGISTIC):
        assert 0 < chosen.apply([one - less for one in logprobs]) <= chosen.apply(logprobs) < 1


def test_never_surer_than_the_sample_is_large() -> None:
    flat = CalibrationMap(score="minimum", method="isotonic", x=[0], y=[1], n=99)
    assert flat.apply([-0.1]) == 1 - 0.5 / 100
    none = CalibrationMap(score="minimum", method="isotonic", x=[0], y=[0], n=99)
    assert none.apply([-0.1]) == 0.5 / 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": [0, 1, 1]}, "x must increase"),
        ({"y": [0.5, 0.4, 0.9]}, "y must not decrease"),
        ({"y": [0.5, 0.6, 1.5]}, "between 0 and 1"),
        ({"y": [0.5]}, "same length"),
        ({"x": [], "y": []}, "same length"),
        ({"slope": -1}, "slope"),
        ({"score": "luck"}, "score"),
        ({"x": [0, 1, math.nan]}, "finite"),
    ],
)
def test_a_map_that_is_none_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CalibrationMap.model_validate(ISOTONIC.model_dump() | change)


def test_it_survives_json_and_leaves_unknown_fields_alone() -> None:
    for chosen in (ISOTONIC, LOGISTIC):
        content = chosen.model_dump(exclude_defaults=True) | {"since": "tomorrow"}
        assert CalibrationMap.model_validate(content) == chosen


def test_it_says_what_it_is() -> None:
    told = ISOTONIC.model_copy(update={"n": 1200, "data": "drawn"}).describe("cell")
    assert told.startswith("calibrated on 1,200 held-out cells (drawn), isotonic over the product of token")
    assert "500 held-out answers, logistic over the geometric mean" in LOGISTIC.describe("record")


def test_the_points_of_a_map_rise() -> None:
    values = [ISOTONIC.at(x / 10, 1) for x in range(-40, 60)]
    assert all(a <= b for a, b in pairwise(values))
