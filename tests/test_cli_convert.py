"""``docai convert`` and the formats of ``docai process --to``: what is written where, and what is told."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import openpyxl
import pytest

from docai.document import Document

from .conftest import Run
from .exports import made

pytestmark = pytest.mark.usefixtures("own_folder")


def _result(path: str = "report.json", document: Document | None = None) -> Path:
    document = document or made.document(
        made.text("Hello"), made.grid([["a"], ["=1+1"]]), made.molecule("CCO")
    )
    target = Path(path)
    target.parent.mkdir(exist_ok=True, parents=True)
    target.write_text(document.to_json())
    return target


def test_the_extension_is_the_format_and_several_outputs_are_written(run: Run) -> None:
    _result()
    code, out, err = run("convert", "report.json", "-o", "a.md", "-o", "new/b.xlsx", "-o", "c.molecules.csv")
    assert (code, out) == (0, "")
    assert Path("a.md").read_text().startswith("Hello\n")
    assert openpyxl.load_workbook("new/b.xlsx").worksheets[0]["A2"].value == "=1+1"
    assert "CCO" in Path("c.molecules.csv").read_text()
    assert "written: a.md, and 1 file beside it" in err


def test_formats_go_beside_each_result_or_into_a_folder(run: Run) -> None:
    _result()
    _result("sub/a.pdf.json")
    code, _, err = run("convert", "report.json", "sub/a.pdf.json", "--to", "md,html")
    assert code == 0
    assert "2 results of 2 converted." in err
    names = ["report.html", "report.md", "sub/a.pdf.html", "sub/a.pdf.md"]
    assert all(Path(name).is_file() for name in names)
    assert run("convert", "report.json", "--to", "md", "-o", "folder/")[0] == 0
    assert Path("folder/report.md").is_file()


def test_text_goes_to_standard_output_as_one_file(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    _result(document=made.document(made.grid([["a"], ["=1+1"]]), made.grid([["b"]])))
    code, out, err = run("convert", "report.json", "-o", "-", "--to", "csv")
    assert code == 0
    assert out.splitlines() == ["a", "=1+1", "", "b"]
    assert "note: standard output: Page 1: a spreadsheet would compute 1 cell" in err
    assert [path.name for path in Path().iterdir()] == ["report.json"]


def test_a_result_comes_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Piped:
        buffer = io.BytesIO(_result().read_bytes())

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdin", Piped())
    assert run("convert", "-", "-o", "out.html")[0] == 0
    assert "Hello" in Path("out.html").read_text()


def test_the_source_is_found_beside_the_result(run: Run, make_pdf: object) -> None:
    import hashlib

    data: bytes = make_pdf("Hi")  # type: ignore[operator]
    document = made.document(made.figure(), name="made.pdf", sha256=hashlib.sha256(data).hexdigest())
    _result("results/made.json", document)
    code, _, err = run("convert", "results/made.json", "--to", "md")
    assert (code, list(Path("results").glob("made_files/*"))) == (0, [])
    assert "note: made.md: Pictures are left out, since made.pdf is not at hand: say where it is" in err
    Path("results/made.pdf").write_bytes(data)
    code, _, err = run("convert", "results/made.json", "--to", "md", "--overwrite")
    assert code == 0
    assert "note" not in err
    assert Path("results/made_files/001-figure.png").is_file()


def test_files_that_are_there_are_left_alone(run: Run) -> None:
    _result()
    Path("report.md").write_text("mine")
    code, _, err = run("convert", "report.json", "--to", "md")
    assert code == 2
    assert "report.md" in err
    assert Path("report.md").read_text() == "mine"
    assert run("convert", "report.json", "--to", "md", "--overwrite")[0] == 0
    # Those beside it, too, though they are known only when it is made.
    Path("other_files").mkdir()
    Path("other_files/001-molecule.svg").write_text("mine")
    code, _, err = run("convert", "report.json", "-o", "other.md")
    assert code == 1
    assert "other_files/001-molecule.svg, which belongs beside it, is there already" in err
    assert not Path("other.md").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["report.json"], 2, "Say what to write"),
        (["report.json", "-o", "a.doc"], 2, "no format for the extension '.doc'"),
        (["report.json", "--to", "doc"], 2, "There is no format 'doc'; the formats are: json, md"),
        (["report.json", "--to", ","], 2, "--to names no format"),
        (["report.json", "-o", "folder/"], 2, "Say with --to in which formats"),
        (["report.json", "-o", "a.md", "-o", "A.md"], 2, "are the same file"),
        (["report.json", "-o", "a.md", "--to", "md"], 2, "give one of the two"),
        (["report.json", "-o", "a.md", "-o", "b.md", "--to", "md"], 2, "leave out --to"),
        (["report.json", "-o", "a.md", "-o", "b/"], 2, "b/ is a folder"),
        (["report.json", "-o", "-"], 2, "say with --to in which one format"),
        (["report.json", "-o", "-", "--to", "md,csv"], 2, "say with --to in which one format"),
        (["report.json", "-o", "-", "-o", "a.md"], 2, "takes one result and no other output"),
        (["report.json", "--to", "json"], 2, "report.json is read and would be written"),
        (["report.json", "-o", "a.md", "--source", "nowhere.pdf"], 2, "--source nowhere.pdf is no file"),
        (["report.json", "-o", "a.mid"], 1, "has no score that can be written as .mid"),
        (["missing.json", "-o", "a.md"], 1, "missing.json cannot be read"),
        (["notes.txt", "-o", "a.md"], 1, "notes.txt: This is no JSON"),
        (["report.json", "-o", "a.jsonl", "--tokenizer", "no.json"], 2, "give a tokenizer.json"),
    ],
)
def test_bad_calls_say_what_to_do_and_write_nothing(
    run: Run, arguments: list[str], code: int, message: str
) -> None:
    _result()
    Path("notes.txt").write_text("hello")
    before = sorted(Path().iterdir())
    found, out, err = run("convert", *arguments)
    assert (found, out) == (code, "")
    assert message in " ".join(err.split())
    assert sorted(path for path in Path().iterdir() if path.name != "folder") == before


def test_a_newer_result_does_not_stop_the_others(run: Run) -> None:
    values = json.loads(_result("new.json").read_text())
    Path("new.json").write_text(json.dumps(values | {"schema_version": "99.0", "mood": 1}))
    _result("old.json")
    code, _, err = run("convert", "new.json", "old.json", "--to", "md")
    assert code == 1
    assert "new.json: This result has schema version 99.0" in " ".join(err.split())
    assert Path("old.md").is_file()


def test_what_a_document_does_not_have_is_a_note_among_several_formats(run: Run) -> None:
    _result()
    code, _, err = run("convert", "report.json", "--to", "mid,md")
    assert code == 0
    assert "note: report.mid: made.pdf has no score" in err
    assert not Path("report.mid").exists()


def test_chunks_have_the_size_that_is_asked_for(run: Run) -> None:
    _result(document=made.document(made.text("one two three four five six")))
    assert run("convert", "report.json", "-o", "a.jsonl", "--chunk-size", "10")[0] == 0
    texts = [json.loads(line)["text"] for line in Path("a.jsonl").read_text().splitlines()]
    assert texts == ["one two", "three four", "five six"]


def test_a_folder_is_all_results_in_it(run: Run) -> None:
    _result("run/results/a.pdf.json")
    _result("run/results/sub/b.pdf.json")
    Path("run/settings.json").write_text("{}")
    assert run("convert", "run", "--to", "md", "-o", "out/")[0] == 0
    assert sorted(path.name for path in Path("out").glob("*.md")) == ["a.pdf.md", "b.pdf.md"]
    Path("empty").mkdir()
    code, _, err = run("convert", "empty", "--to", "md")
    assert code == 2
    assert "The folder empty has no results of docai in it" in err


def test_a_format_that_cannot_be_written_does_not_stop_the_others(run: Run) -> None:
    _result("nosrc.json")
    code, _, err = run("convert", "nosrc.json", "--to", "md,pdf,html,docling.json")
    assert code == 1
    assert "A searchable PDF is the source with its words" in " ".join(err.split())
    for name in ("nosrc.md", "nosrc.html", "nosrc.docling.json"):
        assert Path(name).stat().st_size
        assert f"written: {name}" in err
    assert not Path("nosrc.pdf").exists()


def test_a_table_that_is_no_grid_does_not_stop_the_other_results(run: Run) -> None:
    values = json.loads(_result("run/a.json").read_text())
    table = next(one for one in values["records"] if one["kind"] == "table")
    table["cells"][0] |= {"row": 1_000_000_000, "col_span": 10_000_000}
    Path("run/a.json").write_text(json.dumps(values, indent=2))
    _result("run/b.json")
    code, _, err = run("convert", "run", "--to", "html,csv,md,docx,docling.json", "-o", "out/")
    assert code == 1
    assert err.count("is no grid (a cell at row 1000000000, column 0 is outside of its 2 x 1 cells)") == 1
    assert sorted(path.name for path in Path("out").iterdir() if path.is_file()) == [
        "b.csv",
        "b.docling.json",
        "b.docx",
        "b.html",
        "b.md",
    ]
    assert "1 result of 2 converted." in err


def test_files_of_formats_that_docai_cannot_recognize_are_said_to_be_such(run: Run) -> None:
    _result()
    assert run("convert", "report.json", "--to", "md,docling.json")[0] == 0
    code, _, err = run("convert", "report.json", "--to", "md,docling.json")
    assert code == 2
    said = " ".join(err.split())
    assert "2 files would be overwritten: report.md, report.docling.json. Only JSON is recognized" in said
    assert "add --overwrite to replace them" in said


def test_a_library_that_is_missing_stops_its_format_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    _result()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, _, err = run("convert", "report.json", "-o", "conv", "--to", "md,html,parquet")
    assert code == 1
    assert sorted(path.name for path in Path("conv").glob("report.*")) == ["report.html", "report.md"]
    assert err.count("error: ") == 1
    assert "pyarrow" in err.casefold()
    code, _, err = run("convert", "report.json", "-o", "alone", "--to", "parquet")
    assert (code, Path("alone").exists()) == (2, False)


def test_a_library_that_is_missed_as_a_format_is_written_stops_that_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _result()
    monkeypatch.setattr("docai.cli.outputs.check_formats", lambda _: None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    code, _, err = run("convert", "report.json", "--to", "parquet,md")
    assert (code, Path("report.md").is_file()) == (1, True)
    assert "docai[exports]" in err
