"""`answer`: blank crops, bad crops and failing batches, over any engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from PIL import Image

from docai.errors import CheckpointError, ConfigurationError, GenerationError, HeadNotAvailableError
from docai.models.engine import Engine, Generation, LazyEngine, Request, answer
from docai.models.paligemma import PaliGemmaEngine
from docai.models.scripted import ScriptedEngine
from tests.models.tiny import IMAGE_SIZE, noise, tiny_head

WHITE = Image.new("RGB", (IMAGE_SIZE, IMAGE_SIZE), "white")


class Fragile(ScriptedEngine):
    """Fails on every batch that holds one of the bad crops, or that is larger than it can take."""

    def __init__(
        self, bad: Sequence[Image.Image] = (), most: int = 100, error: Exception | None = None
    ) -> None:
        super().__init__({"table": lambda request: f"crop {request.image.getpixel((0, 0))}", "text": "t"})
        self.bad, self.most, self.error = bad, most, error or RuntimeError("CUDA out of memory")
        self.batches: list[int] = []

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        self.batches.append(len(requests))
        if len(requests) > self.most or any(request.image in self.bad for request in requests):
            raise self.error
        return super().generate(requests)


def test_a_blank_crop_never_reaches_the_engine() -> None:
    engine = ScriptedEngine({"table": "<table></table>"})
    head = tiny_head()
    answers = answer(engine, [Request(head, WHITE), Request(head, noise()), Request(head, WHITE)])
    assert [a.finish_reason for a in answers] == ["blank", "stop", "blank"]
    assert [a.text for a in answers] == ["", "<table></table>", ""]
    assert len(engine.requests) == 1
    assert answers[0].prompt == head.prompt
    assert answers[0].n_tokens == 0


def test_a_crop_of_the_wrong_shape_is_an_error_of_its_own() -> None:
    engine = ScriptedEngine({"table": "x"})
    images = [noise(), noise(size=IMAGE_SIZE + 1), noise().convert("L"), noise()]
    answers = answer(engine, [Request(tiny_head(), image) for image in images])
    assert [a.finish_reason for a in answers] == ["stop", "error", "error", "stop"]
    assert "RGB crops of 56 x 56 px" in (answers[1].error or "")
    assert len(engine.requests) == 2


def test_one_bad_crop_does_not_take_the_others_down() -> None:
    images = [noise(i) for i in range(9)]
    engine = Fragile(bad=[images[4]])
    answers = answer(engine, [Request(tiny_head(), image) for image in images])
    assert [a.finish_reason for a in answers] == ["stop"] * 4 + ["error"] + ["stop"] * 4
    assert answers[4].error == "RuntimeError: CUDA out of memory"
    assert answers[4].text == ""
    expected = [f"crop {image.getpixel((0, 0))}" for image in images]
    assert [a.text for a in answers[:4] + answers[5:]] == expected[:4] + expected[5:]


def test_a_batch_too_large_is_halved() -> None:
    engine = Fragile(most=3)
    answers = answer(engine, [Request(tiny_head(), noise(i)) for i in range(8)])
    assert {a.finish_reason for a in answers} == {"stop"}
    assert engine.batches == [8, 4, 2, 2, 4, 2, 2]


def test_the_engine_gets_all_heads_together_and_order_is_kept() -> None:
    engine = Fragile()
    heads = ["table", "text", "table", "text", "table"]
    answers = answer(engine, [Request(tiny_head(name), noise(i)) for i, name in enumerate(heads)])
    assert engine.batches == [5]
    assert [a.prompt for a in answers] == [f"read {name}" for name in heads]


@pytest.mark.parametrize("error", [MemoryError(), GenerationError("no end"), RuntimeError()])
def test_other_failures_stay_with_their_crop(error: Exception) -> None:
    (failed,) = answer(Fragile(most=0, error=error), [Request(tiny_head(), noise())])
    assert failed.finish_reason == "error"
    assert (failed.error or "").startswith(type(error).__name__)


def test_a_wrong_set_up_is_not_hidden() -> None:
    with pytest.raises(HeadNotAvailableError):
        answer(ScriptedEngine({"text": "x"}), [Request(tiny_head("table"), noise())])
    with pytest.raises(ConfigurationError, match="no text left"):
        answer(ScriptedEngine({"table": []}), [Request(tiny_head("table"), noise())])
    with pytest.raises(KeyboardInterrupt):
        answer(Fragile(most=0, error=KeyboardInterrupt()), [Request(tiny_head(), noise())])  # type: ignore[arg-type]


def test_a_real_engine_behind_it(tiny_engine: PaliGemmaEngine) -> None:
    engine: Engine = tiny_engine
    requests = [Request(tiny_head(), noise()), Request(tiny_head("text"), WHITE)]
    answers = answer(engine, requests)
    assert [a.finish_reason for a in answers] == ["length", "blank"]
    assert answers[0].tokens == tiny_engine.generate(requests[:1])[0].tokens
    assert answer(engine, []) == []


def test_an_engine_is_loaded_when_the_first_crop_that_shows_something_is_put_to_it() -> None:
    loaded: list[ScriptedEngine] = []

    def load() -> ScriptedEngine:
        if not loaded:
            loaded.append(ScriptedEngine({"table": "x"}))
        return loaded[0]

    lazy = LazyEngine("tiny", {"table": 0.5}, load)
    assert (lazy.accuracy("table"), lazy.accuracy("text")) == (0.5, None)
    assert (lazy.name, lazy.heads(), lazy.device) == ("tiny", {"table"}, "")
    assert answer(lazy, [Request(tiny_head(), WHITE)])[0].finish_reason == "blank"
    assert answer(lazy, []) == []
    assert not loaded
    assert [one.text for one in answer(lazy, [Request(tiny_head(), noise())])] == ["x"]
    assert lazy.device == loaded[0].device


def test_a_model_that_cannot_be_loaded_is_no_failure_of_a_crop() -> None:
    def load() -> ScriptedEngine:
        raise CheckpointError("The weights are cut off.")

    with pytest.raises(CheckpointError):
        answer(LazyEngine("tiny", {"table": 0.5}, load), [Request(tiny_head(), noise())])


@pytest.mark.parametrize("given", [[], [None, None, None], None, "abc"])
def test_an_engine_that_gives_no_answer_to_each_request_fails_at_its_crops(given: Any) -> None:
    class Wrong(ScriptedEngine):
        def generate(self, requests: Sequence[Request]) -> Any:
            return given

    answers = answer(Wrong({"table": "t"}), [Request(tiny_head(), noise(number)) for number in range(2)])
    assert [one.finish_reason for one in answers] == ["error", "error"]
    assert all("Wrong.generate" in str(one.error) for one in answers)
