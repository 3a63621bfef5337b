"""Rows of bars, which are hashed bonds: dots that go on one, and bars that pixels have turned.

At the narrow end of a hashed bond bars are as short as wide, so that they are dots, or their direction says
nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.tracing.molecule.candidates import Candidate

Vector = NDArray[np.float64]

_MAX_SIDE: Final = 2.6
"""Larger side of a dot in stroke widths, at most."""

_PITCH: Final = (0.6, 1.6)
"""Distance of a dot from the last bar of a row over that of the last two."""

_ALONG: Final = 0.93
"""Cosine of the angle by which a dot may lie off the row, at least."""

_PARALLEL: Final = 0.25
"""Sine of the angle between the bars of a row, at most."""

_ACROSS: Final = 0.35
"""Cosine of the angle between a bar and its row, at most."""

_MAX_GAP: Final = 5.0
"""Distance of neighbors in a row in stroke widths, at most."""


_MIN_ROW: Final = 4
"""Bars of a row that is leveled, at least."""

_OFF_ROW: Final = 0.5
"""Distance of the middle of a bar from the axis of its row in stroke widths, at most."""

_SHORT: Final = 2.6
"""Length of a bar in stroke widths up to which its direction does not matter."""

_TURNED: Final = 0.55
"""Cosine of the angle between a longer bar and the axis of its row, at most."""

_SHAPE: Final = 0.85
"""Thickness of a leveled bar over its length, at most."""


def level_rows(bars: list[Vector], width: float) -> list[Vector]:
    """The bars, those of a row turned to lie across its axis.

    ``bars`` are closed quadrangles, pixels; ``width`` is of the usual stroke.
    """
    axes = [_axis(bar) for bar in bars]
    middles = np.array([middle for middle, _, _ in axes]).reshape(-1, 2)
    left = set(range(len(bars)))
    made = list(bars)
    while True:
        rows = [_row_from(k, left, middles, axes, width) for k in sorted(left)]
        row = max(rows, key=len, default=[])
        if len(row) < _MIN_ROW:
            return made
        left -= set(row)
        first, last = middles[row[0]], middles[row[-1]]
        unit = (last - first) / max(float(np.hypot(*(last - first))), 1e-9)
        normal = np.array([-unit[1], unit[0]])
        for k in row:
            middle, _, length = axes[k]
            sides = bars[k][:4] - middle
            length = max(length, float(np.ptp(sides @ normal)))
            thick = min(float(np.ptp(bars[k][:4] @ unit)), width, _SHAPE * length)
            half, along = normal * length / 2, unit * thick / 2
            corners = [
                middle - half - along,
                middle + half - along,
                middle + half + along,
                middle - half + along,
            ]
            made[k] = np.array([*corners, corners[0]])


def _row_from(
    start: int,
    left: set[int],
    middles: NDArray[np.float64],
    axes: list[tuple[Vector, Vector, float]],
    width: float,
) -> list[int]:
    """The longest even row of bars that begins at one of them; empty where none follows it."""
    best: list[int] = []
    for second in left:
        gap = float(np.hypot(*(middles[second] - middles[start])))
        if second == start or not 0 < gap <= _MAX_GAP * width:
            continue
        row = [start, second]
        while True:
            first, last = middles[row[0]], middles[row[-1]]
            unit = (last - first) / max(float(np.hypot(*(last - first))), 1e-9)
            normal = np.array([-unit[1], unit[0]])
            pitch = float(np.hypot(*(last - first))) / (len(row) - 1)
            onward = [
                (float((middles[k] - last) @ unit), k)
                for k in left
                if k not in row and abs(float((middles[k] - first) @ normal)) <= _OFF_ROW * width
            ]
            onward = [(gap, k) for gap, k in onward if _PITCH[0] * pitch <= gap <= _PITCH[1] * pitch]
            if not onward:
                break
            row.append(min(onward)[1])
        unit = (middles[row[-1]] - middles[start]) / max(
            float(np.hypot(*(middles[row[-1]] - middles[start]))), 1e-9
        )
        is_across = all(axes[k][2] <= _SHORT * width or abs(float(axes[k][1] @ unit)) <= _TURNED for k in row)
        if is_across and len(row) > len(best):
            best = row
    return best


def complete_rows(
    letters: list[Candidate], bars: list[Vector], width: float
) -> tuple[list[Candidate], list[Vector]]:
    """Letters without the dots that go on rows of bars, and the bars with these.

    ``bars`` are closed quadrangles, pixels; ``width`` is of the usual stroke.
    """
    dots = [c for c in letters if max(c.part.width, c.part.height) <= _MAX_SIDE * width]
    bars = list(bars)
    used: list[Candidate] = []
    changed = bool(dots)
    while changed:
        changed = False
        for dot in dots:
            last = None if dot in used else _last_of_row(_middle_of(dot), bars, width)
            if last is not None:
                bars.append(_as_bar(dot, last))
                used.append(dot)
                changed = True
    return [letter for letter in letters if letter not in used], bars


def _middle_of(dot: Candidate) -> Vector:
    return np.array([dot.part.x + dot.part.width / 2, dot.part.y + dot.part.height / 2])


def _axis(bar: Vector) -> tuple[Vector, Vector, float]:
    """Middle, direction and length of a bar along its longer sides."""
    first, second = bar[1] - bar[0], bar[2] - bar[1]
    long = first if np.hypot(*first) >= np.hypot(*second) else second
    length = max(float(np.hypot(*long)), 1e-9)
    return bar[:4].mean(axis=0), long / length, length


def _last_of_row(at: Vector, bars: list[Vector], width: float) -> Vector | None:
    """The bar that a dot follows in a row."""
    axes = [(bar, *_axis(bar)) for bar in bars]
    near = sorted(
        ((float(np.hypot(*(middle - at))), bar, middle, unit) for bar, middle, unit, _ in axes),
        key=lambda item: item[0],
    )
    for gap, bar, middle, unit in near[:3]:
        if gap > _MAX_GAP * width:
            break
        onward = (at - middle) / max(gap, 1e-9)
        if abs(float(onward @ unit)) > _ACROSS:
            continue
        for other, place, direction, _ in axes:
            pitch = float(np.hypot(*(middle - place)))
            if other is bar or not _PITCH[0] * pitch <= gap <= _PITCH[1] * pitch:
                continue
            is_parallel = abs(float(unit[0] * direction[1] - unit[1] * direction[0])) <= _PARALLEL
            if is_parallel and float((middle - place) @ onward) >= _ALONG * pitch:
                return bar
    return None


def _as_bar(dot: Candidate, last: Vector) -> Vector:
    """A dot as a bar that is parallel to the last one of its row."""
    _, unit, _ = _axis(last)
    ys, xs = np.nonzero(dot.part.mask)
    points = np.stack([xs + 0.5, ys + 0.5], axis=1) + np.array((dot.part.x, dot.part.y))
    middle = points.mean(axis=0)
    along = (points - middle) @ unit
    length = max(float(np.ptp(along)) + 1, 1.0)
    thick = min(dot.part.area / length, 0.9 * length)
    normal = np.array([-unit[1], unit[0]]) * thick / 2
    half = unit * length / 2
    corners = [middle - half + normal, middle + half + normal, middle + half - normal, middle - half - normal]
    return np.array([*corners, corners[0]])
