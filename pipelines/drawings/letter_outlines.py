"""Outlines of a drawing that may be letters: painted shapes, each with its holes, and their pictures.

A path may hold one letter, several, or a part of one; so may one letter be several shapes, as i and = are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, union
from docai.pipelines.ingest.drawing import Drawing, PaintedPath

Contour = NDArray[np.float64]
"""(n, 2), a polygon; whether its first point comes again at the end does not matter."""

PICTURE_PX: Final = 24
"""Side of the picture of an outline, which is stretched to fill it."""

N_FEATURES: Final = PICTURE_PX * PICTURE_PX + 18

MIN_SIDE: Final = 0.1
"""Points of the larger side of the smallest shape that is looked at: the dot of an i in small print."""

MAX_SIDE: Final = 150.0
"""Points of the larger side above which an outline is no letter of a drawing."""

MAX_ASPECT: Final = 40.0
"""Larger side to smaller one; a dash has 12."""

MAX_POINTS: Final = 3000
"""Of one letter, curves flattened: the most ornate have some hundred."""

MAX_CONTOURS: Final = 2000
"""Of one path; those of maps and charts have more, a line of text some hundred."""

MAX_OUTLINES: Final = 20_000

_SHIFT: Final = 4
"""Bits of a pixel's fraction in the coordinates that OpenCV is given."""

_DRAWN_PX: Final = 4 * PICTURE_PX
"""Side of what is drawn and made smaller."""

_ASPECT_STEPS: Final = np.linspace(-3.5, 3.5, 9)
"""Logarithms to base 2 of width to height at which the features of aspect peak."""


@dataclass(slots=True, eq=False)
class Outline:
    """One shape, or several that make up a letter."""

    contours: list[Contour]
    depths: list[int]
    """For each contour 0 for ink, 1 for a hole in it, 2 for ink in that."""
    bbox: BBox
    paths: tuple[int, ...]
    """Indices in ``Drawing.paths``."""
    is_stroked: bool = False
    """Lines of a pen, not the edge of a filled shape."""
    pen: float = 0.0
    """Width of those lines, points."""
    parts: list[Outline] = field(default_factory=list)
    """What it was joined from; empty for a shape."""

    @property
    def width(self) -> float:
        return self.bbox[2] - self.bbox[0]

    @property
    def height(self) -> float:
        return self.bbox[3] - self.bbox[1]

    def key(self) -> tuple[bytes, bool]:
        """The same for outlines that differ in size and place alone, by a hundredth of their larger side."""
        x0, y0, x1, y1 = self.bbox
        grain = 100.0 / max(x1 - x0, y1 - y0)
        points = self.contours[0] if len(self.contours) == 1 else np.concatenate(self.contours)
        return np.rint((points - (x0, y0)) * grain).astype(np.int16).tobytes(), self.is_stroked


def find_outlines(drawing: Drawing) -> list[list[Outline]]:
    """For each path that may be of letters its shapes, in the order of painting."""
    found: list[list[Outline]] = []
    n = 0
    for index, path in enumerate(drawing.paths):
        outlines = list(_of_path(path, index))
        n += len(outlines)
        if n > MAX_OUTLINES:
            break
        if outlines:
            found.append(outlines)
    return found


def _of_path(path: PaintedPath, index: int) -> Iterator[Outline]:
    x0, y0, x1, y1 = path.bbox
    if len(path.subpaths) == 1 and not is_letter_sized(x1 - x0, y1 - y0):
        return
    if path.opacity <= 0 or len(path.subpaths) > MAX_CONTOURS:
        return
    if path.fill is None:
        yield from _of_pen(path, index)
        return
    if len(path.subpaths) == 1 and not path.is_clipped:
        only = path.subpaths[0].points
        if 3 <= len(only) <= MAX_POINTS:
            outline = Outline([only], [0], path.bbox, (index,))
            if not _is_polygon_of_lines(outline):
                yield outline
        return
    # Those in a shape too large for a letter are letters left open in it.
    contours = [part.points for part in path.subpaths if len(part.points) > 2 and _is_small(part.points)]
    for outline in nest(contours):
        outline.paths = (index,)
        if is_letter_sized(outline.width, outline.height) and not _is_polygon_of_lines(outline):
            yield outline


