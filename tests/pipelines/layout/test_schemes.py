"""Drawings of chemists: one region for each molecule, whatever stands beside it."""

import math
from io import BytesIO
from pathlib import Path

import pymupdf
import pytest
from PIL import ImageOps
from rdkit import Chem
from rdkit.Chem import Draw
from rdkit.Chem.Draw import rdMolDraw2D

from docai import Limits, Pipeline, ScriptedEngine
from docai.geometry import grow, iou, share_inside, touches
from docai.pipelines.ingest import open_source
from docai.pipelines.layout import Region, find_regions
from docai.pipelines.synthesis.pages import scanned, synthetic_page

pytestmark = pytest.mark.slow(seconds=15)

SMILES = {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "phenol": "Oc1ccccc1",
    "chloride": "CC(=O)Cl",
    "ester": "CC(=O)Oc1ccccc1",
    "nicotine": "CN1CCC[C@H]1c1cccnc1",
    "cholesterol": "CC(C)CCC[C@@H](C)[C@H]1CC[C@H]2[C@@H]3CC=C4C[C@@H](O)CC[C@]4(C)[C@H]3CC[C@]12C",
}


class Sheet:
    """A page on which molecules, arrows and text are drawn."""

    def __init__(self) -> None:
        self.document = pymupdf.open()
        self.page = self.document.new_page(width=595, height=842)

    def molecule(self, name: str, x: float, y: float, *, outlines: bool = False, bond: float = 16) -> tuple:
        """Draw a molecule of at most 150 by 120 points; its box. The labels are text, or outlines."""
        drawer = rdMolDraw2D.MolDraw2DSVG(300, 240, -1, -1, not outlines)
        options = drawer.drawOptions()
        options.useBWAtomPalette()
        options.clearBackground = False
        options.fixedBondLength = 2 * bond
        rdMolDraw2D.PrepareAndDrawMolecule(drawer, Chem.MolFromSmiles(SMILES[name]))
        drawer.FinishDrawing()
        with pymupdf.open(stream=drawer.GetDrawingText().encode(), filetype="svg") as svg:
            place = pymupdf.Rect(x, y, x + 150, y + 120)
            self.page.show_pdf_page(place, pymupdf.open("pdf", svg.convert_to_pdf()), 0)
        return ink_box(self.page, place)

    def line(self, *points: tuple[float, float]) -> None:
        self.page.draw_polyline(points, width=0.9)

    def arrow(self, x0: float, x1: float, y: float) -> None:
        self.line((x0, y), (x1, y))
        self.line((x1 - 6, y - 3), (x1, y), (x1 - 6, y + 3))

    def text(self, x: float, y: float, text: str, size: float = 9) -> None:
        self.page.insert_text((x, y), text, fontsize=size)

    def regions(self) -> list[Region]:
        return regions_of(self.document.tobytes())


def ink_box(page: pymupdf.Page, place: pymupdf.Rect) -> tuple:
    """Where there is ink in a part of a page, to half a point."""
    pixmap = page.get_pixmap(dpi=144, clip=place, colorspace=pymupdf.csGRAY)
    dark = [
        (x, y)
        for y in range(pixmap.height)
        for x, level in enumerate(pixmap.samples[y * pixmap.stride : y * pixmap.stride + pixmap.width])
        if level < 200
    ]
    xs, ys = zip(*dark, strict=True)
    return (
        place.x0 + min(xs) / 2,
        place.y0 + min(ys) / 2,
        place.x0 + (max(xs) + 1) / 2,
        place.y0 + (max(ys) + 1) / 2,
    )


def regions_of(source: bytes | Path) -> list[Region]:
    with open_source(source) as opened, opened.page(1) as page:
        return list(find_regions(page).regions)


def molecules(regions: list[Region]) -> list[Region]:
    return [region for region in regions if region.kind == "molecule"]


def words_of(region: Region) -> str:
    return " ".join(word.text for word in region.words)


