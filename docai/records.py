"""The typed records that docai returns. Their JSON is the public format, see ``docai schema``.

Boxes are ``(x0, y0, x1, y1)`` in PDF points (1/72 inch) with the origin at the top left of the page as
it is displayed: rotated by the page's own rotation and cut to its crop box. Pages count from 1. For an
image file a point is ``72 / PageInfo.dpi`` pixels.

A record is *content* (what a parser made of the model's text, :mod:`docai.contents`) plus *provenance*
(where it was, who read it, how sure it is).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

from pydantic import Field, SerializeAsAny, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from docai.base import Content, Data, bracketed, counted, one_line
from docai.contents import FigureContent, Issue, MoleculeContent, TextContent
from docai.corrections import Correction, Corrections, content_text, corrected_content
from docai.errors import CorrectionsError, NotAResultError
from docai.geometry import BBox
from docai.issues import make_issue
from docai.joined_tables import JoinedTable, join_tables
from docai.score_formats import ScoreExports
from docai.structure import ASIDE, Paragraph, join_blocks
from docai.structure import Role as Role
from docai.table_formats import TableExports

if TYPE_CHECKING:
    from docai.exports import ExportOptions, Written

SCHEMA_VERSION = "1.7"

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


def _read_record(value: Any, read: ValidatorFunctionWrapHandler) -> RecordBase:
    """A record of docai's own kinds, else one of a registered kind; any record as it is."""
    if isinstance(value, RecordBase):
        return value
    kind = value.get("kind") if isinstance(value, dict) else None
    other = _OTHER_RECORDS.get(kind) if isinstance(kind, str) else None
    record: RecordBase = read(value) if other is None else other.model_validate(value)
    return record


Record = Annotated[Table | Molecule | Score | Text | Figure, Field(discriminator="kind")]
"""A record of one of docai's own kinds. A head of a user's own adds others to :attr:`Document.records`."""

R = TypeVar("R", bound=RecordBase)


def _newer_version(text: str | bytes) -> str | None:
    """The schema version of JSON that a newer docai wrote; None: it is no such JSON."""
    version = json.loads(text).get("schema_version") if text.lstrip()[:1] in ("{", b"{") else None
    return version if isinstance(version, str) and _is_newer(version) else None


