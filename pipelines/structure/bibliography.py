"""The entries of bibliographies: what follows their heading, and runs of blocks that look like entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from docai.pipelines.structure.blocks import Block, PageBlocks
from docai.pipelines.structure.citations import ENTRY, WORDS_OF_ENTRY, has_entry_label
from docai.pipelines.structure.patterns import heads_bibliography

POSSIBLE: Final = 0.35
"""Score from which a block between entries, or below the heading, is one."""

MIN_RUN: Final = 2
"""Entries one after the other that are a bibliography without a heading."""

MIN_WORDS: Final = 8
"""Words of an entry that is looked for without a heading."""


def find_references(pages: Sequence[PageBlocks]) -> None:
    """Give entries of bibliographies their role."""
    blocks = [
        block
        for page in pages
        for block in page.blocks
        if block.role in ("paragraph", "list-item", "reference", "section-heading", "title")
    ]
    _find_below_heading(blocks)
    _find_runs(blocks)


def _find_below_heading(blocks: Sequence[Block]) -> None:
    is_inside = False
    for place, block in enumerate(blocks):
        if block.role in ("section-heading", "title"):
            is_inside = heads_bibliography(block.text)
        elif is_inside:
            after = blocks[place + 1 : place + 2]
            if _can_be_entry(block) or any(map(_can_be_entry, after)):
                block.role = "reference"
            else:
                is_inside = False


def _can_be_entry(block: Block) -> bool:
    return block.citation >= POSSIBLE or has_entry_label(block.text) or block.role == "reference"


def _find_runs(blocks: Sequence[Block]) -> None:
    """Entries on pages after that of the heading, or without one."""
    start = 0
    while start < len(blocks):
        end = start
        while end < len(blocks) and blocks[end].role != "section-heading" and _goes_on(blocks, start, end):
            end += 1
        run = blocks[start:end]
        if _is_bibliography(run):
            _set(blocks, start, end)
        start = max(end, start + 1)


def _goes_on(blocks: Sequence[Block], start: int, place: int) -> bool:
    """Whether a run of entries that began at ``start`` has the block at ``place``, too."""
    block = blocks[place]
    if _is_entry(block):
        return True
    return (
        place > start
        and block.citation >= POSSIBLE
        and (block.role == "list-item" or has_entry_label(block.text))
    ) or (place > start and block.citation >= POSSIBLE and any(map(_is_entry, blocks[place + 1 : place + 2])))


def _is_entry(block: Block) -> bool:
    return block.role == "reference" or (block.citation >= ENTRY and block.n_words >= MIN_WORDS)


def _is_bibliography(run: Sequence[Block]) -> bool:
    n_words = sum(block.n_words for block in run)
    is_long = len(run) >= MIN_RUN or n_words >= 2 * WORDS_OF_ENTRY
    return is_long and any(block.role != "reference" for block in run)


def _set(blocks: Sequence[Block], start: int, end: int) -> None:
    for block in blocks[start:end]:
        block.role = "reference"
    before = blocks[start - 1] if start else None
    # The end of an entry that began on the page, or in the column, before.
    if before is not None and before.role == "paragraph" and before.citation > 0 and before.n_lines <= 4:
        first = next((character for character in before.text if character.isalpha()), "A")
        if first.islower() or before.citation >= POSSIBLE:
            before.role = "reference"
