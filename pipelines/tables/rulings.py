"""Horizontal and vertical rules of a PDF page, from its drawings.

As in pdfplumber's ``table.py``: edges of what is drawn → edges inside the table → merged edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from docai.geometry import BBox, interval_overlap

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
    """The visible rules inside ``bbox``, cut to it, with pieces on one line merged; points of the page."""
    horizontal: list[Rule] = []
    vertical: list[Rule] = []
    left, top, right, bottom = bbox
    for x0, y0, x1, y1 in _drawn_edges(sheet):
        if interval_overlap(x0, x1, left, right) > _MIN_LENGTH and y1 - y0 < 1 and top <= y0 <= bottom:
            horizontal.append(Rule(max(x0, left), min(x1, right), (y0 + y1) / 2))
        elif interval_overlap(y0, y1, top, bottom) > _MIN_LENGTH and x1 - x0 < 1 and left <= x0 <= right:
            vertical.append(Rule(max(y0, top), min(y1, bottom), (x0 + x1) / 2))
    return Rulings(tuple(merge_rules(horizontal)), tuple(merge_rules(vertical)))


def _drawn_edges(sheet: Any) -> Iterator[BBox]:
    """Visible lines, the middles of thin filled boxes, and the four sides of borders, as boxes."""
    for path in sheet.get_drawings():
        colors = [value for value in (path.get("color"), path.get("fill")) if value is not None]
        if not colors or all(min(value) > _MIN_WHITE for value in colors):
            continue
        for item in path["items"]:
            if item[0] == "l":
                (ax, ay), (bx, by) = item[1], item[2]
                yield min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)
            elif item[0] == "re":
                x0, y0, x1, y1 = item[1]
                x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
                if y1 - y0 <= _MAX_THICKNESS:
                    yield x0, (y0 + y1) / 2, x1, (y0 + y1) / 2
                elif x1 - x0 <= _MAX_THICKNESS:
                    yield (x0 + x1) / 2, y0, (x0 + x1) / 2, y1
                elif path.get("color") is not None and min(path["color"]) <= _MIN_WHITE:
                    yield from ((x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1))


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
