"""What looks like a notehead and stands where none can: hooks and beams at the far ends of stems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from docai.geometry import BBox
from docai.pipelines.tracing.score.ink import Ink, Mask
from docai.pipelines.tracing.score.straighten import SPACE_PX
from docai.pipelines.tracing.score.uprights import Bar, heads_beside, strokes_at_heads

BEGIN_SPACES: Final = 0.6
"""How far from the middle of its first head a stem begins at most, in staff spaces."""

NEXT_SPACES: Final = 1.3
"""Distance of two heads of a chord on both sides of a stem at most, in staff spaces: they are a second."""

BEYOND_SPACES: Final = (0.7, 2.5)
"""How far a stem goes on beyond a hook that looks like a head, in staff spaces."""


def heads_at_far_ends(ink: Ink, heads: Sequence[BBox], solid: Mask) -> list[int]:
    """Places of those heads that are on the wrong side of a stem near its end: they are hooks.

    A stem that goes down has its heads at its right, at its top, and one that goes up at its left, at its
    bottom. On the other side a head stands only beside another, a step away.

    Args:
        ink: of the picture.
        heads: boxes of what may be heads.
        solid: (h, w), ink that is of symbols other than heads.
    """
    found = set()
    for stroke in strokes_at_heads(ink, heads, solid):
        found.update(_at_far_end(stroke, heads, 1))
        found.update(_at_far_end(stroke, heads, -1))
    return sorted(found)


def _at_far_end(stroke: Bar, heads: Sequence[BBox], down: int) -> list[int]:
    """Those of one stem, which goes down (1) or up (-1)."""
    begin, end = (stroke.y0, stroke.y1) if down > 0 else (stroke.y1, stroke.y0)
    proper: list[float] = []
    others: list[tuple[float, int]] = []
    for place, middle, is_at_its_left in heads_beside(stroke, heads, SPACE_PX):
        if is_at_its_left == (down > 0):
            proper.append(middle)
        else:
            others.append((middle, place))
    if not any(abs(middle - begin) <= BEGIN_SPACES * SPACE_PX for middle in proper):
        return []
    low, high = (share * SPACE_PX for share in BEYOND_SPACES)
    return [
        place
        for middle, place in others
        if low <= down * (end - middle) <= high
        and all(abs(middle - other) > NEXT_SPACES * SPACE_PX for other in proper)
    ]
