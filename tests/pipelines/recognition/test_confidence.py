"""Confidence of records and their parts."""

from __future__ import annotations

import math

import pytest

from docai.base import Unit
from docai.contents import FigureContent, ScoreContent
from docai.models.calibration import CalibrationMap
from docai.models.engine import Generation
from docai.models.heads import HEADS
from docai.pipelines.recognition.confidence import answer_confidence, with_part_confidence
from docai.pipelines.recognition.tiles import join_contents
from docai.records import FinishReason

LOCS = ("<loc0100>", "<loc0200>", "<loc0300>", "<loc0400>")
ANSWERS = {
    "table": ("<table><tr>", "<td>", "1", "2", "</td>", "<td>", "</td>", "</tr>",
              "<tr>", "<td>", "x", "</td>", "</tr></table>"),
    "molecule": ("O", "C", "(", "=O", ")", "C"),
    "score": ("**kern\n", "*M1/4\n", "=1\n", "4c", "\n", "=2\n", "4d", "\n", "==\n", "*-\n"),
    "text": (*LOCS, " ", "Hel", "lo", " ; ", *LOCS, " ", "you"),
}  # fmt: skip
UNITS: dict[str, Unit] = {"table": "cell", "molecule": "atom", "score": "measure", "text": "word"}


def generation(head: str, doubted: str, **values: object) -> Generation:
    """The answer of a head; the model half believes the token ``doubted``, and is sure of all others."""
    tokens = ANSWERS[head]
    logprobs = tuple(math.log(0.5) if token == doubted else 0.0 for token in tokens)
    return Generation("".join(tokens), "stop", tokens, logprobs, **values)  # type: ignore[arg-type]


def confidences(answer: Generation, head: str) -> list[float | None]:
    return with_part_confidence(HEADS[head].parser(answer.text), answer).content.part_confidences()


@pytest.mark.parametrize(
    ("head", "doubted", "expected"),
    [
        # The last place of the second row has no cell of its own.
        ("table", "2", [math.sqrt(0.5), 1, 1, None]),
        ("table", "<td>", [1, 1, 1, None]),
        ("table", "x", [1, 1, 0.5, None]),
        # Canonical is CC(=O)O.
        ("molecule", "=O", [1, 1, 0.5, 1]),
        ("molecule", "O", [1, 1, 1, 0.5]),
        ("molecule", "(", [1, 1, 1, 1]),
        ("score", "4d", [1, 0.5]),
        ("score", "=2\n", [1, 1]),
        ("text", "lo", [math.sqrt(0.5), 1]),
        ("text", LOCS[0], [1, 1]),
    ],
)
def test_only_its_own_tokens_make_a_part_doubtful(
    head: str, doubted: str, expected: list[float | None]
) -> None:
    assert confidences(generation(head, doubted), head) == pytest.approx(expected)


@pytest.mark.parametrize("head", HEADS)
def test_a_map_makes_the_number_of_its_own_unit(head: str) -> None:
    flat = CalibrationMap(score="product", method="isotonic", x=[0], y=[0.7], n=400, data="drawn")
    answer = generation(head, "", calibration={UNITS[head]: flat})
    parsed = with_part_confidence(HEADS[head].parser(answer.text), answer)
    assert {value for value in parsed.content.part_confidences() if value is not None} == {0.7}
    confidence = answer_confidence([answer], parsed.issues, parsed.content)
    assert confidence.value == 1
    assert confidence.method == "geometric mean of token probabilities, uncalibrated"
    assert confidence.parts.startswith(f"calibrated on 400 held-out {UNITS[head]}s (drawn), isotonic")


def test_a_record_is_calibrated_by_its_own_map() -> None:
    half = CalibrationMap(score="minimum", method="isotonic", x=[0], y=[0.25], n=60)
    answer = generation("molecule", "C", calibration={"record": half})
    confidence = answer_confidence([answer], ())
    assert confidence.value == 0.25
    assert confidence.method == "calibrated on 60 held-out answers, isotonic over the least token probability"
    assert confidence.parts == "none"


@pytest.mark.parametrize("reason", ["length", "loop", "error"])
def test_an_unfinished_answer_is_not_believed(reason: FinishReason) -> None:
    sure = CalibrationMap(score="minimum", method="isotonic", x=[0], y=[0.9], n=60)
    answer = Generation("CC", reason, ("C", "C"), (0.0, 0.0), calibration={"record": sure})
    confidence = answer_confidence([answer], ())
    assert confidence.value == 0
    assert confidence.method.endswith("0 because the answer is invalid or incomplete")


def test_boxes_do_not_count_for_a_record() -> None:
    assert answer_confidence([generation("text", LOCS[1])], ()).value == 1


def test_nothing_measured_is_no_confidence() -> None:
    silent = Generation("CC", "stop", ("C", "C"), ())
    assert answer_confidence([silent], ()).value is None
    assert confidences(silent, "molecule") == [None, None]
    broken = Generation("CC", "stop", ("C", "C"), (math.nan, -0.1))
    assert answer_confidence([broken], ()).value is None
    assert confidences(broken, "molecule") == [None, pytest.approx(math.exp(-0.1))]


def test_a_figure_has_no_parts() -> None:
    assert FigureContent().with_confidences([]) == FigureContent()
    assert FigureContent().part_confidences() == []


def test_a_number_for_each_part_or_none() -> None:
    parsed = HEADS["molecule"].parser("CC")
    with pytest.raises(ValueError, match=r"shorter|longer"):
        parsed.content.with_confidences([0.5])


def test_joined_systems_keep_the_confidence_of_their_measures() -> None:
    parts = []
    for doubted in ("4c", "4d"):
        answer = generation("score", doubted)
        parts.append(with_part_confidence(HEADS["score"].parser(answer.text), answer))
    joined = join_contents(parts).content
    assert isinstance(joined, ScoreContent)
    assert [measure.confidence for measure in joined.measures] == pytest.approx([0.5, 1, 1, 0.5])
