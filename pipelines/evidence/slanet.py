"""SLANet as a second reader of tables: its rows and cells, with PP-OCR's words in them."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from docai.contents import TableContent
from docai.geometry import BBox, PageTransform, clip, grow, union
from docai.parsers.base import IssueLog
from docai.parsers.table_grid import RawCell, build_table
from docai.pipelines.evidence.base import Need, Picture, ReaderInput, Reading
from docai.pipelines.evidence.ppocr import OcrPageWord, PageReader
from docai.pipelines.evidence.table_dashes import with_dashes
from docai.pipelines.evidence.table_quality import SeenTable, TableClues, reading_of_table
from docai.pipelines.evidence.table_words import fill_with_words
from docai.pipelines.external import ppocr, slanet
from docai.pipelines.external.slanet import TableStructure
from docai.records import Evidence

MARGIN_HEIGHTS: Final = 0.4
"""White around the words, in heights of a word, that the network is shown: it was trained on pictures cut to
their table, and reads a table in a wide margin worse."""


class SlanetTables:
    """Reads tables where no text layer has their words."""

    name: Final[Evidence] = "slanet"
    yields_to_words: Final = True
    kinds: Final[frozenset[str]] = frozenset(("table",))
    needs: Final[frozenset[Need]] = frozenset(("page", "picture"))

    def __init__(self, pages: PageReader | None = None, seconds: float = slanet.SECONDS) -> None:
        self.pages = pages or PageReader()
        self._seconds = seconds

    def available(self) -> str | None:
        """See :class:`~docai.pipelines.evidence.base.Reader`."""
        return ppocr.missing() or slanet.missing()

    def read(self, region: ReaderInput) -> Reading:
        """The table it sees; None where there are no words, or no two rows and columns."""
        seen = self.examine(region)
        return Reading(self.name) if seen is None else reading_of_table(self.name, seen)

    def examine(self, region: ReaderInput) -> SeenTable | None:
        """The same with what its quality is judged by.

        Raises:
            ReaderError: the network is not here, or failed.
        """
        words = with_dashes(self.pages.words_in(region), region.picture)
        if not words:
            return None
        height = float(np.median([one.word.bbox[3] - one.word.bbox[1] for one in words]))
        shown = _cut_to_words(region.picture, words, MARGIN_HEIGHTS * height)
        structure = slanet.read_structure(
            np.asarray(shown.image), letter_height=height * shown.scale, seconds=self._seconds
        )
        cells = _raw_cells(structure, shown)
        grid = build_table([cells[: structure.n_head_rows], cells[structure.n_head_rows :]], IssueLog())
        if grid.n_rows < 2 or grid.n_cols < 2:
            return None
        table = fill_with_words(grid, words)
        clues = TableClues.of_picture(region.picture, words)
        return SeenTable(table, clues, _own_features(structure, table))


def _own_features(structure: TableStructure, table: TableContent) -> dict[str, float]:
    """What the network says of its own structure, and what no structure should have."""
    rows = {cell.row for cell in table.cells if cell.text}
    cols = {cell.col for cell in table.cells if cell.text}
    return {
        "unsure_tags": 1 - structure.score,
        "unsure_tag": 1 - structure.least,
        "cut_off": float(not structure.is_whole),
        "empty_rows": math.log1p(table.n_rows - len(rows)),
        "empty_cols": math.log1p(table.n_cols - len(cols)),
    }


def _cut_to_words(picture: Picture, words: list[OcrPageWord], margin: float) -> Picture:
    """The part of a picture that shows the words, with a margin in points."""
    around = grow(union([one.word.bbox for one in words]), margin)
    pixels = PageTransform(picture.x0, picture.y0, picture.scale).to_pixels(around)
    x0, y0, x1, y1 = (round(value) for value in clip(pixels, *picture.image.size))
    part = picture.image.crop((x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))).convert("RGB")
    return Picture(part, picture.scale, picture.x0 + x0 / picture.scale, picture.y0 + y0 / picture.scale)


def _raw_cells(structure: TableStructure, shown: Picture) -> list[list[RawCell]]:
    return [
        [
            RawCell(
                row_span=cell.row_span,
                col_span=cell.col_span,
                is_header=number < structure.n_head_rows,
                bbox=_on_page(cell.box, shown),
            )
            for cell in row
        ]
        for number, row in enumerate(structure.rows)
    ]


def _on_page(box: BBox, shown: Picture) -> BBox:
    return shown.to_page(clip(box, *shown.image.size))
