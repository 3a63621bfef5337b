"""Bonds drawn as dashed lines, as older programs draw those that point away from the reader."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.tracing.molecule.segments import Piece

Vector = NDArray[np.float64]

_MAX_DASH: Final = 0.3
"""Length of a dash in bond lengths, at most."""

_MIN_DASHES: Final = 3
"""Dashes of a bond, at least."""

_SPAN: Final = (0.35, 1.3)
"""Length of a dashed bond in bond lengths."""

_MAX_GAP: Final = 0.22
"""Distance of neighboring dashes in bond lengths, at most."""

_OFF_AXIS: Final = 0.6
"""Distance of a dash from the axis of the first one in stroke widths, at most."""

_BESIDE: Final = 0.3
"""Distance of a line beside in bond lengths up to which the dashed one is of a double bond."""

_IN_LINE: Final = 0.94
"""Cosine of the angle between a short piece and the row of bars that goes on from it, at least."""

_TURNED: Final = 0.5
"""Cosine of the angle between a bar and its row, at most."""

_BAR: Final = 0.18
"""Length of the bars that stand for the dashes, in bond lengths."""


def dashes_as_bars(bars: list[Vector], pieces: list[Piece], bond: float, width: float) -> list[Vector]:
    """Bars, with those in a row along one axis turned across it: a hashed bond in the common style.

    Args:
        bars: closed quadrangles, pixels.
        pieces: of the line work; a dashed line beside one of them is left as it is.
        bond: length of the usual bond, pixels.
        width: of the usual stroke, pixels.
    """
    axes = [_axis(bar) for bar in bars]
    short = [k for k, (_, _, length, _) in enumerate(axes) if 1.2 * width < length <= _MAX_DASH * bond]
    rows: list[list[int]] = []
    left = set(short)
    for start in short:
        if start not in left:
            continue
        middle, unit, _, _ = axes[start]
        normal = np.array([-unit[1], unit[0]])
        row = [
            k
            for k in left
            if abs(float((axes[k][0] - middle) @ normal)) <= _OFF_AXIS * width
            and abs(float(axes[k][1] @ normal)) < 0.2
        ]
        row.sort(key=lambda k: float((axes[k][0] - middle) @ unit))
        for run in _runs(row, [axes[k] for k in row], unit, bond):
            if len(run) >= _MIN_DASHES:
                rows.append(run)
                left -= set(run)
    others = [(piece.begin, piece.end) for piece in pieces]
    others += [(m - u * length / 2, m + u * length / 2) for m, u, length, _ in axes if length > 0.4 * bond]
    turned: dict[int, Vector] = {}
    for row in rows:
        first, last = axes[row[0]], axes[row[-1]]
        span = float(np.hypot(*(last[0] - first[0]))) + first[2]
        if _SPAN[0] * bond <= span <= _SPAN[1] * bond and not _has_beside(first[0], last[0], others, bond):
            turned |= {k: _across(*axes[k][:2], bond, axes[k][3]) for k in row}
    return [turned.get(k, bar) for k, bar in enumerate(bars)]


def stubs_as_bars(
    bars: list[Vector], pieces: list[Piece], bond: float, width: float
) -> tuple[list[Vector], list[Piece]]:
    """Bars with those that the ends of dashed bonds are, and the other pieces.

    The first and the last dash of a bond hang on the bonds that meet there, and are pieces as short as a
    dash: a row of bars goes on where such a piece ends.

    Args:
        bars: closed quadrangles across their bonds, pixels.
        pieces: of the line work.
        bond: length of the usual bond, pixels.
        width: of the usual stroke, pixels.
    """
    axes = [_axis(bar) for bar in bars]
    stubs, made = [], []
    for piece in pieces:
        if piece.length > _MAX_DASH * bond:
            continue
        joined = [
            any(_ends_at(other, end, width) for other in pieces if other is not piece)
            for end in (piece.begin, piece.end)
        ]
        if joined[0] != joined[1]:
            outer, free = (piece.begin, piece.end) if joined[0] else (piece.end, piece.begin)
            bar = _next_bar(outer, free, axes, bond, width)
            if bar is not None:
                stubs.append(piece)
                # Off the atom, where it would touch other bonds.
                made.append(bars[bar] + 0.25 * outer + 0.75 * free - axes[bar][0])
    return bars + made, [piece for piece in pieces if piece not in stubs]


def _next_bar(
    outer: Vector, free: Vector, axes: list[tuple[Vector, Vector, float, float]], bond: float, width: float
) -> int | None:
    """The first bar of an even row that lies on the line of a piece, beyond its free end."""
    middle = (outer + free) / 2
    unit = (free - outer) / max(float(np.hypot(*(free - outer))), 1e-9)
    for index, (first, direction, _, _) in enumerate(axes):
        step = first - middle
        pitch = float(np.hypot(*step))
        if not 0 < pitch <= (_MAX_GAP + _MAX_DASH) * bond or float(step @ unit) < _IN_LINE * pitch:
            continue
        # A short piece says little of the direction: the bars do.
        at, unit_of_row, n_bars = first, step / pitch, 1
        while abs(float(direction @ unit_of_row)) <= _TURNED:
            ahead = [
                other[0]
                for other in axes
                if 0.7 * pitch <= float((other[0] - at) @ unit_of_row) <= 1.4 * pitch
                and _off(other[0] - middle, unit_of_row) <= width
                and abs(float(other[1] @ unit_of_row)) <= _TURNED
            ]
            if not ahead:
                break
            at, n_bars = min(ahead, key=lambda place: float(np.hypot(*(place - at)))), n_bars + 1
        if n_bars >= _MIN_DASHES:
            return index
    return None


def _off(step: Vector, unit: Vector) -> float:
    return abs(float(step[0] * unit[1] - step[1] * unit[0]))


def _ends_at(piece: Piece, at: Vector, width: float) -> bool:
    return any(float(np.hypot(*(end - at))) <= width for end in (piece.begin, piece.end))


def _axis(bar: Vector) -> tuple[Vector, Vector, float, float]:
    """Middle, direction, length and width of a bar."""
    first, second = bar[1] - bar[0], bar[2] - bar[1]
    sides = sorted((first, second), key=lambda side: -float(np.hypot(*side)))
    length = max(float(np.hypot(*sides[0])), 1e-9)
    return bar[:4].mean(axis=0), sides[0] / length, length, float(np.hypot(*sides[1]))


def _runs(
    row: list[int], axes: list[tuple[Vector, Vector, float, float]], unit: Vector, bond: float
) -> list[list[int]]:
    """A row cut where dashes are farther from each other than those of one bond."""
    runs: list[list[int]] = []
    for index, k in enumerate(row):
        if index:
            (before, _, length, _), (middle, _, own, _) = axes[index - 1], axes[index]
            gap = float((middle - before) @ unit) - (length + own) / 2
            if 0 < gap <= _MAX_GAP * bond and 0.4 < own / length < 2.5:
                runs[-1].append(k)
                continue
        runs.append([k])
    return runs


def _has_beside(p: Vector, q: Vector, others: list[tuple[Vector, Vector]], bond: float) -> bool:
    unit = (q - p) / max(float(np.hypot(*(q - p))), 1e-9)
    normal = np.array([-unit[1], unit[0]])
    middle = (p + q) / 2
    for a, b in others:
        length = max(float(np.hypot(*(b - a))), 1e-9)
        off = (a + b) / 2 - middle
        is_parallel = abs(float((b - a) @ normal)) < 0.2 * length
        is_near = abs(float(off @ normal)) < _BESIDE * bond and abs(float(off @ unit)) < 0.5 * length
        if is_parallel and is_near:
            return True
    return False


def _across(middle: Vector, unit: Vector, bond: float, width: float) -> Vector:
    normal = np.array([-unit[1], unit[0]]) * _BAR * bond / 2
    half = unit * width / 2
    corners = [middle - normal - half, middle + normal - half, middle + normal + half, middle - normal + half]
    return np.array([*corners, corners[0]])
