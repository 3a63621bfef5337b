from __future__ import annotations

import pytest

from docai.errors import ConfigurationError, HeadNotAvailableError
from docai.models.engine import Engine, Generation, Request
from docai.models.scripted import ScriptedEngine
from tests.models.tiny import noise, tiny_head

TABLE = '<table><tr><td coords="<loc0001><loc0002><loc0003><loc0004>">a\tb\n</td></tr></table>'


def ask(engine: Engine, head: str, times: int = 1) -> list[Generation]:
    return engine.generate([Request(tiny_head(head), noise(i)) for i in range(times)])


def test_one_text_for_every_request() -> None:
    engine = ScriptedEngine({"table": TABLE})
    answers = ask(engine, "table", 3)
    assert [a.text for a in answers] == [TABLE] * 3
    assert engine.heads() == {"table"}
    assert (engine.name, engine.device) == ("scripted", "none")


def test_tokens_are_the_text_in_pieces() -> None:
    (answer,) = ask(ScriptedEngine({"table": TABLE}, logprob=-0.5), "table")
    assert "".join(answer.tokens) == TABLE
    assert "<loc0003>" in answer.tokens
    assert answer.logprobs == (-0.5,) * answer.n_tokens
    assert (answer.finish_reason, answer.checkpoint, answer.prompt) == ("stop", "scripted@0", "read table")


def test_texts_in_order_across_calls_until_none_is_left() -> None:
    engine = ScriptedEngine({"text": ["one", "two"], "table": "t"})
    assert [a.text for a in ask(engine, "text") + ask(engine, "table") + ask(engine, "text")] == [
        "one",
        "t",
        "two",
    ]
    with pytest.raises(ConfigurationError, match="given 2 and asked 3 times"):
        ask(engine, "text")


def test_a_function_of_the_request() -> None:
    whole = Generation(text="cut", finish_reason="length")
    engine = ScriptedEngine(
        {"table": lambda request: request.head.prompt.upper(), "text": lambda request: whole},
    )
    assert ask(engine, "table")[0].text == "READ TABLE"
    assert ask(engine, "text") == [whole]


def test_finish_reason_of_the_texts() -> None:
    assert ask(ScriptedEngine({"table": "x"}, finish_reason="loop"), "table")[0].finish_reason == "loop"


def test_requests_are_kept() -> None:
    engine = ScriptedEngine({"table": "x"})
    requests = [Request(tiny_head(), noise(), max_tokens=3)]
    engine.generate(requests)
    assert engine.requests == requests


def test_a_head_without_texts() -> None:
    with pytest.raises(HeadNotAvailableError, match="'score'"):
        ask(ScriptedEngine({"table": "x"}), "score")
