"""Dots beside atoms, which stand for unpaired electrons or, two by two, for lone pairs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Final

import numpy as np

from docai.geometry import BBox, center
from docai.pipelines.drawings.letters import Letter
from docai.pipelines.drawings.molecule.bond_strokes import Circle, Strokes
from docai.pipelines.drawings.molecule.label_groups import MAX_SIGN_GAP, gap_between
from docai.pipelines.ingest.drawing import Drawing, PaintedPath

DOT_RADII: Final = (0.03, 0.16)
"""Smallest and largest radius of a dot, ems of the letters."""

DOT_OF_BOND: Final = 0.12
"""Radius of a dot beside an atom that is not written, in lengths of its bonds, at most."""

VERTEX_REACH: Final = 0.5
"""Distance of a dot from such an atom, in lengths of its bonds, at most."""

ROUNDNESS: Final = 0.75
"""Shorter over longer side of the box of a dot."""

MIN_POINTS: Final = 7
"""Of the outline of a dot, which has no corners."""

MAX_DOTS: Final = 500
"""Filled circles above which they are a pattern."""


def take_dots(drawing: Drawing, strokes: Strokes, letters: Sequence[Letter]) -> list[Letter]:
    """The dots among strokes, as letters ``·``; they are taken out of the strokes.

    A dot on a line is none: it marks the atom itself.
    """
    round_paths = {
        index: circle
        for index, box in strokes.others
        if (circle := _as_dot(drawing.paths[index], index, box))
    }
    filled = [circle for circle in strokes.circles if circle.is_filled] + list(round_paths.values())
    if not filled or len(filled) > MAX_DOTS:
        return []
    em = median(letter.size for letter in letters) if letters else 0.0
    dots = [
        circle
        for circle in filled
        if (_is_beside_letter(circle, letters) or _is_beside_vertex(circle, strokes))
        and not _is_on_line(circle, strokes)
    ]
    strokes.circles = [circle for circle in strokes.circles if circle not in dots]
    strokes.others = [(index, box) for index, box in strokes.others if round_paths.get(index) not in dots]
    return [_letter_of(circle, em or 8.0 * circle.radius) for circle in dots]


def _as_dot(path: PaintedPath, index: int, box: BBox) -> Circle | None:
    """A small filled path that is nearly round; None for others."""
    width, height = box[2] - box[0], box[3] - box[1]
    if path.fill is None or len(path.subpaths) != 1 or min(width, height) < ROUNDNESS * max(width, height):
        return None
    x, y = path.subpaths[0].points.T
    if len(x) < MIN_POINTS:
        return None
    share = abs(float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]))) / 2 / max(width * height, 1e-12)
    if not 0.7 < share < 0.86:
        return None
    return Circle(center(box), (width + height) / 4, (index,), is_filled=True)


def _letter_of(circle: Circle, em: float) -> Letter:
    x, y = circle.center
    box = (x - circle.radius, y - circle.radius, x + circle.radius, y + circle.radius)
    return Letter("·", box, em, y + 0.25 * em, 0, paths=circle.paths)


def _is_beside_letter(circle: Circle, letters: Sequence[Letter]) -> bool:
    x, y = circle.center
    return any(
        DOT_RADII[0] * letter.size <= circle.radius <= DOT_RADII[1] * letter.size
        and gap_between(letter.bbox, (x, y, x, y)) - circle.radius <= MAX_SIGN_GAP * letter.size
        for letter in letters
        if letter.text[:1].isalpha()
    )


def _is_beside_vertex(circle: Circle, strokes: Strokes) -> bool:
    return any(
        circle.radius <= DOT_OF_BOND * line.length
        and min(math.dist(line.p, circle.center), math.dist(line.q, circle.center))
        <= VERTEX_REACH * line.length
        for line in strokes.lines
    )


def _is_on_line(circle: Circle, strokes: Strokes) -> bool:
    """Whether a dot touches a line."""
    reach = 1.2 * circle.radius
    for line in strokes.lines:
        (x0, y0), (x1, y1) = line.p, line.q
        dx, dy = x1 - x0, y1 - y0
        square = dx * dx + dy * dy
        share = ((circle.center[0] - x0) * dx + (circle.center[1] - y0) * dy) / square if square > 0 else 0.0
        share = min(max(share, 0.0), 1.0)
        if math.dist(circle.center, (x0 + share * dx, y0 + share * dy)) <= reach + line.width / 2:
            return True
    return False
