"""Passages cut from the pieces of music21's wheel."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from docai.parsers.score import parse_score
from docai.pipelines.synthesis.base import split_of
from docai.pipelines.synthesis.score import corpus as score_corpus

PIECE = """!!!COM: Nobody
**kern\t**dynam\t**kern\t**text
*clefF4\t*\t*clefG2\t*
*Ipiano\t*\t*Ipiano\t*
*k[b-]\t*\t*k[b-]\t*
*M2/4\t*\t*M2/4\t*
=1-\t=1-\t=1-\t=1-
4F\\\tp\t(8ff'\\LX\tla
.\t.\t8ee\\J)\t.
!\t!\t!LO:N:vis=4\t!
4F/\t.\t[4dd;\\\t.
=2\t=2\t=2\t=2
*\t*\t*^\t*
2BB-\t.\t2dd/]\t4a\\\t.
.\t.\t.\t4b-\\\t.
*\t*\t*v\t*v\t*
=3\t=3\t=3\t=3
*clefG2\t*\t*\t*
*k[]\t*\t*k[]\t*
*M3/4\t*\t*M3/4\t*
2.c\tf\t4g 4e\t.
.\t.\t8ccq\t.
.\t.\t2b\t.
=4\t=4\t=4\t=4
2c\t.\t2g\t.
==\t==\t==\t==
*-\t*-\t*-\t*-
"""


@pytest.fixture
def piece(tmp_path: Path) -> Path:
    path = tmp_path / "somebody" / "piece.krn"
    path.parent.mkdir()
    path.write_text(PIECE, encoding="utf-8")
    return path


@pytest.fixture
def only(piece: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(score_corpus, "pieces", lambda: ((piece,), (piece,)))
    return piece


def test_a_piece_is_read_with_what_is_in_force(piece: Path) -> None:
    (run,) = score_corpus.read_piece(piece)
    assert [bar.meter for bar in run] == [(2, 4), (2, 4), (3, 4)], "the short last measure is left out"
    assert [bar.clefs for bar in run] == [("*clefF4", "*clefG2")] * 2 + [("*clefG2", "*clefG2")]
    assert [bar.fifths for bar in run] == [(-1, -1), (-1, -1), (0, 0)]
    assert [[len(voices) for voices in bar.parts] for bar in run] == [[1, 1], [1, 2], [1, 1]]
    tokens = [event.token for event in run[0].parts[1][0]]
    assert tokens == ["(8ff'L", "8eeJ)", "[4dd;"]
    assert [event.token for event in run[2].parts[1][0]] == ["4e 4g", "8ccq", "2b"]


def test_cuts_begin_with_clef_key_and_meter_in_force_and_are_sound(only: Path) -> None:
    heads = set()
    for seed in range(12):
        plan = score_corpus.compose(random.Random(seed), 1.0)
        if plan is None:
            continue
        assert plan.key == "music21/somebody/piece"
        parsed = parse_score(plan.content)
        assert not parsed.issues
        lines = plan.content.split("\n")
        assert [line.split("\t")[0][:3] for line in lines[:5]] == [
            "**k",
            "*cl",
            "*k[",
            "*M" + lines[3][2],
            "=1",
        ]
        heads.add(lines[3].split("\t")[0])
        assert not any(mark in plan.content for mark in ("!", "/L", "\\", "X", "dynam", "la"))
    assert len(heads) > 1


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("8.ee'/L", "8.ee'L"),
        ("16g/Jk)", "16gJk)"),
        ("4GG#^\\ 4D#^\\", "4GG#^ 4D#"),
        ("2gg 2c", "2c 2gg"),
        ("[1cn", "[1c"),
        ("0r", "0r"),
        ("2ryy", None),
        ("3%2g", None),
        ("4c4d", None),
        ("", None),
        ("qb", "8bq"),
    ],
)
def test_fields_keep_what_is_engraved(text: str, token: str | None) -> None:
    event = score_corpus.read_event(text)
    assert (event.token if event else None) == token


def test_broken_and_foreign_files_give_no_measures(tmp_path: Path) -> None:
    for name, text in {
        "broken": PIECE.replace("4F/\t.", "4F/"),
        "empty": "",
        "words": "no music\n",
        "unheaded": "4c\t4d\n",
        "bytes": "\udcff**kern\n",
    }.items():
        path = tmp_path / f"{name}.krn"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        assert score_corpus.read_piece(path) == ()


def test_without_music21_there_are_no_pieces_but_still_music(monkeypatch: pytest.MonkeyPatch) -> None:
    from docai.pipelines.synthesis.score import generator as score

    monkeypatch.setattr(score_corpus, "find_spec", lambda name: None)
    score_corpus.pieces.cache_clear()
    try:
        assert score_corpus.compose(random.Random(1), 1.0) is None
        for seed in range(20):
            assert score.compose(random.Random(seed), 1.0).content.startswith("**kern")
    finally:
        monkeypatch.undo()
        score_corpus.pieces.cache_clear()


def test_real_pieces_are_cut_into_sound_passages_and_stay_in_one_split() -> None:
    plans = [score_corpus.compose(random.Random(seed), 0.4 + seed / 120) for seed in range(60)]
    made = [plan for plan in plans if plan is not None]
    assert len(made) > 54
    for plan in made[::10]:
        assert not parse_score(plan.content).issues
    assert {split_of(plan.key) for plan in made} == {"train", "held-out"}
    contents: dict[str, str] = {}
    for plan in made:
        assert contents.setdefault(plan.content, plan.key) == plan.key, "one passage under two keys"
