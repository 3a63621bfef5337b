"""Who is answered: an ASGI middleware before all routes.

On the loopback address, a page of another site that is open in a browser on this machine could send forms
here, and read the answers once its own name leads here (DNS rebinding): the header ``Host`` tells the second
(Starlette's TrustedHostMiddleware), ``Origin`` the first. A token keeps others out wherever one is set.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from docai.service.answers import refusal

OPEN_PATHS: Final = frozenset(("/v1/health",))
"""That are answered without a token, for whoever watches over a container."""

_READING: Final = frozenset(("GET", "HEAD", "OPTIONS"))


class Guard:
    """Asks for the token and refuses changes that pages of other sites ask for.

    Args:
        app: what is guarded.
        token: that callers show; None: none is asked for.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
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
        else:
            await self._app(scope, receive, send)

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


def _is_same_site(headers: Headers) -> bool:
    """Whether a browser sends this for a page of this service, or no browser does."""
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
