"""Paths as operations to straight pieces, for all paths of a page at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.ingest.drawing import Subpath

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOVE, LINE, CURVE, CLOSE = range(4)
"""Codes of the operations of a path, with 2, 2, 6 and 0 coordinates."""

MAX_CURVE_PIECES: Final = 32
"""Straight pieces that stand for one Bézier curve at most."""

CURVE_TOLERANCE: Final = 0.01
"""How far the pieces may be from their curve, as a share of its size."""

CURVE_TOLERANCE_RANGE: Final = (0.005, 0.05)
"""Within which that share of the size is kept, units of the flattened path."""

STRAIGHT_TOLERANCE: Final = 0.002
"""Share of its length by which a curve may bend and still be a straight line."""

MAX_COORDINATE: Final = 1e7
"""A path that reaches further from the origin is left out: what it means is lost in rounding."""


class FlatPaths(NamedTuple):
    """Paths as points: those of subpath ``i`` are ``points[begins[i]:begins[i + 1]]``."""

    points: Floats
    """(n, 2)"""
    is_curve: NDArray[np.bool_]
    """(n,), whether the piece that ends at each point is of a curve; False for the first of a subpath."""
    begins: Ints
    """(subpaths + 1,)"""
    is_closed: NDArray[np.bool_]
    """(subpaths,)"""
    path: Ints
    """(subpaths,), index of the path that each belongs to, never falling."""

    def boxes(self, n_paths: int) -> Floats:
        """Around each path, (paths, 4); not a number for those with nothing left."""
        found = np.full((n_paths, 4), np.nan)
        if len(self.path):
            is_first = np.append(True, self.path[1:] != self.path[:-1])
            starts = self.begins[:-1][is_first]
            paths = self.path[is_first]
            found[paths, :2] = np.minimum.reduceat(self.points, starts)
            found[paths, 2:] = np.maximum.reduceat(self.points, starts)
        return found

    def have_small(self, n_paths: int) -> NDArray[np.bool_]:
        """(paths,), whether some subpath has no more than three points."""
        found = np.zeros(n_paths, bool)
        found[self.path[np.diff(self.begins) <= 3]] = True
        return found

    def subpaths(self, n_paths: int) -> list[tuple[Subpath, ...]]:
        """The subpaths of each path; empty for those with nothing left."""
        found: list[list[Subpath]] = [[] for _ in range(n_paths)]
        begins, closed = self.begins.tolist(), self.is_closed.tolist()
        for index, path in enumerate(self.path.tolist()):
            begin, end = begins[index], begins[index + 1]
            part = Subpath(self.points[begin:end], self.is_curve[begin + 1 : end], closed[index])
            found[path].append(part)
        return [tuple(parts) for parts in found]


def flatten_paths(
    codes: Sequence[int],
    coordinates: Sequence[float],
    spans: Sequence[tuple[int, int]],
    matrices: Sequence[Sequence[float]],
    *,
    unit: float = 1.0,
) -> FlatPaths:
    """Points of paths under their matrices, without repeated ones.

    Args:
        codes: of operations; each subpath begins with a move.
        coordinates: of all operations, one after the other.
        spans: first operation of each path, and the one after its last; in order, without overlap.
        matrices: a, b, c, d, e, f of each path.
        unit: length of a point of the page in units of the result, for tolerances.

    Returns:
        Subpaths of at least two points. One without length has two equal ones. A path with a coordinate that
        is not finite, or is larger than :data:`MAX_COORDINATE`, has none.
    """
    code = np.array(codes, np.int64)
    pairs = np.array(coordinates, np.float64).reshape(-1, 2)
    n_pairs = np.array([1, 1, 3, 0])[code]
    first_pair = np.cumsum(n_pairs) - n_pairs
    path_of_op = _owners(spans, len(code))
    used = path_of_op >= 0
    if not used.any():
        return _nothing()
    placed = _placed(pairs, np.repeat(path_of_op, n_pairs), np.array(matrices, np.float64))

    bad = ~(np.abs(placed) <= MAX_COORDINATE * unit).all(axis=1)
    bad_paths = np.unique(np.repeat(path_of_op, n_pairs)[bad])
    used &= ~np.isin(path_of_op, bad_paths)
    if not used.any():
        return _nothing()
    code, path_of_op, first_pair, n_pairs = code[used], path_of_op[used], first_pair[used], n_pairs[used]

    sub = np.cumsum(code == MOVE) - 1
    moves = np.flatnonzero(code == MOVE)
    last_pair = first_pair + n_pairs - 1
    last_pair[code == CLOSE] = first_pair[moves][sub[code == CLOSE]]
    ends = placed[last_pair]
    curves = np.flatnonzero(code == CURVE)
    controls = np.stack([ends[curves - 1], *(placed[first_pair[curves] + k] for k in range(3))], axis=1)
    pieces, is_bent = _curve_pieces(controls, unit)

    n_points = np.ones(len(code), np.int64)
    n_points[curves] = pieces
    points = np.repeat(ends, n_points, axis=0)
    last_point = np.cumsum(n_points) - 1
    of_curve = np.zeros(len(code), bool)
    of_curve[curves] = is_bent
    _fill_curves(points, controls, pieces, last_point[curves])
    return _without_repeats(
        points,
        np.repeat(of_curve, n_points),
        np.repeat(sub, n_points),
        has_close=np.bincount(sub[code == CLOSE], minlength=len(moves)) > 0,
        path=path_of_op[moves],
        n_ops=np.bincount(sub, minlength=len(moves)),
        slack=1e-4 * unit,
    )


def _owners(spans: Sequence[tuple[int, int]], n: int) -> Ints:
    """For each operation the index of its path; -1 between paths."""
    bounds = np.array(spans, np.int64).reshape(-1)
    sizes = np.diff(bounds, prepend=0, append=n)
    labels = np.full(len(sizes), -1)
    labels[1::2] = np.arange(len(spans))
    return np.repeat(labels, sizes)


def _nothing() -> FlatPaths:
    return FlatPaths(
        np.zeros((0, 2)), np.zeros(0, bool), np.zeros(1, np.int64), np.zeros(0, bool), np.zeros(0, np.int64)
    )


def _placed(pairs: Floats, path: Ints, matrices: Floats) -> Floats:
    """Points under the matrices of their paths."""
    m = matrices[path]
    x, y = pairs[:, 0], pairs[:, 1]
    with np.errstate(all="ignore"):
        return np.stack([m[:, 0] * x + m[:, 2] * y + m[:, 4], m[:, 1] * x + m[:, 3] * y + m[:, 5]], axis=1)


def _curve_pieces(controls: Floats, unit: float) -> tuple[Ints, NDArray[np.bool_]]:
    """Number of pieces for each curve (n, 4, 2), and whether it bends at all.

    By Wang's formula: a cubic curve is within t of n chords where ``n² >= 6/8 * M / t`` and M is the largest
    second difference of its control points.
    """
    chord = controls[:, 3] - controls[:, 0]
    length = np.hypot(chord[:, 0], chord[:, 1])
    size = np.ptp(controls, axis=1).max(axis=1, initial=0.0)
    beside = [
        np.abs(chord[:, 0] * off[:, 1] - chord[:, 1] * off[:, 0])
        for off in (controls[:, 1] - controls[:, 0], controls[:, 2] - controls[:, 0])
    ]
    # The handles lie on the chord, and not beyond its ends.
    is_straight = (np.maximum(*beside) <= STRAIGHT_TOLERANCE * length**2) & (size <= length * 1.01)
    second = np.diff(controls, n=2, axis=1)
    bend = np.hypot(second[:, :, 0], second[:, :, 1]).max(axis=1, initial=0.0)
    low, high = (limit * unit for limit in CURVE_TOLERANCE_RANGE)
    tolerance = np.clip(CURVE_TOLERANCE * size, low, high)
    pieces = np.clip(np.ceil(np.sqrt(0.75 * bend / tolerance)), 2, MAX_CURVE_PIECES).astype(np.int64)
    pieces[is_straight] = 1
    return pieces, ~is_straight


def _fill_curves(points: Floats, controls: Floats, pieces: Ints, last_point: Ints) -> None:
    """Write the points of curves before their ends, which are there already."""
    inner = pieces - 1
    curve = np.repeat(np.arange(len(pieces)), inner)
    if not len(curve):
        return
    step = np.arange(len(curve)) - np.repeat(np.cumsum(inner) - inner, inner) + 1
    t = (step / pieces[curve])[:, None]
    s = 1 - t
    c = controls[curve]
    points[last_point[curve] - pieces[curve] + step] = (
        s**3 * c[:, 0] + 3 * s * s * t * c[:, 1] + 3 * s * t * t * c[:, 2] + t**3 * c[:, 3]
    )


def _without_repeats(
    points: Floats,
    is_curve: NDArray[np.bool_],
    sub: Ints,
    *,
    has_close: NDArray[np.bool_],
    path: Ints,
    n_ops: Ints,
    slack: float,
) -> FlatPaths:
    """Drop points that repeat the one before them, and subpaths that are a point without operations."""
    n_subs = len(path)
    is_first = np.ones(len(points), bool)
    is_first[1:] = sub[1:] != sub[:-1]
    keep = is_first.copy()
    keep[1:] |= np.abs(np.diff(points, axis=0)).max(axis=1) > slack
    counts = np.bincount(sub[keep], minlength=n_subs)
    # A dot: a line or closing without length. Both its points are kept.
    is_dot = (counts == 1) & (n_ops > 1)
    is_last = np.ones(len(points), bool)
    is_last[:-1] = is_first[1:]
    keep |= is_last & is_dot[sub] & ~is_first
    alive = (counts > 1) | is_dot
    keep &= alive[sub]
    renumbered = np.cumsum(alive) - 1
    points, is_curve, sub = points[keep], is_curve[keep] & ~is_first[keep], renumbered[sub[keep]]
    has_close, path, is_dot = has_close[alive], path[alive], is_dot[alive]
    counts = np.bincount(sub, minlength=len(path))
    ends = np.cumsum(counts)
    begins = np.concatenate([[0], ends])
    first, last = points[begins[:-1]], points[ends - 1]
    returns = (np.abs(first - last) <= slack).all(axis=1) & (counts > 2) if len(path) else has_close
    is_closed = (has_close | returns) & ~is_dot
    points[(ends - 1)[is_closed]] = first[is_closed]
    return FlatPaths(points, is_curve, begins, is_closed, path)
