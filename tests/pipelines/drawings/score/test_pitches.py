"""Pitches of noteheads: clefs, keys, accidentals, ottava lines."""

from __future__ import annotations

import pytest

from docai.pipelines.drawings.score.pitches import StaffKey, clef_step, read_key, read_pitches
from docai.pipelines.drawings.score.types import Clef, KeySignature, Span, System
from tests.pipelines.drawings.score.hand_drawn import a_system, add_key, add_note, add_tie


def pitches_of(system: System, bars: tuple[float, ...] = (500,)) -> list[str]:
    n_staves = len(system.staves)
    read = read_pitches(system, ["*clefG2"] * n_staves, [StaffKey() for _ in range(n_staves)], bars)
    return [pitch.kern for _, pitch in sorted(read.heads.items())]


@pytest.mark.parametrize(
    ("clef", "bottom_line"),
    [
        ("*clefG2", "e"),
        ("*clefF4", "GG"),
        ("*clefC3", "F"),
        ("*clefC4", "D"),
        ("*clefC1", "c"),
        ("*clefGv2", "E"),
        ("*clefG^2", "ee"),
        ("*clefFv4", "GGG"),
    ],
)
def test_a_clef_names_the_bottom_line(clef: str, bottom_line: str) -> None:
    system = a_system()
    system.clefs = [Clef(clef, 0, 5)]
    add_note(system, 100, "1", 0)
    assert pitches_of(system) == [bottom_line]
    assert clef_step(clef) % 7 == "cdefgab".index(bottom_line[0].lower())


def test_the_key_alters_all_octaves_and_an_accidental_only_its_line() -> None:
    system = a_system()
    add_key(system, 20, ("#", 8))
    add_note(system, 100, "1", 1)
    add_note(system, 150, "1", 8, accidental="n")
    add_note(system, 200, "1", 8)
    add_note(system, 250, "1", 1)
    assert pitches_of(system) == ["f#", "ffn", "ff", "f#"]


def test_an_accidental_ends_with_the_measure_but_a_tie_carries_it() -> None:
    system = a_system(bars=(250, 500))
    first = add_note(system, 100, "1", 3, accidental="-")
    before = add_note(system, 200, "1", 3)
    tied = add_note(system, 300, "1", 3)
    add_note(system, 350, "1", 3)
    add_tie(system, before, tied)
    assert first == 0
    assert pitches_of(system, (250, 500)) == ["a-", "a-", "a-", "a"]


def test_accidentals_of_one_voice_hold_for_the_other() -> None:
    system = a_system()
    add_note(system, 100, "1", 4, stem="down", accidental="--")
    add_note(system, 150, "1", 4, stem="up")
    assert pitches_of(system) == ["b--", "b--"]


def test_a_new_clef_and_a_new_key_hold_from_their_place() -> None:
    system = a_system()
    add_note(system, 100, "1", 4)
    system.clefs.append(Clef("*clefF4", 0, 150, is_change=True))
    add_key(system, 180, ("-", 2))
    add_note(system, 200, "1", 2)
    assert pitches_of(system) == ["b", "BB-"]


def test_naturals_in_a_key_signature_cancel_and_set_nothing() -> None:
    assert read_key(KeySignature([("n", 8), ("n", 5)], 0, 0), "*clefG2").kern == "*k[]"
    assert read_key(KeySignature([("n", 8), ("-", 4)], 0, 0), "*clefG2").kern == "*k[b-]"


def test_a_usual_key_is_told_by_the_number_of_its_signs_under_any_clef() -> None:
    signature = KeySignature([("#", 6), ("#", 3), ("#", 7)], 0, 0)
    assert read_key(signature, "*clefF4").kern == "*k[f#c#g#]"


@pytest.mark.parametrize(
    ("text", "y", "expected"),
    [("8va", -30, "bb"), ("8", -30, "bb"), ("8", 80, "B"), ("8vb", -30, "B"), ("15ma", -30, "bbb")],
)
def test_an_ottava_line_moves_what_is_under_it(text: str, y: float, expected: str) -> None:
    system = a_system()
    system.spans.append(Span("ottava", text, 0, 90, 160, y))
    add_note(system, 100, "1", 4)
    add_note(system, 300, "1", 4)
    assert pitches_of(system) == [expected, "b"]
