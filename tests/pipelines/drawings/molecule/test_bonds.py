"""Bonds as programs draw them: each way of drawing gives the same structure."""

from __future__ import annotations

from itertools import pairwise

import pytest

from docai.pipelines.ingest.drawing import Color
from tests.pipelines.drawings.molecule.sheet import (
    BLACK,
    BOND,
    RED,
    Sheet,
    aside,
    between,
    polar,
    ring,
    sides,
    zigzag,
)

START = (100.0, 100.0)


@pytest.fixture
def sheet() -> Sheet:
    return Sheet()


def propanol(sheet: Sheet) -> tuple[tuple[float, float], tuple[float, float]]:
    """A chain of three carbon atoms with OH; gives the last atom and where its bond to oxygen ends."""
    a, b, c, d = zigzag(START, 4)
    sheet.text("OH", d)
    sheet.lines([(a, b), (b, c)])
    return c, between(c, d, 0.7)


def test_a_line_that_ends_before_a_label_is_a_bond_to_it(sheet: Sheet) -> None:
    sheet.line(*propanol(sheet))
    assert sheet.smiles() == ["CCCO"]


def test_a_polyline_is_a_bond_for_each_piece(sheet: Sheet) -> None:
    a, b, c, d = zigzag(START, 4)
    sheet.line(a, b, c, between(c, d, 0.7))
    sheet.text("OH", d)
    assert sheet.smiles() == ["CCCO"]


@pytest.mark.parametrize("second", [BLACK, RED])
def test_halves_of_a_bond_are_one_whatever_their_colors(sheet: Sheet, second: Color) -> None:
    a, b, c, d = zigzag(START, 4)
    sheet.text("OH", d)
    for p, q in ((a, b), (b, c), (c, between(c, d, 0.7))):
        middle = between(p, q, 0.5)
        sheet.line(p, middle)
        sheet.line(middle, q, color=second)
    assert sheet.smiles() == ["CCCO"]


def test_a_gradient_of_many_pieces_is_one_bond(sheet: Sheet) -> None:
    p, q = propanol(sheet)
    for k in range(8):
        sheet.line(between(p, q, k / 8), between(p, q, (k + 1) / 8), color=(k / 8, 0.0, 0.0))
    assert sheet.smiles() == ["CCCO"]


def test_bonds_drawn_twice_are_there_once(sheet: Sheet) -> None:
    for _ in range(2):
        sheet.line(*propanol(sheet))
    sheet.letters = sheet.letters[:2]
    assert sheet.smiles() == ["CCCO"]


def test_thin_filled_shapes_are_bonds(sheet: Sheet) -> None:
    a, b, c, d = zigzag(START, 4)
    sheet.text("OH", d)
    for p, q in ((a, b), (b, c), (c, between(c, d, 0.7))):
        sheet.bar(p, q, 1.5)
    assert sheet.smiles() == ["CCCO"]


def test_a_broad_pale_line_under_a_bond_is_only_its_background(sheet: Sheet) -> None:
    a, b, *_ = zigzag(START, 4)
    sheet.line(a, b, width=8.0, color=(1.0, 0.8, 0.8))
    sheet.line(*propanol(sheet))
    assert sheet.smiles() == ["CCCO"]


@pytest.mark.parametrize("shifts", [(-1.5, 1.5), (0.0, 3.0), (0.0, -3.0)], ids=["middle", "left", "right"])
def test_two_lines_beside_each_other_are_a_double_bond(sheet: Sheet, shifts: tuple[float, float]) -> None:
    c, end = propanol(sheet)
    sheet.letters = sheet.letters[:1]
    for shift in shifts:
        sheet.line(*aside(c, end, shift))
    assert sheet.smiles() == ["CCC=O"]


def test_the_inner_line_of_a_double_bond_in_a_ring_is_shorter(sheet: Sheet) -> None:
    corners = ring(START)
    sheet.lines(sides(corners))
    for a, b in sides(corners)[::2]:
        p, q = aside(a, b, 3.0)
        sheet.line(between(p, q, 0.15), between(p, q, 0.85))
    assert sheet.smiles() == ["c1ccccc1"]


def test_three_lines_are_a_triple_bond_and_the_atoms_on_it_are_found(sheet: Sheet) -> None:
    a = START
    b, c, d = (polar(a, 0.0, BOND * k) for k in (1, 2, 3))
    sheet.lines([(a, b), (b, c), (c, d), aside(b, c, 2.5), aside(b, c, -2.5)])
    sheet.line(d, polar(d, 60.0))
    assert sheet.smiles() == ["CC#CCC"]
    nitrile = Sheet()
    nitrile.lines([(polar(a, 120.0), a), (a, b), (b, between(b, c, 0.7))])
    for shift in (2.5, -2.5):
        nitrile.line(*aside(b, between(b, c, 0.7), shift))
    nitrile.text("N", c)
    assert nitrile.smiles() == ["CCC#N"]


