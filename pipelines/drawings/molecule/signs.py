"""Charges that are drawn with strokes: plus and minus signs, also in circles, as letters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Final

import numpy as np

from docai.geometry import BBox
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.bond_strokes import Line, Strokes
from docai.pipelines.drawings.molecule.polygons import polygon_corners
from docai.pipelines.ingest.drawing import Drawing, Point

_SIGN_LENGTH: Final = (0.1, 0.85)
"""Shortest and longest stroke of a sign, ems of the letters."""

_MAX_PLUS: Final = 1.5
"""Longest stroke of a plus between structures, ems."""

_SIDE_GAP: Final = (-0.2, 0.75)
"""Ems between a letter and the minus sign beside it."""

_RAISED: Final = 0.4
"""How far below the top of its letter a minus sign may be, in heights of the letter."""

_CIRCLE_RADIUS: Final = (0.12, 0.6)
"""Radius of a circle around a sign, ems."""

_LINE_LETTERS: Final = frozenset("_¯‾ˉ")

_MAX_LINES: Final = 2_000
"""Short lines up to which signs are looked for."""


def take_signs(drawing: Drawing, strokes: Strokes, letters: Sequence[Letter]) -> list[Letter]:
    """The signs among strokes, which are taken out of them."""
    if not letters:
        return []
    sizes = [letter.size for letter in letters if letter.size > 0]
    if not sizes:
        return []
    size, largest = median(sizes), max(sizes)
    signs = _plus_outlines(drawing, strokes, largest)
    short = [
        line for line in strokes.lines if line.length <= _SIGN_LENGTH[1] * largest and not line.is_dashed
    ]
    if len(short) > _MAX_LINES:
        return signs
    level = [line for line in short if abs(line.unit()[1]) < 0.08]
    upright = [line for line in short if abs(line.unit()[0]) < 0.08]
    boxes = np.array([letter.bbox for letter in letters], float)
    used: set[int] = set()
    for pair in _large_pluses(strokes, largest):
        used |= {id(line) for line in pair}
        signs.append(_letter("+", pair, 1.2 * pair[0].length, strokes))
    for line in level:
        partner = next((other for other in upright if _makes_plus(line, other)), None)
        if partner is not None:
            used |= {id(line), id(partner)}
            signs.append(_letter("+", (line, partner), max(size, 1.2 * line.length), strokes))
            continue
        (x, y), reach = line.middle, largest
        near = (boxes[:, 0] - reach < x) & (x < boxes[:, 2] + reach)
        near &= (boxes[:, 1] - reach < y) & (y < boxes[:, 3] + reach)
        host = _host(line, [letters[index] for index in np.flatnonzero(near).tolist()], strokes)
        if host is not None:
            used.add(id(line))
            signs.append(_letter("−", (line,), host.size, strokes))
    strokes.lines = [line for line in strokes.lines if id(line) not in used]
    return signs


def plain_signs(letters: Sequence[Letter]) -> list[Letter]:
    """Letters where each low or high line, which some programs raise or lower to be a charge, is a minus."""
    return [replace(letter, text="−") if letter.text in _LINE_LETTERS else letter for letter in letters]


def _plus_outlines(drawing: Drawing, strokes: Strokes, size: float) -> list[Letter]:
    signs = []
    left = []
    for index, box in strokes.others:
        path = drawing.paths[index]
        x0, y0, x1, y1 = path.bbox
        width, height = x1 - x0, y1 - y0
        is_small = 0 < max(width, height) <= 2 * size and abs(width - height) < 0.15 * max(width, height)
        if is_small and len(path.subpaths) == 1 and _is_plus(path.subpaths[0].points):
            signs.append(Letter("+", path.bbox, size, y1, path.order, paths=(index,)))
        else:
            left.append((index, box))
    strokes.others = left
    return signs


def _is_plus(points: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> bool:
    """Whether a polygon is an upright cross with arms of one length."""
    if not 12 <= len(points) <= 40:
        return False
    corners = polygon_corners(points[:-1] if (points[0] == points[-1]).all() else points)
    if len(corners) != 12:
        return False
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    reach = float(np.ptp(corners, axis=0).max()) / 2
    inner = np.abs(corners - middle).min(axis=1)
    outer = np.abs(corners - middle).max(axis=1)
    return bool(inner.max() < 0.5 * reach and (np.sort(outer)[4:] > 0.85 * reach).all())


def _makes_plus(level: Line, upright: Line) -> bool:
    length = max(level.length, upright.length)
    return (
        math.dist(level.middle, upright.middle) < 0.15 * length
        and min(level.length, upright.length) > 0.7 * length
    )


def _large_pluses(strokes: Strokes, size: float) -> list[tuple[Line, Line]]:
    """Pairs of lines that cross in their middles and touch nothing else: signs between structures may be
    larger than those of charges."""
    low, high = (factor * size for factor in (_SIGN_LENGTH[1], _MAX_PLUS))
    lines = [line for line in strokes.lines if low < line.length <= high and not line.is_dashed]
    upright = [line for line in lines if abs(line.unit()[0]) < 0.08]
    level = [line for line in lines if abs(line.unit()[1]) < 0.08] if len(upright) <= _MAX_LINES else []
    return [
        (line, partner)
        for line in level[:_MAX_LINES]
        for partner in [next((other for other in upright if _makes_plus(line, other)), None)]
        if partner is not None
        and not any(_meets(end, strokes.lines, line) for end in (*_ends(line), *_ends(partner)))
    ]


def _ends(line: Line) -> tuple[Point, Point]:
    return line.p, line.q


def _meets(end: Point, lines: Sequence[Line], line: Line) -> bool:
    """Whether other lines end where an arm of a sign does."""
    near = 0.05 * line.length
    return sum(math.dist(end, other) < near for one in lines for other in _ends(one)) > 1


def _host(line: Line, letters: Sequence[Letter], strokes: Strokes) -> Letter | None:
    """The letter whose charge a level line is; None of a line that is no minus sign."""
    x, y = line.middle
    half = line.length / 2
    near = [
        letter
        for letter in letters
        if letter.text[:1].isalnum()
        and letter.size > 0
        and letter.bbox[1] - 0.5 * letter.size <= y <= letter.bbox[3]
        and _SIGN_LENGTH[0] * letter.size <= line.length <= _SIGN_LENGTH[1] * letter.size
    ]
    left = [letter for letter in near if _is_beside(x - half - letter.bbox[2], letter)]
    right = [letter for letter in near if _is_beside(letter.bbox[0] - x - half, letter)]
    beside = [*left, *right]
    if not beside:
        return None
    if any(
        not circle.is_filled
        and line.length < 2 * circle.radius < 2 * _CIRCLE_RADIUS[1] * beside[0].size
        and math.dist(circle.center, line.middle) < 0.3 * circle.radius
        for circle in strokes.circles
    ):
        return beside[0]
    if any(y > letter.bbox[1] for letter in left) and any(y > letter.bbox[1] for letter in right):
        return None
    host = next((letter for letter in beside if y <= letter.bbox[1] + _RAISED * _height(letter)), None)
    if host is None:
        return None
    reach = host.size + line.length
    for other in strokes.lines:
        half_x, half_y = abs(other.q[0] - other.p[0]) / 2, abs(other.q[1] - other.p[1]) / 2
        far_x = abs(other.middle[0] - x) > reach + half_x
        if other is line or far_x or abs(other.middle[1] - y) > reach + half_y:
            continue
        if _disturbs(line, other, host.size):
            return None
    return host


def _is_beside(gap: float, letter: Letter) -> bool:
    return _SIDE_GAP[0] * letter.size <= gap <= _SIDE_GAP[1] * letter.size


def _height(letter: Letter) -> float:
    return letter.bbox[3] - letter.bbox[1]


def _disturbs(line: Line, other: Line, size: float) -> bool:
    """Whether a line is of a row or a pair with another, or meets it at an end."""
    u, v = line.unit(), other.unit()
    is_parallel = abs(u[0] * v[1] - u[1] * v[0]) < 0.2
    if is_parallel and math.dist(line.middle, other.middle) < 0.7 * size and other.length < 2 * line.length:
        return True
    ends: tuple[Point, ...] = (line.p, line.q)
    return any(math.dist(a, b) < 0.05 * size for a in ends for b in (other.p, other.q))


def _letter(text: str, lines: tuple[Line, ...], size: float, strokes: Strokes) -> Letter:
    points = [end for line in lines for end in (line.p, line.q)]
    half = max(line.width for line in lines) / 2
    box: BBox = (
        min(x for x, _ in points),
        min(y for _, y in points) - half,
        max(x for x, _ in points),
        max(y for _, y in points) + half,
    )
    middle = lines[0].middle
    rings = [
        circle
        for circle in strokes.circles
        if circle.radius < _CIRCLE_RADIUS[1] * size and math.dist(circle.center, middle) < 0.3 * circle.radius
    ]
    strokes.circles = [circle for circle in strokes.circles if circle not in rings]
    paths = [index for line in lines for index in line.paths]
    paths += [index for circle in rings for index in circle.paths]
    order = max(line.order for line in lines)
    return Letter(text, box, size, box[3], order, paths=tuple(dict.fromkeys(paths)))
