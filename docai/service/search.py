"""Records of results as assistants see them: a line for each, their content, and what has certain words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel, Field

from docai.base import Content, one_line
from docai.corrections import content_text
from docai.document import Document
from docai.records import Figure, Molecule, RecordBase, Table, kind_of
from docai.service.display import Shown, export_alone, opened

MAX_TEXT: Final = 20_000
"""Characters of a document, or of a record, that are given at a time."""

MAX_LINES: Final = 200
"""Records that are listed at a time."""

AROUND: Final = 60
"""Characters of text before and behind what was found."""


class RecordLine(BaseModel):
    """A record in short."""

    record: str = Field(description="Id of the record, for show_record.")
    kind: str
    page: int
    confidence: float | None = Field(description="0 to 1; null: not measured.")
    brief: str
    issues: list[str] = Field(description="Codes of what is wrong with it.")


class ReadAnswer(BaseModel):
    """A document that was read."""

    document: str = Field(description="Id of the document, for show_record and search_records.")
    name: str
    state: str = Field(description="done, or partial where pages could not be read.")
    n_pages: int
    n_records: int
    records: list[RecordLine] = Field(description=f"The first {MAX_LINES}.")
    markdown: str = Field(description="The document's content, cut where it is long.")
    is_cut: bool = Field(description="The content, or the list of records, is longer than what is given.")


class Found(BaseModel):
    """A record that has the words."""

    document: str
    record: RecordLine
    bbox: tuple[float, float, float, float] = Field(description="Points from the top left of the page.")
    around: str = Field(description="The text around the first of the words.")


class Shot(BaseModel):
    """A record as it was read."""

    record: RecordLine
    bbox: tuple[float, float, float, float]
    content: str = Field(description="HTML of a table, SMILES, kern, or text; cut where it is long.")
    facts: dict[str, str]
    issues: list[str]


def summarize(shown: Shown, document: str, state: str) -> ReadAnswer:
    """What an assistant is told of a document. In the process of :class:`docai.service.display.Display`."""
    whole = opened(shown).document
    markdown = export_alone(shown, "document.md").decode()
    lines = [line_of(record) for record in whole.records[:MAX_LINES]]
    is_cut = len(markdown) > MAX_TEXT or len(whole.records) > MAX_LINES
    return ReadAnswer(
        document=document,
        name=shown.name,
        state=state,
        n_pages=len(whole.pages),
        n_records=len(whole.records),
        records=lines,
        markdown=markdown[:MAX_TEXT],
        is_cut=is_cut,
    )


def show(shown: Shown, record: str) -> Shot:
    """A record. Raises KeyError."""
    found = opened(shown).records[record]
    return Shot(
        record=line_of(found),
        bbox=found.bbox,
        content=text_of(found)[:MAX_TEXT],
        facts=_facts(found),
        issues=[issue.message for issue in found.issues],
    )


def search(shown: Shown, document: str, query: str, kind: str | None, most: int) -> list[Found]:
    """The records with all words of ``query``, in reading order; see :func:`find`."""
    return find(opened(shown).document, document, query, kind, most)


def find(whole: Document, document: str, query: str, kind: str | None, most: int) -> list[Found]:
    """The records of a document that have all words of a query, in any case and order.

    Tables are searched by cell, molecules by SMILES, formula, InChI and InChIKey as well.

    Args:
        kind: of the records; None: any.
        most: that are given.
    """
    words = query.casefold().split()
    found: list[Found] = []
    for record in whole.records:
        if len(found) == most:
            break
        if kind is not None and kind_of(type(record)) != kind:
            continue
        text = _searched(record)
        folded = text.casefold()
        if words and all(word in folded for word in words):
            # Folding may change lengths, as of ß; the place is about right then.
            place = folded.index(words[0])
            around = text[max(0, place - AROUND) : place + len(words[0]) + AROUND]
            found.append(
                Found(
                    document=document,
                    record=line_of(record),
                    bbox=record.bbox,
                    around=one_line(around, 3 * AROUND),
                )
            )
    return found


def line_of(record: RecordBase) -> RecordLine:
    """A record in short."""
    return RecordLine(
        record=record.id,
        kind=kind_of(type(record)),
        page=record.page,
        confidence=record.confidence.value,
        brief=one_line(_brief(record), 120),
        issues=list(dict.fromkeys(issue.code for issue in record.issues)),
    )


def text_of(record: RecordBase) -> str:
    """The content of a record in its own format."""
    if isinstance(record, Figure):
        return record.text
    return content_text(record) if isinstance(record, Content) else ""


def _brief(record: RecordBase) -> str:
    return record.describe() if isinstance(record, Content) else ""


def _facts(record: RecordBase) -> dict[str, str]:
    if not isinstance(record, Molecule):
        return {}
    facts = {"formula": record.formula, "inchi": record.inchi, "inchikey": record.inchikey}
    return {name: value for name, value in facts.items() if value}


def _searched(record: RecordBase) -> str:
    parts: Sequence[str] = [text_of(record)]
    if isinstance(record, Table):
        parts = [cell.text for cell in record.cells]
    elif isinstance(record, Molecule):
        parts = [record.smiles or "", *_facts(record).values()]
    return "\n".join(parts)
