"""PP-OCR as a second reader of the text of scans. A page is read once, whatever number of regions it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np

from docai.contents import TextContent
from docai.geometry import BBox, TurnedFrame, area, center, grow, intersection
from docai.pipelines.evidence.base import MARGIN_POINTS, Need, Picture, ReaderInput, Reading
from docai.pipelines.external import ppocr
from docai.pipelines.external.ppocr import SECONDS, OcrWord
from docai.pipelines.external.programs import ReaderError
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.words import lines_from_words
from docai.records import Evidence

MAX_PART: Final = 0.7
"""Share of a page from which a region of it is read as the whole page is."""

MIN_CONFIDENCE: Final = 0.85
"""Mean of the engine's own confidence in the words of a region from which a text is what it can read."""


@dataclass(frozen=True)
class OcrPageWord:
    """A word in page points, with how sure the engine is of it, 0…1."""

    word: PageWord
    confidence: float
    after_space: bool = True
    """A space was read before it, or it begins its line; else it was cut off at a gap of the ink alone."""


@dataclass
class _ReadPage:
    """What is known of one page."""

    words: list[OcrPageWord] | None = None
    """Of the whole page; None: not read yet."""
    by_region: bool = False
    """Most of it is read by somebody else: of the rest only the regions that are asked for are looked at."""
    regions: dict[BBox, list[OcrPageWord]] = field(default_factory=dict)
    failure: ReaderError | None = None
    """Why it could not be read: it is not tried again."""
    is_told: bool = False
    """Somebody was told of that."""


class PageReader:
    """PP-OCR's words of pages, each page read once for all who ask."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._lock = Lock()
        self._pages: WeakKeyDictionary[Page, _ReadPage] = WeakKeyDictionary()

    def words_in(self, region: ReaderInput) -> list[OcrPageWord]:
        """Those whose centers are in the region, in the order of reading. Of a page that could not be read
        there are none.

        Raises:
            ReaderError: the engine failed on the page, which is said once.
        """
        with self._lock:
            words, page = self._words_near(region)
            if page.failure is not None and not page.is_told:
                page.is_told = True
                raise page.failure
        return [one for one in words if region.holds(one.word.bbox)]

    def seen(self, region: ReaderInput) -> list[OcrPageWord]:
        """All words of a page; none where it cannot be read, which whoever reads its regions says."""
        with self._lock:
            return self._words_near(region)[0]

    def read_by_region(self, page: Page) -> None:
        """Look at no more of a page from now on than at the regions that are asked for."""
        with self._lock:
            self._pages.setdefault(page, _ReadPage()).by_region = True

    def _words_near(self, region: ReaderInput) -> tuple[list[OcrPageWord], _ReadPage]:
        """The words of the page, or of the region and its margin."""
        page = self._pages.setdefault(region.page, _ReadPage())
        part = intersection(grow(region.bbox, MARGIN_POINTS), region.page.bbox)
        in_part = page.by_region and part is not None and area(part) < MAX_PART * area(region.page.bbox)
        known = page.regions.get(region.bbox) if in_part else None
        known = page.words if page.words is not None else known
        if known is not None or page.failure is not None:
            return known or [], page
        picture = region.page_picture
        try:
            words = read_picture(picture.part(part) if in_part and part else picture, self.seconds)
        except ReaderError as error:
            page.failure = error
            return [], page
        if in_part:
            page.regions[region.bbox] = words
        else:
            page.words = words
        return words, page


def read_picture(picture: Picture, seconds: float = SECONDS) -> list[OcrPageWord]:
    """The words of a picture in page points, line by line.

    Raises:
        ReaderError: the engine failed.
    """
    found = ppocr.read_words(np.asarray(picture.image.convert("RGB")), seconds=seconds)
    return [on_page(word, picture) for word in found]


def on_page(word: OcrWord, picture: Picture) -> OcrPageWord:
    """A word of a picture in page points."""
    placed = PageWord(word.text, picture.to_page(word.box), 0, word.line, angle=90.0 * word.quarters)
    return OcrPageWord(placed, word.confidence, word.after_space)


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
    """Reads text in Latin letters and in Chinese.

    Of Cyrillic, Greek, Arabic or Korean it makes nothing, or Latin letters that it is unsure of.
    """

    kinds: Final[frozenset[str]] = frozenset(("text",))
    needs: Final[frozenset[Need]] = frozenset(("page",))

    def read(self, region: ReaderInput) -> Reading:
        """Its words as lines with boxes, from the top; quality is the mean of their confidences."""
        words = [word for row in rows_of(self.pages.words_in(region)) for word in row]
        if not words:
            return Reading(self.name)
        confidences = [one.confidence for one in words]
        content = text_of([one.word for one in words], confidences)
        mean = sum(confidences) / len(words)
        return Reading(self.name, content, content.text, complete=mean >= MIN_CONFIDENCE, quality=mean)


def text_of(words: Sequence[PageWord], confidences: Sequence[float]) -> TextContent:
    """Words in their order as a text, each with its confidence, 0…1."""
    lines = lines_from_words(words)
    content = TextContent(text="\n".join(line.text for line in lines), lines=lines)
    return content.with_confidences([round(value, 4) for value in confidences])


def words_in_rows(words: Sequence[OcrPageWord]) -> list[PageWord]:
    """The words row by row, from the left: lines of one height are pieces of one row."""
    return [one.word for row in rows_of(words) for one in row]


def rows_of(words: Sequence[OcrPageWord]) -> list[list[OcrPageWord]]:
    """The words row by row, from the left, lines numbered anew; those that lie on their side come last."""
    rows: list[list[OcrPageWord]] = []
    for quarters in range(4):
        rows += _rows([one for one in words if round(one.word.angle / 90) % 4 == quarters], quarters)
    return [
        [replace(one, word=one.word._replace(line=number)) for one in row] for number, row in enumerate(rows)
    ]


def _rows(words: Sequence[OcrPageWord], quarters: int) -> list[list[OcrPageWord]]:
    """The rows of words that are turned clockwise by so many quarters."""
    frame = TurnedFrame(0, 0, (4 - quarters) % 4)
    boxed = [(frame.from_page(one.word.bbox), one) for one in words]
    rows: list[list[tuple[BBox, OcrPageWord]]] = []
    for box, one in sorted(boxed, key=lambda pair: center(pair[0])[1]):
        if rows and _same_height(rows[-1][-1][0], box):
            rows[-1].append((box, one))
        else:
            rows.append([(box, one)])
    return [[one for _, one in sorted(row, key=lambda pair: pair[0][0])] for row in rows]


def _same_height(a: BBox, b: BBox) -> bool:
    """Whether two words stand on one line: their middles are within each other."""
    middle_a, middle_b = (a[1] + a[3]) / 2, (b[1] + b[3]) / 2
    return a[1] <= middle_b <= a[3] or b[1] <= middle_a <= b[3]
