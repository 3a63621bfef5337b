"""Horizontal and vertical rules of a PDF page, from its drawings.

As in pdfplumber's ``table.py``: edges of what is drawn → edges inside the table → merged edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from docai.geometry import BBox, center, interval_overlap, touches

_MAX_THICKNESS = 3.0
"""Points up to which a filled box is a rule; a thicker one is shading, whose border may close a table."""

_MIN_LENGTH = 8.0
"""Points that a rule is long at least; shorter strokes belong to letters and bullets."""

_SNAP_TOLERANCE = 1.5
"""Points between the middles of two strokes up to which they are on one line."""

_JOIN_TOLERANCE = 3.0
"""Points between pieces of one rule, as where each cell has its own border."""

_MIN_WHITE = 0.97
"""Of each color component, 0…1, above which a color is white and cannot be seen on paper."""

_SLANT = 0.5
"""Points by which the ends of a horizontal or vertical line may differ in the other direction."""

_MAX_GAP = 4.0
"""Points between two shaded boxes up to which the gap is a rule between them."""

_BESIDE = 0.75
"""Points from an edge at which the colors on its two sides are compared."""

_MAX_SHADES = 1000
"""Shaded boxes in a region above which they are a picture; comparing them all is quadratic."""


Shade = tuple[BBox, Sequence[float]]
"""A filled box and its color."""


class Rule(NamedTuple):
    """A rule from ``start`` to ``end``, points: x of a horizontal one, y of a vertical one.

    ``at`` is the other coordinate, the y of a horizontal rule or the x of a vertical one.
    """

    start: float
    end: float
    at: float


@dataclass(frozen=True)
class Rulings:
    """The rules of a table, each sequence sorted by ``at`` and ``start``."""

    horizontal: tuple[Rule, ...] = ()
    vertical: tuple[Rule, ...] = ()


def find_rulings(sheet: Any, bbox: BBox) -> Rulings:
    """The visible rules inside ``bbox``, cut to it, with pieces on one line merged; points of the page.

    The edge of a shaded box is a rule where no stroke is: cells may be told apart by their shades alone.
    """
    paths = sheet.get_drawings()
    shades = [(box, color) for box, color in _shades(paths) if touches(box, bbox)]
    if len(shades) > _MAX_SHADES:
        shades = []
    strokes = _cut_to(_strokes(paths, shades), bbox)
    edges = _cut_to(_edges_of_shades(shades), bbox)
    return Rulings(
        tuple(_with_edges(strokes.horizontal, edges.horizontal)),
        tuple(_with_edges(strokes.vertical, edges.vertical)),
    )


def _cut_to(lines: Iterable[BBox], bbox: BBox) -> Rulings:
    """Horizontal and vertical lines, as boxes without height or width, as rules inside ``bbox``."""
    horizontal: list[Rule] = []
    vertical: list[Rule] = []
    left, top, right, bottom = bbox
    for x0, y0, x1, y1 in lines:
        if interval_overlap(x0, x1, left, right) > _MIN_LENGTH and y1 - y0 < 1 and top <= y0 <= bottom:
            horizontal.append(Rule(max(x0, left), min(x1, right), (y0 + y1) / 2))
        elif interval_overlap(y0, y1, top, bottom) > _MIN_LENGTH and x1 - x0 < 1 and left <= x0 <= right:
            vertical.append(Rule(max(y0, top), min(y1, bottom), (x0 + x1) / 2))
    return Rulings(tuple(merge_rules(horizontal)), tuple(merge_rules(vertical)))


def _strokes(paths: Sequence[dict[str, Any]], shades: Sequence[Shade]) -> Iterator[BBox]:
    """Visible lines, the middles of thin filled boxes, and the four sides of borders, as boxes.

    White ones are visible on shades.
    """
    for path in paths:
        color = path.get("color") or path.get("fill")
        if color is None:
            continue
        for line in _lines_of(path):
            if not _is_white(color) or _is_on_shade(line, shades):
                yield line


def _lines_of(path: dict[str, Any]) -> Iterator[BBox]:
    """The strokes of a path, and the middles of its thin filled boxes."""
    if path.get("color") is None and _is_drawn_box(path):
        yield from _middle(tuple(path["rect"]))
        return
    for item in path["items"]:
        if item[0] == "l":
            (ax, ay), (bx, by) = item[1], item[2]
            yield min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)
        elif item[0] == "re":
            box = _box(item)
            yield from _middle(box)
            if min(box[2] - box[0], box[3] - box[1]) > _MAX_THICKNESS and path.get("color") is not None:
                yield from _sides(box)


def _is_drawn_box(path: dict[str, Any]) -> bool:
    """Whether a path is one box that is drawn as lines."""
    lines = [item[1:3] for item in path["items"] if item[0] == "l"]
    is_straight = all(abs(a[0] - b[0]) < _SLANT or abs(a[1] - b[1]) < _SLANT for a, b in lines)
    return len(path["items"]) == len(lines) and len(lines) in (3, 4) and is_straight


def _middle(box: BBox) -> Iterator[BBox]:
    """The line in the middle of a box that is thin."""
    x0, y0, x1, y1 = box
    if y1 - y0 <= _MAX_THICKNESS:
        yield x0, (y0 + y1) / 2, x1, (y0 + y1) / 2
    elif x1 - x0 <= _MAX_THICKNESS:
        yield (x0 + x1) / 2, y0, (x0 + x1) / 2, y1


def _box(item: Sequence[Any]) -> BBox:
    """The box of a rectangle of a path, whichever corner it begins at."""
    x0, y0, x1, y1 = item[1]
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _sides(box: BBox) -> Iterator[BBox]:
    x0, y0, x1, y1 = box
    yield from ((x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1))


def _is_white(color: Sequence[float]) -> bool:
    return min(color) > _MIN_WHITE


def _is_on_shade(line: BBox, shades: Sequence[Shade]) -> bool:
    return _color_at(center(line), shades) is not None


def _color_at(point: tuple[float, float], shades: Sequence[Shade]) -> Sequence[float] | None:
    """The color of the last shade over a point; None for white paper."""
    x, y = point
    for box, color in reversed(shades):
        if box[0] <= x <= box[2] and box[1] <= y <= box[3]:
            return None if _is_white(color) else color
    return None


def _shades(paths: Iterable[dict[str, Any]]) -> Iterator[Shade]:
    """Filled boxes that are thicker than rules, and their colors, in the order in which they are painted."""
    for path in paths:
        if path.get("fill") is None:
            continue
        boxes = [_box(item) for item in path["items"] if item[0] == "re"]
        for box in [tuple(path["rect"])] if _is_drawn_box(path) else boxes:
            if min(box[2] - box[0], box[3] - box[1]) > _MAX_THICKNESS:
                yield box, path["fill"]


def _edges_of_shades(shades: Sequence[Shade]) -> Iterator[BBox]:
    """The sides of shades across which the color changes."""
    for box, _ in shades:
        for side in _sides(box):
            x, y = center(side)
            is_across = side[1] == side[3]
            step = (0.0, _BESIDE) if is_across else (_BESIDE, 0.0)
            before = _color_at((x - step[0], y - step[1]), shades)
            after = _color_at((x + step[0], y + step[1]), shades)
            if not _are_alike(before, after):
                yield side


def _are_alike(a: Sequence[float] | None, b: Sequence[float] | None) -> bool:
    if a is None or b is None:
        return a is b
    if len(a) != len(b):
        return False
    return max(abs(one - other) for one, other in zip(a, b, strict=True)) < 1 - _MIN_WHITE


def _with_edges(strokes: Sequence[Rule], edges: Sequence[Rule]) -> list[Rule]:
    """The strokes, and the edges of shades where no stroke is; two edges with a narrow gap between them are
    one rule in its middle."""
    rules: list[Rule] = []
    for edge in edges:
        if any(_is_beside(edge, stroke) for stroke in strokes):
            continue
        if rules and _is_beside(edge, rules[-1]):
            other = rules[-1]
            start, end = min(edge.start, other.start), max(edge.end, other.end)
            rules[-1] = Rule(start, end, (edge.at + other.at) / 2)
        else:
            rules.append(edge)
    return sorted([*strokes, *rules], key=lambda rule: (rule.at, rule.start))


def _is_beside(a: Rule, b: Rule) -> bool:
    shared = interval_overlap(a.start, a.end, b.start, b.end)
    return abs(a.at - b.at) <= _MAX_GAP and shared > 0.5 * min(a.end - a.start, b.end - b.start)


def merge_rules(rules: Iterable[Rule]) -> list[Rule]:
    """Rules of one direction, with pieces on one line merged, sorted by ``at`` and ``start``."""
    merged: list[Rule] = []
    for rule in sorted(rules, key=lambda rule: (round(rule.at), rule.start)):
        # In this order only the last ones can be on one line with it; pages have thousands of strokes.
        for index in range(len(merged) - 1, -1, -1):
            other = merged[index]
            if other.at < rule.at - _JOIN_TOLERANCE:
                merged.append(rule)
                break
            reaches = rule.start <= other.end + _JOIN_TOLERANCE and rule.end >= other.start - _JOIN_TOLERANCE
            if abs(other.at - rule.at) <= _SNAP_TOLERANCE and reaches:
                merged[index] = Rule(min(other.start, rule.start), max(other.end, rule.end), other.at)
                break
        else:
            merged.append(rule)
    return sorted(merged, key=lambda rule: (rule.at, rule.start))
