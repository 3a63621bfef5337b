"""An H whose thin cross-bar is lost in a picture in black and white: two stems beside a letter."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.tracing.molecule.candidates import Candidate, look_at
from docai.pipelines.tracing.molecule.parts import Part

_HEIGHTS: Final = (0.85, 1.15)
"""Height of a stem in heights of a capital."""

_APART: Final = (0.35, 0.85)
"""Distance of the middles of both stems in heights of a capital."""

_SLANT: Final = 0.5
"""Width of the box of a stem in heights of a capital, at most."""

_GAP: Final = 0.45
"""Distance of the letter beside in heights of a capital, at most."""

_BAR: Final = (0.43, 0.57)
"""Where an H has its cross-bar, in heights."""


def join_stems(
    letters: list[Candidate], bars: list[NDArray[np.float64]], height: float
) -> tuple[list[Candidate], list[NDArray[np.float64]]]:
    """Letters with each H of two stems, and the bars without these; ``height`` is that of a capital."""
    if height <= 0:
        return letters, bars
    boxes = [(*bar.min(axis=0).tolist(), *bar.max(axis=0).tolist()) for bar in bars]
    stems = [
        index
        for index, (x0, y0, x1, y1) in enumerate(boxes)
        if _HEIGHTS[0] * height <= y1 - y0 <= _HEIGHTS[1] * height and x1 - x0 <= _SLANT * height
    ]
    stems.sort(key=lambda index: boxes[index][0])
    used: set[int] = set()
    made: list[Part] = []
    for i in stems:
        for j in stems:
            (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = boxes[i], boxes[j]
            apart = (bx0 + bx1 - ax0 - ax1) / 2
            is_level = max(abs(ay0 - by0), abs(ay1 - by1)) < 0.12 * height
            if {i, j} & used or i == j or not is_level:
                continue
            if not _APART[0] * height <= apart <= _APART[1] * height:
                continue
            if any(_is_beside(letter, (ax0, ay0, bx1, by1), height) for letter in letters):
                used |= {i, j}
                made.append(_as_part(boxes[i], boxes[j]))
    joined = [look for look in look_at(made) if look.text == "H"]
    if len(joined) < len(made):
        return letters, bars
    return [*letters, *joined], [bar for index, bar in enumerate(bars) if index not in used]


def _is_beside(letter: Candidate, box: tuple[float, float, float, float], height: float) -> bool:
    part = letter.part
    if not letter.text.isalpha() or part.height < 0.8 * height:
        return False
    gap = max(part.x - box[2], box[0] - part.x - part.width)
    return 0 < gap < _GAP * height and abs(part.y - box[1]) < 0.2 * height


def _as_part(left: tuple[float, ...], right: tuple[float, ...]) -> Part:
    """Both stems with the bar between them."""
    x0, y0 = round(min(left[0], right[0])), round(min(left[1], right[1]))
    x1, y1 = round(max(left[2], right[2])), round(max(left[3], right[3]))
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    for box in (left, right):
        mask[round(box[1]) - y0 : round(box[3]) - y0, round(box[0]) - x0 : round(box[2]) - x0] = 1
    high = mask.shape[0]
    mask[round(_BAR[0] * high) : round(_BAR[1] * high) + 1] = 1
    return Part(x0, y0, mask, int(mask.sum()))
