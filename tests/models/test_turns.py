"""Threads that share a worker: one step at a time, and nobody is kept waiting."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from docai.models.turns import Turns

WAIT_SECONDS = 60.0


def test_two_steps_are_never_taken_at_the_same_time_and_all_threads_return() -> None:
    turns, done, at_once = Turns(), [0] * 4, [0]

    def step() -> bool:
        at_once[0] += 1
        assert at_once[0] == 1
        # The work of all.
        done[:] = [count + 1 for count in done]
        at_once[0] -= 1
        return True

    with ThreadPoolExecutor(4) as threads:
        waits = [threads.submit(turns.until, lambda i=i: done[i] >= 50 * (i + 1), step) for i in range(4)]
        for wait in waits:
            wait.result(WAIT_SECONDS)
    assert max(done) == 200, "the last thread has the steps go on alone, and none is taken after it is done"


def test_who_needs_to_be_alone_waits_for_one_step_only() -> None:
    turns, seen = Turns(), []
    is_stepping, may_go_on, is_over = (threading.Event() for _ in range(3))
    n_steps = [0]

    def step() -> bool:
        n_steps[0] += 1
        is_stepping.set()
        assert may_go_on.wait(WAIT_SECONDS)
        return False

    def alone() -> None:
        with turns.alone():
            seen.append(n_steps[0])
            is_over.set()

    with ThreadPoolExecutor(2) as threads:
        working = threads.submit(turns.until, lambda: is_over.is_set() or n_steps[0] > 1000, step)
        assert is_stepping.wait(WAIT_SECONDS)
        waiting = threads.submit(alone)
        while not turns._n_urgent:
            pass
        may_go_on.set()
        waiting.result(WAIT_SECONDS)
        working.result(WAIT_SECONDS)
    assert seen == [1]


def test_a_step_that_fails_is_told_to_who_took_it_and_others_go_on() -> None:
    turns, done = Turns(), []

    def broken() -> bool:
        raise RuntimeError("device lost")

    with pytest.raises(RuntimeError, match="device lost"):
        turns.until(lambda: False, broken)
    turns.until(lambda: bool(done), lambda: done.append(1) or True)  # type: ignore[func-returns-value]
    with turns.alone():
        done.append(2)
    assert done == [1, 2]
