"""Ties, slurs and phrases: what pairs, what may lie outside the passage, and what is told."""

from __future__ import annotations

import pytest

from docai.parsers.score import parse_score
from docai.parsers.score_ties import pair_slurs, pair_ties

from .scores import codes, kern

TIE, SLUR = "score-tie-unpaired", "score-slur-unpaired"
PHRASE = "score-phrase-unpaired"


def one(*bars: str) -> str:
    """One spine, a barline between bars; fields of a bar are parted by commas."""
    lines = [line for number, text in enumerate(bars, start=1) for line in (f"={number}", *text.split(","))]
    return kern("**kern", "*M4/4", *lines, "==", "*-")


@pytest.mark.parametrize(
    "text",
    [
        one("2c,[2d", "2d],2c", "1c"),
        one("[1d", "1d_", "2d],2c"),
        one("1c", "[2c+[2e,2c]+2e]", "1c"),
        one("2c,(2d", "2e),(2c", "2e),2c"),
        one("4c,(4d&(,4e),4f&)", "1c"),
        one("(2c+(2e,2d)+2f)", "1c"),
        one("(2c+2e,2d)+2f", "1c"),
        one("((4c,4d),(4e,4f))", "1c"),
        one("&(1c&)", "1c"),
    ],
)
def test_pairs(text: str) -> None:
    assert not codes(parse_score(text)) & {TIE, SLUR}


@pytest.mark.parametrize(
    "text",
    [
        one("1d]", "1c"),
        one("1c", "2c,[2d"),
        one("2d,2c)", "(1c"),
        one("2c,(2d", "1c", "1c"),
    ],
)
def test_what_comes_from_before_or_goes_on_after_the_passage_is_no_finding(text: str) -> None:
    assert not codes(parse_score(text)) & {TIE, SLUR}


def test_both_endings_take_up_what_was_tied_before_the_first() -> None:
    lines = ("=1", "2c", "[2d", "=2", "1d]", "=:|!", "1d]", "=4", "1c", "==", "*-")
    assert codes(parse_score(kern("**kern", "*M4/4", *lines))) == set()


def test_a_section_may_begin_with_the_end_of_a_tie() -> None:
    lines = ("=1", "1c", "*>B", "=2", "1d]", "=3", "1c", "==", "*-")
    assert codes(parse_score(kern("**kern", "*M4/4", *lines))) == set()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (one("1c", "2c,2d]", "1c"), TIE),
        (one("2d_,2c", "1c"), TIE),
        (one("1c", "[2c,2d", "1c"), TIE),
        (one("1c", "[2c,2d]", "1c"), TIE),
        (one("2c,[2d-", "2d],2c", "1c"), TIE),
        (one("[2c,2d", "1d", "2c],2c"), TIE),
        (one("(2c,2d)", "2c,2d)", "1c"), SLUR),
        (one("(2c,(2d", "2c,2d)", "1c"), SLUR),
        (one("(4c,4d),4e&),4f", "(1c"), SLUR),
    ],
)
def test_what_does_not_pair_is_told(text: str, code: str) -> None:
    parsed = parse_score(text)
    assert code in codes(parsed)
    assert parsed.content.is_valid


def test_ties_and_slurs_may_cross_to_another_staff() -> None:
    text = kern(
        *("**kern **kern", "*M4/4 *M4/4", "=1 =1", "2r 2c", "[2c (2d", "=2 =2", "2E) 2c]", "2r 2r"),
        *("== ==", "*- *-"),
    )
    parsed = parse_score(text)
    assert codes(parsed) == set()
    events = parsed.content.events
    [(start, end)] = pair_ties(events).pairs
    assert (events[start].spine, events[end].spine) == (1, 2)
    [(start, end)] = pair_slurs(events).pairs
    assert (events[start].pitch, events[end].pitch) == ("D4", "E3")


def test_a_missing_slur_costs_the_other_staff_nothing() -> None:
    text = kern(
        *("**kern **kern", "*M4/4 *M4/4", "=1 =1", "(2C (2c", "2D) 2d", "=2 =2", "2C 2c", "2D) 2d)"),
        *("== ==", "*- *-"),
    )
    [issue] = parse_score(text).issues
    assert (issue.code, "D3 in spine 1" in issue.message, "more" in issue.message) == (SLUR, True, False)


def test_a_slur_ends_in_its_own_voice_first() -> None:
    text = kern("**kern", "*M4/4", "*^", "(2c (2e", "2d 2f)", "*v *v", "=2", "1c)", "*-")
    events = parse_score(text).content.events
    assert [(events[a].pitch, events[b].pitch) for a, b in pair_slurs(events).pairs] == [
        ("C4", "C4"),
        ("E4", "F4"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        one("{4c,4d,4e,4f}", "1c"),
        one("2c,{2d", "1e", "2e},2c", "1c"),
        one("{(4c,4d),(4e,4f)}", "1c"),
        one("{4c,4d&{,4e},4f&}", "1c"),
        one("{2c+{2e,2d}+2f}", "1c"),
        one("2c,2d}", "{1c}"),
        one("{1c}", "2c,{2d"),
        one("{1c}", "{2c,2d}", "{1e}"),
        kern("**kern", "*M4/4", "=1", "{2c", "*^", "2d}\t2f", "*v\t*v", "=2", "{1c}", "==", "*-"),
    ],
)
def test_phrases_that_pair_or_reach_out_of_the_passage_are_no_finding(text: str) -> None:
    assert parse_score(text).issues == ()


@pytest.mark.parametrize(
    "text",
    [
        one("{4c,4d},4e},4f", "{1c}"),
        one("{4c,{4d,4e},4f", "1c", "{2c,2d}"),
        one("{2c,2d}", "2c},2d", "{2e,2f}"),
        one("{2c,2d}", "{2c,2d", "{2e,2f}"),
    ],
)
def test_a_phrase_without_its_other_end_is_told(text: str) -> None:
    assert PHRASE in codes(parse_score(text))


def test_a_phrase_is_no_slur() -> None:
    assert codes(parse_score(one("{4c,(4d},4e),4f", "1c"))) == set()
    assert SLUR in codes(parse_score(one("{4c,(4d},4e,4f", "{1c)}", "(1c)", "(1d", "(1e)", "1f")))
