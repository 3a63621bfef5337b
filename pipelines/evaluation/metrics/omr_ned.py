"""OMR-NED: the edits between two scores as notation, by musicdiff.

OMR-NED = edits / (symbols of the answer + symbols of the truth), 0…1 (Martínez-Sevilla et al., "Sheet Music
Benchmark: Standardized Optical Music Recognition Evaluation", ISMIR 2025, arXiv 2506.10488), at musicdiff's
default level of detail: all objects, without style, metadata and voicing. As in its own evaluation of
folders, each syntax error that converter21 mends in an answer is an edit, an answer that cannot be read is
an empty one, and a truth that cannot be read defines nothing. A set's figure is edits over symbols, summed.

converter21 changes music21 for the whole process, and all three print; on bad kern they raise errors of any
type, or may not end. So they run in a process of their own, which is kept for the next comparison and ends
itself when one takes too long.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from docai.errors import MissingDependencyError
from docai.pipelines.evaluation.metrics.kern_text import plain_kern

SECONDS = 30.0
"""What one comparison may take; a page of piano music takes less than one."""
MAX_BYTES = 4 * 2**30
"""Address space of the process that compares, where the system can limit it."""
MAX_CHARS = 200_000
"""Of one text. The kern of a whole sonata movement has some 50,000."""

_START_SECONDS = 120.0
_COMPARISONS = 500
"""After so many the process is replaced: music21 lets go of little that it once read."""

UNREADABLE = "OMR-NED: the answer cannot be read as music; it counts as empty"
FAILED = "OMR-NED: musicdiff failed on the answer; it counts as empty"
TIMED_OUT = "OMR-NED: the comparison took too long; the answer counts as empty"
TOO_LONG = "OMR-NED: the answer is too long to be compared; it counts as empty"
UNREADABLE_TRUTH = "OMR-NED: the truth cannot be read as music; not defined"


@dataclass(frozen=True, slots=True)
class OmrNed:
    """One comparison. ``note`` says what was counted in an unusual way."""

    edits: int
    symbols_pred: int
    symbols_truth: int
    value: float | None
    """0…1. None: the truth cannot be read, or holds no part."""
    note: str | None = None


def omr_ned(pred: str, truth: str, *, seconds: float = SECONDS) -> OmrNed:
    """Compare two scores in kern (or ekern, bekern).

    Raises:
        MissingDependencyError: musicdiff is not installed.
    """
    if importlib.util.find_spec("musicdiff") is None or importlib.util.find_spec("converter21") is None:
        raise MissingDependencyError("OMR-NED needs musicdiff: pip install 'docai[eval]'.")
    if len(truth) > MAX_CHARS:
        return OmrNed(0, 0, 0, None, UNREADABLE_TRUTH)
    is_long = len(pred) > MAX_CHARS
    with _lock:
        symbols_truth, compared, note = _worker().compare("" if is_long else pred, truth, seconds)
    if symbols_truth is None:
        return OmrNed(0, 0, 0, None, UNREADABLE_TRUTH)
    edits, symbols_pred = compared or (symbols_truth, 0)
    total = symbols_pred + symbols_truth
    # Two scores without symbols are the same score, musicdiff says.
    return OmrNed(
        edits, symbols_pred, symbols_truth, edits / total if total else 0.0, TOO_LONG if is_long else note
    )


class _Worker:
    """The process that compares; used by one thread at a time."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.n_left = _COMPARISONS
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        if self._receive() is None:
            self.close()
            raise MissingDependencyError(
                "musicdiff is installed and cannot be loaded. To see why: "
                f"{sys.executable} -c 'import converter21, musicdiff'."
            )

    def compare(
        self, pred: str, truth: str, seconds: float
    ) -> tuple[int | None, tuple[int, int] | None, str | None]:
        """The truth's symbols, where it has any; edits and the answer's symbols, where compared; a note."""
        self.n_left -= 1
        started = time.monotonic()
        self._send({"pred": pred, "truth": truth, "seconds": seconds})
        about_truth = self._receive() or {}
        symbols_truth = about_truth.get("symbols")
        if symbols_truth is None:
            return None, None, None
        compared = self._receive()
        if compared is None:
            return symbols_truth, None, TIMED_OUT if time.monotonic() - started >= seconds else FAILED
        if "edits" not in compared:
            return symbols_truth, None, FAILED
        note = None if compared["is_readable"] else UNREADABLE
        return symbols_truth, (compared["edits"], compared["symbols"]), note

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self.n_left = 0

    def _receive(self) -> dict[str, Any] | None:
        """The next reply; None where the process has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.n_left = 0
            return None
        reply: dict[str, Any] = json.loads(line)
        return reply

    def close(self) -> None:
        """End the process, unless it belongs to the process that this one was forked from."""
        if self.pid == os.getpid():
            self._process.kill()
            self._process.communicate()


_lock = threading.Lock()
_shared: list[_Worker] = []


def _worker() -> _Worker:
    if _shared and (_shared[0].n_left <= 0 or _shared[0].pid != os.getpid()):
        _close()
    if not _shared:
        _shared.append(_Worker())
    return _shared[0]


def _close() -> None:
    while _shared:
        _shared.pop().close()


atexit.register(_close)


def serve() -> None:
    """What the process runs: reads a request a line, and writes two replies to each as they are found."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def send(reply: dict[str, Any]) -> None:
        replies.write(json.dumps(reply) + "\n")
        replies.flush()

    # Ends the process even from within a loop in C, and where nobody waits for it any more.
    faulthandler.dump_traceback_later(_START_SECONDS, exit=True)
    import converter21
    import musicdiff  # noqa: F401

    converter21.register()
    faulthandler.cancel_dump_traceback_later()
    _limit_memory()
    send({})
    for line in sys.stdin:
        request = json.loads(line)
        faulthandler.dump_traceback_later(request["seconds"], exit=True)
        for reply in _replies(request["pred"], request["truth"]):
            send(reply)
        faulthandler.cancel_dump_traceback_later()


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    # Some systems have no such limit, and a lower one may be in force already.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, hard))


