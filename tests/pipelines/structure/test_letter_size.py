"""Sizes of letters on scans, and what is told by them: levels of headings, titles and footnotes."""

from __future__ import annotations

import pymupdf
import pytest

from docai.contents import Line, Word
from docai.geometry import union
from docai.pipelines.structure.letter_size import has_small_figure, letter_size
from docai.records import Text
from docai.structure import Role

from ...blocks import text
from .test_document import roles, settled


def word(content: str, left: float, base: float, size: float, font: str = "helv") -> Word:
    """A word whose box is tight on its ink, as the font has it."""
    face = pymupdf.Font(font)
    glyphs = [face.glyph_bbox(ord(character)) for character in content]
    top, bottom = max(glyph.y1 for glyph in glyphs), min(glyph.y0 for glyph in glyphs)
    right = left + face.text_length(content, size)
    return Word(text=content, bbox=(left, base - size * top, right, base - size * bottom))


def line(content: str, left: float, base: float, size: float, font: str = "helv", mark: str = "") -> Line:
    """A line of words, behind a raised mark of two thirds of their size."""
    words = [word(mark, left, base - 0.35 * size, 0.65 * size, font)] if mark else []
    left += 8 if mark else 0
    for part in content.split():
        words.append(word(part, left, base, size, font))
        left += pymupdf.Font(font).text_length(f"{part} ", size)
    box = union([one.bbox for one in words if one.bbox is not None])
    return Line(text=" ".join(one.text for one in words), bbox=box, words=words)


def printed(content: str, top: float, size: float, *, role: Role = "paragraph", mark: str = "") -> Text:
    """A block as an OCR engine reads it."""
    rows = content.split("\n")
    lines = [
        line(row, 60, top + size * (1 + 1.2 * number), size, mark="" if number else mark)
        for number, row in enumerate(rows)
    ]
    boxes = [one.bbox for one in lines if one.bbox is not None]
    record = text("\n".join(one.text for one in lines), top, role=role, size=None, lines=boxes)
    return record.model_copy(update={"lines": lines})


PROSE = "Lanterns are lit in the evening by whom\nwalks along the quay, and put out at seven\nand at six."


@pytest.mark.parametrize("font", ["helv", "tiro", "cour", "hebo"])
@pytest.mark.parametrize(
    "content", ["now we see no one come", "fly by the Quay", "HARBOR 1870", "Été à Genève"]
)
def test_letters_are_as_large_as_their_font_whatever_they_are(font: str, content: str) -> None:
    measured = letter_size([line(content, 60, 100, 12.0, font)])
    assert measured == pytest.approx(12.0, rel=0.18)
    assert letter_size([line("— – •", 60, 100, 12.0, font)]) is None


def test_a_raised_number_before_the_words_is_a_mark_and_an_ordinary_one_is_none() -> None:
    note, entry = line("Seen by some", 60, 100, 8, mark="1"), line("1. Seen by some", 60, 100, 8)
    assert has_small_figure([note], 8.0) is True
    assert has_small_figure([entry], 8.0) is False
    assert has_small_figure([line("Seen by some", 60, 100, 8)], 8.0) is None


def test_headings_of_a_scan_have_levels_by_the_size_of_their_letters() -> None:
    names = [
        ("Why we came", 12.5),
        ("A new quay", 10.5),
        ("Lamps", 10.5),
        ("Of men now", 12.5),
        ("Fog", 10.5),
    ]
    blocks: list[Text] = []
    for number, (name, size) in enumerate(names):
        blocks.append(printed(name, 60 + 120 * number, size, role="section-heading"))
        blocks.append(printed(PROSE, 80 + 120 * number, 10))
    whole = settled(*blocks)
    assert [one.level for one in whole.texts if one.role == "section-heading"] == [1, 2, 2, 1, 2]


def test_the_title_of_a_scan_is_larger_than_its_headings_whatever_letters_it_has() -> None:
    title = printed("An ox we saw", 40, 16, role="section-heading")
    heads = [printed("Fog by day", top, 12, role="section-heading") for top in (100, 300)]
    whole = settled(title, heads[0], printed(PROSE, 130, 10), heads[1], printed(PROSE, 330, 10))
    assert roles(whole)[0] == "title"


def test_a_small_number_on_a_scan_makes_a_note_and_that_of_an_entry_does_not() -> None:
    body = printed(PROSE.replace("quay,", "quay,1"), 500, 10)
    note = printed("Seen by some, and put down.", 740, 9, mark="1")
    entry = printed("1. Seen by some, and put down.", 740, 9)
    whole = settled(body, note)
    assert (whole.texts[1].role, whole.texts[1].belongs_to) == ("footnote", whole.texts[0].id)
    assert roles(settled(body, entry))[1] != "footnote"


def test_notes_belong_to_signs_that_are_read_for_raised_numbers_where_there_are_as_many() -> None:
    first = printed(PROSE.replace("seven", "seven.®"), 400, 10)
    second = printed(PROSE.replace("quay,", "quay.*"), 500, 10).model_copy(update={"id": "second"})
    notes = [printed("Seen by some.", 700, 8, mark="6"), printed("By none now.", 740, 8, mark="8")]
    whole = settled(first, second, *notes)
    assert [one.belongs_to for one in whole.texts[2:]] == [first.id, "second"]
    assert settled(first, *notes).texts[1].belongs_to is None
