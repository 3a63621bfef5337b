"""What docai runs on: versions of packages, and the processor."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from docai._version import __version__


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """docai, Python and these distributions; None: not installed."""
    found: dict[str, str | None] = {"docai": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def processor() -> str:
    """The name of the processor, as its maker writes it where the system tells."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"
