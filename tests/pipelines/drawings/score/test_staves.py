"""Straight strokes and staves of drawings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from docai.pipelines.drawings.score.staves import find_staves
from docai.pipelines.drawings.score.strokes import find_strokes
from docai.pipelines.ingest.drawing import Drawing, PaintedPath, Subpath

Points = Sequence[tuple[float, float]]
TOPS = (100.0, 105.0, 110.0, 115.0, 120.0)


def subpath(points: Points) -> Subpath:
    return Subpath(np.array(points, float), np.zeros(len(points) - 1, bool), points[0] == points[-1])


def painted(*parts: Points, width: float = 0.5, is_filled: bool = False, color: float = 0.0) -> PaintedPath:
    points = np.array([point for part in parts for point in part], float)
    ink = (color, color, color)
    return PaintedPath(
        0,
        tuple(subpath(part) for part in parts),
        None if is_filled else ink,
        ink if is_filled else None,
        width,
        (),
        1.0,
        (*points.min(axis=0).tolist(), *points.max(axis=0).tolist()),  # type: ignore[arg-type]
    )


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Points:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]


def drawing(*paths: PaintedPath) -> Drawing:
    return Drawing((0, 0, 600, 800), paths)


def as_strokes(y: float) -> list[PaintedPath]:
    return [painted([(50, y), (400, y)])]


def as_rectangles(y: float) -> list[PaintedPath]:
    return [painted(rectangle(50, y - 0.25, 400, y + 0.25), is_filled=True)]


def as_pieces(y: float) -> list[PaintedPath]:
    return [painted([(x, y), (x + 70, y)]) for x in range(50, 400, 70)]


def as_overlapping_pieces_from_the_right(y: float) -> list[PaintedPath]:
    return [painted([(x + 71, y), (x - 1, y)], color=0.6) for x in range(330, 0, -70)][:5]


@pytest.mark.parametrize(
    "paint", [as_strokes, as_rectangles, as_pieces, as_overlapping_pieces_from_the_right]
)
def test_five_equidistant_lines_are_a_staff_however_they_are_painted(
    paint: Callable[[float], list[PaintedPath]],
) -> None:
    (staff,) = find_staves(drawing(*(path for y in TOPS for path in paint(y))))
    assert staff.lines == pytest.approx(TOPS)
    assert (staff.x0, staff.x1) == pytest.approx((50, 400), abs=1.5)
    assert staff.space == pytest.approx(5)
    assert not staff.is_tablature


def test_all_lines_in_one_path_are_a_staff() -> None:
    (staff,) = find_staves(drawing(painted(*([(50.0, y), (400.0, y)] for y in TOPS))))
    assert staff.lines == pytest.approx(TOPS)


def test_ledger_lines_are_no_lines_of_a_staff() -> None:
    ledgers = [painted([(x, y), (x + 9, y)]) for x in (80, 200) for y in (90.0, 95.0, 125.0, 130.0)]
    (staff,) = find_staves(drawing(*ledgers, *(path for y in TOPS for path in as_strokes(y))))
    assert staff.lines == pytest.approx(TOPS)


def test_a_beam_on_a_line_does_not_break_the_staff() -> None:
    beam = painted(rectangle(120, 103.75, 180, 106.25), is_filled=True)
    (staff,) = find_staves(drawing(beam, *(path for y in TOPS for path in as_pieces(y))))
    assert staff.lines == pytest.approx(TOPS)


def test_two_staves_side_by_side_are_two() -> None:
    beside = [painted([(430, y), (560, y)]) for y in TOPS]
    staves = find_staves(drawing(*beside, *(path for y in TOPS for path in as_strokes(y))))
    assert [round(staff.x0) for staff in staves] == [50, 430]


@pytest.mark.parametrize(("n_lines", "n_staves"), [(3, 0), (4, 1), (6, 1), (7, 0), (12, 0)])
def test_four_or_six_lines_may_be_tablature_and_more_are_ruled_paper(n_lines: int, n_staves: int) -> None:
    lines = [painted([(50, 100 + 7 * number), (400, 100 + 7 * number)]) for number in range(n_lines)]
    staves = find_staves(drawing(*lines))
    assert [staff.is_tablature for staff in staves] == [True] * n_staves


@pytest.mark.parametrize("space", [40.0, 0.5])
def test_lines_too_far_apart_or_too_near_are_no_staff(space: float) -> None:
    lines = [painted([(50, 100 + space * number), (400, 100 + space * number)]) for number in range(5)]
    assert find_staves(drawing(*lines)) == []


def test_white_and_transparent_lines_are_no_staff() -> None:
    assert find_staves(drawing(*(painted([(50, y), (400, y)], color=1.0) for y in TOPS))) == []


def test_the_thickness_of_a_slab_is_that_across_it() -> None:
    slanted = painted([(10, 10), (50, 20), (50, 24), (10, 14), (10, 10)], is_filled=True)
    strokes = find_strokes(drawing(slanted, painted([(0, 50), (30, 50)], width=3)))
    assert strokes.ends[0].tolist() == pytest.approx([0, 50, 30, 50])
    assert strokes.ends[1].tolist() == pytest.approx([10, 12, 50, 22])
    assert strokes.thickness.tolist() == pytest.approx([3, 4 * np.cos(np.arctan(0.25))])


def test_an_outline_that_is_filled_and_then_stroked_is_one_thicker_stroke() -> None:
    bar = rectangle(10, 10, 12, 60)
    strokes = find_strokes(drawing(painted(bar, is_filled=True), painted(bar, width=0.4)))
    assert len(strokes) == 1
    assert strokes.thickness.tolist() == pytest.approx([2.4])
    assert strokes.is_upright.all()


def test_numbers_that_are_none_and_strokes_of_no_length_are_left_out() -> None:
    nowhere = float("nan")
    strokes = find_strokes(
        drawing(
            painted([(5, 5), (5, 5)]),
            painted([(nowhere, 5), (50, 5)]),
            painted([(0, 0), (1e300, 0)]),
            painted(rectangle(7, 7, 7, 7), is_filled=True),
        )
    )
    assert len(strokes) == 0


def test_a_page_of_a_hatch_has_no_staves() -> None:
    rng = np.random.default_rng(0)
    hatch = [painted([(0, y), (600, y)]) for y in np.sort(rng.uniform(0, 800, 6000)).tolist()]
    assert find_staves(drawing(*hatch)) == []
