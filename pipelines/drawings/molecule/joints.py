"""Where the bonds of a drawing meet."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np

from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.points import grown, near_pairs, ray, unit_vector
from docai.pipelines.drawings.molecule.types import BondMark
from docai.pipelines.ingest.drawing import Point

_TOLERANCE: Final = 0.065
"""How far the end of a bond may be from where it meets others, in bond lengths."""

_AXIS_TOLERANCE: Final = 0.14
"""The same of a double bond's axis between its lines, which end where they meet other bonds' lines."""

_WIDE_TOLERANCE: Final = 0.1
"""The same of a wedge, whose wide end may be cut at a slant."""

_EXACT: Final = 0.035
"""Distance of ends of bonds that meet in a point, in bond lengths, at most."""

_SPREAD: Final = 0.36
"""Largest distance of two ends that meet, in bond lengths."""

_NO_EVIDENCE: Final = 0.3
"""Distance in bond lengths from where another end says nothing about the axis of a double bond."""


_NEAR_LABEL: Final = 0.24
"""Gap between a bond and its label, in bond lengths, whatever the length of what is seen of the bond."""

_MIN_BREADTH: Final = 0.7
"""Breadth of the place of a letter with that width, in its size, at least."""

_NEAR_LETTER: Final = 0.3
"""The same in sizes of its letter."""

_MAX_LABEL_GAP: Final = 0.75
"""The same, at most, where the rest of the bond is hidden under the label."""

_LABEL_MARGIN: Final = 0.14
"""Width around a letter, in its size, that the axis of a bond may touch to be a bond of it."""


@dataclass(slots=True, eq=False)
class Joint:
    """Where ends of bonds meet, or one ends."""

    point: Point
    ends: list[tuple[int, int]]
    """Bonds by index, with 0 where they begin here and 1 where they end here."""


def find_joints(marks: list[BondMark], letters: Sequence[Letter], length: float, width: float) -> list[Joint]:
    """Where bonds meet; double bonds get the axis that fits their neighbors.

    Ends that point at a letter meet there, and not each other.

    ``marks`` is changed: bonds in two pieces, with a gap for one that crosses, become one.
    """
    faces = find_facing(marks, letters, length)
    _choose_axes(marks, faces, length)
    joints = _cluster_ends(marks, faces, length, width)
    if _bridge_gaps(marks, joints, length) + _split_long(marks, joints, length, width):
        faces = find_facing(marks, letters, length)
        joints = _cluster_ends(marks, faces, length, width)
    return joints


def ends_of(mark: BondMark) -> tuple[Point, Point]:
    """Both ends of a bond."""
    return mark.begin, mark.end


def out_of(mark: BondMark, side: int) -> Point:
    """Unit vector out of a bond at its begin (0) or end (1)."""
    return unit_vector(mark.end, mark.begin) if side == 0 else unit_vector(mark.begin, mark.end)


def gap_before(letter: Letter, mark: BondMark, side: int, length: float) -> float | None:
    """How far the end of a bond is from a letter that it points at; None where it is none of its atom."""
    x0, y0, x1, y1 = grown(letter.bbox, _LABEL_MARGIN * letter.size)
    # A narrow letter stands in the place of a broad one.
    narrow = max(0.5 * (_MIN_BREADTH * letter.size - (x1 - x0)), 0.0)
    gap = ray(ends_of(mark)[side], out_of(mark, side), (x0 - narrow, y0, x1 + narrow, y1))
    reach = max(_reach(mark, length), _NEAR_LETTER * letter.size)
    return gap if gap is not None and gap <= reach else None


def _reach(mark: BondMark, length: float) -> float:
    seen = math.dist(mark.begin, mark.end)
    return min(max(_NEAR_LABEL * length, 1.08 * length - seen), _MAX_LABEL_GAP * length) + 0.5 * mark.slack


def find_facing(marks: Sequence[BondMark], letters: Sequence[Letter], length: float) -> list[tuple[int, int]]:
    """For each bond the letter close by that it points at, at its begin and at its end; -1 for none.

    A hash whose axis meets the end of a bond that points at no letter ends there.
    """
    if not letters:
        return [(-1, -1)] * len(marks)
    boxes = np.array([letter.bbox for letter in letters], float)
    sizes = np.array([letter.size for letter in letters], float)

    def faces(mark: BondMark, side: int) -> int:
        (x, y), reach = ends_of(mark)[side], _reach(mark, length) + sizes
        near = (boxes[:, 0] - reach < x) & (x < boxes[:, 2] + reach)
        near &= (boxes[:, 1] - reach < y) & (y < boxes[:, 3] + reach)
        gaps = [
            (gap, index)
            for index in np.flatnonzero(near).tolist()
            for gap in [gap_before(letters[index], mark, side, length)]
            if gap is not None
        ]
        return int(min(gaps)[1]) if gaps else -1

    found = [(faces(mark, 0), faces(mark, 1)) for mark in marks]
    # Ends that meet in a point before the letter are at an atom that is not written.
    ends = np.array([end for mark in marks for end in ends_of(mark)], float).reshape(-1, 2)
    for i, j in near_pairs(ends, _EXACT * length).tolist():
        u, v = out_of(marks[i // 2], i % 2), out_of(marks[j // 2], j % 2)
        if i // 2 == j // 2 or u[0] * v[0] + u[1] * v[1] > 0.9:
            continue
        for end in (i, j):
            letter = found[end // 2][end % 2]
            x, y = ends[end]
            x0, y0, x1, y1 = boxes[letter]
            if letter >= 0 and not (x0 <= x <= x1 and y0 <= y <= y1):
                found[end // 2] = (found[end // 2][0], -1) if end % 2 else (-1, found[end // 2][1])
    free = [
        ends_of(mark)[side]
        for mark, facing in zip(marks, found, strict=True)
        if not mark.slack
        for side in (0, 1)
        if facing[side] < 0
    ]
    for index, mark in enumerate(marks):
        if mark.slack and max(found[index]) >= 0:
            meets = [any(_in_reach(mark, side, point, length) for point in free) for side in (0, 1)]
            found[index] = (-1 if meets[0] else found[index][0], -1 if meets[1] else found[index][1])
    return found


def _choose_axes(marks: Sequence[BondMark], faces: Sequence[tuple[int, int]], length: float) -> None:
    points: list[Point] = []
    owners: list[int] = []
    for index, mark in enumerate(marks):
        axes = mark.axes or [(mark.begin, mark.end)]
        for axis in axes:
            for side in (0, 1):
                if faces[index][side] < 0:
                    points.append(axis[side])
                    owners.append(index)
    if not points:
        return
    places, owner = np.array(points, float), np.array(owners)
    cap = _NO_EVIDENCE * length
    for index, mark in enumerate(marks):
        if len(mark.axes) < 2:
            continue
        others = places[owner != index]
        if not len(others):
            continue
        costs = []
        for rank, axis in enumerate(mark.axes):
            apart = [
                min(float(np.hypot(*(others - end).T).min()), cap)
                for end, letter in zip(axis, faces[index], strict=True)
                if letter < 0
            ]
            costs.append(sum(apart) + 0.015 * rank * length)
        best = costs.index(min(costs))
        mark.begin, mark.end = mark.axes[best]
        mark.axes = [mark.axes[best], *(axis for rank, axis in enumerate(mark.axes) if rank != best)]


def _tolerances(mark: BondMark, length: float, width: float) -> tuple[float, float]:
    base = _TOLERANCE * length + 0.3 * width
    if mark.style == "wedge":
        return base, _WIDE_TOLERANCE * length + 0.3 * width
    if mark.order == 2:
        base = _AXIS_TOLERANCE * length
    return base, base


def _cluster_ends(
    marks: Sequence[BondMark], faces: Sequence[tuple[int, int]], length: float, width: float
) -> list[Joint]:
    ends = np.array([end for mark in marks for end in ends_of(mark)], float).reshape(-1, 2)
    tolerance = [value for mark in marks for value in _tolerances(mark, length, width)]
    reach = max([_SPREAD * length, *(mark.slack + 0.15 * length for mark in marks)])
    found = []
    for i, j in near_pairs(ends, min(reach, length)).tolist():
        if i // 2 == j // 2 or faces[i // 2][i % 2] >= 0 or faces[j // 2][j % 2] >= 0:
            continue
        apart = math.dist(ends[i], ends[j])
        if apart <= min(tolerance[i] + tolerance[j], _SPREAD * length):
            found.append((apart, i, j))
            continue
        for a, b in ((i, j), (j, i)):
            mark = marks[a // 2]
            if mark.slack > 0 and _in_reach(mark, a % 2, tuple(ends[b]), length):
                found.append((apart + 0.1 * length, i, j))
                break
    cluster = list(range(len(ends)))
    members: dict[int, list[int]] = {end: [end] for end in cluster}
    for _, i, j in sorted(found):
        a, b = cluster[i], cluster[j]
        if a == b or {end // 2 for end in members[a]} & {end // 2 for end in members[b]}:
            continue
        members[a] += members.pop(b)
        for end in members[a]:
            cluster[end] = a
    joints = []
    for group in members.values():
        exact = (
            [end for end in group if marks[end // 2].slack == 0 and not marks[end // 2].axes]
            or [end for end in group if marks[end // 2].slack == 0]
            or group
        )
        x, y = ends[exact].mean(axis=0)
        joints.append(Joint((float(x), float(y)), [(end // 2, end % 2) for end in sorted(group)]))
    return joints


def _in_reach(mark: BondMark, side: int, point: Point, length: float) -> bool:
    """Whether a point lies on the axis of a hash, a little beyond its bars."""
    end, u = ends_of(mark)[side], out_of(mark, side)
    x, y = point[0] - end[0], point[1] - end[1]
    along, across = x * u[0] + y * u[1], abs(x * u[1] - y * u[0])
    return -0.12 * length <= along <= mark.slack and across <= 0.08 * length + 0.15 * max(along, 0.0)


def _bridge_gaps(marks: list[BondMark], joints: Sequence[Joint], length: float) -> int:
    """Make one of two bonds that are the parts of one, broken where another bond crosses."""
    free = [joint.ends[0] for joint in joints if len(joint.ends) == 1]
    free = [(bond, side) for bond, side in free if marks[bond].order == 1 and not marks[bond].slack]
    if len(free) < 2:
        return 0
    points = np.array([ends_of(marks[bond])[side] for bond, side in free])
    gone: set[int] = set()
    for i, j in near_pairs(points, 0.55 * length).tolist():
        (a, side_a), (b, side_b) = free[i], free[j]
        if a == b or a in gone or b in gone or marks[a].style != marks[b].style:
            continue
        ua, ub = out_of(marks[a], side_a), out_of(marks[b], side_b)
        pa, pb = ends_of(marks[a])[side_a], ends_of(marks[b])[side_b]
        between = unit_vector(pa, pb)
        if ua[0] * ub[0] + ua[1] * ub[1] > -0.99 or ua[0] * between[0] + ua[1] * between[1] < 0.98:
            continue
        begin, end = ends_of(marks[a])[1 - side_a], ends_of(marks[b])[1 - side_b]
        if math.dist(begin, end) > 2.4 * length:
            continue
        crossed = any(
            k not in (a, b) and _crosses(mark.begin, mark.end, pa, pb) for k, mark in enumerate(marks)
        )
        if not crossed:
            continue
        marks[a] = replace(marks[a], begin=begin, end=end, paths=marks[a].paths + marks[b].paths)
        gone.add(b)
    marks[:] = [mark for k, mark in enumerate(marks) if k not in gone]
    return len(gone)


def _crosses(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether two pieces cross, the first within itself."""

    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0


