"""The staves of a picture, each as a strip of one scale with its noteheads and barlines.

:func:`staff_strips` straightens each staff to :data:`UNIT_PX` pixels a staff space, takes the staff lines out
and measures where noteheads and barlines are. :func:`observe_score` finds the staves first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from docai.pipelines.readback.ink import Gray, crop_white_frame
from docai.pipelines.readback.similarity import NotComparable
from docai.pipelines.tracing.score.staff_lines import Map, Staff, darkness, find_staves

UNIT_PX = 8
"""Rows and columns of a strip to a staff space."""

STEP_PX = UNIT_PX // 2
"""Rows from a line to the space below it."""

MARGIN_STEPS = 10
"""Half staff spaces that a strip shows above and below a staff: five ledger lines."""

TOP_PX = (MARGIN_STEPS // 2 + 1) * UNIT_PX
"""Row of the top line in a strip."""

STRIP_ROWS = TOP_PX + (4 + MARGIN_STEPS // 2 + 1) * UNIT_PX

_HEAD_MARGIN_STEPS = 6
"""Half staff spaces above and below a staff within which what looks like a head is counted."""


@dataclass(frozen=True)
class Strip:
    """One staff, straightened: :data:`UNIT_PX` pixels a staff space, the top line in row :data:`TOP_PX`."""

    ink: Map
    """(STRIP_ROWS, n): darkness 0..1, without staff lines."""
    heads: Map
    """(STRIP_ROWS, n): response to a filled notehead centered there: 1 for one that stands alone."""
    bars: Map
    """(n,): the 20 % quantile of the darkness over the staff's height, high at barlines."""
    height: float
    """Of the top line, in staff spaces from the top of the crop."""
    reach: tuple[int, int]
    """First and last row that is nearer to this staff than to the one above or below."""


def observe_score(gray: Gray) -> tuple[Strip, ...]:
    """The strips of a picture's staves, from the top down.

    Raises:
        NotComparable: the picture is blank.
    """
    dark = darkness(crop_white_frame(gray))
    if not dark.any():
        raise NotComparable("the picture is blank")
    return staff_strips(dark, find_staves(dark))


def staff_strips(dark: Map, staves: Sequence[Staff]) -> tuple[Strip, ...]:
    """The strip of each staff.

    Args:
        dark: 0 paper to 1 ink.
        staves: from the top down.
    """
    if not staves:
        return ()
    # The columns of a system must match in its strips, wherever a faint staff seems to begin, so all strips
    # have one span and one scale. On a rotated page, lower staves are shifted to the left as lines fall.
    slope = float(np.median([staff.slope for staff in staves]))
    shifts = [slope * (float(np.median(staff.top)) + 2 * staff.space) for staff in staves]
    left = min(staff.left + shift for staff, shift in zip(staves, shifts, strict=True))
    right = max(staff.right + shift for staff, shift in zip(staves, shifts, strict=True))
    column_px = float(np.median([staff.space for staff in staves])) / UNIT_PX
    strips = []
    for index, staff in enumerate(staves):
        above = below = float(_HEAD_MARGIN_STEPS) / 2
        if index:
            above = min(above, _spaces_between(staves[index - 1], staff) / 2)
        if index + 1 < len(staves):
            below = min(below, _spaces_between(staff, staves[index + 1]) / 2)
        first = max(0, round(TOP_PX - above * UNIT_PX))
        last = min(STRIP_ROWS - 1, round(TOP_PX + (4 + below) * UNIT_PX))
        span = (left - shifts[index], right - shifts[index])
        strips.append(_straighten(dark, staff, span, column_px, (first, last)))
    return tuple(strips)


def _spaces_between(upper: Staff, lower: Staff) -> float:
    """Staff spaces from the lowest line of one to the highest of the next."""
    return max(1.0, float(np.median(lower.top - upper.top)) / upper.space - 4)


