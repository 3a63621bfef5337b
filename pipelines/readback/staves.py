"""Staves of a crop brought to one scale, and where on them noteheads and barlines seem to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from docai.pipelines.readback.base import Gray
from docai.pipelines.readback.ink import without_frame
from docai.pipelines.readback.staff_lines import Map, Staff, darkness, find_staves

UNIT = 8
"""Rows and columns of a strip to a staff space."""
STEP = UNIT // 2
"""Rows from a line to the space below it."""
BEYOND = 10
"""Half spaces above and below a staff that are looked at: five ledger lines."""
TOP = (BEYOND // 2 + 1) * UNIT
"""Row of the top line in a strip."""
ROWS = TOP + (4 + BEYOND // 2 + 1) * UNIT
"""Of a strip."""
_NEAR = 6
"""Half spaces above and below within which what looks like a head is counted."""


@dataclass(frozen=True)
class Strip:
    """One staff: :data:`UNIT` rows and columns to a staff space, the top line in row :data:`TOP`."""

    ink: Map
    """(ROWS, n): darkness 0..1, staff lines taken out."""
    heads: Map
    """(ROWS, n): how much a notehead, filled, centred there would explain: 1 for one that stands alone."""
    bars: Map
    """(n,): how dark the lightest fifth of the staff's height is."""
    height: float
    """Of the top line, in staff spaces from the top of the crop."""
    reach: tuple[int, int]
    """First and last row that is not as likely of the staff above or below."""


@dataclass(frozen=True)
class Sheet:
    """The strips of a crop from the top down."""

    strips: tuple[Strip, ...]


def observe_score(gray: Gray) -> Sheet:
    """Find the staves and what stands on them.

    Raises:
        NotComparable: the crop is blank.
    """
    dark = darkness(without_frame(gray))
    return Sheet(look_around(dark, find_staves(dark)))


def joined(sheets: Sequence[Sheet]) -> Sheet:
    """Crops of one score, from the first to the last, as one."""
    return Sheet(tuple(strip for sheet in sheets for strip in sheet.strips))


def look_around(dark: Map, staves: Sequence[Staff]) -> tuple[Strip, ...]:
    """The strip of each staff.

    Args:
        dark: 0 paper to 1 ink.
        staves: from the top down.
    """
    if not staves:
        return ()
    # What stands above each other in a system must do so in its strips, wherever a faint staff seems to
    # begin, and at one scale. On a turned sheet what is below lies to the left as lines fall to the right.
    slope = float(np.median([staff.slope for staff in staves]))
    turned = [slope * (float(np.median(staff.top)) + 2 * staff.space) for staff in staves]
    left = min(staff.left + more for staff, more in zip(staves, turned, strict=True))
    right = max(staff.right + more for staff, more in zip(staves, turned, strict=True))
    wide = float(np.median([staff.space for staff in staves])) / UNIT
    strips = []
    for index, staff in enumerate(staves):
        above = below = float(_NEAR) / 2
        if index:
            above = min(above, _between(staves[index - 1], staff) / 2)
        if index + 1 < len(staves):
            below = min(below, _between(staff, staves[index + 1]) / 2)
        reach = (max(0, round(TOP - above * UNIT)), min(ROWS - 1, round(TOP + (4 + below) * UNIT)))
        strips.append(_strip(dark, staff, (left - turned[index], right - turned[index]), wide, reach))
    return tuple(strips)


def _between(upper: Staff, lower: Staff) -> float:
    """Staff spaces from the lowest line of one to the highest of the next."""
    return max(1.0, float(np.median(lower.top - upper.top)) / upper.space - 4)


def _strip(dark: Map, staff: Staff, span: tuple[float, float], wide: float, reach: tuple[int, int]) -> Strip:
    scale = staff.space / UNIT
    width = max(2 * UNIT, round((span[1] - span[0]) / wide))
    x = (span[0] + (np.arange(width) + 0.5) * wide - 0.5).astype(np.float32)
    top = np.interp(x, np.arange(len(staff.top)), staff.top)
    rows = top[None, :] + (np.arange(ROWS)[:, None] - TOP) * scale
    if scale > 1.2:
        first = max(0, int(rows.min()) - 8)
        part = cv2.GaussianBlur(dark[first : max(first + 1, int(rows.max()) + 8)], (0, 0), 0.4 * scale)
        rows = rows - first
    else:
        part = dark
    held = cv2.remap(
        part,
        np.ascontiguousarray(np.broadcast_to(x, rows.shape)),
        rows.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    held = np.clip(held, 0, 1)
    inside = cv2.dilate(held[TOP : TOP + 4 * UNIT + 1], np.ones((1, 3), np.uint8))
    bars = np.quantile(inside, 0.2, axis=0).astype(np.float32)
    bare = without_lines(held)
    return Strip(bare, head_response(bare), bars, float(np.median(staff.top)) / staff.space, reach)


def without_lines(held: Map) -> Map:
    """The strip less what its rows hold all along, but for where something stands above and below a line."""
    usual = np.zeros_like(held)
    wide = 60 * UNIT
    for left in range(0, held.shape[1], wide):
        # The last part reaches back: a short one would be all barline.
        part = held[:, max(0, min(left, held.shape[1] - wide)) : left + wide]
        usual[:, left : left + wide] = np.median(part, axis=1)[:, None]
    bare = np.clip((held - usual) / np.maximum(1 - usual, 0.35), 0, 1)
    result = bare.copy()
    for row in range(TOP, TOP + 4 * UNIT + 1, UNIT):
        across = np.minimum(bare[row - 3], bare[row + 3])
        result[row - 2 : row + 3] = np.maximum(bare[row - 2 : row + 3], across)
    return np.asarray(result, np.float32)


def _head_template() -> Map:
    """A tilted ellipse that adds up to 1, in a ring that adds up to -0.6."""
    half = 9
    y, x = np.mgrid[-half : half + 1, -half : half + 1] / UNIT
    turn = np.deg2rad(-22)
    along, across = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    inside = (along / 0.62) ** 2 + (across / 0.42) ** 2 <= 1
    around = ((x / 0.95) ** 2 + (y / 0.85) ** 2 <= 1) & ~(((x / 0.75) ** 2 + (y / 0.6) ** 2) <= 1)
    return np.asarray(inside / inside.sum() - 0.6 * around / around.sum(), np.float32)


_HEAD = _head_template()
_HOLE = np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)), np.uint8)
_BEAM = np.ones((1, 5 * UNIT // 2), np.uint8)
"""Longer than two heads side by side."""


def head_response(bare: Map) -> Map:
    """Of each place, see :attr:`Strip.heads`; the holes of hollow heads are closed first, and beams go."""
    closed = cv2.morphologyEx(bare, cv2.MORPH_CLOSE, _HOLE)
    thick = cv2.dilate(bare, np.ones((3, 1), np.uint8))
    beams = np.minimum(cv2.morphologyEx(thick, cv2.MORPH_OPEN, _BEAM), closed)
    return np.asarray(cv2.filter2D(closed - beams, -1, _HEAD, borderType=cv2.BORDER_CONSTANT), np.float32)
