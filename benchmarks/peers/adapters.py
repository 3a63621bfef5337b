"""The tools as the benchmark sees them: what each reads, whether it is there, and a process that reads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import IO, Any, Literal, Self

from pydantic import ValidationError

from docai.pipelines.evaluation.base import Prediction, Sample
from docai.records import Kind

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"

Input = Literal["image", "region", "document"]
"""A picture of one thing; one region of a PDF's page; a whole file on which things have to be found."""

START_SECONDS = 180.0
"""For imports, and for docai its model."""


def input_of(sample: Sample) -> Input:
    if sample.unit == "page":
        return "document"
    return "image" if sample.bbox is None else "region"


@dataclass(frozen=True)
class Peer:
    """One row of the table. ``version`` and ``available`` start the tool once and let it go."""

    name: str
    reads: frozenset[tuple[str, Input]]
    """Kinds and inputs."""
    remark: str
    """How it was called, where that is not simply its defaults."""
    own_python: bool = False
    """docai's interpreter, instead of that of the Python peers."""

    def takes(self, kind: str, form: Input) -> bool:
        return (kind, form) in self.reads

    @property
    def python(self) -> Path:
        """The command line tools need no package at all, so they run where there is no environment."""
        return Path(sys.executable) if self.own_python or not PEERS_PYTHON.is_file() else PEERS_PYTHON

    def available(self) -> str | None:
        """None, or why it cannot be used."""
        with self.start() as process:
            return process.unavailable

    def version(self) -> str:
        """As the tool reports it; empty where it is not available."""
        with self.start() as process:
            return process.version

    def start(self, *, timeout: float = 120.0, threads: int = 1) -> PeerProcess:
        return PeerProcess(self, timeout=timeout, threads=threads)


class _NoReplyError(Exception):
    """A process that hangs, which took ``seconds``, or is gone."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class PeerProcess:
    """A running tool. If its process hangs or crashes, :meth:`read` says so; the next case gets a new one."""

    def __init__(self, peer: Peer, *, timeout: float, threads: int) -> None:
        self.peer = peer
        self._timeout = timeout
        self._threads = threads
        self._process: subprocess.Popen[str] | None = None
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        # Open as long as the process.
        self._errors: IO[str] = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self.version = ""
        self.unavailable: str | None = None
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, sample: Sample, kind: Kind) -> Prediction:
        """What the tool gives for a sample when asked for one kind: its items, or why there are none."""
        if self._process is None:
            self._start()
        if self.unavailable is not None:
            return Prediction(id=sample.id, error=self.unavailable)
        request = {
            "source": str(sample.source),
            "kind": kind,
            "unit": sample.unit,
            "page": sample.page,
            "bbox": sample.bbox,
            "password": sample.password,
        }
        try:
            return Prediction(id=sample.id, **self._ask(json.dumps(request), self._timeout))
        except _NoReplyError as error:
            return Prediction(id=sample.id, error=str(error), seconds=error.seconds)
        except ValidationError as error:
            return Prediction(
                id=sample.id, error=f"What it gave is no prediction: {error.errors()[0]['msg']}"
            )

    def close(self) -> None:
        """End the process and what it started."""
        self._stop()
        self._errors.close()

    def _start(self) -> None:
        environment = os.environ | dict.fromkeys(
            ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
            str(self._threads),
        )
        self._lines = SimpleQueue()
        self._process = subprocess.Popen(
            [str(self.peer.python), str(FOLDER / "worker.py"), self.peer.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env=environment,
            start_new_session=True,
        )
        Thread(target=_pass_on, args=(self._process.stdout, self._lines), daemon=True).start()
        try:
            reply = self._ask(None, START_SECONDS)
        except _NoReplyError as error:
            self.unavailable = f"it does not start: {error}"
        else:
            self.unavailable = reply.get("unavailable")
            self.version = reply.get("version", "")

    def _ask(self, line: str | None, timeout: float) -> dict[str, Any]:
        """The reply to a line.

        Raises:
            _NoReplyError: there is none, and the process is gone.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            if line is not None:
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()
            reply = self._lines.get(timeout=timeout)
        except Empty:
            self._stop()
            raise _NoReplyError(f"no answer in time ({timeout:.0f} s)", timeout) from None
        except BrokenPipeError:
            reply = None
        if reply is None:
            status = self._process.wait()
            self._stop()
            raise _NoReplyError(f"its process ended with {status}{self._last_error()}")
        answer: dict[str, Any] = json.loads(reply)
        return answer

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return f": {lines[-1][:300]}" if lines else ""

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # Its own session: a program that it waits for goes with it.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()


def _pass_on(stream: IO[str] | None, lines: SimpleQueue[str | None]) -> None:
    assert stream is not None
    with stream:
        for line in stream:
            lines.put(line)
    lines.put(None)


def _reads(kind: str, *forms: Input) -> frozenset[tuple[str, Input]]:
    return frozenset((kind, form) for form in forms)


_PDF_TABLES = _reads("table", "region", "document")
_TEXT = _reads("text", "document")
_EVERYTHING = frozenset[tuple[str, Input]]().union(
    *(_reads(kind, "image", "region", "document") for kind in ("table", "molecule", "score", "text"))
)

PEERS: tuple[Peer, ...] = (
    Peer("docai", _EVERYTHING, "embedded model nano; text layer preferred; no witnesses", own_python=True),
    Peer(
        "osra",
        _reads("molecule", "image", "document"),
        "Debian's spelling and superatom lists; on a crop, all structures it finds joined by a dot",
    ),
    Peer(
        "tesseract",
        _reads("text", "image", "document"),
        "English; sparse text (psm 11) on photos, psm 3 on pages drawn at 300 dpi",
    ),
    Peer("camelot-stream", _PDF_TABLES, "a region as table_areas"),
    Peer(
        "camelot-lattice",
        _PDF_TABLES,
        "a region as table_regions; positions without a border between them are one cell",
    ),
    Peer("pdfplumber", _PDF_TABLES | _TEXT, "a region as Page.crop, 6 points wider on each side"),
    Peer(
        "pymupdf",
        _PDF_TABLES | _TEXT,
        "find_tables with its layout model, text by extract(); a region as clip, 6 points wider",
    ),
    Peer("pymupdf-lines", _PDF_TABLES, "find_tables(use_layout=False); a region as clip, 6 points wider"),
    Peer(
        "img2table",
        _reads("table", "image", "document"),
        "borderless_tables=True; pictures enlarged three times for Tesseract, of a PDF its own text",
    ),
)


def choose(names: Collection[str]) -> tuple[Peer, ...]:
    """The peers of these names, all where there are none.

    Raises:
        KeyError: there is no such peer.
    """
    known = {peer.name: peer for peer in PEERS}
    return tuple(known[name] for name in names) if names else PEERS
