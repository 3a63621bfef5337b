"""What the tracing of a picture of music is worth, measure by measure."""

from __future__ import annotations

from collections.abc import Sequence

from docai.parsers.score import parse_score
from docai.pipelines.drawings.score.content import SystemReading
from docai.pipelines.evidence.traced_scores import reading_of
from docai.pipelines.evidence.trust import MEASURE, fitted_maps

KERN = "**kern\n*clefG2\n*M2/4\n=1\n4c\n4d\n=2\n4e\n4f\n==\n*-\n"


def system(values: Sequence[float], confidence: float = 0.9) -> SystemReading:
    content = parse_score(KERN, with_musicxml=False).content.with_confidences(values)
    return SystemReading((0.0, 0.0, 100.0, 50.0), content, confidence, (), ())


def test_measures_say_how_often_such_ones_were_right() -> None:
    reading = reading_of([system([0.2, 0.95])])
    fitted = fitted_maps()["tracing", MEASURE]
    assert reading.content is not None
    low, high = reading.content.part_confidences()
    assert (low, high) == (fitted(0.2), fitted(0.95))
    assert low is not None
    assert high is not None
    assert low < 0.6 < high
    assert "fitted" in reading.confidence.parts


def test_a_doubtful_system_leaves_the_passage_incomplete() -> None:
    assert reading_of([system([0.9, 0.9])]).complete
    assert not reading_of([system([0.9, 0.9]), system([0.2, 0.2], confidence=0.2)]).complete
    assert reading_of([]).content is None
