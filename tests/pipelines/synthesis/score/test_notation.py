"""Music between composing and writing."""

from __future__ import annotations

from fractions import Fraction

import pytest

from docai.parsers.score import parse_score
from docai.pipelines.synthesis.score import notation
from docai.pipelines.synthesis.score.notation import Event, Head, Measure

C4, D4, E4, G4 = 28, 29, 30, 32


def note(recip: str, *positions: int, tie: str = "", slur: str = "", grace: str = "") -> Event:
    heads = tuple(Head(position, 0, tie) for position in positions)
    length = Fraction(0) if grace else Fraction(4, int(recip))
    return Event(recip, length, heads, slur=slur, grace=grace)


def test_signs_of_a_chord_stand_in_one_order() -> None:
    event = Event("8", Fraction(1, 2), (Head(C4, 1, "["), Head(E4, -1, "[")), "'", "L", "(")
    assert event.token == "([8c#'L [8e-"
    assert Event("4", Fraction(1), (Head(C4, 0, "_"),), slur=")").token == "4c_)"
    assert Event("2", Fraction(2)).token == "2r"
    assert note("8", 21, grace="q").token == "8Cq"


def test_a_second_voice_is_a_split_that_stays_open_while_it_is_needed() -> None:
    low, upper, lower = (note("1", 20),), (note("2", G4), note("2", G4)), (note("1", C4),)
    measures = [Measure(((low,), voices)) for voices in ((upper, lower), (upper, lower), (upper,))]
    text = notation.write_kern(measures, [("*clefF4", "*clefG2"), ("*M4/4", "*M4/4")])
    assert text.split("\n") == [
        "**kern\t**kern",
        "*clefF4\t*clefG2",
        "*M4/4\t*M4/4",
        "=1\t=1",
        "*\t*^",
        "1BB\t2g\t1c",
        ".\t2g\t.",
        "=2\t=2\t=2",
        "1BB\t2g\t1c",
        ".\t2g\t.",
        "*\t*v\t*v",
        "=3\t=3",
        "1BB\t2g",
        ".\t2g",
        "==\t==",
        "*-\t*-",
    ]
    assert not parse_score(text).issues


def test_the_splits_of_two_staves_are_joined_one_by_one() -> None:
    voices = ((note("1", G4),), (note("1", C4),))
    measures = [Measure((voices, voices))]
    text = notation.write_kern(measures, [("*clefG2",) * 2, ("*M4/4",) * 2])
    assert "*v\t*v\t*\t*\n*\t*v\t*v\n==" in text
    assert not parse_score(text).issues


def test_changes_reach_both_voices_of_a_staff() -> None:
    voices = ((note("1", G4),), (note("1", C4),))
    measures = [Measure((voices,)), Measure((voices,), "!|:", (("*k[f#]",),))]
    text = notation.write_kern(measures, [("*clefG2",), ("*M4/4",)])
    assert "\n=2!|:\t=2!|:\n*k[f#]\t*k[f#]\n" in text


def test_grace_notes_stand_on_lines_of_their_own_before_their_note() -> None:
    voice = (note("8", D4, grace="q"), note("1", C4))
    text = notation.write_kern([Measure(((voice,),))], [("*clefG2",), ("*M4/4",)])
    assert "=1\n8dq\n1c\n==" in text


@pytest.mark.parametrize(
    ("length", "recip"),
    [
        ("4", "1"),
        ("3", "2."),
        ("7/2", "2.."),
        ("8", "0"),
        ("1/3", "12"),
        ("2/3", "6"),
        ("5", None),
        ("5/4", None),
    ],
)
def test_durations_of_one_note(length: str, recip: str | None) -> None:
    assert notation.recip_of(Fraction(length)) == recip


@pytest.mark.parametrize("fifths", range(-7, 8))
def test_key_signatures_go_both_ways(fifths: int) -> None:
    assert notation.fifths_of(notation.key_signature(fifths)) == fifths


def test_unusual_key_signatures_are_none() -> None:
    assert notation.fifths_of("*k[e-]") is None
    assert notation.fifths_of("*k[c#f#]") is None


def semitones(head: Head) -> int:
    octave, step = divmod(head.position, 7)
    return 12 * octave + (0, 2, 4, 5, 7, 9, 11)[step] + head.alter


@pytest.mark.parametrize("fifths", range(-5, 6))
def test_moving_to_another_key_keeps_all_intervals(fifths: int) -> None:
    voice = tuple(Event("4", Fraction(1), (Head(p, a),)) for p in range(24, 36) for a in (-1, 0, 1))
    moved = notation.transpose(voice, fifths)
    if moved is None:
        assert abs(fifths) > 4, "only far keys need triple accidentals"
        return
    shifts = {semitones(b.heads[0]) - semitones(a.heads[0]) for a, b in zip(voice, moved, strict=True)}
    assert len(shifts) == 1
    assert shifts.pop() % 12 == 7 * fifths % 12
    assert notation.transpose(moved, -fifths) == voice


def test_ties_and_slurs_without_their_other_end_go() -> None:
    first = (note("2", C4, tie="]", slur=")"), note("2", D4, tie="[", slur="("))
    second = (note("2", D4, tie="_"), note("2", E4, tie="[", slur=")"))
    third = (note("1", G4, tie="]", slur="("),)
    measures = notation.trim([Measure(((voice,),)) for voice in (first, second, third)], 1.0)
    tokens = [event.token for measure in measures for event in measure.staves[0][0]]
    assert tokens == ["2c", "([2d", "2d]", "2e)", "1g"]


def test_a_voice_that_pauses_for_a_measure_takes_no_tie_across() -> None:
    upper, tied = (note("1", G4),), (note("1", C4, tie="["),)
    end = (note("1", C4, tie="]"),)
    measures = notation.trim([Measure(((upper, tied),)), Measure(((upper,),)), Measure(((upper, end),))], 1.0)
    assert measures[0].staves[0][1][0].token == measures[2].staves[0][1][0].token == "1c"


def test_long_passages_are_cut_between_measures_and_ties_with_them() -> None:
    full = Measure(((tuple(note("16", C4, tie="_") for _ in range(16)),),))
    measures = notation.trim([full] * 9, 0.5)
    assert len(measures) == 1
    assert measures[0].staves[0][0][-1].token == "16c]"


def test_beams_are_set_beat_by_beat() -> None:
    voice = tuple(note("8", C4) for _ in range(4))
    assert [event.beam for event in notation.add_beams(voice, Fraction(1))] == ["L", "J", "L", "J"]
    assert [event.beam for event in notation.add_beams(voice, Fraction(2))] == ["L", "", "", "J"]


def test_beams_leave_grace_notes_theirs() -> None:
    graces = tuple(Event("16", Fraction(0), (Head(C4),), beam=beam, grace="qq") for beam in ("LL", "JJ"))
    voice = (note("8", C4), *graces, note("8", C4))
    assert [event.beam for event in notation.add_beams(voice, Fraction(1))] == ["L", "LL", "JJ", "J"]
