"""A model server for tests: it speaks the protocol of vLLM, answers by an engine, and misbehaves."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

from docai.models.engine import Engine, Request
from docai.models.heads import HEADS, Head

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""

Misbehavior = Callable[[BaseHTTPRequestHandler, dict[str, Any]], Reply | None]
"""Called with each request to answer and its JSON; None: the request is answered as it should be."""


@dataclass
class FakeServer:
    """What the server has and does. Change it while it runs."""

    engine: Engine
    models: tuple[str, ...] = ("name",)
    heads: dict[str, Head] = field(default_factory=lambda: dict(HEADS))
    """By which a prompt is answered."""
    key: str | None = None
    misbehave: Misbehavior | None = None
    list_models: Callable[[BaseHTTPRequestHandler], Reply | None] | None = None
    context: int | None = 8192
    end_tokens: bool = True
    """Whether log-probabilities have the end token, too, as those of vLLM."""
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The JSON of all requests to answer, in order."""
    images: list[Image.Image] = field(default_factory=list)
    n_listed: int = 0
    """How often the models were asked for."""
    at_once: int = 0
    """Most requests that were answered at a time."""
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def model(self) -> str:
        """What a user writes."""
        return f"{self.url}#{self.models[0]}"

    def models_reply(self, handler: BaseHTTPRequestHandler) -> Reply:
        self.n_listed += 1
        if self.list_models is not None and (reply := self.list_models(handler)) is not None:
            return reply
        data = [
            {"id": name, "object": "model", "root": f"/weights/{name}", "max_model_len": self.context}
            for name in self.models
        ]
        return as_json({"object": "list", "data": data})

    def completion_reply(self, handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply:
        with self._lock:
            self.requests.append(asked)
            self._now += 1
            self.at_once = max(self.at_once, self._now)
        try:
            if self.misbehave is not None and (reply := self.misbehave(handler, asked)) is not None:
                return reply
            return as_json(self.completion(asked))
        finally:
            with self._lock:
                self._now -= 1

    def completion(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The right answer."""
        picture, words = asked["messages"][0]["content"]
        kind, _, data = picture["image_url"]["url"].partition(",")
        assert kind == "data:image/png;base64"
        image = Image.open(io.BytesIO(base64.b64decode(data)))
        image.load()
        head = next(head for head in self.heads.values() if head.prompt == words["text"])
        with self._lock:
            self.images.append(image)
            (answer,) = self.engine.generate([Request(head, image, asked["max_tokens"])])
        scored = [
            {"token": token, "logprob": logprob, "bytes": list(token.encode()), "top_logprobs": []}
            for token, logprob in zip(answer.tokens, answer.logprobs, strict=True)
        ]
        if self.end_tokens and answer.finish_reason == "stop":
            scored.append({"token": "<eos>", "logprob": -0.01, "bytes": [], "top_logprobs": []})
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": asked["model"],
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": answer.text},
                    "logprobs": {"content": scored},
                    "finish_reason": answer.finish_reason,
                    "stop_reason": None,
                }
            ],
            "usage": {"prompt_tokens": 4110, "completion_tokens": len(scored)},
        }


def as_json(content: object, status: int = 200, **headers: str) -> Reply:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(content).encode()


@contextmanager
def serving(server: FakeServer) -> Iterator[FakeServer]:
    """The server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply(server.models_reply(self) if self.path == "/v1/models" else (404, {}, b"not found"))

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.path == "/v1/chat/completions"
            self.reply(server.completion_reply(self, asked) if known else (404, {}, b"not found"))

        def reply(self, reply: Reply) -> None:
            if server.key is not None and self.headers["Authorization"] != f"Bearer {server.key}":
                reply = as_json({"error": "Unauthorized"}, 401)
            status, headers, body = reply
            if status == 0:
                # Misbehavior has written what it wanted.
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: object, client_address: object) -> None:
            # A client that has gone away.
            pass

    with Server(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def spoiled(change: Callable[[dict[str, Any]], None]) -> Callable[[FakeServer], Misbehavior]:
    """A misbehavior that changes right answers."""

    def of(server: FakeServer) -> Misbehavior:
        def misbehave(handler: BaseHTTPRequestHandler, asked: dict[str, Any]) -> Reply:
            completion = server.completion(asked)
            change(completion)
            return as_json(completion)

        return misbehave

    return of


def tiny_heads(*names: str, resolution: int) -> dict[str, Head]:
    """docai's own heads for crops of another size."""
    return {name: replace(HEADS[name], resolution=resolution) for name in names}


def dropping(handler: BaseHTTPRequestHandler, content: bytes, *, size: int, seconds: float) -> Reply:
    """Writes an answer in parts with pauses between them, as a connection that is almost dead."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    for start in range(0, len(content), size):
        handler.wfile.write(content[start : start + size])
        handler.wfile.flush()
        time.sleep(seconds)
    return 0, {}, b""
