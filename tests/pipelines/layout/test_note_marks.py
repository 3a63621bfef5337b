"""Raised marks of footnotes on scans, and words of one text that reach into the box of another."""

from __future__ import annotations

import pymupdf
import pytest

from docai import Limits
from docai.pipelines.evidence import ppocr
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.ppocr import OcrPageWord, PpOcr
from docai.pipelines.ingest import PageWord, open_source
from docai.pipelines.layout.assign import words_beside
from docai.pipelines.layout.note_marks import place_note_marks
from docai.pipelines.layout.types import RegionCandidate, WordBox

ABOVE = WordBox((69, 729, 136, 738), (0, 0), 18, text="engineering")
BELOW = WordBox((69, 737, 250, 747), (1, 0), 30, text="New")


def text(*indices: int) -> RegionCandidate:
    return RegionCandidate("text", (60, 729, 260, 747), 0.9, [], word_indices=list(indices))


@pytest.mark.parametrize("content", ["2", ""])
@pytest.mark.parametrize("is_alone", [True, False])
def test_a_raised_mark_goes_to_the_line_that_it_stands_before(content: str, is_alone: bool) -> None:
    words = [ABOVE, WordBox((62, 735.5, 65, 740), (0, 1), 1, text=content), BELOW]
    regions = [text(0), text(1), text(2)] if is_alone else [text(0, 1), text(2)]
    assert [one.word_indices for one in place_note_marks(regions, words)] == [[0], [1, 2]]


@pytest.mark.parametrize("box", [(62, 737, 67, 746), (40, 735, 43, 740), (62, 744, 65, 749)])
def test_what_is_as_high_as_the_line_or_far_off_stays_where_it_is(
    box: tuple[float, float, float, float],
) -> None:
    words = [ABOVE, WordBox(box, (0, 1), 1, text="2"), BELOW]
    regions = [text(0), text(1), text(2)]
    assert [one.word_indices for one in place_note_marks(regions, words)] == [[0], [1], [2]]


def test_a_word_of_another_text_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = {"power": (69.0, 29.0, 136.0, 38.0), "New": (69.0, 36.0, 90.0, 44.0)}
    words = [OcrPageWord(PageWord(name, box, 0, n), 0.9) for n, (name, box) in enumerate(boxes.items())]
    monkeypatch.setattr(ppocr, "read_picture", lambda picture, seconds: words)
    with pymupdf.open() as pdf:
        pdf.new_page(width=200, height=100).draw_rect((71, 38, 88, 42), fill=(0, 0, 0))
        data = pdf.tobytes()
    with open_source(data, limits=Limits()) as source, source.page(1) as page:
        region = ReaderInput(page, (60, 28, 140, 42), beside=(boxes["New"],))
        assert PpOcr().read(region).text == "power"
        assert region.picture.image.convert("L").getextrema() == (255, 255)
        assert ReaderInput(page, region.bbox).picture.image.convert("L").getextrema() == (0, 255)


def test_what_holds_a_word_of_the_text_itself_is_not_beside_it() -> None:
    box, own = (60.0, 28.0, 140.0, 42.0), (69.0, 29.0, 80.0, 38.0)
    near, around, far = (90.0, 36.0, 110.0, 46.0), (65.0, 25.0, 88.0, 45.0), (90.0, 60.0, 110.0, 70.0)
    assert words_beside(box, [own], [near, around, far]) == (near,)
