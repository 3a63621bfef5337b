"""Who reads the pictures of ``pictures.py``: each reader alone, and docai with all or some of them.

A reader alone is asked once for the whole picture, and what it gives is taken as it is, whether it trusts it
or not. Docai is asked as a person asks it, with a model that says nothing, or a real one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from unittest.mock import patch

import psutil

from docai.base import Content
from docai.contents import MoleculeContent, ScoreContent, TableContent, TextContent
from docai.document import Document
from docai.geometry import BBox, PageTransform
from docai.models.engine import Engine
from docai.models.heads import HEADS
from docai.models.scripted import ScriptedEngine
from docai.options import Options
from docai.pipelines.convert import convert
from docai.pipelines.evaluation.base import Item, Prediction, Sample, SpottedWord
from docai.pipelines.evaluation.running import to_prediction
from docai.pipelines.evidence import readers as reader_pool
from docai.pipelines.evidence import trust
from docai.pipelines.evidence.base import PIXELS, Reader, ReaderInput, Reading
from docai.pipelines.evidence.readers import ask, known_readers
from docai.pipelines.ingest import Source, open_source

SURE: Final = 0.8
"""Confidence from which an answer is called sure."""


@dataclass(frozen=True)
class Answer:
    """What one reader, or docai, makes of one picture."""

    prediction: Prediction
    is_complete: bool = True
    """Of a reader alone: it made out all that it saw. Of docai: it says something."""
    qualities: tuple[float | None, ...] = ()
    """A reader's own measure of how well it read each region, 0..1."""
    evidence: tuple[str, ...] = ()
    """Of docai: whom its first record rests on."""
    similarities: tuple[float | None, ...] = ()
    """Of docai: how well each record matches the picture when it is rendered again, 0..1."""
    issues: tuple[str, ...] = ()
    """Codes, of all records."""


def silent_engine() -> Engine:
    """A model that has all heads, says nothing, and was measured to be never right."""
    return ScriptedEngine(dict.fromkeys(HEADS, ""), accuracy=0.0)


def picture_readers(kind: str) -> list[Reader]:
    """The readers of pictures for a kind of region, those that are not installed too."""
    return [one for one in known_readers() if one.needs <= PIXELS and kind in (one.kinds or ())]


def read_alone(reader: Reader, sample: Sample) -> Answer:
    """What one reader makes of the regions that the sample names, else of the whole picture."""
    assert sample.source is not None
    with open_source(sample.source) as source, source.page(sample.page or 1) as page:
        zoom = page.dpi / 72
        boxes = _regions(sample, zoom) or [page.bbox]
        readings = [Asked(ask(reader, ReaderInput(page, box)), box, page.number) for box in boxes]
    return _answer(sample, readings, zoom)


def _regions(sample: Sample, zoom: float) -> list[BBox]:
    """The boxes of its truth, points of the page."""
    boxes = [item.bbox for item in sample.truth if item.bbox is not None]
    return [PageTransform(0, 0, 1 / zoom).to_pixels(box) for box in boxes]


class Asked(NamedTuple):
    """What a reader makes of one region."""

    reading: Reading
    box: BBox
    """Page points."""
    page: int


def _answer(sample: Sample, readings: Sequence[Asked], zoom: float) -> Answer:
    """What one reader says of the regions of one picture, or of the pictures of one document."""
    items = [
        _item(reading.content, reading, box, zoom).model_copy(update={"page": page})
        for reading, box, page in readings
        if reading.content is not None and not reading.content.is_empty
    ]
    contents = [reading for reading, _, _ in readings if reading.content is not None]
    return Answer(
        Prediction(id=sample.id, items=items),
        is_complete=bool(contents) and all(reading.complete for reading in contents),
        qualities=tuple(reading.quality for reading in contents),
        issues=tuple(issue.code for reading, _, _ in readings for issue in reading.issues),
    )


