"""Tesseract in a process of its own: it is native code that ends its process where its data is broken.

Run as a script it is that process. A request on standard input is a line of JSON (``width``, ``height``,
``dpi``, ``language``, ``tessdata``) and ``3 * width * height`` bytes of RGB; the answer is a line of JSON
with ``words``, each ``[x0, y0, x1, y1, text, block, line]`` in pixels, or ``error``. It imports nothing of
docai, and PyMuPDF brings Tesseract along.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, Timer
from typing import Any

MAX_BYTES = 16 << 20
"""Of one answer: a hundred thousand words."""

Word = tuple[float, float, float, float, str, int, int]


class OcrError(Exception):
    """No words came back; the message tells why."""


class OcrProcesses:
    """Processes that read, one for each region that is read at the same time. They are kept for the next."""

    def __init__(self, command: Sequence[str] = (sys.executable, "-I", __file__)) -> None:
        self._command = command
        self._lock = Lock()
        self._idle: list[subprocess.Popen[bytes]] = []

    def read(
        self,
        pixels: bytes,
        width: int,
        height: int,
        dpi: int,
        *,
        tessdata: Path,
        language: str,
        seconds: float,
    ) -> list[Word]:
        """The words of an RGB picture, in reading order.

        Raises:
            OcrError: Tesseract failed, fell, or took longer than ``seconds``.
        """
        head = {"width": width, "height": height, "dpi": dpi, "language": language, "tessdata": str(tessdata)}
        process = self._take()
        late = Timer(seconds, process.kill)
        late.start()
        try:
            line = _ask(process, json.dumps(head).encode() + b"\n", pixels)
        except BaseException:
            # Its answer may still come and would be taken for that to the next question.
            _end(process)
            raise
        finally:
            in_time = late.is_alive()
            late.cancel()
        if not line.endswith(b"\n"):
            _end(process)
            raise OcrError("it fell" if in_time else f"it took longer than {seconds:g} s")
        with self._lock:
            self._idle.append(process)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise OcrError(answer["error"])
        return [tuple(word) for word in answer["words"]]

    def close(self) -> None:
        """End all that are idle; the next call starts another."""
        while self._idle:
            _end(self._idle.pop())

    def forget(self) -> None:
        """Leave them to the process that this one was forked from."""
        self._lock, self._idle = Lock(), []

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    return process
        from docai.pipelines.external import programs

        process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=programs.environment(),
        )
        programs.limit_memory(process.pid)
        return process


def _ask(process: subprocess.Popen[bytes], head: bytes, pixels: bytes) -> bytes:
    """The line it answers with; cut short where it fell or was ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(head)
        process.stdin.write(pixels)
        process.stdin.flush()
    except BrokenPipeError:
        return b""
    return process.stdout.readline(MAX_BYTES)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with contextlib.suppress(BrokenPipeError):
        process.communicate()


def _shared() -> OcrProcesses:
    shared = OcrProcesses()
    atexit.register(shared.close)
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=shared.forget)
    return shared


PROCESSES = _shared()
"""Those of this process. Each ends when its standard input does, so with its owner."""


def _serve() -> None:
    # Ctrl-C reaches every process of a terminal; this one ends when its owner does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    import pymupdf

    while line := sys.stdin.buffer.readline():
        request = json.loads(line)
        pixels = sys.stdin.buffer.read(3 * request["width"] * request["height"])
        try:
            answer: dict[str, Any] = {"words": _words(pymupdf, request, pixels)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _words(pymupdf: Any, request: dict[str, Any], pixels: bytes) -> list[Word]:
    picture = pymupdf.Pixmap(pymupdf.csRGB, request["width"], request["height"], pixels, False)
    picture.set_dpi(request["dpi"], request["dpi"])
    data = picture.pdfocr_tobytes(compress=False, language=request["language"], tessdata=request["tessdata"])
    with pymupdf.open("pdf", data) as document:
        page = document[0]
        across, down = picture.width / page.rect.width, picture.height / page.rect.height
        return [
            (x0 * across, y0 * down, x1 * across, y1 * down, text, block, line)
            for x0, y0, x1, y1, text, block, line, _ in page.get_text("words", sort=False)
        ]


if __name__ == "__main__":
    _serve()
