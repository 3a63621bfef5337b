"""What happens in a worker process: one document at a time, page by page.

The owner (:mod:`docai.pipelines.batch.document`) calls these functions one after the other through a
:class:`~docai.pipelines.external.calls.CallWorker`. A call that crashes or never ends costs its page: the
owner starts another worker, opens the document again, which finds the pages that are there, and goes on.
"""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import Field

from docai.document import Document
from docai.errors import DamagedSourceError, NotAResultError, OutputError, RunFolderError, SourceChangedError
from docai.files import durable_file, write_durably
from docai.issues import make_issue
from docai.limits import Limits
from docai.models.engine import Engine
from docai.options import Options
from docai.pipelines.batch.memory import peak_memory, reset_peak
from docai.pipelines.batch.model_client import ModelAddress, RemoteEngine
from docai.pipelines.batch.owner import end_with_owner
from docai.pipelines.batch.pages import N_BINS, N_DOUBTFUL, Assembly, Doubtful, PageStore, failed_page
from docai.pipelines.batch.sandbox import restrict
from docai.pipelines.convert import Conversion
from docai.pipelines.ingest import open_source
from docai.pipelines.page_reading import PageResult

MAX_PAGES_IN_MEMORY: Final = 32
"""Pages of a document that are kept in memory; those of a longer one are on the disk only."""

NO_ROOM: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS))
"""No other result could be written either."""

JSON: Final = ".json"
"""Extension of docai's own format."""


class Original(NamedTuple):
    """The document that was read, for exports that show its pages."""

    content: Path | bytes
    password: str | None
    limits: Limits


Exporter = Callable[[Document, Original], bytes]

Count = Annotated[int, Field(ge=0)]

Short = Annotated[str, Field(max_length=200)]


@dataclass(frozen=True)
class Job:
    """One document to read."""

    path: Path
    options: Options
    model: ModelAddress
    folder: Path
    """Of its pages, while it is not finished."""
    results: tuple[tuple[Path, Exporter | None], ...]
    """Where it goes, and what makes the bytes: a function of a module. None: docai's own JSON."""
    key: str
    """Of the settings."""
    writable: tuple[Path, ...]
    """Folders in which the process may write, see :mod:`docai.pipelines.batch.sandbox`."""
    pages: str | None = None
    password: str | None = None
    retry_failed: bool = False
    """Read again the pages that could not be read before, and those with regions that the model failed at."""
    data: bytes | None = field(default=None, repr=False)
    """Of the document, where it is no file: ``path`` is its name then."""
    keep_times: bool = False
    """The result says how long pages and stages took."""
    name: str | None = None
    """Of the document in its result; None: ``path``, as it is."""
    joins: bool = False
    """Another process has the document open, and puts its result together: this one reads pages for it."""


@dataclass(frozen=True)
class Opened:
    """What is known of a document that is open."""

    sha256: Short
    n_bytes: Count
    modified: int
    """Nanoseconds since 1970."""
    numbers: tuple[Count, ...]
    """Of the pages to read."""
    kept: frozenset[Count]
    """Of these, those that were read before; none where :attr:`Job.joins` is set."""


@dataclass(frozen=True)
class Finished:
    """What became of a document."""

    n_pages: Count
    failed_pages: tuple[Count, ...]
    n_records: Count
    n_errors: Count
    n_warnings: Count
    n_unanswered: Count
    """Regions about which the model gave no answer, since it failed."""
    problem: str
    """The first issue that is an error, in words; empty where there is none."""
    problem_code: Short
    confidences: Mapping[Short, Annotated[Sequence[Count], Field(min_length=N_BINS, max_length=N_BINS)]]
    """Kind of record → how many have a confidence of 0.0…, 0.1…, …, 0.9…."""
    doubtful: Annotated[Sequence[Doubtful], Field(max_length=N_DOUBTFUL)]
    """The records that are least sure."""
    peak_memory: Count
    """Bytes, of this process and the processes it started."""


@dataclass
class _Open:
    """The document that this process has open."""

    job: Job
    conversion: Conversion
    start: Document
    """Without pages."""
    store: PageStore
    stack: ExitStack
    status: os.stat_result | None
    opened: Opened
    pages: dict[int, PageResult]
    started: float
    """When it was opened, see :func:`time.perf_counter`."""


