"""Measures the roles that text is given, by the classes of DocBank's words, and the order it is read in.

    python benchmarks/structure.py [FOLDER] [--scan] [--verbose]

FOLDER, by default ``pages/docbank`` of the real documents (``DOCAI_REAL_DATA``), has for each page a one-page
PDF, with ``--scan`` a JPEG, and a text file of the same stem with a token, its box in thousandths of the
page, color, font and class in each line (Li et al., "DocBank", 2020). Pages are read as ``docai process
--effort fast`` does. Prints, for the pages the rules were developed on (every other one by name, from the
first), for the others, and for all

- ``class``: the share of the tokens whose class is that of the record at their place, and for each class its
  precision, recall and number of tokens;
- ``order``: of two tokens in succession, both found in the records by place and text, the share where the
  second is read after the first; ``next``: where they are read in succession.

The class of a token is found by place alone: that of the word of a record at its center, else of the smallest
record there. DocBank has no class for running heads and page numbers: it calls them paragraphs, and its
``footer`` is what a footnote is here. Titles, authors, abstracts and dates are not on these pages. Drawings
(``##LTLine##``, ``##LTFigure##``) do not count.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from common import need_folder, real_data, script_parser
from docbank import in_thousandths, ranks

import docai
from docai.contents import Word
from docai.document import Document
from docai.geometry import BBox, area, center, contains_center
from docai.pipelines.words import plain
from docai.records import Record, Text

CLASS_OF_ROLE: Mapping[str, str] = {
    "title": "title",
    "section-heading": "section",
    "paragraph": "paragraph",
    "list-item": "list",
    "caption": "caption",
    "footnote": "footer",
    "page-header": "paragraph",
    "page-footer": "paragraph",
    "formula": "equation",
    "reference": "reference",
    "code": "paragraph",
}
"""DocBank's class for the words of a text of each role."""

CLASS_OF_KIND: Mapping[str, str] = {
    "table": "table",
    "molecule": "figure",
    "score": "figure",
    "figure": "figure",
}

NONE = "none"
"""Class of a token at whose place is no record."""


@dataclass
class Tally:
    """Counts over some pages."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    """True class, class found → tokens."""
    n_pairs: int = 0
    n_after: int = 0
    n_next: int = 0

    def add(self, other: Tally) -> None:
        self.pairs.update(other.pairs)
        self.n_pairs += other.n_pairs
        self.n_after += other.n_after
        self.n_next += other.n_next

    def summary(self) -> str:
        n = self.pairs.total()
        right = sum(count for (true, found), count in self.pairs.items() if true == found)
        after, directly = self.n_after / max(1, self.n_pairs), self.n_next / max(1, self.n_pairs)
        return f"{n} tokens: class {right / max(1, n):.4f}, order {after:.4f}, next {directly:.4f}"

    def by_class(self) -> Iterable[str]:
        for name in sorted({true for true, _ in self.pairs}):
            n_true = sum(count for (true, _), count in self.pairs.items() if true == name)
            n_found = sum(count for (_, found), count in self.pairs.items() if found == name)
            right = self.pairs[name, name]
            errors = ", ".join(
                f"{count} as {found}"
                for (true, found), count in self.pairs.most_common()
                if true == name and found != name
            )
            yield (
                f"  {name:10} precision {right / max(1, n_found):.3f}, recall {right / max(1, n_true):.3f} "
                f"of {n_true}{f'; {errors}' if errors else ''}"
            )


@dataclass(frozen=True)
class Token:
    """One token of DocBank; its box in thousandths of the page."""

    text: str
    bbox: BBox
    name: str
    """Its class."""


def read_tokens(path: Path) -> list[Token]:
    """The tokens of a page in the order of the file."""
    tokens = []
    for line in path.read_text("utf-8").splitlines():
        text, *rest = line.split("\t")
        if len(rest) == 9 and not text.startswith("##LT"):
            x0, y0, x1, y1 = map(float, rest[:4])
            tokens.append(Token(plain(text), (x0, y0, x1, y1), rest[8]))
    return tokens


def class_of(record: Record) -> str:
    """DocBank's class for what a record holds."""
    return CLASS_OF_ROLE[record.role] if isinstance(record, Text) else CLASS_OF_KIND[record.kind]


def measure(document: Document, tokens: list[Token]) -> Tally:
    """Compare a document of one page with its tokens."""
    (page,) = document.pages
    words: list[tuple[str, BBox, str]] = []
    boxes: list[tuple[BBox, str]] = []
    for record in document.records:
        name = class_of(record)
        boxes.append((in_thousandths(record.bbox, page.width, page.height), name))
        for word in words_of(record):
            if word.bbox is not None:
                box = in_thousandths(word.bbox, page.width, page.height)
                words.append((plain(word.text), box, name))
    tally = Tally()
    for token in tokens:
        tally.pairs[token.name, found_class(token, words, boxes)] += 1
    found = ranks([(token.text, token.bbox) for token in tokens], [(text, box) for text, box, _ in words])
    for a, b in pairwise(rank for rank in found if rank is not None):
        tally.n_pairs += 1
        tally.n_after += b >= a
        tally.n_next += b - a in (0, 1)
    return tally


def words_of(record: Record) -> list[Word]:
    """The words of a record that have places, in reading order."""
    return [word for line in record.lines for word in line.words] if isinstance(record, Text) else []


def found_class(token: Token, words: list[tuple[str, BBox, str]], boxes: list[tuple[BBox, str]]) -> str:
    """The class of the word at the place of a token, nearest in height, else of the smallest record."""
    y = center(token.bbox)[1]
    here = [(abs(center(box)[1] - y), name) for _, box, name in words if contains_center(box, token.bbox)]
    if here:
        return min(here)[1]
    around = [(area(box), name) for box, name in boxes if contains_center(box, token.bbox)]
    return min(around)[1] if around else NONE


def main() -> None:
    parser = script_parser(__doc__)
    folder = real_data()
    default = None if folder is None else folder / "pages" / "docbank"
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="pages and their truth")
    parser.add_argument("--scan", action="store_true", help="read the pictures of the pages")
    parser.add_argument("--verbose", action="store_true", help="print each page")
    arguments = parser.parse_args()
    halves = [Tally(), Tally()]
    for number, path in enumerate(sorted(need_folder(arguments.folder).glob("*.txt"))):
        tally = read_and_measure(path, arguments)
        halves[number % 2].add(tally)
    whole = Tally()
    for name, half in zip(("developed on", "others"), halves, strict=True):
        whole.add(half)
        print(f"{name}: {half.summary()}")
    print(f"all: {whole.summary()}")
    for line in whole.by_class():
        print(line)


def read_and_measure(path: Path, arguments: argparse.Namespace) -> Tally:
    """Read the page whose truth is in the file ``path``."""
    source = path.with_suffix(".jpg" if arguments.scan else ".pdf")
    tally = measure(docai.process(source, effort="fast"), read_tokens(path))
    if arguments.verbose:
        print(f"{path.stem}: {tally.summary()}", flush=True)
        for line in tally.by_class():
            print(line)
    return tally


if __name__ == "__main__":
    main()
