"""Roles of all texts of a document, once all of its pages are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from docai.contents import Issue
from docai.document import PageInfo
from docai.geometry import overlap_ratio
from docai.issues import make_issue
from docai.pipelines.structure.bibliography import find_references
from docai.pipelines.structure.blocks import MAX_WORDS, Block, PageBlocks, usual_size
from docai.pipelines.structure.captions import find_captions
from docai.pipelines.structure.code_text import set_spaces
from docai.pipelines.structure.headings import find_headings, set_levels
from docai.pipelines.structure.margins import find_margins
from docai.pipelines.structure.notes import find_notes
from docai.pipelines.structure.outline import Outline, OutlineEntry
from docai.pipelines.structure.patterns import has_bullet, is_formula, is_formula_number
from docai.records import RecordBase, Role, Text


class _Settled(NamedTuple):
    role: Role
    level: int | None
    belongs_to: str | None


class DocumentStructure:
    """Collects the pages of a document, then settles the roles of its texts.

    Args:
        read_outline: gives the bookmarks of the file, once.
    """

    def __init__(self, read_outline: Callable[[], Sequence[OutlineEntry]] = tuple) -> None:
        self._read_outline = read_outline
        self._pages: list[PageBlocks] = []
        self._settled: dict[str, _Settled] = {}

    def add(self, info: PageInfo, records: Iterable[RecordBase]) -> None:
        """The next page, with the roles that it has by itself."""
        self._pages.append(PageBlocks.of(info, records))

    def settle(self) -> list[Issue]:
        """After the last page. Never fails: that no role could be settled is an issue of the document."""
        pages, self._pages = self._pages, []
        issues: list[Issue] = []
        entries: Sequence[OutlineEntry] = ()
        try:
            entries = self._read_outline()
        except Exception as error:
            # Damaged outlines are seen to raise anything; roles are settled without.
            failure = f"The outline of the file could not be read: {type(error).__name__}: {error}"
            issues.append(make_issue("structure-failed", failure))
        try:
            settle(pages, Outline(entries))
        except Exception as error:
            # What the pages gave stays; the records are worth more than their roles.
            failure = f"The roles of texts could not be settled: {type(error).__name__}: {error}"
            return [*issues, make_issue("structure-failed", failure)]
        self._settled = {
            block.id: _Settled(block.role, block.level, block.belongs_to)
            for page in pages
            for block in page.blocks
        }
        return issues

    def apply(self, records: Iterable[RecordBase]) -> None:
        """Set ``role``, ``level`` and ``belongs_to`` of the texts among records of pages that were added, and
        the spaces of code."""
        for record in records:
            if isinstance(record, Text) and record.id in self._settled:
                record.role, record.level, record.belongs_to = self._settled[record.id]
                if record.role == "code":
                    set_spaces(record)


def settle(pages: Sequence[PageBlocks], outline: Outline) -> None:
    """Settle the roles of all blocks, in place.

    In this order: what no other rule may take (edges of pages, captions, notes), then headings, then what
    follows from them (bibliographies, levels).
    """
    for page in pages:
        _find_formulas(page)
    find_margins(pages)
    typed = sum(block.n_words for page in pages for block in page.body if _is_monospace(block))
    # In a letter from a typewriter, or what looks so, letters of one width say nothing.
    is_typed = 2 * typed > sum(block.n_words for page in pages for block in page.body)
    for page in pages:
        _find_lists_and_code(page, is_typed=is_typed)
    find_captions(pages)
    set_by_fonts = [block for page in pages for block in page.body if block.font is not None]
    body_size = usual_size(set_by_fonts)
    for page in pages:
        find_notes(page, _usual_block(page, body_size))
    find_headings(pages, outline, body_size)
    find_references(pages)
    set_levels(pages)


def _usual_block(page: PageBlocks, body_size: float) -> Block | None:
    """A block of the running text of a page: the longest in the usual letters."""
    body = [block for block in page.body if block.role == "paragraph"]
    usual = [block for block in body if block.font and abs(block.size - body_size) < 0.5] or body
    return max(usual, key=lambda block: block.n_words, default=None)


def _find_formulas(page: PageBlocks) -> None:
    """Lines of signs and symbols, and the numbers in their rows, whatever layout takes them for."""
    for block in page.blocks:
        if block.role in _MISTAKEN and block.n_words <= MAX_WORDS and is_formula(block.text):
            block.role, block.level = "formula", None
    formulas = [block for block in page.blocks if block.role == "formula"]
    for block in page.blocks:
        if block.role in _MISTAKEN and is_formula_number(block.text):
            rows = [overlap_ratio(block.top, block.bottom, other.top, other.bottom) for other in formulas]
            if max(rows, default=0.0) > 0.5:
                block.role, block.level = "formula", None


_MISTAKEN = ("paragraph", "section-heading", "title", "list-item", "page-header", "page-footer")
"""Roles that layout gives to parts of formulas."""


def _is_monospace(block: Block) -> bool:
    return block.font is not None and block.font.is_monospace


def _find_lists_and_code(page: PageBlocks, *, is_typed: bool) -> None:
    bullets = [block for block in page.blocks if has_bullet(block.text)]
    for block in page.blocks:
        if block.role not in ("paragraph", "list-item"):
            continue
        if _is_monospace(block) and not is_typed and block not in bullets:
            block.role = "code"
        elif block in bullets and (block.text[0] in _BULLETS or _has_sibling(block, bullets)):
            block.role = "list-item"


_BULLETS = "•‣⁃◦▪▫■□●○∙·"


def _has_sibling(block: Block, bullets: Sequence[Block]) -> bool:
    """Whether another item begins at the same margin, as those of a list do."""
    return any(
        other is not block and abs(other.bbox[0] - block.bbox[0]) < block.size and _same_bullet(block, other)
        for other in bullets
    )


def _same_bullet(a: Block, b: Block) -> bool:
    def shape(text: str) -> str:
        return "".join("#" if c.isalnum() else c for c in text.split()[0][:4])

    return shape(a.text).replace("##", "#") == shape(b.text).replace("##", "#")
