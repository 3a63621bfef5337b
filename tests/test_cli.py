"""``docai process``: what is written where, and with which exit code it leaves."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

import docai.exports.files
from docai.api import Pipeline
from docai.cli.outputs import plan_names
from docai.contents import Issue
from docai.document import Document
from docai.errors import CheckpointError, DamagedSourceError, DocaiError, UnknownModelError
from docai.models.scripted import ScriptedEngine
from docai.options import ModelOptions, Options

from .conftest import Run
from .documents import full_document

pytestmark = pytest.mark.usefixtures("own_folder")


class FakePipeline:
    """Answers by file name; counts what it is asked."""

    def __init__(self, answers: Mapping[str, Document | BaseException]) -> None:
        self.answers = answers
        self.calls: list[dict[str, object]] = []

    def process(self, source: Path, **options: object) -> Document:
        self.calls.append({"source": source, **options})
        answer = self.answers.get(source.name, full_document())
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def run(run: Run) -> Run:
    """The same, with an empty file for each PDF among the arguments: inputs are looked for first."""

    def call(*arguments: object) -> tuple[int, str, str]:
        for argument in map(str, arguments):
            if argument.endswith(".pdf") and not argument.startswith("missing"):
                Path(argument).parent.mkdir(exist_ok=True)
                Path(argument).touch()
        return run(*arguments)

    return call


@pytest.fixture
def fake(use_pipeline: Callable[[object], None]) -> Callable[..., FakePipeline]:
    def install(**answers: Document | BaseException) -> FakePipeline:
        pipeline = FakePipeline({f"{stem}.pdf": answer for stem, answer in answers.items()})
        use_pipeline(pipeline)
        return pipeline

    return install


def flawed() -> Document:
    document = full_document()
    document.records[1].issues.append(
        Issue(code="smiles-invalid", severity="error", stage="parser", message="Not a molecule.", page=1)
    )
    return document


def damaged(name: str) -> DocaiError:
    return DamagedSourceError(f"{name} is damaged.", source=name)


def test_one_input_goes_to_a_file(run: Run, fake: Callable[..., FakePipeline]) -> None:
    fake()
    code, out, err = run("process", "a.pdf", "-o", "new/out.json")
    assert code == 0
    assert Document.from_json(Path("new/out.json").read_bytes()) == full_document()
    assert out == ""
    assert "2 pages" in err
    assert "1 molecule" in err
    assert "new/out.json" in err
    assert [path.name for path in Path("new").iterdir()] == ["out.json"]


def test_several_inputs_go_to_a_folder_and_share_one_pipeline(
    run: Run, fake: Callable[..., FakePipeline]
) -> None:
    pipeline = fake()
    code, _, _ = run("process", "a.pdf", "b.pdf", "-o", "out")
    assert code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.json", "b.json"]
    assert [call["source"] for call in pipeline.calls] == [Path("a.pdf"), Path("b.pdf")]


def test_same_named_inputs_do_not_overwrite_each_other(run: Run, fake: Callable[..., FakePipeline]) -> None:
    fake()
    code, _, _ = run("process", "x/a.pdf", "y/a.pdf", "x/b.pdf", "-o", "out")
    assert code == 0
    written = sorted(str(path.relative_to("out")) for path in Path("out").rglob("*.json"))
    assert written == ["b.json", "x/a.pdf.json", "y/a.pdf.json"]


def test_names_of_outputs() -> None:
    def names(*paths: str) -> list[str]:
        return [str(name) for name in plan_names([Path(path) for path in paths], ".json")]

    assert names("a.pdf", "a.png") == ["a.pdf.json", "a.png.json"]
    assert names("a.pdf", "A.PDF") == ["0000-a.pdf.json", "0001-A.PDF.json"]
    assert names("p/q/a.pdf", "p/r/a.pdf") == ["q/a.pdf.json", "r/a.pdf.json"]
    assert names("../a.pdf", "a.b.pdf", "1706.03762") == ["a.json", "a.b.json", "1706.03762.json"]
    assert len(set(names("x/a.pdf", "y/a.pdf", "a.pdf.pdf", "y/a.tiff"))) == 4


def test_same_file_twice_is_read_once(run: Run, fake: Callable[..., FakePipeline]) -> None:
    pipeline = fake()
    run("process", "a.pdf", "./a.pdf", "-o", "out.json")
    assert len(pipeline.calls) == 1


def test_json_on_standard_output_is_nothing_but_json(run: Run, fake: Callable[..., FakePipeline]) -> None:
    fake()
    code, out, err = run("process", "a.pdf", "--json", "-")
    assert code == 0
    assert Document.from_json(out) == full_document()
    assert "1 molecule" in err


def test_several_inputs_on_standard_output_are_json_lines(
    run: Run, fake: Callable[..., FakePipeline]
) -> None:
    fake()
    _, out, _ = run("process", "a.pdf", "b.pdf", "--json", "-")
    assert [Document.from_json(line) for line in out.rstrip("\n").split("\n")] == [full_document()] * 2


def test_nothing_but_text_on_standard_error_without_a_terminal(
    run: Run, fake: Callable[..., FakePipeline]
) -> None:
    pipeline = fake()
    _, _, err = run("process", "a.pdf", "-o", "out.json")
    assert "\x1b" not in err
    assert pipeline.calls[0]["progress"] is None


@pytest.mark.parametrize("pages", ["3", "1-3,7", "5-", "-3", "2 - 4, 9"])
def test_page_ranges_that_are_understood(run: Run, fake: Callable[..., FakePipeline], pages: str) -> None:
    fake()
    assert run("process", "a.pdf", "-o", "out.json", f"--pages={pages}")[0] == 0


def test_pages_and_password_reach_the_pipeline(run: Run, fake: Callable[..., FakePipeline]) -> None:
    pipeline = fake()
    run("process", "a.pdf", "-o", "out.json", "--pages", "1-3,7", "--password", "secret")
    assert (pipeline.calls[0]["pages"], pipeline.calls[0]["password"]) == ("1-3,7", "secret")


def test_exit_1_when_an_input_failed_and_the_others_are_written(
    run: Run, fake: Callable[..., FakePipeline]
) -> None:
    fake(bad=damaged("bad.pdf"), flawed=flawed())
    code, _, err = run("process", "bad.pdf", "a.pdf", "flawed.pdf", "-o", "out")
    assert code == 1
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.json", "flawed.json"]
    assert "error: bad.pdf is damaged." in err
    assert "2 of 3 inputs read" in err


def test_exit_1_when_docai_itself_fails_and_the_error_is_shown(
    run: Run, fake: Callable[..., FakePipeline]
) -> None:
    fake(bad=ZeroDivisionError("inside"))
    code, _, err = run("process", "bad.pdf", "a.pdf", "-o", "out")
    assert code == 1
    assert Path("out/a.json").exists()
    assert "ZeroDivisionError: inside" in err
    assert "Traceback" in err


def test_each_format_of_to_is_written_beside_the_input_or_into_the_folder(
    run: Run, fake: Callable[..., FakePipeline]
) -> None:
    fake()
    code, _, err = run("process", "a.pdf", "--to", "json,md,csv")
    assert code == 0
    assert sorted(path.name for path in Path().iterdir() if path.is_file()) == [
        "a.csv",
        "a.json",
        "a.md",
        "a.pdf",
    ]
    assert "result:   a.json" in err
    # Of the source, which the document was not read from, there are no pictures.
    assert "note: a.md: Pictures are left out" in " ".join(err.split())
    assert run("process", "b.pdf", "-o", "out/", "--to", "html")[0] == 0
    assert [path.name for path in Path("out").iterdir()] == ["b.html"]


def test_a_format_that_cannot_be_written_costs_itself_alone(
    run: Run, fake: Callable[..., FakePipeline]
) -> None:
    fake()
    # a.pdf is empty: a searchable PDF of it cannot be made.
    code, out, err = run("process", "a.pdf", "--to", "pdf,html", "-o", "out/", "--json", "-")
    assert code == 1
    assert "A searchable PDF is the source with its words" in " ".join(err.split())
    assert "result:   out/a.html" in err
    assert [path.name for path in Path("out").iterdir()] == ["a.html"]
    assert Document.from_json(out) == full_document()


def test_formats_that_do_not_fit_are_refused_before_anything_is_read(
    run: Run, fake: Callable[..., FakePipeline]
) -> None:
    pipeline = fake()
    Path("a.md").write_text("mine")
    for arguments, message in (
        (["a.pdf", "--to", "md"], "a.md"),
        (["b.pdf", "--to", "doc"], "There is no format 'doc'"),
        (["b.pdf", "--to", "md", "-o", "b.json"], "give one of the two"),
        (["b.pdf", "--to", "json", "-o", "b.md/", "--json", "-"], ""),
    ):
        code, _, err = run("process", *arguments)
        assert (code == 2) == bool(message), err
        assert message in err
    assert len(pipeline.calls) == 1
    assert Path("a.md").read_text() == "mine"


def test_exit_1_when_the_disk_fails_while_the_result_is_written(
    run: Run, fake: Callable[..., FakePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    fake()
    monkeypatch.setattr(docai.exports.files, "write_durably", fail)
    code, _, err = run("process", "a.pdf", "-o", "out.json")
    assert code == 1
    assert "out.json cannot be written (No space left on device)" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["process"], "Missing argument"),
        (
            ["process", "a.pdf", "-o", "out.doc"],
            "For a folder of that name: -o out.doc/",
        ),
        (["process", "a.pdf", "b.pdf", "-o", "out.json"], "give a folder"),
        (["process", "a.pdf", "--json", "out.json"], "-o out.json"),
        (["process", "a.pdf", "-o", "-"], "--json - writes JSON to standard output"),
        (["process", "a.pdf", "-o", "-", "--to", "md"], "| docai convert - -o - --to md"),
        (["process", "a.pdf", "--to", "pdf"], "The searchable PDF would replace a.pdf, the document that is"),
        (["process", "a.pdf", "-o", "o.json", "--pages", "one"], "1-3,7"),
        (["process", "a.pdf", "-o", "o.json", "--pages", "1,,"], "1-3,7"),
        (["process", "a.pdf", "--max-pages", "0"], "(flag --max-pages); use a number above 0, or none"),
        (["process", "a.pdf", "--seconds-per-page", "soon"], "(flag --seconds-per-page); use a number"),
        (["process", "a.pdf", "-o", "o.json", "--heads", "chart"], "no head 'chart'"),
        (["process", "a.pdf", "-o", "o.json", "--text-layer", "maybe"], "prefer, verify or ignore"),
        (["process", "a.pdf", "-o", "o.json", "--retry", "maybe"], "auto or off"),
        (["process", "a.pdf", "-o", "o.json", "--device", "gpu"], "cuda"),
        (["process", "a.pdf", "-o", "o.json", "--no-such"], "No such option"),
        (["no-such"], "No such command"),
    ],
)
def test_exit_2_for_usage_and_configuration(run: Run, arguments: list[str], message: str) -> None:
    code, out, err = run(*arguments)
    assert code == 2
    assert message in err
    assert out == ""


@pytest.mark.parametrize("error", [UnknownModelError("There is no model 'x'."), CheckpointError("Broken.")])
def test_exit_2_when_the_model_cannot_be_used(
    run: Run, fake: Callable[..., FakePipeline], error: DocaiError
) -> None:
    pipeline = fake(a=error, b=error)
    code, _, err = run("process", "a.pdf", "b.pdf", "-o", "out")
    assert code == 2
    assert str(error) in err
    assert len(pipeline.calls) == 1


def test_exit_2_for_a_bad_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCAI_TEXT_LAYER", "maybe")
    code, _, err = run("process", "a.pdf", "-o", "out.json")
    assert code == 2
    assert "environment DOCAI_TEXT_LAYER" in err


def test_exit_3_when_a_record_has_an_error(run: Run, fake: Callable[..., FakePipeline]) -> None:
    fake(flawed=flawed())
    code, _, err = run("process", "a.pdf", "flawed.pdf", "-o", "out")
    assert code == 3
    assert Path("out/flawed.json").exists()
    assert "1 error" in err


def test_exit_130_when_interrupted_and_what_was_finished_is_kept(
    run: Run, fake: Callable[..., FakePipeline]
) -> None:
    fake(b=KeyboardInterrupt())
    code, _, err = run("process", "a.pdf", "b.pdf", "c.pdf", "-o", "out")
    assert code == 130
    assert [path.name for path in Path("out").iterdir()] == ["a.json"]
    assert "Interrupted" in err


SLOW = """
import signal, sys, time
import docai.cli.reading
signal.signal(signal.SIGINT, signal.default_int_handler)

