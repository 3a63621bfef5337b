"""Scene text in one JSON file: HierText, COCO-Text and TextOCR."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from docai.errors import DatasetError
from docai.pipelines.evaluation.base import Sample, Skipped, SpottedWord
from docai.pipelines.evaluation.datasets.formats import (
    Format,
    MalformedError,
    Sources,
    load_json,
    one_file,
    open_bytes,
)
from docai.pipelines.evaluation.datasets.icdar_text import spotted
from docai.records import Point

_EXPECTED_HIERTEXT = "a HierText file {info, annotations: [{image_id, paragraphs}]}"
_EXPECTED_COCO = "a COCO-Text or TextOCR file {imgs, anns, imgToAnns}"
_ANNOTATIONS = re.compile(r'"annotations"\s*:\s*\[')
_CHUNK = 1 << 20
_KEY_LENGTH = 64
"""At least what the key and the white space around it take."""
_SEPARATORS = " \t\r\n,"
_BROKEN = "A word of its truth is not as the format says."


def read_hiertext(path: Path) -> Iterator[Sample | Skipped]:
    """HierText: one JSON file, though called ``.jsonl`` or ``.jsonl.gz``, and pictures ``<image_id>.jpg``.

    ``{info, annotations: [{image_id, paragraphs: [{lines: [{words: [{vertices, text, legible}]}]}]}]}``, in
    pixels; words in the file's order, those not legible are don't-care. The file is read one picture at a
    time. Pictures lie beside the file, in a folder of the split's name (``validation``) there or one level
    up, or in ``images``. Source: https://github.com/google-research-datasets/hiertext.

    Raises:
        DatasetError: no such file, or it is of another layout.
    """
    file = one_file(path, (".jsonl", ".jsonl.gz", ".json"), _EXPECTED_HIERTEXT)
    return _hiertext(file)


def _hiertext(file: Path) -> Iterator[Sample | Skipped]:
    split = file.name.split(".")[0]
    here, up = file.parent, file.parent.parent
    sources = Sources(here, here / split, here / "images", up / split, up / "images", up / "images" / split)
    for number, entry in enumerate(stream_annotations(file)):
        name = entry.get("image_id") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name:
            yield Skipped(f"annotation {number}", "The annotation has no image_id.")
            continue
        try:
            words = [_legible_word(word) for word in _hierarchy(entry)]
            yield spotted(name, words, sources.require(f"{name}.jpg", f"{name}.png"))
        except MalformedError as error:
            yield Skipped(name, str(error))


def stream_annotations(file: Path) -> Iterator[Any]:
    """The elements of the list ``annotations`` of a JSON object, without holding the file in memory.

    Raises:
        DatasetError: there is no such list, or it is cut off or broken.
    """
    decoder = json.JSONDecoder()
    with open_bytes(file) as stream:
        text = codecs.getreader("utf-8-sig")(stream)
        buffer = _begin_list(file, text)
        is_last = False
        while True:
            position = _next_element(buffer, 0)
            while not buffer.startswith("]", position):
                try:
                    value, end = decoder.raw_decode(buffer, position)
                except (ValueError, RecursionError) as error:
                    if is_last:
                        raise DatasetError(f"{file} is cut off or broken: {error}.") from None
                    break
                yield value
                position = _next_element(buffer, end)
            else:
                return
            buffer = buffer[position:]
            # As much again as an element has shown so far, so that a large one is not tried often.
            chunk = _read(file, text, max(_CHUNK, len(buffer)))
            is_last = not chunk
            buffer += chunk


def _begin_list(file: Path, text: codecs.StreamReader) -> str:
    """What was read behind the ``[`` of the list."""
    buffer = ""
    while True:
        chunk = _read(file, text, _CHUNK)
        buffer += chunk
        match = _ANNOTATIONS.search(buffer)
        if match is not None:
            return buffer[match.end() :]
        if not chunk:
            raise DatasetError(f"{file} holds no list of annotations; expected {_EXPECTED_HIERTEXT}.")
        buffer = buffer[-_KEY_LENGTH:]


def _read(file: Path, text: codecs.StreamReader, size: int) -> str:
    try:
        return text.read(size)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DatasetError(f"{file} cannot be read: {error}.") from error


def _next_element(buffer: str, position: int) -> int:
    while position < len(buffer) and buffer[position] in _SEPARATORS:
        position += 1
    return position


def _hierarchy(entry: Mapping[str, Any]) -> Iterator[Any]:
    for paragraph in _list(entry, "paragraphs"):
        for line in _list(paragraph, "lines"):
            yield from _list(line, "words")


def _list(value: Any, key: str) -> list[Any]:
    entries = value.get(key) if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise MalformedError(_BROKEN)
    return entries


def _legible_word(word: Any) -> SpottedWord:
    text = word.get("text") if isinstance(word, dict) else None
    if not isinstance(text, str) or not isinstance(word.get("legible"), bool):
        raise MalformedError(_BROKEN)
    vertices = _list(word, "vertices")
    if not all(isinstance(vertex, list) and len(vertex) == 2 for vertex in vertices):
        raise MalformedError(_BROKEN)
    flat = [number for vertex in vertices for number in vertex]
    return SpottedWord(text=text, polygon=_corners(flat), ignore=not word["legible"])


def _corners(flat: Any) -> list[Point]:
    """Corners from ``x, y, x, y, …``."""
    if not isinstance(flat, list) or len(flat) < 6 or len(flat) % 2:
        raise MalformedError(_BROKEN)
    if not all(type(number) in (int, float) and math.isfinite(number) for number in flat):
        raise MalformedError(_BROKEN)
    numbers = [float(number) for number in flat]
    return list(zip(numbers[0::2], numbers[1::2], strict=True))


def read_coco_text(path: Path) -> Iterator[Sample | Skipped]:
    """COCO-Text 2: ``cocotext.v2.json`` ``{cats, anns, imgs, imgToAnns, info}``, pictures of MS COCO.

    A word has ``mask`` (x, y, …), ``bbox`` (x, y, width, height), ``utf8_string``, ``legibility``; the
    illegible and the empty are don't-care. Where the pictures are of several sets, those of ``val`` are read.
    Pictures lie beside the file, in ``train2014`` or in ``images``. Source:
    https://bgshih.github.io/cocotext/.

    Raises:
        DatasetError: no such file, or it is of another layout.
    """
    return _coco(one_file(path, (".json",), _EXPECTED_COCO), "mask", _is_illegible)


def read_textocr(path: Path) -> Iterator[Sample | Skipped]:
    """TextOCR: ``TextOCR_0.1_val.json`` ``{imgs, anns, imgToAnns}``, pictures of Open Images.

    A word has ``points`` (x, y, …), ``bbox`` (x, y, width, height), ``utf8_string``, of which ``.`` is
    don't-care. Pictures lie as ``file_name`` says, beside the file or in ``train_images`` or ``images``.
    Source: https://textvqa.org/textocr/dataset/.

    Raises:
        DatasetError: no such file, or it is of another layout.
    """
    return _coco(one_file(path, (".json",), _EXPECTED_COCO), "points", _is_point)


def _is_illegible(word: Mapping[str, Any]) -> bool:
    return word.get("legibility") == "illegible" or not word.get("utf8_string")


def _is_point(word: Mapping[str, Any]) -> bool:
    return word.get("utf8_string") in (".", "")


def _coco(file: Path, outline: str, is_ignored: Any) -> Iterator[Sample | Skipped]:
    content = load_json(file, _EXPECTED_COCO)
    parts = [content.get(key) if isinstance(content, dict) else None for key in ("imgs", "anns", "imgToAnns")]
    images, words, words_of = parts
    if not isinstance(images, dict) or not isinstance(words, dict) or not isinstance(words_of, dict):
        raise DatasetError(f"{file} has not the keys imgs, anns and imgToAnns; expected {_EXPECTED_COCO}.")
    first = next(iter(words.values()), None)
    if isinstance(first, dict) and outline not in first:
        raise DatasetError(f"The words of {file} have no {outline!r}; it is another set's layout.")
    folder = file.parent
    sources = Sources(folder, folder / "train2014", folder / "train_images", folder / "images")
    sets = {str(image.get("set")) for image in images.values() if isinstance(image, dict)}
    for key, image in images.items():
        if not isinstance(image, dict) or not isinstance(image.get("file_name"), str):
            yield Skipped(key, "The picture has no file_name.")
            continue
        if len(sets) > 1 and "val" in sets and image.get("set") != "val":
            continue
        name = image["file_name"]
        try:
            listed = words_of.get(key, [])
            if not isinstance(listed, list):
                raise MalformedError(_BROKEN)
            listed_words = [_coco_word(words.get(str(number)), outline, is_ignored) for number in listed]
            yield spotted(key, listed_words, sources.require(name, Path(name).name))
        except MalformedError as error:
            yield Skipped(key, str(error))


def _coco_word(word: Any, outline: str, is_ignored: Any) -> SpottedWord:
    if not isinstance(word, dict):
        raise MalformedError("A word that the picture lists is missing.")
    text = word.get("utf8_string", "")
    if not isinstance(text, str):
        raise MalformedError(_BROKEN)
    return SpottedWord(text=text, polygon=_corners(word.get(outline)), ignore=is_ignored(word))


FORMATS = tuple(
    Format(
        name=name,
        read=read,
        unit="crop",
        kinds=("text",),
        tasks=("text-hiertext", "text-rrc"),
        summary=summary,
    )
    for name, read, summary in (
        ("hiertext", read_hiertext, "HierText: SPLIT.jsonl(.gz) and the pictures"),
        ("coco-text", read_coco_text, "COCO-Text 2: cocotext.v2.json and the pictures"),
        ("textocr", read_textocr, "TextOCR: TextOCR_0.1_val.json and the pictures"),
    )
)
