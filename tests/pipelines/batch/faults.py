"""What goes wrong in a worker process, for tests: functions that take the place of those of the worker."""

from __future__ import annotations

import errno
import json
import os
import pickle
import signal
import socket
import stat
import struct
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from docai import ScriptedEngine
from docai.document import Document
from docai.errors import DeviceError, RunFolderError
from docai.models.engine import Generation, Request
from docai.models.heads import HEADS
from docai.pipelines.batch import worker
from docai.pipelines.batch.worker import (
    Finished,
    Job,
    Opened,
    Original,
    finish_document,
    open_document,
    read_page,
)

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


def hang_at_the_end_of_a() -> Finished:
    assert worker._open is not None
    if worker._open.job.path.name == "a.pdf":
        time.sleep(600)
    return finish_document()


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


def crash_at_the_end_once() -> Finished:
    mark = Path(os.environ[MARK])
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return finish_document()


def crash_at_opening(job: Job) -> Opened:
    """Of a document whose name says so."""
    if "crash" in job.path.name:
        os.kill(os.getpid(), signal.SIGKILL)
    return open_document(job)


class GatedEngine(ScriptedEngine):
    """Answers when a file is there."""

    def __init__(self, gate: Path) -> None:
        super().__init__(dict.fromkeys(HEADS, "read"), accuracy=1.0)
        self._gate = gate

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        until = time.monotonic() + 600
        while not self._gate.exists() and time.monotonic() < until:
            time.sleep(0.05)
        return super().generate(requests)


class UnusableEngine(ScriptedEngine):
    """Is not set up."""

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        raise DeviceError("The device is gone.")


def export_or_die(document: Document, original: Original) -> bytes:
    """A result as text. The documents ``crash…`` end the process that reads them, and ``poison…`` the one
    that started that."""
    name = Path(document.source.name).name
    if name.startswith(("crash", "poison")):
        os.kill(os.getpid() if name.startswith("crash") else os.getppid(), signal.SIGKILL)
        time.sleep(60)
    return f"{document.source.n_pages} pages".encode()


def export_rights(document: Document, original: Original) -> bytes:
    """What this process may do, as JSON: write in a folder that is not its own, and speak to a network."""
    rights = {}
    try:
        Path(document.source.name).with_name("written").touch()
        rights["files"] = True
    except OSError:
        rights["files"] = False
    try:
        socket.create_connection(("127.0.0.1", 9), 5).close()
        rights["network"] = True
    except OSError as error:
        # Without rights it is refused before anybody is asked.
        rights["network"] = error.errno != errno.EACCES
    return json.dumps(rights).encode()


class _Touch:
    """Makes a file where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return self._mark.touch, ()


def export_or_take_over(document: Document, original: Original) -> bytes:
    """A result as text. The documents ``evil…`` have taken over the process that reads them, and answer in
    its place with what makes a file beside them, if it is unpickled."""
    path = Path(document.source.name)
    if path.name.startswith("evil"):
        data = pickle.dumps(_Touch(path.with_name("mark")))
        for number in range(3, 64):
            with suppress(OSError):
                if stat.S_ISFIFO(os.fstat(number).st_mode):
                    os.write(number, struct.pack("<2Q", 1, len(data)) + data)
    return f"{document.source.n_pages} pages".encode()


def read_slowly_alone(number: int) -> int:
    """In the process that has the document, so that others find pages to help with."""
    assert worker._open is not None
    if not worker._open.job.joins:
        time.sleep(0.4)
    return read_page(number)


def crash_once_in_help(number: int) -> int:
    """In a process that helps."""
    assert worker._open is not None
    mark = Path(os.environ[MARK])
    if worker._open.job.joins and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return read_slowly_alone(number)