class Slow:
    def process(self, source, **options):
        print("started", file=sys.stderr, flush=True)
        time.sleep(60)

docai.cli.reading.make_pipeline = lambda settings, heads: Slow()
open("a.pdf", "w").close()
docai.cli.main(["process", "a.pdf", "-o", "out.json"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_ctrl_c_leaves_with_130_and_no_traceback() -> None:
    command = [sys.executable, "-c", SLOW]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert running.stderr.readline() == "started\n"
        running.send_signal(signal.SIGINT)
        said = running.stderr.read()
    assert running.returncode == 130
    assert said == "Interrupted; what was finished is written.\n"


def test_flags_and_environment_reach_the_real_pipeline(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    made: list[tuple[Options, str, str]] = []

    class Recorder(FakePipeline):
        @classmethod
        def with_options(
            cls, options: Options, model: str, *, device: str, model_options: ModelOptions
        ) -> Recorder:
            assert model_options == ModelOptions()
            made.append((options, model, device))
            return cls({})

    monkeypatch.setattr("docai.api.Pipeline", Recorder)
    monkeypatch.setenv("DOCAI_MAX_PAGES", "5")
    monkeypatch.setenv("DOCAI_DEVICE", "cpu")
    run(
        "process",
        "a.pdf",
        "-o",
        "o.json",
        "--heads",
        "table, score",
        "--model",
        "m",
        "--text-layer",
        "ignore",
        "--witnesses",
        "off",
        "--readback",
        "off",
        "--retry",
        "auto",
    )
    ((options, model, device),) = made
    assert options.heads == {"table", "score"}
    assert (model, device, options.text_layer) == ("m", "cpu", "ignore")
    assert (options.witnesses, options.readback, options.retry) == ("off", "off", "auto")
    assert options.limits.max_pages == 5


def test_the_whole_way_with_a_scripted_engine(run: Run, use_pipeline: Callable[[object], None]) -> None:
    picture = Image.new("RGB", (600, 400), "white")
    draw = ImageDraw.Draw(picture)
    for x in range(100, 501, 100):
        draw.line([(x, 50), (x, 350)], "black", 3)
    for y in range(50, 351, 50):
        draw.line([(100, y), (500, y)], "black", 3)
    for x in range(130, 500, 100):
        for y in range(60, 350, 50):
            draw.text((x, y), str(x + y), "black", font_size=24)
    picture.save("grid.png", dpi=(144, 144))
    answers = {"table": "<table><tr><td>7</td></tr></table>", "molecule": "C", "score": "", "text": ""}
    engine = ScriptedEngine(answers)
    use_pipeline(Pipeline(engine=engine))
    code, _, err = run("process", "grid.png", "-o", "grid.json", "--overlay", "pictures")
    assert code == 0, err
    document = Document.from_json(Path("grid.json").read_bytes())
    assert [record.kind for record in document.records] == ["table"]
    assert document.tables[0].cells[0].text == "7"
    with Image.open("pictures/grid-page-001.png") as overlay:
        assert overlay.size == (1600, 1067)
        colors = overlay.convert("RGB").getcolors(1 << 24)
    assert any(color == (0, 114, 178) for _, color in colors or [])


def test_missing_file_is_named(run: Run, use_pipeline: Callable[[object], None]) -> None:
    engine = ScriptedEngine({})
    use_pipeline(Pipeline(engine=engine))
    code, _, err = run("process", "missing.pdf", "-o", "out.json")
    assert code == 1
    assert "missing.pdf" in err
    assert not Path("out.json").exists()
