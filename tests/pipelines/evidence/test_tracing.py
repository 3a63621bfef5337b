"""The reader that traces pictures of molecules: what it gives of a region."""

from __future__ import annotations

import io

from docai.contents import MoleculeContent
from docai.pipelines.evidence.base import ReaderInput, Reading
from docai.pipelines.evidence.tracing import Tracing
from docai.pipelines.ingest import open_source


def read(data: bytes) -> Reading:
    with open_source(data) as source, source.page(1) as page:
        return Tracing().read(ReaderInput(page, page.bbox))


def picture_of(smiles: str) -> bytes:
    from rdkit import Chem
    from rdkit.Chem import Draw

    picture = io.BytesIO()
    Draw.MolToImage(Chem.MolFromSmiles(smiles), size=(600, 400)).save(picture, "PNG", dpi=(150, 150))
    return picture.getvalue()


def test_a_structure_is_read_with_its_quality() -> None:
    reading = read(picture_of("CC(=O)Oc1ccccc1C(=O)O"))
    assert isinstance(reading.content, MoleculeContent)
    assert reading.content.smiles == "CC(=O)Oc1ccccc1C(=O)O"
    assert reading.source == "tracing"
    assert reading.complete
    assert reading.quality is not None
    assert reading.quality > 0.8
    assert reading.confidence.value == reading.quality


def test_paper_gives_no_content() -> None:
    from PIL import Image

    picture = io.BytesIO()
    Image.new("RGB", (200, 100), "white").save(picture, "PNG")
    assert read(picture.getvalue()).content is None


def test_it_is_always_available_and_reads_pictures_alone() -> None:
    reader = Tracing()
    assert reader.available() is None
    assert reader.kinds == {"molecule"}
    assert reader.needs == {"picture"}
