"""What a batch is given: files, folders, patterns and lists, as inputs that each have a result of their own.

An input that is named is kept even where it does not exist: it gets a row that says so. Results mirror the
tree of the inputs: ``scans/2024/a.pdf`` of the folder ``scans`` becomes ``results/2024/a.pdf.json``. The
extension stays, so that ``a.pdf`` and ``a.png`` do not meet; names that differ only in case or in how accents
are composed get a number, since some file systems take them for one.

A URL (:mod:`docai.pipelines.batch.storage`) is a document or a folder of a store; patterns are not expanded
in one.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from docai.base import counted
from docai.errors import EmptySourceError, InputError, SettingError
from docai.files import DOCUMENT_SUFFIXES, as_text, expand_home
from docai.page_ranges import page_ranges
from docai.pipelines.batch.listing import list_documents, other_files
from docai.pipelines.batch.storage import files_below, is_url, joined, name_of

LIST: Final = "-"
"""Standard input: a path, or an object of JSON, on each line."""

LIST_SUFFIX: Final = ".jsonl"
"""Of a file that holds such a list."""

MAX_NAME_BYTES: Final = 180
"""Of one part of the name of a result: file systems take 255 with all that comes behind it."""

_BYTE_ORDER_MARK: Final = "\ufeff"
"""What some editors of Windows put before the first line."""

_OPTIONS: Final = ("pages", "password")
"""What a line of a list may say beside the path."""

_BYTES: Final = "bytes:"
"""Before a path that is no text, as its bytes in percent signs. Others are absolute and begin otherwise."""


@dataclass(frozen=True)
class BatchInput:
    """One document: where it is, what its results are called, and what is asked for it alone."""

    path: str
    """Absolute; see :func:`stored`."""
    name: str
    """Relative, with slashes, without the extension of a result. No two are the same on any file system."""
    pages: str | None = None
    """Ranges; None is all."""
    password: str | None = field(default=None, repr=False)
    place: str = ""
    """Below what was given, whatever else was given; it decides the shard."""

    @property
    def options(self) -> str:
        """What the manifest keeps of it, as JSON: a password is in no file."""
        return json.dumps({} if self.pages is None else {"pages": self.pages})


@dataclass
class BatchInputs:
    """What was found."""

    found: list[BatchInput] = field(default_factory=list)
    """Each path once, in the order of the arguments; those of a folder by name."""
    notes: list[str] = field(default_factory=list)
    """What was left out, in words."""

    def rename(self, names: Mapping[str, str]) -> None:
        """Inputs that a run knows keep their names there; others get names that are free beside those.

        Args:
            names: path → name.
        """
        taken = _Names(names.values())
        for index, one in enumerate(self.found):
            name = names.get(one.path) or taken.take(one.name)
            self.found[index] = replace(one, name=name)


def find_batch_inputs(arguments: Sequence[str | Path], *, lines: Iterable[str] = ()) -> BatchInputs:
    """The inputs that the arguments name.

    Folders are read with their subfolders; hidden files, folders of runs and links to folders are left out.

    Args:
        lines: of standard input, for :data:`LIST` among the arguments.

    Raises:
        EmptySourceError: there is no document at all.
        SettingError: a line of a list cannot be understood.
    """
    inputs = BatchInputs()
    roots: dict[str, tuple[str, Mapping[str, str]]] = {}
    clashing: dict[str, None] = {}
    for argument in arguments:
        for path, relative, options in _inputs_of(str(argument), lines, inputs.notes):
            if roots.setdefault(path, (relative, options))[1] != options:
                clashing[path] = None
    if clashing:
        inputs.notes.append(
            f"{next(iter(clashing))} is named more than once, with other pages or another password: it is "
            f"read once, as it was named first ({counted(len(clashing), 'such input')})."
        )
    folders = {relative.partition("/")[0] for relative, _ in roots.values() if "/" in relative}
    is_one_folder = len(folders) == 1 and all("/" in relative for relative, _ in roots.values())
    taken = _Names()
    for path, (relative, options) in roots.items():
        name = taken.take(_shortened(relative.partition("/")[2] if is_one_folder else relative))
        inputs.found.append(BatchInput(path, name, options.get("pages"), options.get("password"), relative))
    if not inputs.found:
        given = ", ".join(map(str, arguments)) or "nothing"
        left_out = f" {' '.join(inputs.notes)}" if inputs.notes else ""
        raise EmptySourceError(
            f"There are no documents in what was given ({given}): give files, folders, quoted patterns such "
            f"as 'scans/**/*.pdf', a list of paths on standard input (-), or a file of JSON lines.{left_out}",
            source=given,
        )
    return inputs


def shard_of(inputs: Iterable[BatchInput], number: int, n_shards: int) -> list[BatchInput]:
    """The inputs of part ``number`` of ``n_shards``, from 1: an input is in the same one in every run, and
    on every machine."""
    return [one for one in inputs if _digest(one.place or one.name, 8) % n_shards == number - 1]


def stored(path: str | Path) -> str:
    """A path as text that any database takes, or a URL as it is; names that are no UTF-8 are kept byte by
    byte."""
    if is_url(str(path)):
        return str(path)
    text = os.path.abspath(path)  # noqa: PTH100 - links and `..` behind them are not to be followed
    return text if as_text(text) == text else _BYTES + quote_from_bytes(os.fsencode(text))


def source_place(text: str) -> str | Path:
    """Where an input is: its path, or the URL that was given."""
    return text if is_url(text) else restored(text)


def restored(text: str) -> Path:
    """The path that :func:`stored` made text of."""
    if text.startswith(_BYTES):
        return Path(os.fsdecode(unquote_to_bytes(text.removeprefix(_BYTES))))
    return Path(text)


def _inputs_of(
    argument: str, lines: Iterable[str], notes: list[str]
) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Path, its place below what was given, and its options."""
    if argument == LIST:
        yield from _listed(lines, "standard input")
        return
    if is_url(argument):
        yield from _in_store(argument, notes)
        return
    path = expand_home(argument)
    if path.suffix.lower() == LIST_SUFFIX and path.is_file():
        try:
            # Names of files may be no UTF-8.
            with path.open(encoding="utf-8", errors="surrogateescape") as file:
                yield from _listed(file, str(path))
        except OSError as error:
            raise SettingError(f"The list {path} cannot be read ({error}).") from None
    elif path.is_dir() and argument.strip():
        yield from _in_folder(path, path.resolve().name or "root", notes)
    elif glob.has_magic(argument) and not os.path.lexists(path):
        yield from _matching(path, argument, notes)
    else:
        yield stored(path), path.name or "input", {}


