"""Small pictures without a resolution, as a screen shows them: one thing is one region, and none is cut."""

from collections.abc import Sequence
from io import BytesIO

import indigo
import numpy as np
import pytest
from indigo.renderer import IndigoRenderer
from PIL import Image, ImageDraw, ImageFont, ImageOps
from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

from docai import Limits
from docai.geometry import BBox, grow, share_inside
from docai.pipelines.ingest import PageWord, open_source
from docai.pipelines.layout import Region, find_regions
from docai.pipelines.layout.picture import is_light_on_dark
from docai.pipelines.layout.types import SeenWord

pytestmark = pytest.mark.slow(seconds=20)


def molecule(smiles: str, width: int, height: int) -> Image.Image:
    return colored_molecule(smiles, width, height).convert("L")


def colored_molecule(smiles: str, width: int, height: int) -> Image.Image:
    """In RDKit's colors: sulfur is yellow."""
    canvas = rdMolDraw2D.MolDraw2DCairo(width, height)
    canvas.DrawMolecule(rdMolDraw2D.PrepareMolForDrawing(Chem.MolFromSmiles(smiles)))
    canvas.FinishDrawing()
    return Image.open(BytesIO(canvas.GetDrawingText())).convert("RGB")


def text(line: str, size: int) -> tuple[Image.Image, list[SeenWord]]:
    """A line of letters ``size`` pixels high, and its words as an engine sees them."""
    font = ImageFont.load_default(size)
    image = Image.new("L", (round(font.getlength(line)) + 80, 2 * size + 20), 255)
    pen = ImageDraw.Draw(image)
    pen.text((40, 20), line, font=font, fill=0)
    words = []
    for index, word in enumerate(line.split()):
        x = 40 + font.getlength(" ".join([*line.split()[:index], ""]))
        words.append(seen(word, pen.textbbox((x, 20), word, font=font)))
    return image, words


def seen(word: str, box: BBox, line: int = 0) -> SeenWord:
    return SeenWord(PageWord(word, box, 0, line), 0.95)


def ink_box(image: Image.Image) -> BBox:
    ys, xs = np.nonzero(np.asarray(image) < 200)
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)


def regions_of(image: Image.Image, words: Sequence[SeenWord] = ()) -> tuple[Region, ...]:
    buffer = BytesIO()
    image.save(buffer, "PNG")
    with open_source(buffer.getvalue(), limits=Limits()) as source, source.page(1) as page:
        return find_regions(page, see_words=lambda _: words).regions


@pytest.mark.parametrize(
    "smiles", ["COc1ccc2[nH]c(S(=O)Cc3ncc(C)c(OC)c3C)nc2c1", "CC(=O)NCCCS(=O)(=O)O", "O=C(CSc1ccccc1)NC"]
)
@pytest.mark.parametrize("size", [(450, 330), (700, 400)])
def test_a_molecule_with_yellow_sulfur_is_one_region(smiles: str, size: tuple[int, int]) -> None:
    image = colored_molecule(smiles, *size)
    (region,) = regions_of(image)
    assert region.kind == "molecule"
    assert share_inside(ink_box(ImageOps.grayscale(image)), region.bbox) > 0.98


@pytest.mark.parametrize(
    ("smiles", "width", "height"),
    [
        ("CCO", 400, 300),
        ("CCCO", 300, 300),
        ("CC(=O)Oc1ccccc1C(=O)O", 600, 450),
        ("C[N+](C)(C)CC(=O)[O-]", 400, 300),
        ("O=C1CCCCC1", 343, 257),
        ("CCN", 300, 300),
    ],
)
def test_a_picture_of_one_molecule_is_one_region_around_all_ink(smiles: str, width: int, height: int) -> None:
    image = molecule(smiles, width, height)
    (region,) = regions_of(image)
    assert region.kind == "molecule"
    assert region.polygon is None
    assert share_inside(grow(ink_box(image), -3), region.bbox) == 1


def test_a_molecule_in_white_on_black_is_found_as_one_in_black() -> None:
    image = molecule("CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O", 400, 300)
    (region,) = regions_of(ImageOps.invert(image))
    assert region.kind == "molecule"
    assert share_inside(grow(ink_box(image), -3), region.bbox) == 1
    assert not is_light_on_dark(np.zeros((300, 400), np.uint8))


