"""Documents and results that are not on a disk of this machine: objects of a store, named by a URL.

Whatever PyArrow reads by itself (``s3://``, ``gs://``, ``abfs://``, ``hdfs://``, ``file://``), and behind
that whatever an installed fsspec package reads: the two that Ray Data reads from. A path without a scheme is
a file, as everywhere; nothing here imports PyArrow for it.

A URL may end with options of its file system, as PyArrow has them: ``s3://bucket/a?region=eu-west-1``.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple, TypeVar

from docai.errors import SettingError, needs
from docai.files import durable_file, sha256_of

TRIES: Final = 4
"""Of one operation on a store: networks fail for a moment."""

PAUSE_SECONDS: Final = 1.0
"""Before the second try; twice as long before each that follows."""

CHUNK: Final = 4 << 20
"""Bytes that are copied at a time."""

MARKER: Final = ".docai-run"
"""A file among the results that tells a node whether it sees those of the run."""

_URL: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+)://")

_OBJECT_STORES: Final = frozenset(("s3", "s3a", "gcs", "gs", "abfs", "az", "adl", "oss", "memory"))
"""Names of PyArrow and fsspec; elsewhere a file is seen while it is written."""

R = TypeVar("R")


class FileFacts(NamedTuple):
    """What is known of a file without reading it."""

    n_bytes: int
    modified: int
    """Nanoseconds since 1970; 0 where the store does not say."""


def is_url(text: str) -> bool:
    return _URL.match(text) is not None


def joined(url: str, relative: str) -> str:
    """The URL of what is below a folder."""
    base, options = _parts(url)
    return f"{base.rstrip('/')}/{relative}{options}"


def name_of(url: str) -> str:
    """The last part of its path."""
    base, _ = _parts(url)
    return base.rstrip("/").rpartition("/")[2]


def _parts(url: str) -> tuple[str, str]:
    """The URL and its options; a question mark without a key behind it belongs to a name."""
    base, mark, options = url.rpartition("?")
    return (base, mark + options) if mark and re.fullmatch(r"[\w-]+=[^/]*", options) else (url, "")


def _opened(url: str) -> tuple[Any, str]:
    """A PyArrow file system, and the path in it.

    Raises:
        MissingDependencyError: PyArrow, or the package of such a store, is not installed.
        SettingError: there is no such store.
    """
    base, options = _parts(url)
    scheme, _, place = base.partition("://")
    # The path goes beside the URL: PyArrow takes none with a space in it.
    host, slash, path = place.partition("/")
    system, root = _system(scheme.lower(), host, options)
    if root is None:
        return system, system.handler.fs._strip_protocol(base)
    return system, (root.rstrip("/") + slash + path) or "/"


@cache
def _system(scheme: str, host: str, options: str) -> tuple[Any, str | None]:
    """A file system, and the path of its root; None: of an fsspec package, which takes URLs apart itself."""
    url = f"{scheme}://{host}/{options}"
    with needs("docai[ray]", f"Reading and writing {url}"):
        import pyarrow as pa
        from pyarrow import fs
    try:
        system, root = fs.FileSystem.from_uri(url)
        return system, root
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    try:
        import fsspec

        return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem(scheme))), None
    except ValueError:
        raise SettingError(f"{url} is in no store that docai knows: check what stands before ://.") from None
    except ImportError as error:
        raise SettingError(f"{url} cannot be opened: {error}.") from None


def _is_whole(system: Any) -> bool:
    """Whether an object is there when all of it is, and not before."""
    return system.type_name.rpartition("+")[2] in _OBJECT_STORES


def _retried(operation: Callable[[], R]) -> R:
    """What it gives. Raises OSError: at once where trying again does not help."""
    for attempt in range(TRIES):
        try:
            return operation()
        except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError):
            raise
        except OSError:
            if attempt + 1 == TRIES:
                raise
            time.sleep(PAUSE_SECONDS * 2**attempt)
    raise AssertionError("an operation gives something or fails")


def facts_of(places: Sequence[str | Path]) -> list[FileFacts | None]:
    """Of each file; None where there is none, or where a disk does not let it be looked at. Many objects of a
    store are asked for at a time.

    Raises:
        OSError: a store does not answer.
    """
    found: dict[int, FileFacts | None] = {}
    stores: dict[int, tuple[Any, list[int], list[str]]] = {}
    for index, place in enumerate(places):
        if is_url(str(place)):
            system, path = _opened(str(place))
            _, indices, paths = stores.setdefault(id(system), (system, [], []))
            indices.append(index)
            paths.append(path)
        else:
            found[index] = _facts_of_path(Path(place))
    for system, indices, paths in stores.values():
        for index, info in zip(indices, _retried(partial(system.get_file_info, paths)), strict=True):
            found[index] = FileFacts(info.size, info.mtime_ns or 0) if info.is_file else None
    return [found[index] for index in range(len(places))]


def _facts_of_path(path: Path) -> FileFacts | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    # What is no file may have no end, as a pipe that nobody writes to.
    return FileFacts(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def read_bytes(place: str | Path) -> bytes:
    """Raises OSError."""
    if not is_url(str(place)):
        return Path(place).read_bytes()
    system, path = _opened(str(place))

    def read() -> bytes:
        with system.open_input_stream(path) as stream:
            data: bytes = stream.read()
        return data

    return _retried(read)


def digest_of(place: str | Path) -> str:
    """SHA-256 in hexadecimal digits. Raises OSError."""
    if not is_url(str(place)):
        return sha256_of(Path(place))
    system, path = _opened(str(place))

    def read() -> str:
        digest = hashlib.sha256()
        with system.open_input_stream(path) as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    return _retried(read)


def fetch(url: str, target: Path) -> None:
    """Copy an object to a file. Raises OSError."""
    system, path = _opened(url)

    def copy() -> None:
        with system.open_input_stream(path) as stream, target.open("wb") as file:
            shutil.copyfileobj(stream, file, CHUNK)

    _retried(copy)


@contextmanager
def local_copy(place: str | Path) -> Iterator[Path]:
    """The file, or a copy of the object for as long as the block takes. Raises OSError."""
    if not is_url(str(place)):
        yield Path(place)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / name_of(str(place))
        fetch(str(place), path)
        yield path


def put(source: Path, target: str | Path) -> None:
    """Copy a file to a place that never holds half of it, whoever else writes there. Raises OSError."""
    if is_url(str(target)):
        system, path = _opened(str(target))
        _retried(lambda: _put(source, system, path))
        return
    # Two nodes may write the same result, one of them taken for lost: each has a file of its own.
    target = Path(target)
    with source.open("rb") as read, durable_file(target, part=_part_of(target.name)) as file:
        shutil.copyfileobj(read, file, CHUNK)


def _part_of(name: str) -> str:
    return f".{name}.{secrets.token_hex(4)}.part"


def _put(source: Path, system: Any, path: str) -> None:
    folder, _, name = path.rpartition("/")
    is_whole = _is_whole(system)
    place = path if is_whole else f"{folder}/{_part_of(name)}"
    if not is_whole:
        system.create_dir(folder, recursive=True)
    try:
        with source.open("rb") as read, system.open_output_stream(place) as file:
            shutil.copyfileobj(read, file, CHUNK)
        if system.get_file_info(place).size != source.stat().st_size:
            raise OSError(f"{place} was not written as a whole")
        if not is_whole:
            system.move(place, path)
    except OSError:
        with suppress(OSError):
            system.delete_file(place)
        raise


def files_below(url: str) -> list[str] | None:
    """The paths of all files of a folder, relative to it, sorted; None where it is no folder.

    Raises:
        OSError: it cannot be listed.
    """
    from pyarrow import fs

    system, path = _opened(url)

    def read() -> list[str] | None:
        if system.get_file_info(path).type != fs.FileType.Directory:
            return None
        selector = fs.FileSelector(path, recursive=True)
        root = path.rstrip("/") + "/"
        return sorted(info.path.removeprefix(root) for info in system.get_file_info(selector) if info.is_file)

    return _retried(read)


class Results:
    """The tree of the results of a run.

    Args:
        root: a folder on a disk, or a URL.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = root if is_url(str(root)) else Path(root)

    def place(self, name: str, suffix: str) -> str | Path:
        """Where the result of the input of that name goes."""
        if isinstance(self.root, str):
            return joined(self.root, name + suffix)
        return self.root / f"{name}{suffix}"

    def read(self, name: str, suffix: str) -> bytes:
        """Raises OSError."""
        return read_bytes(self.place(name, suffix))

    def have(self, names: Iterable[str], suffixes: Sequence[str]) -> Iterator[bool]:
        """Whether there are all results of each input."""
        names = list(names)
        found = [facts_of([self.place(name, suffix) for name in names]) for suffix in suffixes]
        for index in range(len(names)):
            yield all(facts[index] is not None for facts in found)

    def remove(self, name: str, suffixes: Sequence[str]) -> None:
        """Remove the results of an input, those that are there. Raises OSError."""
        for suffix in suffixes:
            place = self.place(name, suffix)
            if isinstance(place, Path):
                place.unlink(missing_ok=True)
                continue
            system, path = _opened(place)
            with suppress(FileNotFoundError):
                _retried(partial(system.delete_file, path))

    def mark(self) -> str:
        """Leave a mark that nodes look for; the one that is there is kept. Raises OSError."""
        place = self.place(MARKER, "")
        try:
            return read_bytes(place).decode("utf-8", "replace")
        except FileNotFoundError:
            text = secrets.token_hex(8)
        if isinstance(place, Path):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")
        else:
            system, path = _opened(place)
            if not _is_whole(system):
                system.create_dir(path.rpartition("/")[0], recursive=True)
            with system.open_output_stream(path) as file:
                file.write(text.encode())
        return text

    def is_marked(self, text: str) -> bool:
        """Whether the mark is seen from here. Raises OSError: the results cannot be looked at."""
        place = self.place(MARKER, "")
        try:
            return read_bytes(place).decode("utf-8", "replace") == text
        except (FileNotFoundError, NotADirectoryError):
            return False
