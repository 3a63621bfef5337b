"""A model server as a user meets it: in the API, on the command line, in a batch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

import docai
from docai.environment import KEY_VARIABLE
from docai.errors import ServerError, SettingError, UnknownHeadError
from docai.models.scripted import ScriptedEngine
from docai.records import Molecule
from tests.conftest import MakePdf, Run
from tests.models.server import FakeServer, serving

ANSWERS = {"table": "<table><tr><td>a</td></tr></table>", "molecule": "OCC", "score": "", "text": ""}
KEY = "sk-very-secret"


@pytest.fixture
def server(own_folder: Path) -> Iterator[FakeServer]:
    with serving(FakeServer(ScriptedEngine(ANSWERS))) as running:
        yield running


def drawing() -> Image.Image:
    image = Image.new("RGB", (200, 120), "white")
    ImageDraw.Draw(image).line((20, 20, 150, 90), fill="black", width=4)
    return image


def test_the_address_is_all_that_a_user_writes(server: FakeServer) -> None:
    record = docai.read(drawing(), "molecule", model=server.model, device="cuda")
    assert isinstance(record, Molecule)
    assert record.smiles == "CCO"
    assert record.checkpoint == f"name@{server.url.removeprefix('http://')}"
    assert (record.raw, record.finish_reason, record.prompt) == ("OCC", "stop", "molecule to smiles")
    assert record.confidence is not None
    assert server.images[0].size == (896, 896)


def test_a_document_that_says_everything_itself_is_sent_nowhere(
    server: FakeServer, make_pdf: MakePdf
) -> None:
    document = docai.process(make_pdf("Hello world"), model=server.model)
    assert document.texts[0].text == "Hello world"
    assert (server.n_listed, server.requests) == (0, [])


def test_the_result_names_the_model_and_not_the_key(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = KEY
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    document = docai.Pipeline(server.model, text_layer="ignore").process(
        _png(drawing()), regions={1: [("molecule", (0, 0, 150, 90))]}
    )
    assert document.molecules[0].smiles == "CCO"
    assert document.stats.device == "server"
    assert document.stats.model == server.model.partition("#")[2] + "@" + server.url.removeprefix("http://")
    assert KEY not in document.to_json()


def test_a_failure_of_the_server_costs_its_region_alone(server: FakeServer) -> None:
    server.misbehave = lambda handler, asked: (
        (400, {}, b"no") if "table" in asked["messages"][0]["content"][1]["text"] else None
    )
    document = docai.process(
        _png(drawing()),
        model=server.model,
        regions={1: [("molecule", (0, 0, 150, 90)), ("table", (0, 0, 150, 90))]},
    )
    assert document.molecules[0].smiles == "CCO"
    assert [issue.code for issue in document.tables[0].issues if issue.severity == "error"] == [
        "model-failed"
    ]
    assert "status 400: no" in document.tables[0].issues[0].message


def test_a_server_that_is_down_is_said_so(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.list_models = lambda handler: (404, {}, b"")
    with pytest.raises(ServerError, match="status 404"):
        docai.read(drawing(), "molecule", model=server.model)


@pytest.mark.parametrize("model", ["http://127.0.0.1:8000", "http://a:hunter2@127.0.0.1:8000#name"])
def test_an_address_is_checked_before_anything_is_read(model: str) -> None:
    with pytest.raises(SettingError) as refused:
        docai.Pipeline(model)
    assert "hunter2" not in str(refused.value)
    with pytest.raises(UnknownHeadError):
        docai.Pipeline("http://127.0.0.1:8000#tabel=name")


def test_the_command_line_takes_it_as_a_flag_and_from_the_environment(
    server: FakeServer, run: Run, make_pdf: MakePdf, monkeypatch: pytest.MonkeyPatch, own_folder: Path
) -> None:
    (own_folder / "a.pdf").write_bytes(make_pdf("Hello world"))
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    for words in (("--model", server.model), ()):
        if not words:
            monkeypatch.setenv("DOCAI_MODEL", server.model)
        code, out, err = run("process", "a.pdf", "--json", "-", "--text-layer", "ignore", *words)
        assert code in (0, 3), err
        assert json.loads(out)["records"][0]["checkpoint"].startswith("name@127.0.0.1")
        assert KEY not in out + err
    assert "DOCAI_API_KEY" not in run("doctor", "--device", "cpu")[1], "it is no typing error"


def test_doctor_shows_the_server_and_asks_it_nothing(server: FakeServer, run: Run) -> None:
    code, out, _ = run("doctor", "--model", f"{server.url}#table=tables", "--device", "cpu")
    assert code == 0
    assert f"table=tables@{server.url.removeprefix('http://')}" in out
    assert "model: tables" in out
    assert server.n_listed == 0


@pytest.mark.parametrize("command", [("calibrate",), ("train", "table", "-o", "run", "--base")])
def test_commands_that_need_weights_say_so(server: FakeServer, run: Run, command: tuple[str, ...]) -> None:
    code, _, err = run(*command, server.model)
    assert code == 2
    assert "weights on this machine are needed" in " ".join(err.split())


@pytest.mark.slow(seconds=20)
def test_the_workers_of_a_batch_speak_to_the_process_of_the_model_alone(
    server: FakeServer, make_pdf: MakePdf, monkeypatch: pytest.MonkeyPatch, own_folder: Path
) -> None:
    server.key = KEY
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    paths = [own_folder / name for name in ("a.pdf", "b.pdf")]
    for path in paths:
        path.write_bytes(make_pdf("Hello world"))
    results = list(docai.process_many(paths, model=server.model, text_layer="ignore", workers=1))
    assert [result.state for result in results] == ["done", "done"]
    for result in results:
        assert result.document is not None
        assert result.document.texts[0].checkpoint == f"name@{server.url.removeprefix('http://')}"
    assert len(server.requests) == 2
    assert server.n_listed == 1, "by one process, which connected once"


def _png(image: Image.Image) -> bytes:
    import io

    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()
