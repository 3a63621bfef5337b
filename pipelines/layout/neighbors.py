"""What the arrows and plus signs of a scheme say of the structures and texts beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from docai.geometry import BBox, center, grow, overlap_ratio, touches
from docai.pipelines.layout.arrows import Arrow
from docai.pipelines.layout.schemes import Scheme
from docai.pipelines.layout.types import RegionCandidate

MAX_NEIGHBOR_GAP = 8.0
"""Bond lengths between an arrow, or a plus sign, and what stands beside it."""

MAX_CONDITIONS_GAP = 2.5
"""Bond lengths between an arrow and the text of its conditions, above or below."""

MAX_CONDITIONS_WIDTH = 2.0
"""Times the length of an arrow that its conditions may be wide; a caption or a paragraph is wider."""


def tell_neighbors(regions: Sequence[RegionCandidate], scheme: Scheme) -> None:
    """Record on structures and texts beside which arrow or plus sign they stand, with its box in points.

    Structures are *before* or *after* an arrow in its own direction; of equilibrium and resonance arrows, in
    reading direction.
    """
    for arrow, bond in scheme.arrows:
        name = f"the {arrow.kind} arrow at {_numbers(arrow.bbox)}"
        for region in regions:
            if region.kind == "text" and _is_condition(region.bbox, arrow, bond):
                region.evidence.append(f"conditions of {name}")
        for end, other, place in ((arrow.tail, arrow.tip, "before"), (arrow.tip, arrow.tail, "after")):
            nearest = _beside(scheme.structures, end, other, bond)
            if nearest is not None:
                nearest.evidence.append(f"{place} {name}")
    for plus, bond in scheme.pluses:
        x, y = center(plus)
        for other in ((x - 1, y), (x + 1, y)):
            nearest = _beside(scheme.structures, (x, y), other, bond)
            if nearest is not None:
                nearest.evidence.append(f"beside the plus sign at {_numbers(plus)}")


def _numbers(box: BBox) -> str:
    return " ".join(str(round(value)) for value in box)


def _is_condition(box: BBox, arrow: Arrow, bond: float) -> bool:
    """Whether text stands above or below the shaft of a level arrow, or beside that of another."""
    x0, y0, x1, y1 = arrow.bbox
    reach = MAX_CONDITIONS_GAP * bond
    is_level = x1 - x0 >= y1 - y0
    if not touches(grow(arrow.bbox, 0, reach) if is_level else grow(arrow.bbox, reach, 0), box):
        return False
    if is_level:
        is_short = box[2] - box[0] <= MAX_CONDITIONS_WIDTH * (x1 - x0)
        return is_short and overlap_ratio(x0, x1, box[0], box[2]) > 0.5
    return overlap_ratio(y0, y1, box[1], box[3]) > 0.5


def _beside(
    structures: Sequence[RegionCandidate], end: tuple[float, float], other: tuple[float, float], bond: float
) -> RegionCandidate | None:
    """The structure nearest to one end, on the line from the ``other`` end through it; None without one."""
    direction = np.array(end) - np.array(other)
    norm = float(np.hypot(*direction))
    if not norm:
        return None
    direction = direction / norm
    best, best_gap = None, MAX_NEIGHBOR_GAP * bond
    for region in structures:
        x0, y0, x1, y1 = region.bbox
        corners = np.array([(x0, y0), (x1, y0), (x0, y1), (x1, y1)]) - np.array(end)
        along = corners @ direction
        across = corners @ np.array([-direction[1], direction[0]])
        gap = float(along.min())
        if across.min() <= 0.5 * bond and across.max() >= -0.5 * bond and -bond <= gap < best_gap:
            best, best_gap = region, gap
    return best
