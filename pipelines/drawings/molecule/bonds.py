"""The lines of a drawing as bonds: pieces joined, pairs and triples, hashes and dashes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.arrows import take_arrows
from docai.pipelines.drawings.molecule.bond_pieces import drop_repeated, join_pieces, split_at_atoms
from docai.pipelines.drawings.molecule.bond_rows import find_dash_chains, find_hash_rows
from docai.pipelines.drawings.molecule.bond_scale import bond_length
from docai.pipelines.drawings.molecule.bond_strokes import Line, Strokes, Taper
from docai.pipelines.drawings.molecule.joints import gap_before
from docai.pipelines.drawings.molecule.points import halfway, near_pairs, unit_vector
from docai.pipelines.drawings.molecule.types import BondMark, BondStyle

_PARALLEL: Final = math.sin(math.radians(7))
"""Sine of the largest angle between lines of one multiple bond."""

_MAX_GAP: Final = 0.36
"""Largest distance of neighboring lines of a multiple bond, in bond lengths."""

_BROAD_PIECE: Final = 1.6
"""Width of a piece of a wedge that hardly widens, in widths of the usual line, at least."""

_MIN_SEEN: Final = 0.08
"""Length of what is seen of a bond that does not stand between letters, in bond lengths, at least."""

_MIN_WEDGE: Final = 0.2
"""Length of what is seen of a wedge, in bond lengths, at least."""

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
    lines = join_pieces(drop_repeated(strokes), strokes)
    length = bond_length(lines, strokes, letters)
    if length <= 0:
        return Bonds()
    lines = split_at_atoms(lines, length)
    width = float(np.median([line.width for line in lines])) if lines else 0.0
    rows, lines = find_hash_rows(lines, length)
    chains, lines = find_dash_chains(lines, length)
    arrows, lines = take_arrows(strokes, lines, length)
    marks = arrows + rows + chains
    wedges, lines = _tapered(strokes, lines, length, width)
    marks += wedges
    for wave in strokes.waves:
        if math.dist(wave.p, wave.q) > 0.3 * length:
            marks.append(BondMark(wave.p, wave.q, 1, "wavy", wave.paths))
    marks += _group_lines(lines, letters, length, width)
    return Bonds(marks, length, width)


def _tapered(
    strokes: Strokes, lines: list[Line], length: float, width: float
) -> tuple[list[BondMark], list[Line]]:
    """Wedges, whose pieces in two colors are joined, and the lines that are no piece of one."""
    broad = [
        Taper(p, q, line.width, line.width, line.color, line.paths, line.order)
        for line in lines
        if line.width > _BROAD_PIECE * width
        for p, q in ((line.p, line.q), (line.q, line.p))
    ]
    pieces = list(strokes.tapers)
    used: set[int] = set()
    changed = True
    while changed:
        changed = False
        for i, a in enumerate(pieces):
            b = next((b for b in (*pieces, *broad) if b is not a and _goes_on_wider(a, b, length)), None)
            if b is None:
                continue
            paths = tuple(dict.fromkeys(a.paths + b.paths))
            pieces[i] = replace(a, wide=b.wide, wide_width=b.wide_width, paths=paths)
            used |= set(b.paths)
            pieces = [piece for piece in pieces if piece is not b]
            broad = [piece for piece in broad if used.isdisjoint(piece.paths)]
            changed = True
            break
    wedges = [
        BondMark(taper.narrow, taper.wide, 1, "wedge", taper.paths)
        for taper in pieces
        if taper.length > _MIN_WEDGE * length and taper.wide_width < 0.6 * length
    ]
    return wedges, [
        line for line in lines if used.isdisjoint(line.paths) or line.width <= _BROAD_PIECE * width
    ]


def _goes_on_wider(a: Taper, b: Taper, length: float) -> bool:
    """Whether a piece of a wedge goes on where another one ends, with the width that that has there."""
    ua, ub = unit_vector(a.narrow, a.wide), unit_vector(b.narrow, b.wide)
    is_near = math.dist(a.wide, b.narrow) <= 0.12 * length
    return is_near and ua[0] * ub[0] + ua[1] * ub[1] > 0.93 and b.narrow_width > 0.5 * a.wide_width


# Multiple bonds.


def _group_lines(lines: list[Line], letters: Sequence[Letter], length: float, width: float) -> list[BondMark]:
    """Single lines as bonds, and pairs and triples of lines beside each other as one."""
    lines = [line for line in lines if line.length > _MIN_SEEN * length or _is_between(line, letters, length)]
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


def _is_between(line: Line, letters: Sequence[Letter], length: float) -> bool:
    """Whether a stroke points at a letter at either end: what large letters leave of a bond."""
    if line.length < 0.01 * length:
        return False
    mark = BondMark(line.p, line.q, 1)
    return all(
        any(gap_before(letter, mark, side, length) is not None for letter in letters) for side in (0, 1)
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
