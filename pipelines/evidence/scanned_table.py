"""Tables of scans: Tesseract's words in the grid that they and the picture's rules make.

The grid is that of :mod:`docai.pipelines.tables.word_rows`, which reads born-digital tables from the PDF's
own words. Here the words come from the program ``tesseract``, told to take the region for one block of text
(``--psm 6``): left to find blocks itself it was seen to lose a third of the cells.
"""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from docai.contents import TableContent
from docai.geometry import BBox
from docai.pipelines.evidence.base import Need, Picture, ReaderInput, Reading
from docai.pipelines.evidence.tesseract import LANGUAGE
from docai.pipelines.external import programs
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.rulings import Rule, Rulings, merge_rules
from docai.pipelines.tables.word_rows import grid_from_words
from docai.records import Evidence

if TYPE_CHECKING:
    from PIL.Image import Image

PROGRAM = "tesseract"

SECONDS = 60.0
"""For one region. A table takes one to five on an idle processor."""

MAX_BYTES = 8 << 20

LETTER = 26.0
"""Height in pixels that letters are scaled to: at 20 Tesseract lost a tenth of the cells of published tables,
at 32 it was slower and no better."""

MAX_SCALE = 5.0

MAX_PIXELS = 16_000_000
"""Of the scaled picture; a larger one is scaled less."""

POINT = 3.0
"""Pixels of the scaled picture that the grid takes for a point, so that its letters are those of a page of
print, on which the distances of :mod:`docai.pipelines.tables` are founded."""

CLEAR = 0.3
"""Mean of Tesseract's own confidence in its words from which a table is what it can read. Of published tables
it was seen to be 0.3 to 0.9, and to tell little of how well they were read."""

_BORDER = 30
"""White pixels around: Tesseract reads little at the edge of a picture."""

_RULE = 8
"""Pixels up to which a run of ink that is long and level, or long and upright, is thin enough for a rule."""

_LEAST_RULE = round(3 * LETTER)
"""Pixels from which such a run is a rule: the stem of a letter is shorter."""

_SPECKS = frozenset("|_-—–~=.,:;'`\"\\/ ")
"""What is left of rules, and of dirt, is read as these. Alone they are no words, but for dashes."""

_DASHES = frozenset("-—–")


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


class ScannedTables:
    """Reads tables where no text layer has their words."""

    name: Final[Evidence] = "tesseract"
    kinds: Final[frozenset[str]] = frozenset(("table",))
    needs: Final[frozenset[Need]] = frozenset(("picture",))
    yields_to_words: Final = True

    def __init__(self, program: str = PROGRAM, *, seconds: float = SECONDS) -> None:
        self._program = program
        self._seconds = seconds

    def available(self) -> str | None:
        """See :class:`~docai.pipelines.evidence.base.Reader`."""
        return programs.missing(self._program, "tesseract-ocr")

    def read(self, region: ReaderInput) -> Reading:
        """The table it sees; None where its words stand in no two rows and columns."""
        picture = region.picture
        sheet = prepare(picture.image)
        words, sure = self._words(sheet)
        if not words:
            return Reading(self.name)
        grid = grid_from_words(words, sheet.rules)
        if grid is None or grid.n_rows < 2:
            return Reading(self.name)
        content = _on_page(grid, sheet, picture)
        return Reading(self.name, content, content.html, complete=sure >= CLEAR)

    def _words(self, sheet: _Sheet) -> tuple[list[PageWord], float]:
        """In points of the grid; and the mean of its confidences, 0…1."""
        from PIL import Image

        found = programs.find(self._program)
        with tempfile.TemporaryDirectory(prefix="docai-") as folder:
            file = Path(folder) / "table.png"
            Image.fromarray(sheet.gray).save(file, compress_level=1)
            told = programs.run(
                [found, file, "stdout", "-l", LANGUAGE, "--psm", "6", "--dpi", "300", "tsv"],
                seconds=self._seconds,
                max_bytes=MAX_BYTES,
            )
        rows = csv.DictReader(
            io.StringIO(told.decode("utf-8", "replace")), delimiter="\t", quoting=csv.QUOTE_NONE
        )
        words, sure = [], []
        for row in rows:
            text = (row.get("text") or "").strip()
            if row["level"] != "5" or not text or (set(text) <= _SPECKS and not set(text) <= _DASHES):
                continue
            left, top = float(row["left"]), float(row["top"])
            box = (left, top, left + float(row["width"]), top + float(row["height"]))
            words.append(PageWord(text, sheet.to_grid(box), int(row["block_num"]), int(row["line_num"])))
            sure.append(max(0.0, float(row["conf"])) / 100)
        return words, sum(sure) / max(1, len(sure))


def prepare(image: Image) -> _Sheet:
    """A picture with letters of one height and no rules, and where the rules were."""
    import cv2

    gray: NDArray[np.uint8] = np.asarray(image.convert("L"))
    most = min(MAX_SCALE, (MAX_PIXELS / max(1, gray.size)) ** 0.5)
    scale = min(max(LETTER / letter_height(gray), 0.25), most)
    how = cv2.INTER_LANCZOS4 if scale > 1 else cv2.INTER_AREA
    large = np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=how), dtype=np.uint8).copy()
    level, upright = _strokes(large)
    for x0, y0, x1, y1 in (*level, *upright):
        large[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2] = 255
    rules = Rulings(
        tuple(merge_rules(Rule(x0 / POINT, x1 / POINT, (y0 + y1) / 2 / POINT) for x0, y0, x1, y1 in level)),
        tuple(merge_rules(Rule(y0 / POINT, y1 / POINT, (x0 + x1) / 2 / POINT) for x0, y0, x1, y1 in upright)),
    )
    return _Sheet(np.pad(large, _BORDER, constant_values=255), scale, rules)


def letter_height(gray: NDArray[np.uint8]) -> float:
    """Median height, in pixels, of the parts of the ink that may be letters; 20 where there are none."""
    import cv2

    _, ink = cv2.threshold(gray, 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    _, _, parts, _ = cv2.connectedComponentsWithStats(ink)
    heights, areas = parts[1:, cv2.CC_STAT_HEIGHT], parts[1:, cv2.CC_STAT_AREA]
    letters = heights[(heights >= 3) & (heights <= max(60, gray.shape[0] // 8)) & (areas >= 4)]
    return float(np.median(letters)) if len(letters) else 20.0


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


def _on_page(grid: TableContent, sheet: _Sheet, picture: Picture) -> TableContent:
    cells = [
        cell if cell.bbox is None else cell.model_copy(update={"bbox": sheet.to_page(picture, cell.bbox)})
        for cell in grid.cells
    ]
    return grid.model_copy(update={"cells": cells})
