"""Music symbols that are painted as paths, told by their outlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.score.strokes import WHITE_LEVEL
from docai.pipelines.drawings.score.symbol_compounds import join_dots
from docai.pipelines.drawings.score.symbol_outlines import (
    MAX_SIDE_SPACES,
    MIN_BAR_FILL,
    components,
    measure_outlines,
    outline_table,
)
from docai.pipelines.drawings.score.symbol_places import (
    MAX_BRACE_DISTANCE,
    StaffPlaces,
    brace_symbol,
    matched_symbol,
    may_be_brace,
)
from docai.pipelines.drawings.score.types import Staff, Symbol
from docai.pipelines.ingest.drawing import Drawing, PaintedPath, Subpath

MIN_SIDE_SPACES: Final = 0.18
"""Extent of the smallest symbol, a dot of a grace note."""

COUNT_SPACES: Final = 3.0
"""Distance above the staff at most of the number of measures of a rest."""

MAX_WHOLE_PARTS: Final = 12
"""Parts of a path that may be one symbol; more of them are several."""

MAX_SUBPATHS: Final = 3_000
"""Subpaths of one path above which it is a hatch or a map."""

MAX_POINTS: Final = 2_000_000
"""Points of filled paths above which a page is no music."""

MAX_SHAPES: Final = 3_000
"""Different outlines of a page of which more are not compared."""

_KEY_STEPS: Final = 20
"""Steps a staff space, to which measures of equal outlines are rounded."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Outlines:
    """Outlines that may be symbols, each of some subpaths."""

    path: list[int]
    """Index in ``Drawing.paths``."""
    parts: list[tuple[int, ...]]
    """Numbers of the subpaths."""
    is_whole: list[bool]
    """Of a path that has several parts."""
    boxes: Floats
    """(n, 4)."""
    measures: Floats
    """(n, 6): width, height, mean and spread of the points, which tell outlines apart."""
    n_points: NDArray[np.intp]


class PaintedSymbols(NamedTuple):
    """What the filled paths are."""

    symbols: list[Symbol]
    unread: list[tuple[int, BBox]]
    """Index of the path and box of small outlines that are no symbols by themselves."""
    blocks: list[tuple[int, BBox]]
    """Those of them that fill their boxes."""


def read_painted_symbols(drawing: Drawing, staves: Sequence[Staff]) -> PaintedSymbols:
    """Symbols among the filled paths."""
    places = StaffPlaces(staves)
    subpaths, owner = _filled_subpaths(drawing)
    if not subpaths or sum(len(part.points) for part in subpaths) > MAX_POINTS:
        return PaintedSymbols([], [], [])
    outlines = _outlines(subpaths, owner)
    near = places.nearest(outlines.boxes)
    space = np.array([places.space(staff) if staff >= 0 else 0.0 for staff in near.tolist()])
    side = outlines.measures[:, :2].max(axis=1)
    fits = (near >= 0) & (side >= MIN_SIDE_SPACES * space) & (side <= MAX_SIDE_SPACES * space)
    rounded = np.rint(_KEY_STEPS * outlines.measures / np.maximum(space, 1e-6)[:, None]).clip(-9999, 9999)
    keys = np.column_stack([outlines.n_points, rounded]).astype(np.int32)
    first: dict[bytes, int] = {}
    kept = np.flatnonzero(fits).tolist()
    for number in kept:
        first.setdefault(keys[number].tobytes(), number)
    chosen = list(first.values())[:MAX_SHAPES]
    drawn = [[subpaths[part] for part in outlines.parts[number]] for number in chosen]
    features = measure_outlines(drawn, space[chosen].tolist())
    is_block = (features.pictures.mean(axis=1) >= MIN_BAR_FILL).tolist()
    matches = outline_table().match(features)
    by_key = {keys[number].tobytes(): look for number, *look in zip(chosen, matches, is_block, strict=True)}
    symbols = _braces(drawing, staves, subpaths, outlines, near)
    arcs, clefs = [], []
    found = PaintedSymbols([], [], [])
    read_whole: set[int] = {symbol.path for symbol in symbols if symbol.path is not None}
    for number in kept:
        path = outlines.path[number]
        if path in read_whole or keys[number].tobytes() not in by_key:
            continue
        match, fills = by_key[keys[number].tobytes()]
        bbox: BBox = tuple(outlines.boxes[number].tolist())
        in_place = not match.name.startswith("timeSig") or _stands_in(bbox, staves[near[number]])
        if not match.is_good or not in_place:
            if not outlines.is_whole[number]:
                found.unread.append((path, bbox))
                if fills:
                    found.blocks.append((path, bbox))
            continue
        if outlines.is_whole[number]:
            read_whole.add(path)
        order = drawing.paths[path].order
        symbol = matched_symbol(match, bbox, float(space[number]), order, path=path)
        symbols.append(symbol)
        if len(outlines.parts[number]) == 1 and symbol.name.startswith("fermata"):
            arcs.append(symbol)
        if symbol.name == "fClef" and not outlines.is_whole[number]:
            clefs.append(symbol)
    return found._replace(symbols=join_dots(symbols, arcs, clefs))


