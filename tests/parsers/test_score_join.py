"""Systems joined to scores."""

from __future__ import annotations

import pytest

from docai.contents import ScoreContent
from docai.parsers.score import parse_score
from docai.parsers.score_join import join_scores


def content(*lines: str, confidence: float | None = None) -> ScoreContent:
    """The content of a kern text; each line is repeated for each of the spines it starts with ``2 ``."""
    text = "\n".join("\t".join([line[2:]] * 2) if line.startswith("2 ") else line for line in lines)
    parsed = parse_score(text + "\n", with_musicxml=False)
    assert parsed.content.is_valid, text
    return parsed.content.with_confidences([confidence] * len(parsed.content.measures))


OPENING = ("**kern", "*clefG2", "*k[f#]")
FIRST = (*OPENING, "*M2/4", "=1", "4g", "4a", "=2", "[2b")


def joined(*parts: ScoreContent) -> list[list[str]]:
    scores = join_scores(parts)
    assert all(score.is_valid for score in scores)
    return [score.kern.splitlines() for score in scores]


def test_what_is_in_force_is_not_said_again_and_measures_are_numbered_through() -> None:
    second = content(*OPENING, "=1", "2b]", "==", "*-")
    (lines,) = joined(content(*FIRST, "=", "*-"), second)
    assert lines == [*FIRST, "=3", "2b]", "==", "*-"]


def test_a_new_key_or_clef_stays() -> None:
    second = content("**kern", "*clefF4", "*k[]", "=1", "2B]", "=", "*-")
    (lines,) = joined(content(*FIRST, "=", "*-"), second)
    assert lines[-6:] == ["*clefF4", "*k[]", "=3", "2B]", "=", "*-"]


@pytest.mark.parametrize(
    ("end", "begin", "expected"),
    [
        ("=", "=1", "=3"),
        ("=:|!", "=1", "=3:|!"),
        ("=:|!", "=1!|:", "=3:|!|:"),
        ("=", "=1!|:", "=3!|:"),
        ("=||", "=1", "=3||"),
        ("==", "=1", "=3||"),
    ],
)
def test_the_barline_between_systems_is_one(end: str, begin: str, expected: str) -> None:
    second = content(*OPENING, begin, "2b]", "=", "*-")
    (lines,) = joined(content(*FIRST, end, "*-"), second)
    assert [line for line in lines if line.startswith("=")] == ["=1", "=2", expected, "="]


def test_a_measure_that_goes_on_in_the_next_system_is_one_measure() -> None:
    first = content(*OPENING, "*M2/4", "=1", "2g", "=2", "4a", "=-", "*-", confidence=0.9)
    second = content(*OPENING, "=1", "4b", "=2", "2g", "==", "*-", confidence=0.6)
    (score,) = join_scores([first, second])
    assert [line for line in score.kern.splitlines() if line.startswith("=")] == ["=1", "=2", "=3", "=="]
    assert [measure.confidence for measure in score.measures] == [0.9, 0.6, 0.6]
    assert not parse_score(score.kern, with_musicxml=False).issues


def test_split_spines_join_too() -> None:
    part = content("2 **kern", "*^\t*", "4c\t4e\t4g", "*v\t*v\t*", "2 =", "2 *-")
    (lines,) = joined(part, part)
    assert lines.count("4c\t4e\t4g") == 2


def test_another_number_of_staves_and_an_unreadable_system_begin_another_score() -> None:
    one, two = content(*FIRST, "=", "*-"), content("2 **kern", "2 =1", "2 4c", "2 =", "2 *-")
    assert len(join_scores([one, two, two, one])) == 3
    assert len(join_scores([one, ScoreContent(), one])) == 2
    assert join_scores([]) == []
    assert join_scores([ScoreContent()]) == []


def test_after_a_final_barline_a_meter_begins_another_piece() -> None:
    piece = content(*FIRST, "==", "*-")
    assert len(join_scores([piece, piece])) == 2
