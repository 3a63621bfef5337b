"""Articulations that are painted with strokes: accents, marcato marks, bow signs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, union
from docai.pipelines.drawings.score.symbol_places import SPACES_IN_EM, StaffPlaces
from docai.pipelines.drawings.score.types import Staff, Symbol
from docai.pipelines.ingest.drawing import Drawing, PaintedPath

UP_BOW_ASPECT: Final = 1.25
"""Height over width from which a ``V`` is the sign for an up-bow."""

BOW_WIDTH_SPACES: Final = (0.7, 1.7)
"""Distance of the legs of the sign for a down-bow."""

BOW_HEIGHT_SPACES: Final = (0.7, 2.0)
"""Length of the legs of the sign for a down-bow."""

Floats = NDArray[np.float64]


def read_stroked_marks(drawing: Drawing, staves: Sequence[Staff]) -> list[Symbol]:
    """Marks that are two strokes of one path: meeting in a point, or the legs of a bow sign."""
    places = StaffPlaces(staves)
    bent = [
        (index, corners)
        for index, path in enumerate(drawing.paths)
        if (corners := _two_strokes(path)) is not None and len(corners) in (3, 4)
    ]
    near = places.nearest(np.array([drawing.paths[index].bbox for index, _ in bent]).reshape(-1, 4)).tolist()
    found = []
    for (index, corners), staff in zip(bent, near, strict=True):
        if staff < 0:
            continue
        path, space = drawing.paths[index], places.space(staff)
        name = _wedge_name(corners / space) if len(corners) == 3 else ""
        bar = _bar_over(drawing, index, space) if len(corners) == 4 and _are_legs(corners / space) else None
        more: tuple[int, ...] = ()
        if bar is not None:
            name, more = "stringsDownBow", (bar,)
        if name:
            box: BBox = union([path.bbox, *(drawing.paths[other].bbox for other in more)])
            size = SPACES_IN_EM * space
            found.append(
                Symbol(name, box, (box[0], box[3]), size, path.order, 0.8, path=index, more_paths=more)
            )
    return found


def _two_strokes(path: PaintedPath) -> Floats | None:
    """(3 or 4, 2), the different ends of two strokes; None of another path."""
    if path.stroke is None or path.fill is not None or not 1 <= len(path.subpaths) <= 2:
        return None
    if sum(len(part.points) for part in path.subpaths) > 4 or any(
        part.is_curve.any() for part in path.subpaths
    ):
        return None
    return np.asarray(np.unique(np.concatenate([part.points for part in path.subpaths]).round(2), axis=0))


def _are_legs(corners: Floats) -> bool:
    """Whether four ends, by x and in staff spaces, are those of two upright strokes of one height."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners.tolist()
    upright = abs(x0 - x1) < 0.05 and abs(x2 - x3) < 0.05 and abs(y0 - y2) < 0.05 and abs(y1 - y3) < 0.05
    width, height = x2 - x0, y1 - y0
    fits = BOW_WIDTH_SPACES[0] <= width <= BOW_WIDTH_SPACES[1]
    return bool(upright and fits) and BOW_HEIGHT_SPACES[0] <= height <= BOW_HEIGHT_SPACES[1]


def _bar_over(drawing: Drawing, legs: int, space: float) -> int | None:
    """Index of the path that joins the legs of a bow sign at their upper ends, painted next to them."""
    x0, y0, x1, y1 = drawing.paths[legs].bbox
    near = 0.25 * space
    for index in (legs - 1, legs + 1):
        if 0 <= index < len(drawing.paths):
            a, b, c, d = drawing.paths[index].bbox
            if (
                abs(a - x0) <= near
                and abs(c - x1) <= near
                and abs(b - y0) <= near
                and d <= (y0 + y1) / 2 + near
            ):
                return index
    return None


def _wedge_name(corners: Floats) -> str:
    """The symbol that three corners, in staff spaces, are the ends and the point of; empty for none."""
    width, height = np.ptp(corners, axis=0)
    x, y = corners[np.argsort(corners[:, 0])].T
    if 0.8 <= width <= 2.4 and 0.4 <= height <= 1.5 and abs(x[0] - x[1]) <= 0.1 * width:
        # A hairpin opens to the right and is longer; an accent closes to the right.
        return "articAccentAbove" if abs(y[2] - (y[0] + y[1]) / 2) <= 0.1 * height else ""
    low = corners[np.argsort(corners[:, 1])]
    if not (0.5 <= width <= 1.6 and 0.6 <= height <= 1.8):
        return ""
    below = "stringsUpBow" if height > UP_BOW_ASPECT * width else "articMarcatoBelow"
    for point, ends, name in ((0, (1, 2), "articMarcatoAbove"), (2, (0, 1), below)):
        level = abs(low[ends[0], 1] - low[ends[1], 1]) <= 0.1 * height
        if level and abs(low[point, 0] - low[list(ends), 0].mean()) <= 0.1 * width:
            return name
    return ""