def texts(regions: list[Region]) -> list[str]:
    return [words_of(region) for region in regions if region.kind == "text"]


def are_found(regions: list[Region], boxes: list[tuple], least: float = 0.75) -> bool:
    """Whether there is one molecule for each box, and no other."""
    found = molecules(regions)
    return len(found) == len(boxes) and all(
        any(iou(region.bbox, box) > least for region in found) for box in boxes
    )


@pytest.mark.parametrize("outlines", [False, True])
def test_each_molecule_of_a_row_is_a_region_without_its_caption(outlines: bool) -> None:
    sheet = Sheet()
    boxes = []
    for column, name in enumerate(("aspirin", "nicotine", "cholesterol")):
        box = sheet.molecule(name, 60 + 165 * column, 80, outlines=outlines, bond=14)
        sheet.text((box[0] + box[2]) / 2 - 20, box[3] + 14, f"{column + 1}, {name}")
        boxes.append(box)
    regions = sheet.regions()
    assert are_found(regions, boxes)
    assert sorted(texts(regions)) == ["1, aspirin", "2, nicotine", "3, cholesterol"]


def test_a_number_close_below_a_ring_is_not_a_label_of_it() -> None:
    sheet = Sheet()
    box = sheet.molecule("phenol", 200, 80)
    sheet.text(box[0] + 10, box[3] + 11, "7a")
    regions = sheet.regions()
    assert are_found(regions, [box])
    assert texts(regions) == ["7a"]


def test_a_scheme_is_split_at_its_arrow_and_plus_signs() -> None:
    sheet = Sheet()
    sheet.text(60, 60, "Scheme 1. The ester is made in one step from phenol.")
    phenol, chloride = sheet.molecule("phenol", 10, 80), sheet.molecule("chloride", 140, 80)
    ester = sheet.molecule("ester", 400, 80)
    plus = (phenol[2] + chloride[0]) / 2
    sheet.line((plus - 4, 140), (plus + 4, 140))
    sheet.line((plus, 136), (plus, 144))
    sheet.arrow(270, 370, 140)
    sheet.text(290, 134, "Et3N, DCM", 8)
    sheet.text(300, 152, "0 °C, 2 h", 8)
    regions = sheet.regions()
    assert are_found(regions, [phenol, chloride, ester])
    by_place = sorted(molecules(regions), key=lambda region: region.bbox[0])
    told = [" / ".join(region.evidence) for region in by_place]
    assert "beside the plus sign" in told[0]
    assert "arrow" not in told[0]
    assert "beside the plus sign" in told[1]
    assert "before the reaction arrow at 270 137" in told[1]
    assert "after the reaction arrow at 270 137" in told[2]
    conditions = [
        words_of(region) for region in regions if any("conditions of" in fact for fact in region.evidence)
    ]
    assert conditions == ["Et3N, DCM", "0 °C, 2 h"]


def test_a_large_plus_near_a_ring_is_no_part_of_it() -> None:
    sheet = Sheet()
    left, right = sheet.molecule("chloride", 60, 80, bond=24), sheet.molecule("phenol", 240, 80, bond=24)
    # As far from the ring as RDKit draws it: closer than a charge may be to its letter.
    x, y = right[0] - 14, (right[1] + right[3]) / 2
    sheet.line((x - 8, y), (x + 8, y))
    sheet.line((x, y - 8), (x, y + 8))
    regions = sheet.regions()
    assert are_found(regions, [left, right])
    assert max(region.bbox[0] for region in molecules(regions)) > x + 8
    assert all("beside the plus sign" in " / ".join(region.evidence) for region in molecules(regions))


