"""SVG drawn as a PDF: what stands where, and by which operators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pymupdf
import pytest

from docai.pipelines.synthesis.vector.svg_paths import apply, read_path, read_transform
from docai.pipelines.synthesis.vector.svg_pdf import svg_to_pdf

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '


def paths_of(body: str, size: str = 'width="100" height="80"') -> list[dict[str, Any]]:
    """What PyMuPDF sees in the PDF, a pixel being a point."""
    page = svg_to_pdf(f"{HEAD}{size}>{body}</svg>", points_per_pixel=1.0)
    with pymupdf.open(stream=page.data) as document:
        return list(document[0].get_drawings())


def test_a_line_stands_where_it_is_drawn_with_its_width_and_color() -> None:
    (path,) = paths_of('<path d="M 10,20 L 30,20" style="stroke:#FF0000;stroke-width:2px;fill:none"/>')
    assert path["type"] == "s"
    assert path["items"] == [("l", pymupdf.Point(10, 20), pymupdf.Point(30, 20))]
    assert path["width"] == pytest.approx(2)
    assert path["color"] == pytest.approx((1, 0, 0))


def test_groups_move_scale_and_hand_down_their_style() -> None:
    (path,) = paths_of(
        '<g transform="translate(10,5) scale(2)" fill="none" stroke="blue" stroke-dasharray="3 1">'
        '<line x1="0" y1="0" x2="10" y2="0"/></g>'
    )
    assert path["rect"] == pymupdf.Rect(10, 5, 30, 5)
    assert path["width"] == pytest.approx(2)
    assert path["dashes"].startswith("[ 6 2")


def test_a_nested_picture_is_fitted_into_its_holder() -> None:
    (path,) = paths_of('<svg viewBox="0 0 1000 800"><rect x="100" y="100" width="500" height="200"/></svg>')
    assert path["rect"] == pymupdf.Rect(10, 10, 60, 30)
    assert path["type"] == "f"


@pytest.mark.parametrize("tag", ["g", "symbol"])
def test_a_definition_is_drawn_where_it_is_used_and_nowhere_else(tag: str) -> None:
    body = (
        f'<defs><{tag} id="E0A4-x"><path transform="scale(1,-1)" d="M0 0h10v5h-10z"/></{tag}></defs>'
        '<use xlink:href="#E0A4-x" transform="translate(20, 40)"/><use href="#E0A4-x" x="50" y="40"/>'
    )
    assert [path["rect"] for path in paths_of(body)] == [
        pymupdf.Rect(20, 35, 30, 40),
        pymupdf.Rect(50, 35, 60, 40),
    ]


def test_a_style_sheet_strokes_what_it_names_and_hidden_things_are_not_drawn() -> None:
    paths = paths_of(
        "<style>#a path, #a rect {stroke:currentColor} g.off {visibility:hidden}</style>"
        '<g color="#00FF00"><path d="M0 0h10" fill="none"/></g>'
        '<g class="off"><rect width="5" height="5"/></g>'
    )
    assert [path["type"] for path in paths] == ["s"]
    assert paths[0]["color"] == pytest.approx((0, 1, 0))


def test_text_is_text_at_its_base_line_and_anchored() -> None:
    small_two = '<tspan font-size="7" y="42">2</tspan>'
    body = f'<text x="50" y="40" font-size="10" text-anchor="middle">NH{small_two}</text>'
    page = svg_to_pdf(f'{HEAD}width="100" height="80">{body}</svg>', points_per_pixel=1.0)
    with pymupdf.open(stream=page.data) as document:
        (big, small) = [
            span
            for block in document[0].get_text("dict")["blocks"]
            for line in block["lines"]
            for span in line["spans"]
        ]
    assert (big["text"], small["text"]) == ("NH", "2")
    assert big["origin"][1] == pytest.approx(40, abs=0.01)
    assert (big["bbox"][0] + big["bbox"][2]) / 2 == pytest.approx(50, abs=0.1)
    assert small["size"] == pytest.approx(7)


def test_an_arc_keeps_its_distance_from_the_center() -> None:
    pieces = list(read_path("M 10 0 A 10 10 0 1 1 0 -10"))
    points = np.array([piece[1][-2:] for piece in pieces])
    assert np.hypot(*points.T) == pytest.approx(10)
    assert points[-1] == pytest.approx((0, -10))
    assert len(pieces) == 4, "three quarters of a turn"


def test_a_turn_about_a_point_leaves_the_point() -> None:
    turn = read_transform("rotate(30 5 7)")
    assert apply(turn, 5, 7) == pytest.approx((5, 7))
    x, y = apply(turn, 6, 7)
    assert (x - 5, y - 7) == pytest.approx((math.cos(math.pi / 6), 0.5))


def test_boxes_of_groups_are_those_of_the_page() -> None:
    body = (
        '<g class="system big"><rect x="10" y="20" width="30" height="5"/></g><rect width="90" height="70"/>'
    )
    page = svg_to_pdf(
        f'{HEAD}width="100" height="80">{body}</svg>', points_per_pixel=0.5, boxes_of=("system",)
    )
    assert page.boxes["system"] == [pytest.approx((5, 10, 20, 12.5))]
