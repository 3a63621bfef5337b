"""Open a source under limits, read its pages lazily, and close it."""

from __future__ import annotations

import errno
import hashlib
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO, UnsupportedOperation
from pathlib import Path, PurePosixPath
from shlex import quote as quote_word
from types import TracebackType
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from docai.errors import (
    ConfigurationError,
    EmptySourceError,
    InputError,
    NotADocumentError,
    PageNotFoundError,
    SourceNotFoundError,
    TooManyBytesError,
    TooManyPagesError,
)
from docai.files import as_text
from docai.limits import Limits, raise_limit
from docai.page_ranges import PageSelection, page_ranges
from docai.pipelines.ingest.detect import HEAD_BYTES, TAIL_BYTES, detect_type
from docai.pipelines.ingest.page import Page

_CHUNK = 1 << 20

_DOCUMENT_NAME = re.compile(r"\.(pdf|png|jpe?g|tiff?|webp|bmp)$", re.IGNORECASE)

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+")
"""How a URL begins. One letter before the colon is a drive of Windows."""


class _File(Protocol):
    n_pages: int
    repaired: bool

    def page(self, number: int) -> Page: ...

    def close(self) -> None: ...


class Source:
    """An open source; use it in a ``with`` block. Made by :func:`open_source`.

    Attributes:
        name: for messages: the path as given, the file object's name, or ``<bytes>``.
        type: ``pdf``, ``png``, ``jpeg``, ``tiff``, ``webp`` or ``bmp``.
        n_bytes, sha256: of the file.
        n_pages: all pages, read or not.
        repaired: whether it is a damaged PDF that could be repaired; something may be missing.
    """

    def __init__(
        self, file: _File, *, name: str, kind: str, n_bytes: int, sha256: str, limits: Limits
    ) -> None:
        self._file = file
        self._limits = limits
        self.name = name
        self.type = kind
        self.n_bytes = n_bytes
        self.sha256 = sha256
        self.n_pages = file.n_pages
        self.repaired = file.repaired

    def numbers(self, selection: PageSelection | None = None) -> Sequence[int]:
        """The page numbers that ``selection`` names, ascending, each once.

        Args:
            selection: such as ``3``, ``"1-3,7"``, ``"5-"`` (to the end), ``"-3"`` (the first three), numbers
                from 1 in any order, or None for all.

        Raises:
            SettingError: the selection cannot be understood.
            PageNotFoundError: the source has no such page.
            TooManyPagesError: more than ``Limits.max_pages``.
        """
        if selection is None:
            chosen: Sequence[int] = range(1, self.n_pages + 1)
        else:
            chosen = sorted(set(self._selected(selection)))
        most = self._limits.max_pages
        if most is not None and len(chosen) > most:
            raise TooManyPagesError(
                f"{len(chosen)} pages of {self.name} are to be read, more than the limit of {most}: choose "
                f"some, such as pages='1-{most}' (--pages 1-{most}), or {raise_limit('max_pages')}.",
                source=self.name,
            )
        return chosen

    @contextmanager
    def page(self, number: int) -> Iterator[Page]:
        """One page, released at the end of the block.

        Raises:
            PageNotFoundError: there is no such page.
            DamagedSourceError, TooManyPixelsError: this page cannot be read; others may.
        """
        self._check(number, str(number))
        page = self._file.page(number)
        try:
            yield page
        finally:
            page.release()

    def pages(self, selection: PageSelection | None = None) -> Iterator[Page]:
        """The pages one after the other, each released when the next is asked for.

        The first page that cannot be read ends this iterator with its error. To continue with the others,
        take :meth:`numbers` and open each with :meth:`page`.
        """
        for number in self.numbers(selection):
            with self.page(number) as page:
                yield page

    def close(self) -> None:
        """Close the file. Its pages cannot be used after that."""
        self._file.close()

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _selected(self, selection: PageSelection) -> Iterator[int]:
        for pages in page_ranges(selection):
            last = self.n_pages if pages.last is None else pages.last
            self._check(pages.first, str(pages))
            self._check(last, str(pages))
            yield from pages.numbers(self.n_pages)

    def _check(self, number: int, part: str) -> None:
        if not 1 <= number <= self.n_pages:
            has = "1 page" if self.n_pages == 1 else f"{self.n_pages} pages"
            raise PageNotFoundError(
                f"Page {number} (in the selection '{part}') does not exist: {self.name} has {has}, "
                "counted from 1.",
                source=self.name,
            )


def open_source(
    source: str | Path | bytes | BinaryIO,
    *,
    password: str | None = None,
    limits: Limits | None = None,
    guarded: bool = True,
) -> Source:
    """Open a PDF or an image.

    Args:
        source: path, whole content, or a file object opened in binary mode (read from its current position,
            left open). A file given by its path is not read into memory as a whole.
        password: for an encrypted PDF; not used for other files.
        limits: None for the defaults.
        guarded: read a PDF in a process of its own, which is replaced where it loops or crashes. False reads
            it in this one, for files that can be trusted; ``Page.pdf`` can be used then.

    Raises:
        InputError: one of its subclasses; see :mod:`docai.errors`.
        ConfigurationError: ``source`` is none of those, or that process cannot be started.
    """
    limits = limits or Limits()
    name, data, n_bytes = _read(source, limits)
    if n_bytes == 0:
        raise EmptySourceError(
            f"{name} is empty (0 bytes): check that it was written whole, or that the file object "
            "stands at its start.",
            source=name,
        )
    with data.open("rb") if isinstance(data, Path) else BytesIO(data) as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(max(0, n_bytes - TAIL_BYTES))
        kind = detect_type(head, stream.read(TAIL_BYTES), source=name)
        stream.seek(0)
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    file: _File
    if kind == "pdf":
        file = _open_pdf(data, name=name, password=password, limits=limits, guarded=guarded)
    else:
        from docai.pipelines.ingest.image import ImageFile

        file = ImageFile(data, kind, name=name, limits=limits)
    return Source(file, name=name, kind=kind, n_bytes=n_bytes, sha256=sha256, limits=limits)


