"""Pictures of molecules traced to strokes and letters: what is read of drawings as pixels."""

from __future__ import annotations

import random

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from docai.pipelines.ingest import open_source
from docai.pipelines.synthesis.vector.molecules import rdkit_pdf
from docai.pipelines.tracing.molecule.hashes import level_rows
from docai.pipelines.tracing.molecule.ink import find_ink, stroke_width
from docai.pipelines.tracing.molecule.parts import find_parts
from docai.pipelines.tracing.molecule.plus_signs import find_crosses
from docai.pipelines.tracing.molecule.reader import TracedMolecules, read_picture
from docai.pipelines.tracing.molecule.segments import read_pieces
from docai.pipelines.tracing.molecule.skeletons import skeleton_of
from docai.pipelines.tracing.molecule.thinning import thin
from docai.pipelines.tracing.molecule.touching import take_letters
from docai.pipelines.tracing.molecule.tracer import trace

Image = NDArray[np.uint8]

STYLE = {
    "scalingFactor": 24.0,
    "bondLineWidth": 1.0,
    "multipleBondOffset": 0.18,
    "baseFontSize": 0.65,
    "explicitMethyl": False,
    "as_text": False,
    "palette": "useBWAtomPalette",
    "legend": "",
    "fontFile": "BuiltinTelexRegular",
}


def draw(smiles: str, dpi: int = 200, **style: float) -> Image:
    """RDKit's drawing as a picture (H, W), 0 black."""
    drawn = rdkit_pdf(smiles, 1, 0.2, **(STYLE | style))
    with open_source(drawn.data) as source, source.page(1) as page:
        return np.asarray(page.render(page.bbox, scale=dpi / 72).convert("L"), np.uint8)


def smiles_of(found: TracedMolecules) -> str:
    from rdkit import Chem

    return str(Chem.CanonSmiles(found.smiles)) if found.smiles else ""


def canonical(smiles: str) -> str:
    from rdkit import Chem

    return str(Chem.CanonSmiles(smiles))


@pytest.mark.parametrize(
    "smiles",
    [
        "CC(=O)Oc1ccccc1C(=O)O",
        "N#Cc1ccncc1Cl",
        "CC/C=C/CBr",
        "OCC1CCCC(F)C1",
        "CCCCCCCC",
    ],
)
def test_a_clean_drawing_is_read(smiles: str) -> None:
    found = read_picture(draw(smiles))
    assert smiles_of(found) == canonical(smiles)
    assert found.confidence > 0.8


@pytest.mark.parametrize("smiles", ["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"])
def test_wedges_and_hashes_give_the_configuration(smiles: str) -> None:
    assert smiles_of(read_picture(draw(smiles, 400))) == canonical(smiles)


def plain_letters(smiles: str, width: int, angle: float) -> Image:
    """RDKit's own picture, whose letters have no serifs: gray, (H, W)."""
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    canvas = rdMolDraw2D.MolDraw2DCairo(width, 3 * width // 4)
    canvas.drawOptions().useBWAtomPalette()
    canvas.drawOptions().rotate = angle
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, Chem.MolFromSmiles(smiles))
    canvas.FinishDrawing()
    encoded = np.frombuffer(canvas.GetDrawingText(), np.uint8)
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)


@pytest.mark.parametrize("smiles", ["Ic1ccccc1", "OC(=O)c1ccccc1I", "CCC(C)I"])
@pytest.mark.parametrize(("width", "angle"), [(300, 90), (450, 30)])
def test_an_upright_stroke_at_the_end_of_a_bond_is_iodine(smiles: str, width: int, angle: float) -> None:
    assert smiles_of(read_picture(plain_letters(smiles, width, angle))) == canonical(smiles)


@pytest.mark.parametrize("width", [150, 300, 400, 600, 900, 1200])
def test_the_size_of_a_picture_does_not_matter(width: int) -> None:
    aspirin = "CC(=O)Oc1ccccc1C(=O)O"
    assert smiles_of(read_picture(plain_letters(aspirin, width, 0))) == aspirin


@pytest.mark.parametrize("smiles", ["CCCC", "c1ccccc1", "Clc1ccccc1", "CC(=O)C=CC", "NCC(C)(C)C"])
@pytest.mark.parametrize("angle", [0, 30, 90])
def test_upright_bonds_and_letters_of_other_labels_are_no_iodine(smiles: str, angle: float) -> None:
    tracing = trace(plain_letters(smiles, 400, angle))
    assert tracing is not None
    assert tracing.n_stems == 0


