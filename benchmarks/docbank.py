"""Measures words and reading order on pages of DocBank.

    python benchmarks/docbank.py [FOLDER] [--verbose]

FOLDER, by default ``pages/docbank`` of the real documents (``DOCAI_REAL_DATA``), has a one-page PDF and a
text file of one stem for each page; the text file has a token, its box in thousandths of the page, color,
font and class in each line (Li et al., "DocBank", 2020). No model is run. Prints for all pages

- ``words``: the share of the tokens that a record has at their place;
- ``next``: of two tokens in succession, both found, the share that are read in succession, too;
- ``order``: the share where the second is read after the first.

Tokens are compared in NFKC, with one kind of dash and of each quotation mark. Those of drawings
(``##LTLine##``, ``##LTFigure##``) do not count.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from common import need_folder, real_data, script_parser

from docai.geometry import BBox, center, contains_center, grow
from docai.pipelines.ingest import open_source
from docai.pipelines.layout import find_regions
from docai.pipelines.words import plain

MAX_DISTANCE = 8.0
"""Distance of the center of a token from the box of a word, thousandths of the page, up to which it may be
there: the boxes of formulas differ with the heights that fonts declare."""


def read_truth(path: Path) -> list[tuple[str, BBox]]:
    """Tokens and boxes in the order of the file."""
    tokens = []
    for line in path.read_text("utf-8").splitlines():
        text, *rest = line.split("\t")
        if len(rest) >= 4 and not text.startswith("##LT"):
            x0, y0, x1, y1 = map(float, rest[:4])
            tokens.append((plain(text), (x0, y0, x1, y1)))
    return tokens


MAX_JOINED_GAP = 1.5
"""Thousandths of the page between two tokens up to which no space is set between them, which takes four."""

MAX_JOINED_OVERLAP = 2.5
"""By which they may overlap: italics do, and boxes are in whole thousandths."""

MIN_JOINED_HEIGHT = 0.25
"""Share of the height of the lower one that they have in common: a subscript and its letter have a third."""


def printed_words(tokens: list[tuple[str, BBox]]) -> list[list[int]]:
    """Indexes of tokens that make one printed word each: a subscript or exponent is a token of its own."""
    if not tokens:
        return []
    x0, y0, x1, y1 = np.array([box for _, box in tokens]).T
    gaps = x0[None, :] - x1[:, None]
    shared = np.minimum(y1[:, None], y1) - np.maximum(y0[:, None], y0)
    is_next = (gaps <= MAX_JOINED_GAP) & (gaps >= -MAX_JOINED_OVERLAP) & (x0[None, :] > x0[:, None])
    is_next &= shared > MIN_JOINED_HEIGHT * np.minimum((y1 - y0)[:, None], y1 - y0)
    distance = np.where(is_next, np.abs(gaps), np.inf)
    after, before = distance.argmin(axis=1), distance.argmin(axis=0)
    numbers = np.arange(len(tokens))
    # The nearest of each other: of a letter with an exponent over a subscript one is left by itself.
    is_joined = np.isfinite(distance.min(axis=1)) & (before[after] == numbers)
    words: dict[int, list[int]] = {}
    first_of: dict[int, int] = {}
    for index in np.argsort(x0, kind="stable"):
        first = first_of.get(int(index), int(index))
        words.setdefault(first, []).append(int(index))
        if is_joined[index]:
            first_of[int(after[index])] = first
    return [words[first] for first in sorted(words)]


def is_unprinted(word: str) -> bool:
    """Whether the file has other characters than the page shows: glyphs without Unicode, letters drawn twice
    over each other, as for bold."""
    doubled = len(word) > 1 and len(word) % 2 == 0 and word[::2] == word[1::2]
    return "(cid:" in word or doubled


def read_words(path: Path) -> list[tuple[str, BBox]]:
    """Words of all regions in reading order, boxes in thousandths of the page."""
    with open_source(path) as source:
        page = next(iter(source.pages()))
        return [
            (plain(word.text), in_thousandths(word.bbox, page.width, page.height))
            for region in find_regions(page).regions
            for word in region.words
        ]


def ranks(truth: list[tuple[str, BBox]], words: list[tuple[str, BBox]]) -> list[int | None]:
    """For each token the place in the reading order of the word that it is part of; None without one."""
    found: list[int | None] = []
    for text, box in truth:
        y = center(box)[1]
        near = [
            (abs(center(other)[1] - y), index)
            for index, (word, other) in enumerate(words)
            if text in word and contains_center(grow(other, MAX_DISTANCE), box)
        ]
        found.append(min(near)[1] if near else None)
    return found


def in_thousandths(box: BBox, width: float, height: float) -> BBox:
    x, y = 1000 / width, 1000 / height
    return box[0] * x, box[1] * y, box[2] * x, box[3] * y


def main() -> None:
    parser = script_parser(__doc__)
    folder = real_data()
    default = None if folder is None else folder / "pages" / "docbank"
    parser.add_argument("folder", nargs="?", type=Path, default=default, help="pages and their truth")
    parser.add_argument("--verbose", action="store_true", help="print each page")
    arguments = parser.parse_args()
    sums = [0, 0, 0, 0, 0]
    for path in sorted(need_folder(arguments.folder).glob("*.pdf")):
        found = ranks(read_truth(path.with_suffix(".txt")), read_words(path))
        pairs = [(a, b) for a, b in pairwise(rank for rank in found if rank is not None)]
        values = (
            len(found),
            sum(rank is not None for rank in found),
            len(pairs),
            sum(b - a in (0, 1) for a, b in pairs),
            sum(b >= a for a, b in pairs),
        )
        sums = [total + value for total, value in zip(sums, values, strict=True)]
        if arguments.verbose:
            print(f"{path.stem}: {_shares(values)}")
    print(f"{sums[0]} tokens: {_shares(sums)}")


def _shares(values: tuple[int, ...] | list[int]) -> str:
    n_tokens, n_found, n_pairs, n_next, n_after = values
    return (
        f"words {n_found / max(1, n_tokens):.4f}, next {n_next / max(1, n_pairs):.4f}, "
        f"order {n_after / max(1, n_pairs):.4f}"
    )


if __name__ == "__main__":
    main()
