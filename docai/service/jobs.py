"""The documents of a service: a bounded queue before the worker processes, and results for a while.

All of it happens in one event loop; what worker threads tell comes there first.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from filelock import FileLock, Timeout

from docai.errors import DocaiError, TooMuchTimeError
from docai.options import Options
from docai.pipelines.batch.document import Outcome, StoppedError
from docai.pipelines.batch.events import DocumentStarted, Event, PageRead
from docai.pipelines.batch.model_client import new_address
from docai.pipelines.batch.pool import DocumentPool, PoolInput, Reading, as_input_error
from docai.pipelines.batch.run import Setup
from docai.service.display import Display, Shown, forget
from docai.service.job import Job
from docai.service.terms import Terms

_log = logging.getLogger(__name__)

PREFIX: Final = "docai-serve-"
"""Of the private folders of services."""

STOPPING: Final = "the service was stopped before it was read"

_CLEAN_SECONDS: Final = 1.0

_POLL_SECONDS: Final = 0.1

_MAX_RETRY: Final = 600


class BusyError(Exception):
    """The queue is full, or the service is being stopped; ``retry_after`` is in seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class JobBook:
    """All jobs of a service, its worker processes and its private folder. Use it in an ``async with`` block.

    Args:
        setup: how documents are read; its model is loaded once, for all.
        terms: what is allowed.
        on_end: is told of each job that has ended, with what became of it in the workers.
    """

    def __init__(
        self, setup: Setup, terms: Terms, on_end: Callable[[Job, Outcome | None], None] = lambda *_: None
    ) -> None:
        self.setup = setup
        self.terms = terms
        self.jobs: dict[str, Job] = {}
        self.is_stopping = False
        self._on_end = on_end
        self._n_reserved = 0
        self._seconds = 0.0
        """That a document took of late."""
        self._running: dict[int, Job] = {}
        """By the number of their reading."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        _remove_left_over()
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = FileLock(self.folder / "lock")
        self._lock.acquire(blocking=False)
        for name in ("pool", "uploads"):
            (self.folder / name).mkdir()
        self.pool = DocumentPool(self.setup, self.folder / "pool", emit=self._hear)
        self.display = Display(self.folder)
        self._cleaner = asyncio.create_task(self._clean_up())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        self._cleaner.cancel()
        await asyncio.to_thread(self.display.close)
        await asyncio.to_thread(self.pool.__exit__, None, None, None)
        self._lock.release()
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    @property
    def n_running(self) -> int:
        return sum(job.state == "running" for job in self.jobs.values())

    @property
    def n_waiting(self) -> int:
        """Those in the queue, and those that are arriving."""
        return self._n_reserved + sum(job.state == "queued" for job in self.jobs.values())

    def reserve(self) -> None:
        """Take a place in the queue before a document is let in, for :meth:`submit` or :meth:`give_back`.

        Raises:
            BusyError: there is none.
        """
        if self.is_stopping:
            raise BusyError("The service is being stopped: ask again when it is back.", 30)
        n_places = self.pool.n_workers + self.terms.max_waiting
        if self.n_running + self.n_waiting >= n_places:
            seconds = math.ceil((self._seconds or 1.0) * self.n_waiting / self.pool.n_workers)
            raise BusyError(
                f"{n_places} documents are being read or wait already: ask again later.",
                min(max(seconds, 1), _MAX_RETRY),
            )
        self._n_reserved += 1

    def give_back(self) -> None:
        """Leave a place that was reserved."""
        self._n_reserved -= 1

    def new_folder(self) -> Path:
        """For an upload, with a name that nobody can guess."""
        folder = self.folder / "uploads" / secrets.token_hex(16)
        folder.mkdir()
        return folder

    def submit(
        self,
        path: Path,
        *,
        folder: Path,
        options: Options,
        pages: str | None = None,
        password: str | None = None,
        is_kept: bool = True,
    ) -> Job:
        """Put a document in the place that was reserved for it.

        Args:
            folder: from :meth:`new_folder`; it is removed with the job.
        """
        job = Job(folder.name, path.name, path, folder, is_kept=is_kept)
        job.page_seconds = options.limits.max_seconds_per_page or self.terms.max_seconds
        self.jobs[job.id] = job
        one = PoolInput(path, pages=pages, password=password, options=options, name=job.name)
        job.reading = self.pool.submit(one)
        self._running[job.reading.number] = job
        shown = Shown(self.folder, job.reading.result, path, job.name, password, options.limits)
        task = asyncio.create_task(self._follow(job, job.reading, shown))
        self._tasks.add(task)
        self.give_back()
        task.add_done_callback(self._tasks.discard)
        return job

    def cancel(self, job: Job) -> None:
        """Give a job up, unless it has ended."""
        if not job.has_ended and job.reading is not None:
            job.reading.cancel()

    async def remove(self, job: Job) -> None:
        """Give a job up, and remove all that is of it."""
        self.cancel(job)
        await job.end()
        self.jobs.pop(job.id, None)
        if job.reading is not None:
            self.pool.discard(job.reading)
        if job.shown is not None:
            with suppress(OSError):
                job.shown.result.with_suffix(".corrections.json").unlink()
            await asyncio.to_thread(self._forget, job.shown)
        await asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True)

    async def stop(self) -> None:
        """Let nothing more in; end what is being read with the pages that are read by then.

        What somebody still has to fetch stays for a while: what is left of ``Terms.stop_seconds``.
        """
        if self.is_stopping:
            return
        self.is_stopping = True
        until = self._loop.time() + self.terms.stop_seconds
        left = [job for job in self.jobs.values() if not job.has_ended]
        for job in left:
            if job.state == "queued":
                self.cancel(job)
            elif job.reading is not None:
                job.reading.end_early(STOPPING)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(job.end() for job in left)), self.terms.stop_seconds)
        for job in left:
            self.cancel(job)
        await asyncio.gather(*self._tasks)
        while self._loop.time() < until and any(
            job.shown is not None and not job.is_fetched and job.id in self.jobs for job in left
        ):
            await asyncio.sleep(_POLL_SECONDS)

    def _forget(self, shown: Shown) -> None:
        if self.display.pid is not None:
            # One that crashed has nothing open.
            with suppress(Exception):
                self.display.call(forget, shown)

    def _hear(self, event: Event) -> None:
        """In a thread of the pool."""
        # While the loop is closed nobody listens any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._note, event)

    def _note(self, event: Event) -> None:
        if not isinstance(event, DocumentStarted | PageRead):
            return
        job = self._running.get(event.row.number)
        if job is None:
            return
        if isinstance(event, DocumentStarted):
            job.state, job.started, job.n_pages = "running", time.time(), event.n_pages
            job.n_read = event.n_kept
            reading = job.reading
            assert reading is not None
            job.timer = self._loop.call_later(self.terms.max_seconds, self._end_early, job, reading)
            if self.is_stopping:
                reading.end_early(STOPPING)
        else:
            job.n_read += 1
            job.n_records += event.n_records
        job.tell()

    def _end_early(self, job: Job, reading: Reading) -> None:
        """The time of a document is over; the page that is being read has that of a page."""
        reading.end_early(f"the {self.terms.max_seconds:g} seconds of one document were over")
        job.timer = self._loop.call_later(job.page_seconds, self._give_up, job, reading)

    def _give_up(self, job: Job, reading: Reading) -> None:
        """Such as one that waits for a model server that is lost."""
        job.error = TooMuchTimeError(
            f"{job.name} was given up: its last page did not end {job.page_seconds:g} s after the "
            f"{self.terms.max_seconds:g} s of one document. Read fewer pages, or raise --seconds.",
            source=job.name,
        )
        reading.cancel()

    async def _follow(self, job: Job, reading: Reading, shown: Shown) -> None:
        """Until it has ended."""
        outcome: Outcome | None = None
        try:
            outcome = await asyncio.wrap_future(reading.future)
        except (StoppedError, CancelledError, asyncio.CancelledError):
            job.state = "cancelled" if job.error is None else "failed"
        except Exception as error:
            job.state, job.error = "failed", error
            if not isinstance(error, DocaiError):
                _log.error("A document could not be read.", exc_info=error)
        job.ended = time.time()
        if job.timer is not None:
            job.timer.cancel()
        self._running.pop(reading.number, None)
        if outcome is not None:
            self._take(job, outcome, shown)
        self._on_end(job, outcome)
        job.tell()

    def _take(self, job: Job, outcome: Outcome, shown: Shown) -> None:
        if outcome.error is not None:
            job.state, job.error = "failed", as_input_error(outcome)
            return
        assert outcome.finished is not None
        job.state = "partial" if outcome.state == "partial" else "done"
        job.n_pages, job.n_records = outcome.finished.n_pages, outcome.finished.n_records
        job.shown = shown
        if job.started is not None and job.ended is not None:
            seconds = job.ended - job.started
            self._seconds = seconds if not self._seconds else 0.7 * self._seconds + 0.3 * seconds

    async def _clean_up(self) -> None:
        """Remove what was kept long enough."""
        while True:
            await asyncio.sleep(_CLEAN_SECONDS)
            for job in self._too_old():
                await self.remove(job)

    def _too_old(self) -> list[Job]:
        ended = sorted(
            (job for job in self.jobs.values() if job.is_kept and job.ended is not None),
            key=lambda job: job.ended or 0.0,
        )
        until = time.time() - self.terms.keep_seconds
        n_over = len(ended) - self.terms.max_kept
        return [job for place, job in enumerate(ended) if place < n_over or (job.ended or 0.0) < until]


def check_temporary() -> None:
    """Whether the private folder of a service can be made. Raises :class:`docai.errors.SettingError`."""
    # As long as that of `mkdtemp`.
    new_address(Path(tempfile.gettempdir()) / f"{PREFIX}{'x' * 8}" / "pool")


def _remove_left_over() -> None:
    """Remove the folders of services of this user that were killed: their locks are free."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock = folder / "lock"
        try:
            # In a folder of another user the lock may be a link to a file of this one.
            is_own = not hasattr(os, "getuid") or folder.lstat().st_uid == os.getuid()
            if is_own and lock.is_file() and not folder.is_symlink():
                with FileLock(lock, blocking=False):
                    pass
                shutil.rmtree(folder, ignore_errors=True)
        except (OSError, Timeout):
            # It lives, or is another user's.
            continue
