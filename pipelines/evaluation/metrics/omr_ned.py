"""OMR-NED: the edits between two scores as notation, by musicdiff.

OMR-NED = edits / (symbols of the answer + symbols of the truth), 0…1 (Martínez-Sevilla et al., "Sheet Music
Benchmark: Standardized Optical Music Recognition Evaluation", ISMIR 2025, arXiv 2506.10488), at musicdiff's
default level of detail: all objects, without style, metadata and voicing. As in its own evaluation of
folders, each syntax error that converter21 mends in an answer is an edit, an answer that cannot be read is
an empty one, and a truth that cannot be read defines nothing. A set's figure is edits over symbols, summed.

converter21 changes music21 for the whole process, and all three print; on bad kern they raise errors of any
type, or may not end. So they run in a process of their own, which is kept for the next comparison.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from docai.errors import MissingDependencyError
from docai.pipelines.evaluation.metrics.kern_text import plain_kern
from docai.pipelines.external.children import START_SECONDS
from docai.pipelines.external.workers import JsonWorker, WorkerError

if TYPE_CHECKING:
    from musicdiff.annotation import AnnScore

SECONDS = 30.0
"""What one comparison may take; a page of piano music takes less than one."""
MAX_CHARS = 200_000
"""Of one text. The kern of a whole sonata movement has some 50,000."""

_MAX_REQUESTS = 1000
"""Two a comparison; then the process is replaced: music21 frees little of what it once read."""
_ORPHAN_SECONDS = 5.0
"""Beyond its time limit, after which the process ends itself: nobody is left to end it."""

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
    symbols_truth, compared, note = _compare("" if is_long else pred, truth, seconds)
    if symbols_truth is None:
        return OmrNed(0, 0, 0, None, UNREADABLE_TRUTH)
    edits, symbols_pred = compared or (symbols_truth, 0)
    total = symbols_pred + symbols_truth
    # Two scores without symbols are the same score, musicdiff says.
    return OmrNed(
        edits, symbols_pred, symbols_truth, edits / total if total else 0.0, TOO_LONG if is_long else note
    )


_WORKER = JsonWorker("-P", "-c", f"from {__name__} import serve; serve()", max_requests=_MAX_REQUESTS)


def _compare(pred: str, truth: str, seconds: float) -> tuple[int | None, tuple[int, int] | None, str | None]:
    """The truth's symbols, where it has any; edits and the answer's symbols, where compared; a note."""
    try:
        _WORKER.start()
    except WorkerError as error:
        raise MissingDependencyError(
            "musicdiff is installed and cannot be loaded. To see why: "
            f"{sys.executable} -c 'import converter21, musicdiff'."
        ) from error
    deadline = time.monotonic() + seconds
    try:
        truth_symbols = _request({"truth": truth}, deadline)["symbols"]
    except WorkerError:
        truth_symbols = None
    if truth_symbols is None:
        return None, None, None
    try:
        compared = _request({"truth": truth, "pred": pred}, deadline)
    except WorkerError as error:
        return truth_symbols, None, TIMED_OUT if error.timed_out else FAILED
    if "edits" not in compared:
        return truth_symbols, None, FAILED
    note = None if compared["is_readable"] else UNREADABLE
    return truth_symbols, (compared["edits"], compared["symbols"]), note


def _request(request: dict[str, Any], deadline: float) -> dict[str, Any]:
    seconds = max(0.0, deadline - time.monotonic())
    return _WORKER.request(request | {"seconds": seconds + _ORPHAN_SECONDS}, seconds=seconds)


def serve() -> None:
    """What the process runs: answers each line that it reads, a request, by one line."""
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def send(reply: dict[str, Any]) -> None:
        replies.write(json.dumps(reply) + "\n")
        replies.flush()

    # Ends the process even from within a loop in C, where nobody waits for it any more.
    faulthandler.dump_traceback_later(START_SECONDS + _ORPHAN_SECONDS, exit=True)
    import converter21
    import musicdiff  # noqa: F401

    converter21.register()
    faulthandler.cancel_dump_traceback_later()
    send({})
    # The two requests of a comparison have the same truth.
    annotated = lru_cache(maxsize=1)(_annotated)
    for line in sys.stdin:
        request = json.loads(line)
        faulthandler.dump_traceback_later(request["seconds"], exit=True)
        send(_reply(annotated, request["truth"], request.get("pred")))
        faulthandler.cancel_dump_traceback_later()


def _reply(annotated: Callable[[str], AnnScore | None], truth: str, pred: str | None) -> dict[str, Any]:
    """The symbols of the truth; with an answer, the edits between both. Nothing where musicdiff fails."""
    from musicdiff.annotation import AnnScore
    from musicdiff.comparison import Comparison
    from musicdiff.detaillevel import DetailLevel

    annotated_truth = annotated(truth)
    if annotated_truth is None:
        return {"symbols": None}
    if pred is None:
        return {"symbols": annotated_truth.notation_size()}
    # converter21 and musicdiff raise errors of any type on kern that they do not understand.
    with contextlib.suppress(Exception):
        answer = _read(pred, accept_errors=True)
        annotated_answer = AnnScore(answer, DetailLevel.Default)
        symbols = annotated_answer.notation_size()
        _, edits = Comparison.annotated_scores_diff(annotated_answer, annotated_truth)
        return {"edits": edits, "symbols": symbols, "is_readable": bool(len(answer.parts))}
    return {}


def _annotated(truth: str) -> AnnScore | None:
    """None where it cannot be read, or holds no part."""
    from musicdiff.annotation import AnnScore
    from musicdiff.detaillevel import DetailLevel

    # As above.
    with contextlib.suppress(Exception):
        score = _read(truth, accept_errors=False)
        annotated = AnnScore(score, DetailLevel.Default)
        return annotated if len(score.parts) else None
    return None


def _read(text: str, *, accept_errors: bool) -> Any:
    """A music21 Score. Not by music21's own ``parse``, which would open a text that names a file or a URL."""
    import converter21
    from music21.stream import Opus

    lines = (
        line
        for line in plain_kern(text).split("\n")
        # Under music21 10, converter21 4.0 fails on records of the work (!!!COM: …), which count for nothing.
        if not line.startswith("!!!") or line.startswith(("!!!!", "!!!RDF", "!!!system-decoration"))
    )
    score = converter21.HumdrumConverter().parseData("\n".join(lines), acceptSyntaxErrors=accept_errors)
    return score.scores[0] if isinstance(score, Opus) else score
