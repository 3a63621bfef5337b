"""Which regions are tables, and how far each reaches: rules, words and the layout model together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from docai.geometry import BBox, area, common, grow, holds, iou, overlap, share_inside, touches, union
from docai.pipelines.layout.classify import judge
from docai.pipelines.layout.types import Clues, Found
from docai.pipelines.words import phrases, text_rows


def is_tabular(words: Sequence[BBox]) -> bool:
    """Whether words stand in rows of several phrases each, as cells do.

    Words on a chart do not: the labels of an axis stand alone at their heights. Nor do the lines of a list
    or a program.
    """
    rows = text_rows(words)
    several = sum(len(phrases(words, row)) > 1 for row in rows)
    return several >= 2 and 2 * several >= len(rows)


def model_tables(clues: Clues, found: Sequence[Found]) -> list[Found]:
    """Tables that only the layout model saw, drawn out to the rules and words they reach."""
    added = []
    for box, label in clues.model:
        if label != "table" or sum(share_inside(box, other.bbox) for other in found) > 0.5:
            continue
        words = [item.bbox for item in clues.items if holds(box, item.bbox)]
        rules = [
            rule
            for rule in clues.rules
            if touches(grow(box, 4, 8), rule) and overlap(rule[0], rule[2], box[0], box[2]) > 0.8
            and rule[2] - rule[0] < 1.3 * (box[2] - box[0])
        ]  # fmt: skip
        if not words and not rules:
            continue
        evidence = ["layout model: table"]
        drawn = None
        if rules:
            evidence.append(f"{len(rules)} rules")
            drawn = union(rules)
        table = Found("table", union([box, *words, *rules]), 0.9 if rules else 0.85, evidence, drawn=drawn)
        added.append(table)
    return added


def ruled_tables(clues: Clues, found: Sequence[Found]) -> list[Found]:
    """Stacks of level rules of one extent with words between them that the pixels take for a table."""
    level = [rule for rule in clues.rules if rule[2] - rule[0] > 60 and rule[3] - rule[1] < 4]
    level.sort(key=lambda rule: rule[1])
    added: list[Found] = []
    while level:
        stack = [level.pop(0)]
        for rule in list(level):
            last = stack[-1]
            alike = iou((last[0], 0, last[2], 1), (rule[0], 0, rule[2], 1)) > 0.95
            if alike and rule[1] - last[3] < 320:
                stack.append(rule)
                level.remove(rule)
        box = union(stack)
        if len(stack) < 2 or any(common(box, other.bbox) > 0.3 * area(box) for other in [*found, *added]):
            continue
        words = [item.bbox for item in clues.items if holds(box, item.bbox)]
        if len(words) < 4 or not (clues.seen or is_tabular(words)):
            continue
        kind, score, evidence = judge(clues.gray(box), len(words))
        if kind == "table":
            added.append(Found("table", box, score, list(evidence)))
    return added


def parted(clues: Clues, found: Sequence[Found]) -> None:
    """Tables that are drawn apart, but that the layout model took for one, get their own boxes.

    Apart are two ruled grids with more white than half a line between them: rules do not end and begin
    anew inside a table. What the model saw above the first or below the last of a stack stays with that.
    """
    groups: dict[BBox, list[Found]] = {}
    for region in found:
        if region.drawn is not None and region.named is not None:
            groups.setdefault(region.named, []).append(region)
    for named, regions in groups.items():
        grids = [region for region in regions if region.is_grid and region.drawn is not None]
        boxes = [region.drawn for region in grids if region.drawn is not None]
        if len(grids) < 2 or len(grids) < len(regions):
            continue
        high = [item.bbox[3] - item.bbox[1] for item in clues.items if holds(named, item.bbox)]
        line = float(np.median(high)) if high else 0.0
        if any(touches(grow(a, line / 4), grow(b, line / 4)) for i, a in enumerate(boxes) for b in boxes[:i]):
            continue
        for region, box in zip(grids, boxes, strict=True):
            region.bbox = box
            region.evidence.append("drawn apart from its neighbor")
        stack = sorted(grids, key=lambda region: region.bbox[1])
        if all(one.bbox[3] < two.bbox[1] for one, two in pairwise(stack)):
            first, last = stack[0].bbox, stack[-1].bbox
            stack[0].bbox = (first[0], min(first[1], named[1]), first[2], first[3])
            last = stack[-1].bbox
            stack[-1].bbox = (last[0], last[1], last[2], max(last[3], named[3]))


def without_notes(clues: Clues, region: Found) -> None:
    """Draw a table's box in to its rules where beyond them there is only text that is no row.

    A caption above the top rule, or a source below the bottom rule, is one phrase a line. Rows are several;
    where one of those lies beyond the rules, they do not close the table and nothing is left out.
    """
    if region.drawn is None:
        return
    x0, y0, x1, y1 = region.bbox
    words = [item.bbox for item in clues.items if holds(region.bbox, item.bbox)]
    rows = text_rows(words)
    middles = [np.mean([(words[i][1] + words[i][3]) / 2 for i in row]) for row in rows]
    above = [row for row, middle in zip(rows, middles, strict=True) if middle < region.drawn[1]]
    below = [row for row, middle in zip(rows, middles, strict=True) if middle > region.drawn[3]]
    for outside, box in (
        (above, (x0, max(y0, region.drawn[1] - 1), x1, y1)),
        (below, (x0, y0, x1, min(y1, region.drawn[3] + 1))),
    ):
        single = all(len(phrases(words, row)) == 1 for row in outside)
        if outside and single and 3 * len(outside) <= len(rows):
            region.bbox = (
                x0,
                max(region.bbox[1], box[1]),
                x1,
                min(region.bbox[3], box[3]),
            )
            region.evidence.append(f"{len(outside)} lines beyond its rules left out")
