"""Areas and overlaps of outlines, and what upright boxes can reach."""

from __future__ import annotations

import math
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docai.errors import MissingDependencyError
from docai.geometry import BBox
from docai.geometry import iou as box_iou
from docai.pipelines.evaluation.base import SpottedWord
from docai.pipelines.evaluation.metrics.outlines import (
    Ceiling,
    axis_aligned_ceiling,
    intersections,
    ious,
    outlines,
    shares_inside,
)
from docai.records import Point

BOW_TIE = [(0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 10.0)]
DIAMOND = [(10.0, 0.0), (20.0, 10.0), (10.0, 20.0), (0.0, 10.0)]
SIDES = st.tuples(*[st.integers(0, 30)] * 4)
BOXES = SIDES.map(lambda s: (float(s[0]), float(s[1]), float(s[0] + s[2]), float(s[1] + s[3])))


def box(x0: float, y0: float, x1: float, y1: float) -> list[Point]:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def word(polygon: list[Point], ignore: bool = False) -> SpottedWord:
    return SpottedWord(text="x", polygon=polygon, ignore=ignore)


def test_areas_and_overlaps_of_a_box_and_a_triangle() -> None:
    rows, cols = outlines([box(0, 0, 4, 2)]), outlines([[(0, 0), (4, 0), (0, 4)], box(9, 9, 10, 10)])
    assert rows.areas.tolist() == [8]
    # The triangle's part above y = 2 is a trapezium of 4 and 2 by 2.
    assert intersections(rows, cols).tolist() == [[6, 0]]
    assert ious(rows, cols).tolist() == [[6 / 10, 0]]
    assert shares_inside(cols, rows).tolist() == [[6 / 8], [0]]


def test_an_outline_that_crosses_itself_is_mended_and_counted() -> None:
    mended = outlines([BOW_TIE, DIAMOND])
    assert mended.n_mended == 1
    assert mended.areas.tolist() == [50, 200]
    assert ious(mended, mended)[0, 0] == pytest.approx(1)


@pytest.mark.parametrize(
    "corners", [[], [(1.0, 1.0)], [(0.0, 0.0), (5.0, 5.0)], [(0.0, 0.0), (math.nan, 1.0), (1.0, 1.0)]]
)
def test_what_is_no_polygon_is_missing_and_overlaps_nothing(corners: list[Point]) -> None:
    empty, whole = outlines([corners]), outlines([box(-9, -9, 99, 99)])
    assert empty.n_missing == 1
    assert ious(empty, whole).tolist() == [[0]]
    assert ious(empty, empty).tolist() == [[0]]
    assert shares_inside(empty, whole).tolist() == [[0]]


def test_an_outline_without_area_is_present_and_overlaps_nothing() -> None:
    flat = outlines([box(0, 5, 10, 5)])
    assert (flat.n_missing, flat.areas.tolist()) == (0, [0])
    assert ious(flat, flat, epsilon=1e-5).tolist() == [[0]]


def test_whole_units_are_cut_and_not_rounded() -> None:
    assert outlines([box(0, 0, 2.9, 1.9)], whole_units=True).areas.tolist() == [2]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shapely", None)
    with pytest.raises(MissingDependencyError, match=r"shapely.*pip install 'docai\[metrics\]'"):
        outlines([DIAMOND])


def test_nothing_has_empty_tables() -> None:
    assert ious(outlines([]), outlines([box(0, 0, 1, 1)])).shape == (0, 1)
    assert ious(outlines([box(0, 0, 1, 1)]), outlines([])).shape == (1, 0)


@settings(deadline=None)
@given(BOXES, BOXES)
def test_boxes_have_the_iou_of_boxes(one: BBox, other: BBox) -> None:
    given_, asked = outlines([box(*one)]), outlines([box(*other)])
    assert ious(given_, asked)[0, 0] == pytest.approx(box_iou(one, other))
    assert ious(asked, given_)[0, 0] == pytest.approx(ious(given_, asked)[0, 0])


def test_upright_words_have_no_ceiling_below_all() -> None:
    words = [word(box(0, 0, 9, 3)), word(box(20, 0, 29, 3)), word(box(0, 0, 99, 99), ignore=True)]
    assert axis_aligned_ceiling(words) == Ceiling(n_truth=2, n_bounding=2, n_possible=2)


def test_a_slanted_word_is_out_of_reach() -> None:
    # 100 by 10 at 45 degrees: the bounding box has 6050 for its 1000, and no box does much better.
    slanted = [(0.0, 0.0), (70.7, 70.7), (63.6, 77.8), (-7.1, 7.1)]
    assert axis_aligned_ceiling([word(slanted), word(box(0, 0, 9, 3))]) == Ceiling(2, 1, 1)


def test_a_smaller_box_can_fit_better_than_the_bounding_box() -> None:
    # The bounding box of a diamond has twice its area, 0.5; the best box has an IoU of 0.7.
    assert axis_aligned_ceiling([word(DIAMOND)]) == Ceiling(1, 1, 1)
    assert axis_aligned_ceiling([word(DIAMOND)], above=True) == Ceiling(1, 0, 1)
    assert axis_aligned_ceiling([word(DIAMOND)], threshold=0.69) == Ceiling(1, 0, 1)
    assert axis_aligned_ceiling([word(DIAMOND)], threshold=0.75) == Ceiling(1, 0, 0)


def test_a_word_without_area_counts_and_is_out_of_reach() -> None:
    assert axis_aligned_ceiling([word([]), word(box(0, 0, 5, 0))]) == Ceiling(2, 0, 0)
    assert axis_aligned_ceiling([]) == Ceiling(0, 0, 0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=3, max_size=5))
def test_more_is_possible_than_bounding_boxes_reach(corners: list[tuple[int, int]]) -> None:
    ceiling = axis_aligned_ceiling([word([(float(x), float(y)) for x, y in corners])])
    assert ceiling.n_bounding <= ceiling.n_possible <= ceiling.n_truth
