"""What ``docai process`` is given: files, folders, patterns and standard input, as one list of documents."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from docai.base import counted
from docai.errors import EmptySourceError, InputError, SourceNotFoundError
from docai.exports import source_of_result
from docai.files import DOCUMENT_SUFFIXES, expand_home

STDIN: Final = "-"

_STDIN_NAME: Final = "stdin"
"""What results of standard input are named after."""


class _StandardInput(BytesIO):
    name = "<stdin>"


@dataclass(frozen=True)
class Input:
    """One document: its path, or what came from standard input."""

    path: Path
    data: bytes | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """For messages."""
        return self.path.name if self.data is None else _StandardInput.name

    @property
    def shown(self) -> Path:
        """The path as it was given, or the name of what came from standard input."""
        return self.path if self.data is None else Path(_StandardInput.name)

    def open(self) -> Path | BinaryIO:
        """What the pipeline reads; anew at each call."""
        return self.path if self.data is None else _StandardInput(self.data)


@dataclass
class Inputs:
    """What was found."""

    documents: list[Input] = field(default_factory=list)
    """Each file once, in the order of the arguments; those of a folder or a pattern by name."""
    errors: list[InputError] = field(default_factory=list)
    """What is not there, one for each argument."""
    notes: list[str] = field(default_factory=list)
    """What was left out, in words."""


def find_inputs(arguments: Sequence[str], *, recursive: bool = False, max_bytes: int | None = None) -> Inputs:
    """The documents that the arguments name.

    A file is taken as it is. A folder is the documents directly in it, told by
    :data:`~docai.files.DOCUMENT_SUFFIXES`, with those of its subfolders where ``recursive``; hidden files and
    docai's own pictures are left out. A pattern is whatever it matches, as in a shell that expands it; ``**``
    is any number of folders. Of several files those that docai wrote are left out. Of standard input
    ``max_bytes`` and one are read at most.
    """
    inputs = Inputs()
    found: dict[str, Input] = {}
    for argument in arguments:
        try:
            for document in _documents(argument, recursive, inputs.notes, max_bytes):
                real = STDIN if document.data is not None else os.path.realpath(document.path)
                found.setdefault(real, document)
        except InputError as error:
            inputs.errors.append(error)
    inputs.documents = list(found.values())
    if len(inputs.documents) > 1:
        # A shell gives them for `papers/*` after the first run.
        inputs.documents = [document for document in found.values() if not _is_own(document.path)]
        if n_own := len(found) - len(inputs.documents):
            inputs.notes.append(f"Left out: {counted(n_own, 'file')} that docai wrote itself.")
    return inputs


def _is_own(path: Path) -> bool:
    from docai.pipelines.overlay import is_own_picture

    return is_own_picture(path) or (path.suffix.lower() == ".json" and source_of_result(path) is not None)


def _documents(argument: str, recursive: bool, notes: list[str], max_bytes: int | None) -> Iterator[Input]:
    from docai.pipelines.ingest.source import file_size

    if argument == STDIN:
        yield Input(Path(_STDIN_NAME), _read_stdin(max_bytes))
        return
    path = expand_home(argument)
    if path.is_dir() and argument.strip():
        yield from _in_folder(path, recursive, notes)
    elif glob.has_magic(argument) and "://" not in argument and not os.path.lexists(path):
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path has no absolute ones
        if not matches:
            where = "" if path.is_absolute() else f" from {Path.cwd()}"
            raise SourceNotFoundError(
                f"No file matches the pattern {argument}{where}: check it, and the folder.", source=argument
            )
        for match in map(Path, matches):
            yield from _in_folder(match, recursive, notes) if match.is_dir() else [Input(match)]
    else:
        file_size(path, argument)
        yield Input(path)


def _in_folder(folder: Path, recursive: bool, notes: list[str]) -> list[Input]:
    from docai.pipelines.batch.listing import list_documents

    listing = list_documents(folder, recursive=recursive)
    if not listing.documents:
        known = ", ".join(DOCUMENT_SUFFIXES)
        why = listing.deeper or f"documents are told by their extensions, {known}"
        raise EmptySourceError(f"The folder {folder} has no documents in it ({why}).", source=str(folder))
    notes += listing.notes
    return [Input(path) for path in listing.documents]


def _read_stdin(max_bytes: int | None) -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise EmptySourceError(
            "`-` reads a document from standard input, and nothing is piped into it: "
            "`curl -L URL | docai process -`.",
            source=_StandardInput.name,
        )
    # One more than is allowed, for the pipeline to refuse.
    return sys.stdin.buffer.read(-1 if max_bytes is None else max_bytes + 1)
