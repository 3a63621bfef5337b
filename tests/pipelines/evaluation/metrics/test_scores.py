"""Error rates of kern: the reference's values, what is taken out of the texts, and the task."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.errors import MissingDependencyError
from docai.pipelines.evaluation.base import Belief, CaseScore, Item, Prediction, Sample
from docai.pipelines.evaluation.metrics import omr_ned, scores
from docai.pipelines.evaluation.metrics.kern_text import Preparation, header_of, plain_kern, prepare_kern
from docai.pipelines.evaluation.metrics.scores import SCORE, kern_error_rates

GOLD = (
    "**kern\t**kern\n*clefF4\t*clefG2\n*k[b-]\t*k[b-]\n*M2/4\t*M2/4\n=1\t=1\n"
    "4FF 4F\t8aL\n.\t8b-J\n4C\t4cc\n==\t==\n*-\t*-\n"
)
PREDICTIONS = {
    "one pitch": GOLD.replace("4cc", "4dd"),
    "a line gone": GOLD.replace(".\t8b-J\n", ""),
    "empty": "",
    "a chord note gone": GOLD.replace("4FF 4F", "4FF"),
    "twice": GOLD + GOLD,
    "crlf": GOLD.replace("\n", "\r\n"),
    "no newline at the end": GOLD.rstrip("\n"),
}
# What SMT's own code gives on these texts: its data.py and utils.py make the text (not for "none"), then
# compute_poliphony_metrics of its eval_functions.py of today gives CER, SER and LER, and that of before
# 7 July 2025 another CER.
SMT: list[tuple[str, Preparation, float, float, float, float]] = [
    ("one pitch", "none", 2.020202, 2.380952, 9.090909, 2.040816),
    ("one pitch", "smt-system", 2.083333, 2.500000, 10.000000, 2.105263),
    ("one pitch", "smt-page", 2.439024, 2.777778, 11.111111, 2.469136),
    ("a line gone", "none", 7.070707, 9.523810, 9.090909, 7.142857),
    ("a line gone", "smt-system", 7.291667, 10.000000, 10.000000, 7.368421),
    ("a line gone", "smt-page", 8.536585, 11.111111, 11.111111, 8.641975),
    ("empty", "none", 100.000000, 97.619048, 90.909091, 100.000000),
    ("empty", "smt-system", 100.000000, 100.000000, 100.000000, 100.000000),
    ("empty", "smt-page", 100.000000, 100.000000, 100.000000, 100.000000),
    ("a chord note gone", "none", 3.030303, 2.380952, 9.090909, 2.040816),
    ("a chord note gone", "smt-system", 3.125000, 2.500000, 10.000000, 2.105263),
    ("a chord note gone", "smt-page", 3.658537, 2.777778, 11.111111, 2.469136),
    ("twice", "none", 100.000000, 97.619048, 90.909091, 100.000000),
    ("twice", "smt-system", 101.041667, 102.500000, 100.000000, 101.052632),
    ("twice", "smt-page", 118.292683, 113.888889, 111.111111, 118.518519),
    ("crlf", "none", 10.101010, 23.809524, 90.909091, 10.204082),
    ("crlf", "smt-system", 10.416667, 25.000000, 100.000000, 10.526316),
    ("crlf", "smt-page", 9.756098, 22.222222, 88.888889, 9.876543),
    ("no newline at the end", "none", 1.010101, 4.761905, 9.090909, 1.020408),
    ("no newline at the end", "smt-system", 0.0, 0.0, 0.0, 0.0),
    ("no newline at the end", "smt-page", 0.0, 0.0, 0.0, 0.0),
]


@pytest.mark.parametrize(("name", "preparation", "cer", "ser", "ler", "old_cer"), SMT)
def test_the_rates_are_those_of_smts_own_code(
    name: str, preparation: Preparation, cer: float, ser: float, ler: float, old_cer: float
) -> None:
    pred = [PREDICTIONS[name]]
    rates = kern_error_rates(pred, [GOLD], preparation=preparation)
    assert [rates.cer, rates.ser, rates.ler] == pytest.approx([cer, ser, ler], abs=1e-6)
    before = kern_error_rates(pred, [GOLD], preparation=preparation, tokenization="smt-2024-01")
    assert [before.cer, before.ser, before.ler] == pytest.approx([old_cer, ser, ler], abs=1e-6)


def test_a_set_is_edits_over_tokens_and_not_a_mean_of_rates() -> None:
    # Again SMT's own values; the means of the two rates would be 51.0, 51.2 and 54.5.
    rates = kern_error_rates([PREDICTIONS["one pitch"], ""], [GOLD, "**kern\n4c\n*-\n"], preparation="none")
    assert (rates.cer, rates.ser, rates.ler) == (13.392857142857142, 14.285714285714286, 26.666666666666668)


def test_the_figures_say_what_was_counted() -> None:
    rates = kern_error_rates([GOLD.replace("8a", "8b")], [GOLD], tokenization="smt-2024-01")
    assert str(rates) == "CER 1.05 % SER 2.50 % LER 10.00 % (text smt-system, tokens smt-2024-01)"
    assert str(kern_error_rates([], [])) == "CER – SER – LER – (text smt-system, tokens smt-2025-07)"


def test_answers_and_truths_have_to_be_as_many() -> None:
    with pytest.raises(ValueError, match="2 answers for 1 truths"):
        kern_error_rates(["", ""], [""])


def test_without_rapidfuzz_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'docai\[metrics\]'"):
        kern_error_rates([GOLD], [GOLD])


EKERN = (
    "**ekern_1.0\t**ekern_1.0\n*clefF4\t*clefG2\n*staff2\t*staff1\n*\t*\n=12\t=12\n"
    "4@FF 4@F\t8@b@-·L·/\n4C·\\\t4cc\n*-\t*-"
)


def test_smts_texts_are_those_of_its_own_code() -> None:
    assert prepare_kern(EKERN, "smt-system") == (
        "**ekern_1.0\t**ekern_1.0\n*clefF4\t*clefG2\n*staff2\t*staff1\n*\t*\n=\t=\n"
        "4@FF 4@F\t8@b@-L/\n4C\\\t4cc\n*-\t*-"
    )
    assert prepare_kern(EKERN, "smt-page") == ("*clefF4\t*clefG2\n=\t=\n4FF 4F\t8b-L\n4C\t4cc\n*-\t*-")
    assert prepare_kern(EKERN, "none") == EKERN


EDITION = """!!!COM: Chopin, Frederic\r
**kern\t**dynam\t**kern\r
*Ipiano\t*\t*Ipiano\r
*clefF4\t*\t*clefG2\r
*M3/4\t*\t*M3/4\r
*MM189\t*MM189\t*MM189\r
!LO:TX:t=Sotto voce\t!\t!\r
=1-\t=1-\t=1-\r
*^\t*\t*\r
4B#/\t4GG#\\ 4D#\\\tp\t4g#/\r
.\t.\t<\t.\r
2A#/\t2r\t.\t2g#/\r
*v\t*v\t*\t*\r
\r
=2\t=2\t=2\r
*-\t*-\t*-\r
!! the end\r
"""
AS_PRINTED = (
    "**kern\t**kern\n*clefF4\t*clefG2\n*M3/4\t*M3/4\n=-\t=-\n*^\t*\n4B#\t4GG# 4D#\t4g#\n"
    "2A#\t2r\t2g#\n*v\t*v\t*\n=\t=\n*-\t*-"
)


def test_the_printed_text_is_what_an_engraving_shows() -> None:
    assert prepare_kern(EDITION, "printed") == AS_PRINTED
    assert prepare_kern("\ufeff" + AS_PRINTED.replace("**kern", "**ekern_1.0"), "printed") == AS_PRINTED


def test_a_broken_structure_keeps_all_of_its_spines() -> None:
    broken = "**kern\t**dynam\n4c\tp\tp\n*-\t*-"
    assert prepare_kern(broken, "printed") == broken


def test_one_kern_of_many_encodings() -> None:
    assert plain_kern("\ufeff**bekern\r\n4@c·L\r\n*-") == "**kern\n4cL\n*-"
    assert header_of("!! a\n**ekern_1.0\t**ekern_1.0\n") == "**ekern_1.0"
    assert header_of("4c\n") is None


TEXTS = st.text(alphabet="*kern^v-=1248.ABcg# \t\n·@/\\!\r", max_size=60)


@settings(max_examples=200)
@given(TEXTS, TEXTS, st.sampled_from(["smt-system", "smt-page", "printed", "none"]))
def test_the_same_text_has_no_edits_and_any_text_at_most_the_longer(
    pred: str, truth: str, preparation: Preparation
) -> None:
    same = kern_error_rates([truth], [truth], preparation=preparation)
    assert [part.numerator for part in (same.characters, same.symbols, same.lines)] == [0, 0, 0]
    there = kern_error_rates([pred], [truth], preparation=preparation)
    back = kern_error_rates([truth], [pred], preparation=preparation)
    for one, other in zip(
        (there.characters, there.symbols, there.lines),
        (back.characters, back.symbols, back.lines),
        strict=True,
    ):
        assert one.numerator == other.numerator
        assert abs(one.denominator - other.denominator) <= one.numerator
        assert one.numerator <= max(one.denominator, other.denominator)


def music(*texts: str, confidence: float | None = None) -> list[Item]:
    return [Item(kind="score", text=text, confidence=confidence) for text in texts]


def score(preds: list[Item], truths: list[Item], *, page: bool = False) -> CaseScore:
    sample = Sample(id="a", truth=tuple(truths), unit="page" if page else "crop")
    return SCORE.score(sample, Prediction(id="a", items=preds))


@pytest.fixture
def no_musicdiff(monkeypatch: pytest.MonkeyPatch) -> None:
    """OMR-NED is tested elsewhere."""
    monkeypatch.setitem(sys.modules, "musicdiff", None)


pytestmark = pytest.mark.usefixtures("no_musicdiff")


def test_measures_are_held_against_those_of_the_truth() -> None:
    truth = "**kern\n=1\n4c\n=2\n4d\n==\n*-\n"
    sure = music(truth.replace("4d", "4e"))[0].model_copy(update={"parts": [0.9, 0.3]})
    assert score([sure], music(truth)).part_beliefs == {"measure": (Belief(0.9, True), Belief(0.3, False))}
    assert score(music(truth), music(truth)).part_beliefs == {}


def test_a_right_answer_has_no_errors() -> None:
    case = score(music(GOLD, confidence=0.7), music(GOLD))
    assert list(case.ratios) == [measure.name for measure in SCORE.measures]
    assert [case.ratios[name] for name in ("cer", "ser", "ler")] == [(0, 96), (0, 40), (0, 10)]
    assert case.ratios["cer-2024"] == (0, 95)
    assert case.ratios["parses"] == (1, 1)
    assert case.beliefs == (Belief(0.7, True),)
    assert case.ratios["omr-ned"] == (0, 0)
    assert case.notes == (scores.NO_MUSICDIFF,)


@pytest.mark.parametrize("prediction", [None, Prediction(id="a"), Prediction(id="a", error="it broke")])
def test_no_answer_misses_all_of_the_truth(prediction: Prediction | None) -> None:
    case = SCORE.score(Sample(id="a", truth=tuple(music(GOLD))), prediction)
    assert [case.ratios[name].value for name in ("cer", "ser", "ler")] == [1, 1, 1]
    assert case.ratios["parses"] == (0, 1)
    assert scores.MISSING in case.notes


def test_an_answer_that_no_parser_takes_is_compared_as_text_all_the_same() -> None:
    case = score(music(GOLD.replace("8aL", "8aL\t4c")), music(GOLD))
    assert case.ratios["parses"] == (0, 1)
    assert case.ratios["ser"] == (2, 40)


@pytest.mark.parametrize("truth", [[], music(""), music("!! nothing\n")])
def test_nothing_is_defined_on_a_truth_without_music(truth: list[Item]) -> None:
    case = score(music(GOLD), truth)
    assert set(case.ratios.values()) == {(0, 0)}
    assert case.notes == (scores.NO_TRUTH,)


def test_how_a_file_was_carried_is_no_error() -> None:
    case = score(music("\ufeff" + GOLD.replace("\n", "\r\n")), music(GOLD))
    assert case.ratios["cer"] == (0, 96)


@pytest.mark.parametrize("header", ["**ekern_1.0", "**bekern", "**ekern"])
def test_an_answer_in_kern_is_not_wrong_for_a_truth_in_another_encoding(header: str) -> None:
    case = score(music(GOLD), music(GOLD.replace("**kern", header).replace("8aL", "8@a·L")))
    assert case.ratios["ser"] == (0, 40)
    assert case.ratios["cer"].numerator == 0
    assert scores.RENAMED in case.notes


def test_what_only_an_edition_has_counts_in_the_text_as_smt_takes_it() -> None:
    case = score(music(AS_PRINTED), music(EDITION))
    assert case.ratios["ser"].numerator > 0
    assert case.ratios["ser-printed"] == (0, case.ratios["ser-printed"].denominator)


def test_a_page_is_compared_as_smts_page_text() -> None:
    case = score(music(GOLD.replace("\n=1", "\n*staff2\t*staff1\n=1")), music(GOLD), page=True)
    assert case.ratios["ser"] == (0, 36)
    assert case.notes == (scores.NO_MUSICDIFF,)


def test_systems_of_a_page_are_joined_in_order() -> None:
    second = GOLD.replace("4cc", "4ff")
    whole = GOLD.replace("*-\t*-\n", "") + "=1\t=1\n4FF 4F\t8aL\n.\t8b-J\n4C\t4ff\n==\t==\n*-\t*-\n"
    case = score(music(GOLD, second), music(whole), page=True)
    assert case.ratios["ser"].value == 0
    assert scores.JOINED in case.notes
    swapped = score(music(second, GOLD), music(whole), page=True)
    assert swapped.ratios["ser"].numerator == 2


@given(TEXTS)
@settings(max_examples=50)
def test_every_text_is_an_answer(text: str) -> None:
    case = score(music(text), music(GOLD))
    assert all(ratio.numerator >= 0 for ratio in case.ratios.values())
    assert case.ratios["ler"].denominator == 10


def test_omr_neds_note_comes_with_the_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        scores, "omr_ned", lambda pred, truth: omr_ned.OmrNed(9, 0, 9, 1.0, omr_ned.TIMED_OUT)
    )
    case = score(music(GOLD), music(GOLD))
    assert case.ratios["omr-ned"] == (9, 9)
    assert case.notes == (omr_ned.TIMED_OUT,)
