"""One document through a worker process, whatever happens to that.

A page that crashes the process, or holds it longer than any page may take, is tried once more in a new one
and then given up: it becomes a page that could not be read, and the other pages are read. A document that
cannot be opened twice has failed. What is the fault of the setup, or of a full disk, ends the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from typing import Final, ParamSpec, TypeVar

from docai.base import counted
from docai.errors import (
    SETUP_ERRORS,
    ConfigurationError,
    DocaiError,
    ModelLostError,
    SettingError,
    SourceChangedError,
)
from docai.limits import Limits
from docai.pipelines.batch import worker
from docai.pipelines.batch.events import DocumentStarted, Event, ModelAwaited, PageRead
from docai.pipelines.batch.manifest import Row, State
from docai.pipelines.batch.pages import MODEL_FAILED
from docai.pipelines.batch.sharing import SharedPages
from docai.pipelines.batch.worker import Finished, Job, Opened
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError

MAX_DOCUMENTS: Final = 200
"""That one process reads before another takes its place, whatever it may have kept."""

MAX_WORKER_MEMORY: Final = 3 << 30
"""Bytes, at most resident with all its children, above which a process is replaced after its document."""

TRIES: Final = 2
"""Processes that a page, or the opening of a document, may end."""

CHANGES: Final = 3
"""Times that a document is read again because it was written to."""

MODEL_SECONDS: Final = 1800.0
"""That a model which is lost, on a server or on a cluster, may take to come back, before the run ends."""

MODEL_PAUSE_SECONDS: Final = 10.0
"""Between two attempts meanwhile."""

GRACE_SECONDS: Final = 120.0
"""Beyond the limits that a process keeps itself, before it is ended from outside."""

FINISH_SECONDS: Final = 5.0
"""For each page of a document and each of its results, beside that, to put it together and write it."""

P = ParamSpec("P")

R = TypeVar("R")

Offer = Callable[[SharedPages], AbstractContextManager[object]]
"""Lets other workers read pages of a document, too, within the block that it gives."""


class StoppedError(Exception):
    """The run is being stopped; the document waits for the next one."""


@dataclass(frozen=True)
class Outcome:
    """What became of a document."""

    state: State
    reason: str = ""
    code: str = ""
    opened: Opened | None = None
    finished: Finished | None = None
    error: Exception | None = None
    """Why it failed."""


class DocumentReader:
    """Reads one document at a time in a process of its own.

    Args:
        emit: is told what happens.
        temporary: a folder for the files that the process makes while it works.
        offer: lets other workers help with a document; None: nobody helps.
    """

    def __init__(self, emit: Callable[[Event], None], temporary: Path, offer: Offer | None = None) -> None:
        self._emit = emit
        self._offer = offer
        self._worker = CallWorker(
            "docai.pipelines.ingest.one_thread",
            worker.__name__,
            variables={"TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"},
            typed=True,
        )
        # Its own steps keep to the limits; PDFs and second readers have processes of their own.
        self._worker.limit(None)
        self._n_documents = 0
        self._n_pages = 0
        self._stopped = Flag()

    @property
    def pid(self) -> int | None:
        """Of the process; None where there is none."""
        return self._worker.pid

    def stop(self) -> None:
        """Give up at once, from another thread."""
        self._stopped.set()
        self._worker.stop()

    def close(self) -> None:
        self._worker.close()

    def read(self, row: Row, job: Job, ends_early: Callable[[], str] = lambda: "") -> Outcome:
        """Read a document to its results.

        Args:
            ends_early: asked before each page; words say why the pages that are left are given up, so that
                there is a result of those that were read.

        Raises:
            ConfigurationError, CheckpointError, AdapterError: nothing else could be read either.
            ServerError: so it is where the model runs elsewhere.
            StoppedError: :meth:`stop` was called.
        """
        try:
            return self._read_when_there_is_a_model(row, job, ends_early)
        except SettingError as error:
            # Such as a selection of pages that this one document does not have.
            return _failed(error)
        except SETUP_ERRORS:
            raise
        except DocaiError as error:
            return _failed(error)
        except WorkerError as error:
            return _failed(error, f"{job.path} was given up: {error}.")
        except Exception as error:
            if self._stopped.is_set():
                raise StoppedError from error
            # A fault of docai itself costs this document alone.
            return _failed(error, f"{type(error).__name__}: {error}")
        finally:
            self._count_document()

    def _read_when_there_is_a_model(self, row: Row, job: Job, ends_early: Callable[[], str]) -> Outcome:
        lost: float | None = None
        while True:
            n_pages = self._n_pages
            try:
                return self._read(row, job, ends_early)
            except ModelLostError as error:
                # Nothing that is read without it would be worth keeping, and somebody may start it again.
                if lost is None or self._n_pages > n_pages:
                    lost = time.monotonic()
                if time.monotonic() - lost > MODEL_SECONDS:
                    raise
                self._emit(ModelAwaited(row, str(error)))
            if self._stopped.wait(MODEL_PAUSE_SECONDS):
                raise StoppedError

    def help(self, pages: SharedPages, job: Job) -> bool:
        """Read pages of a document that another worker has open, until none is left.

        Args:
            job: of that document, as this worker would read it.

        Returns:
            Whether it could help. What stops it is left to the owner, who meets it, too, if it is no fault of
            this process.

        Raises:
            StoppedError: :meth:`stop` was called.
        """
        job = replace(job, retry_failed=False, joins=True)
        try:
            opened = self._open(job)
            if opened.sha256 != pages.sha256:
                return False
            while pages.n_left:
                with pages.taken_by_helper() as number:
                    if number is not None:
                        self._read_page(pages.row, job, number)
            return True
        except StoppedError:
            raise
        except Exception:
            if self._stopped.is_set():
                raise StoppedError from None
            return False
        finally:
            self._end_help()

    def _end_help(self) -> None:
        """Close the document of another in the process; a process that cannot do that is ended."""
        try:
            if self._worker.pid is not None:
                peak = self._call(worker.close_joined, GRACE_SECONDS)
                if peak > MAX_WORKER_MEMORY:
                    self._replace()
        except Exception:
            self._replace()
        self._count_document()

    def _read(self, row: Row, job: Job, ends_early: Callable[[], str]) -> Outcome:
        for change in range(CHANGES):
            opened = self._open(job)
            if change == 0:
                self._emit(DocumentStarted(row, len(opened.numbers), len(opened.kept)))
            job = replace(job, retry_failed=False)
            left = [number for number in opened.numbers if number not in opened.kept]
            self._read_pages(SharedPages(row, opened.sha256, left), job, bool(opened.kept), ends_early)
            try:
                finished = self._finish(job, len(opened.numbers))
            except SourceChangedError:
                if change + 1 == CHANGES:
                    raise
                continue
            if finished.peak_memory > MAX_WORKER_MEMORY:
                self._replace()
            failed = (finished.problem, finished.problem_code) if finished.failed_pages else None
            return Outcome(*state_of(failed, finished.n_unanswered), opened, finished)
        raise AssertionError("a document is read or given up")

    def _read_pages(
        self, pages: SharedPages, job: Job, is_begun: bool, ends_early: Callable[[], str]
    ) -> None:
        """Read the pages that are left, with whoever helps.

        Args:
            is_begun: some were read before, so that the folder of the pages is there to be joined.
        """
        with ExitStack() as stack:
            stack.callback(pages.close)
            if not is_begun and (first := pages.take()) is not None:
                self._read_page(pages.row, job, first, ends_early())
            if self._offer is not None:
                stack.enter_context(self._offer(pages))
            while (number := pages.take()) is not None or pages.wait():
                if number is not None:
                    self._read_page(pages.row, job, number, ends_early())

    def _open(self, job: Job) -> Opened:
        for attempt in range(TRIES):
            try:
                return self._call(worker.open_document, _seconds(job.options.limits), job)
            except WorkerError:
                if attempt + 1 == TRIES:
                    raise
        raise AssertionError("a document is opened or given up")

    def _read_page(self, row: Row, job: Job, number: int, why_not: str = "") -> None:
        """Read a page, or give it up, and report it.

        Args:
            why_not: it is not to be read any more.
        """
        started = time.monotonic()
        n_records, problem = self._tried_page(job, number, why_not)
        self._n_pages += 1
        self._emit(PageRead(row, number, time.monotonic() - started, n_records, problem))

    def _tried_page(self, job: Job, number: int, why_not: str = "") -> tuple[int, str]:
        """How many records it has, and why it was given up."""
        if why_not:
            self._call(worker.give_up_page, GRACE_SECONDS, number, why_not)
            return 0, why_not
        for attempt in range(TRIES):
            try:
                return self._call(worker.read_page, _seconds(job.options.limits), number), ""
            except WorkerError as error:
                # The pages before it are on the disk.
                self._open(job)
                if attempt + 1 == TRIES:
                    self._call(worker.give_up_page, GRACE_SECONDS, number, str(error))
                    return 0, str(error)
        raise AssertionError("a page is read or given up")

    def _finish(self, job: Job, n_pages: int) -> Finished:
        seconds = _seconds(job.options.limits)
        if seconds is not None:
            seconds += FINISH_SECONDS * n_pages * (1 + len(job.results))
        for attempt in range(TRIES):
            try:
                return self._call(worker.finish_document, seconds)
            except WorkerError:
                if attempt + 1 == TRIES:
                    raise
                opened = self._open(job)
                # That of a single page is not on the disk.
                for number in set(opened.numbers) - opened.kept:
                    self._tried_page(job, number)
        raise AssertionError("a document is finished or given up")

    def _call(self, function: Callable[P, R], seconds: float | None, *args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(TRIES):
            if self._stopped.is_set():
                raise StoppedError
            try:
                return self._worker.call(function, seconds, *args, **kwargs)
            except WorkerError as error:
                if self._stopped.is_set():
                    raise StoppedError from error
                if not error.not_started:
                    raise
                # Somebody may have killed it, as a system does that is short of memory.
                if attempt + 1 == TRIES:
                    raise ConfigurationError(
                        f"Documents are read in a process that does not start: {error}."
                    ) from error
        raise AssertionError("a process starts or does not")

    def _count_document(self) -> None:
        self._n_documents += 1
        if self._n_documents >= MAX_DOCUMENTS:
            self._replace()

    def _replace(self) -> None:
        self._worker.close()
        self._n_documents = 0


def state_of(failed: tuple[str, str] | None, n_unanswered: int) -> tuple[State, str, str]:
    """State, reason and code of a document that was read.

    Args:
        failed: reason and code where pages of it could not be read.
        n_unanswered: regions about which the model gave no answer.
    """
    if failed is not None:
        return "partial", *failed
    if n_unanswered:
        regions = counted(n_unanswered, "region")
        reason = f"The model did not answer about {regions}: --retry-failed asks again."
        return "partial", reason, MODEL_FAILED
    return "done", "", ""


def _failed(error: Exception, reason: str = "") -> Outcome:
    return Outcome("failed", reason or str(error), type(error).__name__, error=error)


def _seconds(limits: Limits) -> float | None:
    """What one call may take: the process keeps to the limits itself, unless it hangs."""
    page, step = limits.max_seconds_per_page, limits.max_seconds_per_step
    return None if page is None or step is None else page + step + GRACE_SECONDS
