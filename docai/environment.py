"""What docai runs on: versions of packages, and the processor."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from docai._version import __version__

KEY_VARIABLE: Final = "DOCAI_API_KEY"
"""Environment variable with the key that a server asks for, where it asks for one."""


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """docai, Python and these distributions; None: not installed."""
    known: dict[str, str | None] = {"docai": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            known[package] = version(package)
        except PackageNotFoundError:
            known[package] = None
    return known


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """docai, Python and those of these distributions that are installed."""
    return {package: known for package, known in versions(packages).items() if known is not None}


def processor() -> str:
    """The name of the processor, as its vendor writes it where the system says so."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"
