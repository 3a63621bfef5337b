"""Reaction arrows and plus signs of a chemical scheme, found by their shape. Lengths are pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from docai.geometry import BBox, center, grow, touches, union
from docai.pipelines.drawings.molecule.types import LARGE_SIGN, LARGER_THAN_LETTERS
from docai.pipelines.layout.segments import Rod, points_of, rod_of
from docai.pipelines.pixels import Parts

ArrowKind = Literal["reaction", "retrosynthesis", "equilibrium", "resonance"]

MIN_ARROW = 1.6
"""Bond lengths; the shortest arrow."""

MIN_SHAFT = 1.25
"""Bond lengths; a shaft is straight over more than a bond."""

MAX_SHAFT = 0.4
"""Bond lengths; how wide a shaft may be, which is two lines in a retrosynthesis arrow."""

MIN_HEAD = 0.12
"""Bond lengths by which a head is wider than the shaft; half a head has one barb."""

MAX_HEAD = 1.0
"""Bond lengths; how wide a head may be: three bonds that meet are wider."""

MAX_SLANT = 20.0
"""Degrees by which an arrow may be off the level and the plumb line, as bonds mostly are."""

MIN_SLANTED_ARROW = 3.0
"""Bond lengths; the shortest arrow that is."""

FREE_END = 0.35
"""Bond lengths around the ends of an arrow in which there is no other stroke."""

HEAD_SHARE = 0.3
"""Share of an arrow's length in which its head lies."""

PLUS_GAP = 0.3
"""Bond lengths around a plus sign in which nothing else is drawn."""

LARGE_PLUS_GAP = 0.08
"""The same around one that is too large for a charge."""

MIN_PLUS = 0.3
"""Bond lengths; the shorter side of such a plus sign, whatever letters are there."""

MIN_DOUBLE_SHAFT = 2.5
"""Times the width of a line from which a shaft is two lines."""


@dataclass(frozen=True)
class Arrow:
    """An arrow from ``tail`` to ``tip``; an equilibrium or resonance arrow points both ways."""

    bbox: BBox
    kind: ArrowKind
    tail: tuple[float, float]
    tip: tuple[float, float]


class _Shape(NamedTuple):
    """An arrow-shaped part: which ends have heads, and where they are."""

    bbox: BBox
    ends: tuple[tuple[float, float], tuple[float, float]]
    heads: tuple[bool, bool]
    is_double: bool


def find_arrows(
    parts: Parts, possible: NDArray[np.bool_], bond: float
) -> tuple[list[Arrow], NDArray[np.bool_]]:
    """The arrows among the ``possible`` (n,) parts, and which parts (n,) they consist of."""
    sides = np.maximum(parts.widths, parts.heights)
    in_arrow = np.zeros(len(parts.areas), bool)
    found: list[tuple[_Shape, list[int]]] = []
    for index in np.flatnonzero(possible & (sides >= MIN_ARROW * bond)):
        members = [int(index)]
        points = points_of(parts, int(index))
        rod = rod_of(points)
        if rod.long < MIN_ARROW * bond or in_arrow[index]:
            continue
        shape = _arrow_shape(points, rod, bond)
        if shape is None and rod.short <= MAX_SHAFT * bond:
            members += _loose_pieces(parts, possible & ~in_arrow, int(index), rod, bond)
            points = np.concatenate([points_of(parts, member) for member in members])
            shape = _arrow_shape(points, rod_of(points), bond) if len(members) > 1 else None
        if shape is not None:
            found.append((shape, members))
            in_arrow[members] = True
    others = possible & ~in_arrow
    shapes = []
    for shape, members in found:
        if _is_free(parts, others, shape, bond):
            shapes.append(shape)
        else:
            in_arrow[members] = False
    return _pair_halves(shapes, bond), in_arrow


def _is_free(parts: Parts, others: NDArray[np.bool_], shape: _Shape, bond: float) -> bool:
    """Whether none of the ``others`` (n,) comes near the ends of an arrow, as bonds do to those of a bond."""
    boxes = parts.boxes[others]
    for x, y in shape.ends:
        dx = np.maximum(np.maximum(boxes[:, 0] - x, x - boxes[:, 2]), 0)
        dy = np.maximum(np.maximum(boxes[:, 1] - y, y - boxes[:, 3]), 0)
        for index in np.flatnonzero(others)[np.hypot(dx, dy) <= FREE_END * bond]:
            points = points_of(parts, int(index))
            if np.hypot(points[:, 0] - x, points[:, 1] - y).min() <= FREE_END * bond:
                return False
    return True


def _loose_pieces(parts: Parts, possible: NDArray[np.bool_], index: int, rod: Rod, bond: float) -> list[int]:
    """The second line and the head of an arrow whose first line is the part ``index``."""
    (shaft,) = parts.boxes_of(np.arange(len(parts.areas)) == index)
    reach = grow(shaft, MAX_SHAFT * bond)
    pieces = []
    for other in np.flatnonzero(possible):
        (box,) = parts.boxes_of(np.arange(len(parts.areas)) == other)
        small = max(box[2] - box[0], box[3] - box[1]) <= bond
        alike = rod_of(points_of(parts, int(other))).long <= 1.1 * rod.long if not small else True
        if other != index and alike and touches(reach, box):
            pieces.append(int(other))
    return pieces


