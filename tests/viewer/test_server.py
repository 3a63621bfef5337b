"""The server of results: what it answers, what it keeps, and whom it turns away."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from docai.corrections import Corrections, content_text
from docai.document import Document
from docai.errors import SettingError
from docai.viewer import ViewServer


def _ask(
    server: ViewServer, path: str, body: object = None, *, host: str | None = None, token: str | None = None
) -> tuple[int, bytes, str]:
    port = urlsplit(server.url).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Host": host or f"127.0.0.1:{port}"}
    if body is None:
        connection.request("GET", path, headers=headers)
    else:
        headers["X-Docai-Token"] = server.token if token is None else token
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", path, data, headers)
    reply = connection.getresponse()
    answer = reply.read()
    connection.close()
    return reply.status, answer, reply.headers.get("Content-Type", "")


def _correction(document: Document, **fields: Any) -> dict[str, Any]:
    (table,) = document.tables
    made = {
        "record": table.id,
        "verdict": "corrected",
        "original": "whatever",
        "content": content_text(table).replace("7.l", "7.1"),
        "who": "Ada",
        "when": "2026-01-01T00:00:00Z",
    }
    return made | fields


def test_one_result_is_shown_at_once_and_several_in_a_list(server: ViewServer, folder: Path) -> None:
    assert urlsplit(server.url).path == "/view/0"
    status, page, kind = _ask(server, "/")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert b'href="/view/0"' in page
    (folder / "second.json").write_bytes((folder / "own.json").read_bytes())
    (folder / "none.json").write_text("{}", "utf-8")
    many = ViewServer([folder])
    assert [path.name for path in many.results] == ["own.json", "second.json"]
    assert urlsplit(many.url).path == "/"
    many.close()


def test_a_long_list_has_pages(server: ViewServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert b"page 1 of" not in _ask(server, "/")[1]
    monkeypatch.setattr("docai.viewer.server.ROWS", 2)
    monkeypatch.setattr(server, "results", server.results * 5)
    page = _ask(server, "/page/2")[1]
    assert page.count(b'href="/view/') == 1
    assert b'href="/view/4"' in page
    assert b'href="/page/1"' in page
    assert b"page 3 of 3" in page
    assert _ask(server, "/page/3")[0] == 404


def test_pages_crops_and_drawings_are_drawn_when_they_are_asked_for(
    server: ViewServer, document: Document
) -> None:
    for name, kind in (
        ("page-1", "image/webp"),
        (f"crop-{document.texts[0].id}", "image/webp"),
        (f"drawing-{document.molecules[0].id}", "image/svg+xml"),
    ):
        status, data, got = _ask(server, f"/view/0/picture/{name}")
        assert (status, got) == (200, kind)
        assert data[:4] in (b"RIFF", b"<?xm")


def test_a_correction_is_kept_beside_the_result(server: ViewServer, folder: Path, document: Document) -> None:
    before = (folder / "own.json").read_bytes()
    status, answer, _ = _ask(server, "/view/0/corrections", _correction(document))
    assert status == 200
    (kept,) = Corrections.read(folder / "own.corrections.json").corrections
    assert kept.model_dump(mode="json") == json.loads(answer)["correction"]
    # The server says what was read; the page does not.
    assert kept.original == content_text(document.tables[0])
    corrected = document.with_corrections(folder / "own.corrections.json")
    assert corrected.tables[0].cells[-1].text == "7.1"
    assert (folder / "own.json").read_bytes() == before
    _ask(server, "/view/0/corrections", _correction(document, verdict="undone", content=None))
    assert not Corrections.read(folder / "own.corrections.json").valid()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"record": "none"}, "no record"),
        ({"content": "no table"}, "cannot be the content"),
        ({"content": None}, "has a content"),
        ({"verdict": "accepted"}, "has a content"),
        ({"verdict": "unheard"}, "no correction"),
        ({"more": 1}, "no correction"),
    ],
)
def test_a_correction_that_cannot_be_is_refused_and_not_kept(
    server: ViewServer, folder: Path, document: Document, fields: dict[str, Any], message: str
) -> None:
    status, answer, _ = _ask(server, "/view/0/corrections", _correction(document, **fields))
    assert status == 400
    assert message in json.loads(answer)["error"]
    assert not (folder / "own.corrections.json").exists()


def test_only_the_viewers_own_pages_change_anything(
    server: ViewServer, folder: Path, document: Document
) -> None:
    for token in ("", "x", server.token + "x"):
        status, _, _ = _ask(server, "/view/0/corrections", _correction(document), token=token)
        assert status == 400
    assert not (folder / "own.corrections.json").exists()


def test_only_this_machine_is_answered_under_its_own_name(server: ViewServer) -> None:
    port = urlsplit(server.url).port
    assert _ask(server, "/view/0", host=f"localhost:{port}")[0] == 200
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}"):
        assert _ask(server, "/view/0", host=host)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/view/1",
        "/view/x",
        "/view/-1",
        "/view/0/picture/page-2",
        "/view/0/picture/page-x",
        "/view/0/picture/crop-none",
        "/view/0/picture/other-1",
        "/view/0/picture/..%2f..%2fown.json",
        "/own.json",
        "/view/0/../../own.json",
    ],
)
def test_what_is_not_there_is_told(server: ViewServer, path: str) -> None:
    status, answer, _ = _ask(server, path)
    assert status in (400, 404)
    assert json.loads(answer)["error"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_what_is_no_request_is_refused(server: ViewServer, body: bytes) -> None:
    assert _ask(server, "/view/0/corrections", body)[0] == 400


def test_what_is_edited_is_drawn_or_said_to_be_wrong(server: ViewServer, document: Document) -> None:
    record = document.molecules[0].id
    status, answer, _ = _ask(server, "/view/0/draw", {"record": record, "content": "c1ccccc1"})
    assert status == 200
    assert json.loads(answer)["brief"] == "C6H6"
    assert "<svg" in json.loads(answer)["drawing"]
    _, answer, _ = _ask(server, "/view/0/draw", {"record": record, "content": "c1ccc(C"})
    assert "not valid SMILES" in json.loads(answer)["error"]


def test_corrections_that_cannot_be_written_are_an_error_of_that_correction(
    server: ViewServer, folder: Path, document: Document
) -> None:
    (folder / "own.corrections.json").mkdir()
    status, answer, _ = _ask(server, "/view/0/corrections", _correction(document))
    assert status in (400, 500)
    assert "own.corrections.json" in json.loads(answer)["error"]
    assert _ask(server, "/view/0/picture/page-1")[0] == 200


def test_a_result_that_is_gone_is_told_in_the_list_and_on_its_page(server: ViewServer, folder: Path) -> None:
    (folder / "own.json").unlink()
    status, page, _ = _ask(server, "/")
    assert status == 200
    assert b"cannot be read" in page
    assert _ask(server, "/view/0")[0] == 404


def test_a_port_that_is_taken_and_a_folder_without_results_are_told(server: ViewServer, folder: Path) -> None:
    port = urlsplit(server.url).port
    assert port is not None
    with pytest.raises(SettingError, match="--port"):
        ViewServer([folder], port=port)
    (folder / "empty").mkdir()
    with pytest.raises(SettingError, match="no result of docai in"):
        ViewServer([folder / "empty"])
