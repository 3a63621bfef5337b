"""All documents of a run, several at a time.

Threads of this process take rows from the manifest and put each through a process of its own
(:class:`~docai.pipelines.batch.document.DocumentReader`); this process itself opens no document. A row says
``done`` only after its results are on the disk: a run that is killed at any moment goes on where it was.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Lock, Thread, current_thread
from typing import Any, Final

from docai.errors import DocaiError
from docai.options import Options
from docai.pipelines.batch.document import DocumentReader, Outcome, StoppedError
from docai.pipelines.batch.events import DocumentEnded, DocumentStarted, Event, PageRead, RunEnded, RunStarted
from docai.pipelines.batch.folder import RunFolder
from docai.pipelines.batch.inputs import restored
from docai.pipelines.batch.manifest import Row
from docai.pipelines.batch.model_client import Address, ModelAddress, new_address
from docai.pipelines.batch.model_server import ModelServer, ModelSpec
from docai.pipelines.batch.ray_cluster import RayCluster
from docai.pipelines.batch.scratch import Scratch
from docai.pipelines.batch.sharing import SharedDocuments, SharedPages
from docai.pipelines.batch.waiting import RETRY, facts_columns, prepare, settle_old_result
from docai.pipelines.batch.worker import Exporter, Job

SCRATCH: Final = "docai-batch-"
"""Begins the name of a folder of temporary files."""

MAX_HELPERS: Final = 64
"""Workers at most where fewer documents wait."""


@dataclass(frozen=True)
class Setup:
    """How the documents of a run are read."""

    options: Options
    model: ModelSpec
    name: str
    """Of the model, with its revision."""
    heads: Mapping[str, float | None]
    """For which it has weights, each with its measured accuracy."""
    exporters: Mapping[str, Exporter | None]
    """Extension → what makes the bytes: a function of a module. None: docai's own JSON."""
    n_workers: int | None = None
    """Processes that read documents; None: see :func:`default_workers`, on a cluster as many as it has
    room for."""
    cluster: RayCluster | None = None
    """Where they are read; None: on this machine."""
    side: int | None = None
    """Of the crops that the model reads, pixels; None: that of each head."""

    def model_at(self, address: Address, key: bytes) -> ModelAddress:
        """What a worker knows of the model, which is behind that address."""
        return ModelAddress(self.name, self.heads, address, key, self.side)

    def start_model(self, folder: Path) -> tuple[ModelServer, ModelAddress]:
        """The process of the model, to be closed, and where workers find it: a socket in the folder."""
        key, address = secrets.token_bytes(32), new_address(folder)
        return ModelServer(self.model, address, key), self.model_at(address, key)


