"""Regions of a page by what it draws: a structure or a system that is read from its strokes is one region.

Layout looks at the picture of a page and may cut a structure where a label stands far from its bond, or join
two. Where the strokes themselves make a whole, they say better what belongs together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from docai.contents import ScoreContent
from docai.geometry import (
    BBox,
    area,
    center,
    contains_center,
    distance,
    grow,
    intersection_area,
    share_inside,
    union,
)
from docai.models.heads import FIGURE
from docai.parsers.score_join import join_scores
from docai.pipelines.evidence.base import Reading
from docai.pipelines.evidence.drawing import DrawingReader, DrawnPart, is_sound
from docai.pipelines.evidence.readers import ReaderPool
from docai.pipelines.evidence.text_layer import MIN_QUALITY
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.layout import Region
from docai.pipelines.words import text_layer_quality
from docai.records import Confidence

MIN_INSIDE: Final = 0.7
"""Share of its area from which a region is a piece of what is drawn, or what is drawn a piece of a region."""

MIN_OF_FIGURE: Final = 0.5
"""Share of the area of a figure that structures and systems cover from which it is nothing else."""

MIN_OVERLAP: Final = 0.3
"""Share of the smaller one from which a region and what is drawn are about the same thing."""

MARGIN_POINTS: Final = 4.0
"""Points that a label may reach out of the box of its structure."""

MAX_LABEL_LETTERS: Final = 12
"""Letters of a text up to which it may be labels of atoms that layout took for a text of its own."""

DRAWN_SCORE: Final = 0.99
"""How sure layout is of a region whose strokes were read soundly."""


@dataclass
class _Placed:
    """A region in reading order, with what its drawing says."""

    region: Region
    reading: Reading | None = None
    part: DrawnPart | None = None
    words: list[PageWord] = field(default_factory=list)


def drawn_regions(
    page: Page,
    regions: Sequence[Region],
    readers: ReaderPool,
    kinds: frozenset[str],
    *,
    may_change: bool = True,
) -> list[tuple[Region, Reading | None]]:
    """The regions of a page in reading order, each with what its drawing says; None where that is nothing.

    Args:
        page: it is open.
        regions: those of layout, or of the caller.
        readers: one of them is the reader of drawings, unless drawings are to be ignored.
        kinds: of regions that are wanted, of those that are drawn.
        may_change: each structure and each system that is read soundly becomes a region, in the place of
            those that layout found there. Else regions stay as they are.
    """
    kinds &= DrawingReader.kinds
    asking = [one for one in regions if one.kind in kinds or _may_be_drawn(one)]
    if not asking or not kinds:
        return [(region, None) for region in regions]
    others = [one.bbox for one in regions if one not in asking and not _may_be_labels(one)]
    parts, failure = readers.read_drawing(page, [one.bbox for one in asking], others)
    parts = [part for part in parts if part.kind in kinds]
    if failure is not None:
        return [(region, failure if region.kind in kinds else None) for region in regions]
    if not may_change:
        return [(region, _reading_of(region, parts)) for region in regions]
    return [(placed.region, placed.reading) for placed in _Arrangement(parts, kinds).arrange(regions)]


def _may_be_drawn(region: Region) -> bool:
    """Whether layout may have taken a part of a drawing for something else."""
    if region.kind == "text":
        return not region.words or text_layer_quality(region.words) < MIN_QUALITY
    return region.kind == FIGURE


def _may_be_labels(region: Region) -> bool:
    """Whether a text may be labels of atoms: some letters, no more."""
    letters = sum(len(word.text) for word in region.words)
    return region.kind == "text" and letters <= MAX_LABEL_LETTERS


def _reading_of(region: Region, parts: Sequence[DrawnPart]) -> Reading | None:
    """What is drawn in a region that stays as it is; systems joined, of structures the largest."""
    mine = [one for one in parts if one.kind == region.kind and contains_center(region.bbox, one.bbox)]
    if not mine:
        return None
    contents = [one.content for one in mine if isinstance(one.content, ScoreContent)]
    joined = join_scores(contents) if len(contents) > 1 else []
    if len(joined) != 1 or len(contents) < len(mine):
        return max(mine, key=lambda one: area(one.bbox)).reading()
    weakest = min(mine, key=lambda one: one.confidence.value or 0.0)
    method = f"{weakest.confidence.method}; the least of {len(mine)} systems"
    return replace(
        weakest,
        content=joined[0],
        text=joined[0].kern,
        confidence=Confidence(value=weakest.confidence.value, method=method),
        issues=tuple(issue for one in mine for issue in one.issues),
    ).reading()


class _Arrangement:
    """Puts what is drawn in the place of the regions that show it."""

    def __init__(self, parts: Sequence[DrawnPart], kinds: frozenset[str]) -> None:
        self._parts = parts
        self._sound = [part for part in parts if is_sound(part.reading())]
        self._kinds = kinds
        self._placed: list[_Placed] = []

    def arrange(self, regions: Sequence[Region]) -> list[_Placed]:
        """The regions in reading order; words go to the nearest of those that took their place."""
        for region in regions:
            takers = self._takers(region)
            if takers is None:
                self._placed.append(_Placed(region, self._doubtful(region)))
                continue
            places = [self._place(part, region, is_alone=len(takers) == 1) for part in takers]
            for word in region.words:
                min(places, key=lambda one: distance(one.region.bbox, word.bbox)).words.append(word)
            if _may_be_drawn(region) and not _covers(takers, region):
                # The rest of a figure, which stays one.
                self._placed.insert(len(self._placed) - len(takers), _Placed(region))
        for part in self._sound:
            if not any(one.part is part for one in self._placed):
                self._insert(part)
        for one in self._placed:
            if one.part is not None:
                one.region = replace(one.region, words=tuple(one.words))
        return self._placed

    def _takers(self, region: Region) -> list[DrawnPart] | None:
        """What takes the place of a region, or of a part of a figure; None where it stays."""
        is_drawn = region.kind in self._kinds
        for part in self._sound:
            if share_inside(region.bbox, grow(part.bbox, MARGIN_POINTS)) >= MIN_INSIDE and (
                is_drawn or _may_be_drawn(region) or _is_label(region, part)
            ):
                return [part]
        inside = [part for part in self._sound if share_inside(part.bbox, region.bbox) >= MIN_INSIDE]
        if not inside or not (is_drawn or _may_be_drawn(region)):
            return None
        if is_drawn:
            # What is not sound in it is a region, too: nothing is lost.
            inside += [
                part
                for part in self._parts
                if part not in self._sound
                and part.kind == region.kind
                and share_inside(part.bbox, region.bbox) >= MIN_INSIDE
            ]
        return sorted(inside, key=lambda part: (part.bbox[1], part.bbox[0]))

    def _place(self, part: DrawnPart, region: Region, *, is_alone: bool) -> _Placed:
        """The part, put after what is placed, unless it has a place."""
        for one in self._placed:
            if one.part is part:
                return one
        is_same = region.kind == part.kind
        evidence = (*(region.evidence if is_same else ()), "its strokes make a whole")
        score = max(region.score, DRAWN_SCORE) if is_sound(part.reading()) else region.score
        made = Region(part.kind, _box(part, region, is_alone=is_alone), score, evidence)
        self._placed.append(_Placed(made, part.reading(), part))
        return self._placed[-1]

    def _insert(self, part: DrawnPart) -> None:
        """Put a part that lies in no region of its kind after the last region that is above it."""
        made = Region(part.kind, part.bbox, DRAWN_SCORE, ("its strokes make a whole",))
        above = [
            index
            for index, one in enumerate(self._placed)
            if center(one.region.bbox)[1] <= center(part.bbox)[1]
        ]
        self._placed.insert(above[-1] + 1 if above else 0, _Placed(made, part.reading(), part))

    def _doubtful(self, region: Region) -> Reading | None:
        """What is not sound of what is drawn in a region that stays."""
        mine = [
            part
            for part in self._parts
            if part.kind == region.kind and _overlap(part.bbox, region.bbox) >= MIN_OVERLAP
        ]
        if not mine or region.kind not in self._kinds:
            return None
        return max(mine, key=lambda part: intersection_area(part.bbox, region.bbox)).reading()


def _box(part: DrawnPart, region: Region, *, is_alone: bool) -> BBox:
    """The box of what is drawn; of music with what layout sees beside it, such as braces and clefs."""
    if part.kind != "score" or region.kind != "score":
        return part.bbox
    x0, y0, x1, y1 = union([part.bbox, region.bbox])
    return (x0, y0, x1, y1) if is_alone else (x0, part.bbox[1], x1, part.bbox[3])


def _is_label(region: Region, part: DrawnPart) -> bool:
    """Whether a text is letters of a drawing: none of it reaches out."""
    box = grow(part.bbox, MARGIN_POINTS)
    return region.kind == "text" and share_inside(region.bbox, box) > 0.99


def _covers(parts: Sequence[DrawnPart], region: Region) -> bool:
    """Whether a figure is nothing but what is drawn in it."""
    return sum(area(part.bbox) for part in parts) >= MIN_OF_FIGURE * area(region.bbox)


def _overlap(a: BBox, b: BBox) -> float:
    return intersection_area(a, b) / max(1e-9, min(area(a), area(b)))
