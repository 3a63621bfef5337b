"""A scanned page read cheaply: by Tesseract as a whole, and by PP-OCR where that leaves a doubt.

Tesseract reads a page in a quarter of the time that PP-OCR takes. On clean print in Latin letters it does as
well, and it knows where it does not: of 9,200 words of 24 pages those that it was surest of (0.96 and more)
were right in 99 of 100 cases, those below 0.8 in one of four. So doubtful words are read again by PP-OCR,
which is shown them with their neighbors, and so are letters that no word covers. Of each of these words the
readings are weighed (:mod:`docai.pipelines.evidence.text_vote`).

Where more of a page is in doubt than that would be cheap for, where it is a photograph, or hardly what an
English reader can read, it is left to PP-OCR alone, which finds the lines itself. Other languages in Latin
letters Tesseract's data reads without their accents, and is as sure of that: the ink tells
(:mod:`docai.pipelines.external.letter_marks`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import Final
from weakref import WeakKeyDictionary, WeakSet

import numpy as np

from docai.contents import TextContent
from docai.geometry import BBox, union
from docai.pipelines.evidence.base import Need, Picture, ReaderInput, Reading
from docai.pipelines.evidence.ppocr import MIN_CONFIDENCE, OcrPageWord, PageReader, on_page, rows_of, text_of
from docai.pipelines.evidence.tesseract import Tesseract, regular_share
from docai.pipelines.evidence.text_vote import DOUBTFUL_WORD, join_texts
from docai.pipelines.evidence.trust import PAGE_WORD, word_trust
from docai.pipelines.external import ppocr, tesseract
from docai.pipelines.external.letter_lines import chosen_lines, lines_of_letters, with_ground
from docai.pipelines.external.letter_marks import has_unwritten_marks, is_of_unknown_letters
from docai.pipelines.external.ocr_letters import find_letters, measured_letter_height
from docai.pipelines.external.programs import ReaderError
from docai.pipelines.ingest import Page, PageWord
from docai.pipelines.ingest.straight import StraightPage
from docai.records import Evidence

MIN_REGULAR: Final = 0.85
"""Share of the letters of a page in regular words, below which it is not in a language that Tesseract's data
is for: seen were 0.86 to 1 on pages in English, tables too, and 0.58 to 0.7 on others."""

MIN_SURE: Final = 0.75
"""Share of the letters of a page in words that are not doubtful, below which PP-OCR reads the page. With a
confidence of 0.8 for doubtful it was 0.78 to 1 where Tesseract could read it, of other scripts below 0.1."""

MAX_SURE_UNSUITED: Final = 0.2
"""That share, below which the letters are none that Tesseract reads here."""

MIN_SAMPLE_LINES: Final = 4
"""Lines of a page from which some of them tell what it is in."""

MIN_LATIN_PER_HEIGHT: Final = 0.4
"""Latin letters and digits that PP-OCR reads surely, for each height of a line in its width, below which a
page is not in these: such print has about two."""

SURE_WORD: Final = 0.9
"""Probability of a word below which it is read again. With 0.75 a fifth of the lines with such words is
spared, and of eight pages three lost 0.001 to 0.008 of F1, where whole lines were read again."""

MAX_AGAIN: Final = 0.5
"""Share of the letters of a page in lines with doubtful words, at most: with more, PP-OCR reads the page."""

MIN_UNSEEN_CONFIDENCE: Final = 0.7
"""Mean of the words that PP-OCR reads where Tesseract sees none, from which they are text."""

_MAX_GAP_HEIGHTS: Final = 2.5
"""Between two words of a piece of a line, in heights of the letters of the page: of a row of a table each
cell is a piece."""

_ON_SIDE_RATIO: Final = 1.3
"""Height of a word of several letters, in its widths, from which its line runs up or down the page."""


@dataclass
class _Piece:
    """Words of one line that stand close together; none where only letters are."""

    words: Sequence[OcrPageWord]
    """As Tesseract reads them; after a second reading as that decides."""
    box: BBox
    """Pixels of the picture of the page."""
    n_letters: int
    is_doubtful: bool
    """PP-OCR is to be asked."""
    sides: Sequence[tuple[float, float]] = ()
    """Left and right side of each word that Tesseract reads, pixels."""
    is_read_again: bool = False
    """It was."""

    def doubtful_spans(self) -> list[tuple[int, int]]:
        """Ranges of its words that PP-OCR is shown: doubtful ones, each with a neighbor on either side."""
        spans: list[tuple[int, int]] = []
        for index, one in enumerate(self.words):
            if one.confidence < SURE_WORD:
                start, end = max(0, index - 1), min(len(self.words), index + 2)
                if spans and start <= spans[-1][1]:
                    start = spans.pop()[0]
                spans.append((start, end))
        return spans or [(0, len(self.words))]

    def box_of(self, start: int, end: int) -> BBox:
        """The box of a range of its words with some ground, at most half of the space beside them."""
        x0, y0, x1, y1 = with_ground(self.box)
        if start > 0:
            x0 = (self.sides[start - 1][1] + self.sides[start][0]) / 2
        if end < len(self.sides):
            x1 = (self.sides[end - 1][1] + self.sides[end][0]) / 2
        return x0, y0, x1, y1


class FirstPass:
    """Reads the text of pages that are pictures, each page once for all who ask.

    Words have the probability that they are right for their confidence.
    """

    name: Final[Evidence] = "tesseract"
    kinds: Final[frozenset[str]] = frozenset(("text",))
    needs: Final[frozenset[Need]] = frozenset(("page",))
    yields_to_words: Final = True

    def __init__(self, pages: PageReader, reader: Tesseract) -> None:
        self._pages = pages
        self._reader = reader
        self._lock = Lock()
        self._pieces: WeakKeyDictionary[Page, list[_Piece] | None] = WeakKeyDictionary()
        self._unsuited: WeakSet[Page] = WeakSet()

    def available(self) -> str | None:
        """Always there: it is made where both of its readers are."""
        return None

    def seen(self, region: ReaderInput) -> list[OcrPageWord] | None:
        """The words of the page of a region, line by line, doubtful ones as they are read first; None where
        another should read the page."""
        with self._lock:
            pieces = self._pieces_of_page(region)
            if pieces is None:
                return None
            # What Tesseract does not see, such as the labels of a chart, tells where regions are.
            self._read_again([piece for piece in pieces if not piece.words], region.page_picture)
            return _in_lines(pieces)

    def glance(self, region: ReaderInput) -> list[OcrPageWord] | None:
        """What PP-OCR reads of some lines of the page of a region, each the way up that it reads it best.

        That tells which way up the page is, and whether its letters are those that Tesseract reads here. None
        where there are few lines, or where it fails.
        """
        picture = region.page_picture
        gray = np.asarray(picture.image.convert("L"))
        letters = find_letters(gray)
        height = measured_letter_height(gray, letters)
        boxes = [] if height is None else chosen_lines(lines_of_letters(letters.boxes, (), height))
        if len(boxes) < MIN_SAMPLE_LINES:
            return None
        rgb = np.asarray(picture.image.convert("RGB"))
        try:
            lines = ppocr.read_lines(rgb, list(map(with_ground, boxes)), seconds=self._pages.seconds)
        except ReaderError:
            return None
        words = [on_page(word, picture) for line in lines for word in line]
        n_sure = sum(_n_latin(one.word.text) for one in words if one.confidence >= MIN_CONFIDENCE)
        if n_sure < MIN_LATIN_PER_HEIGHT * sum((x1 - x0) / (y1 - y0) for x0, y0, x1, y1 in boxes):
            self._unsuited.add(_displayed(region.page))
        return words

    def is_unsuited(self, page: Page) -> bool:
        """Whether a page is known to be in letters that Tesseract does not read here."""
        return _displayed(page) in self._unsuited

    def read(self, region: ReaderInput) -> Reading:
        """The words whose centers are in the region; none where the page is left to others.

        PP-OCR is a supporter where it was asked about some of them.
        """
        with self._lock:
            pieces = [piece for piece in self._pieces_of_page(region) or () if _is_part_of(piece, region)]
            self._read_again(pieces, region.page_picture)
            inside = [one for one in _in_lines(pieces) if region.holds(one.word.bbox)]
        words = [word for row in rows_of(inside) for word in row]
        if not words:
            return Reading(self.name)
        confidences = [one.confidence for one in words]
        content = text_of([one.word for one in words], confidences)
        mean = sum(confidences) / len(words)
        return Reading(
            self.name,
            content,
            content.text,
            complete=mean >= MIN_CONFIDENCE,
            quality=mean,
            is_calibrated=True,
            supporters=("ppocr",) if any(piece.is_read_again and piece.words for piece in pieces) else (),
        )

    def _pieces_of_page(self, region: ReaderInput) -> list[_Piece] | None:
        """What the page of a region is made of; None where another should read it."""
        if region.page not in self._pieces:
            pieces = None
            # Whoever is asked next says what is wrong, where that is wrong for it, too.
            with suppress(ReaderError):
                pieces = None if self.is_unsuited(region.page) else self._read_page(region)
            self._pieces[region.page] = pieces
            if pieces is not None:
                self._pages.read_by_region(region.page)
        return self._pieces[region.page]

    def _read_page(self, region: ReaderInput) -> list[_Piece] | None:
        picture = region.page_picture
        gray = np.asarray(picture.image.convert("L"))
        letters = find_letters(gray)
        height = measured_letter_height(gray, letters)
        if height is None:
            return None
        seconds, program = self._reader.seconds, self._reader.program
        found = tesseract.read_page(gray, height, seconds=seconds, program=program)
        words = level_words(found)
        has_marks = has_unwritten_marks(letters, [(word.text, word.box) for word in words])
        if is_of_unknown_letters(has_marks):
            self._unsuited.add(_displayed(region.page))
            return None
        # A name with an accent in a text without is for PP-OCR, which knows it.
        words = [
            word._replace(confidence=0.0) if marked else word
            for word, marked in zip(words, has_marks, strict=True)
        ]
        pieces = _pieces_of(words, height, picture)
        if not _is_readable(pieces):
            if words and _sure_share(pieces) < MAX_SURE_UNSUITED:
                self._unsuited.add(_displayed(region.page))
            return None
        unseen = lines_of_letters(letters.boxes, [word.box for word in words], height)
        pieces += [_Piece((), box, n_letters, True) for box, n_letters in unseen]
        n_doubtful = sum(piece.n_letters for piece in pieces if piece.is_doubtful)
        return pieces if n_doubtful <= MAX_AGAIN * sum(piece.n_letters for piece in pieces) else None

    def _read_again(self, pieces: Sequence[_Piece], picture: Picture) -> None:
        """Have PP-OCR read those that are doubtful, and decide about their words."""
        pieces = [piece for piece in pieces if piece.is_doubtful]
        # From the end, as PP-OCR may read more words or less than there were.
        parts = [(piece, *span) for piece in pieces for span in reversed(piece.doubtful_spans())]
        boxes = [piece.box_of(start, end) for piece, start, end in parts]
        lines: list[list[ppocr.OcrWord]] = []
        # The words stay doubtful where it fails: it is asked for the region then, and says why.
        with suppress(ReaderError):
            rgb = np.asarray(picture.image.convert("RGB"))
            lines = ppocr.read_lines(rgb, boxes, seconds=self._pages.seconds) if boxes else []
        for (piece, start, end), line in zip(parts, lines, strict=False):
            decided = _decided(piece.words[start:end], [on_page(word, picture) for word in line])
            piece.words = [*piece.words[:start], *decided, *piece.words[end:]]
            piece.is_read_again = True
        for piece in pieces:
            piece.is_doubtful = False


def _in_lines(pieces: Sequence[_Piece]) -> list[OcrPageWord]:
    """The words of pieces of lines, each piece a line of its own."""
    return [
        replace(one, word=one.word._replace(line=number))
        for number, piece in enumerate(pieces)
        for one in piece.words
    ]


def _is_part_of(piece: _Piece, region: ReaderInput) -> bool:
    """Whether a piece of a line has words in a region; where it has none, whether it lies there."""
    if not piece.words:
        return region.holds(region.page_picture.to_page(piece.box))
    return any(region.holds(one.word.bbox) for one in piece.words)


def _is_readable(pieces: Sequence[_Piece]) -> bool:
    """Whether Tesseract can read a page."""
    text = " ".join(one.word.text for piece in pieces for one in piece.words)
    return bool(text) and _sure_share(pieces) >= MIN_SURE and regular_share(text) >= MIN_REGULAR


def _sure_share(pieces: Sequence[_Piece]) -> float:
    """Share of the letters that Tesseract read which stand in words that are not doubtful."""
    words = [word for piece in pieces for word in piece.words]
    sure = sum(len(one.word.text) for one in words if one.confidence >= DOUBTFUL_WORD)
    return sure / max(1, sum(len(one.word.text) for one in words))


def _displayed(page: Page) -> Page:
    """The page that a straight one is seen of."""
    return page.displayed if isinstance(page, StraightPage) else page


def _n_latin(text: str) -> int:
    """Letters and digits of ASCII."""
    return sum(char.isascii() and char.isalnum() for char in text)


def _pieces_of(words: Iterable[tesseract.OcrWord], height: float, picture: Picture) -> list[_Piece]:
    """Words as pieces of lines, in the order in which they are read; their confidences are probabilities."""
    groups: list[list[tesseract.OcrWord]] = []
    for word in words:
        last = groups[-1][-1] if groups else None
        is_next = (
            last is not None
            and _line_of(last) == _line_of(word)
            and (-height <= word.box[0] - last.box[2] <= _MAX_GAP_HEIGHTS * height)
        )
        if is_next:
            groups[-1].append(word)
        else:
            groups.append([word])
    pieces = []
    for group in groups:
        placed = tuple(
            OcrPageWord(
                PageWord(word.text, picture.to_page(word.box), 0, 0),
                word_trust("tesseract", word.confidence, PAGE_WORD),
            )
            for word in group
        )
        n_letters = sum(len(word.text) for word in group)
        is_doubtful = any(one.confidence < SURE_WORD for one in placed)
        box, sides = union([word.box for word in group]), [(word.box[0], word.box[2]) for word in group]
        pieces.append(_Piece(placed, box, n_letters, is_doubtful, sides))
    return pieces


def level_words(words: Sequence[tesseract.OcrWord]) -> list[tesseract.OcrWord]:
    """Those of lines that run from left to right. Tesseract reads lines on their side, too, and does not say
    which way they run."""
    votes: Counter[tuple[int, int, int]] = Counter()
    for word in words:
        x0, y0, x1, y1 = word.box
        if len(word.text) > 1:
            is_on_side = y1 - y0 > _ON_SIDE_RATIO * (x1 - x0)
            votes[_line_of(word)] += len(word.text) * (1 if is_on_side else -1)
    return [word for word in words if votes[_line_of(word)] <= 0]


def _line_of(word: tesseract.OcrWord) -> tuple[int, int, int]:
    return word.block, word.paragraph, word.line


def _decided(words: Sequence[OcrPageWord], again: Sequence[OcrPageWord]) -> list[OcrPageWord]:
    """Words of a line, of which PP-OCR reads ``again``."""
    if not words:
        mean = sum(one.confidence for one in again) / max(1, len(again))
        if mean < MIN_UNSEEN_CONFIDENCE:
            return []
        return [replace(one, confidence=word_trust("ppocr", one.confidence)) for one in again]
    if not again:
        # Where both engines make out nothing there is none.
        return [one for one in words if one.confidence >= DOUBTFUL_WORD]
    first = _reading("tesseract", words, is_calibrated=True)
    joined, _ = join_texts([first, _reading("ppocr", again)])
    assert joined is not None
    assert isinstance(joined.content, TextContent)
    angle = (again if joined.source == "ppocr" else words)[0].word.angle
    return [
        OcrPageWord(PageWord(word.text, word.bbox, 0, 0, angle=angle), word.confidence or 0.0)
        for word in joined.content.parts()
        if word.bbox is not None
    ]


def _reading(source: Evidence, words: Sequence[OcrPageWord], *, is_calibrated: bool = False) -> Reading:
    content = text_of([one.word for one in words], [one.confidence for one in words])
    return Reading(source, content, content.text, is_calibrated=is_calibrated)
