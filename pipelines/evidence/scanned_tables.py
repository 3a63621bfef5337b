"""Tables of scans: words of PP-OCR or Tesseract, and the grid that they make with the rules of the picture.

The grid is that of :mod:`docai.pipelines.tables.word_rows`, which reads born-digital tables from the PDF's
own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from docai.contents import TableContent
from docai.geometry import BBox, PageTransform
from docai.pipelines.evidence.base import Need, Picture, ReaderInput, Reading
from docai.pipelines.evidence.ppocr import MIN_CONFIDENCE, PpOcrReader, words_in_rows
from docai.pipelines.evidence.tesseract import TesseractReader
from docai.pipelines.external import tesseract
from docai.pipelines.external.tesseract import LETTER_HEIGHT_PX
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.rulings import Rule, Rulings, merge_rules
from docai.pipelines.tables.word_rows import grid_from_words

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


@dataclass(frozen=True)
class Sheet:
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


class ScannedTables(TesseractReader):
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

    def _words(self, sheet: Sheet) -> tuple[list[PageWord], float]:
        """In points of the grid; and the mean of its confidences, 0…1."""
        words, confidences = [], []
        for word in tesseract.read_words(sheet.gray, seconds=self.seconds, program=self.program):
            if set(word.text) <= _SPECKS and not set(word.text) <= _DASHES:
                continue
            words.append(PageWord(word.text, sheet.to_grid(word.box), word.block, word.line))
            confidences.append(word.confidence)
        return words, sum(confidences) / max(1, len(confidences))


def prepare(image: Image) -> Sheet:
    """A picture with letters of one height and no rules, and where the rules were."""
    large, scale = tesseract.scale_letters(np.asarray(image.convert("L")))
    level, upright = _strokes(large)
    for x0, y0, x1, y1 in (*level, *upright):
        large[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2] = 255
    rules = Rulings(
        tuple(merge_rules(Rule(x0 / POINT, x1 / POINT, (y0 + y1) / 2 / POINT) for x0, y0, x1, y1 in level)),
        tuple(merge_rules(Rule(y0 / POINT, y1 / POINT, (x0 + x1) / 2 / POINT) for x0, y0, x1, y1 in upright)),
    )
    return Sheet(np.pad(large, _BORDER, constant_values=255), scale, rules)


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


def _on_page(grid: TableContent, sheet: Sheet, picture: Picture) -> TableContent:
    cells = [
        cell if cell.bbox is None else cell.model_copy(update={"bbox": sheet.to_page(picture, cell.bbox)})
        for cell in grid.cells
    ]
    return grid.model_copy(update={"cells": cells})


class PpOcrTables(PpOcrReader):
    """Reads tables where no text layer has their words."""

    kinds: Final[frozenset[str]] = frozenset(("table",))
    needs: Final[frozenset[Need]] = frozenset(("page", "picture"))

    def read(self, region: ReaderInput) -> Reading:
        """The table it sees; None where its words stand in no two rows and columns."""
        words = self.pages.words_in(region)
        table = table_of_words(region.picture, words_in_rows(words)) if words else None
        if table is None:
            return Reading(self.name)
        mean = sum(one.confidence for one in words) / len(words)
        return Reading(self.name, table, table.html, complete=mean >= MIN_CONFIDENCE)