def _in_folder(folder: Path, place: str, notes: list[str]) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """All documents of a folder, whose own place is ``place``."""
    listing = list_documents(folder)
    notes += listing.notes
    for path in listing.documents:
        yield stored(path), f"{place}/{path.relative_to(folder).as_posix()}", {}


def _matching(pattern: Path, argument: str, notes: list[str]) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """What a pattern matches, below the last folder without wildcards; folders with all that is in them."""
    matches = sorted(glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - Path has no absolute ones
    if not matches:
        notes.append(f"Nothing matches {argument}.")
    base = next(folder for folder in pattern.parents if not glob.has_magic(str(folder)))
    root = base.resolve().name or "root"
    for match in map(Path, matches):
        place = f"{root}/{match.relative_to(base).as_posix()}"
        if not match.is_dir():
            yield stored(match), place, {}
        elif pattern.name != "**":
            yield from _in_folder(match, place, notes)


def _in_store(url: str, notes: list[str]) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """A document, or all that are below a folder, of a store."""
    try:
        names = files_below(url)
    except OSError as error:
        raise InputError(
            f"{url} cannot be listed ({error}): check the URL and its key.", source=url
        ) from None
    if names is None:
        yield url, name_of(url) or "input", {}
        return
    parts = [name.split("/") for name in names]
    seen = [
        name
        for name, steps in zip(names, parts, strict=True)
        if not any(step.startswith(".") for step in steps)
    ]
    documents = [name for name in seen if PurePosixPath(name).suffix.lower() in DOCUMENT_SUFFIXES]
    others = Counter(PurePosixPath(name).suffix.lower() or "no extension" for name in seen)
    for suffix in DOCUMENT_SUFFIXES:
        del others[suffix]
    if others:
        notes.append(f"{url}: {counted(len(documents), 'document')}; left out: {other_files(others)}.")
    for name in documents:
        yield joined(url, name), f"{name_of(url) or 'root'}/{name}", {}


def _listed(lines: Iterable[str], where: str) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix(_BYTE_ORDER_MARK).strip()
        if not text:
            continue
        options: dict[str, Any] = {}
        if text.startswith("{"):
            try:
                options = json.loads(text)
                text = options.pop("path")
            except (ValueError, KeyError):
                raise SettingError(_bad_line(where, number, 'it needs a "path"')) from None
        if wrong := [name for name in options if name not in _OPTIONS] or not isinstance(text, str):
            what = f"{wrong[0]!r} is unknown" if isinstance(wrong, list) else "the path is no text"
            raise SettingError(_bad_line(where, number, what))
        if any(not isinstance(value, str) for value in options.values()):
            raise SettingError(_bad_line(where, number, "pages and password are texts"))
        if not text:
            raise SettingError(_bad_line(where, number, "the path is empty"))
        if "pages" in options:
            try:
                page_ranges(options["pages"])
            except SettingError as error:
                raise SettingError(_bad_line(where, number, str(error).rstrip("."))) from None
        # Of a list nothing is known but the paths: their last folders keep results apart and easy to find.
        place = text.partition("://")[2] if is_url(text) else text
        yield stored(text), "/".join(Path(place).parts[-2:]).lstrip("/") or "input", options


def _bad_line(where: str, number: int, what: str) -> str:
    return (
        f"Line {number} of {where} cannot be understood ({what}): write a path, or JSON such as "
        '{"path": "a.pdf", "pages": "1-3", "password": "…"}.'
    )


def _folded(name: str) -> str:
    """What a name is to the file system that tells fewest names apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _shortened(name: str) -> str:
    """A relative name that can be written everywhere: no ``..``, no bytes that are no text, not too long."""
    parts = []
    for part in name.split("/"):
        text = part.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        text = "".join("_" if ord(letter) < 32 or letter in '\\:*?"<>|' else letter for letter in text)
        raw = text.encode()
        if len(raw) > MAX_NAME_BYTES:
            head = raw[: MAX_NAME_BYTES - 12].decode("utf-8", "ignore")
            text = f"{head}~{_digest(part, 5):010x}"
        parts.append("_" if text.strip(" .") == "" else text)
    return "/".join(parts)


class _Names:
    """Names that are taken, and others that are free beside them.

    Args:
        names: that are taken.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._taken = {_folded(name) for name in names}
        self._last: dict[str, int] = {}
        """Number of the last that was taken, of names that were asked for more than once."""

    def take(self, name: str) -> str:
        """The name, or one made of it that is free; it is taken then."""
        folded, free = _folded(name), name
        number = self._last.get(folded, 1)
        while _folded(free) in self._taken:
            number += 1
            free = f"{name}~{number}"
        self._last[folded] = number
        self._taken.add(_folded(free))
        return free


def _digest(text: str, n_bytes: int) -> int:
    raw = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(raw[:n_bytes], "big")
