"""Two pages of a book in one picture: each is read by itself, the left one first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from docai.geometry import center, union
from docai.pipelines.layout.gutters import covered_height
from docai.pipelines.layout.types import RegionCandidate

MIN_ASPECT: Final = 1.2
"""Width over height of a picture of two pages."""

MIDDLE: Final = (0.42, 0.58)
"""Shares of the width between which the fold lies."""

MIN_MARGIN: Final = 0.035
"""Share of the width: the inner margins of both pages together."""

MIN_FILLED: Final = 0.35
"""Share of the height over which there are regions, on either page."""


def split_spread(
    regions: Sequence[RegionCandidate], width: float, height: float
) -> list[list[RegionCandidate]]:
    """The regions of the left and of the right page, or all of them where it is one page."""
    whole = [list(regions)]
    if width < MIN_ASPECT * height:
        return whole
    fold = _widest_gap(regions, MIDDLE[0] * width, MIDDLE[1] * width)
    if fold is None or fold[1] - fold[0] < MIN_MARGIN * width:
        return whole
    middle = (fold[0] + fold[1]) / 2
    left = [region for region in regions if center(region.bbox)[0] < middle]
    right = [region for region in regions if center(region.bbox)[0] >= middle]
    filled = [covered_height([region.bbox for region in side]) for side in (left, right) if side]
    if len(filled) < 2 or min(filled) < MIN_FILLED * height:
        return whole
    if any(union([region.bbox for region in side])[3] < height / 2 for side in (left, right)):
        return whole
    return [left, right]


def _widest_gap(regions: Sequence[RegionCandidate], start: float, end: float) -> tuple[float, float] | None:
    """The widest interval of x that no region reaches into and whose middle is between two values."""
    reached = float("-inf")
    best: tuple[float, float] | None = None
    for x0, _, x1, _ in sorted(region.bbox for region in regions):
        is_wider = best is None or x0 - reached > best[1] - best[0]
        if reached > float("-inf") and x0 > reached and start <= (reached + x0) / 2 <= end and is_wider:
            best = reached, x0
        reached = max(reached, x1)
    return best
