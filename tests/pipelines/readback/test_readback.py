"""Records rendered again and compared with their crops."""

from __future__ import annotations

import math
import random

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docai.base import Content
from docai.contents import (
    Cell,
    FigureContent,
    Line,
    MoleculeContent,
    ScoreContent,
    TableContent,
    TextContent,
    Word,
)
from docai.pipelines.readback import read_back
from docai.pipelines.readback.score import rendering as engraving_module

pytestmark = pytest.mark.slow(seconds=30)

SIZE = 896
Gray = NDArray[np.uint8]
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
MOLECULES = (ASPIRIN, "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "O=C(O)c1ccccc1O", "CCO", "C1CCCCC1", "CN1CCCC1c1cccnc1")
KERN = "**kern\n*clefG2\n*k[]\n*M4/4\n=1\n4c\n4e\n4g\n4cc\n=2\n2dd\n4b\n4f\n==\n*-"


def molecule(smiles: str) -> MoleculeContent:
    return MoleculeContent(smiles=smiles, is_valid=True)


def drawn_molecule(smiles: str) -> Gray:
    """By RDKit, coordinates turned so that the record's own layout is not the picture's."""
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    mol = Chem.MolFromSmiles(smiles)
    drawer = rdMolDraw2D.MolDraw2DCairo(SIZE, SIZE)
    drawer.drawOptions().rotate = 37
    drawer.drawOptions().useBWAtomPalette()
    drawer.drawOptions().fixedBondLength = 90
    drawer.DrawMolecule(mol)
    drawer.FinishDrawing()
    packed = np.frombuffer(drawer.GetDrawingText(), np.uint8)
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)


def blank() -> Image.Image:
    return Image.new("L", (SIZE, SIZE), 255)


def face(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def page_of_words() -> tuple[Image.Image, TextContent]:
    """Four lines of words with the boxes of their ink."""
    image = blank()
    draw = ImageDraw.Draw(image)
    lines = []
    for row, text in enumerate(
        ("The quick brown fox", "jumps over a lazy dog", "while seven wizards", "sleep")
    ):
        x, words = 60.0, []
        for word in text.split():
            box = draw.textbbox((x, 150 + 90 * row), word, font=face(40))
            draw.text((x, 150 + 90 * row), word, font=face(40), fill=0)
            words.append(Word(text=word, bbox=tuple(v / SIZE for v in box)))
            x = box[2] + 16
        lines.append(Line(text=text, words=words))
    return image, TextContent(text="", lines=lines)


def page_of_cells() -> tuple[Image.Image, TableContent]:
    """A ruled table of 4 x 3 cells."""
    image = blank()
    draw = ImageDraw.Draw(image)
    texts = ("Name", "Weight", "Price", "Apple", "12.5", "3.40", "Melon", "940", "1.25", "Plum", "77", "")
    cells = []
    for index, text in enumerate(texts):
        row, col = divmod(index, 3)
        x, y = 80 + 240 * col, 200 + 100 * row
        draw.rectangle((x, y, x + 240, y + 100), outline=0, width=3)
        box = None
        if text:
            pixels = draw.textbbox((x + 30, y + 30), text, font=face(36))
            draw.text((x + 30, y + 30), text, font=face(36), fill=0)
            box = tuple(v / SIZE for v in pixels)
        cells.append(Cell(row=row, col=col, text=text, bbox=box))
    return image, TableContent(n_rows=4, n_cols=3, cells=cells)


def logo() -> Image.Image:
    image = blank()
    draw = ImageDraw.Draw(image)
    draw.ellipse((200, 200, 700, 700), fill=30)
    draw.ellipse((280, 280, 620, 620), fill=255)
    draw.polygon([(450, 300), (600, 560), (300, 560)], fill=60)
    draw.text((260, 740), "ACME Ltd", font=face(80), fill=0)
    return image


def round_logo() -> Image.Image:
    image = blank()
    draw = ImageDraw.Draw(image)
    for radius in (60, 140, 220, 300):
        draw.ellipse((450 - radius, 450 - radius, 450 + radius, 450 + radius), outline=0, width=10)
    return image


def photograph() -> Image.Image:
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 255, (14, 14)).astype(np.uint8)
    smooth = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return Image.fromarray(np.clip(smooth + rng.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8))


def static() -> Image.Image:
    return Image.fromarray(np.random.default_rng(4).integers(0, 255, (SIZE, SIZE)).astype(np.uint8))


def bar_chart() -> Image.Image:
    image = blank()
    draw = ImageDraw.Draw(image)
    draw.line((100, 100, 100, 780, 800, 780), fill=0, width=3)
    for i, height in enumerate((200, 420, 310, 560)):
        draw.rectangle((160 + 150 * i, 780 - height, 250 + 150 * i, 780), outline=0, fill=90, width=3)
        draw.text((170 + 150 * i, 800), f"20{i}1", font=face(34), fill=0)
    return image


