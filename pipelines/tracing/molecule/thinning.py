"""Lines of one pixel in the middle of strokes."""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.tracing.molecule.ink import Mask

_MAX_ROUNDS: Final = 200
"""Rounds of thinning: twice that is the widest stroke that is thinned to a line."""

_LOST: Final = 2.0
"""Extent of a line that thinning has lost in its distances from the paper, at least."""

NEIGHBORS: Final = ((0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1))
"""Offsets x, y of the eight pixels around one, clockwise from above: bit k of a code is that of k."""


def thin(ink: Mask) -> Mask:
    """The ink without pixels that are not needed to keep it together.

    That is :func:`zhang_suen`, with lines at 45° that it loses; what is left of stairs is then taken off, so
    that lines are joined at corners of pixels where they can be.
    """
    mask = np.pad(_with_diagonals(zhang_suen(ink, _MAX_ROUNDS), ink), 1)
    # One of two pixels of a stair at a time, or lines would fall apart.
    for table in _tables()[2]:
        mask &= 1 - cv2.LUT(codes(mask), table)
    return np.ascontiguousarray(mask[1:-1, 1:-1])


def _with_diagonals(line: Mask, ink: Mask) -> Mask:
    """Thinned ink with the lines at 45° of an even width, which the algorithm loses as a whole."""
    careful = zhang_suen(ink, _MAX_ROUNDS, keeps_diagonals=True)
    lost = careful & (1 - cv2.dilate(line, np.ones((5, 5), np.uint8)))
    n_parts, labels, stats, _ = cv2.connectedComponentsWithStats(lost, connectivity=8)
    if n_parts < 2:
        return line
    radii = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    found = np.zeros_like(line)
    for part in range(1, n_parts):
        x, y, wide, high, _ = stats[part].tolist()
        inside = labels[y : y + high, x : x + wide] == part
        # Shorter ones are of the corners of thick ink.
        if max(wide, high) > _LOST * float(radii[y : y + high, x : x + wide][inside].max()):
            found[y : y + high, x : x + wide] |= inside
    if not found.any():
        return line
    # With what joins them to the rest.
    joined = line | (careful & cv2.dilate(found, np.ones((9, 9), np.uint8)))
    return zhang_suen(np.asarray(joined, np.uint8), _MAX_ROUNDS, keeps_diagonals=True)


def zhang_suen(ink: Mask, max_rounds: int | None = None, *, keeps_diagonals: bool = False) -> Mask:
    """Center lines of strokes, 1 on 0, about one pixel wide.

    T. Y. Zhang, C. Y. Suen: A fast parallel algorithm for thinning digital patterns. CACM 27(3), 1984.

    Args:
        ink: 1 on 0.
        max_rounds: None: until nothing more goes.
        keeps_diagonals: a line at 45° of an even width stays, two pixels wide, which else goes as a whole,
            and so do spurs at corners (H. E. Lü, P. S. P. Wang: A comment on "A fast parallel algorithm".
            CACM 29(3), 1986).
    """
    mask = np.pad(ink, 1)
    first, second, _ = _tables(3 if keeps_diagonals else 2)
    for _ in count() if max_rounds is None else range(max_rounds):
        before = int(mask.sum())
        for table in (first, second):
            mask &= 1 - cv2.LUT(codes(mask), table)
        if int(mask.sum()) == before:
            break
    return np.ascontiguousarray(mask[1:-1, 1:-1])


def codes(mask: Mask) -> Mask:
    """For each pixel which of those around it have ink, one bit each, see :data:`NEIGHBORS`."""
    kernel = np.zeros((3, 3), np.float32)
    for bit, (dx, dy) in enumerate(NEIGHBORS):
        kernel[1 + dy, 1 + dx] = 1 << bit
    return np.asarray(cv2.filter2D(mask, cv2.CV_8U, kernel, borderType=cv2.BORDER_CONSTANT), np.uint8)


@lru_cache(maxsize=2)
def _tables(least: int = 2) -> tuple[NDArray[np.uint8], NDArray[np.uint8], tuple[NDArray[np.uint8], ...]]:
    """For each code whether a pixel goes: in both halves of a round, and of stairs to each side.

    One with fewer than ``least`` inked neighbors stays.
    """
    first, second = np.zeros(256, np.uint8), np.zeros(256, np.uint8)
    corners = tuple(np.zeros(256, np.uint8) for _ in range(4))
    for code in range(256):
        n, ne, e, se, s, sw, w, nw = ((code >> bit) & 1 for bit in range(8))
        ring = (n, ne, e, se, s, sw, w, nw)
        n_inked = sum(ring)
        rises = sum(a == 0 and b == 1 for a, b in zip(ring, (*ring[1:], ring[0]), strict=True))
        if least <= n_inked <= 6 and rises == 1:
            first[code] = n * e * s == 0 and e * s * w == 0
            second[code] = n * e * w == 0 and n * s * w == 0
        is_simple = _n_parts(ring) == 1
        for table, (a, b) in zip(corners, ((n, e), (e, s), (s, w), (w, n)), strict=True):
            table[code] = a and b and is_simple
    return first, second, corners


def _n_parts(ring: tuple[int, ...]) -> int:
    """How many parts joined at sides or corners a pixel holds together (Yokoi's number)."""
    out = [1 - value for value in ring]
    return sum(out[k] - out[k] * out[k + 1] * out[(k + 2) % 8] for k in (0, 2, 4, 6))
