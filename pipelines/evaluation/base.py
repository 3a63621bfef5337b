"""What evaluation speaks of: samples with their truth, predictions, and what a metric makes of the two.

Every corpus figure here is a ratio of sums, ``sum(numerators) / sum(denominators)`` over the cases: a mean
has denominator 1 in each case, an error rate the length of the truth, an F1 the items of both sides. So one
bootstrap, one paired test and one report serve all metrics. A case on which a metric is not defined has a
denominator of 0 there: it counts in no sum, and its note says so.

Boxes and polygons are in the units of the file they lie in: PDF points (origin top left, as displayed) for
a PDF, pixels (origin top left, EXIF orientation applied) for an image. Pages count from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from docai.base import Data
from docai.contents import Cell
from docai.geometry import BBox
from docai.records import Kind, Point

Unit = Literal["crop", "page"]
"""What a sample is: one region to be read by one head, or pages on which regions have to be found."""


class SpottedWord(Data):
    """One word, or one line, with its outline."""

    text: str
    polygon: list[Point] = Field(description="Corners in order, 3 or more; a box is given as its four.")
    ignore: bool = Field(
        default=False, description="Truth that is neither asked for nor held against anyone."
    )
    confidence: float | None = Field(default=None, ge=0, le=1)


class Item(Data):
    """One region's content, as the truth has it or as a reader gave it.

    ``text`` is in the kind's own language: HTML, SMILES, ``**kern`` or plain text; empty for a figure and
    where only the place is known.
    """

    kind: Kind
    text: str = ""
    page: int = Field(default=1, ge=1)
    bbox: BBox | None = None
    cells: list[Cell] = Field(default_factory=list, description="Tables: cells with boxes, where known.")
    words: list[SpottedWord] = Field(default_factory=list, description="Text: words with outlines.")
    confidence: float | None = Field(default=None, ge=0, le=1)
    parts: list[Annotated[float, Field(ge=0, le=1)] | None] = Field(
        default_factory=list,
        description="Confidence of each atom of a canonical SMILES, or of each measure of a score.",
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """One case of a data set."""

    id: str
    """Unique in its data set; what predictions are matched by."""
    truth: tuple[Item, ...]
    """In reading order. For a crop exactly one item."""
    unit: Unit = "crop"
    source: Path | None = None
    """The image or PDF. None where the data has the truth alone: predictions can be scored, nothing read."""
    page: int | None = None
    """The page of a PDF that is read; None is all pages."""
    bbox: BBox | None = None
    """The region of that page that is read; None is all of it."""
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A case of a data set that is no sample, and why."""

    id: str
    reason: str
    """A short sentence, equal for equal reasons, so that it can be counted."""


Reader = Callable[[Path], Iterator[Sample | Skipped]]
"""Streams a data set of one layout. Raises a ``docai.errors.DatasetError`` where the whole is unusable."""


class Prediction(Data):
    """What a reader gave for one sample. One line of ``predictions.jsonl``."""

    id: str
    items: list[Item] = Field(default_factory=list, description="In reading order.")
    error: str | None = Field(default=None, description="Why there is no answer; then `items` is empty.")
    seconds: float | None = Field(default=None, ge=0)
    n_tokens: int | None = Field(default=None, ge=0)
    peak_bytes: int | None = Field(default=None, ge=0, description="Peak resident memory of the process.")
    issues: dict[str, int] = Field(
        default_factory=dict, description="Error-level issues of the answer and its pages, by code."
    )


class Ratio(NamedTuple):
    """One case's share of a corpus figure. A denominator of 0: not defined on this case."""

    numerator: float
    denominator: float

    @property
    def value(self) -> float | None:
        return self.numerator / self.denominator if self.denominator else None


class Detection(NamedTuple):
    """One region that was found."""

    kind: Kind
    score: float
    iou: float
    """With the best truth of its class, taken or not; 0 where there is none."""
    matched_at: tuple[float, ...] = ()
    """The IoU thresholds at which it is the match of a truth. Regions of higher scores choose first, so at
    each threshold other truths may be left."""


class Belief(NamedTuple):
    """How sure a reader was of one answer, and whether it was right."""

    confidence: float
    is_right: bool


@dataclass(frozen=True, slots=True)
class CaseScore:
    """What one case gives to every measure of its task."""

    id: str
    ratios: Mapping[str, Ratio]
    """By the name of the measure; exactly those of the task."""
    notes: tuple[str, ...] = ()
    """What was counted in an unusual way, as short sentences equal for equal reasons."""
    detections: tuple[Detection, ...] = ()
    n_truth: Mapping[str, int] = field(default_factory=dict)
    """Truth regions by kind, for the recall that belongs to ``detections``."""
    beliefs: tuple[Belief, ...] = ()
    part_beliefs: Mapping[str, tuple[Belief, ...]] = field(default_factory=dict)
    """The same for other units than that of the task, such as ``cell``."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure that a task reports."""

    name: str
    """Key, such as ``s-teds``."""
    label: str
    """As papers write it, such as ``S-TEDS``."""
    protocol: str
    """Whose definition, such as ``PubTabNet metric.py`` or ``docai``."""
    percent: bool = False
    """Printed times 100 with ``%``."""
    higher_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Task:
    """How one kind of answer is measured. ``score`` is total: a missing prediction (None), an error or
    an unparseable answer counts as a miss and leaves a note, never an exception."""

    name: str
    measures: tuple[Measure, ...]
    score: Callable[[Sample, Prediction | None], CaseScore]
    headline: str
    """The measure by which the worst cases are chosen."""
    unit: str = "record"
    """What its ``beliefs`` are about."""
