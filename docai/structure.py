"""What the blocks of a document make together: paragraphs, its outline, tables over several pages.

These are views: records stay as they were read, and everything here names those it is made of.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, Literal, Protocol

from pydantic import Field

from docai.base import Data, PlacedRecord
from docai.contents import Line

Role = Literal[
    "title",
    "section-heading",
    "paragraph",
    "list-item",
    "caption",
    "footnote",
    "page-header",
    "page-footer",
    "formula",
    "reference",
    "code",
]

_FLOWS: Final[dict[str, str]] = {
    "paragraph": "text",
    "list-item": "text",
    "reference": "text",
    "footnote": "footnote",
}
"""Roles that may go on in another block → what they flow in; a page's footnotes interrupt no paragraph."""

ASIDE: Final[tuple[Role, ...]] = ("page-header", "page-footer", "footnote", "caption")
"""Roles of what may stand between the parts of a paragraph or a table."""

_SENTENCE_END: Final = re.compile(r"[.!?:;。！？：；…][\"'”’»)\]]*$")

_NUMBERED: Final = re.compile(r"\d{1,2}(?:\.\d{1,3}){0,5}\.?\s+\W?(?P<first>[^\W\d_])")

_LINE_HYPHEN: Final = re.compile(r"(?<=[^\W\d_])[-\N{SOFT HYPHEN}\N{HYPHEN}]$")

_WORD: Final = re.compile(r"[^\W\d_]+(?:[-\N{HYPHEN}][^\W\d_]+)*")

_COMPOUNDING: Final = frozenset(
    {"cross", "first", "four", "full", "half", "high", "large", "long", "low", "one", "real", "second"}
    | {"self", "short", "small", "third", "three", "two", "well"}
)
"""English words that, divided from a longer word, are the first part of a compound with a hyphen."""

FULL_LINE: Final = 0.9
"""Share of the width of its block that a line takes which does not end a paragraph."""

_END: Final = 200
"""Characters at the end of a text that are looked at: longer than any word."""


class Paragraph(Data):
    """A paragraph, heading, item or other unit of text, put together of the blocks that it is broken into."""

    text: str = Field(description="In one line, words that were divided at the ends of lines whole again.")
    printed: str = Field(description="As it stands on the pages: lines end in newlines, hyphens stay.")
    role: Role = Field(description="That of its first block.")
    level: int | None = Field(default=None, ge=1, description="Of a section heading; None for all else.")
    belongs_to: str | None = Field(
        default=None, description="`id` of the record that a caption names or a footnote explains."
    )
    records: list[str] = Field(description="`id` of the records that it is made of, in reading order.")
    pages: list[int] = Field(description="Numbers of the pages it stands on, ascending.")
    headings: list[str] = Field(
        default_factory=list, description="Texts of the headings that it stands under, from the highest."
    )


class TextBlock(PlacedRecord, Protocol):
    """What is needed of a record of text."""

    @property
    def text(self) -> str: ...

    @property
    def lines(self) -> Sequence[Line]: ...

    @property
    def role(self) -> Role: ...

    @property
    def level(self) -> int | None: ...

    @property
    def belongs_to(self) -> str | None: ...


def join_blocks(blocks: Sequence[TextBlock]) -> list[Paragraph]:
    """The paragraphs that blocks in reading order make, each at the place of its first block."""
    groups: list[list[TextBlock]] = []
    open_groups: dict[str, list[TextBlock]] = {}
    for block in blocks:
        flow = _FLOWS.get(block.role, block.role if block.role == "title" else "")
        group = open_groups.get(flow)
        if group is not None and _goes_on(group, block):
            group.append(block)
            continue
        groups.append([block])
        if flow:
            open_groups[flow] = groups[-1]
        if block.role not in ASIDE:
            # A heading or a formula ends what was open.
            open_groups = {name: one for name, one in open_groups.items() if name in (flow, "footnote")}
    words = _vocabulary(blocks)
    path: dict[int, str] = {}
    paragraphs = []
    for group in groups:
        first = group[0]
        text = join_lines([line for block in group for line in lines_of(block)], words)
        level = first.level or 1
        if first.role == "section-heading":
            path = {above: heading for above, heading in path.items() if above < level}
        paragraphs.append(
            Paragraph(
                text=text,
                printed="\n".join(block.text for block in group),
                role=first.role,
                level=first.level,
                belongs_to=first.belongs_to,
                records=[block.id for block in group],
                pages=sorted({block.page for block in group}),
                headings=[path[above] for above in sorted(path)],
            )
        )
        if first.role == "section-heading":
            path[level] = text
    return paragraphs


def lines_of(block: TextBlock) -> list[str]:
    """The lines of a block, those that are empty left out."""
    lines = [line.text for line in block.lines] or block.text.splitlines()
    return [line.strip() for line in lines if line.strip()]


