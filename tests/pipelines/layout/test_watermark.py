"""Watermarks: a record apart, and the page as without them."""

from __future__ import annotations

from typing import Any

import pymupdf
import pytest

import docai
from docai.pipelines.ingest import open_source
from docai.pipelines.layout.watermark import find_watermarks

PROSE = "Prose that fills a paragraph of several lines, with words of many lengths and the usual marks. " * 5


def paper(page: Any) -> None:
    page.insert_text((150, 80), "A Title of This Paper", fontsize=18, fontname="hebo")
    for x in (60, 310):
        for y in (120, 300, 480):
            page.insert_text((x, y), f"Section at {x} and {y}", fontsize=10, fontname="hebo")
            page.insert_textbox((x, y + 8, x + 230, y + 165), PROSE, fontsize=10)


def slanted(page: Any, text: str, at: tuple[float, float], size: float, degrees: float, **how: Any) -> None:
    page.insert_text(
        at, text, fontsize=size, morph=(pymupdf.Point(*at), pymupdf.Matrix(degrees)), overlay=False, **how
    )


def diagonal_gray(page: Any) -> None:
    slanted(page, "CONFIDENTIAL", (100, 700), 80, 50, color=(0.85, 0.85, 0.85))


def diagonal_transparent(page: Any) -> None:
    slanted(page, "DRAFT COPY", (150, 650), 70, 45, color=(1, 0, 0), fill_opacity=0.2)


def diagonal_dark(page: Any) -> None:
    slanted(page, "VOID", (180, 600), 120, 55, render_mode=1)


def level_light(page: Any) -> None:
    page.insert_text((120, 420), "SPECIMEN", fontsize=70, color=(0.8, 0.8, 0.8), overlay=False)


def upright_light(page: Any) -> None:
    page.insert_text((330, 700), "SPECIMEN", fontsize=80, color=(0.8, 0.8, 0.8), rotate=90, overlay=False)


def repeated(page: Any) -> None:
    for x in range(60, 560, 150):
        for y in range(180, 760, 120):
            slanted(page, "Sample", (x, y), 14, 30, color=(0.7, 0.7, 0.7))


def texts_of(*draws: Any) -> list[docai.Text]:
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=842)
        for draw in draws:
            draw(page)
        data = document.tobytes()
    engine = docai.ScriptedEngine({"text": lambda request: ""})
    records = docai.Pipeline(engine=engine, witnesses="off").process(data).records
    assert all(isinstance(record, docai.Text) for record in records)
    return records


@pytest.fixture(scope="module")
def plain() -> list[str]:
    return [record.text for record in texts_of(paper)]


@pytest.mark.parametrize(
    ("draw", "text"),
    [
        (diagonal_gray, "CONFIDENTIAL"),
        (diagonal_transparent, "DRAFT COPY"),
        (diagonal_dark, "VOID"),
        (level_light, "SPECIMEN"),
        (upright_light, "SPECIMEN"),
        (repeated, "\n".join(["Sample"] * 20)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_watermark_is_the_last_record_and_the_others_are_as_without_it(
    draw: Any, text: str, plain: list[str]
) -> None:
    *others, last = texts_of(draw, paper)
    assert last.text == text
    assert [issue.code for issue in last.issues] == ["text-watermark"]
    assert "watermark" in last.region_evidence[0]
    assert [record.text for record in others] == plain
    assert not any(issue.code == "text-watermark" for record in others for issue in record.issues)


@pytest.mark.parametrize("rotation", [90, 180])
def test_a_watermark_of_a_rotated_page(rotation: int) -> None:
    def turn(page: Any) -> None:
        page.set_rotation(rotation)

    without = [record.text for record in texts_of(paper, turn)]
    *others, last = texts_of(diagonal_gray, paper, turn)
    assert last.text == "CONFIDENTIAL"
    assert [record.text for record in others] == without


def chapter_number(page: Any) -> None:
    page.insert_text((450, 110), "07", fontsize=60, color=(0.8, 0.8, 0.8))


def gray_caption(page: Any) -> None:
    page.insert_text((60, 700), "A caption in light gray that stands below", color=(0.7, 0.7, 0.7))


def slanted_heads(page: Any) -> None:
    for number, head in enumerate(("Market loans", "Other income", "Share of all")):
        slanted(page, head, (100 + 60 * number, 760), 10, 45)


def drop_cap(page: Any) -> None:
    page.insert_text((60, 730), "O", fontsize=42)
    page.insert_text((95, 712), "nce upon a time there was", fontsize=11)
    page.insert_text((95, 729), "a page with a large letter", fontsize=11)


@pytest.mark.parametrize("draw", [chapter_number, gray_caption, slanted_heads, drop_cap])
def test_large_light_and_slanted_text_that_crosses_no_other_is_no_watermark(draw: Any) -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=842)
        paper(page)
        draw(page)
        with open_source(document.tobytes()) as source:
            assert find_watermarks(next(iter(source.pages())).words()) == []
