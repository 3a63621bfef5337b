"""How high the letters of a picture are, and which of its areas are printed light on dark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.pixels import Gray, Parts, halftone_share, parts_of

DEFAULT_HEIGHT_PX: Final = 20.0
"""Height of letters where none can be measured."""

_MIN_HEIGHT_PX: Final = 4
"""Lower parts are dots, noise, or too small to be read."""

_MAX_PAGE_SHARE: Final = 0.3
"""Height of a letter, as a share of the longer side of the picture, at most."""

_MIN_CONTRAST, _MAX_CONTRAST = 24, 80
"""Gray levels between ink and its ground, between which the threshold is looked for."""

_MAX_ASPECT: Final = 6.0
"""Width of a part, in its heights, up to which it is a letter, or some that touch; a rule is wider."""

_MIN_FILL: Final = 0.12
"""Share of its box that the ink of a letter fills; frames and curves of charts fill less."""

_MIN_LETTERS: Final = 4
"""Parts with neighbors from which they are print. A picture with fewer has nothing to measure by."""

_MAX_TESTED: Final = 1500
"""Parts whose neighbors are looked for; of more a part is drawn at random, always the same."""

_MAX_PARTS: Final = 30_000
"""Parts among which neighbors are looked for: halftones have more."""

_MAX_GAP: Final = 1.0
"""Between letters of one word, in heights of one of them."""

_MAX_RATIO: Final = 2.2
"""Of the heights of two letters of one word: an ascender or capital is about 1.5 times as high as an x."""

_GROUND_WINDOW_PX: Final = 84
"""Side of the area whose median is the ground of its middle: of print the ground fills more than half."""

_MAX_HALFTONES: Final = 0.3
"""Share of the pixels that are neither white nor black, edges left out, from which it may be a photograph."""

_MIN_LETTERS_OF_PRINT: Final = 30
"""Letters from which such a picture may be a page on dim paper."""

_MAX_SPREAD: Final = 2.2
"""Height of the highest tenth of the letters in heights of the lowest, up to which they are print: 1.4 to 1.9
of pages, on dim paper and degraded ones, too, and 3 to 19 of what street photographs have of such parts."""

_DARK: Final = 128
"""Gray level of the ground below which print on it is light."""


@dataclass(frozen=True)
class Letters:
    """What may be letters in a picture."""

    boxes: NDArray[np.float32]
    """(n, 4), pixels: parts of ink, dark or light on their own ground, that have the size and shape of
    letters."""
    heights: NDArray[np.float32]
    """Of those that stand beside others like them on one line, pixels; where there are many, of some."""
    dark_parts: NDArray[np.float32]
    """(m, 4), pixels: all parts of dark ink, the dots and accents of letters, too."""


def find_letters(gray: Gray) -> Letters:
    """The parts of a gray picture ``(H, W)`` that may be letters."""
    difference = gray.astype(np.int16) - ground_of(gray)
    threshold = _threshold(difference)
    parts = [parts_of(np.asarray((sign * difference > threshold).astype(np.uint8))) for sign in (-1, 1)]
    of_each = [_like_letters(one, max(gray.shape)) for one in parts]
    return Letters(
        np.concatenate(of_each),
        np.concatenate([_heights_of_letters(boxes) for boxes in of_each]),
        np.asarray(parts[0].boxes, np.float32),
    )


def letter_height(gray: Gray) -> float:
    """Median height, in pixels, of the letters of a picture; :data:`DEFAULT_HEIGHT_PX` where it has none."""
    return measured_letter_height(gray) or DEFAULT_HEIGHT_PX


def measured_letter_height(gray: Gray, letters: Letters | None = None) -> float | None:
    """Median height, in pixels, of the letters of a gray picture ``(H, W)``; None where it has none.

    Letters are parts of ink, dark or light on their own ground, that stand beside others of alike height on
    one line: bands of gray, frames, rules and photographs have no such parts, or few.

    Args:
        letters: of the picture, where they were looked for before.
    """
    heights = (letters or find_letters(gray)).heights
    if len(heights) < _MIN_LETTERS or _is_photograph(gray, heights):
        return None
    return float(np.median(heights))


def is_photograph(gray: Gray) -> bool:
    """Whether a picture is of halftones, and has no print beside: one page on dim paper has."""
    return halftone_share(gray) > _MAX_HALFTONES and _has_no_print(find_letters(gray).heights)


def _is_photograph(gray: Gray, heights: NDArray[np.float32]) -> bool:
    return halftone_share(gray) > _MAX_HALFTONES and _has_no_print(heights)


def _has_no_print(heights: NDArray[np.float32]) -> bool:
    if len(heights) < _MIN_LETTERS_OF_PRINT:
        return True
    low, high = np.percentile(heights, (10, 90))
    return bool(high > _MAX_SPREAD * low)


def black_on_white(gray: Gray) -> Gray:
    """The picture with its dark areas inverted, so that all of its print is dark on light."""
    dark = (ground_of(gray) < _DARK).astype(np.uint8)
    if not dark.any():
        return gray
    # A seam between both would be taken for a letter: areas smaller than a line of print stay as they are.
    dark = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    return np.asarray(np.where(dark > 0, 255 - gray, gray), np.uint8)


def ground_of(gray: Gray) -> NDArray[np.uint8]:
    """The level of the ground at each pixel: the median around it, in which thin ink is lost."""
    height, width = gray.shape
    factor = 4 if min(height, width) > 2 * _GROUND_WINDOW_PX else 1
    # Each pixel of the small picture is the most usual of those it stands for, not a mix of ink and ground.
    small = cv2.medianBlur(gray, 5)[::factor, ::factor] if factor > 1 else gray
    window = min(_GROUND_WINDOW_PX // factor, min(small.shape)) | 1
    median = cv2.medianBlur(np.ascontiguousarray(small), max(3, window))
    return np.asarray(cv2.resize(median, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _threshold(difference: NDArray[np.int16]) -> float:
    """Gray levels from the ground from which a pixel is ink: by Otsu's rule, within bounds."""
    levels = np.abs(difference).clip(0, 255).astype(np.uint8)
    marked = levels[levels > _MIN_CONTRAST // 2]
    if not len(marked):
        return float(_MIN_CONTRAST)
    threshold, _ = cv2.threshold(marked, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return float(min(max(threshold, _MIN_CONTRAST), _MAX_CONTRAST))


def _like_letters(parts: Parts, side: int) -> NDArray[np.float32]:
    """Boxes (n, 4) of the parts of ink that have the size and shape of letters; ``side`` is the longer one of
    the picture."""
    wide, high = parts.widths, parts.heights
    may_be = (high >= _MIN_HEIGHT_PX) & (high <= _MAX_PAGE_SHARE * side)
    may_be &= (wide <= _MAX_ASPECT * high) & (wide >= 2)
    may_be &= parts.areas >= _MIN_FILL * wide * high
    return np.asarray(parts.boxes[may_be], np.float32)


def _heights_of_letters(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Heights of those that stand beside others like them."""
    tested = boxes
    if len(boxes) > _MAX_TESTED:
        tested = boxes[np.random.default_rng(0).choice(len(boxes), _MAX_TESTED, replace=False)]
        boxes = boxes if len(boxes) <= _MAX_PARTS else tested
    return np.asarray((tested[:, 3] - tested[:, 1])[has_neighbor(tested, boxes)])


def has_neighbor(tested: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """For each of ``tested`` (n, 4), whether one of ``boxes`` (m, 4) stands beside it on its line."""
    x0, y0, x1, y1 = boxes.T
    heights = y1 - y0
    found = np.zeros(len(tested), bool)
    for index, (left, top, right, bottom) in enumerate(tested):
        high = bottom - top
        gap = np.maximum(x0 - right, left - x1)
        # Half a letter of the same line may be lost to a neighbor that touches it, but not its foot.
        is_near = (gap > -0.2 * high) & (gap < _MAX_GAP * high) & (x0 != left)
        is_alike = (heights > high / _MAX_RATIO) & (heights < high * _MAX_RATIO)
        shared = np.minimum(y1, bottom) - np.maximum(y0, top)
        found[index] = bool((is_near & is_alike & (shared > 0.5 * np.minimum(heights, high))).any())
    return found
