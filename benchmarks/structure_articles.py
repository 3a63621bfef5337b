"""Articles drawn for measuring structure: each block of text is known with its role, level and tie.

No text of others is in them: words are English, put together by chance. Numbers, fonts, sizes, columns, the
places of captions and the style of references differ from article to article.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pymupdf

from docai.geometry import BBox, union
from docai.pipelines.synthesis.words import ENGLISH
from docai.structure import Role

WIDTH, HEIGHT, MARGIN = 595.0, 842.0, 62.0


@dataclass
class Piece:
    """A block of text on a page, or the part of it that is there."""

    page: int
    bbox: BBox
    role: Role
    level: int | None = None
    about: int | None = None
    """Number of the figure or table that a caption names, of the block that has a footnote's mark."""
    block: int = 0
    """Number of the block that it is a part of."""


@dataclass
class Article:
    pieces: list[Piece] = field(default_factory=list)
    things: dict[int, tuple[int, BBox]] = field(default_factory=dict)
    """Number → page and box of a figure or table."""


@dataclass
class Style:
    """How an article is set."""

    rng: random.Random
    size: float = field(init=False)
    columns: int = field(init=False)
    fonts: tuple[str, str, str] = field(init=False)
    """Regular, bold, italic."""
    numbers: str = field(init=False)
    """Of sections: ``decimal``, ``roman`` or none."""
    is_indented: bool = field(init=False)
    table_caption_above: bool = field(init=False)
    labels: str = field(init=False)
    """Of references: ``[1]``, ``1.`` or none."""

    def __post_init__(self) -> None:
        self.size = self.rng.choice([9.0, 10.0, 11.0])
        self.columns = self.rng.choice([1, 2])
        self.fonts = self.rng.choice([("tiro", "tibo", "tiit"), ("helv", "hebo", "heit")])
        self.numbers = self.rng.choice(["decimal", "decimal", "roman", ""])
        self.is_indented = self.rng.random() < 0.5
        self.table_caption_above = self.rng.random() < 0.8
        self.labels = self.rng.choice(["[{}] ", "{}. ", ""])