def _split_long(marks: list[BondMark], joints: Sequence[Joint], length: float, width: float) -> int:
    """Split bonds of two lengths and more where others end on them."""
    long = [k for k, mark in enumerate(marks) if mark.order == 1 and _span(mark) > 1.6 * length]
    if not long:
        return 0
    cuts: dict[int, list[Point]] = defaultdict(list)
    for joint in joints:
        for k in long:
            mark = marks[k]
            if any(bond == k for bond, _ in joint.ends):
                continue
            u = out_of(mark, 1)
            x, y = joint.point[0] - mark.begin[0], joint.point[1] - mark.begin[1]
            along, across = x * u[0] + y * u[1], abs(x * u[1] - y * u[0])
            if across < 0.04 * length + 0.5 * width and 0.4 * length < along < _span(mark) - 0.4 * length:
                cuts[k].append(joint.point)
    for k, points in cuts.items():
        mark = marks[k]
        points.sort(key=lambda point: math.dist(mark.begin, point))
        stops = [mark.begin, *points, mark.end]
        marks[k] = replace(mark, end=stops[1])
        marks += [replace(mark, begin=a, end=b) for a, b in pairwise(stops[1:])]
    return len(cuts)


def _span(mark: BondMark) -> float:
    return math.dist(mark.begin, mark.end)
