"""Straight horizontal and vertical strokes of a PDF page, and the paths that draw the rules of several grids.

A path of a PDF may draw any number of lines; programs put the rules of a whole page into one. Its box then
says nothing of what belongs together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, center, join_touching, touches

MAX_THICKNESS = 3.0
"""Points up to which a filled box is a rule; a thicker one is a bar or shading."""

JOIN_DISTANCE = 3.0
"""Points up to which strokes belong to one drawing."""

_MAX_SLANT = 0.7
"""Points by which the ends of a horizontal or vertical line may differ in the other direction."""

_MIN_LENGTH = 8.0
"""Points that a rule is long at least; shorter strokes belong to letters and bullets."""

_MIN_GRID_LINES = 3
"""Different lines in one direction from which strokes are a grid: a single frame has two."""

MAX_STROKES = 3000
"""Strokes of one path above which joining them, quadratic in their number, is too slow."""


def strokes_of(path: dict[str, Any]) -> list[BBox]:
    """The thin straight strokes of a path of ``Page.get_drawings``, horizontal or vertical.

    A line is a box without height or width, a thin filled box is itself, and an outlined box is four lines.
    """
    return [stroke for item in path["items"] for stroke in _strokes_of_item(item, path) or ()]


def _strokes_of_item(item: Sequence[Any], path: dict[str, Any]) -> list[BBox] | None:
    """The strokes of one item of a path; None where it is something else."""
    if item[0] == "l":
        (ax, ay), (bx, by) = item[1], item[2]
        if min(abs(ax - bx), abs(ay - by)) > _MAX_SLANT:
            return None
        return [(min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))]
    if item[0] != "re":
        return None
    x0, x1 = sorted((item[1][0], item[1][2]))
    y0, y1 = sorted((item[1][1], item[1][3]))
    if min(x1 - x0, y1 - y0) <= MAX_THICKNESS:
        return [(x0, y0, x1, y1)]
    if path.get("color") is not None:
        return [(x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1)]
    return None


def all_strokes(paths: Iterable[dict[str, Any]]) -> Iterator[BBox]:
    """The strokes of all paths that are long enough for rules."""
    for path in paths:
        for stroke in strokes_of(path):
            if max(stroke[2] - stroke[0], stroke[3] - stroke[1]) >= _MIN_LENGTH:
                yield stroke


def grids_apart(path: dict[str, Any]) -> list[BBox]:
    """The boxes of what a path draws: one, but for a path of rules that draws several grids apart."""
    x0, y0, x1, y1 = path["rect"]
    whole = [(x0, y0, x1, y1)]
    if len(path["items"]) < 2 * _MIN_GRID_LINES or len(path["items"]) > MAX_STROKES:
        return whole
    strokes = []
    for item in path["items"]:
        of_item = _strokes_of_item(item, path)
        if of_item is None:
            return whole
        strokes += of_item
    parts = join_touching(strokes, JOIN_DISTANCE)
    n_grids = sum(is_grid([stroke for stroke in strokes if touches(part, stroke)]) for part in parts)
    return parts if n_grids > 1 else whole


def grounds_among(
    clusters: Sequence[BBox], paths: Sequence[dict[str, Any]], words: Sequence[BBox]
) -> list[BBox]:
    """The clusters of paths in which there are only filled boxes, one of them behind a word, and rules.

    Rows of tables are shaded so. Where nothing else is drawn, slanted lines are those of letters.
    """
    if not clusters or not words:
        return []
    fills = [_filled_boxes(path) for path in paths]
    middles = np.array([center(word) for word in words])
    behind = [box for boxes in fills for box in boxes or () if _holds_any(box, middles)]
    others = [path["rect"] for path, boxes in zip(paths, fills, strict=True) if boxes is None]
    shaded, drawn = (np.array([(*box,) for box in boxes]).reshape(-1, 4) for boxes in (behind, others))
    return [box for box in clusters if _any_touches(shaded, box) and not _any_touches(drawn, box)]


def _holds_any(box: BBox, points: NDArray[np.float64]) -> bool:
    return bool(((points >= box[:2]) & (points <= box[2:])).all(axis=1).any())


def _any_touches(boxes: NDArray[np.float64], box: BBox) -> bool:
    return bool(((boxes[:, :2] <= box[2:]) & (boxes[:, 2:] >= box[:2])).all(axis=1).any())


def _filled_boxes(path: dict[str, Any]) -> list[BBox] | None:
    """The filled boxes of a path that are no rules; None where it draws more than such and rules."""
    boxes: list[BBox] = []
    for item in path["items"]:
        if item[0] == "re" and path.get("fill") is not None:
            x0, x1 = sorted((item[1][0], item[1][2]))
            y0, y1 = sorted((item[1][1], item[1][3]))
            if min(x1 - x0, y1 - y0) > MAX_THICKNESS:
                boxes.append((x0, y0, x1, y1))
        elif _strokes_of_item(item, path) is None:
            return None
    return boxes


def is_grid(strokes: Iterable[BBox]) -> bool:
    """Whether strokes in both directions are at several places, at least three in one of them."""
    across: set[int] = set()
    down: set[int] = set()
    for x0, y0, x1, y1 in strokes:
        if x1 - x0 > y1 - y0:
            across.add(round((y0 + y1) / 2 / MAX_THICKNESS))
        else:
            down.add(round((x0 + x1) / 2 / MAX_THICKNESS))
    return min(len(across), len(down)) > 1 and max(len(across), len(down)) >= _MIN_GRID_LINES
