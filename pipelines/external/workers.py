"""Python work in other processes, so that a crash in C code ends no more than the item it was for.

:func:`each_in_process` maps a function over items in a pool of processes. A :class:`JsonWorker` is one child
process that keeps its libraries loaded and answers requests.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import get_context
from typing import Any, TypeVar

from docai.pipelines.external.children import ChildWorker, WorkerError

__all__ = ["JsonWorker", "WorkerDied", "WorkerError", "can_start_processes", "each_in_process"]

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


class JsonWorker(ChildWorker):
    """A :class:`~docai.pipelines.external.children.ChildWorker` with one JSON object a line in each
    direction."""

    def request(self, request: dict[str, Any], *, seconds: float) -> dict[str, Any]:
        """The child's answer. Time to start the child and to wait for other threads is not counted.

        Raises:
            WorkerError: it could not be started, crashed, or took longer than ``seconds``.
        """
        answer: dict[str, Any] = self._answer(json.dumps(request) + "\n", seconds)
        return answer

    def _ask(self, process: subprocess.Popen[bytes], request: str) -> dict[str, Any]:
        assert process.stdin is not None
        process.stdin.write(request.encode())
        process.stdin.flush()
        return self._read(process)

    def _read(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        answer: dict[str, Any] = json.loads(line)
        return answer