def _arrow_shape(points: NDArray[np.float64], rod: Rod, bond: float) -> _Shape | None:
    """The shape of an arrow: a straight shaft, and at one end or both a head that is wider behind its tip."""
    across = np.array([-rod.axis[1], rod.axis[0]])
    along = points @ rod.axis
    off = points @ across
    start, length = along.min(), np.ptp(along)
    slant = math.degrees(math.atan2(abs(rod.axis[1]), abs(rod.axis[0])))
    is_slanted = min(slant, 90 - slant) > MAX_SLANT
    if length < (MIN_SLANTED_ARROW if is_slanted else MIN_ARROW) * bond:
        return None
    columns = (along - start).astype(int)
    n = int(columns.max()) + 1
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(low, columns, off)
    np.maximum.at(high, columns, off)
    filled = high >= low
    if filled.mean() < 0.95:
        return None
    extent = np.where(filled, high - low + 1, 0.0)
    end = max(1, int(HEAD_SHARE * n))
    middle = slice(end, max(end + 1, n - end))
    shaft_width = float(np.median(extent[middle]))
    is_straight = float(high[middle].max() - low[middle].min()) + 1 <= max(MAX_SHAFT * bond, shaft_width + 2)
    is_long = int((filled & (extent <= shaft_width + 2)).sum()) >= MIN_SHAFT * bond
    if shaft_width > MAX_SHAFT * bond or not is_straight or not is_long:
        return None
    sides = (extent[:end], extent[::-1][:end])
    wide = shaft_width + max(2.0, MIN_HEAD * bond)
    heads = (_is_head(sides[0], shaft_width, wide), _is_head(sides[1], shaft_width, wide))
    is_plain = [float(side.max()) < wide for side in sides]
    if not any(heads) or not all(head or plain for head, plain in zip(heads, is_plain, strict=True)):
        return None
    if max(float(side.max()) for side in sides) > MAX_HEAD * bond:
        return None
    in_shaft = filled[middle]
    offset = float(np.median(high[middle][in_shaft] + low[middle][in_shaft]) / 2)
    ends = [rod.axis * value + across * offset for value in (start, start + length)]
    thickness = float(np.median(np.bincount(columns, minlength=n)[middle]))
    box = (*points.min(axis=0), *(points.max(axis=0) + 1))
    return _Shape(
        (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
        ((float(ends[0][0]), float(ends[0][1])), (float(ends[1][0]), float(ends[1][1]))),
        heads,
        shaft_width >= MIN_DOUBLE_SHAFT * thickness / 2 and shaft_width > thickness + 1,
    )


def _is_head(extent: NDArray[np.float64], shaft: float, wide: float) -> bool:
    """Whether widths (n,) from an end inward are those of a head: most behind the tip, then the shaft's."""
    widest = float(extent.max())
    tip = float(extent[: max(1, len(extent) // 12)].max())
    return widest >= wide and tip <= shaft + 0.6 * (widest - shaft)


def _pair_halves(shapes: list[_Shape], bond: float) -> list[Arrow]:
    """The arrows; two that lie side by side and point against each other are one of equilibrium."""
    arrows: list[Arrow] = []
    used: set[int] = set()
    for i, shape in enumerate(shapes):
        if i in used:
            continue
        for j in range(i + 1, len(shapes)):
            other = shapes[j]
            if j not in used and _are_opposite(shape, other, bond):
                used.add(j)
                box = union([shape.bbox, other.bbox])
                arrows.append(Arrow(box, "equilibrium", *shape.ends))
                break
        else:
            tail, tip = shape.ends if shape.heads[1] else shape.ends[::-1]
            kind: ArrowKind = "retrosynthesis" if shape.is_double else "reaction"
            arrows.append(Arrow(shape.bbox, "resonance" if all(shape.heads) else kind, tail, tip))
    return arrows


def _are_opposite(a: _Shape, b: _Shape, bond: float) -> bool:
    if a.heads == b.heads or all(a.heads) or all(b.heads):
        return False
    near = all(min(np.hypot(p[0] - q[0], p[1] - q[1]) for q in b.ends) <= bond for p in a.ends)
    return near and touches(grow(a.bbox, 0.6 * bond), b.bbox)


def is_plus(parts: Parts, index: int, bond: float, letter_height: float = 0.0) -> bool:
    """Whether a part is an upright cross of two strokes as long as each other, and stands alone.

    One that is larger than letters, of ``letter_height``, is no charge, however close to a structure it is.
    """
    x0, y0, x1, y1 = (int(value) for value in parts.boxes[index])
    width, height = x1 - x0, y1 - y0
    if not 0.2 * bond <= min(width, height) or max(width, height) > min(bond, 1.35 * min(width, height)):
        return False
    mask = parts.labels[y0:y1, x0:x1] == index + 1
    level, plumb = mask.mean(axis=1) > 0.85, mask.mean(axis=0) > 0.85
    if not level.any() or not plumb.any() or level.mean() > 0.4 or plumb.mean() > 0.4:
        return False
    rest = mask & ~level[:, None] & ~plumb[None, :]
    middle = abs(np.flatnonzero(level).mean() + 0.5 - height / 2) < 0.2 * height
    if rest.sum() > 0.05 * mask.sum() or not middle:
        return False
    least = LARGER_THAN_LETTERS * letter_height or LARGE_SIGN * bond
    is_large = min(width, height) >= max(least, MIN_PLUS * bond)
    gap = LARGE_PLUS_GAP if is_large else PLUS_GAP
    (box,) = parts.boxes_of(np.arange(len(parts.areas)) == index)
    near = grow(box, gap * bond)
    return sum(touches(near, other) for other in parts.boxes_of(_close_to(parts, box, bond))) <= 1


def _close_to(parts: Parts, box: BBox, reach: float) -> NDArray[np.bool_]:
    x, y = center(box)
    boxes = parts.boxes
    return np.asarray(
        (boxes[:, 0] <= x + reach)
        & (boxes[:, 2] >= x - reach)
        & (boxes[:, 1] <= y + reach)
        & (boxes[:, 3] >= y - reach)
    )
