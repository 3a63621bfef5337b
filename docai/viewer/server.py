"""Serves results on the loopback address: pages on demand, corrections kept beside each result.

Only this machine reaches it. A page of another site that is open in the same browser does not: it cannot name
this host without being told apart by the header ``Host``, and a change needs a token that is new for each
server and stands in the viewer's own pages.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from docai.base import Content
from docai.corrections import (
    SUFFIX,
    Correction,
    Corrections,
    content_text,
    corrected_content,
    corrections_path,
)
from docai.errors import CorrectionsError, DocaiError, NotAResultError, SettingError
from docai.exports import source_of_result
from docai.limits import Limits
from docai.pipelines.ingest.result_source import find_source, read_result
from docai.records import Document, RecordBase
from docai.viewer.data import is_doubtful, view_data
from docai.viewer.page import NO_SOURCE, render_page
from docai.viewer.pictures import PictureBook, draw_content

HOST: Final = "127.0.0.1"

MAX_BODY: Final = 8 << 20
"""Bytes of a request: a correction of a large table takes some hundred thousand."""

MAX_OPEN: Final = 4
"""Results that are held in memory, with their sources open."""

_NAMES: Final = ("127.0.0.1", "localhost")

_WEBP: Final = "image/webp"
_SVG: Final = "image/svg+xml"
_HTML: Final = "text/html; charset=utf-8"


@dataclass
class _Opened:
    """A result that is looked at."""

    document: Document
    book: PictureBook | None
    missing: str
    records: dict[str, RecordBase] = field(init=False)

    def __post_init__(self) -> None:
        self.records = {record.id: record for record in self.document.records}


class ViewServer:
    """The server. Use it in a ``with`` block, or call :meth:`close`.

    Args:
        results: files that ``docai process`` wrote, or folders of them.
        port: of the loopback address; 0 takes a free one.
        places: where the sources are, besides beside the results.
        password: opens encrypted PDFs.
        limits: of reading the sources.

    Raises:
        SettingError: there is no result, or the port cannot be used.
    """

    def __init__(
        self,
        results: Sequence[Path],
        *,
        port: int = 0,
        places: Sequence[Path] = (),
        password: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.results = find_results(results)
        self.token = secrets.token_urlsafe(24)
        self._places = places
        self._password = password
        self._limits = limits
        self._opened: dict[int, _Opened] = {}
        self._lock = Lock()
        handler = type("Handler", (_Handler,), {"view": self})
        try:
            self._server = ThreadingHTTPServer((HOST, port), handler)
        except (OSError, OverflowError) as error:
            raise SettingError(f"Port {port} cannot be used ({error}): choose another with --port.") from None
        self._server.daemon_threads = True
        self._serves = False

    @property
    def url(self) -> str:
        """Of the list of results; of the result itself where there is one."""
        path = "/view/0" if len(self.results) == 1 else "/"
        return f"http://{HOST}:{self._server.server_address[1]}{path}"

    def serve(self) -> None:
        """Answer until :meth:`close`, or Ctrl-C."""
        self._serves = True
        self._server.serve_forever()

    def close(self) -> None:
        """End it. A server that never served has nothing to wait for."""
        if self._serves:
            self._server.shutdown()
        self._server.server_close()
        for opened in self._opened.values():
            if opened.book is not None:
                opened.book.close()

    def opened(self, number: int) -> _Opened:
        """A result by its place in :attr:`results`. Raises KeyError, NotAResultError."""
        with self._lock:
            if number in self._opened:
                return self._opened[number]
            if not 0 <= number < len(self.results):
                raise KeyError(number)
            path = self.results[number]
            document = read_result(path)
            source = find_source(document, path, self._places)
            missing = NO_SOURCE.format(name=document.source.name) if source is None else ""
            book = (
                None if source is None else PictureBook(source, password=self._password, limits=self._limits)
            )
            if len(self._opened) >= MAX_OPEN:
                oldest = self._opened.pop(next(iter(self._opened)))
                if oldest.book is not None:
                    oldest.book.close()
            self._opened[number] = _Opened(document, book, missing)
            return self._opened[number]

    def corrections(self, number: int) -> Corrections:
        """Of a result. Raises CorrectionsError."""
        document = self.opened(number).document
        path = corrections_path(self.results[number])
        if path.exists():
            return Corrections.read(path)
        return Corrections(source_name=document.source.name, source_sha256=document.source.sha256)

    def correct(self, number: int, correction: Correction) -> Correction:
        """Keep a correction, with its content as docai writes it. Raises CorrectionsError, OSError."""
        record = self.opened(number).records.get(correction.record)
        if record is None or not isinstance(record, Content):
            raise CorrectionsError(f"There is no record {correction.record!r} in this result.")
        original = content_text(record)
        if (correction.content is not None) != (correction.verdict == "corrected"):
            raise CorrectionsError("A correction has a content, and nothing else has one.")
        content = correction.content
        if content is not None:
            content = content_text(corrected_content(record, content))
        correction = correction.model_copy(update={"original": original, "content": content})
        with self._lock_of_file:
            made = self.corrections(number)
            made.corrections.append(correction)
            made.write(corrections_path(self.results[number]))
        return correction

    _lock_of_file = Lock()


def find_results(paths: Sequence[Path]) -> list[Path]:
    """The results among files and in folders, in order of their paths.

    Raises:
        SettingError: there are none, or a file is none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*.json") if not one.name.endswith(SUFFIX))
            found += [one for one in inside if source_of_result(one) is not None]
        elif source_of_result(path) is not None:
            found.append(path)
        else:
            raise SettingError(
                f"{path} is no result of docai: name a file that `docai process FILE -o RESULT.json` wrote, "
                "or a folder of such files."
            )
    if not found:
        raise SettingError(f"There is no result of docai in {', '.join(map(str, paths))}.")
    return found


