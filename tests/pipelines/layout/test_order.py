"""Captions in reading order: next to what they are about, in one column and in two."""

from __future__ import annotations

from dataclasses import replace

import pytest

import docai
from docai.geometry import BBox
from docai.pipelines.layout.order import reading_order
from docai.pipelines.layout.types import RegionCandidate
from docai.records import Kind


def region(name: str, box: BBox, kind: Kind = "text") -> RegionCandidate:
    return RegionCandidate(kind, box, 1.0, [], label=name)


def names(regions: list[RegionCandidate]) -> list[str]:
    return [one.label for one in reading_order(regions)]


ONE_COLUMN = [
    region("before", (50, 50, 550, 200)),
    region("figure", (150, 220, 450, 400), "figure"),
    region("caption", (50, 410, 550, 440)),
    region("after", (50, 460, 550, 700)),
]
IN_A_COLUMN = [
    region("left", (50, 50, 290, 200)),
    region("figure", (60, 220, 280, 400), "figure"),
    region("caption", (50, 410, 290, 440)),
    region("left on", (50, 460, 290, 700)),
    region("right", (310, 50, 550, 420)),
    region("right on", (310, 430, 550, 700)),
]
OVER_BOTH = [
    region("table caption", (50, 50, 550, 70)),
    region("table", (50, 80, 550, 250), "table"),
    region("left", (50, 270, 290, 700)),
    region("right", (310, 270, 550, 700)),
]


@pytest.mark.parametrize(
    "page", [ONE_COLUMN, IN_A_COLUMN, OVER_BOTH], ids=["one", "in-a-column", "over-both"]
)
@pytest.mark.parametrize("turn", range(4))
def test_a_caption_is_read_with_what_it_is_about(page: list[RegionCandidate], turn: int) -> None:
    shuffled = [*page[turn:], *page[:turn]][::-1]
    assert names(shuffled) == [one.label for one in page]


def test_a_short_heading_below_a_tall_figure_over_both_columns_begins_its_column() -> None:
    page = [
        region("figure", (169, 36, 431, 267), "figure"),
        region("section-header", (56, 290, 136, 302)),
        region("left", (56, 310, 284, 766)),
        region("left goes on", (311, 289, 539, 311)),
        region("section-header", (311, 324, 364, 336)),
        region("right", (311, 344, 539, 739)),
    ]
    assert names(page) == ["figure", "section-header", "left", "left goes on", "section-header", "right"]


def test_columns_of_text_from_right_to_left_follow_each_other_so() -> None:
    mirrored = [
        replace(one, bbox=(600 - one.bbox[2], one.bbox[1], 600 - one.bbox[0], one.bbox[3]))
        for one in IN_A_COLUMN
    ]
    found = reading_order(mirrored, right_to_left=True)
    assert [one.label for one in found] == [one.label for one in IN_A_COLUMN]
    assert names(mirrored)[0] == "right"


def test_a_hebrew_page_of_two_columns_is_read_from_the_right() -> None:
    import pymupdf

    document = pymupdf.open()
    page = document.new_page()
    for x, text in ((50, "טור שני של הדף "), (320, "טור ראשון של הדף ")):
        page.insert_htmlbox((x, 80, x + 230, 700), f'<p dir="rtl" style="font-size:12px">{text * 60}</p>')
    read = docai.Pipeline(engine=docai.ScriptedEngine({"text": ""})).process(document.tobytes())
    texts = [one.text for one in read.records if isinstance(one, docai.Text)]
    assert len(texts) == 2
    assert "ראשון" in texts[0]
    assert "שני" in texts[1]
