"""Requests of many callers to one engine, answered as they come.

A :class:`~docai.models.engine.StreamingEngine` reads a crop as soon as a slot is free, whatever it writes
meanwhile. Any other engine is given what waits, a list at a time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, Generic

from docai.errors import ConfigurationError, ServerError
from docai.models.engine import (
    Engine,
    Generation,
    K,
    LazyEngine,
    Request,
    Stream,
    StreamingEngine,
    answer_batch,
    answer_without_model,
    crop_size,
    failed_generation,
)

MAX_BATCH: Final = 64
"""Requests that are put to an engine without a stream at a time."""

Outcome = Generation | ConfigurationError | ServerError
"""An answer; or why this request cannot be answered, where that is no failure of its crop."""


class AnswerStream(Generic[K]):
    """A stream to any engine, with the rules of :func:`docai.models.engine.answer`.

    A blank crop does not reach the model, and a failure is the answer to its own crop.

    Args:
        engine: answers.
        max_batch: requests that are put to an engine without a stream of its own at a time.
    """

    def __init__(self, engine: Engine, max_batch: int = MAX_BATCH) -> None:
        self.engine = engine.loaded() if isinstance(engine, LazyEngine) else engine
        self._inner: Stream[K] | None = (
            self.engine.stream() if isinstance(self.engine, StreamingEngine) else None
        )
        self._max_batch = max_batch
        self._open: dict[K, Request] = {}
        self._waiting: deque[tuple[K, Request]] = deque()
        self._ready: deque[tuple[K, Outcome]] = deque()
        self._has_more = threading.Event()

    def submit(self, requests: Iterable[tuple[K, Request]]) -> None:
        """Put requests to the engine, each with a key of its own. Any thread may call this at any time."""
        asked = []
        for key, request in requests:
            known = answer_without_model(request, crop_size(self.engine, request.head))
            if known is None:
                asked.append((key, request))
            else:
                self._ready.append((key, known))
        if self._inner is None:
            self._waiting.extend(asked)
        else:
            for key, request in asked:
                self._submit_one(self._inner, key, request)
        self._has_more.set()

    def _submit_one(self, inner: Stream[K], key: K, request: Request) -> None:
        self._open[key] = request
        try:
            inner.submit([(key, request)])
        except (ConfigurationError, ServerError) as error:
            del self._open[key]
            self._ready.append((key, error))
        except Exception as error:
            del self._open[key]
            self._ready.append((key, failed_generation(request, error)))

    def answers(self, *, wait: bool = False) -> Iterator[tuple[K, Outcome]]:
        """Answer until nothing is left.

        Args:
            wait: for more, for good.

        Yields:
            A key and what became of its request, as soon as that is known, in any order.
        """
        while True:
            self._has_more.clear()
            yield from self._now_ready()
            if self._inner is None:
                yield from self._list_answers()
            elif self._open:
                yield from self._stream_answers(self._inner)
            if self._ready or self._waiting or self._open:
                continue
            if not wait:
                return
            self._has_more.wait()

    def _now_ready(self) -> Iterator[tuple[K, Outcome]]:
        while self._ready:
            yield self._ready.popleft()

    def _stream_answers(self, inner: Stream[K]) -> Iterator[tuple[K, Outcome]]:
        try:
            for key, generation in inner.answers():
                del self._open[key]
                yield key, generation
                yield from self._now_ready()
        except Exception as error:
            # No crop's in particular: whoever waits is told.
            lost, self._open = self._open, {}
            inner.close()
            yield from ((key, failed_generation(request, error)) for key, request in lost.items())

    def _list_answers(self) -> Iterator[tuple[K, Outcome]]:
        """Put what waits to an engine that takes lists."""
        batch = [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]
        if not batch:
            return
        try:
            generations = answer_batch(self.engine, [request for _, request in batch])
        except (ConfigurationError, ServerError):
            # A head without weights is the fault of who asked for it.
            yield from ((key, self._answer_one(request)) for key, request in batch)
            return
        yield from zip((key for key, _ in batch), generations, strict=True)

    def _answer_one(self, request: Request) -> Outcome:
        try:
            return answer_batch(self.engine, [request])[0]
        except (ConfigurationError, ServerError) as error:
            return error
