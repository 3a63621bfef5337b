"""PyMuPDF's table finder, with what docai makes of its boxes, as a witness of born-digital tables."""

from __future__ import annotations

from typing import Final

from docai.pipelines.tables.finder import find_table
from docai.pipelines.witnesses.base import Case, Statement
from docai.records import Evidence


class TableFinder:
    """Sees rules and the places of the PDF's own words; it needs the page, not a picture."""

    name: Final[Evidence] = "table-finder"
    head: Final = "table"
    reads_pictures: Final = False
    wants_words: Final = True

    def available(self) -> str | None:
        """Always there: PyMuPDF is one of docai's own requirements."""
        return None

    def read(self, case: Case) -> Statement:
        """The grid it sees; see :func:`~docai.pipelines.tables.finder.find_table`."""
        found = find_table(case.page, case.bbox, case.words)
        return Statement(self.name) if found is None else Statement(self.name, found, found.html)
