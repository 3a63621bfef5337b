"""Lines that are drawn twice or in pieces: halves in two colors, gradients, straight chains of atoms."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from docai.pipelines.drawings.molecule.bond_strokes import Line, Stop, Strokes, line_ends
from docai.pipelines.drawings.molecule.points import near_pairs, unit_vector

_MAX_STOPS: Final = 40
"""Pieces of a straight line up to which atoms on it are looked for."""

_COLOR_COST: Final = 0.5
"""What an atom costs where a straight line changes its color; see :func:`split_at_atoms`."""

_SIDE_GAIN: Final = 0.2
"""What an atom gains where lines beside end, as those of a triple bond."""

_MAX_SIDE: Final = 0.36
"""Distance of such lines, in bond lengths, at most."""


def drop_repeated(strokes: Strokes) -> list[Line]:
    """Leave out lines that lie within another one, and broad ones under finer ones of another color.

    The broad ones are noted in ``strokes`` as backgrounds.
    """
    return _drop_within([line for line in strokes.lines if line.length > 0], strokes)


def _drop_within(lines: list[Line], strokes: Strokes) -> list[Line]:
    n = len(lines)
    if n < 2:
        return lines
    p, q = np.array([line.p for line in lines]), np.array([line.q for line in lines])
    width = np.array([line.width for line in lines])
    length = np.hypot(*(q - p).T)
    unit = (q - p) / length[:, None]
    normal = np.stack([-unit[:, 1], unit[:, 0]], axis=1)
    dropped = np.zeros(n, bool)
    for i in np.argsort(-length, kind="stable"):
        if dropped[i]:
            continue
        slack = 0.5 * np.maximum(width, width[i]) + 0.004 * length[i]
        inside = (length <= length[i] + slack) & ~dropped
        inside[i] = False
        for ends in (p, q):
            off = ends - p[i]
            along = off @ unit[i]
            inside &= (np.abs(off @ normal[i]) <= slack) & (along >= -slack) & (along <= length[i] + slack)
            if not inside.any():
                break
        within = np.flatnonzero(inside).tolist()
        finer = [j for j in within if _is_over(lines[j], lines[i])]
        if len(finer) > 1 or any(length[j] > 0.3 * length[i] for j in finer):
            dropped[i] = True
            strokes.backgrounds.update(lines[i].paths)
            continue
        for j in within:
            if lines[i].is_dashed == lines[j].is_dashed:
                dropped[j] = True
                lines[i] = replace(lines[i], paths=tuple(dict.fromkeys(lines[i].paths + lines[j].paths)))
    return [line for line, is_dropped in zip(lines, dropped, strict=True) if not is_dropped]


def _is_over(fine: Line, broad: Line) -> bool:
    """Whether a line is painted on a much broader one of another color, which is only its background."""
    return broad.width > 2.5 * fine.width and broad.order < fine.order and broad.color != fine.color


def join_pieces(lines: list[Line], strokes: Strokes) -> list[Line]:
    """Lines that go on straight where nothing else ends, as one, with the places where they met."""
    if len(lines) < 2:
        return lines
    meets = _straight_meetings(lines)
    joined = []
    left = set(range(len(lines)))
    order = [k for k in range(len(lines)) if (2 * k in meets) != (2 * k + 1 in meets)]
    for start in (*order, *range(len(lines))):
        if start not in left:
            continue
        # Go in at the end that meets nothing, or anywhere in a closed chain, and on from piece to piece.
        end = 2 * start if 2 * start not in meets else 2 * start + 1
        entry = end
        chain = []
        while entry // 2 in left:
            left.discard(entry // 2)
            chain.append(entry)
            onward = meets.get(entry ^ 1)
            if onward is None:
                break
            entry = onward
        joined.append(_chain(lines, chain))
    return _drop_within(joined, strokes)


def _straight_meetings(lines: Sequence[Line]) -> dict[int, int]:
    """For ends of lines, p of line k as 2k and q as 2k + 1, the end of the line that goes on from there."""
    ends = line_ends(lines)
    lengths = np.array([line.length for line in lines])
    widths = np.array([line.width for line in lines])
    # Ends with round caps lie a width apart.
    tolerance = np.maximum(0.5 * widths, np.minimum(1.1 * widths, 0.35 * lengths))
    tolerance = np.maximum(tolerance, np.minimum(0.04 * lengths, 0.03 * np.median(lengths)))
    onward: dict[int, list[int]] = defaultdict(list)
    is_crowded = np.zeros(len(ends), bool)
    for i, j in near_pairs(ends, float(np.quantile(tolerance, 0.9) * 1.5)).tolist():
        a, b = lines[i // 2], lines[j // 2]
        apart = math.dist(ends[i], ends[j])
        if a is b or apart > max(tolerance[i // 2], tolerance[j // 2]):
            continue
        u = a.unit() if a.length >= b.length else b.unit()
        off = ends[j] - ends[i]
        across = abs(float(off[1] * u[0] - off[0] * u[1]))
        is_aside = across > max(0.5 * max(a.width, b.width), 0.015 * max(a.length, b.length))
        if not is_aside and _goes_on(lines, i, j):
            onward[i].append(j)
            onward[j].append(i)
        elif not (is_aside and abs(a.unit()[0] * b.unit()[1] - a.unit()[1] * b.unit()[0]) < 0.1):
            # All but a line beside, as of a double bond.
            is_crowded[i] = is_crowded[j] = True
    return {
        end: others[0]
        for end, others in onward.items()
        if len(others) == 1 == len(onward[others[0]]) and not is_crowded[end] and not is_crowded[others[0]]
    }


def _goes_on(lines: Sequence[Line], end: int, other: int) -> bool:
    a, b = lines[end // 2], lines[other // 2]
    ua = unit_vector(a.q, a.p) if end % 2 == 0 else unit_vector(a.p, a.q)
    ub = unit_vector(b.p, b.q) if other % 2 == 0 else unit_vector(b.q, b.p)
    bend = abs(ua[0] * ub[1] - ua[1] * ub[0])
    slack = min(0.035 + 0.15 / max(a.length, b.length, 0.15), 0.12)
    if min(a.length, b.length) < 4:
        slack += 0.1 / max(min(a.length, b.length), 0.25)
    is_straight = ua[0] * ub[0] + ua[1] * ub[1] > 0.9 and bend <= slack
    return is_straight and a.is_dashed == b.is_dashed and 0.5 < (a.width + 1e-6) / (b.width + 1e-6) < 2


def _chain(lines: Sequence[Line], entries: Sequence[int]) -> Line:
    if len(entries) == 1:
        return lines[entries[0] // 2]
    pieces = [lines[entry // 2] for entry in entries]
    first, last = entries[0], entries[-1]
    p = pieces[0].p if first % 2 == 0 else pieces[0].q
    q = pieces[-1].q if last % 2 == 0 else pieces[-1].p
    stops = []
    for (_, before), (entry, after) in pairwise(zip(entries, pieces, strict=True)):
        point = after.p if entry % 2 == 0 else after.q
        stops.append(Stop(point, before.color != after.color))
    paths = tuple(dict.fromkeys(index for piece in pieces for index in piece.paths))
    return replace(pieces[0], p=p, q=q, paths=paths, stops=tuple(stops))


def split_at_atoms(lines: list[Line], length: float) -> list[Line]:
    """Split straight lines at atoms: at those of their stops that make bonds of the usual length.

    An atom on a straight line is a carbon atom with a triple bond or two double bonds. It stands where lines
    beside end rather than elsewhere, and hardly where the color changes, which is the middle of a bond.
    """
    with_stops = [line for line in lines if line.stops]
    if not with_stops:
        return lines
    ends = line_ends(lines)
    split: list[Line] = []
    for index, line in enumerate(lines):
        if not 0 < len(line.stops) <= _MAX_STOPS:
            split.append(line)
            continue
        own = np.ones(len(ends), bool)
        own[2 * index : 2 * index + 2] = False
        gains = [_gain(line, stop, ends[own], length) for stop in line.stops]
        cuts = _best_cuts(line, gains, length)
        points = [line.p, *cuts, line.q]
        split += [replace(line, p=a, q=b, stops=()) for a, b in pairwise(points)]
    return split


def _gain(
    line: Line, stop: Stop, ends: np.ndarray[tuple[int, int], np.dtype[np.float64]], length: float
) -> float:
    u = line.unit()
    off = ends - stop.point
    along = np.abs(off[:, 0] * u[0] + off[:, 1] * u[1])
    across = np.abs(off[:, 1] * u[0] - off[:, 0] * u[1])
    has_sides = bool(((along < 0.16 * length) & (across < _MAX_SIDE * length)).any())
    return _SIDE_GAIN * has_sides - _COLOR_COST * stop.is_color


def _best_cuts(line: Line, gains: Sequence[float], length: float) -> list[tuple[float, float]]:
    """The stops of a line that are atoms: lengths of bonds between them differ least from the usual one."""
    points = [line.p, *(stop.point for stop in line.stops), line.q]
    n = len(points)
    costs = [0.0] + [math.inf] * (n - 1)
    before = [0] * n
    for end in range(1, n):
        for start in range(end):
            share = math.dist(points[start], points[end]) / length
            is_cut_short = start == 0 or end == n - 1
            cost = (share - 1) ** 2 * (0.25 if share < 1 and is_cut_short else 1.0)
            gain = gains[start - 1] if start > 0 else 0.0
            if costs[start] + cost - gain < costs[end]:
                costs[end], before[end] = costs[start] + cost - gain, start
    cuts = []
    at = before[n - 1]
    while at > 0:
        cuts.append(points[at])
        at = before[at]
    return cuts[::-1]
