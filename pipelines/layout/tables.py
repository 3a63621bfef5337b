"""Find tables and their extent from rules, words and the boxes of the layout model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from docai.geometry import (
    BBox,
    area,
    center,
    grow,
    intersection_area,
    iou,
    overlap_ratio,
    share_inside,
    touches,
    union,
)
from docai.pipelines.layout.classify import classify_gray
from docai.pipelines.layout.types import PageEvidence, RegionCandidate
from docai.pipelines.words import phrases, text_rows

MAX_RULE_DISTANCE = 320
"""Points from one rule of a table to the next."""


def is_tabular(words: Sequence[BBox]) -> bool:
    """Whether words form rows of several phrases each, as the cells of a table do.

    The words of a chart do not, as each label of an axis is alone at its height, nor do the lines of a list
    or a program.
    """
    rows = text_rows(words)
    n_several = sum(len(phrases(words, row)) > 1 for row in rows)
    return n_several >= 2 and 2 * n_several >= len(rows)


def model_tables(page: PageEvidence, regions: Sequence[RegionCandidate]) -> list[RegionCandidate]:
    """Tables that only the layout model found, extended to the rules and words that they touch."""
    tables = []
    for box, label in page.model_boxes:
        if label != "table" or sum(share_inside(box, region.bbox) for region in regions) > 0.5:
            continue
        words = page.word_boxes_in(box)
        rules = [
            rule
            for rule in page.rules
            if touches(grow(box, 4, 8), rule)
            and overlap_ratio(rule[0], rule[2], box[0], box[2]) > 0.8
            and rule[2] - rule[0] < 1.3 * (box[2] - box[0])
        ]
        if not words and not rules:
            continue
        evidence = ["layout model: table"]
        ruled_box = None
        if rules:
            evidence.append(f"{len(rules)} rules")
            ruled_box = union(rules)
        score = 0.9 if rules else 0.85
        whole = union([box, *words, *rules])
        tables.append(RegionCandidate("table", whole, score, evidence, ruled_box=ruled_box))
    return tables


def ruled_tables(page: PageEvidence, regions: Sequence[RegionCandidate]) -> list[RegionCandidate]:
    """Further tables: stacks of horizontal rules of one extent with words between them.

    They must be tables by their pixels and, on a born-digital page, by their words.
    """
    rules = [rule for rule in page.rules if rule[2] - rule[0] > 60 and rule[3] - rule[1] < 4]
    rules.sort(key=lambda rule: rule[1])
    tables: list[RegionCandidate] = []
    while rules:
        stack = [rules.pop(0)]
        for rule in list(rules):
            last = stack[-1]
            same_extent = iou((last[0], 0, last[2], 1), (rule[0], 0, rule[2], 1)) > 0.95
            if same_extent and rule[1] - last[3] < MAX_RULE_DISTANCE:
                stack.append(rule)
                rules.remove(rule)
        box = union(stack)
        known = [*regions, *tables]
        if len(stack) < 2 or any(intersection_area(box, other.bbox) > 0.3 * area(box) for other in known):
            continue
        words = page.word_boxes_in(box)
        if len(words) < 4 or not (page.from_pixels or is_tabular(words)):
            continue
        kind, score, evidence = classify_gray(page.gray(box), len(words))
        if kind == "table":
            tables.append(RegionCandidate("table", box, score, list(evidence)))
    return tables


def leave_out_notes(page: PageEvidence, table: RegionCandidate) -> None:
    """Reduce a table's box to its rules where all text beyond them is caption or notes.

    A caption above the top rule or a source below the bottom rule has one phrase in each line. Rows of the
    table have several; where one of those lies beyond the rules, they do not close the table and its box
    stays.
    """
    if table.ruled_box is None:
        return
    words = page.word_boxes_in(table.bbox)
    rows = text_rows(words)
    middles = [np.mean([center(words[i])[1] for i in row]) for row in rows]
    above = [row for row, middle in zip(rows, middles, strict=True) if middle < table.ruled_box[1]]
    below = [row for row, middle in zip(rows, middles, strict=True) if middle > table.ruled_box[3]]
    for outside, is_above in ((above, True), (below, False)):
        are_notes = all(len(phrases(words, row)) == 1 for row in outside)
        if outside and are_notes and 3 * len(outside) <= len(rows):
            x0, y0, x1, y1 = table.bbox
            if is_above:
                y0 = max(y0, table.ruled_box[1] - 1)
            else:
                y1 = min(y1, table.ruled_box[3] + 1)
            table.bbox = (x0, y0, x1, y1)
            table.evidence.append(f"{len(outside)} lines beyond its rules left out")
