"""What the tracing of a picture of music is worth, measure by measure, and what goes on from page to page."""

from __future__ import annotations

from collections.abc import Sequence

import pymupdf
import pytest

from docai.contents import ScoreContent
from docai.parsers.score import parse_score
from docai.pipelines.drawings.score.content import SystemReading
from docai.pipelines.evidence.arbiter import decide
from docai.pipelines.evidence.base import ReaderInput, Reading
from docai.pipelines.evidence.traced_scores import GOES_ON, TracedScores, reading_of
from docai.pipelines.evidence.trust import MEASURE, fitted_maps
from docai.pipelines.ingest import open_source
from docai.pipelines.synthesis.vector.scores import draw_score

KERN = "**kern\n*clefG2\n*M2/4\n=1\n4c\n4d\n=2\n4e\n4f\n==\n*-\n"


TWO_STAVES = "\n".join(line and f"{line}\t{line}" for line in KERN.split("\n"))


def system(values: Sequence[float], confidence: float = 0.9, kern: str = KERN) -> SystemReading:
    content = parse_score(kern, with_musicxml=False).content.with_confidences(values)
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


def test_passages_of_other_staves_are_alternatives_of_the_longest() -> None:
    reading = reading_of([system([0.9, 0.9], kern=TWO_STAVES), system([0.9, 0.9]), system([0.9, 0.9])])
    decision = decide("score", None, [reading])
    assert decision is not None
    assert isinstance(decision.content, ScoreContent)
    assert (decision.content.n_spines, decision.content.n_measures) == (1, 4)
    assert [one.content.split("\n", 1)[0] for one in decision.alternatives] == ["**kern\t**kern"]
    assert "score-passages-apart" in {issue.code for issue in decision.issues}


def test_pieces_of_one_region_are_one_after_the_other() -> None:
    reading = reading_of([system([0.9, 0.8]), system([0.7, 0.6])])
    assert isinstance(reading.content, ScoreContent)
    assert reading.content.n_measures == 4
    assert "=3||" in reading.content.kern
    assert not reading.left_out
    assert reading.complete


def two_pages(n_between: int = 0) -> bytes:
    """The two systems of a piece, of which the first has the meter, as pictures on a page each."""
    drawn = draw_score(33)
    (_, _, _, bottom), (_, top, _, _) = drawn.systems
    with pymupdf.open(stream=drawn.data) as source, pymupdf.open() as scan:
        sheet = source[0].rect
        middle = (bottom + top) / 2
        for part in ((0, 0, sheet.width, middle), (0, middle, sheet.width, sheet.height)):
            picture = source[0].get_pixmap(dpi=300, clip=part, colorspace="gray").tobytes("png")
            page = scan.new_page(width=sheet.width, height=part[3] - part[1])
            page.insert_image(page.rect, stream=picture)
            for _ in range(n_between if part[1] == 0 else 0):
                scan.new_page(width=100, height=100)
        return scan.tobytes()


def read_last(data: bytes, numbers: Sequence[int], *, is_first: bool = True) -> Reading:
    """What one reader makes of the last of these pages."""
    reader = TracedScores()
    with open_source(data) as source:
        for number in numbers:
            with source.page(number) as page:
                reading = reader.read(ReaderInput(page, page.bbox, is_first=is_first))
    return reading


def codes_of(reading: Reading) -> set[str]:
    return {issue.code for issue in reading.issues}


@pytest.mark.slow(seconds=10)
def test_the_meter_of_a_page_goes_on_on_the_next() -> None:
    reading = read_last(two_pages(), (1, 2))
    assert GOES_ON in reading.confidence.method
    assert "score-no-meter" not in codes_of(reading)
    assert isinstance(reading.content, ScoreContent)
    assert reading.content.n_measures


@pytest.mark.slow(seconds=15)
def test_a_page_that_follows_no_music_begins_anew() -> None:
    alone = read_last(two_pages(), (2,))
    after_a_gap = read_last(two_pages(n_between=1), (1, 3))
    second_of_its_page = read_last(two_pages(), (1, 2), is_first=False)
    for reading in (alone, after_a_gap, second_of_its_page):
        assert "score-no-meter" in codes_of(reading)
        assert GOES_ON not in reading.confidence.method
