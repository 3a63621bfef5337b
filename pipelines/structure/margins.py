"""Running heads and page numbers: what stands at the edge of pages and is no part of their text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final

from docai.geometry import overlap_ratio
from docai.pipelines.structure.blocks import Block, PageBlocks, usual_size
from docai.pipelines.structure.patterns import caption_name, is_page_number
from docai.records import Role

MARGINS: Final[tuple[Role, ...]] = ("page-header", "page-footer")

EDGE: Final = 0.15
"""Share of the height of a page, from its top and its bottom, in which running heads stand."""

SAME_HEIGHT: Final = 0.015
"""Share of the height of a page by which the places of a running head may differ from page to page."""

MIN_PAGES: Final = 2
"""Pages that show a running head."""

MAX_WORDS: Final = 14
"""Words of a running head."""

MIN_GAP: Final = 0.8
"""Clear space between a running head and the text, in sizes of its letters."""

OUTERMOST: Final = 0.075
"""Share of the height of a page within which a running foot stands that nothing but its place tells."""

FULL: Final = 0.3
"""Share of the height of a page, at its top and its bottom, that a full page leaves empty at most."""

MAX_SMALL: Final = 0.9
"""Size of the letters of such a running head, in sizes of the text: no title is smaller than its text."""

NEAR_PAGES: Final = 2
"""Pages to either side where a running head is looked for that is not read the same: left and right pages
may have each their own."""

MIN_ALIKE: Final = 0.8
"""Likeness of two texts, 0…1, that may be one as an OCR engine reads it twice."""

MIN_UPRIGHT: Final = 3.0
"""Height in widths of a line that runs up the side of a page."""

_NUMBER_AT_START: Final = re.compile(r"^\d{1,4}\s+\S")
_NUMBER_AT_END: Final = re.compile(r"\S\s+\d{1,4}$")


def find_margins(pages: Sequence[PageBlocks]) -> None:
    """Give running heads and page numbers their roles, and take them from what only looks like one."""
    _check_layout(pages)
    for page in pages:
        _find_on(page, is_alone=len(pages) == 1)
    _find_repeated(pages)
    for page in pages:
        _find_beside(page)


def _check_layout(pages: Sequence[PageBlocks]) -> None:
    """Make text again of what layout, which sees one page, takes for a running head without a sign of one.

    Exports leave running heads out, so that a text is lost by it.
    """
    doubtful = [
        (number, block, role)
        for number, page in enumerate(pages)
        for block, role in _margins(page)
        if not _is_clearly_running(block, page, role, is_alone=len(pages) == 1)
    ]
    if not doubtful:
        return
    places: dict[tuple[Role, str], set[int]] = defaultdict(set)
    for number, page in enumerate(pages):
        for block in page.blocks:
            if (edge := _near(block, page)) is not None:
                places[edge, _key(block)].add(number)
    full = {number for number, page in enumerate(pages) if _has_more(page)}
    for number, block, role in doubtful:
        edge = _near(block, pages[number])
        found: set[int] = set()
        if edge is not None:
            found = places[edge, _key(block)] | {number}
            if len(found) < MIN_PAGES:
                found |= set(_alike(block, edge, pages, number))
        # What is all that its pages have is what they say.
        if len(found) < MIN_PAGES or not found & full:
            block.role, block.level = "paragraph", None
        elif edge is not None and edge != role:
            block.role = edge


def _margins(page: PageBlocks) -> Iterator[tuple[Block, Role]]:
    return ((block, block.role) for block in page.blocks if block.role in MARGINS and block.text)


def _is_clearly_running(block: Block, page: PageBlocks, role: Role, *, is_alone: bool) -> bool:
    """Whether a block that layout takes for a running head is one by what its page alone shows.

    Args:
        is_alone: the document has no other page.
    """
    others = [other.bbox for other in page.blocks if other is not block] + [t.bbox for t in page.things]
    edge = _near(block, page)
    if not others:
        return not is_alone and edge is not None and _is_number(block)
    left, top, right, bottom = block.bbox
    if bottom - top > MIN_UPRIGHT * (right - left) and block.n_words > 1:
        return all(box[0] >= right or box[2] <= left for box in others)
    if edge is None or edge != role:
        return False
    if _is_number(block):
        return True
    if not is_alone and block.n_words <= MAX_WORDS and _has_number(block, is_alone=False):
        return True
    rest = [other.bbox for other in page.blocks if other.role not in MARGINS] + [t.bbox for t in page.things]
    if not rest or not _is_outermost(block, page, role):
        return False
    highest, lowest = min(box[1] for box in rest), max(box[3] for box in rest)
    if highest > FULL * page.height or lowest < (1 - FULL) * page.height:
        return False
    if role == "page-footer":
        return bottom >= (1 - OUTERMOST) * page.height and top - lowest > MIN_GAP * block.size
    is_small = block.size <= MAX_SMALL * usual_size(page.body)
    return is_small and top <= OUTERMOST * page.height and highest - bottom > MIN_GAP * block.size


def _near(block: Block, page: PageBlocks) -> Role | None:
    """The role that it has at the edge where it begins or ends; None in the middle of the page."""
    if block.top <= EDGE * page.height:
        return "page-header"
    return "page-footer" if block.bottom >= (1 - EDGE) * page.height else None


def _key(block: Block) -> str:
    """Its text whatever its numbers are."""
    return re.sub(r"\d+", "#", block.text.casefold())


def _has_more(page: PageBlocks, block: Block | None = None) -> bool:
    """Whether anything but a block and what is known to be running is on a page."""
    return bool(page.things) or any(other is not block and other.role not in MARGINS for other in page.blocks)


def _alike(block: Block, edge: Role, pages: Sequence[PageBlocks], number: int) -> Iterator[int]:
    """The pages near a block's that have nearly its text at the same edge."""
    matcher = SequenceMatcher(b=_key(block), autojunk=False)
    for other in range(max(0, number - NEAR_PAGES), min(len(pages), number + NEAR_PAGES + 1)):
        for one in pages[other].blocks:
            if other == number or _near(one, pages[other]) != edge:
                continue
            matcher.set_seq1(_key(one))
            if matcher.quick_ratio() >= MIN_ALIKE and matcher.ratio() >= MIN_ALIKE:
                yield other