def _is_newer(version: str) -> bool | None:
    """Whether a schema version is above that of this docai; None: it is no version."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})+", version) is None:
        return None
    own, other = ([int(part) for part in one.split(".")] for one in (SCHEMA_VERSION, version))
    return other > own


class SourceInfo(Data):
    """What was read."""

    name: str = Field(description="File name without its folder, or what stands for one.")
    type: str = Field(description="`pdf`, `png`, `jpeg`, `tiff`, `webp` or `bmp`.")
    n_bytes: int = Field(ge=0, description="Size in bytes.")
    sha256: str = Field(description="SHA-256 of its bytes, hexadecimal.")
    n_pages: int = Field(ge=0, description="Pages the source has, read or not.")


class PageInfo(Data):
    """One page that was read, or that failed."""

    number: int = Field(ge=1, description="Page number, from 1.")
    width: float = Field(ge=0, description="Points, as displayed.")
    height: float = Field(ge=0, description="Points, as displayed.")
    rotation: int = Field(default=0, description="Degrees clockwise, as the file declares.")
    origin: Literal["born-digital", "scan", "mixed", "blank", "failed"] = Field(
        description="`born-digital`: it has words of its own; `failed`: it could not be read."
    )
    dpi: float = Field(default=72.0, description="Pixels per 72 points of an image page; 72 for PDF.")
    n_words: int = Field(default=0, ge=0, description="Words of the page's own text layer.")
    seconds: float = Field(default=0.0, ge=0, description="Wall time that the page took.")


class Stats(Data):
    """What the run took."""

    docai_version: str = Field(default="", description="Version of docai that wrote the document.")
    model: str = Field(default="", description="Name of the model that read.")
    device: str = Field(
        default="",
        description="What it ran on, such as `cpu` or `cuda:0`; empty where no region was put to it.",
    )
    seconds: float = Field(default=0.0, description="Wall time of the whole run.")
    n_regions: int = Field(default=0, description="Records of the document.")
    n_generated_tokens: int = Field(
        default=0, description="Tokens that the model wrote, all records together."
    )
    seconds_by_stage: dict[str, float] = Field(
        default_factory=dict,
        description="Wall time of each step: `ingest`, `layout` (with the words that an OCR engine sees), "
        "`crop`, `readers`, `model`, `parse`.",
    )


class Document(Data):
    """Everything read from one source, in page and reading order.

    >>> document = docai.process("report.pdf")                # doctest: +SKIP
    >>> [table.to_markdown() for table in document.tables]    # doctest: +SKIP
    """

    schema_version: str = Field(default=SCHEMA_VERSION, description="Version of this format.")
    source: SourceInfo = Field(description="The file or bytes that were read.")
    pages: list[PageInfo] = Field(default_factory=list, description="Those that were asked for.")
    records: list[Annotated[SerializeAsAny[Record], WrapValidator(_read_record)]] = Field(
        default_factory=list, description="By page, then in reading order."
    )
    issues: list[Issue] = Field(
        default_factory=list, description="Issues of the document and its pages; a record has its own."
    )
    stats: Stats = Field(default_factory=Stats, description="Time, device and model of the run.")

    def __repr__(self) -> str:
        return bracketed(
            f"Document {one_line(self.source.name, 50)}",
            counted(len(self.pages), "page"),
            counted(len(self.records), "record"),
            counted(sum(1 for _ in self.iter_issues()), "issue"),
        )

    def __str__(self) -> str:
        return repr(self)

    @property
    def tables(self) -> list[Table]:
        """The tables, in reading order."""
        return self.of_type(Table)

    @property
    def molecules(self) -> list[Molecule]:
        """The molecules, in reading order."""
        return self.of_type(Molecule)

    @property
    def scores(self) -> list[Score]:
        """The passages of music, in reading order."""
        return self.of_type(Score)

    def joined_scores(self) -> list[ScoreExports]:
        """The pieces of music that successive records make, over systems and pages.

        A record goes on with the one before where it has as many staves; after a final barline one that shows
        a meter begins another piece. Records without valid kern are left out and end a piece. MusicXML is
        made by :meth:`~docai.score_formats.ScoreExports.to_musicxml`.

        >>> (piece,) = docai.process("sonata.pdf").joined_scores()  # doctest: +SKIP
        >>> Path("sonata.mid").write_bytes(piece.to_midi())         # doctest: +SKIP
        """
        from docai.parsers.score_join import join_scores

        return [ScoreExports(**dict(content)) for content in join_scores(self.scores)]

    def joined_tables(self) -> list[JoinedTable]:
        """The tables, those that go on over pages as one; see :mod:`docai.joined_tables`.

        >>> for table in docai.process("report.pdf").joined_tables():  # doctest: +SKIP
        ...     print(table.records, table.to_csv())
        """
        captions = {
            text.belongs_to: text.text
            for text in self.texts
            if text.role == "caption" and text.belongs_to is not None
        }
        body = [
            (record.page, record.id)
            for record in self.records
            if not (isinstance(record, Text) and record.role in ASIDE)
        ]
        return join_tables([(table, table) for table in self.tables], captions, body)

    def paragraphs(self) -> list[Paragraph]:
        """The text as a reader takes it: blocks that a column or a page has broken joined, words whole.

        Every text is in exactly one, in reading order; running heads and page numbers too, which their
        ``role`` tells.

        >>> document = docai.process("report.pdf")            # doctest: +SKIP
        >>> for part in document.paragraphs():                # doctest: +SKIP
        ...     print(part.role, part.headings, part.text)
        """
        return join_blocks(self.texts)

    def outline(self) -> list[Paragraph]:
        """The title and the section headings, in reading order, with their levels."""
        return [part for part in self.paragraphs() if part.role in ("title", "section-heading")]

    @property
    def texts(self) -> list[Text]:
        """The blocks of text, in reading order."""
        return self.of_type(Text)

    @property
    def figures(self) -> list[Figure]:
        """What no head reads, in reading order."""
        return self.of_type(Figure)

    def of_type(self, record: type[R]) -> list[R]:
        """The records of one class, such as that of a head of your own, in reading order."""
        return [item for item in self.records if isinstance(item, record)]

    def iter_issues(self) -> Iterator[Issue]:
        """All issues: the document's own, then each record's."""
        yield from self.issues
        for record in self.records:
            yield from record.issues

    def with_corrections(self, corrections: Corrections | str | PathLike[str]) -> Document:
        """A copy that holds what a person said of its records.

        An accepted record has the confidence 1, a corrected one has the person's content, with what was
        read among its alternatives, and a rejected one is left out; the evidence of all is ``person``. A
        correction of a record that is not here, one that cannot be the content of its record, and an
        acceptance of what was since read in another way are issues, and the record stays as it was read.

        Args:
            corrections: them, or the file they are in, ``report.corrections.json`` of ``report.json``.

        Raises:
            CorrectionsError: they cannot be read, or are of another source.
        """
        if not isinstance(corrections, Corrections):
            corrections = Corrections.read(Path(corrections))
        if corrections.source_sha256 != self.source.sha256:
            raise CorrectionsError(
                f"The corrections are of {corrections.source_name!r} with other bytes than those of "
                f"{self.source.name!r}, which this document was read from: take those beside its result."
            )
        valid = corrections.valid()
        known = {record.id for record in self.records}
        issues = [
            make_issue("correction-unplaced", f"There is no record {record!r} that was {correction.verdict}.")
            for record, correction in valid.items()
            if record not in known
        ]
        records: list[RecordBase] = []
        for record in self.records:
            correction = valid.get(record.id)
            if correction is None:
                records.append(record)
            elif correction.verdict == "accepted" and correction.original != content_text(record):
                message = "What a person accepted is not what the record holds."
                issue = make_issue("correction-outdated", message, page=record.page)
                issues.append(issue.model_copy(update={"region": record.id}))
                records.append(record)
            elif correction.verdict != "rejected":
                try:
                    records.append(_checked(record, correction))
                except CorrectionsError as error:
                    issue = make_issue("correction-refused", str(error), page=record.page)
                    issues.append(issue.model_copy(update={"region": record.id}))
                    records.append(record)
        kept = {record.id for record in records}
        records = [
            record.model_copy(update={"belongs_to": None})
            if isinstance(record, Text) and record.belongs_to in known - kept
            else record
            for record in records
        ]
        return self.model_copy(update={"records": records, "issues": [*self.issues, *issues]})

    def export(
        self,
        path: str | Path,
        *,
        source: str | Path | bytes | None = None,
        options: ExportOptions | None = None,
    ) -> Written:
        """Write the document in the format of the path's extension: ``.md``, ``.html``, ``.xlsx``, …

        >>> document.export("report.md", source="report.pdf").losses   # doctest: +SKIP

        Args:
            source: the file that was read, or its bytes, for pictures of its pages; without it formats that
                have pictures leave them out, and say so.
            options: what else can be said, such as the size of chunks; its ``source`` counts where none is
                given here.

        Returns:
            The paths that were written, and what the files do not hold.

        Raises:
            SettingError: docai writes no format of that extension.
            ExportError: the document has nothing that the format holds.
            MissingDependencyError: a library that writes the format is not installed.
            OutputError: it cannot be written there.
        """
        from docai.exports import ExportOptions, write_export

        options = options or ExportOptions()
        return write_export(self, path, options if source is None else replace(options, source=source))

    def to_json(self, *, indent: int | None = 2) -> str:
        """The document as JSON text; :meth:`from_json` gives it back unchanged."""
        return self.model_dump_json(indent=indent)

    @classmethod
    def from_json(cls, text: str | bytes) -> Document:
        """Read JSON written by :meth:`to_json`.

        Raises:
            NotAResultError: it is not JSON, not that of a document, or that of a newer docai.
        """
        try:
            document = cls.model_validate_json(text)
        except ValidationError as error:
            problem = error.errors()[0]
        else:
            document._check_version()
            return document
        if problem["type"] in ("json_invalid", "json_type"):
            why = problem["msg"].removeprefix("Invalid JSON: ")
            raise NotAResultError(f"This is no JSON ({why}): give the text that to_json() wrote.")
        place = ".".join(map(str, problem["loc"])) or "the whole"
        if newer := _newer_version(text):
            raise _too_new(newer, f" ({place} is unknown to it)")
        raise NotAResultError(
            f"This JSON is no document of docai with schema version {SCHEMA_VERSION} ({place}: "
            f"{problem['msg']}): give what to_json() or docai process wrote, or read its source again."
        )

    def _check_version(self) -> None:
        """Refuse a version that is none, and a newer one: it may mean something else by the same fields."""
        is_newer = _is_newer(self.schema_version)
        if is_newer is None:
            raise NotAResultError(
                f"This JSON is no document of docai: its schema_version {self.schema_version[:20]!r} is no "
                f"version such as {SCHEMA_VERSION}; give what to_json() or docai process wrote, or read its "
                "source again."
            )
        if is_newer:
            raise _too_new(self.schema_version)


def _too_new(version: str, why: str = "") -> NotAResultError:
    return NotAResultError(
        f"This result has schema version {version}, and this docai reads up to {SCHEMA_VERSION}{why}: pip "
        "install --upgrade docai, or read its source again."
    )


_BY_PERSON: Final = "checked by a person"
"""Method of the confidence of a record that was accepted or corrected, and of its parts."""


def _checked(record: RecordBase, correction: Correction) -> RecordBase:
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
