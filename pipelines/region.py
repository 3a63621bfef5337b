"""One region into one record: which head is asked, with which crops, and what its answer becomes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from docai.base import Content
from docai.contents import FigureContent, Issue, TextContent
from docai.geometry import BBox
from docai.issues import make_issue
from docai.models.engine import Generation
from docai.models.heads import HEADS
from docai.options import TextLayer
from docai.pipelines.crops.crop import Crop
from docai.pipelines.crops.tiling import tile_region
from docai.pipelines.evidence.arbiter import unread, weigh
from docai.pipelines.evidence.base import Case, Statement, Weighed, unweighed
from docai.pipelines.evidence.panel import Hearing, Panel
from docai.pipelines.evidence.text_layer import unread_table, weigh_table, weigh_text
from docai.pipelines.ingest import Page
from docai.pipelines.layout import Region, text_layer_quality
from docai.pipelines.readback.compare import with_read_back
from docai.pipelines.recognition.answer import Answer, raw_text, region_answer, worst_finish
from docai.pipelines.recognition.retry import Reading
from docai.pipelines.words import text_from_words
from docai.records import Alternative, Confidence, Evidence, Figure, ReadBackResult, RecordBase

MIN_TEXT_LAYER_QUALITY = 0.5
"""A text layer below this is not believed: the model reads the text instead."""

_LIMITS = frozenset({"region-limit", "page-time-limit"})


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
    reading: Reading | None = None
    """What came of asking, again where it had to be; None where that is still to be parsed."""
    views: Sequence[Crop] = ()
    """What the record is drawn again and held against; none: it is not read back."""
    unseen: ReadBackResult | None = None
    """Why there are no views, where there should be."""
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
        return tile_region(page, HEADS[plan.region.kind].tiling, plan.region.bbox, words=words)
    except Exception as error:
        # Whatever the cause, it is this region's: the others are read.
        plan.refuse("crop-failed", f"it could not be drawn ({type(error).__name__}: {error}).")
        return []


def begin_hearing(plan: Plan, page: Page, panel: Panel, *, in_time: bool = True) -> Hearing | None:
    """Put a region before the witness of its head; None where there is none, or nothing for it to say.

    Where a limit was reached, which ``in_time`` False says too, no program is asked.
    """
    kind = plan.region.kind
    if kind not in HEADS:
        return None
    at_limit = not in_time or any(issue.code in _LIMITS for issue in plan.issues)
    words = plan.region.words if plan.is_believed else ()
    return panel.begin(kind, Case(page, plan.region.bbox, words), at_once=at_limit)


def look_again(plan: Plan, page: Page, crops: Sequence[Crop], hearing: Hearing | None) -> None:
    """Have the record read back: from the crops of its head, or from new ones where a witness alone reads."""
    plan.views = crops
    if crops or hearing is None or plan.is_believed:
        return
    try:
        plan.views = tile_region(page, HEADS[plan.region.kind].tiling, plan.region.bbox)
    except Exception as error:
        message = f"it could not be drawn for reading back ({type(error).__name__}: {error})"
        plan.unseen = ReadBackResult(reason=message, method="none")


def record_id(source_sha256: str, page: int, kind: str, bbox: BBox) -> str:
    """Stable over runs: made from the source's bytes, the page, the kind and the box in whole points."""
    box = ",".join(str(round(value)) for value in bbox)
    digest = hashlib.sha256(f"{source_sha256}/{page}/{kind}/{box}".encode()).hexdigest()
    return f"p{page}-{kind}-{digest[:10]}"


def finish_record(
    plan: Plan,
    crops: Sequence[Crop],
    generations: Sequence[Generation],
    text_layer: TextLayer,
    hearing: Hearing | None = None,
) -> RecordBase:
    """Make the record of a region from the answers to its crops, in their order, and what a witness says.

    Never fails: what goes wrong is an issue, and the model's raw text and the PDF's words are kept.
    """
    try:
        if plan.region.kind not in HEADS:
            return _figure(plan)
        if not generations:
            return _unread_record(plan, hearing)
        return _read_record(plan, crops, generations, text_layer, hearing)
    except Exception as error:
        message = f"The region could not be made a record: {type(error).__name__}: {error}"
        plan.issues.append(make_issue("record-failed", message))
        return _bare_record(plan, generations)


def _figure(plan: Plan) -> RecordBase:
    evidence: list[Evidence] = ["layout", "text-layer"] if plan.native else ["layout"]
    content = FigureContent(text=plan.native.text if plan.native else "")
    return _record(plan, Figure, content, evidence=evidence)


def _read_record(
    plan: Plan,
    crops: Sequence[Crop],
    generations: Sequence[Generation],
    text_layer: TextLayer,
    hearing: Hearing | None,
) -> RecordBase:
    head = HEADS[plan.region.kind]
    answer = plan.reading.answer if plan.reading else region_answer(head, crops, generations)
    maps = generations[0].calibration or {}
    is_calibrated = ("word" if plan.region.kind == "text" else "record") in maps
    weighed = _weigh(plan, answer, text_layer, hearing() if hearing else None, is_calibrated=is_calibrated)
    issues = list(answer.issues)
    if "model" not in weighed.evidence and weighed.evidence:
        issues = _softened(issues)
    alternatives = list(weighed.alternatives)
    if plan.reading and plan.reading.first:
        reason = plan.reading.message()
        plan.issues.append(make_issue("model-asked-again", reason))
        alternatives.append(Alternative(source="model", content=plan.reading.first.raw, reason=reason))
    weighed, read_back = with_read_back(weighed, plan.views)
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
        alternatives=alternatives,
        attempts=plan.reading.attempts if plan.reading else [],
        read_back=read_back,
        repaired=answer.repaired or weighed.repaired,
    )


def _weigh(
    plan: Plan, answer: Answer, text_layer: TextLayer, statement: Statement | None, *, is_calibrated: bool
) -> Weighed:
    region = plan.region
    if plan.is_believed and region.kind == "table":
        return weigh_table(answer, region.words, statement, prefer_words=text_layer == "prefer")
    if plan.native is not None and region.kind == "text":
        weighed = weigh_text(answer, plan.native, believed=plan.is_believed)
        if statement is None:
            return weighed
        heard = weigh(answer, statement, is_calibrated=is_calibrated)
        return replace(heard, alternatives=(*heard.alternatives, *weighed.alternatives))
    return unweighed(answer) if statement is None else weigh(answer, statement, is_calibrated=is_calibrated)


def _unread_record(plan: Plan, hearing: Hearing | None) -> RecordBase:
    """A region that no model read: what other evidence gives; why it was not read is an issue already."""
    head = HEADS[plan.region.kind]
    weighed: Weighed | None = None
    statement = hearing() if hearing else None
    if plan.is_believed and plan.native is not None and head.name == "text":
        quality = Confidence(
            value=text_layer_quality(plan.region.words),
            method="share of readable characters of the PDF's own words",
        )
        weighed = Weighed(plan.native, ("text-layer",), quality)
    elif plan.is_believed and head.name == "table":
        weighed = unread_table(plan.region.words, statement)
    elif statement is not None:
        weighed = unread(statement)
    if weighed is None:
        return _bare_record(plan, ())
    weighed, read_back = with_read_back(weighed, plan.views)
    plan.issues = [*_softened(plan.issues), *weighed.issues]
    return _record(
        plan,
        head.record,
        weighed.content,
        head=head.name,
        read_back=read_back or plan.unseen,
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
