"""Tables of scans: words of PP-OCR or Tesseract, and the grid that they make with the rules of the picture.

The grid is that of :mod:`docai.pipelines.tables`, which reads born-digital tables from the PDF's own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from docai.contents import TableContent
from docai.geometry import PageTransform
from docai.pipelines.evidence.base import Need, Picture, ReaderInput, Reading
from docai.pipelines.evidence.ppocr import OcrPageWord, PpOcrReader
from docai.pipelines.evidence.table_dashes import with_dashes
from docai.pipelines.evidence.table_quality import SeenTable, TableClues, reading_of_table
from docai.pipelines.evidence.table_sheet import Sheet, on_page, prepare
from docai.pipelines.evidence.table_words import with_word_confidences
from docai.pipelines.evidence.tesseract import TesseractReader
from docai.pipelines.external import tesseract
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.finder import best_grid, boxes_by_rules
from docai.pipelines.tables.rulings import Rulings

__all__ = ["PpOcrTables", "ScannedTables", "prepare", "table_of_words"]

_SPECKS = frozenset("|_-—–~=.,:;'`\"\\/ ")
"""What is left of rules, and of dirt, is read as these. Alone they are no words, but for dashes."""

_DASHES = frozenset("-—–")


class PpOcrTables(PpOcrReader):
    """Reads tables where no text layer has their words."""

    kinds: Final[frozenset[str]] = frozenset(("table",))
    needs: Final[frozenset[Need]] = frozenset(("page", "picture"))

    def read(self, region: ReaderInput) -> Reading:
        """The table it sees; None where its words stand in no two rows and columns."""
        seen = self.examine(region)
        return Reading(self.name) if seen is None else reading_of_table(self.name, seen)

    def examine(self, region: ReaderInput) -> SeenTable | None:
        """The same with what its quality is judged by."""
        words = with_dashes(self.pages.words_in(region), region.picture)
        if not words:
            return None
        clues = TableClues.of_picture(region.picture, words)
        table = grid_of_words(clues.words, clues.rules)
        if table is None:
            return None
        return SeenTable(with_word_confidences(on_page(table, clues.frame), words), clues)


class ScannedTables(TesseractReader):
    """Reads tables where no text layer has their words."""

    kinds: Final[frozenset[str]] = frozenset(("table",))

    def read(self, region: ReaderInput) -> Reading:
        """The table it sees; None where its words stand in no two rows and columns."""
        picture = region.picture
        sheet = prepare(picture.image)
        frame = sheet.frame(picture)
        words = self._words(sheet, frame)
        if not words:
            return Reading(self.name)
        clues = TableClues.of_words(sheet.rules, frame, words)
        table = grid_of_words(
            [one.word._replace(bbox=frame.to_pixels(one.word.bbox)) for one in words], sheet.rules
        )
        if table is None:
            return Reading(self.name)
        seen = SeenTable(with_word_confidences(on_page(table, frame), words), clues)
        return reading_of_table(self.name, seen)

    def _words(self, sheet: Sheet, frame: PageTransform) -> list[OcrPageWord]:
        """In page points, as Tesseract numbers their blocks and lines."""
        words = []
        for word in tesseract.read_words(sheet.gray, seconds=self.seconds, program=self.program):
            if set(word.text) <= _SPECKS and not set(word.text) <= _DASHES:
                continue
            box = frame.to_page(sheet.from_pixels(word.box))
            words.append(OcrPageWord(PageWord(word.text, box, word.block, word.line), word.confidence))
        return words


def grid_of_words(words: Sequence[PageWord], rules: Rulings) -> TableContent | None:
    """The table that words and rules make, both in points of the frame of
    :mod:`~docai.pipelines.evidence.table_sheet`; None where they make no two rows. Boxes of cells are those
    of their words."""
    grid = best_grid(boxes_by_rules(words, rules), words, rules)
    return None if grid is None or grid.n_rows < 2 else grid


def table_of_words(picture: Picture, words: Sequence[PageWord]) -> TableContent | None:
    """The table that words in page points and the rules of a picture make; None where they make none."""
    sheet = prepare(picture.image)
    frame = sheet.frame(picture)
    placed = [word._replace(bbox=frame.to_pixels(word.bbox)) for word in words]
    table = grid_of_words(placed, sheet.rules)
    return None if table is None else on_page(table, frame)
