"""Writing samples to disk, in several processes, in the layout that other tools for the head's task read.

=========  =======================================================================================
table      PubTabNet 2.0.0: ``PubTabNet_2.0.0.jsonl``, pictures in ``train/`` or ``val/``
molecule   MolScribe: ``molecules.csv`` with ``image_id,file_path,SMILES``, pictures in ``images/``
score      GrandStaff: ``N.krn`` beside ``N.png``
text       ICDAR 2015: ``gt_img_N.txt`` (UTF-8 with BOM, ``x1,y1,…,x4,y4,word``) beside ``img_N.png``
=========  =======================================================================================

Every folder also has ``pairs.jsonl``: one object per line with ``image``, ``target`` and ``key``. A line is
written after the files of its sample, completely or not at all, so the output of a stopped run can be used.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import StringIO
from itertools import islice
from multiprocessing import parent_process
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from PIL import Image, ImageDraw

from docai.errors import DocaiError, SettingError
from docai.pipelines.external.workers import WorkerDied, each_in_process
from docai.pipelines.synthesis import fonts, samples
from docai.pipelines.synthesis.base import BINS, SIZE, Sample, Split

LOC = re.compile(r"<loc(\d{4})>")

_WORD = re.compile(r"((?:<loc\d{4}>){4}) (\S+)")


@dataclass(frozen=True)
class Entry:
    """One sample in the lists of the folder; its own files are written already."""

    image: str
    """Path of the picture, relative to the folder."""
    target: str
    key: str
    index_line: str
    """Line of the layout's own list, with its line end; empty where the layout has none."""


@dataclass(frozen=True)
class Index:
    """The file of a layout that lists all samples."""

    name: str
    header: str = ""


INDEXES: Mapping[str, Index] = MappingProxyType(
    {
        "table": Index("PubTabNet_2.0.0.jsonl"),
        "molecule": Index("molecules.csv", "image_id,file_path,SMILES\r\n"),
    }
)


def save(sample: Sample, number: int, folder: Path, split: Split) -> Entry:
    """Write the files of one sample. Raises ``OSError``."""
    image, index_line = _WRITERS[sample.head](sample, number, folder, split)
    return Entry(image, sample.target, sample.key, index_line)


def _save_image(sample: Sample, folder: Path, name: str) -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    sample.image.save(path, compress_level=3)
    return name


def _save_table(sample: Sample, number: int, folder: Path, split: Split) -> tuple[str, str]:
    part = "train" if split == "train" else "val"
    name = f"table_{number:06d}.png"
    line = {"filename": name, "split": part, "imgid": number, "html": pubtabnet_html(sample.target)}
    return _save_image(sample, folder, f"{part}/{name}"), json.dumps(line, ensure_ascii=False) + "\n"


def _save_molecule(sample: Sample, number: int, folder: Path, split: Split) -> tuple[str, str]:
    name = _save_image(sample, folder, f"images/molecule_{number:06d}.png")
    line = StringIO(newline="")
    csv.writer(line).writerow((f"molecule_{number:06d}", name, sample.target))
    return name, line.getvalue()


def _save_score(sample: Sample, number: int, folder: Path, split: Split) -> tuple[str, str]:
    (folder / f"score_{number:06d}.krn").write_text(sample.target + "\n", encoding="utf-8")
    return _save_image(sample, folder, f"score_{number:06d}.png"), ""


def _save_text(sample: Sample, number: int, folder: Path, split: Split) -> tuple[str, str]:
    lines = []
    for coords, word in _WORD.findall(sample.target):
        x0, y0, x1, y1 = _pixels(coords)
        lines.append(f"{x0},{y0},{x1},{y0},{x1},{y1},{x0},{y1},{word}\r\n")
    (folder / f"gt_img_{number}.txt").write_bytes("".join(lines).encode("utf-8-sig"))
    return _save_image(sample, folder, f"img_{number}.png"), ""


_WRITERS: Mapping[str, Callable[[Sample, int, Path, Split], tuple[str, str]]] = MappingProxyType(
    {"table": _save_table, "molecule": _save_molecule, "score": _save_score, "text": _save_text}
)