def test_double_bonds_in_a_row_meet_at_an_atom(sheet: Sheet) -> None:
    a = START
    b, c = polar(a, 0.0), polar(a, 0.0, 2 * BOND)
    for p, q in ((a, b), (b, c)):
        sheet.lines([aside(p, q, 1.5), aside(p, q, -1.5)])
    sheet.lines([(polar(a, 120.0), a), (c, polar(c, 60.0))])
    assert sheet.smiles() == ["CC=C=CC"]


def test_a_bridge_over_a_ring_ends_at_its_atoms(sheet: Sheet) -> None:
    corners = ring(START, bond=30.0)
    top = (START[0] + 2.0, START[1] - 4.0)
    sheet.lines([*sides(corners), (corners[1], top), (top, corners[4])])
    assert sheet.smiles() == ["C1CC2CCC1C2"]


def test_a_bond_with_a_gap_where_another_crosses_is_one(sheet: Sheet) -> None:
    a, b, c, d = zigzag(START, 4, 30.0)
    sheet.lines([(a, b), (b, c), (c, d)])
    p = between(b, c, 0.5)
    top, bottom = polar(p, 90.0, 15.0), polar(p, -90.0, 15.0)
    sheet.lines([(top, between(top, bottom, 0.42)), (between(top, bottom, 0.58), bottom)])
    sheet.text("N", polar(top, 90.0, 8.0))
    sheet.text("N", polar(bottom, -90.0, 8.0))
    assert [reading.content and reading.content.smiles for reading in sheet.readings()] == ["CCCC.NN"]


def test_the_atoms_of_a_crossing_are_not_its_middle(sheet: Sheet) -> None:
    p = START
    for angle in (20.0, 110.0):
        a, b = polar(p, angle, 12.0), polar(p, angle + 180.0, 12.0)
        sheet.line(a, b)
        sheet.text("O", polar(p, angle, 19.0))
        sheet.text("N", polar(p, angle + 180.0, 19.0))
    assert [reading.content and reading.content.smiles for reading in sheet.readings()] == ["NO.NO"]


def alanine(sheet: Sheet) -> tuple[tuple[float, float], tuple[float, float]]:
    """Alanine but for the bond to nitrogen; gives where that begins and ends."""
    methyl, center, acid, hydroxyl = zigzag(START, 4)
    sheet.lines([(methyl, center), (center, acid), (acid, between(acid, hydroxyl, 0.7))])
    oxygen = polar(acid, -90.0)
    for shift in (-1.5, 1.5):
        sheet.line(*aside(acid, between(acid, oxygen, 0.7), shift))
    amine = polar(center, 90.0)
    sheet.text("OH", hydroxyl)
    sheet.text("O", oxygen)
    sheet.text("NH", amine)
    last = sheet.letters[-1].bbox
    sheet.text("2", (last[2] + 2.5, last[3]), 6.0)
    return center, between(center, amine, 0.72)


UP, DOWN = "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"


def styled(style: str) -> list[str | None]:
    sheet = Sheet()
    a, b = alanine(sheet)
    (p, q), (r, s) = aside(a, b, 2.6), aside(a, b, -2.6)
    if style == "triangle":
        sheet.polygon(a, q, s)
    elif style == "trapezoid":
        (n, _), (m, _) = aside(a, b, 0.5), aside(a, b, -0.5)
        sheet.polygon(n, q, s, m)
    elif style == "slanted":
        sheet.polygon(a, q, between(a, s, 1.12))
    elif style == "notched":
        sheet.polygon(a, q, between(a, b, 0.93), s)
    elif style == "two colors":
        left, right = between(a, q, 0.5), between(a, s, 0.5)
        sheet.polygon(a, left, right)
        sheet.polygon(left, q, s, right, fill=RED)
    elif style == "filled and outlined":
        sheet.polygon(a, q, s)
        sheet.line(a, q, s, a)
    elif style == "hollow":
        sheet.line(a, q, s, a)
    elif style in ("bars", "filled bars", "one path"):
        bars = [(between(a, q, k / 6), between(a, s, k / 6)) for k in range(1, 7)]
        if style == "one path":
            sheet.path(bars)
        for x, y in bars if style != "one path" else ():
            sheet.bar(x, y, 0.7) if style == "filled bars" else sheet.line(x, y, width=0.7)
    elif style == "even bars":
        for k in range(6):
            sheet.line(between(p, q, k / 5), between(r, s, k / 5), width=0.7)
    elif style == "broad dashes":
        sheet.path([(a, b)], width=5.0, dashes=(1.0, 1.5))
    elif style == "waves":
        swings = [between(*aside(a, b, 1.5 * (-1) ** k), k / 8) for k in range(1, 8)]
        sheet.path([[a, *swings, b]], curved=True)
    return sheet.smiles()


