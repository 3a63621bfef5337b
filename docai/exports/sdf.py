"""SD files: each valid molecule as its mol block, with identifiers, confidence and place as properties.

The format: CTfile Formats, BIOVIA 2020, chapter "SDFiles".
"""

from __future__ import annotations

import re
from typing import Final

from docai.errors import NothingToExportError
from docai.exports.base import Export
from docai.exports.csv_file import molecule_facts
from docai.records import Molecule

_NO_PROPERTIES: Final = ("id", "is_valid")
"""The first line of the mol block has the id; only valid ones are written."""

_BREAKS: Final = re.compile(r"\s*[\r\n]+\s*")


def to_sdf(export: Export) -> bytes:
    """All molecules that RDKit reads as structures; the others are losses."""
    molecules = export.document.molecules
    entries = []
    for molecule in molecules:
        if molecule.molblock is None:
            export.lose(
                "invalid-structure",
                f"Page {molecule.page}: a molecule is left out, since what was read is no valid structure.",
                molecule.id,
            )
        else:
            entries.append(_entry(export, molecule, molecule.molblock))
    if not entries:
        raise NothingToExportError(
            f"{export.document.source.name} has no valid molecules: there is nothing to write as SDF."
        )
    return "".join(entries).encode()


def _entry(export: Export, molecule: Molecule, molblock: str) -> str:
    # The first line is the name; RDKit leaves it empty.
    lines = [molecule.id, *molblock.rstrip("\n").split("\n")[1:]]
    facts = {name: value for name, value in molecule_facts(molecule).items() if name not in _NO_PROPERTIES}
    facts["source"] = export.document.source.name
    confidences = molecule.part_confidences()
    if any(value is not None for value in confidences):
        # RDKit's own name and form for a list with one value for each atom.
        atoms = sorted(molecule.atoms, key=lambda atom: atom.number)
        facts["atom.dprop.confidence"] = " ".join(
            "n/a" if atom.confidence is None else f"{atom.confidence:.4g}" for atom in atoms
        )
    for name, value in facts.items():
        # An empty line would end the value.
        text = _BREAKS.sub(" ", str(value)).strip()
        if text:
            lines += [f">  <{name}>", text, ""]
    return "\n".join([*lines, "$$$$", ""])
