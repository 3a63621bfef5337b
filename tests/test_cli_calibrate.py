"""`docai calibrate`: what is written, what is printed, and the exit codes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import docai.cli.evaluate
from docai.cli import main
from docai.models.engine import Generation, Request
from docai.models.scripted import ScriptedEngine

pytest.importorskip("scipy", reason="fitting needs docai[metrics]")

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the command with a model that always reads ethanol: exit code and standard error."""
    for name in list(os.environ):
        if name.upper().startswith("DOCAI_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("docai.models.blank.is_blank", lambda image: False)
    engine = ScriptedEngine({"molecule": "CCO"})
    monkeypatch.setattr(docai.cli.evaluate, "make_engine", lambda settings: engine)

    def call(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main(["calibrate", *(str(argument) for argument in arguments)])
        assert isinstance(left.value.code, int)
        streams = capsys.readouterr()
        assert streams.out == ""
        return left.value.code, streams.err

    return call


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Files that are checked as a checkpoint's and never loaded."""
    folder = tmp_path / "own"
    folder.mkdir()
    config = {
        "model_type": "paligemma",
        "text_config": {"model_type": "gemma2"},
        "vision_config": {"image_size": 896, "patch_size": 28},
    }
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("model.safetensors", "tokenizer.json", "processor_config.json"):
        (folder / name).write_bytes(b"{}")
    manifest = {"name": "own", "revision": "1", "heads": {"molecule": {"adapter": None}}}
    (folder / "docai.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """60 pairs, of which every third is not ethanol."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    Image.new("RGB", (60, 40), "white").save(folder / "a.png")
    targets = ("CCO", "CCO", "CCN") * 20
    (folder / "pairs.jsonl").write_text(
        "".join(json.dumps({"image": "a.png", "target": target}) + "\n" for target in targets)
    )
    return folder


def maps(folder: Path) -> dict[str, dict[str, object]]:
    content = json.loads((folder / "docai.json").read_text())
    found: dict[str, dict[str, object]] = content["heads"]["molecule"].get("calibration", {})
    return found


def test_the_checkpoint_itself_is_calibrated(run: Run, checkpoint: Path, data: Path) -> None:
    code, shown = run(checkpoint, "--head", "molecule", "--data", data)
    assert code == 0
    assert set(maps(checkpoint)) == {"record", "atom"}
    assert maps(checkpoint)["record"]["n"] == 60
    assert "60 of 60 read" in shown
    record = next(line for line in shown.splitlines() if " record " in line)
    assert "66.7%" in record
    assert str(checkpoint / "docai.json") in shown


def test_a_copy_is_calibrated(run: Run, checkpoint: Path, data: Path) -> None:
    code, shown = run(checkpoint, "--head", "molecule", "--data", data, "-o", "copy")
    assert (code, "copy" in shown) == (0, True), shown
    assert maps(checkpoint) == {}
    assert maps(Path("copy"))


def test_an_installed_model_is_never_written_to(run: Run, data: Path) -> None:
    code, shown = run("nano", "--head", "molecule", "--data", data)
    assert (code, "-o" in shown) == (2, True)


def test_one_outcome_is_told(run: Run, checkpoint: Path, data: Path) -> None:
    pairs = (data / "pairs.jsonl").read_text().replace("CCO", "CCS")
    (data / "pairs.jsonl").write_text(pairs)
    code, shown = run(checkpoint, "--head", "molecule", "--data", data)
    assert code == 0
    assert "every record was wrong, so that the confidence is always 0.8%" in shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--head", "tabel"], "tabel"),
        (["--head", "table"], "table"),
        (["--count", "9"], "too few"),
        (["-o", "own"], "there already"),
        (["--data", "nowhere", "--head", "molecule"], "nowhere"),
        (["--difficulty", "2"], "difficulty"),
    ],
)
def test_bad_input(run: Run, checkpoint: Path, arguments: list[str], told: str) -> None:
    code, shown = run(checkpoint, *arguments)
    assert (code, told in shown) == (2, True)
    assert maps(checkpoint) == {}


def test_ctrl_c_writes_nothing(
    run: Run, checkpoint: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(request: Request) -> Generation:
        raise KeyboardInterrupt

    engine = ScriptedEngine({"molecule": interrupted})
    monkeypatch.setattr(docai.cli.evaluate, "make_engine", lambda settings: engine)
    code, shown = run(checkpoint, "--head", "molecule", "--data", data, "-o", "copy")
    assert (code, "nothing was written" in shown) == (130, True)
    assert not Path("copy").exists()
