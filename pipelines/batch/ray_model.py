"""The model on a cluster: copies of it as actors of Ray, and the way of a crop to one of them.

A document's process has no network. It puts its crops to a socket in a folder of its own, as with the engine
of one machine; the process of Ray behind that sends them on to a copy of the model, which makes batches of
what all nodes send it. The documents and the model are apart: as many documents are read at a time as there
are processors, whatever the number of GPUs.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any, Final

from docai.errors import GenerationError, ModelLostError
from docai.pipelines.batch.crops import Crop
from docai.pipelines.batch.model_client import Address, new_address
from docai.pipelines.batch.model_server import Answer, ModelSpec, Question, answer_questions, listen

TRIES: Final = 3
"""Copies of the model that may be lost while they are at work on a crop; those that were gone before they
were asked do not count."""

WAIT_SECONDS: Final = 60.0
"""For a copy, when all are lost: Ray starts them again, on nodes that are left or that come. Beyond that the
document waits (:data:`docai.pipelines.batch.document.MODEL_SECONDS`): its page has a limit of time."""

PAUSE_SECONDS: Final = 1.0
"""Between two questions to copies that are lost."""

CHECK_SECONDS: Final = 60.0
"""Without an answer, after which a copy is asked whether it is still there."""

PING_SECONDS: Final = 30.0

MAX_WAITING: Final = 256
"""Questions that a copy has at a time, one for each document that is read; others wait before it."""

CHECK: Final = "check"
"""Name of the thread of a copy that answers :meth:`Model.ping`, whatever else waits."""


class Model:
    """An actor: one copy of the model, loaded by the first crop that is put to it."""

    def __init__(self, spec: ModelSpec, max_batch: int) -> None:
        self._questions: Queue[Question] = Queue()
        Thread(target=answer_questions, args=(spec.load, self._questions, max_batch), daemon=True).start()

    def ask(self, crops: list[Crop]) -> Answer:
        """As :class:`docai.pipelines.batch.model_client.RemoteEngine` has it answered."""
        future: Future[Answer] = Future()
        self._questions.put(Question(future.set_result, crops))
        return future.result()

    def ping(self) -> bool:
        """Answers while the model works, too."""
        return True


class ModelProxy:
    """In a process of Ray: a socket for a document's process, and the copies of the model behind it. It is
    there as long as the process is.

    Args:
        models: handles of the actors.
        folder: for the socket.
    """

    def __init__(self, models: Sequence[Any], folder: Path) -> None:
        self._models = list(models)
        self._turn = secrets.randbelow(len(models))
        self.key = secrets.token_bytes(32)
        self.address: Address = new_address(folder)
        self._questions: Queue[Question] = Queue()
        self._listener = listen(self.address, self.key, self._questions)
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            question = self._questions.get()
            try:
                answer = self._ask(question.crops)
            except Exception as error:
                answer = False, GenerationError(f"The model cannot be reached ({type(error).__name__}).")
            question.reply(answer)

    def _ask(self, crops: list[Crop]) -> Answer:
        from ray.exceptions import RayError, RayTaskError

        n_lost = 0
        there = time.monotonic()
        while True:
            self._turn = (self._turn + 1) % len(self._models)
            model = self._models[self._turn]
            is_there = False
            try:
                # How long a failed call took does not tell: Ray looks for a copy that is gone for seconds.
                self._reach(model)
                is_there = True
                return self._ask_one(model, crops)
            except RayTaskError:
                # A fault of the copy's own code; it is there.
                raise
            except RayError:
                now = time.monotonic()
            if is_there:
                there = now
                n_lost += 1
            if n_lost == TRIES:
                return False, GenerationError(
                    f"The process of the model was lost {TRIES} times while it read this."
                )
            if now - there > WAIT_SECONDS:
                return False, ModelLostError(
                    "All copies of the model were lost, and Ray started none again: see `ray status` for "
                    "what it waits for, then go on with --resume."
                )
            time.sleep(PAUSE_SECONDS)

    def _reach(self, model: Any) -> None:
        """Raises RayError: it is lost, or it waits for a node that never comes."""
        import ray

        ray.get(model.ping.options(concurrency_group=CHECK).remote(), timeout=PING_SECONDS)

    def _ask_one(self, model: Any, crops: list[Crop]) -> Answer:
        """Raises RayError: it is lost, or its answer is."""
        import ray

        answer = model.ask.remote(crops)
        while True:
            ready, _ = ray.wait([answer], timeout=CHECK_SECONDS)
            if ready:
                result: Answer = ray.get(answer)
                return result
            # It has much to do, or it hangs.
            self._reach(model)
