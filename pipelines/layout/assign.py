"""Each word to one region, and new text regions of the words that lie in none.

Level words go to the region that holds most of them, and of two such to the smaller one. Turned words are
never part of level text: where they lie in no table, drawing or score they are regions of their own, whose
lines are found in the frame that sets them upright.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from docai.geometry import BBox, area, center, contains_center, grow, share_inside, touches, union
from docai.pipelines.layout.types import SKEWED, PageEvidence, RegionCandidate, WordBox

_MIN_SHARE_IN_FIGURE = 0.5
"""Share of a word that lies in a region other than text from which it belongs to it."""

_MIN_SHARE_IN_TEXT = 0.3
"""Share of a word that lies in a text region from which it belongs to it."""

_SAME_SHARE = 0.1
"""Difference of shares up to which a word lies as well in one region as in the other."""

_MIN_FRAMED = 2
"""Other text regions inside one from which that one only frames them."""


def assign_words(page: PageEvidence, regions: list[RegionCandidate], *, move: bool = True) -> None:
    """Assign each word to one region, and append text regions of those that lie in none.

    With ``move``, text regions take the extent of their words, and tables grow to it.
    """
    for region in regions:
        region.word_indices = []
    others = [region for region in regions if region.kind != "text"]
    texts = _without_frames([region for region in regions if region.kind == "text"])
    unassigned: list[int] = []
    turned: dict[int, list[int]] = defaultdict(list)
    for index, word in enumerate(page.words):
        # A drop cap stands beside several lines, and may be nearer to a note in the margin.
        box = word.bbox if word.joined_to is None else page.words[word.joined_to].bbox
        region_of_word = _best_region(box, others, _MIN_SHARE_IN_FIGURE)
        if region_of_word is None and not word.turn:
            region_of_word = _best_region(box, texts, _MIN_SHARE_IN_TEXT)
        if region_of_word is not None:
            region_of_word.word_indices.append(index)
        elif word.turn:
            turned[word.turn].append(index)
        else:
            unassigned.append(index)
    for region in texts if move else ():
        if region.word_indices:
            region.bbox = union([page.words[index].bbox for index in region.word_indices])
    for region in others if move else ():
        if region.word_indices and region.kind == "table":
            region.bbox = union([region.bbox, *(page.words[index].bbox for index in region.word_indices)])
    regions += _regions_of_unassigned_words(page, unassigned, texts)
    for turn, indices in sorted(turned.items()):
        regions += _turned_regions(page, indices, turn)


def words_beside(box: BBox, own: Sequence[BBox], others: Iterable[BBox]) -> tuple[BBox, ...]:
    """Boxes of words of other texts that reach into the box of a text, and in which none of its own words
    stands: letters of a formula in a line, and the line, can each lie in the other."""
    return tuple(
        other
        for other in others
        if touches(other, box) and not any(contains_center(other, word) for word in own)
    )


def _without_frames(texts: list[RegionCandidate]) -> list[RegionCandidate]:
    """The text regions without those that lie around several others, as the box of a watermark does."""
    return [
        region
        for region in texts
        if sum(other is not region and _is_inside(other.bbox, region.bbox) for other in texts) < _MIN_FRAMED
    ]


def _is_inside(inner: BBox, outer: BBox) -> bool:
    return share_inside(inner, outer) > 0.9 and area(inner) < area(outer) / 2


def _best_region(box: BBox, regions: list[RegionCandidate], min_share: float) -> RegionCandidate | None:
    """The region that holds most of the box, of several that hold as much the smallest; None where that is
    less than ``min_share``."""
    shares = [(share_inside(box, region.bbox), region) for region in regions]
    most = max((share for share, _ in shares), default=0.0)
    if most < min_share:
        return None
    best = [region for share, region in shares if share >= max(most - _SAME_SHARE, min_share)]
    return min(best, key=lambda region: area(region.bbox))


def _regions_of_unassigned_words(
    page: PageEvidence, unassigned: list[int], texts: list[RegionCandidate]
) -> list[RegionCandidate]:
    """New text regions of lines close together; words near the region of the rest of their line go to it."""
    owners = {page.words[index].line: region for region in texts for index in region.word_indices}
    lines: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index in unassigned:
        word = page.words[index]
        owner = owners.get(word.line)
        high = word.bbox[3] - word.bbox[1]
        if owner is not None and touches(grow(owner.bbox, 1.5 * high, 0), word.bbox):
            owner.word_indices.append(index)
            owner.bbox = union([owner.bbox, word.bbox])
        else:
            lines[word.line].append(index)
    owned = [page.words[index].bbox for region in texts for index in region.word_indices]
    return regions_of_lines(page.words, lines.values(), owned)


def regions_of_lines(
    words: Sequence[WordBox], lines: Iterable[list[int]], owned: Sequence[BBox]
) -> list[RegionCandidate]:
    """Text regions of lines of level words, joined where they are close together and nothing lies between.

    ``owned`` are the boxes of words that other regions have.
    """
    added: list[RegionCandidate] = []
    for indices in lines:
        box = union([words[index].bbox for index in indices])
        high = box[3] - box[1]
        for region in added:
            last = words[region.word_indices[-1]].bbox
            if (
                touches(grow(region.bbox, high, 0.6 * high), box)
                and 0.6 < high / max(last[3] - last[1], 0.1) < 1.7
                and not _is_anything_between(region.bbox, box, owned)
            ):
                region.word_indices += indices
                region.bbox = union([region.bbox, box])
                break
        else:
            evidence = ["words outside the layout model's boxes"]
            added.append(RegionCandidate("text", box, 0.6, evidence, word_indices=list(indices)))
    return added


def _is_anything_between(a: BBox, b: BBox, owned: Sequence[BBox]) -> bool:
    """Whether words of other regions lie in the box around both, and in neither of them."""
    both = union([a, b])
    return any(
        contains_center(both, word) and not contains_center(a, word) and not contains_center(b, word)
        for word in owned
    )


def _turned_regions(page: PageEvidence, indices: Sequence[int], turn: int) -> list[RegionCandidate]:
    """Text regions of words that are turned by ``turn`` quarters, or of slanted ones, block by block."""
    level = [word.upright() for word in page.words]
    lines: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index in indices:
        lines[page.words[index].line].append(index)
    if turn == SKEWED:
        blocks: dict[int, list[int]] = defaultdict(list)
        for (block, _), of_line in lines.items():
            blocks[block] += of_line
        groups = list(blocks.values())
    else:
        ordered = sorted(lines.values(), key=lambda line: center(union([level[i].bbox for i in line]))[1])
        groups = [region.word_indices for region in regions_of_lines(level, ordered, [])]
    return [
        RegionCandidate(
            "text",
            union([page.words[index].bbox for index in group]),
            0.6,
            ["slanted words" if turn == SKEWED else "turned words"],
            word_indices=group,
            turn=turn,
        )
        for group in groups
    ]
