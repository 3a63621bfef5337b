"""A picture of music with its staff lines level, at one scale, and the way back to the picture it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from docai.geometry import BBox
from docai.pipelines.drawings.score.types import Staff
from docai.pipelines.tracing.score.line_count import LINES, SURE_SUPPORT, drawn_out, n_lines, settled
from docai.pipelines.tracing.score.staff_lines import Gray, Map, darkness, find_staves
from docai.pipelines.tracing.score.staff_lines import Staff as TracedStaff

SPACE_PX: Final = 16
"""Pixels of a staff space in the straightened picture."""

MARGIN_SPACES: Final = 12
"""Staff spaces around the staves that are kept: ledger lines, slurs and their numbers lie within."""

SURVEY_SIDES_PX: Final = (1600, 560)
"""Long side of the picture in which staves are looked for first, and of the next where it shows none: the
staves of a system of a few notes are large in their picture."""

MAX_SPACE_PX: Final = 20.0
"""Larger staves are scaled down to this staff space before they are followed: strokes of more than 41 pixels
would be taken for paper."""

COARSE_SPACE_PX: Final = 10.0
"""The same of worn prints: at this scale breaks and ragged edges of their strokes are averaged away, and so
are the details of clean ones."""

MAX_PIXELS: Final = 40_000_000
"""Of a straightened picture: a staff space of 16 pixels has 6 million on a page full of small music."""

SURE_LENGTH: Final = 0.5
"""Length of such a staff against the others at least."""

BEND_SPACES: Final = 25.0
"""Staff spaces along which paper bends at least."""

MAX_BENDS: Final = 7
"""Degree of the curve of a staff line at most."""

OFF_LINE_SPACES: Final = 0.06
"""Distance of a traced line from its curve up to which it is believed, in staff spaces."""


@dataclass(frozen=True, slots=True, eq=False)
class StraightPicture:
    """Music as a scanner with patience would have taken it."""

    dark: Map
    """(h, w): 0 is paper, 1 ink; a staff space is :data:`SPACE_PX`."""
    staves: tuple[Staff, ...]
    """Pixels of ``dark``."""
    columns: Map
    """(h, w): column in the picture given that each pixel shows."""
    rows: Map
    """(h, w): and its row."""
    traced_space: float
    """Pixels of a staff space in the picture as it was scaled to follow its staves."""

    @property
    def gray(self) -> Gray:
        """(h, w): 255 is paper, 0 ink."""
        return np.asarray(255 - np.round(255 * np.clip(self.dark, 0, 1)), np.uint8)

    def to_source(self, box: BBox) -> BBox:
        """Pixels of this picture to pixels of the one given."""
        h, w = self.dark.shape
        xs = np.clip(np.array([box[0], box[2], box[0], box[2]]), 0, w - 1).astype(int)
        ys = np.clip(np.array([box[1], box[1], box[3], box[3]]), 0, h - 1).astype(int)
        x, y = self.columns[ys, xs], self.rows[ys, xs]
        return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def straighten(gray: Gray, max_space: float = MAX_SPACE_PX) -> StraightPicture | None:
    """The music of a picture; None where no staff of five lines is found.

    Args:
        gray: (h, w), dark on light or light on dark.
        max_space: larger staves are scaled down to this staff space, pixels.
    """
    for side in SURVEY_SIDES_PX:
        scale = min(1.0, side / max(gray.shape))
        dark, staves = _survey(gray, scale)
        if staves:
            break
    else:
        return None
    wanted = min(1.0, max_space * scale / _median_space(staves))
    if not 0.98 * scale <= wanted <= 1.02 * scale:
        again, found = _survey(gray, wanted)
        # The broken lines of a worn print may be lost at the scale at which there is most to see.
        if found:
            dark, staves, scale = again, found, wanted
    staves = _without_overlaps(staves)
    return _remapped(dark, staves, scale) if staves else None


def _survey(gray: Gray, scale: float) -> tuple[Map, list[TracedStaff]]:
    if scale < 1:
        size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
        gray = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    if min(gray.shape) < SPACE_PX:
        return np.zeros(gray.shape, np.float32), []
    dark = darkness(gray)
    if not dark.any():
        return dark, []
    staves = [drawn_out(dark, settled(dark, staff)) for staff in find_staves(dark)]
    if not staves:
        return dark, []
    # Staves of another size, such as of tablature below those of notes.
    others = [settled(dark, staff) for staff in find_staves(_without(dark, staves))]
    longest = max(staff.right - staff.left for staff in staves)
    staves += [
        staff
        for staff in others
        if staff.support >= SURE_SUPPORT and staff.right - staff.left >= SURE_LENGTH * longest
    ]
    tablature = [staff for staff in staves if n_lines(dark, staff) > LINES]
    notes = [staff for staff in staves if not any(staff is other for other in tablature)]
    return _without(dark, tablature), sorted(notes, key=lambda staff: float(np.median(staff.top)))


def _without(dark: Map, staves: Sequence[TracedStaff]) -> Map:
    """The picture with paper where some staves are."""
    if not staves:
        return dark
    dark = dark.copy()
    rows = np.arange(dark.shape[0], dtype=np.float32)[:, None]
    for staff in staves:
        above, below = staff.top - staff.space, staff.top + LINES * staff.space
        dark[(rows >= above[None]) & (rows <= below[None])] = 0
    return dark


def _median_space(staves: Sequence[TracedStaff]) -> float:
    return float(np.median([staff.space for staff in staves]))


def _without_overlaps(staves: Sequence[TracedStaff]) -> list[TracedStaff]:
    """Staves from the top of which none reaches into the one before."""
    kept: list[TracedStaff] = []
    for staff in staves:
        if kept and float((staff.top - kept[-1].top).min()) < LINES * kept[-1].space:
            if staff.support <= kept[-1].support:
                continue
            kept.pop()
        kept.append(staff)
    return kept


def _remapped(dark: Map, staves: Sequence[TracedStaff], scale: float) -> StraightPicture | None:
    """Rows are moved so that each line of each staff is level; columns so that stems stand upright."""
    w = dark.shape[1]
    space = _median_space(staves)
    slope = float(np.median([staff.slope for staff in staves]))
    step = space / SPACE_PX
    anchors, tops = _anchors(staves, step)
    height = round(anchors[-1])
    # On a turned page lower staves are shifted to the left.
    middle = float(np.median(staves[0].top))
    left = min(s.left + slope * (float(np.median(s.top)) - middle) for s in staves) - MARGIN_SPACES * space
    right = max(s.right + slope * (float(np.median(s.top)) - middle) for s in staves) + MARGIN_SPACES * space
    left, right = max(left, -space), min(right, w + space)
    width = max(1, round((right - left) / step))
    if height * width > MAX_PIXELS:
        return None
    x = (left + (np.arange(width, dtype=np.float32) + 0.5) * step - 0.5).astype(np.float32)
    rows = _row_map(staves, anchors, x, step)
    columns = x[None, :] - np.float32(slope) * (rows - np.float32(middle))
    straight = cv2.remap(
        _softened(dark, step),
        columns,
        rows,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    made = []
    for staff, top in zip(staves, tops, strict=True):
        lines = tuple(float(top + line * SPACE_PX) for line in range(LINES))
        shift = slope * (float(np.median(staff.top)) + 2 * staff.space - middle)
        x0, x1 = ((edge + shift - left) / step for edge in (staff.left, staff.right))
        made.append(Staff(lines, x0, x1))
    grown = np.float32(1 / scale)
    return StraightPicture(
        np.asarray(np.clip(straight, 0, 1), np.float32),
        tuple(made),
        np.asarray((columns + np.float32(0.5)) * grown - np.float32(0.5), np.float32),
        np.asarray((rows + np.float32(0.5)) * grown - np.float32(0.5), np.float32),
        space,
    )


def _softened(dark: Map, step: float) -> Map:
    return np.asarray(cv2.GaussianBlur(dark, (0, 0), 0.4 * step), np.float32) if step > 1.2 else dark


def _anchors(staves: Sequence[TracedStaff], step: float) -> tuple[list[float], list[float]]:
    """Rows of the straightened picture: its first, of the outer lines of staves, its last; and their tops."""
    at = float(MARGIN_SPACES * SPACE_PX)
    anchors, tops = [0.0], []
    for number, staff in enumerate(staves):
        if number:
            before = staves[number - 1]
            gap = float(np.median(staff.top - before.top)) - 4 * before.space
            at += max(float(SPACE_PX) // 2, float(round(gap / step)))
        tops.append(at)
        anchors += [at, at + 4 * SPACE_PX]
        at += 4 * SPACE_PX
    anchors.append(at + MARGIN_SPACES * SPACE_PX)
    return anchors, tops


def _smooth(staff: TracedStaff) -> Map:
    """The top line as paper bends: what follows stacks of notes for a few spaces is an error of tracing."""
    x = np.arange(staff.left, staff.right, max(1, round(staff.space / 4)))
    y = staff.top[x]
    degree = min(MAX_BENDS, 1 + int(len(x) / 4 / BEND_SPACES))
    good = np.ones(len(x), bool)
    for _ in range(4):
        curve = np.polynomial.Polynomial.fit(x[good], y[good], degree)
        off = np.abs(curve(x) - y)
        good = off <= max(OFF_LINE_SPACES * staff.space, float(np.median(off)))
    inside = np.clip(np.arange(len(staff.top)), staff.left, staff.right - 1)
    return np.asarray(curve(inside), np.float32)


def _row_map(staves: Sequence[TracedStaff], anchors: Sequence[float], x: Map, step: float) -> Map:
    """(h, w): row of the picture for each pixel of the straightened one."""
    known = []
    for staff in staves:
        top = np.interp(x, np.arange(len(staff.top)), _smooth(staff))
        known += [top, top + 4 * staff.space]
    reach = MARGIN_SPACES * SPACE_PX * step
    known = [known[0] - reach, *known, known[-1] + reach]
    y = np.arange(round(anchors[-1]), dtype=np.float64)
    rows = np.empty((len(y), len(x)), np.float32)
    for number in range(len(anchors) - 1):
        low, high = anchors[number], anchors[number + 1]
        inside = (y >= low) & (y < high) if number + 2 < len(anchors) else y >= low
        share = ((y[inside] - low) / (high - low))[:, None]
        rows[inside] = (1 - share) * known[number][None, :] + share * known[number + 1][None, :]
    return rows
