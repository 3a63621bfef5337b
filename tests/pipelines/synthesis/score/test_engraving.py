"""What is engraved, and what the target and the marks say of it."""

from __future__ import annotations

import random
import re
from itertools import islice

import numpy as np
import pytest

from docai.parsers.score import parse_score
from docai.pipelines.external.engraving import engrave
from docai.pipelines.synthesis import samples
from docai.pipelines.synthesis.base import Plan, UndrawableError
from docai.pipelines.synthesis.score import corpus as score_corpus
from docai.pipelines.synthesis.score import generator as score
from docai.pipelines.synthesis.score import rich as score_random
from docai.pipelines.synthesis.score.svg import read_drawing

TWO_VOICES = """**kern\t**kern
*clefF4\t*clefG2
*k[b-]\t*k[b-]
*M3/4\t*M3/4
=1\t=1
*\t*^
([4F 4C\t8ee'L\t2.g
.\t8ffJ\t.
4F])\t4cc#;\t.
.\t8ddq\t.
12AL\t4ccT\t.
12B\t.\t.
12AJ\t.\t.
*\t*v\t*v
==\t==
*-\t*-"""


def drawn(kern: str, source: str | None = None) -> str:
    svg = engrave((source or kern) + "\n")
    assert svg is not None
    return svg


def test_every_note_of_every_voice_and_chord_is_marked_on_its_head() -> None:
    piece = read_drawing(drawn(TWO_VOICES), TWO_VOICES, "k", 1200)
    shown = [piece.kern[slice(*mark.span)] for mark in piece.marks if mark.span]
    assert sorted(shown) == sorted(
        ["([4F", "4C", "4F])", "12AL", "12Bn", "12AJ", "8ee'L", "8ffJ", "4cc#;", "8ddq", "4ccnT", "2.g"]
    )
    for mark in piece.marks:
        x, y = round(mark.x), round(mark.y)
        assert mark.label in ("g",) or piece.gray[y, x] < 100, mark


def test_notes_that_are_higher_are_marked_higher_and_later_ones_further_right() -> None:
    piece = read_drawing(drawn(TWO_VOICES), TWO_VOICES, "k", 1200)
    at = {mark.span[0]: mark for mark in piece.marks if mark.span}
    by_token = {piece.kern[slice(*mark.span)]: mark for mark in at.values() if mark.span}
    assert (
        by_token["8ffJ"].y < by_token["8ee'L"].y < by_token["2.g"].y < by_token["([4F"].y < by_token["4C"].y
    )
    assert (
        by_token["8ee'L"].x
        < by_token["8ffJ"].x
        < by_token["4cc#;"].x
        < by_token["8ddq"].x
        < by_token["12AJ"].x
    )


def test_naturals_stand_where_they_are_seen_and_only_there() -> None:
    kern = "**kern\n*clefG2\n*k[f#]\n*M4/4\n=1\n4f\n4f\n4gn\n4b-\n=2\n4b\n4f#\n4f\n4f#\n==\n*-"
    piece = read_drawing(drawn(kern), kern, "k", 800)
    assert piece.kern.split("\n")[5:9] == ["4fn", "4f", "4gn", "4b-"]
    assert piece.kern.split("\n")[10:14] == ["4b", "4f#", "4fn", "4f#"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("12AL\t", "6AL\t"),
        ("4ccT", "4cc"),
        ("4cc#;", "4cc#"),
        ("([4F", "[4F"),
        ("[4F", "4F"),
        ("4F 4C", "4F"),
    ],
)
def test_a_drawing_of_other_music_is_refused(old: str, new: str) -> None:
    changed = TWO_VOICES.replace(old, new)
    if old == "12AL\t":
        changed = TWO_VOICES.replace("12B\t.\t.\n", "")
    with pytest.raises(UndrawableError):
        read_drawing(drawn(TWO_VOICES), changed, "k", 400)


def test_dynamics_and_braces_are_drawn_and_not_told() -> None:
    plan = Plan(TWO_VOICES, TWO_VOICES)
    plain = read_drawing(drawn(TWO_VOICES), TWO_VOICES, "k", 800)
    inks = set()
    for seed in range(12):
        piece = score.engrave(plan, random.Random(seed), 1.0)
        assert piece.kern == plain.kern
        assert [mark.span for mark in piece.marks] == [mark.span for mark in plain.marks]
        for mark in piece.marks:
            if mark.label != "g":
                assert piece.gray[round(mark.y), round(mark.x)] < 140
        inks.add(piece.gray.shape)
    assert len(inks) > 6, "looks differ"


def test_too_small_staves_are_refused() -> None:
    wide = "\n".join(["**kern", "*clefG2", "*k[]", "*M4/4"])
    for number in range(1, 30):
        wide += f"\n={number}\n" + "\n".join(["16c"] * 16)
    wide += "\n==\n*-"
    with pytest.raises(UndrawableError, match="too small"):
        score.draw(Plan(wide, wide), random.Random(1), 1.0)


@pytest.mark.parametrize("difficulty", [0.4, 0.7, 1.0])
def test_random_passages_are_sound_and_of_every_kind(difficulty: float) -> None:
    texts = [score_random.passage(random.Random(seed), difficulty) for seed in range(150)]
    for text in texts:
        assert score_corpus.is_clean(text)
        assert text.split("\n")[1].count("*clef") <= 4
    assert not parse_score(texts[0]).issues
    together = "\n".join(texts)
    if difficulty == 1.0:
        for kind in (
            r"\*\^",
            r"\(",
            r"\[",
            "_",
            "q",
            r"\b12",
            "T",
            "M",
            "W",
            "S",
            ";",
            "'",
            r"\n\*k\[.*",
            "8.*LL?",
        ):
            assert re.search(kind, together), kind
        assert {text.split("\n")[0].count("**kern") for text in texts} == {1, 2, 3, 4}
        assert any(text.count("*M") > text.split("\n")[0].count("**kern") for text in texts)


def test_easy_pieces_stay_plain_and_hard_ones_are_mixed() -> None:
    for seed in range(200):
        plan = score.compose(random.Random(seed), 0.35)
        assert plan.key == plan.content
        assert not re.search(r"[\^(\[;'q]|\*v", plan.content.replace("*k[", ""))
    hard = [score.compose(random.Random(seed), 1.0) for seed in range(100)]
    share = sum(plan.key.startswith("music21/") for plan in hard) / len(hard)
    assert 0.2 < share < 0.5


def test_hard_samples_are_within_the_square_and_say_what_is_drawn() -> None:
    for sample in islice(samples("score", seed=3, difficulty=1.0), 6):
        parsed = parse_score(sample.target)
        assert not parsed.issues
        points = np.array([(mark.x, mark.y) for mark in sample.marks])
        assert ((points > 0) & (points < 896)).all()
        notes = [
            note
            for line in sample.target.split("\n")
            if line[0] not in "*="
            for field in line.split("\t")
            for note in field.split(" ")
            if note != "." and "r" not in note
        ]
        assert sorted(sample.target[slice(*mark.span)] for mark in sample.marks if mark.span) == sorted(notes)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from docai.errors import MissingDependencyError

    monkeypatch.setattr(score, "find_spec", lambda name: None if name == "verovio" else name)
    score._check_packages.cache_clear()
    try:
        with pytest.raises(MissingDependencyError, match=r"verovio, not installed.*docai\[synth\]"):
            score.draw(Plan(TWO_VOICES, TWO_VOICES), random.Random(1), 0.0)
    finally:
        monkeypatch.undo()
        score._check_packages.cache_clear()
