"""How ``docai process`` reads: one input in this process, several in worker processes, as a batch does."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from docai.base import counted
from docai.cli.common import stderr_console
from docai.cli.outputs import Job
from docai.errors import SETUP_ERRORS, OutputError

if TYPE_CHECKING:
    from rich.console import Console

    from docai.api import Pipeline
    from docai.document import Document
    from docai.limits import Limits
    from docai.pipelines.batch.events import Event
    from docai.pipelines.page_reading import Progress
    from docai.settings import Settings

OVERLAY_SECONDS: Final = 300.0
"""For the pictures of one document, where they are drawn in a worker process, and for each page of it."""


def read_here(
    settings: Settings, heads: list[str] | None, job: Job, *, pages: str | None, password: str | None
) -> Generator[tuple[Job, Document | Exception], None, None]:
    """Read one input in this process, which starts at once and tells each step.

    A crash would cost nothing else; a PDF has a process of its own all the same.

    Raises:
        ConfigurationError, CheckpointError, AdapterError: the fault is not the input's.
    """
    pipeline = make_pipeline(settings, heads)
    reading: Document | Exception
    console = stderr_console()
    with _bar(console, job.source.name) as update:

        def report(progress: Progress) -> None:
            where = f"{job.source.name}  page {progress.page} of {progress.n_pages}  {progress.stage}"
            update(where, progress.done, progress.total)

        try:
            reading = pipeline.process(
                job.source.open(),
                pages=pages,
                password=password,
                progress=report if console.is_terminal else None,
            )
        except SETUP_ERRORS:
            raise
        except Exception as error:
            reading = error
    yield job, reading


def read_in_workers(
    settings: Settings,
    heads: list[str] | None,
    jobs: Sequence[Job],
    *,
    pages: str | None,
    password: str | None,
) -> Generator[tuple[Job, Document | Exception], None, None]:
    """Read several inputs in worker processes: one that crashes its process, or hangs, costs itself alone.

    They are given in their order. Ctrl-C ends the reading; what was finished by then is given before.

    Raises:
        ConfigurationError, CheckpointError, AdapterError: the fault is not the input's, and all would fail.
    """
    if not jobs:
        return
    from docai.batch import make_setup
    from docai.pipelines.batch.events import PageRead
    from docai.pipelines.batch.pool import DocumentPool, PoolInput

    setup = make_setup(
        settings.options(heads),
        settings.model,
        device=settings.device,
        model_options=settings.model_options,
        download=settings.download,
    )
    console = stderr_console()
    n_pages, n_given = 0, 0
    update: Callable[[str, int, int], None] | None = None

    def show(event: Event | None = None) -> None:
        nonlocal n_pages
        n_pages += isinstance(event, PageRead)
        if update is not None:
            done = f"{n_given} of {counted(len(jobs), 'input')}  {counted(n_pages, 'page')}"
            update(done, n_given, len(jobs))

    with (
        tempfile.TemporaryDirectory(prefix="docai-", ignore_cleanup_errors=True) as folder,
        DocumentPool(setup, Path(folder), pages=pages, password=password, emit=show) as pool,
    ):
        readings = pool.read([PoolInput(job.source.shown, job.source.data) for job in jobs])
        while True:
            # Not while one is given: results may go to the same terminal.
            with _bar(console, "") as update:
                show()
                found = next(readings, None)
            update = None
            if found is None:
                return
            n_given += 1
            yield jobs[found[0]], found[1]


class OverlayWorker:
    """Draws the overlay pictures of documents in a process of its own; to be closed.

    A picture that was read once may still crash what decodes it.
    """

    def __init__(self, limits: Limits, password: str | None) -> None:
        from docai.pipelines.external.calls import CallWorker

        self._limits = limits
        self._password = password
        self._worker = CallWorker("docai.pipelines.ingest.one_thread")
        # PDFs have a process of their own, with the limit of memory.
        self._worker.limit(None)

    def draw(self, document: Document, job: Job) -> None:
        """Draw all pages of a document.

        Raises:
            OutputError: the process crashed, or took too long.
            InputError, OSError: as :func:`docai.pipelines.overlay.draw_document`.
        """
        from docai.pipelines.external.children import WorkerError
        from docai.pipelines.overlay import write_overlays

        assert job.overlay is not None
        source = job.source.path.absolute() if job.source.data is None else job.source.data
        seconds = OVERLAY_SECONDS * (1 + len(document.pages))
        try:
            self._worker.call(
                write_overlays,
                seconds,
                document,
                source,
                job.overlay.absolute(),
                password=self._password,
                limits=self._limits,
            )
        except WorkerError as error:
            raise OutputError(f"The pictures of {job.source.name} could not be drawn: {error}.") from error

    def close(self) -> None:
        self._worker.close()


def make_pipeline(settings: Settings, heads: list[str] | None) -> Pipeline:
    """What reads one input."""
    from docai.api import Pipeline

    if settings.download:
        from docai.models.selection import describe_model

        describe_model(settings.model, options=settings.model_options, download=True)
    return Pipeline.with_options(
        settings.options(heads),
        settings.model,
        device=settings.device,
        model_options=settings.model_options,
    )


@contextmanager
def _bar(console: Console, name: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal, nothing elsewhere; it is told a text, what is done, and of how much."""
    if not console.is_terminal:
        yield lambda text, done, total: None
        return
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda text, done, total: bar.update(
            task, description=text, completed=done, total=total or None
        )
