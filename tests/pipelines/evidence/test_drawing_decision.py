"""What is believed of a molecule or score that the page draws."""

from __future__ import annotations

import pytest

from docai.models.heads import HEADS
from docai.pipelines.evidence.arbiter import decide
from docai.pipelines.evidence.base import Decision, Reading
from docai.pipelines.evidence.drawing import SOUND
from docai.pipelines.evidence.trust import TRUST, agreed, contradicted
from docai.records import Confidence, Evidence

BENZENE, PYRIDINE = "c1ccccc1", "c1ccncc1"

SCALE = "**kern\n*clefG2\n*k[]\n*M4/4\n=1\n4c\n4d\n4e\n4f\n==\n*-\n"


def _reading(
    source: Evidence,
    text: str,
    sure: float | None = None,
    *,
    is_calibrated: bool = True,
    kind: str = "molecule",
) -> Reading:
    confidence = Confidence() if sure is None else Confidence(value=sure, method="explained strokes")
    content = HEADS[kind].parser(text).content
    return Reading(source, content, text, confidence=confidence, is_calibrated=is_calibrated)


def _decide(*readings: Reading, kind: str = "molecule") -> Decision:
    model = next((reading for reading in readings if reading.source == "model"), None)
    decision = decide(kind, model, [reading for reading in readings if reading is not model])
    assert decision is not None
    return decision


def test_a_sound_drawing_is_the_content_where_nobody_else_was_asked() -> None:
    decision = _decide(_reading("drawing", BENZENE, 0.98))
    assert decision.evidence == ("drawing",)
    assert decision.confidence.value == 0.98
    assert decision.confidence.method == "explained strokes"
    assert not decision.issues
    assert not decision.alternatives


def test_a_sound_drawing_is_believed_over_a_sure_model_and_loses_confidence() -> None:
    decision = _decide(_reading("model", PYRIDINE, 0.99), _reading("drawing", BENZENE, 0.95))
    assert decision.evidence == ("drawing",)
    assert decision.confidence.value == pytest.approx(contradicted(0.95, 0.99))
    assert [issue.code for issue in decision.issues] == ["drawing-disagrees"]
    assert [(one.source, one.content) for one in decision.alternatives] == [("model", PYRIDINE)]


def test_who_reads_the_same_is_evidence_too() -> None:
    drawing = _reading("drawing", BENZENE, 0.95)
    decision = _decide(_reading("model", BENZENE, 0.6), drawing, _reading("osra", BENZENE))
    assert decision.evidence == ("drawing", "model", "osra")
    both = agreed(agreed(0.95, 0.6), TRUST["osra"].record)
    assert decision.confidence.value == pytest.approx(both)


def test_a_model_whose_confidence_nobody_measured_neither_confirms_nor_doubts_a_drawing() -> None:
    drawing = _reading("drawing", BENZENE, 0.95)
    for smiles in (BENZENE, PYRIDINE):
        decision = _decide(_reading("model", smiles, 0.99, is_calibrated=False), drawing)
        assert decision.confidence.value == 0.95


def test_a_drawing_that_is_not_sound_is_weighed_by_its_own_confidence() -> None:
    drawing = _reading("drawing", BENZENE, SOUND - 0.4)
    assert _decide(_reading("model", PYRIDINE, 0.02), drawing).evidence == ("drawing",)
    assert _decide(_reading("model", PYRIDINE, 0.9), drawing).evidence == ("model",)


def test_a_drawing_that_is_not_sound_is_the_content_where_nobody_else_read() -> None:
    decision = _decide(_reading("drawing", BENZENE, 0.3))
    assert decision.evidence == ("drawing",)
    assert decision.confidence.value == 0.3


def test_scores_agree_in_their_notes() -> None:
    drawing = _reading("drawing", SCALE, 0.95, kind="score")
    same = _decide(_reading("model", SCALE.replace("4c", "4c/"), 0.5, kind="score"), drawing, kind="score")
    assert same.evidence == ("drawing", "model")
    other = _decide(_reading("model", SCALE.replace("4f", "4g"), 0.5, kind="score"), drawing, kind="score")
    assert other.evidence == ("drawing",)
    (issue,) = other.issues
    assert "75% of their notes" in issue.message
