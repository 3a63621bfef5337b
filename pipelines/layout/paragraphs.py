"""Text of a scan divided into its paragraphs, where the first line of each is indented or space parts them.

The layout model joins paragraphs that stand close together on a facsimile, as it does on few born-digital
pages: it is shown another font than the page has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from docai.geometry import BBox, center, union
from docai.pipelines.layout.types import RegionCandidate, WordBox

MIN_LINES: Final = 3
"""Of a region that may be several paragraphs."""

INDENT: Final = (0.7, 5.0)
"""Heights of a line by which the first line of a paragraph is indented."""

MIN_SHORT: Final = 1.0
"""Heights of a line by which the line before it ends early."""

MIN_GAP: Final = 1.5
"""From the middle of a line to that of the next, in those of the text, from which space parts two paragraphs,
or a heading and its text."""

MIN_FREE: Final = 0.6
"""Heights of a line that are free there: lines of few letters seem to be lower."""

MAX_OFF: Final = 0.5
"""Heights of a line by which other lines may start off the margin."""


def split_paragraphs(regions: Sequence[RegionCandidate], words: Sequence[WordBox]) -> list[RegionCandidate]:
    """The regions, with those of text divided before each indented line that follows a short one, and where
    the space between two lines is wide."""
    result: list[RegionCandidate] = []
    for region in regions:
        is_text = region.kind == "text" and not region.turn and region.label in ("text", "")
        result += _paragraphs(region, words) if is_text else [region]
    return result


def _paragraphs(region: RegionCandidate, words: Sequence[WordBox]) -> list[RegionCandidate]:
    lines = _lines(region.word_indices, words)
    if len(lines) < MIN_LINES:
        return [region]
    boxes = [union([words[index].bbox for index in line]) for line in lines]
    indented, apart = _breaks(boxes), _gaps(boxes)
    breaks = sorted({*indented, *apart})
    if not breaks:
        return [region]
    parts = []
    for start, end in zip([0, *breaks], [*breaks, len(lines)], strict=True):
        indices = [index for line in lines[start:end] for index in line]
        box = union(boxes[start:end])
        why = "the space around it" if start in apart or end in apart else "its indented first line"
        evidence = [*region.evidence, f"paragraph by {why}"]
        parts.append(replace(region, bbox=box, evidence=evidence, word_indices=indices))
    return parts


def _breaks(boxes: Sequence[BBox]) -> list[int]:
    """Numbers of the lines that begin a paragraph, the first line apart."""
    high = float(np.median([box[3] - box[1] for box in boxes]))
    left, right = min(box[0] for box in boxes), max(box[2] for box in boxes)
    breaks: list[int] = []
    for number in range(1, len(boxes)):
        indent = (boxes[number][0] - left) / high
        is_short = right - boxes[number - 1][2] > MIN_SHORT * high
        later = [(box[0] - left) / high for box in boxes[number + 1 :]]
        # The margin again, or a block that is indented as a whole.
        goes_on = not later or later[0] <= MAX_OFF or min(later) >= INDENT[0]
        starts_at_margin = boxes[number - 1][0] - left <= MAX_OFF * high or number - 1 in (0, *breaks)
        if INDENT[0] <= indent <= INDENT[1] and is_short and starts_at_margin and goes_on:
            breaks.append(number)
    return breaks


def _gaps(boxes: Sequence[BBox]) -> list[int]:
    """Numbers of the lines that wide space parts from the one before."""
    high = float(np.median([box[3] - box[1] for box in boxes]))
    free = [below[1] - above[3] for above, below in pairwise(boxes)]
    steps = [center(below)[1] - center(above)[1] for above, below in pairwise(boxes)]
    # Most lines follow each other closely; of three, one step may be wide.
    usual = float(np.quantile(steps, 0.3))
    wide = [step >= MIN_GAP * usual and gap >= MIN_FREE * high for step, gap in zip(steps, free, strict=True)]
    return [number for number, is_wide in enumerate(wide, start=1) if is_wide]


def _lines(indices: Sequence[int], words: Sequence[WordBox]) -> list[list[int]]:
    """The words of a region line by line from the top; pieces of one height are one line."""
    pieces: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index in indices:
        pieces[words[index].line].append(index)
    lines: list[list[int]] = []
    reached: BBox | None = None
    for piece in sorted(pieces.values(), key=lambda piece: center(union([words[i].bbox for i in piece]))[1]):
        box = union([words[index].bbox for index in piece])
        if reached is not None and reached[1] < center(box)[1] < reached[3]:
            lines[-1] += piece
            reached = union([reached, box])
        else:
            lines.append(list(piece))
            reached = box
    return lines