def test_the_ion_of_a_salt_belongs_to_its_molecule_and_a_caption_does_not() -> None:
    picture = molecule("C[N+](C)(C)C.[Cl-]", 460, 460)
    x0, y0, x1, y1 = ink_box(picture.crop((380, 0, 460, 460)))
    ion = seen("Cl-", (380 + x0, y0, 380 + x1, y1))
    caption, words = text("lot 214", 20)
    paper = Image.new("L", (460, 530), 255)
    paper.paste(picture, (0, 0))
    paper.paste(caption, (100, 465))
    (a, b) = (
        seen(one.word.text, (b[0] + 100, b[1] + 465, b[2] + 100, b[3] + 465), 1)
        for one in words
        for b in (one.word.bbox,)
    )
    regions = regions_of(paper, [ion, a, b])
    assert [region.kind for region in regions] == ["molecule", "text"]
    assert share_inside(grow(ink_box(picture), -3), regions[0].bbox) == 1


@pytest.mark.parametrize("line", ["4711.083", "LOT 77471 A", "V = 7.47 mL"])
@pytest.mark.parametrize("size", [30, 60])
def test_a_line_of_large_letters_is_one_text(line: str, size: int) -> None:
    image, words = text(line, size)
    (region,) = regions_of(image, words)
    assert region.kind == "text"
    assert share_inside(grow(ink_box(image), -3), region.bbox) == 1


@pytest.mark.parametrize("size", [(2000, 1), (1, 2000), (3, 3)])
def test_strips_of_few_pixels_are_pages(size: tuple[int, int]) -> None:
    assert regions_of(Image.new("L", size, 255)) == ()


def test_labels_wider_than_the_margin_of_a_drawing_are_whole() -> None:
    """The groups OH and CH3 of aspirin reach farther beyond its lines than layout looks for labels."""
    tool = indigo.Indigo()
    renderer = IndigoRenderer(tool)
    tool.setOption("render-output-format", "png")
    tool.setOption("render-background-color", 1.0, 1.0, 1.0)
    tool.setOption("render-image-size", 492, 492)
    drawn = tool.loadMolecule("CC(=O)Oc1ccccc1C(=O)O")
    drawn.layout()
    image = Image.open(BytesIO(bytes(renderer.renderToBuffer(drawn)))).convert("L")
    words = [("O", (44, 89, 69, 115)), ("O", (304, 89, 331, 115)), ("O", (175, 163, 200, 190))]
    words += [("OH", (436, 163, 484, 190)), ("H\u2083C", (4, 240, 69, 268))]
    (region,) = regions_of(image, [seen(text, box, line) for line, (text, box) in enumerate(words)])
    assert region.kind == "molecule"
    assert share_inside(grow(ink_box(image), -3), region.bbox) == 1


def cross(labels: Sequence[str], frame: bool = False) -> tuple[Image.Image, list[SeenWord]]:
    """A level and a plumb line that cross, and labels at their ends."""
    image = Image.new("L", (420, 420), 255)
    pen = ImageDraw.Draw(image)
    pen.line((80, 210, 340, 210), fill=0, width=3)
    pen.line((210, 80, 210, 340), fill=0, width=3)
    if frame:
        pen.rectangle((80, 80, 340, 340), outline=0, width=3)
    font = ImageFont.load_default(36)
    places = [(60, 210), (360, 210), (210, 55), (210, 365)]
    words = []
    for line, (place, label) in enumerate(zip(places, labels, strict=True)):
        pen.text(place, label, font=font, fill=0, anchor="mm")
        words.append(seen(label, pen.textbbox(place, label, font=font, anchor="mm"), line))
    return image, words


@pytest.mark.parametrize("labels", ["D D D OH", "2H 2H 2H D", "F F F NH2"])
def test_level_and_plumb_bonds_between_atoms_are_a_molecule(labels: str) -> None:
    image, words = cross(labels.split())
    (region,) = regions_of(image, words)
    assert region.kind == "molecule"
    assert share_inside(grow(ink_box(image), -3), region.bbox) == 1


def test_axes_and_frames_with_labels_are_no_molecule() -> None:
    for image, words in (
        cross(["-x", "x", "y", "-y"]),
        cross(["N", "S", "O", "W"]),
        cross(list("HHHH"), True),
    ):
        assert all(region.kind != "molecule" for region in regions_of(image, words))