@pytest.mark.parametrize(
    "style",
    ["triangle", "trapezoid", "slanted", "notched", "two colors", "filled and outlined", "hollow"],
)
def test_a_wedge_is_up_however_it_is_drawn(style: str) -> None:
    assert styled(style) == [styled("triangle")[0]]
    assert styled(style)[0] in (UP, DOWN)


@pytest.mark.parametrize("style", ["bars", "filled bars", "one path", "even bars", "broad dashes"])
def test_a_hash_is_down_however_it_is_drawn(style: str) -> None:
    up = styled("triangle")[0]
    assert styled(style) == [DOWN if up == UP else UP]


def test_a_wavy_bond_has_no_side() -> None:
    assert styled("waves") == ["CC(N)C(=O)O"]


def test_a_bond_that_is_not_drawn_is_missing() -> None:
    assert styled("nothing") not in (["CC(N)C(=O)O"], [UP], [DOWN])


def test_the_sides_of_a_double_bond_are_those_of_the_drawing(sheet: Sheet) -> None:
    a, b, c, d = zigzag(START, 4)
    sheet.lines([(a, b), (b, c), (c, d)])
    p, q = aside(b, c, 3.0)
    sheet.line(between(p, q, 0.15), between(p, q, 0.85))
    assert sheet.smiles() == ["C/C=C/C"]
    bent = Sheet()
    bent.lines([(a, b), (b, c), (c, polar(c, -90.0))])
    bent.line(between(p, q, 0.15), between(p, q, 0.85))
    assert bent.smiles() == ["C/C=C\\C"]


def test_a_crossed_double_bond_has_no_sides(sheet: Sheet) -> None:
    a, b, c, d = zigzag(START, 4)
    (p, q), (r, s) = aside(b, c, 2.0), aside(b, c, -2.0)
    sheet.lines([(a, b), (c, d), (p, s), (r, q)])
    assert sheet.smiles() == ["CC=CC"]


@pytest.mark.parametrize("way", ["circle", "arcs", "dashes"])
def test_a_circle_in_a_ring_makes_it_aromatic(sheet: Sheet, way: str) -> None:
    corners = ring(START)
    sheet.lines(sides(corners))
    sheet.line(corners[0], polar(corners[0], 90.0))
    if way == "circle":
        sheet.circle(START, 0.6 * BOND)
    elif way == "arcs":
        for k in range(6):
            arc = [polar(START, 60.0 * k + 10.0 * step, 0.6 * BOND) for step in range(7)]
            sheet.path([arc], curved=True)
    else:
        for a, b in sides(corners):
            p, q = aside(a, b, 3.0)
            sheet.path([(between(p, q, 0.15), between(p, q, 0.85))], dashes=(2.0, 1.0))
    assert sheet.smiles() == ["Cc1ccccc1"]


def test_neighbors_of_a_ring_do_not_hide_its_circle(sheet: Sheet) -> None:
    left, right = ring(START, first=30.0), ring((START[0] + BOND * 3**0.5, START[1]), first=30.0)
    for corners in (left, right):
        sheet.lines(sides(corners))
    sheet.circle(START, 0.55 * BOND)
    sheet.circle((START[0] + BOND * 3**0.5, START[1]), 0.55 * BOND)
    assert sheet.smiles() == ["c1ccc2ccccc2c1"]


def test_the_order_of_painting_does_not_matter(sheet: Sheet) -> None:
    corners = ring(START)
    pieces = sides(corners) + [aside(a, b, 3.0) for a, b in sides(corners)[::2]]
    for a, b in reversed(pieces):
        sheet.line(b, a)
    sheet.line(polar(corners[0], 90.0), corners[0])
    assert sheet.smiles() == ["Cc1ccccc1"]


@pytest.mark.parametrize("scale", [0.4, 1.0, 6.0])
def test_any_scale_is_read(scale: float) -> None:
    sheet = Sheet()
    points = [(x * scale, y * scale) for x, y in zigzag(START, 5)]
    for a, b in pairwise(points[:-1]):
        sheet.line(a, b, width=scale)
    sheet.line(points[3], between(points[3], points[4], 0.7), width=scale)
    sheet.text("OH", points[4], 9.0 * scale)
    assert sheet.smiles() == ["CCCCO"]
