"""What is right."""

from __future__ import annotations

import pytest

from docai.contents import FigureContent
from docai.models.heads import HEADS
from docai.pipelines.evaluation.metrics.calibration import Outcome, judge

SCORE = "**kern\n*M2/4\n=1\n4c\n4d\n=2\n{}\n=3\n2f\n==\n*-\n"


def words(*texts: str, shift: int = 0) -> str:
    """Words of 100 bins side by side."""
    return " ; ".join(
        f"<loc0100><loc{100 * i + shift:04d}><loc0200><loc{100 * i + 90 + shift:04d}> {text}"
        for i, text in enumerate(texts)
    )


def row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def table(*rows: str) -> str:
    return f"<table>{''.join(rows)}</table>"


def held(head: str, answer: str, truth: str) -> Outcome:
    parser = HEADS[head].parser
    return judge(parser(answer).content, parser(truth).content)


@pytest.mark.parametrize(
    ("head", "answer", "truth", "record", "parts"),
    [
        ("table", table(row("a", "b")), f"{table(row(' a', '<b>b</b>'))}", True, [1, 1]),
        ("table", table(row("a", "b").replace("td>", "th>")), table(row("a", "b")), True, [1, 1]),
        ("table", table(row("a", "b")), table(row("a", "c")), False, [1, 0]),
        ("table", table(row("a", "b")), table(row("x", "a", "b")), False, [0, 0]),
        ("table", "", table(row("a")), False, []),
        ("molecule", "OCC", "C(C)O", True, [1, 1, 1]),
        ("molecule", "CCO", "CCN", False, [1, 1, 0]),
        ("molecule", "C[C@H](N)O", "C[C@@H](N)O", False, [1, 0, 1, 1]),
        ("molecule", "CC=O", "CCO", False, [1, 1, 0]),
        ("molecule", "CC(", "CCO", False, []),
        ("score", SCORE.format("2e"), SCORE.format("2e"), True, [1, 1, 1]),
        ("score", SCORE.format("2e"), SCORE.format("4e\n4e"), False, [1, 0, 1]),
        ("score", SCORE.format("2e").replace("=3\n2f\n", ""), SCORE.format("2e"), False, [1, 1]),
        ("text", words("a", "b"), words("a", "b", shift=20), True, [1, 1]),
        ("text", words("a", "b"), words("a", "b", shift=60), True, [0, 0]),
        ("text", words("a", "a"), words("a"), False, [1, 0]),
        ("text", words("a", "B"), words("a", "b"), False, [1, 0]),
        ("text", "x a b", words("a", "b"), False, [0, 1, 1]),
        ("text", "", words("a"), False, []),
    ],
)
def test_outcomes(head: str, answer: str, truth: str, record: bool, parts: list[int]) -> None:
    assert held(head, answer, truth) == Outcome(record, tuple(map(bool, parts)))


def test_one_true_word_answers_one_word() -> None:
    twice = words("a") + " ; " + words("a")
    assert held("text", twice, words("a")).parts == (True, False)


def test_kinds_are_not_mixed() -> None:
    with pytest.raises(TypeError, match="ScoreContent"):
        judge(HEADS["text"].parser("a").content, HEADS["score"].parser("a").content)
    with pytest.raises(TypeError, match="FigureContent"):
        judge(FigureContent(), FigureContent())
