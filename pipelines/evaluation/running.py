"""What docai reads in the samples of a data set."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from docai.errors import (
    AdapterError,
    CheckpointError,
    ConfigurationError,
    DamagedSourceError,
    DocaiError,
)
from docai.models.engine import Engine
from docai.models.heads import HEADS
from docai.pipelines.boxes import common
from docai.pipelines.convert import Options, convert
from docai.pipelines.evaluation.base import Item, Prediction, Sample, SpottedWord
from docai.pipelines.evaluation.sampling import NO_SOURCE
from docai.pipelines.ingest import Source, open_source
from docai.records import BBox, Cell, Document, Kind, Molecule, Point, Record, Score, Table, Text, Word

if TYPE_CHECKING:
    from docai.pipelines.given import GivenRegions

_NOT_READ = frozenset({"page-failed", "head-not-available", "crop-failed", "record-failed", "model-failed"})
"""Issues for which a crop has no answer."""


@dataclass(frozen=True, slots=True)
class SampleReader:
    """Reads samples with docai itself."""

    engine: Engine
    options: Options
    """``heads`` is what may be asked on whole pages; a crop asks the head of its kind."""
    head: str | None = None
    """Reads the crops; None is the head of each crop's kind."""

    def heads(self, samples: Sequence[Sample]) -> frozenset[str] | None:
        """Heads without which these samples cannot be read; None: those that the model has."""
        crops = [sample for sample in samples if sample.unit == "crop"]
        needed = frozenset(self.head or sample.truth[0].kind for sample in crops)
        return needed | (self.options.heads or frozenset()) or None

    def read(self, sample: Sample) -> Prediction:
        """What docai makes of a sample; a failure is its ``error``.

        Raises:
            ConfigurationError, CheckpointError, AdapterError: the fault is not the sample's, and all would
                fail.
        """
        started = time.perf_counter()
        try:
            prediction = self._read(sample)
        except (ConfigurationError, CheckpointError, AdapterError):
            raise
        except (DocaiError, OSError) as error:
            prediction = Prediction(id=sample.id, error=str(error) or type(error).__name__)
        except Exception as error:
            # A fault of docai itself costs this sample, not the hours that the others took.
            prediction = Prediction(id=sample.id, error=f"{type(error).__name__}: {error}")
        cost = {"seconds": round(time.perf_counter() - started, 4), "peak_bytes": peak_bytes()}
        return prediction.model_copy(update=cost)

    def _read(self, sample: Sample) -> Prediction:
        if sample.source is None:
            return Prediction(id=sample.id, error=NO_SOURCE)
        with open_source(sample.source, password=sample.password, limits=self.options.limits) as opened:
            if sample.unit == "page":
                pages = None if sample.page is None else [sample.page]
                document = convert(opened, self.engine, self.options, pages=pages)
            else:
                document = self._convert_crop(opened, sample)
        return to_prediction(document, sample)

    def _convert_crop(self, opened: Source, sample: Sample) -> Document:
        kind: Kind = sample.truth[0].kind
        head = self.head or kind
        if head in HEADS:
            kind = HEADS[head].record.model_fields["kind"].default
        number = sample.page or 1
        with opened.page(number) as page:
            zoom = 72 / page.dpi
            box = page.bbox if sample.bbox is None else _scaled(sample.bbox, zoom)
            whole = page.bbox
        if not (box[0] < box[2] and box[1] < box[3]) or not common(box, whole):
            raise DamagedSourceError(
                f"The region {sample.bbox} of {opened.name} has no area on page {number}.", source=opened.name
            )
        options = Options(frozenset({head}), self.options.text_layer, self.options.limits)
        regions: GivenRegions = {number: [(kind, box)]}
        return convert(opened, self.engine, options, pages=[number], regions=regions)


def to_prediction(document: Document, sample: Sample) -> Prediction:
    """A document as an answer, boxes in the units of the sample's file."""
    zooms = {page.number: page.dpi / 72 for page in document.pages}
    issues = [issue for issue in document.iter_issues() if issue.severity == "error"]
    counts = dict(Counter(issue.code for issue in issues))
    cost = document.stats.n_generated_tokens
    error = _no_answer(document, sample)
    if error is not None:
        return Prediction(id=sample.id, error=error, n_tokens=cost, issues=counts)
    items = [_item(record, zooms.get(record.page, 1.0), sample) for record in document.records]
    return Prediction(id=sample.id, items=items, n_tokens=cost, issues=counts)


def _no_answer(document: Document, sample: Sample) -> str | None:
    """Why there is none: all pages failed, or what stands for the crop was never read."""
    if document.pages and all(page.origin == "failed" for page in document.pages):
        return "; ".join(issue.message for issue in document.issues) or "No page could be read."
    if sample.unit == "crop" and not any(_content(record) for record in document.records):
        failures = [issue.message for issue in document.iter_issues() if issue.code in _NOT_READ]
        return "; ".join(failures) or None
    return None


def _content(record: Record) -> str:
    """In the kind's own language; where nothing could be made of it, what the model said."""
    if isinstance(record, Table):
        # The reference TEDS asks for a whole document.
        return f"<html><body>{record.html}</body></html>" if record.n_rows else record.raw
    if isinstance(record, Molecule):
        return record.smiles or record.raw
    if isinstance(record, Score):
        return record.kern or record.raw
    if isinstance(record, Text):
        return record.text
    return record.text or record.native_text or ""


def _item(record: Record, zoom: float, sample: Sample) -> Item:
    confidence = record.confidence.value
    if confidence is None and sample.unit == "page":
        # A region that no model read: what is believed is that it is one.
        confidence = record.region_score
    return Item(
        kind=record.kind,
        text=_content(record),
        page=record.page,
        bbox=_scaled(record.bbox, zoom),
        cells=[_cell(cell, zoom) for cell in record.cells] if isinstance(record, Table) else [],
        words=_words(record, zoom) if isinstance(record, Text) else [],
        confidence=confidence,
        parts=_parts(record),
    )


def _parts(record: Record) -> list[float | None]:
    """How sure the atoms or measures are; cells and words say it themselves."""
    match record:
        case Molecule():
            return [atom.confidence for atom in record.atoms]
        case Score():
            return [measure.confidence for measure in record.measures]
    return []


def _cell(cell: Cell, zoom: float) -> Cell:
    return cell.model_copy(update={"bbox": cell.bbox and _scaled(cell.bbox, zoom)})


def _words(record: Text, zoom: float) -> list[SpottedWord]:
    """Words that have a box; one without cannot be spotted, and stays in the item's text."""
    words: list[Word] = [word for line in record.lines for word in line.words]
    return [
        SpottedWord(text=word.text, polygon=_corners(_scaled(word.bbox, zoom)), confidence=word.confidence)
        for word in words
        if word.bbox is not None
    ]


def _scaled(box: BBox, zoom: float) -> BBox:
    return box if zoom == 1 else (box[0] * zoom, box[1] * zoom, box[2] * zoom, box[3] * zoom)


def _corners(box: BBox) -> list[Point]:
    x0, y0, x1, y1 = box
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def peak_bytes() -> int | None:
    """Peak resident memory of this process so far; None where the system does not say."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, the others KiB.
    return peak if sys.platform == "darwin" else peak * 1024