class _NamedBytes(BytesIO):
    """Bytes with a name for messages."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


_open: _Open | None = None

_is_prepared = False


def open_document(job: Job) -> Opened:
    """Open a document; one that was open is closed.

    Raises:
        InputError: it cannot be read; its subclasses say why.
        ConfigurationError: a setting, such as the selection of pages, does not fit.
        NotAResultError: it is to be joined, and is not what the other process reads.
    """
    global _open
    _prepare(job)
    close_document()
    reset_peak()
    started = time.perf_counter()
    with ExitStack() as stack:
        status = _status(job)
        content = job.path if job.data is None else _NamedBytes(job.data, str(job.path))
        source = stack.enter_context(open_source(content, password=job.password, limits=job.options.limits))
        engine: Engine = stack.enter_context(RemoteEngine(job.model))
        conversion = stack.enter_context(Conversion(source, engine, job.options, pages=job.pages))
        store = PageStore(job.folder, source.sha256, f"{job.key} {job.pages or ''}", joins=job.joins)
        numbers = tuple(conversion.numbers)
        kept: frozenset[int] = frozenset()
        if not job.joins:
            kept = store.numbers(with_failed=not job.retry_failed) & frozenset(numbers)
        modified = 0 if status is None else status.st_mtime_ns
        opened = Opened(source.sha256, source.n_bytes, modified, numbers, kept)
        start = conversion.document([])
        if job.name is not None:
            start.source.name = job.name
        _open = _Open(job, conversion, start, store, stack.pop_all(), status, opened, {}, started)
    return opened


def read_page(number: int) -> int:
    """Read a page of the open document, and keep it. Returns how many records it has.

    Raises:
        ConfigurationError: the engine is not set up; or there is no room for the page.
    """
    assert _open is not None
    page = _open.conversion.read_page(number)
    _keep(_open, page)
    return len(page.records)


def give_up_page(number: int, why: str) -> None:
    """Keep a page that ended its process as one that could not be read."""
    assert _open is not None
    message = f"Page {number} was given up: {why}."
    _keep(_open, failed_page(number, make_issue("page-failed", message, page=number)))


def finish_document() -> Finished:
    """Write the results of the open document, each whole or not at all, and close it.

    Raises:
        SourceChangedError: the file is not the one that was opened.
        RunFolderError: there is no room for the results. OutputError: one of them cannot be written.
    """
    assert _open is not None
    job = _open.job
    _check_unchanged(_open)
    structure = _open.conversion.structure()
    for page in _pages(_open):
        structure.add(page.info, page.records)
    _open.start.issues += structure.settle()
    with Assembly(_open.start, keep_times=job.keep_times) as assembly:
        # Long lists of a document are put together in a file.
        with _writing(Path(tempfile.gettempdir())):
            for page in _pages(_open):
                structure.apply(page.records)
                assembly.add(page)
        assembly.end(_open.conversion.hints, time.perf_counter() - _open.started)
        for target, exporter in job.results:
            with _writing(target):
                if exporter is None:
                    with durable_file(target) as file:
                        assembly.write_json(file)
                else:
                    content = job.path if job.data is None else job.data
                    original = Original(content, job.password, job.options.limits)
                    write_durably(target, exporter(_document_of(assembly), original))
    if not (assembly.failed_pages or assembly.n_unanswered):
        _open.store.discard()
    problem = assembly.first_problem
    finished = Finished(
        n_pages=assembly.n_pages,
        failed_pages=tuple(assembly.failed_pages),
        n_records=assembly.n_records,
        n_errors=assembly.severities["error"],
        n_warnings=assembly.severities["warning"],
        n_unanswered=assembly.n_unanswered,
        problem="" if problem is None else problem.message,
        problem_code="" if problem is None else problem.code,
        confidences=assembly.confidences,
        doubtful=assembly.doubtful,
        peak_memory=peak_memory(),
    )
    close_document()
    return finished


def close_joined() -> int:
    """Close the document of another process. Returns the peak of memory, as :attr:`Finished.peak_memory`."""
    close_document()
    return peak_memory()


def close_document() -> None:
    """Close the document that is open, if any; its pages stay."""
    global _open
    if _open is not None:
        opened, _open = _open, None
        opened.stack.close()


def _prepare(job: Job) -> None:
    """Before the first document: give up what reading does not need. Threads that come after have it, too."""
    global _is_prepared
    if not _is_prepared:
        _is_prepared = True
        for folder in job.writable:
            folder.mkdir(parents=True, exist_ok=True)
        restrict(job.writable)
        end_with_owner()


def _keep(opened: _Open, page: PageResult) -> None:
    numbers = opened.opened.numbers
    # Who joins does not put the pages together.
    if len(numbers) <= MAX_PAGES_IN_MEMORY and not opened.job.joins:
        opened.pages[page.info.number] = page
    if len(numbers) > 1:
        with _writing(opened.job.folder):
            opened.store.keep(opened.start.source, page)


def _pages(opened: _Open) -> Iterator[PageResult]:
    """The pages of the document, one at a time: more than a few are kept on the disk."""
    for number in opened.opened.numbers:
        page = opened.pages.get(number)
        yield _load(opened, number) if page is None else page


def _load(opened: _Open, number: int) -> PageResult:
    try:
        return opened.store.load(number)
    except (OSError, NotAResultError) as error:
        raise DamagedSourceError(
            f"Page {number} of {opened.job.path} was read and is gone from {opened.job.folder} ({error}): "
            "read it again with --retry-failed.",
            source=str(opened.job.path),
        ) from error


def _document_of(assembly: Assembly) -> Document:
    file = BytesIO()
    assembly.write_json(file)
    return Document.from_json(file.getvalue())


def _status(job: Job) -> os.stat_result | None:
    """None where it is no file, or cannot be looked at, which opening it says in words."""
    if job.data is not None:
        return None
    try:
        return job.path.stat()
    except (OSError, ValueError):
        return None


def _check_unchanged(opened: _Open) -> None:
    before, after = opened.status, _status(opened.job)
    if before is None or after is None:
        is_same = before is after
    else:
        is_same = (before.st_size, before.st_mtime_ns, before.st_ino) == (
            after.st_size, after.st_mtime_ns, after.st_ino,
        )  # fmt: skip
    if not is_same:
        opened.store.discard()
        raise SourceChangedError(
            f"{opened.job.path} was written to while it was read: run again when it is whole.",
            source=str(opened.job.path),
        )


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Around writing: what it raises in words."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise RunFolderError(
                f"{path} cannot be written ({error.strerror}): make room, then go on with --resume."
            ) from error
        raise OutputError(f"{path} cannot be written ({error.strerror}).") from error
