"""Staves of a crop, and where on them noteheads and barlines seem to be."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.readback.base import Gray
from docai.pipelines.readback.ink import to_ink

BEYOND = 10
"""Half spaces above and below a staff that are looked at: five ledger lines."""
STEPS = 9 + 2 * BEYOND
"""Heights at which a head can stand; number :data:`BEYOND` is the top line."""
_NEAR = 6
"""Half spaces above and below within which what looks like a head is counted."""
_MOST_PEAKS = 150
"""Rows that may be staff lines; a page of music has half as many."""
PER_SPACE = 4
"""Columns to a staff space."""

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Staff:
    """Rows of the five lines, and the columns they run over, pixels of the straightened crop."""

    lines: tuple[float, ...]
    left: int
    right: int

    @property
    def space(self) -> float:
        return (self.lines[4] - self.lines[0]) / 4


@dataclass(frozen=True)
class Sheet:
    """A crop brought to one scale: :data:`PER_SPACE` columns to a staff space, staves with their heights."""

    staves: tuple[Staff, ...]
    heads: tuple[Map, ...]
    """For each staff (STEPS, n): share of a notehead's place that is ink, 0..1, staff lines taken out."""
    bars: tuple[Map, ...]
    """For each staff (n,): share of the staff's height that is ink."""
    blobs: tuple[Map, ...]
    """For each staff (STEPS, n): 1 in the middle of what looks like a notehead, else 0."""


def observe_score(gray: Gray) -> Sheet:
    """Find the staves and what stands on them.

    Raises:
        NotComparable: the crop is blank.
    """
    ink = to_ink(gray)
    straight, ink = _straightened(gray, ink)
    staves = _staves(straight, ink)
    heads, bars, blobs = look_around(ink, staves)
    return Sheet(tuple(staves), heads, bars, blobs)


def joined(sheets: Sequence[Sheet]) -> Sheet:
    """Crops of one score, from the first to the last, as one."""
    return Sheet(
        tuple(staff for sheet in sheets for staff in sheet.staves),
        tuple(one for sheet in sheets for one in sheet.heads),
        tuple(one for sheet in sheets for one in sheet.bars),
        tuple(one for sheet in sheets for one in sheet.blobs),
    )


def look_around(
    ink: Gray, staves: Sequence[Staff]
) -> tuple[tuple[Map, ...], tuple[Map, ...], tuple[Map, ...]]:
    """Heads, bars and blobs of each staff, see :class:`Sheet`.

    Blobs count up to :data:`_NEAR` steps from the staff and up to halfway to the next: what lies beyond is
    as likely the next one's, which stands elsewhere in another engraving.
    """
    heads, bars, blobs = [], [], []
    for index, staff in enumerate(staves):
        around = _around_staff(ink, staff)
        heads.append(around[0])
        bars.append(around[1])
        above, below = _NEAR, _NEAR
        if index > 0:
            above = min(above, int((staff.lines[0] - staves[index - 1].lines[4]) / staff.space))
        if index + 1 < len(staves):
            below = min(below, int((staves[index + 1].lines[0] - staff.lines[4]) / staff.space))
        blobs.append(around[2])
        blobs[-1][: max(0, BEYOND - above + 1)] = 0
        blobs[-1][BEYOND + 8 + below :] = 0
    return tuple(heads), tuple(bars), tuple(blobs)


