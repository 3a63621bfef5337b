"""The comparison of each head: what is seen in the crop once, and each content held against it.

A region in tiles: of a text and a table each tile is held against the words or cells that lie in it, and the
similarity is the mean, weighed by their number; the systems of a score are put together as they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from docai.contents import Content, MoleculeContent, ScoreContent, TableContent, TextContent
from docai.geometry import BBox, grow, intersection
from docai.issues import make_issue
from docai.pipelines.readback.base import Features, Gray, NotComparable, ReadBack, judged
from docai.pipelines.readback.ink import to_gray
from docai.pipelines.readback.molecule.features import molecule_features, observe_molecule
from docai.pipelines.readback.score.features import score_features
from docai.pipelines.readback.score.staves import joined, observe_score
from docai.pipelines.readback.text_and_tables import (
    observe_table,
    observe_text,
    table_features,
    text_features,
)
from docai.records import Confidence, Kind, ReadBackResult

if TYPE_CHECKING:
    from docai.pipelines.crops.crop import Crop
    from docai.pipelines.evidence.base import Weighed

RENDERERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "table": "its cells' texts and rules against the ink, by OpenCV and Pillow",
        "molecule": "RDKit",
        "score": "Verovio and resvg",
        "text": "its words against the ink, by OpenCV and Pillow",
    }
)
"""Head → what draws its records again, in words."""


@dataclass(frozen=True)
class Rule:
    """What a similarity is worth for one head."""

    unseen: float
    """e: share of the wrong answers that look just like the right one."""
    mistaken: float
    """d: share of the right answers that are taken for another thing."""
    doubtful: float
    """Similarity below which the record says that it differs from its crop."""


RULES: Final[Mapping[Kind, Rule]] = MappingProxyType(
    {
        "table": Rule(unseen=0.2, mistaken=0.03, doubtful=0.05),
        "molecule": Rule(unseen=0.2, mistaken=0.01, doubtful=0.25),
        "score": Rule(unseen=0.2, mistaken=0.03, doubtful=0.07),
        "text": Rule(unseen=0.2, mistaken=0.03, doubtful=0.1),
    }
)
"""``unseen`` and ``mistaken`` are rounded from answers of nano to drawn crops
(``benchmarks/readback/answers.py``): few, so none is fitted to the digit. ``doubtful`` is where few right
answers lie, see ``benchmarks/readback/run.py``."""

_UNKNOWN: Final = 0.5

_OF_THE_PDF: Final = frozenset(("text-layer", "table-finder"))

_METHODS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "table": "cells held against the ink of the crop",
        "molecule": "structure drawn by RDKit held against the strokes of the crop",
        "score": "kern engraved by Verovio held against the staves of the crop",
        "text": "words held against the ink of the crop",
    }
)


def combined(p: float | None, similarity: float, rule: Rule) -> float:
    """Probability that a record is right, from its confidence and the similarity; see the module's rule.

    Args:
        p: the confidence so far; None is 0.5.
        similarity: 0..1.
        rule: of the head.
    """
    p = _UNKNOWN if p is None else p
    right = (1 - rule.mistaken) * similarity + rule.mistaken * (1 - similarity)
    wrong = (1 - rule.unseen) * (1 - similarity) + rule.unseen * similarity
    both = p * right + (1 - p) * wrong
    return p * right / both if both else 0.0


def missing_renderer(head: str) -> str | None:
    """Why records of a head cannot be drawn again here, in one sentence; None where they can."""
    if head != "score":
        return None
    from docai.pipelines.readback.score.rendering import missing_engraver

    return missing_engraver()


def with_read_back(weighed: Weighed, views: Sequence[Crop]) -> tuple[Weighed, ReadBackResult | None]:
    """A record's content held against its crops, with the confidence that it has then.

    Never fails: what goes wrong is the reason why there is no similarity.

    Args:
        weighed: boxes are page points.
        views: the region, in one piece or in tiles; none: it is not read back.
    """
    kind = _kind(weighed.content)
    if kind is None or not views or _OF_THE_PDF & {*weighed.evidence} or missing_renderer(kind):
        return weighed, None
    try:
        found = compare_views(weighed.content, views)
    except Exception as error:
        # A record must not be lost, nor its other evidence, because it could not be drawn again.
        found = ReadBack(None, reason=f"reading back failed ({type(error).__name__}: {error})")
    result = ReadBackResult(
        similarity=None if found.similarity is None else round(found.similarity, 4),
        reason=found.reason,
        method=_METHODS[kind],
    )
    if result.similarity is None:
        return weighed, result
    return _judged(weighed, result.similarity, RULES[kind]), result


def _judged(weighed: Weighed, similarity: float, rule: Rule) -> Weighed:
    own = weighed.confidence
    base = own.method if own.value is not None else "not measured"
    value = combined(own.value, similarity, rule)
    confidence = Confidence(value=value, method=f"{base}; with read-back (Bayes' rule)", parts=own.parts)
    issues = weighed.issues
    if similarity < rule.doubtful:
        message = f"Drawn again, the record is little like its crop (similarity {similarity:.2f})."
        issues = (*issues, make_issue("readback-differs", message))
    return replace(weighed, confidence=confidence, issues=issues)


def _kind(content: Content) -> Kind | None:
    """The kind of a content that holds something valid."""
    match content:
        case TableContent() if content.cells:
            return "table"
        case MoleculeContent() if content.is_valid:
            return "molecule"
        case ScoreContent() if content.is_valid:
            return "score"
        case TextContent() if content.lines:
            return "text"
    return None


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
    kept = intersection(view.transform.to_pixels(grow(view.bbox, _AROUND / scale)), (0, 0, *view.image.size))
    if kept is None:
        return view.image
    box = (round(kept[0]), round(kept[1]), round(kept[2]), round(kept[3]))
    picture = Image.new("RGB", view.image.size, "white")
    picture.paste(view.image.crop(box), box[:2])
    return picture


def placed(content: Content, view: Crop, *, only: bool = False) -> Content:
    """The content with boxes as shares of the crop; with ``only``, just the parts whose middle it shows."""
    from docai.contents import map_boxes

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
