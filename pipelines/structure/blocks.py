"""The texts and other records of a page, with what the rules of structure look at.

Facts of a block are few and short, so that a document of thousands of pages can be looked at as a whole.
"""

from __future__ import annotations

import re
import statistics
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from docai.document import PageInfo
from docai.geometry import BBox, overlap_ratio
from docai.pipelines.structure.citations import citation_score
from docai.pipelines.structure.letter_size import has_small_figure, letter_size
from docai.records import Font, Molecule, RecordBase, Role, Score, Table, Text

MAX_TEXT: Final = 240
"""Characters of a block's start that are kept: more than a heading takes."""

MAX_START: Final = 60
"""The same of a block with more words than a heading has: more than the name of a caption takes."""

MAX_WORDS: Final = 40
"""Words of a block that may be a heading, or a running one."""

_MARK_AT_END: Final = re.compile(r"(?<=\S)(?:\(?([0-9]{1,3})\)?|([*†‡§¶‖]{1,4}))[.,;:]*$")

_MARKED: Final = re.compile(r"(?:[^\W\d_]{2}|[.,;:!?)\]”’\"'»])$")
"""Before a footnote mark: a letter alone is a symbol with an exponent."""

_RAISED: Final = re.compile(r"[⁰¹²³⁴-⁹ᵃ-ᶻ*†‡§¶‖]+")

_ODD_MARK: Final = re.compile(r"[^\W\d_]{2}[.,;:!?]?[*®©°™^](?=\s|$)")
"""Behind a word: ``6`` and ``8`` are read as ``®``, ``4`` as ``*``."""


@dataclass(eq=False, slots=True)
class Block:
    """A record of text.

    Attributes:
        text: its start, white space as single spaces.
        size: of its letters, points: of the font where that is known, else by the ink of its words, or where
            their boxes are not tight the height of its lines.
        pitch: from one line to the next, points; that of one line is its height.
        marks: footnote marks inside of it, in ordinary characters.
        n_odd_marks: of them, or in their places, signs that an OCR engine makes of raised figures.
        citation: how like entries of a bibliography it is, 0…1.
    """

    id: str
    bbox: BBox
    role: Role
    level: int | None
    font: Font | None
    text: str
    ends_with: str
    """Its last characters."""
    n_words: int
    n_lines: int
    size: float
    is_marked: bool | None
    """On a scan: it begins with a number that is much smaller than its letters; None: not known."""
    pitch: float
    marks: frozenset[str]
    n_odd_marks: int
    citation: float
    belongs_to: str | None = None

    @classmethod
    def of(cls, record: Text) -> Block:
        text = " ".join(record.text.split())
        n_words = len(text.split())
        boxes = [line.bbox for line in record.lines if line.bbox is not None]
        heights = [box[3] - box[1] for box in boxes]
        height = statistics.median(heights) if heights else record.bbox[3] - record.bbox[1]
        tops = sorted(box[1] for box in boxes)
        steps = [b - a for a, b in pairwise(tops) if b - a > 0.4 * height]
        by_ink = _size_by_ink(record)
        return cls(
            id=record.id,
            bbox=record.bbox,
            role=record.role,
            level=record.level,
            font=record.font,
            text=text[: MAX_TEXT if n_words <= MAX_WORDS else MAX_START],
            ends_with=text[-8:],
            n_words=n_words,
            n_lines=max(1, len(boxes)),
            size=by_ink or (height if record.font is None else record.font.size),
            is_marked=None if by_ink is None else has_small_figure(record.lines, by_ink),
            pitch=statistics.median(steps) if steps else height,
            marks=frozenset(marks_in(text)),
            n_odd_marks=0 if by_ink is None else len(_ODD_MARK.findall(text)),
            citation=citation_score(text),
        )

    @property
    def top(self) -> float:
        return self.bbox[1]

    @property
    def bottom(self) -> float:
        return self.bbox[3]

    @property
    def is_short(self) -> bool:
        """It could be a heading by its length."""
        return self.n_lines <= 3 and self.n_words <= 20 and len(self.text) < MAX_TEXT

    @property
    def is_body(self) -> bool:
        """It is part of the running text."""
        return self.role in ("paragraph", "list-item", "reference", "code", "formula")


def _size_by_ink(record: Text) -> float | None:
    """The size of letters that were read in a picture; None of others."""
    # A PDF's own words have boxes that are as high as the line, whatever letters they have.
    is_read = record.font is None and "text-layer" not in record.evidence
    return letter_size(record.lines) if is_read else None


@dataclass(frozen=True, slots=True)
class Thing:
    """A record that a caption may name, or a note explain."""

    id: str
    kind: str
    bbox: BBox
    marks: frozenset[str] = frozenset()
    """Footnote marks in the cells of a table."""


@dataclass
class PageBlocks:
    """One page: its blocks and things, both in reading order."""

    number: int
    width: float
    height: float
    blocks: list[Block] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)

    @classmethod
    def of(cls, info: PageInfo, records: Iterable[RecordBase]) -> PageBlocks:
        page = cls(info.number, info.width, info.height)
        for record in records:
            if isinstance(record, Text):
                if not any(issue.code == "text-watermark" for issue in record.issues):
                    page.blocks.append(Block.of(record))
            else:
                page.things.append(_thing(record))
        return page

    @property
    def body(self) -> list[Block]:
        return [block for block in self.blocks if block.is_body]


def _thing(record: RecordBase) -> Thing:
    kind = "figure"
    if isinstance(record, Table | Molecule | Score):
        kind = record.kind
    marks: frozenset[str] = frozenset()
    if isinstance(record, Table):
        marks = frozenset(mark for cell in record.cells for mark in cell.marks)
    return Thing(record.id, kind, record.bbox, marks)


def marks_in(text: str) -> Iterable[str]:
    """Footnote marks in a text: superscripts of Unicode behind a word, and signs such as ``†``."""
    for word in text.split():
        found = list(_RAISED.finditer(word))
        if found and _MARKED.search(word[: found[-1].start()]):
            yield unicodedata.normalize("NFKC", found[-1][0])
        elif number := _MARK_AT_END.search(word):
            # An OCR engine sees a raised number as an ordinary one; a word of letters has none at its end.
            before = word[: number.start()]
            if number[1] and len(before) > 2 and before.rstrip(".,;:)”’\"'").isalpha():
                yield number[1]


def in_one_column(a: BBox, b: BBox, least: float = 0.5) -> bool:
    """Whether two boxes stand over each other: they share so much of the width of the narrower one."""
    return overlap_ratio(a[0], a[2], b[0], b[2]) >= least


def usual_size(blocks: Sequence[Block]) -> float:
    """The size of most words of the running text; 0 without any."""
    counts: dict[float, int] = {}
    for block in blocks:
        size = round(block.size * 2) / 2
        counts[size] = counts.get(size, 0) + block.n_words
    return max(counts, key=lambda size: counts[size]) if counts else 0.0
