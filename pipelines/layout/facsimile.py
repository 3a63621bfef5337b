"""A PDF page in the likeness of a scanned one, for the layout model, which reads pages of PDFs alone.

The model looks at where lines of text are, how large they are, how much of them is digits, and at a picture
of the page. The facsimile has all of these: the words as an OCR engine read them, or runs of the letter "n"
where none did, each at its place and in its size, and over them the picture of the page itself.

On 8 drawn pages as scans that were not looked at before (``benchmarks/regions.py --scan --count 8 --seed
30``) regions were found with a precision and recall of 0.963 and 0.985 with letters "n" alone, and of 0.992
and 0.985 with words and picture (``--read``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
import pymupdf

from docai.geometry import BBox
from docai.pipelines.layout.types import WordBox
from docai.pipelines.pixels import Gray

CAPITAL, LOWERCASE, DESCENT = 0.72, 0.53, 0.21
"""Heights of capitals and of lowercase letters above the baseline, and depth of descenders below it, in sizes
of the font: Helvetica's, and those of most fonts within a tenth."""

MIN_SIZE: Final = 4.0
"""Points of the smallest font."""

MIN_WORDS_TO_MEASURE: Final = 20
"""Words that tell the usual size of a page."""

WIDTH_OF_N: Final = 0.556
"""Of the letter in Helvetica, in sizes of the font."""

MAX_SIZE_CHANGE: Final = 0.2
"""Share of a size by which lines may differ from the usual one of their page and still be set in it: what is
measured of few letters is not exact."""

_SHORT = frozenset("acemnorsuvwxzgpqy.,:;-–—_=+~·•<>«»")
"""Characters that stay below the height of capitals."""

_DEEP = frozenset("gjpqy,;()[]{}|/@§Qµ")
"""Characters that reach below the baseline."""


FONT: Final = "helv"
"""Helvetica, as PyMuPDF calls it."""

_ESCAPES: Final = str.maketrans({sign: f"\\{sign}" for sign in "()\\"})
"""Of signs that mean something in a string of PDF."""


class Run(NamedTuple):
    """One word as it is set: points, ``size`` that of the font."""

    text: str
    x0: float
    x1: float
    baseline: float
    size: float


def facsimile(
    runs: Sequence[Run], width: float, height: float, picture: Gray | None = None
) -> pymupdf.Document:
    """A document of one page of ``width`` by ``height`` points with these words.

    Args:
        picture: of the scanned page, any size; it covers the words, which can be found below it all the same.
    """
    document = pymupdf.open()
    page = document.new_page(width=width, height=height)
    page.insert_font(fontname=FONT)
    # One stream for all of them: Page.insert_text looks up the fonts of the page for each.
    stream = document.get_new_xref()
    document.update_object(stream, "<<>>")
    document.update_stream(stream, "\n".join(_set_words(runs, height)).encode("latin-1"))
    page.set_contents(stream)
    if picture is not None:
        # The model draws the page with a pixel for each point.
        size = max(1, math.ceil(width)), max(1, math.ceil(height))
        small = np.ascontiguousarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
        pixmap = pymupdf.Pixmap(pymupdf.csGRAY, *size, small.tobytes(), False)
        page.insert_image(page.rect, pixmap=pixmap, keep_proportion=False)
    return document


def _set_words(runs: Sequence[Run], height: float) -> Iterator[str]:
    """Words as operators of PDF (ISO 32000-1, 9.4), each stretched to its width; y runs up there."""
    font = pymupdf.Font(FONT)
    for run in runs:
        natural = font.text_length(run.text, run.size)
        if natural > 0:
            stretch, y = 100 * (run.x1 - run.x0) / natural, height - run.baseline
            text = run.text.translate(_ESCAPES)
            font_and_place = f"/{FONT} {run.size:.6g} Tf {stretch:.7g} Tz 1 0 0 1 {run.x0:.7g} {y:.7g} Tm"
            yield f"BT {font_and_place} ({text}) Tj ET"


def runs_of_letters(rows: Sequence[Sequence[BBox]], words: Sequence[Sequence[BBox]]) -> list[Run]:
    """Runs of the letter "n" in the place of words.

    Args:
        rows: boxes of the letters of each line, points.
        words: boxes of the words of each line, points.
    """
    runs = []
    for row, of_row in zip(rows, words, strict=True):
        if not row:
            continue
        baseline = float(np.median([box[3] for box in row]))
        top = float(np.percentile([box[1] for box in row], 5))
        size = max(MIN_SIZE, (baseline - top) / CAPITAL)
        for x0, _, x1, _ in of_row:
            text = "n" * max(1, round((x1 - x0) / (WIDTH_OF_N * size)))
            runs.append(Run(text, x0, x1, baseline, size))
    return runs


def usual_size(words: Sequence[WordBox]) -> float | None:
    """The size of the font of most words, points; None where there are none."""
    if not words:
        return None
    sizes = [_size_of([word]) for word in words]
    return float(np.median(np.repeat(sizes, [len(word.text) for word in words])))


def runs_of_words(words: Sequence[WordBox]) -> list[Run]:
    """Words that were read, line by line: baseline and size are those by which their letters fill their
    boxes, which are tight on the ink."""
    lines: dict[tuple[int, int], list[WordBox]] = defaultdict(list)
    for word in words:
        lines[word.line].append(word)
    set_lines = [(_size_of(line), line) for line in lines.values()]
    usual = float(np.median([size for size, line in set_lines for _ in line])) if set_lines else MIN_SIZE
    runs = []
    for measured, line in set_lines:
        size = max(MIN_SIZE, measured)
        if abs(size - usual) <= MAX_SIZE_CHANGE * usual:
            size = usual
        bottoms = [word.bbox[3] - (DESCENT * size if _is_deep(word.text) else 0.0) for word in line]
        baseline = float(np.median(bottoms))
        runs += [Run(_latin(word.text), word.bbox[0], word.bbox[2], baseline, size) for word in line]
    return runs


def _size_of(line: Sequence[WordBox]) -> float:
    """Of the font, by the words of a line: the median of what its letters tell."""
    sizes = []
    for word in line:
        top = LOWERCASE if set(word.text) <= _SHORT else CAPITAL
        extent = top + (DESCENT if _is_deep(word.text) else 0.0)
        sizes += [(word.bbox[3] - word.bbox[1]) / extent] * len(word.text)
    return float(np.median(sizes)) if sizes else MIN_SIZE


def _is_deep(text: str) -> bool:
    return not _DEEP.isdisjoint(text)


def _latin(text: str) -> str:
    """The text in the characters that the font has."""
    return "".join(letter if letter.isprintable() and ord(letter) < 256 else "n" for letter in text)
