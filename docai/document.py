"""A document as docai returns it: its records, its pages, and what was met on the way. Its JSON is the public
format, see ``docai schema``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import Field, SerializeAsAny, ValidationError, WrapValidator

from docai.base import Data, bracketed, counted, one_line
from docai.contents import Issue
from docai.corrections import Corrections, content_text
from docai.errors import CorrectionsError, NotAResultError
from docai.issues import make_issue
from docai.joined_tables import JoinedTable, join_tables
from docai.records import (
    Figure,
    Molecule,
    Record,
    RecordBase,
    Score,
    Table,
    Text,
    checked_record,
    read_record,
)
from docai.score_formats import ScoreExports
from docai.structure import ASIDE, Paragraph, join_blocks

if TYPE_CHECKING:
    from docai.exports import ExportOptions, Written

SCHEMA_VERSION = "1.7"

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
    records: list[Annotated[SerializeAsAny[Record], WrapValidator(read_record)]] = Field(
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
                    records.append(checked_record(record, correction))
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
