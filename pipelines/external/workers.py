"""Python work in other processes, so that a crash in C code ends no more than the item it was for.

:func:`each_in_process` maps a function over items in a pool of processes. A :class:`JsonWorker` is one child
process that keeps its libraries loaded and answers requests.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import get_context
from threading import Lock, Timer
from typing import Any, TypeVar
from weakref import WeakSet

from docai.pipelines.external.programs import environment, kill, limit_memory

START_SECONDS = 120.0
"""For a child process to start and to import its libraries."""

T = TypeVar("T")

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class WorkerDied:
    """Stands for the result of an item whose process ended: out of memory, killed, or a crash in C."""


def each_in_process(
    function: Callable[[T], R], items: Iterable[T], *, processes: int
) -> Iterator[R | WorkerDied]:
    """``function(item)`` for each item, in order, as they become ready; ``items`` is read as needed.

    Processes are spawned, so ``function``, items and results have to be picklable, and a script needs
    ``if __name__ == "__main__"``. With one process the work is done in this one. What ``function`` raises
    is raised here. When a process dies, the items that were under way are each tried once more alone:
    the one that kills its process again is a :class:`WorkerDied`, and the others go on.
    """
    if processes <= 1:
        yield from map(function, items)
        return
    rest = iter(items)
    again: list[T] = []
    while True:
        for item in again:
            yield _alone(function, item)
        again = []
        first = list(islice(rest, 1))
        if not first:
            return
        yield from _in_pool(function, chain(first, rest), processes, again)


def can_start_processes() -> bool:
    """Whether a pool works here: a script without ``if __name__ == "__main__"`` does not allow it."""
    with _pool(1) as pool:
        try:
            return pool.submit(bool, 1).result()
        except BrokenProcessPool:
            return False


def _in_pool(
    function: Callable[[T], R], items: Iterable[T], processes: int, unfinished: list[T]
) -> Iterator[R]:
    """Results until all is done or the pool breaks; the items then under way go to ``unfinished``."""
    items = iter(items)
    under_way: deque[tuple[T, Future[R]]] = deque()
    with _pool(processes) as pool:
        try:
            while True:
                for item in islice(items, 2 * processes - len(under_way)):
                    # Noted before it is submitted: a broken pool refuses it, and it is not lost.
                    unfinished.append(item)
                    under_way.append((item, pool.submit(function, item)))
                if not under_way:
                    return
                result = under_way[0][1].result()
                under_way.popleft()
                del unfinished[0]
                yield result
        except BrokenProcessPool:
            return
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _alone(function: Callable[[T], R], item: T) -> R | WorkerDied:
    with _pool(1) as pool:
        try:
            return pool.submit(function, item).result()
        except BrokenProcessPool:
            return WorkerDied()


def _pool(processes: int) -> ProcessPoolExecutor:
    # Ctrl-C reaches every process of a terminal; the one that owns the pool ends the others. Said without a
    # function of this package, so that a process imports no more of it than its work needs.
    return ProcessPoolExecutor(
        processes,
        mp_context=get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )


class WorkerError(Exception):
    """A child process gave no answer; the message says why.

    Attributes:
        timed_out: it took longer than it was allowed to; otherwise it crashed, or did not start.
    """

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class JsonWorker:
    """A Python child process that answers requests, one JSON object a line in each direction.

    The child writes one object as soon as it is ready, then one for each object it reads, and ends when its
    standard input does, so with its owner. It is started by the first request, and again by the first one
    after it crashed, took too long, was closed, or has answered ``max_requests``. Requests of several threads
    wait for each other. A process that was forked from this one starts a child of its own.

    Args:
        arguments: what follows the interpreter on the command line: a script and its options.
        max_requests: after so many the child is replaced; None: never.
    """

    def __init__(self, *arguments: str, max_requests: int | None = None) -> None:
        self._arguments = arguments
        self._max_requests = max_requests
        self._n_requests = 0
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None
        _WORKERS.add(self)

    def start(self) -> None:
        """Start the child, where it does not run yet. Raises :class:`WorkerError` where it cannot."""
        with self._lock:
            self._running()

    def request(self, request: dict[str, Any], *, seconds: float) -> dict[str, Any]:
        """The child's answer. Time to start the child and to wait for other threads is not counted.

        Raises:
            WorkerError: it could not be started, crashed, or took longer than ``seconds``.
        """
        with self._lock:
            if self._n_requests == self._max_requests:
                self._end()
            process = self._running()
            self._n_requests += 1
            return self._exchange(process, json.dumps(request) + "\n", seconds)

    def close(self) -> None:
        """End the child; the next request starts another."""
        with self._lock:
            self._end()

    def forget(self) -> None:
        """Leave the child to the process that this one was forked from."""
        self._lock, self._process = Lock(), None

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        try:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env=environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerError(f"{sys.executable} cannot be started: {error}") from error
        self._n_requests = 0
        limit_memory(self._process.pid)
        self._exchange(self._process, "", START_SECONDS)
        return self._process

    def _exchange(self, process: subprocess.Popen[str], request: str, seconds: float) -> dict[str, Any]:
        """Write a line, if any, and read one. Whatever goes wrong ends the child: an answer that is still to
        come would be taken for that to the next request."""
        timer = Timer(seconds, kill, [process])
        timer.daemon = True
        timer.start()
        answer = ""
        try:
            answer = _ask(process, request)
        finally:
            is_in_time = timer.is_alive()
            timer.cancel()
            if not (is_in_time and answer.endswith("\n")):
                self._end()
        if not answer.endswith("\n"):
            if is_in_time:
                raise WorkerError("the process crashed")
            raise WorkerError(f"it took longer than {seconds:g} s", timed_out=True)
        content: dict[str, Any] = json.loads(answer)
        return content

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            kill(process)
            with suppress(BrokenPipeError):
                process.communicate()


def _ask(process: subprocess.Popen[str], request: str) -> str:
    """The line that a child answers with; cut short where it crashed or was killed."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(request)
        process.stdin.flush()
    except BrokenPipeError:
        return ""
    return process.stdout.readline()


_WORKERS: WeakSet[JsonWorker] = WeakSet()


@atexit.register
def _close_all() -> None:
    for worker in _WORKERS:
        worker.close()


def _forget_all() -> None:
    for worker in _WORKERS:
        worker.forget()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all)
