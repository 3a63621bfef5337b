"""Symbols that are plain bars: rests of a half note and longer, tenuto marks, the clef of percussion.

Beams, ledger lines and stems are bars too: place and neighbors tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, union
from docai.pipelines.drawings.score.strokes import Strokes
from docai.pipelines.drawings.score.symbol_places import SPACES_IN_EM, StaffPlaces
from docai.pipelines.drawings.score.types import Staff, Symbol
from docai.pipelines.ingest.drawing import Drawing

REST_WIDTH_SPACES: Final = (0.85, 2.2)
"""Of a rest of a whole or half note."""

REST_HEIGHT_SPACES: Final = (0.36, 0.72)
"""Of a rest of a whole or half note."""

BREVE_REST_WIDTH_SPACES: Final = (0.35, 0.85)
"""Of rests of a breve and a longa."""

TENUTO_WIDTH_SPACES: Final = (0.7, 1.95)

TENUTO_HEIGHT_SPACES: Final = (0.08, 0.3)

CLEF_BAR_SPACES: Final = (0.3, 0.9)
"""Width of each of the two bars of a clef of percussion."""

LONG_REST_SPACES: Final = 2.5
"""Length at least of a rest of several measures."""

ON_LINE_SPACES: Final = 0.16
"""How far from a line of the staff an edge lies that stands on it or hangs from it."""

TOUCHING_SPACES: Final = 0.12
"""Gap up to which a stem touches a beam."""

MAX_LEDGER_STEPS: Final = 6
"""Lines beyond the staff at which rests stand."""

Floats = NDArray[np.float64]


def read_bar_symbols(
    drawing: Drawing,
    strokes: Strokes,
    blocks: Sequence[tuple[int, BBox]],
    staves: Sequence[Staff],
    symbols: Sequence[Symbol],
) -> list[Symbol]:
    """Symbols among the straight strokes.

    Args:
        strokes: of the drawing, without the outlines of known symbols.
        blocks: index of the path and box of other outlines that fill their boxes.
        symbols: those known by now.
    """
    strokes = _with_blocks(strokes, blocks)
    boxes = _boxes(strokes)
    places = StaffPlaces(staves)
    near = places.nearest(boxes)
    space = np.array([places.space(staff) if staff >= 0 else 1e9 for staff in near.tolist()])
    width, height = (boxes[:, 2] - boxes[:, 0]) / space, (boxes[:, 3] - boxes[:, 1]) / space
    level = np.asarray(strokes.is_level) | np.asarray(strokes.is_upright)
    clefs, bars = _percussion_clefs(drawing, strokes, boxes, near, places)
    solid = level & (near >= 0) & ~strokes.is_dashed
    solid[bars] = False
    stems = boxes[np.asarray(strokes.is_upright) & (width < 0.3) & (height > 1.2)]
    heads = [symbol for symbol in symbols if symbol.name.startswith("notehead")]
    head_boxes = np.array([head.bbox for head in heads]).reshape(-1, 4)
    found = []

    def add(name: str, box: BBox, number: int) -> None:
        path = int(strokes.path[number])
        size = SPACES_IN_EM * float(space[number])
        found.append(Symbol(name, box, (box[0], box[3]), size, drawing.paths[path].order, 0.9, path=path))

    tall = _within(height, REST_HEIGHT_SPACES) & _within(width, REST_WIDTH_SPACES)
    square = _within(width, BREVE_REST_WIDTH_SPACES) & (height > 0.85) & (height < 2.15)
    for number in np.flatnonzero(solid & (tall | square)).tolist():
        box: BBox = tuple(boxes[number].tolist())
        gap = TOUCHING_SPACES * float(space[number])
        if _touches(box, stems, gap) or _touches(box, head_boxes, gap):
            continue
        staff = staves[near[number]]
        name = rest_name(box, staff)
        if name and (_is_inside(box, staff) or _has_ledger(box, staff, boxes)):
            add(name, box, number)
    thin = _within(height, TENUTO_HEIGHT_SPACES) & _within(width, TENUTO_WIDTH_SPACES)
    for number in np.flatnonzero(solid & thin).tolist():
        box = tuple(boxes[number].tolist())
        if _is_tenuto(box, staves[near[number]], head_boxes, stems):
            add("articTenutoAbove", box, number)
    return found + clefs + _long_rests(drawing, strokes, boxes, near, staves)


def rest_name(box: BBox, staff: Staff) -> str:
    """Which rest a bar of about the size of one is, by the lines at its edges; empty for none."""
    space = staff.space
    top, bottom = (_steps_from_line(staff, y) for y in (box[1], box[3]))
    steps = MAX_LEDGER_STEPS
    if not staff.lines[0] - steps * space <= (box[1] + box[3]) / 2 <= staff.lines[-1] + steps * space:
        return ""
    height = (box[3] - box[1]) / space
    if height > 0.8:
        if top > ON_LINE_SPACES or bottom > ON_LINE_SPACES:
            return ""
        return "restDoubleWhole" if height < 1.5 else "restLonga"
    if min(top, bottom) > ON_LINE_SPACES:
        return ""
    return "restWhole" if top < bottom else "restHalf"


def _is_inside(box: BBox, staff: Staff) -> bool:
    """Whether one of the lines of a staff is at an edge of a bar."""
    near = ON_LINE_SPACES * staff.space
    return any(abs(y - edge) <= near for y in staff.lines for edge in box[1::2])


def _has_ledger(box: BBox, staff: Staff, boxes: Floats) -> bool:
    """Whether a short line that is longer than a bar lies at one of its edges."""
    near = ON_LINE_SPACES * staff.space
    middle = (boxes[:, 1] + boxes[:, 3]) / 2
    at_edge = np.minimum(np.abs(middle - box[1]), np.abs(middle - box[3])) <= near
    around = (boxes[:, 0] < box[0] - near / 2) & (boxes[:, 2] > box[2] + near / 2)
    return bool((at_edge & around & (boxes[:, 3] - boxes[:, 1] <= 0.3 * staff.space)).any())


def bar_name(box: BBox, staff: Staff) -> str:
    """Which symbol a glyph of a music font is that is a plain bar; empty for none."""
    width, height = (box[2] - box[0]) / staff.space, (box[3] - box[1]) / staff.space
    if _inside(height, REST_HEIGHT_SPACES) and _inside(width, REST_WIDTH_SPACES):
        return rest_name(box, staff)
    if _inside(width, BREVE_REST_WIDTH_SPACES) and 0.85 < height < 2.15:
        return rest_name(box, staff)
    if _inside(width, TENUTO_WIDTH_SPACES) and _inside(height, TENUTO_HEIGHT_SPACES):
        return "articTenutoAbove"
    return ""


def _inside(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _steps_from_line(staff: Staff, y: float) -> float:
    """Distance from the nearest line of the staff or beyond it, in staff spaces."""
    steps = (y - staff.lines[0]) / staff.space
    return abs(steps - round(steps))


def _with_blocks(strokes: Strokes, blocks: Sequence[tuple[int, BBox]]) -> Strokes:
    """Strokes without those of the paths of blocks, and these, level or upright as they are longer."""
    if not blocks:
        return strokes
    strokes = strokes.take(~np.isin(strokes.path, [path for path, _ in blocks]))
    x0, y0, x1, y1 = np.array([box for _, box in blocks]).T
    level = x1 - x0 >= y1 - y0
    middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
    across = np.stack([x0, middle_y, x1, middle_y], axis=1)
    down = np.stack([middle_x, y0, middle_x, y1], axis=1)
    return Strokes(
        np.concatenate([strokes.ends, np.where(level[:, None], across, down)]),
        np.concatenate([strokes.thickness, np.where(level, y1 - y0, x1 - x0)]),
        np.concatenate([strokes.path, np.array([path for path, _ in blocks], np.intp)]),
        np.concatenate([strokes.is_dashed, np.zeros(len(blocks), bool)]),
    )


def _boxes(strokes: Strokes) -> Floats:
    """(n, 4), around level and upright strokes with their thickness."""
    ends = strokes.ends
    half = strokes.thickness / 2
    upright = np.abs(ends[:, 3] - ends[:, 1]) > np.abs(ends[:, 2] - ends[:, 0])
    dx, dy = np.where(upright, half, 0.0), np.where(upright, 0.0, half)
    low_x, high_x = np.minimum(ends[:, 0], ends[:, 2]), np.maximum(ends[:, 0], ends[:, 2])
    low_y, high_y = np.minimum(ends[:, 1], ends[:, 3]), np.maximum(ends[:, 1], ends[:, 3])
    return np.column_stack([low_x - dx, low_y - dy, high_x + dx, high_y + dy])


def _within(values: Floats, limits: tuple[float, float]) -> NDArray[np.bool_]:
    return np.asarray((values >= limits[0]) & (values <= limits[1]))


def _touches(box: BBox, others: Floats, gap: float) -> bool:
    if len(others) == 0:
        return False
    x0, y0, x1, y1 = box
    hits = (others[:, 0] <= x1 + gap) & (others[:, 2] >= x0 - gap)
    hits &= (others[:, 1] <= y1 + gap) & (others[:, 3] >= y0 - gap)
    return bool(hits.any())


def _is_tenuto(box: BBox, staff: Staff, heads: Floats, stems: Floats) -> bool:
    """Whether a short line stands over or under the middle of a head, and is no ledger line."""
    if len(heads) == 0:
        return False
    space = staff.space
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    head_x, head_y = (heads[:, 0] + heads[:, 2]) / 2, (heads[:, 1] + heads[:, 3]) / 2
    apart = np.maximum(heads[:, 1] - box[3], box[1] - heads[:, 3])
    at_head = (np.abs(head_x - x) <= 0.35 * space) & (apart >= 0.1 * space) & (apart <= 6 * space)
    crossed = (heads[:, 0] < box[2]) & (heads[:, 2] > box[0]) & (apart < 0.05 * space)
    if not at_head.any() or crossed.any() or _touches(box, stems, 0.05 * space):
        return False
    if _steps_from_line(staff, y) > ON_LINE_SPACES:
        return True
    # On the line of a staff that is longer: a ledger line, if a head stands beyond it.
    if y < staff.lines[0] - space / 2:
        return not bool((at_head & (head_y < y)).any())
    if y > staff.lines[-1] + space / 2:
        return not bool((at_head & (head_y > y)).any())
    return True


def _long_rests(
    drawing: Drawing, strokes: Strokes, boxes: Floats, near: NDArray[np.intp], staves: Sequence[Staff]
) -> list[Symbol]:
    """Thick bars on the middle line with an upright stroke across each end: rests of several measures."""
    found = []
    upright = np.flatnonzero(np.asarray(strokes.is_upright))
    center_x, center_y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    height = boxes[:, 3] - boxes[:, 1]
    for number in np.flatnonzero(np.asarray(strokes.is_level) & (near >= 0)).tolist():
        staff = staves[near[number]]
        space = staff.space
        middle = (staff.lines[0] + staff.lines[-1]) / 2
        x0, _, x1, _ = boxes[number].tolist()
        is_thick = 0.3 * space <= height[number] <= 1.3 * space and x1 - x0 >= LONG_REST_SPACES * space
        if not is_thick or abs(center_y[number] - middle) > 0.25 * space:
            continue
        across = upright[np.abs(center_y[upright] - middle) <= 0.25 * space]
        across = across[(height[across] > height[number] + 0.3 * space) & (height[across] <= 3 * space)]
        ends = [across[np.abs(center_x[across] - x) <= 0.4 * space][:1].tolist() for x in (x0, x1)]
        if all(ends):
            pieces = [number, ends[0][0], ends[1][0]]
            paths = dict.fromkeys(int(strokes.path[piece]) for piece in pieces)
            first, *more = paths
            box = union([tuple(boxes[piece].tolist()) for piece in pieces])
            size, order = SPACES_IN_EM * space, drawing.paths[first].order
            found.append(
                Symbol("restHBar", box, (x0, middle), size, order, 0.9, path=first, more_paths=tuple(more))
            )
    return found


def _percussion_clefs(
    drawing: Drawing, strokes: Strokes, boxes: Floats, near: NDArray[np.intp], places: StaffPlaces
) -> tuple[list[Symbol], list[int]]:
    """Two thick upright bars side by side in the middle of the staff, and the numbers of the strokes."""
    found: list[Symbol] = []
    used: list[int] = []
    for number, staff in enumerate(places.staves):
        space = staff.space
        middle = (staff.lines[0] + staff.lines[-1]) / 2
        width, height = (boxes[:, 2] - boxes[:, 0]) / space, (boxes[:, 3] - boxes[:, 1]) / space
        centered = np.abs((boxes[:, 1] + boxes[:, 3]) / 2 - middle) <= 0.2 * space
        fits = (near == number) & centered & _within(width, CLEF_BAR_SPACES) & (height > 1.5) & (height < 2.6)
        bars = sorted(np.flatnonzero(fits).tolist(), key=lambda bar: float(boxes[bar, 0]))
        for left, right in pairwise(bars):
            gap = float(boxes[right, 0] - boxes[left, 2]) / space
            if 0.1 <= gap <= 1.0 and abs(height[left] - height[right]) < 0.1:
                box = union([tuple(boxes[bar].tolist()) for bar in (left, right)])
                paths = [int(strokes.path[bar]) for bar in (left, right)]
                found.append(
                    Symbol(
                        "unpitchedPercussionClef1",
                        box,
                        (box[0], middle),
                        SPACES_IN_EM * space,
                        drawing.paths[paths[0]].order,
                        0.9,
                        path=paths[0],
                        more_paths=() if paths[0] == paths[1] else (paths[1],),
                    )
                )
                used += [left, right]
    return found, used
