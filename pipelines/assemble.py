"""One region into one record: which head is asked, with which crops, and what its answer becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from docai.models.engine import Generation
from docai.models.heads import HEADS
from docai.pipelines.answers import Answer, region_answer
from docai.pipelines.crops import Crop, tile_region
from docai.pipelines.evidence import compare_text, text_from_words, weigh_table
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
    Severity,
    TableContent,
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
    crops: list[Crop] = field(default_factory=list)
    """The crops put to the head of ``region.kind``; none where no model is asked."""
    native: TextContent | None = None
    """The PDF's own words in the region, where they are believed."""
    issues: list[Issue] = field(default_factory=list)

    @property
    def is_asked(self) -> bool:
        """A model reads this region."""
        return bool(self.crops)

    def refuse(self, code: str, message: str) -> None:
        """Do not ask the model, and say why."""
        if self.is_asked:
            self.crops = []
            self.note(code, "error", f"The region was not read by a model: {message}")

    def note(self, code: str, severity: Severity, message: str) -> None:
        """Add an issue of the model stage."""
        self.issues.append(Issue(code=code, severity=severity, stage="model", message=message))


def plan_region(
    source_sha256: str, page: Page, region: Region, available: Collection[str], text_layer: TextLayer
) -> Plan:
    """Decide how a region is read. Never fails: a crop that cannot be made is an issue of the plan."""
    plan = Plan(record_id(source_sha256, page.number, region.kind, region.bbox), page.number, region)
    if region.words and text_layer != "ignore":
        quality = text_layer_quality(region.words)
        if quality >= MIN_TEXT_LAYER_QUALITY:
            plan.native = text_from_words(region.words)
        else:
            plan.note(
                "text-layer-not-believed",
                "warning",
                f"The PDF's own words here look broken (quality {quality:.2f}) and were not believed.",
            )
    if region.kind not in HEADS or (region.kind == "text" and plan.native and text_layer == "prefer"):
        return plan
    try:
        plan.crops = tile_region(page, region.kind, region.bbox, words=region.words)
    except Exception as error:
        plan.note(
            "crop-failed", "error", f"The region could not be cropped: {type(error).__name__}: {error}"
        )
    if region.kind not in available:
        plan.refuse("head-not-available", f"the model has no weights for the {region.kind} head.")
    return plan


def record_id(source_sha256: str, page: int, kind: str, bbox: BBox) -> str:
    """Stable over runs: made from the source's bytes, the page, the kind and the box in whole points."""
    box = ",".join(str(round(value)) for value in bbox)
    digest = hashlib.sha256(f"{source_sha256}/{page}/{kind}/{box}".encode()).hexdigest()
    return f"p{page}-{kind}-{digest[:10]}"


def finish_record(
    plan: Plan, page: Page, generations: Sequence[Generation], text_layer: TextLayer
) -> RecordBase:
    """Make the record of a region from the answers to its crops, in the order of ``plan.crops``."""
    region = plan.region
    if region.kind not in HEADS:
        content = FigureContent(text=plan.native.text if plan.native else "")
        return _record(plan, Figure, content, evidence=["layout"])
    head = HEADS[region.kind]
    if not plan.is_asked:
        if plan.native is not None and head.name == "text":
            return _native_text_record(plan)
        return _unread(plan, page)
    answer = region_answer(head, plan.crops, generations)
    provenance: dict[str, Any] = {
        "head": head.name,
        "checkpoint": answer.checkpoint,
        "prompt": answer.prompt,
        "raw": answer.raw,
        "finish_reason": answer.finish_reason,
        "n_tokens": answer.n_tokens,
        "confidence": answer.confidence,
        "evidence": ["model"],
        "repaired": answer.repaired,
    }
    plan.issues.extend(answer.issues)
    content = answer.content
    if isinstance(content, TableContent) and plan.native is not None:
        content = _with_table_evidence(plan, page, answer, provenance, prefer=text_layer == "prefer")
    elif isinstance(content, TextContent) and plan.native is not None:
        issues, alternatives, confidence = compare_text(answer, plan.native)
        plan.issues.extend(issues)
        content = plan.native
        provenance |= {
            "confidence": confidence,
            "alternatives": alternatives,
            "evidence": ["text-layer"] if alternatives else ["text-layer", "model"],
        }
    return _record(plan, head.record, content, **provenance)


def _native_text_record(plan: Plan) -> RecordBase:
    """Text of a born-digital page: the PDF's own words, no model."""
    quality = text_layer_quality(plan.region.words)
    confidence = Confidence(value=quality, method="share of readable characters of the PDF's own words")
    return _record(
        plan, HEADS["text"].record, plan.native, head="text", confidence=confidence, evidence=["text-layer"]
    )


def _unread(plan: Plan, page: Page) -> RecordBase:
    """A region whose model was not asked: what other evidence gives, and the issue that says so."""
    head = HEADS[plan.region.kind]
    content = head.parser("").content
    evidence: list[Evidence] = []
    if isinstance(content, TableContent) and plan.native is not None:
        from docai.pipelines.table_finder import find_table

        found = find_table(page, plan.region.bbox, plan.region.words)
        if found is not None:
            content, evidence = found, ["text-layer", "table-finder"]
    return _record(plan, head.record, content, head=head.name, evidence=evidence)


def _with_table_evidence(
    plan: Plan, page: Page, answer: Answer, provenance: dict[str, Any], *, prefer: bool
) -> TableContent:
    weighed = weigh_table(answer, page, plan.region.bbox, plan.region.words, prefer_words=prefer)
    if "table-finder" in weighed.evidence:
        # The model's own faults were the reason to believe another answer: they do not spoil that answer.
        plan.issues = [
            issue.model_copy(update={"severity": "warning"}) if issue.severity == "error" else issue
            for issue in plan.issues
        ]
    plan.issues.extend(weighed.issues)
    provenance |= {
        "evidence": list(weighed.evidence),
        "alternatives": list(weighed.alternatives),
        "confidence": weighed.confidence,
        "repaired": provenance["repaired"] or weighed.repaired,
    }
    return weighed.content


def _record(plan: Plan, kind: type[RecordBase], content: Any, **provenance: Any) -> RecordBase:
    region = plan.region
    issues = [issue.model_copy(update={"page": plan.page, "region": plan.id}) for issue in plan.issues]
    return kind(
        id=plan.id,
        page=plan.page,
        bbox=region.bbox,
        polygon=list(region.polygon) if region.polygon else None,
        native_text=plan.native.text if plan.native else None,
        issues=issues,
        region_score=region.score,
        region_evidence=list(region.evidence),
        **content_fields(content),
        **provenance,
    )


def content_fields(content: Content) -> dict[str, Any]:
    """The fields of a content as they go into its record."""
    return {name: getattr(content, name) for name in type(content).model_fields}
