"""Music on one page: passages are parted by titles and paragraphs, not by tempo marks and lyrics."""

import pymupdf
import pytest

from docai.pipelines.ingest import open_source
from docai.pipelines.layout import find_regions

pytestmark = pytest.mark.slow(seconds=10)

SPACE = 5.0
"""Points between two lines of a staff."""


def draw_system(page: pymupdf.Page, top: float) -> None:
    """A staff with four bars of four quarter notes."""
    for line in range(5):
        page.draw_line((60, top + SPACE * line), (540, top + SPACE * line), width=0.5)
    for bar in range(5):
        page.draw_line((60 + 120 * bar, top), (60 + 120 * bar, top + 4 * SPACE), width=0.8)
    for note in range(16):
        x, y = 75 + 30 * note, top + SPACE * (1 + note % 3)
        page.draw_oval((x - 3, y - 2.2, x + 3, y + 2.2), fill=(0, 0, 0))
        page.draw_line((x + 3, y), (x + 3, y - 17), width=0.7)


def scores_and_texts(*lines: tuple[float, float, float, str]) -> tuple[list[tuple[int, int]], str]:
    """Top and bottom of the scores of a page of four systems with these texts, and its text outside of them.

    Each text is x, y, size and what it says.
    """
    with pymupdf.open() as document:
        page = document.new_page(width=600, height=800)
        for top in (120, 185, 260, 325):
            draw_system(page, top)
        for x, y, size, text in lines:
            page.insert_text((x, y), text, fontsize=size)
        data = document.tobytes()
    with open_source(data) as source, source.page(1) as page:
        regions = find_regions(page).regions
    scores = sorted((round(r.bbox[1]), round(r.bbox[3])) for r in regions if r.kind == "score")
    text = " ".join(word.text for region in regions if region.kind == "text" for word in region.words)
    return scores, text


def test_a_title_parts_two_passages() -> None:
    scores, text = scores_and_texts((258, 90, 16, "1. Minuet"), (272, 233, 16, "2. Trio"))
    assert len(scores) == 2
    (first_top, first_bottom), (second_top, second_bottom) = scores
    assert 95 < first_top < 125
    assert 203 < first_bottom < 215
    assert 235 < second_top < 265
    assert 343 < second_bottom < 355
    assert text == "1. Minuet 2. Trio"


def test_a_paragraph_parts_two_passages() -> None:
    prose = "The second theme enters in the dominant, as the next example shows at the"
    scores, text = scores_and_texts((60, 226, 10, prose), (60, 238, 10, "end of its first bar."))
    assert len(scores) == 2
    assert text.startswith("The second theme")


@pytest.mark.parametrize("mark", [(62, 240, 10, "Allegro"), (290, 226, 9, "mf")])
def test_a_tempo_mark_or_dynamics_part_nothing(mark: tuple[float, float, float, str]) -> None:
    whole, _ = scores_and_texts()
    marked, _ = scores_and_texts(mark)
    assert len(marked) == len(whole) == 1


def test_lyrics_part_nothing() -> None:
    syllables = [(70 + 60 * index, 222, 9, f"la{index}") for index in range(8)]
    whole, _ = scores_and_texts()
    sung, _ = scores_and_texts(*syllables)
    assert len(sung) == len(whole) == 1
