"""The length of most bonds of a drawing, from which everything else is measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.bond_strokes import Line, Strokes, line_ends
from docai.pipelines.drawings.molecule.points import near_pairs

_LONE_WEIGHT: Final = 0.02
"""What a line counts that meets nothing, in lines that meet another one at one end."""

_MAX_RAYS: Final = 2_000_000
"""Ends of lines times letters up to which it is looked which letters lines point at."""


def bond_length(lines: Sequence[Line], strokes: Strokes, letters: Sequence[Letter]) -> float:
    """Length of most bonds: of lines that meet others or letters at their ends, where there are any."""
    if _are_parallel(lines):
        lines = [piece for line in lines for piece in _pieces(line)]
    tapers = [Line(t.narrow, t.wide, 0.0, t.color, t.paths, t.order) for t in strokes.tapers]
    candidates = [*lines, *tapers]
    if not candidates:
        return max((math.dist(wave.p, wave.q) for wave in strokes.waves), default=0.0)
    lengths = np.maximum([line.length for line in candidates], 1e-9)
    typical = float(np.median(lengths))
    ends = line_ends(candidates)
    touched = np.zeros(len(ends), bool)
    widths = np.array([line.width for line in candidates])
    for i, j in near_pairs(ends, max(0.15 * typical, 1.5 * float(np.median(widths)))).tolist():
        a, b = i // 2, j // 2
        if a == b:
            continue
        limit = max(1.1 * max(widths[a], widths[b]), 0.06 * min(lengths[a], lengths[b]))
        if math.dist(ends[i], ends[j]) <= limit:
            touched[i] = touched[j] = True
    hidden = _hidden_lengths(ends, touched, lengths, letters)
    known = touched | (hidden > 0)
    full = lengths + hidden.reshape(-1, 2).sum(axis=1)
    weights = (known.reshape(-1, 2).sum(axis=1) ** 2 + _LONE_WEIGHT) * lengths
    # A straight line in pieces of one color may be several bonds, and a wedge is often in pieces.
    is_doubtful = [any(not stop.is_color for stop in line.stops) for line in lines] + [True] * len(tapers)
    weights[is_doubtful] *= 0.1
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


def _are_parallel(lines: Sequence[Line]) -> bool:
    """Whether all lines have one direction, as in a chain of triple bonds."""
    if not lines:
        return False
    first = lines[0].unit()
    return all(abs(first[0] * u[1] - first[1] * u[0]) < 0.1 for u in (line.unit() for line in lines))


def _pieces(line: Line) -> list[Line]:
    stops = [stop.point for stop in line.stops if not stop.is_color]
    points = [line.p, *sorted(stops, key=lambda point: math.dist(line.p, point)), line.q]
    return [Line(a, b, line.width, line.color, line.paths, line.order) for a, b in pairwise(points)]
