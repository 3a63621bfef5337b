"""Corrections of a person: kept in a file beside the result, and applied to a copy of it.

The result itself is never changed. ``report.json`` has its corrections in ``report.corrections.json``: a
list in the order in which they were made, in which the last word about a record counts, and ``undone`` takes
the word before it back. Contents are in the formats that the heads write: HTML of a table, SMILES, kern, and
the plain lines of a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from difflib import SequenceMatcher
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from pydantic import AwareDatetime, Field, ValidationError

from docai.base import Content, Data
from docai.contents import (
    Cell,
    Line,
    MoleculeContent,
    ScoreContent,
    TableContent,
    TextContent,
    Word,
    box_of_words,
)
from docai.errors import CorrectionsError
from docai.files import write_durably
from docai.parsers.base import Parser
from docai.parsers.molecule import parse_molecule
from docai.parsers.score import parse_score
from docai.parsers.table import parse_table

CORRECTIONS_VERSION: Final = "1.0"

SUFFIX: Final = ".corrections.json"

Verdict = Literal["accepted", "corrected", "rejected", "undone"]
"""``accepted``: the record is right as it was read; ``rejected``: it is left out; ``undone``: the correction
of this record before this one does not count."""


class Correction(Data):
    """What a person said of one record, and when."""

    record: str = Field(description="`id` of the record.")
    verdict: Verdict = Field(description="`accepted`, `corrected`, `rejected` or `undone`.")
    original: str = Field(description="What had been read, in the format of the record's head.")
    content: str | None = Field(default=None, description="What is right; of `corrected` alone.")
    who: str = Field(default="", description="Name of the person; empty: not said.")
    when: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC), description="Time with its zone.")


class Corrections(Data):
    """All corrections of one result."""

    corrections_version: Literal["1.0"] = Field(default="1.0", description="Version of this format.")
    source_name: str = Field(description="As in the result.")
    source_sha256: str = Field(description="Of the file that was read, as in the result.")
    corrections: list[Correction] = Field(default_factory=list, description="In the order of time.")

    def valid(self) -> dict[str, Correction]:
        """The correction that counts, by record; records whose corrections were all undone have none."""
        made: dict[str, list[Correction]] = {}
        for correction in self.corrections:
            of_record = made.setdefault(correction.record, [])
            if correction.verdict != "undone":
                of_record.append(correction)
            elif of_record:
                of_record.pop()
        return {record: of_record[-1] for record, of_record in made.items() if of_record}

    def to_json(self) -> str:
        """As indented JSON text; :meth:`from_json` gives it back unchanged."""
        return self.model_dump_json(indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> Corrections:
        """Read JSON written by :meth:`to_json`.

        Raises:
            CorrectionsError: it is not JSON, or not that of corrections.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "the whole"
        raise CorrectionsError(
            f"This is no list of corrections of version {CORRECTIONS_VERSION} ({place}: {problem['msg']}): "
            "give a file that the viewer wrote."
        )

    @classmethod
    def read(cls, path: Path) -> Corrections:
        """Read a file. Raises :class:`docai.errors.CorrectionsError`."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CorrectionsError(f"{path} cannot be read: {error.strerror or error}.") from None
        try:
            return cls.from_json(data)
        except CorrectionsError as error:
            raise CorrectionsError(f"{path}: {error}") from None

    def write(self, path: Path) -> None:
        """Write a file, whole or not at all. Raises ``OSError``."""
        write_durably(path, (self.to_json() + "\n").encode())


def corrections_path(result: Path) -> Path:
    """Where the corrections of a result are: ``report.json`` has ``report.corrections.json``."""
    return result.with_name(result.name.removesuffix(".json") + SUFFIX)


def content_text(content: Content) -> str:
    """A content in the format of a :class:`Correction`; empty for a kind that cannot be corrected."""
    match content:
        case TableContent():
            return content.html
        case MoleculeContent():
            return content.smiles_labelled or content.smiles or ""
        case ScoreContent():
            return content.kern
        case TextContent():
            return content.text
    return ""


def can_correct(content: Content) -> bool:
    """Whether contents of this kind can be corrected."""
    return isinstance(content, TextContent | TableContent | MoleculeContent | ScoreContent)


def corrected_content(content: Content, text: str) -> Content:
    """The content that ``text`` says, with those boxes of ``content`` that are still where they were.

    A cell keeps its box where the grid has a cell of its size in its place, a word where the words around it
    are the same. Atoms have no boxes then.

    Args:
        content: as it was read.
        text: in the format of a :class:`Correction`.

    Raises:
        CorrectionsError: ``text`` says nothing, has an error, or cannot be of this kind.
    """
    if isinstance(content, TextContent):
        return _corrected_text(content, text)
    parse = next((parse for kind, parse in _PARSERS.items() if isinstance(content, kind)), None)
    if parse is None:
        raise CorrectionsError(f"Contents of the kind {type(content).__name__} cannot be corrected.")
    parsed = parse(text)
    errors = [issue.message for issue in parsed.issues if issue.severity == "error"]
    if errors or parsed.content.is_empty:
        why = " ".join(errors) or "it is empty"
        raise CorrectionsError(f"This cannot be the content of the record: {why}")
    if isinstance(content, TableContent) and isinstance(parsed.content, TableContent):
        return _with_boxes_of(content, parsed.content)
    return parsed.content


_PARSERS: Final[Mapping[type[Content], Parser]] = MappingProxyType(
    {TableContent: parse_table, MoleculeContent: parse_molecule, ScoreContent: parse_score}
)


def _with_boxes_of(old: TableContent, new: TableContent) -> TableContent:
    places = {_place(cell): cell.bbox for cell in old.cells}
    cells = [cell.model_copy(update={"bbox": places.get(_place(cell))}) for cell in new.cells]
    return new.model_copy(update={"cells": cells})


def _place(cell: Cell) -> tuple[int, int, int, int]:
    return cell.row, cell.col, cell.row_span, cell.col_span


def _corrected_text(old: TextContent, text: str) -> TextContent:
    texts = [" ".join(line.split()) for line in text.splitlines()]
    texts = [line for line in texts if line]
    if not texts:
        raise CorrectionsError("A text cannot be corrected to nothing: reject it.")
    old_words = [word for line in old.lines for word in line.words]
    new_words = [word for line in texts for word in line.split()]
    boxes = _boxes_of_words(old_words, new_words)
    directions = [line.direction for line in old.lines]
    lines, first = [], 0
    for number, line_text in enumerate(texts):
        words = [
            Word(text=word, bbox=box.bbox if box else None)
            for word, box in zip(line_text.split(), boxes[first:], strict=False)
        ]
        first += len(words)
        direction = directions[min(number, len(directions) - 1)] if directions else "ltr"
        lines.append(Line(text=line_text, bbox=box_of_words(words), words=words, direction=direction))
    return TextContent(text="\n".join(texts), lines=lines)


def _boxes_of_words(old: Sequence[Word], new: Sequence[str]) -> list[Word | None]:
    """For each new word the old one in whose place it stands."""
    places: list[Word | None] = [None] * len(new)
    matcher = SequenceMatcher(None, [word.text for word in old], new, autojunk=False)
    for _, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        # As many words as before: each in the place of another.
        if old_to - old_from == new_to - new_from:
            places[new_from:new_to] = old[old_from:old_to]
    return places
