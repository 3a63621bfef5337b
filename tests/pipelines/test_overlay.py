from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from docai.contents import Issue
from docai.document import Document, PageInfo, SourceInfo
from docai.limits import Limits
from docai.pipelines.overlay import color_of, draw_document, draw_overlay, label
from docai.records import Confidence, Figure, Molecule, Table

TABLE = Table(id="t", page=1, bbox=(20, 40, 80, 90), head="table", confidence=Confidence(value=0.876))
FIGURE = Figure(id="f", page=1, bbox=(100, 40, 180, 90))


def _page(width: int = 400, height: int = 300) -> Image.Image:
    return Image.new("RGB", (width, height), "white")


def test_box_is_drawn_where_it_is_in_its_kinds_color() -> None:
    picture = draw_overlay(_page(), [TABLE, FIGURE], scale=2.0)
    assert picture.getpixel((39, 130)) == color_of("table")
    assert picture.getpixel((161, 130)) == color_of("table")
    assert picture.getpixel((361, 130)) == color_of("figure")
    assert picture.getpixel((180, 130)) == (255, 255, 255)


def test_content_stays_legible_inside_the_box() -> None:
    page = _page()
    page.paste((0, 0, 0), (40, 130, 160, 131))
    picture = draw_overlay(page, [TABLE], scale=2.0)
    dark, light = picture.getpixel((40, 130)), picture.getpixel((40, 133))
    assert isinstance(dark, tuple)
    assert isinstance(light, tuple)
    assert max(dark) < 40
    assert min(light) > 200


def test_page_image_is_left_alone() -> None:
    page = _page()
    draw_overlay(page, [TABLE], scale=2.0)
    assert page.getcolors() == [(400 * 300, (255, 255, 255))]


def test_label_says_kind_head_confidence_and_trouble() -> None:
    assert label(TABLE) == "table · table 0.88"
    assert label(FIGURE) == "figure · no head"
    issue = Issue(code="x", severity="error", stage="parser", message="Bad.")
    assert label(Molecule(id="m", page=1, bbox=(0, 0, 1, 1), head="molecule", issues=[issue])).endswith("!")


def test_labels_do_not_cover_each_other() -> None:
    near = TABLE.model_copy(update={"bbox": (22, 41, 80, 90)})

    def has_label_below(picture: Image.Image) -> bool:
        return any(
            color == color_of("table") for _, color in picture.crop((0, 184, 400, 300)).getcolors() or []
        )

    assert not has_label_below(draw_overlay(_page(), [TABLE], scale=2.0))
    assert has_label_below(draw_overlay(_page(), [TABLE, near], scale=2.0))


@pytest.mark.parametrize("bbox", [(-50, -50, 500, 500), (10, 10, 10, 10), (90, 90, 20, 20), (0, 0, 200, 3)])
def test_boxes_beyond_the_page_or_without_area_are_drawn_without_trouble(bbox: tuple[float, ...]) -> None:
    record = TABLE.model_copy(update={"bbox": bbox})
    assert draw_overlay(_page(), [record], scale=2.0).size == (400, 300)


def test_each_readable_page_of_a_document_gives_a_picture() -> None:
    buffer = BytesIO()
    frames = [Image.new("RGB", (200, 100), "white") for _ in range(3)]
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:], dpi=(72, 72))
    document = Document(
        source=SourceInfo(name="a.tiff", type="tiff", n_bytes=1, sha256="", n_pages=3),
        pages=[
            PageInfo(number=1, width=200, height=100, origin="scan"),
            PageInfo(number=2, width=0, height=0, origin="failed"),
            PageInfo(number=3, width=200, height=100, origin="scan"),
        ],
        records=[TABLE.model_copy(update={"page": 3})],
    )
    pictures = dict(draw_document(document, buffer.getvalue(), limits=Limits(), long_side=400))
    assert list(pictures) == [1, 3]
    assert pictures[1].size == pictures[3].size == (400, 200)
    assert pictures[1].getcolors() == [(400 * 200, (255, 255, 255))]
    assert pictures[3].getpixel((39, 130)) == color_of("table")
