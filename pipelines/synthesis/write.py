"""Samples on disk, in the layouts that each task's usual tools read, and on a contact sheet.

Every folder also holds ``pairs.jsonl``: one object a line with ``image``, ``target`` and ``key``.

=========  =======================================================================================
table      PubTabNet 2.0.0: ``PubTabNet_2.0.0.jsonl``, pictures in ``train/`` or ``val/``
molecule   MolScribe: ``molecules.csv`` with ``image_id,file_path,SMILES``, pictures in ``images/``
score      GrandStaff: ``N.krn`` beside ``N.png``
text       ICDAR 2015: ``gt_img_N.txt`` (UTF-8 with BOM, ``x1,y1,…,x4,y4,word``) beside ``img_N.png``
=========  =======================================================================================
"""

from __future__ import annotations

import csv
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import TextIO

from PIL import Image, ImageDraw

from docai.pipelines.synthesis import fonts, samples
from docai.pipelines.synthesis.base import BINS, SIZE, Sample, Split

_LOC = re.compile(r"<loc(\d{4})>")
_WORD = re.compile(r"((?:<loc\d{4}>){4}) (\S+)")
_SHEET_CELL = 320
_CAPTION_LINES = 4


@dataclass(frozen=True)
class Written:
    """What :func:`write_pairs` left in a folder."""

    head: str
    folder: Path
    n_pairs: int
    n_keys: int
    """Distinct contents."""
    n_target_characters: int


def write_pairs(
    head: str,
    count: int,
    seed: int,
    folder: Path,
    *,
    start: int = 0,
    difficulty: float = 1.0,
    split: Split = "train",
) -> Written:
    """Write ``count`` pairs of one head, those from index ``start`` on; the folder is made.

    Raises :class:`docai.errors.UnknownHeadError`, ``ValueError`` for a negative count, and ``OSError``.
    """
    if count < 0:
        raise ValueError(f"The count of pairs is {count}; it cannot be negative.")
    stream = samples(head, seed, start=start, difficulty=difficulty, split=split)
    folder.mkdir(parents=True, exist_ok=True)
    keys: set[str] = set()
    characters = 0
    with (
        (folder / "pairs.jsonl").open("w", encoding="utf-8") as pairs,
        _index(head, folder) as index,
    ):
        for number, sample in enumerate(islice(stream, count), start):
            image = _WRITERS[head](sample, number, folder, split, index)
            line = {"image": image, "target": sample.target, "key": sample.key}
            pairs.write(json.dumps(line, ensure_ascii=False) + "\n")
            keys.add(sample.key)
            characters += len(sample.target)
    return Written(head, folder, count, len(keys), characters)


def contact_sheet(shown: Sequence[Sample], columns: int = 4) -> Image.Image:
    """Small pictures with the beginnings of their targets below, to be looked at before training."""
    face = fonts.face("cour", 11)
    caption = face.height * _CAPTION_LINES + 8
    rows = -(-len(shown) // columns)
    sheet = Image.new("RGB", (columns * _SHEET_CELL, rows * (_SHEET_CELL + caption)), (225, 230, 235))
    pen = ImageDraw.Draw(sheet)
    for index, sample in enumerate(shown):
        left = index % columns * _SHEET_CELL
        top = index // columns * (_SHEET_CELL + caption)
        small = sample.image.resize((_SHEET_CELL - 6, _SHEET_CELL - 6), Image.Resampling.BILINEAR)
        sheet.paste(small, (left + 3, top + 3))
        plain = _LOC.sub("", sample.target).replace(' coords=""', "").replace("\t", "  ")
        lines = [part for line in plain.split("\n") for part in textwrap.wrap(line, 44)]
        for number, line in enumerate(lines[:_CAPTION_LINES]):
            y = top + _SHEET_CELL + number * face.height
            pen.text((left + 4, y), line, fill=(20, 20, 20), font=face.font)
    return sheet


@contextmanager
def _index(head: str, folder: Path) -> Iterator[TextIO]:
    """The file that lists all pairs in the layout of the head; for score and text there is none."""
    names = {"table": "PubTabNet_2.0.0.jsonl", "molecule": "molecules.csv"}
    if head not in names:
        yield StringIO()
        return
    with (folder / names[head]).open("w", encoding="utf-8", newline="") as file:
        if head == "molecule":
            csv.writer(file).writerow(("image_id", "file_path", "SMILES"))
        yield file


def _save(sample: Sample, folder: Path, name: str) -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    sample.image.save(path, compress_level=3)
    return name


def _write_table(sample: Sample, number: int, folder: Path, split: Split, index: TextIO) -> str:
    part = "train" if split == "train" else "val"
    name = f"table_{number:06d}.png"
    line = {"filename": name, "split": part, "imgid": number, "html": pubtabnet_html(sample.target)}
    index.write(json.dumps(line, ensure_ascii=False) + "\n")
    return _save(sample, folder, f"{part}/{name}")


def _write_molecule(sample: Sample, number: int, folder: Path, split: Split, index: TextIO) -> str:
    name = _save(sample, folder, f"images/molecule_{number:06d}.png")
    csv.writer(index).writerow((f"molecule_{number:06d}", name, sample.target))
    return name


def _write_score(sample: Sample, number: int, folder: Path, split: Split, index: TextIO) -> str:
    (folder / f"score_{number:06d}.krn").write_text(sample.target + "\n", encoding="utf-8")
    return _save(sample, folder, f"score_{number:06d}.png")


def _write_text(sample: Sample, number: int, folder: Path, split: Split, index: TextIO) -> str:
    lines = []
    for coords, word in _WORD.findall(sample.target):
        x0, y0, x1, y1 = _pixels(coords)
        lines.append(f"{x0},{y0},{x1},{y0},{x1},{y1},{x0},{y1},{word}\r\n")
    (folder / f"gt_img_{number}.txt").write_bytes("".join(lines).encode("utf-8-sig"))
    return _save(sample, folder, f"img_{number}.png")


def pubtabnet_html(target: str) -> dict[str, object]:
    """A table target as PubTabNet's ``html`` object: structure tokens and cells with character tokens."""
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
    y0, x0, y1, x1 = (round(int(value) / (BINS - 1) * SIZE) for value in _LOC.findall(coords))
    return x0, y0, x1, y1


_WRITERS: Mapping[str, Callable[[Sample, int, Path, Split, TextIO], str]] = {
    "table": _write_table,
    "molecule": _write_molecule,
    "score": _write_score,
    "text": _write_text,
}
