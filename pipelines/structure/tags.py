"""What a tagged PDF says of the parts of a page: the elements of its structure tree.

The standard types are those of ISO 32000-1, 14.8.4, and ISO 32000-2, 14.8.4; MuPDF maps other names to them
by the file's role map.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from docai.geometry import BBox
from docai.pipelines.ingest import Page, quiet_mupdf
from docai.records import Role

ROLES: Final[Mapping[str, Role]] = {
    "Title": "title",
    "H": "section-heading",
    "LI": "list-item",
    "Caption": "caption",
    "Note": "footnote",
    "FENote": "footnote",
    "Formula": "formula",
    "BibEntry": "reference",
    "Code": "code",
}
"""Standard structure type → role. ``H1``, ``H2``, … are headings of that level; paragraphs say nothing, since
many programs tag everything so."""

_HEADING: Final = re.compile(r"H([1-9][0-9]?)")

_STRUCTURE: Final = 2
"""Type of a block that is an element of the structure tree, in PyMuPDF's dictionary of a page."""


class TaggedLine(NamedTuple):
    """A line of text under an element that says what it is; ``bbox`` in points of the displayed page."""

    bbox: BBox
    role: Role
    level: int | None


def read_tags(page: Page) -> list[TaggedLine]:
    """The lines of a PDF's page that its tags give a role; for ``Page.inside``."""
    import pymupdf

    if page.pdf is None:
        return []
    with quiet_mupdf():
        whole = page.pdf.parent
        if whole.xref_get_key(whole.pdf_catalog(), "StructTreeRoot")[0] == "null":
            return []
        flags = pymupdf.TEXTFLAGS_WORDS | pymupdf.TEXT_COLLECT_STRUCTURE
        content = page.pdf.get_textpage(flags=flags).extractDICT()
        rotation = page.pdf.rotation_matrix
        return [
            TaggedLine(tuple(pymupdf.Rect(box) * rotation), role, level)
            for box, (role, level) in _lines(content["blocks"], None)
        ]


def role_of(standard_type: str) -> tuple[Role, int | None] | None:
    """The role, and the level of a heading, that a standard structure type stands for."""
    if heading := _HEADING.fullmatch(standard_type):
        return "section-heading", int(heading[1])
    role = ROLES.get(standard_type)
    return None if role is None else (role, None)


def _lines(
    blocks: list[dict[str, Any]], around: tuple[Role, int | None] | None
) -> Iterator[tuple[BBox, tuple[Role, int | None]]]:
    for block in blocks:
        if block["type"] == _STRUCTURE:
            # A paragraph in a list item or a caption is that.
            yield from _lines(block.get("blocks", []), role_of(block.get("std", "")) or around)
        elif around is not None:
            for line in block.get("lines", ()):
                yield line["bbox"], around
