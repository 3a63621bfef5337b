"""Words of a picture, read by PP-OCR through the package ``rapidocr``, whose wheel carries the weights.

https://github.com/RapidAI/RapidOCR; code and weights (PP-OCRv6, small) are under the Apache License 2.0. The
engine runs in a child process of its own, which is ended where it takes too long or too much memory. It is
asked in two steps, so that lines are looked for in a picture as coarse as its letters allow, which is cheap,
and read from the picture as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Final, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.external import ppocr_engine
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError
from docai.pipelines.external.ppocr_engine import OcrWord
from docai.pipelines.external.programs import ReaderError

__all__ = ["OcrWord", "load_problem", "missing", "read_lines", "read_words"]

P = ParamSpec("P")

R = TypeVar("R")

PACKAGE: Final = "rapidocr"

SECONDS: Final = 300.0
"""For one page. One of 500 words takes three to four on an idle processor, one of 3,000 small ones 50; where
others use the processor, it may be five times that."""


def missing() -> str | None:
    """Why it cannot be used here, in one sentence; None where it can."""
    if find_spec(PACKAGE) is None or find_spec("onnxruntime") is None:
        return f"PP-OCR is not installed: `pip install {PACKAGE} onnxruntime`."
    return None


def load_problem(seconds: float = SECONDS) -> str | None:
    """Why it cannot be used here though it is installed, in one sentence, such as an onnxruntime whose
    libraries do not load; None where it can. Starts the engine, which takes a second or two."""
    try:
        _ask(ppocr_engine.load, seconds)
    except ReaderError as error:
        return f"{error}."
    return None


MIN_CONTRAST: Final = 8
"""Difference of gray, 0…255, below which a picture is even paper, and not worth the second of looking."""


def read_words(
    picture: NDArray[np.uint8], *, letter_height: float | None = None, seconds: float = SECONDS
) -> list[OcrWord]:
    """The words of an RGB picture ``(H, W, 3)`` line by line, from the top.

    Args:
        letter_height: of its letters, pixels, where known; tells how finely lines are looked for.

    Raises:
        ReaderError: the engine is not installed, failed, crashed, or took longer than ``seconds``.
    """
    if picture.size and int(np.ptp(picture)) < MIN_CONTRAST and missing() is None:
        return []
    return _ask(ppocr_engine.read_page, seconds, picture, letter_height)


def read_lines(
    picture: NDArray[np.uint8], boxes: Sequence[BBox], *, seconds: float = SECONDS
) -> list[list[OcrWord]]:
    """The words of some lines of an RGB picture ``(H, W, 3)``, of which the places are known; one list each.

    Args:
        boxes: of the lines, pixels, with some ground around the letters.

    Raises:
        ReaderError: as :func:`read_words`.
    """
    return _ask(ppocr_engine.read_given, seconds, picture, [*boxes]) if boxes else []


def _ask(function: Callable[P, R], seconds: float, *args: P.args, **kwargs: P.kwargs) -> R:
    """What the child makes of a picture."""
    if problem := missing():
        raise ReaderError(problem)
    try:
        return _WORKER.call(function, seconds, *args, **kwargs)
    except WorkerError as error:
        raise ReaderError(f"PP-OCR gave no answer ({error})") from error
    except ImportError as error:
        raise ReaderError(
            f"PP-OCR cannot be loaded ({error}): `pip install --force-reinstall {PACKAGE} onnxruntime`"
        ) from error
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise ReaderError(f"PP-OCR failed ({type(error).__name__}: {error})") from error


PAGES_PER_CHILD: Final = 100
"""After these another child takes over: onnxruntime keeps some memory for each size of picture. Starting one
takes a second and a half."""

_WORKER: Final = CallWorker(
    "docai.pipelines.external.ppocr_engine",
    max_requests=PAGES_PER_CHILD,
    variables={"OMP_NUM_THREADS": "1"},
)
