"""`docai train`: what reaches the trainer, and the exit codes."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from docai.cli import main
from docai.cli.train import train
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.training import adapters, slices
from docai.pipelines.training.adapters import AdapterSettings
from docai.pipelines.training.slices import Progress, SliceSettings
from tests.models.tiny import build_tiny

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `docai train` with these arguments: exit code, standard output, standard error."""
    for name in list(os.environ):
        if name.upper().startswith("DOCAI_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["train", *(str(argument) for argument in arguments)])
        assert isinstance(left.value.code, int)
        streams = capsys.readouterr()
        return left.value.code, streams.out, streams.err

    return call


@pytest.fixture(scope="module")
def base_896(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base that reads what the registered heads read."""
    return build_tiny(tmp_path_factory.mktemp("base") / "tiny", image_size=896, patch_size=112)


def test_the_whole_way(run: Run, base_896: Path, pairs_folder: Path) -> None:
    options = (
        "--base",
        base_896,
        "--data",
        pairs_folder,
        "--batch",
        1,
        "--accumulate",
        1,
        "--device",
        "cpu",
        "-o",
        "out",
    )
    code, out, err = run("molecule", "--steps", 2, "--rank", 2, *options)
    assert (code, out) == (0, ""), err
    assert "4 of 4 pairs can be used" in err
    assert "2 steps" in err
    assert PaliGemmaEngine.load("out", device="cpu").heads() == {"molecule"}
    code, _, err = run("molecule", "--steps", 3, "--rank", 2, *options)
    assert code == 0
    assert "resumed from out/state/checkpoint-2" in err
    assert "3 steps" in err


def test_exit_2_where_the_call_is_wrong(run: Run, base_896: Path, tiny_base: Path, tmp_path: Path) -> None:
    wrong: list[tuple[tuple[object, ...], str]] = [
        (("caption", "--base", base_896), "nothing called 'caption'"),
        (("table",), "needs --base"),
        (("table", "--base", "no-such-model"), "no model 'no-such-model'"),
        (("table", "--base", "google/paligemma2-3b-pt-896"), "needs a revision"),
        (("table", "--base", tmp_path), "config.json is missing"),
        (("table", "--base", tiny_base), "reads 56 px"),
        (("table", "--base", base_896, "--data", "nowhere"), "no data folder"),
        (("table", "--base", base_896, "--device", "cuda:99"), "cuda"),
        (("table", "--base", base_896, "--minutes", 3), "--minutes has no meaning for `docai train table`"),
        (("nano", "--base", base_896), "--base has no meaning for `docai train nano`"),
        (("table", "--base", base_896, "--steps", 0), "--steps"),
        (("table", "--base", base_896, "--learning-rate", -1), "learning_rate is -1"),
    ]
    for arguments, message in wrong:
        code, out, err = run(*arguments, "-o", "out")
        assert code == 2, (arguments, err)
        assert out == ""
        assert message in " ".join(err.split()), (arguments, err)
        assert not Path("out").exists()


def test_exit_130_when_interrupted_before_the_first_step(
    run: Run, base_896: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(adapters, "train_adapter", interrupt)
    code, _, err = run("table", "--base", base_896, "-o", "out")
    assert code == 130
    assert "Interrupted" in err


def test_nano_and_heads_have_defaults_of_their_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Path, float, SliceSettings]] = []

    def record(folder: Path, minutes: float, settings: SliceSettings, report: object) -> Progress:
        calls.append((folder, minutes, settings))
        return Progress(interrupted=len(calls) == 2)

    monkeypatch.setattr(slices, "train_slice", record)
    assert run("nano", "-o", "out", "--minutes", 2)[0] == 0
    assert run("nano", "-o", "out", "--total-minutes", 90, "--workers", 3)[0] == 130
    assert calls == [
        (Path("out"), 2.0, SliceSettings(total_minutes=2.0, workers=1)),
        (Path("out"), 60.0, SliceSettings(total_minutes=90.0, workers=3)),
    ]


def test_the_defaults_in_the_help_are_those_of_the_settings() -> None:
    stated = {name: parameter.default for name, parameter in inspect.signature(train).parameters.items()}
    for field in fields(AdapterSettings):
        if field.name in stated and field.name != "seed":
            assert stated[field.name] == field.default, field.name
