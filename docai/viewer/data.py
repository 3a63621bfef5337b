"""What the viewer's page knows of a document, as data for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from docai.base import Content
from docai.corrections import Corrections, can_correct, content_text, corrected_content
from docai.document import Document
from docai.errors import CorrectionsError
from docai.issues import CODES
from docai.models.heads import HEADS
from docai.pipelines.crops.crop import CROP_SIZE, fit_square
from docai.pipelines.overlay import color_of
from docai.records import Molecule, RecordBase, Score, Table, Text, kind_of

DOUBTFUL: Final = 0.8
"""Confidence below which a record is shown to who looks for what is doubtful, and a part of it is marked."""

_FACTS: Final = ("inchi", "inchikey", "formula", "weight", "n_measures", "n_spines")
"""Fields of contents that are shown by their names."""


def is_doubtful(record: RecordBase) -> bool:
    """Whether somebody should look at a record: it is not sure, or something is missing in it."""
    if not can_correct(_content(record)):
        return False
    value = record.confidence.value
    is_broken = any(issue.severity == "error" for issue in record.issues)
    return value is None or value < DOUBTFUL or is_broken


def view_data(
    document: Document, corrections: Corrections | None, *, serves: bool, missing: str = ""
) -> dict[str, Any]:
    """The whole of what the page shows but its pictures.

    Args:
        document: as it was read.
        corrections: those that were made before.
        serves: whether a server stands behind the page: it keeps corrections and draws what is edited.
        missing: why there are no pictures; empty where there are.
    """
    return {
        "source": document.source.model_dump(mode="json"),
        "model": document.stats.model,
        "serves": serves,
        "missing": missing,
        "doubtful": DOUBTFUL,
        "pages": [
            {"number": page.number, "width": page.width, "height": page.height, "origin": page.origin}
            for page in document.pages
        ],
        "issues": [_issue(issue.model_dump(mode="json")) for issue in document.issues],
        "records": [record_data(record) for record in document.records],
        "corrections": [] if corrections is None else corrections.model_dump(mode="json")["corrections"],
        "refused": {} if corrections is None else _refused(document, corrections),
    }


def _refused(document: Document, corrections: Corrections) -> dict[str, str]:
    """Why a correction cannot be the content of its record, by record."""
    refused = {}
    records = {record.id: record for record in document.records}
    for name, correction in corrections.valid().items():
        if name in records and correction.content is not None:
            try:
                corrected_content(_content(records[name]), correction.content)
            except CorrectionsError as error:
                refused[name] = str(error)
    return refused


def record_data(record: RecordBase) -> dict[str, Any]:
    """What the page shows of one record."""
    content = _content(record)
    kind = kind_of(type(record))
    window = fit_square(record.bbox, size=crop_side(kind))
    provenance = record.model_dump(mode="json", include=set(RecordBase.model_fields) - {"issues"})
    shown = {name: getattr(record, name) for name in _FACTS if getattr(record, name, None)}
    red, green, blue = color_of(kind)
    return provenance | {
        "kind": kind,
        "color": f"rgb({red}, {green}, {blue})",
        "brief": content.brief(),
        "content": content_text(content),
        "can_correct": can_correct(content),
        "is_doubtful": is_doubtful(record),
        "issues": [_issue(issue.model_dump(mode="json")) for issue in record.issues],
        "facts": shown,
        "window": [window.x0, window.y0, window.scale, window.size],
        **_parts(record),
    }


def crop_side(kind: str) -> int:
    """Pixels of the square that shows a record of this kind: that of its head."""
    return HEADS[kind].resolution if kind in HEADS else CROP_SIZE


def _content(record: RecordBase) -> Content:
    # A record of a user's own head may have no content of docai's.
    return record if isinstance(record, Content) else Content()


def _issue(issue: dict[str, Any]) -> dict[str, Any]:
    code = CODES.get(issue["code"])
    return issue | {"meaning": "" if code is None else code.meaning}


def _parts(record: RecordBase) -> Mapping[str, Any]:
    """What of the content is drawn over the picture, or made into a grid."""
    match record:
        case Table():
            return {"cells": [cell.model_dump(mode="json") for cell in record.cells]}
        case Text():
            return {
                "role": record.role,
                "lines": [[word.model_dump(mode="json") for word in line.words] for line in record.lines],
            }
        case Molecule():
            return {
                "atoms": [atom.model_dump(mode="json") for atom in record.atoms],
                "bonds": _bonds(record.molblock),
            }
        case Score():
            return {"measures": [measure.model_dump(mode="json") for measure in record.measures]}
    return {}


def _bonds(molblock: str | None) -> list[tuple[int, int]]:
    """Pairs of atoms by their numbers in the mol block, from 1."""
    if not molblock:
        return []
    from rdkit import Chem

    molecule = Chem.MolFromMolBlock(molblock, sanitize=False, removeHs=False)
    if molecule is None:
        return []
    return [(bond.GetBeginAtomIdx() + 1, bond.GetEndAtomIdx() + 1) for bond in molecule.GetBonds()]
