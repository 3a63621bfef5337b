"""One region into one record: which head is asked, with which crops, and what its answer becomes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from docai.models.engine import Generation
from docai.models.heads import HEADS
from docai.pipelines.answers import Answer, raw_text, region_answer, worst_finish
from docai.pipelines.codes import make_issue
from docai.pipelines.crops import Crop, tile_region
from docai.pipelines.evidence import (
    Weighed,
    text_from_words,
    unread_table,
    unweighed,
    weigh_table,
    weigh_text,
)
from docai.pipelines.ingest import Page
from docai.pipelines.layout import Region, text_layer_quality
from docai.records import (
    BBox,
    Confidence,
    Content,
    Evidence,
    Figure,
    FigureContent,
    Issue,
    RecordBase,
    TextContent,
)

TextLayer = Literal["prefer", "verify", "ignore"]

MIN_TEXT_LAYER_QUALITY = 0.5
"""A text layer below this is not believed: the model reads the text instead."""


@dataclass
class Plan:
    """What will be done with one region."""

    id: str
    page: int
    region: Region
    native: TextContent | None = None
    """The PDF's own words in the region; None where it has none, or they are to be ignored."""
    is_believed: bool = False
    """The words can be read as they are."""
    is_asked: bool = False
    """The head of ``region.kind`` is to read the region."""
    issues: list[Issue] = field(default_factory=list)

    def refuse(self, code: str, message: str) -> None:
        """Do not ask the model, and say why."""
        self.is_asked = False
        self.issues.append(make_issue(code, f"The region was not read by a model: {message}"))


def plan_regions(
    source_sha256: str,
    page: int,
    regions: Sequence[Region],
    available: Collection[str],
    text_layer: TextLayer,
) -> list[Plan]:
    """Decide how each region of one page is read. No two plans have the same id."""
    ids: Counter[str] = Counter()
    plans = []
    for region in regions:
        name = record_id(source_sha256, page, region.kind, region.bbox)
        ids[name] += 1
        unique = name if ids[name] == 1 else f"{name}-{ids[name]}"
        plans.append(_plan_region(Plan(unique, page, region), available, text_layer))
    return plans


def _plan_region(plan: Plan, available: Collection[str], text_layer: TextLayer) -> Plan:
    words, kind = plan.region.words, plan.region.kind
    if words and text_layer != "ignore":
        plan.native = text_from_words(words)
        quality = text_layer_quality(words)
        plan.is_believed = quality >= MIN_TEXT_LAYER_QUALITY
        if not plan.is_believed:
            message = f"The PDF's own words here look broken (quality {quality:.2f}) and were not believed."
            plan.issues.append(make_issue("text-layer-not-believed", message))
    if kind not in HEADS or (kind == "text" and plan.is_believed and text_layer == "prefer"):
        return plan
    plan.is_asked = True
    if kind not in available:
        plan.refuse("head-not-available", f"the model has no weights for the {kind} head.")
    return plan


def crop_region(plan: Plan, page: Page) -> list[Crop]:
    """The crops that are put to the head; none where no model is asked, or where they cannot be made."""
    if not plan.is_asked:
        return []
    words = plan.region.words if plan.is_believed else ()
    try:
        return tile_region(page, plan.region.kind, plan.region.bbox, words=words)
    except Exception as error:
        # Whatever the cause, it is this region's: the others are read.
        plan.refuse("crop-failed", f"it could not be drawn ({type(error).__name__}: {error}).")
        return []


def record_id(source_sha256: str, page: int, kind: str, bbox: BBox) -> str:
    """Stable over runs: made from the source's bytes, the page, the kind and the box in whole points."""
    box = ",".join(str(round(value)) for value in bbox)
    digest = hashlib.sha256(f"{source_sha256}/{page}/{kind}/{box}".encode()).hexdigest()
    return f"p{page}-{kind}-{digest[:10]}"


def finish_record(
    plan: Plan, page: Page, crops: Sequence[Crop], generations: Sequence[Generation], text_layer: TextLayer
) -> RecordBase:
    """Make the record of a region from the answers to its crops, in their order.

    Never fails: what goes wrong is an issue, and the model's raw text and the PDF's words are kept.
    """
    try:
        if plan.region.kind not in HEADS:
            return _figure(plan)
        if not generations:
            return _unread_record(plan, page)
        return _read_record(plan, page, crops, generations, text_layer)
    except Exception as error:
        message = f"The region could not be made a record: {type(error).__name__}: {error}"
        plan.issues.append(make_issue("record-failed", message))
        return _bare_record(plan, generations)


