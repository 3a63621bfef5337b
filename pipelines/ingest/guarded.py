"""A PDF in a child process, so that a file on which MuPDF loops or crashes costs no more than a page.

MuPDF holds the interpreter's lock while it works, so nothing in its own process could stop it, not even
Ctrl-C. What is done with a page of a PDF is therefore a call to another process, which has
:mod:`docai.pipelines.ingest.host`, is ended when a call takes longer than the limits allow, and is replaced
by the next call.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from pickle import PickleBuffer
from threading import Lock
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

from PIL import Image

from docai.errors import (
    ConfigurationError,
    DamagedSourceError,
    DocaiError,
    TooMuchMemoryError,
    TooMuchTimeError,
)
from docai.geometry import BBox
from docai.limits import Limits, raise_limit
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError
from docai.pipelines.ingest import host
from docai.pipelines.ingest.page import Page, PageWord
from docai.pipelines.ingest.pixels import PlacedImage, place_pixels, scale_of_images

MIN_SECONDS: Final = 5.0
"""That a step has in any case, however short the limit: less than that can be the machine's fault."""

MAX_LOST: Final = 2
"""Steps of one page that may end their process; after that the page is given up."""

MAX_IDLE: Final = 2
"""Processes that are kept for the next file when theirs is closed."""

MAX_CALLS: Final = 20_000
"""Calls after which a process is replaced at the next file, whatever it may have kept: about 2,000 pages."""

_MODULES: Final = ("docai.pipelines.ingest.one_thread", "docai.pipelines.ingest.pdf")
"""What a process imports before its first call, in this order."""

_TUNABLES: Final = ":".join(
    (
        "glibc.malloc.hugetlb=1",
        "glibc.malloc.mmap_threshold=4194304",
        "glibc.malloc.trim_threshold=16777216",
    )
)
"""The layout model takes 120 MB for each page and frees them. In large pages of memory that costs a quarter
less processor time, and what is freed goes back to the system, not to a heap that grows."""

P = ParamSpec("P")

R = TypeVar("R")

_keys = itertools.count()
_idle: list[CallWorker] = []
_idle_lock = Lock()


class GuardedFile:
    """An open PDF in a process of its own; closed by :meth:`close`."""

    def __init__(self, data: Path | bytes, *, name: str, password: str | None, limits: Limits) -> None:
        # The process may have another working folder.
        self._data = data.absolute() if isinstance(data, Path) else data
        self._name = name
        self._password = password
        self._limits = limits
        self._key = next(_keys)
        self._worker: CallWorker | None = _take_worker()
        try:
            self.n_pages, self.repaired = self._open()
        except BaseException:
            self.close()
            raise

    def page(self, number: int) -> GuardedPage:
        return GuardedPage(self, number, source=self._name, limits=self._limits)

    def call(
        self, number: int, seconds: float | None, function: Callable[..., R], *args: Any, **kwargs: Any
    ) -> R:
        """``function(page, *args, **kwargs)`` in the process, which opens the file again where it is new.

        Raises:
            WorkerError: it crashed or took longer than ``seconds``.
            ValueError: the source was closed.
        """
        if self._worker is None:
            raise ValueError(f"page {number} of {self._name} was used after its source was closed")
        arguments = host.call_on_page, seconds, self._key, number, function, *args
        is_open, result = self._worker.call(*arguments, **kwargs)
        if not is_open:
            self._open()
            _, result = self._worker.call(*arguments, **kwargs)
        return cast(R, result)

    def release(self, number: int) -> None:
        """Drop what the process keeps of a page."""
        self._if_running(host.release_page, self._key, number)

    def close(self) -> None:
        worker = self._worker
        if worker is not None:
            self._if_running(host.close_file, self._key)
            self._worker = None
            _give_back(worker)

    def _open(self) -> host.FileFacts:
        assert self._worker is not None
        seconds, limit = shorter_limit(self._limits.max_seconds_per_page, self._limits)
        data = PickleBuffer(self._data) if isinstance(self._data, bytes) else self._data
        arguments: Any = self._key, data, self._name, self._password, self._limits
        self._worker.limit(self._limits.max_memory)
        try:
            facts: host.FileFacts = self._worker.call(host.open_file, seconds, *arguments)
            return facts
        except WorkerError as error:
            raise given_up(error, self._name, self._name, "opening it", limit) from error
        except MemoryError as error:
            raise out_of_memory(self._name, self._name, "opening it") from error

    def _if_running(self, function: Callable[..., None], *args: Any) -> None:
        """Tidy up in the process, if there is one."""
        if self._worker is not None and self._worker.pid is not None:
            with suppress(WorkerError):
                self._worker.call(function, MIN_SECONDS, *args)


