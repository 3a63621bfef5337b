"""`docai train`: what reaches the trainer, and the exit codes."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from docai.cli import main
from docai.cli.train import train
from docai.models.paligemma import PaliGemmaEngine
from docai.pipelines.training import finetune
from docai.pipelines.training.nano import loop, pack
from docai.pipelines.training.nano.feed import PackSource
from docai.pipelines.training.nano.settings import NanoSettings
from docai.pipelines.training.nano.state import Progress
from docai.pipelines.training.settings import AdapterSettings
from tests.models.tiny import build_tiny

pytestmark = pytest.mark.slow(seconds=10)

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
    folder, text = tmp_path_factory.mktemp("base") / "tiny", {"num_hidden_layers": 2}
    return build_tiny(folder, image_size=896, patch_size=112, text=text)


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
        (("table", "--base", tiny_base / "config.json"), "config.json is a file; give the folder"),
        (("table", "--base", base_896, "--data", tiny_base / "config.json"), "config.json is a file"),
        (("table", "--base", base_896, "--data", "nowhere"), "no data folder"),
        (("table", "--base", base_896, "--device", "cuda:99"), "cuda"),
        (("table", "--base", base_896, "--minutes", 3), "--minutes has no meaning for `docai train table`"),
        (("nano", "--steps", 3), "--steps has no meaning for `docai train nano`"),
        (("nano", "--base", base_896), "of another architecture than nano"),
        (("nano", "--learning-rate", 0), "learning_rate is 0"),
        (("table", "--base", base_896, "--steps", 0), "--steps"),
        (("table", "--base", base_896, "--learning-rate", -1), "learning_rate is -1"),
    ]
    for arguments, message in wrong:
        code, out, err = run(*arguments, "-o", "out")
        assert code == 2, (arguments, err)
        assert out == ""
        assert message in " ".join(err.split()), (arguments, err)
        assert not Path("out").exists()


def test_ctrl_c_leaves_a_state_that_the_same_command_goes_on_from(
    run: Run, base_896: Path, pairs_folder: Path, tmp_path: Path
) -> None:
    options = [
        "molecule",
        "--base",
        base_896,
        "--data",
        pairs_folder,
        "--device",
        "cpu",
        "-o",
        tmp_path / "out",
    ]
    options += ["--batch", 1, "--accumulate", 1, "--rank", 2, "--steps", 100_000, "--held-out", 0]
    command = [sys.executable, "-m", "docai", "train", *(str(option) for option in options)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("step 10 "):
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130, said
    assert said[-1].startswith("Interrupted; the same command continues"), said
    (state,) = (tmp_path / "out/state").glob("checkpoint-*")
    step = int(state.name.partition("-")[2])
    assert step >= 10
    card = (tmp_path / "out/README.md").read_text()
    assert f"not finished**: step {step} of 100,000" in card
    assert "docai train molecule --base" in card
    options[options.index(100_000)] = step + 1
    code, _, err = run(*options)
    assert code == 0, err
    assert f"resumed from {state}" in err
    assert f"{step + 1} steps" in err


def test_exit_130_when_interrupted_before_the_first_step(
    run: Run, base_896: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(finetune, "train_adapter", interrupt)
    code, _, err = run("table", "--base", base_896, "-o", "out")
    assert code == 130
    assert "Interrupted" in err


def test_nano_and_heads_have_defaults_of_their_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Path, float, NanoSettings, object, object]] = []

    def record(
        folder: Path,
        minutes: float,
        settings: NanoSettings,
        report: object,
        *,
        source: object,
        resume: object,
    ) -> Progress:
        calls.append((folder, minutes, settings, source, resume))
        return Progress(interrupted=len(calls) == 2)

    monkeypatch.setattr(loop, "train_nano", record)
    monkeypatch.setattr(pack, "require_pack", lambda folder: None)
    assert run("nano", "-o", "out", "--minutes", 2)[0] == 0
    assert run("nano", "-o", "out", "--total-minutes", 90, "--workers", 3)[0] == 130
    options = ("--resume", "run", "--data", "pack", "--device", "cuda", "--weights-only")
    assert run("nano", *options)[0] == 0
    assert run("nano", "-o", "out", "--base", "nano", "--learning-rate", 2e-4, "--difficulty", 0.2)[0] == 0
    assert calls == [
        (Path("out"), 2.0, NanoSettings(), None, None),
        (Path("out"), 60.0, NanoSettings(total_minutes=90.0, workers=3), None, None),
        (
            Path("run"),
            60.0,
            NanoSettings(device="cuda", keep_optimizer=False),
            PackSource(Path("pack")),
            Path("run"),
        ),
        (
            Path("out"),
            60.0,
            NanoSettings(base="nano", learning_rate=2e-4, first_difficulty=0.2, difficulty=0.2),
            None,
            None,
        ),
    ]


def test_a_pack_is_written_with_the_state_of_a_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Path, Path | None, pack.PackSettings]] = []

    def record(folder: Path, of: Path | None, settings: pack.PackSettings, report: object) -> dict[str, int]:
        calls.append((folder, of, settings))
        return {"docai": 3 << 20, "fonts": 1 << 20}

    monkeypatch.setattr(pack, "write_pack", record)
    code, _, err = run("nano", "--pack", "p", "-o", "out", "--megabytes", 30, "--workers", 2)
    assert code == 0
    assert "4.0 MiB in p: docai 3.0, fonts 1.0" in err
    assert calls == [(Path("p"), Path("out"), pack.PackSettings(megabytes=30.0, workers=2))]


def test_nano_says_what_is_wrong_in_one_sentence(run: Run) -> None:
    Path("empty").mkdir()
    wrong: list[tuple[tuple[object, ...], str]] = [
        (("nano",), "needs -o DIR to start or go on, or --resume DIR"),
        (("nano", "--resume", "empty"), "There is no state to go on from in empty"),
        (("nano", "-o", "out", "--data", "empty"), "empty cannot be drawn from: pack.json cannot be read"),
        (("nano", "-o", "out", "--device", "cuda"), "finds no CUDA device"),
        (("nano", "--pack", "p", "--device", "cpu"), "--device has no meaning beside --pack"),
        (("table",), "`docai train table` needs -o"),
        (("table", "-o", "out", "--resume", "empty"), "--resume has no meaning for `docai train table`"),
    ]
    for arguments, message in wrong:
        code, out, err = run(*arguments)
        assert (code, out) == (2, ""), (arguments, err)
        assert message in " ".join(err.split()), (arguments, err)
        assert not Path("out").exists()


def test_the_defaults_in_the_help_are_those_of_the_settings() -> None:
    stated = {name: parameter.default for name, parameter in inspect.signature(train).parameters.items()}
    for field in fields(AdapterSettings):
        if field.name in stated and field.name != "seed":
            assert stated[field.name] == field.default, field.name
