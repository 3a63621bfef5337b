"""What goes wrong in a worker process, for tests: functions that take the place of those of the worker."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from docai.errors import RunFolderError
from docai.pipelines.batch import worker
from docai.pipelines.batch.worker import Finished, Job, Opened, finish_document, open_document, read_page

MARK = "DOCAI_TEST_MARK"
"""Environment variable: a file that tells, beyond the end of a process, that something happened. A worker
can make it in the run folder only."""


def crash_at_page_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return read_page(number)


def crash_once(number: int) -> int:
    mark = Path(os.environ[MARK])
    if number == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return read_page(number)


def hang_at_page_two(number: int) -> int:
    if number == 2:
        time.sleep(600)
    return read_page(number)


def no_room() -> Finished:
    raise RunFolderError("no room")


def finish_when_changed() -> Finished:
    """Waits for the document to be written to, the first time."""
    mark = Path(os.environ[MARK])
    until = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < until:
        time.sleep(0.05)
    return finish_document()


def crash_in_three(number: int) -> int:
    """At page two of a document of three pages."""
    assert worker._open is not None
    if number == 2 and len(worker._open.opened.numbers) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return read_page(number)


def crash_at_opening(job: Job) -> Opened:
    """Of a document whose name says so."""
    if "crash" in job.path.name:
        os.kill(os.getpid(), signal.SIGKILL)
    return open_document(job)
