"""The service listens until it is told to stop, and ends what it has begun."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from docai.errors import SettingError
from docai.service.arrival import Service
from docai.service.jobs import check_temporary

MAX_CONNECTIONS: Final = 256
"""At a time; more are answered with 503."""

BACKLOG: Final = 128


class _Server(uvicorn.Server):
    """At the first signal it goes on answering while jobs end; at the second one it ends at once."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service
        self._ending: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._ending is not None or not self.started:
            self.should_exit = self.force_exit = True
            return
        self._ending = asyncio.get_running_loop().create_task(self._end())

    async def _end(self) -> None:
        try:
            await self._service.book.stop()
        finally:
            self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises SettingError where the address cannot be used."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise SettingError(
            f"{host}:{port} cannot be listened on ({error}): choose another --port or --host."
        ) from None


def address(listening: socket.socket, *, is_tls: bool = False) -> str:
    """The URL of a socket."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http{'s' if is_tls else ''}://{shown}:{port}"


def run(
    app: FastAPI,
    listening: socket.socket,
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    on_start: Callable[[], None] = lambda: None,
) -> None:
    """Answer until SIGINT or SIGTERM.

    Args:
        app: from :func:`docai.service.app.create_app`.
        listening: from :func:`listen`.
        certificate, key: PEM files, for https.
        on_start: called before the first request is answered.

    Raises:
        SettingError: the certificate or the key cannot be used, or the folder for temporary files.
    """
    service: Service = app.state.service
    with listening:
        check_temporary()
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=max(1, round(service.book.terms.stop_seconds)),
            ssl_certfile=certificate,
            ssl_keyfile=key,
            ws="none",
            lifespan="on",
        )
        try:
            config.load()
        except OSError as error:
            raise SettingError(f"The certificate or its key cannot be used: {error}.") from None
        server = _Server(config, service)
        on_start()
        server.run(sockets=[listening])
