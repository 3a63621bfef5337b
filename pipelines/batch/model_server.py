"""One model for all workers, in a process of its own.

The model is loaded by the first request. A crop that comes while others are read takes a free slot of it: the
crops of several pages and documents are read together. Workers and server speak over a socket that only this
user can open (``multiprocessing.connection``, with a key that is new for each run); what workers send is not
unpickled, see :mod:`docai.pipelines.batch.crops`. When the process is lost, its owner starts another, and
workers ask again, once.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Final, NoReturn

from docai.environment import KEY_VARIABLE, spin_less
from docai.errors import DocaiError, ModelLostError, SettingError
from docai.models.engine import Engine, Generation
from docai.models.stream import MAX_BATCH, AnswerStream, Outcome
from docai.options import ModelOptions
from docai.pipelines.batch.crops import Crop, receive_crops
from docai.pipelines.batch.model_client import Address
from docai.pipelines.batch.owner import end_with_owner
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError

GATHER_SECONDS: Final = 0.01
"""For requests of other workers that come at the same time as the first one: an engine that takes lists gets
them together."""

RESTART_SECONDS: Final = 0.5
"""Between the end of a server and the start of the next."""

CLOSE_SECONDS: Final = 5.0
"""For the thread that waits for the server to notice its end."""

Answer = tuple[bool, Any]
"""True with the device and the generations, or False with an error."""


@dataclass(frozen=True)
class ModelSpec:
    """What the server loads: an engine that was given, or a model by its name or folder."""

    model: str | Path = "nano"
    device: str = "auto"
    engine: Engine | None = None
    options: ModelOptions = field(default_factory=ModelOptions)

    def load(self) -> Engine:
        if self.engine is not None:
            return self.engine
        from docai.models.selection import load_engine

        return load_engine(self.model, device=self.device, options=self.options)


@dataclass
class Question:
    """The crops of one worker, and who takes the answer."""

    reply: Callable[[Answer], None]
    crops: list[Crop]


def serve_model(spec: ModelSpec, address: Address, key: bytes) -> None:
    """Answer until the owner of this process is gone.

    Raises:
        OSError: the address cannot be used.
    """
    end_with_owner()
    spin_less()
    questions: Queue[Question] = Queue()
    with listen(address, key, questions):
        answer_questions(spec.load, questions)


def listen(address: Address, key: bytes, questions: Queue[Question]) -> Listener:
    """Take the questions of all who know the key; the listener is to be closed. Raises OSError."""
    if isinstance(address, str) and sys.platform != "win32":
        Path(address).unlink(missing_ok=True)
    listener = Listener(address, authkey=key)
    Thread(target=_accept, args=(listener, questions), daemon=True).start()
    return listener


def answer_questions(
    load: Callable[[], Engine], questions: Queue[Question], max_batch: int = MAX_BATCH
) -> NoReturn:
    """Load the engine for the first question, and answer all that come, for good.

    Args:
        load: gives the engine.
        questions: of all workers.
        max_batch: crops that are put at a time to an engine that takes lists.
    """
    engine: Engine | None = None
    while engine is None:
        batch = _gather(questions, max_batch)
        try:
            engine = load()
        except Exception as error:
            for question in batch:
                question.reply((False, _sendable(error)))
    stream: AnswerStream[tuple[_Asked, int]] = AnswerStream(engine, max_batch)
    _submit(stream, batch)
    # The engine is run by this thread alone.
    Thread(target=_submit_all, args=(stream, questions, max_batch), daemon=True).start()
    while True:
        for (asked, index), outcome in stream.answers(wait=True):
            asked.take(index, outcome, engine.device)


class _Asked:
    """A question whose crops are being read."""

    def __init__(self, question: Question) -> None:
        self._reply = question.reply
        self._left = len(question.crops)
        self._generations: list[Generation | None] = [None] * self._left
        self._error: Exception | None = None

    def take(self, index: int, outcome: Outcome, device: str) -> None:
        """The answer to one of its crops; the last one answers the question."""
        if isinstance(outcome, Exception):
            self._error = outcome
        else:
            self._generations[index] = outcome
        self._left -= 1
        if self._left < 1:
            self.reply(device)

    def reply(self, device: str) -> None:
        error = self._error or _lost(self._generations)
        if error is not None:
            self._reply((False, _sendable(error)))
        else:
            self._reply((True, (device, self._generations)))


def _submit_all(
    stream: AnswerStream[tuple[_Asked, int]], questions: Queue[Question], max_batch: int
) -> NoReturn:
    while True:
        _submit(stream, _gather(questions, max_batch))


def _submit(stream: AnswerStream[tuple[_Asked, int]], batch: Sequence[Question]) -> None:
    """Put the crops of questions to the engine; a question that cannot be put is answered with why."""
    requests = []
    for question in batch:
        asked = _Asked(question)
        try:
            parts = [crop.request() for crop in question.crops]
        except Exception as error:
            question.reply((False, _sendable(error)))
            continue
        if not parts:
            asked.reply(stream.engine.device)
        requests += [((asked, index), part) for index, part in enumerate(parts)]
    stream.submit(requests)


def _accept(listener: Listener, questions: Queue[Question]) -> None:
    while True:
        # A process that does not know the key is turned away.
        with suppress(Exception):
            connection = listener.accept()
            Thread(target=_listen, args=(connection, questions), daemon=True).start()


def _listen(connection: Connection[Any, Any], questions: Queue[Question]) -> None:
    # A process that sends something else is not answered.
    with connection, suppress(EOFError, OSError, ValueError):
        while True:
            questions.put(Question(partial(_send, connection), receive_crops(connection)))


def _gather(questions: Queue[Question], max_batch: int) -> list[Question]:
    """What waits, at least one question and about ``max_batch`` crops at most."""
    batch = [questions.get()]
    until = time.monotonic() + GATHER_SECONDS
    while sum(len(question.crops) for question in batch) < max_batch:
        try:
            batch.append(questions.get(timeout=max(0.0, until - time.monotonic())))
        except Empty:
            break
    return batch


def _lost(generations: Sequence[Generation | None]) -> ModelLostError | None:
    """That a server of the user's is gone, which is no failure of some of its crops."""
    from docai.models.client_http import UnreachableError

    for generation in generations:
        kind, _, message = ("" if generation is None else generation.error or "").partition(": ")
        if kind == UnreachableError.__name__:
            return ModelLostError(message)
    return None