def _figure(plan: Plan) -> RecordBase:
    evidence: list[Evidence] = ["layout", "text-layer"] if plan.native else ["layout"]
    content = FigureContent(text=plan.native.text if plan.native else "")
    return _record(plan, Figure, content, evidence=evidence)


def _read_record(
    plan: Plan, page: Page, crops: Sequence[Crop], generations: Sequence[Generation], text_layer: TextLayer
) -> RecordBase:
    head = HEADS[plan.region.kind]
    answer = region_answer(head, crops, generations)
    weighed = _weigh(plan, page, answer, text_layer)
    issues = list(answer.issues)
    if "model" not in weighed.evidence and weighed.evidence:
        issues = _softened(issues)
    plan.issues += [*issues, *weighed.issues]
    return _record(
        plan,
        head.record,
        weighed.content,
        head=head.name,
        checkpoint=answer.checkpoint,
        prompt=answer.prompt,
        raw=answer.raw,
        finish_reason=answer.finish_reason,
        n_tokens=answer.n_tokens,
        confidence=weighed.confidence,
        evidence=list(weighed.evidence),
        alternatives=list(weighed.alternatives),
        repaired=answer.repaired or weighed.repaired,
    )


def _weigh(plan: Plan, page: Page, answer: Answer, text_layer: TextLayer) -> Weighed:
    region = plan.region
    if plan.native is not None and region.kind == "text":
        return weigh_text(answer, plan.native, believed=plan.is_believed)
    if plan.is_believed and region.kind == "table":
        return weigh_table(answer, page, region.bbox, region.words, prefer_words=text_layer == "prefer")
    return unweighed(answer)


def _unread_record(plan: Plan, page: Page) -> RecordBase:
    """A region that no model read: what other evidence gives; why it was not read is an issue already."""
    head = HEADS[plan.region.kind]
    weighed: Weighed | None = None
    if plan.is_believed and plan.native is not None and head.name == "text":
        quality = Confidence(
            value=text_layer_quality(plan.region.words),
            method="share of readable characters of the PDF's own words",
        )
        weighed = Weighed(plan.native, ("text-layer",), quality)
    elif plan.is_believed and head.name == "table":
        weighed = unread_table(page, plan.region.bbox, plan.region.words)
    if weighed is None:
        return _bare_record(plan, ())
    plan.issues = [*_softened(plan.issues), *weighed.issues]
    return _record(
        plan,
        head.record,
        weighed.content,
        head=head.name,
        confidence=weighed.confidence,
        evidence=list(weighed.evidence),
    )


def _bare_record(plan: Plan, generations: Sequence[Generation]) -> RecordBase:
    """A record without content, with all that is known otherwise."""
    head = HEADS[plan.region.kind]
    provenance: dict[str, Any] = {}
    if generations:
        provenance = {
            "checkpoint": generations[0].checkpoint or None,
            "prompt": head.prompt,
            "raw": raw_text(generations),
            "finish_reason": worst_finish([one.finish_reason for one in generations]),
            "n_tokens": sum(one.n_tokens for one in generations),
            "confidence": Confidence(value=0.0, method="0 because no record could be made of the answer"),
        }
    return head.record(**_placing(plan), head=head.name, **provenance)


def _softened(issues: Sequence[Issue]) -> list[Issue]:
    """The model's own faults do not spoil a record whose content comes from another witness."""
    return [
        issue.model_copy(update={"severity": "warning"}) if issue.severity == "error" else issue
        for issue in issues
    ]


def _record(plan: Plan, kind: type[RecordBase], content: Content, **provenance: Any) -> RecordBase:
    return kind(**_placing(plan), **content_fields(content), **provenance)


def _placing(plan: Plan) -> dict[str, Any]:
    """The fields that a region's record has whoever read it."""
    region = plan.region
    return {
        "id": plan.id,
        "page": plan.page,
        "bbox": region.bbox,
        "polygon": list(region.polygon) if region.polygon else None,
        "native_text": plan.native.text if plan.native else None,
        "issues": [issue.model_copy(update={"page": plan.page, "region": plan.id}) for issue in plan.issues],
        "region_score": region.score,
        "region_evidence": list(region.evidence),
    }


def content_fields(content: Content) -> dict[str, Any]:
    """The fields of a content as they go into its record."""
    return {name: getattr(content, name) for name in type(content).model_fields}
