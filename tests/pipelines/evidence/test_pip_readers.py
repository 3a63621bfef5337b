"""PP-OCR and Imago as second readers, and what is said where their packages are not installed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from docai.contents import MoleculeContent, TableContent, TextContent
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.imago import Imago
from docai.pipelines.evidence.ppocr import PageReader, PpOcr
from docai.pipelines.evidence.scanned_tables import PpOcrTables
from docai.pipelines.external import imago, ppocr
from docai.pipelines.external.ocr_letters import is_photograph, letter_height, measured_letter_height
from docai.pipelines.external.programs import ReaderError
from docai.pipelines.ingest import open_source

needs_ppocr = pytest.mark.skipif(ppocr.missing() is not None, reason="rapidocr is not installed")
needs_imago = pytest.mark.skipif(imago.missing() is not None, reason="epam.imago is not installed")


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", dpi=(150, 150))
    return file.getvalue()


def _written(*lines: tuple[int, int, str]) -> bytes:
    image = Image.new("L", (900, 500), 255)
    draw = ImageDraw.Draw(image)
    for x, y, text in lines:
        draw.text((x, y), text, fill=0, font=ImageFont.load_default(32))
    return _png(image)


@pytest.mark.parametrize(("module", "package"), [(ppocr, "rapidocr"), (imago, "epam.imago")])
def test_a_missing_package_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch, module: object, package: str
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert f"pip install {package}" in module.missing()  # type: ignore[attr-defined]


def test_a_reader_whose_package_is_missing_raises_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ppocr, "find_spec", lambda name: None)
    with pytest.raises(ReaderError, match="not installed"):
        ppocr.read_words(np.zeros((9, 9, 3), np.uint8), letter_height=20)
    monkeypatch.setattr(imago, "find_spec", lambda name: None)
    with pytest.raises(ReaderError, match="not installed"):
        imago.read_molecule(np.zeros((9, 9), np.uint8))


@needs_ppocr
def test_whether_it_loads_is_told_by_starting_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ppocr.load_problem() is None

    def fail(*arguments: object) -> None:
        raise ImportError("libonnxruntime.so.1: cannot open shared object file")

    monkeypatch.setattr(ppocr._WORKER, "call", fail)
    problem = ppocr.load_problem()
    assert problem is not None
    assert "libonnxruntime.so.1" in problem
    assert "pip install --force-reinstall" in problem


@needs_ppocr
def test_a_page_is_read_once_and_each_region_has_its_words() -> None:
    data = _written((60, 60, "Received 12 March"), (60, 300, "Paid in full"))
    with open_source(data) as source, source.page(1) as page:
        reader = PpOcr(PageReader())
        whole = reader.read(ReaderInput(page, page.bbox))
        x0, y0, x1, y1 = page.bbox
        upper = reader.read(ReaderInput(page, (x0, y0, x1, y1 / 2)))
    assert isinstance(whole.content, TextContent)
    assert whole.text == "Received 12 March\nPaid in full"
    assert whole.complete
    assert upper.text == "Received 12 March"
    box = whole.content.lines[0].words[1].bbox
    assert box is not None
    assert box[2] - box[0] < 40


@needs_ppocr
def test_a_table_is_read_from_its_words() -> None:
    rows = [("Item", "Price"), ("Jar", "2.50"), ("Box", "4.00")]
    cells = [
        (100 + 400 * col, 80 + 120 * row, text)
        for row, texts in enumerate(rows)
        for col, text in enumerate(texts)
    ]
    with open_source(_written(*cells)) as source, source.page(1) as page:
        reading = PpOcrTables().read(ReaderInput(page, page.bbox))
    assert isinstance(reading.content, TableContent)
    assert [cell.text for cell in reading.content.cells] == [text for texts in rows for text in texts]


@needs_ppocr
def test_light_print_on_a_dark_band_and_labels_on_their_side_are_read() -> None:
    image = Image.new("L", (900, 800), 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(32)
    draw.text((60, 60), "Received 12 March", fill=0, font=font)
    draw.rectangle((0, 180, 900, 260), fill=40)
    draw.text((60, 200), "Total amount due", fill=255, font=font)
    label = Image.new("L", (420, 60), 255)
    ImageDraw.Draw(label).text((10, 10), "Temperature in Kelvin", fill=0, font=font)
    image.paste(label.rotate(90, expand=True), (800, 300))
    with open_source(_png(image)) as source, source.page(1) as page:
        reading = PpOcr().read(ReaderInput(page, page.bbox))
    assert reading.text.splitlines() == ["Received 12 March", "Total amount due", "Temperature in Kelvin"]
    assert reading.quality is not None
    assert isinstance(reading.content, TextContent)
    assert all(word.confidence is not None for word in reading.content.parts())


@needs_ppocr
def test_a_long_strip_is_read_in_pieces() -> None:
    image = Image.new("L", (9000, 60), 255)
    draw = ImageDraw.Draw(image)
    words = [f"entry{number}" for number in range(45)]
    for number, word in enumerate(words):
        draw.text((20 + 200 * number, 14), word, fill=0, font=ImageFont.load_default(26))
    with open_source(_png(image)) as source, source.page(1) as page:
        reading = PpOcr().read(ReaderInput(page, page.bbox))
    assert reading.text.split() == words


@needs_ppocr
def test_a_photograph_without_print_has_no_words() -> None:
    noise = np.random.default_rng(0).normal(128, 25, (60, 80)).clip(0, 255).astype(np.uint8)
    photo = Image.fromarray(noise).resize((800, 600), Image.Resampling.BICUBIC)
    with open_source(_png(photo)) as source, source.page(1) as page:
        assert PpOcr().read(ReaderInput(page, page.bbox)).content is None


@pytest.mark.parametrize("ground", [255, 190, 40])
def test_letters_are_measured_on_any_ground_and_without_the_frame_around_them(ground: int) -> None:
    image = Image.new("L", (1200, 600), ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 10, 1190, 590), outline=0 if ground > 128 else 255, width=6)
    draw.rectangle((40, 480, 1160, 560), fill=ground // 2)
    for row in range(8):
        text = "xenon menus or vaccine error names"
        draw.text((60, 40 + 50 * row), text, fill=0 if ground > 128 else 255, font=ImageFont.load_default(30))
    assert letter_height(np.asarray(image)) == pytest.approx(16, abs=3)


def test_print_on_dim_paper_is_no_photograph() -> None:
    image = Image.new("L", (1200, 600), 150)
    draw = ImageDraw.Draw(image)
    for row in range(8):
        text = "xenon menus or vaccine error names"
        draw.text((60, 40 + 50 * row), text, fill=40, font=ImageFont.load_default(30))
    assert not is_photograph(np.asarray(image))
    noise = np.random.default_rng(0).normal(128, 25, (60, 80)).clip(0, 255).astype(np.uint8)
    assert is_photograph(np.asarray(Image.fromarray(noise).resize((800, 600), Image.Resampling.BICUBIC)))


def test_what_has_no_letters_is_not_measured() -> None:
    assert measured_letter_height(np.full((300, 400), 255, np.uint8)) is None
    image = Image.new("L", (600, 400), 255)
    ImageDraw.Draw(image).rectangle((50, 50, 500, 90), fill=180)
    assert measured_letter_height(np.asarray(image)) is None


@needs_ppocr
def test_a_white_page_has_no_words() -> None:
    with open_source(_written()) as source, source.page(1) as page:
        assert PpOcr().read(ReaderInput(page, page.bbox)).content is None


@needs_ppocr
def test_even_paper_is_not_given_to_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> object:
        raise AssertionError("it was asked")

    monkeypatch.setattr(ppocr, "_ask", refuse)
    for level in (0, 128, 255):
        assert ppocr.read_words(np.full((900, 700, 3), level, np.uint8)) == []
    faint = np.full((90, 70, 3), 255, np.uint8)
    faint[40:50, 20:50] = 240
    with pytest.raises(AssertionError, match="it was asked"):
        ppocr.read_words(faint)


@needs_imago
def test_a_drawn_molecule_is_read() -> None:
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    canvas = rdMolDraw2D.MolDraw2DCairo(700, 500)
    canvas.drawOptions().bondLineWidth = 3
    canvas.drawOptions().useBWAtomPalette()
    canvas.DrawMolecule(Chem.MolFromSmiles("CC(=O)Nc1ccc(O)cc1"))
    canvas.FinishDrawing()
    with open_source(canvas.GetDrawingText()) as source, source.page(1) as page:
        reading = Imago().read(ReaderInput(page, page.bbox))
    assert isinstance(reading.content, MoleculeContent)
    assert reading.content.smiles == "CC(=O)Nc1ccc(O)cc1"


@needs_imago
def test_a_white_picture_is_no_molecule() -> None:
    with open_source(_written()) as source, source.page(1) as page:
        assert Imago().read(ReaderInput(page, page.bbox)).content is None
