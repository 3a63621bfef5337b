"""JSON over HTTP to one server, with bounds on time, size and number of attempts.

Only the server itself is asked: no redirect is followed, no proxy of the environment is used. Its answers are
untrusted: they are read up to a size, never decompressed, and quoted in messages only in short.
"""

from __future__ import annotations

import ipaddress
import os
import random
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Retry

from docai.environment import KEY_VARIABLE
from docai.errors import ServerError, SettingError

_RETRIED: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Statuses after which the same request may succeed: the server is busy, starting, or had an accident."""

_AWAY: Final = frozenset((502, 503))
"""Of these, those that may say that there is no server now: a gateway reaches none, or it starts."""

MODELS_PATH: Final = "/v1/models"
"""Lists the models: what a server that is there answers, whatever it made of a crop."""

_CHUNK_BYTES: Final = 1 << 16

_MAX_QUOTE: Final = 200
"""Characters of a server's own words in a message."""


@dataclass(frozen=True)
class ServerLimits:
    """How much is asked of a server, and waited for."""

    parallel: int = 32
    """Requests at a time; a server makes its batches of those that it has."""
    connect_seconds: float = 10.0
    answer_seconds: float = 600.0
    """For one answer, waiting and all attempts included."""
    attempts: int = 5
    """How often one request is sent."""
    pause_seconds: float = 0.5
    """Before the second attempt; it doubles before each further one, less up to a half at random."""
    max_pause_seconds: float = 60.0
    """Longest wait before another attempt, also where the server asks for a longer one."""
    max_bytes: int = 16 << 20
    """Of one answer. One of 8,192 tokens with their log-probabilities takes about 2 MB."""