class _Handler(BaseHTTPRequestHandler):
    """Answers one request; ``view`` is the server's."""

    view: ViewServer
    protocol_version = "HTTP/1.1"
    server_version = "docai"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: the terminal has the address only."""

    def _answer(self, act: Callable[[list[str]], None]) -> None:
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        if host not in _NAMES:
            self._send_error(HTTPStatus.FORBIDDEN, "Only this machine is answered, under its own name.")
            return
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/") if part]
        try:
            act(parts)
        except (KeyError, IndexError):
            self._send_error(HTTPStatus.NOT_FOUND, "There is no such page.")
        except (CorrectionsError, ValidationError, ValueError) as error:
            message = "This is no correction." if isinstance(error, ValidationError) else str(error)
            status = HTTPStatus.NOT_FOUND if isinstance(error, NotAResultError) else HTTPStatus.BAD_REQUEST
            self._send_error(status, message)
        except DocaiError as error:
            self._send_error(HTTPStatus.NOT_FOUND, str(error))
        except OSError as error:
            message = f"It cannot be kept: {error.strerror or error}."
            self._send_error(HTTPStatus.INTERNAL_SERVER_ERROR, message)

    def _get(self, parts: list[str]) -> None:
        match parts:
            case []:
                self._send(_HTML, self._list())
            case ["view", number]:
                opened = self.view.opened(int(number))
                corrections = self.view.corrections(int(number))
                data = view_data(opened.document, corrections, serves=True, missing=opened.missing)
                page = render_page(Path(opened.document.source.name).name, data, {}, self.view.token)
                self._send(_HTML, page)
            case ["view", number, "picture", name]:
                self._send(*self._picture(self.view.opened(int(number)), name), keep=True)
            case _:
                raise KeyError(self.path)

    def _picture(self, opened: _Opened, name: str) -> tuple[str, bytes]:
        what, _, which = name.partition("-")
        if what == "drawing":
            record = opened.records[which]
            drawing = draw_content(record) if isinstance(record, Content) else None
            if drawing is None:
                raise KeyError(name)
            return _SVG, drawing.encode()
        if opened.book is None:
            raise KeyError(name)
        if what == "page":
            return _WEBP, opened.book.page(int(which))
        if what == "crop":
            return _WEBP, opened.book.crop(opened.records[which])
        raise KeyError(name)

    def _post(self, parts: list[str]) -> None:
        body = self._body()
        match parts:
            case ["view", number, "corrections"]:
                made = self.view.correct(int(number), Correction.model_validate(body))
                self._send_json({"correction": made.model_dump(mode="json")})
            case ["view", number, "draw"]:
                record = self.view.opened(int(number)).records[str(body.get("record"))]
                self._send_json(_drawn(record, str(body.get("content", ""))))
            case _:
                raise KeyError(self.path)

    def _body(self) -> dict[str, Any]:
        n_bytes = int(self.headers.get("Content-Length") or 0)
        if not 0 < n_bytes <= MAX_BODY:
            self.close_connection = True
            raise ValueError(f"A request has 1 to {MAX_BODY} bytes.")
        body = self.rfile.read(n_bytes)
        if not secrets.compare_digest(self.headers.get("X-Docai-Token") or "", self.view.token):
            raise ValueError("The server was started anew: load the page again.")
        value = json.loads(body)
        if not isinstance(value, dict):
            raise ValueError("A request is a JSON object.")
        return value

    def _list(self) -> bytes:
        from importlib.resources import files

        from jinja2 import Environment

        template = (files("docai.viewer") / "list.html").read_text("utf-8")
        rows = []
        for number, path in enumerate(self.view.results):
            try:
                document = read_result(path)
                made = corrections_path(path)
                n_checked = len(Corrections.read(made).valid()) if made.exists() else 0
            except DocaiError as error:
                rows.append({"number": number, "name": path.name, "error": str(error)})
                continue
            n_doubtful = sum(is_doubtful(record) for record in document.records)
            rows.append(
                {
                    "number": number,
                    "name": document.source.name,
                    "path": str(path),
                    "pages": len(document.pages),
                    "records": len(document.records),
                    "doubtful": n_doubtful,
                    "checked": n_checked,
                }
            )
        style = (files("docai.viewer") / "viewer.css").read_text("utf-8")
        text = Environment(autoescape=True).from_string(template).render(rows=rows, style=style)
        return text.encode("utf-8", "replace")

    def _send_json(self, value: object) -> None:
        self._send("application/json", json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))

    def _send_error(self, status: HTTPStatus, message: str) -> None:
        self._send("application/json", json.dumps({"error": message}).encode(), status)

    def _send(
        self, kind: str, data: bytes, status: HTTPStatus = HTTPStatus.OK, *, keep: bool = False
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "private, max-age=3600" if keep else "no-store")
        if kind == _SVG:
            # A drawing is shown as a picture; opened by itself, it runs nothing either.
            self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(data)


def _drawn(record: RecordBase, text: str) -> dict[str, str]:
    """A content that is being edited, drawn, or why it cannot be."""
    assert isinstance(record, Content)
    try:
        content = corrected_content(record, text)
    except CorrectionsError as error:
        return {"error": str(error), "drawing": "", "brief": ""}
    return {"error": "", "drawing": draw_content(content) or "", "brief": content.brief()}
