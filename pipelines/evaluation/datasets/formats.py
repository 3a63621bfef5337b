"""What the readers of all layouts share: what a format is, and how its files are opened and found."""

from __future__ import annotations

import gzip
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from docai.errors import DatasetError
from docai.geometry import BBox
from docai.pipelines.evaluation.base import Reader, Skipped, Unit
from docai.records import Kind

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif"})
"""Lower case; files are compared with any case."""

_LOOKED_AT = 10_000
"""Files among which a picture has to be found, for a set to have pictures."""

_OWN_LISTS = frozenset({"pairs.jsonl", "predictions.jsonl"})
"""What docai itself writes beside the files of a layout."""


@dataclass(frozen=True, slots=True)
class Format:
    """One layout of data sets; ``read.__doc__`` describes it and names its source."""

    name: str
    read: Reader
    unit: Unit
    kinds: tuple[Kind, ...]
    """What the truth labels completely."""
    tasks: tuple[str, ...]
    """The first is the main one."""
    summary: str
    """What lies at the path, in a few words."""
    protocol: str | None = None
    """Key of the published rows that its figures compare to."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a JSON Lines file."""

    line: int
    value: dict[str, Any]


def require_path(path: Path, expected: str) -> None:
    """Raise a ``DatasetError`` where nothing is at ``path``."""
    if not path.exists():
        raise DatasetError(f"There is nothing at {path}; expected {expected}.")


def require_folder(path: Path, expected: str) -> None:
    """Raise a ``DatasetError`` where ``path`` is no folder."""
    require_path(path, expected)
    if not path.is_dir():
        raise DatasetError(f"{path} is a file; expected {expected}.")


def nothing_found(path: Path, expected: str) -> DatasetError:
    """The error for a folder that lacks what its format asks for; names some of what it holds."""
    return DatasetError(f"{path} does not hold {expected}; found {describe_folder(path)}.")


def describe_folder(path: Path, *, shown: int = 4) -> str:
    """Some names of a folder's entries, for a message."""
    if not path.is_dir():
        return f"the file {path.name}"
    names = sorted(entry.name for entry in path.iterdir())
    if not names:
        return "an empty folder"
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + rest


def one_file(path: Path, suffixes: tuple[str, ...], expected: str) -> Path:
    """``path`` itself where it is a file, or the only file of a folder with one of the suffixes.

    Raises:
        DatasetError: there is none, there are several, or the file's name ends otherwise.
    """
    require_path(path, expected)
    if path.is_file():
        if not path.name.lower().endswith(suffixes):
            raise DatasetError(f"{path} does not end in {' or '.join(suffixes)}; expected {expected}.")
        return path
    candidates = sorted(
        entry
        for entry in path.iterdir()
        if entry.name.lower().endswith(suffixes) and entry.name not in _OWN_LISTS
    )
    if not candidates:
        raise nothing_found(path, expected)
    if len(candidates) > 1:
        names = ", ".join(entry.name for entry in candidates[:4])
        raise DatasetError(
            f"{path} holds {len(candidates)} files that could be meant ({names}…); give one of them."
        )
    return candidates[0]


def files_below(path: Path) -> list[Path]:
    """All files below a folder, by name; links to folders are not followed."""
    files: list[Path] = []
    for folder, folders, names in os.walk(path):
        folders.sort()
        files += [Path(folder, name) for name in sorted(names)]
    return files


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked where it is gzip by its first bytes: HierText's are so, or not.

    Raises:
        DatasetError: it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from error


def read_text(path: Path) -> str:
    """A small text file: UTF-8 with or without byte order mark, else Latin-1, line ends made ``\\n``.

    Raises ``OSError``.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def json_lines(path: Path) -> Iterator[Entry | Skipped]:
    """The objects of a JSON Lines file, one at a time; a broken line is skipped with its number.

    Raises:
        DatasetError: the file cannot be read.
    """
    with open_bytes(path) as file:
        number = 0
        while True:
            try:
                raw = file.readline()
            except (OSError, EOFError) as error:
                raise DatasetError(f"{path} cannot be read after line {number}: {error}.") from error
            if not raw:
                return
            number += 1
            if raw.strip() in (b"", b"\xef\xbb\xbf"):
                continue
            try:
                value = json.loads(raw.decode("utf-8-sig"))
            except (ValueError, RecursionError):
                yield Skipped(f"line {number}", "The line is not JSON.")
                continue
            if isinstance(value, dict):
                yield Entry(number, value)
            else:
                yield Skipped(f"line {number}", "The line is not a JSON object.")


def load_json(path: Path, expected: str) -> Any:
    """A whole JSON file.

    Raises:
        DatasetError: it cannot be read or is not JSON.
    """
    try:
        with open_bytes(path) as file:
            return json.loads(file.read().decode("utf-8-sig"))
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} cannot be read as JSON ({error}); expected {expected}.") from error


class MalformedError(ValueError):
    """A case is not as its format says; the message is the reason, equal for equal reasons."""


class Sources:
    """Where the pictures (or PDFs) of a set may lie: in a few folders, the first that has a name wins.

    A set whose folders hold none at all is truth alone: its samples have no source, and predictions can be
    scored. One that lacks some has lost them, and those cases are skipped.
    """

    MISSING = "The file that its truth is of is missing."

    def __init__(
        self, *folders: Path, beyond: Path | None = None, suffixes: frozenset[str] = PICTURE_SUFFIXES
    ) -> None:
        """``beyond`` is searched last, and what else lies in it says nothing of the set."""
        self._own = tuple(dict.fromkeys(folders))
        self._folders = self._own if beyond is None else (*self._own, beyond)
        self._suffixes = suffixes
        self._has_any: bool | None = None

    def find(self, *names: str) -> Path | None:
        """The file of the first (relative) name that there is. No name can lead out of the folders."""
        for name in names:
            relative = Path(name.replace("\\", "/"))
            if relative.is_absolute() or ".." in relative.parts or not relative.name:
                continue
            for folder in self._folders:
                path = folder / relative
                if path.is_file():
                    self._has_any = True
                    return path
        return None

    def require(self, *names: str) -> Path | None:
        """As :meth:`find`; None only where the set has no such files at all.

        Raises:
            MalformedError: it has some, and not this one.
        """
        file = self.find(*names)
        if file is None and self._any():
            raise MalformedError(self.MISSING)
        return file

    def _any(self) -> bool:
        if self._has_any is None:
            self._has_any = any(map(self._holds_one, self._own))
        return self._has_any

    def _holds_one(self, folder: Path) -> bool:
        names = (name for _, _, below in os.walk(folder) for name in below)
        return any(Path(name).suffix.lower() in self._suffixes for name in islice(names, _LOOKED_AT))


def is_picture(path: Path) -> bool:
    """By the end of its name."""
    return path.suffix.lower() in PICTURE_SUFFIXES


def four_numbers(value: Any) -> BBox | None:
    """A box from a list that begins with four finite numbers, its ends put in order; else None."""
    if not isinstance(value, list | tuple) or len(value) < 4:
        return None
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in value[:4]):
        return None
    x0, y0, x1, y1 = (float(number) for number in value[:4])
    if not all(map(math.isfinite, (x0, y0, x1, y1))):
        return None
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
