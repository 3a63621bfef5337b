"""Compares a record with the crops it was read from, and weighs the result into its confidence.

``with_read_back`` is the step of the pipeline; ``compare_with_crops`` compares a record with the crops of its
region, ``compare_with_picture`` with one picture. Each head has one :class:`Comparison`: ``observe`` extracts
from a picture alone what is visible in it, ``measure`` compares that with a content and gives features, and
:func:`~docai.pipelines.readback.similarity.similarity_of` makes them a similarity.

For a region in several tiles, each tile of a text or table is compared with the words or cells that lie in
it, and the similarity is the mean, weighted by their number; the staves of a score's tiles are joined first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from docai.base import Content
from docai.contents import MoleculeContent, ScoreContent, TableContent, TextContent
from docai.geometry import grow, intersection
from docai.issues import make_issue
from docai.pipelines.evidence.trust import bayes
from docai.pipelines.readback.ink import Gray, to_gray
from docai.pipelines.readback.molecule.features import molecule_features, observe_molecule
from docai.pipelines.readback.score.features import score_features
from docai.pipelines.readback.score.staves import observe_score
from docai.pipelines.readback.similarity import Features, NotComparable, ReadBack, similarity_of
from docai.pipelines.readback.text_and_tables import observe_text, table_features, text_features
from docai.records import Confidence, Evidence, Kind, ReadBackResult

if TYPE_CHECKING:
    from docai.pipelines.crops.crop import Crop
    from docai.pipelines.evidence.base import Decision


@dataclass(frozen=True)
class BayesRule:
    """How a similarity changes the confidence of one head's records, see :func:`posterior`."""

    false_match: float
    """Share of the wrong answers that match their picture as well as the right one does."""
    false_mismatch: float
    """Share of the right answers that do not match their picture."""
    warn_below: float
    """Similarity below which the record gets the issue ``readback-differs``."""


def _nothing_missing() -> None:
    """The renderer is one of docai's own requirements."""


def _missing_engraver() -> str | None:
    from docai.pipelines.readback.score.rendering import missing_engraver

    return missing_engraver()


@dataclass(frozen=True)
class Comparison:
    """How the records of one head are compared with pictures.

    ``observe`` extracts from a picture alone what is visible in it; ``measure`` compares that with a content.
    Both raise :class:`NotComparable`.
    """

    content: type[Content]
    observe: Callable[[Gray], Any]
    measure: Callable[[Any, Any], Features]
    rule: BayesRule
    renderer: str
    """What the record is rendered with, for ``docai doctor``."""
    method: str
    """For ``ReadBackResult.method``."""
    mismatch: str
    """What the issue ``readback-differs`` says, before the similarity."""
    joins_tiles: bool = False
    """``observe`` gives lists, and those of a region's tiles are joined and compared at once. Else
    each tile is compared with the parts of the content that lie in it."""
    missing: Callable[[], str | None] = _nothing_missing
    """Why the renderer cannot be used here, in one sentence; None where it can."""


COMPARISONS: Final[Mapping[Kind, Comparison]] = MappingProxyType(
    {
        "table": Comparison(
            TableContent,
            observe_text,
            table_features,
            BayesRule(false_match=0.2, false_mismatch=0.03, warn_below=0.05),
            renderer="OpenCV and Pillow (cell texts and rules)",
            method="cell texts and rules compared with the ink of the crop",
            mismatch="The cells do not match the ink of the picture",
        ),
        "molecule": Comparison(
            MoleculeContent,
            observe_molecule,
            molecule_features,
            BayesRule(false_match=0.2, false_mismatch=0.01, warn_below=0.25),
            renderer="RDKit",
            method="structure as RDKit draws it compared with the strokes of the crop",
            mismatch="The re-rendered structure does not match the picture",
        ),
        "score": Comparison(
            ScoreContent,
            observe_score,
            score_features,
            BayesRule(false_match=0.2, false_mismatch=0.03, warn_below=0.07),
            renderer="Verovio and resvg",
            method="score engraved by Verovio compared with the staves of the crop",
            mismatch="The re-rendered score does not match the picture",
            joins_tiles=True,
            missing=_missing_engraver,
        ),
        "text": Comparison(
            TextContent,
            observe_text,
            text_features,
            BayesRule(false_match=0.2, false_mismatch=0.03, warn_below=0.1),
            renderer="OpenCV and Pillow (words)",
            method="words compared with the ink of the crop",
            mismatch="The words do not match the ink of the picture",
        ),
    }
)
"""``false_match`` and ``false_mismatch`` are rounded from nano's answers to drawn crops
(``benchmarks/readback/answers.py``): there were few, so none is fitted to the digit. ``warn_below`` is where
few right answers lie, see ``benchmarks/readback/run.py``."""

