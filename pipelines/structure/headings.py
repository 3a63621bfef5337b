"""Section headings and the title: which blocks are some, and of which level."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median
from typing import Final

from docai.pipelines.structure.blocks import Block, PageBlocks, in_one_column
from docai.pipelines.structure.outline import Outline
from docai.pipelines.structure.patterns import (
    caption_name,
    has_bullet,
    is_formula_number,
    is_page_number,
    section_number,
)

MIN_LARGER: Final = 1.12
"""Size of the letters of a heading, in sizes of the running text, from which that alone tells it."""

MIN_TITLE: Final = 1.15
"""Size of a title, in sizes of the largest heading."""

MIN_TITLE_SCANNED: Final = 1.25
"""The same of a scan, whose letters are measured."""

MAX_SAME: Final = 1.1
"""Ratio of the sizes of headings of a scan up to which they are set alike: a pixel of 150 dpi is a fourteenth
of a capital of 10 points."""

MAX_WORDS: Final = 30
"""Words of a heading that the layout model has found."""

MAX_LINES: Final = 3
"""Lines of such a heading below the title: more are a list, an address or a note, however large they are."""

_WORDS: Final = re.compile(r"[^\W\d_]{4,}")

Style = tuple[float, bool, bool, bool]
"""How a heading is set: size, bold, italic, all capitals."""


def find_headings(pages: Sequence[PageBlocks], outline: Outline, body_size: float) -> None:
    """Give headings their role, and take it from what cannot be one.

    ``body_size`` is that of the running text where fonts are known, points; 0 where not.
    """
    for page in pages:
        for place, block in enumerate(page.blocks):
            entry = outline.find(block.text, page.number) if block.is_short else None
            if entry is not None and block.role in ("paragraph", "list-item", "section-heading", "title"):
                block.role = "title" if entry.level == 0 else "section-heading"
                block.level = entry.level or None
            elif block.role in ("section-heading", "title") and (
                not _can_be_heading(block) or _is_end_of_sentence(block, body_size)
            ):
                block.role, block.level = "paragraph", None
            elif block.role in ("paragraph", "list-item") and _is_heading(block, page, place, body_size):
                block.role = "section-heading"
    _find_title(pages)


def _can_be_heading(block: Block) -> bool:
    if not any(character.isalpha() for character in block.text) or is_formula_number(block.text):
        return False
    if block.n_lines > MAX_LINES and block.role != "title":
        return False
    name = caption_name(block.text)
    return block.n_words <= MAX_WORDS and (name is None or not name.is_set_off)


def _is_end_of_sentence(block: Block, body_size: float) -> bool:
    """Whether it begins with a small letter, or ends with a full stop, and is set as the text is."""
    if block.font is None or block.font.is_bold or block.font.is_italic or block.level is not None:
        return False
    first = next((character for character in block.text if character.isalpha()), "")
    is_sentence = first.islower() or (block.ends_with.endswith(".") and section_number(block.text) is None)
    return is_sentence and block.size < MIN_LARGER * body_size and not is_capitals(block.text)


def _is_heading(block: Block, page: PageBlocks, place: int, body_size: float) -> bool:
    """Whether a block that the layout model takes for text is a heading by how it is set."""
    if not block.is_short or not _can_be_heading(block) or block.ends_with.endswith((",", ";", "-", "‐")):
        return False
    if caption_name(block.text) or is_page_number(block.text) or not _leads(page, place):
        return False
    number = section_number(block.text)
    if block.font is None or not body_size:
        # A scan: heights of lines tell too little, so that number and capitals must.
        if number is None or block.n_lines > 1:
            return False
        return number.depth > 1 or is_capitals(block.text) or _has_title_case(block.text)
    if number is None and (block.ends_with.endswith(".") or has_bullet(block.text)):
        return False
    is_larger = block.size >= MIN_LARGER * body_size
    is_bold = block.font.is_bold and block.size >= 0.9 * body_size
    has_capitals = is_capitals(block.text) and block.size >= 0.9 * body_size
    is_set_off = number is not None and not number.is_plain and block.font.is_italic
    if block.role == "list-item":
        return is_larger or (is_bold and number is not None)
    return is_larger or is_bold or (has_capitals and block.n_words >= 2) or is_set_off


def _leads(page: PageBlocks, place: int) -> bool:
    """Whether running text, or another heading, follows in the same column."""
    block = page.blocks[place]
    for other in page.blocks[place + 1 :]:
        if other.role not in ("page-header", "page-footer", "footnote"):
            return other.role != "formula" and (other.top > block.top or other.bbox[0] > block.bbox[2])
    return True


def is_capitals(text: str) -> bool:
    """Whether it has no small letters, and at least four capitals."""
    n_capitals = sum(character.isupper() for character in text)
    return n_capitals >= 4 and not any(character.islower() for character in text)


def _has_title_case(text: str) -> bool:
    """Whether the words of four letters and more begin with capitals, and no sentence ends."""
    words = _WORDS.findall(text)
    n_capitals = sum(word[0].isupper() for word in words)
    return 0 < len(words) <= 8 and n_capitals > 0.6 * len(words) and not text.endswith((".", ":", "?", "!"))


def _find_title(pages: Sequence[PageBlocks]) -> None:
    """The largest heading of the first page, above its text; what else was taken for a title is a heading."""
    first = pages[0] if pages and pages[0].number == 1 else None
    heads = [block for page in pages for block in page.blocks if block.role == "section-heading"]
    for page in pages:
        for block in page.blocks:
            if block.role == "title" and page is not first:
                block.role = "section-heading"
    if first is None:
        return
    titles = [block for block in first.blocks if block.role == "title"]
    for block in titles[1:]:
        if _has_decimal_number(block):
            block.role = "section-heading"
    if titles:
        return
    body = [block for block in first.blocks if block.is_body and block.n_lines > 1]
    above = [
        block
        for block in heads
        if block in first.blocks
        and not block.level
        and not any(other.top < block.top and in_one_column(other.bbox, block.bbox) for other in body)
    ]
    if not above or any(section_number(block.text) for block in above[:1]):
        return
    above = [block for block in above if not _has_decimal_number(block)]
    title = max(above, key=lambda block: block.size)
    others = [block.size for block in heads if block is not title and not _is_set_like(block, title)]
    least = MIN_TITLE if title.font is not None else MIN_TITLE_SCANNED
    is_largest = title.size >= least * max(others, default=0.0)
    # On its own above all else, and set like no other heading: a title need not be large.
    is_alone = title is above[0] and len(others) >= 3 and len(others) == len(heads) - 1
    if others and (is_largest or (is_alone and title.font is not None)):
        for block in above:
            if _is_set_like(block, title):
                block.role = "title"
    elif title is above[0] and _is_over_numbers(title, first, heads):
        title.role = "title"


def _is_over_numbers(title: Block, first: PageBlocks, heads: Sequence[Block]) -> bool:
    """Whether it stands above all else, no smaller than any heading, without a number where most have one."""
    if title.font is None or section_number(title.text) is not None:
        return False
    for block in first.blocks:
        if block is title:
            break
        if block.role != "page-header":
            return False
    others = [block for block in heads if block is not title]
    n_numbered = sum(_has_decimal_number(block) for block in others)
    return n_numbered > len(others) / 2 and title.size >= max(block.size for block in others) - 0.1


def _has_decimal_number(block: Block) -> bool:
    """Whether it begins with the number of a section; letters may be the initials of an author."""
    number = section_number(block.text)
    return number is not None and number.style == "decimal"


def _is_set_like(block: Block, other: Block) -> bool:
    if block.font is None or other.font is None:
        is_as_large = max(block.size, other.size) <= MAX_SAME * min(block.size, other.size)
    else:
        is_as_large = abs(block.size - other.size) < 0.5
    return is_as_large and style_of(block)[1:] == style_of(other)[1:]


def style_of(block: Block, size: float | None = None) -> Style:
    """How it is set, in letters of ``size``, else in its own, in half points."""
    font = block.font
    is_bold, is_italic = (font.is_bold, font.is_italic) if font else (False, False)
    size = round(2 * block.size) / 2 if size is None else size
    return (size, is_bold, is_italic, is_capitals(block.text))


def _styles(heads: Sequence[Block]) -> dict[int, Style]:
    """How each heading is set, by its ``id()``. Those of scans that are about as large count as equal."""
    styles = {id(block): style_of(block) for block in heads}
    groups: list[list[Block]] = []
    for block in sorted((one for one in heads if one.font is None), key=lambda one: -one.size):
        if not groups or fmean(one.size for one in groups[-1]) > MAX_SAME * block.size:
            groups.append([])
        groups[-1].append(block)
    for group in groups:
        size = fmean(block.size for block in group)
        styles |= {id(block): style_of(block, size) for block in group}
    return styles


def set_levels(pages: Sequence[PageBlocks]) -> None:
    """Give each heading without one a level: by its number, else by the headings that are set like it, else
    by its size among all."""
    heads = [block for page in pages for block in page.blocks if block.role == "section-heading"]
    depths = {id(block): depth for block in heads if (depth := _depth(block, heads)) is not None}
    known = [(block, depths[id(block)]) for block in heads if block.level and id(block) in depths]
    # Where a file's outline counts parts or the title as a level, numbers begin lower.
    shift = round(median([(block.level or 0) - depth for block, depth in known])) if known else 0
    for block in heads:
        if block.level is None and id(block) in depths:
            block.level = max(1, depths[id(block)] + shift)
    styles = _styles(heads)
    levels: dict[Style, Counter[int]] = {}
    for block in heads:
        if block.level is not None:
            levels.setdefault(styles[id(block)], Counter())[block.level] += 1
    of_style = {style: counts.most_common(1)[0][0] for style, counts in levels.items()}
    unknown = sorted(set(styles.values()) - set(of_style), key=_rank)
    for style in unknown:
        above = [level for other, level in of_style.items() if _rank(other) < _rank(style)]
        below = [level for other, level in of_style.items() if _rank(other) > _rank(style)]
        level = max(above, default=0) + 1
        of_style[style] = max(1, min(level, min(below))) if below else level
    for block in heads:
        if block.level is None:
            block.level = of_style[styles[id(block)]]


def _rank(style: Style) -> tuple[float, bool, bool, bool]:
    """Smaller for what stands out more."""
    size, is_bold, is_italic, has_capitals = style
    return (-size, not is_bold, not has_capitals, is_italic)


def _depth(block: Block, heads: Sequence[Block]) -> int | None:
    """The depth that the number of a heading has; None without one."""
    number = section_number(block.text)
    if number is None:
        return None
    if number.style == "letter" and number.depth == 1 and _below_romans(block, heads):
        return 2
    return number.depth


def _below_romans(block: Block, heads: Sequence[Block]) -> bool:
    """Whether sections have Roman numbers, so that a letter is one below."""
    before = heads[: next(index for index, head in enumerate(heads) if head is block)]
    numbers = [number for head in before if (number := section_number(head.text))]
    return any(number.style == "roman" for number in numbers) and not block.text.lower().startswith("app")
