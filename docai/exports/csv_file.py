"""CSV (RFC 4180): one file for each table, or one of all molecules.

CSV has no types: text that begins as a formula does, such as ``=1+1``, stands there as it was printed, and a
spreadsheet would compute it. That is told; ``.xlsx`` keeps it as text.
"""

from __future__ import annotations

import csv
import io
from typing import Any, Final

from docai.base import counted
from docai.errors import NothingToExportError
from docai.exports.base import Export
from docai.exports.flow import WholeTable, tables_of
from docai.parsers.numbers import read_numeral
from docai.records import Molecule

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes text a formula to spreadsheets, after OWASP's page on CSV injection."""

MOLECULE_COLUMNS: Final = (
    *("id", "page", "x0", "y0", "x1", "y1", "smiles", "smiles_labelled", "inchi", "inchikey", "formula"),
    *("weight", "exact_mass", "charge", "is_valid", "confidence", "confidence_method", "evidence", "issues"),
    *("in_table", "in_row", "in_col", "raw"),
)


def to_csv(export: Export) -> bytes:
    """The first table; the others are files of their own, ``STEM-2.csv``, ``STEM-3.csv``, ….

    Without files beside it, all tables one below the other, an empty line between them.
    """
    tables = tables_of(export.document)
    if not tables:
        raise NothingToExportError(
            f"{export.document.source.name} has no tables that could be read: nothing can be written as CSV."
        )
    texts = [_table(export, table) for table in tables]
    if not export.options.files_beside:
        return b"\r\n".join(texts)
    for number, text in enumerate(texts[1:], 2):
        export.add_file(f"{export.stem}-{number}.csv", text)
    return texts[0]


def _table(export: Export, table: WholeTable) -> bytes:
    text = table.content.to_csv()
    n_formulas = sum(is_formula(cell.text) for cell in table.content.cells)
    if n_formulas:
        export.lose(
            "formula-cells",
            f"Page {table.page}: a spreadsheet would compute {counted(n_formulas, 'cell')} of the table that "
            "CSV cannot mark as text; .xlsx can.",
            table.id,
        )
    n_marked = sum(bool(cell.marks) for cell in table.content.cells)
    if n_marked:
        export.lose(
            "footnote-marks",
            f"Page {table.page}: the footnote marks of {counted(n_marked, 'cell')} are left out, so that "
            "numbers are numbers.",
            table.id,
        )
    return text.encode()


def is_formula(text: str) -> bool:
    """Whether a spreadsheet takes the text for a formula: numbers with a sign are none."""
    return text.startswith(FORMULA_STARTS) and len(text) > 1 and read_numeral(text) is None


def to_molecule_csv(export: Export) -> bytes:
    """A row for each molecule, with its place and confidence, and what the model wrote."""
    molecules = export.document.molecules
    if not molecules:
        raise NothingToExportError(
            f"{export.document.source.name} has no molecules: there is nothing to write as CSV."
        )
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(MOLECULE_COLUMNS)
    writer.writerows(_row(molecule) for molecule in molecules)
    return text.getvalue().encode()


def _row(molecule: Molecule) -> list[Any]:
    facts = molecule_facts(molecule)
    return [facts.get(name, "") for name in MOLECULE_COLUMNS]


def molecule_facts(molecule: Molecule) -> dict[str, str | int | float | bool]:
    """What is known of a molecule, by the names of :data:`MOLECULE_COLUMNS`; what is None is left out."""
    x0, y0, x1, y1 = (round(value, 2) for value in molecule.bbox)
    facts: dict[str, Any] = {
        "id": molecule.id,
        "page": molecule.page,
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
        "smiles": molecule.smiles,
        "smiles_labelled": molecule.smiles_labelled,
        "inchi": molecule.inchi,
        "inchikey": molecule.inchikey,
        "formula": molecule.formula,
        "weight": molecule.weight,
        "exact_mass": molecule.exact_mass,
        "charge": molecule.charge,
        "is_valid": molecule.is_valid,
        "confidence": molecule.confidence.value,
        "confidence_method": molecule.confidence.method,
        "evidence": " ".join(molecule.evidence),
        "issues": " ".join(issue.code for issue in molecule.issues),
        "raw": molecule.raw,
    }
    if (place := molecule.in_cell) is not None:
        facts |= {"in_table": place.table, "in_row": place.row, "in_col": place.col}
    return {name: value for name, value in facts.items() if value is not None}