def line_chart() -> Image.Image:
    image = blank()
    draw = ImageDraw.Draw(image)
    draw.line((100, 100, 100, 780, 800, 780), fill=0, width=3)
    points = [(100 + 7 * i, 450 + 200 * math.sin(i / 9) + 40 * math.sin(i * 1.7)) for i in range(100)]
    draw.line(points, fill=0, width=4)
    return image


def lines_of_text() -> Image.Image:
    return page_of_words()[0]


NO_MOLECULES = (logo, round_logo, photograph, static, bar_chart, line_chart, lines_of_text)


@pytest.mark.parametrize("smiles", MOLECULES)
def test_a_right_molecule_is_recognized_in_another_layout(smiles: str) -> None:
    result = read_back(molecule(smiles), drawn_molecule(smiles))
    assert result.similarity is not None
    assert result.similarity > 0.5, result.worst()


@pytest.mark.parametrize("smiles", MOLECULES)
def test_each_molecule_fits_its_own_drawing_best(smiles: str) -> None:
    picture = drawn_molecule(smiles)
    similarities = {other: read_back(molecule(other), picture).similarity or 0.0 for other in MOLECULES}
    assert max(similarities, key=lambda other: similarities[other]) == smiles, similarities


@pytest.mark.parametrize("picture", NO_MOLECULES)
@pytest.mark.parametrize("smiles", [ASPIRIN, "CCO", "C1CCCCC1", "CC(C)(C)c1ccc(O)cc1"])
def test_what_is_no_structure_drawing_fails_any_molecule(picture: object, smiles: str) -> None:
    assert callable(picture)
    result = read_back(molecule(smiles), picture())
    assert result.similarity is None or result.similarity < 0.5, dict(result.contributions)


def test_words_on_their_ink_beat_words_beside_it() -> None:
    image, right = page_of_words()
    words = [word for line in right.lines for word in line.words]
    lower = [
        word.model_copy(
            update={"bbox": (word.bbox[0], word.bbox[1] + 0.06, word.bbox[2], word.bbox[3] + 0.06)}
        )
        for word in words
        if word.bbox
    ]
    moved = TextContent(text="", lines=[Line(text="", words=lower)])
    fewer = TextContent(text="", lines=right.lines[:2])
    good = read_back(right, image).similarity
    assert good is not None
    assert good > 0.6
    for wrong in (moved, fewer):
        bad = read_back(wrong, image).similarity
        assert bad is not None
        assert bad < good - 0.2


@pytest.mark.parametrize("top", [False, True], ids=["all lines", "the first line"])
def test_light_print_on_a_dark_ground_is_print(top: bool) -> None:
    image, right = page_of_words()
    band = (30, 140, 600, 205) if top else (0, 0, SIZE, SIZE)
    image.paste(image.crop(band).point(lambda level: 230 - level * 200 // 255), band)
    good = read_back(right, image).similarity
    assert good is not None
    assert good > 0.6
    words = [word for line in right.lines for word in line.words]
    texts = [word.model_copy(update={"text": word.text[::-1] + "mm"}) for word in words]
    bad = read_back(TextContent(text="", lines=[Line(text="", words=texts)]), image).similarity
    assert bad is not None
    assert bad < good - 0.2


def test_a_table_with_a_row_missing_or_a_cell_made_up_is_less_like_its_crop() -> None:
    image, right = page_of_cells()
    good = read_back(right, image).similarity
    assert good is not None
    assert good > 0.5
    short = right.model_copy(update={"cells": right.cells[:9], "n_rows": 3})
    made_up = right.cells[11].model_copy(update={"text": "5.10", "bbox": (0.7, 0.6, 0.78, 0.65)})
    invented = right.model_copy(update={"cells": [*right.cells[:11], made_up]})
    for wrong in (short, invented):
        bad = read_back(wrong, image).similarity
        assert bad is not None
        assert bad < good - 0.1


def engraved_picture(kern: str) -> Image.Image:
    pytest.importorskip("verovio", reason="scores are engraved with Verovio")
    resvg_py = pytest.importorskip("resvg_py", reason="drawings are rasterised with resvg")
    from docai.pipelines.external.engraving import engrave

    svg = engrave(kern + "\n", {"spacingLinear": 0.4, "font": "Bravura"})
    assert svg is not None
    png = resvg_py.svg_to_bytes(svg_string=svg, background="white", width=800, skip_system_fonts=True)
    return Image.fromarray(cv2.imdecode(np.frombuffer(bytes(png), np.uint8), cv2.IMREAD_GRAYSCALE))


@pytest.mark.parametrize(
    "wrong",
    [
        KERN.replace("4e\n4g", "4a\n4d"),
        KERN.replace("*clefG2", "*clefF4"),
        KERN.replace("4c\n4e\n4g\n4cc\n=2\n", ""),
    ],
    ids=["notes", "clef", "measure"],
)
def test_a_score_with_other_notes_is_less_like_its_crop(wrong: str) -> None:
    picture = engraved_picture(KERN)
    good = read_back(ScoreContent(kern=KERN, is_valid=True), picture).similarity
    bad = read_back(ScoreContent(kern=wrong, is_valid=True), picture).similarity
    assert good is not None
    assert bad is not None
    assert good > 0.5
    assert bad < good - 0.2


def test_a_picture_without_staves_is_no_score() -> None:
    engraved_picture(KERN)
    result = read_back(ScoreContent(kern=KERN, is_valid=True), logo())
    assert result.similarity is not None
    assert result.similarity < 0.5
    assert result.features["no_staves"] == 1.0


def contents() -> list[Content]:
    return [
        molecule(ASPIRIN),
        page_of_words()[1],
        page_of_cells()[1],
        ScoreContent(kern=KERN, is_valid=True),
    ]


@pytest.mark.parametrize("content", contents(), ids=lambda content: type(content).__name__)
def test_a_blank_or_tiny_crop_gives_no_similarity_and_says_why(content: Content) -> None:
    empty = read_back(content, blank())
    assert (empty.similarity, empty.reason) == (None, "the picture is blank")
    one_pixel = read_back(content, Image.new("RGB", (1, 1)))
    assert one_pixel.similarity is None
    assert "1 x 1 pixels" in one_pixel.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (MoleculeContent(), "no valid molecule"),
        (MoleculeContent(smiles="C1CC"), "no valid molecule"),
        (TextContent(), "no words"),
        (TextContent(lines=[Line(text="a", words=[Word(text="a")])]), "no word has a box"),
        (TableContent(), "no text in any cell"),
        (TableContent(n_rows=1, n_cols=1, cells=[Cell(row=0, col=0, text="a")]), "no cell has a box"),
        (FigureContent(), "records of this kind are not rendered again"),
    ],
)
def test_a_record_with_nothing_to_draw_says_so(content: Content, reason: str) -> None:
    result = read_back(content, drawn_molecule(ASPIRIN))
    assert result.similarity is None
    assert reason in result.reason


