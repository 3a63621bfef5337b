"""Cut strokes and filled areas to a box."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.ingest.drawing import Subpath

Floats = NDArray[np.float64]


def cut_strokes(parts: tuple[Subpath, ...], box: BBox) -> tuple[Subpath, ...]:
    """What of lines lies in a box, edges included; a subpath that leaves it comes back as a new one."""
    return tuple(piece for part in parts for piece in _cut_stroke(part, box))


def cut_areas(parts: tuple[Subpath, ...], box: BBox) -> tuple[Subpath, ...]:
    """What of closed areas lies in a box, along its edges where they are cut."""
    found = []
    for part in parts:
        points, is_curve = _cut_area(part.points, np.append(False, part.is_curve), box)
        if len(points) > 2:
            found.append(Subpath(points, is_curve[1:], is_closed=True))
    return tuple(found)


def _cut_stroke(part: Subpath, box: BBox) -> list[Subpath]:
    """By the way of Liang and Barsky: for each piece the share of it where it enters and leaves."""
    start, step = part.points[:-1], np.diff(part.points, axis=0)
    enter, leave = np.zeros(len(start)), np.ones(len(start))
    with np.errstate(divide="ignore", invalid="ignore"):
        for axis, low, high in ((0, box[0], box[2]), (1, box[1], box[3])):
            to_low = (low - start[:, axis]) / step[:, axis]
            to_high = (high - start[:, axis]) / step[:, axis]
            runs = step[:, axis] != 0
            enter = np.where(runs, np.maximum(enter, np.minimum(to_low, to_high)), enter)
            leave = np.where(runs, np.minimum(leave, np.maximum(to_low, to_high)), leave)
            is_outside = ~runs & ((start[:, axis] < low) | (start[:, axis] > high))
            leave[is_outside] = -1.0
    is_inside = enter <= leave
    if not is_inside.any():
        return []
    first = start + step * np.clip(enter, 0, 1)[:, None]
    last = start + step * np.clip(leave, 0, 1)[:, None]
    # A new subpath begins where a piece enters, or the one before it left.
    begins = is_inside & np.append(True, ~is_inside[:-1] | (leave[:-1] < 1) | (enter[1:] > 0))
    if is_inside.all() and not begins[1:].any() and enter[0] <= 0 and leave[-1] >= 1:
        return [part]
    found = []
    bounds = [*np.flatnonzero(begins).tolist(), len(start)]
    for begin, end in pairwise(bounds):
        run = np.flatnonzero(is_inside[begin:end]) + begin
        points = np.concatenate([first[run[:1]], last[run]])
        if len(run) > 1 or np.abs(points[1] - points[0]).max() > 0 or len(start) == 1:
            found.append(Subpath(points, part.is_curve[run], is_closed=False))
    return found


def _cut_area(points: Floats, is_curve: NDArray[np.bool_], box: BBox) -> tuple[Floats, NDArray[np.bool_]]:
    """By the way of Sutherland and Hodgman: one edge of the box after the other."""
    for axis, sign, limit in ((0, 1, box[0]), (0, -1, -box[2]), (1, 1, box[1]), (1, -1, -box[3])):
        if len(points) < 2:
            break
        depth = sign * points[:, axis] - limit
        is_in = depth >= 0
        if is_in.all():
            continue
        crosses = is_in[1:] != is_in[:-1]
        share = np.zeros(len(crosses))
        share[crosses] = depth[:-1][crosses] / (depth[:-1] - depth[1:])[crosses]
        at = points[:-1] + np.diff(points, axis=0) * share[:, None]
        # After each point its crossing, where there is one; then the next point, where it is inside.
        order = np.concatenate([np.flatnonzero(crosses) + 0.5, np.flatnonzero(is_in)])
        rank = np.argsort(order, kind="stable")
        flags = np.concatenate([is_curve[1:][crosses] & is_in[:-1][crosses], is_curve[is_in]])
        points = np.concatenate([at[crosses], points[is_in]])[rank]
        is_curve = flags[rank]
        if len(points) and (points[0] != points[-1]).any():
            points, is_curve = np.concatenate([points, points[:1]]), np.append(is_curve, False)
    return points, is_curve
