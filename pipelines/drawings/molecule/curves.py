"""Curves as circles and waves, also where they are drawn arc by arc."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from docai.pipelines.drawings.molecule.bond_strokes import Circle, Strokes, Wave
from docai.pipelines.drawings.molecule.points import near_pairs
from docai.pipelines.ingest.drawing import Point


def as_circle(points: NDArray[np.float64], is_curve: NDArray[np.bool_]) -> tuple[Point, float] | None:
    """Center and radius where points lie around a circle, at least eight of them and most on curves."""
    if len(points) < 8 or (is_curve.mean() < 0.8 and len(points) < 16):
        return None
    low, high = points.min(axis=0), points.max(axis=0)
    center = (low + high) / 2
    radii = np.hypot(*(points - center).T)
    radius = float(radii.mean())
    if radius <= 0 or float(np.ptp(radii)) > 0.06 * radius:
        return None
    turns = np.sort(np.arctan2(*(points - center).T))
    if max(float(np.diff(turns).max()), 2 * math.pi - float(turns[-1] - turns[0])) > 1.0:
        return None
    return (float(center[0]), float(center[1])), radius


def is_straight(points: NDArray[np.float64]) -> bool:
    chord = points[-1] - points[0]
    length = float(np.hypot(*chord))
    if length <= 0:
        return False
    off = np.abs((points - points[0]) @ np.array([-chord[1], chord[0]])) / length
    return bool(off.max() < 0.015 * length)


def as_wave(points: NDArray[np.float64]) -> tuple[Point, Point] | None:
    """Ends of the axis of a line that swings to and fro at least three times; None of any other."""
    if len(points) < 5:
        return None
    chord = points[-1] - points[0]
    length = float(np.hypot(*chord))
    if length <= 0:
        return None
    unit = chord / length
    along = (points - points[0]) @ unit
    across = (points - points[0]) @ np.array([-unit[1], unit[0]])
    swing = across - (across.max() + across.min()) / 2
    amplitude = float(np.abs(swing).max())
    if not 0.01 * length < amplitude < 0.3 * length or along.min() < -0.1 * length:
        return None
    sides = np.sign(swing[np.abs(swing) > 0.5 * amplitude])
    n_turns = int((np.diff(sides) != 0).sum())
    if n_turns < 3 or amplitude * (n_turns + 1) > 1.6 * length:
        return None
    lift = float((across.max() + across.min()) / 2)
    shift = np.array([-unit[1], unit[0]]) * lift
    a, b = points[0] + shift, points[-1] + shift
    return (float(a[0]), float(a[1])), (float(b[0]), float(b[1]))


def join_arcs(strokes: Strokes) -> None:
    """Join arcs that meet at their ends: some programs draw a ring's circle or a wave arc by arc."""
    arcs = strokes.arcs
    if not arcs:
        return
    spans = [float(np.hypot(*np.diff(arc.points, axis=0).T).sum()) for arc in arcs]
    ends = np.array([arc.points[side] for arc in arcs for side in (0, -1)])
    meets = defaultdict(list)
    for i, j in near_pairs(ends, 0.12 * float(np.median(spans))).tolist():
        if i // 2 != j // 2:
            meets[i].append(j)
            meets[j].append(i)
    left, strokes.arcs = set(range(len(arcs))), []
    starts = [end for end in range(len(ends)) if len(meets[end]) != 1] + list(range(len(ends)))
    for start in starts:
        if start // 2 not in left:
            continue
        chain, at = [], start
        while at // 2 in left:
            left.discard(at // 2)
            points = arcs[at // 2].points
            chain.append((at // 2, points if at % 2 == 0 else points[::-1]))
            onward = meets[at ^ 1]
            if len(onward) != 1:
                break
            at = onward[0]
        members = [arcs[index] for index, _ in chain]
        points = np.concatenate([piece for _, piece in chain])
        paths = tuple(dict.fromkeys(arc.path for arc in members))
        loop = _as_loop(points)
        wave = None if loop is not None else as_wave(points)
        if loop is not None:
            strokes.circles.append(Circle(*loop, paths, is_filled=False))
        elif wave is not None:
            strokes.waves.append(Wave(*wave, paths))
        else:
            strokes.arcs += members


def _as_loop(points: NDArray[np.float64]) -> tuple[Point, float] | None:
    """Center and mean radius of a closed curve that is about a circle."""
    center = (points.min(axis=0) + points.max(axis=0)) / 2
    radii = np.hypot(*(points - center).T)
    radius = float(radii.mean())
    if radius <= 0 or radii.min() < 0.6 * radii.max():
        return None
    turns = np.sort(np.arctan2(*(points - center).T))
    if max(float(np.diff(turns).max()), 2 * math.pi - float(turns[-1] - turns[0])) > 1.2:
        return None
    return (float(center[0]), float(center[1])), radius
