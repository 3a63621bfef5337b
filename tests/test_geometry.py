"""Boxes, and the way from page points to pixels and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymupdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docai.geometry import (
    BBox,
    PageTransform,
    contains_center,
    intersection_area,
    interval_overlap,
    overlap_ratio,
    share_inside,
)
from docai.pipelines.ingest import open_source

finite = {"allow_nan": False, "allow_infinity": False}
transforms = st.builds(
    PageTransform,
    x0=st.floats(-5_000, 5_000, **finite),
    y0=st.floats(-5_000, 5_000, **finite),
    scale=st.floats(0.02, 40, **finite),
)
boxes = st.tuples(*[st.floats(-5_000, 5_000, **finite)] * 4)


@given(transforms, boxes)
def test_page_points_survive_the_way_to_pixels_and_back(transform: PageTransform, box: Any) -> None:
    assert transform.to_page(transform.to_pixels(box)) == pytest.approx(box, abs=1e-6)
    pixels = transform.to_pixels(box)
    assert transform.point_to_pixels(box[0], box[1]) == pixels[:2]
    assert transform.row_to_page(pixels[1]) == pytest.approx(box[1], abs=1e-6)


def test_a_box_is_where_the_transform_says_in_the_picture_of_a_page() -> None:
    box: BBox = (40, 60, 90, 80)
    with pymupdf.open() as document:
        document.new_page(width=200, height=150).draw_rect(pymupdf.Rect(box), color=None, fill=(0, 0, 0))
        data = document.tobytes()
    transform = PageTransform(30, 50, 4)
    with open_source(data) as source, source.page(1) as page:
        dark = np.asarray(page.render((30, 50, 130, 100), scale=4).convert("L")) < 128
    x0, y0, x1, y1 = (round(value) for value in transform.to_pixels(box))
    assert (x0, y0, x1, y1) == (40, 40, 240, 120)
    assert dark[y0:y1, x0:x1].all()
    assert dark.sum() == (y1 - y0) * (x1 - x0)


def test_intervals_that_are_apart_overlap_by_minus_their_gap() -> None:
    assert interval_overlap(0, 10, 6, 20) == 4
    assert interval_overlap(0, 10, 13, 20) == -3
    assert overlap_ratio(0, 10, 6, 14) == 0.5
    assert overlap_ratio(0, 10, 13, 20) == 0


def test_boxes_that_only_touch_share_no_area() -> None:
    assert intersection_area((0, 0, 2, 2), (1, 1, 3, 3)) == 1
    assert intersection_area((0, 0, 2, 2), (2, 0, 4, 2)) == 0
    assert intersection_area((0, 0, 1, 1), (2, 2, 3, 3)) == 0


def test_a_box_without_area_is_inside_where_its_center_is() -> None:
    assert share_inside((1, 1, 1, 3), (0, 0, 2, 2)) == 1
    assert share_inside((5, 1, 5, 3), (0, 0, 2, 2)) == 0
    assert contains_center((0, 0, 2, 2), (1, 1, 3, 3))
    assert not contains_center((0, 0, 2, 2), (2, 1, 4, 3))