def _goes_on(group: Sequence[TextBlock], block: TextBlock) -> bool:
    """Whether a block goes on with the last one of a paragraph, by how that ends and this begins."""
    last = group[-1]
    if block.role == "title":
        return last.page == block.page and not _begins_with_number(block)
    if last.page > block.page or block.page - last.page > 1:
        return False
    is_rest = block.role == "paragraph" and last.role in ("list-item", "reference")
    is_same = block.role == last.role or is_rest
    before, after = lines_of(last), lines_of(block)
    if not is_same or not before or not after or _SENTENCE_END.search(before[-1]):
        return False
    first = next((character for character in after[0] if character.isalpha()), "")
    if not after[0][0].isalnum() and first != after[0].lstrip("(\"'“‘«")[:1]:
        # A bullet, a mark or the number of an item begins something new.
        return False
    if first.islower() and after[0][0].isalpha():
        return True
    if block.role != last.role or after[0][0].isdigit() or block.role in ("list-item", "reference"):
        return False
    is_elsewhere = block.page != last.page or block.bbox[1] < last.bbox[3] - 1
    return is_elsewhere and _fills_its_line(last) and not _is_indented(block)


def _begins_with_number(block: TextBlock) -> bool:
    """Whether it begins as a numbered section does; a year, or a number within a sentence, is none."""
    found = _NUMBERED.match(block.text)
    return found is not None and found["first"].isupper()


def _fills_its_line(block: TextBlock) -> bool:
    """Whether the last line of a block reaches its right edge, so that more may come."""
    box = block.lines[-1].bbox if block.lines else None
    if box is None:
        return False
    width = block.bbox[2] - block.bbox[0]
    if block.lines[-1].direction == "rtl":
        return block.bbox[2] - box[0] >= FULL_LINE * width
    return box[2] - block.bbox[0] >= FULL_LINE * width and len(block.lines) > 1


def _is_indented(block: TextBlock) -> bool:
    """Whether its first line begins later than those below it, as that of a paragraph does."""
    boxes = [line.bbox for line in block.lines if line.bbox is not None]
    if len(boxes) < 2:
        return False
    height = boxes[0][3] - boxes[0][1]
    if block.lines[0].direction == "rtl":
        return max(box[2] for box in boxes[1:]) - boxes[0][2] > 0.7 * height
    return boxes[0][0] - min(box[0] for box in boxes[1:]) > 0.7 * height


def join_lines(lines: Iterable[str], words: frozenset[str] = frozenset()) -> str:
    """Lines as one; a word that is divided at the end of a line is made whole.

    The hyphen stays where it belongs to the word: where the document has the word so elsewhere, and not
    without it, where a part of the word has another hyphen or a capital (``X-ray``), or where what follows is
    no small letter. ``words`` are those of the document, in small letters.
    """
    done: list[str] = []
    # Its end alone tells how a text goes on: a paragraph of many pages takes no longer a line.
    text = ""
    for line in lines:
        if not text:
            text = line
        elif _LINE_HYPHEN.search(text) and line[:1].islower():
            text = text[:-1] + line if _is_divided(text, line, words) else text + line
        elif _is_joined(text, line):
            text += line
        else:
            done.append(text.removesuffix("\N{SOFT HYPHEN}") + " ")
            text = line
        if len(text) > 2 * _END:
            done.append(text[:-_END])
            text = text[-_END:]
    return "".join(done) + text


def _is_joined(text: str, line: str) -> bool:
    """Whether no space belongs between a text and the next line: a hyphen that stays, a script without."""
    has_hyphen = text.endswith(("-", "\N{HYPHEN}")) and line[:1].isalnum() and text[-2:-1].isalnum()
    return has_hyphen or (_is_ideographic(text[-1]) and _is_ideographic(line[0]))


def _is_divided(text: str, line: str, words: frozenset[str]) -> bool:
    """Whether the hyphen at the end of a text only divides a word that goes on in the next line."""
    if text.endswith("\N{SOFT HYPHEN}"):
        return True
    start = re.search(r"[\w\N{HYPHEN}-]*\Z", text[:-1])
    end = re.match(r"[^\W\d_]+", line)
    before, after = (start[0] if start else ""), (end[0] if end else "")
    whole, hyphened = (before + after).casefold(), f"{before}-{after}".casefold()
    if whole in words or hyphened in words:
        return whole in words
    if before.casefold() in _COMPOUNDING and (before.casefold() == "self" or after.casefold() in words):
        return False
    return not ("-" in before or "\N{HYPHEN}" in before or before[-1:].isupper() or len(before) == 1)


def _vocabulary(blocks: Sequence[TextBlock]) -> frozenset[str]:
    """The words of all blocks that no line ends in, in small letters."""
    words = set()
    for block in blocks:
        for line in lines_of(block):
            found = [match[0].casefold().replace("\N{HYPHEN}", "-") for match in _WORD.finditer(line)]
            # The parts of a divided word are no words.
            words.update(found[1:-1] if _LINE_HYPHEN.search(line) else found[1:])
    return frozenset(words)


def _is_ideographic(character: str) -> bool:
    """Whether a script without spaces between words has it."""
    name = unicodedata.name(character, "")
    return name.startswith(("CJK ", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC", "FULLWIDTH"))
