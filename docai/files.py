"""Folders and files that results go to."""

from __future__ import annotations

from pathlib import Path

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
