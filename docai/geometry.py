"""Plain arithmetic on boxes ``(x0, y0, x1, y1)``, any unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BBox = tuple[float, float, float, float]


@dataclass(frozen=True)
class Frame:
    """The displayed page, ``width`` by ``height``, turned clockwise by ``turn`` quarters."""

    width: float
    height: float
    turn: int

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the turned page."""
        return (self.height, self.width) if self.turn % 2 else (self.width, self.height)

    def enter(self, box: BBox) -> BBox:
        """A box of the displayed page, in the frame."""
        return _turned(box, self.turn, self.width, self.height)

    def leave(self, box: BBox) -> BBox:
        """A box of the frame, on the displayed page."""
        return _turned(box, (4 - self.turn) % 4, *self.size)


def _turned(box: BBox, turn: int, width: float, height: float) -> BBox:
    x0, y0, x1, y1 = box
    if turn == 1:
        return height - y1, x0, height - y0, x1
    if turn == 2:
        return width - x1, height - y1, width - x0, height - y0
    if turn == 3:
        return y0, width - x1, y1, width - x0
    return box


def area(box: BBox) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def common(a: BBox, b: BBox) -> float:
    """Area of the intersection."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return wide * high if wide > 0 and high > 0 else 0.0


def intersection(a: BBox, b: BBox) -> BBox | None:
    """The box that both share; None where that has no area."""
    box = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    return box if area(box) > 0 else None


def share_inside(inner: BBox, outer: BBox) -> float:
    """Part of ``inner`` that lies in ``outer``, 0…1."""
    whole = area(inner)
    return common(inner, outer) / whole if whole > 0 else float(holds(outer, inner))


def iou(a: BBox, b: BBox) -> float:
    """Intersection over union, 0…1."""
    both = common(a, b)
    return both / (area(a) + area(b) - both) if both > 0 else 0.0


def union(boxes: Iterable[BBox]) -> BBox:
    """The smallest box around at least one box."""
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def grow(box: BBox, dx: float, dy: float | None = None) -> BBox:
    dy = dx if dy is None else dy
    return box[0] - dx, box[1] - dy, box[2] + dx, box[3] + dy


def clip(box: BBox, width: float, height: float) -> BBox:
    """The part of a box on a page of that size; empty at the border where there is none."""
    x0, x1 = (min(max(value, 0.0), width) for value in (box[0], box[2]))
    y0, y1 = (min(max(value, 0.0), height) for value in (box[1], box[3]))
    return x0, y0, x1, y1


def touches(a: BBox, b: BBox) -> bool:
    """Whether two boxes share a point; also true of boxes without area."""
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def holds(outer: BBox, inner: BBox) -> bool:
    """Whether the centre of ``inner`` lies in ``outer``."""
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]


def overlap(a0: float, a1: float, b0: float, b1: float) -> float:
    """Length of the intersection of two intervals as a share of the shorter one."""
    shorter = min(a1 - a0, b1 - b0)
    return max(0.0, min(a1, b1) - max(a0, b0)) / shorter if shorter > 0 else 0.0


def join_touching(boxes: Sequence[BBox], dx: float, dy: float | None = None) -> list[BBox]:
    """Unite boxes that come within ``dx`` and ``dy`` of one another, until none do."""
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