@pytest.mark.parametrize(
    "smiles",
    [
        "CC(=O)OCC[N+](C)(C)C",
        "[O-][n+]1ccccc1",
        "O=[N+]([O-])c1ccc(O)cc1",
        "C[n+]1ccc(-c2ccccc2)cc1",
        "CC[N+](CC)(CC)CC",
        "[NH3+]CC(=O)[O-]",
    ],
)
@pytest.mark.parametrize(("width", "angle"), [(250, 0), (300, 30)])
def test_charges_of_small_pictures_are_read(smiles: str, width: int, angle: float) -> None:
    found = read_picture(plain_letters(smiles, width, angle))
    assert smiles_of(found) == canonical(smiles)
    assert found.tracing is not None
    assert found.tracing.n_plus_signs == smiles.count("+")


@pytest.mark.parametrize("smiles", ["CCOC(=O)c1ccccc1", "[O-]C(=O)c1ccccc1", "C[C@H](N)Cc1ccccc1", "CCCC#N"])
@pytest.mark.parametrize("angle", [0, 30, 90])
def test_minus_signs_hashes_and_letters_are_no_plus_signs(smiles: str, angle: float) -> None:
    for picture in (plain_letters(smiles, 250, angle), draw(smiles, 150)):
        tracing = trace(picture)
        assert tracing is not None
        assert tracing.n_plus_signs == 0


@pytest.mark.parametrize("height", [0.0, 1.0, 12.0])
def test_signs_are_not_looked_for_where_letters_are_specks(height: float) -> None:
    ink = find_ink(plain_letters("C[N+](C)(C)C", 300, 0))
    assert ink is not None
    assert find_crosses(ink, 30.0)
    assert not find_crosses(ink, height)


@pytest.mark.parametrize("dpi", [150, 200])
def test_the_t_of_ethyl_is_no_plus_sign(dpi: int) -> None:
    import pymupdf

    with pymupdf.open() as document:
        page = document.new_page(width=160, height=120)
        corners = [(40, 30), (60, 42), (60, 66), (40, 78), (20, 66), (20, 42)]
        for begin, end in zip(corners, [*corners[1:], corners[0]], strict=True):
            page.draw_line(begin, end, width=0.6)
        page.draw_line((60, 42), (80, 30), width=0.6)
        page.insert_text((82, 30), "OEt", fontname="tiro", fontsize=10)
        pixels = page.get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY)
    tracing = trace(np.frombuffer(pixels.samples, np.uint8).reshape(pixels.height, pixels.width))
    assert tracing is not None
    assert "O" in {letter.text for letter in tracing.letters}
    assert tracing.n_plus_signs == 0


def test_an_upright_bond_with_a_flaw_in_it_is_no_iodine() -> None:
    picture = plain_letters("OC(C)(C)C", 400, 0)
    whole = trace(picture)
    assert whole is not None
    for y in range(20, picture.shape[0] - 20, 12):
        flawed = picture.copy()
        flawed[y : y + 4] = 255
        tracing = trace(flawed)
        assert tracing is None or tracing.n_stems == 0


def test_black_and_white_is_read_as_well_as_gray() -> None:
    smiles = "CC(=O)Nc1ccc(O)cc1"
    picture = np.where(draw(smiles, 300) < 160, 0, 255).astype(np.uint8)
    assert smiles_of(read_picture(picture)) == canonical(smiles)


def test_light_lines_on_dark_paper_are_read() -> None:
    smiles = "O=C1CCCCC1"
    assert smiles_of(read_picture(255 - draw(smiles))) == canonical(smiles)


def test_colors_are_ink_whatever_their_brightness() -> None:
    gray = draw("c1ccsc1")
    picture = np.stack([np.full_like(gray, 255), np.full_like(gray, 255), gray], axis=2)
    assert smiles_of(read_picture(picture)) == canonical("c1ccsc1")


