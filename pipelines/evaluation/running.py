"""What docai reads in the samples of a data set."""

from __future__ import annotations

import hashlib
import heapq
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from docai.contents import Cell, Word
from docai.document import Document
from docai.errors import (
    SETUP_ERRORS,
    DamagedSourceError,
    DatasetError,
    DocaiError,
    SettingError,
)
from docai.files import as_text
from docai.geometry import BBox, PageTransform, intersection_area
from docai.models.engine import Engine
from docai.models.heads import HEADS
from docai.options import Options
from docai.pipelines.convert import convert
from docai.pipelines.evaluation.base import Item, Prediction, Sample, Skipped, SpottedWord
from docai.pipelines.evaluation.datasets import DataSet
from docai.pipelines.ingest import Source, open_source
from docai.records import Molecule, Point, Record, Score, Table, Text

if TYPE_CHECKING:
    from docai.pipelines.layout.given import GivenRegions

NO_SOURCE = "The data set has its truth, but no picture or PDF to read."


@dataclass(frozen=True, slots=True)
class Selection:
    """What is evaluated of a data set."""

    samples: tuple[Sample, ...]
    """In the order of the data set."""
    skipped: tuple[Skipped, ...]
    """Of the whole data set, whatever the limit."""
    ids: frozenset[str]
    """Of every case of the data set, chosen or not."""


def select(dataset: DataSet, *, limit: int | None = None, seed: int = 0) -> Selection:
    """All samples, or ``limit`` of them at random, in the order of the data set.

    A sample is chosen by a hash of its id and the seed: the same ids for the same seed, whatever the order
    of the files, and more of them for a larger limit. Only the chosen ones are kept in memory.

    Raises:
        DatasetError: the data set is unusable or has no samples.
    """
    sampled: list[tuple[int, int, Sample]] = []
    skipped: list[Skipped] = []
    ids: set[str] = set()
    for number, case in enumerate(map(_storable, dataset)):
        ids.add(case.id)
        if isinstance(case, Skipped):
            skipped.append(case)
        elif limit is None:
            sampled.append((0, number, case))
        else:
            # The largest of a min-heap's negatives goes first; numbers are unique, so samples never compare.
            entry = (-_rank(case.id, seed), number, case)
            if len(sampled) < limit:
                heapq.heappush(sampled, entry)
            else:
                heapq.heappushpop(sampled, entry)
    if not sampled:
        raise DatasetError(f"{dataset.format}:{dataset.path} has no samples{_why(skipped)}.")
    samples = tuple(case for _, _, case in sorted(sampled, key=lambda entry: entry[1]))
    return Selection(samples, tuple(skipped), frozenset(ids))


def _storable(case: Sample | Skipped) -> Sample | Skipped:
    """A file name that is not valid Unicode cannot be written into JSON."""
    name = as_text(case.id)
    return case if name == case.id else Skipped(name, "Its id is not valid Unicode.")


def _rank(identifier: str, seed: int) -> int:
    digest = hashlib.sha256(f"{seed}/{identifier}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _why(skipped: Sequence[Skipped]) -> str:
    reasons = Counter(case.reason for case in skipped).most_common(3)
    return f"; skipped: {', '.join(f'{count} × {reason}' for reason, count in reasons)}" if reasons else ""


def readable(selection: Selection) -> Selection:
    """Those samples that have a picture or PDF; the others are counted as skipped.

    Raises:
        DatasetError: none has.
    """
    without = [Skipped(sample.id, NO_SOURCE) for sample in selection.samples if sample.source is None]
    samples = tuple(sample for sample in selection.samples if sample.source is not None)
    if not samples:
        raise DatasetError(
            "None of the samples has a picture or PDF beside its truth, so nothing can be read: put the "
            "files where the format has them, or score the answers of a reader with --predictions."
        )
    return Selection(samples, (*selection.skipped, *without), selection.ids)


def as_pages(dataset: DataSet) -> DataSet:
    """Crops as pages, whose regions are to be found. A crop that is a part of a page is skipped.

    No published row was measured so.

    Raises:
        SettingError: the data set has pages already.
    """
    if dataset.unit == "page":
        raise SettingError(f"{dataset.format} has whole pages: their regions are found in any case.")

    def read(path: Path) -> Iterator[Sample | Skipped]:
        for case in dataset.read(path):
            if isinstance(case, Skipped):
                yield case
            elif case.bbox is not None:
                yield Skipped(case.id, "It is a part of a page, whose other regions have no truth.")
            else:
                yield replace(case, unit="page")

    return replace(dataset, unit="page", protocol=None, read=read)


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
        return needed.union(self.options.heads or ()) or None

    def read(self, sample: Sample) -> Prediction:
        """What docai makes of a sample; a failure is its ``error``.

        Raises:
            ConfigurationError, CheckpointError, AdapterError: the fault is not the sample's, and all would
                fail.
        """
        started = time.perf_counter()
        try:
            prediction = self._read(sample)
        except SETUP_ERRORS:
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
        kind: str = sample.truth[0].kind
        head = self.head or kind
        if head in HEADS:
            kind = HEADS[head].kind
        number = sample.page or 1
        with opened.page(number) as page:
            zoom = 72 / page.dpi
            box = page.bbox if sample.bbox is None else _scaled(sample.bbox, zoom)
            whole = page.bbox
        if not (box[0] < box[2] and box[1] < box[3]) or not intersection_area(box, whole):
            raise DamagedSourceError(
                f"The region {sample.bbox} of {opened.name} has no area on page {number}.", source=opened.name
            )
        options = replace(self.options, heads=[head])
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
    return box if zoom == 1 else PageTransform(0, 0, zoom).to_pixels(box)


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
