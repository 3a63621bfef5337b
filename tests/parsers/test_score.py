"""The score parser: sound spines, sound measures, and MusicXML that loses nothing in silence."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from docai.contents import ScoreContent
from docai.parsers.base import Parsed
from docai.parsers.score import parse_score
from docai.parsers.score_music21 import MusicXml, kern_to_musicxml


def kern(*lines: str) -> str:
    """Kern with fields parted by spaces for legibility, chord notes by a middle dot."""
    return "".join(line.replace(" ", "\t").replace("·", " ") + "\n" for line in lines)


def measure(number: int) -> list[str]:
    return [f"={number} ={number}", "4C 4c", "4D 4d·4f", "4E 4e", "4F 4f"]


HEAD = ["**kern **kern", "*clefF4 *clefG2", "*M4/4 *M4/4"]
TAIL = ["== ==", "*- *-"]
GOOD = [*HEAD, *measure(1), *measure(2), *measure(3), *measure(4), *TAIL]


def codes(parsed: Parsed[ScoreContent]) -> set[str]:
    return {issue.code for issue in parsed.issues}


def errors(parsed: Parsed[ScoreContent]) -> set[str]:
    return {issue.code for issue in parsed.issues if issue.severity == "error"}


def replaced(old: str, new: str | None, lines: Sequence[str] = GOOD) -> str:
    """The good score with the first such line replaced, or left out."""
    at = list(lines).index(old)
    return kern(*lines[:at], *([] if new is None else [new]), *lines[at + 1 :])


def pitches(parsed: Parsed[ScoreContent]) -> int:
    return (parsed.content.musicxml or "").count("<pitch>")


def test_a_sound_score() -> None:
    parsed = parse_score(kern(*GOOD))
    assert parsed.issues == ()
    assert not parsed.repaired
    content = parsed.content
    assert (content.kern, content.is_valid) == (kern(*GOOD), True)
    assert (content.n_spines, content.n_measures) == (2, 4)
    assert pitches(parsed) == 4 * 9


def test_musicxml_is_the_same_each_time_and_invents_no_title() -> None:
    first, second = (parse_score(kern(*GOOD)).content.musicxml or "" for _ in range(2))
    assert first == second
    assert first.startswith("<?xml")
    assert "Music21 Fragment" not in first
    assert "encoding-date" not in first


@pytest.mark.parametrize("text", ["", " \n\n", "I see no music.", "!! only a comment"])
def test_nothing_to_read(text: str) -> None:
    parsed = parse_score(text)
    assert codes(parsed) == {"score-empty"}
    assert not parsed.content.is_valid


def test_spines_without_a_note_are_empty() -> None:
    assert errors(parse_score(kern(*HEAD, *TAIL))) == {"score-empty"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (kern(*GOOD[1:]), "score-no-exclusive"),
        (kern(*(line.replace("**kern", "**text") for line in GOOD)), "score-no-kern"),
        (replaced("4E 4e", "4E"), "score-spine-count"),
        (replaced("4E 4e", "4E 4e 4g"), "score-spine-count"),
        (replaced("4E 4e", " 4e"), "score-empty-field"),
        (replaced("4E 4e", "* 4e"), "score-mixed-line"),
        (replaced("4E 4e", "=2 4e"), "score-mixed-line"),
        (replaced("4E 4e", "!x 4e"), "score-mixed-line"),
        (replaced("4E 4e", "*v *"), "score-bad-join"),
        (replaced("4E 4e", "*x *"), "score-bad-exchange"),
        (replaced("4E 4e", "**kern *"), "score-bad-exclusive"),
        (kern(*GOOD, "4C 4c"), "score-after-end"),
        (replaced("*- *-", None), "score-no-terminator"),
        (replaced("*- *-", "*- *"), "score-no-terminator"),
    ],
)
def test_each_break_of_the_structure_has_its_code(text: str, code: str) -> None:
    parsed = parse_score(text)
    assert code in errors(parsed)
    assert not parsed.content.is_valid


def test_a_cut_off_last_line_keeps_what_came_before() -> None:
    whole = kern(*GOOD[:-2])
    parsed = parse_score(whole[:-5])
    assert errors(parsed) == {"score-spine-count", "score-no-terminator"}
    assert "score-musicxml-partial" in codes(parsed)
    assert parsed.content.kern == whole[:-5] + "\n"
    assert pitches(parsed) == 3 * 9 + 7


def test_a_missing_terminator_still_gives_musicxml() -> None:
    parsed = parse_score(kern(*GOOD[:-2]))
    assert codes(parsed) == {"score-no-terminator"}
    assert pitches(parsed) == 36


SPLIT = ["**kern **kern", "*M4/4 *M4/4", "=1 =1", "*^ *^", "2C 2E 2c 2e", "2D 2F 2d 2f"]


def test_split_and_join() -> None:
    parsed = parse_score(kern(*SPLIT, "*v *v * *", "* *v *v", "== ==", "*- *-"))
    assert parsed.issues == ()
    assert (parsed.content.n_spines, pitches(parsed)) == (2, 8)


def test_four_joins_across_two_spines_are_kept_apart() -> None:
    parsed = parse_score(kern(*SPLIT, "*v *v *v *v", "== ==", "*- *-"))
    assert codes(parsed) == {"score-ambiguous-join"}
    assert parsed.content.is_valid


def test_add_and_exchange() -> None:
    assert parse_score(
        kern("**kern", "*M4/4", "*+", "* **kern", "* *M4/4", "=1 =1", "1c 1e", "*- *-")
    ).content.is_valid
    parsed = parse_score(kern("**kern **text", "*M4/4 *", "*x *x", "=1 =1", "la 1c", "*- *-"))
    assert errors(parsed) == set()


def test_notes_that_music21_loses_are_an_issue() -> None:
    parsed = parse_score(
        kern("**kern", "*M4/4", "=1", "*^", "2c 2e", "*^ *", "2d 2f 2a", "*v *v *v", "==", "*-")
    )
    assert parsed.content.is_valid
    assert codes(parsed) == {"score-notes-lost"}


@pytest.mark.parametrize(
    "field", ["junk", "4", "c", "4cd", "4c4", "4c%", "4....." + "c", "99999c", "4h", "4c##-", "1%0c"]
)
def test_a_field_that_is_no_note_is_told(field: str) -> None:
    parsed = parse_score(replaced("4E 4e", f"{field} 4e"))
    assert "score-bad-token" in codes(parsed)
    assert parsed.content.is_valid


@pytest.mark.parametrize(
    "field",
    [
        "4e",
        "(4e",
        "[4ee-/L",
        "4e_",
        "8.e#JJ)",
        "4e·4g·4cc",
        "4eT;",
        "{4en'",
        "4r",
        "4ryy",
        "4e&)",
        "12e",
        "3%2e",
        "qe",
        "8Qe",
        "0e",
        "4ee--X",
    ],
)
def test_a_field_that_is_a_note(field: str) -> None:
    assert "score-bad-token" not in codes(parse_score(kern("**kern", "*M4/4", "=1", field, "==", "*-")))


def three_measures(*middle: str) -> str:
    bars = ["4c", "4c", "4c", "4c"]
    return kern("**kern", "*M4/4", "=1", *bars, "=2", *middle, "=3", *bars, "=4", *bars, "==", "*-")


@pytest.mark.parametrize(
    "bars",
    [
        ["1c"],
        ["2.c", "4c"],
        ["6c", "6c", "6c", "2c"],
        ["4..c", "16c", "2c"],
        ["8qd", "1c"],
        ["3%2c", "3c"],
        ["2c", "*M3/4", "*M4/4", "2r"],
    ],
)
def test_durations_that_fill_the_meter(bars: list[str]) -> None:
    assert parse_score(three_measures(*bars)).issues == ()


@pytest.mark.parametrize("bars", [["2c"], ["1c", "4c"], ["0c"], ["4c", "4c", "6c", "4c"]])
def test_durations_that_do_not_fill_the_meter(bars: list[str]) -> None:
    assert codes(parse_score(three_measures(*bars))) == {"score-measure-duration"}


def test_a_breve_fills_four_two() -> None:
    whole = ["0c"]
    text = kern("**kern", "*M4/2", *(line for n in (1, 2, 3) for line in (f"={n}", *whole)), "==", "*-")
    assert parse_score(text).issues == ()


def test_pickup_last_measure_and_repeats_may_be_short() -> None:
    full = ["4c", "4c", "4c", "4c"]
    text = kern(
        "**kern",
        "*M4/4",
        "4c",
        "=1",
        *full,
        "=2",
        *full[:3],
        "=:|!|:",
        "4c",
        "=3",
        *full,
        "=4",
        *full[:3],
        "==",
        "*-",
    )
    assert parse_score(text).issues == ()


def test_spines_that_disagree_are_told_even_in_the_last_measure() -> None:
    parsed = parse_score(kern(*HEAD, "=1 =1", "4C 4c", "4C 4c", "2C 4c", "== ==", "*- *-"))
    assert codes(parsed) == {"score-measure-duration"}


def test_notes_of_one_line_that_start_apart_are_told() -> None:
    parsed = parse_score(kern(*HEAD, "=1 =1", "2C 4c", "4C 4d", ". 4e", "4C 4f", "== ==", "*- *-"))
    assert "score-misaligned" in codes(parsed)


def test_barlines_that_differ_are_told() -> None:
    assert codes(parse_score(replaced("=2 =2", "=2 =3"))) == {"score-barline-mismatch"}
    assert codes(parse_score(replaced("=2 =2", "=2 ."))) == {"score-barline-mismatch"}


def test_without_a_meter_nothing_is_held_against_one() -> None:
    assert codes(parse_score(replaced("*M4/4 *M4/4", None))) == {"score-no-meter"}


def test_repairs_of_the_text_are_declared() -> None:
    good = kern(*GOOD)
    fenced = parse_score(f"```kern\n{good}```")
    assert (codes(fenced), fenced.content.kern, fenced.repaired) == ({"score-fenced"}, good, True)
    windows = parse_score(good.replace("\n", "\r\n"))
    assert (codes(windows), windows.content.kern) == ({"score-line-ends"}, good)
    gaps = parse_score(good.replace("=2\t=2", "\n=2\t=2"))
    assert (codes(gaps), gaps.content.kern) == ({"score-empty-line"}, good)
    spaced = parse_score(good.replace("\t", "   "))
    assert (codes(spaced), spaced.content.kern) == ({"score-spaces-for-tabs"}, good)


def test_comments_and_spines_that_are_not_kern() -> None:
    text = kern(
        "!!!COM: Bach",
        "**kern **dynam",
        "*M4/4 *",
        "!!x",
        "=1 =1",
        "!a !b",
        "2c p",
        "2d .",
        "== ==",
        "*- *-",
        "!!!end",
    )
    parsed = parse_score(text)
    assert parsed.issues == ()
    assert parsed.content.n_spines == 1


@pytest.mark.parametrize(
    "lines",
    [
        ["**kern", "*M4/4", *["4c"] * 3000, "*-"],
        ["**kern", "*M1/64", "=1", *["1%9999c", "="] * 500, "*-"],
        ["**kern", "=1", "·".join(["4c"] * 5000), "=", "*-"],
        [" ".join([field] * 400) for field in ("**kern", "=1", "4c", "4c", "4c", "4c", "4c", "=", "*-")],
        ["**kern", *["="] * 8000, "4c", "*-"],
        ["**kern", "*k[" + "f#c#" * 4000 + "]", "4c", "*-"],
        ["**kern", "*M1/64", "=1", "000c", "==", "*-"],
    ],
    ids=[
        "one-measure",
        "durations",
        "chord",
        "spines",
        "barlines",
        "key",
        "cut",
    ],
)
def test_runaway_scores_never_reach_music21(lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> tuple[str, int]:
        raise AssertionError("too much work for music21")

    monkeypatch.setattr("docai.parsers.score.kern_to_musicxml", refuse)
    parsed = parse_score(kern(*lines))
    assert "score-too-long" in codes(parsed)
    assert parsed.content.musicxml is None


def test_a_failure_of_music21_is_an_issue(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> tuple[str, int]:
        raise IndexError("list index out of range")

    monkeypatch.setattr("docai.parsers.score_music21._convert_kern", fail)
    parsed = parse_score(kern(*GOOD))
    assert codes(parsed) == {"score-musicxml-failed"}
    assert parsed.content.is_valid
    assert parsed.content.musicxml is None


def test_music21_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    parse_score(replaced("4E 4e", "junk *bad"))
    parse_score(replaced("4E 4e", "4E\\\\zz 4eP"))
    assert capfd.readouterr() == ("", "")


def test_a_score_of_rests_is_a_score() -> None:
    parsed = parse_score(kern("**kern", "*M4/4", "=1", "1r", "==", "*-"))
    assert parsed.issues == ()
    assert "<rest" in (parsed.content.musicxml or "")


@pytest.mark.parametrize(
    "broken",
    ["8d1%9999c", "0000c1", "4c" + "·2" * 4000, "٣.ALK6.AL", "r>=1-", "9999d", "2048d", "0%65c", "<t>J"],
)
def test_what_is_no_note_never_reaches_music21(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def spy(text: str, slurs: object) -> MusicXml:
        read.append(text)
        return kern_to_musicxml(text)

    monkeypatch.setattr("docai.parsers.score.kern_to_musicxml", spy)
    parsed = parse_score(kern("**kern", "*M4/4", "=1", "2c", broken, "2d", "==", "*-"))
    assert read == [kern("**kern", "*M4/4", "=1", "2c", ".", "2d", "==", "*-")]
    assert codes(parsed) & {"score-bad-token", "score-notes-lost"}
    assert (parsed.content.musicxml or "").count("<pitch>") == 2
