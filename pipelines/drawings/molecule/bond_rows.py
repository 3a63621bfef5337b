"""Short strokes in a row: the bars of a hashed bond, and the dashes of a dashed one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from docai.pipelines.drawings.molecule.bond_strokes import Line
from docai.pipelines.drawings.molecule.points import near_pairs, unit_vector
from docai.pipelines.drawings.molecule.types import BondMark
from docai.pipelines.ingest.drawing import Point

_MAX_BAR: Final = 0.62
"""Length of a bar of a hashed bond, in bond lengths, at most."""

_MAX_PITCH: Final = 0.34
"""Distance of neighboring bars or dashes, in bond lengths, at most."""

_MIN_BARS: Final = 3
"""Bars of a hashed bond, at least."""


def find_hash_rows(lines: list[Line], length: float) -> tuple[list[BondMark], list[Line]]:
    """Rows of bars across an axis as hashed bonds, and the lines that are in none."""
    short = [k for k, line in enumerate(lines) if line.length <= _MAX_BAR * length and not line.is_dashed]
    rows = _find_rows([lines[k] for k in short], _MAX_PITCH * length, _follows_across)
    marks, used = [], set()
    for row in rows:
        bars = [lines[short[k]] for k in row]
        if len(bars) < _MIN_BARS or not _is_hash(bars, length):
            continue
        used |= {short[k] for k in row}
        marks.append(_hash_mark(bars))
    return marks, [line for k, line in enumerate(lines) if k not in used]


def find_dash_chains(lines: list[Line], length: float) -> tuple[list[BondMark], list[Line]]:
    """Rows of short strokes along an axis as dashed lines, and the lines with these joined.

    A dashed line is returned among the lines, as it may be one of the two of an aromatic bond.
    """
    short = [k for k, line in enumerate(lines) if line.length <= 0.4 * length and not line.is_dashed]
    chains = _find_rows([lines[k] for k in short], 0.6 * length, _follows_along)
    used: set[int] = set()
    joined = []
    for chain in chains:
        dashes = [lines[short[k]] for k in chain]
        if len(dashes) < 3:
            continue
        used |= {short[k] for k in chain}
        u = unit_vector(dashes[0].middle, dashes[-1].middle)
        points = [end for dash in dashes for end in (dash.p, dash.q)]
        points.sort(key=lambda point: point[0] * u[0] + point[1] * u[1])
        first = dashes[0]
        paths = tuple(dict.fromkeys(index for dash in dashes for index in dash.paths))
        joined.append(
            Line(
                points[0],
                points[-1],
                first.width,
                first.color,
                paths,
                first.order,
                is_dashed=True,
                dash=float(np.median([dash.length for dash in dashes])),
            )
        )
    return [], [line for k, line in enumerate(lines) if k not in used] + joined


def _find_rows(
    lines: Sequence[Line], pitch: float, follows: Callable[[Line, Line], float | None]
) -> list[list[int]]:
    """Chains of lines, each joined to the nearest that follows it on either side of its axis."""
    if len(lines) < 2:
        return []
    middles = np.array([line.middle for line in lines])
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for i, j in near_pairs(middles, pitch).tolist():
        side = follows(lines[i], lines[j])
        if side is None:
            continue
        apart = math.dist(middles[i], middles[j])
        back = follows(lines[j], lines[i])
        if back is None:
            continue
        for k, other, sign in ((i, j, side), (j, i, back)):
            key = (k, 1 if sign > 0 else -1)
            if key not in best or best[key][0] > apart:
                best[key] = (apart, other)
    links = defaultdict(set)
    for (k, _), (_, other) in best.items():
        if any(best.get((other, sign), (0.0, -1))[1] == k for sign in (1, -1)):
            links[k].add(other)
            links[other].add(k)
    rows, seen = [], set()
    for start in range(len(lines)):
        if start in seen or len(links[start]) != 1:
            continue
        row, at = [start], start
        seen.add(start)
        while True:
            onward = [other for other in links[at] if other not in seen]
            if not onward:
                break
            at = onward[0]
            seen.add(at)
            row.append(at)
        rows.append(row)
    return rows


def _follows_across(a: Line, b: Line) -> float | None:
    """Side of bar a, 1 or -1, on which bar b is the next of a row; None where it is none."""
    ua, ub = a.unit(), b.unit()
    slack = max(0.14, 0.25 / max(min(a.length, b.length), 0.25))
    if abs(ua[0] * ub[1] - ua[1] * ub[0]) > min(slack, 0.6):
        return None
    base = ua if a.length >= b.length else ub
    off = (b.middle[0] - a.middle[0], b.middle[1] - a.middle[1])
    across = off[1] * base[0] - off[0] * base[1]
    along = abs(off[0] * base[0] + off[1] * base[1])
    longer, shorter = max(a.length, b.length), min(a.length, b.length)
    if (
        abs(across) < 1e-9
        or along > 0.45 * abs(across) + 0.02 * longer
        or longer > 2.6 * shorter + abs(across)
    ):
        return None
    side = math.copysign(1.0, across)
    return side if ua[0] * base[0] + ua[1] * base[1] > 0 else -side


def _follows_along(a: Line, b: Line) -> float | None:
    """Side of dash a, 1 or -1, on which dash b goes on after a gap; None where it does not."""
    ua, ub = a.unit(), b.unit()
    shorter, longer = sorted((a.length, b.length))
    if abs(ua[0] * ub[1] - ua[1] * ub[0]) > min(max(0.1, 0.25 / max(shorter, 0.25)), 0.5):
        return None
    base = ua if a.length >= b.length else ub
    off = (b.middle[0] - a.middle[0], b.middle[1] - a.middle[1])
    along = off[0] * base[0] + off[1] * base[1]
    across = abs(off[1] * base[0] - off[0] * base[1])
    gap = abs(along) - (a.length + b.length) / 2
    if across > 0.12 * longer + 0.1 * max(a.width, b.width) or not 0.1 * longer < gap < 3 * longer:
        return None
    if longer > 2.5 * shorter:
        return None
    side = math.copysign(1.0, along)
    return side if ua[0] * base[0] + ua[1] * base[1] > 0 else -side


def _is_hash(bars: Sequence[Line], length: float) -> bool:
    """Whether bars in a row are of a hashed bond: even in distance, and in length or its growth."""
    middles = [bar.middle for bar in bars]
    pitches = [math.dist(a, b) for a, b in pairwise(middles)]
    if max(pitches) > 1.9 * min(pitches):
        return False
    lengths = np.array([bar.length for bar in bars])
    pitch = float(np.median(pitches))
    if len(bars) == 3 and lengths.min() > 0.85 * lengths.max() and lengths.max() > 0.35 * length:
        return False
    if lengths.max() < 0.04 * length and pitch < 0.02 * length:
        return False
    at = np.arange(len(bars))
    slope, base = np.polyfit(at, lengths, 1)
    return bool(np.abs(lengths - (base + slope * at)).max() <= 0.25 * lengths.max() + 0.02 * length)


def _hash_mark(bars: list[Line]) -> BondMark:
    """A hashed bond from its bars; it begins where they are shorter."""
    lengths = [bar.length for bar in bars]
    half = len(bars) // 2
    is_even = min(lengths) > 0.85 * max(lengths)
    if not is_even and sum(lengths[:half]) > sum(lengths[-half:]):
        bars = bars[::-1]
    begin, end = bars[0].middle, bars[-1].middle
    pitch = math.dist(begin, end) / (len(bars) - 1)
    u = unit_vector(begin, end)
    paths = tuple(dict.fromkeys(index for bar in bars for index in bar.paths))

    def shifted(point: Point, by: float) -> Point:
        return point[0] + by * u[0], point[1] + by * u[1]

    return BondMark(
        shifted(begin, -0.5 * pitch),
        shifted(end, 0.5 * pitch),
        1,
        "hash",
        paths,
        slack=2.2 * pitch,
        is_even=is_even,
    )
