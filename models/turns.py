"""Threads that share one worker, such as a model: one of them works for all, step by step.

A lock alone would not do: who releases it after a step takes it again before anybody who waits wakes up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Turns:
    """Says whose turn it is. Two steps are never taken at the same time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_taken = False
        self._n_urgent = 0

    def until(self, is_done: Callable[[], bool], step: Callable[[], bool]) -> None:
        """Return once ``is_done``, taking steps, or waiting for those that another thread takes.

        Args:
            is_done: asked between steps; quick.
            step: returns whether it changed what other threads may wait for.

        Raises:
            Exception: whatever a step raised that this thread took.
        """
        while True:
            with self._changed:
                while not is_done() and (self._is_taken or self._n_urgent):
                    self._changed.wait()
                if is_done():
                    # Whoever waits may have to go on with the steps.
                    self._changed.notify_all()
                    return
                self._is_taken = True
            has_news = True
            try:
                has_news = step()
            finally:
                with self._changed:
                    self._is_taken = False
                    if has_news or self._n_urgent:
                        self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No step is taken meanwhile. Threads that take steps let this one go first."""
        with self._changed:
            self._n_urgent += 1
            try:
                while self._is_taken:
                    self._changed.wait()
            finally:
                self._n_urgent -= 1
            self._is_taken = True
        try:
            yield
        finally:
            with self._changed:
                self._is_taken = False
                self._changed.notify_all()
