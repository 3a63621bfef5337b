"""Systems put together by hand, read to kern: rhythm, voices, tokens, issues, confidence."""

from __future__ import annotations

import random

import pytest

from docai.parsers.score import parse_score
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.score.content import PieceState, SystemReading, read_system
from docai.pipelines.drawings.score.types import (
    Barline,
    Clef,
    Curve,
    Head,
    Meter,
    Symbol,
    System,
    Tuplet,
)
from tests.pipelines.drawings.score.hand_drawn import a_system, add_beam, add_key, add_note, add_rest, add_tie


def read(system: System, state: PieceState | None = None) -> SystemReading:
    reading = read_system(system, state or PieceState())
    parsed = parse_score(reading.content.kern, with_musicxml=False)
    assert parsed.content.is_valid, reading.content.kern
    return reading


def data_of(reading: SystemReading) -> list[str]:
    """The lines of notes, fields parted by two bars."""
    lines = reading.content.kern.splitlines()
    return [line.replace("\t", " | ") for line in lines if line[0] not in "*=!"]


def codes_of(reading: SystemReading) -> set[str]:
    return {issue.code for issue in reading.issues}


def test_one_voice_that_fills_its_measure_is_sure() -> None:
    system = a_system()
    add_key(system, 20, ("#", 8))
    add_note(system, 100, "2", 1, 5)
    add_note(system, 200, "1.", 2)
    add_note(system, 300, "1/2", 3)
    reading = read(system)
    assert reading.content.kern.splitlines()[:5] == ["**kern", "*clefG2", "*k[f#]", "*M4/4", "=1"]
    assert data_of(reading) == ["2f# 2cc", "4.g", "8a"]
    assert reading.content.kern.endswith("\n=\n*-\n")
    assert not reading.issues
    assert reading.confidence > 0.9
    assert [measure.confidence for measure in reading.content.measures] == [pytest.approx(0.99)]


def test_the_lowest_staff_is_the_first_spine_and_notes_align_by_time() -> None:
    system = a_system(2)
    system.clefs[1] = Clef("*clefF4", 1, 5)
    add_note(system, 100, "2", 0)
    add_note(system, 200, "2", 1)
    for number in range(4):
        add_note(system, 100 + 50 * number, "1", number, staff=1)
    assert data_of(read(system)) == ["4GG | 2e", "4AA | .", "4BB | 2f", "4C | ."]


def test_two_voices_part_by_their_stems() -> None:
    system = a_system()
    for x in (100, 200, 300, 400):
        add_note(system, x, "1", 7, stem="up")
    for x in (100, 300):
        add_note(system, x, "2", 1, stem="down")
    reading = read(system)
    assert data_of(reading) == ["4ee | 2f", "4ee | .", "4ee | 2f", "4ee | ."]
    assert "*^" in reading.content.kern
    assert "*v\t*v" in reading.content.kern
    assert reading.confidence > 0.9


def test_a_voice_that_begins_late_follows_a_hidden_rest() -> None:
    system = a_system()
    for x in (100, 200, 300, 400):
        add_note(system, x, "1", 7, stem="up")
    add_note(system, 300, "2", 1, stem="down")
    lines = data_of(read(system))
    assert lines[2] == "4ee | 2f"
    assert lines[0].endswith("ryy")


def test_heads_of_two_voices_set_aside_still_sound_together() -> None:
    system = a_system()
    add_note(system, 100, "2", 4, stem="up")
    add_note(system, 111, "2", 3, stem="down")
    add_note(system, 300, "2", 4, stem="up")
    add_note(system, 311, "2", 3, stem="down")
    assert data_of(read(system)) == ["2b | 2a", "2b | 2a"]


def test_a_whole_rest_fills_any_measure() -> None:
    system = a_system(2, meter="*M5/4")
    for number in range(5):
        add_note(system, 100 + 50 * number, "1", 4)
    add_rest(system, 250, "restWhole", staff=1)
    assert data_of(read(system))[0] == "4%5r | 4b"
    system = a_system(meter="*M3/4")
    add_rest(system, 250, "restWhole")
    assert data_of(read(system)) == ["2.r"]


