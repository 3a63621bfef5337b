"""A process that ends soon after the one that started it, however that one ended."""

from __future__ import annotations

import os
import time
from threading import Lock, Thread
from typing import Final

POLL_SECONDS: Final = 0.3

SETTLE_SECONDS: Final = 2.0
"""After the owner's end, in which its processes are gone."""

_lock = Lock()
_is_watched = False


def end_with_owner() -> None:
    """End this process when its parent is another one than now. Of several calls the first one counts.

    Standard input, which ends with the owner, is looked at between two calls only: one that takes long would
    go on for nobody, and write where the next run writes. Windows does not say when a parent is gone.
    """
    global _is_watched
    with _lock:
        if _is_watched:
            return
        _is_watched = True
    Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(owner: int) -> None:
    while os.getppid() == owner:
        time.sleep(POLL_SECONDS)
    os._exit(0)
