"""Right-to-left text: its letters, its direction, and the order of its words."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docai.contents import Word
from docai.parsers.text import normalize_text, parse_text, reading_order, text_direction


def at(x: int, text: str) -> str:
    return f"<loc0100><loc{x:04d}><loc0120><loc{x + 60:04d}> {text}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "ltr"),
        ("", "ltr"),
        ("12 + 3", "ltr"),
        ("שלום", "rtl"),
        ("مرحبا 2024", "rtl"),
        ("see עמ 3", "ltr"),
        ("שלום OK", "rtl"),
        ("日本語", "ltr"),
    ],
)
def test_the_direction_is_that_of_most_letters(text: str, expected: str) -> None:
    assert text_direction(text) == expected


def test_a_line_written_from_right_to_left_is_kept() -> None:
    parsed = parse_text(f"{at(700, 'שלום')} ; {at(500, 'עולם')} ; {at(300, '2024')}\n{at(100, 'left')}")
    first, second = parsed.content.lines
    assert [word.text for word in first.words] == ["שלום", "עולם", "2024"]
    assert (first.text, first.direction) == ("שלום עולם 2024", "rtl")
    assert [word.bbox[0] for word in first.words if word.bbox] == sorted(
        (word.bbox[0] for word in first.words if word.bbox), reverse=True
    )
    assert (second.text, second.direction) == ("left", "ltr")
    assert parsed.issues == ()


def test_a_line_written_as_it_looks_is_put_in_reading_order_and_that_is_said() -> None:
    looks = [at(100, "עולם"), at(200, "New"), at(300, "York"), at(400, "שלוםשלום"), at(500, "טוב")]
    parsed = parse_text(" ; ".join(looks))
    assert parsed.content.text == "טוב שלוםשלום New York עולם"
    assert [issue.code for issue in parsed.issues] == ["text-visual-order"]
    assert parsed.repaired
    raw = " ; ".join(looks)
    words = parsed.content.lines[0].words
    assert [raw[slice(*span)] for span in parsed.spans if span] == [word.text for word in words]


def test_words_without_boxes_keep_their_order() -> None:
    parsed = parse_text("שלום עולם")
    assert parsed.content.text == "שלום עולם"
    assert parsed.content.lines[0].direction == "rtl"


def test_left_to_right_words_are_never_moved() -> None:
    boxes = [(float(x), 0.0, x + 5.0, 10.0) for x in (0, 10, 20)]
    words = [Word(text=text, bbox=box) for text, box in zip(("a", "ב", "long"), boxes, strict=True)]
    assert reading_order(words) is None


def test_arabic_presentation_forms_are_plain_letters() -> None:
    assert normalize_text("\ufee3\ufeae\ufea3\ufe92\ufe8e") == "مرحبا"
    assert normalize_text("\ufefb") == "لا"
    assert normalize_text("cafe\u0301 ½") == "café ½"
    assert normalize_text("\ufdfa") == "\ufdfa"


def test_ligatures_are_plain_letters_and_soft_hyphens_show_only_where_a_word_is_divided() -> None:
    assert normalize_text("ﬁve oﬃces, ﬂats and a ﬆart") == "five offices, flats and a start"
    assert normalize_text("co\u00adoperation") == "cooperation"
    assert normalize_text("co\u00ad") == "co-"
    assert normalize_text("a divi\u00ad\nsion") == "a divi-\nsion"


@given(st.text())
def test_normal_text_is_nfc_and_stays_as_it_is(text: str) -> None:
    once = normalize_text(text)
    assert normalize_text(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once.split() == [normalize_text(word) for word in text.split()]
