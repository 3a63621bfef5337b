"""Answers of other tools, each in the form that its field's own tools write.

=====================  ==================================================================================
docai                  ``predictions.jsonl``, or its folder: one :class:`Prediction` a line
PubTabNet              JSON ``{filename: html}`` or ``{filename: {"html": html}}``, as its ``metric.py`` reads
MolScribe              CSV with ``image_id`` and ``post_SMILES`` (its final answer), else ``SMILES``
``**kern``             a folder or zip of ``.krn`` files
ICDAR Robust Reading   a folder or zip of ``res_<name>.txt``: ``x1,y1,…,x4,y4,text`` a line
HierText               JSON ``{"annotations": [{"image_id", "paragraphs": [{"lines": [{"words": […]}]}]}]}``
=====================  ==================================================================================

Which of them a file is, is told by its content; JSON may be packed with gzip. Files are UTF-8 with or without
byte order mark.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, cast
from zipfile import BadZipFile, ZipFile, is_zipfile

from docai.errors import PredictionsError
from docai.pipelines.evaluation.base import Item, Prediction, SpottedWord
from docai.pipelines.evaluation.predictions import PREDICTIONS_NAME, Given, parse_line, some
from docai.records import Point

FORMATS = (
    "predictions.jsonl of docai, JSON {filename: html}, a CSV with image_id and SMILES or post_SMILES, a "
    "folder or zip of .krn files or of res_NAME.txt files, and HierText's JSON"
)
_MAX_MEMBER_BYTES = 64 << 20
"""Of one file of a folder or zip: an answer is not larger, a zip bomb is."""
_NUMBER = r"\s*([+-]?\d+(?:\.\d+)?)\s*"
_QUAD = re.compile(",".join([_NUMBER] * 8) + ",(.*)")


class Member(NamedTuple):
    """One file of a folder or zip."""

    name: str
    """Relative, with ``/``."""
    data: bytes


def read_predictions(path: Path) -> Iterator[Given]:
    """The predictions of a file or folder, in their order.

    Raises:
        PredictionsError: there is none, it is of no known form, or broken; the message says in which line.
    """
    try:
        if (path / PREDICTIONS_NAME).is_file():
            yield from _read_lines(path / PREDICTIONS_NAME)
        elif path.is_dir():
            yield from _read_members(path, _folder_members(path))
        elif not path.is_file():
            raise PredictionsError(f"There are no predictions at {path}: the path does not exist.")
        elif is_zipfile(path):
            yield from _read_members(path, _zip_members(path))
        else:
            yield from _read_file(path)
    except (OSError, EOFError, BadZipFile, zlib.error) as error:
        raise PredictionsError(f"The predictions {path} cannot be read: {error}.") from None


def _read_file(path: Path) -> Iterator[Given]:
    with _open(path) as file:
        try:
            first = next((line for line in file if line.strip()), "")
        except UnicodeDecodeError:
            raise _unknown(path) from None
    if not first:
        raise PredictionsError(f"{path} is empty: there are no predictions in it.")
    if not first.lstrip().startswith(("{", "[")):
        if "image_id" in first:
            return _read_csv(path)
        raise _unknown(path)
    if _is_line(first):
        return _read_lines(path)
    return _read_json(path)


@contextmanager
def _open(path: Path) -> Iterator[TextIOWrapper]:
    with path.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        raw = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if is_packed else file
        with TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
            yield text


def _unknown(path: Path) -> PredictionsError:
    return PredictionsError(f"{path} holds no predictions in a known form; these are read: {FORMATS}.")


def _is_line(first: str) -> bool:
    """Whether a file that begins so is to be read line by line."""
    try:
        value = json.loads(first)
    except ValueError:
        return False
    return isinstance(value, dict) and "id" in value and not isinstance(value["id"], dict)


def _read_lines(path: Path) -> Iterator[Given]:
    with _open(path) as file:
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield Given(parse_line(line, f"Line {number} of {path}"), f"line {number}")
        except UnicodeDecodeError as error:
            raise PredictionsError(f"{path} is not UTF-8: {error}.") from None


def _read_json(path: Path) -> Iterator[Given]:
    try:
        with _open(path) as file:
            value = json.load(file, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise PredictionsError(f"{path} is not JSON: {error}. These forms are read: {FORMATS}.") from None
    if isinstance(value, dict) and isinstance(value.get("annotations"), list):
        return _hiertext(path, value["annotations"])
    if isinstance(value, dict):
        return _htmls(path, value)
    raise _unknown(path)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Python keeps the last of two equal keys without a word."""
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"the key {key!r} is there twice")
        content[key] = value
    return content


def _htmls(path: Path, value: dict[str, Any]) -> Iterator[Given]:
    for name, answer in value.items():
        html = answer.get("html") if isinstance(answer, dict) else answer
        if not isinstance(html, str):
            raise PredictionsError(
                f"{path}: what it has for {name!r} is neither HTML nor an object with html."
            )
        yield Given(Prediction(id=name, items=[Item(kind="table", text=html)]), f"the key {name!r}")


