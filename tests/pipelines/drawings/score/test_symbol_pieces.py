"""Symbols that programs paint with plain bars and strokes, on a staff with spaces of 10 points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from docai.pipelines.drawings.score.strokes import find_strokes
from docai.pipelines.drawings.score.symbol_compounds import join_cut_times, join_dots, join_stacked_rests
from docai.pipelines.drawings.score.symbols import find_symbols
from docai.pipelines.drawings.score.types import Symbol
from docai.pipelines.ingest.drawing import Drawing, PaintedPath, Subpath

BOX = (0.0, 0.0, 400.0, 300.0)

BLACK = (0.0, 0.0, 0.0)

Points = Sequence[tuple[float, float]]


def part(points: Points) -> Subpath:
    return Subpath(np.array(points, float), np.zeros(len(points) - 1, bool), points[0] == points[-1])


def stroked(*lines: Points, width: float = 1.0) -> PaintedPath:
    return painted(*lines, width=width)


def filled(*outlines: Points) -> PaintedPath:
    return replace(painted(*outlines), stroke=None, fill=BLACK)


def painted(*lines: Points, width: float = 1.0) -> PaintedPath:
    points = np.array([point for line in lines for point in line], float)
    box = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    return PaintedPath(0, tuple(part(line) for line in lines), BLACK, None, width, (), 1.0, box)


def block(x0: float, y0: float, x1: float, y1: float) -> PaintedPath:
    return filled([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])


def hook(x: float, y: float) -> PaintedPath:
    """A ball with a tail that ends at (x, y)."""
    shape = [
        (-10, 1),
        (-9, -1),
        (-7, -1),
        (-6, 1),
        (-4, 3),
        (-1, 0),
        (0, 0),
        (-3.5, 4.5),
        (-8, 4.5),
        (-10, 3),
    ]
    return filled([(x + dx, y + dy) for dx, dy in [*shape, shape[0]]])


def head(x: float, y: float) -> PaintedPath:
    turn = np.array([[0.9, 0.4], [-0.4, 0.9]])
    points = [(x + 6.5 * np.cos(a), 4.2 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 33)]
    placed = [tuple((turn @ (px - x, py) + (x, y)).tolist()) for px, py in points]
    return filled([*placed[:-1], placed[0]])


STAFF = tuple(stroked([(10, y), (390, y)]) for y in (100, 110, 120, 130, 140))


def names(*paths: PaintedPath) -> list[str]:
    ordered = tuple(replace(path, order=number) for number, path in enumerate((*STAFF, *paths)))
    return [symbol.name for symbol in find_symbols(Drawing(BOX, ordered))]


@pytest.mark.parametrize(
    ("bar", "name"),
    [
        ((100, 110, 112, 115), "restWhole"),
        ((100, 115, 112, 120), "restHalf"),
        ((100, 100, 112, 105), "restWhole"),
        ((100, 110, 105, 120), "restDoubleWhole"),
        ((100, 110, 105, 130), "restLonga"),
    ],
)
def test_a_bar_at_a_line_is_a_rest(bar: tuple[float, float, float, float], name: str) -> None:
    assert names(block(*bar)) == [name]


@pytest.mark.parametrize(
    "bar",
    [(100, 112.5, 112, 117.5), (100, 60, 112, 65), (100, 110, 150, 115), (100, 110, 112, 112)],
    ids=["between lines", "far above without a line of its own", "a beam", "too thin"],
)
def test_other_bars_are_no_rests(bar: tuple[float, float, float, float]) -> None:
    assert names(block(*bar)) == []


def test_a_rest_out_of_the_staff_has_a_line_of_its_own() -> None:
    assert names(block(100, 90, 112, 95), stroked([(95, 90), (117, 90)])) == ["restWhole"]


def test_the_hook_of_a_beam_is_no_rest() -> None:
    hook, stem = block(100, 110, 111, 115), stroked([(111.5, 110), (111.5, 145)])

    assert names(hook) == ["restWhole"]
    assert names(hook, stem) == []


def test_a_short_line_over_a_head_is_a_tenuto_and_a_ledger_line_is_none() -> None:
    note = head(100, 125)

    assert sorted(names(note, block(93, 104, 107, 105.5))) == ["articTenutoAbove", "noteheadBlack"]
    assert names(note, block(193, 104, 207, 105.5)) == ["noteheadBlack"]
    assert names(head(100, 80), stroked([(90, 90), (110, 90)]), stroked([(90, 80), (110, 80)])) == [
        "noteheadBlack"
    ]


def test_a_thick_bar_with_strokes_across_its_ends_is_a_rest_of_several_measures() -> None:
    bar, ends = block(100, 116, 160, 124), [stroked([(x, 110), (x, 130)], width=1.5) for x in (100, 160)]

    assert names(bar, *ends) == ["restHBar"]
    assert names(bar) == []
    assert names(bar, *(stroked([(x, 120), (x, 150)], width=1.5) for x in (100, 160))) == []


def test_two_thick_bars_are_the_clef_of_percussion() -> None:
    assert names(block(20, 110, 25, 130), block(28, 110, 33, 130)) == ["unpitchedPercussionClef1"]
    assert names(block(20, 110, 25, 130), block(60, 110, 65, 130)) != ["unpitchedPercussionClef1"]


@pytest.mark.parametrize(("n", "name"), [(1, "rest8th"), (2, "rest16th"), (3, "rest32nd")])
def test_hooks_on_a_slanted_stroke_are_a_short_rest(n: int, name: str) -> None:
    bottom = 118 + 10 * n
    stroke = stroked([(100, bottom), (108, 108)], width=0.8)
    slope = 8 / (bottom - 108)
    hooks = [hook(108 - slope * 10 * k, 108 + 10 * k) for k in range(n)]

    assert names(stroke, *hooks) == [name]


@pytest.mark.parametrize(
    ("points", "name"),
    [
        ([(100, 80), (116, 84), (100, 88)], "articAccentAbove"),
        ([(100, 90), (105, 78), (110, 90)], "articMarcatoAbove"),
        ([(100, 74), (105, 90), (110, 74)], "stringsUpBow"),
    ],
)
def test_two_strokes_that_meet_in_a_point_are_a_mark(points: Points, name: str) -> None:
    assert names(stroked(points)) == [name]


def test_a_hairpin_is_no_accent() -> None:
    assert names(stroked([(100, 160), (160, 154)], [(100, 160), (160, 166)])) == []
    assert names(stroked([(116, 80), (100, 84), (116, 88)])) == []


def test_legs_under_a_bar_are_a_down_bow() -> None:
    legs = stroked([(100, 78), (100, 90)], [(111, 78), (111, 90)])

    assert names(legs, block(100, 78, 111, 82)) == ["stringsDownBow"]
    assert names(legs) == []


def symbol(name: str, box: tuple[float, float, float, float], path: int) -> Symbol:
    return Symbol(name, box, (box[0], box[3]), 40.0, path, path=path)


def test_an_arc_without_its_dot_is_no_fermata() -> None:
    arc = symbol("fermataAbove", (100, 60, 125, 72), 0)
    dot = symbol("augmentationDot", (110.5, 67, 114.5, 71), 1)
    beside = symbol("augmentationDot", (101, 67, 105, 71), 2)

    assert [(s.name, s.more_paths) for s in join_dots([arc, dot], [arc], [])] == [("fermataAbove", (1,))]
    assert join_dots([arc, beside], [arc], []) == [beside]


def test_the_dots_of_a_bass_clef_are_part_of_it() -> None:
    clef = symbol("fClef", (20, 100, 42, 133), 0)
    dots = [symbol("augmentationDot", (44, y, 48, y + 4), n) for n, y in ((1, 103), (2, 113))]
    note_dot = symbol("augmentationDot", (80, 113, 84, 117), 3)

    joined = join_dots([clef, *dots, note_dot], [], [clef])

    assert sorted(s.name for s in joined) == ["augmentationDot", "fClef"]
    assert next(s for s in joined if s.name == "fClef").bbox == (20, 100, 48, 133)


def test_rests_that_stand_on_each_other_are_one() -> None:
    rests = [symbol("rest8th", (100 - 2 * n, 105 + 10 * n, 110 - 2 * n, 123 + 10 * n), n) for n in range(3)]
    apart = symbol("rest8th", (200, 105, 210, 123), 9)

    assert sorted(s.name for s in join_stacked_rests([*rests, apart])) == ["rest32nd", "rest8th"]
    assert join_stacked_rests([rests[0], apart]) == [rests[0], apart]


@pytest.mark.parametrize(
    ("x", "y0", "y1", "name"),
    [
        (50, 106, 134, "timeSigCutCommon"),
        (50, 100, 140, "timeSigCommon"),
        (70, 106, 134, "timeSigCommon"),
        (50, 112, 128, "timeSigCommon"),
    ],
    ids=["through it", "a barline", "beside it", "too short"],
)
def test_a_stroke_through_a_c_makes_it_cut_time(x: float, y0: float, y1: float, name: str) -> None:
    letter = symbol("timeSigCommon", (41, 110, 58, 130), 0)
    strokes = find_strokes(Drawing(BOX, (stroked([(x, y0), (x, y1)]),)))

    (found,) = join_cut_times([letter], strokes)

    assert found.name == name
