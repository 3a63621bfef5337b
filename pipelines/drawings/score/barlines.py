"""Barlines, and the systems that they and braces join staves to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from docai.pipelines.drawings.score.sheet import Sheet, Upright, join_uprights
from docai.pipelines.drawings.score.types import Barline, BarlineKind, Staff, Symbol

END_SPACES: Final = 0.4
"""How far a barline ends from the outer line of a staff at most, in staff spaces."""

HEAVY_RATIO: Final = 1.8
"""Thickness of a heavy stroke that stands alone against other barlines at least."""

HEAVY_IN_PAIR_RATIO: Final = 1.35
"""Thickness of a heavy stroke against a thin one beside it at least."""

HEAVY_SPACES: Final = 0.3
"""Thickness of a heavy stroke at least, in staff spaces."""

VERY_HEAVY_SPACES: Final = 0.45
"""Thickness from which a stroke is heavy without a thin one beside it, in staff spaces."""

GROUP_SPACES: Final = 1.1
"""Distance of two strokes of one barline at most, from edge to edge, in staff spaces."""

DOT_SPACES: Final = 1.6
"""Distance of the dots of a repeat from its strokes at most, in staff spaces."""

EDGE_SPACES: Final = 0.6
"""Distance from the left ends of the staff lines within which a line only joins staves, in staff spaces."""


@dataclass(frozen=True, slots=True, eq=False)
class StaffLine:
    """An upright stroke that goes from the top of one staff to the bottom of the same or another."""

    upright: Upright
    staves: tuple[int, ...]
    """Indices of the staves that it crosses, from the top."""


def staff_crossing_lines(sheet: Sheet, staves: Sequence[Staff], heads: Sequence[Symbol]) -> list[StaffLine]:
    """Upright strokes that begin and end at outer lines of staves and are no stems."""
    if not staves:
        return []
    spaces = sorted(staff.space for staff in staves)
    gap = 0.3 * spaces[len(spaces) // 2]
    found = []
    for upright in join_uprights(sheet.uprights, gap):
        crossed = _crossed(upright, staves)
        if crossed and not _is_stem(upright, heads, staves[crossed[0]].space):
            found.append(StaffLine(upright, crossed))
    return found


def _crossed(upright: Upright, staves: Sequence[Staff]) -> tuple[int, ...]:
    crossed = []
    begins = ends = False
    for index, staff in enumerate(staves):
        near = END_SPACES * staff.space
        if not staff.x0 - near <= upright.x <= staff.x1 + 2 * near:
            continue
        top, bottom = staff.lines[0], staff.lines[-1]
        if upright.y0 <= top + near and upright.y1 >= bottom - near:
            crossed.append(index)
            begins |= abs(upright.y0 - top) <= near
            ends |= abs(upright.y1 - bottom) <= near
    return tuple(crossed) if begins and ends else ()


def _is_stem(upright: Upright, heads: Sequence[Symbol], space: float) -> bool:
    """Whether it begins or ends at the side of a notehead."""
    for head in heads:
        x0, y0, x1, y1 = head.bbox
        if min(abs(upright.x - x0), abs(upright.x - x1)) > 0.25 * space:
            continue
        middle = (y0 + y1) / 2
        if min(abs(upright.y0 - middle), abs(upright.y1 - middle)) <= 0.45 * space:
            return True
    return False


def group_staves(
    staves: Sequence[Staff], lines: Sequence[StaffLine], joins: Sequence[Sequence[int]]
) -> list[list[int]]:
    """Indices of the staves of each system, from the top.

    Args:
        staves: of the page.
        lines: strokes across staves.
        joins: staves that braces and brackets join.
    """
    parent = list(range(len(staves)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for line in lines:
        for other in line.staves[1:]:
            parent[root(other)] = root(line.staves[0])
    for joined in joins:
        for other in joined[1:]:
            parent[root(other)] = root(joined[0])
    systems: dict[int, list[int]] = {}
    for index in range(len(staves)):
        systems.setdefault(root(index), []).append(index)
    return sorted(systems.values(), key=lambda group: (staves[group[0]].lines[0], staves[group[0]].x0))


def find_barlines(
    sheet: Sheet,
    staves: Sequence[Staff],
    group: Sequence[int],
    lines: Sequence[StaffLine],
    dots: Sequence[Symbol],
) -> list[Barline]:
    """Barlines of one system from the left, with staves counted within it.

    Args:
        sheet: the page; paths of the barlines are accounted for.
        staves: of the page.
        group: indices of the staves of the system.
        lines: of the page.
        dots: round dots that may be of repeats; those that are, are accounted for.
    """
    place = {index: number for number, index in enumerate(group)}
    own = [line for line in lines if line.staves[0] in place]
    for line in own:
        sheet.used_paths.update(line.upright.paths)
    left = min(staves[index].x0 for index in group)
    space = min(staves[index].space for index in group)
    thin = min((line.upright.thickness for line in own), default=0.0)
    own = [line for line in own if line.upright.x >= left - EDGE_SPACES * space]
    own.sort(key=lambda line: line.upright.x)
    clusters: list[list[StaffLine]] = []
    for line in own:
        before = clusters[-1][-1].upright if clusters else None
        if before is not None and _edge_distance(before, line.upright) <= GROUP_SPACES * space:
            clusters[-1].append(line)
        else:
            clusters.append([line])
    found = []
    for cluster in clusters:
        crossed = sorted({place[index] for line in cluster for index in line.staves if index in place})
        strokes = _strokes_across(cluster)
        sides = _dotted_sides(sheet, strokes, [staves[group[index]] for index in crossed], dots)
        at_edge = strokes[0].x <= left + EDGE_SPACES * space
        if at_edge and not any(sides) and len(strokes) == 1:
            continue
        kind = _kind(strokes, sides, thin, space)
        x = (strokes[0].x + strokes[-1].x) / 2
        found.append(Barline(kind, x, tuple(crossed)))
    return found


def _edge_distance(one: Upright, other: Upright) -> float:
    return abs(other.x - one.x) - (one.thickness + other.thickness) / 2


def _strokes_across(cluster: Sequence[StaffLine]) -> list[Upright]:
    """The strokes from the left as one staff shows them: each x once."""
    strokes: list[Upright] = []
    for line in cluster:
        if strokes and line.upright.x - strokes[-1].x < 0.5 * max(line.upright.thickness, 0.3):
            if line.upright.thickness > strokes[-1].thickness:
                strokes[-1] = line.upright
        else:
            strokes.append(line.upright)
    return strokes


def _dotted_sides(
    sheet: Sheet, strokes: Sequence[Upright], staves: Sequence[Staff], dots: Sequence[Symbol]
) -> tuple[bool, bool]:
    """Whether a pair of dots stands to the left, and to the right."""
    sides = []
    for edge, direction in ((strokes[0], -1), (strokes[-1], 1)):
        has_pair = False
        for staff in staves:
            near = edge.thickness / 2 + DOT_SPACES * staff.space
            middle = (staff.lines[0] + staff.lines[-1]) / 2
            offsets = []
            for dot in dots:
                x, y = (dot.bbox[0] + dot.bbox[2]) / 2, (dot.bbox[1] + dot.bbox[3]) / 2
                if 0 < direction * (x - edge.x) <= near and abs(y - middle) < 2 * staff.space:
                    offsets.append(((y - middle) / staff.space, x, dot))
            for above, x, dot in offsets:
                for below, other_x, other in offsets:
                    level = 0.25 <= -above <= 1.3 and abs(above + below) <= 0.35
                    if level and abs(x - other_x) <= 0.3 * staff.space:
                        has_pair = True
                        sheet.use(dot)
                        sheet.use(other)
        sides.append(has_pair)
    return sides[0], sides[1]


def _kind(strokes: Sequence[Upright], sides: tuple[bool, bool], thin: float, space: float) -> BarlineKind:
    if all(sides):
        return "repeat-both"
    if sides[0]:
        return "repeat-end"
    if sides[1]:
        return "repeat-start"
    if len(strokes) == 1:
        if strokes[0].is_dashed:
            return "dashed"
        least = min(VERY_HEAVY_SPACES * space, max(HEAVY_RATIO * thin, HEAVY_SPACES * space))
        return "heavy" if strokes[0].thickness >= least else "single"
    least = min(VERY_HEAVY_SPACES * space, HEAVY_IN_PAIR_RATIO * thin)
    heavy = [stroke.thickness >= least for stroke in strokes]
    if heavy[-1]:
        return "final"
    return "heavy" if any(heavy) else "double"