def pubtabnet_html(target: str) -> dict[str, object]:
    """A table target as PubTabNet's ``html`` object: structure tokens, and cells with character tokens."""
    from lxml import html as lxml_html

    structure: list[str] = []
    cells: list[dict[str, object]] = []
    for part in lxml_html.fragment_fromstring(target):
        structure.append(f"<{part.tag}>")
        for row in part:
            structure.append("<tr>")
            for cell in row:
                spans = [f' {name}="{cell.get(name)}"' for name in ("rowspan", "colspan") if cell.get(name)]
                structure += ["<td", *spans, ">", "</td>"] if spans else ["<td>", "</td>"]
                entry: dict[str, object] = {"tokens": list(cell.text or "")}
                coords = cell.get("coords")
                if coords is not None:
                    entry["bbox"] = list(_pixels(coords))
                cells.append(entry)
            structure.append("</tr>")
        structure.append(f"</{part.tag}>")
    return {"cells": cells, "structure": {"tokens": structure}}


def _pixels(coords: str) -> tuple[int, int, int, int]:
    """``<locY0><locX0><locY1><locX1>`` to x0, y0, x1, y1 in square pixels."""
    y0, x0, y1, x1 = (round(int(value) / (BINS - 1) * SIZE) for value in LOC.findall(coords))
    return x0, y0, x1, y1


_CELL_PIXELS = 320

_CAPTION_LINES = 4