def _send(connection: Connection[Any, Any], value: Answer) -> None:
    # The worker may be gone.
    with suppress(OSError):
        connection.send(value)


def _sendable(error: Exception) -> Exception:
    return error if isinstance(error, DocaiError) else RuntimeError(f"{type(error).__name__}: {error}")


def receive_spec(spec: ModelSpec) -> None:
    """In the process of the model: it knows what it is to load."""


class ModelServer:
    """The process of the model, started again when it is lost. :meth:`close` ends it.

    Raises:
        SettingError: the engine that was given cannot be taken to another process.
    """

    def __init__(self, spec: ModelSpec, address: Address, key: bytes) -> None:
        key_of_server = os.environ.get(KEY_VARIABLE)
        variables = {} if key_of_server is None else {KEY_VARIABLE: key_of_server}
        self._worker = CallWorker("docai.pipelines.batch.model_server", variables=variables)
        # Weights alone may be larger than any bound that fits a reader.
        self._worker.limit(None)
        self._is_closed = False
        if spec.engine is not None:
            self._require_sent(spec)
        self._thread = Thread(target=self._run, args=(spec, address, key), daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        return self._worker.pid

    def close(self) -> None:
        self._is_closed = True
        self._worker.stop()
        self._thread.join(CLOSE_SECONDS)

    def _require_sent(self, spec: ModelSpec) -> None:
        """Or workers would wait for a process that never answers."""
        try:
            self._worker.call(receive_spec, None, spec)
        except WorkerError:
            # What it is will be met again, and is told there.
            return
        except Exception as error:
            self._worker.close()
            kind = type(spec.engine)
            raise SettingError(
                f"The engine {kind.__qualname__} cannot be taken to the process of the model "
                f"({type(error).__name__}: {error}): put its class into a module that can be imported, not "
                "into the script that is run, and give it only what can be pickled."
            ) from error

    def _run(self, spec: ModelSpec, address: Address, key: bytes) -> None:
        while not self._is_closed:
            try:
                self._worker.call(serve_model, None, spec, address, key)
            except Exception:
                # Whatever it is: workers ask again, and say what happened where it does not help.
                time.sleep(RESTART_SECONDS)