class GuardedPage(Page):
    """See :class:`Page`. Its limits count for all steps on it together, and for each of them."""

    def __init__(self, file: GuardedFile, number: int, *, source: str, limits: Limits) -> None:
        super().__init__(source, limits)
        self._file = file
        self.number = number
        self.dpi = 72.0
        self._seconds_left = limits.max_seconds_per_page
        self._lost: list[DocaiError] = []
        self._words: list[PageWord] | None = None
        self._images: list[PlacedImage] | None = None
        self.width, self.height, self.rotation = self._call(host.open_page)

    @property
    def pdf(self) -> Any:
        raise RuntimeError("This page is in another process: what needs it is called by Page.inside.")

    def inside(self, function: Callable[Concatenate[Page, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        return self._call(function, *args, **kwargs)

    def words(self) -> list[PageWord]:
        if self._words is None:
            self._words = self._call(host.read_words)
        return list(self._words)

    def native_scale(self, bbox: BBox) -> float:
        if self._images is None:
            self._images = self._call(host.find_images)
        return scale_of_images(self._images, bbox)

    def release(self) -> None:
        self._words = self._images = None
        self._file.release(self.number)

    def _raster(self, x0: float, y0: float, scale: float, size: tuple[int, int]) -> Image.Image:
        return place_pixels(self._call(host.draw, x0, y0, scale, size), size)

    def _call(self, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        if len(self._lost) >= MAX_LOST:
            raise self._lost[-1]
        seconds, limit = shorter_limit(self._seconds_left, self._limits)
        started = time.monotonic()
        what = f"Page {self.number} of {self._source}"
        step = f"the step '{function.__name__.strip('_').replace('_', ' ')}'"
        try:
            return self._file.call(self.number, seconds, function, *args, **kwargs)
        except WorkerError as error:
            self._lost.append(given_up(error, self._source, what, step, limit))
            raise self._lost[-1] from error
        except MemoryError as error:
            raise out_of_memory(self._source, what, step) from error
        finally:
            if self._seconds_left is not None:
                self._seconds_left -= time.monotonic() - started


def shorter_limit(page_seconds: float | None, limits: Limits) -> tuple[float | None, str]:
    """The seconds that a step may take where so many are left for its page, and the limit that says so."""
    step_seconds = limits.max_seconds_per_step
    if page_seconds is None or (step_seconds is not None and step_seconds <= page_seconds):
        return step_seconds, "max_seconds_per_step"
    return max(page_seconds, MIN_SECONDS), "max_seconds_per_page"


def given_up(error: WorkerError, source: str, what: str, step: str, limit: str) -> DocaiError:
    """What is raised where a process was lost: ``what`` is the page or file, ``limit`` the one that held."""
    if error.not_started:
        return ConfigurationError(f"PDFs are read in a process of their own, which does not start: {error}.")
    if error.timed_out:
        return TooMuchTimeError(
            f"{what} was given up: in {step}, {error}; leave it out or {raise_limit(limit)}.",
            source=source,
        )
    return DamagedSourceError(
        f"{what} was given up: in {step}, {error}; leave it out, or repair the file, for example with `qpdf` "
        "or by printing it to PDF.",
        source=source,
    )


def out_of_memory(source: str, what: str, step: str) -> TooMuchMemoryError:
    """What is raised where a step asked for more memory than its process may have."""
    return TooMuchMemoryError(
        f"{what} was given up: {step} needs more memory than is allowed; leave it out or "
        f"{raise_limit('max_memory')}.",
        source=source,
    )


def _take_worker() -> CallWorker:
    """A process that has no file open, or that is not started yet."""
    with _idle_lock:
        return _idle.pop() if _idle else CallWorker(*_MODULES, variables=_variables())


def _variables() -> dict[str, str]:
    """How glibc gets memory in a process; other systems do not look at it."""
    own = os.environ.get("GLIBC_TUNABLES")
    return {"GLIBC_TUNABLES": f"{own}:{_TUNABLES}" if own else _TUNABLES}


def _give_back(worker: CallWorker) -> None:
    """Keep a process for the next file."""
    with _idle_lock:
        if worker.pid is not None and worker.n_requests < MAX_CALLS and len(_idle) < MAX_IDLE:
            _idle.append(worker)
            return
    worker.close()


def close_idle() -> None:
    """End the processes that have no file open."""
    with _idle_lock:
        workers, _idle[:] = list(_idle), []
    for worker in workers:
        worker.close()
