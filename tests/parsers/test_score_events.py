"""Notes and rests as typed events: when, where, how long, what pitch and which signs."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.contents import Event, ScoreContent
from docai.parsers.score import parse_score, read_valid_kern

from .scores import bar, codes, kern, pitches


def events(text: str) -> list[Event]:
    sound = read_valid_kern(text)
    return sound.events if sound else []


def test_what_an_event_says() -> None:
    text = kern("**kern **kern", "*M3/4 *M3/4", "=1 =1", "2C ([8.ee-'/L", ". 16r", ". 12b+12dd)JJ", "*- *-")
    low, high, rest, chord, top = events(text)
    assert low == Event(
        kind="note",
        line=4,
        spine=1,
        voice=1,
        staff=2,
        measure=1,
        onset="0",
        duration="2",
        pitch="C3",
        midi=48,
    )
    assert high == Event(
        kind="note",
        line=4,
        spine=2,
        voice=1,
        staff=1,
        measure=1,
        onset="0",
        duration="3/4",
        pitch="Eb5",
        midi=75,
        accidental="-",
        dots=1,
        tie="start",
        slurs="(",
        beams="L",
        signs="'/",
    )
    assert (rest.kind, rest.pitch, rest.midi, rest.onset, rest.duration) == ("rest", None, None, "3/4", "1/4")
    assert [(one.chord, one.pitch, one.tuplet, one.onset) for one in (chord, top)] == [
        (1, "B4", "3:2", "1"),
        (2, "D5", "3:2", "1"),
    ]
    assert (chord.slurs, top.slurs, top.beams) == ("", ")", "JJ")


@pytest.mark.parametrize(
    ("token", "pitch", "midi"),
    [
        ("c", "C4", 60),
        ("C", "C3", 48),
        ("CC", "C2", 36),
        ("b", "B4", 71),
        ("cc#", "C#5", 73),
        ("BB--", "Bbb2", 45),
        ("f##", "F##4", 67),
        ("en", "E4", 64),
        ("CCCCCCC", "C-3", None),
    ],
)
def test_pitches(token: str, pitch: str, midi: int | None) -> None:
    [event] = events(bar(f"1{token}"))
    assert (event.pitch, event.midi) == (pitch, midi)


@pytest.mark.parametrize(
    ("recip", "duration", "dots", "tuplet"),
    [
        ("4", "1", 0, None),
        ("8..", "7/8", 2, None),
        ("12", "1/3", 0, "3:2"),
        ("12.", "1/2", 1, "3:2"),
        ("20", "1/5", 0, "5:4"),
        ("28", "1/7", 0, "7:4"),
        ("0", "8", 0, None),
        ("00", "16", 0, None),
        ("3%2", "8/3", 0, "3:2"),
        ("1%2", "8", 0, None),
        ("8%9", "9/2", 0, None),
    ],
)
def test_durations(recip: str, duration: str, dots: int, tuplet: str | None) -> None:
    [event] = events(bar(f"{recip}c"))
    assert (event.duration, event.dots, event.tuplet) == (duration, dots, tuplet)


def test_times_run_on_over_barlines_pickups_and_repeats() -> None:
    text = kern("**kern", "*M2/4", "4c", "=1", "4d", "4e", "=:|!|:", "4f", "=2", "2g", "==", "*-")
    assert [(event.pitch, event.onset, event.measure) for event in events(text)] == [
        ("C4", "0", 1),
        ("D4", "1", 2),
        ("E4", "2", 2),
        ("F4", "3", 3),
        ("G4", "4", 4),
    ]


def test_grace_notes_take_no_time() -> None:
    grace, long_one, note = events(bar("8qd", "qqe", "1c"))
    assert (grace.grace, long_one.grace, note.grace) == (True, True, False)
    assert [event.onset for event in (grace, long_one, note)] == ["0", "0", "0"]
    assert (grace.duration, note.duration) == ("0", "4")


def test_voices_of_a_split_spine_and_staves_by_name() -> None:
    text = kern(
        *("**kern **dynam **kern", "*staff2 * *staff1", "*M4/4 * *M4/4", "=1 =1 =1", "* * *^"),
        *("1C p 2c 2e", ". . 2d 2f", "* * *v *v", "=2 =2 =2", "1C . 1c", "*- *- *-"),
    )
    assert [(e.spine, e.voice, e.staff, e.pitch) for e in events(text)] == [
        (1, 1, 2, "C3"),
        (2, 1, 1, "C4"),
        (2, 2, 1, "E4"),
        (2, 1, 1, "D4"),
        (2, 2, 1, "F4"),
        (1, 1, 2, "C3"),
        (2, 1, 1, "C4"),
    ]


def test_spines_keep_their_number_when_exchanged() -> None:
    text = kern("**kern **kern", "*M4/4 *M4/4", "2C 2c", "*x *x", "2d 2D", "*- *-")
    assert [(event.spine, event.pitch) for event in events(text)] == [
        (1, "C3"),
        (2, "C4"),
        (2, "D4"),
        (1, "D3"),
    ]


def test_a_field_that_is_no_note_makes_no_event_and_the_others_tell_the_time() -> None:
    text = kern("**kern **kern", "*M3/4 *M3/4", "=1 =1", "4C 4c", "junk 4d", "4E 4e", "*- *-")
    assert [(event.pitch, event.onset) for event in events(text)] == [
        ("C3", "0"),
        ("C4", "0"),
        ("D4", "1"),
        ("E3", "2"),
        ("E4", "2"),
    ]


def test_notes_of_one_chord_that_last_differently_are_told() -> None:
    parsed = parse_score(bar("2c+4e", "2c+e"))
    assert codes(parsed) == {"score-chord-duration"}
    assert [event.duration for event in parsed.content.events] == ["2", "2", "2", "2"]


def test_what_was_written_before_there_were_events_still_loads() -> None:
    assert ScoreContent.model_validate_json('{"kern": "**kern\\n", "is_valid": true}').events == []


RECIPS = ("1", "2", "4", "4.", "8", "8..", "12", "20", "3%2", "0")
NOTE = st.tuples(
    st.sampled_from(RECIPS),
    st.sampled_from("abcdefgABCDEFG"),
    st.integers(1, 3),
    st.sampled_from(["", "#", "--", "n"]),
)


@given(st.lists(NOTE, min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_each_note_starts_where_the_one_before_it_ends(notes: list[tuple[str, str, int, str]]) -> None:
    found = events(kern("**kern", *(f"{recip}{letter * n}{sign}" for recip, letter, n, sign in notes), "*-"))
    assert len(found) == len(notes)
    time = Fraction()
    for event in found:
        assert Fraction(event.onset) == time
        time += Fraction(event.duration)
    assert pitches(found) == [
        f"{letter.upper()}{sign.strip('n').replace('-', 'b')}{3 + n if letter.islower() else 4 - n}"
        for _, letter, n, sign in notes
    ]


def test_measures_without_a_common_measure_of_time_have_an_onset_that_can_be_written() -> None:
    primes = [n for n in range(2, 10_000) if all(n % d for d in range(2, int(n**0.5) + 1))]
    found = events("**kern\n" + "".join(f"{prime}c\n=\n" for prime in primes) + "*-\n")
    onsets = [Fraction(event.onset) for event in found]
    assert onsets == sorted(onsets)
    assert max(onset.denominator for onset in onsets) <= 1_000_000


@pytest.mark.parametrize(
    "recip", ["4", "8.", "3", "20", "28", "44", "256..", "13", "1000", "3%2", "9%7", "0"]
)
def test_onsets_are_exact(recip: str) -> None:
    first, second, third = events(kern("**kern", f"{recip}c", f"{recip}d", f"{recip}e", "*-"))
    assert Fraction(second.onset) == Fraction(first.duration)
    assert Fraction(third.onset) == 2 * Fraction(first.duration)
