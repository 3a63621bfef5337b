"""Many samples on disk, drawn in as many processes as wanted; the layouts are in ``layouts``.

Every folder also holds ``pairs.jsonl``: one object a line with ``image``, ``target`` and ``key``. A line is
written once the files of its sample are, and whole or not at all: what a stopped run leaves can be used.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import parent_process
from pathlib import Path
from types import TracebackType
from typing import Self

from docai.errors import DocaiError, SettingError
from docai.pipelines.evaluation.pools import WorkerDied, each_in_process
from docai.pipelines.synthesis import samples
from docai.pipelines.synthesis.base import Split
from docai.pipelines.synthesis.layouts import INDEXES, Entry, save

PAIRS_FILE = "pairs.jsonl"
PAIRS_PER_PROCESS = 32
"""A process takes a second or two to start: it is not worth it for fewer pairs."""
_LARGEST_CHUNK = 16


@dataclass(frozen=True)
class Written:
    """What :func:`write_pairs` left in a folder."""

    head: str
    folder: Path
    n_pairs: int
    n_keys: int
    """Distinct contents."""
    n_target_characters: int
    n_processes: int
    seconds: float


def processes_for(count: int) -> int:
    """How many processes so many pairs are worth: at most one a core."""
    return max(1, min(os.cpu_count() or 1, count // PAIRS_PER_PROCESS))


def write_pairs(
    head: str,
    count: int,
    seed: int,
    folder: Path,
    *,
    start: int = 0,
    difficulty: float = 1.0,
    split: Split = "train",
    processes: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Written:
    """Write ``count`` pairs of one head, those from index ``start`` on; the folder is made.

    The files are the same, byte for byte, whatever the number of processes. ``progress`` is told how many
    pairs are complete. With more than one process a script needs ``if __name__ == "__main__"``.

    Raises:
        UnknownHeadError: there is no generator for ``head``.
        SettingError: the folder cannot be written to.
        MissingDependencyError: drawing needs a package that is not installed.
        DocaiError: the disk is full, or a process died; the pairs listed by then are complete.
        ValueError: a negative count.
    """
    if count < 0:
        raise ValueError(f"The count of pairs is {count}; it cannot be negative.")
    samples(head, seed)
    begun = time.perf_counter()
    keys: set[str] = set()
    characters = n_done = 0
    with _lists(head, folder) as lists:
        size = max(1, min(_LARGEST_CHUNK, count // (4 * processes)))
        chunks = [range(n, min(n + size, start + count)) for n in range(start, start + count, size)]
        work = partial(_draw, head, seed, folder, difficulty, split)
        outcomes = each_in_process(work, chunks, processes=min(processes, max(1, len(chunks))))
        with _explained(folder, lambda: n_done):
            for chunk, drawn in zip(chunks, outcomes, strict=True):
                if isinstance(drawn, WorkerDied):
                    raise DocaiError(
                        f"The process that drew pairs {chunk[0]} to {chunk[-1]} died, perhaps for want of "
                        f"memory; the {n_done} pairs before them are complete in {folder}. "
                        "Try again with fewer processes."
                    )
                for entry in drawn:
                    lists.append(entry)
                    n_done += 1
                    keys.add(entry.key)
                    characters += len(entry.target)
                if progress is not None:
                    progress(n_done)
    return Written(head, folder, count, len(keys), characters, processes, time.perf_counter() - begun)


def _draw(head: str, seed: int, folder: Path, difficulty: float, split: Split, indices: range) -> list[Entry]:
    """Draw and save the samples of those indices."""
    if parent_process() is not None:
        import cv2

        # The cores are all taken by the other processes.
        cv2.setNumThreads(1)
    stream = samples(head, seed, start=indices.start, difficulty=difficulty, split=split)
    drawn = zip(indices, islice(stream, len(indices)), strict=True)
    return [save(sample, number, folder, split) for number, sample in drawn]


class _List:
    """A file that only ever holds whole lines, also where the disk is full."""

    def __init__(self, path: Path) -> None:
        # Unbuffered: what a failed write left can be taken back at once.
        self._file = path.open("wb", buffering=0)
        self._size = 0

    def append(self, line: str) -> None:
        data = line.encode()
        try:
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except BaseException:
            self._file.truncate(self._size)
            raise
        self._size += len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


@dataclass(frozen=True)
class _Lists:
    """``pairs.jsonl``, and the list that the layout has of its own."""

    pairs: _List
    index: _List | None

    def append(self, entry: Entry) -> None:
        if self.index is not None:
            self.index.append(entry.index_line)
        line = {"image": entry.image, "target": entry.target, "key": entry.key}
        self.pairs.append(json.dumps(line, ensure_ascii=False) + "\n")


@contextmanager
def _lists(head: str, folder: Path) -> Iterator[_Lists]:
    """The lists, begun anew. Raises :class:`docai.errors.SettingError` where they cannot be."""
    index = INDEXES.get(head)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pairs = _List(folder / PAIRS_FILE)
    except OSError as error:
        raise SettingError(
            f"The folder {folder} cannot be written to: {error.strerror}. Choose another one."
        ) from None
    with pairs:
        if index is None:
            yield _Lists(pairs, None)
            return
        with _List(folder / index.name) as listed:
            listed.append(index.head_line)
            yield _Lists(pairs, listed)


@contextmanager
def _explained(folder: Path, n_done: Callable[[], int]) -> Iterator[None]:
    """Errors of the disk, and of absent packages, in a sentence that says what is left."""
    try:
        yield
    except OSError as error:
        raise DocaiError(
            f"Writing to {folder} failed: {error.strerror or error}. The {n_done()} pairs listed there are "
            "complete; make room or choose another folder, and draw again."
        ) from None
