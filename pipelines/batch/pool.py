"""Documents read several at a time, without a run folder.

Each goes through a worker process as those of a run do (:mod:`docai.pipelines.batch.document`), and the model
has a process of its own that all share. Nothing is kept for a later call. :meth:`DocumentPool.read` gives
documents in their order, as ``docai process`` does with several inputs; :meth:`DocumentPool.submit` takes
them one by one, as they come to a service.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from threading import Lock, local
from types import TracebackType
from typing import Final, NamedTuple, Self

from docai.document import Document
from docai.errors import DamagedSourceError, NotAResultError, OutputError, RunFolderError, SettingError
from docai.options import Options
from docai.pipelines.batch.document import DocumentReader, Outcome, StoppedError
from docai.pipelines.batch.events import Event
from docai.pipelines.batch.manifest import Row
from docai.pipelines.batch.run import Setup, default_workers
from docai.pipelines.batch.worker import JSON, Job
from docai.pipelines.external.children import WorkerError

AHEAD: Final = 4
"""Documents for each worker that are read, or wait for it, before the one that is given next."""


class PoolInput(NamedTuple):
    """A document to read."""

    path: Path
    data: bytes | None = None
    """Its content, where it is no file; ``path`` is its name then."""
    pages: str | None = None
    """None: those of the pool."""
    password: str | None = None
    """None: that of the pool."""
    options: Options | None = None
    """How it is read; None: as the pool reads."""
    name: str | None = None
    """In its result; None: the path, as it is."""


class Reading:
    """A document that was put to a pool. Its methods may be called from any thread.

    Attributes:
        number: what events call it, see :attr:`docai.pipelines.batch.manifest.Row.number`.
        result: where its JSON is, once it is read.
        future: what became of it, see :meth:`DocumentPool.submit`.
    """

    def __init__(self, number: int, result: Path) -> None:
        self.number = number
        self.result = result
        self.future: Future[Outcome] = Future()
        self._lock = Lock()
        self._reader: DocumentReader | None = None
        self._is_cancelled = False
        self._why_early = ""

    def cancel(self) -> None:
        """Give up at once: ``future`` is cancelled or ends with a StoppedError, unless it has ended."""
        with self._lock:
            self._is_cancelled = True
            self.future.cancel()
            if self._reader is not None:
                self._reader.stop()

    def end_early(self, why: str) -> None:
        """Give up the pages that are not begun, with these words, for a result of those that were read."""
        self._why_early = why

    def _ends_early(self) -> str:
        return self._why_early

    def _begin(self, reader: DocumentReader) -> None:
        with self._lock:
            if self._is_cancelled:
                raise StoppedError
            self._reader = reader

    def _end(self) -> bool:
        """Whether its reader was stopped."""
        with self._lock:
            self._reader = None
            return self._is_cancelled


class DocumentPool:
    """Worker processes that read documents; use it in a ``with`` block.

    Args:
        setup: how they are read; of its exporters that of JSON is used.
        temporary: an empty folder for results that are not given yet.
        pages, password: of every document.
        emit: is told what happens, by several threads.
    """

    def __init__(
        self,
        setup: Setup,
        temporary: Path,
        *,
        pages: str | None = None,
        password: str | None = None,
        emit: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self._setup = setup
        self._temporary = temporary
        self._pages = pages
        self._password = password
        self._emit = emit
        self._server, self._model = setup.start_model(temporary)
        self._n_workers = setup.n_workers or default_workers()
        self._threads = ThreadPoolExecutor(self._n_workers, "docai-pool")
        self._own = local()
        self._lock = Lock()
        self._readers: list[DocumentReader] = []
        self._numbers = count()
        self._folder_numbers = count()
        self._is_stopped = False

    @property
    def n_workers(self) -> int:
        """Documents that are read at a time."""
        return self._n_workers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._threads.shutdown(cancel_futures=True)
        for reader in self._readers:
            reader.close()
        self._server.close()

    def read(self, inputs: Iterable[PoolInput]) -> Iterator[tuple[int, Document | Exception]]:
        """The number of each input, from 0 and in their order, with what was read or why it was not.

        Ctrl-C ends the reading; what was finished by then is given before it is passed on.

        Raises:
            ConfigurationError, CheckpointError, AdapterError: nothing else could be read either.
        """
        waiting: deque[tuple[int, Reading]] = deque()
        left = enumerate(inputs)
        try:
            while True:
                for number, one in islice(left, AHEAD * self._n_workers - len(waiting)):
                    waiting.append((number, self.submit(one)))
                if not waiting:
                    return
                number, reading = waiting[0]
                reading.future.result()
                waiting.popleft()
                yield number, self._given(reading)
        except KeyboardInterrupt:
            self._stop()
            for number, reading in waiting:
                future = reading.future
                if future.done() and not future.cancelled() and future.exception() is None:
                    yield number, self._given(reading)
            raise

    def submit(self, one: PoolInput) -> Reading:
        """Put a document behind those that wait. Its result stays until :meth:`discard`.

        ``future`` of what is returned has the outcome of its reading. It raises ConfigurationError,
        CheckpointError or AdapterError where nothing else could be read either, and StoppedError or
        CancelledError after :meth:`Reading.cancel`.
        """
        number = next(self._numbers)
        reading = Reading(number, self._temporary / "results" / f"{number}.json")
        reading.future = self._threads.submit(self._read, reading, one)
        return reading

    def discard(self, reading: Reading) -> None:
        """Remove what is on the disk of a document that has ended."""
        with suppress(OSError):
            reading.result.unlink()
        shutil.rmtree(self._pages_of(reading), ignore_errors=True)

    def _read(self, reading: Reading, one: PoolInput) -> Outcome:
        """In a thread."""
        job = Job(
            path=one.path,
            options=one.options or self._setup.options,
            model=self._model,
            folder=self._pages_of(reading),
            results=((reading.result, self._setup.exporters[JSON]),),
            key="",
            writable=(self._temporary,),
            pages=self._pages if one.pages is None else one.pages,
            password=self._password if one.password is None else one.password,
            data=one.data,
            keep_times=True,
            name=one.name,
        )
        reader = self._reader()
        try:
            reading._begin(reader)
            return reader.read(
                Row(reading.number, str(one.path), one.path.name), job, ends_early=reading._ends_early
            )
        except RunFolderError as error:
            raise SettingError(
                f"There is no room for temporary files ({error}): make room in {self._temporary.parent}, or "
                "name another folder with the environment variable TMPDIR."
            ) from error
        finally:
            if reading._end():
                self._replace_reader(reader)

    def _reader(self) -> DocumentReader:
        """That of this thread."""
        reader: DocumentReader | None = getattr(self._own, "reader", None)
        if reader is None:
            with self._lock:
                self._own.folder = self._temporary / f"worker-{next(self._folder_numbers)}"
                self._own.folder.mkdir()
                reader = self._own.reader = DocumentReader(self._emit, self._own.folder)
                self._readers.append(reader)
                if self._is_stopped:
                    reader.stop()
        return reader

    def _replace_reader(self, reader: DocumentReader) -> None:
        """One that was stopped reads nothing more; the next document of this thread gets another."""
        reader.close()
        with self._lock:
            self._readers.remove(reader)
        shutil.rmtree(self._own.folder, ignore_errors=True)
        self._own.reader = None

    def _given(self, reading: Reading) -> Document | Exception:
        """What a caller gets; nothing of the document is left on the disk."""
        outcome = reading.future.result()
        try:
            if outcome.error is not None:
                return as_input_error(outcome)
            return Document.from_json(reading.result.read_bytes())
        except (OSError, NotAResultError) as error:
            return OutputError(f"The result in {reading.result} cannot be read any more ({error}).")
        finally:
            self.discard(reading)

    def _pages_of(self, reading: Reading) -> Path:
        return self._temporary / "pages" / str(reading.number)

    def _stop(self) -> None:
        with self._lock:
            self._is_stopped = True
            for reader in self._readers:
                reader.stop()


def as_input_error(outcome: Outcome) -> Exception:
    """Why a document failed; one that ended its processes is damaged, in a caller's words."""
    assert outcome.error is not None
    is_lost = isinstance(outcome.error, WorkerError)
    return DamagedSourceError(outcome.reason, source="") if is_lost else outcome.error
