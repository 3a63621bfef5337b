"""How much of each line of a staff is there, whether there are five, and how far they go."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from docai.pipelines.tracing.score.staff_lines import Map, Staff

LINES: Final = 5

MIN_LINE_DARKNESS: Final = 0.15
"""Of a line that is one, where it is dark."""

SURE_SUPPORT: Final = 0.85
"""How much of a line is there at least, of a staff of another size, and of a sixth line, 0…1."""

MIN_SUPPORT: Final = 0.5
"""The same of a sixth line that numbers interrupt."""

END_SPACES: Final = 1.5
"""Length of the ends of staff lines, in staff spaces: ledger lines are not there."""

GAPS_MARGIN: Final = 0.1
"""By which less of the lines may be gaps one line above or below before the staff is there."""

MIN_LINES_DARK: Final = 4
"""Lines of a staff that are dark in a column of it: one may be worn. Other symbols do not hide lines, as both
are ink."""

MAX_BREAK_SPACES: Final = 1.0
"""Length of a break of a staff at most, in staff spaces."""


def n_lines(dark: Map, staff: Staff) -> int:
    """Lines of a staff: a sixth one, such as of tablature, is one more.

    It has gaps where numbers stand on it, but reaches to both ends of the staff, as ledger lines do not.
    """
    end = round(END_SPACES * staff.space)
    shares = line_shares(dark, staff)
    begins = line_shares(dark, replace(staff, right=min(staff.right, staff.left + end)))
    ends = line_shares(dark, replace(staff, left=max(staff.left, staff.right - end)))

    def is_there(line: int) -> bool:
        if shares[line] >= SURE_SUPPORT:
            return True
        return shares[line] >= MIN_SUPPORT and all(
            part[line] >= SURE_SUPPORT * min(part[1:-1]) > 0 for part in (begins, ends)
        )

    return LINES + (is_there(0) or is_there(-1))


def line_shares(dark: Map, staff: Staff) -> list[float]:
    """How much of each line is there, 0…1, from the one above the staff to the one below it."""
    columns = np.arange(staff.left, staff.right, max(1, round(staff.space / 8)), dtype=np.float32)
    shares = []
    for line in range(-1, LINES + 1):
        values = _along(dark, staff, line, columns)
        usual = float(np.quantile(values, 0.75))
        shares.append(float((values > 0.5 * usual).mean()) if usual > MIN_LINE_DARKNESS else 0.0)
    return shares


def _along(dark: Map, staff: Staff, line: int, columns: Map) -> Map:
    """(n,): how dark a line of a staff is in some columns."""
    rows = staff.top[columns.astype(np.intp)] + np.float32(line * staff.space)
    near = [cv2.remap(dark, columns[None], (rows + off)[None], cv2.INTER_LINEAR)[0] for off in (-1, 0, 1)]
    return np.asarray(np.max(near, axis=0), np.float32)


def drawn_out(dark: Map, staff: Staff) -> Staff:
    """The staff as far as its lines go, without breaks: clefs and signatures at its begin hide their gaps."""
    columns = np.arange(len(staff.top), dtype=np.float32)
    n_dark = np.zeros(len(columns))
    for line in range(LINES):
        values = _along(dark, staff, line, columns)
        usual = float(np.quantile(values[staff.left : staff.right], 0.75))
        n_dark += values > max(0.5 * usual, MIN_LINE_DARKNESS)
    lined = np.flatnonzero(n_dark >= MIN_LINES_DARK)
    if not lined.size:
        return staff
    breaks = np.flatnonzero(np.diff(lined) > MAX_BREAK_SPACES * staff.space)
    begins, ends = lined[np.append(0, breaks + 1)], lined[np.append(breaks, len(lined) - 1)] + 1
    meets = (begins < staff.right) & (ends > staff.left)
    if not meets.any():
        return staff
    left, right = int(begins[meets].min()), int(ends[meets].max())
    return replace(staff, left=min(left, staff.left), right=max(right, staff.right))


def settled(dark: Map, staff: Staff) -> Staff:
    """The staff, or that one line above or below, whose lines have no gaps: ledger lines do."""
    shares = line_shares(dark, staff)
    worst = {offset: min(shares[offset + 1 : offset + 1 + LINES]) for offset in (-1, 0, 1)}
    best = max(worst, key=lambda offset: worst[offset] - GAPS_MARGIN * abs(offset))
    return replace(staff, top=staff.top + np.float32(best * staff.space)) if best else staff
