"""Level and upright rules of a PDF page, from its drawings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from docai.geometry import BBox

_THIN = 3.0
"""Points up to which a filled box is a rule; a higher one is a shade, whose edges may close a table."""
_LEAST = 8.0
"""Points that a rule is long at least: shorter strokes belong to letters and bullets."""
_SAME = 1.5
"""Points between the middles of two strokes that are drawn as one rule."""
_JOIN = 3.0
"""Points between pieces of one rule, as where each cell draws its own border."""


class Rule(NamedTuple):
    """``at`` is the height of a level rule or the place across of an upright one."""

    start: float
    end: float
    at: float


@dataclass(frozen=True)
class Rulings:
    level: tuple[Rule, ...] = ()
    upright: tuple[Rule, ...] = ()


def rulings(sheet: Any, bbox: BBox) -> Rulings:
    """Rules that are seen inside ``bbox``, cut to it; pieces in one line are joined. Points of the page."""
    level: list[Rule] = []
    upright: list[Rule] = []
    for x0, y0, x1, y1 in _strokes(sheet):
        if min(x1, bbox[2]) - max(x0, bbox[0]) > _LEAST and y1 - y0 < 1 and bbox[1] <= y0 <= bbox[3]:
            level.append(Rule(max(x0, bbox[0]), min(x1, bbox[2]), (y0 + y1) / 2))
        elif min(y1, bbox[3]) - max(y0, bbox[1]) > _LEAST and x1 - x0 < 1 and bbox[0] <= x0 <= bbox[2]:
            upright.append(Rule(max(y0, bbox[1]), min(y1, bbox[3]), (x0 + x1) / 2))
    return Rulings(tuple(joined(level)), tuple(joined(upright)))


def _strokes(sheet: Any) -> Iterator[BBox]:
    """Lines, and boxes without height or width in the middle of thin ones; a border's four sides."""
    for path in sheet.get_drawings():
        colors = [value for value in (path.get("color"), path.get("fill")) if value is not None]
        if not colors or all(min(value) > 0.97 for value in colors):
            continue
        for item in path["items"]:
            if item[0] == "l":
                (ax, ay), (bx, by) = item[1], item[2]
                yield min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)
            elif item[0] == "re":
                x0, y0, x1, y1 = item[1]
                x0, x1, y0, y1 = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
                if y1 - y0 <= _THIN:
                    yield x0, (y0 + y1) / 2, x1, (y0 + y1) / 2
                elif x1 - x0 <= _THIN:
                    yield (x0 + x1) / 2, y0, (x0 + x1) / 2, y1
                elif path.get("color") is not None and min(path["color"]) <= 0.97:
                    yield from ((x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1))


def joined(rules: Iterable[Rule]) -> list[Rule]:
    """Rules with the pieces in one line made one, by ``at``."""
    joined: list[Rule] = []
    for rule in sorted(rules, key=lambda rule: (round(rule.at), rule.start)):
        # In this order, only the last ones can lie in one line with it: pages have thousands of strokes.
        for index in range(len(joined) - 1, -1, -1):
            other = joined[index]
            if other.at < rule.at - _JOIN:
                joined.append(rule)
                break
            reaches = rule.start <= other.end + _JOIN and rule.end >= other.start - _JOIN
            if abs(other.at - rule.at) <= _SAME and reaches:
                joined[index] = Rule(min(other.start, rule.start), max(other.end, rule.end), other.at)
                break
        else:
            joined.append(rule)
    return sorted(joined, key=lambda rule: (rule.at, rule.start))
