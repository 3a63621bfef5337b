"""What second readers say of themselves, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from docai.contents import Line, TextContent, Word
from docai.parsers.molecule import parse_molecule
from docai.pipelines.evidence import trust
from docai.pipelines.evidence.base import Decision, Reading
from docai.pipelines.evidence.trust import (
    TRUST,
    TrustMap,
    fitted_maps,
    record_trust,
    trust_against,
    trust_in,
    with_fitted_confidence,
    within_accuracy,
    word_trust,
)
from docai.records import Confidence, Evidence

RISING = TrustMap((0.2, 0.6, 0.8), (0.1, 0.5, 0.9))
ETHANOL = parse_molecule("CCO").content


@pytest.fixture
def maps(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: Mapping[tuple[str, str], TrustMap] = {
        ("ppocr", "word"): RISING,
        ("imago", "molecule"): RISING,
        ("docai", "molecule"): RISING,
    }
    monkeypatch.setattr(trust, "fitted_maps", lambda: fitted)


def text(*confidences: float | None) -> TextContent:
    words = [Word(text="word", confidence=value) for value in confidences]
    return TextContent(text=" ".join(["word"] * len(words)), lines=[Line(text="", words=words)])


@pytest.mark.parametrize(("own", "value"), [(0.0, 0.1), (0.2, 0.1), (0.4, 0.3), (0.8, 0.9), (1.0, 0.9)])
def test_a_map_has_lines_between_its_points_and_is_level_outside(own: float, value: float) -> None:
    assert RISING(own) == pytest.approx(value)


def test_a_map_of_one_point_says_that_always() -> None:
    assert TrustMap((0.5,), (0.7,))(0.1) == TrustMap((0.5,), (0.7,))(0.9) == 0.7


def test_the_stored_maps_rise_and_are_probabilities() -> None:
    for fitted in fitted_maps().values():
        assert len(fitted.x) == len(fitted.y) > 0
        assert list(fitted.x) == sorted(set(fitted.x))
        assert list(fitted.y) == sorted(fitted.y)
        assert all(0 <= value < 1 for value in fitted.y)


@pytest.mark.usefixtures("maps")
def test_what_a_reader_says_of_itself_is_taken_for_what_it_was_worth() -> None:
    assert word_trust("ppocr", 0.6) == pytest.approx(0.5)
    assert record_trust("imago", "molecule", 0.8) == pytest.approx(0.9)
    assert trust_in(Reading("imago", ETHANOL, "CCO", quality=0.6)).record == pytest.approx(0.5)
    assert trust_in(Reading("ppocr", text(0.6, 0.8))).part == pytest.approx(0.7)


@pytest.mark.usefixtures("maps")
def test_a_reader_that_says_nothing_of_itself_is_right_as_often_as_all_its_answers() -> None:
    assert word_trust("ppocr", None) == TRUST["ppocr"].part
    assert record_trust("imago", "molecule", None) == TRUST["imago"].record
    assert trust_in(Reading("imago", ETHANOL, "CCO")).record == TRUST["imago"].record


def test_a_reading_with_a_fitted_probability_is_believed_by_it() -> None:
    sure = Reading("imago", ETHANOL, "CCO", confidence=Confidence(value=0.42), supporters=("osra",))
    assert trust_in(sure).record == 0.42
    unclear = Reading("ppocr", text(0.5, 0.7), complete=False, confidence=Confidence(value=0.2))
    assert trust_against(unclear).record == 0.2
    assert trust_against(unclear).part == pytest.approx(0.6)


def test_the_table_finder_is_no_reader_of_pictures() -> None:
    assert trust_in(Reading("table-finder", ETHANOL, confidence=Confidence(value=0.9))).record == 0.0


@pytest.mark.usefixtures("maps")
@pytest.mark.parametrize(
    ("evidence", "value"),
    [(("imago", "osra"), 0.5), (("model", "imago"), 0.6), (("drawing",), 0.6), ((), 0.6)],
)
def test_only_records_of_readers_of_pictures_are_held_against_such_documents(
    evidence: tuple[Evidence, ...], value: float
) -> None:
    decision = Decision(ETHANOL, evidence, Confidence(value=0.6, method="so"))
    assert with_fitted_confidence("molecule", decision).confidence.value == pytest.approx(value)
    assert with_fitted_confidence("table", decision) == decision


@pytest.mark.parametrize(
    ("evidence", "accuracy", "value"),
    [
        (("model",), 0.0, trust.LEAST_ACCURACY),
        (("model",), 0.4, 0.4),
        (("model",), 0.99, 0.93),
        (("model",), None, 0.93),
        (("model", "ppocr"), 0.0, 0.93),
        (("ppocr",), 0.0, 0.93),
    ],
)
def test_the_model_alone_is_no_surer_than_it_was_right(
    evidence: tuple[Evidence, ...], accuracy: float | None, value: float
) -> None:
    decision = Decision(text(0.9), evidence, Confidence(value=0.93, method="calibrated"))
    assert within_accuracy(decision, accuracy).confidence.value == pytest.approx(value)