def _of_pen(path: PaintedPath, index: int) -> Iterator[Outline]:
    """A path drawn by a pen, as a whole: letters of plotters, and letters of which only the edge is drawn."""
    if path.stroke is None or path.dashes:
        return
    lines = [part.points for part in path.subpaths if _is_small(part.points)]
    n_points = sum(map(len, lines))
    x0, y0, x1, y1 = path.bbox
    if not 3 <= n_points <= MAX_POINTS or not is_letter_sized(x1 - x0, y1 - y0):
        return
    if all(part.is_closed and part.is_curve.any() for part in path.subpaths):
        for outline in nest(lines):
            outline.paths = (index,)
            if is_letter_sized(outline.width, outline.height):
                yield outline
        return
    yield Outline(lines, [0] * len(lines), path.bbox, (index,), is_stroked=True, pen=path.width)


def _is_small(contour: Contour) -> bool:
    """Whether a contour is no larger than a letter; False for NaN."""
    return bool(np.ptp(contour, axis=0).max() <= MAX_SIDE)


def is_letter_sized(width: float, height: float) -> bool:
    """Whether a shape has the size of a letter, in points; False for NaN."""
    large, small = max(width, height), min(width, height)
    return MIN_SIDE <= large <= MAX_SIDE and large <= MAX_ASPECT * max(small, MIN_SIDE / MAX_ASPECT)


def _is_polygon_of_lines(outline: Outline) -> bool:
    """Whether a shape is a triangle, or a quadrangle without level sides: bonds and arrows."""
    if len(outline.contours) > 1:
        return False
    points = outline.contours[0]
    if len(points) > 5:
        return False
    corners = points[:-1] if np.array_equal(points[0], points[-1]) else points
    if len(corners) != 4:
        return True
    slack = 0.03 * max(outline.width, outline.height)
    levels = np.sort(corners[:, 1])
    return bool(levels[1] - levels[0] > slack or levels[3] - levels[2] > slack)


def nest(contours: Sequence[Contour]) -> list[Outline]:
    """Shapes of a filled path: contours with those inside them as holes, overlapping ones as one shape.

    It does not matter in which direction they run, so that both rules of filling give the same shapes.
    """
    if len(contours) == 1:
        only = contours[0]
        return [Outline([only], [0], _box(only), ())] if len(only) <= MAX_POINTS else []
    contours = [contour for contour in contours if len(contour) <= MAX_POINTS]
    if not contours:
        return []
    boxes = np.array([_box(contour) for contour in contours])
    size = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    order = np.argsort(-size, kind="stable")
    boxes = boxes[order]
    # OpenCV takes single precision: places count from the first contour.
    polygons = [(contours[i] - boxes[0, :2]).astype(np.float32) for i in order]
    root, depth = list(range(len(order))), [0] * len(order)
    for i in range(1, len(order)):
        before = boxes[:i]
        touching = (
            (before[:, 0] <= boxes[i, 2])
            & (before[:, 2] >= boxes[i, 0])
            & (before[:, 1] <= boxes[i, 3])
            & (before[:, 3] >= boxes[i, 1])
        )
        # The smallest of those around it comes last.
        for j in np.flatnonzero(touching)[::-1].tolist():
            n_inside = _n_inside(polygons[i], polygons[j])
            if n_inside == 0 and not _n_inside(polygons[j], polygons[i]):
                continue
            root[i] = root[j]
            depth[i] = depth[j] + 1 if n_inside == _N_PROBES else depth[j]
            break
    grouped: dict[int, list[int]] = {}
    for i, head in enumerate(root):
        grouped.setdefault(head, []).append(i)
    made = []
    for members in sorted(grouped.values(), key=lambda members: int(order[members[0]])):
        members.sort(key=lambda i: depth[i])
        x0, y0 = boxes[members, :2].min(axis=0)
        x1, y1 = boxes[members, 2:].max(axis=0)
        box = (float(x0), float(y0), float(x1), float(y1))
        made.append(Outline([contours[order[i]] for i in members], [depth[i] for i in members], box, ()))
    return made