READER_RULES: Final[Mapping[Kind, BayesRule]] = MappingProxyType(
    {kind: comparison.rule for kind, comparison in COMPARISONS.items()}
    | {
        "table": replace(COMPARISONS["table"].rule, false_match=0.95),
    }
)
"""Of records that the model has no part in. Where a library is wrong about a table it is nearly right, so
that its record looks like the picture all the same: near to what ``benchmarks/fit_trust.py`` fits on 20
tables of the half for development. On 32 molecules no other rule than the model's was better, which tells
what is no molecule at all. Texts have the share of their words that are likely right, whatever they look
like."""

_UNKNOWN_CONFIDENCE: Final = 0.5

_PDF_EVIDENCE: Final = frozenset(("text-layer", "table-finder"))
"""Records that rest on the PDF itself are not read back."""

_REGION_MARGIN_PX: Final = 10
"""Crop pixels around a region that still belong to it: boxes of regions may touch the ink, and half of a
crop's margin is as likely a neighbor's."""


def missing_renderer(kind: Kind) -> str | None:
    """Why records of a kind cannot be rendered here, in one sentence; None where they can."""
    return COMPARISONS[kind].missing()


def with_read_back(decision: Decision, crops: Sequence[Crop]) -> tuple[Decision, ReadBackResult | None]:
    """Compare a record's content with its crops, and adjust its confidence.

    Never fails: an error becomes the reason why there is no similarity.

    Args:
        decision: boxes are page points.
        crops: the region, in one piece or in tiles; empty: it is not read back.
    """
    kind = _kind(decision.content)
    if kind is None or not crops or not _holds_something(decision.content):
        return decision, None
    if _PDF_EVIDENCE & {*decision.evidence} or missing_renderer(kind):
        return decision, None
    try:
        read_back = compare_with_crops(decision.content, crops)
    except Exception as error:
        # A failed comparison must cost neither the record nor its other evidence.
        read_back = ReadBack(None, reason=f"reading back failed ({type(error).__name__}: {error})")
    comparison = COMPARISONS[kind]
    result = ReadBackResult(
        similarity=None if read_back.similarity is None else round(read_back.similarity, 4),
        reason=read_back.reason,
        method=comparison.method,
    )
    if result.similarity is None:
        return decision, result
    return _with_similarity(decision, result.similarity, comparison, kind), result


def rule_of(kind: Kind, evidence: Sequence[Evidence]) -> BayesRule:
    """How the similarity of a record counts that rests on this evidence."""
    return COMPARISONS[kind].rule if "model" in evidence else READER_RULES[kind]


def _with_similarity(decision: Decision, similarity: float, comparison: Comparison, kind: Kind) -> Decision:
    prior = decision.confidence
    base = prior.method if prior.value is not None else "not measured"
    confidence = prior
    if kind != "text" or "model" in decision.evidence:
        # The share of words that are right is none that the picture of the whole could tell more of.
        value = posterior(prior.value, similarity, rule_of(kind, decision.evidence))
        method = f"{base}; with read-back (Bayes' rule)"
        confidence = Confidence(value=value, method=method, parts=prior.parts)
    issues = decision.issues
    if similarity < comparison.rule.warn_below:
        message = f"{comparison.mismatch} (similarity {similarity:.2f})."
        issues = (*issues, make_issue("readback-differs", message))
    return replace(decision, confidence=confidence, issues=issues)


