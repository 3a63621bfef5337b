"""One sample on disk, in the layout that its head's usual tools read.

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
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import MappingProxyType

from docai.pipelines.synthesis.base import BINS, SIZE, Sample, Split

LOC = re.compile(r"<loc(\d{4})>")
_WORD = re.compile(r"((?:<loc\d{4}>){4}) (\S+)")


@dataclass(frozen=True)
class Entry:
    """What the folder's lists say about one sample whose own files are there."""

    image: str
    """Path of the picture from the folder."""
    target: str
    key: str
    index_line: str
    """For the layout's own list, line end included; empty where the layout has none."""


@dataclass(frozen=True)
class Index:
    """The file that lists all samples in a layout."""

    name: str
    head_line: str = ""


INDEXES: Mapping[str, Index] = MappingProxyType(
    {
        "table": Index("PubTabNet_2.0.0.jsonl"),
        "molecule": Index("molecules.csv", "image_id,file_path,SMILES\r\n"),
    }
)


def save(sample: Sample, number: int, folder: Path, split: Split) -> Entry:
    """Write the sample's own files, which no other sample has. Raises ``OSError``."""
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
    y0, x0, y1, x1 = (round(int(value) / (BINS - 1) * SIZE) for value in LOC.findall(coords))
    return x0, y0, x1, y1
