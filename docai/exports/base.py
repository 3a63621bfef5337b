"""What a module of a format is given, and what it gives back.

A format is a function from an :class:`Export` (the document, the options, the source's pictures) to the bytes
of the main file. Files that belong beside it are put in with :meth:`Export.add_file`; what the format cannot
hold, or what could not be made, is told with :meth:`Export.lose`. Nothing is written to the disk here: see
:mod:`docai.exports.files`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from docai.base import bracketed, counted
from docai.document import Document
from docai.errors import InputError, needs

if TYPE_CHECKING:
    from docai.limits import Limits
    from docai.pipelines.ingest import Source


@dataclass(frozen=True)
class Loss:
    """Something of the document that the file does not hold."""

    code: str
    """Stable, kebab-case, such as ``no-source``."""
    message: str
    """One sentence that a person understands."""
    record: str | None = None
    """Id of the record; None: it is about the document."""

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """What a caller can say about an export; each format takes what concerns it."""

    source: str | Path | bytes | None = field(default=None, repr=False)
    """The file that was read, or its bytes: for pictures of its pages. None: not at hand."""
    password: str | None = field(default=None, repr=False)
    """Opens ``source``."""
    limits: Limits | None = None
    """Under which ``source`` is opened; None: the default ones."""
    files_beside: bool = True
    """Pictures and further tables may be files of their own; False: in the main file, or lost."""
    chunk_size: int = 1000
    """Of ``.jsonl``: the most that a chunk holds, in characters, or in tokens where there is a tokenizer."""
    tokenizer: str | Path | Callable[[str], Sequence[object]] | None = None
    """Of ``.jsonl``: a ``tokenizer.json``, a folder with one, or a function from text to tokens."""


class ExportedFile(bytes):
    """The bytes of the main file, with what belongs beside it and what is in neither.

    Attributes:
        files: Path relative to the folder of the main file, with ``/`` → bytes.
        losses: What the files do not hold.
    """

    files: Mapping[str, bytes]
    losses: tuple[Loss, ...]

    def __new__(
        cls, data: bytes, *, files: Mapping[str, bytes] | None = None, losses: Sequence[Loss] = ()
    ) -> ExportedFile:
        file = super().__new__(cls, data)
        file.files, file.losses = dict(files or {}), tuple(losses)
        return file

    def __repr__(self) -> str:
        return bracketed(
            "ExportedFile",
            counted(len(self), "byte"),
            f"{counted(len(self.files), 'file')} beside it" if self.files else "",
            f"{len(self.losses)} lost" if self.losses else "",
        )

    def __str__(self) -> str:
        return repr(self)


@dataclass
class Export:
    """One document on its way into one format.

    Attributes:
        document: what is exported.
        stem: the main file's name without its extension, ``report`` of ``report.alto.xml``; names of files
            beside it begin with it.
        options: what the caller said.
        files, losses: what :meth:`add_file` and :meth:`lose` took.
    """

    document: Document
    stem: str
    options: ExportOptions = field(default_factory=ExportOptions)
    files: dict[str, bytes] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)

    def add_file(self, path: str, data: bytes) -> None:
        """A file beside the main one.

        Args:
            path: relative to the folder of the main file, with ``/``; it begins with :attr:`stem`.
        """
        if path in self.files:
            raise ValueError(f"{path} is there already.")
        self.files[path] = data

    def beside(self, name: str, data: bytes) -> str:
        """A file in the folder ``STEM_files`` beside the main one; the link to it, from the main file."""
        path = f"{self.stem}_files/{name}"
        self.add_file(path, data)
        return quote(path)

    def lose(self, code: str, message: str, record: str | None = None) -> None:
        """Tell that something of the document, or of one record, is not in the files."""
        self.losses.append(Loss(code, message, record))

    @contextmanager
    def open_source(self) -> Iterator[Source | None]:
        """The source of the document, open; None, with a loss, where it is not at hand or another file.

        Pages are numbered as in the document, see :class:`docai.pipelines.ingest.Source`.
        """
        source = self._opened()
        if source is None:
            yield None
            return
        with source:
            yield source

    def _opened(self) -> Source | None:
        about, given = self.document.source, self.options.source
        if given is None:
            self.lose(
                "no-source",
                f"Pictures are left out, since {about.name} is not at hand: say where it is with --source, "
                "in Python source=.",
            )
            return None
        from docai.pipelines.ingest import open_source

        try:
            source = open_source(given, password=self.options.password, limits=self.options.limits)
        except InputError as error:
            self.lose("no-source", f"Pictures are left out: {error}")
            return None
        if source.sha256 != about.sha256:
            source.close()
            self.lose(
                "other-source",
                f"Pictures are left out, since {source.name} is not the file that was read, {about.name}: "
                "its bytes differ.",
            )
            return None
        return source

    def result(self, data: bytes) -> ExportedFile:
        """The main file's bytes with all that was added."""
        return ExportedFile(data, files=self.files, losses=self.losses)


Writer = Callable[[Export], bytes]


@dataclass(frozen=True)
class Format:
    """A format that docai writes."""

    suffix: str
    """Extension with its dot, in small letters; of two parts where one says too little: ``.alto.xml``."""
    name: str
    """As its users call it, for help texts: ``Markdown``."""
    write: Writer
    """The bytes of the main file. A function of a module: it goes to other processes.

    Raises NothingToExportError where the document has nothing that the format holds, ExportError where it
    cannot be written. The packages of the format are there.
    """
    is_text: bool = True
    """It can go to a terminal: UTF-8."""
    packages: tuple[str, ...] = ()
    """Import names of packages that write it and are in the extra ``exports``, not in every installation."""

    def check(self) -> None:
        """Raises MissingDependencyError: a package that writes the format is not installed."""
        for package in self.packages:
            with needs("docai[exports]", self.suffix):
                import_module(package)
