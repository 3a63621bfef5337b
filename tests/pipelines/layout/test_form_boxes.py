"""Forms that are drawn: values in boxes stand behind their labels, and squares are ticked or not."""

from __future__ import annotations

import pymupdf

import docai
from docai import ScriptedEngine


def texts_of(document: pymupdf.Document) -> tuple[list[str], list[str]]:
    """The texts of the page, and the kinds of all records."""
    read = docai.Pipeline(engine=ScriptedEngine({"text": ""})).process(document.tobytes())
    return [one.text for one in read.texts], [one.kind for one in read.records]


def form() -> pymupdf.Document:
    document = pymupdf.open()
    page = document.new_page()
    page.insert_text((70, 80), "Application for a berth in the harbor", fontsize=16)
    for number, (label, value) in enumerate([("Surname", "Okafor"), ("First name", "Grace"), ("Ship", "")]):
        y = 120 + 28 * number
        page.insert_text((70, y), f"{label}:", fontsize=10)
        page.draw_rect((170, y - 13, 400, y + 5))
        page.insert_text((175, y), value, fontsize=10, fontname="cour")
    for number, label in enumerate(["I agree to the terms", "Send me the newsletter", "I am over 18"]):
        y = 220 + 22 * number
        page.draw_rect((70, y - 9, 80, y + 1))
        page.insert_text((88, y), label, fontsize=10)
    page.draw_line((71, 212), (79, 220))
    page.draw_line((71, 220), (79, 212))
    page.insert_text((71.5, 263.5), "4", fontsize=9, fontname="zadb")
    return document


def test_values_stand_behind_their_labels_and_squares_are_ticked_or_not() -> None:
    texts, kinds = texts_of(form())
    assert set(kinds) == {"text"}
    whole = "\n".join(texts)
    assert "Surname: Okafor\nFirst name: Grace\nShip:" in whole
    assert "☑ I agree to the terms" in whole
    assert "☐ Send me the newsletter" in whole
    assert "☑ I am over 18" in whole


def test_boxes_of_a_diagram_and_colors_of_a_legend_are_no_form() -> None:
    document = pymupdf.open()
    page = document.new_page()
    for number, word in enumerate(["Ingest", "Layout", "Records"]):
        page.draw_rect((60 + 150 * number, 300, 150 + 150 * number, 330))
        page.insert_text((80 + 150 * number, 319), word, fontsize=11)
        if number:
            page.draw_line((4 + 150 * number, 315), (56 + 150 * number, 315))
    for number, word in enumerate(["North", "South"]):
        page.draw_rect((100, 400 + 20 * number, 110, 410 + 20 * number), fill=(0.9 * number, 0.2, 0.5))
        page.insert_text((118, 409 + 20 * number), word, fontsize=10)
    texts, kinds = texts_of(document)
    assert "figure" in kinds
    assert not any(sign in text for text in texts for sign in "☐☑")