def _find_on(page: PageBlocks, *, is_alone: bool) -> None:
    """What one page shows: numbers by themselves, and a first line apart from the text that has one."""
    if is_alone and len(page.blocks) + len(page.things) == 1:
        return
    body = usual_size(page.body)
    for block in page.blocks:
        role = _edge(block, page)
        if role is None or not _may_be_running(block) or not _is_outermost(block, page, role):
            continue
        is_numbered = role == "page-header" and _is_numbered_line(block, page, body, is_alone=is_alone)
        if is_numbered or _is_number(block):
            _set(block, role)


def _is_number(block: Block) -> bool:
    return is_page_number(block.text) and block.n_words <= 5


def _has_number(block: Block, *, is_alone: bool) -> bool:
    """Whether a number stands at one end of it, as that of the page does beside a running head.

    Of a page that is all of its document the number behind words may as well be theirs: ``Invoice 4711``.
    """
    if _NUMBER_AT_START.search(block.text):
        return True
    return not is_alone and _NUMBER_AT_END.search(block.text) is not None


def _is_numbered_line(block: Block, page: PageBlocks, body: float, *, is_alone: bool) -> bool:
    """Whether a line with a number at one end, no larger than the text, stands apart from the text below."""
    if block.n_words > MAX_WORDS or not _has_number(block, is_alone=is_alone):
        return False
    if block.role not in ("paragraph", "list-item") and not (block.font and block.role == "section-heading"):
        return False
    if block.font is not None and (block.font.is_bold or block.size > 1.05 * body):
        return False
    below = [other.top for other in page.blocks if other.top > block.bottom]
    return bool(below) and min(below) - block.bottom > MIN_GAP * block.size


def _find_repeated(pages: Sequence[PageBlocks]) -> None:
    """What comes again on other pages, at the same height at their edge, whatever its numbers are."""
    places: dict[str, list[tuple[int, float, Block, Role]]] = defaultdict(list)
    for number, page in enumerate(pages):
        for block in page.blocks:
            role = _edge(block, page)
            if role is None or block.n_lines > 2 or block.n_words > MAX_WORDS or caption_name(block.text):
                continue
            key = _key(block)
            if any(character.isalpha() for character in key):
                places[key].append((number, block.top / page.height, block, role))
    for found in places.values():
        is_beside_more = any(_has_more(pages[number], block) for number, _, block, _ in found)
        for number, height, block, role in found:
            n_pages = {
                other for other, at, _, _ in found if other != number and abs(at - height) <= SAME_HEIGHT
            }
            if len(n_pages) + 1 >= MIN_PAGES and is_beside_more:
                _set(block, role)


def _find_beside(page: PageBlocks) -> None:
    """What stands in one row with a running head is one, too."""
    for role in MARGINS:
        heads = [block for block in page.blocks if block.role == role]
        for block in page.blocks:
            if block in heads or not _may_be_running(block) or _edge(block, page) != role:
                continue
            if any(overlap_ratio(block.top, block.bottom, head.top, head.bottom) > 0.5 for head in heads):
                block.role, block.level = role, None


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
    if block.role not in MARGINS:
        block.role, block.level = role, None
