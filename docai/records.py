"""The typed records that docai returns. Their JSON is the public format, see ``docai schema``.

Boxes are ``(x0, y0, x1, y1)`` in PDF points (1/72 inch) with the origin at the top left of the page as
it is displayed: rotated by the page's own rotation and cut to its crop box. Pages count from 1. For an
image file a point is ``72 / PageInfo.dpi`` pixels.

A record is *content* (what a parser made of the model's text, :mod:`docai.contents`) plus *provenance*
(where it was, who read it, how sure it is).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidatorFunctionWrapHandler

from docai.base import Content, Data, bracketed
from docai.contents import FigureContent, Issue, MoleculeContent, TextContent
from docai.corrections import Correction, content_text, corrected_content
from docai.geometry import BBox
from docai.score_formats import ScoreExports
from docai.structure import Role as Role
from docai.table_formats import TableExports

Point = tuple[float, float]

Kind = Literal["table", "molecule", "score", "text", "figure"]

FinishReason = Literal["stop", "length", "loop", "deadline", "blank", "error", "not-run"]

Evidence = Literal[
    "model",
    "text-layer",
    "table-finder",
    "drawing",
    "imago",
    "layout",
    "osra",
    "person",
    "ppocr",
    "slanet",
    "tesseract",
    "tracing",
]


class Confidence(Data):
    """How sure a record is, and how that number came about."""

    value: float | None = Field(default=None, ge=0, le=1, description="None: not measured.")
    method: str = Field(default="none", description="Name of the method that gave `value`.")
    parts: str = Field(
        default="none",
        description="Name of the method that gave the confidence of each cell, word, atom or measure.",
    )


class Alternative(Data):
    """An answer that was not believed, kept so that it can be checked."""

    source: Evidence = Field(description="Who gave it.")
    content: str = Field(description="In the head's own text format (HTML, SMILES, kern, text).")
    reason: str = Field(description="Why the record holds another answer.")


class Attempt(Data):
    """One time that a head was asked for a region, where its first answer was cut, looping or invalid."""

    setting: str = Field(
        description="`first`, or the name of the retry step that was tried, such as `more-tokens`."
    )
    finish_reason: FinishReason = Field(description="Why the model stopped.")
    n_tokens: int = Field(ge=0, description="Tokens that it wrote.")
    is_sound: bool = Field(description="It ended by itself and parsed without an error.")
    confidence: float | None = Field(
        default=None, ge=0, le=1, description="Of the whole answer; None: not measured."
    )
    believed: bool = Field(default=False, description="The record holds this one.")


class ReadBackResult(Data):
    """How well the record, rendered again, matches the crop that it was read from."""

    similarity: float | None = Field(
        default=None, ge=0, le=1, description="From 0, no match, to 1, a full match. None: not comparable."
    )
    reason: str = Field(default="", description="Why `similarity` is None, else empty.")
    method: str = Field(description="How it was rendered and compared.")


class RecordBase(Data):
    """Provenance: the part that all records share."""

    id: str = Field(description="Stable: made from source, page, box and kind.")
    page: int = Field(ge=1, description="Page number, from 1.")
    bbox: BBox = Field(description="The region, `x0 y0 x1 y1` in page points from the top left.")
    polygon: list[Point] | None = Field(
        default=None, description="Corners of the region in page points where the page is skewed."
    )
    head: str | None = Field(default=None, description="None: no head read this region.")
    checkpoint: str | None = Field(default=None, description="`name@revision` of the weights.")
    prompt: str | None = Field(default=None, description="What the head was asked; None: nothing.")
    raw: str = Field(default="", description="The model's text, untouched.")
    finish_reason: FinishReason = Field(
        default="not-run", description="Why the model stopped; `stop`: by itself."
    )
    n_tokens: int = Field(default=0, ge=0, description="Tokens that the model wrote.")
    confidence: Confidence = Field(
        default_factory=Confidence, description="How sure the record as a whole is."
    )
    evidence: list[Evidence] = Field(default_factory=list, description="What the content rests on.")
    alternatives: list[Alternative] = Field(
        default_factory=list, description="Answers of others, or of the model, that were not believed."
    )
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
    issues: list[Issue] = Field(
        default_factory=list, description="What is wrong with the record, or was repaired."
    )
    repaired: bool = Field(default=False, description="The content is not the raw text as it stood.")
    region_score: float | None = Field(
        default=None, ge=0, le=1, description="How sure layout is that the region is one of this kind."
    )
    region_evidence: list[str] = Field(
        default_factory=list,
        description="What made layout call the region what it is, and of a table why no model was asked.",
    )

    def __repr__(self) -> str:
        content = self.brief() if isinstance(self, Content) else ""
        value = self.confidence.value
        confidence = "" if value is None else f"confidence {value:.2f}"
        return bracketed(f"{type(self).__name__} {self.id}", f"page {self.page}", content, confidence)

    def __str__(self) -> str:
        return repr(self)


class Table(RecordBase, TableExports):
    """A table: its cells with spans, header flags and boxes, and its columns with their kinds and units.

    >>> table = docai.process("report.pdf").tables[0]         # doctest: +SKIP
    >>> table.to_csv(), table.to_dataframe()                  # doctest: +SKIP
    """

    kind: Literal["table"] = Field(default="table", description="Always `table`.")


class CellPlace(Data):
    """The cell of a table in which something is drawn."""

    table: str = Field(description="`id` of the table's record.")
    row: int | None = Field(
        default=None, ge=0, description="`row` of the cell; None where the table's cells have no boxes."
    )
    col: int | None = Field(default=None, ge=0, description="`col` of the cell; None likewise.")


class Molecule(RecordBase, MoleculeContent):
    """A structure drawing: canonical SMILES, InChI, formula, masses and a 2-D mol block, checked by RDKit.

    >>> molecule = docai.read("aspirin.png", "molecule")      # doctest: +SKIP
    >>> molecule.smiles if molecule.is_valid else molecule.raw  # doctest: +SKIP
    """

    kind: Literal["molecule"] = Field(default="molecule", description="Always `molecule`.")
    in_cell: CellPlace | None = Field(
        default=None, description="The cell in which it is drawn; None outside of tables."
    )

    def describe(self) -> str:
        """Formula and SMILES; where the structure is not valid, what the model wrote."""
        if not self.is_valid and self.raw:
            return f"not a valid structure: {self.raw}"
        return super().describe()


class Score(RecordBase, ScoreExports):
    """A passage of music: Humdrum ``**kern``, its measures and notes, and MusicXML.

    >>> score = docai.process("sonata.pdf").scores[0]         # doctest: +SKIP
    >>> Path("sonata.mid").write_bytes(score.to_midi())       # doctest: +SKIP
    """

    kind: Literal["score"] = Field(default="score", description="Always `score`.")


class Font(Data):
    """How most of the letters of a text are set, as the PDF declares it."""

    name: str = Field(description="Of the font, such as `TimesNewRomanPS-BoldMT`.")
    size: float = Field(gt=0, description="Points.")
    is_bold: bool = Field(default=False, description="The font is a bold one.")
    is_italic: bool = Field(default=False, description="The font is slanted.")
    is_monospace: bool = Field(default=False, description="All letters have one width.")


class Text(RecordBase, TextContent):
    """A block of text: its lines and words with boxes, in reading order.

    >>> text = docai.process("report.pdf").texts[0]           # doctest: +SKIP
    >>> [word.bbox for line in text.lines for word in line.words]  # doctest: +SKIP
    """

    kind: Literal["text"] = Field(default="text", description="Always `text`.")
    role: Role = Field(
        default="paragraph",
        description="What the block is to its document. `paragraph` too where nothing says otherwise; "
        "`reference`: an entry of a bibliography.",
    )
    level: int | None = Field(
        default=None, ge=1, description="Of a section heading, 1 for the highest; None for all else."
    )
    belongs_to: str | None = Field(
        default=None,
        description="`id` of the record that a caption names or a footnote explains; None: none was found.",
    )
    font: Font | None = Field(
        default=None, description="That of most of its letters; None where the words are not the PDF's own."
    )


class Figure(RecordBase, FigureContent):
    """A picture, chart or drawing that no head reads: where it is, and the words inside it."""

    kind: Literal["figure"] = Field(default="figure", description="Always `figure`.")


_OTHER_RECORDS: dict[str, type[RecordBase]] = {}


def add_record_type(record: type[RecordBase]) -> None:
    """Have documents read records of another kind from JSON; see :func:`docai.models.heads.register`."""
    _OTHER_RECORDS[kind_of(record)] = record


def remove_record_type(record: type[RecordBase]) -> None:
    """Take back :func:`add_record_type`."""
    _OTHER_RECORDS.pop(kind_of(record), None)


def kind_of(record: type[RecordBase]) -> str:
    """The ``kind`` that all records of a class have."""
    kind: str = record.model_fields["kind"].default
    return kind


def read_record(value: Any, read: ValidatorFunctionWrapHandler) -> RecordBase:
    """A record of docai's own kinds, else one of a registered kind; any record as it is."""
    if isinstance(value, RecordBase):
        return value
    kind = value.get("kind") if isinstance(value, dict) else None
    other = _OTHER_RECORDS.get(kind) if isinstance(kind, str) else None
    record: RecordBase = read(value) if other is None else other.model_validate(value)
    return record


Record = Annotated[Table | Molecule | Score | Text | Figure, Field(discriminator="kind")]
"""A record of one of docai's own kinds. A head of a user's own adds others to :attr:`Document.records`."""

_BY_PERSON: Final = "checked by a person"
"""Method of the confidence of a record that was accepted or corrected, and of its parts."""


def checked_record(record: RecordBase, correction: Correction) -> RecordBase:
    """The record as a person left it. Raises :class:`docai.errors.CorrectionsError`."""
    assert isinstance(record, Content)
    changes: dict[str, Any] = {
        "evidence": ["person"],
        "confidence": Confidence(value=1.0, method=_BY_PERSON, parts=_BY_PERSON),
    }
    if correction.content is None:
        accepted = record.with_confidences([1.0] * len(record.parts()))
        return accepted.model_copy(update=changes)
    content = corrected_content(record, correction.content)
    if read := content_text(record):
        source = record.evidence[0] if record.evidence else "model"
        before = Alternative(source=source, content=read, reason="a person corrected it")
        changes["alternatives"] = [*record.alternatives, before]
    changes |= {"issues": [], "read_back": None, "repaired": False}
    return record.model_copy(update=changes | dict(content.with_confidences([1.0] * len(content.parts()))))
