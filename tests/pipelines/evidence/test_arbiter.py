"""The rule: the model's reading and a second reader's, and how sure the record is then."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from docai.contents import Line, MoleculeContent, TextContent, Word
from docai.issues import make_issue
from docai.models.heads import HEADS
from docai.pipelines.evidence.arbiter import decide
from docai.pipelines.evidence.base import Decision, Reading, content_of
from docai.pipelines.evidence.trust import TRUST, UNCLEAR, agreed, contradicted
from docai.records import Confidence, FinishReason

BENZENE, PYRIDINE = "c1ccccc1", "c1ccncc1"


def _decide(model: Reading, *others: Reading, is_calibrated: bool) -> Decision:
    kind = "molecule" if isinstance(model.content, MoleculeContent) else "text"
    decision = decide(kind, replace(model, is_calibrated=is_calibrated), others)
    assert decision is not None
    return decision


def _molecule(smiles: str, *, finish: FinishReason = "stop", sure: float | None = 0.6) -> Reading:
    parsed = HEADS["molecule"].parser(smiles)
    confidence = Confidence() if sure is None else Confidence(value=sure, method="tokens")
    sound = finish == "stop" and not any(issue.severity == "error" for issue in parsed.issues)
    return Reading(
        "model", parsed.content, smiles, parsed.issues, sound, confidence=confidence, finish_reason=finish
    )


def _osra(smiles: str, *, clear: bool = True) -> Reading:
    return Reading("osra", HEADS["molecule"].parser(smiles).content, smiles, complete=clear)


def _content(text: str, sure: float | None = None) -> TextContent:
    words = [
        Word(text=word, bbox=(20.0 * at, 0, 20.0 * at + 15, 10), confidence=sure)
        for at, word in enumerate(text.split())
    ]
    return TextContent(text=text, lines=[Line(text=text, words=words)] if words else [])


def _text(text: str, *, finish: FinishReason = "stop", sure: float | None = 0.6) -> Reading:
    confidence = Confidence() if sure is None else Confidence(value=sure, method="tokens", parts="tokens")
    return Reading(
        "model",
        _content(text, sure),
        text,
        complete=finish == "stop",
        confidence=confidence,
        finish_reason=finish,
    )


def _tesseract(text: str, *, clear: bool = True) -> Reading:
    return Reading("tesseract", _content(text), text, complete=clear)


def _codes(decision: Decision) -> list[str]:
    return [issue.code for issue in decision.issues]


def _smiles(decision: Decision) -> str | None:
    assert isinstance(decision.content, MoleculeContent)
    return decision.content.smiles


def test_two_that_say_the_same_confirm_each_other() -> None:
    decision = _decide(_molecule("C1=CC=CC=C1"), _osra(BENZENE), is_calibrated=False)
    assert _smiles(decision) == BENZENE
    assert decision.evidence == ("model", "osra")
    assert decision.confidence.value is not None
    assert decision.confidence.value > 0.95
    assert "raised by osra" in decision.confidence.method
    assert not decision.issues
    assert not decision.alternatives


def test_atoms_of_a_confirmed_structure_are_surer() -> None:
    answer = _molecule("CCO")
    answer = replace(
        answer,
        content=content_of(answer).with_confidences([0.6, None, 0.8]),
        confidence=answer.confidence.model_copy(update={"parts": "tokens"}),
    )
    same = _decide(answer, _osra("OCC"), is_calibrated=False)
    first, second, third = same.content.part_confidences()
    assert (first or 0) > 0.95
    assert second is None
    assert (third or 0) > (first or 0)
    assert same.confidence.parts == "tokens; raised or lowered by osra"
    other = _decide(answer, _osra("CCN"), is_calibrated=False)
    assert other.content.part_confidences() == [0.6, None, 0.8]
    assert other.confidence.parts == "tokens"


def test_agreement_is_worth_something_where_the_model_measures_nothing() -> None:
    decision = _decide(_molecule(BENZENE, sure=None), _osra(BENZENE), is_calibrated=False)
    assert decision.confidence.value is not None
    assert decision.confidence.value > 0.9


def test_where_they_differ_a_sound_model_is_believed_and_both_are_kept() -> None:
    decision = _decide(_molecule(BENZENE), _osra(PYRIDINE), is_calibrated=False)
    assert _smiles(decision) == BENZENE
    assert decision.evidence == ("model",)
    assert _codes(decision) == ["witness-disagrees"]
    assert "C6H6 and C5H5N" in decision.issues[0].message
    assert [(one.source, one.content) for one in decision.alternatives] == [("osra", PYRIDINE)]
    assert decision.confidence.value is not None
    assert decision.confidence.value < 0.6
    assert "lowered by osra" in decision.confidence.method


def test_stereo_marks_are_part_of_the_structure() -> None:
    decision = _decide(_molecule("C[C@H](N)C(=O)O"), _osra("CC(N)C(=O)O"), is_calibrated=False)
    assert _codes(decision) == ["witness-disagrees"]


def test_a_model_that_knows_that_it_is_worse_is_outvoted() -> None:
    decision = _decide(_molecule(BENZENE, sure=0.3), _osra(PYRIDINE), is_calibrated=True)
    assert _smiles(decision) == PYRIDINE
    assert decision.evidence == ("osra",)
    assert decision.repaired
    assert _codes(decision) == ["witness-believed"]
    assert [(one.source, one.content) for one in decision.alternatives] == [("model", BENZENE)]
    assert decision.confidence.value is not None
    assert 0.5 < decision.confidence.value < TRUST["osra"].record


def test_a_model_that_knows_that_it_is_better_is_believed() -> None:
    decision = _decide(_molecule(BENZENE, sure=0.97), _osra(PYRIDINE), is_calibrated=True)
    assert _smiles(decision) == BENZENE
    assert decision.confidence.value is not None
    assert 0.5 < decision.confidence.value < 0.97


def test_a_number_that_nobody_calibrated_decides_nothing() -> None:
    assert _smiles(_decide(_molecule(BENZENE, sure=0.01), _osra(PYRIDINE), is_calibrated=False)) == BENZENE


@pytest.mark.parametrize(
    ("text", "finish"),
    [("C1CC", "stop"), ("c1ccccc1CCCC", "length"), ("CCCCCCCCCC", "loop"), ("", "error")],
)
def test_a_second_reader_takes_the_place_of_an_answer_that_does_not_hold(
    text: str, finish: FinishReason
) -> None:
    decision = _decide(_molecule(text, finish=finish, sure=0.0), _osra(PYRIDINE), is_calibrated=False)
    assert _smiles(decision) == PYRIDINE
    assert decision.evidence == ("osra",)
    assert _codes(decision) == ["witness-believed"]
    assert [one.content for one in decision.alternatives] == ([text] if text else [])
    assert decision.confidence.value == pytest.approx(TRUST["osra"].record)


@pytest.mark.parametrize("text", ["C1CC", BENZENE])
@pytest.mark.parametrize("calibrated", [False, True])
def test_a_reading_that_is_not_complete_decides_nothing(text: str, calibrated: bool) -> None:
    model = _molecule(text, sure=0.05)
    decision = _decide(model, _osra("*c1ccccc1", clear=False), is_calibrated=calibrated)
    assert decision.content == model.content
    assert decision.confidence == model.confidence
    assert _codes(decision) == ["witness-silent"]
    assert [one.content for one in decision.alternatives] == ["*c1ccccc1"]


@pytest.mark.parametrize("clear", [True, False])
@pytest.mark.parametrize(
    ("sure", "finish"), [(0.0, "length"), (0.0, "loop"), (0.05, "stop")], ids=["cut", "loop", "worse"]
)
def test_an_unclear_text_takes_the_place_of_one_that_is_worse(
    clear: bool, sure: float, finish: FinishReason
) -> None:
    model = _text("tvvo reoders", sure=sure, finish=finish)
    decision = _decide(model, _tesseract("two readers {", clear=clear), is_calibrated=True)
    assert isinstance(decision.content, TextContent)
    assert decision.content.text == "two readers {"
    assert decision.evidence == ("tesseract",)
    assert _codes(decision) == ["witness-believed"]
    assert ("could not make out all" in decision.issues[0].message) is not clear
    trust = TRUST if clear else UNCLEAR
    assert decision.confidence.value == pytest.approx(trust["tesseract"].part, abs=0.03)


@pytest.mark.parametrize(("sure", "calibrated"), [(0.05, False), (0.5, True)])
def test_an_unclear_text_changes_nothing_where_the_model_may_be_better(sure: float, calibrated: bool) -> None:
    model = _text("tvvo reoders", sure=sure)
    decision = _decide(model, _tesseract("two readers {", clear=False), is_calibrated=calibrated)
    assert decision.content == model.content
    assert decision.confidence == model.confidence
    assert _codes(decision) == ["witness-silent"]


def test_an_unclear_answer_that_is_the_model_s_confirms_it() -> None:
    decision = _decide(_molecule("*c1ccccc1"), _osra("*c1ccccc1", clear=False), is_calibrated=True)
    assert decision.evidence == ("model", "osra")
    assert (decision.confidence.value or 0) > 0.9


def test_a_second_reader_that_sees_nothing_is_named() -> None:
    model = _molecule(BENZENE)
    decision = _decide(model, Reading("osra"), is_calibrated=True)
    assert (decision.content, decision.confidence) == (model.content, model.confidence)
    assert [(issue.code, issue.severity) for issue in decision.issues] == [("witness-silent", "warning")]
    assert "something else" in decision.issues[0].message
    text = _decide(_text("two readers"), Reading("tesseract"), is_calibrated=True)
    assert [(issue.code, issue.severity) for issue in text.issues] == [("witness-silent", "info")]


def test_a_second_reader_that_failed_is_named_once_and_changes_nothing() -> None:
    model = _molecule(BENZENE)
    failed = Reading("osra", issues=(make_issue("witness-failed", "It crashed."),))
    decision = _decide(model, failed, is_calibrated=True)
    assert (decision.content, decision.confidence) == (model.content, model.confidence)
    assert _codes(decision) == ["witness-failed"]


def test_a_blank_crop_stays_blank() -> None:
    decision = _decide(_text("", finish="blank"), _tesseract("specks and dust"), is_calibrated=False)
    assert not decision.evidence
    assert not decision.issues


def test_words_that_both_read_are_surer_and_others_less_so() -> None:
    decision = _decide(
        _text("two readers agree here"), _tesseract("two readers aqree here"), is_calibrated=False
    )
    assert isinstance(decision.content, TextContent)
    sure = {word.text: word.confidence or 0.0 for word in decision.content.lines[0].words}
    assert sure["readers"] > 0.9
    assert sure["agree"] < 0.6
    assert _codes(decision) == ["witness-disagrees"]
    assert "75% of their words" in decision.issues[0].message
    assert "tesseract" in decision.confidence.parts


def test_texts_that_nearly_agree_are_evidence_of_each_other() -> None:
    text = "a witness that shares nothing with the model is the cheapest proof there is"
    decision = _decide(_text(text), _tesseract(text.replace("cheapest", "cheapesl")), is_calibrated=False)
    assert decision.evidence == ("model", "tesseract")
    assert [issue.severity for issue in decision.issues] == ["info"]
    assert len(decision.alternatives) == 1


def test_quotes_and_dashes_of_another_kind_are_no_difference() -> None:
    decision = _decide(_text("the “model’s” own"), _tesseract('the "model\'s" own'), is_calibrated=False)
    assert not decision.issues
    assert isinstance(decision.content, TextContent)
    assert decision.content.text == "the “model’s” own"
    assert all((word.confidence or 0) > 0.9 for word in decision.content.lines[0].words)


@pytest.mark.parametrize(
    ("sure", "calibrated", "believed"),
    [(0.3, True, True), (0.3, False, False), (0.97, True, False)],
)
def test_a_poor_reading_of_a_text_is_outvoted_where_it_is_known(
    sure: float, calibrated: bool, believed: bool
) -> None:
    decision = _decide(_text("tvvo reoders", sure=sure), _tesseract("two readers"), is_calibrated=calibrated)
    assert isinstance(decision.content, TextContent)
    assert (decision.content.text == "two readers") is believed


def test_a_model_that_reads_no_word_is_not_believed_over_one_that_reads_some() -> None:
    decision = _decide(_text(""), _tesseract("two readers"), is_calibrated=False)
    assert decision.evidence == ("tesseract",)


def test_a_region_without_a_model_has_what_others_say() -> None:
    alone = decide("molecule", None, [_osra(BENZENE)])
    assert alone is not None
    assert alone.evidence == ("osra",)
    assert alone.confidence.value == TRUST["osra"].record
    unclear = decide("molecule", None, [_osra("*C", clear=False)])
    assert unclear is not None
    assert (_smiles(unclear), _codes(unclear)) == ("*C", ["witness-unclear"])
    assert unclear.confidence.value == 0.0
    assert decide("molecule", None, [Reading("osra")]) is None


@pytest.mark.parametrize("p", [0.02, 0.3, 0.7, 0.95, 0.99])
def test_the_likelier_reader_is_believed_and_the_numbers_come_true(p: float) -> None:
    """Readers that are right as often as they say: together they are never worse than the better one."""
    dice = random.Random(7)
    trust = TRUST["osra"].record
    rights, sures, n = 0, 0.0, 400
    for _ in range(n):
        model = BENZENE if dice.random() < p else "CCO"
        second = BENZENE if dice.random() < trust else PYRIDINE
        decision = _decide(_molecule(model, sure=p), _osra(second), is_calibrated=True)
        rights += _smiles(decision) == BENZENE
        sures += decision.confidence.value or 0.0
    assert rights / n > max(p, trust) - 0.05
    assert rights / n == pytest.approx(sures / n, abs=0.06)


def test_probabilities_at_the_ends() -> None:
    for p in (0.0, 0.5, 1.0):
        for w in (0.0, 0.5, 1.0):
            assert 0 <= agreed(p, w) <= 1
            assert 0 <= contradicted(p, w) <= 1
    assert contradicted(0.0, 0.9) == 0.0
    assert agreed(0.9, 0.9) > 0.99


def test_of_several_second_readers_the_one_that_made_out_most_is_asked_then_the_most_trusted() -> None:
    drawing = replace(_osra(PYRIDINE), source="tesseract")
    for others in ([drawing, _osra(BENZENE)], [_osra(BENZENE), drawing]):
        decision = _decide(_molecule(BENZENE), *others, is_calibrated=False)
        assert decision.evidence == ("model", "osra")
    unclear = _osra("*c1ccccc1", clear=False)
    decision = _decide(_molecule(PYRIDINE), unclear, drawing, Reading("osra"), is_calibrated=False)
    assert decision.evidence == ("model", "tesseract")
