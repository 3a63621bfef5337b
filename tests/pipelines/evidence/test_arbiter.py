"""The rule: the model's answer and a witness's, and how sure the record is then."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from docai.contents import Line, MoleculeContent, TextContent, Word
from docai.issues import make_issue
from docai.models.heads import HEADS
from docai.pipelines.evidence.arbiter import TRUST, UNCLEAR, agreed, contradicted, unread, weigh
from docai.pipelines.evidence.base import Statement, Weighed
from docai.pipelines.recognition.answer import Answer
from docai.records import Confidence, FinishReason

BENZENE, PYRIDINE = "c1ccccc1", "c1ccncc1"


def _molecule(smiles: str, *, finish: FinishReason = "stop", sure: float | None = 0.6) -> Answer:
    parsed = HEADS["molecule"].parser(smiles)
    confidence = Confidence() if sure is None else Confidence(value=sure, method="tokens")
    return Answer(parsed.content, parsed.issues, False, smiles, finish, 9, "x@1", "molecule", confidence)


def _osra(smiles: str, *, clear: bool = True) -> Statement:
    return Statement("osra", HEADS["molecule"].parser(smiles).content, smiles, is_clear=clear)


def _content(text: str, sure: float | None = None) -> TextContent:
    words = [
        Word(text=word, bbox=(20.0 * at, 0, 20.0 * at + 15, 10), confidence=sure)
        for at, word in enumerate(text.split())
    ]
    return TextContent(text=text, lines=[Line(text=text, words=words)] if words else [])


def _text(text: str, *, finish: FinishReason = "stop", sure: float | None = 0.6) -> Answer:
    confidence = Confidence() if sure is None else Confidence(value=sure, method="tokens", parts="tokens")
    return Answer(_content(text, sure), (), False, text, finish, 9, "x@1", "text", confidence)


def _tesseract(text: str, *, clear: bool = True) -> Statement:
    return Statement("tesseract", _content(text), text, is_clear=clear)


def _codes(weighed: Weighed) -> list[str]:
    return [issue.code for issue in weighed.issues]


def _smiles(weighed: Weighed) -> str | None:
    assert isinstance(weighed.content, MoleculeContent)
    return weighed.content.smiles


def test_two_that_say_the_same_confirm_each_other() -> None:
    weighed = weigh(_molecule("C1=CC=CC=C1"), _osra(BENZENE), is_calibrated=False)
    assert _smiles(weighed) == BENZENE
    assert weighed.evidence == ("model", "osra")
    assert weighed.confidence.value is not None
    assert weighed.confidence.value > 0.95
    assert "raised by osra" in weighed.confidence.method
    assert not weighed.issues
    assert not weighed.alternatives


def test_atoms_of_a_confirmed_structure_are_surer() -> None:
    answer = _molecule("CCO")
    answer = replace(
        answer,
        content=answer.content.with_confidences([0.6, None, 0.8]),
        confidence=answer.confidence.model_copy(update={"parts": "tokens"}),
    )
    same = weigh(answer, _osra("OCC"), is_calibrated=False)
    first, second, third = same.content.part_confidences()
    assert (first or 0) > 0.95
    assert second is None
    assert (third or 0) > (first or 0)
    assert same.confidence.parts == "tokens; raised or lowered by osra"
    other = weigh(answer, _osra("CCN"), is_calibrated=False)
    assert other.content.part_confidences() == [0.6, None, 0.8]
    assert other.confidence.parts == "tokens"


def test_agreement_is_worth_something_where_the_model_measures_nothing() -> None:
    weighed = weigh(_molecule(BENZENE, sure=None), _osra(BENZENE), is_calibrated=False)
    assert weighed.confidence.value is not None
    assert weighed.confidence.value > 0.9


def test_where_they_differ_a_sound_model_is_believed_and_both_are_kept() -> None:
    weighed = weigh(_molecule(BENZENE), _osra(PYRIDINE), is_calibrated=False)
    assert _smiles(weighed) == BENZENE
    assert weighed.evidence == ("model",)
    assert _codes(weighed) == ["witness-disagrees"]
    assert "C6H6 and C5H5N" in weighed.issues[0].message
    assert [(one.source, one.content) for one in weighed.alternatives] == [("osra", PYRIDINE)]
    assert weighed.confidence.value is not None
    assert weighed.confidence.value < 0.6
    assert "lowered by osra" in weighed.confidence.method


def test_stereo_marks_are_part_of_the_structure() -> None:
    weighed = weigh(_molecule("C[C@H](N)C(=O)O"), _osra("CC(N)C(=O)O"), is_calibrated=False)
    assert _codes(weighed) == ["witness-disagrees"]


def test_a_model_that_knows_that_it_is_worse_is_outvoted() -> None:
    weighed = weigh(_molecule(BENZENE, sure=0.3), _osra(PYRIDINE), is_calibrated=True)
    assert _smiles(weighed) == PYRIDINE
    assert weighed.evidence == ("osra",)
    assert weighed.repaired
    assert _codes(weighed) == ["witness-believed"]
    assert [(one.source, one.content) for one in weighed.alternatives] == [("model", BENZENE)]
    assert weighed.confidence.value is not None
    assert 0.5 < weighed.confidence.value < TRUST["osra"].record


def test_a_model_that_knows_that_it_is_better_is_believed() -> None:
    weighed = weigh(_molecule(BENZENE, sure=0.97), _osra(PYRIDINE), is_calibrated=True)
    assert _smiles(weighed) == BENZENE
    assert weighed.confidence.value is not None
    assert 0.5 < weighed.confidence.value < 0.97


def test_a_number_that_nobody_calibrated_decides_nothing() -> None:
    assert _smiles(weigh(_molecule(BENZENE, sure=0.01), _osra(PYRIDINE), is_calibrated=False)) == BENZENE


@pytest.mark.parametrize(
    ("text", "finish"),
    [("C1CC", "stop"), ("c1ccccc1CCCC", "length"), ("CCCCCCCCCC", "loop"), ("", "error")],
)
def test_a_witness_takes_the_place_of_an_answer_that_does_not_hold(text: str, finish: FinishReason) -> None:
    weighed = weigh(_molecule(text, finish=finish, sure=0.0), _osra(PYRIDINE), is_calibrated=False)
    assert _smiles(weighed) == PYRIDINE
    assert weighed.evidence == ("osra",)
    assert _codes(weighed) == ["witness-believed"]
    assert [one.content for one in weighed.alternatives] == ([text] if text else [])
    assert weighed.confidence.value == pytest.approx(TRUST["osra"].record)


@pytest.mark.parametrize("text", ["C1CC", BENZENE])
@pytest.mark.parametrize("calibrated", [False, True])
def test_a_witness_that_is_not_clear_decides_nothing(text: str, calibrated: bool) -> None:
    model = _molecule(text, sure=0.05)
    weighed = weigh(model, _osra("*c1ccccc1", clear=False), is_calibrated=calibrated)
    assert weighed.content == model.content
    assert weighed.confidence == model.confidence
    assert _codes(weighed) == ["witness-silent"]
    assert [one.content for one in weighed.alternatives] == ["*c1ccccc1"]


@pytest.mark.parametrize("clear", [True, False])
@pytest.mark.parametrize(
    ("sure", "finish"), [(0.0, "length"), (0.0, "loop"), (0.05, "stop")], ids=["cut", "loop", "worse"]
)
def test_an_unclear_text_takes_the_place_of_one_that_is_worse(
    clear: bool, sure: float, finish: FinishReason
) -> None:
    model = _text("tvvo reoders", sure=sure, finish=finish)
    weighed = weigh(model, _tesseract("two readers {", clear=clear), is_calibrated=True)
    assert isinstance(weighed.content, TextContent)
    assert weighed.content.text == "two readers {"
    assert weighed.evidence == ("tesseract",)
    assert _codes(weighed) == ["witness-believed"]
    assert ("could not make out all" in weighed.issues[0].message) is not clear
    trust = TRUST if clear else UNCLEAR
    assert weighed.confidence.value == pytest.approx(trust["tesseract"].record, abs=0.03)


@pytest.mark.parametrize(("sure", "calibrated"), [(0.05, False), (0.5, True)])
def test_an_unclear_text_changes_nothing_where_the_model_may_be_better(sure: float, calibrated: bool) -> None:
    model = _text("tvvo reoders", sure=sure)
    weighed = weigh(model, _tesseract("two readers {", clear=False), is_calibrated=calibrated)
    assert weighed.content == model.content
    assert weighed.confidence == model.confidence
    assert _codes(weighed) == ["witness-silent"]


def test_an_unclear_answer_that_is_the_model_s_confirms_it() -> None:
    weighed = weigh(_molecule("*c1ccccc1"), _osra("*c1ccccc1", clear=False), is_calibrated=True)
    assert weighed.evidence == ("model", "osra")
    assert (weighed.confidence.value or 0) > 0.9


def test_a_witness_that_sees_nothing_is_named() -> None:
    model = _molecule(BENZENE)
    weighed = weigh(model, Statement("osra"), is_calibrated=True)
    assert (weighed.content, weighed.confidence) == (model.content, model.confidence)
    assert [(issue.code, issue.severity) for issue in weighed.issues] == [("witness-silent", "warning")]
    assert "something else" in weighed.issues[0].message
    text = weigh(_text("two readers"), Statement("tesseract"), is_calibrated=True)
    assert [(issue.code, issue.severity) for issue in text.issues] == [("witness-silent", "info")]


def test_a_witness_that_failed_is_named_once_and_changes_nothing() -> None:
    model = _molecule(BENZENE)
    failed = Statement("osra", issues=(make_issue("witness-failed", "It fell."),))
    weighed = weigh(model, failed, is_calibrated=True)
    assert (weighed.content, weighed.confidence) == (model.content, model.confidence)
    assert _codes(weighed) == ["witness-failed"]


def test_a_blank_crop_stays_blank() -> None:
    weighed = weigh(_text("", finish="blank"), _tesseract("specks and dust"), is_calibrated=False)
    assert not weighed.evidence
    assert not weighed.issues


def test_words_that_both_read_are_surer_and_others_less_so() -> None:
    weighed = weigh(
        _text("two readers agree here"), _tesseract("two readers aqree here"), is_calibrated=False
    )
    assert isinstance(weighed.content, TextContent)
    sure = {word.text: word.confidence or 0.0 for word in weighed.content.lines[0].words}
    assert sure["readers"] > 0.9
    assert sure["agree"] < 0.6
    assert _codes(weighed) == ["witness-disagrees"]
    assert "75% of their words" in weighed.issues[0].message
    assert "tesseract" in weighed.confidence.parts


def test_texts_that_nearly_agree_are_evidence_of_each_other() -> None:
    text = "a witness that shares nothing with the model is the cheapest proof there is"
    weighed = weigh(_text(text), _tesseract(text.replace("cheapest", "cheapesl")), is_calibrated=False)
    assert weighed.evidence == ("model", "tesseract")
    assert [issue.severity for issue in weighed.issues] == ["info"]
    assert len(weighed.alternatives) == 1


def test_quotes_and_dashes_of_another_kind_are_no_difference() -> None:
    weighed = weigh(_text("the “model’s” own"), _tesseract('the "model\'s" own'), is_calibrated=False)
    assert not weighed.issues
    assert isinstance(weighed.content, TextContent)
    assert weighed.content.text == "the “model’s” own"
    assert all((word.confidence or 0) > 0.9 for word in weighed.content.lines[0].words)


@pytest.mark.parametrize(
    ("sure", "calibrated", "believed"),
    [(0.3, True, True), (0.3, False, False), (0.97, True, False)],
)
def test_a_poor_reading_of_a_text_is_outvoted_where_it_is_known(
    sure: float, calibrated: bool, believed: bool
) -> None:
    weighed = weigh(_text("tvvo reoders", sure=sure), _tesseract("two readers"), is_calibrated=calibrated)
    assert isinstance(weighed.content, TextContent)
    assert (weighed.content.text == "two readers") is believed


def test_a_model_that_reads_no_word_is_not_believed_over_one_that_reads_some() -> None:
    weighed = weigh(_text(""), _tesseract("two readers"), is_calibrated=False)
    assert weighed.evidence == ("tesseract",)


def test_a_region_without_a_model_has_what_a_clear_witness_says() -> None:
    alone = unread(_osra(BENZENE))
    assert alone is not None
    assert alone.evidence == ("osra",)
    assert alone.confidence.value == TRUST["osra"].record
    assert unread(_osra("*C", clear=False)) is None
    assert unread(Statement("osra")) is None


@pytest.mark.parametrize("p", [0.02, 0.3, 0.7, 0.95, 0.99])
def test_the_likelier_reader_is_believed_and_the_numbers_come_true(p: float) -> None:
    """Readers that are right as often as they say: together they are never worse than the better one."""
    dice = random.Random(7)
    trust = TRUST["osra"].record
    rights, sures, n = 0, 0.0, 400
    for _ in range(n):
        model = BENZENE if dice.random() < p else "CCO"
        witness = BENZENE if dice.random() < trust else PYRIDINE
        weighed = weigh(_molecule(model, sure=p), _osra(witness), is_calibrated=True)
        rights += _smiles(weighed) == BENZENE
        sures += weighed.confidence.value or 0.0
    assert rights / n > max(p, trust) - 0.05
    assert rights / n == pytest.approx(sures / n, abs=0.06)


def test_probabilities_at_the_ends() -> None:
    for p in (0.0, 0.5, 1.0):
        for w in (0.0, 0.5, 1.0):
            assert 0 <= agreed(p, w) <= 1
            assert 0 <= contradicted(p, w) <= 1
    assert contradicted(0.0, 0.9) == 0.0
    assert agreed(0.9, 0.9) > 0.99