def test_the_kinds_of_arrows_are_told_apart() -> None:
    sheet = Sheet()
    for row, x in enumerate((100, 100, 100)):
        sheet.molecule("phenol", x, 60 + 150 * row)
        sheet.molecule("phenol", 330, 60 + 150 * row)
    sheet.line((240, 118), (303, 118))
    sheet.line((240, 122), (303, 122))
    sheet.line((299, 113), (306, 120), (299, 127))
    sheet.line((240, 268), (306, 268), (299, 264))
    sheet.line((306, 272), (240, 272), (247, 276))
    sheet.line((247, 417), (240, 420), (247, 423))
    sheet.arrow(240, 306, 420)
    regions = sheet.regions()
    assert {region.kind for region in regions} == {"molecule"}
    told = [
        next(fact.split(" arrow")[0] for fact in region.evidence if "arrow" in fact)
        for region in sorted(molecules(regions), key=lambda r: (round(r.bbox[1], -1), r.bbox[0]))
    ]
    assert told == [
        f"{place} the {kind}"
        for kind in ("retrosynthesis", "equilibrium", "resonance")
        for place in ("before", "after")
    ]


def test_a_flow_chart_stays_a_figure() -> None:
    sheet = Sheet()
    sheet.page.draw_rect((220, 180, 360, 214))
    sheet.text(240, 200, "Read the file")
    sheet.line((290, 214), (290, 240))
    sheet.line((290, 240), (360, 270), (290, 300), (220, 270), (290, 240))
    sheet.text(275, 273, "Valid?")
    sheet.line((360, 270), (410, 270))
    sheet.page.draw_rect((410, 253, 520, 287))
    sheet.text(420, 272, "Report error")
    (region,) = [region for region in sheet.regions() if region.kind != "text"]
    assert region.kind == "figure"


@pytest.mark.parametrize("n_corners", [6, 40])
def test_charts_stay_figures(n_corners: int) -> None:
    """A radar chart is made of straight strokes at the angles of bonds, and a curve of short ones."""
    sheet = Sheet()
    for radius in (20, 40, 60, 80):
        turns = [2 * math.pi * step / n_corners for step in range(n_corners + 1)]
        ring = [(300 + radius * math.cos(turn), 300 + radius * math.sin(turn)) for turn in turns]
        sheet.line(*ring)
        if radius == 80:
            for corner in ring[:6]:
                sheet.line((300, 300), corner)
    (region,) = sheet.regions()
    assert region.kind == "figure"


def table_of_compounds(is_ruled: bool) -> tuple[Sheet, list[tuple]]:
    """A table with molecules in the second column, and their boxes; rules around all cells, or three."""
    sheet = Sheet()
    columns, rows = [60, 130, 300, 420, 540], [80, 100, 230, 360]
    for y in rows if is_ruled else (rows[0], rows[1], rows[-1]):
        sheet.line((columns[0], y), (columns[-1], y))
    for x in columns if is_ruled else ():
        sheet.line((x, rows[0]), (x, rows[-1]))
    for x, head in zip(columns, ("Entry", "Structure", "Yield (%)", "mp (°C)"), strict=False):
        sheet.text(x + 5, 94, head)
    boxes = []
    for row, name in enumerate(("aspirin", "nicotine")):
        middle = (rows[row + 1] + rows[row + 2]) / 2
        boxes.append(sheet.molecule(name, 140, middle - 60))
        for x, value in zip((65, 305, 425), (str(row + 1), str(61 + row), f"{130 + row}"), strict=True):
            sheet.text(x, middle, value)
    return sheet, boxes


@pytest.mark.parametrize("is_ruled", [True, False])
def test_molecules_in_the_cells_of_a_table_are_regions_beside_it(is_ruled: bool) -> None:
    sheet, boxes = table_of_compounds(is_ruled)
    regions = sheet.regions()
    assert are_found(regions, boxes)
    (table,) = [region for region in regions if region.kind == "table"]
    assert all(touches(table.bbox, box) for box in boxes)
    assert "61" in words_of(table)
    assert "O" not in words_of(table).split()
    assert any("O" in words_of(region) for region in molecules(regions))