def _hiertext(path: Path, annotations: Sequence[Any]) -> Iterator[Given]:
    for number, annotation in enumerate(annotations, 1):
        where = f"annotation {number}"
        try:
            words = [
                SpottedWord(text=str(word.get("text", "")), polygon=_polygon(word["vertices"]))
                for paragraph in annotation["paragraphs"]
                for line in paragraph["lines"]
                for word in line["words"]
            ]
            identifier = str(annotation["image_id"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise PredictionsError(
                f"{path}: {where} is not in HierText's form ({type(error).__name__}: {error})."
            ) from None
        yield Given(_words(identifier, words), where)


def _polygon(vertices: Any) -> list[Point]:
    corners: list[Point] = [(float(x), float(y)) for x, y in vertices]
    if len(corners) < 3:
        raise ValueError(f"a word has {len(corners)} corners")
    return corners


def _words(identifier: str, words: list[SpottedWord]) -> Prediction:
    item = Item(kind="text", text=" ".join(word.text for word in words), words=words)
    return Prediction(id=identifier, items=[item] if words else [])


def _read_csv(path: Path) -> Iterator[Given]:
    with _open(path) as file:
        rows = csv.DictReader(file)
        header = rows.fieldnames or []
        column = next((name for name in ("post_SMILES", "SMILES") if name in header), None)
        if column is None or "image_id" not in header:
            raise PredictionsError(
                f"{path} has the columns {', '.join(header)}; image_id and SMILES or post_SMILES are needed."
            )
        try:
            for row in rows:
                where = f"line {rows.line_num}"
                identifier, smiles = row["image_id"], row[column]
                if not identifier or smiles is None or None in row:
                    raise PredictionsError(f"{path}, {where}: it has not as many fields as the header.")
                yield Given(Prediction(id=identifier, items=[Item(kind="molecule", text=smiles)]), where)
        except (csv.Error, UnicodeDecodeError) as error:
            raise PredictionsError(f"{path} cannot be read after line {rows.line_num}: {error}.") from None


def _folder_members(path: Path) -> Iterator[Member]:
    for file in sorted(path.rglob("*")):
        if file.is_file() and _is_answer(name := file.relative_to(path).as_posix()):
            if file.stat().st_size > _MAX_MEMBER_BYTES:
                raise _too_large(path, name)
            yield Member(name, file.read_bytes())


def _zip_members(path: Path) -> Iterator[Member]:
    with ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            if info.is_dir() or not _is_answer(info.filename):
                continue
            if info.file_size > _MAX_MEMBER_BYTES:
                raise _too_large(path, info.filename)
            try:
                yield Member(info.filename, archive.read(info))
            except (BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError) as error:
                raise PredictionsError(f"{info.filename} in {path} cannot be read: {error}.") from None


def _too_large(path: Path, name: str) -> PredictionsError:
    return PredictionsError(f"{name} in {path} is larger than any answer ({_MAX_MEMBER_BYTES >> 20} MiB).")


def _is_answer(name: str) -> bool:
    """Not one of the files that systems leave in folders and archives."""
    parts = PurePosixPath(name).parts
    return not any(part.startswith((".", "__MACOSX")) for part in parts)


def _read_members(path: Path, members: Iterator[Member]) -> Iterator[Given]:
    others: list[str] = []
    first: Member | None = None
    for member in members:
        if not (_is_kern(member) or _is_words(member)):
            others.append(member.name)
            continue
        if first is not None and _is_kern(first) != _is_kern(member):
            raise PredictionsError(
                f"{path} holds answers in two forms ({first.name}, {member.name}): give them one at a time."
            )
        first = first or member
        yield _kern(path, member) if _is_kern(member) else _quads(path, member)
    if first is None:
        contents = f"found {some(others)}" if others else "it is empty"
        raise PredictionsError(f"{path} holds neither .krn files nor res_NAME.txt files; {contents}.")


def _is_kern(member: Member) -> bool:
    return PurePosixPath(member.name).suffix.lower() == ".krn"


def _is_words(member: Member) -> bool:
    name = PurePosixPath(member.name)
    return name.suffix.lower() == ".txt" and name.stem.startswith("res_")


def _text(path: Path, member: Member) -> str:
    try:
        return member.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PredictionsError(f"{member.name} in {path} is not UTF-8: {error}.") from None


def _kern(path: Path, member: Member) -> Given:
    item = Item(kind="score", text=_text(path, member))
    return Given(Prediction(id=str(PurePosixPath(member.name).with_suffix("")), items=[item]), member.name)


def _quads(path: Path, member: Member) -> Given:
    words = []
    for number, line in enumerate(_text(path, member).splitlines(), 1):
        if not line.strip():
            continue
        match = _QUAD.fullmatch(line)
        if match is None:
            raise PredictionsError(
                f"{member.name} in {path}, line {number}, is not x1,y1,x2,y2,x3,y3,x4,y4,text: {line[:60]!r}."
            )
        *numbers, text = match.groups()
        values = [float(value) for value in numbers]
        polygon: list[Point] = list(zip(values[0::2], values[1::2], strict=True))
        words.append(SpottedWord(text=text, polygon=polygon))
    name = PurePosixPath(member.name)
    identifier = str(name.with_name(name.stem.removeprefix("res_")))
    return Given(_words(identifier, words), member.name)
