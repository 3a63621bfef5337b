"""Asking again: which step comes when, what ends it, and what the record says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pymupdf
import pytest

from docai import Document, Limits, Pipeline, ScriptedEngine
from docai.errors import SettingError
from docai.geometry import BBox
from docai.models.engine import Generation, Request
from docai.models.heads import HEADS
from docai.pipelines import retry
from docai.pipelines.retry import MAX_ATTEMPTS, MAX_BUDGETS
from docai.records import FinishReason, Kind

TABLE = "<table><tbody><tr><td>a</td></tr></tbody></table>"
CUT_TABLE = "<table><tbody><tr><td>a</td></tr>"
KERN = "**kern\n*M1/4\n=1\n4c\n==\n*-"
SOUND = {"table": TABLE, "molecule": "CCO", "score": KERN, "text": "<loc0001><loc0002><loc0003><loc0004> a"}
BROKEN = {"table": CUT_TABLE, "molecule": "C1CC", "score": "**kern\n4c", "text": "a"}
Answers = list[tuple[str, FinishReason]]


@pytest.fixture(autouse=True)
def _constrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step is there, whatever is installed."""
    monkeypatch.setattr(retry, "can_constrain", lambda: True)


@pytest.fixture(scope="module")
def page() -> bytes:
    """A scan: six blocks of six lines of words."""
    with pymupdf.open() as document:
        sheet = document.new_page(width=300, height=700)
        for block in range(6):
            for line in range(6):
                words = f"{block}{line} words of a line"
                sheet.insert_text((24, 34 + 110 * block + 16 * line), words, fontsize=9)
        data: bytes = sheet.get_pixmap(dpi=144).tobytes("png")
        return data


def box(block: int = 0) -> BBox:
    return (20, 20 + 110 * block, 240, 124 + 110 * block)


class Replay:
    """Gives its answers in turn, and keeps what was asked, call by call."""

    def __init__(self, head: str, answers: Answers) -> None:
        self.calls: list[list[Request]] = []
        self._answers = iter(answers)
        self.engine = ScriptedEngine({head: self._answer})
        self._generate = self.engine.generate
        self.engine.generate = self._note  # type: ignore[method-assign]

    def _note(self, requests: list[Request]) -> list[Generation]:
        self.calls.append(list(requests))
        return self._generate(requests)

    def _answer(self, request: Request) -> Generation:
        text, reason = next(self._answers, (None, None))
        if text is None or reason is None:
            raise RuntimeError("no answer is left")
        return Generation(text, reason, tuple(text), (-0.1,) * len(text), "scripted@0", request.head.prompt)


def read(
    page: bytes, replay: Replay, head: str, *, n: int = 1, limits: Limits | None = None, on: bool = True
) -> Document:
    regions: dict[int, list[tuple[Kind, BBox]]] = {1: [(head, box(i)) for i in range(n)]}  # type: ignore[misc]
    pipeline = Pipeline(engine=replay.engine, retry="auto" if on else "off", witnesses="off", limits=limits)
    return pipeline.process(page, regions=regions)


def settings(document: Document) -> list[str]:
    return [attempt.setting for attempt in document.records[0].attempts]


def codes(document: Document) -> list[str]:
    return [issue.code for issue in document.records[0].issues]


@pytest.mark.parametrize("head", list(HEADS))
def test_a_sound_answer_is_asked_for_once(page: bytes, head: str) -> None:
    replay = Replay(head, [(SOUND[head], "stop")])
    document = read(page, replay, head)
    assert len(replay.calls) == 1
    assert not document.records[0].attempts
    assert not document.records[0].alternatives


@pytest.mark.parametrize("head", ["table", "molecule", "score"])
def test_the_steps_come_in_order_and_are_bounded(page: bytes, head: str) -> None:
    replay = Replay(head, [(BROKEN[head], "stop")] * 9)
    document = read(page, replay, head)
    steps = [step.name for step in HEADS[head].retry_steps if "invalid" in step.against]
    assert settings(document) == ["first", *steps[:MAX_ATTEMPTS]]
    assert len(replay.calls) == len(document.records[0].attempts)
    # None was sound: the first answer stays, as it would have been.
    assert document.records[0].raw == BROKEN[head]
    assert [attempt.believed for attempt in document.records[0].attempts].index(True) == 0
    assert "model-asked-again" not in codes(document)


@pytest.mark.parametrize("reason", ["length", "loop"])
@pytest.mark.parametrize("head", list(HEADS))
def test_steps_are_only_those_against_the_fault(page: bytes, head: str, reason: FinishReason) -> None:
    document = read(page, Replay(head, [(BROKEN[head], reason)] * 20), head)
    fault = {"length": "cut", "loop": "loop"}[reason]
    steps = [step.name for step in HEADS[head].retry_steps if fault in step.against]
    assert settings(document) == ["first", *steps[:MAX_ATTEMPTS]]
    assert {attempt.finish_reason for attempt in document.records[0].attempts} == {reason}


