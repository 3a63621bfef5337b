"""The engine that puts crops to a model server which the user runs: vLLM, or another of that protocol.

It is used where a model is named by an address, ``http://127.0.0.1:8000#name``, and only there. A crop is one
request to ``/v1/chat/completions``: the picture as a PNG, which loses nothing, and the head's prompt. The
server puts image tokens, ``<bos>`` and the line feed around it, as vLLM does for PaliGemma (its
``template_basic.jinja`` passes the text on as it is). Answers are greedy and unconstrained: what heads or
retries ask for beyond that, beams and grammars, is an error of that crop.

A server may use another attention mask than the training, which changes answers: see docs/serving.md.
"""

from __future__ import annotations

import base64
import functools
import io
import json
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from docai.environment import KEY_VARIABLE
from docai.errors import GenerationError, ServerError, SettingError, UnknownModelError
from docai.models.checkpoints import head_not_available
from docai.models.client_address import ServerAddress, Servers, parse_servers
from docai.models.client_answers import Served, ServerAnswer, read_answer, read_models
from docai.models.client_http import MODELS_PATH, JsonClient, RefusedError, ServerLimits, read_key
from docai.models.engine import Generation, Request, check_crop, failed_generation

if TYPE_CHECKING:
    from PIL.Image import Image

DEVICE: Final = "server"
"""In the place of a device: which one the server has, it does not say."""

_COMPLETIONS: Final = "/v1/chat/completions"

_PATCH_SIDE: Final = 14
"""Side of the patch of one image token in PaliGemma 2's SigLIP, pixels."""


