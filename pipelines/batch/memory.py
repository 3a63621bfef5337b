"""The memory of this process and of those it started, as Linux tells it; elsewhere that of this one alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def reset_peak() -> None:
    """Begin anew to measure the most memory that processes have."""
    for process in _processes():
        with suppress(OSError):
            (process / "clear_refs").write_text("5")


def peak_memory() -> int:
    """Bytes that the processes had at most, resident, since :func:`reset_peak`; each at its own time."""
    if sys.platform == "linux":
        return sum(map(_peak_of, _processes()))
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _processes() -> Iterator[Path]:
    """Of this process and all below it; nothing where there is no /proc."""
    waiting = [Path("/proc/self")] if sys.platform == "linux" else []
    while waiting:
        process = waiting.pop()
        yield process
        with suppress(OSError):
            for thread in (process / "task").iterdir():
                waiting += [Path("/proc", child) for child in (thread / "children").read_text().split()]


def _peak_of(process: Path) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in (process / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0
