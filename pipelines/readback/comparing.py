"""The comparison of each head: what is seen in the crop once, and each content held against it.

A region in tiles: of a text and a table each tile is held against the words or cells that lie in it, and the
similarity is the mean, weighed by their number; the systems of a score are put together as they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from PIL import Image

from docai.pipelines.boxes import grow, intersection
from docai.pipelines.readback.base import Features, Gray, NotComparable, ReadBack, judged
from docai.pipelines.readback.ink import to_gray
from docai.pipelines.readback.molecule import molecule_features, observe_molecule
from docai.pipelines.readback.score import observe_score, score_features
from docai.pipelines.readback.staves import joined
from docai.pipelines.readback.table import observe_table, table_features
from docai.pipelines.readback.text import observe_text, text_features
from docai.records import BBox, Content, Kind, MoleculeContent, ScoreContent, TableContent, TextContent

if TYPE_CHECKING:
    from docai.pipelines.crops import Crop

_AROUND = 10
"""Pixels around a region that still count as its own: boxes of regions may touch the ink, and half of a
crop's margin is as likely a neighbour's."""


@dataclass(frozen=True)
class Comparison:
    """Both steps of a head: ``observe`` looks at a picture alone; ``measure`` holds a content against it.

    Both raise :class:`NotComparable`.
    """

    kind: Kind
    observe: Callable[[Gray], Any]
    measure: Callable[[Any, Any], Features]


COMPARISONS: Mapping[type[Content], Comparison] = MappingProxyType(
    {
        TableContent: Comparison("table", observe_table, table_features),
        MoleculeContent: Comparison("molecule", observe_molecule, molecule_features),
        ScoreContent: Comparison("score", observe_score, score_features),
        TextContent: Comparison("text", observe_text, text_features),
    }
)


def compare(content: Content, image: Image.Image | Gray) -> ReadBack:
    """See :func:`docai.pipelines.readback.read_back`."""
    chosen = next((one for base, one in COMPARISONS.items() if isinstance(content, base)), None)
    if chosen is None:
        return ReadBack(None, reason="a figure is not drawn again")
    try:
        return judged(chosen.kind, chosen.measure(chosen.observe(to_gray(image)), content))
    except NotComparable as nothing:
        return ReadBack(None, reason=str(nothing))


def compare_views(content: Content, views: Sequence[Crop]) -> ReadBack:
    """A content with boxes in page points held against the crops of its region: one, or tiles of it."""
    if len(views) == 1:
        return compare(placed(content, views[0]), picture_of(views[0]))
    if isinstance(content, ScoreContent):
        try:
            sheets = [observe_score(to_gray(picture_of(view))) for view in views]
            return judged("score", score_features(joined(sheets), content))
        except NotComparable as nothing:
            return ReadBack(None, reason=str(nothing))
    found: list[tuple[int, float]] = []
    reason = "nothing of it lies in a tile"
    for view in views:
        part = placed(content, view, only=True)
        if n := _size(part):
            one = compare(part, picture_of(view))
            reason = one.reason or reason
            if one.similarity is not None:
                found.append((n, one.similarity))
    if not found:
        return ReadBack(None, reason=reason)
    return ReadBack(sum(n * value for n, value in found) / sum(n for n, _ in found))


def picture_of(view: Crop) -> Image.Image:
    """The crop without its neighbours: white beyond :data:`_AROUND` pixels of the region."""
    scale = view.transform.scale
    kept = intersection(view.transform.to_crop(grow(view.bbox, _AROUND / scale)), (0, 0, *view.image.size))
    if kept is None:
        return view.image
    box = (round(kept[0]), round(kept[1]), round(kept[2]), round(kept[3]))
    picture = Image.new("RGB", view.image.size, "white")
    picture.paste(view.image.crop(box), box[:2])
    return picture


def placed(content: Content, view: Crop, *, only: bool = False) -> Content:
    """The content with boxes as shares of the crop; with ``only``, just the parts whose middle it shows."""
    from docai.pipelines.answers import map_boxes

    def shown(box: BBox | None) -> bool:
        if box is None:
            return False
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return view.shown[0] <= x <= view.shown[2] and view.shown[1] <= y <= view.shown[3]

    if only and isinstance(content, TableContent):
        content = content.model_copy(update={"cells": [cell for cell in content.cells if shown(cell.bbox)]})
    if only and isinstance(content, TextContent):
        lines = [
            line.model_copy(update={"words": [word for word in line.words if shown(word.bbox)]})
            for line in content.lines
        ]
        content = content.model_copy(update={"lines": lines})
    return map_boxes(content, view.transform.to_unit)


def _size(content: Content) -> int:
    match content:
        case TableContent():
            return len(content.cells)
        case TextContent():
            return sum(len(line.words) for line in content.lines)
    return 1
