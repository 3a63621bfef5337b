"""Who is answered, where a service may listen, and which files it may read."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from docai.errors import ExportError, NothingToExportError, SettingError, SourceNotFoundError
from docai.service.answers import status_of
from docai.service.arrival import file_name
from docai.service.asked import choose_formats, media_type
from docai.service.guard import Drain, Guard
from docai.service.terms import Terms, check_roots, check_token, find_allowed, is_loopback

TOKEN = "0123456789abcdef"


def fine(request: Request) -> PlainTextResponse:
    return PlainTextResponse("fine")


def guarded(token: str | None) -> TestClient:
    routes = [Route(path, fine, methods=["GET", "POST"]) for path in ("/v1/health", "/v1/jobs")]
    return TestClient(Guard(Starlette(routes=routes), token), base_url="http://docai.example")


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        (f"Bearer {TOKEN}x", 401),
        ("Bearer", 401),
        (TOKEN, 401),
        ("Bearer é", 401),
        ("Basic " + base64.b64encode(f"anybody:{TOKEN}".encode()).decode(), 200),
        ("Basic " + base64.b64encode(TOKEN.encode()).decode(), 401),
        ("Basic ###", 401),
    ],
)
def test_a_token_is_asked_for_wherever_one_is_set(header: str | None, status: int) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    answer = guarded(TOKEN).get("/v1/jobs", headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert "Bearer" in answer.headers["www-authenticate"]
        assert TOKEN not in answer.text


def test_health_needs_no_token_and_a_change_of_another_site_is_refused_with_one() -> None:
    client = guarded(TOKEN)
    assert client.get("/v1/health").status_code == 200
    headers = {"Authorization": f"Bearer {TOKEN}", "Origin": "http://other.example"}
    assert client.post("/v1/jobs", headers=headers).status_code == 403
    headers["Origin"] = "http://docai.example"
    assert client.post("/v1/jobs", headers=headers).status_code == 200
    assert guarded(None).get("/v1/jobs").status_code == 200


def test_a_request_that_does_not_say_its_size_is_counted() -> None:
    async def read(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    client = TestClient(Guard(Starlette(routes=[Route("/", read, methods=["POST"])]), None, 10))
    assert client.post("/", content=iter([b"12345", b"67890"])).text == "10"
    assert client.post("/", content=iter([b"12345", b"678901"])).status_code == 413
    answer = client.post("/", content=b"12345678901")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "TooManyBytesError")


def test_a_refused_request_is_read_to_its_end_before_it_is_answered() -> None:
    left: list[Message] = [
        {"type": "http.request", "body": b"x", "more_body": True},
        {"type": "http.request", "body": b"y", "more_body": False},
    ]
    left_at_start: list[int] = []

    async def receive() -> Message:
        return left.pop(0)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            left_at_start.append(len(left))

    async def busy(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("busy", 429)(scope, receive, send)

    asyncio.run(Drain(busy)({"type": "http", "method": "POST", "headers": []}, receive, send))
    assert left_at_start == [0]


def test_elsewhere_it_does_not_listen_without_a_token_that_nobody_guesses() -> None:
    check_token("127.0.0.1", None)
    check_token("::1", None)
    check_token("0.0.0.0", TOKEN)
    for host in ("0.0.0.0", "::", "192.168.1.7", "docai.example", ""):
        assert not is_loopback(host)
        with pytest.raises(SettingError, match="DOCAI_SERVE_TOKEN"):
            check_token(host, None)
    for token in ("", "short", "with a space in it", "ünïcödé-ünïcödé-ünïcödé"):
        with pytest.raises(SettingError, match="16 or more"):
            check_token("127.0.0.1", token)


def test_terms_below_what_works_are_refused() -> None:
    with pytest.raises(SettingError, match="max_kept is 0; it has to be 1 or more"):
        Terms(max_kept=0)
    with pytest.raises(SettingError, match="max_waiting"):
        Terms(max_waiting=-1)


def test_files_are_found_in_the_named_folders_alone(tmp_path: Path) -> None:
    for name in ("a/one.pdf", "b/two.pdf", "c/three.pdf"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a" / "loop").symlink_to("loop")
    (tmp_path / "a" / "out").symlink_to(tmp_path / "c")
    roots = check_roots([tmp_path / "a", tmp_path / "b"])
    assert find_allowed("two.pdf", roots) == roots[1] / "two.pdf"
    assert find_allowed("sub/../one.pdf", roots) == roots[0] / "one.pdf"
    elsewhere = str(tmp_path / "c" / "three.pdf")
    for name in ("three.pdf", "../c/three.pdf", "out/three.pdf", elsewhere, "loop", "", "."):
        with pytest.raises(SourceNotFoundError):
            find_allowed(name, roots)
    with pytest.raises(SourceNotFoundError, match="--root"):
        find_allowed("one.pdf", ())
    with pytest.raises(SettingError, match="no folder"):
        check_roots([tmp_path / "a" / "one.pdf"])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\scan.png", "scan.png"),
        ("a\r\nb\0.pdf", "a__b_.pdf"),
        ("..", "document"),
        ("", "document"),
        (None, "document"),
        ("x" * 400 + ".pdf", "x" * 146 + ".pdf"),
        ("\udcff.pdf", "_.pdf"),
    ],
)
def test_names_of_uploads_name_no_folder(given: str | None, kept: str) -> None:
    assert file_name(given) == kept


@pytest.mark.parametrize(
    ("to", "accept", "chosen"),
    [
        ([], None, ([".json"], False)),
        ([], "*/*", ([".json"], False)),
        ([], "text/html,application/xhtml+xml,*/*;q=0.8", ([".html"], False)),
        ([], "text/markdown;q=0.2, text/html;q=0.1", ([".md"], False)),
        ([], "text/csv;q=0, application/json", ([".json"], False)),
        ([], "image/avif", ([], False)),
        ([".md"], "image/avif", ([".md"], False)),
        ([".md"], "application/zip", ([".md"], True)),
        ([".md", ".csv"], None, ([".md", ".csv"], True)),
    ],
)
def test_formats_are_chosen_by_name_before_type(
    to: list[str], accept: str | None, chosen: tuple[list[str], bool]
) -> None:
    assert choose_formats(to, accept) == chosen


def test_every_format_has_a_media_type() -> None:
    from docai.exports import FORMATS

    for suffix in FORMATS:
        assert "/" in media_type(suffix)


def test_an_error_has_the_status_of_its_first_class() -> None:
    assert status_of(NothingToExportError("none")) == 406
    assert status_of(ExportError("the table is no grid")) == 422
    assert status_of(RuntimeError("a bug")) == 500
