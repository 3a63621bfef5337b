"""Words of a PDF with their size, direction, shade, and what is raised or lowered in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pymupdf
import pytest

from docai.pipelines.ingest import PageWord, open_source


def words_of(draw: Callable[[Any], None], *, rotation: int = 0) -> list[PageWord]:
    with pymupdf.open() as document:
        page = document.new_page(width=400, height=300)
        draw(page)
        page.set_rotation(rotation)
        data = document.tobytes()
    with open_source(data) as source:
        return next(iter(source.pages())).words()


def run(page: Any, at: tuple[float, float], *parts: tuple[str, float, float]) -> None:
    """Draw text piece by piece: text, size, points above the line."""
    x, y = at
    for text, size, raise_ in parts:
        page.insert_text((x, y - raise_), text, fontsize=size)
        x += pymupdf.get_text_length(text, fontsize=size)


def test_a_raised_footnote_mark_is_no_digit_of_its_number() -> None:
    (word,) = words_of(lambda page: run(page, (50, 50), ("24.91", 10, 0), ("2", 7, 3.6)))
    assert (word.text, word.base, word.mark, word.size) == ("24.91²", "24.91", "2", 10)


def test_powers_and_indices_are_written_as_such_and_are_no_marks() -> None:
    def draw(page: Any) -> None:
        run(page, (50, 50), ("3.2×10", 10, 0), ("-6", 7, 3.6), (" m", 10, 0), ("2", 7, 3.6))
        run(page, (50, 80), ("CO", 10, 0), ("2", 7, -1.5), (" x", 10, 0), ("i", 7, -1.5))
        run(page, (50, 110), ("the 4", 10, 0), ("th", 7, 3.6), (" of May", 10, 0))

    words = words_of(draw)
    texts = ["3.2×10⁻⁶", "m²", "CO₂", "xi", "the", "4th", "of", "May"]
    assert [word.text for word in words] == texts
    assert not any(word.mark for word in words)


def test_a_superscript_that_the_file_writes_as_one_is_a_mark_too() -> None:
    (word,) = words_of(lambda page: page.insert_text((50, 50), "1,204¹", fontsize=10))
    assert (word.base, word.mark) == ("1,204", "1")


def test_text_beside_a_drop_cap_is_not_raised() -> None:
    def draw(page: Any) -> None:
        run(page, (50, 62), ("1", 24, 0), ("984 was a year of 12 months", 11, 12))

    assert "".join(word.text for word in words_of(draw)) == "1984wasayearof12months"


def test_small_text_on_the_same_line_is_neither_raised_nor_lowered() -> None:
    (word,) = words_of(lambda page: run(page, (50, 50), ("A", 10, 0), ("2", 7, 0)))
    assert word.text == "A2"


def test_numerators_stay_ordinary_digits() -> None:
    (word,) = words_of(lambda page: run(page, (50, 50), ("1", 7, 3), ("/2", 10, 0)))
    assert word.text == "1/2"


def test_a_power_before_a_stroke_is_no_numerator() -> None:
    def draw(page: Any) -> None:
        run(page, (50, 50), ("10", 10, 0), ("6", 7, 3.6), ("/mL 5 m", 10, 0), ("2", 7, 3.6), ("/s", 10, 0))
        run(page, (50, 80), ("12", 10, 0), ("3", 7, 3.6), ("/15", 10, 0), ("4", 7, 3.6), (" 2", 10, 0))
        run(
            page,
            (50, 110),
            ("2", 10, 0),
            ("n", 7, 3.6),
            ("-1 3", 10, 0),
            ("1", 6, 3),
            ("/", 10, 0),
            ("2", 6, 0),
        )

    texts = ["10⁶/mL", "5", "m²/s", "12³/15⁴", "2", "2ⁿ-1", "31/2"]
    assert [word.text for word in words_of(draw)] == texts


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_direction_is_that_on_the_displayed_page(rotation: int) -> None:
    def draw(page: Any) -> None:
        page.insert_text((50, 50), "level")
        page.insert_text((100, 200), "up", rotate=90)
        page.insert_text((150, 200), "down", rotate=270)
        page.insert_text((200, 200), "slant", morph=(pymupdf.Point(200, 200), pymupdf.Matrix(30)))

    angles = {word.text: word.angle for word in words_of(draw, rotation=rotation)}
    expected = {"level": 0, "up": 270, "down": 90, "slant": 330}
    assert angles == {text: (angle + rotation) % 360 for text, angle in expected.items()}


def test_shade_is_that_on_paper() -> None:
    def draw(page: Any) -> None:
        page.insert_text((50, 50), "black")
        page.insert_text((50, 80), "gray", color=(0.8, 0.8, 0.8))
        page.insert_text((50, 110), "faint", fill_opacity=0.2)

    shades = {word.text: round(word.shade, 1) for word in words_of(draw)}
    assert shades == {"black": 0.0, "gray": 0.8, "faint": 0.8}


def test_arabic_words_and_the_numbers_of_the_next_cell_are_words_apart() -> None:
    def draw(page: Any) -> None:
        for x, text in ((300, "كمثرى"), (180, "7.25"), (60, "10")):
            html = f'<p dir="rtl" style="text-align:right;font-size:11px">{text}</p>'
            page.insert_htmlbox((x, 50, x + 90, 80), html)

    words = words_of(draw)
    numbers = {word.text: word.bbox for word in words if word.text[0].isdigit()}
    assert set(numbers) == {"7.25", "10"}
    assert 180 <= numbers["7.25"][0] < numbers["7.25"][2] <= 270
    assert len(words) == 3


def test_letters_spaced_out_stay_one_word() -> None:
    def draw(page: Any) -> None:
        run(page, (50, 50), ("S", 10, 0), ("P", 10, 0), ("A", 10, 0))
        page.insert_text((50, 80), "WWWWWWWWMMMM")

    assert [word.text for word in words_of(draw)] == ["SPA", "WWWWWWWWMMMM"]


@pytest.mark.parametrize("size", [5, 6, 7])
@pytest.mark.parametrize("raised", [3.5, 5, 6.5, 8])
@pytest.mark.parametrize("rotation", [0, 90])
def test_marks_that_stand_so_high_that_they_are_lines_of_their_own(
    size: float, raised: float, rotation: int
) -> None:
    def draw(page: Any) -> None:
        run(page, (50, 80), ("24.91", 10, 0), ("2", size, raised))
        run(page, (150, 80), ("3.2x10", 10, 0), ("6", size, raised))
        run(page, (250, 80), ("4.11", 10, 0))

    words = words_of(draw, rotation=rotation)
    assert [(word.text, word.mark) for word in words] == [("24.91²", "2"), ("3.2x10⁶", ""), ("4.11", "")]


def test_the_numerator_of_a_fraction_and_small_numbers_in_the_next_row_are_no_marks() -> None:
    def draw(page: Any) -> None:
        run(page, (50, 80), ("3", 10, 0))
        run(page, (57, 75), ("1", 5, 0))
        run(page, (57, 82), ("2", 5, 0))
        run(page, (100, 80), ("24.91", 10, 0))
        run(page, (128, 66), ("7", 6, 0))

    assert [word.text for word in words_of(draw) if word.mark] == []
    assert {"24.91", "7"} <= {word.text for word in words_of(draw)}
