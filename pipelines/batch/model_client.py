"""The model as a worker sees it: an engine that puts crops to the process of the model, and where it is."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any, Final, Self

from docai.errors import GenerationError, SettingError
from docai.models.engine import Generation, Request
from docai.pipelines.batch.crops import Crop, send_crops

CONNECT_SECONDS: Final = 120.0
"""For a server that is being started again."""

MAX_SOCKET_PATH: Final = 103
"""Bytes of the path of a socket: macOS takes so many, Linux four more."""

Address = str | tuple[str, int]


@dataclass(frozen=True)
class ModelAddress:
    """What a worker knows of the model without loading it."""

    name: str
    heads: Mapping[str, float | None]
    """For which it has weights, each with its measured accuracy."""
    address: Address
    key: bytes = field(repr=False)
    side: int | None = None
    """Of the crops that it reads, pixels; None: that of each head."""


class RemoteEngine:
    """The engine of a worker: puts crops to the server. Use it in a ``with`` block, one for each document."""

    def __init__(self, model: ModelAddress) -> None:
        self._model = model
        self._connection: Connection[Any, Any] | None = None
        self._device = ""

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def device(self) -> str:
        """Device of the model; empty where nothing was put to it."""
        return self._device

    @property
    def side(self) -> int | None:
        """Of the crops that the model reads, pixels; None: that of each head."""
        return self._model.side

    def heads(self) -> frozenset[str]:
        return frozenset(self._model.heads)

    def accuracy(self, head: str) -> float | None:
        return self._model.heads.get(head)

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """As :meth:`docai.models.engine.Engine.generate`; raises what loading the model raises, too.

        Raises:
            GenerationError: the process of the model was lost twice.
            ModelLostError: the model runs elsewhere, and cannot be reached any more.
        """
        crops = [Crop.of(request) for request in requests]
        for _ in range(2):
            try:
                connection = self._connected()
                send_crops(connection, crops)
                is_answered, value = connection.recv()
            except (EOFError, OSError):
                self.close()
                continue
            if not is_answered:
                raise value
            generations: list[Generation]
            self._device, generations = value
            return generations
        raise GenerationError("The process of the model was lost twice while it read this.")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connected(self) -> Connection[Any, Any]:
        started = time.monotonic()
        while self._connection is None:
            try:
                self._connection = Client(self._model.address, authkey=self._model.key)
            except (OSError, EOFError):
                if time.monotonic() - started > CONNECT_SECONDS:
                    raise
                time.sleep(0.1)
        return self._connection


def new_address(folder: Path) -> Address:
    """A place for the socket of a server, which only this user can open.

    Raises:
        SettingError: the path of ``folder`` is longer than sockets may have.
    """
    if sys.platform == "win32":
        return rf"\\.\pipe\docai-{os.getpid()}-{time.monotonic_ns()}"
    path = str(folder / "model")
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise SettingError(
            f"The path of the folder for temporary files is too long for a socket ({path}): name a shorter "
            "one with the environment variable TMPDIR."
        )
    return path
