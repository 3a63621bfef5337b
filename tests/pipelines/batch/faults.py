"""What goes wrong in a worker process, for tests: functions that take the place of those of the worker."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from docai.errors import RunFolderError
from docai.pipelines.batch.worker import Finished, finish_document, read_page

MARK = "DOCAI_TEST_MARK"
"""Environment variable: a file that tells, beyond the end of a process, that something went wrong once."""


DOCUMENT = "DOCAI_TEST_DOCUMENT"
"""Environment variable: the document that is written to."""


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


def change_once() -> Finished:
    """The document is written to before its results are."""
    mark = Path(os.environ[MARK])
    if not mark.exists():
        document = Path(os.environ[DOCUMENT])
        document.write_bytes(document.with_suffix(".next").read_bytes())
        mark.touch()
    return finish_document()