def test_a_tuplet_shortens_the_notes_at_its_bracket_only() -> None:
    system = a_system()
    for x in (100, 130, 160):
        add_note(system, x, "1", 4)
    add_note(system, 250, "2", 4)
    system.tuplets.append(Tuplet((3,), 0, 98, 162, -20, has_bracket=True))
    assert data_of(read(system)) == ["6b", "6b", "6b", "2b"]


def test_the_number_of_a_tuplet_at_a_longer_beam_is_over_its_own_notes() -> None:
    system = a_system(meter="*M2/4")
    chords = [add_note(system, 100 + 25 * number, "1/2", 4) for number in range(5)]
    add_beam(system, *chords)
    tuplet = Tuplet((3,), 0, 100, 200, -20, has_bracket=False, number_x=125)
    tuplet.beam_group = system.chords[0].beam_group
    system.tuplets.append(tuplet)
    assert data_of(read(system)) == ["12bL", "12b", "12b", "8b", "8bJ"]


def test_a_bracket_between_staves_is_that_of_the_notes_it_fits() -> None:
    system = a_system(2, meter="*M2/4")
    add_note(system, 100, "2", 4)
    for x in (100, 150, 200):
        add_note(system, x, "1", 4, staff=1)
    system.tuplets.append(Tuplet((3,), 0, 97, 203, 70, has_bracket=True))
    reading = read(system)
    assert data_of(reading) == ["6b | 2b", "6b | .", "6b | ."]
    assert not reading.issues


def test_a_pickup_is_no_fault_and_what_does_not_fill_is_kept_and_told() -> None:
    system = a_system(bars=(150, 350, 500))
    add_note(system, 100, "1", 4)
    for x in (180, 220, 260):
        add_note(system, x, "1", 4)
    add_note(system, 400, "4", 4)
    reading = read(system)
    assert data_of(reading) == ["4b"] * 4 + ["1b"]
    assert "score-drawing-rhythm" in codes_of(reading)
    message = next(issue.message for issue in reading.issues if issue.code == "score-drawing-rhythm")
    assert "measure 2 (3 of 4" in message
    first, second, third = (measure.confidence for measure in reading.content.measures)
    assert first is not None
    assert second is not None
    assert third is not None
    assert second < 0.5 < min(first, third)
    assert reading.confidence < 0.5


def test_grace_notes_stand_before_their_note_and_take_no_time() -> None:
    system = a_system()
    add_note(system, 100, "2", 4)
    grace = system.chords[add_note(system, 180, "1/2", 5)]
    grace.is_grace, grace.has_slash = True, True
    add_note(system, 200, "2", 4)
    assert data_of(read(system)) == ["2b", "8ccq", "2b"]


def test_ties_slurs_beams_and_marks_are_written_in_the_order_of_the_targets() -> None:
    system = a_system(meter="*M2/4")
    first = add_note(system, 100, "1/2.", 4)
    second = add_note(system, 170, "1/4", 4)
    last = add_note(system, 250, "1", 4)
    add_beam(system, first, second)
    system.chords[second].beams_left = 2
    add_tie(system, first, second)
    system.curves.append(Curve((0, 0), (0, 0), True, (0, 0, 0, 0), first, last))
    system.chords[first].marks = [Symbol("articStaccatoAbove", (0, 0, 0, 0), (0, 0), 40, 0)]
    system.chords[last].marks = [
        Symbol(name, (0, 0, 0, 0), (0, 0), 40, 0) for name in ("fermataAbove", "ornamentTrill")
    ]
    assert data_of(read(system)) == ["([8.b'L", "16bJk]", "4bt;)"]


def test_changes_of_clef_key_and_meter_stand_where_they_take_effect() -> None:
    system = a_system(bars=(300, 600))
    add_note(system, 100, "2", 4)
    system.clefs.append(Clef("*clefF4", 0, 150, is_change=True))
    add_note(system, 200, "2", 4)
    system.clefs.append(Clef("*clefG2", 0, 290, is_change=True))
    add_key(system, 310, ("-", 4))
    system.meters.append(Meter(("*M3/4",), 0, 330))
    add_note(system, 400, "2.", 4)
    lines = read(system).content.kern.splitlines()
    assert lines[5:8] == ["2b", "*clefF4", "2D"]
    assert lines[8:13] == ["=2", "*clefG2", "*k[b-]", "*M3/4", "2.b-"]


