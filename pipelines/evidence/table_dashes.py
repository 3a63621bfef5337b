"""Lone dashes in the cells of a picture: they say that there is no value, and detectors of text miss them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, PageTransform, grow, touches
from docai.pipelines.evidence.base import Picture
from docai.pipelines.evidence.ppocr import OcrPageWord
from docai.pipelines.ingest import PageWord

DASH: Final = "-"
"""As PP-OCR writes hyphens, dashes and minus signs alike."""

CONFIDENCE: Final = 0.9
"""In a dash: its shape and place are right, and it may be a stain."""

_MAX_THICKNESS: Final = 0.25
_MIN_WIDTH, _MAX_WIDTH = 0.2, 1.6
"""Of a dash, in heights of a word."""

_MIN_ASPECT: Final = 1.5
"""Width over thickness: a full stop is as wide as it is high."""

_AROUND: Final = 0.15
"""Heights of a word around words in which ink is theirs, such as accents."""

_ALONE: Final = 1.0
"""Heights of a word to each side of a dash without ink: pieces of a broken rule are nearer to each other."""


def with_dashes(words: Sequence[OcrPageWord], picture: Picture) -> list[OcrPageWord]:
    """The words, and a dash for each that stands alone at the middle of a line of theirs; page points.

    The box of a dash is as high as a word, which lines are made of.
    """
    if not words:
        return []
    frame = PageTransform(picture.x0, picture.y0, picture.scale)
    boxes = [frame.to_pixels(one.word.bbox) for one in words]
    height = float(np.median([box[3] - box[1] for box in boxes]))
    dashes = [
        _as_word(frame, box, height, len(words))
        for box in _dashes(np.asarray(picture.image.convert("L")), height)
        if _is_on_a_line(box, boxes)
        and not any(touches(grow(box, _AROUND * height), other) for other in boxes)
    ]
    return [*words, *dashes]


def _as_word(frame: PageTransform, box: BBox, height: float, line: int) -> OcrPageWord:
    x0, y0, x1, y1 = box
    middle = (y0 + y1) / 2
    high = (x0, middle - height / 2, x1, middle + height / 2)
    return OcrPageWord(PageWord(DASH, frame.to_page(high), 0, line), CONFIDENCE)


def _dashes(gray: NDArray[np.uint8], height: float) -> list[BBox]:
    """Pieces of ink of the shape of a dash, with white on both sides; pixels."""
    import cv2

    ink = cv2.adaptiveThreshold(gray, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 15)
    _, _, parts, _ = cv2.connectedComponentsWithStats(ink)
    found: list[BBox] = []
    for x, y, wide, high, _ in parts[1:].tolist():
        is_flat = high <= max(2.0, _MAX_THICKNESS * height) and wide >= _MIN_ASPECT * high
        if not is_flat or not _MIN_WIDTH * height <= wide <= _MAX_WIDTH * height:
            continue
        reach = round(_ALONE * height)
        left, right = ink[y : y + high, max(0, x - reach) : x], ink[y : y + high, x + wide : x + wide + reach]
        if not left.any() and not right.any():
            found.append((float(x), float(y), float(x + wide), float(y + high)))
    return found


def _is_on_a_line(box: BBox, words: Sequence[BBox]) -> bool:
    """Whether the middle of a dash is at about the middle of a word, whatever lies between."""
    middle = (box[1] + box[3]) / 2
    return any(y0 + 0.25 * (y1 - y0) <= middle <= y0 + 0.8 * (y1 - y0) for _, y0, _, y1 in words)