def _replies(pred: str, truth: str) -> Iterator[dict[str, Any]]:
    from musicdiff.annotation import AnnScore
    from musicdiff.comparison import Comparison
    from musicdiff.detaillevel import DetailLevel

    try:
        score = _read(truth, accept_errors=False)
        annotated = AnnScore(score, DetailLevel.Default)
        has_parts = bool(len(score.parts))
    except Exception:
        # converter21 and musicdiff raise errors of any type on kern that they do not understand.
        has_parts = False
    if not has_parts:
        yield {"symbols": None}
        return
    yield {"symbols": annotated.notation_size()}
    try:
        answer = _read(pred, accept_errors=True)
        annotated_answer = AnnScore(answer, DetailLevel.Default)
        symbols = annotated_answer.notation_size()
        _, edits = Comparison.annotated_scores_diff(annotated_answer, annotated)
    except Exception:
        # As above; the caller notes it.
        yield {}
    else:
        yield {"edits": edits, "symbols": symbols, "is_readable": bool(len(answer.parts))}


def _read(text: str, *, accept_errors: bool) -> Any:
    """A music21 Score. Not by music21's own ``parse``, which would open a text that names a file or a URL."""
    import converter21
    from music21.stream import Opus

    kept = (
        line
        for line in plain_kern(text).split("\n")
        # Under music21 10, converter21 4.0 fails on records of the work (!!!COM: …), which count for nothing.
        if not line.startswith("!!!") or line.startswith(("!!!!", "!!!RDF", "!!!system-decoration"))
    )
    score = converter21.HumdrumConverter().parseData("\n".join(kept), acceptSyntaxErrors=accept_errors)
    return score.scores[0] if isinstance(score, Opus) else score
