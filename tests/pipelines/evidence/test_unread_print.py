"""Print that no reader knows: how much of a region it is, and what its record says."""

from __future__ import annotations

import pymupdf
import pytest
from PIL import Image

from docai.contents import Line, TextContent, Word
from docai.geometry import BBox
from docai.pipelines.evidence.base import Picture
from docai.pipelines.evidence.unread_print import read_share, written_share

GROUPS: list[BBox] = [(60.0 * n, 100.0, 60.0 * n + 50, 110.0) for n in range(8)]


def text(*words: tuple[str, BBox]) -> TextContent:
    joined = " ".join(word for word, _ in words)
    return TextContent(
        text=joined, lines=[Line(text=joined, words=[Word(text=word, bbox=box) for word, box in words])]
    )


def test_what_is_read_as_usual_is_read_wholly() -> None:
    content = text(("Lanterns", (0, 100, 45, 110)), ("光の道", (50, 100, 80, 110)), ("…", (90, 108, 98, 110)))
    assert read_share(content, []) == 1.0
    assert read_share(content, [(-8, 103, -4, 107)]) == 1.0, "a bullet"
    sideways = text(("Lanterns", (10, 40, 20, 85)), ("lit", (10, 90, 20, 105)))
    assert read_share(sideways, []) == 1.0


def test_groups_of_letters_without_words_are_not_read() -> None:
    assert read_share(None, GROUPS) == 0.0
    assert read_share(TextContent(), GROUPS) == 0.0
    content = text(("COVID-19", GROUPS[0]))
    assert read_share(content, GROUPS) == pytest.approx(1 / 8)


def test_one_sign_in_the_place_of_a_line_is_not_the_line() -> None:
    content = text(("H", (0, 100, 300, 110)), ("19", (320, 100, 332, 110)))
    assert read_share(content, []) < 0.1


def test_words_without_boxes_are_not_doubted() -> None:
    content = TextContent(text="read", lines=[Line(text="read", words=[Word(text="read")])])
    assert read_share(content, GROUPS) == 1.0


def test_words_read_without_their_accents_are_told_by_the_ink() -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=400, height=200)
        for number in range(6):
            page.insert_text((20, 30 + 22 * number), "für Würde und Rechte größerer Länder", fontsize=11)
        placed = [(str(word[4]), tuple(word[:4])) for word in page.get_text("words")]
        pixels = page.get_pixmap(dpi=200)
    picture = Picture(Image.frombytes("RGB", (pixels.width, pixels.height), pixels.samples), 200 / 72)
    assert written_share(text(*placed), picture) == 1.0
    plain = [(word.translate(str.maketrans("äöü", "aou")), box) for word, box in placed]
    assert written_share(text(*plain), picture) == pytest.approx(2 / 6)
    assert written_share(text(*plain[:6]), picture) == 1.0, "too few to tell"