def test_the_first_sound_answer_ends_it_and_the_first_of_all_is_kept(page: bytes) -> None:
    replay = Replay("molecule", [("C1CC", "stop"), ("C1CCO", "stop"), ("C1CCCCC1", "stop"), ("CCO", "stop")])
    document = read(page, replay, "molecule")
    (record,) = document.records
    assert record.raw == "C1CCCCC1"
    assert settings(document) == ["first", "constrained", "tighter-crop"]
    assert [attempt.believed for attempt in record.attempts] == [False, False, True]
    assert [attempt.is_sound for attempt in record.attempts] == [False, False, True]
    assert [(one.source, one.content) for one in record.alternatives] == [("model", "C1CC")]
    assert "attempt 3, tighter-crop" in record.alternatives[0].reason
    assert "model-asked-again" in codes(document)
    assert "molecule-ring-closure" not in codes(document)


def test_each_step_changes_what_it_says(page: bytes) -> None:
    replay = Replay("molecule", [("C1CC", "stop")] * 5)
    read(page, replay, "molecule")
    first, constrained, tighter, wider = (call[0] for call in replay.calls)
    assert constrained.head.decoding == replace(first.head.decoding, constrained=True)
    assert constrained.image is first.image
    assert tighter.head == wider.head == first.head
    assert len({image.tobytes() for image in (first.image, tighter.image, wider.image)}) == 3
    replay = Replay("score", [("**kern\n4c", "stop")] * 5)
    read(page, replay, "score")
    assert replay.calls[-1][0].head.decoding.num_beams == 4
    replay = Replay("text", [("a b", "length"), ("a b c", "length"), ("a", "stop"), ("b", "stop")])
    document = read(page, replay, "text")
    assert replay.calls[1][0].stretch == 2
    assert len(replay.calls[2]) == 2
    assert document.records[0].raw == "a\n\f\nb"


def test_regions_that_fail_are_asked_again_together(page: bytes) -> None:
    replay = Replay(
        "molecule", [("C1CC", "stop"), ("CC", "stop"), ("C1", "loop"), ("CO", "stop"), ("CN", "stop")]
    )
    document = read(page, replay, "molecule", n=3)
    assert [len(call) for call in replay.calls] == [3, 2]
    assert [record.raw for record in document.records] == ["CO", "CC", "CN"]
    assert [len(record.attempts) for record in document.records] == [2, 0, 2]


def test_tokens_are_bounded_by_the_caller_and_by_the_budget_of_the_head(page: bytes) -> None:
    replay = Replay("molecule", [("C1" + "C" * 500, "length")] * 9)
    document = read(page, replay, "molecule", limits=Limits(max_tokens_per_region=600))
    assert all(
        request.max_tokens is not None and request.max_tokens <= 600
        for call in replay.calls
        for request in call
    )
    most = MAX_BUDGETS * HEADS["molecule"].max_tokens
    assert len(replay.calls) == 3
    assert replay.calls[-1][0].max_tokens == most - 502
    assert sum(attempt.n_tokens for attempt in document.records[0].attempts[1:]) <= most


def test_an_empty_answer_takes_nothing_away(page: bytes) -> None:
    document = read(page, Replay("text", [("many words", "loop")] + [("", "stop")] * 9), "text")
    assert document.records[0].raw == "many words"
    assert len(document.records[0].attempts) == 1 + MAX_ATTEMPTS


def test_an_engine_that_fails_when_asked_again_costs_nothing(page: bytes) -> None:
    replay = Replay("molecule", [("C1CC", "stop")])
    # The replay runs out, which is an error of the engine for each further request.
    document = read(page, replay, "molecule")
    (record,) = document.records
    assert record.raw == "C1CC"
    assert [attempt.finish_reason for attempt in record.attempts] == ["stop", "error", "error", "error"]


def test_without_the_extra_its_step_is_left_out(page: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "can_constrain", lambda: False)
    document = read(page, Replay("molecule", [("C1CC", "stop")] * 9), "molecule")
    assert settings(document) == ["first", "tighter-crop", "wider-crop", "beam"]


def test_off_asks_once(page: bytes) -> None:
    replay = Replay("molecule", [("C1CC", "stop")] * 9)
    document = read(page, replay, "molecule", on=False)
    assert len(replay.calls) == 1
    assert not document.records[0].attempts


def test_one_image_is_asked_again_too(page: bytes) -> None:
    replay = Replay("molecule", [("C1CC", "stop"), ("CO", "stop")])
    record = Pipeline(engine=replay.engine, retry="auto", witnesses="off").read(page, "molecule")
    assert (record.raw, len(record.attempts)) == ("CO", 2)


def test_a_setting_that_is_none_says_so() -> None:
    with pytest.raises(SettingError, match="'auto' or 'off'"):
        Pipeline(retry="yes")  # type: ignore[arg-type]


def test_every_step_of_the_table_in_the_docstring_is_one(page: bytes) -> None:
    documented: Callable[[str], str] = lambda head: next(  # noqa: E731
        line for line in (retry.__doc__ or "").split("\n") if line.startswith(f"{head} ")
    )
    for head in HEADS.values():
        named = [part.split(" (")[0] for part in documented(head.name)[10:].split("), ")]
        assert named == [step.name for step in head.retry_steps]
