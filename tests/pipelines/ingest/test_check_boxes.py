"""Check boxes and radio buttons of forms are words before their labels."""

import pymupdf
import pytest

from docai import Limits, Pipeline, ScriptedEngine
from docai.pipelines.ingest import open_source

CHECK, RADIO, PUSH = (
    pymupdf.PDF_WIDGET_TYPE_CHECKBOX,
    pymupdf.PDF_WIDGET_TYPE_RADIOBUTTON,
    pymupdf.PDF_WIDGET_TYPE_BUTTON,
)


def add_field(page: pymupdf.Page, kind: int, name: str, at: tuple[float, float], value: object) -> None:
    widget = pymupdf.Widget()
    widget.field_type, widget.field_name, widget.field_value = kind, name, value
    widget.rect = pymupdf.Rect(*at, at[0] + 12, at[1] + 12)
    page.add_widget(widget)


def form(rotation: int = 0) -> bytes:
    with pymupdf.open() as document:
        page = document.new_page(width=400, height=300)
        page.insert_text((40, 40), "Registration form", fontsize=14)
        page.insert_text((40, 80), "Name:", fontsize=10)
        text = pymupdf.Widget()
        text.field_type, text.field_name, text.field_value = pymupdf.PDF_WIDGET_TYPE_TEXT, "name", "Ada"
        text.rect = pymupdf.Rect(90, 68, 250, 84)
        page.add_widget(text)
        for y, label, is_on in ((100, "I have read the terms", True), (120, "Send me the news", False)):
            page.insert_text((60, y + 10), label, fontsize=10)
            add_field(page, CHECK, label, (40, y), is_on)
        page.insert_text((40, 150), "By post", fontsize=10)
        add_field(page, RADIO, "way", (78, 140), True)
        add_field(page, CHECK, "alone", (300, 250), True)
        page.set_rotation(rotation)
        return bytes(document.tobytes())


@pytest.mark.parametrize("rotation", [0, 90])
def test_each_box_is_a_word_in_the_line_of_its_label(rotation: int) -> None:
    with open_source(form(rotation), limits=Limits()) as source, source.page(1) as page:
        words = page.words()
    texts = [word.text for word in words]
    if not rotation:
        assert " ".join(texts) == (
            "Registration form Name: ☑ I have read the terms ☐ Send me the news By post ◉ Ada ☑"
        )
        (box,) = [word for word in words if word.text == "☐"]
        assert box.bbox == pytest.approx((40, 120, 52, 132))
        label = words[words.index(box) + 1]
        assert (box.block, box.line) == (label.block, label.line)
    assert sorted(text for text in texts if text in "☑☐◉○") == ["◉", "☐", "☑", "☑"]


def test_a_form_with_check_boxes_is_text_and_no_table() -> None:
    engine = ScriptedEngine(dict.fromkeys(("table", "molecule", "score", "text"), ""))
    document = Pipeline(engine=engine, witnesses="off").process(form())
    assert {record.kind for record in document.records} == {"text"}
    text = "\n".join(record.text for record in document.records)
    assert "☑ I have read the terms" in text
    assert "☐ Send me the news" in text
    assert "Name: Ada" in text


def test_hidden_and_push_buttons_and_damaged_fields_are_none() -> None:
    with pymupdf.open("pdf", form()) as document:
        page = document[0]
        add_field(page, PUSH, "push", (300, 20), None)
        boxes = [xref for xref, kind, _ in page.annot_xrefs() if kind == pymupdf.PDF_ANNOT_WIDGET]
        document.xref_set_key(boxes[1], "F", "2")
        document.xref_set_key(boxes[2], "Rect", "[40 /x null]")
        data = document.tobytes()
    with open_source(data, limits=Limits()) as source, source.page(1) as page:
        texts = [word.text for word in page.words()]
    assert "terms" in texts
    assert [text for text in texts if text in "☑☐◉○"] == ["◉", "☑"]