def test_records_of_molecules_tell_the_cell_they_stand_in() -> None:
    sheet, _ = table_of_compounds(is_ruled=True)
    sheet.molecule("phenol", 200, 400)
    engine = ScriptedEngine({"table": "", "molecule": "CCO", "text": ""})
    document = Pipeline(engine=engine, witnesses="off").process(sheet.document.tobytes())
    (table,) = document.tables
    places = [molecule.in_cell for molecule in sorted(document.molecules, key=lambda m: m.bbox[1])]
    cells = [None if place is None else (place.table, place.row, place.col) for place in places]
    assert cells == [(table.id, 1, 1), (table.id, 2, 1), None]
    assert [cell.text for cell in table.cells if cell.col == 1] == ["Structure", "", ""]


@pytest.mark.real
def test_real_pages_of_molecules(real_data: Path) -> None:
    regions = regions_of(real_data / "cases/molecules-with-text-labels.pdf")
    assert len(molecules(regions)) == 5
    assert {"1, aspirin", "2, caffeine", "3, ibuprofen", "4, penicillin", "5, cholesterol"} <= set(
        texts(regions)
    )
    regions = regions_of(real_data / "cases/reaction-scheme.pdf")
    assert [region.kind for region in regions] == ["text", "molecule", "text", "text", "molecule"]
    assert texts(regions)[1:] == ["Ac2O, H2SO4", "80 °C, 2 h"]


@pytest.mark.real
@pytest.mark.parametrize("number", [9, 12, 22, 25])
def test_real_molecules_in_the_colors_of_their_elements(real_data: Path, number: int) -> None:
    regions = regions_of(real_data / f"vectors/molecules/ob-{number:02}.pdf")
    assert len(molecules(regions)) == 2
    assert not [region for region in regions if region.kind not in ("molecule", "text")]


def test_labels_and_bonds_in_light_colors_are_part_of_their_structure() -> None:
    """RDKit draws sulfur yellow and chlorine green; half of a bond has the color of its atom."""
    smiles = ["CSc1ccccc1", "Clc1ccc(Br)cc1I", "CC(N)C(=O)O", "Clc1ccc(Cl)cc1"]
    inked: list[tuple[float, ...]] = []
    with pymupdf.open() as document:
        page = document.new_page(width=595, height=842)
        for index, text in enumerate(smiles):
            picture = Draw.MolToImage(Chem.MolFromSmiles(text), size=(600, 450))
            left, top = 60 + 250 * (index % 2), 80 + 220 * (index // 2)
            buffer = BytesIO()
            picture.save(buffer, "PNG")
            page.insert_image((left, top, left + 240, top + 180), stream=buffer.getvalue())
            page.insert_text((left + 60, top + 192), f"Compound {index + 1}", fontsize=10)
            x0, y0, x1, y1 = ImageOps.invert(picture.convert("L")).point(lambda v: 255 * (v > 40)).getbbox()
            inked.append((left + 0.4 * x0, top + 0.4 * y0, left + 0.4 * x1, top + 0.4 * y1))
        with open_source(document.tobytes()) as source:
            regions = find_regions(next(iter(source.pages()))).regions
    molecules = [region.bbox for region in regions if region.kind == "molecule"]
    assert len(molecules) == 4
    for ink in inked:
        assert any(share_inside(ink, grow(box, 1)) > 0.99 for box in molecules)
    assert {region.kind for region in regions} == {"molecule", "text"}


def test_words_that_reach_into_the_surroundings_of_a_molecule_in_a_scan_are_none_of_it() -> None:
    page = scanned(synthetic_page(37))
    (truth,) = (region.bbox for region in page.truth if region.kind == "molecule")
    with open_source(page.pdf, limits=Limits()) as source, source.page(1) as opened:
        (found,) = (region for region in find_regions(opened).regions if region.kind == "molecule")
    assert iou(found.bbox, truth) > 0.9
