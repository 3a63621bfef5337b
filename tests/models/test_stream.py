"""Streams to any engine: as they come where the engine can, as lists where it cannot."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from PIL import Image

from docai.errors import HeadNotAvailableError
from docai.models.engine import Generation, LazyEngine, Request, StreamingEngine, answer
from docai.models.heads import HEADS
from docai.models.paligemma import PaliGemmaEngine
from docai.models.scheduler import Scheduler
from docai.models.scripted import ScriptedEngine
from docai.models.stream import AnswerStream
from tests.models.tiny import noise, tiny_head

CROP = Image.effect_noise((896, 896), 80).convert("RGB")
BLANK = Image.new("RGB", (896, 896), "white")


class CountingEngine(ScriptedEngine):
    """Remembers how many requests it got at a time, and fails for a head."""

    def __init__(self) -> None:
        super().__init__({"text": "a", "table": "b"})
        self.sizes: list[int] = []

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        self.sizes.append(len(requests))
        return super().generate(requests)


def test_an_engine_that_takes_lists_gets_what_waits() -> None:
    engine = CountingEngine()
    stream: AnswerStream[int] = AnswerStream(LazyEngine("x", {}, lambda: engine), max_batch=4)
    assert not isinstance(engine, StreamingEngine)
    head = HEADS["text"]
    stream.submit(enumerate([Request(head, CROP)] * 6 + [Request(head, BLANK)]))
    found = dict(stream.answers())
    assert [found[i].finish_reason for i in range(7)] == ["stop"] * 6 + ["blank"]  # type: ignore[union-attr]
    assert engine.sizes == [4, 2]
    assert list(stream.answers()) == []


def test_a_wrong_set_up_is_told_to_who_asked() -> None:
    stream: AnswerStream[str] = AnswerStream(CountingEngine())
    stream.submit([("right", Request(HEADS["text"], CROP)), ("wrong", Request(HEADS["score"], CROP))])
    found = dict(stream.answers())
    assert isinstance(found["wrong"], HeadNotAvailableError)
    assert isinstance(found["right"], Generation)
    assert found["right"].text == "a"


def test_a_stream_gives_what_a_list_gives(tiny_engine: PaliGemmaEngine) -> None:
    """Blank crops, crops of a wrong size and heads without weights among others."""
    requests = [Request(tiny_head(), noise(i), 1 + i) for i in range(4)]
    requests += [
        Request(tiny_head(), Image.new("RGB", (56, 56), "white")),
        Request(tiny_head(), noise(9, 60)),
    ]
    stream: AnswerStream[int] = AnswerStream(tiny_engine)
    stream.submit(enumerate([*requests, Request(tiny_head("score"), noise(0))]))
    found = dict(stream.answers())
    assert isinstance(found.pop(6), HeadNotAvailableError)
    texts = [one.text for one in answer(tiny_engine, requests)]
    assert [found[i].text for i in range(6)] == texts  # type: ignore[union-attr]
    assert [found[i].finish_reason for i in (4, 5)] == ["blank", "error"]  # type: ignore[union-attr]


def test_an_engine_that_breaks_answers_with_that_and_goes_on(
    tiny_engine: PaliGemmaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream: AnswerStream[int] = AnswerStream(tiny_engine)
    stream.submit(enumerate([Request(tiny_head(), noise(i), 3) for i in range(3)]))
    with monkeypatch.context() as patch:
        patch.setattr(Scheduler, "step", lambda _: (_ for _ in ()).throw(RuntimeError("device lost")))
        errors = [one.error for _, one in stream.answers()]  # type: ignore[union-attr]
    assert errors == ["RuntimeError: device lost"] * 3
    stream.submit([(5, Request(tiny_head(), noise(), 3))])
    ((key, found),) = stream.answers()
    assert key == 5
    assert isinstance(found, Generation)
    assert found.n_tokens == 3
