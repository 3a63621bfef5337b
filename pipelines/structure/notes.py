"""Footnotes, the notes below tables, and what they belong to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from docai.pipelines.structure.bibliography import POSSIBLE
from docai.pipelines.structure.blocks import Block, PageBlocks, Thing, in_one_column
from docai.pipelines.structure.patterns import note_mark

MAX_SIZE: Final = 0.93
"""Size of a footnote, in sizes of the running text, up to which that tells it."""

MAX_UNMARKED: Final = 0.88
"""Height of the lines of a footnote on a scan whose mark is not seen, in those of the running text."""

MAX_LINE: Final = 0.97
"""The same of a single line with a number before it."""

MAX_PITCH: Final = 0.93
"""From line to line of a footnote on a scan, in those of the running text."""

BELOW_TABLE: Final = 2.0
"""Lines below a table within which its notes stand."""

_SOURCE: Final = re.compile(
    r"(?:notes?|sources?|legend|key|quellen?|anmerkung(?:en)?|hinweis|nota|notas|fuente|fonte|remarques?)\s*[:.]",
    re.IGNORECASE,
)


def find_notes(page: PageBlocks, body: Block | None) -> None:
    """Give footnotes and notes of tables on a page their role, and the record they belong to.

    ``body`` is a block of the running text to compare with.
    """
    tables = [thing for thing in page.things if thing.kind == "table"]
    for block in page.blocks:
        table = next((table for table in tables if _is_below(block, table)), None)
        if table is not None and _is_table_note(block, table):
            block.role, block.belongs_to = "footnote", table.id
    if body is not None:
        for block in page.blocks:
            if block.role in ("paragraph", "list-item") and _is_footnote(block, page, body):
                block.role = "footnote"
        _go_on_above(page, body)
    for block in page.blocks:
        if block.role == "footnote" and block.belongs_to is None:
            block.belongs_to = _place_of(block, page)
    _tie_to_odd_marks(page)


def _is_below(block: Block, table: Thing) -> bool:
    gap = block.top - table.bbox[3]
    return -0.5 * block.pitch <= gap <= BELOW_TABLE * block.pitch and in_one_column(block.bbox, table.bbox)


def _is_table_note(block: Block, table: Thing) -> bool:
    if block.role not in ("paragraph", "list-item", "footnote", "caption"):
        return False
    mark = note_mark(block.text)
    return (mark != "" and mark in table.marks) or _SOURCE.match(block.text) is not None


def _is_footnote(block: Block, page: PageBlocks, body: Block) -> bool:
    """Whether a block of smaller letters begins with a mark, and no running text stands below it."""
    is_sure = block.font is not None
    if not _is_smaller(block, body):
        return False
    has_mark = note_mark(block.text, is_sure=is_sure) != "" and block.is_marked is not False
    if not has_mark and (is_sure or not _is_at_foot(block, page, body)):
        return False
    if not is_sure and block.n_lines < 2 and block.top < 0.7 * page.height:
        return False
    return (
        not any(
            other.top >= block.bottom - 0.5 * other.pitch
            and in_one_column(other.bbox, block.bbox)
            and other.role in ("paragraph", "list-item", "section-heading", "formula")
            and not _is_smaller(other, body)
            for other in page.blocks
            if other is not block
        )
        and block.top > 0.3 * page.height
    )


def _is_at_foot(block: Block, page: PageBlocks, body: Block) -> bool:
    """Whether it is much smaller and stands apart from the text above, near the foot of the page: an OCR
    engine does not see every raised mark. The last entry of a bibliography stands so, too."""
    if block.role != "paragraph" or block.citation >= POSSIBLE:
        return False
    above = [
        other.bottom
        for other in page.blocks
        if other.bottom <= block.top + 0.5 * block.pitch
        and in_one_column(other.bbox, block.bbox)
        and not _is_smaller(other, body)
    ]
    is_low = block.top > 0.75 * page.height and block.size <= MAX_UNMARKED * body.size
    return is_low and bool(above) and block.top - max(above) > body.pitch - body.size


def _is_smaller(block: Block, body: Block) -> bool:
    if block.font is not None and body.font is not None:
        return block.size <= MAX_SIZE * body.size
    if block.is_marked:
        return block.size <= MAX_LINE * body.size
    if block.n_lines == 1 and note_mark(block.text, is_sure=False) and block.ends_with.endswith("."):
        # The height of a single line says little; a number before a sentence says more.
        return block.size <= MAX_LINE * body.size
    has_lines = block.n_lines >= 2 and body.n_lines >= 2
    return block.size <= MAX_SIZE * body.size or (has_lines and block.pitch <= MAX_PITCH * body.pitch)


def _go_on_above(page: PageBlocks, body: Block) -> None:
    """The end of a footnote of the page before stands above the first one, without a mark."""
    notes = [block for block in page.blocks if block.role == "footnote" and block.belongs_to is None]
    for note in notes:
        for block in page.blocks:
            if block.role != "paragraph" or not in_one_column(block.bbox, note.bbox):
                continue
            gap = note.top - block.bottom
            if -0.5 * note.pitch <= gap <= 1.5 * note.pitch and _is_set_like(block, note, body):
                block.role = "footnote"


def _is_set_like(block: Block, note: Block, body: Block) -> bool:
    if block.font is not None and note.font is not None:
        return abs(block.size - note.size) < 0.3
    return block.n_lines <= 2 and abs(block.size - note.size) < abs(block.size - body.size)


def _place_of(note: Block, page: PageBlocks) -> str | None:
    """The record that has the mark of a note: the nearest text above it, else a table."""
    # A number that is not raised is none in the running text, but the file or its layout says it is a note.
    mark = note_mark(note.text, is_sure=False)
    if not mark:
        return None
    texts: Sequence[Block] = [
        block for block in page.blocks if block.role != "footnote" and mark in block.marks
    ]
    if texts:
        return texts[-1].id
    return next((thing.id for thing in page.things if mark in thing.marks), None)


def _tie_to_odd_marks(page: PageBlocks) -> None:
    """Notes of a scan whose numbers are in no text belong to the signs that are read for raised figures, in
    their order, where there are as many."""
    notes = [
        block
        for block in page.blocks
        if block.role == "footnote" and block.belongs_to is None and block.is_marked
    ]
    places = [block for block in page.blocks if block.role != "footnote" for _ in range(block.n_odd_marks)]
    if len(notes) == len(places):
        for note, place in zip(notes, places, strict=True):
            note.belongs_to = place.id
