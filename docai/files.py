"""Folders and files that results go to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from docai.errors import SettingError


def make_folder(path: Path, remedy: str = "Choose another.") -> Path:
    """The folder, made where it is missing, before long work begins.

    Raises:
        SettingError: it cannot be made; ``remedy`` ends the message.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"The folder {path} cannot be made: {error.strerror}. {remedy}") from None
    return path


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` so that ``path`` never holds half of it. Raises ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def durable_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which becomes ``path`` at the end of the block, when it is on the disk as a whole.

    What the block raises leaves ``path`` as it was. Raises ``OSError``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    # The name is in the folder, which is written, too. Windows has no such thing.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_durably(path: Path, data: bytes) -> None:
    """As :func:`write_atomically`; it is on the disk before ``path`` names it. Raises ``OSError``."""
    with durable_file(path) as file:
        file.write(data)
