"""``docai process``: which documents are read, where results go, and what is checked before the work."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import docai.cli.outputs
import docai.cli.reading
from docai.cli.inputs import find_inputs
from docai.document import Document
from docai.limits import FLAGS
from docai.pipelines.overlay import write_picture
from docai.settings import Settings

from .conftest import Run
from .documents import full_document

pytestmark = pytest.mark.usefixtures("own_folder")


class FakePipeline:
    """Finds the same in everything; keeps what it was asked."""

    def __init__(self) -> None:
        self.sources: list[Any] = []

    def process(self, source: Any, **options: object) -> Document:
        self.sources.append(source)
        document = full_document()
        document.source.name = str(source) if isinstance(source, Path) else source.name
        return document


@pytest.fixture
def pipeline(use_pipeline: Callable[[object], None]) -> FakePipeline:
    fake = FakePipeline()
    use_pipeline(fake)
    return fake


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def found(*arguments: str, recursive: bool = False) -> list[str]:
    inputs = find_inputs(arguments, recursive=recursive)
    assert not inputs.errors
    return [document.path.as_posix() for document in inputs.documents]


# Inputs


def test_a_folder_is_the_documents_directly_in_it_by_name() -> None:
    touch(
        "in/b.PDF",
        "in/a.tif",
        "in/.hidden.pdf",
        "in/notes.txt",
        "in/b.json",
        "in/deep/c.pdf",
        "in/.git/d.pdf",
    )
    assert found("in") == ["in/a.tif", "in/b.PDF"]
    assert found("in", recursive=True) == ["in/a.tif", "in/b.PDF", "in/deep/c.pdf"]
    (note,) = find_inputs(["in"]).notes
    assert note == (
        "in: 2 documents; left out: 1 other file (.txt), 1 document in its subfolders: --recursive reads "
        "them, too."
    )


def test_pictures_that_docai_drew_are_no_documents_of_a_folder() -> None:
    touch("in/a.pdf")
    write_picture(Image.new("RGB", (5, 5)), Path("in/a"), 1)
    Image.new("RGB", (5, 5)).save("in/scan-page-001.png")
    assert found("in") == ["in/a.pdf", "in/scan-page-001.png"]


def test_a_pattern_is_what_it_matches_and_a_file_of_that_very_name_comes_first() -> None:
    touch("x/b.pdf", "x/a.pdf", "x/y/c.pdf", "x/y/z/d.pdf", "odd[1].pdf")
    assert found("x/*.pdf") == ["x/a.pdf", "x/b.pdf"]
    assert found("x/**/*.pdf") == ["x/a.pdf", "x/b.pdf", "x/y/c.pdf", "x/y/z/d.pdf"]
    assert found("odd[1].pdf") == ["odd[1].pdf"]


def test_a_file_is_read_once_however_it_is_named() -> None:
    touch("x/a.pdf", "x/b.pdf")
    assert found("x/b.pdf", "x", "x/*.pdf", "./x/a.pdf") == ["x/b.pdf", "x/a.pdf"]


def test_what_docai_wrote_is_left_out_of_what_a_shell_expands(run: Run, pipeline: FakePipeline) -> None:
    touch("x/a.pdf", "x/b.pdf")
    write_picture(Image.new("RGB", (5, 5)), Path("x/a"), 1)
    for _ in range(2):
        code, _, err = run("process", *sorted(Path("x").iterdir()))
        assert code == 0, err
    assert "Left out: 3 files that docai wrote itself." in err
    assert sorted(path.name for path in Path("x").glob("*.json")) == ["a.json", "b.json"]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("none.pdf", "none.pdf does not exist"),
        ("none/*.pdf", "No file matches the pattern none/*.pdf"),
        ("empty", "The folder empty has no documents in it (documents are told by their extensions, .pdf"),
        ("above", "1 document in its subfolders: --recursive reads them, too"),
        ("https://example.org/a.pdf", "`curl -L -o a.pdf https://example.org/a.pdf`"),
        ("https://example.org/a.pdf?v=1*", "`curl -L -o a.pdf 'https://example.org/a.pdf?v=1*'`"),
        ("", "The path is empty"),
    ],
)
def test_what_is_not_there_is_told_and_the_rest_is_read(
    run: Run, pipeline: FakePipeline, argument: str, message: str
) -> None:
    touch("a.pdf", "empty/notes.txt", "above/below/b.pdf")
    code, _, err = run("process", argument, "a.pdf")
    assert code == 1
    assert message in err
    assert "1 of 2 inputs read" in err
    assert pipeline.sources == [Path("a.pdf")]


def test_a_document_is_read_from_standard_input(
    run: Run, pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"%PDF-1.7")))
    code, _, err = run("process", "-")
    assert code == 0, err
    assert pipeline.sources[0].read() == b"%PDF-1.7"
    assert Path("stdin.json").exists()


def test_no_more_of_standard_input_is_kept_than_the_limit_allows(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"%PDF-1.7" * 1000)))
    assert find_inputs(["-"], max_bytes=9).documents[0].data == b"%PDF-1.7%P"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"%PDF-1.7" * 1000)))
    code, _, err = run("process", "-", "--max-bytes", "9")
    assert code == 1
    assert "<stdin> has more than the 9 bytes allowed" in err


def test_nothing_is_waited_for_where_nothing_is_piped(
    run: Run, pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    code, _, err = run("process", "-")
    assert (code, pipeline.sources) == (1, [])
    assert "curl -L URL | docai process -" in err


def test_a_document_in_place_of_the_command_gets_the_command(run: Run) -> None:
    touch("a b.pdf")
    code, _, err = run("a b.pdf", "-o", "x")
    assert code == 2
    assert "To read a document: docai process 'a b.pdf' -o x" in err


# Results


def test_the_result_goes_beside_its_document(run: Run, pipeline: FakePipeline) -> None:
    touch("x/report.pdf", "x/scan.png", "x/scan.pdf", "y/report.pdf")
    code, _, err = run("process", "x", "y/report.pdf")
    assert code == 0, err
    written = sorted(path.as_posix() for path in Path().rglob("*.json"))
    assert written == ["x/report.json", "x/scan.pdf.json", "x/scan.png.json", "y/report.json"]
    assert "result:   x/report.json" in err


def test_nothing_is_written_beside_a_document_that_goes_to_standard_output(
    run: Run, pipeline: FakePipeline
) -> None:
    touch("a.pdf")
    code, out, _ = run("process", "a.pdf", "--json", "-")
    assert (code, list(Path().iterdir())) == (0, [Path("a.pdf")])
    assert Document.from_json(out).source.name == "a.pdf"


def test_an_older_result_is_replaced_and_nothing_else_is(run: Run, pipeline: FakePipeline) -> None:
    touch("a.pdf", "a.png", "results/empty.json", "empty.pdf")
    assert run("process", "a.pdf")[0] == 0
    assert run("process", "a.pdf")[0] == 0
    code, _, err = run("process", "a.png")
    assert code == 2, "it is the result of another document"
    assert (
        "1 file would be overwritten, though it is not a result of docai for the same document: a.json" in err
    )
    assert run("process", "empty.pdf", "-o", "results")[0] == 0
    assert run("process", "a.png", "-o", "a.json")[0] == 0, "the user named the file"
    for text in ('{"packages": []}', "half a", '{"schema_version": 3, "source": {}}'):
        Path("a.json").write_text(text)
        for arguments in (["a.pdf"], ["a.pdf", "-o", "."], ["a.pdf", "-o", "a.json"]):
            n_read = len(pipeline.sources)
            code, _, err = run("process", *arguments)
            assert code == 2
            assert "would be overwritten" in err
            assert "--overwrite" in err
            assert len(pipeline.sources) == n_read, "nothing was read"
        assert Path("a.json").read_text() == text
    assert run("process", "a.pdf", "--overwrite")[0] == 0
    assert Document.from_json(Path("a.json").read_bytes()).source.name == "a.pdf"


def test_pictures_of_others_are_not_drawn_over(run: Run, pipeline: FakePipeline) -> None:
    touch("a.pdf", "b.pdf")
    write_picture(Image.new("RGB", (5, 5)), Path("a"), 1)
    Image.new("RGB", (5, 5)).save("b-page-001.png")
    code, _, err = run("process", "a.pdf", "b.pdf", "--overlay", ".")
    assert code == 2
    assert "1 file would be overwritten" in err
    assert "b-page-001.png" in err
    assert not pipeline.sources


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "file/out.json"], "file cannot be a folder, as there is a file in its place"),
        (["-o", "file/deep/"], "file/deep cannot be a folder"),
        (["-o", "file"], "-o file is a file and no folder"),
        (["-o", "v1.2"], "For a folder of that name: -o v1.2/"),
        (["-o", "a.json/"], "a.json cannot be a folder, as there is a file in its place: say with -o"),
        (["--overlay", "file"], "file cannot be a folder, as there is a file in its place: give another to"),
    ],
)
def test_outputs_are_checked_before_anything_is_read(
    run: Run, pipeline: FakePipeline, arguments: list[str], message: str
) -> None:
    touch("a.pdf", "file", "a.json")
    code, _, err = run("process", "missing.pdf", "a.pdf", *arguments)
    assert code == 2
    assert message in err
    assert "missing.pdf does not exist" in err, "both are told at once"
    assert not pipeline.sources


def test_a_folder_is_not_made_for_documents_that_are_not_there(run: Run, pipeline: FakePipeline) -> None:
    code, _, err = run("process", "nowhere/a.pdf", "-o", "out")
    assert code == 1
    assert "nowhere/a.pdf does not exist" in err
    assert not list(Path().iterdir())


def test_a_folder_may_have_a_dot_in_its_name(run: Run, pipeline: FakePipeline) -> None:
    touch("a.pdf")
    assert run("process", "a.pdf", "-o", "v1.2/")[0] == 0
    assert Path("v1.2/a.json").is_file()


def test_a_full_disk_is_told_before_the_work(
    run: Run, pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch("a.pdf")
    usage = docai.cli.outputs.shutil._ntuple_diskusage(10**9, 10**9, 0)  # type: ignore[attr-defined]
    monkeypatch.setattr(docai.cli.outputs.shutil, "disk_usage", lambda folder: usage)
    code, _, err = run("process", "a.pdf")
    assert code == 2
    assert "The disk of the folder . is full (0 bytes left)" in err
    assert not pipeline.sources


PIPED = """
import sys
import docai.cli.process
sys.path.insert(0, {folder!r})
from tests.test_cli_inputs import FakePipeline