def _item(content: Content, reading: Reading, box: BBox, zoom: float) -> Item:
    confidence = reading.confidence.value if reading.quality is None else reading.quality
    place = PageTransform(0, 0, zoom).to_pixels
    whole = place(box)
    match content:
        case TableContent():
            html = f"<html><body>{content.html}</body></html>"
            return Item(kind="table", text=html, bbox=whole, cells=content.cells, confidence=confidence)
        case MoleculeContent():
            parts = [atom.confidence for atom in content.atoms]
            return Item(
                kind="molecule", text=content.smiles or "", bbox=whole, confidence=confidence, parts=parts
            )
        case ScoreContent():
            return Item(kind="score", text=content.kern, bbox=whole, confidence=confidence)
        case TextContent():
            words = [
                SpottedWord(text=word.text, polygon=_corners(place(word.bbox)), confidence=word.confidence)
                for line in content.lines
                for word in line.words
                if word.bbox is not None
            ]
            return Item(kind="text", text=content.text, bbox=whole, words=words, confidence=confidence)
    raise TypeError(f"No reader of pictures gives {type(content).__name__}.")


def _corners(box: BBox) -> list[tuple[float, float]]:
    x0, y0, x1, y1 = box
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


@dataclass
class Heard:
    """What one reader was asked while docai read a picture."""

    readings: list[Asked] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Docai:
    """Docai as a person asks it, but for readers that are left out."""

    engine: Engine
    options: Options = field(default_factory=Options)
    without: frozenset[str] = frozenset()
    """Names of readers that are not there."""
    is_fitted: bool = True
    """Its confidences are those that it gives; else those before the last step, which is fitted on them."""

    def read(self, sample: Sample) -> tuple[Answer, dict[str, tuple[Answer, float]]]:
        """What docai makes of the regions that the sample names; of a page without any they are found.

        Returns:
            The answer; and those of the readers of pictures that were asked for it, with their CPU seconds.
            Those may be of the wrong reader where several read at a time.
        """
        assert sample.source is not None
        heard: dict[str, Heard] = defaultdict(Heard)

        def listen(reader: Reader, region: ReaderInput) -> Reading:
            started = cpu_seconds()
            reading = ask(reader, region)
            if reader.needs <= PIXELS and sample.truth[0].kind in (reader.kinds or ()):
                heard[reader.name].readings.append(Asked(reading, region.bbox, region.page.number))
                heard[reader.name].seconds += cpu_seconds() - started
            return reading

        with (
            open_source(sample.source) as source,
            patch.object(reader_pool, "known_readers", _remaining(self.without)),
            patch.object(reader_pool, "ask", listen),
            nullcontext() if self.is_fitted else patch.object(trust, "FINAL", "nobody"),
        ):
            document = self._convert(source, sample)
        zoom = next((page.dpi / 72 for page in document.pages), 1.0)
        answers = {name: (_answer(sample, one.readings, zoom), one.seconds) for name, one in heard.items()}
        return _answer_of(document, sample), answers

    def _convert(self, source: Source, sample: Sample) -> Document:
        number = sample.page or 1
        if sample.unit == "page":
            return convert(source, self.engine, self.options)
        with source.page(number) as page:
            boxes = _regions(sample, page.dpi / 72) or [page.bbox]
        regions = {number: [(sample.truth[0].kind, box) for box in boxes]}
        return convert(source, self.engine, self.options, pages=[number], regions=regions)


def _answer_of(document: Document, sample: Sample) -> Answer:
    prediction, records = to_prediction(document, sample), document.records
    return Answer(
        prediction,
        is_complete=bool(prediction.items),
        evidence=tuple(records[0].evidence) if records else (),
        similarities=tuple(one.read_back.similarity if one.read_back else None for one in records),
        issues=tuple(issue.code for issue in document.iter_issues()),
    )


def _remaining(without: Collection[str]) -> Callable[[], tuple[Reader, ...]]:
    return lambda: tuple(one for one in known_readers() if one.name not in without)


def cpu_seconds() -> float:
    """Processor time, user and system, of this process and its children, those that ended too."""
    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        # Children that live are counted by themselves, the others here.
        total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total
