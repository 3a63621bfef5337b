"""The painted paths of a drawing as lines, tapered shapes, circles and waves, whatever they are painted with.

A line may be a stroke, a thin filled polygon, or a thin polygon with both; a taper is a filled polygon that
is wider at one end. Letters and what has the color of the paper are left out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.drawings.molecule.bond_strokes import Arc, Circle, Line, Strokes, Taper, Wave
from docai.pipelines.drawings.molecule.curves import as_circle, as_wave, is_straight, join_arcs
from docai.pipelines.drawings.molecule.polygons import measure_polygon
from docai.pipelines.ingest.drawing import Color, Drawing, PaintedPath, Subpath

MAX_PIECES: Final = 6_000
"""Straight pieces above which a drawing is no molecule that anybody reads."""

_PAPER_DISTANCE: Final = 0.06
"""Largest difference of a color channel from the paper, 0…1, of what cannot be seen on it."""

_PALE: Final = 0.4
"""Least color channel, 0…1, of a shape that marks what is drawn on it."""

_LINE_ASPECT: Final = 0.9
"""Width over length up to which a filled polygon is a line: of a bond between labels little may be seen."""

_TAPER_ASPECT: Final = 1.6
"""Width over length up to which a filled polygon is a taper: the head of an arrow may be wider than long."""

_TAPER_RATIO: Final = 0.62
"""Width at the narrow end over width at the wide end below which a polygon is a taper."""


def read_strokes(drawing: Drawing, letters: Collection[int]) -> Strokes:
    """What the paths of a drawing are; ``letters`` are the indices of those that make letters."""
    strokes = Strokes()
    papers = _paper_colors(drawing)
    n_pieces = 0
    for index, path in enumerate(drawing.paths):
        if index in letters or not _is_visible(path, papers):
            continue
        n_pieces += sum(len(part.points) - 1 for part in path.subpaths)
        if n_pieces > MAX_PIECES * 10 or len(strokes.lines) > MAX_PIECES:
            strokes.is_complete = False
            break
        if path.is_clipped:
            strokes.clipped.add(index)
        _add_path(strokes, path, index, papers)
    join_arcs(strokes)
    return strokes


def visible_paths(drawing: Drawing) -> set[int]:
    """Indices of paths that do not have the color of the paper."""
    papers = _paper_colors(drawing)
    return {index for index, path in enumerate(drawing.paths) if _is_visible(path, papers)}


def _paper_colors(drawing: Drawing) -> list[Color]:
    """White, and the colors that fill most of the drawing's box before anything else."""
    papers: list[Color] = [(1.0, 1.0, 1.0)]
    for path in drawing.paths:
        if path.fill is None or path.opacity < 0.5 or not _covers(path.bbox, drawing.bbox):
            break
        papers = [path.fill]
    return papers


def _covers(box: BBox, whole: BBox) -> bool:
    width = min(box[2], whole[2]) - max(box[0], whole[0])
    height = min(box[3], whole[3]) - max(box[1], whole[1])
    area = (whole[2] - whole[0]) * (whole[3] - whole[1])
    return width > 0 and height > 0 and width * height > 0.8 * area


def _is_paper(color: Color | None, papers: Sequence[Color]) -> bool:
    return color is None or any(
        max(abs(a - b) for a, b in zip(color, paper, strict=True)) <= _PAPER_DISTANCE for paper in papers
    )


def _is_visible(path: PaintedPath, papers: Sequence[Color]) -> bool:
    return path.opacity > 0.05 and not (_is_paper(path.stroke, papers) and _is_paper(path.fill, papers))


def _add_path(strokes: Strokes, path: PaintedPath, index: int, papers: Sequence[Color]) -> None:
    is_filled = not _is_paper(path.fill, papers)
    if is_filled and _has_hole(path.subpaths):
        strokes.others.append((index, path.bbox))
        return
    known = True
    for part in path.subpaths:
        if len(part.points) < 2 or not np.isfinite(part.points).all():
            continue
        if is_filled and len(part.points) > 2:
            known &= _add_polygon(strokes, path, part, index)
        elif not _is_paper(path.stroke, papers):
            known &= _add_stroke(strokes, path, part, index)
    if not known and path.stroke is None and path.fill is not None and min(path.fill) > _PALE:
        strokes.backgrounds.add(index)
    elif not known:
        strokes.others.append((index, path.bbox))


