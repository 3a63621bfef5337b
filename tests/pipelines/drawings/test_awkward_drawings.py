"""Molecules and scores on pages that cut, turn, mirror, hide or flood them: right, or said to be unsure."""

from __future__ import annotations

from collections.abc import Callable

import pymupdf
import pytest

from docai.pipelines.drawings.molecule.reader import read_molecules
from docai.pipelines.drawings.molecule.types import MoleculeReading
from docai.pipelines.drawings.score.content import SystemReading
from docai.pipelines.drawings.score.reading import read_systems
from docai.pipelines.ingest import open_source
from docai.pipelines.ingest.drawing import Drawing
from docai.pipelines.ingest.drawing_reader import read_drawing
from docai.pipelines.synthesis.vector.molecules import rdkit_pdf
from docai.pipelines.synthesis.vector.notes import notes_of_kern
from docai.pipelines.synthesis.vector.scores import verovio_pdf

SMILES = "C[C@H](N)C(=O)Oc1ccc(Cl)cc1"
KERN = (
    "**kern\t**kern\n*clefF4\t*clefG2\n*k[b-]\t*k[b-]\n*M3/4\t*M3/4\n=1\t=1\n2.F\t8ffL\n.\t8eeJ\n.\t4cc#\n"
    ".\t4dd\n=2\t=2\n4BB-\t2.dd 2.ff\n4C\t.\n4r\t.\n==\t==\n*-\t*-"
)

pytestmark = pytest.mark.slow(seconds=12)

Change = Callable[[pymupdf.Document], None]


def molecule_pdf() -> bytes:
    drawn = rdkit_pdf(SMILES, 3, legend="", explicitMethyl=False, kekulize=True, all_carbons=False)
    return drawn.data


def score_pdf() -> bytes:
    return verovio_pdf(KERN).data


def changed(data: bytes, change: Change) -> bytes:
    with pymupdf.open(stream=data) as document:
        change(document)
        made: bytes = document.tobytes()
    return made


def placed(data: bytes, rotate: int = 0) -> bytes:
    """On a page of its own as a form, turned clockwise."""
    with pymupdf.open(stream=data) as source, pymupdf.open() as document:
        width, height = source[0].rect.width, source[0].rect.height
        if rotate % 180:
            width, height = height, width
        page = document.new_page(width=width, height=height)
        page.show_pdf_page(page.rect, source, 0, rotate=rotate)
        made: bytes = document.tobytes()
    return made


def drawing_of(data: bytes) -> Drawing:
    with open_source(data) as source:
        return next(iter(source.pages())).inside(read_drawing, None)


def molecules_of(data: bytes) -> list[MoleculeReading]:
    return [reading for reading in read_molecules(drawing_of(data)) if reading.content is not None]


def systems_of(data: bytes) -> list[SystemReading]:
    return [reading for reading in read_systems(drawing_of(data)) if reading.content.kern]


def is_sure(reading: MoleculeReading | SystemReading) -> bool:
    return reading.confidence >= 0.5 and all(issue.severity == "info" for issue in reading.issues)


def is_right_molecule(readings: list[MoleculeReading]) -> bool:
    return [reading.content.smiles for reading in readings if reading.content] == [SMILES]


def is_right_score(readings: list[SystemReading]) -> bool:
    found = [notes_of_kern(reading.content.kern) for reading in readings]
    return found == [notes_of_kern(KERN)]


def cut_at_right(document: pymupdf.Document) -> None:
    box = document[0].rect
    document[0].set_cropbox(pymupdf.Rect(0, 0, 0.55 * box.width, box.height))


def cut_at_top(document: pymupdf.Document) -> None:
    box = document[0].rect
    document[0].set_cropbox(pymupdf.Rect(0, 0.45 * box.height, box.width, box.height))


def half_off(document: pymupdf.Document) -> None:
    insert(document, f"1 0 0 1 {-0.4 * document[0].rect.width:.1f} 0 cm")


def insert(document: pymupdf.Document, before: str, after: str = "") -> None:
    """Operators around all that a page draws."""
    page = document[0]
    xref = page.get_contents()[0]
    content = b"\n".join(document.xref_stream(each) for each in page.get_contents())
    document.update_stream(xref, f"q {before}\n".encode() + content + f"\nQ {after}".encode())
    page.set_contents(xref)


