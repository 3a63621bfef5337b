"""Programs of others, in bounds: no shell, so much time, so much output, so much memory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any

from docai.environment import KEY_VARIABLE

MAX_MEMORY = 4 << 30
"""Bytes of address space that a program may take, where the system can bound it (Linux)."""

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS"), "1")


def environment() -> dict[str, str]:
    """The environment of this process, with one thread: several regions are read beside each other.

    Without the key of a model server: what reads documents has no use for it.
    """
    return {name: value for name, value in os.environ.items() if name != KEY_VARIABLE} | _ONE_THREAD


def missing(program: str, package: str) -> str | None:
    """Why a program cannot be run here, in one sentence; None where it can.

    Args:
        package: what Debian calls the package that has it.
    """
    if shutil.which(program) is not None:
        return None
    return f"The program {program} is not installed (on Debian and Ubuntu: apt install {package})."


def find(program: str) -> str:
    """Its path. Raises :class:`ReaderError` where it is not there any more."""
    path = shutil.which(program)
    if path is None:
        raise ReaderError(f"{program} is gone")
    return path


def run(command: Sequence[str | Path], *, seconds: float, max_bytes: int) -> bytes:
    """Standard output of a program.

    Raises:
        ReaderError: it cannot be started, failed, took longer than ``seconds``, or wrote more than
            ``max_bytes``.
    """
    name = Path(command[0]).name
    try:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
        )
    except OSError as error:
        raise ReaderError(f"{name} cannot be started: {error}") from error
    late = Timer(seconds, kill, [process])
    with process:
        limit_memory(process.pid)
        late.start()
        try:
            assert process.stdout is not None
            output = process.stdout.read(max_bytes + 1)
            if len(output) > max_bytes:
                raise ReaderError(f"{name} wrote more than {max_bytes:,} bytes")
            status = process.wait()
        finally:
            in_time = late.is_alive()
            late.cancel()
            kill(process)
    if not in_time:
        raise ReaderError(f"{name} took longer than {seconds:g} s")
    if status:
        raise ReaderError(f"{name} ended with {status}")
    return output


def kill(process: subprocess.Popen[Any]) -> None:
    """End a process that leads its own session, and what it started, which would hold its output open."""
    if sys.platform == "win32":
        process.kill()
    elif process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def limit_memory(pid: int, max_memory: int | None = MAX_MEMORY) -> None:
    """Bound the address space of a process, in bytes, where the system can (Linux); None: not at all."""
    if sys.platform == "linux":
        import resource

        with suppress(ProcessLookupError, PermissionError):
            _, most = resource.prlimit(pid, resource.RLIMIT_AS)
            bound = most if max_memory is None else max_memory
            if most != resource.RLIM_INFINITY and bound != resource.RLIM_INFINITY:
                bound = min(bound, most)
            resource.prlimit(pid, resource.RLIMIT_AS, (bound, most))


class ReaderError(Exception):
    """A second reader could not say anything; the message tells why. Never leaves the pipeline."""