_N_PROBES: Final = 4
"""Points of a contour that are looked for inside another one."""


def _n_inside(polygon: NDArray[np.float32], around: NDArray[np.float32]) -> int:
    """How many of a few points of a polygon lie in another one."""
    last = len(polygon) - 1
    points = (polygon[last * probe // _N_PROBES].tolist() for probe in range(_N_PROBES))
    return sum(cv2.pointPolygonTest(around, point, False) > 0 for point in points)


def _box(points: Contour) -> BBox:
    x0, y0 = points.min(axis=0).tolist()
    x1, y1 = points.max(axis=0).tolist()
    return (x0, y0, x1, y1)


def join(outlines: Sequence[Outline]) -> Outline:
    """Several shapes as one letter."""
    return Outline(
        [contour for outline in outlines for contour in outline.contours],
        [depth for outline in outlines for depth in outline.depths],
        union(outline.bbox for outline in outlines),
        tuple(dict.fromkeys(index for outline in outlines for index in outline.paths)),
        parts=list(outlines),
    )


def features(outline: Outline) -> NDArray[np.float32]:
    """What tells a letter, (N_FEATURES,): its picture, its aspect, and the numbers of its holes and parts."""
    n_holes = sum(depth % 2 for depth in outline.depths)
    n_parts = max(len(outline.parts), 1)
    picture = draw(outline)
    aspect = np.log2(max(outline.width, 1e-6) / max(outline.height, 1e-6))
    made = np.zeros(N_FEATURES, np.float32)
    made[: picture.size] = picture.ravel()
    rest = made[picture.size :]
    rest[:9] = np.exp(-(((np.clip(aspect, -4, 4) - _ASPECT_STEPS) / 0.6) ** 2))
    rest[9 + min(n_holes, 3)] = 1
    rest[13 + min(n_parts, 3) - 1] = 1
    rest[16] = outline.is_stroked
    rest[17] = picture.mean()
    return made


def draw(outline: Outline) -> NDArray[np.float32]:
    """The ink in each pixel, 0…1, (PICTURE_PX, PICTURE_PX); the outline is stretched to its sides."""
    x0, y0, x1, y1 = outline.bbox
    margin = outline.pen / 2 if outline.is_stroked else 0.0
    large = max(x1 - x0, y1 - y0)
    if outline.is_stroked:
        margin = max(margin, 0.04 * large)
    width, height = (max(side + 2 * margin, 0.02 * large, 1e-9) for side in (x1 - x0, y1 - y0))
    left, top = (x0 + x1 - width) / 2, (y0 + y1 - height) / 2
    scale = np.array([_DRAWN_PX / width, _DRAWN_PX / height])
    canvas = np.zeros((_DRAWN_PX, _DRAWN_PX), np.uint8)
    one = 1 << _SHIFT
    for contour, depth in zip(outline.contours, outline.depths, strict=True):
        placed = (contour - (left, top)) * scale
        if outline.is_stroked:
            _draw_pen(canvas, placed, 2 * margin * scale)
            continue
        # Half a pixel: OpenCV counts from the middle of pixels.
        cv2.fillPoly(
            canvas, [np.rint((placed - 0.5) * one).astype(np.int32)], 0 if depth % 2 else 255, shift=_SHIFT
        )
    small = cv2.resize(canvas, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(small / 255, np.float32)


def _draw_pen(canvas: NDArray[np.uint8], placed: Contour, pen: NDArray[np.float64]) -> None:
    """Draw a polyline with a pen that is as wide as ``pen`` says in each direction."""
    nib = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * pen / 2
    one = 1 << _SHIFT
    for start, end in pairwise(placed):
        swept = cv2.convexHull(np.concatenate([nib + start, nib + end]).astype(np.float32)).reshape(-1, 2)
        cv2.fillConvexPoly(canvas, np.rint((swept - 0.5) * one).astype(np.int32), 255, shift=_SHIFT)
