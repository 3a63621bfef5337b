"""The pages of one document that several processes read: a long one at the end of a run, or the only one.

A document belongs to the worker that opened it, which puts its result together. Workers that find no document
left to begin take pages of those that others read; what they read is on the disk, where its owner finds it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

from docai.pipelines.batch.manifest import Row

MIN_PAGES: Final = 8
"""That are left of a document where a worker opens it to help: to start costs it as much as a few pages."""


class SharedPages:
    """The pages of one document that are to be read, given to whoever reads the next.

    Args:
        ends_early: see :meth:`docai.pipelines.batch.document.DocumentReader.read`.

    Attributes:
        row: of the document.
        sha256: of its bytes; who opens others must not help.
    """

    def __init__(
        self, row: Row, sha256: str, numbers: Iterable[int], ends_early: Callable[[], str] = lambda: ""
    ) -> None:
        self.row = row
        self.sha256 = sha256
        self.ends_early = ends_early
        self._left = deque(numbers)
        self._n_helped = 0
        self._changed = Condition()

    @property
    def n_left(self) -> int:
        """Pages that nobody reads yet."""
        return len(self._left)

    def take(self) -> int | None:
        """The next page for the owner; None where none is left."""
        with self._changed:
            return self._left.popleft() if self._left else None

    @contextmanager
    def helped(self) -> Iterator[int | None]:
        """The next page for a helper, who reads it in the block; one that fails there is put back."""
        with self._changed:
            number = self._left.popleft() if self._left else None
            self._n_helped += number is not None
        try:
            yield number
        except BaseException:
            if number is not None:
                with self._changed:
                    self._left.appendleft(number)
            raise
        finally:
            if number is not None:
                with self._changed:
                    self._n_helped -= 1
                    self._changed.notify_all()

    def wait(self) -> bool:
        """For the owner: wait until no helper reads a page. Whether any was put back."""
        with self._changed:
            self._changed.wait_for(lambda: self._left or not self._n_helped)
            return bool(self._left)

    def close(self) -> None:
        """Give no more pages, and wait until no helper reads one."""
        with self._changed:
            self._left.clear()
            self._changed.wait_for(lambda: not self._n_helped)


class SharedDocuments:
    """The documents with pages for helpers.

    Args:
        n_workers: that begin documents of their own first.
    """

    def __init__(self, n_workers: int) -> None:
        self._n_busy = n_workers
        self._offered: list[SharedPages] = []
        self._changed = Condition()

    @contextmanager
    def offer(self, pages: SharedPages) -> Iterator[None]:
        """Let others help with a document, within the block."""
        with self._changed:
            self._offered.append(pages)
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._offered.remove(pages)

    def leave(self) -> None:
        """A worker has no document of its own any more, and will have none."""
        with self._changed:
            self._n_busy -= 1
            self._changed.notify_all()

    def wait(self, refused: Iterable[SharedPages] = ()) -> SharedPages | None:
        """For a worker that has left: wait for a document to help with. None: there will be none.

        Args:
            refused: documents that this worker could not help with.
        """
        known = list(refused)

        def most() -> SharedPages | None:
            wanted = [one for one in self._offered if one.n_left >= MIN_PAGES and one not in known]
            return max(wanted, key=lambda one: one.n_left, default=None)

        with self._changed:
            self._changed.wait_for(lambda: most() is not None or self._n_busy == 0)
            return most()
