"""Pages whose points mean nothing: layout measures by the letters, and text by its own direction."""

import random
from io import BytesIO

import numpy as np
import pymupdf
import pytest
from PIL import Image

from docai import Limits, Pipeline, ScriptedEngine
from docai.geometry import iou
from docai.pipelines.ingest import open_source
from docai.pipelines.layout import PageLayout, find_regions
from docai.pipelines.layout.deskew import is_rotated_90
from docai.pipelines.pixels import binarize

pytestmark = pytest.mark.slow(seconds=30)

PROSE = (
    "Prose that fills a paragraph of several lines so that a layout model has something to look at, "
    "with words of many lengths and the usual marks, set in one narrow column of the page. "
)


def layout_of(data: bytes) -> PageLayout:
    with open_source(data, limits=Limits()) as source:
        return find_regions(next(iter(source.pages())))


def paper(page) -> None:
    page.insert_text((60, 82), "A Heading Over Both Columns", fontsize=16, fontname="hebo")
    for column, x in enumerate((60, 310)):
        for row in range(3):
            page.insert_text((x, 120 + 150 * row), f"Section {column}{row}", fontsize=10, fontname="hebo")
            page.insert_textbox((x, 130 + 150 * row, x + 230, 250 + 150 * row), PROSE * 2, fontsize=10)
    page.draw_rect((60, 600, 290, 700), fill=(0.2, 0.5, 0.8), color=None)
    page.draw_circle((180, 650), 30, fill=(0.9, 0.4, 0.1), color=None)


def drawn_paper() -> bytes:
    with pymupdf.open() as document:
        paper(document.new_page(width=595, height=842))
        return document.tobytes()


def scaled(data: bytes, factor: float) -> bytes:
    with pymupdf.open("pdf", data) as inner, pymupdf.open() as document:
        page = document.new_page(width=595 * factor, height=842 * factor)
        page.show_pdf_page(page.rect, inner, 0)
        return document.tobytes()


def picture(data: bytes, dpi: int, *, tagged: bool) -> bytes:
    with pymupdf.open("pdf", data) as document:
        pixmap = document[0].get_pixmap(dpi=dpi)
    image = Image.frombytes("RGB", (pixmap.width, pixmap.height), pixmap.samples)
    buffer = BytesIO()
    image.save(buffer, "PNG", **({"dpi": (dpi, dpi)} if tagged else {}))
    return buffer.getvalue()


def same_regions(found: PageLayout, wanted: PageLayout, factor: float) -> bool:
    boxes = [tuple(value * factor for value in region.bbox) for region in wanted.regions]
    return [region.kind for region in found.regions] == [region.kind for region in wanted.regions] and all(
        iou(region.bbox, box) > 0.85 for region, box in zip(found.regions, boxes, strict=True)
    )


@pytest.mark.parametrize("factor", [0.4, 20.0])
def test_a_born_digital_page_of_any_size_has_the_regions_of_its_letters(factor: float) -> None:
    page = drawn_paper()
    assert same_regions(layout_of(scaled(page, factor)), layout_of(page), factor)


@pytest.mark.parametrize("dpi", [200, 400])
def test_a_picture_without_a_resolution_has_the_regions_of_its_tagged_twin(dpi: int) -> None:
    page = drawn_paper()
    tagged, untagged = layout_of(picture(page, dpi, tagged=True)), layout_of(picture(page, dpi, tagged=False))
    assert [region.kind for region in tagged.regions].count("text") >= 10
    assert same_regions(untagged, tagged, dpi / 72)


def test_a_scan_with_a_text_layer_is_turned_as_its_words_are() -> None:
    """A sparse page whose columns of figures are sharper than its rows, under an invisible text layer."""
    with pymupdf.open() as shown:
        page = shown.new_page(width=400, height=600)
        for row in range(34):
            page.insert_text(
                (20, 30 + 16 * row), f"Item{row:02} . . . . . . . . . .", fontsize=8, fontname="cour"
            )
            for x in (260, 310, 360):
                page.insert_text((x, 30 + 16 * row), str(row % 7), fontsize=8, fontname="cour")
        pixmap = page.get_pixmap(dpi=150)
    with pymupdf.open() as document:
        page = document.new_page(width=400, height=600)
        page.insert_image(page.rect, pixmap=pixmap)
        for row in range(34):
            page.insert_text((20, 30 + 16 * row), f"Item{row:02} . . .", fontsize=8, render_mode=3)
        layout = layout_of(document.tobytes())
    assert layout.origin == "scan"
    assert abs(layout.skew) < 5


