"""Texts that are longer than their cells."""

from __future__ import annotations

from docai.geometry import BBox
from docai.pipelines.ingest import PageWord
from docai.pipelines.tables.overlapping import place_in_own_cells


def _words(*placed: tuple[str, float, float]) -> list[PageWord]:
    return [PageWord(text, (x0, 0, x1, 10), 0, 0) for text, x0, x1 in placed]


def _boxes(words: list[PageWord]) -> dict[str, BBox]:
    return {word.text: word.bbox for word in place_in_own_cells(words)}


def test_a_text_ends_where_the_next_one_begins() -> None:
    boxes = _boxes(_words(("Juniper", 0, 30), ("and", 32, 46), ("Larkspur", 48, 80), ("Thorn", 60, 85)))
    assert boxes["and"] == (32, 0, 46, 10)
    assert boxes["Larkspur"] == (48, 0, 57, 10)
    assert boxes["Thorn"] == (60, 0, 85, 10)


def test_words_that_are_not_seen_at_all_stand_in_the_cell_of_their_text() -> None:
    boxes = _boxes(_words(("Juniper", 0, 30), ("and", 32, 46), ("Larkspur", 48, 80), ("Elm", 33, 44)))
    assert boxes["Larkspur"][2] < 30


def test_text_printed_twice_and_neighbors_that_touch_are_left_alone() -> None:
    bold = _words(("Total", 0, 30), ("Total", 0.4, 30.4), ("12", 60, 70))
    assert place_in_own_cells(bold) == bold
    near = _words(("A", 0, 30), ("B", 29.5, 50), ("C", 52, 60))
    assert place_in_own_cells(near) == near