def _straighten(
    dark: Map, staff: Staff, span: tuple[float, float], column_px: float, reach: tuple[int, int]
) -> Strip:
    """The strip of a staff between the columns of ``span``, scaled by ``column_px`` columns to one."""
    scale = staff.space / UNIT_PX
    width = max(2 * UNIT_PX, round((span[1] - span[0]) / column_px))
    x = (span[0] + (np.arange(width) + 0.5) * column_px - 0.5).astype(np.float32)
    top = np.interp(x, np.arange(len(staff.top)), staff.top)
    rows = top[None, :] + (np.arange(STRIP_ROWS)[:, None] - TOP_PX) * scale
    if scale > 1.2:
        first = max(0, int(rows.min()) - 8)
        source = cv2.GaussianBlur(dark[first : max(first + 1, int(rows.max()) + 8)], (0, 0), 0.4 * scale)
        rows = rows - first
    else:
        source = dark
    ink = cv2.remap(
        source,
        np.ascontiguousarray(np.broadcast_to(x, rows.shape)),
        rows.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    ink = np.clip(ink, 0, 1)
    on_staff = cv2.dilate(ink[TOP_PX : TOP_PX + 4 * UNIT_PX + 1], np.ones((1, 3), np.uint8))
    bars = np.quantile(on_staff, 0.2, axis=0).astype(np.float32)
    without_lines = remove_staff_lines(ink)
    return Strip(
        without_lines, head_response(without_lines), bars, float(np.median(staff.top)) / staff.space, reach
    )


def remove_staff_lines(strip: Map) -> Map:
    """A strip less what its rows have all along, except where something crosses a staff line."""
    typical = np.zeros_like(strip)
    window = 60 * UNIT_PX
    for left in range(0, strip.shape[1], window):
        # The last part overlaps the one before: a short one could be all barline.
        part = strip[:, max(0, min(left, strip.shape[1] - window)) : left + window]
        typical[:, left : left + window] = np.median(part, axis=1)[:, None]
    remaining = np.clip((strip - typical) / np.maximum(1 - typical, 0.35), 0, 1)
    result = remaining.copy()
    for row in range(TOP_PX, TOP_PX + 4 * UNIT_PX + 1, UNIT_PX):
        crossing = np.minimum(remaining[row - 3], remaining[row + 3])
        result[row - 2 : row + 3] = np.maximum(remaining[row - 2 : row + 3], crossing)
    return np.asarray(result, np.float32)


def _notehead_kernel() -> Map:
    """A tilted ellipse that adds up to 1, in a ring that adds up to -0.6."""
    half = 9
    y, x = np.mgrid[-half : half + 1, -half : half + 1] / UNIT_PX
    turn = np.deg2rad(-22)
    along, across = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    inside = (along / 0.62) ** 2 + (across / 0.42) ** 2 <= 1
    around = ((x / 0.95) ** 2 + (y / 0.85) ** 2 <= 1) & ~(((x / 0.75) ** 2 + (y / 0.6) ** 2) <= 1)
    return np.asarray(inside / inside.sum() - 0.6 * around / around.sum(), np.float32)


_HEAD_KERNEL = _notehead_kernel()

_HEAD_HOLE_KERNEL = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)), np.uint8)

_BEAM_KERNEL = np.ones((1, 5 * UNIT_PX // 2), np.uint8)
"""Longer than two heads side by side."""


def head_response(strip: Map) -> Map:
    """Of each place, see :attr:`Strip.heads`. Holes of hollow heads are closed first, and beams removed."""
    closed = cv2.morphologyEx(strip, cv2.MORPH_CLOSE, _HEAD_HOLE_KERNEL)
    thick = cv2.dilate(strip, np.ones((3, 1), np.uint8))
    beams = np.minimum(cv2.morphologyEx(thick, cv2.MORPH_OPEN, _BEAM_KERNEL), closed)
    return np.asarray(
        cv2.filter2D(closed - beams, -1, _HEAD_KERNEL, borderType=cv2.BORDER_CONSTANT), np.float32
    )
