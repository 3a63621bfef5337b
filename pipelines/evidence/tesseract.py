"""Tesseract as a second reader of scans: of text, and of tables by its words and the picture's rules.

A table's grid is that of :mod:`docai.pipelines.tables.word_rows`, which reads born-digital tables from the
PDF's own words. Here the words come from :mod:`docai.pipelines.external.tesseract`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from docai.contents import TableContent, TextContent
from docai.geometry import BBox, PageTransform
from docai.pipelines.evidence.base import Need, Picture, ReaderInput, Reading
from docai.pipelines.external import tesseract
from docai.pipelines.external.tesseract import LETTER_HEIGHT_PX, PROGRAM, SAUVOLA, SECONDS, OcrWord
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.rulings import Rule, Rulings, merge_rules
from docai.pipelines.tables.word_rows import grid_from_words
from docai.pipelines.words import lines_from_words
from docai.records import Evidence

if TYPE_CHECKING:
    from PIL.Image import Image

POINT = 3.0
"""Pixels of the scaled picture that the grid takes for a point, so that its letters are those of a page of
print, on which the distances of :mod:`docai.pipelines.tables` are founded."""

MIN_TABLE_CONFIDENCE = 0.3
"""Mean of Tesseract's own confidence in its words from which a table is what it can read. Of published tables
it was seen to be 0.3 to 0.9, and to tell little of how well they were read."""

_BORDER = 30
"""White pixels around: Tesseract reads little at the edge of a picture."""

_RULE = 8
"""Pixels up to which a long horizontal or vertical run of ink is thin enough for a rule."""

_LEAST_RULE = round(3 * LETTER_HEIGHT_PX)
"""Pixels from which such a run is a rule: the stem of a letter is shorter."""

_SPECKS = frozenset("|_-—–~=.,:;'`\"\\/ ")
"""What is left of rules, and of dirt, is read as these. Alone they are no words, but for dashes."""

_DASHES = frozenset("-—–")


class _TesseractReader:
    """What the readers of text and of tables share."""

    name: Final[Evidence] = "tesseract"
    needs: Final[frozenset[Need]] = frozenset(("picture",))
    yields_to_words: Final = True

    def __init__(self, program: str = PROGRAM, *, seconds: float = SECONDS) -> None:
        self._program = program
        self._seconds = seconds

    def available(self) -> str | None:
        """See :class:`~docai.pipelines.evidence.base.Reader`."""
        return tesseract.missing(self._program)


@dataclass(frozen=True)
class _Sheet:
    """A picture as Tesseract is shown it."""

    gray: NDArray[np.uint8]
    """``(H, W)``, without its rules, and with a border."""
    scale: float
    """Its pixels per pixel of the picture."""
    rules: Rulings
    """In points of the grid."""

    def to_grid(self, box: BBox) -> BBox:
        """Its pixels to points of the grid."""
        x0, y0, x1, y1 = ((value - _BORDER) / POINT for value in box)
        return x0, y0, x1, y1

    def to_page(self, picture: Picture, box: BBox) -> BBox:
        """Points of the grid to points of the page."""
        x0, y0, x1, y1 = (value * POINT / self.scale for value in box)
        return picture.to_page((x0, y0, x1, y1))


class ScannedTables(_TesseractReader):
    """Reads tables where no text layer has their words."""

    kinds: Final[frozenset[str]] = frozenset(("table",))

    def read(self, region: ReaderInput) -> Reading:
        """The table it sees; None where its words stand in no two rows and columns."""
        picture = region.picture
        sheet = prepare(picture.image)
        words, mean_confidence = self._words(sheet)
        if not words:
            return Reading(self.name)
        grid = grid_from_words(words, sheet.rules)
        if grid is None or grid.n_rows < 2:
            return Reading(self.name)
        content = _on_page(grid, sheet, picture)
        return Reading(self.name, content, content.html, complete=mean_confidence >= MIN_TABLE_CONFIDENCE)

    def _words(self, sheet: _Sheet) -> tuple[list[PageWord], float]:
        """In points of the grid; and the mean of its confidences, 0…1."""
        words, confidences = [], []
        for word in tesseract.read_words(sheet.gray, seconds=self._seconds, program=self._program):
            if set(word.text) <= _SPECKS and not set(word.text) <= _DASHES:
                continue
            words.append(PageWord(word.text, sheet.to_grid(word.box), word.block, word.line))
            confidences.append(word.confidence)
        return words, sum(confidences) / max(1, len(confidences))


def prepare(image: Image) -> _Sheet:
    """A picture with letters of one height and no rules, and where the rules were."""
    large, scale = tesseract.scale_letters(np.asarray(image.convert("L")))
    level, upright = _strokes(large)
    for x0, y0, x1, y1 in (*level, *upright):
        large[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2] = 255
    rules = Rulings(
        tuple(merge_rules(Rule(x0 / POINT, x1 / POINT, (y0 + y1) / 2 / POINT) for x0, y0, x1, y1 in level)),
        tuple(merge_rules(Rule(y0 / POINT, y1 / POINT, (x0 + x1) / 2 / POINT) for x0, y0, x1, y1 in upright)),
    )
    return _Sheet(np.pad(large, _BORDER, constant_values=255), scale, rules)


def _strokes(gray: NDArray[np.uint8]) -> tuple[Sequence[tuple[int, int, int, int]], ...]:
    """Boxes of the level and of the upright rules, pixels."""
    import cv2

    ink = cv2.adaptiveThreshold(gray, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, 31, 12)
    height, width = gray.shape
    found = []
    for kernel, thin in (((1, max(_LEAST_RULE, width // 15)), 1), ((max(_LEAST_RULE, height // 15), 1), 0)):
        runs = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones(kernel, np.uint8))
        _, _, parts, _ = cv2.connectedComponentsWithStats(runs)
        boxes = [(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h, _ in parts[1:]]
        found.append([box for box in boxes if box[thin + 2] - box[thin] <= _RULE])
    return tuple(found)


def table_of_words(picture: Picture, words: Sequence[PageWord]) -> TableContent | None:
    """The table that words in page points and the rules of a picture make; None where they make none."""
    sheet = prepare(picture.image)
    transform = PageTransform(picture.x0, picture.y0, picture.scale * sheet.scale / POINT)
    placed = [word._replace(bbox=transform.to_pixels(word.bbox)) for word in words]
    grid = grid_from_words(placed, sheet.rules)
    return None if grid is None or grid.n_rows < 2 else _on_page(grid, sheet, picture)


def _on_page(grid: TableContent, sheet: _Sheet, picture: Picture) -> TableContent:
    cells = [
        cell if cell.bbox is None else cell.model_copy(update={"bbox": sheet.to_page(picture, cell.bbox)})
        for cell in grid.cells
    ]
    return grid.model_copy(update={"cells": cells})


MIN_CONFIDENCE = 0.8
"""Mean of Tesseract's own confidence in its words from which a text is what it can read. Of print in Latin
letters it was seen to be 0.89 to 0.97, of photographs and other scripts 0.26 to 0.49."""

MIN_REGULAR_SHARE = 0.9
"""Share of characters in regular words from which a text is what Tesseract can read. Of English print it was
seen to be 0.9 to 1; of photographs, of pages on their side and of other scripts, out of which it makes Latin
letters all the same, 0.2 to 0.85. Short texts of codes and numbers may fall below: they decide nothing."""

_MAX_PARAGRAPHS = 1 << 16
"""Of one block, more than there are."""

_REGULAR = re.compile(
    r"""[("'\[“‘«]*
    (?:[A-Z]?[a-z]+(?:['’-][A-Za-z]+)*|[A-Z]{2,}(?:['’]?s)?(?:-[A-Z]+)*|[$€£#]?\d+(?:[.,:/%-]*\d+)*%?)
    [.,;:!?)"'\]”’»]*""",
    re.VERBOSE,
)
"""A word in one case, capitalized or not, or a number, with punctuation around it."""


class Tesseract(_TesseractReader):
    """Reads English print."""

    kinds: Final[frozenset[str]] = frozenset(("text",))

    def read(self, region: ReaderInput) -> Reading:
        """Its words as lines with boxes, in its reading order."""
        picture = region.picture
        gray, scale = tesseract.scale_letters(np.asarray(picture.image.convert("L")))
        words = tesseract.read_words(
            gray,
            # Of words on a gray ground beside white paper the default sees none.
            thresholding=SAUVOLA,
            seconds=self._seconds,
            program=self._program,
        )
        lines = lines_from_words([_page_word(word, picture, scale) for word in words])
        if not lines:
            return Reading(self.name)
        content = TextContent(text="\n".join(line.text for line in lines), lines=lines)
        confidence = sum(word.confidence for word in words) / len(words)
        can_be_believed = confidence >= MIN_CONFIDENCE and regular_share(content.text) >= MIN_REGULAR_SHARE
        return Reading(self.name, content, content.text, complete=can_be_believed)


def _page_word(word: OcrWord, picture: Picture, scale: float) -> PageWord:
    x0, y0, x1, y1 = (value / scale for value in word.box)
    # Lines are counted in their paragraph, as paragraphs are in their block.
    block = word.block * _MAX_PARAGRAPHS + word.paragraph
    return PageWord(word.text, picture.to_page((x0, y0, x1, y1)), block, word.line)


def regular_share(text: str) -> float:
    """Share of the characters of a text that stand in regular words of two characters or more, 0…1."""
    words = text.split()
    regular = sum(len(word) for word in words if _REGULAR.fullmatch(word) and sum(map(str.isalnum, word)) > 1)
    return regular / max(1, sum(map(len, words)))
