"""Arrows: dative bonds within a structure, reaction arrows between structures."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from docai.pipelines.drawings.molecule.bond_strokes import Line, Strokes, Taper
from docai.pipelines.drawings.molecule.points import halfway, near_pairs, unit_vector
from docai.pipelines.drawings.molecule.types import BondMark
from docai.pipelines.ingest.drawing import Point

_MAX_HEAD: Final = 0.7
"""Length of the head of an arrow, in bond lengths, at most."""

_HEAD_SHARE: Final = 0.6
"""Length of the head over that of the shaft, at most."""

_MIN_ANGLE: Final = math.radians(10)
_MAX_ANGLE: Final = math.radians(65)
"""Between the shaft and each line of an open head."""


def take_arrows(strokes: Strokes, lines: list[Line], length: float) -> tuple[list[BondMark], list[Line]]:
    """Lines with a head at one end or both, and the lines that are in none.

    The head is a filled triangle, which is taken out of ``strokes``, or two short lines.
    """
    heads = [taper for taper in strokes.tapers if not taper.is_hollow and taper.length <= _MAX_HEAD * length]
    arrows: list[BondMark] = []
    used_lines: set[int] = set()
    used_heads: set[int] = set()
    beside = _short_beside(lines, length)
    places = np.array([head.wide for head in heads], float).reshape(-1, 2)
    reach = 2 * _MAX_HEAD * length
    for index, line in sorted(enumerate(lines), key=lambda item: -item[1].length):
        if line.length < 0.45 * length or id(line) in used_lines:
            continue
        for side, (tail, end) in enumerate(((line.q, line.p), (line.p, line.q))):
            close = np.flatnonzero(np.abs(places - end).max(axis=1) < reach + line.width).tolist()
            candidates = [heads[k] for k in close if id(heads[k]) not in used_heads]
            head = next((head for head in candidates if _is_head(head, tail, end, line)), None)
            if head is not None:
                used_heads.add(id(head))
                used_lines.add(id(line))
                arrows.append(BondMark(tail, head.narrow, 1, "dative", line.paths + head.paths))
                break
            short = [lines[k] for k in beside.get((index, side), ())]
            barbs = _barbs(short, tail, end, line, length, used_lines)
            if barbs is not None:
                used_lines |= {id(line), *(id(barb) for barb in barbs)}
                paths = tuple(dict.fromkeys((*line.paths, *barbs[0].paths, *barbs[1].paths)))
                arrows.append(BondMark(tail, end, 1, "dative", paths))
                break
    strokes.tapers = [taper for taper in strokes.tapers if id(taper) not in used_heads]
    return arrows, [line for line in lines if id(line) not in used_lines]


def _short_beside(lines: Sequence[Line], length: float) -> dict[tuple[int, int], list[int]]:
    """For the ends of lines, p as 0 and q as 1, the short lines that end there."""
    if not lines:
        return {}
    ends = np.array([end for line in lines for end in (line.p, line.q)])
    width = max(line.width for line in lines)
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, j in near_pairs(ends, min(0.06 * length + 0.5 * width, 0.3 * length)).tolist():
        for a, b in ((i, j), (j, i)):
            if a // 2 != b // 2 and lines[b // 2].length <= _MAX_HEAD * length:
                found[a // 2, a % 2].append(b // 2)
    return found


def _is_head(head: Taper, tail: Point, end: Point, line: Line) -> bool:
    """Whether a taper is the head of a line, which ends within it or at its wide end."""
    if head.length > _HEAD_SHARE * line.length or head.wide_width < 1.8 * max(line.width, head.narrow_width):
        return False
    u, v = unit_vector(tail, end), unit_vector(head.wide, head.narrow)
    if u[0] * v[0] + u[1] * v[1] < 0.97:
        return False
    middle = halfway(head.wide, head.narrow)
    x, y = middle[0] - tail[0], middle[1] - tail[1]
    off_axis = abs(x * u[1] - y * u[0])
    return off_axis < 0.25 * head.wide_width and math.dist(end, middle) < 0.75 * head.length + line.width


def _barbs(
    short: Sequence[Line], tail: Point, end: Point, line: Line, length: float, used: set[int]
) -> tuple[Line, Line] | None:
    """Two short lines that go back from the end of a line, one on each side."""
    back = unit_vector(end, tail)
    sides: dict[bool, Line] = {}
    near = 0.06 * length + 0.5 * line.width
    for barb in short:
        if barb is line or id(barb) in used or barb.length > _HEAD_SHARE * line.length:
            continue
        if math.dist(barb.p, end) <= near:
            away = unit_vector(barb.p, barb.q)
        elif math.dist(barb.q, end) <= near:
            away = unit_vector(barb.q, barb.p)
        else:
            continue
        along = away[0] * back[0] + away[1] * back[1]
        across = away[1] * back[0] - away[0] * back[1]
        if _MIN_ANGLE <= abs(math.atan2(across, along)) <= _MAX_ANGLE:
            sides[across > 0] = barb
    if len(sides) < 2:
        return None
    a, b = sides.values()
    return (a, b) if 0.75 < a.length / b.length < 1.33 else None
