"""A Python child process that keeps its libraries loaded and answers requests, within bounds."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock, Timer
from types import MappingProxyType
from typing import Any, Final
from weakref import WeakSet

from docai.pipelines.external.programs import MAX_MEMORY, environment, kill, limit_memory

START_SECONDS = 120.0
"""For a child process to start and to import its libraries."""

_ENDING_SECONDS = 2.0
"""For a child that closed its output to end, so that it can be said how."""

_ONLY_READ: Final = object()
"""In place of a request: the child speaks first when it is ready."""


class WorkerError(Exception):
    """A child process gave no answer; the message says why.

    Attributes:
        timed_out: it took longer than it was allowed to; otherwise it crashed, or did not start.
        not_started: it could not be started at all.
    """

    def __init__(self, message: str, *, timed_out: bool = False, not_started: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out
        self.not_started = not_started


class ChildWorker(ABC):
    """A Python child process that answers one request after the other.

    The child writes one answer as soon as it is ready, then one for each request, and ends when its standard
    input does, so with its owner. It is started by the first request, and again by the first one after it
    crashed, took too long, was closed, or has answered ``max_requests``. Requests of several threads wait for
    each other. A process that was forked from this one starts a child of its own.

    Args:
        arguments: what follows the interpreter on the command line: a script and its options.
        max_requests: after so many the child is replaced; None: never.
        variables: of the child's environment, beside those of this process.

    Attributes:
        n_requests: answered by the child that runs.
    """

    def __init__(
        self,
        *arguments: str,
        max_requests: int | None = None,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._arguments = arguments
        self._variables = variables
        self._max_requests = max_requests
        self.n_requests = 0
        self._max_memory: int | None = MAX_MEMORY
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False
        _WORKERS.add(self)

    @property
    def pid(self) -> int | None:
        """Of the child; None where there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the child, where it does not run yet. Raises :class:`WorkerError` where it cannot."""
        with self._lock:
            self._running()

    def limit(self, max_memory: int | None) -> None:
        """Bound the child's address space, in bytes, where the system can (Linux); None: not at all."""
        with self._lock:
            if max_memory != self._max_memory:
                self._max_memory = max_memory
                if self._process is not None:
                    limit_memory(self._process.pid, max_memory)

    def close(self) -> None:
        """End the child; the next request starts another."""
        with self._lock:
            self._end()

    def stop(self) -> None:
        """End the child for good, from any thread; requests raise :class:`WorkerError` from now on."""
        # Before the child is looked for: one that is being started looks here when it is there.
        self._is_stopped = True
        process = self._process
        if process is not None:
            kill(process)

    def forget(self) -> None:
        """Leave the child to the process that this one was forked from."""
        self._lock, self._process = Lock(), None

    @abstractmethod
    def _ask(self, process: subprocess.Popen[bytes], request: Any) -> Any:
        """Write a request and read its answer. Raises EOFError or OSError where the child is gone."""

    @abstractmethod
    def _read(self, process: subprocess.Popen[bytes]) -> Any:
        """Read an answer. Raises EOFError where the child is gone."""

    def _answer(self, request: Any, seconds: float | None) -> Any:
        """The child's answer. Time to start the child and to wait for other threads is not counted.

        Raises:
            WorkerError: it could not be started, crashed, or took longer than ``seconds``.
        """
        with self._lock:
            if self.n_requests == self._max_requests:
                self._end()
            process = self._running()
            self.n_requests += 1
            return self._exchange(process, request, seconds)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        try:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment() | dict(self._variables),
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerError(f"{sys.executable} cannot be started: {error}", not_started=True) from error
        if self._is_stopped:
            self._end()
            raise WorkerError("it was stopped", not_started=True)
        self.n_requests = 0
        limit_memory(self._process.pid, self._max_memory)
        try:
            self._exchange(self._process, _ONLY_READ, START_SECONDS)
        except WorkerError as error:
            error.not_started = True
            raise
        return self._process

    def _exchange(self, process: subprocess.Popen[bytes], request: Any, seconds: float | None) -> Any:
        """Write a request, if any, and read an answer. Whatever goes wrong ends the child: an answer that is
        still to come would be taken for that to the next request."""
        timer = Timer(seconds or 0.0, kill, [process])
        timer.daemon = True
        if seconds is not None:
            timer.start()
        started = time.monotonic()
        is_answered = False
        try:
            answer = self._read(process) if request is _ONLY_READ else self._ask(process, request)
            # On a loaded machine the timer can be late; its child may be killed at any moment.
            is_answered = seconds is None or (timer.is_alive() and time.monotonic() - started <= seconds)
        except (EOFError, OSError):
            if seconds is None or timer.is_alive():
                raise WorkerError(_how_it_ended(process)) from None
        finally:
            timer.cancel()
            if not is_answered:
                self._end()
        if not is_answered:
            raise WorkerError(f"it took longer than {seconds:g} s", timed_out=True)
        return answer

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            kill(process)
            with suppress(BrokenPipeError):
                process.communicate()


def _how_it_ended(process: subprocess.Popen[bytes]) -> str:
    """That a child crashed, and by which signal, where that can be told."""
    with suppress(subprocess.TimeoutExpired):
        status = process.wait(_ENDING_SECONDS)
        if status < 0:
            with suppress(ValueError):
                return f"the process crashed ({signal.Signals(-status).name})"
    return "the process crashed"


_WORKERS: WeakSet[ChildWorker] = WeakSet()


@atexit.register
def _close_all() -> None:
    for worker in _WORKERS:
        worker.close()


def _forget_all() -> None:
    for worker in _WORKERS:
        worker.forget()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all)
