"""Who is answered: ASGI middleware before all routes.

On the loopback address, a page of another site that is open in a browser on this machine could send forms
here, and read the answers once its own name leads here (DNS rebinding): the header ``Host`` tells the second
(Starlette's TrustedHostMiddleware), ``Origin`` the first. A token keeps others out wherever one is set.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from docai.service.answers import refusal

OPEN_PATHS: Final = frozenset(("/v1/health",))
"""That are answered without a token, for whoever watches over a container."""

_READING: Final = frozenset(("GET", "HEAD", "OPTIONS"))


DRAIN_BYTES: Final = 8 << 20
"""Of a refused request that are still read."""

DRAIN_SECONDS: Final = 5.0


class Drain:
    """Reads what is still to come of a request before it is answered, within bounds.

    Many clients listen only when all is sent, and a connection that is closed meanwhile takes the answer with
    it: they would see a lost connection in place of 429.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_read = False

        async def reading() -> Message:
            nonlocal is_read
            message = await receive()
            is_read = is_read or message["type"] != "http.request" or not message.get("more_body", False)
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and not is_read:
                with suppress(TimeoutError):
                    async with asyncio.timeout(DRAIN_SECONDS):
                        n_bytes = 0
                        while not is_read and n_bytes < DRAIN_BYTES:
                            n_bytes += len((await reading()).get("body", b""))
            await send(message)

        await self._app(scope, reading if scope["type"] == "http" else receive, sending)


class Guard:
    """Asks for the token and refuses changes that pages of other sites ask for.

    Args:
        app: what is guarded.
        token: that callers show; None: none is asked for.
        max_bytes: of a request; None: any.
    """

    def __init__(self, app: ASGIApp, token: str | None, max_bytes: int | None = None) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # There are no web sockets here.
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] not in _READING and not _is_same_site(headers):
            answer = refusal(
                403, "OtherOrigin", "Pages of other sites may not ask this service for anything."
            )
            await answer(scope, receive, send)
        elif not (scope["path"] in OPEN_PATHS or self._knows_token(headers.get("authorization", ""))):
            message = "Show the token: Authorization: Bearer TOKEN, or in a browser as the password."
            how = {"WWW-Authenticate": 'Basic realm="docai", charset="UTF-8", Bearer realm="docai"'}
            await refusal(401, "TokenRequired", message, how)(scope, receive, send)
        elif self._max_bytes is not None and _n_bytes(headers) > self._max_bytes:
            await refusal(413, "TooManyBytesError", self._too_many())(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        """A request may not say how many bytes it has, or have more. Raises HTTPException."""
        n_bytes = 0

        async def counting() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if self._max_bytes is not None and n_bytes > self._max_bytes:
                raise HTTPException(413, self._too_many())
            return message

        return counting

    def _too_many(self) -> str:
        return f"A request has {self._max_bytes} bytes at most here."

    def _knows_token(self, header: str) -> bool:
        if self._token is None:
            return True
        scheme, _, value = header.strip().partition(" ")
        shown = value.strip().encode()
        if scheme.lower() == "basic":
            try:
                shown = base64.b64decode(shown, validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        elif scheme.lower() != "bearer":
            return False
        return secrets.compare_digest(shown, self._token)


def _n_bytes(headers: Headers) -> int:
    """That a request says it has."""
    said = headers.get("content-length", "")
    return int(said) if said.isdecimal() else 0


def _is_same_site(headers: Headers) -> bool:
    """Whether a browser sends this for a page of this service, or no browser does."""
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
