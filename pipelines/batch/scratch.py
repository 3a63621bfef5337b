"""Folders for temporary files that do not outlive a process that is killed for long."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

MIN_AGE_SECONDS: Final = 60.0
"""Of a folder that is removed: a younger one may not have its lock yet."""

_LOCK: Final = ".lock"


class Scratch:
    """A folder for temporary files, removed by :meth:`close`. What killed processes left is removed first.

    Its lock says that its process lives, also where that is in another container.

    Args:
        prefix: of its name, the same for all that may be removed.
    """

    def __init__(self, prefix: str) -> None:
        sweep(prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        self._lock = FileLock(self.path / _LOCK)
        self._lock.acquire()

    def close(self) -> None:
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def sweep(prefix: str) -> None:
    """Remove the folders with this prefix whose processes have ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        lock = FileLock(folder / _LOCK, timeout=0)
        # Folders of other users cannot be removed, and need not be.
        with suppress(OSError, Timeout):
            if time.time() - folder.stat().st_mtime < MIN_AGE_SECONDS:
                continue
            lock.acquire()
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
