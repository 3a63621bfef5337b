"""Documents read several at a time and given in their order, without a run folder.

Each goes through a worker process as those of a run do (:mod:`docai.pipelines.batch.document`), and the model
has a process of its own that all share. Nothing is kept for a later call: what ``docai process`` does with
several inputs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from threading import Lock, local
from types import TracebackType
from typing import Final, NamedTuple, Self

from docai.errors import DamagedSourceError, NotAResultError, OutputError, RunFolderError, SettingError
from docai.pipelines.batch.document import DocumentReader, Outcome
from docai.pipelines.batch.events import Event
from docai.pipelines.batch.manifest import Row
from docai.pipelines.batch.run import Setup, default_workers
from docai.pipelines.batch.worker import JSON, Job
from docai.pipelines.external.children import WorkerError
from docai.records import Document

AHEAD: Final = 4
"""Documents for each worker that are read, or wait for it, before the one that is given next."""


class PoolInput(NamedTuple):
    """A document to read."""

    path: Path
    data: bytes | None = None
    """Its content, where it is no file; ``path`` is its name then."""


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
        self._is_stopped = False

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
        waiting: deque[tuple[int, Future[Outcome]]] = deque()
        left = enumerate(inputs)
        try:
            while True:
                for number, one in islice(left, AHEAD * self._n_workers - len(waiting)):
                    waiting.append((number, self._threads.submit(self._read, number, one)))
                if not waiting:
                    return
                number, future = waiting[0]
                outcome = future.result()
                waiting.popleft()
                yield number, self._given(number, outcome)
        except KeyboardInterrupt:
            self._stop()
            for number, future in waiting:
                if future.done() and not future.cancelled() and future.exception() is None:
                    yield number, self._given(number, future.result())
            raise

    def _read(self, number: int, one: PoolInput) -> Outcome:
        """In a thread."""
        reader = self._reader()
        job = Job(
            path=one.path,
            options=self._setup.options,
            model=self._model,
            folder=self._temporary / "pages" / str(number),
            results=((self._result(number), self._setup.exporters[JSON]),),
            key="",
            writable=(self._temporary,),
            pages=self._pages,
            password=self._password,
            data=one.data,
            keep_times=True,
        )
        try:
            return reader.read(Row(number, str(one.path), one.path.name), job)
        except RunFolderError as error:
            raise SettingError(
                f"There is no room for temporary files ({error}): make room in {self._temporary.parent}, or "
                "name another folder with the environment variable TMPDIR."
            ) from error

    def _reader(self) -> DocumentReader:
        """That of this thread."""
        reader: DocumentReader | None = getattr(self._own, "reader", None)
        if reader is None:
            with self._lock:
                folder = self._temporary / f"worker-{len(self._readers)}"
                folder.mkdir()
                reader = self._own.reader = DocumentReader(self._emit, folder)
                self._readers.append(reader)
                if self._is_stopped:
                    reader.stop()
        return reader

    def _given(self, number: int, outcome: Outcome) -> Document | Exception:
        """What a caller gets; nothing of the document is left on the disk."""
        if outcome.error is not None:
            is_lost = isinstance(outcome.error, WorkerError)
            return DamagedSourceError(outcome.reason, source="") if is_lost else outcome.error
        path = self._result(number)
        try:
            return Document.from_json(path.read_bytes())
        except (OSError, NotAResultError) as error:
            return OutputError(f"The result in {path} cannot be read any more ({error}).")
        finally:
            with suppress(OSError):
                path.unlink()

    def _result(self, number: int) -> Path:
        return self._temporary / "results" / f"{number}.json"

    def _stop(self) -> None:
        with self._lock:
            self._is_stopped = True
            for reader in self._readers:
                reader.stop()
