"""The rooms of the house: who may import whom, and that the contracts would notice a breach."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHECKED = (".ci", "docai", "models", "parsers", "pipelines", ".importlinter")

pytest.importorskip("importlinter", reason="the contracts of imports are checked by import-linter")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources that a test may spoil."""
    for name in CHECKED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=_no_weights)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def _no_weights(_: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__" or name.endswith(".safetensors")}


def _check(tree: Path) -> tuple[int, str]:
    command = [sys.executable, str(tree / ".ci" / "check_imports.py")]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_are_kept(tree: Path) -> None:
    code, output = _check(tree)
    assert code == 0, output
    assert "0 broken" in output


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("parsers/table_grid.py", "from docai.parsers.table import parse_table", "No circle"),
        ("docai/contents.py", "from docai.parsers.text import parse_text", "Rooms"),
        ("models/heads.py", "from docai.pipelines.convert import convert", "Rooms"),
        ("pipelines/convert.py", "from docai.pipelines.training import settings", "Pipelines"),
        ("pipelines/ingest/page.py", "from docai.pipelines.layout import find_regions", "Pipelines"),
    ],
)
def test_an_import_that_runs_up_or_in_a_circle_is_noticed(
    tree: Path, module: str, line: str, contract: str
) -> None:
    path = tree / module
    path.write_text(path.read_text("utf-8") + f"\n\ndef _breach() -> None:\n    {line}\n", "utf-8")
    code, output = _check(tree)
    assert code == 1
    broken = [row for row in output.splitlines() if " BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), output
