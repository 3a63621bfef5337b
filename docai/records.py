"""The typed records that docai returns. Their JSON is the public format, see ``docai schema``.

Boxes are ``(x0, y0, x1, y1)`` in PDF points (1/72 inch) with the origin at the top left of the page as
it is displayed: rotated by the page's own rotation and cut to its crop box. Pages count from 1. For an
image file a point is ``72 / PageInfo.dpi`` pixels.

A record is *content* (what a parser made of the model's text, :mod:`docai.contents`) plus *provenance*
(where it was, who read it, how sure it is). The content classes are named here too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from docai.contents import (
    Atom,
    Cell,
    Column,
    ColumnKind,
    Content,
    Data,
    Event,
    FigureContent,
    Fragment,
    Issue,
    Label,
    Line,
    Measure,
    MoleculeContent,
    ScoreContent,
    Severity,
    Stage,
    Stereo,
    TableContent,
    TextContent,
    Tie,
    Word,
)
from docai.geometry import BBox
from docai.score_formats import ScoreExports
from docai.table_formats import TableExports

__all__ = [
    "SCHEMA_VERSION",
    "Alternative",
    "Atom",
    "Attempt",
    "BBox",
    "Cell",
    "Column",
    "ColumnKind",
    "Confidence",
    "Content",
    "Data",
    "Document",
    "Event",
    "Evidence",
    "Figure",
    "FigureContent",
    "FinishReason",
    "Fragment",
    "Issue",
    "Kind",
    "Label",
    "Line",
    "Measure",
    "Molecule",
    "MoleculeContent",
    "PageInfo",
    "Point",
    "ReadBackResult",
    "Record",
    "RecordBase",
    "Score",
    "ScoreContent",
    "Severity",
    "SourceInfo",
    "Stage",
    "Stats",
    "Stereo",
    "Table",
    "TableContent",
    "Text",
    "TextContent",
    "Tie",
    "Word",
]

SCHEMA_VERSION = "1.3"

Point = tuple[float, float]

Kind = Literal["table", "molecule", "score", "text", "figure"]

FinishReason = Literal["stop", "length", "loop", "blank", "error", "not-run"]

Evidence = Literal["model", "text-layer", "table-finder", "layout", "osra", "tesseract"]


class Confidence(Data):
    """How sure a record is, and how that number came about."""

    value: float | None = Field(default=None, ge=0, le=1, description="None: not measured.")
    method: str = Field(default="none", description="Name of the method that gave `value`.")
    parts: str = Field(
        default="none",
        description="Name of the method that gave the confidence of each cell, word, atom or measure.",
    )


class Alternative(Data):
    """An answer that was not believed, kept so that nobody has to take our word for it."""

    source: Evidence
    content: str = Field(description="In the head's own text format (HTML, SMILES, kern, text).")
    reason: str = Field(description="Why the record holds another answer.")


class Attempt(Data):
    """One time that a head was asked for a region, where its first answer was cut, looping or invalid."""

    setting: str = Field(
        description="`first`, or the rung of docai.pipelines.recognition.retry that was tried."
    )
    finish_reason: FinishReason
    n_tokens: int = Field(ge=0)
    is_sound: bool = Field(description="It ended by itself and parsed without an error.")
    confidence: float | None = Field(default=None, ge=0, le=1)
    believed: bool = Field(default=False, description="The record holds this one.")


class ReadBackResult(Data):
    """How well the record, drawn again, matches the crop that it was read from."""

    similarity: float | None = Field(
        default=None, ge=0, le=1, description="0: another thing; 1: just like it. None: not comparable."
    )
    reason: str = Field(default="", description="Why `similarity` is None, else empty.")
    method: str = Field(description="How it was drawn and compared.")


class RecordBase(Data):
    """Provenance: the part that all records share."""

    id: str = Field(description="Stable: made from source, page, box and kind.")
    page: int = Field(ge=1)
    bbox: BBox
    polygon: list[Point] | None = Field(default=None, description="Where the region is not upright.")
    head: str | None = Field(default=None, description="None: no head read this region.")
    checkpoint: str | None = Field(default=None, description="`name@revision` of the weights.")
    prompt: str | None = None
    raw: str = Field(default="", description="The model's text, untouched.")
    finish_reason: FinishReason = "not-run"
    n_tokens: int = Field(default=0, ge=0)
    confidence: Confidence = Field(default_factory=Confidence)
    evidence: list[Evidence] = Field(default_factory=list)
    alternatives: list[Alternative] = Field(default_factory=list)
    attempts: list[Attempt] = Field(
        default_factory=list, description="In their order; empty where the head was asked once."
    )
    read_back: ReadBackResult | None = Field(
        default=None,
        description="None: not read back, since that is off, nothing valid was read, the words are the "
        "PDF's own, or what would draw it is not installed.",
    )
    native_text: str | None = Field(
        default=None, description="The PDF's own words inside the region, in reading order."
    )
    issues: list[Issue] = Field(default_factory=list)
    repaired: bool = Field(default=False, description="The content is not the raw text as it stood.")
    region_score: float | None = Field(default=None, ge=0, le=1)
    region_evidence: list[str] = Field(
        default_factory=list, description="What made layout call the region what it is."
    )


class Table(RecordBase, TableExports):
    kind: Literal["table"] = "table"


class Molecule(RecordBase, MoleculeContent):
    kind: Literal["molecule"] = "molecule"


class Score(RecordBase, ScoreExports):
    kind: Literal["score"] = "score"


class Text(RecordBase, TextContent):
    kind: Literal["text"] = "text"


class Figure(RecordBase, FigureContent):
    kind: Literal["figure"] = "figure"


Record = Annotated[Table | Molecule | Score | Text | Figure, Field(discriminator="kind")]


class SourceInfo(Data):
    """What was read."""

    name: str
    type: str = Field(description="`pdf`, `png`, `jpeg`, `tiff`, `webp` or `bmp`.")
    n_bytes: int = Field(ge=0)
    sha256: str
    n_pages: int = Field(ge=0, description="Pages the source has, read or not.")


class PageInfo(Data):
    """One page that was read, or that failed."""

    number: int = Field(ge=1)
    width: float = Field(ge=0, description="Points, as displayed.")
    height: float = Field(ge=0, description="Points, as displayed.")
    rotation: int = Field(default=0, description="Degrees clockwise, as the file declares.")
    origin: Literal["born-digital", "scan", "mixed", "blank", "failed"]
    dpi: float = Field(default=72.0, description="Pixels per 72 points of an image page; 72 for PDF.")
    n_words: int = Field(default=0, ge=0, description="Words of the page's own text layer.")
    seconds: float = Field(default=0.0, ge=0)


class Stats(Data):
    """What the run took."""

    docai_version: str = ""
    model: str = ""
    device: str = ""
    seconds: float = 0.0
    n_regions: int = 0
    n_generated_tokens: int = 0
    seconds_by_stage: dict[str, float] = Field(default_factory=dict)


class Document(Data):
    """Everything read from one source, in page and reading order."""

    schema_version: str = SCHEMA_VERSION
    source: SourceInfo
    pages: list[PageInfo] = Field(default_factory=list)
    records: list[Record] = Field(default_factory=list)
    issues: list[Issue] = Field(
        default_factory=list, description="Issues of the document and its pages; a record has its own."
    )
    stats: Stats = Field(default_factory=Stats)

    @property
    def tables(self) -> list[Table]:
        return [record for record in self.records if isinstance(record, Table)]

    @property
    def molecules(self) -> list[Molecule]:
        return [record for record in self.records if isinstance(record, Molecule)]

    @property
    def scores(self) -> list[Score]:
        return [record for record in self.records if isinstance(record, Score)]

    @property
    def texts(self) -> list[Text]:
        return [record for record in self.records if isinstance(record, Text)]

    @property
    def figures(self) -> list[Figure]:
        return [record for record in self.records if isinstance(record, Figure)]

    def iter_issues(self) -> Iterator[Issue]:
        """All issues: the document's own, then each record's."""
        yield from self.issues
        for record in self.records:
            yield from record.issues

    def to_json(self, *, indent: int | None = 2) -> str:
        """The document as JSON text; :meth:`from_json` gives it back unchanged."""
        return self.model_dump_json(indent=indent)

    @classmethod
    def from_json(cls, text: str | bytes) -> Document:
        """Read JSON written by :meth:`to_json`. Raises ``pydantic.ValidationError``."""
        return cls.model_validate_json(text)
