"""Accents that a reader did not write are seen in the ink."""

from __future__ import annotations

import numpy as np
import pymupdf
import pytest
from numpy.typing import NDArray

from docai.geometry import BBox
from docai.pipelines.external.letter_marks import has_unwritten_marks, is_of_unknown_letters
from docai.pipelines.external.ocr_letters import find_letters

GERMAN = (
    "Jeder hat Anspruch auf die in dieser Erklärung verkündeten",
    "Rechte und Freiheiten ohne irgendeinen Unterschied, etwa nach",
    "Überzeugung, Vermögen, Geburt; für höhere Würde und größere",
    "Brüderlichkeit: die jüngere Öffentlichkeit (5 %), ja sogar ihr",
)

PLAIN = str.maketrans("äöüÄÖÜß", "aouAOUB")


def page(dpi: int) -> tuple[NDArray[np.uint8], list[tuple[str, BBox]]]:
    """Lines of German as a gray picture, and its words with their boxes."""
    zoom = dpi / 72
    with pymupdf.open() as document:
        sheet = document.new_page(width=400, height=120)
        for number, line in enumerate(GERMAN):
            sheet.insert_text((20, 30 + 22 * number), line, fontsize=11)
        words = [
            (text, (zoom * x0, zoom * y0, zoom * x1, zoom * y1))
            for x0, y0, x1, y1, text, *_ in sheet.get_text("words")
        ]
        pixels = sheet.get_pixmap(dpi=dpi, colorspace="gray")
    gray = np.frombuffer(pixels.samples, np.uint8).reshape(pixels.height, pixels.stride)
    return np.ascontiguousarray(gray[:, : pixels.width]), words


@pytest.mark.parametrize("dpi", [150, 200, 300])
def test_accents_that_were_not_written_are_seen(dpi: int) -> None:
    gray, words = page(dpi)
    letters = find_letters(gray)
    right = has_unwritten_marks(letters, words)
    assert not right.any(), [text for (text, _), marked in zip(words, right, strict=True) if marked]
    wrong = has_unwritten_marks(letters, [(text.translate(PLAIN), box) for text, box in words])
    with_accents = [bool(set(text) & set("äöüÄÖÜ")) for text, _ in words]
    assert wrong.tolist() == with_accents
    assert is_of_unknown_letters(wrong)


def test_some_names_with_accents_make_no_other_language() -> None:
    marked = np.zeros(400, np.bool_)
    marked[:8] = True
    assert not is_of_unknown_letters(marked)
    assert not is_of_unknown_letters(marked[:4])
    assert is_of_unknown_letters(marked[:200])


def test_a_picture_without_letters_has_no_accents() -> None:
    letters = find_letters(np.full((60, 80), 255, np.uint8))
    assert not has_unwritten_marks(letters, [("word", (10, 10, 40, 20))]).any()