def posterior(prior: float | None, similarity: float, rule: BayesRule) -> float:
    """Probability that a record is right, given its confidence ``p`` and the similarity ``s``.

    By Bayes' rule, ``p * R / (p * R + (1 - p) * W)``. The likelihood of ``s`` for a right record is
    ``R = (1 - d) * s + d * (1 - s)`` with ``d = rule.false_mismatch``, for a wrong one
    ``W = (1 - e) * (1 - s) + e * s`` with ``e = rule.false_match``.

    Args:
        prior: the confidence so far; None counts as 0.5.
        similarity: 0..1.
        rule: of the head.
    """
    p = _UNKNOWN_CONFIDENCE if prior is None else prior
    if_right = (1 - rule.false_mismatch) * similarity + rule.false_mismatch * (1 - similarity)
    if_wrong = (1 - rule.false_match) * (1 - similarity) + rule.false_match * similarity
    return bayes(p, if_right, if_wrong)


def compare_with_crops(content: Content, crops: Sequence[Crop]) -> ReadBack:
    """Compare a content with the crops of its region: one, or tiles of it. Boxes are page points."""
    if len(crops) == 1:
        return compare_with_picture(_in_crop_units(content, crops[0]), _region_picture(crops[0]))
    kind = _kind(content)
    if kind is not None and COMPARISONS[kind].joins_tiles:
        return _compare_joined(kind, content, crops)
    similarities: list[tuple[int, float]] = []
    reason = "no part of the record lies in a tile"
    for crop in crops:
        part = _in_crop_units(content.parts_within(crop.shown), crop)
        if n_parts := len(part.parts()):
            read_back = compare_with_picture(part, _region_picture(crop))
            reason = read_back.reason or reason
            if read_back.similarity is not None:
                similarities.append((n_parts, read_back.similarity))
    if not similarities:
        return ReadBack(None, reason=reason)
    total = sum(n_parts for n_parts, _ in similarities)
    return ReadBack(sum(n_parts * value for n_parts, value in similarities) / total)


def _compare_joined(kind: Kind, content: Content, crops: Sequence[Crop]) -> ReadBack:
    comparison = COMPARISONS[kind]
    try:
        observations = [item for crop in crops for item in comparison.observe(to_gray(_region_picture(crop)))]
        return similarity_of(kind, comparison.measure(observations, content))
    except NotComparable as error:
        return ReadBack(None, reason=str(error))


def compare_with_picture(content: Content, image: Image.Image | Gray) -> ReadBack:
    """See :func:`docai.pipelines.readback.read_back`."""
    kind = _kind(content)
    if kind is None:
        return ReadBack(None, reason="records of this kind are not rendered again")
    comparison = COMPARISONS[kind]
    try:
        return similarity_of(kind, comparison.measure(comparison.observe(to_gray(image)), content))
    except NotComparable as error:
        return ReadBack(None, reason=str(error))


def _kind(content: Content) -> Kind | None:
    """The kind of a content that there is a comparison for."""
    kinds = (kind for kind, comparison in COMPARISONS.items() if isinstance(content, comparison.content))
    return next(kinds, None)


def _holds_something(content: Content) -> bool:
    """Whether there is something valid to render."""
    if isinstance(content, MoleculeContent | ScoreContent):
        return content.is_valid
    return not content.is_empty


def _region_picture(crop: Crop) -> Image.Image:
    """The crop without its neighbors: white beyond :data:`_REGION_MARGIN_PX` around the region."""
    margin = _REGION_MARGIN_PX / crop.transform.scale
    region = intersection(crop.transform.to_pixels(grow(crop.bbox, margin)), (0, 0, *crop.image.size))
    if region is None:
        return crop.image
    box = (round(region[0]), round(region[1]), round(region[2]), round(region[3]))
    picture = Image.new("RGB", crop.image.size, "white")
    picture.paste(crop.image.crop(box), box[:2])
    return picture


def _in_crop_units(content: Content, crop: Crop) -> Content:
    """The content with boxes as shares of the crop."""
    return content.map_boxes(crop.transform.to_unit)
