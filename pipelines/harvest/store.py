"""The folder that pairs are collected in: one for each head in it, as ``docai synth`` writes it, and lists.

``sources.jsonl`` has a line for each document that is finished, and ``left-out.jsonl`` one for each region
that was left out. Lines are whole or not there, and a pair is listed after its files are written: what was
stopped goes on where it was. No drawing comes twice, also when a document is read again: pairs of equal
content are compared by a small picture that stands in the list.
"""

from __future__ import annotations

import base64
import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docai.errors import DocaiError, SettingError
from docai.pipelines.synthesis.base import Sample
from docai.pipelines.synthesis.write import INDEXES, PAIRS_FILE, contact_sheet, save

SOURCES_FILE: Final = "sources.jsonl"

LEFT_OUT_FILE: Final = "left-out.jsonl"

SHEET_FILE: Final = "contact-sheet.png"

SHEET_PAIRS: Final = 24
"""Pairs on the contact sheet of a head."""

_SMALL_PX: Final = 16
"""Side of the small picture that a repeated drawing is known by."""

_SAME: Final = 0.97
"""Correlation of two small pictures from which they show the same drawing: a shift by a pixel leaves 0.99,
another layout of the same molecule has less than 0.9."""


def small_picture(image: Image.Image) -> NDArray[np.uint8]:
    """The ink of a crop in few pixels, (16, 16)."""
    gray = np.asarray(image.convert("L"))
    ink = 255 - cv2.resize(
        cv2.GaussianBlur(gray, (0, 0), 20), (_SMALL_PX, _SMALL_PX), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.normalize(ink, None, 0, 255, cv2.NORM_MINMAX), np.uint8)


def is_same_picture(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Whether two small pictures show the same drawing."""
    a, b = (picture.astype(np.float64).ravel() - picture.mean() for picture in (first, second))
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return bool(np.array_equal(first, second)) if scale == 0 else float(a @ b) / scale >= _SAME


@dataclass
class HeadFolder:
    """The pairs of one head."""

    head: str
    path: Path
    n_pairs: int = 0
    pictures: dict[str, list[NDArray[np.uint8]]] = field(default_factory=dict)
    """Of the drawings by their content."""

    @classmethod
    def open(cls, head: str, path: Path) -> HeadFolder:
        """The folder as it was left, or a new one. Raises ``OSError``, ``SettingError``."""
        made = cls(head, path)
        for entry in _read_lines(path / PAIRS_FILE):
            made.n_pairs += 1
            picture, key = entry.get("picture"), entry.get("key")
            if isinstance(picture, str) and isinstance(key, str):
                made.pictures.setdefault(key, []).append(_decode(picture))
        return made

    def has(self, sample: Sample) -> bool:
        """Whether the same drawing is there already."""
        picture = small_picture(sample.image)
        return any(is_same_picture(picture, earlier) for earlier in self.pictures.get(sample.key, ()))

    def add(self, sample: Sample, versions: list[Sample], origin: Mapping[str, object]) -> int:
        """Write a pair, and the pairs of its versions, which are no drawings of their own; how many.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        picture = small_picture(sample.image)
        for number, version in enumerate((sample, *versions)):
            entry = save(version, self.n_pairs, self.path, "train")
            index = INDEXES.get(self.head)
            if index is not None:
                append_line(self.path / index.name, entry.index_line, header=index.header)
            line: dict[str, object] = {
                "image": entry.image,
                "target": entry.target,
                "key": entry.key,
                **origin,
            }
            if number == 0:
                line["picture"] = base64.b64encode(picture.tobytes()).decode()
            append_line(self.path / PAIRS_FILE, json.dumps(line, ensure_ascii=False) + "\n")
            self.n_pairs += 1
        self.pictures.setdefault(sample.key, []).append(picture)
        return 1 + len(versions)

    def write_sheet(self) -> Path | None:
        """The contact sheet of pairs from all over the list; None without any. Raises ``OSError``."""
        entries = list(_read_lines(self.path / PAIRS_FILE))
        if not entries:
            return None
        places = sorted({round(i) for i in np.linspace(0, len(entries) - 1, SHEET_PAIRS)})
        shown = []
        for place in places:
            with Image.open(self.path / entries[place]["image"]) as image:
                picture = image.convert("RGB")
            shown.append(Sample(self.head, picture, entries[place]["target"], (), entries[place]["key"]))
        path = self.path / SHEET_FILE
        contact_sheet(shown).save(path)
        return path


def _decode(text: str) -> NDArray[np.uint8]:
    data = np.frombuffer(base64.b64decode(text), np.uint8)
    return data.reshape(_SMALL_PX, _SMALL_PX) if data.size == _SMALL_PX**2 else np.zeros((1, 1), np.uint8)


@dataclass
class Store:
    """The whole folder."""

    folder: Path
    heads: dict[str, HeadFolder]
    finished: dict[str, dict[str, Any]]
    """The lines of ``sources.jsonl`` by the key of a document."""

    @classmethod
    def open(cls, folder: Path, heads: tuple[str, ...]) -> Store:
        """The folder as it was left, or a new one.

        Raises:
            SettingError: it cannot be written to, or its lists cannot be read.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            opened = {head: HeadFolder.open(head, folder / head) for head in heads}
            finished = {str(line.get("key")): line for line in _read_lines(folder / SOURCES_FILE)}
        except OSError as error:
            raise SettingError(
                f"The folder {folder} cannot be used: {error.strerror or error}. Choose another one."
            ) from None
        return cls(folder, opened, finished)

    def left_out(self, line: Mapping[str, object]) -> None:
        """Note a region that was left out."""
        append_line(self.folder / LEFT_OUT_FILE, json.dumps(line, ensure_ascii=False) + "\n")

    def finish(self, key: str, line: dict[str, Any]) -> None:
        """Note that a document is finished."""
        append_line(self.folder / SOURCES_FILE, json.dumps({"key": key, **line}, ensure_ascii=False) + "\n")
        self.finished[key] = line


def append_line(path: Path, line: str, *, header: str = "") -> None:
    """Add a whole line to a file, or nothing. Raises ``OSError``."""
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        data = (line if size else header + line).encode()
        try:
            if file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except BaseException:
            file.truncate(size)
            raise


def _read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file, one a line; the rest of a line that was being written is cut off.

    Raises:
        OSError: it cannot be read.
        SettingError: a line is no object.
    """
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    for number, line in enumerate(whole.decode("utf-8", "replace").split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise SettingError(f"Line {number} of {path} is no object; remove it, or choose another folder.")
        yield entry


@contextmanager
def explain_write_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the disk into one that says what to do."""
    try:
        yield
    except OSError as error:
        raise DocaiError(
            f"Writing to {folder} failed: {error.strerror or error}. The pairs listed there are complete; "
            "free some space, and the same command goes on."
        ) from None