class ServerEngine:
    """An engine whose models run elsewhere. A server is asked for its models before the first request."""

    def __init__(self, model: str | Servers, *, limits: ServerLimits | None = None) -> None:
        """
        Args:
            model: the addresses, see :mod:`docai.models.client_address`.
            limits: of time, size and parallel requests, for each server.

        Raises:
            SettingError: an address cannot be used, or the key in the environment must not be sent there.
            UnknownHeadError: an address names a head that does not exist.
        """
        self.servers = parse_servers(model) if isinstance(model, str) else model
        self.limits = ServerLimits() if limits is None else limits
        self._of = {address: _Server(address, self.limits) for address in self.servers.addresses}

    def __reduce__(self) -> tuple[object, ...]:
        # To the process of the model: with what it is made of, but for the key, which that process reads.
        return functools.partial(type(self), self.servers, limits=self.limits), ()

    @property
    def name(self) -> str:
        return self.servers.name

    @property
    def device(self) -> str:
        return DEVICE

    def heads(self) -> frozenset[str]:
        return frozenset(self.servers.heads())

    def accuracy(self, head: str) -> float | None:
        """None: what a server runs was not measured."""
        return None

    def connect(self) -> None:
        """Ask each server for its models, unless it was asked before.

        Raises:
            ServerError: a server cannot be reached, or does not list its models.
            UnknownModelError: it does not serve a model that its address names.
            SettingError: it asks for a key, or for another one.
        """
        for server in self._of.values():
            server.connect()

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Answer each request. What goes wrong with one crop is the error of its answer alone.

        Raises:
            HeadNotAvailableError: no address names a model for a head.
            GenerationError: a crop is not RGB, or not of the size that its head reads.
            ServerError, UnknownModelError, SettingError: see :meth:`connect`.
        """
        shares: dict[ServerAddress, list[int]] = {}
        for index, request in enumerate(requests):
            address = self.servers.address_of(request.head.name)
            if address is None:
                raise head_not_available(request.head.name, self.servers.heads(), self.name, None)
            check_crop(request, request.head.resolution)
            shares.setdefault(address, []).append(index)
        for address in shares:
            self._of[address].connect()
        answers: dict[int, Generation] = {}
        stopped = threading.Event()
        threads = []
        for address, indices in shares.items():
            work = _Work(self._of[address], requests, indices, answers, stopped)
            # Daemons: an interrupted program does not wait for a server.
            for _ in range(min(self.limits.parallel, len(indices))):
                threads.append(threading.Thread(target=work.run, daemon=True))
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            stopped.set()
        return [answers[index] for index in range(len(requests))]


class _Work:
    """The requests of one call to one server, which several threads share."""

    def __init__(
        self,
        server: _Server,
        requests: Sequence[Request],
        indices: Iterable[int],
        answers: dict[int, Generation],
        stopped: threading.Event,
    ) -> None:
        self._server = server
        self._requests = requests
        self._left = iter(indices)
        self._answers = answers
        self._stopped = stopped
        self._lock = threading.Lock()

    def run(self) -> None:
        """Answer what no other thread has taken, until nothing is left."""
        while not self._stopped.is_set():
            with self._lock:
                index = next(self._left, None)
            if index is None:
                return
            self._answers[index] = self._server.answer(self._requests[index])


class _Server:
    """One server: what it serves, and the question and answer of one crop."""

    def __init__(self, address: ServerAddress, limits: ServerLimits) -> None:
        self.address = address
        self._client = JsonClient(address.url, limits, key=read_key(address.url))
        self._served: Served | None = None
        self._lock = threading.Lock()

    def connect(self) -> Served:
        """Its models; raises as :meth:`ServerEngine.connect`."""
        with self._lock:
            if self._served is None:
                self._served = self._ask_for_models()
            return self._served

    def _ask_for_models(self) -> Served:
        url = self.address.url
        content = b""
        try:
            content = self._client.get(MODELS_PATH)
            served = read_models(content)
        except RefusedError as error:
            if error.status in (401, 403):
                raise SettingError(
                    f"The server {url} asks for a key, or for another one: set {KEY_VARIABLE} in the "
                    "environment."
                ) from None
            raise
        except ServerError as error:
            if not content:
                raise
            raise ServerError(
                f"The server {url} does not answer as a model server: {error}. {MODELS_PATH} begins with: "
                f"{self._client.quote(content)}"
            ) from None
        wanted = [*self.address.by_head.values(), *filter(None, [self.address.default])]
        if missing := [name for name in wanted if name not in served.roots]:
            known = ", ".join(sorted(served.roots)[:10]) or "none"
            raise UnknownModelError(
                f"The server {url} has no model {missing[0]!r}; it has: {known}. Name one behind the #."
            )
        return served

    def answer(self, request: Request) -> Generation:
        """The answer to one crop, or why there is none."""
        name = self.address.model_of(request.head.name) or ""
        try:
            served = self.connect()
            body = json.dumps(_body(request, name, served.contexts.get(name))).encode()
            content = self._client.post(_COMPLETIONS, body)
            answer = self._read(content, name, request, served)
        except Exception as error:
            # Whatever it is, it must not cost the answers to the other crops.
            return failed_generation(request, error)
        return Generation(
            text=answer.text,
            finish_reason=answer.reason,
            tokens=answer.tokens,
            logprobs=answer.logprobs,
            checkpoint=f"{name}@{self.address.place}",
            prompt=request.head.prompt,
        )

    def _read(self, content: bytes, name: str, request: Request, served: Served) -> ServerAnswer:
        head = request.head
        try:
            return read_answer(content, name=name, prompt=head.prompt, decoding=head.decoding, served=served)
        except ServerError as error:
            raise ServerError(f"The server {self.address.url} cannot be believed: {error}.") from None


def _body(request: Request, name: str, context: int | None) -> dict[str, Any]:
    """The request. Settings that a server takes from files of the model otherwise are stated."""
    decoding = request.head.decoding
    if decoding.num_beams > 1 or decoding.constrained:
        raise GenerationError("A server is asked for greedy answers without a grammar only.")
    url = f"data:image/png;base64,{base64.b64encode(_png(request.image)).decode()}"
    content = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": request.head.prompt},
    ]
    return {
        "model": name,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": _budget(request, context),
        "temperature": 0,
        "repetition_penalty": 1.0,
        "n": 1,
        "stream": False,
        "logprobs": True,
        "skip_special_tokens": False,
        "spaces_between_special_tokens": False,
    }


def _budget(request: Request, context: int | None) -> int:
    """Most tokens of the answer: those of the request, as far as the server's context has room for them.

    Raises:
        GenerationError: there is no room.
    """
    head = request.head
    own = round(request.stretch * head.max_tokens)
    own = own if request.max_tokens is None else min(own, request.max_tokens)
    if context is None:
        return own
    room = head.room(context, (head.resolution // _PATCH_SIDE) ** 2)
    if room < 1:
        raise GenerationError(
            f"The server's context of {context} tokens has no room for a crop of {head.resolution} px: start "
            "it with a longer one, such as --max-model-len 8192."
        )
    return min(own, room)


def _png(image: Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
