"""Words of a picture, read by PP-OCR through the package ``rapidocr``, whose wheel carries the weights.

https://github.com/RapidAI/RapidOCR; code and weights (PP-OCRv6, small) are under the Apache License 2.0. The
engine runs in a child process of its own, which is ended where it takes too long or too much memory.
"""

from __future__ import annotations

import os
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError
from docai.pipelines.external.programs import ReaderError

PACKAGE: Final = "rapidocr"

SECONDS: Final = 120.0
"""For one page. One of 500 words takes three to four on an idle processor."""

LETTER_HEIGHT_PX: Final = 20.0
"""Height to which letters are scaled; at half of that, small print is lost."""

MAX_SIDE_PX: Final = 4000
"""Longest side of a picture that is read; a larger one is scaled down."""

COARSE_SIDE_PX, FINE_SIDE_PX = 1280, 2560
"""Longest side of the picture in which lines are looked for: with usual letters, and with small ones."""

MIN_LETTER_PX: Final = 9.0
"""Height of letters in that picture below which the finer one is taken."""

_MIN_CONFIDENCE: Final = 0.3
"""Of a line; below it is no text."""


class OcrWord(NamedTuple):
    """A word as PP-OCR reads it."""

    text: str
    box: BBox
    """Pixels, tight on its ink."""
    line: int
    """Counted over the picture, in the order of reading."""
    confidence: float
    """The engine's own, 0…1: the least of its characters."""


def missing() -> str | None:
    """Why it cannot be used here, in one sentence; None where it can."""
    if find_spec(PACKAGE) is None or find_spec("onnxruntime") is None:
        return f"PP-OCR is not installed: `pip install {PACKAGE} onnxruntime`."
    return None


def read_words(
    picture: NDArray[np.uint8], *, letter_height: float, seconds: float = SECONDS
) -> list[OcrWord]:
    """The words of an RGB picture ``(H, W, 3)`` line by line, from the top.

    Args:
        letter_height: of its letters, pixels; tells how finely lines are looked for.

    Raises:
        ReaderError: the engine is not installed, failed, crashed, or took longer than ``seconds``.
    """
    if problem := missing():
        raise ReaderError(problem)
    shown = min(1.0, COARSE_SIDE_PX / max(picture.shape[:2]))
    is_fine = letter_height * shown < MIN_LETTER_PX
    try:
        return _WORKER.call(_read, seconds, picture, is_fine=is_fine)
    except WorkerError as error:
        raise ReaderError(f"PP-OCR gave no answer ({error})") from error
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise ReaderError(f"PP-OCR failed ({type(error).__name__}: {error})") from error


def _threads() -> int:
    return max(1, min(4, (os.cpu_count() or 2) // 2))


_WORKER: Final = CallWorker("docai.pipelines.external.ppocr", variables={"OMP_NUM_THREADS": str(_threads())})


@lru_cache(maxsize=2)
def _engine(side: int) -> Any:
    from rapidocr import RapidOCR

    # Its defaults enlarge wide pictures to 9,000 pixels, and its classifier turns short lines over.
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.max_side_len": MAX_SIDE_PX,
            "Global.text_score": _MIN_CONFIDENCE,
            "Det.limit_type": "max",
            "Det.limit_side_len": side,
            "EngineConfig.onnxruntime.intra_op_num_threads": _threads(),
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _read(picture: NDArray[np.uint8], *, is_fine: bool) -> list[OcrWord]:
    """In the child."""
    engine = _engine(FINE_SIDE_PX if is_fine else COARSE_SIDE_PX)
    result = engine(
        np.ascontiguousarray(picture[:, :, ::-1]), return_word_box=True, return_single_char_box=True
    )
    if result.txts is None:
        return []
    ink = _ink(picture)
    words = []
    for number, (text, characters) in enumerate(zip(result.txts, result.word_results, strict=True)):
        words += [word._replace(line=number) for word in _words_of_line(text, characters, ink)]
    return words


def _words_of_line(text: str, characters: Any, ink: NDArray[np.bool_]) -> list[OcrWord]:
    """A line cut at its spaces; ``characters`` are its others, each with confidence and corners."""
    words: list[OcrWord] = []
    boxes = iter(characters)
    for part in text.split():
        mine = [box for _, box in zip(part.replace(" ", ""), boxes, strict=False)]
        if not mine:
            break
        corners = np.concatenate([np.asarray(box, float) for _, _, box in mine])
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
        confidence = min(float(score) for _, score, _ in mine)
        words.append(OcrWord(part, _tight((x0, y0, x1, y1), ink), 0, confidence))
    return words


def _tight(box: BBox, ink: NDArray[np.bool_]) -> BBox:
    """The box around the ink in a box; the box itself where there is none."""
    height, width = ink.shape
    x0, y0 = max(0, int(box[0])), max(0, int(box[1]))
    x1, y1 = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
    inside = ink[y0:y1, x0:x1]
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
    return (
        float(x0 + columns[0]),
        float(y0 + rows[0]),
        float(x0 + columns[-1] + 1),
        float(y0 + rows[-1] + 1),
    )


def _ink(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    import cv2

    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    dark = cv2.adaptiveThreshold(gray, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 15)
    return np.asarray(dark > 0)
