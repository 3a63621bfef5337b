"""OSRA as a second reader: what becomes of what it writes, and of what it does."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from docai.contents import MoleculeContent
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.osra import Osra
from docai.pipelines.external.programs import ReaderError
from docai.pipelines.ingest import Page, open_source

Script = Callable[[str], Osra]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stand-ins for the program are scripts")


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """A function that makes the reader with a program of ours in OSRA's place."""

    def make(code: str) -> Osra:
        program = tmp_path / "osra"
        program.write_text(f"#!{sys.executable} -I\n{code}\n", encoding="utf-8")
        program.chmod(0o755)
        return Osra(str(program), seconds=20)

    return make


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    from rdkit import Chem
    from rdkit.Chem import Draw

    picture = io.BytesIO()
    Draw.MolToImage(Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O"), size=(600, 400)).save(
        picture, "PNG", dpi=(150, 150)
    )
    with open_source(picture.getvalue()) as source, source.page(1) as opened:
        yield opened


def _prints(*structures: tuple[str, int, float]) -> str:
    """A program that writes structures as OSRA does: SMILES, number of the resolution, estimate."""
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    records = []
    for smiles, iteration, estimate in structures:
        mol = Chem.MolFromSmiles(smiles, sanitize=False)
        mol.UpdatePropertyCache(strict=False)
        rdDepictor.Compute2DCoords(mol)
        records.append(
            Chem.MolToMolBlock(mol, kekulize=False)
            + f">  <Confidence_estimate>\n{estimate}\n\n>  <Resolution_iteration>\n{iteration}\n\n$$$$\n"
        )
    return f"print({''.join(records)!r}, end='')"


def test_its_structure_is_read_by_the_rules_for_drawings(script: Script, page: Page) -> None:
    told = script(_prints(("OC(=O)C1=CC=CC=C1", 2, 3.0))).read(ReaderInput(page, page.bbox))
    assert isinstance(told.content, MoleculeContent)
    assert told.content.smiles == "O=C(O)c1ccccc1"
    assert (told.source, told.text, told.complete) == ("osra", "O=C(O)c1ccccc1", True)


def test_structures_beside_each_other_are_fragments_of_one(script: Script, page: Page) -> None:
    told = script(_prints(("CCO", 2, 2.0), ("CC(C)(C)N", 2, 2.0))).read(ReaderInput(page, page.bbox))
    assert isinstance(told.content, MoleculeContent)
    assert told.content.smiles == "CC(C)(C)N.CCO"


def test_the_resolution_of_the_best_estimate_is_believed_and_the_others_are_kept(
    script: Script, page: Page
) -> None:
    code = _prints(("CCO", 1, 1.0), ("CCN", 2, 5.0), ("CCO", 4, 0.5))
    told = script(code).read(ReaderInput(page, page.bbox))
    assert told.text == "CCN"
    assert [one.smiles for one in told.molecules] == ["CCN", "CCO", "CCO"]


def test_a_structure_with_unread_labels_is_not_complete(script: Script, page: Page) -> None:
    told = script(_prints(("*C1=CC=CC=C1", 2, 3.0))).read(ReaderInput(page, page.bbox))
    assert told.content is not None
    assert not told.complete


def test_a_structure_that_cannot_be_is_none(script: Script, page: Page) -> None:
    told = script(_prints(("C(C)(C)(C)(C)C", 2, 3.0))).read(ReaderInput(page, page.bbox))
    assert told.content is None


@pytest.mark.parametrize("code", ["", "print('no structure here')", "print('\\xff\\xfe')"])
def test_without_a_line_of_a_structure_it_saw_nothing(script: Script, page: Page, code: str) -> None:
    told = script(code).read(ReaderInput(page, page.bbox))
    assert told.content is None
    assert not told.text


def test_its_crash_is_an_error_of_its_own(script: Script, page: Page) -> None:
    with pytest.raises(ReaderError, match="ended with -6"):
        script("import os; os.abort()").read(ReaderInput(page, page.bbox))


def test_one_that_is_not_installed_says_how_to_get_it() -> None:
    missing = Osra("no-such-osra").available()
    assert missing is not None
    assert "apt install osra" in missing


def test_the_program_itself_reads_a_drawing(page: Page) -> None:
    reader = Osra()
    if reader.available() is not None:
        pytest.skip("osra is not installed")
    told = reader.read(ReaderInput(page, page.bbox))
    assert isinstance(told.content, MoleculeContent)
    assert told.content.smiles == "CC(=O)Oc1ccccc1C(=O)O"