@pytest.mark.parametrize("kern", ["", "no music at all", "**kern\n*-", "**kern\n4c 4"])
def test_broken_kern_gives_a_result_and_no_error(kern: str) -> None:
    picture = engraved_picture(KERN)
    result = read_back(ScoreContent(kern=kern), picture)
    assert result.similarity is None or result.similarity < 0.5
    assert result.reason or result.similarity is not None


@pytest.mark.parametrize(("module", "name"), [("verovio", "Verovio"), ("resvg_py", "resvg")])
def test_without_the_engraver_scores_have_no_similarity(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    monkeypatch.setattr(engraving_module, "find_spec", lambda wanted: None if wanted == module else object())
    result = read_back(ScoreContent(kern=KERN, is_valid=True), drawn_molecule(ASPIRIN))
    assert result.similarity is None
    assert result.reason == f"{name} is not installed; install it with: pip install 'docai[synth]'"


def test_a_huge_crop_is_read_at_a_size_that_is_enough() -> None:
    picture = drawn_molecule(ASPIRIN)
    huge = Image.fromarray(picture).resize((6000, 6000), Image.Resampling.BILINEAR)
    result = read_back(molecule(ASPIRIN), huge)
    assert result.similarity is not None
    assert result.similarity > 0.5
    assert read_back(molecule("CCO"), huge).similarity < result.similarity


def test_the_same_pair_always_gives_the_same_result() -> None:
    image, content = page_of_cells()
    assert read_back(content, image) == read_back(content, image)
    picture = drawn_molecule(ASPIRIN)
    assert read_back(molecule(ASPIRIN), picture) == read_back(molecule(ASPIRIN), picture)


def test_no_picture_and_no_boxes_raise() -> None:
    rng = random.Random(1)
    noise = np.random.default_rng(1)
    boxes = [(0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 0.0, 0.0), (-5.0, 2.0, 9.0, -3.0), (math.nan, 0.0, 1.0, 1.0)]
    for _ in range(12):
        shape = rng.choice([(16, 900), (900, 16), (40, 40), (200, 300)])
        level = rng.choice([2, 40, 255])
        picture = noise.integers(0, level, shape).astype(np.uint8)
        words = [
            Word(text=rng.choice(["a", "", "é", "\u4e2d\u6587", "x" * 300, "\n"]), bbox=box) for box in boxes
        ]
        cells = [
            Cell(row=i % 2, col=i // 2, row_span=9, text=word.text, bbox=word.bbox)
            for i, word in enumerate(words)
        ]
        for content in (
            TextContent(lines=[Line(text="", words=words)]),
            TableContent(n_rows=2, n_cols=2, cells=cells),
            molecule("C"),
        ):
            result = read_back(content, picture)
            assert result.reason or (result.similarity is not None and 0 <= result.similarity <= 1)


def test_the_parts_say_what_speaks_against_a_record() -> None:
    image, right = page_of_words()
    fewer = TextContent(text="", lines=right.lines[:2])
    result = read_back(fewer, image)
    assert result.contributions.keys() <= result.features.keys()
    assert any(name.startswith(("uncovered", "largest_uncovered")) for name in result.worst())
