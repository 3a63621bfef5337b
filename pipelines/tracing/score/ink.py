"""The ink of straightened music, with and without its staff lines, and its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.score.types import Staff
from docai.pipelines.tracing.score.staff_lines import Map
from docai.pipelines.tracing.score.straighten import SPACE_PX

INK_DARKNESS: Final = 0.4
"""From which a pixel is ink. Lines of one pixel that fall between two have half the darkness of bold ones."""

MAX_LINE_SPACES: Final = 0.3
"""Thickness of a staff line at most, in staff spaces."""

LINE_SLACK_PX: Final = 2
"""By which a run may be thicker than the typical staff line, and its middle off the line."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Ink:
    """Where a straightened picture has ink."""

    dark: Map
    """(h, w): 0 is paper, 1 ink."""
    mask: Mask
    """(h, w): all ink."""
    bare: Mask
    """(h, w): without staff lines."""
    line_px: float
    """Typical thickness of a staff line."""


def read_ink(dark: Map, staves: Sequence[Staff]) -> Ink:
    """The ink of a straightened picture.

    Args:
        dark: (h, w), 0 is paper and 1 ink; a staff space is :data:`SPACE_PX` pixels.
        staves: pixels of it.
    """
    mask = dark > INK_DARKNESS
    up, down = _run_ends(mask)
    rows = np.arange(mask.shape[0])
    thickness = []
    for staff in staves:
        x0, x1 = _columns(staff, mask.shape[1])
        for y in staff.lines:
            row = min(max(round(y), 0), len(rows) - 1)
            on = mask[row, x0:x1]
            thickness.append((down[row, x0:x1] - up[row, x0:x1] + 1)[on])
    runs = np.concatenate(thickness) if thickness else np.empty(0)
    thin = runs[runs <= MAX_LINE_SPACES * SPACE_PX + LINE_SLACK_PX]
    line_px = float(np.median(thin)) if thin.size else 2.0
    bare = mask.copy()
    for staff in staves:
        x0, x1 = _columns(staff, mask.shape[1])
        for y in staff.lines:
            _erase_line(bare, up, down, y, (x0, x1), line_px + LINE_SLACK_PX)
    return Ink(dark, mask, bare, line_px)


def _columns(staff: Staff, width: int) -> tuple[int, int]:
    return max(0, round(staff.x0 - 0.5 * SPACE_PX)), min(width, round(staff.x1 + 0.5 * SPACE_PX))


def _run_ends(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(h, w) each: first and last row of the upright run of ink through each pixel of ink."""
    h, w = mask.shape
    rows = np.arange(h, dtype=np.int32)[:, None]
    before = np.vstack([np.zeros((1, w), bool), mask[:-1]])
    after = np.vstack([mask[1:], np.zeros((1, w), bool)])
    first = np.where(mask & ~before, rows, -1)
    last = np.where(mask & ~after, rows, h)
    up = np.maximum.accumulate(first, axis=0)
    down = np.minimum.accumulate(last[::-1], axis=0)[::-1]
    return up, down


def _erase_line(
    bare: Mask,
    up: NDArray[np.int32],
    down: NDArray[np.int32],
    y: float,
    span: tuple[int, int],
    thickest: float,
) -> None:
    """Erase the runs through one staff line that are no thicker than a line."""
    x0, x1 = span
    middle = round(y)
    columns = np.arange(x0, x1)
    for row in range(max(0, middle - LINE_SLACK_PX), min(len(bare), middle + LINE_SLACK_PX + 1)):
        top, bottom = up[row, x0:x1], down[row, x0:x1]
        is_thin = bare[row, x0:x1] & (bottom - top + 1 <= thickest)
        is_thin &= np.abs((top + bottom) / 2 - y) <= LINE_SLACK_PX
        chosen = columns[is_thin]
        for offset in range(int(thickest) + 1):
            at = top[is_thin] + offset
            inside = at <= bottom[is_thin]
            bare[at[inside], chosen[inside]] = False


def upright_runs(mask: Mask, shortest: float, longest: float = float("inf")) -> NDArray[np.int32]:
    """(n, 3): column, first row and row after the last of upright runs, by column, then row."""
    padded = np.zeros((mask.shape[0] + 2, mask.shape[1]), np.int8)
    padded[1:-1] = mask
    change = np.diff(padded, axis=0).T
    columns, starts = np.nonzero(change == 1)
    _, ends = np.nonzero(change == -1)
    length = ends - starts
    keep = (length >= shortest) & (length <= longest)
    return np.column_stack([columns[keep], starts[keep], ends[keep]]).astype(np.int32)


def closed_upright(mask: Mask, gap: int) -> Mask:
    """Ink with gaps of up to some pixels within columns filled."""
    kernel = np.ones((gap + 1, 1), np.uint8)
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel), bool)
