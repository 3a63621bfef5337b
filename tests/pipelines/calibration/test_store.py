"""Maps in docai.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from docai.errors import CheckpointError, SettingError
from docai.models.calibration import CalibrationMap
from docai.models.checkpoints import MANIFEST, Manifest
from docai.pipelines.calibration.fitting import check_new, check_writable, write_calibration, write_copy

MAPS = {
    "table": {
        "record": CalibrationMap(score="product", method="isotonic", x=[-1, 2], y=[0.1, 0.9], n=300),
        "cell": CalibrationMap(score="minimum", method="logistic", slope=0.7, intercept=0.1, n=4000),
    }
}
OLD = {
    "name": "own",
    "revision": "7",
    "base": "kept",
    "heads": {"table": {"adapter": None, "max_tokens": 9, "note": "kept"}, "text": {"adapter": None}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint"
    path.mkdir()
    (path / MANIFEST).write_text(json.dumps(OLD))
    (path / "model.safetensors").write_bytes(b"weights")
    (path / "state").mkdir()
    (path / "state" / "optimiser").write_bytes(b"large")
    return path


def manifest(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / MANIFEST).read_text())


def test_maps_survive_and_all_else_stays(folder: Path) -> None:
    assert manifest(folder).heads["table"].calibration is None
    write_calibration(folder, MAPS)
    assert manifest(folder).heads["table"].calibration == MAPS["table"]
    assert manifest(folder).heads["text"].calibration is None
    content = json.loads((folder / MANIFEST).read_text())
    del content["heads"]["table"]["calibration"]
    assert content == OLD
    assert not list(folder.glob(".*"))
    write_calibration(folder, {"table": {"cell": MAPS["table"]["cell"]}})
    assert set(manifest(folder).heads["table"].calibration or {}) == {"cell"}


def test_a_copy_leaves_the_checkpoint_as_it_was(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "copy"
    write_copy(folder, target, MAPS)
    assert json.loads((folder / MANIFEST).read_text()) == OLD
    assert manifest(target).heads["table"].calibration == MAPS["table"]
    assert sorted(path.name for path in target.iterdir()) == [MANIFEST, "model.safetensors"]
    assert [path.name for path in target.parent.iterdir()] == ["copy"]


def test_an_empty_folder_takes_the_copy_and_a_full_one_does_not(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "empty"
    target.mkdir()
    write_copy(folder, target, MAPS)
    with pytest.raises(SettingError, match="there already"):
        check_new(target)
    with pytest.raises(SettingError, match="there already"):
        write_copy(folder, folder / MANIFEST, MAPS)


def test_a_copy_that_fails_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    (folder / MANIFEST).write_text('{"name": "own"')
    with pytest.raises(CheckpointError, match=MANIFEST):
        write_copy(folder, tmp_path / "copy", MAPS)
    assert not (tmp_path / "copy").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_a_manifest_without_the_head_is_not_touched(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="score"):
        write_calibration(folder, {"score": MAPS["table"]})
    assert json.loads((folder / MANIFEST).read_text()) == OLD


def test_a_folder_without_a_manifest_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="docai train"):
        check_writable(tmp_path)


def test_a_folder_that_cannot_be_written_is_told_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(SettingError, match="Permission denied"):
        check_writable(folder)
    with pytest.raises(SettingError, match="Permission denied"):
        check_new(folder.parent / "other")
