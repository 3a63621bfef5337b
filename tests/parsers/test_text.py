"""The text parser: the format, and every way in which models break it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.contents import TextContent
from docai.parsers.base import Parsed
from docai.parsers.text import normalize_text, parse_text

LOCS = "<loc0100><loc0200><loc0300><loc0400>"
BOX = (200 / 1023, 100 / 1023, 400 / 1023, 300 / 1023)


def codes(parsed: Parsed[TextContent]) -> set[str]:
    return {issue.code for issue in parsed.issues}


def words(parsed: Parsed[TextContent]) -> list[list[str]]:
    return [[word.text for word in line.words] for line in parsed.content.lines]


def test_the_format_as_the_model_is_trained_to_write_it() -> None:
    parsed = parse_text(f"{LOCS} Hello ; <loc0110><loc0500><loc0310><loc0600> world\n{LOCS} again")
    assert parsed.issues == ()
    assert not parsed.repaired
    assert words(parsed) == [["Hello", "world"], ["again"]]
    assert parsed.content.text == "Hello world\nagain"
    first = parsed.content.lines[0]
    assert first.words[0].bbox == BOX
    assert first.bbox == (200 / 1023, 100 / 1023, 600 / 1023, 310 / 1023)


@pytest.mark.parametrize("label", [";", "a;b", "etc.;", "<", "a<b", "<loc", "x > y", "New York", "»«", "1,5"])
def test_a_word_may_hold_what_the_format_uses(label: str) -> None:
    parsed = parse_text(f"{LOCS} {label} ; {LOCS} next")
    assert words(parsed) == [[label, "next"]]
    assert parsed.issues == ()


@pytest.mark.parametrize("locs", [LOCS[:27], LOCS + LOCS[:9], LOCS + LOCS, LOCS[:27] + "<loc1024>", "<loc1>"])
def test_location_tokens_that_make_no_box(locs: str) -> None:
    parsed = parse_text(f"{locs} a ; {LOCS} b")
    assert words(parsed) == [["a", "b"]]
    assert codes(parsed) == {"text-bad-box"}
    assert parsed.content.lines[0].words[0].bbox is None
    assert parsed.content.lines[0].bbox == BOX


def test_locations_are_in_the_order_y_x_y_x_of_1024_bins() -> None:
    [word] = parse_text("<loc0000><loc0256><loc0512><loc1023> a").content.lines[0].words
    assert word.bbox == (256 / 1023, 0, 1, 512 / 1023)


@pytest.mark.parametrize("locs", ["<loc0100><loc0200><loc0300><loc1024>", "<loc9999>" * 4])
def test_a_location_past_the_last_bin_makes_no_box(locs: str) -> None:
    parsed = parse_text(f"{locs} a")
    assert words(parsed) == [["a"]]
    assert "text-bad-box" in codes(parsed)
    assert parsed.content.lines[0].bbox is None


@pytest.mark.parametrize("label", ["###", "1,5", "A,B", "İstanbul", "STRASSE", "don’t", "„so“", "½"])
def test_commas_case_curly_quotes_and_unread_marks_stay_as_they_are(label: str) -> None:
    assert words(parse_text(f"{LOCS} {label}")) == [[label]]


def test_words_stay_words_and_lines_lines() -> None:
    parsed = parse_text(f"{LOCS} New ; {LOCS} York\n{LOCS} New York")
    assert words(parsed) == [["New", "York"], ["New York"]]


def test_a_reversed_box_is_put_right() -> None:
    parsed = parse_text("<loc0300><loc0400><loc0100><loc0200> a")
    assert codes(parsed) == {"text-reversed-box"}
    assert parsed.content.lines[0].words[0].bbox == BOX
    assert parsed.repaired


@pytest.mark.parametrize(
    "locs", ["<loc0100><loc0200><loc0100><loc0400>", "<loc0000><loc0000><loc0000><loc0000>"]
)
def test_a_box_without_area_is_widened(locs: str) -> None:
    parsed = parse_text(f"{locs} a")
    assert codes(parsed) == {"text-zero-area-box"}
    box = parsed.content.lines[0].words[0].bbox
    assert box is not None
    assert 0 <= box[0] < box[2] <= 1
    assert 0 <= box[1] < box[3] <= 1


def test_plain_text_becomes_words_without_boxes() -> None:
    parsed = parse_text("plain text ; here\n\nand there")
    assert words(parsed) == [["plain", "text", ";", "here"], ["and", "there"]]
    assert codes(parsed) == {"text-no-boxes"}
    assert parsed.content.lines[0].bbox is None


def test_words_before_the_first_box_are_kept() -> None:
    parsed = parse_text(f"first ; {LOCS} second")
    assert words(parsed) == [["first", "second"]]
    assert codes(parsed) == {"text-missing-box"}


def test_a_missing_separator_parts_words_all_the_same() -> None:
    parsed = parse_text(f"{LOCS} a {LOCS} b")
    assert words(parsed) == [["a", "b"]]
    assert codes(parsed) == {"text-missing-separator"}


def test_a_box_without_a_word() -> None:
    parsed = parse_text(f"{LOCS} ; {LOCS} b")
    assert words(parsed) == [["b"]]
    assert codes(parsed) == {"text-empty-label"}


@pytest.mark.parametrize("tail", [" ; <loc01", " ; <", f" ; {LOCS}", f" ; {LOCS[:18]}"])
def test_a_cut_off_answer(tail: str) -> None:
    parsed = parse_text(f"{LOCS} a{tail}")
    assert words(parsed) == [["a"]]
    assert "text-truncated" in codes(parsed)


def test_empty() -> None:
    assert codes(parse_text(" \n ")) == {"text-empty"}


def test_fences_line_ends_and_byte_order_mark() -> None:
    parsed = parse_text(f"```\n{LOCS} a\r\n{LOCS} b\n```")
    assert words(parsed) == [["a"], ["b"]]
    assert codes(parsed) == {"text-fenced"}
    assert words(parse_text(f"\ufeff{LOCS} a")) == [["a"]]


def test_texts_are_nfc_and_quotes_stay_curly() -> None:
    assert words(parse_text(f"{LOCS} cafe\u0301 ; {LOCS} “x”")) == [["café", "“x”"]]


def test_a_less_than_sign_at_the_end_is_a_word_unless_a_location_is_due() -> None:
    assert words(parse_text(f"{LOCS} p ; {LOCS} <")) == [["p", "<"]]
    for cut in (f"{LOCS} p ; <", f"{LOCS} p\n<", f"{LOCS} p ; <loc0001><", f"{LOCS} p ; <lo"):
        parsed = parse_text(cut)
        assert words(parsed) == [["p"]]
        assert "text-truncated" in {issue.code for issue in parsed.issues}


LABEL = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8).filter(
    lambda text: text != ";" and "`" not in text
)


@given(st.lists(st.lists(LABEL, min_size=1, max_size=4), min_size=1, max_size=4), st.data())
@settings(max_examples=150, deadline=None)
def test_no_word_is_invented_or_lost_whatever_happens_to_the_boxes(
    lines: list[list[str]], data: st.DataObject
) -> None:
    bins = st.lists(st.integers(0, 1100), min_size=1, max_size=6)

    def locs() -> str:
        return "".join(f"<loc{value:04d}>" for value in data.draw(bins))

    parsed = parse_text("\n".join(" ; ".join(f"{locs()} {label}" for label in line) for line in lines))
    assert list(map(sorted, words(parsed))) == [sorted(map(normalize_text, line)) for line in lines]
    assert not re.search(r"<loc\d", parsed.content.text)
