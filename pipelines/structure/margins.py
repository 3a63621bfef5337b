"""Running heads and page numbers: what stands at the edge of pages and is no part of their text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from docai.geometry import overlap_ratio
from docai.pipelines.structure.blocks import Block, PageBlocks, usual_size
from docai.pipelines.structure.patterns import caption_name, is_page_number
from docai.records import Role

EDGE: Final = 0.15
"""Share of the height of a page, from its top and its bottom, in which running heads stand."""

SAME_HEIGHT: Final = 0.015
"""Share of the height of a page by which the places of a running head may differ from page to page."""

MIN_PAGES: Final = 2
"""Pages that show a running head."""

MAX_WORDS: Final = 14
"""Words of a running head."""

_NUMBER_AT_END: Final = re.compile(r"^\d{1,4}\s+\S|\S\s+\d{1,4}$")


def find_margins(pages: Sequence[PageBlocks]) -> None:
    """Give running heads and page numbers their roles."""
    for page in pages:
        _find_on(page)
    _find_repeated(pages)
    for page in pages:
        _find_beside(page)


def _find_on(page: PageBlocks) -> None:
    """What one page shows: numbers by themselves, and a first line apart from the text that has one."""
    body = usual_size(page.body)
    for block in page.blocks:
        role = _edge(block, page)
        if role is None or not _may_be_running(block) or not _is_outermost(block, page, role):
            continue
        is_number = is_page_number(block.text) and block.n_words <= 5
        if is_number or (role == "page-header" and _is_numbered_line(block, page, body)):
            _set(block, role)


def _is_numbered_line(block: Block, page: PageBlocks, body: float) -> bool:
    """Whether a line with a number at one end, no larger than the text, stands apart from the text below."""
    if block.n_words > MAX_WORDS or not _NUMBER_AT_END.search(block.text):
        return False
    if block.role not in ("paragraph", "list-item") and not (block.font and block.role == "section-heading"):
        return False
    if block.font is not None and (block.font.is_bold or block.size > 1.05 * body):
        return False
    below = [other.top for other in page.blocks if other.top > block.bottom]
    return bool(below) and min(below) - block.bottom > 0.8 * block.size


def _find_repeated(pages: Sequence[PageBlocks]) -> None:
    """What comes again on other pages, at the same height at their edge, whatever its numbers are."""
    places: dict[str, list[tuple[int, float, Block, Role]]] = defaultdict(list)
    for number, page in enumerate(pages):
        for block in page.blocks:
            role = _edge(block, page)
            if role is None or block.n_lines > 2 or block.n_words > MAX_WORDS or caption_name(block.text):
                continue
            key = re.sub(r"\d+", "#", block.text.casefold())
            if any(character.isalpha() for character in key):
                places[key].append((number, block.top / page.height, block, role))
    for found in places.values():
        for number, height, block, role in found:
            n_pages = {
                other for other, at, _, _ in found if other != number and abs(at - height) <= SAME_HEIGHT
            }
            if len(n_pages) + 1 >= MIN_PAGES:
                _set(block, role)


def _find_beside(page: PageBlocks) -> None:
    """What stands in one row with a running head is one, too."""
    for role in ("page-header", "page-footer"):
        heads = [block for block in page.blocks if block.role == role]
        for block in page.blocks:
            if block in heads or not _may_be_running(block) or _edge(block, page) != role:
                continue
            if any(overlap_ratio(block.top, block.bottom, head.top, head.bottom) > 0.5 for head in heads):
                block.role, block.level = role, None  # type: ignore[assignment]


def _edge(block: Block, page: PageBlocks) -> Role | None:
    """The role that it has at the edge where it stands; None in the middle of the page."""
    if block.bottom <= EDGE * page.height:
        return "page-header"
    return "page-footer" if block.top >= (1 - EDGE) * page.height else None


def _may_be_running(block: Block) -> bool:
    """Whether it is one line, and no formula with its number."""
    return block.n_lines == 1 and block.role != "formula"


def _is_outermost(block: Block, page: PageBlocks, role: Role) -> bool:
    """Whether nothing stands farther out than the row of a block."""
    others = [other.bbox for other in page.blocks if other is not block] + [t.bbox for t in page.things]
    if role == "page-header":
        return all(box[3] > block.top for box in others)
    return all(box[1] < block.bottom for box in others)


def _set(block: Block, role: Role) -> None:
    if block.role not in ("page-header", "page-footer"):
        block.role, block.level = role, None
