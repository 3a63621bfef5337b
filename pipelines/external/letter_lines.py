"""Letters of a picture as lines, before anybody has read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, grow
from docai.pipelines.external.ocr_letters import has_neighbor
from docai.pipelines.pixels import parts_of

_MIN_LETTERS: Final = 2
"""Of a group that may be a word."""

SAMPLE_LINES: Final = 10
"""Lines that tell which way up a page is, and whether anybody knows its script."""

SAMPLE_HEIGHTS: Final = 14.0
"""Width of what is read of each, in heights of the line: three or four words."""

_MARGIN_X, _MARGIN_Y = 0.4, 0.1
"""Ground that PP-OCR is shown around a line, in heights of the line: of 466 words of doubtful lines 453 came
out right, and 439 where it was shown 0.3 above and below, which has ink of other lines."""

LetterLine = tuple[BBox, int]
"""The box around letters that stand beside each other, pixels, and how many they are."""


def lines_of_letters(
    letters: NDArray[np.float32], words: Sequence[BBox] = (), height: float = 0.0
) -> list[LetterLine]:
    """Groups of letters that no word covers, level ones, then those on their side; all pixels.

    Args:
        letters: (n, 4), boxes.
        words: boxes.
        height: of the letters of the page; dots and commas are lower, and what is much higher is no letter.
    """
    if not len(letters):
        return []
    size = letters.max(axis=0)[2:].astype(int) + 2
    covered = np.zeros((size[1], size[0]), np.uint8)
    for x0, y0, x1, y1 in words:
        covered[max(0, int(y0)) : int(y1) + 1, max(0, int(x0)) : int(x1) + 1] = 1
    x, y = ((letters[:, :2] + letters[:, 2:]) / 2).astype(int).T
    # Initials and titles are larger than others.
    is_large = (letters[:, 3] - letters[:, 1] > 0.6 * height) & (letters[:, 3] - letters[:, 1] < 4 * height)
    rest = letters[is_large & (covered[y, x] == 0)]
    level = has_neighbor(rest, rest)
    lines = _groups(rest[level])
    turned = rest[~level][:, [1, 0, 3, 2]]
    on_side = _groups(turned[has_neighbor(turned, turned)])
    lines += [((y0, x0, y1, x1), n_letters) for (x0, y0, x1, y1), n_letters in on_side]
    return [line for line in lines if line[1] >= _MIN_LETTERS]


def _groups(letters: NDArray[np.float32]) -> list[LetterLine]:
    """Letters that stand beside each other on one level."""
    if not len(letters):
        return []
    width, height = letters.max(axis=0)[2:].astype(int) + 2
    mask = np.zeros((height, 2 * width), np.uint8)
    for x0, y0, x1, y1 in letters:
        reach = 0.6 * (y1 - y0)
        # A third off above and below: lines that are set close touch there.
        trim = (y1 - y0) / 3
        mask[int(y0 + trim) : int(y1 - trim) + 1, max(0, int(x0 - reach)) : int(x1 + reach) + 1] = 1
    labels = parts_of(mask).labels
    x, y = ((letters[:, :2] + letters[:, 2:]) / 2).astype(int).T
    of_letter = labels[y, x]
    groups = []
    for label in np.unique(of_letter):
        boxes = letters[of_letter == label]
        x0, y0 = boxes[:, :2].min(axis=0)
        x1, y1 = boxes[:, 2:].max(axis=0)
        groups.append(((float(x0), float(y0), float(x1), float(y1)), len(boxes)))
    return groups


def chosen_lines(lines: Sequence[LetterLine], n_lines: int = SAMPLE_LINES) -> list[BBox]:
    """The beginnings of some level lines that tell most of a page: of the longer half, spread over it."""
    level = [(box, n_letters) for box, n_letters in lines if box[2] - box[0] > box[3] - box[1]]
    usual = float(np.median([n_letters for _, n_letters in level])) if level else 0.0
    long = sorted((box for box, n_letters in level if n_letters >= usual), key=lambda box: box[1])
    step = max(1.0, len(long) / n_lines)
    chosen = [long[int(index * step)] for index in range(min(n_lines, len(long)))]
    return [(x0, y0, min(x1, x0 + SAMPLE_HEIGHTS * (y1 - y0)), y1) for x0, y0, x1, y1 in chosen]


def with_ground(box: BBox) -> BBox:
    """The box of a line with the ground around it that PP-OCR is to see."""
    thickness = min(box[2] - box[0], box[3] - box[1])
    return grow(box, _MARGIN_X * thickness, _MARGIN_Y * thickness)