def _straightened(gray: Gray, ink: Gray) -> tuple[Gray, Gray]:
    """The crop sheared upright so that its longest lines are level, by up to 1.5 degrees."""
    runs = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, 25), np.uint8))
    ys, xs = np.nonzero(runs)
    if len(ys) < 50:
        return gray, ink
    slopes = np.linspace(-0.026, 0.026, 27)
    sharp = [float(np.square(np.bincount(_rows(ys - slope * xs))).sum()) for slope in slopes]
    slope = float(slopes[int(np.argmax(sharp))])
    if abs(slope) < 1e-4:
        return gray, ink
    matrix = np.array([[1, 0, 0], [-slope, 1, slope * ink.shape[1] / 2]], np.float64)
    size = (ink.shape[1], ink.shape[0])
    level = cv2.warpAffine(gray, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = cv2.warpAffine(ink, matrix, size, flags=cv2.INTER_NEAREST)
    return np.asarray(level, np.uint8), np.asarray(moved, np.uint8)


def _rows(values: NDArray[np.float64]) -> NDArray[np.int64]:
    rows = np.rint(values).astype(np.int64)
    return np.asarray(rows - rows.min(), np.int64)


def _staves(gray: Gray, ink: Gray) -> list[Staff]:
    """Five level lines each, evenly apart.

    Faint lines count: what a row holds is how much darker than the rows around it its median run is.
    """
    smooth = cv2.blur(gray, (31, 1))
    around = cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((7, 1), np.uint8))
    thin = np.minimum(cv2.subtract(around, smooth), 60).astype(np.float64)
    runs = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((1, 21), np.uint8))
    strength = thin.mean(axis=1) / 60 + runs.mean(axis=1)
    peaks = [
        y
        for y in range(1, len(strength) - 1)
        if strength[y] >= strength[y - 1] and strength[y] > strength[y + 1] and strength[y] > 0.04
    ]
    peaks = sorted(sorted(peaks, key=lambda y: -strength[y])[:_MOST_PEAKS])
    found: list[tuple[float, list[int]]] = []
    for i, first in enumerate(peaks):
        for second in peaks[i + 1 :]:
            if second - first > len(strength) / 5:
                break
            lines = _continued(first, second, peaks) if second - first >= 3 else None
            if lines is None:
                continue
            weakest = float(strength[lines].min())
            between = max(float(strength[(a + b) // 2]) for a, b in pairwise(lines))
            if between < 0.75 * weakest:
                found.append((float(strength[lines].mean()) + weakest, lines))
    chosen: list[list[int]] = []
    for _, lines in sorted(found, key=lambda pair: (-pair[0], pair[1])):
        space = (lines[4] - lines[0]) / 4
        usual = (chosen[0][4] - chosen[0][0]) / 4 if chosen else space
        apart = all(lines[0] > other[4] + space or lines[4] < other[0] - space for other in chosen)
        if apart and abs(space - usual) < 0.25 * usual:
            chosen.append(lines)
    heaviest = max((float(strength[lines].mean()) for lines in chosen), default=0.0)
    chosen = [lines for lines in chosen if float(strength[lines].mean()) > 0.4 * heaviest]
    return [_with_extent(lines, thin, runs) for lines in sorted(chosen)]


def _continued(first: int, second: int, peaks: list[int]) -> list[int] | None:
    """Five of the rows, evenly apart as the first two are; None where there are none."""
    lines = [first, second]
    while len(lines) < 5:
        goal = first + (lines[-1] - first) / (len(lines) - 1) * len(lines)
        place = bisect_left(peaks, goal)
        near = min(peaks[max(0, place - 1) : place + 1], key=lambda y: abs(y - goal))
        if abs(near - goal) > max(1.0, 0.14 * (second - first)) or near <= lines[-1]:
            return None
        lines.append(near)
    return lines


def _with_extent(lines: list[int], thin: NDArray[np.float64], runs: Gray) -> Staff:
    """From where to where at least three of the lines are seen."""
    seen = np.zeros(runs.shape[1])
    for y in lines:
        rows = slice(max(0, y - 1), y + 2)
        seen += (runs[rows].any(axis=0)) | (thin[rows].max(axis=0) > 12)
    columns = np.flatnonzero(cv2.blur((seen >= 3).astype(np.float32)[None], (15, 1))[0] > 0.5)
    left, right = (int(columns[0]), int(columns[-1]) + 1) if columns.size else (0, runs.shape[1])
    return Staff(tuple(float(y) for y in lines), left, max(right, left + 1))


def _around_staff(ink: Gray, staff: Staff) -> tuple[Map, Map, Map]:
    """Heads, bars and blobs of one staff, see :class:`Sheet`."""
    unit = 2 * PER_SPACE
    scale_x = scale_y = unit / staff.space
    width = max(4, round((staff.right - staff.left) * scale_x))
    top = staff.lines[0] - (BEYOND / 2 + 1) * staff.space
    height = round((4 + BEYOND + 2) * unit)
    matrix = np.array([[scale_x, 0, -staff.left * scale_x], [0, scale_y, -top * scale_y]], np.float64)
    way = cv2.INTER_AREA if scale_x < 1 else cv2.INTER_LINEAR
    window = cv2.warpAffine(
        (ink * 255).astype(np.uint8), matrix, (width, height), flags=way, borderMode=cv2.BORDER_CONSTANT
    )
    window = (window > 110).astype(np.uint8)
    rows = [round((BEYOND / 2 + 1 + i) * unit) for i in range(5)]
    bars = window[rows[0] : rows[4] + 1].mean(axis=0).astype(np.float32)
    # Before the lines go: they close a hollow head that lies between two of them.
    bare = _without_lines(_filled(window, unit, 0.5), rows)
    solid = _filled(bare, unit, 0.9)
    heads = cv2.morphologyEx(
        solid, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (unit - 1, unit * 5 // 8))
    )
    share = cv2.blur(heads.astype(np.float32), (unit, unit * 3 // 4))
    picked = [round((1 + step / 2) * unit) for step in range(STEPS)]
    response = share[picked][:, :: unit // PER_SPACE]
    return (
        np.ascontiguousarray(response),
        np.ascontiguousarray(cv2.dilate(bars[None], np.ones((1, 3)))[0][:: unit // PER_SPACE]),
        _peaks(response),
    )


def _without_lines(window: Gray, rows: list[int]) -> Gray:
    """Staff lines taken out where nothing stands above or below them."""
    bare = window.copy()
    for row in rows:
        above, below = window[row - 3], window[row + 3]
        bare[row - 2 : row + 3, (above == 0) & (below == 0)] = 0
    return bare


def _filled(bare: Gray, unit: int, most: float) -> Gray:
    """Hollow heads filled: holes up to ``most`` squared staff spaces."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - bare, connectivity=4)
    small = (
        (stats[:, cv2.CC_STAT_AREA] < most * unit * unit)
        & (stats[:, cv2.CC_STAT_WIDTH] < 1.1 * unit)
        & (stats[:, cv2.CC_STAT_HEIGHT] < 1.1 * unit)
    )
    small[0] = False
    return np.asarray(bare | small[labels].astype(np.uint8), np.uint8)


def _peaks(response: Map) -> Map:
    """1 at one place of each summit of the response that is high enough."""
    window = np.ones((3, 2 * (PER_SPACE // 2) + 3), np.uint8)
    summits = ((response >= cv2.dilate(response, window)) & (response > 0.55)).astype(np.uint8)
    _, _, _, middles = cv2.connectedComponentsWithStats(summits, connectivity=8)
    peaks = np.zeros_like(response)
    for x, y in middles[1:].tolist():
        peaks[round(y), round(x)] = 1
    return peaks
