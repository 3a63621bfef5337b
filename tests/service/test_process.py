"""Documents in, results out: ``POST /v1/process``."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymupdf
import pytest
from starlette.testclient import TestClient

from docai.document import Document

from .conftest import MAX_BYTES, folder_of

pytestmark = pytest.mark.slow(seconds=60)

MakePdf = Callable[..., bytes]


def post(client: TestClient, name: str, data: bytes, /, **fields: Any) -> Any:
    headers = fields.pop("headers", None)
    return client.post("/v1/process", files={"file": (name, data)}, data=fields, headers=headers)


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_an_upload_comes_back_as_json_and_nothing_of_it_stays(client: TestClient, make_pdf: MakePdf) -> None:
    answer = post(client, "../notes/a.pdf", make_pdf("Hello world", "Second"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["docai-state"] == "done"
    document = Document.from_json(answer.content)
    assert document.source.name == "a.pdf"
    assert [text.text for text in document.texts] == ["Hello world", "Second"]
    assert str(folder_of(client)) not in answer.text
    assert not list(folder_of(client).glob("uploads/*"))
    assert not list(folder_of(client).glob("pool/results/*"))
    assert not list(folder_of(client).glob("pool/pages/*"))


def body_pdf() -> bytes:
    """A page whose words are neither its header nor its footer."""
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=400)
        page.insert_textbox((40, 120, 260, 300), "A sentence of the body of this page. " * 6, fontsize=11)
        data: bytes = document.tobytes()
    return data


def test_formats_are_asked_for_by_name_or_by_media_type(client: TestClient) -> None:
    data = body_pdf()
    named = post(client, "a.pdf", data, to="md")
    assert named.headers["content-type"].startswith("text/markdown")
    assert "A sentence" in named.text
    accepted = post(client, "a.pdf", data, headers={"Accept": "text/x-none, text/markdown;q=0.5"})
    assert accepted.text == named.text
    several = post(client, "a.pdf", data, to="md,json,sdf")
    assert several.headers["docai-losses"].split(",")[-1] == "nothing-for-sdf"
    with zipfile.ZipFile(io.BytesIO(several.content)) as archive:
        assert sorted(archive.namelist()) == ["a.json", "a.md"]
        assert Document.from_json(archive.read("a.json")).source.name == "a.pdf"
    assert problem(post(client, "a.pdf", data, to="sdf")) == (406, "NothingToExportError")
    assert problem(post(client, "a.pdf", data, to="doc")) == (422, "SettingError")
    assert problem(post(client, "a.pdf", data, headers={"Accept": "video/mp4"})) == (406, "Refused")


def test_options_are_those_of_python(client: TestClient, make_pdf: MakePdf) -> None:
    locked = make_pdf("One", "Two", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="secret")
    answer = post(client, "a.pdf", locked, password="secret", pages="2", text_layer="prefer", heads="text")
    assert [text.text for text in Document.from_json(answer.content).texts] == ["Two"]
    assert problem(post(client, "a.pdf", locked, password="guess")) == (422, "WrongPasswordError")
    assert problem(post(client, "a.pdf", locked)) == (422, "PasswordRequiredError")
    data = make_pdf("One", "Two")
    assert problem(post(client, "a.pdf", data, text_layer="maybe")) == (422, "InvalidRequest")
    assert problem(post(client, "a.pdf", data, color="red")) == (422, "InvalidRequest")
    assert problem(post(client, "a.pdf", data, heads="smells")) == (422, "UnknownHeadError")
    assert problem(post(client, "a.pdf", data, pages="x")) == (422, "SettingError")
    assert problem(post(client, "a.pdf", data, pages="9")) == (422, "PageNotFoundError")
    assert problem(post(client, "a.pdf", data, max_pages="1")) == (422, "TooManyPagesError")
    raised = post(client, "a.pdf", data, max_pages="41")
    assert problem(raised) == (422, "SettingError")
    assert "40 at most" in raised.text


def test_what_is_no_document_is_refused_in_words(client: TestClient, make_pdf: MakePdf) -> None:
    assert problem(post(client, "a.pdf", b"")) == (422, "EmptySourceError")
    assert problem(post(client, "a.pdf", b"just words, and more of them")) == (415, "NotADocumentError")
    cut = post(client, "cut.pdf", make_pdf("x" * 50)[:200])
    assert problem(cut) == (422, "DamagedSourceError")
    assert "cut.pdf" in cut.text
    assert str(folder_of(client)) not in cut.text
    assert problem(post(client, "a.pdf", b"%PDF-1.7" + bytes(MAX_BYTES))) == (413, "TooManyBytesError")
    assert problem(post(client, "a.pdf", bytes(5 << 20))) == (413, "TooManyBytesError")
    raw = client.post("/v1/process", content=b"%PDF", headers={"Content-Type": "application/pdf"})
    assert problem(raw) == (415, "Refused")
    assert problem(client.post("/v1/process", data={"to": "md"}, files={"other": b"x"})) == (422, "Refused")
    assert not list(folder_of(client).glob("uploads/*"))


@pytest.mark.parametrize(
    "path",
    ["../outside.pdf", "link.pdf", "deeper", "missing.pdf", "/etc/passwd", "http://127.0.0.1/a.pdf", "a\0b"],
)
def test_only_files_of_the_named_folders_are_read(client: TestClient, path: str) -> None:
    assert problem(client.post("/v1/process", json={"path": path})) == (404, "SourceNotFoundError")


def test_a_file_of_a_named_folder_is_read_by_its_path(client: TestClient, root: Path) -> None:
    for path in ("deeper/inside.pdf", str(root / "deeper" / "inside.pdf")):
        answer = client.post("/v1/process", json={"path": path, "heads": ["text"]})
        document = Document.from_json(answer.content)
        assert (document.source.name, [text.text for text in document.texts]) == ("inside.pdf", ["Inside"])
    assert (root / "deeper" / "inside.pdf").exists()


def test_a_document_that_kills_its_worker_costs_itself_alone(client: TestClient, make_pdf: MakePdf) -> None:
    answer = post(client, "crash.pdf", make_pdf("One", "Two", "Three"))
    assert answer.status_code == 200
    assert answer.headers["docai-state"] == "partial"
    document = Document.from_json(answer.content)
    assert [page.origin for page in document.pages] == ["born-digital", "failed", "born-digital"]
    poison = post(client, "poison.pdf", make_pdf("One"))
    assert problem(poison) == (422, "DamagedSourceError")
    assert "poison.pdf was given up: the process crashed" in poison.text
    assert str(folder_of(client)) not in poison.text
    assert post(client, "a.pdf", make_pdf("One")).status_code == 200


def test_pages_of_other_sites_are_refused(client: TestClient, make_pdf: MakePdf) -> None:
    data = make_pdf("One")
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert problem(post(client, "a.pdf", data, headers=headers)) == (403, "OtherOrigin")
    assert post(client, "a.pdf", data, headers={"Origin": "http://127.0.0.1:8765"}).status_code == 200
    assert client.get("/v1/health", headers={"Host": "evil.example"}).status_code == 400
    assert client.get("/v1/health", headers={"Host": "[::1]:8765"}).status_code == 200


def test_it_says_what_it_is(client: TestClient) -> None:
    assert client.get("/v1/health").json()["status"] == "ok"
    heads = {head["name"]: head for head in client.get("/v1/heads").json()["heads"]}
    assert heads["table"]["available"]
    assert heads["table"]["resolution"] > 0
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/v1/process", "/v1/jobs", "/v1/jobs/{id}/events", "/v1/heads"} <= set(paths)
    docs = client.get("/docs").text
    assert "/static-offline-docs/swagger-ui-bundle.js" in docs
    assert "https://" not in docs
    client.post("/v1/process", json={"path": "missing.pdf"})
    assert 'docai_refused_total{why="SourceNotFoundError"}' in client.get("/metrics").text
