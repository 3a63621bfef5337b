"""Imago fails on some pictures in its native code: that costs the answer to one preparation, and no more."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from docai.contents import MoleculeContent
from docai.pipelines.evidence.base import ReaderInput
from docai.pipelines.evidence.imago import N_ALIKE, Imago
from docai.pipelines.external import imago
from docai.pipelines.external.calls import CallWorker
from docai.pipelines.external.programs import ReaderError
from docai.pipelines.ingest import open_source

SMILES = "Oc1ccccc1"

ENGINE = """
import os, time
from pathlib import Path
from docai.pipelines.external.imago import DrawnMolecule

FOLDER = Path(__file__).parent

def read(ink):
    calls = FOLDER / "calls"
    n_before = len(calls.read_bytes()) if calls.exists() else 0
    calls.write_bytes(b"x" * (n_before + 1))
    if n_before in {failing}:
        {failure}
    return DrawnMolecule((FOLDER / "phenol.mol").read_text(), 0)
"""


def imago_with_failures(
    monkeypatch: pytest.MonkeyPatch, folder: Path, failure: str, failing: set[int], seconds: float
) -> Imago:
    """Imago, whose engine is one that always sees phenol, but fails in some of its calls."""
    from rdkit import Chem
    from rdkit.Chem import rdDepictor

    mol = Chem.MolFromSmiles(SMILES)
    rdDepictor.Compute2DCoords(mol)
    (folder / "phenol.mol").write_text(Chem.MolToMolBlock(mol))
    name = f"engine_{folder.name}"
    (folder / f"{name}.py").write_text(ENGINE.format(failing=failing, failure=failure))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(imago, "_read", importlib.import_module(name).read)
    monkeypatch.setattr(imago, "_WORKER", CallWorker(name))
    monkeypatch.setattr(imago, "find_spec", lambda name: object())
    return Imago(seconds=seconds)


@pytest.fixture
def drawing() -> bytes:
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    canvas = rdMolDraw2D.MolDraw2DCairo(300, 200)
    canvas.DrawMolecule(Chem.MolFromSmiles(SMILES))
    canvas.FinishDrawing()
    return bytes(canvas.GetDrawingText())


def test_a_crash_in_the_middle_costs_one_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, drawing: bytes
) -> None:
    reader = imago_with_failures(monkeypatch, tmp_path, "os.abort()", {1}, 60.0)
    with open_source(drawing) as source, source.page(1) as page:
        reading = reader.read(ReaderInput(page, page.bbox))
    imago._WORKER.close()
    assert isinstance(reading.content, MoleculeContent)
    assert reading.content.smiles == SMILES
    assert len((tmp_path / "calls").read_bytes()) == N_ALIKE + 1
    assert len(reading.molecules) == N_ALIKE


def test_one_that_hangs_is_ended_and_what_was_read_before_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, drawing: bytes
) -> None:
    reader = imago_with_failures(monkeypatch, tmp_path, "time.sleep(600)", {1}, 2.0)
    imago._WORKER.start()
    with open_source(drawing) as source, source.page(1) as page:
        reading = reader.read(ReaderInput(page, page.bbox))
    imago._WORKER.close()
    assert isinstance(reading.content, MoleculeContent)
    assert reading.content.smiles == SMILES
    assert len(reading.molecules) == 1


def test_one_that_always_crashes_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, drawing: bytes
) -> None:
    reader = imago_with_failures(monkeypatch, tmp_path, "os.abort()", set(range(20)), 60.0)
    with (
        open_source(drawing) as source,
        source.page(1) as page,
        pytest.raises(ReaderError, match="gave no answer"),
    ):
        reader.read(ReaderInput(page, page.bbox))
    imago._WORKER.close()
