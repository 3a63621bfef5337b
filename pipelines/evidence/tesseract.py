"""Tesseract as a second reader of the text of scans."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from docai.pipelines.evidence.base import Need, Picture, ReaderInput, Reading
from docai.pipelines.evidence.ppocr import text_of
from docai.pipelines.external import tesseract
from docai.pipelines.external.tesseract import PROGRAM, SAUVOLA, SECONDS, OcrWord
from docai.pipelines.ingest import PageWord
from docai.records import Evidence


class TesseractReader:
    """What the readers of text and of tables share."""

    name: Final[Evidence] = "tesseract"
    needs: Final[frozenset[Need]] = frozenset(("picture",))
    yields_to_words: Final = True

    def __init__(self, program: str = PROGRAM, *, seconds: float = SECONDS) -> None:
        self.program = program
        self.seconds = seconds

    def available(self) -> str | None:
        """See :class:`~docai.pipelines.evidence.base.Reader`."""
        return tesseract.missing(self.program)


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


class Tesseract(TesseractReader):
    """Reads English print."""

    kinds: Final[frozenset[str]] = frozenset(("text",))

    def read(self, region: ReaderInput) -> Reading:
        """Its words as lines with boxes, in its reading order; quality is the mean of their confidences."""
        picture = region.picture
        gray, scale = tesseract.scale_letters(np.asarray(picture.image.convert("L")))
        words = tesseract.read_words(
            gray,
            # Of words on a gray ground beside white paper the default sees none.
            thresholding=SAUVOLA,
            seconds=self.seconds,
            program=self.program,
        )
        if not words:
            return Reading(self.name)
        confidences = [word.confidence for word in words]
        content = text_of([_page_word(word, picture, scale) for word in words], confidences)
        mean = sum(confidences) / len(confidences)
        can_be_believed = mean >= MIN_CONFIDENCE and regular_share(content.text) >= MIN_REGULAR_SHARE
        return Reading(self.name, content, content.text, complete=can_be_believed, quality=mean)


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
