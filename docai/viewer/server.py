"""Serves results on the loopback address: pages on demand, corrections kept beside each result.

Only this machine reaches it. A page of another site that is open in the same browser does not: it cannot name
this host without being told apart by the header ``Host``, and a change needs a token that is new for each
server and stands in the viewer's own pages.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from docai.corrections import SUFFIX, Correction, Corrections, corrections_path
from docai.errors import DocaiError, NotAResultError, SettingError
from docai.exports import source_of_result
from docai.limits import Limits
from docai.pipelines.ingest.result_source import read_result
from docai.viewer.data import is_doubtful
from docai.viewer.opened import SVG, OpenedResult

HOST: Final = "127.0.0.1"

MAX_BODY: Final = 8 << 20
"""Bytes of a request: a correction of a large table takes some hundred thousand."""

ROWS: Final = 100
"""Results on a page of the list: each is read for its numbers."""

MAX_OPEN: Final = 4
"""Results that are held in memory, with their sources open."""

_NAMES: Final = ("127.0.0.1", "localhost")

_HTML: Final = "text/html; charset=utf-8"


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
        self._opened: dict[int, OpenedResult] = {}
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
            opened.close()

    def opened(self, number: int) -> OpenedResult:
        """A result by its place in :attr:`results`. Raises KeyError, NotAResultError."""
        with self._lock:
            if number in self._opened:
                return self._opened[number]
            if not 0 <= number < len(self.results):
                raise KeyError(number)
            opened = OpenedResult(
                self.results[number], self._places, password=self._password, limits=self._limits
            )
            if len(self._opened) >= MAX_OPEN:
                self._opened.pop(next(iter(self._opened))).close()
            self._opened[number] = opened
            return opened


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
        except ValueError as error:
            # Pydantic's, and those of corrections and results, are such errors, too.
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
                self._send(_HTML, self._list(0))
            case ["page", number]:
                self._send(_HTML, self._list(int(number)))
            case ["view", number]:
                self._send(_HTML, self.view.opened(int(number)).page(self.view.token))
            case ["view", number, "picture", name]:
                self._send(*self.view.opened(int(number)).picture(name), keep=True)
            case _:
                raise KeyError(self.path)

    def _post(self, parts: list[str]) -> None:
        body = self._body()
        match parts:
            case ["view", number, "corrections"]:
                made = self.view.opened(int(number)).correct(Correction.model_validate(body))
                self._send_json({"correction": made.model_dump(mode="json")})
            case ["view", number, "draw"]:
                opened = self.view.opened(int(number))
                self._send_json(opened.drawn(str(body.get("record")), str(body.get("content", ""))))
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

    def _list(self, page: int) -> bytes:
        """One page of the list of results, from 0. Raises KeyError."""
        from importlib.resources import files

        from jinja2 import Environment

        first, n_results = page * ROWS, len(self.view.results)
        if not 0 <= first < n_results:
            raise KeyError(page)
        template = (files("docai.viewer") / "list.html").read_text("utf-8")
        text = (
            Environment(autoescape=True)
            .from_string(template)
            .render(
                rows=[
                    _row(number, self.view.results[number])
                    for number in range(n_results)[first : first + ROWS]
                ],
                style=(files("docai.viewer") / "viewer.css").read_text("utf-8"),
                n_results=n_results,
                page=page,
                n_pages=-(-n_results // ROWS),
            )
        )
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
        if kind == SVG:
            # A drawing is shown as a picture; opened by itself, it runs nothing either.
            self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(data)


def _row(number: int, path: Path) -> dict[str, Any]:
    """A result in the list, or why it cannot be read."""
    try:
        document = read_result(path)
        made = corrections_path(path)
        n_checked = len(Corrections.read(made).valid()) if made.exists() else 0
    except DocaiError as error:
        return {"number": number, "name": path.name, "error": str(error)}
    return {
        "number": number,
        "name": Path(document.source.name).name,
        "path": str(path),
        "pages": len(document.pages),
        "records": len(document.records),
        "doubtful": sum(is_doubtful(record) for record in document.records),
        "checked": n_checked,
    }
