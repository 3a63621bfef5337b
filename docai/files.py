"""Files and folders: what documents are called, and where results go."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from docai.errors import SettingError

DOCUMENT_SUFFIXES: Final = (".pdf", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
"""Extensions of documents in a folder, in any case. A file that is named itself may have another."""


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


def expand_home(path: str) -> Path:
    """The path; a shell leaves the ``~`` of ``--out=~/results`` as it is."""
    return Path(path).expanduser() if path == "~" or path.startswith("~/") else Path(path)


def as_text(name: str) -> str:
    """A name or message without the bytes of a path that are no text, which JSON and databases refuse."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def sha256_of(path: Path) -> str:
    """Of the bytes of a file, in hexadecimal digits. Raises ``OSError``."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` so that ``path`` never holds half of it. Raises ``OSError``."""
    with _replacing(path) as file:
        file.write(data)


def write_durably(path: Path, data: bytes) -> None:
    """As :func:`write_atomically`; it is on the disk before ``path`` names it. Raises ``OSError``."""
    with durable_file(path) as file:
        file.write(data)


@contextmanager
def durable_file(path: Path, *, part: str | None = None) -> Iterator[BinaryIO]:
    """A file to write, which becomes ``path`` at the end of the block, when it is on the disk as a whole.

    What the block raises leaves ``path`` as it was. Raises ``OSError``.

    Args:
        part: its name until then, where several processes may write ``path``; None: one that is always the
            same.
    """
    with _replacing(path, part) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    # The name is in the folder, which is written, too. Windows has no such thing.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def _replacing(path: Path, name: str | None = None) -> Iterator[BinaryIO]:
    """A file beside ``path``, which takes its place at the end of the block, and is gone if that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part" if name is None else name)
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
