"""Structures of whole drawings: which belong together, what is no structure, and what programs draw."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from docai.geometry import contains_center
from docai.pipelines.drawings.molecule.reader import read_molecules
from docai.pipelines.drawings.molecule.types import MoleculeReading
from docai.pipelines.ingest import open_source
from docai.pipelines.ingest.drawing import Drawing
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.synthesis.vector.molecules import indigo_pdf, rdkit_pdf
from tests.pipelines.drawings.molecule.sheet import (
    BOND,
    Sheet,
    between,
    polar,
    ring,
    sides,
    zigzag,
)

START = (100.0, 100.0)

pytestmark = pytest.mark.slow(seconds=10)


@pytest.fixture
def sheet() -> Sheet:
    return Sheet()


def draw_ethanol(sheet: Sheet, start: tuple[float, float], bond: float = BOND) -> None:
    a, b, c = zigzag(start, 3, bond)
    sheet.lines([(a, b), (b, between(b, c, 0.7))])
    sheet.text("OH", c, 0.45 * bond)


def draw_toluene(sheet: Sheet, center: tuple[float, float]) -> None:
    corners = ring(center)
    sheet.lines([*sides(corners), (corners[0], polar(corners[0], 90.0))])
    sheet.circle(center, 0.6 * BOND)


def test_fragments_beside_each_other_are_one_structure(sheet: Sheet) -> None:
    draw_ethanol(sheet, START)
    sheet.text("HCl", (START[0] + 4 * BOND, START[1]))
    assert sheet.smiles() == ["CCO.Cl"]


def test_an_arrow_and_a_plus_part_structures(sheet: Sheet) -> None:
    draw_ethanol(sheet, START)
    sheet.text("+", (START[0] + 4.0 * BOND, START[1]), 12.0)
    draw_toluene(sheet, (START[0] + 6.0 * BOND, START[1]))
    x = START[0] + 7.6 * BOND
    sheet.line((x, START[1]), (x + 30.0, START[1]))
    sheet.polygon((x + 36.0, START[1]), (x + 28.0, START[1] - 3.0), (x + 28.0, START[1] + 3.0))
    draw_ethanol(sheet, (x + 40.0, START[1]))
    assert sorted(map(str, sheet.smiles())) == ["CCO", "CCO", "Cc1ccccc1"]


def test_a_heading_arrow_of_two_strokes_is_no_bond(sheet: Sheet) -> None:
    draw_ethanol(sheet, START)
    x = START[0] + 4.2 * BOND
    tip = (x + 40.0, START[1])
    sheet.line((x, START[1]), tip)
    sheet.line(polar(tip, 150.0, 7.0), tip, polar(tip, 210.0, 7.0))
    draw_toluene(sheet, (x + 40.0 + 1.5 * BOND, START[1]))
    assert sorted(map(str, sheet.smiles())) == ["CCO", "Cc1ccccc1"]


def test_an_arrow_between_atoms_is_a_dative_bond(sheet: Sheet) -> None:
    a = START
    b = polar(a, 0.0, 1.4 * BOND)
    sheet.text("N", a)
    sheet.text("Pd", b)
    for angle in (90.0, 180.0, 270.0):
        sheet.line(polar(a, angle, 6.0), polar(a, angle))
    sheet.line(polar(a, 0.0, 6.0), polar(a, 0.0, 17.0))
    tip = polar(a, 0.0, 21.0)
    sheet.polygon(tip, (tip[0] - 5.0, tip[1] - 2.0), (tip[0] - 5.0, tip[1] + 2.0))
    assert [reading.content and reading.content.smiles for reading in sheet.readings()] == [
        "C[N](C)(C)->[Pd]"
    ]


def test_structures_of_different_scale_are_read_each_in_its_own(sheet: Sheet) -> None:
    draw_ethanol(sheet, START)
    draw_ethanol(sheet, (400.0, 400.0), 3 * BOND)
    assert sheet.smiles() == ["CCO", "CCO"]


def test_every_atom_written_gives_the_scale(sheet: Sheet) -> None:
    points = zigzag(START, 4, 30.0)
    for point in points:
        sheet.text("C", point, 10.0)
    for a, b in pairwise(points):
        sheet.line(between(a, b, 0.25), between(a, b, 0.75))
    readings = sheet.readings()
    assert len(readings) == 1
    assert readings[0].graph is not None
    assert len(readings[0].graph.nodes) == 4


@pytest.mark.parametrize("sign", ["+", "−", "+o", "−o"])
def test_charges_that_are_drawn_are_read(sheet: Sheet, sign: str) -> None:
    a, b, c = zigzag(START, 3)
    sheet.lines([(a, b), (b, between(b, c, 0.7))])
    is_plus = sign[0] == "+"
    sheet.text("NH" if is_plus else "O", c)
    x, y = sheet.letters[-1].bbox[2] + 3.5, sheet.letters[-1].bbox[1]
    if is_plus:
        sheet.text("3", (x - 1.0, sheet.letters[-1].bbox[3]), 6.0)
        x = sheet.letters[-1].bbox[2] + 2.5
        sheet.line((x, y - 2.0), (x, y + 2.0), width=0.6)
    sheet.line((x - 2.0, y), (x + 2.0, y), width=0.6)
    if sign.endswith("o"):
        sheet.circle((x, y), 3.2)
    assert sheet.smiles() == ["CC[NH3+]" if is_plus else "CC[O-]"]


@pytest.mark.parametrize(("reach", "smiles"), [(5.0, "Oc1ccccc1"), (1.6, "OC1=CC=[C+]C=C1?")])
def test_a_plus_larger_than_letters_is_no_charge(sheet: Sheet, reach: float, smiles: str) -> None:
    corners = ring(START, first=0.0)
    oxygen = polar(corners[3], 180.0)
    sheet.lines([*sides(corners), (corners[3], between(corners[3], oxygen, 0.7))])
    for begin, end in list(sides(corners))[::2]:
        sheet.line(between(begin, START, 0.2), between(end, START, 0.2))
    sheet.text("OH", (oxygen[0] - 3.0, oxygen[1]), 8.0)
    x, y = corners[0][0] + reach + 2.0, corners[0][1]
    sheet.line((x - reach, y), (x + reach, y), width=0.6)
    sheet.line((x, y - reach), (x, y + reach), width=0.6)
    assert sheet.smiles() == [smiles]


def test_what_is_left_over_makes_it_less_sure(sheet: Sheet) -> None:
    draw_toluene(sheet, START)
    sure = sheet.readings()[0]
    sheet.path(
        [[(95.0, 95.0), (98.0, 105.0), (104.0, 96.0), (108.0, 108.0), (95.0, 95.0)]],
        stroke=None,
        fill=(0, 0, 0),
    )
    unsure = sheet.readings()[0]
    assert unsure.used < sure.used == 1.0
    assert unsure.confidence < sure.confidence
    assert unsure.issues


def test_brackets_are_no_bonds_and_are_said(sheet: Sheet) -> None:
    points = zigzag(START, 6)
    for a, b in pairwise(points):
        sheet.line(a, b)
    for x, arm in ((START[0] + 8.0, 4.0), (START[0] + 78.0, -4.0)):
        sheet.line((x + arm, 75.0), (x, 75.0), (x, 115.0), (x + arm, 115.0))
    sheet.text("n", (START[0] + 84.0, 118.0), 7.0)
    readings = sheet.readings()
    assert [reading.content and reading.content.smiles for reading in readings] == ["CCCCCC"]
    assert not any(map(is_sure, readings))
    assert any("brackets" in issue.message for issue in readings[0].issues)


def is_sure(reading: MoleculeReading) -> bool:
    return reading.content is not None and reading.confidence >= 0.5


def table(sheet: Sheet) -> None:
    for k in range(6):
        sheet.line((100.0, 100.0 + 20 * k), (220.0, 100.0 + 20 * k))
        sheet.line((100.0 + 24 * k, 100.0), (100.0 + 24 * k, 200.0))


def table_of_cells(sheet: Sheet) -> None:
    for row in range(4):
        for column in range(5):
            x, y = 100.0 + 30 * column, 100.0 + 15 * row
            sheet.line((x, y), (x + 30, y), (x + 30, y + 15), (x, y + 15), (x, y))


def chart(sheet: Sheet) -> None:
    sheet.line((100.0, 100.0), (100.0, 200.0), (260.0, 200.0))
    for k in range(8):
        sheet.line((100.0 + 20 * k, 200.0), (100.0 + 20 * k, 204.0))
        sheet.text(str(k), (100.0 + 20 * k, 212.0), 6.0)
    heights = (150.0, 140.0, 160.0, 120.0, 130.0, 110.0, 125.0, 105.0)
    sheet.line(*((100.0 + 20 * k, y) for k, y in enumerate(heights)))


def flow_chart(sheet: Sheet) -> None:
    for k, word in enumerate(("IN", "CO", "OUT")):
        x = 100.0 + 80 * k
        sheet.line((x, 100.0), (x + 50, 100.0), (x + 50, 125.0), (x, 125.0), (x, 100.0))
        sheet.text(word, (x + 15, 112.0), 8.0)
        if k:
            sheet.line((x - 30, 112.0), (x, 112.0))
            sheet.polygon((x, 112.0), (x - 6, 109.0), (x - 6, 115.0))


def rules(sheet: Sheet) -> None:
    for k in range(3):
        sheet.line((100.0, 100.0 + 3 * k), (400.0, 100.0 + 3 * k))


def squares(sheet: Sheet) -> None:
    for half in (10.0, 14.0, 18.0):
        sheet.line((-half, -half), (half, -half), (half, half), (-half, half), (-half, -half))


@pytest.mark.parametrize("draw", [table, table_of_cells, chart, flow_chart, rules, squares])
def test_other_line_work_is_no_structure(sheet: Sheet, draw: object) -> None:
    assert callable(draw)
    draw(sheet)
    assert not any(map(is_sure, sheet.readings()))


def test_nothing_is_read_from_nothing() -> None:
    assert read_molecules(Drawing((0.0, 0.0, 10.0, 10.0))) == []
    sheet = Sheet()
    sheet.text("HCl", START)
    assert [reading.content and reading.content.smiles for reading in sheet.readings()] == ["Cl"]
    sheet.text("with", (START[0] + 40.0, START[1]))
    assert sheet.readings() == []


def test_more_strokes_than_any_structure_has_are_left_alone(sheet: Sheet) -> None:
    for k in range(8_000):
        x, y = 100.0 + (k % 100) * 4.0, 100.0 + (k // 100) * 4.0
        sheet.line((x, y), (x + 3.0, y + (k % 7) - 3.0))
    assert not any(map(is_sure, sheet.readings()))


def drawing_of(data: bytes | Path, bbox: tuple[float, float, float, float] | None = None) -> Drawing:
    with open_source(data, guarded=False) as source, source.page(1) as page:
        return page.inside(read_drawing, bbox)


STRUCTURES = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "C[C@H](N)C(=O)O",
    "OC[C@H]1OC(O)[C@H](O)[C@@H](O)[C@@H]1O",
    "C/C=C/C(=O)OCC",
    "N#CC(C#N)=Cc1cccc([N+](=O)[O-])c1",
    "CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)O",
]


@pytest.mark.parametrize("smiles", STRUCTURES)
@pytest.mark.parametrize("seed", [1, 2])
def test_structures_drawn_by_rdkit_are_read(smiles: str, seed: int) -> None:
    drawn = rdkit_pdf(smiles, seed, 0.3, all_carbons=False)
    assert [
        reading.content and reading.content.smiles for reading in read_molecules(drawing_of(drawn.data))
    ] == [drawn.smiles]


@pytest.mark.parametrize("smiles", STRUCTURES)
def test_structures_drawn_by_indigo_are_read(smiles: str) -> None:
    pytest.importorskip("indigo")
    drawn = indigo_pdf(smiles, 1, 0.3)
    assert [
        reading.content and reading.content.smiles for reading in read_molecules(drawing_of(drawn.data))
    ] == [drawn.smiles]


@pytest.mark.real
def test_real_drawings_of_open_babel_are_read(real_data: Path) -> None:
    folder = real_data / "vectors" / "molecules"
    if not folder.is_dir():
        pytest.skip(f"no drawings of molecules at {folder}")
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    wrong = []
    for name, molecules in list(truth.items())[::3]:
        drawing = drawing_of(folder / f"{name}.pdf")
        readings = read_molecules(drawing)
        for molecule in molecules:
            found = [
                reading.content and reading.content.smiles
                for reading in readings
                if contains_center(tuple(molecule["bbox"]), reading.bbox) and is_sure(reading)
            ]
            if found != [molecule["smiles"]]:
                wrong.append((name, molecule["smiles"], found))
    assert not wrong
