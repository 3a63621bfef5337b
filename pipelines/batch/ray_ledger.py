"""What the nodes of a run tell its coordinator: which document began, which ended, and how.

One actor of Ray, on the machine of the coordinator, is the only thing that nodes write to: the manifest is a
SQLite file on a local disk, which no two machines can share. Rows of it go to nodes with their task, and what
became of a document comes back through here, a kilobyte or two each; documents and results never do.

Ray runs a task again when its node is lost, and a task may be some documents: those that had ended are not
read again, and a document that is lost with its process :data:`MAX_LOST` times is given up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from docai.pipelines.batch.document import Outcome

MAX_LOST: Final = 3
"""Processes of Ray, with or without their nodes, that may be lost while they read a document."""


@dataclass(frozen=True)
class Ticket:
    """Leave to read a document."""

    attempt: int
    """Of this run, from 1."""
    password: str | None


@dataclass(frozen=True)
class Began:
    """A node begins with a document."""

    number: int
    attempt: int


@dataclass(frozen=True)
class Opened:
    """A document is open."""

    number: int
    n_pages: int


@dataclass(frozen=True)
class PageDone:
    """A page was read, or given up; fields as in :class:`docai.pipelines.batch.events.PageRead`."""

    number: int
    page: int
    seconds: float
    n_records: int
    problem: str


@dataclass(frozen=True)
class Ended:
    """A document has its result, or none."""

    number: int
    attempt: int
    seconds: float
    outcome: Outcome


@dataclass(frozen=True)
class Fault:
    """Nothing else could be read either."""

    error: Exception


NodeEvent = Began | Opened | PageDone | Ended | Fault


class Ledger:
    """The actor. Its methods are called one at a time.

    Args:
        passwords: number of an input → what opens it. They are here and in no task: Ray writes tasks to a
            disk where memory is short.
    """

    def __init__(self, passwords: Mapping[int, str]) -> None:
        self._passwords = dict(passwords)
        self._events: list[NodeEvent] = []
        self._begun: Counter[int] = Counter()
        self._ended: set[int] = set()
        self._is_stopped = False

    def begin(self, number: int) -> Ticket | None:
        """Leave to read a document; None: it has ended, or the run has."""
        if self._is_stopped or number in self._ended:
            return None
        if self._begun[number] == MAX_LOST:
            reason = (
                f"{MAX_LOST} processes were lost while they read it, each with all that it had: look at the "
                "memory of the nodes, try it alone, or --retry-failed."
            )
            self.end(Ended(number, MAX_LOST, 0.0, Outcome("failed", reason, "WorkerLost")))
            return None
        self._begun[number] += 1
        self._events.append(Began(number, self._begun[number]))
        return Ticket(self._begun[number], self._passwords.get(number))

    def may_write(self, number: int, attempt: int) -> bool:
        """Whether the document is still that attempt's. A process that was taken for lost, and lives where
        it reaches no model, would write over what another one has read since."""
        return number not in self._ended and self._begun[number] == attempt

    def tell(self, events: Iterable[NodeEvent]) -> bool:
        """Returns whether the run goes on."""
        self._events.extend(events)
        return not self._is_stopped

    def end(self, ended: Ended) -> None:
        """Of two processes that read the same document, one of them taken for lost, the first one counts."""
        if ended.number not in self._ended:
            self._ended.add(ended.number)
            del self._begun[ended.number]
            self._events.append(ended)

    def take(self) -> list[NodeEvent]:
        """What happened since the last call, for the coordinator."""
        events, self._events = self._events, []
        return events

    def stop(self) -> None:
        """Nodes give up what they read."""
        self._is_stopped = True
