"""Measures roles, levels and ties of text on articles drawn for it, where all of them are known.

    python benchmarks/structure_made.py [--count 12] [--first 1] [--scan] [--outline] [--verbose]

Articles of three to five pages, in one column or two, are drawn by ``structure_articles.py``; the rules were
looked at on those of the seeds 1 to 12. With ``--scan`` their pages are read as pictures of 150 dpi, with
``--outline`` the files have bookmarks. Prints

- ``role``: the share of the words that have the role of their block, and the errors by role;
- ``level``: of the headings that were found, the share of the right level;
- ``captions``: the share of the captions that belong to what they name; ``footnotes``: of the footnotes that
  belong to the text with their mark;
- ``joined``: of the paragraphs that a column or a page has broken, the share that are one again.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pymupdf
from common import script_parser
from structure_articles import Article, Piece, draw_article

import docai
from docai.document import Document
from docai.geometry import BBox, contains_center, grow, share_inside
from docai.records import Text

SCAN_DPI = 150


@dataclass
class Counts:
    """Right ones and all, by what is measured; errors in roles."""

    right: Counter[str] = field(default_factory=Counter)
    of: Counter[str] = field(default_factory=Counter)
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, what: str, is_right: bool) -> None:
        self.of[what] += 1
        self.right[what] += is_right

    def add(self, other: Counts) -> None:
        self.right.update(other.right)
        self.of.update(other.of)
        self.errors.update(other.errors)

    def summary(self) -> str:
        names = ("role", "level", "captions", "footnotes", "joined")
        shares = ((name, self.right[name] / max(1, self.of[name]), self.of[name]) for name in names)
        return ", ".join(f"{name} {share:.3f} of {n}" for name, share, n in shares)


def measure(document: Document, article: Article) -> Counts:
    """Compare what was read with what was drawn, both in points of the same pages."""
    counts = Counts()
    of_piece: dict[int, set[str]] = {}
    for number, piece in enumerate(article.pieces):
        texts = [text for text in document.texts if text.page == piece.page]
        of_piece[number] = _compare_words(piece, texts, counts)
    by_id = {record.id: record for record in document.records}
    of_block: dict[int, set[str]] = defaultdict(set)
    for number, piece in enumerate(article.pieces):
        of_block[piece.block] |= of_piece[number]
    for number, piece in enumerate(article.pieces):
        for name in of_piece[number]:
            text = by_id[name]
            assert isinstance(text, Text)
            if piece.role == "section-heading" == text.role:
                counts.count("level", text.level == piece.level)
            elif piece.role == "caption" and piece.about is not None:
                page, box = article.things[piece.about]
                thing = by_id.get(text.belongs_to or "")
                is_there = thing is not None and thing.page == page and _is_same(thing.bbox, box)
                counts.count("captions", is_there)
            elif piece.role == "footnote" and piece.about is not None:
                counts.count("footnotes", text.belongs_to in of_block[piece.about])
    _compare_joins(document, article, of_piece, counts)
    return counts


def _compare_words(piece: Piece, texts: list[Text], counts: Counts) -> set[str]:
    """Count the words of a piece by the role of their record. Returns the records."""
    found = set()
    for text in texts:
        for line in text.lines:
            for word in line.words:
                if word.bbox is not None and contains_center(grow(piece.bbox, 1), word.bbox):
                    counts.count("role", text.role == piece.role)
                    if text.role != piece.role:
                        counts.errors[piece.role, text.role] += 1
                    found.add(text.id)
    return found


def _is_same(a: BBox, b: BBox) -> bool:
    return share_inside(a, grow(b, 20)) > 0.6


def _compare_joins(
    document: Document, article: Article, of_piece: dict[int, set[str]], counts: Counts
) -> None:
    paragraph_of = {name: part for part in document.paragraphs() for name in part.records}
    blocks: dict[int, list[int]] = defaultdict(list)
    for number, piece in enumerate(article.pieces):
        if piece.role == "paragraph":
            blocks[piece.block].append(number)
    for numbers in blocks.values():
        if len(numbers) > 1:
            parts = {id(paragraph_of[name]) for number in numbers for name in of_piece[number]}
            counts.count("joined", len(parts) == 1)


def read(path: Path, *, is_scan: bool) -> Document:
    """The document, in points of the PDF."""
    if not is_scan:
        return docai.process(path, effort="fast")
    with pymupdf.open(path) as pdf, pymupdf.open() as scan:
        for page in pdf:
            picture = page.get_pixmap(dpi=SCAN_DPI).tobytes("jpg")
            sheet = scan.new_page(width=page.rect.width, height=page.rect.height)
            sheet.insert_image(page.rect, stream=picture)
        return docai.process(scan.tobytes(), effort="fast")


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--count", type=int, default=12, help="articles")
    parser.add_argument("--first", type=int, default=1, help="seed of the first")
    parser.add_argument("--scan", action="store_true", help="read pictures of the pages")
    parser.add_argument("--outline", action="store_true", help="give the files bookmarks")
    parser.add_argument("--verbose", action="store_true", help="print each article")
    arguments = parser.parse_args()
    whole = Counts()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.first, arguments.first + arguments.count):
            path = Path(folder) / f"{seed}.pdf"
            article = draw_article(seed, path, outline=arguments.outline)
            counts = measure(read(path, is_scan=arguments.scan), article)
            whole.add(counts)
            if arguments.verbose:
                print(f"{seed}: {counts.summary()}; {dict(counts.errors)}", flush=True)
    print(f"{arguments.count} articles: {whole.summary()}")
    for (true, found), n in whole.errors.most_common(10):
        print(f"  {n} words of {true} as {found}")


if __name__ == "__main__":
    main()
