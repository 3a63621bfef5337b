"""Rows of a table in a picture that the layout model has left outside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from docai.geometry import BBox
from docai.pipelines.layout.table_rows import take_rows
from docai.pipelines.layout.types import LabeledBox, PageEvidence, RegionCandidate, WordBox

COLUMNS = (20, 60, 280, 380)
BODY = (20.0, 50.0, 420.0, 110.0)


def page(*rows: tuple[float, list[tuple[float, float]]]) -> PageEvidence:
    """A table of four rows, and other rows: the height of each, and where its words begin and end."""
    body = [(60 + 15 * row, [(x, x + 25) for x in COLUMNS]) for row in range(4)]
    boxes: list[BBox] = [(x0, y - 4, x1, y + 4) for y, spans in [*body, *rows] for x0, x1 in spans]
    words = [WordBox(box, (0, number), 4) for number, box in enumerate(boxes)]
    return PageEvidence(500, 300, words, [], [], [], lambda _: np.zeros((1, 1), np.uint8), from_pixels=True)


def taken(evidence: PageEvidence) -> BBox:
    table = RegionCandidate("table", BODY, 0.9, [])
    take_rows(evidence, [table])
    return table.bbox


HEAD = (42.0, [(20.0, 40.0), (60.0, 100.0), (270.0, 300.0), (303.0, 310.0), (380.0, 405.0)])
SUM = (122.0, [(255.0, 275.0), (278.0, 305.0), (380.0, 405.0)])


def test_a_head_and_sums_in_the_same_columns_are_rows_of_the_table() -> None:
    assert taken(page(HEAD, SUM)) == (20, 38, 420, 126)
    assert taken(replace(page(HEAD, SUM), from_pixels=False)) == BODY


@pytest.mark.parametrize(
    "row",
    [
        (42.0, [(20.0 + 30 * n, 44.0 + 30 * n) for n in range(12)]),
        (42.0, [(60.0, 100.0)]),
        (0.0, HEAD[1]),
        (42.0, [(60.0, 100.0), (250.0, 405.0)]),
    ],
    ids=["prose", "one word", "far above", "over two columns"],
)
def test_other_rows_are_none_of_it(row: tuple[float, list[tuple[float, float]]]) -> None:
    assert taken(page(row)) == BODY


def test_words_of_a_text_of_the_layout_model_stay_there_unless_the_table_is_most_of_it() -> None:
    evidence = page(HEAD)
    own, whole = LabeledBox((15, 36, 425, 48), "text"), LabeledBox((15, 36, 425, 115), "text")
    assert taken(replace(evidence, model_boxes=[own])) == BODY
    assert taken(replace(evidence, model_boxes=[whole])) == (20, 38, 420, 110)
