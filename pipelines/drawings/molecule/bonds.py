"""The lines of a drawing as bonds: pieces joined, pairs and triples, hashes and dashes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.arrows import take_arrows
from docai.pipelines.drawings.molecule.bond_rows import find_dash_chains, find_hash_rows
from docai.pipelines.drawings.molecule.bond_strokes import Line, Strokes
from docai.pipelines.drawings.molecule.points import halfway, near_pairs, unit_vector
from docai.pipelines.drawings.molecule.types import BondMark, BondStyle

_PARALLEL: Final = math.sin(math.radians(7))
"""Sine of the largest angle between lines of one multiple bond."""

_MAX_GAP: Final = 0.36
"""Largest distance of neighboring lines of a multiple bond, in bond lengths."""

_MIN_WEDGE: Final = 0.2
"""Length of what is seen of a wedge, in bond lengths, at least."""

_MAX_RAYS: Final = 2_000_000
"""Ends of lines times letters up to which it is looked which letters lines point at."""

_CROSSED: Final = math.sin(math.radians(40))
"""Sine of the largest angle between the two lines of a crossed double bond."""

_BOLD: Final = 2.2
"""Width of a bold bond in widths of the usual line, at least."""


@dataclass(slots=True, eq=False)
class Bonds:
    """The bonds of a drawing."""

    marks: list[BondMark] = field(default_factory=list)
    length: float = 0.0
    """Of most bonds, points; 0 where there are none."""
    width: float = 0.0
    """Of most lines, points."""


def read_bonds(strokes: Strokes, letters: Sequence[Letter]) -> Bonds:
    """The bonds that lines, tapers and waves make, each with the axes that it may have.

    ``letters`` give the scale where all atoms are written and no bonds meet.
    """
    lines = _drop_repeated(strokes)
    lines = _join_pieces(lines, None)
    length = _bond_length(lines, strokes, letters)
    if length <= 0:
        return Bonds()
    lines = _join_pieces(lines, length)
    width = float(np.median([line.width for line in lines])) if lines else 0.0
    rows, lines = find_hash_rows(lines, length)
    chains, lines = find_dash_chains(lines, length)
    arrows, lines = take_arrows(strokes, lines, length)
    marks = arrows + rows + chains
    marks += _tapered(strokes, length)
    for wave in strokes.waves:
        if math.dist(wave.p, wave.q) > 0.3 * length:
            marks.append(BondMark(wave.p, wave.q, 1, "wavy", wave.paths))
    marks += _group_lines(lines, length, width)
    return Bonds(marks, length, width)


# Lines drawn twice, or in pieces.


def _drop_repeated(strokes: Strokes) -> list[Line]:
    """Leave out lines that lie within another one, and broad ones under finer ones of another color.

    The broad ones are noted in ``strokes`` as backgrounds.
    """
    lines = [line for line in strokes.lines if line.length > 0]
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


def _ends(lines: Sequence[Line]) -> NDArray[np.float64]:
    """Ends of lines, (2n, 2): p of line k at 2k, q at 2k + 1."""
    return np.array([end for line in lines for end in (line.p, line.q)], float).reshape(-1, 2)


def _join_pieces(lines: list[Line], length: float | None) -> list[Line]:
    """Join lines that go on straight where nothing else ends: halves of a bond in two colors.

    Pieces of one color are joined only where the bond length is known and together they are no longer.
    """
    if len(lines) < 2:
        return lines
    ends = _ends(lines)
    typical = float(np.median([line.length for line in lines]))
    width = float(np.median([line.width for line in lines]))
    tolerance = max(0.5 * width, 0.03 * typical)
    around = defaultdict(list)
    reach = max(tolerance, 0.25 * (length or 0.0))
    for i, j in near_pairs(ends, reach).tolist():
        around[i].append(j)
        around[j].append(i)
    merged: dict[int, Line] = dict(enumerate(lines))
    at = {end: (end // 2, end % 2) for end in range(len(ends))}
    done: set[int] = set()
    for end in range(len(ends)):
        if end in done:
            continue
        touching = [other for other in around[end] if math.dist(ends[end], ends[other]) <= tolerance]
        if len(touching) != 1:
            continue
        other = touching[0]
        (i, side_i), (j, side_j) = at[end], at[other]
        if i == j:
            continue
        a, b = merged[i], merged[j]
        away_a, near_a = (a.q, a.p) if side_i == 0 else (a.p, a.q)
        near_b, away_b = (b.p, b.q) if side_j == 0 else (b.q, b.p)
        ua, ub = unit_vector(away_a, near_a), unit_vector(near_b, away_b)
        bend = abs(ua[0] * ub[1] - ua[1] * ub[0])
        slack = 0.035 + 0.15 / max(min(a.length, b.length), 0.15)
        if ua[0] * ub[0] + ua[1] * ub[1] < 0.9 or bend > slack:
            continue
        if not 0.5 < (a.width + 1e-6) / (b.width + 1e-6) < 2 or a.is_dashed != b.is_dashed:
            continue
        total = math.dist(away_a, away_b)
        same_color = lines[end // 2].color == lines[other // 2].color
        if length is None:
            if same_color or max(a.length, b.length) > 4 * min(a.length, b.length):
                continue
        elif total > 1.25 * length or (same_color and len(around[end]) > 1):
            continue
        joined = replace(a, p=away_a, q=away_b, paths=tuple(dict.fromkeys(a.paths + b.paths)))
        far_i, far_j = _end_index(at, i, 1 - side_i), _end_index(at, j, 1 - side_j)
        merged[i] = joined
        del merged[j]
        done |= {end, other}
        at[end] = at[other] = (-1, 0)
        at[far_i], at[far_j] = (i, 0), (i, 1)
    return [merged[index] for index in sorted(merged)]


def _end_index(at: dict[int, tuple[int, int]], line: int, side: int) -> int:
    """Which of the first ends is now that end of a line that was joined."""
    return next(end for end, place in at.items() if place == (line, side))


def _bond_length(lines: Sequence[Line], strokes: Strokes, letters: Sequence[Letter]) -> float:
    """Length of most bonds: of lines that meet others or letters at their ends, where there are any."""
    tapers = [Line(t.narrow, t.wide, 0.0, t.color, t.paths, t.order) for t in strokes.tapers]
    candidates = [*lines, *tapers]
    if not candidates:
        return max((math.dist(wave.p, wave.q) for wave in strokes.waves), default=0.0)
    lengths = np.array([line.length for line in candidates])
    typical = float(np.median(lengths))
    ends = _ends(candidates)
    touched = np.zeros(len(ends), bool)
    widths = np.array([line.width for line in candidates])
    for i, j in near_pairs(ends, max(0.15 * typical, float(np.median(widths)))).tolist():
        a, b = i // 2, j // 2
        if a == b:
            continue
        limit = max(0.6 * max(widths[a], widths[b]), 0.06 * min(lengths[a], lengths[b]))
        if math.dist(ends[i], ends[j]) <= limit:
            touched[i] = touched[j] = True
    hidden = _hidden_lengths(ends, touched, lengths, letters)
    known = touched | (hidden > 0)
    full = lengths + hidden.reshape(-1, 2).sum(axis=1)
    weights = known.reshape(-1, 2).sum(axis=1) ** 2 * lengths
    if not weights.any():
        return float(lengths.max())
    order = np.argsort(full)
    heavy = np.cumsum(weights[order])
    return float(full[order][np.searchsorted(heavy, heavy[-1] / 2)])


def _hidden_lengths(
    ends: NDArray[np.float64],
    touched: NDArray[np.bool_],
    lengths: NDArray[np.float64],
    letters: Sequence[Letter],
) -> NDArray[np.float64]:
    """For each end how far from it the middle of the letter is that the line points at; 0 for none."""
    hidden = np.zeros(len(ends))
    if not letters or len(ends) * len(letters) > _MAX_RAYS:
        return hidden
    boxes = np.array([letter.bbox for letter in letters])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    radii = np.array([0.5 * letter.size for letter in letters])
    others = ends.reshape(-1, 2, 2)[:, ::-1].reshape(-1, 2)
    out = (ends - others) / lengths.repeat(2)[:, None]
    off = middles[None] - ends[:, None]
    along = (off * out[:, None]).sum(axis=2)
    across = np.abs(off[..., 0] * out[:, None, 1] - off[..., 1] * out[:, None, 0])
    meets = (across <= radii) & (along > 0) & (along <= radii * 1.6 + 0.5 * lengths.repeat(2)[:, None])
    nearest = np.where(meets, along, np.inf).min(axis=1)
    return np.where(np.isfinite(nearest) & ~touched, nearest, 0.0)


def _tapered(strokes: Strokes, length: float) -> list[BondMark]:
    """Wedges; pieces of a wedge in two colors are joined."""
    pieces = list(strokes.tapers)
    changed = True
    while changed:
        changed = False
        for i, a in enumerate(pieces):
            for j, b in enumerate(pieces):
                if i == j:
                    continue
                ua, ub = unit_vector(a.narrow, a.wide), unit_vector(b.narrow, b.wide)
                near = math.dist(a.wide, b.narrow) <= 0.08 * length
                if near and ua[0] * ub[0] + ua[1] * ub[1] > 0.98 and b.narrow_width > 0.5 * a.wide_width:
                    paths = tuple(dict.fromkeys(a.paths + b.paths))
                    pieces[i] = replace(a, wide=b.wide, wide_width=b.wide_width, paths=paths)
                    del pieces[j]
                    changed = True
                    break
            if changed:
                break
    return [
        BondMark(taper.narrow, taper.wide, 1, "wedge", taper.paths)
        for taper in pieces
        if taper.length > _MIN_WEDGE * length and taper.wide_width < 0.6 * length
    ]


# Multiple bonds.


def _group_lines(lines: list[Line], length: float, width: float) -> list[BondMark]:
    """Single lines as bonds, and pairs and triples of lines beside each other as one."""
    lines = [line for line in lines if line.length > 0.08 * length]
    n = len(lines)
    links: dict[int, list[tuple[float, int]]] = defaultdict(list)
    crossed: list[tuple[int, int]] = []
    middles = np.array([line.middle for line in lines]).reshape(-1, 2)
    for i, j in near_pairs(middles, 0.8 * length).tolist():
        gap = _gap(lines[i], lines[j], length)
        if gap is not None:
            links[i].append((gap, j))
            links[j].append((gap, i))
        elif _is_crossed(lines[i], lines[j], length):
            crossed.append((i, j))
    used: set[int] = set()
    marks: list[BondMark] = []
    for i, j in crossed:
        if i in used or j in used:
            continue
        used |= {i, j}
        marks.append(_crossed_mark(lines[i], lines[j]))
    for group in _split_groups(lines, links, used, length):
        marks.append(_multiple([lines[k] for k in group], width))
    return (
        marks + [_single(line, length, width) for k, line in enumerate(lines) if k not in used]
        if n
        else marks
    )


def _single(line: Line, length: float, width: float) -> BondMark:
    style: BondStyle = "plain"
    if line.is_dashed:
        is_row = line.width > 0.1 * length and line.dash < line.width
        style = "hash" if is_row else "dashed"
    elif line.width > _BOLD * width and line.width > 0.07 * length:
        style = "bold"
    return BondMark(line.p, line.q, 1, style, line.paths)


def _gap(a: Line, b: Line, length: float) -> float | None:
    """Distance of two lines that may be of one multiple bond; None of others."""
    if a.length < b.length:
        a, b = b, a
    if b.length < 0.3 * a.length or a.length > 2.2 * length:
        return None
    ua, ub = a.unit(), b.unit()
    if abs(ua[0] * ub[1] - ua[1] * ub[0]) > max(_PARALLEL, 0.25 / max(b.length, 0.25)):
        return None
    middle = b.middle
    off = (middle[0] - a.p[0], middle[1] - a.p[1])
    gap = abs(off[1] * ua[0] - off[0] * ua[1])
    if not max(0.35 * (a.width + b.width), 0.02 * length) <= gap <= _MAX_GAP * length:
        return None
    ends = sorted((x - a.p[0]) * ua[0] + (y - a.p[1]) * ua[1] for x, y in (b.p, b.q))
    overlap = min(ends[1], a.length) - max(ends[0], 0.0)
    return gap if overlap >= 0.6 * b.length and overlap >= 0.8 * gap else None


def _is_crossed(a: Line, b: Line, length: float) -> bool:
    ua, ub = a.unit(), b.unit()
    sine = abs(ua[0] * ub[1] - ua[1] * ub[0])
    if not math.sin(math.radians(5)) < sine < _CROSSED or not 0.8 < a.length / b.length < 1.25:
        return False
    spread = 0.5 * sine * min(a.length, b.length)
    return math.dist(a.middle, b.middle) < 0.12 * length and spread < _MAX_GAP * length


def _crossed_mark(a: Line, b: Line) -> BondMark:
    flip = a.unit()[0] * b.unit()[0] + a.unit()[1] * b.unit()[1] < 0
    p, q = (b.q, b.p) if flip else (b.p, b.q)
    begin, end = halfway(a.p, p), halfway(a.q, q)
    return BondMark(begin, end, 2, "plain", (*a.paths, *b.paths), is_crossed=True)


def _split_groups(
    lines: Sequence[Line], links: dict[int, list[tuple[float, int]]], used: set[int], length: float
) -> list[list[int]]:
    """Groups of two or three lines of one bond; the lines are added to ``used``."""
    pairs = sorted((gap, i, j) for i, near in links.items() for gap, j in near if i < j)
    groups = []
    gaps = {(min(i, j), max(i, j)): gap for gap, i, j in pairs}
    for gap, i, j in pairs:
        if i in used or j in used:
            continue
        group = [i, j]
        thirds = sorted(
            (other_gap, k)
            for member in (i, j)
            for other_gap, k in links[member]
            if k not in used and k not in group and other_gap < 1.45 * gap + 0.01 * length
        )
        for _, k in thirds:
            spread = sorted(_offset(lines[i], lines[m]) for m in (i, j, k))
            first, second = spread[1] - spread[0], spread[2] - spread[1]
            if min(first, second) > 0.6 * max(first, second):
                group.append(k)
                break
        used |= set(group)
        groups.append(group)
    del gaps
    return groups


def _offset(base: Line, line: Line) -> float:
    """Signed distance of a line's middle from the axis of another."""
    u = base.unit()
    x, y = line.middle[0] - base.p[0], line.middle[1] - base.p[1]
    return y * u[0] - x * u[1]


