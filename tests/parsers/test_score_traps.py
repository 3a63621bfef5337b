"""Each way in which a known kern reader loses notes, accepts nonsense or dies; here it is read or told."""

from __future__ import annotations

import pytest

from docai.parsers.score import parse_score, read_valid_kern

from .scores import bar, codes, kern, pitches

HEAD = ("**kern **kern", "*M2/4 *M2/4", "=1 =1")
BARS = ("4C 4c", "4D 4d", "=2 =2", "4E 4e", "4F 4f")
TAIL = ("== ==", "*- *-")


def test_a_three_way_split_keeps_all_sixteen_notes() -> None:
    text = kern(
        *("**kern", "*M4/4", "=1", "*^", "*^ *", "4c 4e 4g", "4d 4f 4a", "4c 4e 4g", "4d 4f 4a"),
        *("*v *v *v", "=2", "4c", "4d", "4e", "4f", "==", "*-"),
    )
    parsed = parse_score(text)
    assert len(parsed.content.events) == 16
    assert not [issue for issue in parsed.issues if issue.severity == "error"]
    # music21 drops a voice, which the record says.
    assert ("score-notes-lost" in codes(parsed)) == ((parsed.content.musicxml or "").count("<pitch>") != 16)


def test_the_names_of_the_spines_come_first() -> None:
    assert "score-no-exclusive" in codes(parse_score(kern(*HEAD[1:], *BARS, *TAIL)))


def test_a_line_with_a_field_too_few() -> None:
    parsed = parse_score(kern(*HEAD, "4C 4c", "4D", "=2 =2", "4E 4e", "4F 4f", *TAIL))
    assert "score-spine-count" in codes(parsed)
    assert pitches(parsed.content.events) == ["C3", "C4", "E3", "E4", "F3", "F4"]


def test_only_neighbours_join_and_never_one_alone() -> None:
    split = ("*^ *", "4C 4E 4c", "4D 4F 4d")
    assert "score-bad-join" in codes(parse_score(kern(*HEAD, *split, "*v * *v", "== == ==", "*- *- *-")))
    assert "score-bad-join" in codes(parse_score(kern(*HEAD, *BARS, "*v *", *TAIL)))


def test_two_pairs_of_joins_side_by_side_are_two_joins() -> None:
    text = kern(*HEAD, "*^ *^", "2C 2E 2c 2e", "*v *v *v *v", "=2 =2", "2C 2c", *TAIL)
    parsed = parse_score(text)
    assert codes(parsed) == {"score-ambiguous-join"}
    assert [(event.spine, event.pitch) for event in parsed.content.events[-2:]] == [(1, "C3"), (2, "C4")]


def test_every_living_spine_is_ended() -> None:
    assert "score-no-terminator" in codes(parse_score(kern(*HEAD, *BARS, "== ==")))
    assert "score-no-terminator" in codes(parse_score(kern(*HEAD, *BARS, "== ==", "*- *")))


def test_nothing_follows_the_end() -> None:
    assert "score-after-end" in codes(parse_score(kern(*HEAD, *BARS, *TAIL, "4C 4c")))


def test_barlines_agree_in_all_spines() -> None:
    assert codes(parse_score(kern(*HEAD, "4C 4c", "4D 4d", "=2 =3", "4E 4e", "4F 4f", *TAIL))) == {
        "score-barline-mismatch"
    }


@pytest.mark.parametrize("junk", ["junk", "hello", "4", "4h", "4cd", "c", "8%c", "4c4"])
def test_junk_among_the_notes_is_told(junk: str) -> None:
    parsed = parse_score(kern(*HEAD, "4C 4c", f"4D {junk}", "=2 =2", "4E 4e", "4F 4f", *TAIL))
    assert "score-bad-token" in codes(parsed)
    assert len(parsed.content.events) == 7


def test_a_measure_of_the_wrong_length() -> None:
    text = kern("**kern", "*M2/4", "=1", "2c", "=2", "2.c", "=3", "2c", "=4", "2c", "==", "*-")
    assert codes(parse_score(text)) == {"score-measure-duration"}


@pytest.mark.parametrize(
    "lines",
    [
        ["8qd", "4c", "16qqe", "16qqf", "4d"],
        ["6c", "6d", "6e"],
        ["10c", "10d", "10e", "10f", "10g"],
        ["*M4/2", "0c", "=2b", "*M2/4", "2c"],
    ],
    ids=["grace", "triplet", "quintuplet", "breve"],
)
def test_grace_notes_tuplets_and_breves_fill_their_measures(lines: list[str]) -> None:
    text = kern("**kern", "*M2/4", "=1", "2c", "=2", *lines, "=3", "2c", "=4", "2c", "==", "*-")
    assert not codes(parse_score(text)) & {"score-measure-duration", "score-bad-token"}


def test_null_tokens_hold_the_notes_of_other_spines_in_line() -> None:
    assert codes(parse_score(kern(*HEAD, "2C 4c", ". 4d", *TAIL))) == set()
    assert "score-misaligned" in codes(parse_score(kern(*HEAD, "2C 4c", "4D 4d", *TAIL)))


def test_spines_that_are_not_kern_are_neither_notes_nor_lost() -> None:
    text = kern(
        *("**harm **kern **text **dynam", "* *M2/4 * *", "=1 =1 =1 =1", "I 4c la p", "r 4d x .", "V 4r . ."),
        *("== == == ==", "*- *- *- *-"),
    )
    parsed = parse_score(text)
    assert pitches(parsed.content.events) == ["C4", "D4", None]
    assert {event.spine for event in parsed.content.events} == {1}
    assert parsed.content.kern == text


def test_labels_of_sections_cut_nothing_off() -> None:
    lines = [line for n in range(2, 70) for line in (f"={n}", *(["*>B"] if n == 9 else []), "4c", "4d")]
    text = kern("**kern", "*>[A,A,B]", "*>norep[A,B]", "*>A", "*M2/4", "=1", "4c", "4d", *lines, "==", "*-")
    sound = read_valid_kern(text)
    assert sound is not None
    assert (len(sound.events), sound.events[-1].measure, sound.events[-1].onset) == (138, 69, "137")


def test_both_letters_of_grace_notes() -> None:
    sound = read_valid_kern(bar("8qd", "8Qe", "1c"))
    assert sound is not None
    assert [event.grace for event in sound.events] == [True, True, False]


@pytest.mark.parametrize("n_cut", range(1, 12))
def test_a_text_cut_off_anywhere_near_its_end_is_never_taken_for_whole(n_cut: int) -> None:
    text = kern(*HEAD, *BARS, *TAIL)
    assert not parse_score(text[:-n_cut]).content.is_valid or text[:-n_cut] + "\n" == text
