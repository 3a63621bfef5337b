"""Whether the content of a record is certain enough to be learned from, and if not, why."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from docai.base import Content
from docai.document import PageInfo
from docai.pipelines.crops.crop import Crop
from docai.pipelines.readback.compare import compare_with_crops, missing_renderer
from docai.records import Molecule, Record, Score, Table, Text

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "not-from-page": "its content is not the page's own: it is a picture, or nobody could read it",
        "issues": "the reading has issues",
        "low-confidence": "the confidence is too low",
        "formula": "it has signs of formulas, or accents apart from their letters",
        "open-label": "a label stands for no atoms that are known",
        "not-read-back": "it could not be drawn again and compared",
        "differs": "drawn again, it does not match the picture",
        "no-box": "words, cells or the region have no boxes",
        "no-picture": "the region cannot be rendered",
        "cut": "a part of the drawing is outside of the region",
        "structure": "the cells are no complete grid, or the spines do not fit",
        "empty": "there is nothing to write",
        "repeat": "the same drawing is in the folder already",
    }
)
"""Why a region is left out: stable codes, and what they mean."""

HEADS: Final = ("table", "molecule", "score", "text")
"""The heads that pairs are made for."""

_SOURCES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "table": frozenset(("text-layer", "table-finder")),
        "molecule": frozenset(("drawing",)),
        "score": frozenset(("drawing",)),
        "text": frozenset(("text-layer",)),
    }
)
"""What the content of each kind has to rest on, all of it."""

_HARMLESS: Final = frozenset(("text-layer-not-believed", "score-no-meter", "score-drawing-words"))
"""Issues that say nothing of a drawing: its words are not used, and later systems have no meter."""

_PLAIN_SIGNS: Final = frozenset("+<=>|~±×÷−¬^`→←↑↓")
"""Signs of arithmetic and of programs that stand in lines of text."""

_OPEN: Final = re.compile(r"(?<!\d)\*")
"""An atom of a SMILES that is any; those with a number are R-groups."""


class Doubt(NamedTuple):
    """Why a region is left out."""

    reason: str
    """A key of :data:`REASONS`."""
    detail: str


def _similarities() -> Mapping[str, float]:
    return MappingProxyType(dict.fromkeys(HEADS, 0.3))


@dataclass(frozen=True)
class Certainty:
    """How certain a record has to be."""

    min_confidence: float = 0.9
    min_similarity: Mapping[str, float] = field(default_factory=_similarities)
    """Of the record drawn again with its picture, by kind; see :mod:`docai.pipelines.readback.compare`."""

    def doubt(self, record: Record, page: PageInfo) -> Doubt | None:
        """Why the record is not certain by what it says itself; None where it is."""
        missing = _SOURCES[record.kind] - {*record.evidence}
        if page.origin != "born-digital" or missing or "model" in record.evidence:
            rests = ", ".join(record.evidence) or "nothing"
            return Doubt("not-from-page", f"the page is {page.origin}, and the record rests on {rests}")
        codes = [issue.code for issue in record.issues if issue.code not in _HARMLESS]
        if codes:
            return Doubt("issues", ", ".join(dict.fromkeys(codes)))
        confidence = record.confidence.value
        if confidence is None or confidence < self.min_confidence:
            shown = "unknown" if confidence is None else f"{confidence:.2f}"
            return Doubt("low-confidence", f"it is {shown}, and has to be {self.min_confidence:g}")
        return _doubt_of_content(record)

    def doubt_of_picture(self, record: Record, crop: Crop) -> Doubt | None:
        """Why the record is not certain by its picture, from which it is drawn again; None where it is."""
        assert isinstance(record, Content)
        if reason := missing_renderer(record.kind):
            return Doubt("not-read-back", reason)
        read_back = compare_with_crops(record, [crop])
        if read_back.similarity is None:
            return Doubt("not-read-back", read_back.reason)
        least = self.min_similarity[record.kind]
        if read_back.similarity < least:
            return Doubt("differs", f"the similarity is {read_back.similarity:.2f}, and has to be {least:g}")
        return None


def _is_of_formula(sign: str) -> bool:
    """Whether a character has its place in two dimensions, so that words in a line do not tell the text."""
    category = unicodedata.category(sign)
    is_accent = "\u0300" <= sign <= "\u036f"
    return (category in ("Sm", "Sk", "Co") and sign not in _PLAIN_SIGNS) or is_accent or sign == "\ufffd"


def _doubt_of_content(record: Record) -> Doubt | None:
    match record:
        case Molecule():
            if not record.is_valid or not record.smiles:
                return Doubt("empty", "there is no valid structure")
            if _OPEN.search(record.smiles):
                return Doubt("open-label", f"in {record.smiles}")
        case Score():
            if not record.is_valid or not record.n_measures:
                return Doubt("empty", "there are no valid measures")
        case Table():
            if any(cell.text and cell.bbox is None for cell in record.cells):
                return Doubt("no-box", "a cell with text has no box")
            if record.n_rows < 2 or record.n_cols < 2:
                return Doubt("structure", "it has one row or one column")
        case Text():
            if any(word.bbox is None for line in record.lines for word in line.words):
                return Doubt("no-box", "a word has no box")
            if signs := sorted(
                {sign for sign in unicodedata.normalize("NFC", record.text) if _is_of_formula(sign)}
            ):
                return Doubt("formula", f"such as {' '.join(signs[:5])}")
    return None