# Filled shapes.


def _has_hole(parts: Sequence[Subpath]) -> bool:
    """Whether one of a few outlines lies within another, as in the letter O."""
    if not 1 < len(parts) <= 8:
        return False
    boxes = [(*part.points.min(axis=0), *part.points.max(axis=0)) for part in parts]
    return any(
        a is not b and a[0] < b[0] and a[1] < b[1] and a[2] > b[2] and a[3] > b[3]
        for a in boxes
        for b in boxes
    )


def _add_polygon(strokes: Strokes, path: PaintedPath, part: Subpath, index: int) -> bool:
    color = path.fill if path.fill is not None else path.stroke
    assert color is not None
    extra = path.width if path.stroke is not None else 0.0
    points = part.points[:-1] if part.is_closed else part.points
    circle = as_circle(points, part.is_curve)
    if circle is not None:
        strokes.circles.append(Circle(*circle, (index,), is_filled=True))
        return True
    shape = measure_polygon(points)
    if shape is None:
        # Without an area: a line that is filled as well as stroked.
        return _add_stroke(strokes, path, part, index) if path.stroke is not None else False
    begin, end, begin_width, end_width, is_even = shape
    length = math.dist(begin, end)
    begin_width, end_width = begin_width + extra, end_width + extra
    if not is_even or length <= 0:
        return False
    wide, narrow = max(begin_width, end_width), min(begin_width, end_width)
    if narrow < _TAPER_RATIO * wide and wide <= _TAPER_ASPECT * (length + extra):
        if begin_width > end_width:
            begin, end = end, begin
        strokes.tapers.append(Taper(begin, end, narrow, wide, color, (index,), path.order))
        return True
    if (wide + narrow) / 2 <= _LINE_ASPECT * (length + extra):
        strokes.lines.append(Line(begin, end, (wide + narrow) / 2, color, (index,), path.order))
        return True
    return False


# Strokes.


def _add_stroke(strokes: Strokes, path: PaintedPath, part: Subpath, index: int) -> bool:
    color = path.stroke if path.stroke is not None else path.fill
    assert color is not None
    points = part.points
    circle = as_circle(points[:-1], part.is_curve) if part.is_closed else None
    if circle is not None:
        strokes.circles.append(Circle(*circle, (index,), is_filled=False))
        return True
    if part.is_closed and len(points) == 4 and not part.is_curve.any():
        taper = _hollow_taper(points, path, color, index)
        if taper is not None:
            strokes.tapers.append(taper)
            return True
    wave = as_wave(points)
    if wave is not None:
        strokes.waves.append(Wave(*wave, (index,)))
        return True
    known = True
    for run, curved in _runs(points, part.is_curve):
        a, b = (float(run[0][0]), float(run[0][1])), (float(run[-1][0]), float(run[-1][1]))
        if curved and not is_straight(run):
            strokes.arcs.append(Arc(run, index))
            continue
        if a == b:
            continue
        dash = path.dashes[0] if path.dashes else 0.0
        strokes.lines.append(
            Line(a, b, path.width, color, (index,), path.order, is_dashed=bool(path.dashes), dash=dash)
        )
    return known


def _hollow_taper(points: NDArray[np.float64], path: PaintedPath, color: Color, index: int) -> Taper | None:
    """A narrow triangle that is only outlined."""
    corners = [(float(x), float(y)) for x, y in points[:3]]
    sides = [math.dist(corners[i], corners[(i + 1) % 3]) for i in range(3)]
    short = sides.index(min(sides))
    if sides[short] > 0.5 * max(sides) or max(sides) > 1.15 * sorted(sides)[1]:
        return None
    a, b, apex = corners[short], corners[(short + 1) % 3], corners[(short + 2) % 3]
    wide = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    return Taper(apex, wide, 0.0, sides[short], color, (index,), path.order, is_hollow=True)


def _runs(
    points: NDArray[np.float64], is_curve: NDArray[np.bool_]
) -> Iterable[tuple[NDArray[np.float64], bool]]:
    """Straight pieces one by one, and curved pieces that follow each other as one."""
    start = 0
    for n in range(len(is_curve)):
        if not is_curve[n]:
            if start < n:
                yield points[start : n + 1], True
            yield points[n : n + 2], False
            start = n + 1
    if start < len(is_curve):
        yield points[start:], True
