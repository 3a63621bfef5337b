"""Where outlines stand among the staves: the staff space there, and what a match becomes on the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.score.symbol_outlines import SMALL_SCALES, Match, outline_table
from docai.pipelines.drawings.score.types import Staff, Symbol

MAX_STAFF_GAP_SPACES: Final = 16.0
"""How far above or below a staff its symbols stand at most, in its spaces."""

MAX_BRACE_DISTANCE: Final = 0.09
"""Of the picture of a brace from the known ones."""

SPACES_IN_EM: Final = 4.0
"""By which SMuFL and all fonts before it scale their symbols."""

Floats = NDArray[np.float64]


class StaffPlaces:
    """The nearest staff of each place."""

    def __init__(self, staves: Sequence[Staff]) -> None:
        self.staves = staves
        self._boxes = np.array([(staff.x0, staff.lines[0], staff.x1, staff.lines[-1]) for staff in staves])
        self._spaces = np.array([staff.space for staff in staves])

    def nearest(self, boxes: Floats) -> NDArray[np.intp]:
        """(n,), index of the staff nearest to each box; -1 where it is far from all. ``boxes``: (n, 4)."""
        if len(boxes) == 0:
            return np.empty(0, np.intp)
        x = (boxes[:, 0] + boxes[:, 2])[:, None] / 2
        y = (boxes[:, 1] + boxes[:, 3])[:, None] / 2
        known = self._boxes
        above = np.maximum(known[:, 1] - y, y - known[:, 3]).clip(min=0)
        # What opens a staff, such as a brace, stands a little left of it.
        beside = np.maximum(known[:, 0] - x, x - known[:, 2]).clip(min=0)
        gap = (above + 2 * (beside - 4 * self._spaces).clip(min=0)) / self._spaces
        best = gap.argmin(axis=1)
        return np.where(gap.min(axis=1) <= MAX_STAFF_GAP_SPACES, best, -1)

    def space(self, staff: int) -> float:
        """Staff space of one staff."""
        return float(self._spaces[staff])


def may_be_brace(box: BBox, staff: Staff) -> bool:
    """Whether something stands left of a staff, tall and narrow."""
    space = staff.space
    width, height = box[2] - box[0], box[3] - box[1]
    beside = staff.x0 - 8 * space <= box[0] and box[2] <= staff.x0 + 0.6 * space
    return beside and height >= 3.5 * space and 0.2 * space <= width <= 4 * space and height >= 3 * width


def brace_symbol(
    bbox: BBox, distance: float, order: int, *, glyph: int | None = None, path: int | None = None
) -> Symbol:
    """A brace; its font is as large as it is high."""
    origin = (bbox[0], bbox[3])
    return Symbol("brace", bbox, origin, bbox[3] - bbox[1], order, 1.0 - distance, glyph, path)


def matched_symbol(
    match: Match,
    bbox: BBox,
    space: float,
    order: int,
    *,
    glyph: int | None = None,
    path: int | None = None,
) -> Symbol:
    """A symbol that was told by its outline."""
    scale = match.scale
    # Fonts differ by a few percent: only clear steps are another size.
    steps = min(SMALL_SCALES, key=lambda step: abs(np.log(scale / step)))
    size = SPACES_IN_EM * space * (scale if abs(np.log(scale / steps)) > 0.25 else steps)
    x, y = outline_table().offsets[match.known]
    known_width, known_height = np.exp(outline_table().features.sizes[match.known])
    origin = (
        bbox[0] + float(x / known_width) * (bbox[2] - bbox[0]),
        bbox[1] + float(y / known_height) * (bbox[3] - bbox[1]),
    )
    return Symbol(match.name, bbox, origin, size, order, match.score, glyph, path)
