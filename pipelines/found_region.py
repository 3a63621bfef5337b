"""What is known of one region, and the record that it becomes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from docai.base import Content
from docai.contents import Issue
from docai.geometry import BBox
from docai.models.engine import Generation
from docai.models.heads import HEADS, Head
from docai.options import Options
from docai.pipelines.crops.crop import CROP_SIZE, Crop
from docai.pipelines.evidence.arbiter import downgrade_errors, is_model_beaten, of_model
from docai.pipelines.evidence.base import Decision, Reading
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.layout import Region
from docai.pipelines.recognition.answer import raw_text, worst_finish
from docai.pipelines.structure.fonts import font_of
from docai.records import Alternative, Attempt, Confidence, Figure, ReadBackResult, RecordBase, Text

_NOT_ASKED = Reading("model")
"""What a record says of its model where none was asked."""


@dataclass
class FoundRegion:
    """One region, and what each step found out about it."""

    id: str
    page: Page
    """Where it is; its source is open."""
    region: Region
    options: Options
    is_first: bool = True
    """No region of its kind comes before it on its page."""
    native: Reading | None = None
    """The PDF's own words in the region; None where it has none, or they are to be ignored."""
    drawn: Reading | None = None
    """What the strokes and glyphs of the page say; None where there are none, or they are to be ignored."""
    is_asked: bool = False
    """The head of the region's kind is to read it."""
    head_accuracy: float | None = None
    """How often the head was right where it was measured; None: nobody knows."""
    crop_size: int = CROP_SIZE
    """Side of the crops that the head reads, pixels."""
    crops: Sequence[Crop] = ()
    """What the head is shown; of several tries the one whose answer is kept."""
    generations: Sequence[Generation] = ()
    """Its answers to :attr:`crops`, one for each."""
    reading: Reading | None = None
    """Those answers, parsed; None where no model was asked or nothing could be made of them."""
    attempts: list[Attempt] = field(default_factory=list)
    """Every answer where the head was asked again, the first one too."""
    superseded: list[Alternative] = field(default_factory=list)
    """The first answer, where a later one took its place."""
    pending: list[Future[list[Reading]]] = field(default_factory=list)
    """Second readers at work."""
    is_picture_read: bool = False
    """Second readers were asked."""
    readings: list[Reading] = field(default_factory=list)
    """Of all but the model."""
    notes: list[str] = field(default_factory=list)
    """Why no model was asked, where that is not plain; a part of the record's ``region_evidence``."""
    decision: Decision | None = None
    """What is believed; None where nobody made anything out."""
    readback_crops: Sequence[Crop] = ()
    """What the record is compared with when it is rendered again; none: it is not."""
    readback_skipped: ReadBackResult | None = None
    """Why there are no such crops, where there should be."""
    read_back: ReadBackResult | None = None
    issues: list[Issue] = field(default_factory=list)
    """What the steps before the decision have to say."""
    deadline: float | None = None
    """When the model's answer ends with what it has, by :func:`time.monotonic`; None: never."""
    has_failed: bool = False
    """A step raised: what is known is recorded, and nothing more is tried."""

    @property
    def head(self) -> Head | None:
        """The head of the region's kind; figures have none."""
        return HEADS.get(self.region.kind)

    @property
    def words(self) -> Sequence[PageWord]:
        """The PDF's own words in the region, where they can be believed."""
        return self.region.words if self.native is not None and self.native.complete else ()

    def record(self) -> RecordBase:
        """The record of what was decided, with where it comes from."""
        head, decision = self.head, self.decision
        if decision is None:
            return self.bare_record()
        model = self.reading or _NOT_ASKED
        issues = [*downgrade_errors(self.issues, decision), *of_model(model.issues, decision)]
        record_type = Figure if head is None else head.record
        return record_type(
            **self._location_fields([*issues, *decision.issues]),
            **self._structure_fields(record_type),
            **content_fields(decision.content),
            head=None if head is None else head.name,
            checkpoint=model.checkpoint,
            prompt=model.prompt,
            raw=model.text,
            finish_reason=model.finish_reason,
            n_tokens=model.n_tokens,
            confidence=decision.confidence,
            evidence=list(decision.evidence),
            alternatives=[*decision.alternatives, *self.superseded],
            attempts=self.attempts,
            read_back=self.read_back,
            repaired=decision.repaired or (model.repaired and not is_model_beaten(decision)),
        )

    def bare_record(self) -> RecordBase:
        """A record without content, with all that is known otherwise."""
        provenance: dict[str, Any] = {}
        if self.head is not None:
            provenance["head"] = self.head.name
        if self.head is not None and self.generations:
            provenance |= {
                "checkpoint": self.generations[0].checkpoint or None,
                "prompt": self.head.prompt,
                "raw": raw_text(self.generations),
                "finish_reason": worst_finish([part.finish_reason for part in self.generations]),
                "n_tokens": sum(part.n_tokens for part in self.generations),
                "confidence": Confidence(value=0.0, method="0 because no record could be made of the answer"),
            }
        record_type = Figure if self.head is None else self.head.record
        located = self._location_fields(self.issues) | self._structure_fields(record_type)
        return record_type(**located, **provenance)

    def _structure_fields(self, record_type: type[RecordBase]) -> dict[str, Any]:
        """What layout and file say of a text, before the whole document is looked at; none of other kinds."""
        if not issubclass(record_type, Text):
            return {}
        return {"role": self.region.role, "level": self.region.level, "font": font_of(self.region.words)}

    def _location_fields(self, issues: Sequence[Issue]) -> dict[str, Any]:
        """The fields that a region's record has whoever read it."""
        page, region = self.page.number, self.region
        return {
            "id": self.id,
            "page": page,
            "bbox": region.bbox,
            "polygon": list(region.polygon) if region.polygon else None,
            "native_text": None if self.native is None else self.native.text,
            "issues": [issue.model_copy(update={"page": page, "region": self.id}) for issue in issues],
            "region_score": region.score,
            "region_evidence": [*region.evidence, *self.notes],
        }


def record_id(source_sha256: str, page: int, kind: str, bbox: BBox) -> str:
    """Stable over runs: made from the source's bytes, the page, the kind and the box in whole points."""
    box = ",".join(str(round(value)) for value in bbox)
    digest = hashlib.sha256(f"{source_sha256}/{page}/{kind}/{box}".encode()).hexdigest()
    return f"p{page}-{kind}-{digest[:10]}"


def content_fields(content: Content) -> dict[str, Any]:
    """The fields of a content as they go into its record."""
    return {name: getattr(content, name) for name in type(content).model_fields}