def mirrored(document: pymupdf.Document) -> None:
    insert(document, f"-1 0 0 1 {document[0].rect.width:.1f} 0 cm")


def behind_an_image(document: pymupdf.Document) -> None:
    pixels = pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, 4, 4))
    pixels.clear_with(255)
    document[0].insert_image(document[0].rect, pixmap=pixels, keep_proportion=False)


def switched_off(document: pymupdf.Document) -> None:
    layer = document.add_ocg("Drawing", on=False)
    kind, value = document.xref_get_key(document[0].xref, "Resources")
    holder, key = (int(value.split()[0]), "") if kind == "xref" else (document[0].xref, "Resources/")
    document.xref_set_key(holder, f"{key}Properties", f"<</Off {layer} 0 R>>")
    insert(document, "/OC /Off BDC", "EMC")


def with_hair_lines(document: pymupdf.Document) -> None:
    page = document[0]
    content = document.xref_stream(page.get_contents()[0]).split(b"\n")
    thin = [b"0 w" if line.strip().endswith(b" w") else line for line in content]
    document.update_stream(page.get_contents()[0], b"\n".join(thin))


def flooded(document: pymupdf.Document) -> None:
    """100,000 strokes all over it."""
    strokes = "\n".join(
        f"{7 * i % 311} {13 * i % 211} m {(7 * i + 9) % 311} {(13 * i + 5) % 211} l S" for i in range(100_000)
    )
    insert(document, "", strokes)


def test_a_molecule_and_a_score_are_right_where_nothing_is_awkward() -> None:
    (molecule,), (system,) = molecules_of(molecule_pdf()), systems_of(score_pdf())
    assert is_right_molecule([molecule])
    assert is_sure(molecule)
    assert is_right_score([system])
    assert is_sure(system)


@pytest.mark.parametrize("change", [cut_at_right, cut_at_top, half_off])
def test_a_molecule_that_the_page_cuts_is_not_sure(change: Change) -> None:
    assert not any(map(is_sure, molecules_of(changed(molecule_pdf(), change))))


@pytest.mark.parametrize("change", [cut_at_right, cut_at_top, half_off])
def test_a_score_that_the_page_cuts_is_not_sure(change: Change) -> None:
    assert not any(map(is_sure, systems_of(changed(score_pdf(), change))))


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_that_is_turned_to_be_read_is_read(turn: int) -> None:
    def turned(document: pymupdf.Document) -> None:
        document[0].set_rotation(turn)

    assert is_right_molecule(molecules_of(changed(placed(molecule_pdf(), turn), turned)))
    assert is_right_score(systems_of(changed(placed(score_pdf(), turn), turned)))


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_molecule_that_lies_on_its_side_is_right_or_not_sure(turn: int) -> None:
    readings = molecules_of(placed(molecule_pdf(), turn))
    assert is_right_molecule(readings) or not any(map(is_sure, readings))


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_score_that_lies_on_its_side_is_right_or_not_sure(turn: int) -> None:
    readings = systems_of(placed(score_pdf(), turn))
    assert is_right_score(readings) or not any(map(is_sure, readings))


def test_a_mirrored_molecule_is_never_taken_for_the_one_before_the_mirror() -> None:
    assert not is_right_molecule(molecules_of(changed(molecule_pdf(), mirrored)))


def test_a_mirrored_score_is_not_sure() -> None:
    assert not any(map(is_sure, systems_of(changed(score_pdf(), mirrored))))


@pytest.mark.parametrize("change", [behind_an_image, switched_off])
def test_what_the_page_does_not_show_is_not_read(change: Change) -> None:
    assert not molecules_of(changed(molecule_pdf(), change))
    assert not systems_of(changed(score_pdf(), change))


def test_lines_of_no_width_are_lines() -> None:
    assert is_right_molecule(molecules_of(changed(molecule_pdf(), with_hair_lines)))
    assert is_right_score(systems_of(changed(score_pdf(), with_hair_lines)))


def test_a_drawing_under_100_000_strokes_is_not_sure() -> None:
    drawing = drawing_of(changed(molecule_pdf(), flooded))
    assert not any(map(is_sure, read_molecules(drawing)))
    assert not any(map(is_sure, read_systems(drawing)))
