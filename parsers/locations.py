"""Boxes from location tokens: ``<loc0000>`` … ``<loc1023>`` in the order y0, x0, y1, x1.

A bin ``i`` is the fraction ``i / 1023`` of the square crop that the model saw (big_vision's convention,
the inverse of ``round(v * 1023)``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from docai.geometry import BBox

BINS = 1024

LOC = re.compile(r"<loc(\d{1,6})>")
"""One location token, also one with the wrong number of digits: it is met and then refused."""

BoxFault = Literal["count", "range", "reversed", "zero-area"]

BOX_FAULTS: dict[BoxFault, str] = {
    "count": "other than four location tokens",
    "range": "a location past 1023",
    "reversed": "its minimum after its maximum",
    "zero-area": "no area",
}
"""Each fault as the end of a sentence that says what a box has."""


def box_from_bins(bins: Sequence[int]) -> tuple[BBox | None, BoxFault | None]:
    """The box ``(x0, y0, x1, y1)`` in fractions 0…1, and what was wrong.

    A reversed box comes back with its ends exchanged, one without area widened by half a bin on each
    side; with another number of bins, or one out of range, there is no box.
    """
    if len(bins) != 4:
        return None, "count"
    if not all(0 <= value < BINS for value in bins):
        return None, "range"
    y0, x0, y1, x1 = bins
    fault: BoxFault | None = None
    if y0 > y1 or x0 > x1:
        fault = "reversed"
        y0, y1 = sorted((y0, y1))
        x0, x1 = sorted((x0, x1))
    (left, right), (top, bottom) = _side(x0, x1), _side(y0, y1)
    if x0 == x1 or y0 == y1:
        fault = fault or "zero-area"
    return (left, top, right, bottom), fault


def _side(low: int, high: int) -> tuple[float, float]:
    last = BINS - 1
    if low < high:
        return low / last, high / last
    return max(0.0, (low - 0.5) / last), min(1.0, (high + 0.5) / last)


def without_locs(text: str) -> str:
    """The text of a cell without location tokens, also those that arise when others are taken out."""
    text = LOC.sub("", text)
    return text.replace("<", "") if LOC.search(text) else text