def contact_sheet(shown: Sequence[Sample], columns: int = 4) -> Image.Image:
    """A contact sheet: small pictures with the beginning of their targets below."""
    face = fonts.face("cour", 11)
    caption = face.height * _CAPTION_LINES + 8
    rows = -(-len(shown) // columns)
    sheet = Image.new("RGB", (columns * _CELL_PIXELS, rows * (_CELL_PIXELS + caption)), (225, 230, 235))
    pen = ImageDraw.Draw(sheet)
    for index, sample in enumerate(shown):
        left = index % columns * _CELL_PIXELS
        top = index // columns * (_CELL_PIXELS + caption)
        small = sample.image.resize((_CELL_PIXELS - 6, _CELL_PIXELS - 6), Image.Resampling.BILINEAR)
        sheet.paste(small, (left + 3, top + 3))
        plain = LOC.sub("", sample.target).replace(' coords=""', "").replace("\t", "  ")
        lines = [part for line in plain.split("\n") for part in textwrap.wrap(line.strip(), 44)]
        for number, line in enumerate(lines[:_CAPTION_LINES]):
            y = top + _CELL_PIXELS + number * face.height
            pen.text((left + 4, y), line, fill=(20, 20, 20), font=face.font)
    return sheet


PAIRS_FILE = "pairs.jsonl"

PAIRS_PER_PROCESS = 32
"""Least pairs per process: a process takes a second or two to start."""

_MAX_CHUNK = 16
"""Most pairs that a process draws at once."""


@dataclass(frozen=True)
class Written:
    """What :func:`write_pairs` wrote."""

    head: str
    folder: Path
    n_pairs: int
    n_keys: int
    """Number of distinct contents."""
    n_target_characters: int
    n_processes: int
    seconds: float


def processes_for(count: int) -> int:
    """Number of processes for so many pairs: at most one per core."""
    return max(1, min(os.cpu_count() or 1, count // PAIRS_PER_PROCESS))


def write_pairs(
    head: str,
    count: int,
    seed: int,
    folder: Path,
    *,
    start: int = 0,
    difficulty: float = 1.0,
    split: Split = "train",
    processes: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Written:
    """Write ``count`` pairs of one head, from index ``start`` on; the folder is created.

    The files are the same, byte for byte, for any number of processes. With more than one process a script
    needs ``if __name__ == "__main__"``.

    Args:
        head: name of the head.
        count: number of pairs.
        seed: of the stream of samples.
        folder: that is written to.
        start: index of the first pair.
        difficulty: 0 (few large symbols) to 1.
        split: "train" or "held-out".
        processes: number of processes that draw.
        progress: is called with the number of complete pairs.

    Raises:
        UnknownHeadError: there is no generator for ``head``.
        SettingError: the folder cannot be written to.
        MissingDependencyError: drawing needs a package that is not installed.
        DocaiError: the disk is full, or a process died; the pairs listed until then are complete.
        ValueError: a negative count.
    """
    if count < 0:
        raise ValueError(f"The count of pairs is {count}; it cannot be negative.")
    samples(head, seed)
    begun = time.perf_counter()
    keys: set[str] = set()
    characters = n_done = 0
    with _lists(head, folder) as lists:
        size = max(1, min(_MAX_CHUNK, count // (4 * processes)))
        chunks = [range(n, min(n + size, start + count)) for n in range(start, start + count, size)]
        work = partial(_draw, head, seed, folder, difficulty, split)
        outcomes = each_in_process(work, chunks, processes=min(processes, max(1, len(chunks))))
        with _explain_write_errors(folder, lambda: n_done):
            for chunk, drawn in zip(chunks, outcomes, strict=True):
                if isinstance(drawn, WorkerDied):
                    raise DocaiError(
                        f"The process that drew pairs {chunk[0]} to {chunk[-1]} died, perhaps out of memory; "
                        f"the {n_done} pairs before them are complete in {folder}. "
                        "Try again with fewer processes."
                    )
                for entry in drawn:
                    lists.append(entry)
                    n_done += 1
                    keys.add(entry.key)
                    characters += len(entry.target)
                if progress is not None:
                    progress(n_done)
    return Written(head, folder, count, len(keys), characters, processes, time.perf_counter() - begun)


def _draw(head: str, seed: int, folder: Path, difficulty: float, split: Split, indices: range) -> list[Entry]:
    """Draw and save the samples of those indices."""
    if parent_process() is not None:
        import cv2

        # All cores are used by the other processes.
        cv2.setNumThreads(1)
    stream = samples(head, seed, start=indices.start, difficulty=difficulty, split=split)
    drawn = zip(indices, islice(stream, len(indices)), strict=True)
    return [save(sample, number, folder, split) for number, sample in drawn]


class _List:
    """A file that has only complete lines, also where the disk is full."""

    def __init__(self, path: Path) -> None:
        # Unbuffered, so that the rest of a failed write can be removed at once.
        self._file = path.open("wb", buffering=0)
        self._size = 0

    def append(self, line: str) -> None:
        data = line.encode()
        try:
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except BaseException:
            self._file.truncate(self._size)
            raise
        self._size += len(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


@dataclass(frozen=True)
class _Lists:
    """``pairs.jsonl``, and the layout's own list where it has one."""

    pairs: _List
    index: _List | None

    def append(self, entry: Entry) -> None:
        if self.index is not None:
            self.index.append(entry.index_line)
        line = {"image": entry.image, "target": entry.target, "key": entry.key}
        self.pairs.append(json.dumps(line, ensure_ascii=False) + "\n")


@contextmanager
def _lists(head: str, folder: Path) -> Iterator[_Lists]:
    """The lists, empty. Raises :class:`docai.errors.SettingError` where they cannot be written."""
    index = INDEXES.get(head)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pairs = _List(folder / PAIRS_FILE)
    except OSError as error:
        raise SettingError(
            f"The folder {folder} cannot be written to: {error.strerror}. Choose another one."
        ) from None
    with pairs:
        if index is None:
            yield _Lists(pairs, None)
            return
        with _List(folder / index.name) as index_list:
            index_list.append(index.header)
            yield _Lists(pairs, index_list)


@contextmanager
def _explain_write_errors(folder: Path, n_done: Callable[[], int]) -> Iterator[None]:
    """Turn errors of the disk into one that says how many pairs are complete."""
    try:
        yield
    except OSError as error:
        raise DocaiError(
            f"Writing to {folder} failed: {error.strerror or error}. The {n_done()} pairs listed there are "
            "complete; free some space or choose another folder, and draw again."
        ) from None