class RunBase:
    """What is the same of a run wherever its documents are read: what waits, and what its rows say.

    Args:
        retry_failed: rows that failed wait again, and pages that failed are read again.
        passwords: path of an input → what opens it; they are in no file of the run.
        notes: what the first event says beside.
    """

    def __init__(
        self,
        folder: RunFolder,
        setup: Setup,
        *,
        retry_failed: bool = False,
        passwords: Mapping[str, str] | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._folder = folder
        self._setup = setup
        self._retry_failed = retry_failed
        self._notes = notes
        self._is_stopped = False
        self._passwords = passwords or {}
        self._waiting = prepare(folder, tuple(setup.exporters), setup.name, retry_failed=retry_failed)
        """Numbers of the rows that are to be read."""
        self._started = 0.0

    def _begin(self) -> RunStarted:
        self._started = time.monotonic()
        counts = self._folder.manifest.counts()
        return RunStarted(sum(counts.values()), counts["waiting"], self._notes)

    def _end(self, fault: BaseException | None) -> RunEnded:
        manifest, seconds = self._folder.manifest, time.monotonic() - self._started
        return RunEnded(manifest.counts(), manifest.totals(), seconds, "" if fault is None else str(fault))

    def _finish(self, before: Row, attempts: int, seconds: float, outcome: Outcome) -> DocumentEnded:
        """Write down what became of a document.

        Args:
            before: its row as it was.
            attempts, seconds: of this run.
        """
        manifest, suffixes = self._folder.manifest, tuple(self._setup.exporters)
        values: dict[str, Any] = {"state": outcome.state, "reason": outcome.reason, "code": outcome.code}
        if outcome.finished is None:
            values |= settle_old_result(self._folder.store, before, suffixes, outcome.reason)
        manifest.update(
            before.number,
            **({} if outcome.opened is not None else facts_columns(before)),
            attempts=before.attempts + attempts,
            settings=self._folder.fingerprint,
            model=self._setup.name,
            seconds=round(before.seconds + seconds, 3),
            **_outcome_columns(outcome),
            **values,
        )
        places = (self._folder.store.place(before.name, suffix) for suffix in suffixes)
        results = () if outcome.finished is None else tuple(map(str, places))
        return DocumentEnded(manifest.row(before.number), results)

    def _put_off(self, before: Row, reason: str) -> None:
        """What was not the document's fault: it waits, and this attempt does not count."""
        self._folder.manifest.update(before.number, state="waiting", attempts=before.attempts, reason=reason)


class Run(RunBase):
    """The reading of what waits in a run folder, on this machine; iterate over it once. See
    :class:`RunBase` for the arguments."""

    def __init__(self, folder: RunFolder, setup: Setup, **options: Any) -> None:
        super().__init__(folder, setup, **options)
        self._lock = Lock()
        self._events: Queue[Event | BaseException | None] = Queue()
        self._left = iter(self._waiting)
        self._readers: list[DocumentReader] = []
        self._server: ModelServer | None = None
        self._shared = SharedDocuments(0)
        self._temporary = Path()
        self._begun_before: set[int] = set()
        """Documents of several pages that runs before have begun, and of which this one has read none."""

    @property
    def model_pid(self) -> int | None:
        """The process of the model; None where there is none."""
        return None if self._server is None else self._server.pid

    def __iter__(self) -> Iterator[Event]:
        """What happens, as it happens; leaving the loop stops the run.

        Raises:
            ConfigurationError, CheckpointError, AdapterError: nothing more can be read. What was finished is
                kept, and what was being read waits.
        """
        begin = self._begin()
        yield begin
        fault: BaseException | None = None
        with ExitStack() as stack:
            scratch = Scratch(SCRATCH)
            stack.callback(scratch.close)
            self._temporary = scratch.path
            self._server, model = self._setup.start_model(self._temporary)
            stack.callback(self._server.close)
            # Those that find no document help with the pages of others.
            n_workers = min(self._setup.n_workers or default_workers(), max(begin.n_waiting, MAX_HELPERS))
            n_left = n_workers if begin.n_waiting else 0
            self._shared = SharedDocuments(n_left)
            threads: list[Thread] = []
            stack.callback(self._join, threads)
            for number in range(n_left):
                thread = Thread(target=self._work, args=(model,), name=f"docai-batch-{number}", daemon=True)
                thread.start()
                threads.append(thread)
            while n_left:
                event = self._events.get()
                if event is None:
                    n_left -= 1
                elif isinstance(event, BaseException):
                    fault = fault or event
                    self.stop()
                else:
                    yield event
        yield self._end(fault)
        if fault is not None:
            raise fault

    def stop(self) -> None:
        """End at once; documents that are being read wait for the next run."""
        with self._lock:
            self._is_stopped = True
            for reader in self._readers:
                reader.stop()
        self._shared.end()

    def _join(self, threads: list[Thread]) -> None:
        self.stop()
        for thread in threads:
            thread.join()

    def _work(self, model: ModelAddress) -> None:
        """What each thread does."""
        reader: DocumentReader | None = None
        try:
            try:
                reader = self._new_reader()
                while (row := self._next()) is not None:
                    self._read(reader, row, model)
            finally:
                self._shared.leave()
            refused: list[SharedPages] = []
            while (pages := self._shared.wait(refused)) is not None:
                if not reader.help(pages, self._job(pages.row, model)):
                    refused.append(pages)
                    self._shared.refuse(pages)
        except StoppedError:
            pass
        except BaseException as error:
            self._events.put(error)
        finally:
            if reader is not None:
                reader.close()
            self._events.put(None)

    def _new_reader(self) -> DocumentReader:
        temporary = self._temporary / current_thread().name
        temporary.mkdir()
        reader = DocumentReader(self._take_event, temporary, self._shared.offer)
        with self._lock:
            self._readers.append(reader)
            if self._is_stopped:
                reader.stop()
        return reader

    def _take_event(self, event: Event) -> None:
        """What a reader tells. A run that keeps a page is no run that ended on its document."""
        if isinstance(event, DocumentStarted) and event.row.attempts and event.n_pages > 1:
            self._begun_before.add(event.row.number)
        if isinstance(event, PageRead) and event.row.number in self._begun_before:
            self._begun_before.discard(event.row.number)
            self._folder.manifest.update(event.row.number, attempts=1)
        self._events.put(event)

    def _next(self) -> Row | None:
        with self._lock:
            if self._is_stopped:
                return None
            number = next(self._left, None)
        return None if number is None else self._folder.manifest.row(number)

    def _read(self, reader: DocumentReader, row: Row, model: ModelAddress) -> None:
        self._folder.manifest.update(row.number, state="running", attempts=row.attempts + 1, reason="")
        started = time.monotonic()
        try:
            outcome = reader.read(row, self._job(row, model))
        except BaseException as error:
            self._put_off(row, str(error) if isinstance(error, DocaiError) else "")
            raise
        self._events.put(self._finish(row, 1, time.monotonic() - started, outcome))

    def _job(self, row: Row, model: ModelAddress) -> Job:
        options = json.loads(row.options)
        return Job(
            path=restored(row.path),
            options=self._setup.options,
            model=model,
            folder=self._folder.pages / str(row.number),
            results=tuple(
                (self._folder.result(row.name, suffix), exporter)
                for suffix, exporter in self._setup.exporters.items()
            ),
            key=self._folder.fingerprint,
            writable=(self._folder.results, self._folder.pages, self._temporary / current_thread().name),
            pages=options.get("pages"),
            password=self._passwords.get(row.path),
            retry_failed=self._retry_failed or row.code == RETRY,
        )


def _outcome_columns(outcome: Outcome) -> dict[str, Any]:
    """What a row says of a document that was read."""
    values: dict[str, Any] = {}
    if outcome.opened is not None:
        values |= {
            "sha256": outcome.opened.sha256,
            "n_bytes": outcome.opened.n_bytes,
            "modified": outcome.opened.modified,
        }
    if outcome.finished is not None:
        values |= {
            "pages": outcome.finished.n_pages,
            "failed_pages": len(outcome.finished.failed_pages),
            "records": outcome.finished.n_records,
            "errors": outcome.finished.n_errors,
            "warnings": outcome.finished.n_warnings,
            "peak_memory": outcome.finished.peak_memory,
            "confidences": json.dumps(dict(outcome.finished.confidences)),
            "doubtful": json.dumps(list(outcome.finished.doubtful)),
        }
    return values


def default_workers() -> int:
    """Documents that are read at a time: their own processes and the second readers share the cores."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, n_cores // 2)
