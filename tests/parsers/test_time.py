"""Texts that a regular expression or a sum could take for ever over: 64 KiB are read in linear time."""

from __future__ import annotations

import time

import pytest

from docai.models.heads import HEADS

SIZE = 65_536
LIMIT = 5.0
"""Seconds of processor: ten times what a slow machine takes, and a tenth of what squares of 64 KiB take."""


def seconds(head: str, text: str) -> float:
    HEADS[head].parser("C")
    started = time.thread_time()
    HEADS[head].parser(text)
    return time.thread_time() - started


@pytest.mark.parametrize("white", ["\n", " ", "\r\n", "\t"])
@pytest.mark.parametrize("head", HEADS)
def test_white_space_after_a_code_fence(head: str, white: str) -> None:
    assert seconds(head, "```\n" + white * (SIZE // len(white)) + "x") < LIMIT
    assert seconds(head, "```" + white * (SIZE // len(white)) + "x") < LIMIT


@pytest.mark.parametrize("white", ["\n", " ", "\t"])
def test_white_space_in_the_coordinates_of_a_cell(white: str) -> None:
    assert seconds("table", "<table><tr><td coords=" + white * SIZE + ">") < LIMIT


@pytest.mark.parametrize("sign", ["&", "(", "{", "&(", "&{"])
def test_signs_of_one_note(sign: str) -> None:
    assert seconds("score", "**kern\n4c" + sign * (SIZE // len(sign))) < LIMIT


@pytest.mark.parametrize("marks", ["\u0316\u0301", "\u0301\u0316"])
def test_marks_on_one_letter(marks: str) -> None:
    assert seconds("text", "a" + marks * (SIZE // 4)) < LIMIT
    assert seconds("text", "a" + marks * SIZE) < LIMIT


@pytest.mark.parametrize("lines", ["{}c\n", "{}c\n=\n"])
def test_durations_that_all_differ(lines: str) -> None:
    text = "**kern\n" + "".join(lines.format(number) for number in range(9999, 1001, -1))
    assert seconds("score", text[:SIZE]) < LIMIT
