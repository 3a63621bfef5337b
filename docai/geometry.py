"""Boxes ``(x0, y0, x1, y1)`` in any unit, and the transforms between the frames they are given in.

All frames have their origin at the top left, x to the right and y down. On a page the unit is the PDF point.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BBox = tuple[float, float, float, float]


@dataclass(frozen=True)
class PageTransform:
    """Between points of a page and pixels of a picture of it.

    Attributes:
        x0, y0: page point of the outer corner of pixel (0, 0).
        scale: pixels per point.
    """

    x0: float
    y0: float
    scale: float

    def to_pixels(self, box: BBox) -> BBox:
        """Page points to pixels of the picture, not rounded and not clipped."""
        x0, y0, x1, y1 = box
        return (
            (x0 - self.x0) * self.scale,
            (y0 - self.y0) * self.scale,
            (x1 - self.x0) * self.scale,
            (y1 - self.y0) * self.scale,
        )

    def to_page(self, box: BBox) -> BBox:
        """Pixels of the picture to page points."""
        x0, y0, x1, y1 = box
        return (
            x0 / self.scale + self.x0,
            y0 / self.scale + self.y0,
            x1 / self.scale + self.x0,
            y1 / self.scale + self.y0,
        )

    def point_to_pixels(self, x: float, y: float) -> tuple[float, float]:
        """A point of the page to pixels of the picture."""
        return (x - self.x0) * self.scale, (y - self.y0) * self.scale

    def row_to_page(self, row: float) -> float:
        """The height on the page, in points, of a pixel row's upper edge."""
        return row / self.scale + self.y0


@dataclass(frozen=True)
class TurnedFrame:
    """A page of ``width`` by ``height``, as displayed, turned clockwise by ``turn`` quarters (0 to 3) and
    measured in other points: ``unit`` points of the page are one of the frame."""

    width: float
    height: float
    turn: int
    unit: float = 1.0

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the turned page, points of the frame."""
        width, height = self.width / self.unit, self.height / self.unit
        return (height, width) if self.turn % 2 else (width, height)

    def from_page(self, box: BBox) -> BBox:
        """A box of the displayed page as a box of the turned page."""
        return _scale(_turn(box, self.turn, self.width, self.height), 1 / self.unit)

    def to_page(self, box: BBox) -> BBox:
        """A box of the turned page as a box of the displayed page."""
        width, height = (self.height, self.width) if self.turn % 2 else (self.width, self.height)
        return _turn(_scale(box, self.unit), (4 - self.turn) % 4, width, height)


def _turn(box: BBox, turn: int, width: float, height: float) -> BBox:
    x0, y0, x1, y1 = box
    if turn == 1:
        return height - y1, x0, height - y0, x1
    if turn == 2:
        return width - x1, height - y1, width - x0, height - y0
    if turn == 3:
        return y0, width - x1, y1, width - x0
    return box


def _scale(box: BBox, factor: float) -> BBox:
    x0, y0, x1, y1 = box
    return x0 * factor, y0 * factor, x1 * factor, y1 * factor


def area(box: BBox) -> float:
    """Width times height; 0 where ``x1 < x0`` or ``y1 < y0``."""
    width, height = box[2] - box[0], box[3] - box[1]
    return width * height if width > 0 and height > 0 else 0.0


def center(box: BBox) -> tuple[float, float]:
    """The middle of a box, ``(x, y)``."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def intersection_area(a: BBox, b: BBox) -> float:
    """Area that two boxes share; 0 where they are apart."""
    # Most boxes of a page are apart, and this is asked thousands of times for each.
    if a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]:
        return 0.0
    width = interval_overlap(a[0], a[2], b[0], b[2])
    height = interval_overlap(a[1], a[3], b[1], b[3])
    return width * height if width > 0 and height > 0 else 0.0


def intersection(a: BBox, b: BBox) -> BBox | None:
    """The box that two boxes share; None where it has no area."""
    box = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    return box if area(box) > 0 else None


def share_inside(inner: BBox, outer: BBox) -> float:
    """Share of the area of ``inner`` that lies in ``outer``, 0…1.

    A box without area counts as inside (1) where its center is, and else as outside (0).
    """
    whole = area(inner)
    return intersection_area(inner, outer) / whole if whole > 0 else float(contains_center(outer, inner))


def iou(a: BBox, b: BBox) -> float:
    """Intersection over union, 0…1."""
    both = intersection_area(a, b)
    # A box that is not finite has no area, and shares some all the same.
    if both <= 0 or area(a) <= 0 or area(b) <= 0:
        return 0.0
    return both / (area(a) + area(b) - both)


def union(boxes: Iterable[BBox]) -> BBox:
    """The smallest box around all boxes, of which there is at least one."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def grow(box: BBox, dx: float, dy: float | None = None) -> BBox:
    """A box larger by ``dx`` on the left and right and by ``dy`` (default: ``dx``) above and below."""
    dy = dx if dy is None else dy
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def clip(box: BBox, width: float, height: float) -> BBox:
    """The part of a box that lies on a page of that size; without area, on the page's edge, where none
    does."""
    if 0 <= box[0] <= box[2] <= width and 0 <= box[1] <= box[3] <= height:
        return box
    x0, x1 = (min(max(value, 0.0), width) for value in (box[0], box[2]))
    y0, y1 = (min(max(value, 0.0), height) for value in (box[1], box[3]))
    return x0, y0, x1, y1


def touches(a: BBox, b: BBox) -> bool:
    """Whether two boxes share at least one point; boxes without area can, too."""
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def distance(a: BBox, b: BBox) -> float:
    """Distance of two boxes; 0 where they touch."""
    dx = max(a[0] - b[2], b[0] - a[2], 0.0)
    dy = max(a[1] - b[3], b[1] - a[3], 0.0)
    return math.hypot(dx, dy)


def contains_center(outer: BBox, inner: BBox) -> bool:
    """Whether the center of ``inner`` lies in ``outer``, edges included."""
    x, y = center(inner)
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]


def interval_overlap(a0: float, a1: float, b0: float, b1: float) -> float:
    """Length that the intervals ``a0…a1`` and ``b0…b1`` share; where they are apart, minus the gap."""
    return min(a1, b1) - max(a0, b0)


def overlap_ratio(a0: float, a1: float, b0: float, b1: float) -> float:
    """Length that two intervals share over that of the shorter one, 0…1; 0 where that has no length."""
    shorter = min(a1 - a0, b1 - b0)
    return max(0.0, interval_overlap(a0, a1, b0, b1)) / shorter if shorter > 0 else 0.0


def join_touching(boxes: Sequence[BBox], dx: float, dy: float | None = None) -> list[BBox]:
    """Unite boxes that come within ``dx`` and ``dy`` (default: ``dx``) of one another, until none do."""
    dy = dx if dy is None else dy
    joined: list[BBox] = []
    for box in boxes:
        current = box
        while True:
            near = [other for other in joined if touches(grow(current, dx, dy), other)]
            if not near:
                break
            joined = [other for other in joined if other not in near]
            current = union([current, *near])
        joined.append(current)
    return joined
