"""Lines from the PDF's own words."""

from __future__ import annotations

from itertools import pairwise

import pymupdf

from docai.pipelines.ingest import PageWord, open_source
from docai.pipelines.words import lines_from_words


def word(text: str, x0: float, x1: float, *, y: float = 10, block: int = 0, line: int = 0) -> PageWord:
    return PageWord(text, (x0, y, x1, y + 10), block, line)


def test_words_of_one_line_are_joined_by_spaces() -> None:
    [line] = lines_from_words([word("Hello", 0, 30), word("world", 33, 60)])
    assert line.text == "Hello world"
    assert line.bbox == (0, 10, 60, 20)
    assert [(item.text, item.bbox) for item in line.words] == [
        ("Hello", (0, 10, 30, 20)),
        ("world", (33, 10, 60, 20)),
    ]


def test_another_line_or_block_begins_a_new_line() -> None:
    words = [word("a", 0, 5), word("b", 0, 5, y=22, line=1), word("c", 0, 5, y=34, block=1)]
    assert [line.text for line in lines_from_words(words)] == ["a", "b", "c"]


def test_a_number_and_its_title_are_one_line_and_table_columns_are_not() -> None:
    title = [word("1.", 0, 8), word("Introduction", 18, 80, line=1)]
    assert [line.text for line in lines_from_words(title)] == ["1. Introduction"]
    columns = [word("left", 0, 20), word("right", 200, 230, line=1)]
    assert [line.text for line in lines_from_words(columns)] == ["left", "right"]


def test_the_order_of_right_to_left_words_is_kept() -> None:
    [line] = lines_from_words([word("שלום", 60, 90), word("עולם", 20, 55)])
    assert line.text == "שלום עולם"
    assert line.direction == "rtl"
    assert [word.text for word in line.words] == ["שלום", "עולם"]


def test_letters_are_normalised_and_a_line_of_both_directions_has_that_of_most() -> None:
    [line] = lines_from_words([word("\ufee3\ufeae\ufea3\ufe92\ufe8e", 60, 90), word("OK", 40, 55)])
    assert (line.text, line.direction) == ("مرحبا OK", "rtl")
    [line] = lines_from_words([word("cafe\u0301", 0, 30)])
    assert (line.text, line.words[0].text, line.direction) == ("café", "café", "ltr")


def test_right_to_left_words_of_a_pdf_are_read_from_the_right() -> None:
    document = pymupdf.open()
    html = '<p dir="rtl" style="font-size:20px">שלום עולם טוב</p>'
    document.new_page().insert_htmlbox((50, 50, 550, 120), html)
    with open_source(document.tobytes()) as source, source.page(1) as page:
        [line] = lines_from_words(page.words())
    assert (line.text, line.direction) == ("שלום עולם טוב", "rtl")
    assert [one.bbox[0] > two.bbox[0] for one, two in pairwise(line.words) if one.bbox and two.bbox] == [
        True,
        True,
    ]


def test_scripts_without_spaces_get_none_where_words_touch() -> None:
    [line] = lines_from_words([word("日本", 0, 20), word("語", 20, 30), word("文", 40, 50)])
    assert line.text == "日本語 文"


def test_nothing_in_nothing_out() -> None:
    assert lines_from_words([]) == []
    assert lines_from_words([word(" ", 0, 3)]) == []


def test_words_of_a_pdf(make_pdf) -> None:  # type: ignore[no-untyped-def]
    with open_source(make_pdf("First line\nSecond line of text")) as source:
        [page] = source.pages()
        lines = lines_from_words(page.words())
    assert [line.text for line in lines] == ["First line", "Second line of text"]
