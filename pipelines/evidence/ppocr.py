"""PP-OCR as a second reader of the text of scans. A page is read once, whatever number of regions it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from docai.contents import TextContent
from docai.geometry import BBox, center, contains_center, grow
from docai.pipelines.evidence.base import MARGIN_POINTS, Need, Picture, ReaderInput, Reading
from docai.pipelines.external import ppocr
from docai.pipelines.external.ppocr import LETTER_HEIGHT_PX, MAX_SIDE_PX, SECONDS
from docai.pipelines.external.tesseract import letter_height
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.layout.segments import halftone_share
from docai.pipelines.words import lines_from_words
from docai.records import Evidence

if TYPE_CHECKING:
    from PIL.Image import Image

MIN_CONFIDENCE: Final = 0.85
"""Mean of the engine's own confidence in the words of a region from which a text is what it can read."""

MAX_HALFTONES: Final = 0.3
"""Share of the pixels that are neither white nor black from which a page is a photograph, whose letters
cannot be measured before they are read."""

MIN_SCALE, MAX_SCALE = 0.25, 4.0

PADDING_PX: Final = 20
"""White pixels around a picture: PP-OCR loses letters at the edge."""


@dataclass(frozen=True)
class OcrPageWord:
    """A word in page points, with how sure the engine is of it, 0…1."""

    word: PageWord
    confidence: float


class PageReader:
    """PP-OCR's words of pages, each page read once for all who ask."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._words: WeakKeyDictionary[Page, list[OcrPageWord]] = WeakKeyDictionary()

    def words_in(self, region: ReaderInput) -> list[OcrPageWord]:
        """Those whose centers are in the region, in the order of reading.

        Raises:
            ReaderError: the engine failed.
        """
        with self._lock:
            words = self._words.get(region.page)
            if words is None:
                words = self._words[region.page] = read_picture(region.page_picture, self._seconds)
        box = grow(region.bbox, MARGIN_POINTS)
        return [one for one in words if contains_center(box, one.word.bbox)]


def read_picture(picture: Picture, seconds: float = SECONDS) -> list[OcrPageWord]:
    """The words of a picture in page points, line by line.

    Raises:
        ReaderError: the engine failed.
    """
    found = ppocr.read_words(np.asarray(picture.image.convert("RGB")), seconds=seconds)
    return [
        OcrPageWord(PageWord(word.text, picture.to_page(word.box), 0, word.line), word.confidence)
        for word in found
    ]


class PpOcrReader:
    """What the readers of text and of tables share."""

    name: Final[Evidence] = "ppocr"
    yields_to_words: Final = True

    def __init__(self, pages: PageReader | None = None) -> None:
        self.pages = pages or PageReader()

    def available(self) -> str | None:
        """See :class:`~docai.pipelines.evidence.base.Reader`."""
        return ppocr.missing()


class PpOcr(PpOcrReader):
    """Reads text in Latin letters and in Chinese."""

    kinds: Final[frozenset[str]] = frozenset(("text",))
    needs: Final[frozenset[Need]] = frozenset(("page",))

    def read(self, region: ReaderInput) -> Reading:
        """Its words as lines with boxes, from the top."""
        words = self.pages.words_in(region)
        if not words:
            return Reading(self.name)
        lines = lines_from_words(words_in_rows(words))
        content = TextContent(text="\n".join(line.text for line in lines), lines=lines)
        mean = sum(one.confidence for one in words) / len(words)
        return Reading(self.name, content, content.text, complete=mean >= MIN_CONFIDENCE)


def words_in_rows(words: Sequence[OcrPageWord]) -> list[PageWord]:
    """The words row by row, from the left: lines of one height are pieces of one row."""
    rows: list[list[PageWord]] = []
    for one in sorted(words, key=lambda one: center(one.word.bbox)[1]):
        box = one.word.bbox
        row = rows[-1] if rows else None
        if row and _same_height(row[-1].bbox, box):
            row.append(one.word)
        else:
            rows.append([one.word])
    return [
        word._replace(line=number)
        for number, row in enumerate(rows)
        for word in sorted(row, key=lambda word: word.bbox[0])
    ]


def _same_height(a: BBox, b: BBox) -> bool:
    """Whether two words stand on one line: their middles are within each other."""
    middle_a, middle_b = (a[1] + a[3]) / 2, (b[1] + b[3]) / 2
    return a[1] <= middle_b <= a[3] or b[1] <= middle_a <= b[3]
