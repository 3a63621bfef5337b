"""Fits how often a word is right that Tesseract reads on a whole page, by its own confidence.

    python benchmarks/fit_page_words.py [--limit N] [--write]

Reads the pages of the sets "text clean pages" and "text docbank pages" of ``pictures.py`` as the first pass
of docai does (:mod:`docai.pipelines.evidence.first_pass`), and leaves out those that it would leave to
others: pages of which too little is regular words. A word is right where the page has it, as often as it is
read. The map is fitted on the half for development and printed as ``fit_trust.py`` does, with its error in
cross-validation and on the other half. ``--write`` stores it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from common import need_folder, real_data, script_parser
from fit_trust import HEADER, Observed, fit, row, write
from picture_sets import SETS, Question
from pictures import chosen_questions
from PIL import Image

from docai.pipelines.evidence.first_pass import MIN_REGULAR, level_words
from docai.pipelines.evidence.tesseract import regular_share
from docai.pipelines.evidence.trust import PAGE_WORD
from docai.pipelines.external import tesseract
from docai.pipelines.external.ocr_letters import find_letters, measured_letter_height
from docai.pipelines.words import plain

PAGE_SETS: Final = ("text clean pages", "text docbank pages")


def page_words(question: Question) -> Iterator[Observed]:
    """Its words with their confidences, and whether the page has them; none of a page left to others."""
    sample = question.sample
    assert isinstance(sample.source, Path)
    gray = np.asarray(Image.open(sample.source).convert("L"))
    height = measured_letter_height(gray, find_letters(gray))
    words = [] if height is None else level_words(tesseract.read_page(gray, height))
    if regular_share(" ".join(word.text for word in words)) < MIN_REGULAR:
        return
    rest = Counter(plain(word) for item in sample.truth for word in item.text.split())
    for word in words:
        is_right = rest[plain(word.text)] > 0
        rest[plain(word.text)] -= is_right
        yield Observed(sample.id, word.confidence, is_right)


def main() -> None:
    parser = script_parser(__doc__)
    parser.add_argument("--limit", type=int, help="pages of each half of each set at most")
    parser.add_argument("--write", action="store_true", help="store the map")
    arguments = parser.parse_args()
    real = need_folder(real_data())
    halves: dict[str, list[Observed]] = {"development": [], "other": []}
    with TemporaryDirectory() as folder:
        for part in (one for one in SETS if one.name in PAGE_SETS):
            for half, question in chosen_questions(part, real, Path(folder), "both", None):
                pages = {one.picture for one in halves[half]}
                if arguments.limit is None or len(pages) < arguments.limit:
                    halves[half] += page_words(question)
    observed = halves["development"]
    fitted = fit(observed)
    print(HEADER)
    print(row("tesseract", PAGE_WORD, observed, fitted, halves["other"]))
    if arguments.write:
        write({("tesseract", PAGE_WORD): (fitted, len(observed))})


if __name__ == "__main__":
    main()
