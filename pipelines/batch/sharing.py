"""The pages of one document that several processes read: a long one at the end of a run, or the only one.

A document belongs to the worker that opened it, which puts its result together. Workers that find no document
left to begin take pages of those that others read; what they read is on the disk, where its owner finds it.
The owner begins the folder of the pages with the first that it reads; only then may others join.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from threading import Condition
from typing import Final

from docai.pipelines.batch.manifest import Row

MIN_PAGES: Final = 8
"""That are left of a document for each worker that reads it, with one more that comes to help: to start costs
it as much as a few pages."""


class SharedPages:
    """The pages of one document that are to be read, given to whoever reads the next.

    Attributes:
        row: of the document.
        sha256: of its bytes; who opens others must not help.
        n_helpers: workers that were sent to help.
    """

    def __init__(self, row: Row, sha256: str, numbers: Iterable[int]) -> None:
        self.row = row
        self.sha256 = sha256
        self.n_helpers = 0
        self._left = deque(numbers)
        self._n_in_help = 0
        self._is_closed = False
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
    def taken_by_helper(self) -> Iterator[int | None]:
        """The next page for a helper, who reads it in the block; one that fails there goes back."""
        with self._changed:
            number = self._left.popleft() if self._left else None
            self._n_in_help += number is not None
        is_read = False
        try:
            yield number
            is_read = True
        finally:
            if number is not None:
                with self._changed:
                    if not (is_read or self._is_closed):
                        self._left.appendleft(number)
                    self._n_in_help -= 1
                    self._changed.notify_all()

    def wait(self) -> bool:
        """For the owner: wait until no helper reads a page. Whether any went back."""
        with self._changed:
            self._changed.wait_for(lambda: self._left or not self._n_in_help)
            return bool(self._left)

    def close(self) -> None:
        """Give no more pages, and wait until no helper reads one."""
        with self._changed:
            self._is_closed = True
            self._left.clear()
            self._changed.wait_for(lambda: not self._n_in_help)


class SharedDocuments:
    """The documents with pages for helpers.

    Args:
        n_workers: that begin documents of their own first.
    """

    def __init__(self, n_workers: int) -> None:
        self._n_busy = n_workers
        self._offered: list[SharedPages] = []
        self._is_ended = False
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

    def end(self) -> None:
        """Nobody is to help any more."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()

    def wait(self, refused: Collection[SharedPages] = ()) -> SharedPages | None:
        """For a worker that has left: wait for a document to help with. None: there will be none.

        Args:
            refused: documents that this worker could not help with.
        """
        with self._changed:
            while True:
                if self._is_ended:
                    return None
                if (pages := self._longest(refused)) is not None:
                    pages.n_helpers += 1
                    return pages
                if self._n_busy == 0:
                    return None
                self._changed.wait()

    def refuse(self, pages: SharedPages) -> None:
        """A worker that was sent to a document could not help."""
        with self._changed:
            pages.n_helpers -= 1
            self._changed.notify_all()

    def _longest(self, refused: Collection[SharedPages]) -> SharedPages | None:
        """The document of which most is left for each worker, where that is enough."""
        shares = {one: one.n_left // (1 + one.n_helpers) for one in self._offered if one not in refused}
        longest = max(shares, key=lambda one: shares[one], default=None)
        return None if longest is None or shares[longest] < MIN_PAGES else longest
