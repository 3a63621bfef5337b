"""What the process of the model takes from those that open documents."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Client
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest
from PIL import Image

from docai.models.engine import Request
from docai.models.heads import Decoding, get_head
from docai.pipelines.batch.crops import MAX_ABOUT, Crop
from docai.pipelines.batch.model_client import Address, ModelAddress, RemoteEngine, new_address
from docai.pipelines.batch.model_server import Question, listen

KEY = b"key"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Address, Queue[Question]]]:
    """The address of a process of the model, and what it was asked."""
    address, questions = new_address(tmp_path), Queue[Question]()
    with listen(address, KEY, questions):
        yield address, questions


class _Touch:
    """Makes a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self._mark}",)


def test_crops_arrive_as_they_were(server: tuple[Address, Queue[Question]]) -> None:
    address, questions = server
    pictures = [Image.effect_noise((896, 896), 80).convert("RGB"), Image.new("L", (3, 2), 7)]
    requests = [
        Request(get_head("text"), pictures[0]),
        Request(get_head("table"), pictures[1], max_tokens=5, stretch=1.5, draft="a \u00e9"),
    ]
    answers: list[Any] = []

    def ask() -> None:
        with RemoteEngine(ModelAddress("x", {"text": None}, address, KEY)) as engine:
            answers.append(engine.generate(requests))
            assert engine.device == "cpu"

    thread = Thread(target=ask)
    thread.start()
    question = questions.get(timeout=60)
    question.reply((True, ("cpu", ["one", "two"])))
    thread.join()
    assert answers == [["one", "two"]]
    assert question.crops == [Crop.of(request) for request in requests]
    found = question.crops[1].request()
    assert (found.head.name, found.max_tokens, found.stretch, found.draft) == ("table", 5, 1.5, "a \u00e9")
    assert found.head.decoding == get_head("table").decoding


def test_a_crop_keeps_how_it_is_to_be_decoded() -> None:
    decoding = Decoding(num_beams=3, constrained=True)
    assert Crop("text", Image.new("L", (1, 1)), None, 1.0, decoding).request().head.decoding == decoding


def _send_and_wait(connection: Any, sent: Sequence[bytes | _Touch]) -> None:
    for one in sent:
        if isinstance(one, bytes):
            connection.send_bytes(one)
        else:
            connection.send(one)
    connection.recv_bytes()


def test_nothing_that_is_sent_to_the_model_is_unpickled(
    tmp_path: Path, server: tuple[Address, Queue[Question]]
) -> None:
    address, questions = server
    mark = tmp_path / "mark"
    facts: dict[str, object] = {"head": "text", "mode": "L", "width": 2, "height": 2}
    facts |= {"max_tokens": None, "stretch": 1.0, "decoding": None, "draft": "", "seconds": None}
    about = json.dumps([facts]).encode()
    for sent in (
        [_Touch(mark)],
        [about, _Touch(mark)],
        [about.replace(b'"width": 2', b'"width": 100000000')],
        [about.replace(b'"L"', b'"P"')],
        [about, b"\0" * 3],
        [about, b"\0" * 5],
        [b" " * (MAX_ABOUT + 1)],
        [b"[" * 100_000],
    ):
        # It closes the connection, maybe before it has taken all, and that one alone.
        with Client(address, authkey=KEY) as connection, pytest.raises((EOFError, ConnectionError)):
            _send_and_wait(connection, sent)
    with pytest.raises(Empty):
        questions.get_nowait()
    assert not mark.exists()
    with Client(address, authkey=KEY) as connection:
        connection.send_bytes(about)
        connection.send_bytes(b"\1\2\3\4")
        assert questions.get(timeout=60).crops[0].image.tobytes() == b"\1\2\3\4"
