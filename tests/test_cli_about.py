"""What the command line says of itself and of its installation: help, version, schema, doctor."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import docai.schema

from .conftest import Run


@pytest.mark.parametrize("arguments", [["--help"], ["process", "--help"]])
def test_help_lists_the_exit_codes(run: Run, arguments: list[str]) -> None:
    code, out, _ = run(*arguments)
    assert code == 0
    words = " ".join(out.split())
    for meaning in ("0 all succeeded", "1 an input failed", "2 usage or", "3 finished", "130 interrupted"):
        assert meaning in words


def test_schema_prints_the_committed_schema(run: Run) -> None:
    code, out, _ = run("schema")
    assert code == 0
    committed = Path(docai.schema.__file__ or "").with_name("schema.json").read_text("utf-8")
    assert out == committed
    assert json.loads(out)["title"].startswith("docai Document")


def test_doctor_shows_versions_heads_and_origins(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCAI_TEXT_LAYER", "verify")
    monkeypatch.setenv("DOCAI_TXT_LAYER", "verify")
    code, out, _ = run("doctor", "--device", "cpu")
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0, out
    assert "text_layer verify environment DOCAI_TEXT_LAYER" in rows
    assert "device cpu flag --device" in rows
    assert "model nano default" in rows
    assert "witnesses auto default" in rows
    assert "readback auto default" in rows
    assert "head molecule RDKit installed" in rows
    assert "table-finder head table installed" in rows
    assert any(row.startswith("torch 2.") for row in rows)
    for head in ("table", "molecule", "score", "text"):
        assert any(row.startswith(f"head {head} can run") for row in rows)
    assert any("DOCAI_TXT_LAYER is no setting" in row for row in rows)


def test_doctor_leaves_with_2_when_the_model_cannot_be_used(run: Run) -> None:
    code, out, _ = run("doctor", "--model", "no-such-model", "--device", "cpu")
    assert code == 2
    assert "PROBLEM" in out
    assert "no-such-model" in out


def test_doctor_goes_on_after_bad_settings_and_tells_all_of_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCAI_MAX_PAGES", "0")
    monkeypatch.setenv("DOCAI_RETRY", "maybe")
    Path("docai.toml").write_text("model = \n")
    code, out, _ = run("doctor", "--device", "cpu")
    assert code == 2
    assert "head text      can run" in out
    assert "PROBLEM: The setting max_pages cannot be '0' (environment DOCAI_MAX_PAGES)" in out
    assert "PROBLEM: The setting retry cannot be 'maybe' (environment DOCAI_RETRY)" in out
    assert "docai.toml cannot be read" in out
    assert "max_pages              2000        default, see PROBLEM" in out


def test_version(run: Run) -> None:
    assert run("--version")[:2] == (0, f"docai {docai.__version__}\n")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, docai.cli\n"
        "try:\n    docai.cli.main(['process', '--help'])\n"
        "except SystemExit as left:\n    assert left.code == 0\n"
        "heavy = {'torch', 'transformers', 'pymupdf', 'rdkit', 'music21', 'cv2', 'numpy', 'PIL'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
