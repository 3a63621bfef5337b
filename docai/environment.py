"""What docai runs on: versions of packages, processor and memory, and how threads wait."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from docai._version import __version__

KEY_VARIABLE: Final = "DOCAI_API_KEY"
"""Environment variable with the key that a server asks for, where it asks for one."""

TOKEN_VARIABLE: Final = "DOCAI_SERVE_TOKEN"
"""Environment variable with the token that callers of ``docai serve`` have to show."""


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


def memory() -> tuple[int | None, int | None]:
    """Total and available bytes, where the system tells."""
    if sys.platform == "win32":
        return None, None
    page = os.sysconf("SC_PAGE_SIZE")
    available = os.sysconf("SC_AVPHYS_PAGES") * page if "SC_AVPHYS_PAGES" in os.sysconf_names else None
    info = Path("/proc/meminfo")
    if info.exists():
        # SC_AVPHYS_PAGES leaves out the caches, which Linux gives back when memory is asked for.
        for line in info.read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                available = int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * page, available


SPIN_COUNT = 1000
"""Turns that a thread of torch waits for the others before it sleeps."""


def spin_less() -> None:
    """Have the threads of torch sleep soon while they wait for each other, where docai owns the process.

    They spin by default, and take the processor from whoever else is at work: on two cores beside one busy
    process, 20 crops took the embedded model 65 s in place of 4, and 5 with this. A machine that has nothing
    else to do loses nothing. What the user has set stays. Without effect once torch is imported.
    """
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPIN_COUNT))
