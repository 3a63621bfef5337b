"""Straight pieces of thinned lines, fitted to their pixels, with their width at either end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.pipelines.tracing.molecule.skeleton import Chain, Skeleton

Vector = NDArray[np.float64]

_WINDOW: Final = 3.0
"""Pixels whose mean is taken before bends are looked for, in stroke widths."""

_BEND: Final = 0.5
"""Distance of pixels from a straight piece in stroke widths, at most."""

_SHALLOW: Final = math.cos(math.radians(17))
"""Cosine of the angle by which a line bends at an atom, at most: twelve bonds of a ring bend by 30° each."""

_TRUSTED: Final = 1.1
"""Stroke widths from the ends of a piece within which thinning bends it."""

_MAX_MOVE: Final = 2.2
"""Stroke widths by which the crossing of two pieces may lie from where their pixels meet."""

_PARALLEL: Final = 0.2
"""Sine of the angle between two pieces below which their crossing says nothing."""


@dataclass(slots=True, eq=False)
class Piece:
    """A straight piece of a line; lengths in pixels."""

    begin: Vector
    end: Vector
    begin_radius: float
    """Half its width at its begin."""
    end_radius: float
    begin_node: int
    """Node of the skeleton there; -1 at a bend."""
    end_node: int
    is_even: bool = True
    """Its width changes linearly, if at all."""

    @property
    def length(self) -> float:
        return float(np.hypot(*(self.end - self.begin)))

    @property
    def unit(self) -> Vector:
        length = self.length
        return (self.end - self.begin) / length if length > 0 else np.array([1.0, 0.0])


def read_pieces(graph: Skeleton, width: float) -> list[Piece]:
    """The straight pieces of all chains; where pieces meet, their ends are where their lines cross."""
    pieces: list[Piece] = []
    incident = graph.incident()
    for chain in graph.chains.values():
        pieces += chain_pieces(chain, width)
    _move_ends(pieces, graph, width)
    for piece in pieces:
        # Thinning takes half a stroke off a free end.
        unit = piece.unit
        if piece.begin_node >= 0 and len(incident[piece.begin_node]) == 1:
            piece.begin = piece.begin - unit * piece.begin_radius
        if piece.end_node >= 0 and len(incident[piece.end_node]) == 1:
            piece.end = piece.end + unit * piece.end_radius
    return pieces


def chain_pieces(chain: Chain, width: float) -> list[Piece]:
    """The straight pieces of one chain, each fitted to its pixels."""
    points, radii = chain.points, chain.radii
    if len(points) < 2:
        return []
    away = np.append(0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T)))
    is_loop = chain.begin == chain.end
    first, last = 0, len(points) - 1
    if away[-1] > 4 * _TRUSTED * width:
        # Thinning bends lines where they meet others and where they end.
        first = int(np.searchsorted(away, _TRUSTED * width))
        last = int(np.searchsorted(away, away[-1] - _TRUSTED * width))
    smooth = _smoothed(points[first : last + 1], width)
    stops = [first + stop for stop in _stops(smooth, is_loop, _BEND * width)]
    stops[0], stops[-1] = 0, len(points) - 1
    stops = _without_shallow(points, stops)
    made = [_fitted(points[low : high + 1], radii[low : high + 1], width) for low, high in pairwise(stops)]
    made[0].begin_node, made[-1].end_node = chain.begin, chain.end
    for index, (before, after) in enumerate(pairwise(made), 1):
        _meet(before, after, points[stops[index]], width)
    return made


def _without_shallow(points: Vector, stops: list[int]) -> list[int]:
    """The stops at which a line bends by an angle as bonds at an atom do."""
    stops = list(stops)
    while len(stops) > 2:
        steps = np.diff(points[stops], axis=0)
        lengths = np.maximum(np.hypot(*steps.T), 1e-9)
        units = steps / lengths[:, None]
        cosines = (units[:-1] * units[1:]).sum(axis=1)
        flattest = int(cosines.argmax())
        if cosines[flattest] < _SHALLOW:
            break
        del stops[flattest + 1]
    return stops


def _smoothed(points: Vector, width: float) -> Vector:
    """Running means of pixels, shorter towards both ends: lines of coarse pixels have stairs."""
    reach = round(_WINDOW * width / 2)
    n = len(points)
    if n < 5 or reach < 1:
        return points
    at = np.arange(n)
    half = np.minimum(np.minimum(at, n - 1 - at), reach)
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(points, axis=0)])
    return np.asarray((sums[at + half + 1] - sums[at - half]) / (2 * half + 1)[:, None])


def _stops(points: Vector, is_loop: bool, slack: float) -> list[int]:
    """Indices of the pixels where a line bends, with both ends (Ramer, Douglas, Peucker)."""
    line = points.astype(np.float32)
    if is_loop and len(points) > 8:
        far = int(np.argmax(np.hypot(*(points - points[0]).T)))
        if 2 < far < len(points) - 3:
            before, after = _stops(points[: far + 1], False, slack), _stops(points[far:], False, slack)
            return before + [far + index for index in after[1:]]
    bent = cv2.approxPolyDP(line, slack, False)[:, 0]
    stops, start = [0], 0
    for corner in bent[1:-1]:
        off = np.abs(line[start + 1 :] - corner).sum(axis=1)
        start += 1 + int(off.argmin())
        stops.append(start)
    if stops[-1] < len(points) - 1:
        stops.append(len(points) - 1)
    return stops


def _fitted(points: Vector, radii: Vector, width: float) -> Piece:
    """A straight piece through pixels, those near its ends apart where enough are left."""
    away = np.append(0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T)))
    span = float(away[-1])
    trusted = min(_TRUSTED * width, 0.3 * span)
    inner = (away >= trusted) & (away <= span - trusted)
    if inner.sum() < 3:
        inner = np.ones(len(points), bool)
    middle = points[inner].mean(axis=0)
    _, _, axes = np.linalg.svd(points[inner] - middle, full_matrices=False)
    unit = axes[0] if len(points) > 2 else points[-1] - points[0]
    unit = unit / max(float(np.hypot(*unit)), 1e-9)
    if float((points[-1] - points[0]) @ unit) < 0:
        unit = -unit
    along = (points - middle) @ unit
    begin, end = middle + unit * along[0], middle + unit * along[-1]
    r0, r1, is_even = _radii(along[inner], radii[inner], float(along[0]), float(along[-1]))
    return Piece(begin, end, r0, r1, -1, -1, is_even)


def _radii(along: Vector, radii: Vector, first: float, last: float) -> tuple[float, float, bool]:
    """Half the width at both ends of a piece, and whether it changes linearly between them."""
    if len(along) < 6 or last - first < 1e-6:
        middle = float(np.median(radii))
        return middle, middle, True
    slope, base = np.polyfit(along, radii, 1)
    off = np.abs(radii - (base + slope * along))
    is_even = float(np.quantile(off, 0.9)) < 0.18 * float(radii.max()) + 0.5
    return max(float(base + slope * first), 0.3), max(float(base + slope * last), 0.3), is_even


def crossing(a: Piece, b: Piece) -> Vector | None:
    """Where the lines of two pieces cross; None of about parallel ones."""
    u, v = a.unit, b.unit
    sine = float(u[0] * v[1] - u[1] * v[0])
    if abs(sine) < _PARALLEL:
        return None
    off = b.begin - a.begin
    return np.asarray(a.begin + u * (off[0] * v[1] - off[1] * v[0]) / sine)


def _meet(before: Piece, after: Piece, at: Vector, width: float) -> None:
    point = crossing(before, after)
    if point is None or float(np.hypot(*(point - at))) > _MAX_MOVE * width:
        point = at
    before.end = after.begin = np.asarray(point)


def _move_ends(pieces: list[Piece], graph: Skeleton, width: float) -> None:
    """Move the ends of pieces at nodes to where their lines are nearest to each other."""
    at: dict[int, list[tuple[Piece, bool]]] = {}
    for piece in pieces:
        for node, is_end in ((piece.begin_node, False), (piece.end_node, True)):
            if node >= 0:
                at.setdefault(node, []).append((piece, is_end))
    for node, members in at.items():
        if len(members) < 2:
            continue
        center = np.array(graph.nodes[node])
        long = [piece for piece, _ in members if piece.length > 2.0 * width] or [p for p, _ in members]
        point = _nearest_point(long, center, width)
        graph.nodes[node] = (float(point[0]), float(point[1]))
        for piece, is_end in members:
            # On its own line: the two lines of a double bond stay beside each other.
            unit = piece.unit
            other = piece.begin if is_end else piece.end
            projected = other + unit * float((point - other) @ unit)
            if float(np.hypot(*(projected - point))) > width or piece.length < width:
                projected = point if piece.length < 3 * width else projected
            if is_end:
                piece.end = projected
            else:
                piece.begin = projected


def _nearest_point(pieces: list[Piece], center: Vector, width: float) -> Vector:
    """The point nearest to the lines of pieces, not far from where their pixels meet."""
    normal_sum, offset_sum = 0.02 * np.eye(2), 0.02 * center
    for piece in pieces:
        unit = piece.unit
        across = np.eye(2) - np.outer(unit, unit)
        normal_sum = normal_sum + across
        offset_sum = offset_sum + across @ piece.begin
    point = np.linalg.solve(normal_sum, offset_sum)
    return np.asarray(point if float(np.hypot(*(point - center))) <= _MAX_MOVE * width else center)
