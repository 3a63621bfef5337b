"""``docai evaluate``: what is written, what is printed where, and the exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

import docai.cli.evaluate
from docai.cli.evaluate import print_comparison
from docai.models.engine import Request
from docai.models.scripted import ScriptedEngine
from docai.pipelines.evaluation.datasets import FORMATS

from .conftest import Run

DATA = "molscribe:molecules/test.csv"


@pytest.fixture(autouse=True)
def _molecules(own_folder: Path) -> None:
    images = Path("molecules/images")
    images.mkdir(parents=True)
    rows = ["image_id,file_path,SMILES"]
    for name, smiles in {"m1": "CCO", "m2": "CCN", "m3": "CCO"}.items():
        image = Image.new("RGB", (120, 80), "white")
        ImageDraw.Draw(image).line((20, 20, 100, 60), fill="black", width=3)
        image.save(images / f"{name}.png")
        rows.append(f"{name},images/{name}.png,{smiles}")
    Path("molecules/test.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


@pytest.fixture
def run(run: Run) -> Run:
    """Runs `docai evaluate` with these arguments: exit code, standard output, standard error."""
    return partial(run, "evaluate")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ScriptedEngine]:
    """Puts a scripted engine in the place of the model."""

    def install(answer: str | Callable[[Request], str] = "CCO") -> ScriptedEngine:
        scripted = ScriptedEngine({"molecule": answer})
        monkeypatch.setattr(docai.cli.evaluate, "make_engine", lambda settings: scripted)
        return scripted

    return install


def test_a_report_is_written_and_summed_up(run: Run, engine: Callable[..., ScriptedEngine]) -> None:
    engine()
    code, out, err = run("--data", DATA, "-o", "new/report")
    assert (code, out) == (0, "")
    assert {path.name for path in Path("new/report").iterdir()} >= {"report.json", "report.html"}
    assert "66.67" in err
    assert "samples 3" in err
    assert "scripted (head molecule) on molscribe" in err
    assert "new/report/report.html" in err
    assert "\x1b" not in err


def test_failures_are_counted_and_the_exit_code_is_1(run: Run, engine: Callable[..., ScriptedEngine]) -> None:
    engine()
    Path("molecules/images/m2.png").write_text("no picture")
    code, _, err = run("--data", DATA, "-o", "report")
    assert code == 1
    assert "m2.png is neither a PDF" in err
    assert "failed 1" in err
    assert Path("report/report.html").exists()


def test_ctrl_c_leaves_130_and_the_same_command_goes_on(
    run: Run, engine: Callable[..., ScriptedEngine]
) -> None:
    answers = iter(["CCO"])

    def interrupted(request: Request) -> str:
        for answer in answers:
            return answer
        raise KeyboardInterrupt

    engine(interrupted)
    code, _, err = run("--data", DATA, "-o", "report")
    assert code == 130
    assert "the same command goes on" in err
    second = engine()
    code, _, err = run("--data", DATA, "-o", "report")
    assert code == 0
    assert "1 of 3 samples were read before" in err
    assert len(second.requests) == 2


def test_another_run_in_the_folder_is_not_overwritten(
    run: Run, engine: Callable[..., ScriptedEngine]
) -> None:
    engine()
    run("--data", DATA, "-o", "report")
    code, _, err = run("--data", DATA, "-o", "report", "--limit", "2")
    assert code == 2
    assert "limit was none and is 2" in err
    assert "To start afresh" in err


def test_answers_of_another_tool(run: Run) -> None:
    Path("theirs.csv").write_text("image_id,SMILES\nm1,OCC\nm9,C\n", encoding="utf-8")
    code, out, err = run("--data", DATA, "--predictions", "theirs.csv", "-o", "report")
    assert (code, out) == (0, "")
    assert "2 of 3 samples have no prediction" in err
    assert "predictions of no case 1" in err
    assert "33.33" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--data FORMAT:PATH"),
        (["--data", DATA], "-o FOLDER"),
        (["--data", "molscribe:none.csv", "-o", "report"], "none.csv"),
        (["--data", "mystery:x", "-o", "report"], "one of these formats"),
        (["--data", DATA, "-o", "molecules/test.csv"], "cannot be made"),
        (["--data", DATA, "-o", "report", "--head", "tabel"], "There is no head 'tabel'"),
        (["--data", DATA, "-o", "report", "--protocol", "teds"], "There is no task 'teds'"),
        (["--data", DATA, "-o", "report", "--device", "tpu"], "--device"),
        (["--data", DATA, "-o", "report", "--predictions", "none.csv"], "none.csv"),
        (["--data", DATA, "-o", "report", "--predictions", "x", "--head", "table"], "--head has no meaning"),
        (["--compare", "a", "b", "--data", DATA], "--data has no meaning with --compare"),
        (["--compare", "a", "b"], "no report at a"),
    ],
)
def test_what_cannot_be_done_leaves_2(
    run: Run, engine: Callable[..., ScriptedEngine], arguments: list[str], message: str
) -> None:
    engine()
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert "Traceback" not in err


def test_two_reports_are_compared(run: Run, engine: Callable[..., ScriptedEngine]) -> None:
    engine("CCN")
    run("--data", DATA, "-o", "old")
    engine("CCO")
    run("--data", DATA, "-o", "new")
    code, out, err = run("--compare", "old", "new", "-o", "both")
    assert (code, out) == (0, "")
    assert "better" in err
    assert "33.33" in err
    assert "66.67" in err
    assert "on 3 cases of molscribe" in err
    assert {path.name for path in Path("both").iterdir()} == {"comparison.html", "comparison.json"}
    measures = json.loads(Path("both/comparison.json").read_text(encoding="utf-8"))["measures"]
    assert (measures[0]["better"], measures[0]["worse"]) == (2, 1)
    assert print_comparison.__doc__


def test_settings_reach_the_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def make(settings: object) -> ScriptedEngine:
        seen.append(settings)
        return ScriptedEngine({"molecule": "C"})

    monkeypatch.setattr(docai.cli.evaluate, "make_engine", make)
    monkeypatch.setenv("DOCAI_TEXT_LAYER", "ignore")
    assert run("--data", DATA, "-o", "report", "--model", "some/folder", "--device", "cpu")[0] == 0
    (settings,) = seen
    assert (settings.model, settings.device) == ("some/folder", "cpu")
    assert json.loads(Path("report/run.json").read_text(encoding="utf-8"))["text_layer"] == "ignore"


def test_retry_asks_the_model_again_and_is_a_setting_of_the_run(
    run: Run, engine: Callable[..., ScriptedEngine]
) -> None:
    scripted = engine("C1CC")
    run("--data", DATA, "-o", "once")
    n_once = len(scripted.requests)
    run("--data", DATA, "-o", "again", "--retry", "auto")
    assert len(scripted.requests) > 2 * n_once
    once, again = (
        json.loads(Path(name, "run.json").read_text(encoding="utf-8")) for name in ("once", "again")
    )
    assert "retry" not in once
    assert again["retry"] == "auto"


def test_help_names_the_exit_codes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "130 interrupted" in " ".join(out.split())


def test_the_command_line_loads_nothing_heavy_for_it() -> None:
    heavy = "torch rdkit pymupdf scipy shapely jinja2 apted rapidfuzz numpy"
    code = f"import sys, docai.cli; print([name for name in '{heavy}'.split() if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_formats_are_listed_on_standard_output(run: Run) -> None:
    code, out, err = run("--formats")
    assert (code, err) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines.keys() == FORMATS.keys()
    assert lines["icdar2013"].startswith("pages of table: ")