def test_barlines_tell_repeats_and_the_end() -> None:
    system = a_system(bars=(200, 400))
    system.barlines = [Barline("repeat-start", 60, (0,)), Barline("repeat-end", 200, (0,))]
    system.barlines += [Barline("repeat-start", 230, (0,)), Barline("final", 400, (0,))]
    add_note(system, 100, "4", 4)
    add_note(system, 300, "4", 4)
    lines = read(system).content.kern.splitlines()
    assert [line for line in lines if line.startswith("=")] == ["=1!|:", "=2:|!|:", "=="]


def test_without_a_meter_measures_last_what_most_do_and_the_next_system_knows() -> None:
    system = a_system(bars=(300, 600), meter=None)
    for x in (100, 150, 200, 400, 450, 500):
        add_note(system, x, "1", 4)
    reading = read(system)
    assert "score-drawing-rhythm" not in codes_of(reading)
    state = PieceState()
    first = a_system(meter="*M3/4")
    add_note(first, 100, "2.", 4)
    read(first, state)
    second = a_system(bars=(200, 400, 600), meter=None)
    for x in (100, 300, 500):
        add_note(second, x, "2", 4)
    assert "score-drawing-rhythm" in codes_of(read(second, state))


def test_a_rest_over_several_measures_is_as_many() -> None:
    system = a_system()
    add_rest(system, 250, "restHBar")
    system.rests[0].n_measures = 3
    reading = read(system)
    assert reading.content.n_measures == 3
    assert data_of(reading) == ["1r"] * 3


def test_a_beam_over_two_staves_takes_time_on_both() -> None:
    system = a_system(2, meter="*M2/4")
    chords = [
        add_note(system, 100 + 60 * number, "1/2", 2, staff=number % 2, stem="down" if number % 2 else "up")
        for number in range(4)
    ]
    add_beam(system, *chords)
    reading = read(system)
    assert [line.split(" | ")[1][:2] for line in data_of(reading)] == ["8g", "8r", "8g", "8r"]


def test_a_half_note_and_an_eighth_on_one_stem_are_two_voices() -> None:
    system = a_system(meter="*M2/4")
    chords = [add_note(system, 100 + 60 * number, "1/2", 6) for number in range(4)]
    add_beam(system, *chords)
    system.chords[0].heads.insert(0, Head("noteheadHalf", 0, 2, (94, 25, 106, 35)))
    assert data_of(read(system))[0] in ("8ddL | 2g", "2g | 8ddL")


def test_tablature_is_left_out_with_an_issue() -> None:
    system = a_system(2)
    system.staves[1].is_tablature = True
    add_note(system, 100, "4", 4)
    reading = read(system)
    assert reading.content.n_spines == 1
    assert [(issue.code, issue.severity) for issue in reading.issues] == [("score-drawing-tablature", "info")]
    only = a_system()
    only.staves[0].is_tablature = True
    left_out = read_system(only, PieceState())
    assert left_out.is_tablature
    assert left_out.content.is_empty
    assert codes_of(left_out) == {"score-drawing-tablature"}


def test_what_was_not_understood_is_an_issue_and_lowers_confidence() -> None:
    system = a_system()
    add_note(system, 100, "4", 4)
    sure = read(system).confidence
    system.unexplained = [(110, 10, 120, 20)] * 3
    system.problems = ["A stem has no head."]
    reading = read(system)
    assert {"score-drawing-unexplained", "score-drawing-doubtful"} <= codes_of(reading)
    assert reading.confidence < sure / 1.5


def test_a_system_without_notes_gives_no_kern() -> None:
    reading = read_system(a_system(), PieceState())
    assert not reading.content.is_valid
    assert reading.confidence == 0


