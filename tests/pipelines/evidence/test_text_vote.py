"""Readings of one text by several readers, joined word by word."""

from __future__ import annotations

import pytest

from docai.contents import Line, TextContent, Word
from docai.pipelines.evidence import trust
from docai.pipelines.evidence.base import Reading
from docai.pipelines.evidence.text_vote import is_doubtful, join_texts
from docai.records import Evidence


@pytest.fixture(autouse=True)
def _unfitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Confidences of words are taken as they are."""
    monkeypatch.setattr(trust, "fitted_maps", dict)


def _reading(
    source: Evidence, *lines: str, own: float = 0.95, boxes: bool = True, complete: bool = True
) -> Reading:
    made = []
    for row, text in enumerate(lines):
        words, x = [], 0.0
        for part in text.split():
            box = (x, 20.0 * row, x + 6.0 * len(part), 20.0 * row + 10) if boxes else None
            words.append(Word(text=part, bbox=box, confidence=own))
            x += 6.0 * len(part) + 6
        made.append(Line(text=text, words=words))
    content = TextContent(text="\n".join(lines), lines=made)
    return Reading(source, content, content.text, complete=complete, quality=own)


def test_two_that_agree_are_surer_than_either() -> None:
    joined, rest = join_texts([_reading("ppocr", "Paid in full"), _reading("tesseract", "Paid in full")])
    assert joined is not None
    assert joined.text == "Paid in full"
    assert joined.supporters == ("tesseract",)
    assert rest == ()
    alone, _ = join_texts([_reading("ppocr", "Paid in full")])
    assert alone is not None
    assert joined.confidence.value > alone.confidence.value  # type: ignore[operator]
    assert min(joined.content.part_confidences()) > 0.99  # type: ignore[type-var, union-attr]


def test_where_they_differ_the_surer_one_is_taken_word_by_word() -> None:
    first = _reading("ppocr", "Pald in fu11", "on Monday")
    words = [
        word.model_copy(update={"confidence": 0.3 if word.text in ("Pald", "fu11") else 0.95})
        for line in first.content.lines  # type: ignore[union-attr]
        for word in line.words
    ]
    first = Reading("ppocr", first.content.with_confidences([w.confidence for w in words]), first.text)  # type: ignore[union-attr]
    joined, rest = join_texts([first, _reading("tesseract", "Paid in full", "on Mouday")])
    assert joined is not None
    assert joined.text == "Paid in full\non Monday"
    assert joined.content.part_confidences()[4] < joined.content.part_confidences()[3]  # type: ignore[operator, union-attr]
    assert {one.source for one in rest} == {"ppocr", "tesseract"}


def test_words_cut_otherwise_at_the_same_place_agree() -> None:
    joined, _ = join_texts([_reading("ppocr", "GNU GPL-2 only"), _reading("tesseract", "GNU GPL -2 only")])
    assert joined is not None
    assert joined.text == "GNU GPL-2 only"


def test_without_boxes_the_sequence_tells_which_words_belong_together() -> None:
    readings = [
        _reading("ppocr", "one two three", boxes=False),
        _reading("tesseract", "one tvo three", own=0.5, boxes=False),
    ]
    joined, rest = join_texts(readings)
    assert joined is not None
    assert joined.text == "one two three"
    assert len(rest) == 1


def test_words_that_only_the_other_reader_has_are_left_out() -> None:
    joined, _ = join_texts([_reading("ppocr", "Paid"), _reading("tesseract", "Paid", "~ oe")])
    assert joined is not None
    assert joined.text == "Paid"


def test_nothing_read_by_anybody_stays_nothing() -> None:
    joined, rest = join_texts([Reading("ppocr"), Reading("tesseract")])
    assert joined is not None
    assert joined.content is None
    assert join_texts([]) == (None, ())
    assert rest == ()


def test_a_clear_reading_needs_no_other_and_an_unsure_one_does() -> None:
    assert not is_doubtful(_reading("ppocr", "a clear page of print", own=0.99))
    assert is_doubtful(_reading("ppocr", "a clear page of print", own=0.5))
    assert is_doubtful(_reading("ppocr", "cut off", complete=False))
    assert is_doubtful(Reading("ppocr"))


def test_a_text_is_as_sure_as_its_words_are_on_the_mean_however_long_it_is() -> None:
    words = " ".join(["word"] * 400)
    joined, _ = join_texts([_reading("ppocr", words, own=0.9)])
    assert joined is not None
    assert joined.confidence.value == pytest.approx(0.9)
