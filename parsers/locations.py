"""Boxes from location tokens: ``<loc0000>`` … ``<loc1023>`` in the order y0, x0, y1, x1.

Bin ``i`` stands for the fraction ``i / 1023`` of the side of the square crop that the model saw (big_vision's
convention, the inverse of ``round(v * 1023)``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from docai.geometry import BBox

BINS = 1024

LOC = re.compile(r"<loc(\d{1,6})>")
"""A location token. Also matches one with the wrong number of digits, so that it can be rejected."""

BoxFault = Literal["count", "range", "reversed", "zero-area"]

BOX_FAULTS: dict[BoxFault, str] = {
    "count": "other than four location tokens",
    "range": "a location above 1023",
    "reversed": "a minimum above its maximum",
    "zero-area": "no area",
}
"""Each fault in words, to follow "The box has"."""


def box_from_bins(bins: Sequence[int]) -> tuple[BBox | None, BoxFault | None]:
    """The box ``(x0, y0, x1, y1)`` as fractions 0…1 of the crop, and its fault, if any.

    A reversed box is returned with its ends exchanged, one without area widened by half a bin on each side.
    With other than four bins, or a bin out of range, there is no box.
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
    (left, right), (top, bottom) = _fractions(x0, x1), _fractions(y0, y1)
    if x0 == x1 or y0 == y1:
        fault = fault or "zero-area"
    return (left, top, right, bottom), fault


def _fractions(low: int, high: int) -> tuple[float, float]:
    last = BINS - 1
    if low < high:
        return low / last, high / last
    return max(0.0, (low - 0.5) / last), min(1.0, (high + 0.5) / last)


def write_bins(bins: Sequence[int]) -> str:
    """``<locY0><locX0><locY1><locX1>``; a side of length zero is made one bin long."""
    y0, x0, y1, x1 = bins
    (y0, y1), (x0, x1) = _distinct(y0, y1), _distinct(x0, x1)
    return "".join(f"<loc{value:04d}>" for value in (y0, x0, y1, x1))


def _distinct(low: int, high: int) -> tuple[int, int]:
    if low < high:
        return low, high
    return (low, low + 1) if low + 1 < BINS else (low - 1, low)


def remove_locations(text: str) -> str:
    """The text without location tokens, including those that appear when others are removed."""
    text = LOC.sub("", text)
    return text.replace("<", "") if LOC.search(text) else text