def read_in_turn(settings, heads, jobs, **options):
    for job in jobs:
        yield job, FakePipeline().process(job.source.open())

docai.cli.process.read_in_workers = read_in_turn
docai.cli.main(["process", "a.pdf", "b.pdf", "c.pdf", "--json", "-"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_a_reader_that_has_enough_ends_the_work_quietly() -> None:
    touch("a.pdf", "b.pdf", "c.pdf")
    code = PIPED.format(folder=str(Path(__file__).resolve().parents[1]))
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "Standard output was closed; nothing more is read.\n"


# Limits


def test_every_limit_is_an_option(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Settings] = []

    def make(settings: Settings, heads: object) -> FakePipeline:
        made.append(settings)
        return FakePipeline()

    monkeypatch.setattr(docai.cli.reading, "make_pipeline", make)
    touch("a.pdf")
    values = {name: 7 + number for number, name in enumerate(FLAGS)}
    flags = [word for name, value in values.items() for word in (FLAGS[name], value)]
    assert run("process", "a.pdf", *flags)[0] == 0
    assert made[0].limits.model_dump() == values
    assert run("process", "a.pdf", *[word for flag in FLAGS.values() for word in (flag, "none")])[0] == 0
    assert set(made[1].limits.model_dump().values()) == {None}


def test_an_error_of_a_limit_says_which_option_raises_it(run: Run, make_pdf: Callable[..., bytes]) -> None:
    Path("a.pdf").write_bytes(make_pdf("one", "two"))
    code, _, err = run("process", "a.pdf", "--max-pages", "1")
    assert code == 1
    assert "raise Limits(max_pages=...), which is --max-pages on the command line" in err
    assert "(--pages 1-1)" in err
