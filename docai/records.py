"""The typed records that docai returns. Their JSON is the public format, see ``docai schema``.

Boxes are ``(x0, y0, x1, y1)`` in PDF points (1/72 inch) with the origin at the top left of the page as
it is displayed: rotated by the page's own rotation and cut to its crop box. Pages count from 1. For an
image file a point is ``72 / PageInfo.dpi`` pixels.

A record is *content* (what a parser made of the model's text) plus *provenance* (where it was, who read
it, how sure it is). The content classes stand alone so that parsers need no page and no model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = "1.2"

BBox = tuple[float, float, float, float]
Point = tuple[float, float]
Kind = Literal["table", "molecule", "score", "text", "figure"]
Severity = Literal["info", "warning", "error"]
Stage = Literal["ingest", "layout", "crop", "model", "parser", "validator", "evidence"]
FinishReason = Literal["stop", "length", "loop", "blank", "error", "not-run"]
Evidence = Literal["model", "text-layer", "table-finder", "layout", "osra", "tesseract"]


class Data(BaseModel):
    """Base of everything serialised: unknown fields are refused, so that a typo never passes."""

    model_config = ConfigDict(extra="forbid")


class Issue(Data):
    """Something a reader of the result should know."""

    code: str = Field(description="Stable, kebab-case, such as `table-ragged-row`.")
    severity: Severity
    stage: Stage
    message: str = Field(description="One sentence a person understands.")
    page: int | None = Field(default=None, description="Page number, from 1.")
    region: str | None = Field(default=None, description="Id of the record it belongs to.")


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

    setting: str = Field(description="`first`, or the rung of docai.pipelines.retry that was tried.")
    finish_reason: FinishReason
    n_tokens: int = Field(ge=0)
    is_sound: bool = Field(description="It ended by itself and parsed without an error.")
    confidence: float | None = Field(default=None, ge=0, le=1)
    believed: bool = Field(default=False, description="The record holds this one.")


class Cell(Data):
    """One table cell. ``row`` and ``col`` count from 0 and name its top left grid position."""

    row: int = Field(ge=0)
    col: int = Field(ge=0)
    row_span: int = Field(default=1, ge=1)
    col_span: int = Field(default=1, ge=1)
    text: str = ""
    is_header: bool = False
    bbox: BBox | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)


class TableContent(Data):
    """A rectangular grid: each position is covered by exactly one cell."""

    html: str = Field(default="", description="Canonical HTML of the grid, always rectangular.")
    n_rows: int = Field(default=0, ge=0)
    n_cols: int = Field(default=0, ge=0)
    cells: list[Cell] = Field(default_factory=list)


class Atom(Data):
    """One atom of a molecule."""

    symbol: str
    number: int = Field(ge=1, description="Its number in the mol block.")
    confidence: float | None = Field(default=None, ge=0, le=1)


class MoleculeContent(Data):
    """A chemical structure. The chemistry fields are None where the SMILES is not valid."""

    smiles: str | None = Field(default=None, description="Canonical isomeric SMILES (RDKit).")
    inchi: str | None = None
    inchikey: str | None = None
    formula: str | None = Field(default=None, description="Hill notation.")
    molblock: str | None = Field(default=None, description="V2000 mol block with 2-D coordinates.")
    atoms: list[Atom] = Field(default_factory=list, description="In the order of the SMILES.")
    is_valid: bool = False


class Measure(Data):
    """The notes between two barlines, as lines of ``kern``, counted from 1."""

    first_line: int = Field(ge=1)
    last_line: int = Field(ge=1)
    confidence: float | None = Field(default=None, ge=0, le=1)


class ScoreContent(Data):
    """A passage of music in Humdrum ``**kern``."""

    kern: str = ""
    musicxml: str | None = None
    n_spines: int = Field(default=0, ge=0)
    n_measures: int = Field(default=0, ge=0)
    measures: list[Measure] = Field(default_factory=list)
    is_valid: bool = False


class Word(Data):
    """One word with its box."""

    text: str
    bbox: BBox | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)


class Line(Data):
    """One line of text; ``text`` is its words joined by the spaces that belong between them."""

    text: str
    bbox: BBox | None = None
    words: list[Word] = Field(default_factory=list)


class TextContent(Data):
    """Lines in reading order."""

    text: str = Field(default="", description="Lines joined by newlines.")
    lines: list[Line] = Field(default_factory=list)


class FigureContent(Data):
    """A region that no head reads."""

    text: str = Field(default="", description="The PDF's own words inside the figure, if any.")


Content = TableContent | MoleculeContent | ScoreContent | TextContent | FigureContent


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
    native_text: str | None = Field(
        default=None, description="The PDF's own words inside the region, in reading order."
    )
    issues: list[Issue] = Field(default_factory=list)
    repaired: bool = Field(default=False, description="The content is not the raw text as it stood.")
    region_score: float | None = Field(default=None, ge=0, le=1)
    region_evidence: list[str] = Field(
        default_factory=list, description="What made layout call the region what it is."
    )


class Table(RecordBase, TableContent):
    kind: Literal["table"] = "table"


class Molecule(RecordBase, MoleculeContent):
    kind: Literal["molecule"] = "molecule"


class Score(RecordBase, ScoreContent):
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
