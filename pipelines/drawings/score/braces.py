"""Braces and brackets at the left of staves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from docai.geometry import BBox, join_touching
from docai.pipelines.drawings.score.sheet import Sheet, join_uprights
from docai.pipelines.drawings.score.types import Staff

REACH_SPACES: Final = 6.0
"""How far to the left of its staves a brace or bracket stands at most, in staff spaces."""

MAX_BRACE_SPACES: Final = 4.0
"""Width of a brace at most, in staff spaces."""

COVER_SPACES: Final = 1.5
"""How much shorter than its staves a brace or bracket is at most at each end, in staff spaces."""


def find_braces(sheet: Sheet, staves: Sequence[Staff]) -> list[tuple[int, ...]]:
    """Indices of the staves that each brace over more than one joins; braces are accounted for."""
    boxes: list[BBox] = []
    for symbol in sheet.symbols:
        if symbol.name in ("brace", "reversedBrace"):
            sheet.use(symbol)
            boxes.append(symbol.bbox)
    boxes += _painted_braces(sheet, staves)
    joined = {_joined(box, staves) for box in boxes}
    return sorted(group for group in joined if len(group) > 1)


def find_brackets(sheet: Sheet, staves: Sequence[Staff]) -> list[tuple[int, ...]]:
    """Indices of the staves that each bracket over more than one joins; brackets are accounted for."""
    if not staves:
        return []
    space = min(staff.space for staff in staves)
    left, right = min(staff.x0 for staff in staves), max(staff.x0 for staff in staves)
    found = set()
    for line in join_uprights(sheet.uprights_between(left - REACH_SPACES * space, right), 0.3 * space):
        group = _joined((line.x, line.y0, line.x, line.y1), staves)
        if not group or line.x > staves[group[0]].x0 - 0.15 * space:
            continue
        sheet.used_paths.update(line.paths)
        _use_tips(sheet, line.x, line.y0, line.y1, space)
        if len(group) > 1:
            found.add(group)
    return sorted(found)


def _joined(box: BBox, staves: Sequence[Staff]) -> tuple[int, ...]:
    """Indices of the staves at whose left a box stands over their whole height."""
    x0, y0, x1, y1 = box
    return tuple(
        index
        for index, staff in enumerate(staves)
        if staff.x0 - REACH_SPACES * staff.space <= x0
        and x1 <= staff.x0 + 0.5 * staff.space
        and y0 - COVER_SPACES * staff.space <= staff.lines[0]
        and staff.lines[-1] <= y1 + COVER_SPACES * staff.space
    )


def _painted_braces(sheet: Sheet, staves: Sequence[Staff]) -> list[BBox]:
    """Boxes of high and narrow bows at the left of staves; of several pieces one above the other."""
    pieces: list[tuple[int, BBox]] = []
    for index, path in enumerate(sheet.drawing.paths):
        x0, y0, x1, y1 = path.bbox
        if index in sheet.used_paths or y1 - y0 < 1.5 * (x1 - x0):
            continue
        if not any(part.is_curve.any() for part in path.subpaths):
            continue
        for staff in staves:
            space = staff.space
            if (
                staff.x0 - REACH_SPACES * space <= x0
                and x1 <= staff.x0 + 0.5 * space
                and x1 - x0 <= MAX_BRACE_SPACES * space
                and y1 - y0 >= 2 * space
            ):
                pieces.append((index, path.bbox))
                break
    found = []
    for box in join_touching([box for _, box in pieces], 0.0, 0.5):
        if not _joined(box, staves):
            continue
        found.append(box)
        sheet.used_paths.update(
            index
            for index, piece in pieces
            if box[0] <= piece[0] and box[1] <= piece[1] and piece[2] <= box[2] and piece[3] <= box[3]
        )
    return found


def _use_tips(sheet: Sheet, x: float, y0: float, y1: float, space: float) -> None:
    """Account for the hooks at the ends of a bracket."""
    for index, path in enumerate(sheet.drawing.paths):
        box = path.bbox
        if not x - space <= box[0] <= x + space or box[2] > x + 3 * space:
            continue
        meets = any(box[1] - 0.5 * space <= y <= box[3] + 0.5 * space for y in (y0, y1))
        if meets and box[3] - box[1] <= 2.5 * space:
            sheet.used_paths.add(index)