def _braces(
    drawing: Drawing,
    staves: Sequence[Staff],
    subpaths: list[Subpath],
    outlines: _Outlines,
    near: NDArray[np.intp],
) -> list[Symbol]:
    """Braces are as tall as the staves that they join."""
    boxes: list[BBox] = [tuple(box) for box in outlines.boxes.tolist()]
    chosen = [
        number
        for number, staff in enumerate(near.tolist())
        if staff >= 0 and may_be_brace(boxes[number], staves[staff])
    ]
    features = measure_outlines(
        [[subpaths[part] for part in outlines.parts[number]] for number in chosen], [1.0] * len(chosen)
    )
    distances = outline_table().picture_distance(features, "brace").tolist()
    found: dict[int, Symbol] = {}
    for number, distance in zip(chosen, distances, strict=True):
        path = outlines.path[number]
        if distance <= MAX_BRACE_DISTANCE and path not in found:
            found[path] = brace_symbol(boxes[number], distance, drawing.paths[path].order, path=path)
    return list(found.values())


def _stands_in(box: BBox, staff: Staff) -> bool:
    """Whether a number stands in the staff, or as large over it, where it counts measures of rest."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if not staff.x0 <= x:
        return False
    if staff.lines[0] - staff.space / 2 <= y <= staff.lines[-1] + staff.space / 2:
        return True
    is_large = box[3] - box[1] >= 1.7 * staff.space
    return is_large and 0 <= staff.lines[0] - box[3] <= COUNT_SPACES * staff.space


def _filled_subpaths(drawing: Drawing) -> tuple[list[Subpath], list[int]]:
    """Subpaths of filled paths, and the index of the path of each."""
    subpaths: list[Subpath] = []
    owner: list[int] = []
    for index, path in enumerate(drawing.paths):
        if _is_ink(path) and len(path.subpaths) <= MAX_SUBPATHS:
            subpaths += path.subpaths
            owner += [index] * len(path.subpaths)
    return subpaths, owner


def _is_ink(path: PaintedPath) -> bool:
    return path.fill is not None and min(path.fill) < WHITE_LEVEL


def _outlines(subpaths: list[Subpath], owner: list[int]) -> _Outlines:
    """Each path as a whole and each of its parts, but for plain bars."""
    counts = np.array([len(part.points) for part in subpaths])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    points = np.concatenate([part.points for part in subpaths])
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    # From a corner of their own: sums of squares of large coordinates lose digits.
    local = points - np.repeat(low, counts, axis=0)
    sums, squares = np.add.reduceat(local, starts), np.add.reduceat(local**2, starts)
    is_bar = _bars(points, starts, counts, np.array([part.is_curve.any() for part in subpaths]))
    fills = (high - low)[:, 0] * (high - low)[:, 1] <= 1.02 * _areas(subpaths)
    path: list[int] = []
    parts: list[tuple[int, ...]] = []
    is_whole: list[bool] = []
    begin = 0
    for end in [*(np.flatnonzero(np.diff(owner)) + 1).tolist(), len(owner)]:
        groups = components(subpaths[begin:end]) if end - begin > 1 else [(0,)]
        # Two level or upright bars are a double barline, or beams.
        if 1 < len(groups) <= MAX_WHOLE_PARTS and not (is_bar & fills)[begin:end].all():
            path.append(owner[begin])
            parts.append(tuple(range(begin, end)))
            is_whole.append(True)
        for group in groups:
            if len(group) > 1 or not is_bar[begin + group[0]]:
                path.append(owner[begin])
                parts.append(tuple(begin + number for number in group))
                is_whole.append(False)
        begin = end
    boxes = np.empty((len(parts), 4))
    measures = np.empty((len(parts), 6))
    for number, group in enumerate(parts):
        chosen: Any = group[0] if len(group) == 1 else list(group)
        if len(group) == 1:
            x0, n = low[chosen], counts[chosen]
            x1, total, square = high[chosen], sums[chosen], squares[chosen]
        else:
            x0, x1, n = low[chosen].min(axis=0), high[chosen].max(axis=0), counts[chosen].sum()
            moved = low[chosen] - x0
            size = counts[chosen][:, None]
            square = (squares[chosen] + 2 * moved * sums[chosen] + size * moved**2).sum(axis=0)
            total = (sums[chosen] + size * moved).sum(axis=0)
        boxes[number, :2], boxes[number, 2:] = x0, x1
        measures[number, :2] = x1 - x0
        measures[number, 2:4] = total / n
        measures[number, 4:] = np.sqrt(np.maximum(square / n - (total / n) ** 2, 0))
    n_points = np.array([counts[list(group)].sum() for group in parts], np.intp)
    return _Outlines(path, parts, is_whole, boxes, measures, n_points)


def _areas(subpaths: list[Subpath]) -> Floats:
    areas = np.empty(len(subpaths))
    for number, part in enumerate(subpaths):
        x, y = (part.points - part.points[0]).T
        areas[number] = abs(x[:-1] @ y[1:] - y[:-1] @ x[1:]) / 2
    return areas


def _bars(
    points: Floats, starts: NDArray[np.intp], counts: NDArray[np.intp], is_curved: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """(n,), whether a subpath is a rectangle, or slanted with upright ends: a beam, a stem, a line."""
    bars = np.zeros(len(starts), bool)
    for n in (4, 5):
        chosen = np.flatnonzero((counts == n) & ~is_curved)
        if len(chosen):
            steps = np.abs(np.diff(points[starts[chosen][:, None] + np.arange(n)], axis=1))
            is_straight = steps.min(axis=2) <= 0.05 * steps.max(axis=2) + 0.01
            bars[chosen] = is_straight.sum(axis=1) >= 2
    bars[(counts < 4) & ~is_curved] = True
    return bars
