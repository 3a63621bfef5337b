"""The ICDAR Robust Reading layouts: one text file of words for each picture."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from docai.pipelines.evaluation.base import Item, Sample, Skipped, SpottedWord
from docai.pipelines.evaluation.datasets.formats import (
    Format,
    MalformedError,
    Sources,
    files_below,
    is_picture,
    nothing_found,
    read_text,
    require_folder,
)
from docai.records import Point

DONT_CARE = "###"
_NUMBER = r"\s*([+-]?\d+(?:\.\d+)?)\s*"
_QUAD = re.compile(",".join([_NUMBER] * 8) + ",(.*)")
_QUOTED = re.compile(rf"{_NUMBER}(?:,|\s){_NUMBER}(?:,|\s){_NUMBER}(?:,|\s){_NUMBER}(?:,|\s)\s*\"(.*)\"\s*")
_GT = re.compile(r"gt_(.+)\.txt", re.IGNORECASE)

ParseWord = Callable[[str], SpottedWord | None]
"""A line's word; None where the line is not as the format says."""


def read_icdar2015(path: Path) -> Iterator[Sample | Skipped]:
    """ICDAR 2015 Incidental Scene Text: ``gt_img_N.txt`` with the picture ``img_N.jpg`` in the same tree.

    A word a line: ``x1,y1,x2,y2,x3,y3,x4,y4,text`` in pixels; UTF-8 with byte order mark, line ends CR LF
    or LF. The text may hold commas and keeps its quotes; ``###`` is don't-care. Pictures may lie beside the
    text files or anywhere below the path. Source: https://rrc.cvc.uab.es/?ch=4&com=tasks.

    Raises:
        DatasetError: no such files.
    """
    return read_word_files(path, _quad_word, "gt_img_N.txt with x1,y1,…,x4,y4,text lines")


def _quad_word(line: str) -> SpottedWord | None:
    match = _QUAD.fullmatch(line)
    if match is None:
        return None
    *numbers, text = match.groups()
    values = [float(number) for number in numbers]
    corners: list[Point] = list(zip(values[0::2], values[1::2], strict=True))
    return SpottedWord(text=text, polygon=corners, ignore=text == DONT_CARE)


def read_icdar2013_text(path: Path) -> Iterator[Sample | Skipped]:
    """ICDAR 2013 Focused Scene Text: ``gt_NAME.txt`` with the picture ``NAME.jpg`` in the same tree.

    A word a line: ``x0 y0 x1 y1 "text"`` in pixels (the training half), or the same with commas (the test
    half). The text keeps quotes inside its own; ``###`` is don't-care. Source:
    https://rrc.cvc.uab.es/?ch=2&com=tasks.

    Raises:
        DatasetError: no such files.
    """
    return read_word_files(path, _boxed_word, 'gt_NAME.txt with x0 y0 x1 y1 "text" lines')


def _boxed_word(line: str) -> SpottedWord | None:
    match = _QUOTED.fullmatch(line)
    if match is None:
        return None
    *numbers, text = match.groups()
    x0, y0, x1, y1 = (float(number) for number in numbers)
    return SpottedWord(text=text, polygon=[(x0, y0), (x1, y0), (x1, y1), (x0, y1)], ignore=text == DONT_CARE)


def read_word_files(path: Path, parse: ParseWord, expected: str) -> Iterator[Sample | Skipped]:
    """Samples from ``gt_<stem>.txt`` files below ``path``, each with the picture ``<stem>.*``.

    Raises:
        DatasetError: ``path`` is no folder, or holds no such file.
    """
    require_folder(path, f"a folder with {expected}")
    files = files_below(path)
    truths = [(match[1], file) for file in files if (match := _GT.fullmatch(file.name))]
    if not truths:
        raise nothing_found(path, expected)
    return _word_files(truths, pictures_by_stem(files), parse)


def _word_files(
    truths: list[tuple[str, Path]], pictures: dict[str, list[Path]], parse: ParseWord
) -> Iterator[Sample | Skipped]:
    for stem, file in truths:
        try:
            lines = read_text(file).split("\n")
        except OSError:
            yield Skipped(stem, "Its truth cannot be read.")
            continue
        words: list[SpottedWord] = []
        fault = 0
        for number, line in enumerate(lines, 1):
            if line.strip():
                word = parse(line)
                if word is None:
                    fault = number
                    break
                words.append(word)
        if fault:
            yield Skipped(f"{stem}, line {fault}", "A line of its truth is not as the format says.")
            continue
        try:
            yield spotted(stem, words, beside(file, stem, pictures))
        except MalformedError as error:
            yield Skipped(stem, str(error))


def pictures_by_stem(files: list[Path]) -> dict[str, list[Path]]:
    """The pictures among the files, by the stem of their name in lower case."""
    pictures: dict[str, list[Path]] = {}
    for file in files:
        if is_picture(file):
            pictures.setdefault(file.stem.lower(), []).append(file)
    return pictures


def beside(truth: Path, stem: str, pictures: dict[str, list[Path]]) -> Path | None:
    """The picture of that stem, rather in the truth's own folder; None where the set has no pictures.

    Raises:
        MalformedError: it is missing, or there are several.
    """
    candidates = pictures.get(stem.lower(), [])
    candidates = [picture for picture in candidates if picture.parent == truth.parent] or candidates
    if len(candidates) > 1:
        raise MalformedError("Several pictures have its name.")
    if not candidates and pictures:
        raise MalformedError(Sources.MISSING)
    return candidates[0] if candidates else None


def spotted(case: str, words: list[SpottedWord], source: Path | None) -> Sample:
    """A sample of words; its plain text has those that are asked for, one a line."""
    text = "\n".join(word.text for word in words if not word.ignore)
    return Sample(id=case, truth=(Item(kind="text", text=text, words=words),), source=source)


FORMATS = (
    Format(
        name="icdar2015",
        read=read_icdar2015,
        unit="crop",
        kinds=("text",),
        tasks=("text-hiertext", "text-rrc"),
        summary="ICDAR 2015: gt_img_N.txt beside img_N.jpg",
        protocol="icdar2015",
    ),
    Format(
        name="icdar2013-text",
        read=read_icdar2013_text,
        unit="crop",
        kinds=("text",),
        tasks=("text-hiertext", "text-rrc"),
        summary="ICDAR 2013 scene text: gt_NAME.txt beside NAME.jpg",
    ),
)
