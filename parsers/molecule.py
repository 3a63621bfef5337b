"""molecule parser."""

from __future__ import annotations

from docai.parsers.base import Parsed
from docai.records import MoleculeContent


def parse_molecule(text: str) -> Parsed[MoleculeContent]:
    return Parsed(MoleculeContent())
