"""A document that was handed in, and how far it is."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from docai.pipelines.batch.pool import Reading
from docai.service.display import Shown

State = Literal["queued", "running", "done", "partial", "failed", "cancelled"]
"""``partial``: there is a result, and pages of it could not be read, or there was no time for them."""

ENDED: Final = frozenset(("done", "partial", "failed", "cancelled"))


@dataclass
class Job:
    """A document that was handed in."""

    id: str
    name: str
    """Of the document, as its caller called it."""
    path: Path
    folder: Path
    """What was uploaded, if anything."""
    created: float = field(default_factory=time.time)
    """Seconds since 1970, as the following."""
    started: float | None = None
    ended: float | None = None
    state: State = "queued"
    n_pages: int | None = None
    """To read; None: it is not open yet."""
    n_read: int = 0
    """Pages that were read, or given up."""
    n_records: int = 0
    error: Exception | None = None
    """Why it failed."""
    shown: Shown | None = None
    """Its result, where it has one."""
    is_kept: bool = True
    """False: it is removed by whoever waits for it."""
    is_fetched: bool = False
    """Somebody has its result."""
    reading: Reading | None = None
    timer: asyncio.TimerHandle | None = None
    """Ends the time that a document may take."""
    page_seconds: float = 0.0
    """That one page of it may take."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    def tell(self) -> None:
        """Wake all who wait for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def changed(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    async def end(self) -> None:
        """Wait until it has ended."""
        while not self.has_ended:
            await self.changed()