class RefusedError(ServerError):
    """The server answered with a status that says no; ``status`` is that of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class UnreachableError(ServerError):
    """The server could not be reached, or the connection was lost, or it was not ready, at every attempt."""


def read_key(url: str) -> str | None:
    """The key in the environment, for the server at ``url``; None where there is none.

    Raises:
        SettingError: it cannot be sent, or would cross a network in the clear.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        return None
    if not key.isascii() or not key.isprintable():
        raise SettingError(f"The key in {KEY_VARIABLE} has characters that HTTP cannot send; set it again.")
    parts = urlsplit(url)
    if parts.scheme != "https" and not _is_this_machine(parts.hostname or ""):
        raise SettingError(
            f"The key in {KEY_VARIABLE} would be sent unencrypted to {parts.netloc}: use https, a tunnel to "
            "that machine (ssh -L 8000:127.0.0.1:8000 HOST), or unset it."
        )
    return key


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class JsonClient:
    """Asks one server. Safe to be used by several threads at a time."""

    def __init__(self, url: str, limits: ServerLimits, *, key: str | None = None) -> None:
        """
        Args:
            url: scheme, host, port and path that every request begins with.
            limits: of each request.
            key: sent to this server as a bearer token; in no message.
        """
        self.url = url
        self.limits = limits
        self._key = key
        self._is_down = False
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=limits.parallel)

    def get(self, path: str) -> bytes:
        """What the server answers to GET; raises as :meth:`post`."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: bytes) -> bytes:
        """What the server answers to ``body``, which is JSON.

        Raises:
            UnreachableError: it cannot be reached, loses the connection, or is not ready, at every attempt.
            RefusedError: it answers with a status other than 200, at every attempt where that may help.
            ServerError: it takes longer, or answers more, than the limits allow.
        """
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: bytes | None) -> bytes:
        deadline = time.monotonic() + self.limits.answer_seconds
        # A server that was just found down is not waited for again with every crop.
        attempts = 1 if self._is_down else self.limits.attempts
        for attempt in range(1, attempts + 1):
            pause = self.limits.pause_seconds * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
            failure: ServerError
            try:
                answer = self._send(method, path, body, deadline)
            except UnreachableError as error:
                failure = error
            except _TryLaterError as busy:
                failure = busy.refusal
                pause = pause if busy.pause is None else busy.pause
            else:
                self._is_down = False
                return answer
            pause = min(pause, self.limits.max_pause_seconds)
            if attempt == attempts or time.monotonic() + pause >= deadline:
                self._is_down = isinstance(failure, UnreachableError)
                if isinstance(failure, RefusedError) and failure.status in _AWAY and not self._is_there():
                    raise UnreachableError(str(failure)) from None
                raise failure from None
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _is_there(self) -> bool:
        """Whether the server answers at all: one that does refuses a crop, and not for being away."""
        try:
            self._send("GET", MODELS_PATH, None, time.monotonic() + self.limits.connect_seconds)
        except (ServerError, _TryLaterError) as error:
            refusal = error.refusal if isinstance(error, _TryLaterError) else error
            return isinstance(refusal, RefusedError) and refusal.status not in _AWAY
        return True

    def _send(self, method: str, path: str, body: bytes | None, deadline: float) -> bytes:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        left = max(deadline - time.monotonic(), 0.001)
        timeout = urllib3.Timeout(connect=min(self.limits.connect_seconds, left), read=left)
        try:
            response = self._pool.urlopen(
                method,
                self.url + path,
                body=body,
                headers=headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                content = self._read(response, deadline)
            except BaseException:
                # What is left of the answer must not become the next one.
                response.close()
                raise
            response.release_conn()
        except ReadTimeoutError:
            raise self._too_slow() from None
        except SSLError as error:
            raise ServerError(
                f"The server {self.url} cannot prove who it is ({self._quote(str(error))}): check the "
                "address, and SSL_CERT_FILE where its certificate is your own."
            ) from None
        except (HTTPError, OSError) as error:
            raise UnreachableError(
                f"The server {self.url} cannot be reached: {_reason(error)}. Start it, or check the address."
            ) from None
        if response.status == 200:
            return content
        refusal = RefusedError(self._refusal(response.status, response.headers, content), response.status)
        if response.status in _RETRIED:
            raise _TryLaterError(refusal, _retry_after(response.headers.get("Retry-After")))
        raise refusal

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        """The body, as it is sent: an answer that arrives drop by drop, or never ends, is given up."""
        content = bytearray()
        while chunk := response.read1(_CHUNK_BYTES, decode_content=False):
            content += chunk
            if len(content) > self.limits.max_bytes:
                raise ServerError(
                    f"The server {self.url} answered more than {self.limits.max_bytes:,} bytes, which no "
                    "answer of a model has; check the address."
                )
            if time.monotonic() > deadline:
                raise self._too_slow()
        return bytes(content)

    def _too_slow(self) -> ServerError:
        return ServerError(
            f"The server {self.url} did not answer within {self.limits.answer_seconds:g} s: ask it for less "
            "at a time, or give it more to run on."
        )

    def _refusal(self, status: int, headers: urllib3.HTTPHeaderDict, content: bytes) -> str:
        if 300 <= status < 400:
            target = self._quote(headers.get("Location", "nowhere"))
            return f"The server {self.url} redirects to {target}, which is not followed: give that address."
        return f"The server {self.url} answered with status {status}: {self.quote(content)}"

    def quote(self, content: bytes) -> str:
        """The beginning of an answer, on one line, for messages."""
        return self._quote(content[: 4 * _MAX_QUOTE].decode("utf-8", "replace"))

    def _quote(self, text: str) -> str:
        # A server may repeat what it was sent.
        if self._key is not None:
            text = text.replace(self._key, "…")
        shown = "".join(character if character.isprintable() else " " for character in text)
        shown = " ".join(shown.split())
        return (shown[: _MAX_QUOTE - 1] + "…" if len(shown) > _MAX_QUOTE else shown) or "nothing"


class _TryLaterError(Exception):
    """A refusal that may be over in ``pause`` seconds; None: the server does not say when."""

    def __init__(self, refusal: RefusedError, pause: float | None) -> None:
        super().__init__()
        self.refusal = refusal
        self.pause = pause


def _retry_after(value: str | None) -> float | None:
    """Seconds in a ``Retry-After`` header, which may be a date; None where it says nothing."""
    if value is None:
        return None
    try:
        return Retry().parse_retry_after(value)
    except (InvalidHeader, ValueError, OverflowError):
        return None


def _reason(error: Exception) -> str:
    """Why there was no answer, without addresses of objects."""
    if isinstance(error, NameResolutionError):
        return "there is no host of that name"
    if isinstance(error, NewConnectionError) and isinstance(error.__cause__, OSError):
        return (error.__cause__.strerror or "no connection").lower()
    if isinstance(error, ConnectTimeoutError):
        return "nothing answers there"
    return f"the connection was lost ({type(error).__name__})"
