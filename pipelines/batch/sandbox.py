"""What a worker process gives up before it opens the first document.

A document that takes the process over can then write no files but those of the run, speak to no network, and
not fill the disk with one file. Linux has Landlock for that (5.13 and later; the network from 6.7 on), which
a process without rights of its own can use, see https://docs.kernel.org/userspace-api/landlock.html. What
the kernel does not have is left out, and :func:`restrict` says what was given up. Processes that the worker
starts inherit it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

MAX_FILE_BYTES: Final = 16 << 30
"""Largest file that a worker may write."""

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""System calls; the numbers are the same on all processors."""

_GET_VERSION: Final = 1
_RULE_PATH_BENEATH: Final = 1
_PR_SET_NO_NEW_PRIVS: Final = 38

_WRITE_FILE: Final = 1 << 1
_WRITES: Final = _WRITE_FILE | sum(1 << bit for bit in range(4, 13))
"""Write to a file; remove and make files, folders, links, sockets and devices."""
_REFER: Final = 1 << 13
"""Move a file to another folder; from version 2 on."""
_TRUNCATE: Final = 1 << 14
"""From version 3 on."""
_NET: Final = 0b11
"""Bind and connect TCP sockets; from version 4 on."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64), ("handled_access_net", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def restrict(writable: Iterable[Path]) -> frozenset[str]:
    """Give up what reading a document does not need, for good.

    Args:
        writable: folders, with what is below them, in which files may still be made and written.

    Returns:
        What was given up: ``size`` (files larger than :data:`MAX_FILE_BYTES`, memory dumps), ``files``
        (writing elsewhere), ``network`` (TCP).
    """
    given_up = set()
    if sys.platform == "win32":
        return frozenset()
    import resource

    with suppress(ValueError, OSError):
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        bound = MAX_FILE_BYTES if most == resource.RLIM_INFINITY else min(most, MAX_FILE_BYTES)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bound, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        given_up.add("size")
    if sys.platform == "linux":
        with suppress(OSError):
            given_up |= _use_landlock([*writable, *_devices()])
    return frozenset(given_up)


def _devices() -> list[Path]:
    """Where every program may write: what is written there is gone, or is shared memory."""
    return [path for path in map(Path, ("/dev/null", "/dev/shm", "/dev/tty", "/proc/self")) if path.exists()]


def _use_landlock(writable: Iterable[Path]) -> set[str]:
    """Raises OSError where the kernel does not have it."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: object) -> int:
        result: int = libc.syscall(number, *arguments)
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result

    version = call(_CREATE_RULESET, None, ctypes.c_size_t(0), _GET_VERSION)
    writes = _WRITES | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
    rules = _Ruleset(writes, _NET if version >= 4 else 0)
    size = ctypes.sizeof(rules) if version >= 4 else ctypes.sizeof(ctypes.c_uint64)
    ruleset = call(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    try:
        for path in writable:
            # What may be done to a folder cannot be allowed for a file.
            allowed = writes if path.is_dir() else writes & (_WRITE_FILE | _TRUNCATE)
            opened = os.open(path, getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC)
            try:
                rule = _PathBeneath(allowed, opened)
                call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
            finally:
                os.close(opened)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return {"files", "network"} if version >= 4 else {"files"}