def _open_pdf(data: Path | bytes, *, name: str, password: str | None, limits: Limits, guarded: bool) -> _File:
    if guarded:
        from docai.pipelines.ingest.guarded import GuardedFile

        return GuardedFile(data, name=name, password=password, limits=limits)
    from docai.pipelines.ingest.pdf import PdfFile

    return PdfFile(data, name=name, password=password, limits=limits)


def _read(source: str | Path | bytes | BinaryIO, limits: Limits) -> tuple[str, Path | bytes, int]:
    """Name, content or path to it, and number of bytes."""
    if isinstance(source, (str, Path)):
        name, path = as_text(str(source)), Path(source)
        n_bytes = file_size(path, name)
        _check_bytes(n_bytes, name, limits)
        return name, path, n_bytes
    if isinstance(source, (bytes, bytearray, memoryview)):
        _check_bytes(len(source), "<bytes>", limits)
        return "<bytes>", bytes(source), len(source)
    try:
        read = source.read
    except AttributeError:
        raise ConfigurationError(
            f"A source is a path, bytes or a binary file object, not {type(source).__name__}: give the "
            "path of a PDF or an image, or its bytes."
        ) from None
    try:
        name = as_text(str(source.name))
    except AttributeError:
        name = f"<{type(source).__name__}>"
    parts: list[bytes] = []
    n_bytes = 0
    while chunk := _next_chunk(read, name):
        if not isinstance(chunk, bytes):
            raise NotADocumentError(
                f"{name} was opened as text, which destroys documents: open it in binary mode ('rb').",
                source=name,
            )
        n_bytes += len(chunk)
        _check_bytes(n_bytes, name, limits)
        parts.append(chunk)
    return name, b"".join(parts), n_bytes


def _next_chunk(read: Callable[[int], bytes], name: str) -> bytes:
    try:
        return read(_CHUNK)
    except UnsupportedOperation:
        raise InputError(f"{name} was not opened for reading: open it with 'rb'.", source=name) from None
    except ValueError as error:
        # A closed file object says so by this.
        raise InputError(
            f"{name} cannot be read ({str(error).rstrip('.')}): open it with 'rb' again.", source=name
        ) from None
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"{name} cannot be read ({why}): check where it comes from.", source=name) from error


def not_found(name: str) -> SourceNotFoundError:
    """What is said where no file has that name; of a URL, how to get the file."""
    url = _URL.match(name)
    if url is None:
        return SourceNotFoundError(f"{name} does not exist: check the path.", source=name)
    # A path has lost one of the two slashes.
    scheme, rest = url[1].lower(), name[url.end() :]
    address = f"{scheme}://{rest}"
    if scheme == "file":
        path = unquote(rest) if rest[1:2] == ":" else f"/{unquote(rest)}"
        return SourceNotFoundError(f"{name} is a URL: give the path, {path}.", source=name)
    file = unquote(PurePosixPath(urlsplit(address).path).name) or "document"
    if not _DOCUMENT_NAME.search(file):
        file += ".pdf"
    file = quote_word(file)
    return SourceNotFoundError(
        f"{address} is a URL, and docai reads local files only: download it first, "
        f"`curl -L -o {file} {quote_word(address)}`, then give docai {file}.",
        source=name,
    )


def file_size(path: Path, name: str) -> int:
    """Bytes of a file, which is looked at and not opened. ``name`` is what messages call it.

    Raises:
        InputError: there is no such file, it is a folder or no regular file, or it cannot be looked at.
    """
    if not name.strip():
        raise SourceNotFoundError("The path is empty: give the path of a file.", source=name)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise not_found(name) from None
    except OSError as error:
        what = "where its link leads" if error.errno == errno.ELOOP else "its permissions"
        raise InputError(f"{name} cannot be read ({error.strerror}): check {what}.", source=name) from error
    if stat.S_ISDIR(status.st_mode):
        raise SourceNotFoundError(
            f"{name} is a folder: give one file here; `docai process FOLDER` reads all documents in one.",
            source=name,
        )
    if not stat.S_ISREG(status.st_mode):
        raise SourceNotFoundError(
            f"{name} is not a regular file: open it and give docai the file object, or pipe it to "
            "`docai process -`.",
            source=name,
        )
    return status.st_size


def _check_bytes(n_bytes: int, name: str, limits: Limits) -> None:
    if limits.max_bytes is not None and n_bytes > limits.max_bytes:
        raise TooManyBytesError(
            f"{name} has more than the {limits.max_bytes:,} bytes allowed: split it or "
            f"{raise_limit('max_bytes')}.",
            source=name,
        )