@pytest.mark.parametrize("quarters", range(4))
def test_the_nearest_letters_tell_which_way_lines_run(quarters: int) -> None:
    with pymupdf.open() as document:
        page = document.new_page(width=400, height=600)
        for row in range(30):
            for column in range(6):
                page.insert_text(
                    (20 + 60 * column, 30 + 18 * row), f"{row * 37 % 100:02}{column}", fontsize=8
                )
        pixmap = page.get_pixmap(dpi=150, colorspace=pymupdf.csGRAY)
    gray = np.frombuffer(pixmap.samples, np.uint8).reshape(pixmap.height, pixmap.stride)[:, : pixmap.width]
    assert is_rotated_90(binarize(np.ascontiguousarray(np.rot90(gray, quarters)))) is bool(quarters % 2)


def test_glyphs_without_unicode_values_are_no_blank_page() -> None:
    """A Type 3 font without a ToUnicode map gives no words, no drawings and no images."""
    with pymupdf.open() as document:
        page = document.new_page(width=400, height=200)
        page.insert_text((20, 80), "x")
        glyph = document.get_new_xref()
        document.update_object(glyph, "<<>>")
        document.update_stream(glyph, b"700 0 0 0 600 700 d1 0 0 600 100 re f 0 0 100 700 re f")
        font = document.get_new_xref()
        document.update_object(
            font,
            "<</Type/Font/Subtype/Type3/FontBBox[0 0 700 700]/FontMatrix[0.001 0 0 0.001 0 0]/FirstChar 65"
            f"/LastChar 65/Widths[700]/CharProcs<</g1 {glyph} 0 R>>/Encoding<</Differences[65/g1]>>"
            "/Resources<<>>>>",
        )
        document.xref_set_key(page.xref, "Resources", f"<</Font<</F1 {font} 0 R>>>>")
        document.update_stream(page.get_contents()[0], b"BT /F1 40 Tf 40 80 Td (AAAAAA) Tj ET")
        data = document.tobytes()
    with open_source(data, limits=Limits()) as source:
        page = next(iter(source.pages()))
        assert not "".join(word.text for word in page.words()).strip("�\x00A") or page.words() == []
        layout = find_regions(page)
    assert layout.origin != "blank"
    assert layout.regions


def test_an_empty_page_is_still_blank() -> None:
    with pymupdf.open() as document:
        document.new_page(width=400, height=200)
        assert layout_of(document.tobytes()).origin == "blank"


@pytest.mark.parametrize("as_picture", [False, True], ids=["born-digital", "picture"])
@pytest.mark.parametrize(("rows", "columns", "size"), [(52, 8, 5), (35, 12, 7)])
def test_a_dense_ruled_table_of_digits_is_no_score(
    rows: int, columns: int, size: int, as_picture: bool
) -> None:
    chance = random.Random(rows)
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=842)
        wide, high = 500 / columns, size * 1.6
        shape = page.new_shape()
        for row in range(rows):
            for column in range(columns):
                x, y = 45 + column * wide, 40 + row * high
                shape.draw_rect((x, y, x + wide, y + high))
                shape.insert_text((x + 3, y + 0.75 * high), str(chance.randint(1, 99999)), fontsize=size)
        shape.finish(width=0.5)
        shape.commit()
        data = document.tobytes()
    if as_picture:
        data = picture(data, 150, tagged=True)
    assert {region.kind for region in layout_of(data).regions} == {"table"}


def test_words_under_a_scan_are_not_sure_for_being_readable() -> None:
    """What another program read there: letters and digits, and wrong."""
    with pymupdf.open() as shown:
        page = shown.new_page(width=400, height=300)
        for row in range(8):
            page.insert_text((40, 60 + 20 * row), f"Line {row} of the scanned page, as it is.", fontsize=11)
        pixmap = page.get_pixmap(dpi=150)
    with pymupdf.open() as document:
        page = document.new_page(width=400, height=300)
        page.insert_image(page.rect, pixmap=pixmap)
        for row in range(8):
            page.insert_text(
                (40, 60 + 20 * row), f"L1ne {row} 0f tbe scanned pa9e", fontsize=11, render_mode=3
            )
        data = document.tobytes()
    engine = ScriptedEngine({"text": lambda request: ""})
    texts = Pipeline(engine=engine, witnesses="off").process(data).texts
    assert "L1ne 0 0f tbe scanned pa9e" in texts[0].text
    for text in texts:
        assert text.confidence.value is None
        assert [issue.code for issue in text.issues] == ["text-layer-of-scan"]


def test_a_page_whose_words_are_not_to_be_used_is_no_scan() -> None:
    with pymupdf.open() as document:
        document.new_page(width=400, height=200).insert_text((40, 80), "Words alone.", fontsize=12)
        data = document.tobytes()
    with open_source(data, limits=Limits()) as source:
        layout = find_regions(next(iter(source.pages())), use_text_layer=False)
    assert layout.origin == "born-digital"
    assert layout.regions
