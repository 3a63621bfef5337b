"""Text spotting by the two protocols. The values were worked out by hand from the rules of the references."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.pipelines.evaluation.base import Belief, Item, Prediction, Ratio, Sample, SpottedWord, Task
from docai.pipelines.evaluation.metrics.spotting import (
    Protocol,
    SpottingResult,
    dictionary_form,
    same_transcription,
    spotting,
    spotting_corpus,
)
from docai.pipelines.evaluation.metrics.spotting_tasks import TEXT_HIERTEXT, TEXT_RRC
from docai.records import Point

BOTH: tuple[Protocol, ...] = ("hiertext", "rrc")
PLACES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=6)
TEXTS = st.sampled_from(["one", "One", "two", "(two)", "3", "###"])


def box(x0: float, y0: float, x1: float, y1: float) -> list[Point]:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def word(
    text: str, x0: float, x1: float, *, y0: float = 0, y1: float = 10, ignore: bool = False
) -> SpottedWord:
    return SpottedWord(text=text, polygon=box(x0, y0, x1, y1), ignore=ignore)


@st.composite
def images(draw: st.DrawFn) -> list[SpottedWord]:
    """Words in the squares of a grid, some twice at one place."""
    return [
        SpottedWord(
            text=draw(TEXTS), polygon=box(20 * x, 20 * y, 20 * x + draw(st.integers(8, 22)), 20 * y + 9)
        )
        for x, y in draw(PLACES)
    ]


@pytest.mark.parametrize("protocol", BOTH)
def test_the_truth_itself_is_right(protocol: Protocol) -> None:
    truth = [word("Hello", 0, 40), word("world!", 50, 90)]
    result = spotting(truth, truth, protocol)
    assert result.end_to_end == pytest.approx((1, 1, 1, 1))
    assert result.detection == pytest.approx((1, 1, 1, 1))
    assert [(match.truth, match.prediction, match.is_right) for match in result.matches] == [
        (0, 0, True),
        (1, 1, True),
    ]


@pytest.mark.parametrize("protocol", BOTH)
def test_nothing_against_nothing_is_perfect(protocol: Protocol) -> None:
    result = spotting([], [], protocol)
    assert result.end_to_end == (1, 1, 1, 1)
    assert result.detection == (1, 1, 1, 1)


@pytest.mark.parametrize("protocol", BOTH)
def test_one_empty_side_is_worth_nothing(protocol: Protocol) -> None:
    words = [word("Hello", 0, 40)]
    missed, made_up = spotting([], words, protocol).end_to_end, spotting(words, [], protocol).end_to_end
    assert (missed.recall, missed.f1, missed.pq) == (0, 0, 0)
    assert (made_up.precision, made_up.f1, made_up.pq) == (0, 0, 0)
    # What is not given cannot be wrong for HierText; the RRC sets it to 0.
    assert missed.precision == (1 if protocol == "hiertext" else 0)


@pytest.mark.parametrize("protocol", BOTH)
def test_a_duplicate_is_one_match_and_one_false_answer(protocol: Protocol) -> None:
    twice = [word("Hello", 0, 40), word("Hello", 0, 40)]
    result = spotting(twice, twice[:1], protocol)
    assert (result.n_right, result.n_predictions, result.n_truth) == (1, 2, 1)
    assert result.end_to_end.f1 == pytest.approx(2 / 3)


def test_hiertext_takes_an_iou_of_just_more_than_half_and_rrc_too() -> None:
    # 40 by 10 inside 78 by 10 is 0.513; inside 82 by 10 it is 0.488.
    for protocol in BOTH:
        assert spotting([word("a", 0, 40)], [word("a", 0, 78)], protocol).n_found == 1
        assert spotting([word("a", 0, 40)], [word("a", 0, 82)], protocol).n_found == 0


def test_a_half_exactly_is_too_little_for_both() -> None:
    # The RRC asks for more than 0.5; HierText for 0.5, but adds 1e-5 to the union.
    for protocol in BOTH:
        assert spotting([word("a", 0, 40)], [word("a", 0, 80)], protocol).n_found == 0


def test_hiertext_pairs_only_mutual_best_matches() -> None:
    # The prediction overlaps both truths by more than half; it is the best of both, and only one is its best.
    truths = [word("a", 0, 100, y1=10), word("a", 0, 100, y1=12)]
    result = spotting([word("a", 0, 100, y1=13)], truths)
    assert [(match.truth, match.prediction) for match in result.matches] == [(1, 0)]


def test_hiertext_does_not_take_the_second_best() -> None:
    # Both truths have prediction 0 as their best, which prefers truth 0. Prediction 1 has an IoU of 0.6 with
    # truth 1 (a greedy matching would take it), but truth 1 does not look at its second best.
    truths = [word("a", 0, 100, y1=10), word("a", 0, 100, y1=8)]
    preds = [word("a", 0, 100, y1=9.5), word("a", 0, 100, y1=5)]
    result = spotting(preds, truths)
    assert [(match.truth, match.prediction) for match in result.matches] == [(0, 0)]
    assert len(spotting(preds, truths, "rrc").matches) == 2


def test_hiertext_compares_texts_exactly_and_rrc_in_upper_case() -> None:
    read, asked = [word("hello", 0, 40)], [word("Hello", 0, 40)]
    assert spotting(read, asked).n_right == 0
    assert spotting(read, asked).n_found == 1
    assert spotting(read, asked, "rrc").n_right == 1


def test_rrc_takes_the_first_that_fits_whatever_it_reads() -> None:
    # The first prediction fits worse and reads worse, but comes first and takes the truth.
    preds = [word("wrong", 0, 60), word("Hello", 0, 40)]
    result = spotting(preds, [word("Hello", 0, 40)], "rrc")
    assert (result.n_found, result.n_right) == (1, 0)
    assert spotting(preds[::-1], [word("Hello", 0, 40)], "rrc").n_right == 1
    assert spotting(preds, [word("Hello", 0, 40)]).n_right == 1


def test_predictions_in_ignored_words_are_left_out() -> None:
    truth = [word("Hello", 0, 40), word("", 50, 90, ignore=True)]
    for protocol in BOTH:
        result = spotting([word("Hello", 0, 40), word("junk", 60, 80)], truth, protocol)
        assert (result.n_predictions, result.n_truth, result.n_right) == (1, 1, 1)
        assert result.ignored == {1}


def test_a_prediction_half_in_an_ignored_word() -> None:
    # 0.5 of the prediction: HierText asks for half of it (its 1e-5 is little beside 4000), the RRC for more.
    truth = [word("", 0, 40, y1=100, ignore=True)]
    assert spotting([word("x", 20, 59.99, y1=100)], truth).ignored == {0}
    assert spotting([word("x", 20, 60, y1=100)], truth, "rrc").ignored == frozenset()
    assert spotting([word("x", 20, 59, y1=100)], truth, "rrc").ignored == {0}


def test_shares_of_several_ignored_words_do_not_add_up() -> None:
    truth = [word("", 0, 40, ignore=True), word("", 60, 100, ignore=True)]
    for protocol in BOTH:
        assert spotting([word("x", 0, 100)], truth, protocol).n_predictions == 1


def test_the_hashes_of_the_rrc_are_words_to_ignore() -> None:
    assert spotting([], [word("###", 0, 40)], "rrc").n_truth == 0
    assert spotting([], [word("###", 0, 40)], "hiertext").n_truth == 1


def test_rrc_cuts_coordinates_to_integers() -> None:
    # 0 … 40.9 is 0 … 40 to the RRC, half of 80 and no more; as they stand it is 0.511.
    assert spotting([word("a", 0, 40.9)], [word("a", 0, 80)], "rrc").n_found == 0
    assert spotting([word("a", 0, 40.9)], [word("a", 0, 80)]).n_found == 1


def test_panoptic_quality_is_tightness_times_f1() -> None:
    # One of two words found with an IoU of 30 / 40, the other missed, one made up: F1 is 0.5.
    preds = [word("a", 0, 30), word("b", 200, 230)]
    truths = [word("a", 0, 40), word("c", 100, 130)]
    result = spotting(preds, truths)
    assert result.end_to_end == pytest.approx((0.5, 0.5, 0.5, 0.375), abs=1e-6)


def test_a_corpus_is_summed_and_not_averaged() -> None:
    truths = [[word("a", 0, 40)], [word(str(i), 50 * i, 50 * i + 40) for i in range(3)], []]
    preds = [truths[0], [], [word("made up", 0, 40)]]
    result = spotting_corpus(preds, truths)
    assert (result.n_right, result.n_predictions, result.n_truth) == (1, 2, 4)
    assert result.end_to_end[:3] == pytest.approx((1 / 2, 1 / 4, 1 / 3))
    with pytest.raises(ValueError, match="argument 2"):
        spotting_corpus(preds[:1], truths)


def test_results_of_two_protocols_are_not_added() -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        SpottingResult("rrc") + SpottingResult("hiertext")


def test_word_spotting_is_of_the_rrc_alone() -> None:
    with pytest.raises(ValueError, match="hiertext"):
        spotting([], [], "hiertext", word_spotting=True)


@pytest.mark.parametrize(
    ("truth", "prediction", "is_same"),
    [
        ("Hello", "HELLO", True),
        ("Hello!", "hello", True),
        ("(Hello)", "hello", True),
        ("(Hello)", "(hello", True),
        ("(Hello)", "hello)", True),
        ("((Hello", "hello", False),
        ("Hello", "hello!", False),
        ("don't", "dont", False),
        ("-Hello", "hello", False),
        ("!", "", True),
        ("", "", True),
        ("", "x", False),
        ("Straße", "STRASSE", True),
    ],
)
def test_what_the_rrc_takes_for_the_same(truth: str, prediction: str, is_same: bool) -> None:
    assert same_transcription(truth, prediction) == is_same


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Hello", "Hello"),
        ("John's", "John"),
        ("-well-known-", "well-known"),
        ("Hello!", "Hello"),
        ("it", None),
        ("it's", None),
        ("a.b.c", None),
        ("R2D2", None),
        ("Über", "Über"),
        ("a÷b", None),
        ("αβγ", "αβγ"),
        ("日本語", None),
        ("", None),
    ],
)
def test_what_stands_in_a_dictionary(text: str, form: str | None) -> None:
    assert dictionary_form(text) == form


def test_word_spotting_asks_for_dictionary_words_alone() -> None:
    truth = [word("John's", 0, 40), word("42", 50, 90)]
    result = spotting([word("JOHN", 0, 40), word("42", 50, 90)], truth, "rrc", word_spotting=True)
    assert (result.n_truth, result.n_predictions, result.n_right) == (1, 1, 1)
    assert spotting([word("John's", 0, 40)], truth, "rrc", word_spotting=True).n_right == 0


@settings(deadline=None)
@given(images())
def test_identity(words: list[SpottedWord]) -> None:
    distinct = {word.polygon[0]: word for word in words if word.text != "###"}.values()
    for protocol in BOTH:
        assert spotting(list(distinct), list(distinct), protocol).end_to_end == pytest.approx((1, 1, 1, 1))


@settings(max_examples=50, deadline=None)
@given(images(), images(), st.randoms(use_true_random=False))
def test_bounds_symmetry_and_order(
    preds: list[SpottedWord], truths: list[SpottedWord], rng: random.Random
) -> None:
    for protocol in BOTH:
        result = spotting(preds, truths, protocol)
        assert 0 <= result.n_right <= result.n_found <= min(result.n_predictions, result.n_truth)
        for rates in (result.end_to_end, result.detection):
            assert all(0 <= rate <= 1 for rate in rates)
            assert rates.pq <= rates.f1
    # Distinct IoUs: HierText is symmetric and has no order.
    distinct = {word.polygon[0]: word for word in truths}.values()
    found = spotting(preds, list(distinct))
    assert spotting(list(distinct), preds).n_found == found.n_found
    shuffled = rng.sample(list(distinct), len(distinct))
    assert spotting(preds, shuffled).end_to_end == pytest.approx(found.end_to_end)


def page(*words: SpottedWord, number: int = 1, text: str = "") -> Item:
    return Item(kind="text", page=number, words=list(words), text=text)


@pytest.mark.parametrize("task", [TEXT_HIERTEXT, TEXT_RRC])
def test_a_case_has_the_measures_of_its_task(task: Task) -> None:
    sample = Sample("a", (page(word("Hello", 0, 40)),))
    for prediction in (None, Prediction(id="a"), Prediction(id="a", items=[page(word("Hello", 0, 40))])):
        assert set(task.score(sample, prediction).ratios) == {measure.name for measure in task.measures}
    assert task.headline in {measure.name for measure in task.measures}


@pytest.mark.parametrize("task", [TEXT_HIERTEXT, TEXT_RRC])
def test_no_answer_misses_every_word_and_says_so(task: Task) -> None:
    sample = Sample("a", (page(word("Hello", 0, 40), word("world", 50, 90)),))
    for prediction, note in (
        (None, "no prediction"),
        (Prediction(id="a", error="boom"), "the reader failed"),
    ):
        score = task.score(sample, prediction)
        assert score.ratios["f1"] == (0, 2)
        assert score.ratios["recall"] == (0, 2)
        assert score.ratios["precision"].value is None
        assert note in score.notes


def test_several_text_items_are_pooled_and_other_kinds_left_out() -> None:
    sample = Sample("a", (page(word("Hello", 0, 40), word("world", 50, 90)),))
    items = [page(word("Hello", 0, 40)), page(word("world", 50, 90)), Item(kind="table", text="<table>")]
    score = TEXT_HIERTEXT.score(sample, Prediction(id="a", items=items))
    assert score.ratios["f1"] == (4, 4)


def test_words_of_one_page_do_not_match_those_of_another() -> None:
    sample = Sample("a", (page(word("Hello", 0, 40), number=2),))
    score = TEXT_RRC.score(sample, Prediction(id="a", items=[page(word("Hello", 0, 40), number=1)]))
    assert score.ratios["f1"] == (0, 2)


def test_words_without_outline_count_and_match_nothing() -> None:
    sample = Sample("a", (page(word("Hello", 0, 40)),))
    score = TEXT_HIERTEXT.score(sample, Prediction(id="a", items=[page(text="Hello world")]))
    assert score.ratios["precision"] == (0, 2)
    assert any("without an outline" in note for note in score.notes)


def test_a_mended_outline_is_noted() -> None:
    bow_tie = SpottedWord(text="x", polygon=[(0, 0), (40, 10), (40, 0), (0, 10)])
    score = TEXT_HIERTEXT.score(Sample("a", (page(bow_tie),)), Prediction(id="a", items=[page(bow_tie)]))
    assert score.ratios["f1"] == (2, 2)
    assert any("crosses itself" in note for note in score.notes)


def test_an_image_without_words_is_not_defined_and_holds_inventions_against_the_reader() -> None:
    sample = Sample("a", (page(),))
    assert all(ratio.value is None for ratio in TEXT_RRC.score(sample, Prediction(id="a")).ratios.values())
    made_up = TEXT_RRC.score(sample, Prediction(id="a", items=[page(word("Hello", 0, 40))]))
    assert made_up.ratios["f1"] == (0, 1)


def test_the_ceiling_stands_beside_the_score() -> None:
    slanted = SpottedWord(text="up", polygon=[(0, 0), (70, 70), (63, 77), (-7, 7)])
    sample = Sample("a", (page(slanted, word("Hello", 100, 140)),))
    ratios = TEXT_HIERTEXT.score(sample, None).ratios
    assert ratios["bounding-recall"] == Ratio(1, 2)
    assert ratios["ceiling"] == Ratio(2, 3)


def test_beliefs_are_of_the_words_that_count() -> None:
    truth = page(word("Hello", 0, 40), word("", 50, 90, ignore=True))
    given_ = [
        word("Hello", 0, 40).model_copy(update={"confidence": 0.9}),
        word("junk", 50, 90).model_copy(update={"confidence": 0.8}),
        word("wrong", 200, 240).model_copy(update={"confidence": 0.3}),
        word("unsure", 300, 340),
    ]
    score = TEXT_HIERTEXT.score(Sample("a", (truth,)), Prediction(id="a", items=[page(*given_)]))
    assert score.beliefs == (Belief(0.9, True), Belief(0.3, False))


def test_a_crop_is_right_as_a_whole_where_its_words_are() -> None:
    sample = Sample("a", (page(word("Hello", 0, 40), word("you", 50, 90)),))
    for text, is_right in (("you Hello", True), ("Hello", False)):
        sure = page().model_copy(update={"text": text, "confidence": 0.6})
        score = TEXT_RRC.score(sample, Prediction(id="a", items=[sure]))
        assert score.part_beliefs == {"record": (Belief(0.6, is_right),)}
    ignored = Sample("a", (page(word("Hello", 0, 40, ignore=True)),))
    assert TEXT_RRC.score(ignored, Prediction(id="a", items=[sure])).part_beliefs == {}


@pytest.mark.real
def test_real_words_found_again_are_right(real_data: Path) -> None:
    files = sorted((real_data / "text" / "icdar2015").glob("gt_*.txt"))
    truths = []
    for file in files:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
        rows = [line.split(",", 8) for line in lines if line.strip()]
        truths.append(
            [
                SpottedWord(
                    text=row[8],
                    polygon=[(float(row[i]), float(row[i + 1])) for i in (0, 2, 4, 6)],
                    ignore=row[8] == "###",
                )
                for row in rows
            ]
        )
    assert files
    for protocol in BOTH:
        assert spotting_corpus(truths, truths, protocol).end_to_end == pytest.approx((1, 1, 1, 1), abs=1e-4)