class _Writer:
    """Sets blocks one after the other, in columns and over pages."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.rng = style.rng
        self.pdf = pymupdf.open()
        self.article = Article()
        self.head = self.sentence(4).rstrip(".")
        self.n_blocks = 0
        self.current = 0
        self.notes: list[tuple[str, int]] = []
        self.n_notes = 0
        self.column = style.columns
        self.top = HEIGHT
        self.bottom = HEIGHT - MARGIN
        self.advance()

    @property
    def width(self) -> float:
        gap = 18.0
        return (WIDTH - 2 * MARGIN - gap * (self.style.columns - 1)) / self.style.columns

    @property
    def left(self) -> float:
        return MARGIN + self.column * (self.width + 18.0)

    def advance(self) -> None:
        """To the next column, or a new page with its running head and number."""
        current = self.current
        self.write_notes()
        self.column += 1
        if self.column >= self.style.columns:
            self.column = 0
            self.page = self.pdf.new_page(width=WIDTH, height=HEIGHT)
            number = len(self.pdf)
            if number > 1:
                self.line(self.head, MARGIN, 40, 0.9 * self.style.size, 2, "page-header")
            self.line(str(number), WIDTH / 2, HEIGHT - 28, 0.9 * self.style.size, 0, "page-footer")
        self.top, self.bottom = MARGIN + 10, HEIGHT - MARGIN
        self.current = current

    def begin(self) -> int:
        """A new block; its number."""
        self.n_blocks += 1
        self.current = self.n_blocks
        return self.current

    def write_notes(self) -> None:
        """The footnotes of the column, at its foot."""
        top = self.bottom + 4
        for text, about in self.notes:
            self.begin()
            small = 0.8 * self.style.size
            mark, _, note = text.partition(" ")
            at = (self.left, top + 0.65 * small)
            self.page.insert_text(at, mark, fontname=self.style.fonts[0], fontsize=5)
            for row in self.rows(note, small, self.width - 8):
                self.line(row, self.left + 7, top, small, 0, "footnote", about=about, is_new=False)
                top += self.style.size
        self.notes = []

    def line(
        self,
        text: str,
        x: float,
        top: float,
        size: float,
        font: int,
        role: Role,
        *,
        level: int | None = None,
        about: int | None = None,
        is_new: bool = True,
        name: str = "",
    ) -> None:
        name = name or self.style.fonts[font]
        if is_new:
            self.begin()
        mark = ""
        if role == "paragraph" and text.rstrip(".").endswith("#"):
            text, mark = text.replace("#", ""), str(self.n_notes)
        self.page.insert_text((x, top + size), text, fontname=name, fontsize=size)
        width = pymupdf.get_text_length(text, fontname=name, fontsize=size)
        if mark:
            at = (x + width, top + 0.62 * size)
            self.page.insert_text(at, mark, fontname=name, fontsize=0.65 * size)
        box = (x, top, x + width, top + 1.2 * size)
        last = self.article.pieces[-1] if self.article.pieces else None
        if last and (last.block, last.page) == (self.current, len(self.pdf)) and last.bbox[1] < top:
            last.bbox = union([last.bbox, box])
        else:
            self.article.pieces.append(Piece(len(self.pdf), box, role, level, about, self.current))

    def rows(self, text: str, size: float, width: float, font: int = 0, name: str = "") -> Iterator[str]:
        name = name or self.style.fonts[font]
        row = ""
        for word in text.split():
            longer = f"{row} {word}".strip()
            if row and pymupdf.get_text_length(longer, fontname=name, fontsize=size) > width:
                yield row
                longer = word
            row = longer
        yield row

    def block(
        self,
        text: str,
        role: Role,
        *,
        size: float = 0.0,
        font: int = 0,
        level: int | None = None,
        about: int | None = None,
        indent: float = 0.0,
        before: float = 0.0,
        after: float = 3.0,
        keep: int = 1,
    ) -> None:
        """A block of text; ``keep`` lines of it stay together with as much of what follows."""
        size = size or self.style.size
        self.begin()
        self.top += before
        if self.top + (keep + 1) * 1.2 * size > self.bottom:
            self.advance()
        first = 1.2 * size if self.style.is_indented and role == "paragraph" else 0.0
        for number, row in enumerate(self.rows(text, size, self.width - indent - first, font)):
            if self.top + 1.2 * size > self.bottom:
                self.advance()
            x = self.left + indent + (0.0 if number else first)
            self.line(row, x, self.top, size, font, role, level=level, about=about, is_new=False)
            self.top += 1.2 * size
        self.top += after

    def sentence(self, n_words: int) -> str:
        return " ".join(self.rng.choices(ENGLISH, k=n_words)).capitalize() + "."

    def prose(self, n_sentences: int) -> str:
        return " ".join(self.sentence(self.rng.randint(8, 18)) for _ in range(n_sentences))

    def paragraph(self) -> None:
        text = self.prose(self.rng.randint(3, 7))
        if self.rng.random() < 0.2 and self.bottom - self.top > 120:
            self.n_notes += 1
            self.bottom -= 3.4 * self.style.size
            note = f"{self.n_notes} {self.sentence(12)}"
            self.notes.append((note, self.n_blocks + 1))
            text = text.removesuffix(".") + "#."
        self.block(text, "paragraph", after=0.0 if self.style.is_indented else 5.0)

    def thing(self, number: int, *, is_table: bool) -> None:
        name = "Table" if is_table else self.rng.choice(["Figure", "Fig."])
        caption = f"{name} {number}{self.rng.choice(['.', ':'])} {self.sentence(9)}"
        high = 90.0
        if self.top + high + 60 > self.bottom:
            self.advance()
        is_above = is_table and self.style.table_caption_above
        small = 0.9 * self.style.size
        key = number if is_table else -number
        self.top += 6
        if is_above:
            self.block(caption, "caption", size=small, about=key, after=4)
        box = (self.left + 20, self.top, self.left + self.width - 20, self.top + high)
        (self.draw_table if is_table else self.draw_chart)(box)
        self.article.things[key] = (len(self.pdf), box)
        self.top += high + 8
        if not is_above:
            self.block(caption, "caption", size=small, about=key)
        self.top += 6

    def draw_table(self, box: BBox) -> None:
        x0, y0, x1, y1 = box
        for row in range(6):
            for y in (y0,) if row == 0 else ((y0 + 15,) if row == 1 else ()):
                self.page.draw_line((x0, y), (x1, y), width=0.7)
            for col in range(3):
                text = self.rng.choice(ENGLISH) if row == 0 or col == 0 else f"{self.rng.uniform(1, 99):.1f}"
                at = (x0 + 4 + col * (x1 - x0) / 3, y0 + 11 + row * 15)
                self.page.insert_text(at, text, fontname=self.style.fonts[row == 0], fontsize=8)
        self.page.draw_line((x0, y1), (x1, y1), width=0.7)

    def draw_chart(self, box: BBox) -> None:
        x0, y0, x1, y1 = box
        self.page.draw_line((x0, y1), (x1, y1))
        self.page.draw_line((x0, y0), (x0, y1))
        for bar in range(8):
            left = x0 + 6 + bar * (x1 - x0 - 12) / 8
            high = self.rng.uniform(0.2, 0.95) * (y1 - y0)
            rect = (left, y1 - high, left + (x1 - x0) / 14, y1)
            self.page.draw_rect(rect, fill=(0.3, 0.4, 0.7), color=(0, 0, 0))

    def formula(self, number: int) -> None:
        if self.top + 40 > self.bottom:
            self.advance()
        self.top += 6
        size, x = self.style.size, self.left + 0.3 * self.width
        a, b, c, d = self.rng.sample("abcuvwxyz", 4)
        text = f"{a} = {b} + {self.rng.randint(2, 9)}{c}{d} / (1 - {b})"
        self.line(text, x, self.top, size, 2, "formula")
        right = self.left + self.width - 20
        self.line(f"({number})", right, self.top, size, 0, "formula")
        self.top += 1.2 * size + 8

    def code(self) -> None:
        pairs = (self.rng.sample(ENGLISH, 2) for _ in range(4))
        rows = [f"{name} = compute({other})" for name, other in pairs]
        if self.top + 12 * len(rows) > self.bottom:
            self.advance()
        self.top += 4
        self.begin()
        for row in rows:
            self.line(row, self.left + 10, self.top, 8, 0, "code", is_new=False, name="cour")
            self.top += 10
        self.top += 8

    def references(self) -> None:
        for number in range(1, self.rng.randint(8, 14)):
            entry = self.style.labels.format(number) + self.reference()
            self.block(entry, "reference", size=0.9 * self.style.size)

    def reference(self) -> str:
        rng = self.rng
        authors = [f"{rng.choice(ENGLISH).capitalize()}, {rng.choice('ABCDEFGHJKLMPRST')}." for _ in range(2)]
        year, volume, page = rng.randint(1960, 2020), rng.randint(1, 90), rng.randint(1, 900)
        title, journal = self.sentence(6), f"Journal of {rng.choice(ENGLISH).capitalize()}"
        return rng.choice(
            [
                f"{' and '.join(authors)} ({year}). {title} {journal}, {volume}:{page}–{page + 9}.",
                f"{', '.join(authors)} “{title.rstrip('.')},” {journal} {volume}, {page} ({year}).",
                f"{' and '.join(authors)} {title} {journal}, vol. {volume}, pp. {page}-{page + 12}, {year}.",
            ]
        )


_ROMANS = ("", "I", "II", "III", "IV", "V", "VI")


def draw_article(seed: int, path: Path, *, outline: bool = False) -> Article:
    """Write an article of some pages as a PDF; its blocks."""
    style = Style(random.Random(seed))
    writer, rng = _Writer(style), style.rng
    writer.block(writer.sentence(5).rstrip("."), "title", size=1.8 * style.size, font=1, after=14)
    bookmarks: list[list[object]] = []

    def heading(number: str, level: int) -> None:
        size = style.size * (1.25 if level == 1 else 1.05)
        text = f"{number} {writer.sentence(rng.randint(2, 4)).rstrip('.')}".strip()
        writer.block(text, "section-heading", size=size, font=1, level=level, before=8, after=4, keep=3)
        bookmarks.append([level, text, len(writer.pdf)])

    for section in range(1, rng.randint(4, 6)):
        number = {"decimal": f"{section}", "roman": f"{_ROMANS[section]}.", "": ""}[style.numbers]
        heading(number, 1)
        for _ in range(rng.randint(1, 3)):
            writer.paragraph()
        for part in range(1, rng.randint(1, 4)):
            below = {"decimal": f"{section}.{part}", "roman": f"{'ABCDE'[part - 1]}.", "": ""}[style.numbers]
            heading(below, 2)
            for _ in range(rng.randint(1, 3)):
                writer.paragraph()
        for extra in rng.sample(["table", "figure", "formula", "list", "code"], 2):
            if extra in ("table", "figure"):
                writer.thing(section, is_table=extra == "table")
            elif extra == "formula":
                writer.formula(section)
            elif extra == "code":
                writer.code()
            else:
                for _ in range(3):
                    writer.block(f"• {writer.sentence(rng.randint(6, 20))}", "list-item", indent=10)
            writer.paragraph()
    writer.block("References", "section-heading", size=1.25 * style.size, font=1, level=1, before=8, keep=3)
    writer.references()
    writer.write_notes()
    if outline:
        writer.pdf.set_toc(bookmarks)
    writer.pdf.save(path)
    writer.pdf.close()
    return writer.article
