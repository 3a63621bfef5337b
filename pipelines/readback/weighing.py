"""Reading records back: what a comparison says of a record, and what it does to its confidence.

The record's content is held against the crops that its head was shown; where a witness alone read the region,
against crops made for this. The similarity s is made so that right and corrupted answers are equally likely
where it is 0.5 (:mod:`docai.pipelines.readback.base`): s speaks for a right answer as s : 1 - s. What a model
gets wrong is finer than these corruptions, and what it is right about may be drawn in a way that no
comparison follows. So, for a head in which a share e of the wrong answers looks just like the right one, and
a share d of the right ones is taken for another thing, Bayes' rule gives

    p' = p r / (p r + (1 - p) w),    r = (1 - d) s + d (1 - s),    w = (1 - e) (1 - s) + e s

with p the confidence so far, 0.5 where nobody has measured any. A high similarity adds little, since few
errors show; a low one takes much. An answer of confidence 0, which is invalid or incomplete, stays there. The
confidences of cells, words, atoms and measures stay as they are: a comparison is of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from docai.pipelines.codes import make_issue
from docai.pipelines.readback.base import ReadBack
from docai.records import (
    Confidence,
    Content,
    Kind,
    MoleculeContent,
    ReadBackResult,
    ScoreContent,
    TableContent,
    TextContent,
)

if TYPE_CHECKING:
    from docai.pipelines.crops import Crop
    from docai.pipelines.evidence import Weighed

ReadBackSetting = Literal["auto", "off"]
"""``auto`` reads back what a model or another program read, where the renderer of its head is installed."""

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
(``benchmarks/readback_answers.py``): few, so none is fitted to the digit. ``doubtful`` is where few right
answers lie, see ``benchmarks/readback.py``."""

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
    from docai.pipelines.readback.engraving import missing_engraver

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
        from docai.pipelines.readback.comparing import compare_views

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
