"""Marks and powers that stand so high that MuPDF makes lines of their own of them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter

from docai.geometry import BBox, TurnedFrame, interval_overlap, union
from docai.parsers.marks import is_footnote_mark, superscript
from docai.pipelines.ingest.page import PageWord

_RAISED_RUN = re.compile(r"[-+−–]?\d{1,3}[-+]?(?:,\d{1,3})*|[A-Za-z](?:,[A-Za-z])*|[*†‡§¶#]{1,3}")

_BASE_END = re.compile(r"[^\W_]\Z|[)\]%.,;:”’'\"]\Z")

_MAX_LENGTH = 5
"""Characters of a raised run, and of its line."""

_MAX_SIZE = 0.85
"""Its size, in sizes of the word that it is raised from."""

_GAP = (-0.15, 0.3)
"""Its distance from that word, in sizes of that word, from and to."""

_RISE = (0.2, 0.95)
"""Height of its base line above that of the word, in sizes of the word, from and to."""

_SAME_SIZE = 0.15
"""Difference of sizes, as a share, of the two numbers of a fraction."""

_MAX_STACK = 2.2
"""Distance of these, in their own sizes."""

_DESCENT = 0.25
"""Part of a box below the base line, in font sizes: what most fonts have."""


def join_raised(words: list[PageWord]) -> list[PageWord]:
    """The words, those that are raised and end another one as part of that.

    Only what is alone in its line, small and short is looked at.
    """
    lengths: Counter[tuple[int, int]] = Counter()
    for word in words:
        lengths[word.block, word.line] += len(word.text)
    largest = max((word.size for word in words), default=0.0)
    raised = [
        index
        for index, word in enumerate(words)
        if 0 < word.size <= _MAX_SIZE * largest and lengths[word.block, word.line] <= _MAX_LENGTH
    ]
    if not raised:
        return words
    boxes = [_upright(word) for word in words]
    by_end = sorted(range(len(words)), key=lambda index: boxes[index][2])
    ends = [boxes[index][2] for index in by_end]
    joined, gone, bearing = list(words), set[int](), set[int]()
    for index in raised:
        start = boxes[index][0]
        near = by_end[bisect_left(ends, start - largest) : bisect_right(ends, start + largest)]
        bases = [other for other in near if _is_raised_from(words, boxes, index, other)]
        if len(bases) != 1 or any(_is_below(words, boxes, other, index) for other in near):
            continue
        if bases[0] in gone | bearing or index in bearing:
            continue
        base, mark = joined[bases[0]], words[index].text
        joined[bases[0]] = base._replace(
            text=base.text + superscript(mark),
            bbox=union([base.bbox, words[index].bbox]),
            mark=mark if is_footnote_mark(base.text, mark) else "",
        )
        gone.add(index)
        bearing.add(bases[0])
    return [word for index, word in enumerate(joined) if index not in gone]


def _upright(word: PageWord) -> BBox:
    """Its box in a frame that sets its line upright, with any origin."""
    return TurnedFrame(0, 0, (4 - round(word.angle / 90)) % 4).from_page(word.bbox)


def _is_below(words: list[PageWord], boxes: list[BBox], other: int, index: int) -> bool:
    """Whether a word of one size with the raised one is right below it: they are a fraction, or limits."""
    size, box, below = words[index].size, boxes[index], boxes[other]
    return (
        other != index
        and abs(words[other].size - size) < _SAME_SIZE * size
        and interval_overlap(box[0], box[2], below[0], below[2]) > 0
        and size / 2 < below[3] - box[3] < _MAX_STACK * size
    )


def _is_raised_from(words: list[PageWord], boxes: list[BBox], index: int, other: int) -> bool:
    mark, base = words[index], words[other]
    if not (_RAISED_RUN.fullmatch(mark.text) and _BASE_END.search(base.text)):
        return False
    if mark.text[0].isalpha() and not base.text[-1].isdecimal():
        return False
    if other == index or base.angle != mark.angle or base.mark or mark.size > _MAX_SIZE * base.size:
        return False
    gap = (boxes[index][0] - boxes[other][2]) / base.size
    bottoms = boxes[other][3] - _DESCENT * base.size, boxes[index][3] - _DESCENT * mark.size
    return _GAP[0] <= gap <= _GAP[1] and _RISE[0] <= (bottoms[0] - bottoms[1]) / base.size <= _RISE[1]
