"""Straight lines of a drawing, whatever way they are painted."""

from __future__ import annotations

import numpy as np
import pytest

from docai.pipelines.ingest.drawing_lines import StraightLines, filled_polygons, straight_lines

from .pdf_content import drawn


def lines_of(content: str) -> StraightLines:
    return straight_lines(drawn(content))


def is_line(
    lines: StraightLines, ends: tuple[float, float, float, float], width: float, slack: float = 0.3
) -> bool:
    """Whether there is one line alone, with these ends in either order, and this width."""
    x0, y0, x1, y1 = ends
    return (
        len(lines.ends) == 1
        and any(np.allclose(lines.ends[0], wanted, atol=slack) for wanted in (ends, (x1, y1, x0, y0)))
        and abs(lines.width[0] - width) < 0.1
    )


@pytest.mark.parametrize(
    "content",
    [
        "2 w 20 50 m 120 50 l S",
        "20 49 100 2 re f",
        "20 49 m 120 49 l 120 51 l 20 51 l h f",
        "20 49 m 70 49 l 120 49 l 120 51 l 70 51 l 20 51 l f",
        "q 20 49 100 2 re W n 1 0 0 rg 0 0 200 100 re f Q",
        # Round and slanted ends, as of outlines of strokes, and rounded corners.
        "20 49 m 120 49 l 121.3 49 121.3 51 120 51 c 20 51 l 18.7 51 18.7 49 20 49 c f",
        "21 49 m 119 49 l 121 51 l 19 51 l f",
        "20.5 49 m 119.5 49 l 119.8 49 120 49.2 120 49.5 c 120 50.5 l 120 50.8 119.8 51 119.5 51 c "
        "20.5 51 l 20.2 51 20 50.8 20 50.5 c 20 49.5 l 20 49.2 20.2 49 20.5 49 c f",
    ],
)
def test_a_line_is_a_line_whatever_way_it_is_painted(content: str) -> None:
    assert is_line(lines_of(content), (20, 50, 120, 50), 2, slack=1.0)


def test_a_thin_parallelogram_in_any_direction_is_a_line_along_its_middle() -> None:
    lines = lines_of("q .8 .6 -.6 .8 40 20 cm 0 -1 60 2 re f Q")

    assert is_line(lines, (40, 80, 88, 44), 2)
    assert lines.is_filled.tolist() == [True]


def test_the_pieces_of_a_stroke_keep_its_corners() -> None:
    lines = lines_of("1 0 0 RG 3 w 10 10 m 50 10 l 50 40 l 90 40 130 60 150 90 c S")

    assert lines.ends.round(2).tolist() == [[10, 90, 50, 90], [50, 90, 50, 60]]
    assert lines.width.tolist() == [3, 3]
    assert lines.color.tolist() == [[1, 0, 0]] * 2
    assert lines.path.tolist() == [0, 0]


@pytest.mark.parametrize(
    "content",
    [
        "20 50 m 120 47 l 120 53 l f",
        "20 20 40 30 re f",
        "20 50 m 60 70 80 70 120 50 c 80 66 60 66 20 50 c f",
        "4 w 1 J 50 50 m 50 50 l S",
        "20 50 m 60 80 80 20 120 50 c S",
    ],
)
def test_wedges_boxes_slurs_dots_and_curves_are_no_lines(content: str) -> None:
    assert len(lines_of(content).ends) == 0


def test_a_hole_is_no_line() -> None:
    assert len(lines_of("20 20 60 40 re 30 39 40 2 re f*").ends) == 0


def test_lines_come_in_the_order_of_painting() -> None:
    lines = lines_of("20 49 100 2 re f 2 w 20 30 m 120 30 l S 20 69 100 2 re f")

    assert lines.path.tolist() == [0, 1, 2]
    assert lines.select(lines.is_filled).path.tolist() == [0, 2]
    assert lines.length().round(1).tolist() == [100, 100, 100]


def test_polygons_have_the_corners_at_which_they_turn() -> None:
    (polygon,) = filled_polygons(
        drawn("20 50 m 70 48.5 l 120 47 l 120 50 l 120 53 l h f 0 0 m 9 9 9 0 0 0 c f")
    )

    assert polygon.path == 0
    assert polygon.corners.round(2).tolist() == [[20, 50], [120, 53], [120, 47]]


def test_nothing_has_no_lines() -> None:
    assert len(lines_of("").ends) == 0
    assert filled_polygons(drawn("")) == []
