"""A model that only takes time, as a device would; a module of its own, so that other processes find it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from docai import ScriptedEngine
from docai.models.engine import Generation, Request
from docai.models.heads import HEADS


class TimedEngine(ScriptedEngine):
    """Takes time, and writes down when.

    Args:
        log: a file, which gets a line for each call: its beginning, its end, and its crops.
    """

    def __init__(self, log: Path, call_seconds: float, crop_seconds: float) -> None:
        super().__init__(dict.fromkeys(HEADS, ""))
        self._log = log
        self._call_seconds = call_seconds
        self._crop_seconds = crop_seconds

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """As :meth:`docai.models.engine.Engine.generate`."""
        began = time.time()
        time.sleep(self._call_seconds + self._crop_seconds * len(requests))
        generations = super().generate(requests)
        self.requests.clear()
        with self._log.open("a", encoding="ascii") as file:
            file.write(f"{began} {time.time()} {len(requests)}\n")
        return generations