def _multiple(group: list[Line], width: float) -> BondMark:
    """Two or three lines as one bond, with the axes that it may have."""
    longest = max(group, key=lambda line: line.length)
    u = longest.unit()
    aligned = [
        (line.p, line.q)
        if (line.q[0] - line.p[0]) * u[0] + (line.q[1] - line.p[1]) * u[1] > 0
        else (line.q, line.p)
        for line in group
    ]
    group_sorted = sorted(
        zip((_offset(longest, line) for line in group), aligned, group, strict=True), key=lambda x: x[0]
    )
    paths = tuple(dict.fromkeys(index for line in group for index in line.paths))
    if len(group) == 3:
        p, q = group_sorted[1][1]
        return BondMark(p, q, 3, "plain", paths)
    (_, (p0, q0), first), (_, (p1, q1), second) = group_sorted
    dashed = [first.is_dashed, second.is_dashed]
    middle = (halfway(p0, p1), halfway(q0, q1))
    axes = [middle, (p0, q0), (p1, q1)]
    if sum(dashed) == 1:
        p, q = (p0, q0) if dashed[1] else (p1, q1)
        return BondMark(p, q, 1, "plain", paths, in_circle=True, axes=[(p, q), middle])
    ratio = min(first.length, second.length) / max(first.length, second.length)
    if ratio < 0.93:
        axes = [axes[1 + (second.length > first.length)], axes[0], axes[1 + (first.length > second.length)]]
    begin, end = axes[0]
    return BondMark(begin, end, 2, "plain", paths, axes=axes)
