"""Regions found on pages, average precision, and the order of regions."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.geometry import BBox
from docai.pipelines.evaluation.base import Belief, CaseScore, Detection, Item, Prediction, Sample
from docai.pipelines.evaluation.metrics.regions import (
    REGIONS,
    ClassRates,
    average_precision,
    class_rates,
    match_regions,
    pairs_in_order,
)
from docai.records import Kind


def region(
    x0: float,
    x1: float,
    kind: Kind = "table",
    *,
    confidence: float | None = None,
    page: int = 1,
    height: float = 10,
) -> Item:
    return Item(kind=kind, page=page, bbox=(x0, 0, x1, height), confidence=confidence)


def detections(*matched: bool, kind: Kind = "table") -> list[Detection]:
    """By falling score; those that match at 0.5."""
    n = len(matched)
    return [
        Detection(kind, 1 - i / n, 0.6 * is_match, (0.5,) if is_match else ())
        for i, is_match in enumerate(matched)
    ]


def score(truths: list[Item], preds: list[Item] | None) -> CaseScore:
    prediction = None if preds is None else Prediction(id="a", items=preds)
    return REGIONS.score(Sample("a", tuple(truths), unit="page"), prediction)


def values(truths: list[Item], preds: list[Item] | None) -> dict[str, float | None]:
    return {name: ratio.value for name, ratio in score(truths, preds).ratios.items()}


def test_average_precision_of_hand_made_lists() -> None:
    assert average_precision(detections(True, True), 2) == 1
    assert average_precision(detections(False, False), 2) == 0
    # Precision 1 up to recall 1/2, that is at 0, 0.01 … 0.50: 51 of 101 points.
    assert average_precision(detections(True), 2) == pytest.approx(51 / 101)
    # Precision 1/2 at all recalls: the wrong one comes first.
    assert average_precision(detections(False, True), 1) == pytest.approx(1 / 2)
    # 1 up to 1/3 (34 points: 0 … 0.33), then 2/3 up to 2/3 (33 points: … 0.66), then nothing.
    assert average_precision(detections(True, False, True), 3) == pytest.approx((34 + 33 * 2 / 3) / 101)
    # A dip is filled: precision 1, 1/2, 2/3, 3/4 counts as 1, 3/4, 3/4, 3/4.
    assert average_precision(detections(True, False, True, True), 3) == pytest.approx((34 + 67 * 3 / 4) / 101)


def test_average_precision_reaches_recalls_that_binary_fractions_miss() -> None:
    # 29 of 100 at precision 1 reach recall 0.29, and 7 of 100 reach 0.07.
    assert average_precision(detections(*[True] * 29), 100) == pytest.approx(30 / 101)
    assert average_precision(detections(*[True] * 7), 100) == pytest.approx(8 / 101)


def test_average_precision_without_truth_is_not_defined() -> None:
    assert average_precision([], 0) is None
    assert average_precision(detections(False), 0) is None
    assert average_precision([], 3) == 0


def test_regions_of_equal_confidence_enter_together() -> None:
    right, wrong = Detection("table", 0.5, 0.9, (0.5,)), Detection("table", 0.5, 0.0)
    assert average_precision([right, wrong], 1) == average_precision([wrong, right], 1) == 1 / 2


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.booleans())), st.integers(0, 5))
def test_average_precision_is_bounded_and_has_no_order(found: list[tuple[float, bool]], missed: int) -> None:
    listed = [
        Detection("text", confidence, 0.6, (0.5,) if is_match else ()) for confidence, is_match in found
    ]
    n_truth = sum(is_match for _, is_match in found) + missed
    figure = average_precision(listed, n_truth)
    assert (figure is None) == (n_truth == 0)
    if figure is not None:
        assert 0 <= figure <= 1
        assert average_precision(random.Random(1).sample(listed, len(listed)), n_truth) == pytest.approx(
            figure
        )


def test_a_more_confident_region_chooses_first_at_each_threshold() -> None:
    # Of the truth 0 … 100, the first has 0.6, the second 0.8. At 0.5 the first takes it, at 0.7 it cannot.
    truths = [region(0, 100)]
    preds = [region(0, 60, confidence=0.9), region(0, 80, confidence=0.8)]
    result = score(truths, preds)
    assert [detection.matched_at for detection in result.detections] == [(0.5,), (0.7,)]
    assert [detection.iou for detection in result.detections] == pytest.approx([0.6, 0.8])
    assert average_precision(result.detections, 1, 0.5) == 1
    assert average_precision(result.detections, 1, 0.7) == 1 / 2


def test_a_match_takes_the_best_free_truth() -> None:
    truths = [region(0, 100), region(0, 90)]
    matches = match_regions([region(0, 88, confidence=0.9), region(0, 95, confidence=0.8)], truths)
    assert [(match.prediction, match.truth) for match in matches] == [(0, 1), (1, 0)]


def test_without_confidence_the_better_fit_comes_first() -> None:
    truths, good, fair = [region(0, 100)], region(0, 90), region(0, 70)
    for preds in ([good, fair], [fair, good]):
        (match,) = match_regions(preds, truths)
        assert preds[match.prediction] is good


def test_class_and_page_must_agree() -> None:
    assert match_regions([region(0, 10, "text")], [region(0, 10, "table")]) == []
    assert match_regions([region(0, 10, page=2)], [region(0, 10, page=1)]) == []


def test_figures_of_a_page() -> None:
    truths = [region(0, 100), region(200, 300), region(400, 500, "text")]
    preds = [region(0, 60), region(200, 300), region(600, 700), region(400, 500, "figure")]
    figures = values(truths, preds)
    assert (figures["precision-50"], figures["recall-50"], figures["f1-50"]) == (2 / 4, 2 / 3, 4 / 7)
    assert (figures["precision-70"], figures["recall-70"], figures["f1-70"]) == (1 / 4, 1 / 3, 2 / 7)
    assert figures["order"] == 1


def test_a_duplicate_is_a_false_answer() -> None:
    figures = values([region(0, 10)], [region(0, 10), region(0, 10)])
    assert (figures["precision-50"], figures["recall-50"]) == (1 / 2, 1)


def test_both_empty_and_one_empty() -> None:
    assert set(values([], []).values()) == {None}
    missed = values([region(0, 10)], [])
    assert (missed["recall-50"], missed["f1-70"], missed["precision-50"], missed["order"]) == (
        0,
        0,
        None,
        None,
    )
    made_up = values([], [region(0, 10)])
    assert (made_up["precision-50"], made_up["f1-50"], made_up["recall-50"]) == (0, 0, None)


def test_no_answer_misses_every_region_and_says_so() -> None:
    missed = score([region(0, 10)], None)
    assert missed.ratios["recall-50"] == (0, 1)
    assert "no prediction" in missed.notes
    failed = REGIONS.score(Sample("a", (region(0, 10),)), Prediction(id="a", error="boom"))
    assert "the reader failed" in failed.notes
    for case in (missed, failed):
        assert set(case.ratios) == {measure.name for measure in REGIONS.measures}


def test_regions_without_box_or_confidence_are_noted() -> None:
    result = score([region(0, 10), Item(kind="text", text="x")], [Item(kind="table"), region(0, 10)])
    assert result.n_truth == {"table": 1}
    assert result.ratios["precision-50"] == (1, 2)
    assert result.notes == (
        "truth without a box is not asked for",
        "regions without a box count as predictions that match nothing",
        "regions without a confidence rank last",
    )


def test_beliefs_are_right_where_a_region_is_found() -> None:
    preds = [region(0, 9, confidence=0.9), region(50, 60, confidence=0.4), region(70, 80)]
    assert score([region(0, 10)], preds).beliefs == (Belief(0.9, True), Belief(0.4, False))


@pytest.mark.parametrize(
    ("given_order", "share"),
    [([0, 1, 2, 3], 1), ([3, 2, 1, 0], 0), ([0, 2, 1, 3], 5 / 6), ([3, 0], 0), ([2], None)],
)
def test_order_is_the_share_of_pairs_in_order(given_order: list[int], share: float | None) -> None:
    truths = [region(20 * i, 20 * i + 10) for i in range(4)]
    preds = [truths[i] for i in given_order]
    assert values(truths, preds)["order"] == share
    assert pairs_in_order(match_regions(preds, truths)).value == share


def test_order_is_that_within_pages() -> None:
    truths = [region(0, 10, page=1), region(20, 30, page=1), region(0, 10, page=2), region(20, 30, page=2)]
    assert score(truths, [truths[2], truths[3], truths[1], truths[0]]).ratios["order"] == (1, 2)


def test_rates_of_each_class_over_a_corpus() -> None:
    cases = [
        score([region(0, 100), region(0, 10, "text")], [region(0, 100, confidence=0.9)]),
        score([region(0, 100)], [region(0, 60, confidence=0.8), region(0, 9, "molecule", confidence=0.5)]),
        score([region(0, 100)], None),
    ]
    rates = class_rates(cases)
    assert list(rates) == ["table", "molecule", "text"]
    assert rates["table"] == ClassRates(3, 2, 2, pytest.approx(67 / 101))
    assert (rates["table"].precision, rates["table"].recall) == (1, 2 / 3)
    assert rates["molecule"] == ClassRates(0, 1, 0, None)
    assert rates["molecule"].recall is None
    assert rates["text"] == ClassRates(1, 0, 0, 0.0)
    assert rates["text"].precision is None
    assert class_rates(cases, 0.7)["table"].n_matched == 1
    assert class_rates([]) == {}


BOXES = st.tuples(*[st.integers(0, 20)] * 4).map(
    lambda s: (float(s[0]), float(s[1]), float(s[0] + s[2] + 1), float(s[1] + s[3] + 1))
)
KINDS = st.sampled_from(["table", "text"])


@st.composite
def regions(draw: st.DrawFn) -> list[Item]:
    boxes: list[BBox] = draw(st.lists(BOXES, max_size=6, unique=True))
    return [Item(kind=draw(KINDS), bbox=box, confidence=draw(st.floats(0, 1))) for box in boxes]


@settings(deadline=None)
@given(regions())
def test_identity(items: list[Item]) -> None:
    result = score(items, items)
    assert {ratio.value for ratio in result.ratios.values()} <= {1.0, None}
    for rates in class_rates([result]).values():
        assert (rates.precision, rates.recall, rates.average_precision) == (1, 1, 1)


@settings(deadline=None)
@given(regions(), regions(), st.randoms(use_true_random=False))
def test_bounds_and_order_of_the_truth(preds: list[Item], truths: list[Item], rng: random.Random) -> None:
    result = score(truths, preds)
    assert all(ratio.value is None or 0 <= ratio.value <= 1 for ratio in result.ratios.values())
    assert result.ratios["f1-70"].numerator <= result.ratios["f1-50"].numerator + 1e-9
    for detection in result.detections:
        assert all(detection.iou >= threshold for threshold in detection.matched_at)
    assert len(match_regions(preds, truths)) <= min(len(preds), len(truths))
