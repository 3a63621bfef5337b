"""The model of a batch: crops of workers, in slots that are free."""

from __future__ import annotations

import sys
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from types import ModuleType
from typing import Any

import pytest
import torch

from docai import ScriptedEngine
from docai.errors import SettingError
from docai.models.paligemma import PaliGemmaEngine
from docai.models.slots import SlotDecoder
from docai.pipelines.batch.model_server import (
    Answer,
    Crop,
    ModelServer,
    ModelSpec,
    Question,
    answer_questions,
)
from tests.models.tiny import build_tiny, noise

WAIT_SECONDS = 60.0


def start(load: Any) -> Queue[Question]:
    questions: Queue[Question] = Queue()
    Thread(target=answer_questions, args=(load, questions), daemon=True).start()
    return questions


def test_a_crop_that_comes_while_others_are_read_takes_a_free_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = {"table": {"max_tokens": 24}}
    engine = PaliGemmaEngine.load(build_tiny(tmp_path, heads=heads), device="cpu", batch_size=2, draft_rows=0)
    order: list[str] = []
    all_answered, submitted = Event(), Event()

    def ask(name: str, *budgets: int) -> None:
        def take(answer: Answer) -> None:
            is_right, (device, generations) = answer
            assert is_right
            assert device == "cpu"
            assert [one.n_tokens for one in generations] == list(budgets)
            order.append(name)
            if len(order) == 2:
                all_answered.set()

        questions.put(Question(take, [Crop("table", noise(n), n, 1.0) for n in budgets]))

    decode, submit = SlotDecoder.decode, engine._dispatcher.submit

    def slow(*arguments: Any) -> torch.Tensor:
        if not was_late:
            was_late.append(True)
            submitted.clear()
            ask("late", 2)
            # While the first step is being taken.
            assert submitted.wait(WAIT_SECONDS)
        return decode(*arguments)

    def watched(tickets: Any) -> None:
        submit(tickets)
        submitted.set()

    was_late: list[bool] = []
    monkeypatch.setattr(SlotDecoder, "decode", slow)
    monkeypatch.setattr(engine._dispatcher, "submit", watched)
    questions = start(lambda: engine)
    ask("first", 1, 20)
    assert all_answered.wait(WAIT_SECONDS)
    assert order == ["late", "first"], "it did not wait for the answers that were being written"


def test_a_model_that_cannot_be_loaded_is_tried_again(tmp_path: Path) -> None:
    engine = PaliGemmaEngine.load(build_tiny(tmp_path, heads={"table": {}}), device="cpu")
    answers: Queue[Answer] = Queue()
    tries = []

    def load() -> PaliGemmaEngine:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("disk gone")
        return engine

    questions = start(load)
    for _ in range(2):
        questions.put(Question(answers.put, [Crop("table", noise(), 2, 1.0)]))
        is_right, value = answers.get(timeout=WAIT_SECONDS)
        if len(tries) == 1:
            assert not is_right
            assert str(value) == "OSError: disk gone"
    assert is_right
    assert value[1][0].n_tokens == 2


def test_a_head_without_weights_costs_its_own_question_alone(tmp_path: Path) -> None:
    engine = PaliGemmaEngine.load(build_tiny(tmp_path, heads={"table": {}}), device="cpu")
    answers: Queue[tuple[str, Answer]] = Queue()
    questions = start(lambda: engine)
    for name, crops in (
        ("wrong", [Crop("table", noise(), 2, 1.0), Crop("score", noise(), 2, 1.0)]),
        ("unknown", [Crop("poem", noise(), 2, 1.0)]),
        ("empty", []),
        ("right", [Crop("table", noise(1), 3, 1.0)]),
    ):
        questions.put(Question(lambda value, name=name: answers.put((name, value)), crops))  # type: ignore[misc]
    found = dict(answers.get(timeout=WAIT_SECONDS) for _ in range(4))
    assert [type(found[name][1]).__name__ for name in ("wrong", "unknown")] == [
        "HeadNotAvailableError",
        "UnknownHeadError",
    ]
    assert found["empty"] == (True, ("cpu", []))
    assert found["right"][0]
    assert found["right"][1][1][0].n_tokens == 3


def test_an_engine_that_another_process_cannot_have_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Local(ScriptedEngine):
        """Has no name by which it could be found."""

    # As the class of a script has: its module is another one in the other process.
    script = ModuleType("script_that_is_run")
    known = type("Known", (ScriptedEngine,), {"__module__": script.__name__})
    script.Known = known  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, script.__name__, script)
    for engine in (Local({}), known({})):
        spec = ModelSpec(engine=engine)
        with pytest.raises(SettingError, match="put its class into a module that can be imported"):
            ModelServer(spec, str(tmp_path / "model"), b"key")