def test_dirt_and_a_caption_are_no_part_of_the_structure() -> None:
    picture = draw("CC(=O)Oc1ccccc1C(=O)O")
    picture = cv2.copyMakeBorder(picture, 40, 160, 40, 40, cv2.BORDER_CONSTANT, value=255)
    cv2.putText(picture, "(I-22)", (60, picture.shape[0] - 20), cv2.FONT_HERSHEY_DUPLEX, 0.9, 0, 1)
    rng = random.Random(3)
    for _ in range(40):
        picture[rng.randrange(picture.shape[0]), rng.randrange(picture.shape[1])] = 0
    assert smiles_of(read_picture(picture)) == canonical("CC(=O)Oc1ccccc1C(=O)O")


@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (300, 300), (300, 300, 3)])
def test_paper_holds_nothing(shape: tuple[int, ...]) -> None:
    for value in (0, 255):
        assert read_picture(np.full(shape, value, np.uint8)).smiles == ""


def test_noise_hatching_and_text_are_not_believed() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (300, 300), dtype=np.uint8)
    salt = np.where(rng.random((400, 400)) < 0.03, 0, 255).astype(np.uint8)
    hatching = np.where(np.add.outer(np.arange(400), np.arange(400)) % 40 < 2, 0, 255).astype(np.uint8)
    text = np.full((400, 800), 255, np.uint8)
    for y in range(40, 400, 40):
        cv2.putText(text, "The quick brown fox 0123456789", (20, y), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 0, 2)
    for picture in (noise, salt, hatching, text):
        assert read_picture(picture).confidence < 0.5


def test_strokes_come_to_one_width_at_any_resolution() -> None:
    for dpi in (100, 150, 300, 600):
        ink = find_ink(draw("CCCO", dpi))
        assert ink is not None
        assert 4.0 <= ink.width <= 10.0


def test_the_width_of_a_slanted_stroke_is_measured_across_it() -> None:
    for angle in (0, 20, 45, 70, 90):
        mask = np.zeros((200, 200), np.uint8)
        end = (100 + round(80 * np.cos(np.radians(angle))), 100 + round(80 * np.sin(np.radians(angle))))
        cv2.line(mask, (100, 100), end, 1, 7)
        assert 5.5 <= stroke_width(mask) <= 9.5


@pytest.mark.parametrize("width", [2, 4, 6])
@pytest.mark.parametrize("rise", [-1, 1])
def test_thinned_lines_at_45_degrees_are_as_long_as_before(width: int, rise: int) -> None:
    ink = np.zeros((90, 90), np.uint8)
    for x in range(20, 60):
        y = 45 + rise * (x - 40)
        ink[y : y + width, x : x + width] = 1
    rows, columns = np.nonzero(thin(ink))
    assert np.ptp(rows) >= 39 - width
    assert np.ptp(columns) >= 39 - width


@pytest.mark.parametrize("text", ["N", "O"])
def test_a_letter_whose_corners_bonds_meet_is_seen_and_read(text: str) -> None:
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    shown = Pillow.new("L", (300, 240), 255)
    pen = ImageDraw.Draw(shown)
    font = ImageFont.load_default(32)
    left, top, right, bottom = pen.textbbox((0, 0), text, font)
    pen.text((150 - (left + right) / 2, 90 - (top + bottom) / 2), text, fill=0, font=font)
    # Two ethyl groups, whose bonds end in the letter.
    half = (bottom - top) / 2
    for side in (-1, 1):
        pen.line((150 + 0.7 * side * half, 90 + 0.7 * half, 150 + 52 * side, 120), fill=0, width=3)
        pen.line((150 + 52 * side, 120, 150 + 104 * side, 90), fill=0, width=3)
    picture = np.asarray(shown, np.uint8)
    ink = find_ink(picture)
    assert ink is not None
    parts = find_parts(ink)
    assert parts is not None
    assert len(parts) == 1
    letters, lines = take_letters(parts, [], ink, (bottom - top) * ink.scale, ink.width)
    assert [letter.text for letter in letters] == [text]
    assert len(lines) == 2
    assert smiles_of(read_picture(picture)) == canonical(f"CC{text}CC")


@pytest.mark.parametrize(
    ("smiles", "width", "dpi"),
    [
        ("c1ncc2[nH]cnc2n1", 2.0, 150),
        ("Cn1cnc2c1c(=O)n(C)c(=O)n2C", 1.5, 158),
        ("c1ncc2[nH]cnc2n1", 1.5, 167),
    ],
)
def test_letters_that_all_touch_bonds_keep_their_stems(smiles: str, width: float, dpi: int) -> None:
    blurred = cv2.GaussianBlur(draw(smiles, dpi, bondLineWidth=width, baseFontSize=0.75), (0, 0), 0.7)
    assert smiles_of(read_picture(np.asarray(blurred, np.uint8))) == canonical(smiles)


