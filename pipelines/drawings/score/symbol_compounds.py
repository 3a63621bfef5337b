"""Symbols painted in pieces: a clef and its dots, a fermata and its dot, rests of a stroke and hooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, touches, union
from docai.pipelines.drawings.score.strokes import Strokes
from docai.pipelines.drawings.score.symbol_places import SPACES_IN_EM, StaffPlaces
from docai.pipelines.drawings.score.types import Staff, Symbol
from docai.pipelines.ingest.drawing import Drawing

CLEF_DOT_SPACES: Final = 1.1
"""Gap at most between an F clef and its dots."""

HOOK_SPACES: Final = (0.3, 1.5)
"""Width and height between which the hooks of rests lie."""

REST_STROKE_SPACES: Final = (1.2, 7.0)
"""Length of the stroke of a rest of an eighth and less."""

REST_STROKE_SLOPES: Final = (1.5, 8.0)
"""Height over width of that stroke."""

HOOK_GAP_SPACES: Final = 0.3
"""Gap at most between a hook and the stroke."""

SHORT_RESTS: Final = ("rest8th", "rest16th", "rest32nd", "rest64th", "rest128th")
"""Rests by their number of hooks, from one."""

CUT_SPACES: Final = (2.2, 3.9)
"""Length of the stroke through a C that stands for cut time; barlines are longer."""

MAX_RESTS: Final = 2_000
"""Rests of an eighth on a page above which none are joined."""

Floats = NDArray[np.float64]


def join_dots(symbols: Sequence[Symbol], arcs: Iterable[Symbol], clefs: Iterable[Symbol]) -> list[Symbol]:
    """Symbols with the dots of clefs and fermatas as parts of them; an arc without its dot is no fermata.

    Args:
        symbols: that were told by their outlines.
        arcs: those of them that are the arc of a fermata alone.
        clefs: those of them that are an F clef without its dots.
    """
    joined = {id(symbol): symbol for symbol in symbols}
    dots = [symbol for symbol in symbols if symbol.name == "augmentationDot"]
    for arc in arcs:
        x0, _, x1, _ = arc.bbox
        inside = [
            dot
            for dot in dots
            if abs((dot.bbox[0] + dot.bbox[2] - x0 - x1) / 2) <= 0.12 * (x1 - x0)
            and touches(dot.bbox, arc.bbox)
        ]
        if not inside:
            del joined[id(arc)]
            continue
        _absorb(joined, arc, inside[:1])
    for clef in clefs:
        space = clef.size / SPACES_IN_EM
        beside = [
            dot
            for dot in dots
            if -0.4 * space <= dot.bbox[0] - clef.bbox[2] <= CLEF_DOT_SPACES * space
            and clef.bbox[1] - 0.3 * space <= (dot.bbox[1] + dot.bbox[3]) / 2 <= clef.bbox[3]
        ]
        if len(beside) >= 2:
            _absorb(joined, clef, sorted(beside, key=lambda dot: dot.bbox[0])[:2])
    return list(joined.values())


def _absorb(joined: dict[int, Symbol], whole: Symbol, parts: Sequence[Symbol]) -> None:
    if any(id(part) not in joined for part in parts):
        return
    for part in parts:
        del joined[id(part)]
    paths = tuple(part.path for part in parts if part.path is not None and part.path != whole.path)
    box = union([whole.bbox, *(part.bbox for part in parts)])
    joined[id(whole)] = replace(whole, bbox=box, more_paths=paths)


def read_stroked_rests(
    drawing: Drawing, strokes: Strokes, hooks: Sequence[tuple[int, BBox]], staves: Sequence[Staff]
) -> list[Symbol]:
    """Rests of an eighth and less that are a slanted stroke with hooks at its left.

    Args:
        strokes: of the drawing, without the outlines of known symbols.
        hooks: index of the path and box of filled outlines that are no known symbols.
    """
    if not hooks:
        return []
    places = StaffPlaces(staves)
    ends = strokes.ends
    low, high = np.minimum(ends[:, :2], ends[:, 2:]), np.maximum(ends[:, :2], ends[:, 2:])
    near = places.nearest(np.hstack([low, high]))
    space = np.array([places.space(staff) if staff >= 0 else 1e9 for staff in near.tolist()])
    width, height = (high - low).T
    rises = (ends[:, 2] - ends[:, 0]) * (ends[:, 3] - ends[:, 1]) < 0
    slope = height / np.maximum(width, 1e-9)
    fits = rises & (near >= 0) & (strokes.thickness <= 0.4 * space)
    fits &= (slope >= REST_STROKE_SLOPES[0]) & (slope <= REST_STROKE_SLOPES[1])
    fits &= (height >= REST_STROKE_SPACES[0] * space) & (height <= REST_STROKE_SPACES[1] * space)
    boxes = np.array([box for _, box in hooks])
    found = []
    for number in np.flatnonzero(fits).tolist():
        unit = float(space[number])
        (x0, y0), (x1, y1) = low[number].tolist(), high[number].tolist()
        middle = (boxes[:, 1] + boxes[:, 3]) / 2
        # The stroke runs from the lower left to the upper right.
        stroke_x = x1 - (boxes[:, 1] - y0) / (y1 - y0) * (x1 - x0)
        size = np.stack([boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]]) / unit
        at = (size >= HOOK_SPACES[0]).all(axis=0) & (size <= HOOK_SPACES[1]).all(axis=0)
        at &= (middle >= y0 - 0.5 * unit) & (middle <= y1 - 0.3 * unit)
        at &= np.abs(boxes[:, 2] - stroke_x) <= HOOK_GAP_SPACES * unit + 0.25 * (boxes[:, 2] - boxes[:, 0])
        at &= boxes[:, 0] < stroke_x
        chosen = np.flatnonzero(at).tolist()
        if not 1 <= len(chosen) <= len(SHORT_RESTS):
            continue
        paths = (int(strokes.path[number]), *(hooks[hook][0] for hook in chosen))
        box: BBox = union([(x0, y0, x1, y1), *(hooks[hook][1] for hook in chosen)])
        order = min(drawing.paths[path].order for path in paths)
        origin = (box[0], (box[1] + box[3]) / 2)
        found.append(
            Symbol(
                SHORT_RESTS[len(chosen) - 1],
                box,
                origin,
                SPACES_IN_EM * unit,
                order,
                0.8,
                path=paths[0],
                more_paths=paths[1:],
            )
        )
    return found


def join_stacked_rests(symbols: Sequence[Symbol]) -> list[Symbol]:
    """Symbols with rests of an eighth that stand on each other as one shorter rest."""
    rests = [symbol for symbol in symbols if symbol.name == SHORT_RESTS[0]]
    if len(rests) > MAX_RESTS:
        return list(symbols)
    stacks: list[list[Symbol]] = []
    for rest in sorted(rests, key=lambda rest: rest.bbox[1]):
        space = rest.size / SPACES_IN_EM
        for stack in stacks:
            below, aside = rest.bbox[1] - stack[-1].bbox[1], rest.bbox[0] - stack[-1].bbox[0]
            if abs(below - space) <= 0.25 * space and abs(aside) <= 0.6 * space:
                stack.append(rest)
                break
        else:
            stacks.append([rest])
    gone: set[int] = set()
    joined: list[Symbol] = []
    for stack in stacks:
        if 1 < len(stack) <= len(SHORT_RESTS):
            gone.update(id(rest) for rest in stack)
            paths = tuple(rest.path for rest in stack[1:] if rest.path is not None)
            box = union(rest.bbox for rest in stack)
            joined.append(replace(stack[0], name=SHORT_RESTS[len(stack) - 1], bbox=box, more_paths=paths))
    return [symbol for symbol in symbols if id(symbol) not in gone] + joined


def join_cut_times(symbols: Sequence[Symbol], strokes: Strokes) -> list[Symbol]:
    """Symbols with each C that an upright stroke runs through as the sign of cut time."""
    joined = []
    for symbol in symbols:
        if symbol.name == "timeSigCommon":
            x0, y0, x1, y1 = symbol.bbox
            space = symbol.size / SPACES_IN_EM
            ends, quarter = strokes.ends, (x1 - x0) / 4
            length = ends[:, 3] - ends[:, 1]
            through = strokes.is_upright & (ends[:, 0] >= x0 + quarter) & (ends[:, 0] <= x1 - quarter)
            through &= (ends[:, 1] < y0) & (ends[:, 3] > y1)
            through &= (length >= CUT_SPACES[0] * space) & (length <= CUT_SPACES[1] * space)
            if through.any():
                paths = {int(path) for path in strokes.path[through]} - {symbol.path}
                box = union(
                    [symbol.bbox, (x0, float(ends[through, 1].min()), x1, float(ends[through, 3].max()))]
                )
                symbol = replace(symbol, name="timeSigCutCommon", bbox=box, more_paths=tuple(sorted(paths)))
        joined.append(symbol)
    return joined