def words(line: dict[float, str], y: float) -> list[Letter]:
    """Words that begin at some x, with letters of 5 points each."""
    return [
        Letter(sign, (x + 5 * n, y - 7, x + 5 * n + 5, y), 10, y, 0)
        for x, text in line.items()
        for n, sign in enumerate(text)
    ]


@pytest.mark.parametrize(
    ("line", "y", "told"),
    [
        ({95: "Ky", 130: "-", 195: "ri", 245: "-", 295: "e"}, 75, "Ky - ri - e"),
        ({95: "Herr", 200: "gott"}, 110, "Herr gott"),
        ({95: "Herr", 200: "gott"}, -20, ""),
        ({95: "Herr", 200: "gott"}, 170, ""),
        ({130: "Herr", 240: "gott"}, 75, ""),
        ({95: "p", 195: "cresc.", 295: "f"}, 75, ""),
        ({95: "1", 195: "2", 295: "3"}, 75, ""),
        ({95: "legato"}, 75, ""),
    ],
)
def test_lyrics_are_told_as_not_taken_over(line: dict[float, str], y: float, told: str) -> None:
    system = a_system()
    for x, value in ((100, "2"), (200, "1"), (300, "1")):
        add_note(system, x, value, 4)
    system.texts = words(line, y)
    reading = read(system)
    assert [(issue.code, issue.severity) for issue in reading.issues] == [
        ("score-drawing-words", "info")
    ] * bool(told)
    assert all(issue.message.endswith(f": {told}") for issue in reading.issues)
    assert reading.confidence > 0.9


@pytest.mark.parametrize("seed", range(12))
def test_notes_at_random_places_never_fail_and_none_is_lost(seed: int) -> None:
    rng = random.Random(seed)
    n_staves = rng.randint(1, 3)
    system = a_system(n_staves, bars=(200, 400, 600))
    count = rng.randint(1, 40)
    for _ in range(count):
        value = rng.choice(("4", "2", "1", "1/2", "1/4", "1.", "1/8.."))
        add_note(
            *(system, rng.uniform(60, 640), value, rng.randint(-8, 16)),
            staff=rng.randrange(n_staves),
            stem=rng.choice(("up", "down")),
        )
    for _ in range(rng.randint(0, 10)):
        x = rng.uniform(60, 640)
        system.tuplets.append(Tuplet((rng.randint(2, 9),), 0, x, x + 80, 0, has_bracket=rng.random() < 0.5))
    reading = read_system(system, PieceState())
    assert sum(event.kind == "note" for event in reading.content.events) == count


def test_a_head_far_aside_of_a_dotted_one_sounds_with_it() -> None:
    system = a_system(meter="*M3/4")
    add_note(system, 100, "2.", 5, stem="up")
    add_note(system, 122, "2.", 4, stem="down")
    reading = read(system)
    assert data_of(reading) == ["2.cc | 2.b"]
    assert not reading.issues


@pytest.mark.parametrize("x", [float("nan"), float("inf"), -1e300])
def test_a_place_that_is_no_number_loses_no_note(x: float) -> None:
    system = a_system()
    add_note(system, 100, "2", 4)
    add_note(system, x, "2", 4)
    system.tuplets.append(Tuplet((3,), 0, x, x, x, has_bracket=True))
    reading = read_system(system, PieceState())
    assert sum(event.kind == "note" for event in reading.content.events) == 2


def threes(first: bool) -> System:
    """Four beams of three eighths in four quarters, a 3 at the first."""
    system = a_system()
    for group in range(4):
        numbers = [add_note(system, 100 + 60 * group + 20 * index, "1/2", 3) for index in range(3)]
        add_beam(system, *numbers)
    if first:
        system.tuplets.append(Tuplet((3,), 0, 100, 140, 40, has_bracket=False, beam_group=1))
    return system


@pytest.mark.parametrize("first", [True, False])
def test_triplets_without_a_number_fill_the_measure(first: bool) -> None:
    reading = read(threes(first))
    assert [line.rstrip("LJ") for line in data_of(reading)] == ["12a"] * 12
