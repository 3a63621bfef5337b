"""Every script of ``examples/``, run as a user runs it, and what its docstring says that it prints."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path

import pytest

from docai.models.heads import unregister

pytestmark = pytest.mark.slow(seconds=8)

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
MAX_LINES = 40


def _run(name: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What the script prints; it runs in ``folder``, so that nothing is left in the repository."""
    path = EXAMPLES / f"{name}.py"
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    return capsys.readouterr().out


class Runner:
    """Runs one example in a folder of the test."""

    def __init__(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.folder = folder
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, name: str) -> list[str]:
        return _run(name, self.folder, self._capsys, self._monkeypatch).splitlines()


@pytest.fixture
def example(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(tmp_path, capsys, monkeypatch)


def test_every_example_is_short_says_how_to_run_it_and_is_tested_here() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    called = {
        node.args[0].value
        for node in ast.walk(ast.parse(Path(__file__).read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "example"
        and isinstance(node.args[0], ast.Constant)
    }
    assert called == names
    for path in EXAMPLES.glob("*.py"):
        text = path.read_text("utf-8")
        assert len(text.splitlines()) < MAX_LINES, path.name
        docstring = ast.get_docstring(ast.parse(text)) or ""
        assert f"python examples/{path.name}" in docstring
        assert "rints" in docstring


def test_process_pdf_prints_a_line_for_each_record(example: Runner) -> None:
    lines = example("process_pdf")
    assert [line.split()[0] for line in lines].count("table") == 1
    assert len(lines) == 9
    assert all("page 1  confidence" in line and "issues: " in line for line in lines)


def test_read_image_prints_the_answer_its_confidence_and_its_evidence(example: Runner) -> None:
    lines = example("read_image")
    assert lines[0].startswith("SMILES:")
    assert lines[1].startswith("confidence: ")
    assert " by " in lines[1]
    assert lines[2].split()[1].rstrip(",") in ("model", "osra")


def test_own_regions_prints_the_table_in_the_box(example: Runner) -> None:
    assert example("own_regions") == [
        "Sample | Mass | pH",
        "Willow | 12.5 | 4.5",
        "Meadow | 9.8 | 5.0",
        "Tea | 7.1 | 6.5",
    ]


def test_own_head_prints_the_record_of_its_kind(example: Runner) -> None:
    try:
        assert example("own_head") == ["seal on page 1: No 4711, read from ['model']"]
    finally:
        unregister("seal")


def test_own_tests_prints_what_the_function_makes_of_both_answers(example: Runner) -> None:
    good, bad = example("own_tests")
    assert good == "a good answer: ['C9H8O4', 'C9H8O4'] after 2 requests"
    assert bad.split(":")[1].strip() == "['?', '?']"


def test_tables_to_csv_writes_the_tables_and_prints_their_columns(example: Runner) -> None:
    lines = example("tables_to_csv")
    assert lines[0] == "table-1.csv: page 1, 4 rows, 3 columns"
    assert "Mass: number, unit None, 0 missing" in lines
    written = (example.folder / "out" / "tables" / "table-1.csv").read_bytes()
    assert written.startswith(b"Sample,Mass,pH\r\nWillow,12.5,4.5\r\n")


def test_export_document_prints_what_it_wrote(example: Runner) -> None:
    lines = example("export_document")
    files = [line for line in lines if not line.startswith("  ")]
    assert [line.partition(",")[0] for line in files] == [
        "report.md",
        "report.xlsx",
        "report.sdf",
        "report.jsonl",
    ]
    losses = [line for line in lines if line.startswith("  ")]
    assert sum(int(line.rpartition(", ")[2].removesuffix(" losses")) for line in files) == len(losses)
    # Without second readers nano reads the pictures of the sample, and may find no molecule in one.
    assert all("molecule" in line for line in losses)
    assert (example.folder / "out" / "exports" / "report.xlsx").is_file()


def test_score_to_midi_prints_the_notes_and_writes_two_files(example: Runner) -> None:
    lines = example("score_to_midi")
    assert lines[:2] == ["measure 1: G4 at 0 for 1", "measure 1: B4 at 1 for 1/2"]
    assert lines[-2:] == [
        "score.mid: 5 of 5 notes, nothing is lost",
        "score.musicxml: 5 of 5 notes, nothing is lost",
    ]
    assert (example.folder / "out" / "score.mid").read_bytes().startswith(b"MThd")
    assert b"<score-partwise" in (example.folder / "out" / "score.musicxml").read_bytes()


def test_batch_goes_on_after_files_that_cannot_be_read(example: Runner) -> None:
    read, missing, no_document = example("batch")
    assert read == "report.pdf: 16 records, errors: none"
    assert missing.startswith("missing.pdf: SourceNotFoundError: ")
    assert no_document.startswith("batch.py: NotADocumentError: ")


def test_parse_model_text_prints_contents_and_issues(example: Runner) -> None:
    text = "\n".join(example("parse_model_text"))
    assert "| none measured |  |" in text
    assert "warning table-span-clipped: " in text
    assert "C[Ph] → Cc1ccccc1, C7H8" in text
    assert "CC(C → None, None" in text
    assert "error molecule-syntax: " in text


def test_evaluate_predictions_prints_the_measures_and_writes_a_report(example: Runner) -> None:
    lines = example("evaluate_predictions")
    assert "Exact match: 0.667 (0.000–1.000), 3 cases" in lines
    assert "Valid: 1.000 (1.000–1.000), 3 cases" in lines
    assert (example.folder / "out" / "evaluation" / "report" / "report.html").is_file()
