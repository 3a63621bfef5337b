"""Roles of the regions of one page: by the tags of the file, else by the layout model's classes; a heading
that is one region with the paragraph below it becomes a region of its own.

Only what the file and its layout say is settled here: what words say, and other pages, comes later, see
:mod:`docai.pipelines.structure.document`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from docai.geometry import contains_center, union
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.layout import PageLayout, Region
from docai.pipelines.structure.fonts import font_of
from docai.pipelines.structure.tags import TaggedLine, read_tags
from docai.records import Font, Role

ROLE_OF_LABEL: Final[Mapping[str, Role]] = {
    "title": "title",
    "section-header": "section-heading",
    "list-item": "list-item",
    "caption": "caption",
    "footnote": "footnote",
    "page-header": "page-header",
    "page-footer": "page-footer",
    "formula": "formula",
    "code": "code",
}
"""Class of the layout model → role; all others are paragraphs."""

MIN_TAGGED: Final = 0.6
"""Share of the words of a region under tags of one role from which the region has it."""

MAX_HEADING_LINES: Final = 3
"""Lines of a heading that stands in one region with what follows it."""

MIN_WORDS, MIN_LETTERS = 3, 3
"""Words of so many letters that a text below a heading has."""

MIN_LARGER: Final = 1.1
"""Size of a heading's letters, in sizes of the text below, from which it is set apart."""


def find_page_roles(page: Page, layout: PageLayout) -> PageLayout:
    """The layout with roles and levels of its texts; a heading in one region with its text is set apart."""
    tags = page.inside(read_tags) if layout.origin in ("born-digital", "mixed") else []
    usual = font_of([word for region in layout.regions if region.kind == "text" for word in region.words])
    regions = [part for region in layout.regions for part in _parts(region, tags, usual)]
    if len(regions) > len(layout.regions):
        regions = [_numbered(region, number) for number, region in enumerate(regions)]
    return replace(layout, regions=tuple(regions))


def _parts(region: Region, tags: Sequence[TaggedLine], usual: Font | None) -> list[Region]:
    """The region, or its heading and the rest; ``usual`` is the font of most text of the page."""
    if region.kind != "text" or region.is_watermark:
        return [region]
    n_head = 0
    if region.label in ("text", "") and region.polygon is None:
        lines = [list(words) for _, words in groupby(region.words, key=lambda word: word.line)]
        n_head = _tagged_head(lines, tags) or _set_head(lines, usual)
    if not n_head:
        return [_with_role(region, tags)]
    evidence = (*region.evidence, "heading and text apart by their fonts or tags")
    halves = [[word for words in part for word in words] for part in (lines[:n_head], lines[n_head:])]
    head, rest = (
        replace(region, bbox=union([word.bbox for word in half]), words=tuple(half), evidence=evidence)
        for half in halves
    )
    return [_with_role(replace(head, role="section-heading"), tags), _with_role(rest, tags)]


def _with_role(region: Region, tags: Sequence[TaggedLine]) -> Region:
    """The region with the role that its tags or its label give; else as it is."""
    # Running heads are artifacts, which MuPDF counts to the element before them.
    is_margin = region.label in ("page-header", "page-footer")
    tagged = None if is_margin else _tagged_role(region.words, tags)
    if tagged is not None:
        role, level = tagged
        return replace(region, role=role, level=level, evidence=(*region.evidence, f"tagged: {role}"))
    return replace(region, role=ROLE_OF_LABEL.get(region.label, region.role))


def _tagged_role(words: Sequence[PageWord], tags: Sequence[TaggedLine]) -> tuple[Role, int | None] | None:
    if not tags or not words:
        return None
    found: Counter[tuple[Role, int | None]] = Counter()
    for word in words:
        line = next((line for line in tags if contains_center(line.bbox, word.bbox)), None)
        if line is not None:
            found[line.role, line.level] += 1
    if not found:
        return None
    ((role, level), count) = found.most_common(1)[0]
    return (role, level) if count >= MIN_TAGGED * len(words) else None


def _tagged_head(lines: Sequence[Sequence[PageWord]], tags: Sequence[TaggedLine]) -> int:
    """Lines at the start that are tagged as a heading, where others follow."""
    if not tags:
        return 0
    n_head = 0
    while n_head < len(lines) and (_tagged_role(lines[n_head], tags) or ("", 0))[0] == "section-heading":
        n_head += 1
    return n_head if n_head < len(lines) else 0


def _set_head(lines: Sequence[Sequence[PageWord]], usual: Font | None) -> int:
    """Lines at the start that alone are set in bold or larger letters, than most text, too.

    A heading that runs into the first line of its paragraph is left there.
    """
    font = font_of(lines[0]) if lines else None
    n_head = 0
    while n_head < len(lines) and _is_set_alike(lines[n_head], font):
        n_head += 1
    if font is None or usual is None or not 0 < n_head < len(lines) or n_head > MAX_HEADING_LINES:
        return 0
    rest = [word for words in lines[n_head:] for word in words]
    rest_font = font_of(rest)
    has_letters = any(character.isalpha() for word in lines[0] for character in word.text)
    # Indexes and parts of fractions are small lines below a line, and no text.
    is_text = sum(len(word.text) >= MIN_LETTERS and word.text.isalpha() for word in rest) >= MIN_WORDS
    if rest_font is None or not has_letters or not is_text:
        return 0
    return n_head if _stands_out(font, rest_font) and _stands_out(font, usual) else 0


def _is_set_alike(words: Sequence[PageWord], font: Font | None) -> bool:
    """Whether all words of a line are as bold and as large as ``font``."""
    return font is not None and all(
        word.font is not None and word.font.is_bold == font.is_bold and word.size > 0.9 * font.size
        for word in words
    )


def _stands_out(head: Font, rest: Font) -> bool:
    is_bolder = head.is_bold and not rest.is_bold and head.size >= 0.95 * rest.size
    return is_bolder or head.size >= MIN_LARGER * rest.size


def _numbered(region: Region, number: int) -> Region:
    """The region with the place of its words in the reading order."""
    first = region.words[0].line if region.words else 0
    words = tuple(word._replace(block=number, line=word.line - first) for word in region.words)
    return replace(region, words=words)