def test_corners_and_crossings_of_bonds_are_no_letters() -> None:
    ink = find_ink(draw("C1CC2CCC1CC2C(C)(C)C"))
    assert ink is not None
    parts = find_parts(ink)
    assert parts is not None
    letters, lines = take_letters(parts, [], ink, 0.45 * 24 * 200 / 72 * ink.scale, ink.width)
    assert not letters
    assert lines == parts


def test_bars_that_pixels_have_turned_are_leveled_across_their_row() -> None:
    def bar(at: tuple[float, float], angle: float, length: float) -> NDArray[np.float64]:
        unit = np.array([np.cos(angle), np.sin(angle)])
        along, across = unit * length / 2, np.array([-unit[1], unit[0]]) * 2
        corners = [-along - across, along - across, along + across, -along + across]
        return np.array([*corners, corners[0]]) + at

    turned = [(0.0, 6.0), (0.3, 9.0), (1.9, 12.0), (1.3, 15.0), (1.57, 18.0)]
    bars = [bar((12.0 * k, 0.0), angle, length) for k, (angle, length) in enumerate(turned)]
    apart = bar((12.0, 90.0), 0.4, 30.0)
    leveled = level_rows([*bars, apart], 4.0)
    assert np.array_equal(leveled[-1], apart)
    for before, after in zip(bars, leveled, strict=False):
        assert np.allclose(after[:4].mean(axis=0), before[:4].mean(axis=0))
        assert np.ptp(after[:, 1]) > np.ptp(after[:, 0])


def test_thinned_strokes_stay_connected_and_are_thin() -> None:
    mask = np.zeros((120, 120), np.uint8)
    cv2.line(mask, (10, 10), (100, 60), 1, 7)
    cv2.line(mask, (100, 60), (20, 110), 1, 5)
    line = thin(mask)
    assert cv2.connectedComponents(line, connectivity=8)[0] == 2
    assert 150 < int(line.sum()) < 260


def line_picture(lines: list[tuple[tuple[float, float], tuple[float, float]]], width: int) -> Image:
    picture = np.full((700, 900), 255, np.uint8)
    for a, b in lines:
        ends = [(round(16 * x), round(16 * y)) for x, y in (a, b)]
        cv2.line(picture, ends[0], ends[1], 0, width, cv2.LINE_AA, 4)
    return picture


@pytest.mark.parametrize("n_dashes", [5, 6, 7])
def test_the_outer_dashes_of_a_dashed_bond_are_no_bonds_of_their_own(n_dashes: int) -> None:
    """As older programs draw a bond that points away: a dash at each end hangs on the atom there."""
    atom, other = (400.0, 300.0), (400.0, 450.0)
    lines = [((270.0, 225.0), atom), (atom, (530.0, 225.0)), (other, (530.0, 525.0))]
    length = 150.0 / (2 * n_dashes - 1)
    lines += [
        ((400.0, 300.0 + 2 * k * length), (400.0, 300.0 + (2 * k + 1) * length)) for k in range(n_dashes)
    ]
    assert smiles_of(read_picture(line_picture(lines, 6))) == "CCC(C)C"


@pytest.mark.parametrize("tilt", [0, 3, 6])
@pytest.mark.parametrize("angle", [0, 2, 30])
def test_the_blunt_end_of_a_wide_wedge_is_one_atom(angle: float, tilt: float) -> None:
    atom = np.array([400.0, 300.0])
    picture = line_picture([((270.0, 225.0), (400.0, 300.0)), ((400.0, 300.0), (530.0, 225.0))], 6)
    unit = np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    side = np.cos(np.radians(tilt)) * np.array([unit[1], -unit[0]]) + np.sin(np.radians(tilt)) * unit
    corners = np.array([atom, atom + 150 * unit - 17 * side, atom + 150 * unit + 17 * side])
    cv2.fillPoly(picture, [np.round(16 * corners).astype(np.int32)], 0, cv2.LINE_8, 4)
    ink = find_ink(picture)
    assert ink is not None
    (part,) = find_parts(ink)
    assert len(read_pieces(skeleton_of(part, ink.width), ink.width)) == 3
