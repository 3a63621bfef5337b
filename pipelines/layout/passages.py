"""Passages of music on one page, split where a title or a paragraph stands between them.

Lengths are points of the page unless another unit is given.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from docai.geometry import (
    BBox,
    PageTransform,
    center,
    contains_center,
    interval_overlap,
    overlap_ratio,
    touches,
    union,
)
from docai.pipelines.layout.types import PageEvidence, RegionCandidate, WordBox
from docai.pipelines.pixels import Gray, binarize
from docai.pipelines.tracing.score.page_staves import find_page_staves

MIN_WORDS_BESIDE = 3
"""Words beside two systems, in the box around both, that make them two passages."""

MIN_CHARS = 4
"""Letters of the shortest title; dynamics and fingerings have fewer."""

MAX_WORD_GAP = 0.8
"""Line heights between the words of a title or of prose; the syllables of lyrics stand under their notes."""

MAX_OFF_CENTER = 0.04
"""Share of the width of the music by which a title may be off its middle."""

MIN_TITLE_HEIGHT = 2.8
"""Staff spaces; lines of titles, with ascenders and descenders, are higher than those of lyrics."""

MIN_PROSE_CHARS = 40
"""Letters from which a line is prose wherever it stands."""


NEXT_SYSTEM = 0.6
"""Heights of a system to the next one of its passage, whatever stands between."""

FAR_SYSTEM = 2.0
"""Heights of a system to the next one of its passage, with nothing between but marks."""

MAX_MARK_CHARS = 9
"""Letters of a mark between systems, such as a tempo or a number of a bar; a caption has more."""


class _Cut(NamedTuple):
    """Where lines of text part two passages: their extent from top to bottom."""

    top: float
    bottom: float


def join_systems(page: PageEvidence, regions: Sequence[RegionCandidate]) -> list[RegionCandidate]:
    """The regions, with consecutive systems of music as one."""
    others = [region for region in regions if region.kind != "score"]
    systems = sorted((region for region in regions if region.kind == "score"), key=lambda r: r.bbox[1])
    joined: list[RegionCandidate] = []
    for region in systems:
        before = [other for other in joined if _is_next_system(page, other.bbox, region.bbox, others)]
        if before:
            before[0].bbox = union([before[0].bbox, region.bbox])
            before[0].evidence.append("joined with the next system")
        else:
            joined.append(region)
    return others + joined


def _is_next_system(page: PageEvidence, upper: BBox, lower: BBox, others: Sequence[RegionCandidate]) -> bool:
    if overlap_ratio(upper[0], upper[2], lower[0], lower[2]) <= 0.7:
        return False
    if sum(_is_beside(word.bbox, upper, lower) for word in page.words) >= MIN_WORDS_BESIDE:
        return False
    high, gap = lower[3] - lower[1], lower[1] - upper[3]
    if gap < NEXT_SYSTEM * high:
        return True
    between = (lower[0], upper[3], lower[2], lower[1])
    words = [word for word in page.words if contains_center(between, word.bbox)]
    is_free = not any(touches(between, other.bbox) for other in others)
    return gap < FAR_SYSTEM * high and is_free and all(n <= MAX_MARK_CHARS for _, n in _phrases(words))


def _is_beside(word: BBox, upper: BBox, lower: BBox) -> bool:
    """Whether a word lies in the box around two systems, but beside them: a column of text does."""
    if not contains_center(union([upper, lower]), word):
        return False
    narrow = lower if lower[2] - lower[0] < upper[2] - upper[0] else upper
    x, y = center(word)
    return not narrow[0] <= x <= narrow[2] and upper[3] < y and not contains_center(lower, word)


def split_passages(page: PageEvidence, regions: Sequence[RegionCandidate]) -> list[RegionCandidate]:
    """The regions, with scores split at titles and paragraphs; tempo marks and lyrics split nothing.

    Only by the words of a text layer: in pixels, no words are looked for inside of music.
    """
    split: list[RegionCandidate] = []
    for region in regions:
        is_score = region.kind == "score" and not page.from_pixels
        split += _passages(page, region) if is_score else [region]
    return split


def _passages(page: PageEvidence, region: RegionCandidate) -> list[RegionCandidate]:
    lines = _phrases([word for word in page.words if contains_center(region.bbox, word.bbox)])
    if not lines:
        return [region]
    x0, y0, x1, y1 = region.bbox
    gray, transform = page.picture_of(region.bbox)
    found = find_page_staves(gray, max(40, gray.shape[1] // 4))
    if not found:
        return [region]
    space = float(np.median([staff.space for staff in found])) / transform.scale
    ink = binarize(gray)
    cuts = [
        _Cut(line[1], line[3])
        for line, n_chars in lines
        if _is_apart(line, n_chars, region.bbox, space) and _is_alone(ink, transform, line)
    ]
    if not cuts:
        return [region]
    edges = [y0, *(value for cut in _joined(sorted(cuts)) for value in cut), y1]
    passages = []
    for top, bottom in zip(edges[::2], edges[1::2], strict=True):
        rows = [round(transform.to_pixels((x0, y, x1, y))[1]) for y in (top, bottom)]
        has_staff = any(rows[0] <= center(staff.bbox)[1] <= rows[1] for staff in found)
        inked = np.flatnonzero(ink[max(0, rows[0]) : max(0, rows[1])].any(axis=1))
        if has_staff and len(inked):
            box = (
                x0,
                max(top, transform.row_to_page(max(0, rows[0]) + int(inked[0])) - 1),
                x1,
                min(bottom, transform.row_to_page(max(0, rows[0]) + int(inked[-1]) + 1) + 1),
            )
            evidence = [*region.evidence, "apart from the text above or below it"]
            passages.append(replace(region, bbox=box, evidence=evidence))
    return passages


def _phrases(words: Sequence[WordBox]) -> list[tuple[BBox, int]]:
    """Lines of text whose words stand close together: their boxes, and how many letters they have."""
    lines: dict[tuple[int, int], list[WordBox]] = defaultdict(list)
    for word in words:
        lines[word.line].append(word)
    phrases = []
    for line in lines.values():
        line.sort(key=lambda word: word.bbox[0])
        high = max(word.bbox[3] - word.bbox[1] for word in line)
        gaps = [b.bbox[0] - a.bbox[2] for a, b in itertools.pairwise(line)]
        if max(gaps, default=0.0) <= MAX_WORD_GAP * high:
            phrases.append((union([word.bbox for word in line]), sum(word.n_chars for word in line)))
    return phrases


def _is_apart(line: BBox, n_chars: int, music: BBox, space: float) -> bool:
    """Whether a line is a title, in the middle and in large letters, or prose."""
    if n_chars >= MIN_PROSE_CHARS:
        return True
    off = abs(center(line)[0] - center(music)[0])
    is_large = line[3] - line[1] >= MIN_TITLE_HEIGHT * space
    return n_chars >= MIN_CHARS and is_large and off <= MAX_OFF_CENTER * (music[2] - music[0])


def _is_alone(ink: Gray, transform: PageTransform, line: BBox) -> bool:
    """Whether no music stands beside a line of text, from its x-height to its baseline."""
    x0, y0, x1, y1 = (round(value) for value in transform.to_pixels(line))
    margin = round(0.3 * (y1 - y0))
    band = ink[max(0, y0 + margin) : max(0, y1 - margin)]
    return not band[:, : max(0, x0 - 1)].any() and not band[:, x1 + 2 :].any()


def _joined(cuts: Sequence[_Cut]) -> list[_Cut]:
    """The cuts, with those of neighboring lines as one."""
    joined: list[_Cut] = []
    for cut in cuts:
        high = cut.bottom - cut.top
        if joined and interval_overlap(*joined[-1], *cut) > -high:
            joined[-1] = _Cut(joined[-1].top, max(joined[-1].bottom, cut.bottom))
        else:
            joined.append(cut)
    return joined
